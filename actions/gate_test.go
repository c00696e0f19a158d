package actions

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"warroom/internal/clients"
	"warroom/internal/plan"
)

// notPermitted fails unless an error says that the gate kept a call back.
func notPermitted(t *testing.T, what string, err error) {
	t.Helper()
	if _, ok := errors.AsType[*clients.NotPermitted](err); !ok {
		t.Errorf("%s: %v, want that it was not permitted", what, err)
	}
}

// TestOnlyDoAndUndoCanChangeAnything tries to change the world from everywhere else.
func TestOnlyDoAndUndoCanChangeAnything(t *testing.T) {
	k := newDesk(t)
	tried := map[string]error{}
	try := func(ctx context.Context, what string) { tried[what] = k.w.set(ctx, "stray", what) }
	k.proc.change = func(p *Prepared) {
		try(t.Context(), "without a permit")
		observe := p.Observe
		p.Observe = func(ctx context.Context) ([]plan.Observed, error) { try(ctx, "observe"); return observe(ctx) }
		p.Close = func() { try(context.Background(), "close") }
		for i := range p.Steps {
			s := &p.Steps[i]
			if check := s.Check; check != nil {
				s.Check = func(ctx context.Context, r *Run) error { try(ctx, "check"); return check(ctx, r) }
			}
			verify := s.Verify
			s.Verify = func(ctx context.Context, r *Run) (string, error) { try(ctx, "verify"); return verify(ctx, r) }
			if probe := s.Probe; probe != nil {
				s.Probe = func(ctx context.Context, r *Run) (plan.Effect, string, error) {
					try(ctx, "probe")
					return probe(ctx, r)
				}
			}
			if verify := s.VerifyUndo; verify != nil {
				s.VerifyUndo = func(ctx context.Context, r *Run) (string, error) { try(ctx, "verify undo"); return verify(ctx, r) }
			}
		}
		wait := p.Steps[3].Do
		p.Steps[3].Do = func(ctx context.Context, r *Run) error { try(ctx, "a step that changes nothing"); return wait(ctx, r) }
		p.Steps[5].Verify = func(ctx context.Context, _ *Run) (string, error) { return "", errors.New("fails") }
	}
	k.arms()
	first := k.does(k.plans(plan.Forward, ""))
	if _, err := k.Advise(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := k.does(k.plans(plan.Back, first.Run)); got.State != plan.RunRolledBack {
		t.Fatalf("%+v", got)
	}
	k.Close()
	for _, what := range []string{"without a permit", "observe", "check", "verify", "verify undo", "a step that changes nothing"} {
		if _, there := tried[what]; !there {
			t.Errorf("%s was not tried", what)
		}
	}
	for what, err := range tried {
		notPermitted(t, what, err)
	}
	k.is(untouched)
}

// TestWhatAStepLeavesRunningCanDoNothing keeps the context of a step beyond its end.
func TestWhatAStepLeavesRunningCanDoNothing(t *testing.T) {
	k := newDesk(t)
	var kept, read context.Context
	k.proc.change = func(p *Prepared) {
		do, verify := p.Steps[1].Do, p.Steps[1].Verify
		p.Steps[1].Do = func(ctx context.Context, r *Run) error { kept = ctx; return do(ctx, r) }
		p.Steps[1].Verify = func(ctx context.Context, r *Run) (string, error) {
			read = ctx
			notPermitted(t, "a change after Do", k.w.set(kept, "stray", "1"))
			_, err := k.w.get(kept, "stray")
			notPermitted(t, "a read after Do", err)
			if kept.Err() == nil {
				t.Error("the context of Do goes on")
			}
			return verify(ctx, r)
		}
	}
	k.arms()
	if got := k.does(k.plans(plan.Forward, "")); got.State != plan.RunDone {
		t.Fatalf("%+v", got)
	}
	_, err := k.w.get(read, "stray")
	notPermitted(t, "a read after Verify", err)
	k.is(rotated)
}

// TestACallThatDoesNotReturnLeavesItsStepBroken has a change land long after its step.
func TestACallThatDoesNotReturnLeavesItsStepBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t)
		end := make(chan struct{})
		k.proc.change = func(p *Prepared) {
			p.Steps[1].Do = func(ctx context.Context, _ *Run) error {
				begun := make(chan struct{})
				go func() {
					_ = clients.Around(ctx, clients.Call{Name: "hangs", Changes: true}, func() error { close(begun); <-end; return nil })
				}()
				<-begun
				return nil
			}
		}
		k.arms()
		got := k.does(k.plans(plan.Forward, ""))
		if got.State != plan.RunFailed || got.Steps[1].State != plan.Broken || !strings.Contains(got.Trouble, "did not return") {
			t.Errorf("%+v", got)
		}
		close(end)
		k.Close()
	})
}

func TestAFaultOfAProcedureIsToldWithoutItsValue(t *testing.T) {
	const canary = "hunter2-canary"
	for name, change := range map[string]func(*Prepared){
		"check":   func(p *Prepared) { p.Steps[2].Check = func(context.Context, *Run) error { panic(canary) } },
		"do":      func(p *Prepared) { p.Steps[2].Do = func(context.Context, *Run) error { panic(canary) } },
		"verify":  func(p *Prepared) { p.Steps[2].Verify = func(context.Context, *Run) (string, error) { panic(canary) } },
		"observe": func(p *Prepared) { p.Observe = func(context.Context) ([]plan.Observed, error) { panic(canary) } },
		"after it took effect": func(p *Prepared) {
			do := p.Steps[2].Do
			p.Steps[2].Do = func(ctx context.Context, r *Run) error { _ = do(ctx, r); panic(canary) }
		},
		"probe too": func(p *Prepared) {
			p.Steps[2].Do = func(context.Context, *Run) error { panic(canary) }
			p.Steps[2].Probe = func(context.Context, *Run) (plan.Effect, string, error) { panic(canary) }
		},
		"close": func(p *Prepared) { p.Close = func() { panic(canary) } },
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t)
			k.proc.change = change
			k.arms()
			p := k.plans(plan.Forward, "")
			err := k.Start(t.Context(), consent(p))
			if name == "observe" {
				if err == nil || strings.Contains(err.Error(), canary) {
					t.Fatal(err)
				}
				k.is(untouched)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := k.waits(p.ID)
			want := map[string]plan.StepState{"do": plan.Failed, "verify": plan.Failed, "after it took effect": plan.Broken, "probe too": plan.Broken, "check": plan.Failed}[name]
			switch {
			case name == "close" && got.State != plan.RunDone:
				t.Errorf("%+v", got)
			case name != "close" && (got.State != plan.RunFailed || got.Steps[2].State != want || got.Trouble == ""):
				t.Errorf("%+v, want the step %s", got, want)
			}
			for _, line := range got.Log {
				if strings.Contains(line.Text, canary) {
					t.Errorf("it says %q", line.Text)
				}
			}
			k.disk.mu.Lock()
			defer k.disk.mu.Unlock()
			for _, line := range k.disk.lines {
				if strings.Contains(string(line), canary) {
					t.Errorf("the journal says %s", line)
				}
			}
		})
	}
	k := newDesk(t)
	k.proc.change = func(*Prepared) { panic(canary) }
	if _, err := k.Plan(t.Context(), plan.Request{Procedure: "rotate", Target: "thing"}); err == nil || strings.Contains(err.Error(), canary) {
		t.Error(err)
	}
}

func TestAStepThatTakesTooLongFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t)
		k.proc.change = func(p *Prepared) {
			p.Plan.Steps[1].Limit = time.Minute
			p.Steps[1].Do = func(ctx context.Context, _ *Run) error { <-ctx.Done(); return ctx.Err() }
		}
		k.arms()
		at := time.Now()
		got := k.does(k.plans(plan.Forward, ""))
		if got.State != plan.RunFailed || time.Since(at) != time.Minute || !strings.Contains(got.Trouble, "did not end within 1m0s") {
			t.Errorf("after %v: %+v", time.Since(at), got)
		}
		k.Close()
	})
}

func TestAStopComesBeforeTheNextStep(t *testing.T) {
	k := newDesk(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	k.proc.change = func(p *Prepared) {
		do := p.Steps[1].Do
		p.Steps[1].Do = func(ctx context.Context, r *Run) error { close(begun); <-goOn; return do(ctx, r) }
	}
	k.arms()
	p := k.plans(plan.Forward, "")
	if err := k.Start(t.Context(), consent(p)); err != nil {
		t.Fatal(err)
	}
	<-begun
	k.Stop(p.ID)
	if all, err := k.Next(t.Context()); err != nil || !all[0].Stopping || all[0].State != plan.RunActive || all[0].Steps[1].State != plan.Running {
		t.Fatalf("%+v, %v", all, err)
	}
	close(goOn)
	got := k.waits(p.ID)
	if got.State != plan.RunStopped || got.Steps[1].State != plan.Done || got.Steps[2].State != plan.Waiting {
		t.Fatalf("%+v", got)
	}
	k.proc.change = nil
	if got := k.does(k.plans(plan.Resume, p.ID)); got.State != plan.RunDone {
		t.Fatalf("%+v", got)
	}
	k.is(rotated)
}

func TestAHaltStopsOnPurpose(t *testing.T) {
	k := newDesk(t)
	k.proc.change = func(p *Prepared) {
		p.Steps[3].Do = func(context.Context, *Run) error { return &Halt{Why: "a person decides", Next: "look, and resume"} }
	}
	k.arms()
	got := k.does(k.plans(plan.Forward, ""))
	if got.State != plan.RunStopped || got.Trouble != "a person decides" || got.Next != "look, and resume" || got.Steps[3].State != plan.Done {
		t.Fatalf("%+v", got)
	}
	if got := k.does(k.plans(plan.Resume, got.Run)); got.State != plan.RunDone || len(got.Steps) != 2 {
		t.Fatalf("%+v", got)
	}
}

// TestWhatChangedSinceThePlanEndsItBeforeTheFirstChange lets the world move on.
func TestWhatChangedSinceThePlanEndsItBeforeTheFirstChange(t *testing.T) {
	move := func(k *desk, to string) {
		k.w.mu.Lock()
		defer k.w.mu.Unlock()
		k.w.has["current"] = to
	}
	k := newDesk(t)
	k.arms()
	p := k.plans(plan.Forward, "")
	move(k, "somebody else's")
	err := k.Start(t.Context(), consent(p))
	changed, ok := errors.AsType[*Changed](err)
	if !ok || len(changed.What) != 1 || changed.What[0] != (Difference{"current", "old", "somebody else's"}) || changed.Plan != p.ID {
		t.Fatalf("%v", err)
	}
	if k.w.changes() > 0 {
		t.Error("it changed something")
	}
	if err := k.Start(t.Context(), consent(p)); err == nil {
		t.Error("the plan can be started all the same")
	}
	if n := len(k.log.Case().State.Runs); n > 0 {
		t.Errorf("%d runs", n)
	}
	// And between the first look and the first change.
	move(k, "old")
	k.proc.change = func(r *Prepared) {
		r.Steps[0].Verify = func(context.Context, *Run) (string, error) { move(k, "moved"); return "seen", nil }
	}
	got := k.does(k.plans(plan.Forward, ""))
	if got.State != plan.RunFailed || k.w.changes() > 0 || !strings.Contains(got.Trouble, `current was "old" and is "moved"`) {
		t.Fatalf("%+v", got)
	}
	if a := advised(t, k); len(a) != 1 || a[0].Recommended != plan.Abandon {
		t.Errorf("%+v", a)
	}
}

func TestAnAbandonedRunIsLeftAsItIs(t *testing.T) {
	k := newDesk(t)
	k.w.fail["set database"] = func(func() error) error { return errors.New("no") }
	k.arms()
	first := k.does(k.plans(plan.Forward, ""))
	was := k.w.look()
	if err := k.Disarm(t.Context(), "to show that it needs no arming"); err != nil {
		t.Fatal(err)
	}
	p := k.plans(plan.Abandon, first.Run)
	given := consent(p)
	given.Reason = " "
	if err := k.Start(t.Context(), given); err == nil || !strings.Contains(err.Error(), "reason") {
		t.Fatal(err)
	}
	if got := k.does(p); got.State != plan.RunAbandoned {
		t.Fatalf("%+v", got)
	}
	k.is(was)
	r := k.run(first.Run)
	if r.State != plan.RunAbandoned || r.Detail != "it must be" {
		t.Errorf("%+v", r)
	}
	if k.run(p.ID).Reason != "it must be" {
		t.Errorf("%+v", k.run(p.ID))
	}
}
