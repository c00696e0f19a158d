package kubesim

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// own notes in managedFields what a manager changed, and when, as the API
// server does: what changes hands leaves the former owner's entry. Lists belong
// as a whole to whoever changed them last.
func (s *Sim) own(res *resource, old, o Object, manager string, operation metav1.ManagedFieldsOperationType, sub string) {
	var before any
	if old != nil {
		before = tree(old)
	}
	changed := differ(before, tree(o))
	if len(changed) == 0 {
		return
	}
	var kept []metav1.ManagedFieldsEntry
	mine := map[string]any{}
	for _, e := range o.GetManagedFields() {
		set := map[string]any{}
		if e.FieldsV1 != nil {
			_ = json.Unmarshal(e.FieldsV1.GetRawBytes(), &set) // we wrote it
		}
		if e.Manager == manager && e.Operation == operation && e.Subresource == sub {
			mine = set
			continue
		}
		subtract(set, changed)
		if len(set) > 0 {
			e.FieldsV1 = fieldsOf(set)
			kept = append(kept, e)
		}
	}
	union(mine, changed)
	t := s.stamp()
	o.SetManagedFields(append(kept, metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, APIVersion: res.gvk().GroupVersion().String(), Time: &t, FieldsType: "FieldsV1", FieldsV1: fieldsOf(mine), Subresource: sub,
	}))
}

func fieldsOf(set map[string]any) *metav1.FieldsV1 {
	raw, _ := json.Marshal(set) // maps of maps
	return metav1.NewFieldsV1(string(raw))
}

// tree is what of an object somebody can own.
func tree(o Object) map[string]any {
	raw, _ := json.Marshal(o) // it came from the wire
	var m map[string]any
	_ = json.Unmarshal(raw, &m) // it was just written
	delete(m, "kind")
	delete(m, "apiVersion")
	if meta, ok := m["metadata"].(map[string]any); ok {
		for _, k := range []string{"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "deletionTimestamp", "deletionGracePeriodSeconds"} {
			delete(meta, k)
		}
		if len(meta) == 0 {
			delete(m, "metadata")
		}
	}
	return m
}

// differ names the fields of after that are not as before, in FieldsV1's form.
func differ(before, after any) map[string]any {
	a, ok := after.(map[string]any)
	if !ok {
		return nil
	}
	b, _ := before.(map[string]any)
	out := map[string]any{}
	for _, k := range slices.Sorted(maps.Keys(a)) {
		if reflect.DeepEqual(a[k], b[k]) {
			continue
		}
		inner := differ(b[k], a[k])
		if inner == nil {
			inner = map[string]any{}
		} else if b[k] == nil {
			inner["."] = map[string]any{}
		}
		out["f:"+k] = inner
	}
	return out
}

// union adds one set to another.
func union(to, from map[string]any) {
	for k, v := range from {
		inner, ok := to[k].(map[string]any)
		if !ok {
			inner = map[string]any{}
			to[k] = inner
		}
		if v, ok := v.(map[string]any); ok {
			union(inner, v)
		}
	}
}

// subtract takes the leaves of one set off another.
func subtract(from, what map[string]any) {
	for k, v := range what {
		have, ok := from[k].(map[string]any)
		if !ok {
			continue
		}
		inner, _ := v.(map[string]any)
		if len(inner) == 0 {
			delete(from, k)
			continue
		}
		subtract(have, inner)
		if _, only := have["."]; len(have) == 0 || only && len(have) == 1 {
			delete(from, k)
		}
	}
}
