package kubesim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// Object is anything the cluster holds. What is stored is never changed: a write
// stores a copy.
type Object interface {
	metav1.Object
	runtime.Object
}

// change is one write.
type change struct {
	version  int64
	res      *resource
	kind     watch.EventType
	old, obj Object // old is nil for what was added; obj of what was deleted is its last state, under the new version
}

func path(namespace, name string) string { return namespace + "/" + name }

// get finds one object.
func get[T Object](s *Sim, res *resource, namespace, name string) (out T, ok bool) {
	o, ok := s.objects[res][path(namespace, name)]
	if !ok {
		return out, false
	}
	out, ok = o.(T)
	return out, ok
}

// list is the objects of a namespace, or of all for "", in the order of their
// names.
func list[T Object](s *Sim, res *resource, namespace string) []T {
	var out []T
	for _, k := range s.names(res) {
		o := s.objects[res][k]
		if namespace != "" && o.GetNamespace() != namespace {
			continue
		}
		if t, ok := o.(T); ok {
			out = append(out, t)
		}
	}
	return out
}

// names are the keys of a kind's objects, in order.
func (s *Sim) names(res *resource) []string {
	keys, ok := s.order[res]
	if !ok {
		keys = slices.Sorted(maps.Keys(s.objects[res]))
		s.order[res] = keys
	}
	return keys
}

// copyOf is a copy that may be changed and put.
func copyOf[T Object](o T) T { return o.DeepCopyObject().(T) }

// put stores an object under a new resource version and tells everybody.
func (s *Sim) put(res *resource, o Object) {
	if old := s.objects[res][path(o.GetNamespace(), o.GetName())]; old != nil && res.generation && !sameSpec(old, o) {
		o.SetGeneration(old.GetGeneration() + 1)
	}
	s.putStatus(res, o)
}

// putStatus is put for those who leave the spec alone.
func (s *Sim) putStatus(res *resource, o Object) {
	m := s.objects[res]
	if m == nil {
		m = map[string]Object{}
		s.objects[res] = m
	}
	p := path(o.GetNamespace(), o.GetName())
	old := m[p]
	if old == nil {
		if o.GetUID() == "" {
			o.SetUID(types.UID(s.uid()))
		}
		if t := o.GetCreationTimestamp(); t.IsZero() {
			o.SetCreationTimestamp(s.stamp())
		}
		if res.generation && o.GetGeneration() == 0 {
			o.SetGeneration(1)
		}
	}
	s.version++
	o.SetResourceVersion(strconv.FormatInt(s.version, 10))
	m[p] = o
	s.adopt(res, old, o)
	kind := watch.Modified
	if old == nil {
		kind = watch.Added
		delete(s.order, res)
	}
	s.record(change{version: s.version, res: res, kind: kind, old: old, obj: o})
}

// brood is the objects of a kind that one controller owns.
type brood struct {
	res   *resource
	owner types.UID
}

// adopt keeps the index of who owns what.
func (s *Sim) adopt(res *resource, old, o Object) {
	of := func(x Object) types.UID {
		if x == nil {
			return ""
		}
		if c := metav1.GetControllerOfNoCopy(x); c != nil {
			return c.UID
		}
		return ""
	}
	before, after := of(old), of(o)
	if before == after {
		return
	}
	if b := (brood{res, before}); before != "" {
		delete(s.broods[b], path(old.GetNamespace(), old.GetName()))
		if len(s.broods[b]) == 0 {
			delete(s.broods, b)
		}
	}
	if b := (brood{res, after}); after != "" {
		if s.broods[b] == nil {
			s.broods[b] = map[string]bool{}
		}
		s.broods[b][path(o.GetNamespace(), o.GetName())] = true
	}
}

// drop removes an object.
func (s *Sim) drop(res *resource, o Object) {
	p := path(o.GetNamespace(), o.GetName())
	old, ok := s.objects[res][p]
	if !ok {
		return
	}
	delete(s.objects[res], p)
	delete(s.order, res)
	s.adopt(res, old, nil)
	s.version++
	last := copyOf(old)
	last.SetResourceVersion(strconv.FormatInt(s.version, 10))
	s.record(change{version: s.version, res: res, kind: watch.Deleted, old: old, obj: last})
	if res == s.r.pods {
		delete(s.pods, string(old.GetUID()))
	}
	switch res {
	case s.r.deployments, s.r.replicaSets, s.r.statefulSets, s.r.daemonSets, s.r.cronJobs, s.r.jobs, s.r.services, s.r.externalSecrets:
		s.orphaned(old)
	}
}

// record keeps a change, wakes watches and controllers.
func (s *Sim) record(c change) {
	s.changes = append(s.changes, c)
	if over := len(s.changes) - s.o.History; over > s.o.History/4 {
		s.floor = s.changes[over-1].version
		s.changes = slices.Clone(s.changes[over:])
	}
	close(s.pulse)
	s.pulse = make(chan struct{})
	s.concern(c)
}

// concern marks what a change matters to: the object, its owner, and what
// selects or uses it.
func (s *Sim) concern(c change) {
	o := c.obj
	ns := o.GetNamespace()
	s.mark(key{c.res, ns, o.GetName()})
	if c.res == s.r.pods && c.kind == watch.Modified && standing(c.old.(*corev1.Pod)) == standing(o.(*corev1.Pod)) {
		return // nothing that anybody else looks at
	}
	if owner := metav1.GetControllerOfNoCopy(o); owner != nil {
		if res := s.r.byKind[owner.Kind]; res != nil {
			s.mark(key{res, ns, owner.Name})
		}
	}
	switch c.res {
	case s.r.pods:
		set := labels.Set(o.GetLabels())
		for _, svc := range list[*corev1.Service](s, s.r.services, ns) {
			if selects(svc.Spec.Selector, set) {
				s.mark(key{s.r.services, ns, svc.Name})
			}
		}
		s.markAll(s.r.budgets, ns)
		s.markAll(s.r.quotas, ns)
	case s.r.nodes:
		s.markAll(s.r.daemonSets, "")
		s.markAll(s.r.pods, "")
	case s.r.secrets:
		s.markAll(s.r.externalSecrets, ns)
	case s.r.secretStores, s.r.clusterStores:
		clear(s.retries) // what failed for want of a store is tried again
		s.markAll(s.r.externalSecrets, ns)
	case s.r.deployments, s.r.statefulSets:
		s.markAll(s.r.budgets, ns)
	}
}

// standing is what of a pod matters to whoever owns or selects it.
func standing(p *corev1.Pod) string {
	since, ready := podReady(p)
	return fmt.Sprint(ready, since.Unix(), p.Status.Phase, p.Status.PodIP, p.Spec.NodeName, p.DeletionTimestamp != nil, p.Labels)
}

// selects reports whether a plain selector, which must not be empty, fits.
func selects(selector map[string]string, set labels.Set) bool {
	for k, v := range selector {
		if set[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

// markAll marks the objects of a kind in a namespace, or in all.
func (s *Sim) markAll(res *resource, namespace string) {
	for _, k := range s.names(res) {
		ns, name, _ := strings.Cut(k, "/")
		if namespace == "" || ns == namespace {
			s.mark(key{res, ns, name})
		}
	}
}

// orphaned deletes what belonged to a deleted object.
func (s *Sim) orphaned(owner Object) {
	for _, res := range s.r.all {
		if res.shadows != nil || res.virtual {
			continue
		}
		for _, o := range list[Object](s, res, owner.GetNamespace()) {
			for _, ref := range o.GetOwnerReferences() {
				if ref.UID == owner.GetUID() {
					s.remove(res, o, nil)
					break
				}
			}
		}
	}
}

// remove begins the end of an object: a pod gets time to stop, what has
// finalizers waits for them, everything else is gone at once.
func (s *Sim) remove(res *resource, o Object, grace *int64) {
	if res == s.r.pods {
		s.stopPod(o, grace)
		return
	}
	if len(o.GetFinalizers()) > 0 {
		if o.GetDeletionTimestamp() == nil {
			c := copyOf(o)
			t := s.stamp()
			c.SetDeletionTimestamp(&t)
			s.put(res, c)
		}
		return
	}
	s.drop(res, o)
	if res == s.r.namespaces {
		for _, other := range s.r.all {
			if other.namespaced && other.shadows == nil {
				for _, inside := range list[Object](s, other, o.GetName()) {
					s.remove(other, inside, nil)
				}
			}
		}
	}
}

// stateAt is the objects of a kind as they were at a version that is not
// forgotten: today's, with the changes since undone.
func (s *Sim) stateAt(res *resource, version int64) []Object {
	m := maps.Clone(s.objects[res])
	if m == nil {
		m = map[string]Object{}
	}
	for i := len(s.changes) - 1; i >= 0 && s.changes[i].version > version; i-- {
		c := s.changes[i]
		if c.res != res {
			continue
		}
		p := path(c.obj.GetNamespace(), c.obj.GetName())
		if c.old == nil {
			delete(m, p)
		} else {
			m[p] = c.old
		}
	}
	out := make([]Object, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}

// since is where the changes after a version begin.
func (s *Sim) since(version int64) int {
	i, _ := slices.BinarySearchFunc(s.changes, version+1, func(c change, v int64) int { return cmp.Compare(c.version, v) })
	return i
}
