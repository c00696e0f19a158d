package restart

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	authzv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"warroom/actions"
)

// blocked says why a workload cannot be restarted as it is, with what to do by hand;
// nil when it can.
func blocked(w *workload, pods []corev1.Pod) *actions.Refusal {
	what := "restarting " + w.String()
	switch {
	case w.paused:
		return &actions.Refusal{What: what, Why: "its rollouts are paused, and a restart would wait until they are not", Next: fmt.Sprintf("find out who paused it and why, then: kubectl -n %s rollout resume %s/%s", w.namespace, w.kind, w.name)}
	case w.onDelete:
		names := podNames(pods)
		if len(names) == 0 {
			names = []string{"POD"}
		}
		return &actions.Refusal{What: what, Why: "its update strategy is OnDelete: it replaces a pod only when somebody deletes it", Next: fmt.Sprintf("by hand, one after the other, each when the one before is ready: kubectl -n %s delete pod %s", w.namespace, strings.Join(names[:min(len(names), 20)], ", then "))}
	case w.partition > 0 && w.partition >= w.desired:
		return &actions.Refusal{What: what, Why: fmt.Sprintf("its partition is %d and it has %d replicas: no pod would be replaced", w.partition, w.desired), Next: fmt.Sprintf("find out who set it, then: kubectl -n %s patch statefulset %s --type merge -p '{\"spec\":{\"updateStrategy\":{\"rollingUpdate\":{\"partition\":0}}}}'", w.namespace, w.name)}
	}
	return nil
}

func podNames(pods []corev1.Pod) []string {
	var out []string
	for i := range pods {
		out = append(out, pods[i].Name)
	}
	slices.Sort(out)
	return out
}

// of are the pods of a workload that go on.
func of(w *workload, pods []corev1.Pod) []corev1.Pod {
	var out []corev1.Pod
	for _, p := range current(pods) {
		if p.Namespace != w.namespace || !w.selector.Matches(labels.Set(p.Labels)) {
			continue
		}
		// Labels of others may fit as well; the owner tells them apart.
		owner := metav1.GetControllerOf(&p)
		if owner != nil && (w.kind == deployment && owner.Kind == "ReplicaSet" && strings.HasPrefix(owner.Name, w.name+"-") ||
			w.kind != deployment && strings.EqualFold(owner.Kind, w.kind) && owner.Name == w.name) {
			out = append(out, p)
		}
	}
	return out
}

// headroom says what a restart takes from a workload while it rolls.
func headroom(w *workload) string {
	switch {
	case w.desired == 0:
		return "no replicas"
	case w.recreate:
		return fmt.Sprintf("%d of %d available; all end before new ones start (Recreate)", w.available, w.desired)
	}
	return fmt.Sprintf("%d of %d available; at most %d away and %d more at a time", w.available, w.desired, w.away, w.surge)
}

// interrupts reports whether nothing of a workload serves for a while.
func interrupts(w *workload) bool {
	return w.desired > 0 && (w.recreate || w.away >= w.desired && w.kind != daemonSet)
}

// room is what quotas of one namespace leave, in thousandths; nil where there is no
// quota or it is not known.
type room map[corev1.ResourceName]int64

// roomIn reads what the quotas of a namespace leave. Quotas with scopes are left out:
// which pods they are for is not decided here.
func roomIn(ctx context.Context, c *cluster, namespace string) (room, error) {
	all, err := c.quotas(ctx, namespace)
	if err != nil {
		return nil, err
	}
	out := room{}
	for i := range all {
		q := &all[i]
		if len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil {
			continue
		}
		for name, hard := range q.Status.Hard {
			left := hard.MilliValue()
			if used, ok := q.Status.Used[name]; ok {
				left -= used.MilliValue()
			}
			name = bare(name)
			if have, ok := out[name]; !ok || left < have {
				out[name] = left
			}
		}
	}
	return out, nil
}

// bare gives the resources of a quota one name each.
func bare(name corev1.ResourceName) corev1.ResourceName {
	switch name {
	case "count/pods":
		return corev1.ResourcePods
	case corev1.ResourceCPU:
		return corev1.ResourceRequestsCPU
	case corev1.ResourceMemory:
		return corev1.ResourceRequestsMemory
	}
	return name
}

// extra is what the surge of a workload takes of a quota.
func extra(w *workload) room {
	out := room{}
	if w.surge == 0 {
		return out
	}
	n := int64(w.surge)
	out[corev1.ResourcePods] = 1000 * n
	add := func(name corev1.ResourceName, q apiresource.Quantity) { out[name] += n * q.MilliValue() }
	for i := range w.pod.Containers {
		r := &w.pod.Containers[i].Resources
		for name, q := range r.Requests {
			add("requests."+name, q)
		}
		for name, q := range r.Limits {
			add("limits."+name, q)
			if _, requested := r.Requests[name]; !requested {
				add("requests."+name, q) // as the API server fills it in
			}
		}
	}
	return out
}

// lacks names what of a need does not fit.
func (r room) lacks(need room) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(need)) {
		if left, limited := r[name]; limited && need[name] > left {
			out = append(out, fmt.Sprintf("%s: needs %s more, %s left", name, amount(need[name]), amount(max(left, 0))))
		}
	}
	return out
}

func amount(milli int64) string {
	return apiresource.NewMilliQuantity(milli, apiresource.DecimalSI).String()
}

// fits refuses a surge for which a quota has no room. One that may have pods away
// instead makes room by itself.
func fits(w *workload, left room) *actions.Refusal {
	lack := left.lacks(extra(w))
	if len(lack) == 0 || w.away > 0 {
		return nil
	}
	return &actions.Refusal{
		What: "restarting " + w.String(), Why: "it must start new pods before old ones end, and the quota of namespace " + w.namespace + " has no room for them (" + strings.Join(lack, "; ") + ")",
		Next: "raise the quota, or let a pod be away: kubectl -n " + w.namespace + " patch " + w.kind + " " + w.name + ` --type merge -p '{"spec":{"strategy":{"rollingUpdate":{"maxUnavailable":1}}}}'`,
	}
}

// mayPatch asks the cluster whether we may restart a kind of workload in a namespace.
// A cluster that does not say is no reason not to try.
func mayPatch(ctx context.Context, c *cluster, namespace, kind string) (bool, string) {
	bounded, cancel := context.WithTimeout(ctx, c.Limit())
	defer cancel()
	answer, err := c.Typed.AuthorizationV1().SelfSubjectAccessReviews().Create(bounded, &authzv1.SelfSubjectAccessReview{Spec: authzv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authzv1.ResourceAttributes{Namespace: namespace, Verb: "patch", Group: "apps", Resource: resource(kind)},
	}}, metav1.CreateOptions{})
	if err != nil {
		return true, ""
	}
	return answer.Status.Allowed, answer.Status.Reason
}
