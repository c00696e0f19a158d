package actions

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// TestAPlanToTakeARunUpIsGoodForThatRunAsItStood makes two, and carries out both.
func TestAPlanToTakeARunUpIsGoodForThatRunAsItStood(t *testing.T) {
	k := newDesk(t)
	k.w.fail["set database"] = func(func() error) error { return errors.New("no") }
	k.arms()
	first := k.does(k.plans(plan.Forward, ""))
	delete(k.w.fail, "set database")
	one, two, three := k.plans(plan.Resume, first.Run), k.plans(plan.Back, first.Run), k.plans(plan.Resume, first.Run)
	k.w.fail["set current"] = func(func() error) error { return errors.New("no") }
	if got := k.does(one); got.State != plan.RunFailed {
		t.Fatalf("%+v", got)
	}
	delete(k.w.fail, "set current")
	was := k.w.look()
	for _, p := range []*plan.Plan{two, three} {
		if err := k.Start(t.Context(), consent(p)); err == nil || !strings.Contains(err.Error(), "was taken up since") {
			t.Errorf("%s: %v", p.Mode, err)
		}
	}
	k.is(was)
	if got := k.does(k.plans(plan.Resume, one.ID)); got.State != plan.RunDone { // named by its resumption
		t.Fatalf("%+v", got)
	}
	if err := k.Start(t.Context(), consent(two)); err == nil || !strings.Contains(err.Error(), "no run") {
		t.Error(err)
	}
	k.is(rotated)
}

func TestANewRunBesideAnOpenOneMustBeAccepted(t *testing.T) {
	k := newDesk(t)
	k.w.fail["set database"] = func(func() error) error { return errors.New("no") }
	k.arms()
	first := k.does(k.plans(plan.Forward, ""))
	p := k.plans(plan.Forward, "")
	if len(p.Warnings) != 1 || !p.Warnings[0].Accept || !strings.Contains(p.Warnings[0].Text, first.Run) {
		t.Errorf("%+v", p.Warnings)
	}
}

// TestPlansAreGivenBack counts what holds on to something.
func TestPlansAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t)
		var open atomic.Int64
		k.proc.change = func(p *Prepared) { open.Add(1); p.Close = func() { open.Add(-1) } }
		for range 3 * maxPlans {
			k.plans(plan.Forward, "")
		}
		synctest.Wait()
		if n := open.Load(); n != maxPlans {
			t.Errorf("%d are held, at most %d", n, maxPlans)
		}
		time.Sleep(planLife)
		synctest.Wait()
		if n := open.Load(); n != 0 {
			t.Errorf("%d are held after they expired", n)
		}
		k.arms()
		k.does(k.plans(plan.Forward, ""))
		k.plans(plan.Forward, "")
		k.Close()
		synctest.Wait()
		if n := open.Load(); n != 0 {
			t.Errorf("%d are held at the end", n)
		}
	})
}

// TestWhatAProcedureMakesMustBeSound takes one thing away at a time.
func TestWhatAProcedureMakesMustBeSound(t *testing.T) {
	for name, change := range map[string]func(*Prepared){
		"no steps":           func(p *Prepared) { p.Plan.Steps, p.Steps = nil, nil },
		"fewer steps":        func(p *Prepared) { p.Steps = p.Steps[1:] },
		"no id":              func(p *Prepared) { p.Plan.Steps[1].ID = "" },
		"an id twice":        func(p *Prepared) { p.Plan.Steps[1].ID = "look" },
		"no Do":              func(p *Prepared) { p.Steps[1].Do = nil },
		"no Probe":           func(p *Prepared) { p.Steps[1].Probe = nil },
		"no Verify":          func(p *Prepared) { p.Steps[1].Verify = nil },
		"nothing at all":     func(p *Prepared) { p.Steps[0].Verify = nil },
		"no VerifyUndo":      func(p *Prepared) { p.Steps[1].VerifyUndo = nil },
		"an undo not told":   func(p *Prepared) { p.Plan.Steps[1].Undo = "" },
		"nothing to look at": func(p *Prepared) { p.Observe = nil },
		"too many steps": func(p *Prepared) {
			for range maxSteps {
				p.Plan.Steps, p.Steps = append(p.Plan.Steps, plan.Step{}), append(p.Steps, Step{})
			}
		},
		"too large": func(p *Prepared) { p.Plan.Why = strings.Repeat("x", maxPlanSize) },
	} {
		k := newDesk(t)
		closed := false
		k.proc.change = func(p *Prepared) { p.Close = func() { closed = true }; change(p) }
		_, err := k.Plan(t.Context(), plan.Request{Procedure: "rotate", Target: "thing"})
		if err == nil || !closed {
			t.Errorf("%s: %v, closed %v", name, err, closed)
		}
	}
}

// TestARunKeepsTheStepsOfItsPlan changes the procedure between two processes.
func TestARunKeepsTheStepsOfItsPlan(t *testing.T) {
	k := newDesk(t)
	k.w.fail["set database"] = func(func() error) error { return errors.New("no") }
	k.arms()
	first := k.does(k.plans(plan.Forward, ""))
	k.proc.change = func(p *Prepared) { p.Plan.Steps[3].ID = "wait-more" }
	a := advised(t, k)
	if len(a) != 1 || a[0].Recommended != plan.Abandon || !strings.Contains(a[0].Impossible[plan.Resume], "other steps") {
		t.Errorf("%+v", a)
	}
	if _, err := k.Plan(t.Context(), plan.Request{Mode: plan.Resume, Of: first.Run}); err == nil {
		t.Error("resumed with other steps")
	}
}

func TestWhatCannotBeUndoneIsNotRolledBack(t *testing.T) {
	irreversible := func(p *Prepared) {
		p.Plan.Irreversible = "the old value is gone, from Promote it on"
		p.Plan.Steps[4].Undo = ""
		p.Steps[4].Undo, p.Steps[4].VerifyUndo = nil, nil
	}
	for call, possible := range map[string]bool{"set current": true, "": false} {
		k := newDesk(t)
		k.proc.change = func(p *Prepared) {
			irreversible(p)
			p.Steps[5].Verify = func(context.Context, *Run) (string, error) { return "", errors.New("no") }
		}
		if call != "" {
			k.w.fail[call] = func(func() error) error { return errors.New("no") }
		}
		k.arms()
		p := k.plans(plan.Forward, "")
		if !p.NeedsTyped() {
			t.Error("it need not be typed")
		}
		first := k.does(p)
		_, err := k.Plan(t.Context(), plan.Request{Mode: plan.Back, Of: first.Run})
		if (err == nil) != possible || err != nil && !strings.Contains(err.Error(), "the old value is gone") {
			t.Errorf("%q failed: %v", call, err)
		}
	}
	// What need not be undone does not stand in the way, and is left.
	k := newDesk(t)
	k.proc.change = func(p *Prepared) {
		irreversible(p)
		p.Plan.Steps[4].Undo = "nothing: it ends by itself"
		p.Steps[5].Verify = func(context.Context, *Run) (string, error) { return "", errors.New("no") }
	}
	k.arms()
	first := k.does(k.plans(plan.Forward, ""))
	if p := k.plans(plan.Back, first.Run); len(p.Steps) != 2 {
		t.Errorf("%+v", p.Steps)
	}
}

func TestATypedValueIsKnownToEveryNet(t *testing.T) {
	cfg := &config.Config{}
	read, act := clients.New(cfg), clients.NewActing(cfg)
	defer read.Close()
	defer act.Close()
	k := newDesk(t, func(o *Options) { o.Systems = Systems{Config: cfg, Read: read, Act: act} })
	const canary = "typed-canary-value-7391"
	k.proc.change = func(p *Prepared) {
		p.Plan.Inputs = []plan.Input{{ID: "key", Label: "The key"}}
		p.Steps[3].Do = func(_ context.Context, r *Run) error {
			return errors.New("the provider says " + r.Input("key").Reveal())
		}
	}
	k.o.Scrub = func(s string) string { return act.Net().Scrub(read.Net().Scrub(s)) }
	k.arms()
	p := k.plans(plan.Forward, "")
	given := consent(p)
	given.Inputs["key"] = estate.NewSecret(canary)
	if err := k.Start(t.Context(), given); err != nil {
		t.Fatal(err)
	}
	got := k.waits(p.ID)
	if got.State != plan.RunFailed || strings.Contains(got.Trouble, canary) || !strings.Contains(got.Trouble, "the provider says") {
		t.Errorf("%+v", got)
	}
	for _, line := range k.disk.lines {
		if strings.Contains(string(line), canary) {
			t.Errorf("the journal says %s", line)
		}
	}
}

func TestAFactThatNoJournalKeepsIsAFault(t *testing.T) {
	k := newDesk(t)
	k.proc.change = func(p *Prepared) {
		do := p.Steps[1].Do
		p.Steps[1].Do = func(ctx context.Context, r *Run) error { r.Note("pem", strings.Repeat("x", 20_000)); return do(ctx, r) }
	}
	k.arms()
	if got := k.does(k.plans(plan.Forward, "")); got.State != plan.RunFailed || got.Steps[1].State != plan.Broken {
		t.Errorf("%+v", got)
	}
}

// TestTheDetailOfAStepSaysWhatCameOfIt resumes a step that did not take effect, and one
// that did.
func TestTheDetailOfAStepSaysWhatCameOfIt(t *testing.T) {
	const earlier = "it took effect in the earlier run"
	for _, took := range []bool{false, true} {
		k := newDesk(t)
		k.proc.change = func(p *Prepared) {
			p.Steps[2].Verify = func(context.Context, *Run) (string, error) { return "", errors.New("slow") }
		}
		if !took {
			k.w.fail["set database"] = func(func() error) error { return errors.New("no") }
		}
		k.arms()
		first := k.does(k.plans(plan.Forward, ""))
		k.proc.change = nil
		delete(k.w.fail, "set database")
		p := k.plans(plan.Resume, first.Run)
		if !strings.HasPrefix(p.Steps[0].Before, "Probed first: it ") {
			t.Errorf("%+v", p.Steps[0])
		}
		changes := k.w.changes()
		got := k.does(p)
		if got.State != plan.RunDone || strings.Contains(got.Steps[0].Detail, earlier) != took {
			t.Errorf("took effect %v: %+v", took, got.Steps[0])
		}
		if n := k.w.changes() - changes; took && n != 1 || !took && n != 2 {
			t.Errorf("took effect %v: %d changes", took, n)
		}
	}
}
