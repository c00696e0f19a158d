package store

import (
	"maps"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func externalOf(spec, annotations map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"annotations": annotations}, "spec": spec}}
}

// What does not sync when it is told to is seen from its spec.
func TestWhatNeverSyncs(t *testing.T) {
	for name, c := range map[string]struct {
		spec map[string]any
		want bool
	}{
		"an interval":             {map[string]any{"refreshInterval": "1h"}, false},
		"none is the default":     {map[string]any{}, false},
		"zero":                    {map[string]any{"refreshInterval": "0"}, true},
		"zero seconds":            {map[string]any{"refreshInterval": "0s"}, true},
		"zero and periodic":       {map[string]any{"refreshInterval": "0s", "refreshPolicy": "Periodic"}, true},
		"zero and on each change": {map[string]any{"refreshInterval": "0s", "refreshPolicy": "OnChange"}, false},
		"no length of time":       {map[string]any{"refreshInterval": "soon"}, false},
	} {
		if got := isFrozen(externalOf(c.spec, nil)); got != c.want {
			t.Errorf("%s: frozen is %v", name, got)
		}
	}
	if was, raised := interval(externalOf(nil, map[string]any{intervalMark: "0s"})); !raised || was != "0s" {
		t.Errorf("the mark says %q, %v", was, raised)
	}
	if _, raised := interval(externalOf(nil, nil)); raised {
		t.Error("without a mark it was given an interval")
	}
}

// Which key has which field is as configured, or as the ExternalSecret says.
func TestKeysOfAnExternalSecret(t *testing.T) {
	ref := func(key, property, version string) any {
		r := map[string]any{"key": "prod/db", "property": property}
		if version != "" {
			r["version"] = version
		}
		return map[string]any{"secretKey": key, "remoteRef": r}
	}
	o := externalOf(map[string]any{"data": []any{ref("PASS", "password", ""), ref("OLD", "password", "AWSPREVIOUS"), ref("USER", "username", "AWSCURRENT"), ref("ALL", "", "")}}, nil)
	own := &externalCopy{}
	if got, want := own.mapping(o), map[string]string{"PASS": "password", "USER": "username"}; !maps.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	told := &externalCopy{kubernetesCopy: kubernetesCopy{keys: map[string]string{"p": "password"}}}
	if got := told.mapping(o); !maps.Equal(got, told.keys) {
		t.Errorf("%v is not as configured", got)
	}
	if got := own.mapping(externalOf(map[string]any{}, nil)); len(got) != 0 {
		t.Errorf("%v of nothing", got)
	}
}
