package kubesim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// revise finds or makes the ControllerRevision of a template, as StatefulSets
// and DaemonSets keep them, and forgets old ones beyond a limit.
func (s *Sim) revise(res *resource, owner Object, t corev1.PodTemplateSpec, limit int32, used func(name string) bool) *appsv1.ControllerRevision {
	raw, _ := json.Marshal(map[string]any{"spec": map[string]any{"template": templateMap(t)}}) // it came from the wire
	all := owned[*appsv1.ControllerRevision](s, s.r.revisions, owner)
	slices.SortFunc(all, func(a, b *appsv1.ControllerRevision) int { return cmp.Compare(a.Revision, b.Revision) })
	last := int64(0)
	if len(all) > 0 {
		last = all[len(all)-1].Revision
	}
	var found *appsv1.ControllerRevision
	for _, r := range all {
		if string(r.Data.Raw) == string(raw) {
			found = r
		}
	}
	switch {
	case found == nil:
		hash := hashOf(string(raw))
		found = &appsv1.ControllerRevision{
			ObjectMeta: metav1.ObjectMeta{Name: owner.GetName() + "-" + hash, Namespace: owner.GetNamespace(), OwnerReferences: ownerOf(res, owner), Labels: map[string]string{}, Annotations: owner.GetAnnotations()},
			Data:       runtime.RawExtension{Raw: raw}, Revision: last + 1,
		}
		for k, v := range t.Labels {
			found.Labels[k] = v
		}
		found.Labels[appsv1.ControllerRevisionHashLabelKey] = hash
		s.put(s.r.revisions, found)
	case found.Revision < last:
		c := found.DeepCopy()
		c.Revision = last + 1
		s.put(s.r.revisions, c)
		found = c
	}
	old := slices.DeleteFunc(all, func(r *appsv1.ControllerRevision) bool { return r.Name == found.Name || used(r.Name) })
	for len(old) > int(limit) {
		s.drop(s.r.revisions, old[0])
		old = old[1:]
	}
	return found
}

// templateMap is a template as kubectl's undo expects it in a revision.
func templateMap(t corev1.PodTemplateSpec) map[string]any {
	raw, _ := json.Marshal(t) // it came from the wire
	m := map[string]any{}
	_ = json.Unmarshal(raw, &m) // it was just written
	m["$patch"] = "replace"
	return m
}

// templateOf reads a template back from a revision.
func templateOf(r *appsv1.ControllerRevision) (t corev1.PodTemplateSpec) {
	var data struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	_ = json.Unmarshal(r.Data.Raw, &data) // we wrote it
	return data.Spec.Template
}

func revisionHash(r *appsv1.ControllerRevision) string {
	return r.Labels[appsv1.ControllerRevisionHashLabelKey]
}

// statefulSetController keeps the ordinals of a StatefulSet, in order.
func (s *Sim) statefulSetController(namespace, name string) {
	old, ok := get[*appsv1.StatefulSet](s, s.r.statefulSets, namespace, name)
	if !ok || old.DeletionTimestamp != nil {
		return
	}
	set := old.DeepCopy()
	update := s.revise(s.r.statefulSets, set, set.Spec.Template, *set.Spec.RevisionHistoryLimit, func(n string) bool { return n == set.Status.CurrentRevision })
	current, ok := get[*appsv1.ControllerRevision](s, s.r.revisions, namespace, set.Status.CurrentRevision)
	if !ok {
		current = update
	}
	set.Status.CurrentRevision, set.Status.UpdateRevision, set.Status.ObservedGeneration = current.Name, update.Name, set.Generation
	s.ordinals(set, current, update)
	s.statefulStatus(set, update)
	if !apiequality.Semantic.DeepEqual(old.Status, set.Status) {
		s.putStatus(s.r.statefulSets, set)
	}
}

// ordinalOf is the number at the end of a pod's name.
func ordinalOf(p *corev1.Pod) int {
	n, err := strconv.Atoi(p.Name[strings.LastIndexByte(p.Name, '-')+1:])
	if err != nil {
		return -1
	}
	return n
}

// ordinals creates, deletes and replaces pods, one at a time unless the policy is
// Parallel.
func (s *Sim) ordinals(set *appsv1.StatefulSet, current, update *appsv1.ControllerRevision) {
	const source = "statefulset-controller"
	k := key{s.r.statefulSets, set.Namespace, set.Name}
	n := int(*set.Spec.Replicas)
	parallel := set.Spec.PodManagementPolicy == appsv1.ParallelPodManagement
	pods := map[int]*corev1.Pod{}
	highest := -1
	for _, p := range owned[*corev1.Pod](s, s.r.pods, set) {
		pods[ordinalOf(p)] = p
		highest = max(highest, ordinalOf(p))
	}
	partition := 0
	if u := set.Spec.UpdateStrategy.RollingUpdate; u != nil && u.Partition != nil {
		partition = int(*u.Partition)
	}
	well := func(p *corev1.Pod) bool {
		return p != nil && p.DeletionTimestamp == nil && s.available(p, set.Spec.MinReadySeconds, k)
	}
	for i := range n {
		p := pods[i]
		if p == nil {
			revision := update
			if i < partition && set.Spec.UpdateStrategy.Type == appsv1.RollingUpdateStatefulSetStrategyType {
				revision = current
			}
			if why := s.overQuota(set.Namespace, fmt.Sprintf("%s-%d", set.Name, i)); why != "" {
				s.refusedPod(k, set, source, why)
				return
			}
			p = s.makePod(s.r.statefulSets, set, templateOf(revision), fmt.Sprintf("%s-%d", set.Name, i), map[string]string{
				appsv1.StatefulSetPodNameLabel: fmt.Sprintf("%s-%d", set.Name, i), appsv1.PodIndexLabel: fmt.Sprint(i), appsv1.ControllerRevisionHashLabelKey: revisionHash(revision),
			})
			s.event(s.r.statefulSets, set, corev1.EventTypeNormal, "SuccessfulCreate", source, fmt.Sprintf("create Pod %s in StatefulSet %s successful", p.Name, set.Name))
		}
		if !parallel && !well(p) {
			return
		}
	}
	for i := highest; i >= n; i-- {
		if p := pods[i]; p != nil {
			if p.DeletionTimestamp == nil {
				s.remove(s.r.pods, p, nil)
				s.event(s.r.statefulSets, set, corev1.EventTypeNormal, "SuccessfulDelete", source, fmt.Sprintf("delete Pod %s in StatefulSet %s successful", p.Name, set.Name))
			}
			if !parallel {
				return
			}
		}
	}
	if set.Spec.UpdateStrategy.Type != appsv1.RollingUpdateStatefulSetStrategyType {
		return // OnDelete: somebody has to
	}
	for i := n - 1; i >= partition; i-- {
		p := pods[i]
		if p == nil {
			return
		}
		if p.Labels[appsv1.ControllerRevisionHashLabelKey] != revisionHash(update) && p.DeletionTimestamp == nil {
			s.remove(s.r.pods, p, nil)
			s.event(s.r.statefulSets, set, corev1.EventTypeNormal, "SuccessfulDelete", source, fmt.Sprintf("delete Pod %s in StatefulSet %s successful", p.Name, set.Name))
			return
		}
		if !well(p) {
			return
		}
	}
}

func (s *Sim) statefulStatus(set *appsv1.StatefulSet, update *appsv1.ControllerRevision) {
	st := &set.Status
	st.Replicas, st.ReadyReplicas, st.AvailableReplicas, st.UpdatedReplicas, st.CurrentReplicas = 0, 0, 0, 0, 0
	zero := int32(0)
	if st.CollisionCount == nil {
		st.CollisionCount = &zero
	}
	k := key{s.r.statefulSets, set.Namespace, set.Name}
	currentHash := st.CurrentRevision[strings.LastIndexByte(st.CurrentRevision, '-')+1:]
	for _, p := range owned[*corev1.Pod](s, s.r.pods, set) {
		st.Replicas++
		if _, ok := podReady(p); ok {
			st.ReadyReplicas++
		}
		if s.available(p, set.Spec.MinReadySeconds, k) {
			st.AvailableReplicas++
		}
		hash := p.Labels[appsv1.ControllerRevisionHashLabelKey]
		if p.DeletionTimestamp == nil && hash == revisionHash(update) {
			st.UpdatedReplicas++
		}
		if p.DeletionTimestamp == nil && hash == currentHash {
			st.CurrentReplicas++
		}
	}
	partitioned := set.Spec.UpdateStrategy.RollingUpdate != nil && *set.Spec.UpdateStrategy.RollingUpdate.Partition > 0
	if set.Spec.UpdateStrategy.Type == appsv1.RollingUpdateStatefulSetStrategyType && !partitioned &&
		st.UpdatedReplicas == st.Replicas && st.ReadyReplicas == st.Replicas && st.Replicas == *set.Spec.Replicas {
		st.CurrentRevision, st.CurrentReplicas = update.Name, st.UpdatedReplicas
	}
}

// daemonSetController keeps one pod a node.
func (s *Sim) daemonSetController(namespace, name string) {
	old, ok := get[*appsv1.DaemonSet](s, s.r.daemonSets, namespace, name)
	if !ok || old.DeletionTimestamp != nil {
		return
	}
	const source = "daemonset-controller"
	set := old.DeepCopy()
	k := key{s.r.daemonSets, namespace, name}
	update := s.revise(s.r.daemonSets, set, set.Spec.Template, *set.Spec.RevisionHistoryLimit, func(string) bool { return false })
	byNode := map[string]*corev1.Pod{}
	for _, p := range owned[*corev1.Pod](s, s.r.pods, set) {
		byNode[p.Spec.NodeName] = p
	}
	st := appsv1.DaemonSetStatus{ObservedGeneration: set.Generation, CollisionCount: set.Status.CollisionCount}
	var stale []*corev1.Pod
	for _, node := range list[*corev1.Node](s, s.r.nodes, "") {
		st.DesiredNumberScheduled++
		p := byNode[node.Name]
		if p == nil {
			if why := s.overQuota(namespace, set.Name); why != "" {
				s.refusedPod(k, set, source, why)
				continue
			}
			t := *set.Spec.Template.DeepCopy()
			t.Spec.NodeName = node.Name
			p = s.makePod(s.r.daemonSets, set, t, "", map[string]string{appsv1.ControllerRevisionHashLabelKey: revisionHash(update), appsv1.DeprecatedTemplateGeneration: fmt.Sprint(set.Generation)})
			s.event(s.r.daemonSets, set, corev1.EventTypeNormal, "SuccessfulCreate", source, "Created pod: "+p.Name)
		}
		st.CurrentNumberScheduled++
		if p.Labels[appsv1.ControllerRevisionHashLabelKey] == revisionHash(update) {
			st.UpdatedNumberScheduled++
		} else if p.DeletionTimestamp == nil {
			stale = append(stale, p)
		}
		if _, ok := podReady(p); ok {
			st.NumberReady++
		}
		if s.available(p, set.Spec.MinReadySeconds, k) {
			st.NumberAvailable++
		}
	}
	st.NumberUnavailable = st.DesiredNumberScheduled - st.NumberAvailable
	if u := set.Spec.UpdateStrategy.RollingUpdate; u != nil && set.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		most, _ := intstr.GetScaledValueFromIntOrPercent(u.MaxUnavailable, int(st.DesiredNumberScheduled), true) // a bad one is 0
		// Those that do not work are replaced whatever the limit.
		for _, p := range stale {
			sick := !s.available(p, set.Spec.MinReadySeconds, k)
			if sick || int(st.NumberUnavailable) < most {
				s.remove(s.r.pods, p, nil)
				s.event(s.r.daemonSets, set, corev1.EventTypeNormal, "SuccessfulDelete", source, "Deleted pod: "+p.Name)
				if !sick {
					st.NumberUnavailable++
				}
			}
		}
	}
	set.Status = st
	if !apiequality.Semantic.DeepEqual(old.Status, set.Status) {
		s.putStatus(s.r.daemonSets, set)
	}
}
