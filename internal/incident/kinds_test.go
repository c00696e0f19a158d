package incident

import (
	"slices"
	"testing"
)

// Kinds has every kind that an event can have, each once.
func TestKindsAreAll(t *testing.T) {
	seen := map[Kind]int{}
	for _, k := range Kinds {
		seen[k]++
	}
	for _, e := range goldenEvents() {
		if seen[e.Kind] != 1 {
			t.Errorf("%s stands %d times in the list", e.Kind, seen[e.Kind])
		}
	}
	if seen[KindUnreadable] != 1 || len(seen) != len(Kinds) || slices.Contains(Kinds[:], "") {
		t.Errorf("the list is %q", Kinds)
	}
}
