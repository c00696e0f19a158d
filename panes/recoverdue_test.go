package panes

import (
	"strings"
	"testing"

	"warroom/internal/plan"
	"warroom/internal/theme"
)

// What the readings call for stands before all that could be done, once, with why; a
// target that nothing can be done to is not proposed.
func TestWhatIsCalledForComesFirst(t *testing.T) {
	v := RecoverView{
		Loaded:     true,
		Procedures: []plan.About{{Name: "access", Title: "Check access"}, {Name: "renew", Title: "Renew a certificate"}},
		Targets: map[string][]plan.Target{
			"access": {{ID: "all", Ready: true}},
			"renew":  {{ID: "edge", Ready: true, Due: "ended 2 days ago"}, {ID: "other", Due: "it ended", Note: "no issuer"}, {ID: "third", Ready: true}},
		},
		Expanded: map[string]bool{},
	}
	items := RecoverItems(&v)
	if len(items) != 3 || items[0].Kind != RecoverDue || items[0].Procedure != "renew" || items[0].Target != "edge" || items[1].Kind != RecoverProcedure {
		t.Fatalf("the list is %+v", items)
	}
	v.Selected = items[0].ID
	rows, _, _ := Recover(Frame{Width: 100, Height: 30, Theme: themeOf(t, theme.NoColor), Now: now}, v)
	text := strings.Join(rows, "\n")
	for _, want := range []string{"Called for by the readings", "edge: ended 2 days ago", "called for:", "targets", "3 targets, 2 of them possible now"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	v.Targets["renew"][0].Due = ""
	if items = RecoverItems(&v); len(items) != 2 || items[0].Kind != RecoverProcedure {
		t.Errorf("called for by nothing, the list is %+v", items)
	}
}
