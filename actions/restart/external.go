package restart

import (
	"cmp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// external makes the target of an ExternalSecret a copy, where it refers to one of the
// secrets or warroom.yaml names it.
func (p *Procedure) external(f *found, cluster string, o *unstructured.Unstructured, secrets []string) {
	target, _, _ := unstructured.NestedString(o.Object, "spec", "target", "name")
	target = cmp.Or(target, o.GetName())
	every, _, _ := unstructured.NestedString(o.Object, "spec", "refreshInterval")
	policy, _, _ := unstructured.NestedString(o.Object, "spec", "refreshPolicy")
	frozen := policy == "CreatedOnce" || policy == "" && (every == "0" || every == "0s")
	for _, secret := range secrets {
		keys, whole := p.referred(o, secret)
		by := f.copies[:0:0]
		for _, d := range f.copies {
			if d.Cluster == cluster && d.Namespace == o.GetNamespace() && d.External == o.GetName() && d.Secret == secret {
				by = append(by, d)
			}
		}
		if len(keys) == 0 && !whole && len(by) == 0 {
			continue
		}
		if len(by) == 0 {
			d := &duplicate{Secret: secret, Cluster: cluster, Namespace: o.GetNamespace(), External: o.GetName(), By: "ExternalSecret " + o.GetName() + " writes it"}
			f.copies, by = append(f.copies, d), append(by, d)
		}
		for _, d := range by {
			d.Name, d.Frozen = target, frozen
			if len(d.Keys) == 0 && !whole {
				d.Keys = keys
			}
		}
	}
}

// referred are the keys that an ExternalSecret takes from a stored secret; whole where
// it takes all of them.
func (p *Procedure) referred(o *unstructured.Unstructured, secret string) (keys map[string]string, whole bool) {
	is := func(ref map[string]any) (property string, ok bool) {
		key, _ := ref["key"].(string)
		version, _ := ref["version"].(string)
		property, _ = ref["property"].(string)
		return property, p.names(key, secret) && (version == "" || version == "AWSCURRENT")
	}
	data, _, _ := unstructured.NestedSlice(o.Object, "spec", "data")
	keys = map[string]string{}
	for _, d := range data {
		one, _ := d.(map[string]any)
		ref, _ := one["remoteRef"].(map[string]any)
		key, _ := one["secretKey"].(string)
		if property, ok := is(ref); ok && key != "" {
			keys[key] = property
		}
	}
	from, _, _ := unstructured.NestedSlice(o.Object, "spec", "dataFrom")
	for _, d := range from {
		one, _ := d.(map[string]any)
		ref, _ := one["extract"].(map[string]any)
		if _, ok := is(ref); ok {
			whole = true
		}
	}
	return keys, whole
}

// names reports whether a name in a cluster means a stored secret: by its name or ARN.
func (p *Procedure) names(key, secret string) bool {
	at, ok := p.stored[secret]
	if !ok || key == "" {
		return false
	}
	if key == at.ID {
		return true
	}
	// An ARN ends in the name, a dash and six characters.
	_, tail, isARN := strings.Cut(key, ":secret:")
	return isARN && (tail == at.ID || len(tail) > 7 && tail[:len(tail)-7] == at.ID)
}

// provided is which of the secrets a SecretProviderClass brings; empty for none.
func (p *Procedure) provided(o *unstructured.Unstructured, secrets []string) string {
	text, _, _ := unstructured.NestedString(o.Object, "spec", "parameters", "objects")
	var objects []map[string]any
	if yaml.Unmarshal([]byte(text), &objects) != nil {
		return ""
	}
	for _, one := range objects {
		for _, key := range []string{"objectName", "secretPath"} {
			name, _ := one[key].(string)
			for _, secret := range secrets {
				if p.names(name, secret) {
					return secret
				}
			}
		}
	}
	return ""
}

// written is a Secret that a SecretProviderClass writes.
type written struct {
	name string
	keys map[string]string
}

// synced are the Secrets that a SecretProviderClass writes beside its files. What of
// the value their keys hold is told by files, which are not read: they are compared
// by the keys that have the names of the JSON's.
func synced(o *unstructured.Unstructured) []written {
	var out []written
	objects, _, _ := unstructured.NestedSlice(o.Object, "spec", "secretObjects")
	for _, s := range objects {
		one, _ := s.(map[string]any)
		if name, _ := one["secretName"].(string); name != "" {
			out = append(out, written{name: name})
		}
	}
	return out
}
