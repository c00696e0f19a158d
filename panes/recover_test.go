package panes

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"warroom/internal/plan"
	"warroom/internal/theme"
)

// fullPlan has something in every field that is drawn.
func fullPlan() *plan.Plan {
	return &plan.Plan{
		ID: "p1", Procedure: "rotate-database", Target: "prod/db/postgres", Mode: plan.Resume, Of: "p0", Options: map[string]string{"strategy": "same_user"},
		Title: "Rotate the password of app_user", Why: "it is refused", Environment: "production", Drill: "db-rotation", Made: now, Expires: now.Add(5 * time.Minute),
		Observed:   []plan.Observed{{Name: "AWSCURRENT", Value: "7f3a"}},
		Affected:   []plan.Affected{{Name: "User Service", How: "restarts", Critical: true}},
		Identities: []plan.Identity{{System: "aws", Name: "role act", Expires: now.Add(time.Hour)}, {System: "vault", Trouble: "sealed"}},
		Warnings:   []plan.Warning{{ID: "w", Text: "a consumer is unknown", Accept: true}, {ID: "v", Text: "both work"}},
		Inputs:     []plan.Input{{ID: "i", Label: "New key"}},
		Steps: []plan.Step{
			{ID: "a", Title: "Store it", Where: "aws", Calls: []string{"PutSecretValue"}, Before: "nothing pending", Verify: "read back", Undo: "remove it", Change: true, Limit: time.Minute},
			{ID: "b", Title: "Log in", Where: "db", Calls: []string{"login"}, Verify: "it works"},
		},
		Measures:    []plan.Measure{{Step: "a", Kind: "cancelled rotation", What: "of prod/db/postgres"}},
		NeedsReason: "somebody loses access", Second: true, Irreversible: "the old key is gone",
	}
}

func fullRun() *plan.Progress {
	p := fullPlan()
	return &plan.Progress{
		Run: "p1", Plan: p, State: plan.RunFailed, Started: now.Add(-time.Minute), Ended: now,
		Steps: []plan.StepProgress{
			{ID: "a", State: plan.Failed, Started: now.Add(-time.Minute), Ended: now, Detail: "refused", Parts: []plan.Part{{Name: "one", State: plan.Failed, Detail: "no answer"}, {Name: "two", State: plan.Done}}},
			{ID: "b", State: plan.Waiting},
		},
		Held: []plan.Held{{What: "a lock", For: "this run"}}, Log: []plan.Line{{N: 1, At: now, Mark: "fail", Text: "it was refused"}},
		Trouble: "the store said no", Next: "resume it", LogPath: "/var/lib/recovery.log",
	}
}

func fullRecover() RecoverView {
	return RecoverView{
		Loaded: true, Busy: "planning", Ready: fullPlan(), Selected: "open/p1", Expanded: map[string]bool{"procedure/rotate": true},
		Procedures: []plan.About{{Name: "rotate", Title: "Rotate", Summary: "gives it a new one", Target: "secret", Changes: true, Options: []plan.Option{{Name: "o", Summary: "how", Words: []string{"x", "y"}, Default: "x"}}}},
		Targets:    map[string][]plan.Target{"rotate": {{ID: "t1", Title: "one", Note: "refused", Ready: true}, {ID: "t2", Title: "two", Note: "not configured"}, {ID: "t3", Title: "three", Ready: true, Due: "stuck for 15 days"}}},
		Runs:       []plan.Progress{*fullRun()},
		Advice: []plan.Advice{{Run: "p1", Step: "a", StepTitle: "Store it", Effect: plan.NotDone, Found: "nothing there", Recommended: plan.Resume, Reason: "all is stored",
			Possible: []plan.Mode{plan.Resume, plan.Back}, Impossible: map[plan.Mode]string{plan.Abandon: "something would be lost"}}},
	}
}

// recovery draws everything of recovery in one frame.
func recovery(f Frame, p *plan.Plan, run *plan.Progress, v RecoverView) [][]string {
	var out [][]string
	rows, _ := Plan(f, PlanView{Plan: p, Refuse: "not armed"})
	out = append(out, rows)
	advice := v.Advice[0]
	rows, _ = Run(f, RunView{Run: run, Advice: &advice})
	out = append(out, rows)
	rows, _, _ = Recover(f, v)
	out = append(out, rows)
	box, _ := Confirm(f, ConfirmView{Title: p.Title, Loud: p.Irreversible, Body: []string{p.Why, ""}, Target: p.Target, Typed: p.Of, Problem: p.NeedsReason, Button: "Run", Selected: OnName})
	return append(out, box)
}

// Every text of a plan and a run is drawn: what decides about consent is in sight.
func TestEveryTextOfAPlanIsDrawn(t *testing.T) {
	p, run := fullPlan(), fullRun()
	n := 0
	next := func(string) string { n++; return fmt.Sprintf("text-%d-", n) }
	keep := p.Steps[0].ID
	overwrite(reflect.ValueOf(&p.Observed).Elem(), next)
	overwrite(reflect.ValueOf(&p.Affected).Elem(), next)
	overwrite(reflect.ValueOf(&p.Identities[0]).Elem(), func(string) string { n++; return fmt.Sprintf("text-%d-", n) })
	p.Identities[0].Trouble = ""
	for i := range p.Steps {
		s := &p.Steps[i]
		s.Title, s.Where, s.Before, s.Verify, s.Undo = next(""), next(""), next(""), next(""), next("")
		s.Calls = []string{next(""), next("")}
	}
	if p.Steps[0].ID != keep {
		t.Fatal("ids stay")
	}
	f := Frame{Width: 160, Height: 200, Theme: themeOf(t, theme.NoColor), Now: now}
	rows, _ := Plan(f, PlanView{Plan: p})
	s := text(rows)
	for _, want := range append([]string{p.Title, p.Why, p.Irreversible, p.Target, p.NeedsReason, "a consumer is unknown", "both work", "New key", "cancelled rotation", "sealed", "fingerprint", "CHANGES", "reads"},
		p.Steps[0].Title, p.Steps[0].Calls[0], p.Steps[0].Calls[1], p.Steps[0].Before, p.Steps[0].Verify, p.Steps[0].Undo, p.Steps[0].Where, p.Observed[0].Name, p.Observed[0].Value,
		p.Affected[0].Name, p.Affected[0].How, p.Identities[0].Name, p.Identities[0].System) {
		if !strings.Contains(s, want) {
			t.Errorf("the plan does not show %q", want)
		}
	}
	rows, _ = Run(f, RunView{Run: run})
	s = text(rows)
	for _, want := range []string{"FAILED", "refused", "no answer", "1 of 2", "a lock, for this run", "it was refused", "the store said no", "resume it", "/var/lib/recovery.log"} {
		if !strings.Contains(s, want) {
			t.Errorf("the run does not show %q", want)
		}
	}
}

// Recovery keeps its frame whatever texts it is given.
func TestRecoveryWithHostileTexts(t *testing.T) {
	p, run, v := fullPlan(), fullRun(), fullRecover()
	i := 0
	next := func(string) string { i++; return nastyTexts[i%len(nastyTexts)] }
	for _, x := range []any{&p.Observed, &p.Affected, &p.Identities, &p.Warnings, &p.Inputs, &run.Held, &run.Log, &v.Procedures[0].Options} {
		overwrite(reflect.ValueOf(x).Elem(), next)
	}
	p.Title, p.Why, p.Irreversible, p.Target, p.NeedsReason = next(""), next(""), next(""), next(""), next("")
	for j := range p.Steps {
		s := &p.Steps[j]
		s.Title, s.Where, s.Verify, s.Undo, s.Calls = next(""), next(""), next(""), next(""), []string{next("")}
	}
	run.Plan, run.Trouble, run.Next, run.Steps[0].Detail, run.Steps[0].Parts[0].Name = p, next(""), next(""), next(""), next("")
	v.Runs, v.Ready, v.Busy = []plan.Progress{*run}, p, next("")
	v.Advice[0].Found, v.Advice[0].Reason, v.Advice[0].StepTitle = next(""), next(""), next("")
	for _, name := range []string{theme.Default, theme.ASCII} {
		for w := 20; w <= 220; w += 9 {
			f := Frame{Width: w, Height: []int{5, 20, 41}[w%3], Theme: themeOf(t, name), Now: now}
			for k, rows := range recovery(f, p, run, v) {
				wide := w
				if k == 3 { // a box
					wide = min(w, confirmCells)
				}
				exact(t, fmt.Sprintf("%s, part %d at %d", name, k, w), rows, wide)
			}
		}
	}
}
