package kubesim

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Build makes the nodes and the usual namespaces, at the cluster's time. It is
// called once, first.
func (s *Sim) Build() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range []string{metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease} {
		n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		defaultNamespace(s, n)
		s.put(s.r.namespaces, n)
	}
	for i, name := range s.o.Nodes {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64"}}}
		node.Status = corev1.NodeStatus{
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.20.1.%d", 10+i)}, {Type: corev1.NodeHostName, Address: name}},
			NodeInfo:  corev1.NodeSystemInfo{KubeletVersion: s.o.Version, OSImage: "Debian GNU/Linux 13 (trixie)", KernelVersion: "6.12.48", ContainerRuntimeVersion: "containerd://2.1.4", OperatingSystem: "linux", Architecture: "amd64"},
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status", LastHeartbeatTime: s.stamp(), LastTransitionTime: s.stamp(),
			}},
		}
		s.put(s.r.nodes, node)
	}
}

// Apply creates objects, or replaces the spec of those that exist, as somebody
// with kubectl would, at the cluster's time. Namespaces are made as needed.
func (s *Sim) Apply(manager string, objects ...Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	defer s.settle()
	for _, o := range objects {
		if err := s.applyOne(manager, o); err != nil {
			return fmt.Errorf("apply %T %s/%s: %w", o, o.GetNamespace(), o.GetName(), err)
		}
	}
	return nil
}

func (s *Sim) applyOne(manager string, o Object) error {
	res := s.kindOf(o)
	if res == nil {
		return fmt.Errorf("there is no such kind")
	}
	o = bare(copyOf(o))
	if ns := o.GetNamespace(); res.namespaced && ns != "" {
		if _, ok := get[Object](s, s.r.namespaces, "", ns); !ok {
			n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
			defaultNamespace(s, n)
			s.put(s.r.namespaces, n)
		}
	}
	old, ok := get[Object](s, res, o.GetNamespace(), o.GetName())
	if !ok {
		return s.add(res, o, manager, false)
	}
	if res.status {
		takeStatus(o, old)
	}
	kept := copyOf(old)
	o.SetUID(old.GetUID())
	o.SetCreationTimestamp(old.GetCreationTimestamp())
	o.SetGeneration(old.GetGeneration())
	o.SetManagedFields(kept.GetManagedFields())
	for k, v := range kept.GetAnnotations() {
		a := o.GetAnnotations()
		if a == nil {
			a = map[string]string{}
		}
		if _, said := a[k]; !said {
			a[k] = v
			o.SetAnnotations(a)
		}
	}
	if res.defaults != nil {
		res.defaults(s, o)
	}
	if err := s.validate(res, o, old); err != nil {
		return err
	}
	s.own(res, old, o, manager, metav1.ManagedFieldsOperationUpdate, "")
	s.put(res, o)
	return nil
}

// kindOf finds the resource of an object by its type, or for custom ones by the
// kind it says.
func (s *Sim) kindOf(o Object) *resource {
	for _, res := range s.r.all {
		if res.shadows != nil || res.virtual {
			continue
		}
		if res.custom && res.gvk() == o.GetObjectKind().GroupVersionKind() || !res.custom && fmt.Sprintf("%T", res.make()) == fmt.Sprintf("%T", o) {
			return res
		}
	}
	return nil
}

// Read calls f with every object of a kind ("Pod", "Deployment" …) in a
// namespace, or in all for "", in the order of their names. What it is given
// must not be changed.
func (s *Sim) Read(kind, namespace string, f func(Object)) {
	s.mu.Lock()
	s.catchUp()
	var all []Object
	if res := s.r.byKind[kind]; res != nil {
		all = list[Object](s, res, namespace)
	}
	s.mu.Unlock()
	for _, o := range all {
		f(o)
	}
}

// Delete deletes one object, as somebody with kubectl would.
func (s *Sim) Delete(kind, namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	defer s.settle()
	if res := s.r.byKind[kind]; res != nil {
		if o, ok := get[Object](s, res, namespace, name); ok {
			s.remove(res, o, nil)
		}
	}
}
