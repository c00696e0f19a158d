package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The table of procedures in the docs names each that there is, and no other, and says
// of each whether it changes anything.
func TestTheDocsNameEveryProcedure(t *testing.T) {
	raw, err := os.ReadFile("../../docs/recovery.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, line := range regexp.MustCompile("(?m)^\\| (`.*)$").FindAllStringSubmatch(string(raw), -1) {
		cells := strings.Split(line[1], " | ")
		for _, name := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(cells[0], -1) {
			documented[name[1]] = line[1]
		}
	}
	s := setStage(t, crashCase{})
	e := newEngine(s.cfg, s.set, desk{operator: "ic-1"}, nil, nil)
	defer e.end()
	var names []string
	for _, a := range e.Procedures() {
		names = append(names, a.Name)
		row, there := documented[a.Name]
		if !there {
			t.Errorf("docs/recovery.md does not name %s", a.Name)
		}
		if reads := strings.Contains(row, "reads only") || strings.Contains(row, "changes nothing"); reads == a.Changes {
			t.Errorf("of %s the docs say %q, and it changes something: %v", a.Name, row, a.Changes)
		}
	}
	for name := range documented {
		if !slices.Contains(names, name) {
			t.Errorf("docs/recovery.md names %s, which is no procedure", name)
		}
	}
}
