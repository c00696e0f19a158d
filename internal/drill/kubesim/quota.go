package kubesim

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
)

// quotaRetry is when a controller that was refused a pod tries again.
const quotaRetry = 5 * time.Second

// quotaOfPods are the names under which a quota counts pods. Nothing else of a quota
// is simulated: another resource of it holds nothing back.
var quotaOfPods = []corev1.ResourceName{corev1.ResourcePods, "count/pods"}

// podsIn is how many pods of a namespace count against its quotas.
func (s *Sim) podsIn(namespace string) (n int64) {
	for _, p := range list[*corev1.Pod](s, s.r.pods, namespace) {
		if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			n++
		}
	}
	return n
}

// overQuota is why a namespace takes no further pod, in the API server's words; empty
// when it takes one.
func (s *Sim) overQuota(namespace, pod string) string {
	for _, q := range list[*corev1.ResourceQuota](s, s.r.quotas, namespace) {
		for _, name := range quotaOfPods {
			hard, limited := q.Spec.Hard[name]
			if used := s.podsIn(namespace); limited && used+1 > hard.Value() {
				return fmt.Sprintf("pods %q is forbidden: exceeded quota: %s, requested: %s=1, used: %s=%d, limited: %s=%d", pod, q.Name, name, name, used, name, hard.Value())
			}
		}
	}
	return ""
}

// refusedPod tells that a controller was refused a pod, and has it try again.
func (s *Sim) refusedPod(k key, o Object, source, why string) {
	s.event(k.res, o, corev1.EventTypeWarning, "FailedCreate", source, "Error creating: "+why)
	s.after(k, s.at.Add(quotaRetry))
}

// quotaController writes what is used of a quota.
func (s *Sim) quotaController(namespace, name string) {
	old, ok := get[*corev1.ResourceQuota](s, s.r.quotas, namespace, name)
	if !ok {
		return
	}
	c := old.DeepCopy()
	c.Status = corev1.ResourceQuotaStatus{Hard: c.Spec.Hard.DeepCopy(), Used: corev1.ResourceList{}}
	for _, kind := range quotaOfPods {
		if _, limited := c.Spec.Hard[kind]; limited {
			c.Status.Used[kind] = *apiresource.NewQuantity(s.podsIn(namespace), apiresource.DecimalSI)
		}
	}
	if !apiequality.Semantic.DeepEqual(old.Status, c.Status) {
		s.putStatus(s.r.quotas, c)
	}
}

// replicaFailure is a ReplicaSet's conditions with whether it was refused a pod.
func (s *Sim) replicaFailure(have []appsv1.ReplicaSetCondition, why string) []appsv1.ReplicaSetCondition {
	i := slices.IndexFunc(have, func(c appsv1.ReplicaSetCondition) bool { return c.Type == appsv1.ReplicaSetReplicaFailure })
	switch {
	case why == "" && i < 0, i >= 0 && have[i].Message == why:
		return have
	case why == "":
		return slices.Delete(slices.Clone(have), i, i+1)
	}
	have = slices.Clone(have)
	if i >= 0 {
		have = slices.Delete(have, i, i+1)
	}
	return append(have, appsv1.ReplicaSetCondition{Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: why, LastTransitionTime: s.stamp()})
}

// failures brings the refusals of its ReplicaSets into a Deployment's conditions.
func (r *rollout) failures() {
	for _, rs := range r.sets {
		for _, c := range rs.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
				r.condition(appsv1.DeploymentReplicaFailure, corev1.ConditionTrue, c.Reason, c.Message, false)
				return
			}
		}
	}
	r.d.Status.Conditions = slices.DeleteFunc(r.d.Status.Conditions, func(c appsv1.DeploymentCondition) bool { return c.Type == appsv1.DeploymentReplicaFailure })
}
