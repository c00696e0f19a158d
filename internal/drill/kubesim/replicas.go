package kubesim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ownerOf is the reference by which a controller owns what it made.
func ownerOf(res *resource, o Object) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{APIVersion: res.gvk().GroupVersion().String(), Kind: res.kind, Name: o.GetName(), UID: o.GetUID(), Controller: &yes, BlockOwnerDeletion: &yes}}
}

// owned lists what a controller owns, in the order of names.
func owned[T Object](s *Sim, res *resource, owner Object) (out []T) {
	for _, p := range slices.Sorted(maps.Keys(s.broods[brood{res, owner.GetUID()}])) {
		if o, ok := s.objects[res][p].(T); ok {
			out = append(out, o)
		}
	}
	return out
}

// hashOf is the name of a template: the same for the same content.
func hashOf(v any) string {
	h := fnv.New32a()
	_ = json.NewEncoder(h).Encode(v) // a hash takes everything
	digits := fmt.Sprint(h.Sum32())
	return strings.Map(func(r rune) rune { return rune(nameLetters[int(r)%len(nameLetters)]) }, digits)
}

// makePod creates a pod of a template.
func (s *Sim) makePod(res *resource, owner Object, t corev1.PodTemplateSpec, name string, more map[string]string) *corev1.Pod {
	t = *t.DeepCopy()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: owner.GetNamespace(), Labels: t.Labels, Annotations: t.Annotations, Finalizers: t.Finalizers, OwnerReferences: ownerOf(res, owner),
	}, Spec: t.Spec}
	if name == "" {
		p.GenerateName = owner.GetName() + "-"
		p.Name = p.GenerateName + s.suffix()
	}
	for k, v := range more {
		metav1.SetMetaDataLabel(&p.ObjectMeta, k, v)
	}
	defaultPod(s, p)
	s.put(s.r.pods, p)
	return p
}

// active reports whether a pod counts for its controller.
func active(p *corev1.Pod) bool {
	return p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
}

// available reports whether a pod has been ready for long enough; else has the
// controller look again when it will have been.
func (s *Sim) available(p *corev1.Pod, minReady int32, again key) bool {
	since, ok := podReady(p)
	if !ok {
		return false
	}
	due := since.Add(time.Duration(minReady) * time.Second)
	if minReady > 0 && s.at.Before(due) {
		s.after(again, due)
		return false
	}
	return true
}

// replicaSetController keeps as many pods as a ReplicaSet wants.
func (s *Sim) replicaSetController(namespace, name string) {
	rs, ok := get[*appsv1.ReplicaSet](s, s.r.replicaSets, namespace, name)
	if !ok || rs.DeletionTimestamp != nil {
		return
	}
	k := key{s.r.replicaSets, namespace, name}
	pods := slices.DeleteFunc(owned[*corev1.Pod](s, s.r.pods, rs), func(p *corev1.Pod) bool { return !active(p) })
	const source = "replicaset-controller"
	refused := ""
	for len(pods) < int(*rs.Spec.Replicas) {
		if refused = s.overQuota(namespace, rs.Name+"-"+hashOf([]any{rs.UID, rs.Generation})[:5]); refused != "" {
			s.refusedPod(k, rs, source, refused)
			break
		}
		p := s.makePod(s.r.replicaSets, rs, rs.Spec.Template, "", nil)
		pods = append(pods, p)
		s.event(s.r.replicaSets, rs, corev1.EventTypeNormal, "SuccessfulCreate", source, "Created pod: "+p.Name)
	}
	if over := len(pods) - int(*rs.Spec.Replicas); over > 0 {
		// Those go first that are worth least: not placed, not ready, most restarts, newest.
		slices.SortStableFunc(pods, func(a, b *corev1.Pod) int {
			_, aReady := podReady(a)
			_, bReady := podReady(b)
			return cmp.Or(truthOf(a.Spec.NodeName != "", b.Spec.NodeName != ""), truthOf(aReady, bReady),
				b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
		})
		for _, p := range pods[:over] {
			s.remove(s.r.pods, p, nil)
			s.event(s.r.replicaSets, rs, corev1.EventTypeNormal, "SuccessfulDelete", source, "Deleted pod: "+p.Name)
		}
		pods = pods[over:]
	}
	status := appsv1.ReplicaSetStatus{Replicas: int32(len(pods)), ObservedGeneration: rs.Generation, Conditions: s.replicaFailure(rs.Status.Conditions, refused)}
	for _, p := range pods {
		status.FullyLabeledReplicas++
		if _, ok := podReady(p); ok {
			status.ReadyReplicas++
		}
		if s.available(p, rs.Spec.MinReadySeconds, k) {
			status.AvailableReplicas++
		}
	}
	if !apiequality.Semantic.DeepEqual(status, rs.Status) {
		c := rs.DeepCopy()
		c.Status = status
		s.putStatus(s.r.replicaSets, c)
	}
}

// truthOf orders false before true.
func truthOf(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
