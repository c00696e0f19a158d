package contain

import (
	"slices"
	"testing"
	"time"

	"warroom/actions"
	"warroom/internal/config"
	"warroom/internal/plan"
)

// A function is said to fail by what is seen of its secrets, and not because one of them
// is due.
func TestADueRotationIsNoSignOfAFault(t *testing.T) {
	p := &together{systems: actions.Systems{Config: &config.Config{}}}
	now := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	soon := rotated{name: "prod/db/a", on: true, next: now.Add(time.Hour)}
	for name, c := range map[string]struct {
		other rotated
		fails bool
	}{
		"due":                        {rotated{name: "prod/db/b", on: true, next: now.Add(2 * time.Hour)}, false},
		"stuck":                      {rotated{name: "prod/db/b", on: true, stuck: true}, true},
		"stuck and off its schedule": {rotated{name: "prod/db/b", stuck: true}, false},
		"overdue":                    {rotated{name: "prod/db/b", on: true, next: now.Add(-time.Hour)}, true},
	} {
		all := []rotated{soon, c.other}
		ready := p.prepared(&mechanism{account: "main"}, "rotate-postgres", all, all[:1], now, within)
		if got := Failing(&ready.Plan); got != c.fails {
			t.Errorf("%s: failing is %v", name, got)
		}
		warned := slices.ContainsFunc(ready.Plan.Warnings, func(w plan.Warning) bool { return w.ID == "no-sign" })
		if warned == c.fails {
			t.Errorf("%s: the warnings are %v", name, ready.Plan.Warnings)
		}
	}
}
