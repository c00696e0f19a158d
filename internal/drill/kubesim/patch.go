package kubesim

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"
)

func (q *request) patch() (int, any, error) {
	ct, _, _ := mime.ParseMediaType(q.http.Header.Get("Content-Type")) // none is no type of patch
	kind := types.PatchType(ct)
	if kind == types.ApplyYAMLPatchType {
		return q.apply()
	}
	old, err := q.find()
	if err != nil {
		return 0, nil, err
	}
	if q.sub == "scale" && q.res.scale {
		scale := scaleOf(q.res, old)
		next := &autoscalingv1.Scale{}
		if err := q.patched(kind, scale, next); err != nil {
			return 0, nil, err
		}
		out, err := q.rescale(old, next)
		return http.StatusOK, out, err
	}
	o := q.res.make()
	if err := q.patched(kind, q.res.typed(old), o); err != nil {
		return 0, nil, err
	}
	if o.GetName() != q.name || o.GetNamespace() != q.scope() {
		return 0, nil, apierrors.NewBadRequest("the name of the object does not match the name on the URL")
	}
	bare(o)
	out, err := q.replace(old, o, metav1.ManagedFieldsOperationUpdate)
	return http.StatusOK, out, err
}

// patched applies the request's patch to one object and reads the result into
// another.
func (q *request) patched(kind types.PatchType, from, into any) error {
	before, err := json.Marshal(from)
	if err != nil {
		return err
	}
	var after []byte
	switch kind {
	case types.JSONPatchType:
		p, err := jsonpatch.DecodePatch(q.body)
		if err != nil {
			return apierrors.NewBadRequest(err.Error())
		}
		if len(p) > 10000 {
			return apierrors.NewRequestEntityTooLargeError("The allowed maximum operations in a JSON patch is 10000")
		}
		if after, err = p.Apply(before); err != nil {
			e := apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", q.res.gr(), q.name, err.Error(), 0, false)
			return e
		}
	case types.MergePatchType:
		if after, err = jsonpatch.MergePatch(before, q.body); err != nil {
			return apierrors.NewBadRequest(err.Error())
		}
	case types.StrategicMergePatchType:
		if q.res.custom {
			return q.noPatch(string(kind))
		}
		if after, err = strategicpatch.StrategicMergePatch(before, q.body, into); err != nil {
			return apierrors.NewBadRequest(err.Error())
		}
	default:
		return q.noPatch(string(kind))
	}
	if err := json.Unmarshal(after, into); err != nil {
		return apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", q.res.gr(), q.name, err.Error(), 0, false)
	}
	return nil
}

// noPatch is the answer to a kind of patch that the object does not take.
func (q *request) noPatch(kind string) error {
	accepted := "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
	if !q.res.custom {
		accepted += ", application/strategic-merge-patch+json"
	}
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType, Reason: metav1.StatusReasonUnsupportedMediaType,
		Message: "the body of the request was in an unknown format - accepted media types include: " + accepted,
	}}
}

// apply is server-side apply: what is said is merged into what there is, by the
// kind's own merge keys, and belongs to the manager. What the manager said
// before and says no more stays, which the real server would remove.
func (q *request) apply() (int, any, error) {
	query := q.http.URL.Query()
	if query.Get("fieldManager") == "" {
		return 0, nil, apierrors.NewBadRequest("PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch")
	}
	said, err := yaml.YAMLToJSON(q.body)
	if err != nil {
		return 0, nil, apierrors.NewBadRequest("error decoding YAML: " + err.Error())
	}
	q.body = said
	if old, err := q.find(); err == nil {
		o := q.res.make()
		kind := types.StrategicMergePatchType
		if q.res.custom {
			kind = types.MergePatchType
		}
		if err := q.patched(kind, q.res.typed(old), o); err != nil {
			return 0, nil, err
		}
		bare(o)
		out, err := q.replace(old, o, metav1.ManagedFieldsOperationApply)
		return http.StatusOK, out, err
	}
	if q.sub != "" {
		return 0, nil, apierrors.NewNotFound(q.res.gr(), q.name)
	}
	o := q.res.make()
	if err := json.Unmarshal(said, o); err != nil {
		return 0, nil, apierrors.NewBadRequest(err.Error())
	}
	if o.GetName() != q.name {
		return 0, nil, apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", o.GetName(), q.name))
	}
	bare(o)
	o.SetNamespace(q.scope())
	return http.StatusCreated, o, q.sim.add(q.res, o, q.manager(), q.dry())
}
