//lint:file-ignore SA1019 Endpoints are served by every cluster
package kubesim

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// endpointController keeps the addresses behind a Service, as EndpointSlice and
// as Endpoints.
func (s *Sim) endpointController(namespace, name string) {
	svc, ok := get[*corev1.Service](s, s.r.services, namespace, name)
	if !ok || len(svc.Spec.Selector) == 0 {
		return
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: name + "-" + hashOf(string(svc.UID))[:5], GenerateName: name + "-", Namespace: namespace, OwnerReferences: ownerOf(s.r.services, svc),
			Labels: map[string]string{discoveryv1.LabelServiceName: name, discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io"},
		},
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{},
	}
	points := &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, OwnerReferences: ownerOf(s.r.services, svc)}}
	subset := corev1.EndpointSubset{}
	for _, p := range svc.Spec.Ports {
		port := p.TargetPort.IntVal
		if port == 0 {
			port = p.Port
		}
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &p.Name, Port: &port, Protocol: &p.Protocol})
		subset.Ports = append(subset.Ports, corev1.EndpointPort{Name: p.Name, Port: port, Protocol: p.Protocol})
	}
	selector := labels.SelectorFromSet(svc.Spec.Selector)
	for _, p := range list[*corev1.Pod](s, s.r.pods, namespace) {
		if !selector.Matches(labels.Set(p.Labels)) || p.Status.PodIP == "" || p.Status.Phase != corev1.PodRunning {
			continue
		}
		_, ready := podReady(p)
		ending := p.DeletionTimestamp != nil
		ref := &corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: p.Name, UID: p.UID}
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{p.Status.PodIP}, NodeName: &p.Spec.NodeName, TargetRef: ref,
			Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &ready, Terminating: &ending},
		})
		address := corev1.EndpointAddress{IP: p.Status.PodIP, NodeName: &p.Spec.NodeName, TargetRef: ref}
		if ready {
			subset.Addresses = append(subset.Addresses, address)
		} else if !ending {
			subset.NotReadyAddresses = append(subset.NotReadyAddresses, address)
		}
	}
	if len(subset.Addresses)+len(subset.NotReadyAddresses) > 0 {
		points.Subsets = []corev1.EndpointSubset{subset}
	}
	if old, ok := get[*discoveryv1.EndpointSlice](s, s.r.slices, namespace, slice.Name); !ok {
		s.put(s.r.slices, slice)
	} else if !apiequality.Semantic.DeepEqual(old.Endpoints, slice.Endpoints) || !apiequality.Semantic.DeepEqual(old.Ports, slice.Ports) {
		c := old.DeepCopy()
		c.Endpoints, c.Ports = slice.Endpoints, slice.Ports
		s.put(s.r.slices, c)
	}
	if old, ok := get[*corev1.Endpoints](s, s.r.endpoints, namespace, name); !ok {
		s.put(s.r.endpoints, points)
	} else if !apiequality.Semantic.DeepEqual(old.Subsets, points.Subsets) {
		c := old.DeepCopy()
		c.Subsets = points.Subsets
		s.put(s.r.endpoints, c)
	}
}

// budgetController says how many pods may be disrupted.
func (s *Sim) budgetController(namespace, name string) {
	old, ok := get[*policyv1.PodDisruptionBudget](s, s.r.budgets, namespace, name)
	if !ok {
		return
	}
	selector, err := metav1.LabelSelectorAsSelector(old.Spec.Selector)
	if err != nil {
		return
	}
	var all, well int32
	for _, p := range list[*corev1.Pod](s, s.r.pods, namespace) {
		if active(p) && selector.Matches(labels.Set(p.Labels)) {
			all++
			if _, ready := podReady(p); ready {
				well++
			}
		}
	}
	// What is expected is what the controllers of those pods want.
	want := int32(0)
	for _, res := range []*resource{s.r.deployments, s.r.statefulSets} {
		for _, o := range list[Object](s, res, namespace) {
			n, _, pods := replicasOf(o)
			if m := pods.MatchLabels; m != nil && selector.Matches(labels.Set(m)) {
				want += *n
			}
		}
	}
	if want == 0 {
		want = all
	}
	desired := want
	switch {
	case old.Spec.MinAvailable != nil:
		n, _ := intstr.GetScaledValueFromIntOrPercent(old.Spec.MinAvailable, int(want), true) // a bad one is 0
		desired = int32(n)
	case old.Spec.MaxUnavailable != nil:
		n, _ := intstr.GetScaledValueFromIntOrPercent(old.Spec.MaxUnavailable, int(want), true) // a bad one is 0
		desired = max(want-int32(n), 0)
	}
	c := old.DeepCopy()
	c.Status.ObservedGeneration, c.Status.CurrentHealthy, c.Status.DesiredHealthy, c.Status.ExpectedPods = old.Generation, well, desired, want
	c.Status.DisruptionsAllowed = max(well-desired, 0)
	condition := metav1.Condition{Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionTrue, Reason: policyv1.SufficientPodsReason, ObservedGeneration: old.Generation, LastTransitionTime: s.stamp()}
	if c.Status.DisruptionsAllowed == 0 {
		condition.Status, condition.Reason = metav1.ConditionFalse, policyv1.InsufficientPodsReason
	}
	if len(c.Status.Conditions) > 0 && c.Status.Conditions[0].Status == condition.Status {
		condition.LastTransitionTime = c.Status.Conditions[0].LastTransitionTime
	}
	c.Status.Conditions = []metav1.Condition{condition}
	if !apiequality.Semantic.DeepEqual(old.Status, c.Status) {
		s.putStatus(s.r.budgets, c)
	}
}

func newEndpoints() Object { return &corev1.Endpoints{} }

// endpointsText is the first few addresses.
func endpointsText(o Object) string {
	var out []string
	for _, set := range o.(*corev1.Endpoints).Subsets {
		for _, a := range set.Addresses {
			for _, p := range set.Ports {
				out = append(out, fmt.Sprintf("%s:%d", a.IP, p.Port))
			}
		}
	}
	if len(out) > 3 {
		return fmt.Sprintf("%s + %d more...", strings.Join(out[:3], ","), len(out)-3)
	}
	return cmp.Or(strings.Join(out, ","), "<none>")
}
