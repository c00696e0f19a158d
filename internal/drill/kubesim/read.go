package kubesim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// selection is which objects a list or watch is about.
type selection struct {
	namespace string
	labels    labels.Selector
	fields    fields.Selector
}

func (q *request) selection() (selection, error) {
	query := q.http.URL.Query()
	out := selection{namespace: q.namespace}
	if q.res == q.sim.r.namespaces {
		out.namespace = ""
	}
	var err error
	if out.labels, err = labels.Parse(query.Get("labelSelector")); err != nil {
		return out, apierrors.NewBadRequest("unable to parse requirement: " + err.Error())
	}
	if out.fields, err = fields.ParseSelector(query.Get("fieldSelector")); err != nil {
		return out, apierrors.NewBadRequest(err.Error())
	}
	known := q.res.fieldSet(q.res.stored().make())
	for _, r := range out.fields.Requirements() {
		if !known.Has(r.Field) {
			return out, apierrors.NewBadRequest(fmt.Sprintf("field label not supported: %s", r.Field))
		}
	}
	return out, nil
}

func (sel selection) matches(res *resource, o Object) bool {
	return (sel.namespace == "" || o.GetNamespace() == sel.namespace) && sel.labels.Matches(labels.Set(o.GetLabels())) &&
		(sel.fields.Empty() || sel.fields.Matches(res.fieldSet(o)))
}

// page is what a continue token says: go on after a name, in the state of a
// version.
type page struct {
	Version int64  `json:"rv"`
	After   string `json:"start"`
}

func (p page) token() string {
	raw, _ := json.Marshal(p) // a number and a text
	return base64.RawURLEncoding.EncodeToString(raw)
}

func (q *request) list() (any, error) {
	s, query := q.sim, q.http.URL.Query()
	sel, err := q.selection()
	if err != nil {
		return nil, err
	}
	match := metav1.ResourceVersionMatch(query.Get("resourceVersionMatch"))
	asked, err := parseVersion(query.Get("resourceVersion"))
	if err != nil {
		return nil, err
	}
	from := page{Version: s.version}
	switch token := query.Get("continue"); {
	case token != "":
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || json.Unmarshal(raw, &from) != nil || from.Version <= 0 || from.Version > s.version {
			return nil, apierrors.NewBadRequest("continue key is not valid")
		}
		if asked > 0 {
			return nil, invalidOptions(field.Forbidden(field.NewPath("resourceVersion"), "resourceVersion is forbidden when continue is provided"))
		}
		if from.Version < s.floor {
			e := apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.")
			e.ErrStatus.Continue = page{s.version, from.After}.token()
			return nil, e
		}
	case match != "" && query.Get("resourceVersion") == "":
		return nil, invalidOptions(field.Forbidden(field.NewPath("resourceVersionMatch"), "resourceVersionMatch is forbidden unless resourceVersion is provided"))
	case asked > s.version:
		return nil, tooLarge(asked, s.version)
	case match == metav1.ResourceVersionMatchExact:
		if asked < s.floor {
			return nil, apierrors.NewResourceExpired("The resourceVersion for the provided list is too old.")
		}
		from.Version = asked
	}
	limit, _ := strconv.Atoi(query.Get("limit")) // none is no limit
	out := &collection{res: q.res, meta: metav1.ListMeta{ResourceVersion: strconv.FormatInt(from.Version, 10)}, items: []Object{}}
	for _, o := range s.stateAt(q.res.stored(), from.Version) {
		p := path(o.GetNamespace(), o.GetName())
		if p <= from.After && from.After != "" || !sel.matches(q.res, o) {
			continue
		}
		if limit > 0 && len(out.items) == limit {
			last := out.items[limit-1]
			out.meta.Continue = page{from.Version, path(last.GetNamespace(), last.GetName())}.token()
			if sel.labels.Empty() && sel.fields.Empty() {
				n := q.remaining(from.Version, path(last.GetNamespace(), last.GetName()), sel)
				out.meta.RemainingItemCount = &n
			}
			break
		}
		out.items = append(out.items, o)
	}
	return out, nil
}

// remaining counts what lies beyond a page.
func (q *request) remaining(version int64, after string, sel selection) (n int64) {
	for _, o := range q.sim.stateAt(q.res.stored(), version) {
		if path(o.GetNamespace(), o.GetName()) > after && sel.matches(q.res, o) {
			n++
		}
	}
	return n
}

// scope is the namespace an object of the path is kept under.
func (q *request) scope() string {
	if q.res.namespaced {
		return q.namespace
	}
	return ""
}

// find is the object of the path.
func (q *request) find() (Object, error) {
	o, ok := get[Object](q.sim, q.res.stored(), q.scope(), q.name)
	if !ok {
		return nil, apierrors.NewNotFound(q.res.gr(), q.name)
	}
	return o, nil
}

func (q *request) get() (any, error) {
	o, err := q.find()
	if err != nil {
		return nil, err
	}
	switch {
	case q.sub == "", q.sub == "status" && q.res.status:
		return o, nil
	case q.sub == "scale" && q.res.scale:
		return scaleOf(q.res, o), nil
	}
	return nil, q.noSub()
}

// noSub is the answer to a subresource that there is not.
func (q *request) noSub() error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound, Message: "the server could not find the requested resource",
		Details: &metav1.StatusDetails{},
	}}
}

// scaleOf is the scale subresource of a workload.
func scaleOf(res *resource, o Object) *autoscalingv1.Scale {
	replicas, observed, selector := replicasOf(o)
	out := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: o.GetName(), Namespace: o.GetNamespace(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion(), CreationTimestamp: o.GetCreationTimestamp()},
		Spec:       autoscalingv1.ScaleSpec{Replicas: *replicas},
		Status:     autoscalingv1.ScaleStatus{Replicas: observed, Selector: metav1.FormatLabelSelector(selector)},
	}
	out.Kind, out.APIVersion = "Scale", "autoscaling/v1"
	return out
}

// log answers with what a pod has logged.
func (q *request) log() {
	s, query := q.sim, q.http.URL.Query()
	lines, err := func() ([]string, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.catchUp()
		o, err := q.find()
		if err != nil {
			return nil, err
		}
		p := o.(*corev1.Pod)
		st := s.pods[string(p.UID)]
		if st == nil || !st.running && p.Status.Phase == corev1.PodPending {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("container %q in pod %q is waiting to start: ContainerCreating", p.Spec.Containers[0].Name, p.Name))
		}
		lines := []string{fmt.Sprintf("%s %s started", st.started.Format("2006-01-02T15:04:05Z"), p.Spec.Containers[0].Name)}
		if s.logLines != nil {
			lines = append(lines, s.logLines(s.view(p, st))...)
		}
		return lines, nil
	}()
	if err != nil {
		q.fail(err)
		return
	}
	if n, err := strconv.Atoi(query.Get("tailLines")); err == nil && n >= 0 && n < len(lines) {
		lines = lines[len(lines)-n:]
	}
	q.send(http.StatusOK, strings.Join(slices.Clone(lines), "\n")+"\n")
}
