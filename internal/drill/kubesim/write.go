package kubesim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// object reads the request's object.
func (q *request) object() (Object, error) {
	o := q.res.make()
	return o, decode(q.http, q.body, o, q.res.kind, q.res.gvk().GroupVersion().String())
}

// bare removes what only the wire says.
func bare(o Object) Object {
	if _, ok := o.(runtime.Unstructured); !ok {
		o.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	}
	return o
}

// dry reports whether nothing is to be kept.
func (q *request) dry() bool { return q.http.URL.Query().Get("dryRun") == metav1.DryRunAll }

// manager is the name under which fields are owned.
func (q *request) manager() string {
	if m := q.http.URL.Query().Get("fieldManager"); m != "" {
		return m
	}
	name, _, _ := strings.Cut(q.http.UserAgent(), "/")
	return cmp.Or(name, "unknown")
}

func (q *request) create() (any, error) {
	s := q.sim
	if q.name != "" {
		if q.res == s.r.pods && q.sub == "eviction" {
			return q.evict()
		}
		return nil, q.noSub()
	}
	o, err := q.object()
	if err != nil {
		return nil, err
	}
	if q.res.virtual {
		s.review(q.user, o)
		o.GetObjectKind().SetGroupVersionKind(q.res.gvk())
		return o, nil
	}
	bare(o)
	if q.res.namespaced {
		if ns := o.GetNamespace(); ns != "" && ns != q.namespace {
			return nil, apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
		}
		o.SetNamespace(q.namespace)
	}
	o.SetUID("")
	o.SetResourceVersion("")
	o.SetCreationTimestamp(metav1.Time{})
	o.SetGeneration(0)
	if q.res.status {
		takeStatus(o, q.res.make())
	}
	return o, s.add(q.res, o, q.manager(), q.dry())
}

// add stores a new object as the API server would.
func (s *Sim) add(res *resource, o Object, manager string, dry bool) error {
	if o.GetName() == "" && o.GetGenerateName() != "" {
		o.SetName(o.GetGenerateName() + s.suffix())
	}
	if res.defaults != nil {
		res.defaults(s, o)
	}
	if err := s.validate(res, o, nil); err != nil {
		return err
	}
	if res.namespaced {
		if _, ok := get[Object](s, s.r.namespaces, "", o.GetNamespace()); !ok {
			return apierrors.NewNotFound(s.r.namespaces.gr(), o.GetNamespace())
		}
	}
	if _, ok := get[Object](s, res, o.GetNamespace(), o.GetName()); ok {
		return apierrors.NewAlreadyExists(res.gr(), o.GetName())
	}
	if dry {
		o.SetUID(types.UID(s.uid()))
		o.SetCreationTimestamp(s.stamp())
		return nil
	}
	s.own(res, nil, o, manager, metav1.ManagedFieldsOperationUpdate, "")
	s.put(res, o)
	return nil
}

func (q *request) update() (any, error) {
	old, err := q.find()
	if err != nil {
		return nil, err
	}
	if q.sub == "scale" && q.res.scale {
		var scale autoscalingv1.Scale
		if err := decode(q.http, q.body, &scale, "Scale", "autoscaling/v1"); err != nil {
			return nil, err
		}
		return q.rescale(old, &scale)
	}
	o, err := q.object()
	if err != nil {
		return nil, err
	}
	bare(o)
	if o.GetName() == "" {
		o.SetName(q.name)
	}
	if o.GetName() != q.name {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", o.GetName(), q.name))
	}
	if q.res.namespaced {
		o.SetNamespace(q.namespace)
	}
	return q.replace(old, o, metav1.ManagedFieldsOperationUpdate)
}

// rescale writes the scale subresource.
func (q *request) rescale(old Object, scale *autoscalingv1.Scale) (any, error) {
	if scale.Spec.Replicas < 0 {
		return nil, apierrors.NewInvalid(autoscalingv1.SchemeGroupVersion.WithKind("Scale").GroupKind(), q.name,
			field.ErrorList{field.Invalid(field.NewPath("spec", "replicas"), scale.Spec.Replicas, "must be greater than or equal to 0")})
	}
	o := copyOf(old)
	replicas, _, _ := replicasOf(o)
	*replicas = scale.Spec.Replicas
	o.SetResourceVersion(scale.ResourceVersion)
	sub := q.sub
	q.sub = ""
	out, err := q.replace(old, o, metav1.ManagedFieldsOperationUpdate)
	q.sub = sub
	if err != nil {
		return nil, err
	}
	return scaleOf(q.res, out.(Object)), nil
}

// replicasOf is what a workload can be scaled by: the number in its spec, the
// number there is, and its selector.
func replicasOf(o Object) (spec *int32, have int32, selector *metav1.LabelSelector) {
	switch w := o.(type) {
	case *appsv1.Deployment:
		return w.Spec.Replicas, w.Status.Replicas, w.Spec.Selector
	case *appsv1.StatefulSet:
		return w.Spec.Replicas, w.Status.Replicas, w.Spec.Selector
	case *appsv1.ReplicaSet:
		return w.Spec.Replicas, w.Status.Replicas, w.Spec.Selector
	}
	return new(int32), 0, &metav1.LabelSelector{}
}

// replace stores a new state of an object: its status alone through /status,
// everything but its status otherwise.
func (q *request) replace(old, o Object, operation metav1.ManagedFieldsOperationType) (any, error) {
	s, res := q.sim, q.res
	if v := o.GetResourceVersion(); v != "" && v != old.GetResourceVersion() {
		return nil, apierrors.NewConflict(res.gr(), q.name, fmt.Errorf("the object has been modified; please apply your changes to the latest version and try again"))
	}
	if uid := o.GetUID(); uid != "" && uid != old.GetUID() {
		return nil, apierrors.NewConflict(res.gr(), q.name, precondition("UID", string(uid), string(old.GetUID())))
	}
	switch {
	case q.sub == "status" && res.status:
		c := copyOf(old)
		takeStatus(c, o)
		o = c
	case q.sub != "":
		return nil, q.noSub()
	case res.status:
		takeStatus(o, old)
	}
	o.SetUID(old.GetUID())
	o.SetCreationTimestamp(old.GetCreationTimestamp())
	o.SetGeneration(old.GetGeneration())
	o.SetDeletionTimestamp(old.GetDeletionTimestamp())
	o.SetDeletionGracePeriodSeconds(old.GetDeletionGracePeriodSeconds())
	o.SetManagedFields(copyOf(old).GetManagedFields())
	if res.defaults != nil {
		res.defaults(s, o)
	}
	if err := s.validate(res, o, old); err != nil {
		return nil, err
	}
	o.SetResourceVersion(old.GetResourceVersion())
	if apiequality.Semantic.DeepEqual(o, old) {
		return old, nil // a write that changes nothing is none
	}
	if q.dry() {
		return o, nil
	}
	s.own(res, old, o, q.manager(), operation, q.sub)
	if o.GetDeletionTimestamp() != nil && len(o.GetFinalizers()) == 0 && res != s.r.pods {
		s.drop(res, o)
		return o, nil
	}
	s.put(res, o)
	return o, nil
}

// precondition words, as the API server does, that an object is not the one meant.
func precondition(what, want, have string) error {
	words := fmt.Sprintf("Precondition failed: %[1]s in precondition: %[2]s, %[1]s in object meta: %[3]s", what, want, have)
	return errors.New(words)
}

// validate refuses what the API server would, as far as it matters here.
func (s *Sim) validate(res *resource, o, old Object) error {
	var list field.ErrorList
	meta, spec := field.NewPath("metadata"), field.NewPath("spec")
	if o.GetName() == "" {
		list = append(list, field.Required(meta.Child("name"), "name or generateName is required"))
	} else if said := validation.IsDNS1123Subdomain(o.GetName()); len(said) > 0 {
		list = append(list, field.Invalid(meta.Child("name"), o.GetName(), strings.Join(said, ", ")))
	}
	check := func(selector, before *metav1.LabelSelector, template corev1.PodTemplateSpec, replicas *int32) {
		if selector == nil {
			list = append(list, field.Required(spec.Child("selector"), ""))
		} else if m, err := metav1.LabelSelectorAsSelector(selector); err != nil || !m.Matches(labels.Set(template.Labels)) {
			list = append(list, field.Invalid(spec.Child("template", "metadata", "labels"), template.Labels, "`selector` does not match template `labels`"))
		}
		if before != nil && !apiequality.Semantic.DeepEqual(selector, before) {
			list = append(list, field.Invalid(spec.Child("selector"), selector, "field is immutable"))
		}
		if replicas != nil && *replicas < 0 {
			list = append(list, field.Invalid(spec.Child("replicas"), *replicas, "must be greater than or equal to 0"))
		}
		if len(template.Spec.Containers) == 0 {
			list = append(list, field.Required(spec.Child("template", "spec", "containers"), ""))
		}
	}
	switch w := o.(type) {
	case *appsv1.Deployment:
		var before *metav1.LabelSelector
		if old != nil {
			before = old.(*appsv1.Deployment).Spec.Selector
		}
		check(w.Spec.Selector, before, w.Spec.Template, w.Spec.Replicas)
	case *appsv1.StatefulSet:
		var before *metav1.LabelSelector
		if old != nil {
			before = old.(*appsv1.StatefulSet).Spec.Selector
		}
		check(w.Spec.Selector, before, w.Spec.Template, w.Spec.Replicas)
	case *appsv1.DaemonSet:
		check(w.Spec.Selector, nil, w.Spec.Template, nil)
	case *corev1.Pod:
		if len(w.Spec.Containers) == 0 {
			list = append(list, field.Required(spec.Child("containers"), ""))
		}
	case *corev1.Secret:
		if b, ok := old.(*corev1.Secret); ok && b.Immutable != nil && *b.Immutable && !apiequality.Semantic.DeepEqual(b.Data, w.Data) {
			list = append(list, field.Forbidden(field.NewPath("data"), "field is immutable when `immutable` is set"))
		}
	}
	if len(list) > 0 {
		return apierrors.NewInvalid(res.gvk().GroupKind(), o.GetName(), list)
	}
	return nil
}

func (q *request) delete() (any, error) {
	o, err := q.find()
	if err != nil {
		return nil, err
	}
	if q.sub != "" {
		return nil, q.noSub()
	}
	options, err := q.deleteOptions()
	if err != nil {
		return nil, err
	}
	if p := options.Preconditions; p != nil {
		if p.UID != nil && *p.UID != o.GetUID() {
			return nil, apierrors.NewConflict(q.res.gr(), q.name, precondition("UID", string(*p.UID), string(o.GetUID())))
		}
		if p.ResourceVersion != nil && *p.ResourceVersion != o.GetResourceVersion() {
			return nil, apierrors.NewConflict(q.res.gr(), q.name, precondition("ResourceVersion", *p.ResourceVersion, o.GetResourceVersion()))
		}
	}
	if len(options.DryRun) == 0 && !q.dry() {
		if options.PropagationPolicy != nil && *options.PropagationPolicy == metav1.DeletePropagationOrphan {
			q.sim.abandon(o)
		}
		q.sim.remove(q.res, o, options.GracePeriodSeconds)
	}
	if now, ok := get[Object](q.sim, q.res, q.scope(), q.name); ok {
		return now, nil
	}
	status := &metav1.Status{Status: metav1.StatusSuccess, Details: &metav1.StatusDetails{Name: q.name, Group: q.group, Kind: q.resource, UID: o.GetUID()}}
	status.Kind, status.APIVersion = "Status", "v1"
	return status, nil
}

// abandon takes an object's name off what it owns.
func (s *Sim) abandon(owner Object) {
	for _, res := range s.r.all {
		for _, o := range list[Object](s, res, owner.GetNamespace()) {
			var keep []metav1.OwnerReference
			for _, ref := range o.GetOwnerReferences() {
				if ref.UID != owner.GetUID() {
					keep = append(keep, ref)
				}
			}
			if len(keep) != len(o.GetOwnerReferences()) {
				c := copyOf(o)
				c.SetOwnerReferences(keep)
				s.put(res, c)
			}
		}
	}
}

func (q *request) deleteOptions() (*metav1.DeleteOptions, error) {
	out := &metav1.DeleteOptions{}
	if len(q.body) == 0 {
		return out, nil
	}
	if strings.HasPrefix(q.http.Header.Get("Content-Type"), protobufType) {
		var unknown runtime.Unknown
		if rest, ok := strings.CutPrefix(string(q.body), string(protobufMagic)); !ok || unknown.Unmarshal([]byte(rest)) != nil || out.Unmarshal(unknown.Raw) != nil {
			return nil, apierrors.NewBadRequest("the body of the request is no DeleteOptions in protobuf")
		}
		return out, nil
	}
	if err := json.Unmarshal(q.body, out); err != nil {
		return nil, apierrors.NewBadRequest("couldn't get version/kind; json parse error: " + err.Error())
	}
	return out, nil
}

func (q *request) deleteAll() (any, error) {
	sel, err := q.selection()
	if err != nil {
		return nil, err
	}
	options, err := q.deleteOptions()
	if err != nil {
		return nil, err
	}
	out := &collection{res: q.res, meta: metav1.ListMeta{ResourceVersion: fmt.Sprint(q.sim.version)}, items: []Object{}}
	for _, o := range list[Object](q.sim, q.res, q.scope()) {
		if sel.matches(q.res, o) {
			out.items = append(out.items, o)
			if !q.dry() {
				q.sim.remove(q.res, o, options.GracePeriodSeconds)
			}
		}
	}
	return out, nil
}

// evict deletes a pod if its disruption budget allows it.
func (q *request) evict() (any, error) {
	s := q.sim
	o, err := q.find()
	if err != nil {
		return nil, err
	}
	for _, b := range list[*policyv1.PodDisruptionBudget](s, s.r.budgets, q.namespace) {
		m, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err == nil && m.Matches(labels.Set(o.GetLabels())) && b.Status.DisruptionsAllowed <= 0 {
			e := apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0)
			e.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: policyv1.DisruptionBudgetCause, Message: fmt.Sprintf("The disruption budget %s needs %d healthy pods and has %d currently", b.Name, b.Status.DesiredHealthy, b.Status.CurrentHealthy)}}
			return nil, e
		}
	}
	if !q.dry() {
		s.remove(s.r.pods, o, nil)
	}
	status := &metav1.Status{Status: metav1.StatusSuccess, Code: http.StatusCreated}
	status.Kind, status.APIVersion = "Status", "v1"
	return status, nil
}
