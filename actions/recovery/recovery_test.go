package recovery

import (
	"context"
	"strings"
	"testing"

	"warroom/actions"
	"warroom/internal/config"
	"warroom/internal/plan"
)

// piece is a procedure of which the whole is made, with one step that changes something.
type piece struct {
	name  string
	list  []plan.Target
	err   error
	facts map[string]string
	asked []actions.Ask
}

func (p *piece) About() plan.About { return plan.About{Name: p.name, Changes: true} }
func (p *piece) Targets() []plan.Target {
	if p.list != nil {
		return p.list
	}
	return []plan.Target{{ID: "rotate-postgres", Ready: true}}
}

func (p *piece) Prepare(_ context.Context, ask actions.Ask) (*actions.Prepared, error) {
	p.asked = append(p.asked, ask)
	if p.err != nil {
		return nil, p.err
	}
	return &actions.Prepared{
		Plan: plan.Plan{Facts: p.facts, Steps: []plan.Step{{ID: "one", Title: p.name, Change: true, Undo: "back"}}},
		Steps: []actions.Step{{
			Do:         func(context.Context, *actions.Run) error { return nil },
			Probe:      func(context.Context, *actions.Run) (plan.Effect, string, error) { return plan.NotDone, "", nil },
			Verify:     func(context.Context, *actions.Run) (string, error) { return "", nil },
			Undo:       func(context.Context, *actions.Run) error { return nil },
			VerifyUndo: func(context.Context, *actions.Run) (string, error) { return "", nil },
			UndoBefore: "later",
		}},
	}, nil
}

func made(t *testing.T, pieces ...*piece) actions.Procedure {
	t.Helper()
	var all []actions.Procedure
	for _, p := range pieces {
		all = append(all, p)
	}
	return Procedure(actions.Systems{Config: &config.Config{}}, all)
}

// Nobody's schedule is cancelled because a rotation is due: only that of a function that
// is seen to fail.
func TestAFunctionThatIsNotSeenToFailIsLeftToAPerson(t *testing.T) {
	for _, c := range []struct {
		name  string
		facts map[string]string
		part  bool
	}{
		{"healthy", map[string]string{"secrets": "a"}, false},
		{"failing", map[string]string{"secrets": "a", "failing": "a is stuck"}, true},
	} {
		ready, err := made(t, &piece{name: nameAccess}, &piece{name: nameContain, facts: c.facts}).Prepare(t.Context(), actions.Ask{Request: plan.Request{Procedure: Name, Target: Everything}})
		if err != nil {
			t.Fatal(err)
		}
		in, open := false, false
		for _, s := range ready.Plan.Steps {
			in = in || strings.Contains(s.ID, "-contain-")
			open = open || s.ID == "stop" && strings.Contains(strings.Join(s.Calls, " "), "warroom plan contain rotate-postgres")
		}
		if in != c.part || open == c.part {
			t.Errorf("%s: part of the plan %v, left to a person %v", c.name, in, open)
		}
	}
}

// Taken up, every part is told whether it is finished or taken back, and keeps the order
// in which its steps are.
func TestThePartsAreToldHowTheyAreTakenUp(t *testing.T) {
	one := &piece{name: nameAccess}
	whole := made(t, one)
	first, err := whole.Prepare(t.Context(), actions.Ask{Request: plan.Request{Procedure: Name, Target: Everything}})
	if err != nil {
		t.Fatal(err)
	}
	past := &actions.Past{Plan: &first.Plan, Facts: first.Plan.Facts, Steps: map[string]plan.StepState{}}
	again, err := whole.Prepare(t.Context(), actions.Ask{Request: plan.Request{Procedure: Name, Target: Everything, Mode: plan.Back, Of: "run-1"}, Past: past})
	if err != nil {
		t.Fatal(err)
	}
	if last := one.asked[len(one.asked)-1]; last.Mode != plan.Back || last.Of != "run-1" || last.Past == nil {
		t.Errorf("it was asked %+v", last)
	}
	prefix := strings.TrimSuffix(again.Plan.Steps[0].ID, "one")
	if got := again.Steps[0].UndoBefore; got != prefix+"later" {
		t.Errorf("its undoing comes before %q", got)
	}
}

// worst finds that every secret is refused.
type worst struct{}

func (worst) find(_ context.Context, databases, keys []string) (out []need) {
	for _, secret := range append(databases, keys...) {
		out = append(out, need{secret: secret, procedure: nameRotate, why: "its current version is refused"})
	}
	return out
}

// A password that does not work is told also where nothing says how it is rotated.
func TestASecretThatNobodyCanRotateIsNotPassedOver(t *testing.T) {
	rotate := &piece{name: nameRotate, list: []plan.Target{{ID: "prod/db/old"}, {ID: "prod/db/*", Ready: true}}, err: &actions.Refusal{What: "rotating it", Why: "warroom.yaml does not say how"}}
	p := made(t, &piece{name: nameAccess}, rotate)
	p.(*whole).needs = worst{}
	ready, err := p.Prepare(t.Context(), actions.Ask{Request: plan.Request{Procedure: Name, Target: Everything}})
	if err != nil {
		t.Fatal(err)
	}
	last := ready.Plan.Steps[len(ready.Plan.Steps)-1]
	text := strings.Join(last.Calls, " ")
	if last.ID != "stop" || !strings.Contains(text, "warroom plan rotate-database prod/db/old (its current version is refused") || strings.Contains(text, "*") {
		t.Errorf("it ends with %s: %s", last.ID, text)
	}
}

// Restarts are part of the whole although they cannot be undone, and that is said of
// the whole. Anything else that cannot be undone is for a person.
func TestRestartsArePartOfTheWhole(t *testing.T) {
	for _, c := range []struct {
		procedure string
		part      bool
	}{{nameRestart, true}, {nameCertificate, false}} {
		final := &final{piece{name: c.procedure, list: []plan.Target{{ID: "prod/db/app", Ready: true}}}}
		cfg := &config.Config{Components: []config.Component{{ID: "app", Application: &config.Application{Secrets: []string{"prod/db/app"}}}}}
		whole := Procedure(actions.Systems{Config: cfg}, []actions.Procedure{&piece{name: nameAccess}, final})
		ready, err := whole.Prepare(t.Context(), actions.Ask{Request: plan.Request{Procedure: Name, Target: Everything}})
		if err != nil {
			t.Fatal(err)
		}
		in := false
		for _, s := range ready.Plan.Steps {
			in = in || strings.Contains(s.ID, "-"+c.procedure+"-")
		}
		if in != c.part || (ready.Plan.Irreversible != "") != c.part {
			t.Errorf("%s: part of the plan %v, which says %q", c.procedure, in, ready.Plan.Irreversible)
		}
	}
}

// final is a procedure that cannot be undone.
type final struct{ piece }

func (f *final) Prepare(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	ready, err := f.piece.Prepare(ctx, ask)
	if err == nil {
		ready.Plan.Irreversible = "it does not come back"
	}
	return ready, err
}
