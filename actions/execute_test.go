package actions

import (
	"context"
	"slices"
	"strings"
	"testing"

	"warroom/internal/incident"
	"warroom/internal/plan"
)

func TestARunIsJournalledAroundEveryStep(t *testing.T) {
	k := newDesk(t)
	k.arms()
	before := len(k.disk.kinds(t))
	p := k.plans(plan.Forward, "")
	k.is(untouched)
	got := k.does(p)
	if got.State != plan.RunDone || got.Trouble != "" || got.Ended.IsZero() {
		t.Fatalf("%+v", got)
	}
	k.is(rotated)
	want := []incident.Kind{
		incident.KindGrant, incident.KindOutcome, // look
		incident.KindIntent, incident.KindOutcome, incident.KindMeasure, // store
		incident.KindIntent, incident.KindOutcome, // set
		incident.KindIntent, incident.KindOutcome, // wait
		incident.KindIntent, incident.KindOutcome, // promote
		incident.KindOutcome, incident.KindRun,
	}
	if is := k.disk.kinds(t)[before:]; !slices.Equal(is, want) {
		t.Errorf("journal %v\nwant %v", is, want)
	}
	r := k.run(p.ID)
	if r.State != plan.RunDone || r.Facts["waited"] != "yes" || r.Facts["new"] != "new-value" || r.By != "ic-1" || r.Host != "here" || r.PID != 7 {
		t.Errorf("%+v", r)
	}
	for _, s := range p.Steps {
		if r.Steps[s.ID].State != plan.Done {
			t.Errorf("%s is %s", s.ID, r.Steps[s.ID].State)
		}
	}
	if open := k.log.Case().State.Open(); len(open) != 1 || open[0].ID != "R1" || open[0].Who != "ic-1" {
		t.Errorf("measures %+v", open)
	}
	for i, line := range got.Log {
		if line.N != i+1 || line.Text == "" {
			t.Errorf("line %d is %+v", i, line)
		}
	}
}

func TestARollBackUndoesEverythingLastFirst(t *testing.T) {
	k := newDesk(t)
	k.proc.change = func(p *Prepared) {
		p.Steps[5].Verify = func(context.Context, *Run) (string, error) { return "", &Refusal{What: "it", Why: "no"} }
	}
	k.arms()
	first := k.does(k.plans(plan.Forward, ""))
	if first.State != plan.RunFailed || !strings.Contains(first.Trouble, "Try everything") {
		t.Fatalf("%+v", first)
	}
	advice, err := k.Advise(t.Context())
	if err != nil || len(advice) != 1 || advice[0].Step != "test" || !slices.Contains(advice[0].Possible, plan.Back) {
		t.Fatalf("%+v, %v", advice, err)
	}
	p := k.plans(plan.Back, first.Run)
	if len(p.Steps) != 3 || p.Steps[0].ID != "promote" || p.Steps[2].ID != "store" {
		t.Fatalf("%+v", p.Steps)
	}
	got := k.does(p)
	if got.State != plan.RunRolledBack {
		t.Fatalf("%+v", got)
	}
	k.is(untouched)
	if r := k.run(first.Run); r.State != plan.RunRolledBack || r.Steps["set"].State != plan.Undone {
		t.Errorf("%+v", r)
	}
	if open := k.log.Case().State.Open(); len(open) != 0 {
		t.Errorf("measures %+v", open)
	}
	if advice, err := k.Advise(t.Context()); err != nil || len(advice) != 0 {
		t.Errorf("%+v, %v", advice, err)
	}
}
