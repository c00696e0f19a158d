package checks

import (
	"encoding/json"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"warroom/internal/estate"
)

// externalGroup is the API group of External Secrets Operator.
const externalGroup = "external-secrets.io"

// externalItem is what is kept of an ExternalSecret.
type externalItem struct{ data estate.ExternalSecret }

// external strips an ExternalSecret. Its template may hold text of its author's,
// and none of it is kept.
func (w words) external(obj runtime.Object) any {
	o, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	at := func(path ...string) string {
		text, _, _ := unstructured.NestedString(o.Object, path...)
		return text
	}
	out := estate.ExternalSecret{Name: w(o.GetName(), kubeNoteLimit), Target: w(at("spec", "target", "name"), kubeNoteLimit), Every: time.Hour}
	if out.Target == "" {
		out.Target = out.Name // the operator's own default
	}
	if text := at("spec", "refreshInterval"); text != "" {
		if every, err := time.ParseDuration(text); err == nil {
			out.Every = max(every, 0)
		}
	}
	switch at("spec", "refreshPolicy") {
	case "CreatedOnce", "OnChange":
		out.Every = 0
	}
	if t, err := time.Parse(time.RFC3339, at("status", "refreshTime")); err == nil {
		out.Refreshed = t.UTC()
	}
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		one, _ := c.(map[string]any)
		if kind, _ := one["type"].(string); kind != "Ready" {
			continue
		}
		status, _ := one["status"].(string)
		reason, _ := one["reason"].(string)
		message, _ := one["message"].(string)
		out.Ready, out.Reason, out.Message = status == "True", w(reason, kubeNameLimit), w(message, kubeNoteLimit)
	}
	return &externalItem{out}
}

// controllerRevision strips a revision of a StatefulSet or DaemonSet, which keeps
// the template as it was in JSON.
func (w words) controllerRevision(o *appsv1.ControllerRevision) *revisionItem {
	var kept struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(o.Data.Raw, &kept); err != nil {
		kept.Spec.Template = corev1.PodTemplateSpec{} // what changed cannot be told; that it did, can
	}
	return w.revision(ownerOf(o.OwnerReferences), o.Revision, o.CreationTimestamp.Time, o.Annotations[changeCause], &kept.Spec.Template)
}
