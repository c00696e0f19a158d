package actions

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

func TestArmingEndsWhenNobodyDoesAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t)
		k.arms()
		if a := k.Arming(); !a.On || a.By != "ic-1" || a.Until.Sub(a.Since) != defaultIdle {
			t.Fatalf("%+v", a)
		}
		time.Sleep(defaultIdle - time.Second)
		k.Touch()
		time.Sleep(defaultIdle - time.Second)
		if !k.Arming().On {
			t.Fatal("a touch does not count")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		a := k.Arming()
		if a.On || !strings.Contains(a.Why, "nobody did anything for 15m") || a.By != "" {
			t.Fatalf("%+v", a)
		}
		if s := k.log.Case().State; s.Armed.On || s.ArmedBy != "" || s.Armed.Why != a.Why {
			t.Errorf("%+v", s.Armed)
		}
		k.Touch()
		if k.Arming().On {
			t.Error("a touch arms")
		}
		k.arms()
		if !k.Arming().On {
			t.Error("it cannot be armed again")
		}
		k.Close()
	})
}

func TestArmingDoesNotEndWhileARunIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t)
		k.proc.change = func(p *Prepared) {
			p.Plan.Steps[1].Limit = 3 * time.Hour
			do := p.Steps[1].Do
			p.Steps[1].Do = func(ctx context.Context, r *Run) error { time.Sleep(2 * time.Hour); return do(ctx, r) }
		}
		k.arms()
		p := k.plans(plan.Forward, "")
		if err := k.Start(t.Context(), consent(p)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if a := k.Arming(); !a.On {
			t.Fatalf("%+v", a)
		}
		if err := k.Disarm(t.Context(), "by key"); err == nil {
			t.Error("disarmed under a run")
		}
		if got := k.waits(p.ID); got.State != plan.RunDone {
			t.Fatalf("%+v", got)
		}
		time.Sleep(defaultIdle - time.Second)
		if !k.Arming().On {
			t.Error("the idle time does not begin with the end of the run")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if k.Arming().On {
			t.Error("it goes on for ever")
		}
		k.Close()
	})
}

// TestAMachineThatSleptIsDisarmed has the wall clock jump while no timer fires.
func TestAMachineThatSleptIsDisarmed(t *testing.T) {
	now := t0
	k := newDesk(t, func(o *Options) { o.Clock = func() time.Time { return now } })
	k.arms()
	p := k.plans(plan.Forward, "")
	now = now.Add(defaultIdle)
	if k.Arming().On {
		t.Error("armed after the idle time")
	}
	p.Expires = now
	var no *Refusal
	if err := k.Start(t.Context(), consent(p)); !errors.As(err, &no) {
		t.Errorf("%v", err)
	}
}

func TestArmingIsRefusedWithoutAJournal(t *testing.T) {
	edit := func(k *desk, f func(*incident.Case)) {
		k.log.mu.Lock()
		defer k.log.mu.Unlock()
		f(&k.log.state)
	}
	for name, test := range map[string]struct {
		do   func(*desk)
		want string
	}{
		"no incident":         {func(k *desk) { k.Detach() }, "no incident is open"},
		"it is read-only":     {func(k *desk) { edit(k, func(c *incident.Case) { c.Writing = false }) }, "cannot be written"},
		"another writes it":   {func(k *desk) { edit(k, func(c *incident.Case) { c.Writing, c.Writer = false, "ops-2 at there" }) }, "ops-2 at there"},
		"it is closed":        {func(k *desk) { _ = k.log.put(incident.New("ic-1", incident.Closed{})) }, "closed"},
		"it is not declared":  {func(k *desk) { edit(k, func(c *incident.Case) { c.State = nil }) }, "not declared"},
		"the disk is full":    {func(k *desk) { k.log.breaks(func(incident.Event) error { return errors.New("disk full") }) }, "cannot be journalled"},
		"the console closing": {func(k *desk) { k.Close() }, "no incident is open"},
	} {
		k := newDesk(t)
		p := k.plans(plan.Forward, "")
		test.do(k)
		a, err := k.Arm(t.Context())
		if err == nil || a.On || k.Arming().On || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		if err := k.Start(t.Context(), consent(p)); err == nil {
			t.Errorf("%s: begun", name)
		}
		k.is(untouched)
	}
}

func TestArmingShowsAsWhomWeWouldAct(t *testing.T) {
	cfg := &config.Config{AWS: []config.AWSAccount{{Name: "main"}}, Vaults: []config.VaultCluster{{Name: "primary"}}, Kubernetes: []config.KubernetesCluster{{Name: "prod"}}}
	k := newDesk(t, func(o *Options) { o.Systems.Config = cfg })
	a, err := k.Arm(t.Context())
	if err != nil || len(a.Identities) != 3 {
		t.Fatalf("%+v, %v", a, err)
	}
	for i, want := range []string{"aws:main", "kubernetes:prod", "vault:primary"} {
		if who := a.Identities[i]; who.System != want || who.Trouble == "" {
			t.Errorf("%+v", who)
		}
	}
	if got := k.log.Case().State.Armed; len(got.Identities) != 3 || !got.On || got.Until.IsZero() {
		t.Errorf("%+v", got)
	}
}

func TestLeavingTheIncidentEndsEverything(t *testing.T) {
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
	left := make(chan struct{})
	go func() { k.Detach(); close(left) }()
	for { // until the run was asked to stop
		k.mu.Lock()
		stopping := k.runs[0].stopping
		changed := k.changed
		k.mu.Unlock()
		if stopping {
			break
		}
		<-changed
	}
	close(goOn)
	<-left
	if got := k.waits(p.ID); got.State != plan.RunStopped {
		t.Fatalf("%+v", got)
	}
	if s := k.log.Case().State; s.Armed.On || s.Runs[0].State != plan.RunStopped || s.Runs[0].Steps["store"].State != plan.Done {
		t.Errorf("%+v", s.Runs[0])
	}
}

// TestAStepThatDoesNotEndIsLeftBroken closes the engine under a step that hangs.
func TestAStepThatDoesNotEndIsLeftBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t)
		k.proc.change = func(p *Prepared) {
			p.Plan.Steps[1].Limit = time.Hour
			p.Steps[1].Do = func(ctx context.Context, _ *Run) error { <-ctx.Done(); return ctx.Err() }
		}
		k.arms()
		p := k.plans(plan.Forward, "")
		if err := k.Start(t.Context(), consent(p)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		at := time.Now()
		k.Close()
		if took := time.Since(at); took > 2*closeGrace {
			t.Errorf("it took %v", took)
		}
		r := k.run(p.ID)
		if r.Steps["store"].State != plan.Broken || !r.Ended.IsZero() {
			t.Errorf("%+v", r)
		}
		next := onDisk(t, k.w, k.disk)
		if a := advised(t, next); len(a) != 1 || a[0].State != plan.RunInterrupted || a[0].Step != "store" || a[0].Effect != plan.NotDone {
			t.Errorf("%+v", a)
		}
		next.Close()
	})
}

// TestWhatIsMissingIsRefused leaves out one thing at a time.
func TestWhatIsMissingIsRefused(t *testing.T) {
	careful := func(p *Prepared) {
		p.Plan.NeedsReason = "a superuser is used"
		p.Plan.Warnings = []plan.Warning{{ID: "clear", Text: "the server sees the password", Accept: true}, {ID: "note", Text: "it is night"}}
		p.Plan.Inputs = []plan.Input{{ID: "key", Label: "The new key"}, {ID: "more", Label: "More", Optional: true}}
	}
	for name, test := range map[string]struct {
		edit func(*plan.Consent)
		want string
	}{
		"no fingerprint":        {func(c *plan.Consent) { c.Fingerprint = "" }, "another plan"},
		"another fingerprint":   {func(c *plan.Consent) { c.Fingerprint = strings.Repeat("0", 64) }, "another plan"},
		"no plan":               {func(c *plan.Consent) { c.Plan = "" }, "no such plan"},
		"another plan":          {func(c *plan.Consent) { c.Plan = "ffff" }, "no such plan"},
		"nothing typed":         {func(c *plan.Consent) { c.Typed = "" }, "must be typed"},
		"another target typed":  {func(c *plan.Consent) { c.Typed = "thin" }, "not the target"},
		"no reason":             {func(c *plan.Consent) { c.Reason = "\t" }, "a reason is missing"},
		"a long reason":         {func(c *plan.Consent) { c.Reason = strings.Repeat("x", maxReason+1) }, "longer than 2000"},
		"no warning accepted":   {func(c *plan.Consent) { c.Accepted = nil }, "the server sees the password"},
		"another one accepted":  {func(c *plan.Consent) { c.Accepted = []string{"note", "CLEAR"} }, "the server sees the password"},
		"no value":              {func(c *plan.Consent) { delete(c.Inputs, "key") }, "The new key is missing"},
		"a long value":          {func(c *plan.Consent) { c.Inputs["key"] = estate.NewSecret(strings.Repeat("x", maxInput+1)) }, "longer than"},
		"a value not asked for": {func(c *plan.Consent) { c.Inputs["else"] = estate.NewSecret("x") }, "does not ask for"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t)
			k.proc.change = careful
			k.arms()
			p := k.plans(plan.Forward, "")
			given := consent(p)
			test.edit(&given)
			err := k.Start(t.Context(), given)
			no, ok := errors.AsType[*Refusal](err)
			if !ok || !strings.Contains(err.Error(), test.want) || no.Next == "" {
				t.Fatalf("%v, want a refusal with %q", err, test.want)
			}
			if k.w.changes() > 0 || len(k.log.Case().State.Runs) > 0 {
				t.Error("it did something")
			}
			// With what was missing it goes on.
			if got := k.does(p); got.State != plan.RunDone {
				t.Fatalf("%+v", got)
			}
			g := k.run(p.ID)
			if g.Reason != "it must be" {
				t.Errorf("%+v", g)
			}
			if err := k.Start(t.Context(), consent(p)); err == nil {
				t.Error("a plan can be started twice")
			}
		})
	}
}

func TestWhatCannotBeBegunIsRefused(t *testing.T) {
	refused := func(t *testing.T, what string, err error, want string) {
		t.Helper()
		if _, ok := errors.AsType[*Refusal](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a refusal with %q", what, err, want)
		}
	}
	t.Run("not armed", func(t *testing.T) {
		k := newDesk(t)
		refused(t, "start", k.Start(t.Context(), consent(k.plans(plan.Forward, ""))), "until you arm")
		k.is(untouched)
	})
	t.Run("expired", func(t *testing.T) {
		now := t0
		k := newDesk(t, func(o *Options) { o.Clock, o.Idle = func() time.Time { return now }, time.Hour })
		k.arms()
		p := k.plans(plan.Forward, "")
		now = p.Expires
		refused(t, "start", k.Start(t.Context(), consent(p)), "expired")
		k.is(untouched)
	})
	t.Run("a second person", func(t *testing.T) {
		key := newKey(t)
		path := signersFile(t, "ops-2 "+public(t, key))
		k := newDesk(t, func(o *Options) { o.SecondFor, o.Signers = []string{"rotate"}, path })
		k.arms()
		p := k.plans(plan.Forward, "")
		refused(t, "start", k.Start(t.Context(), consent(p)), "another operator must sign")
		k.is(untouched)
		given := consent(p)
		given.Signature = signed(t, key, p.Statement(), plan.SignatureNamespace, nil)
		if err := k.Start(t.Context(), given); err != nil {
			t.Fatal(err)
		}
		if got := k.waits(p.ID); got.State != plan.RunDone || k.run(p.ID).Signer != "ops-2" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("one at a time, four at once", func(t *testing.T) {
		var others []Procedure
		w := newWorld()
		for i := range 6 {
			others = append(others, &slow{rotate: rotate{w: w, name: fmt.Sprint("slow-", i)}, target: fmt.Sprint("thing-", i%5), end: make(chan struct{})})
		}
		k := onDisk(t, w, &disk{}, func(o *Options) { o.Procedures = others })
		k.arms()
		start := func(i int) (string, error) {
			p, err := k.Plan(t.Context(), plan.Request{Procedure: fmt.Sprint("slow-", i), Target: fmt.Sprint("thing-", i%5)})
			if err != nil {
				t.Fatal(err)
			}
			return p.ID, k.Start(t.Context(), consent(p))
		}
		var ids []string
		for i := range 4 {
			id, err := start(i)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		_, err := start(4)
		refused(t, "a fifth", err, "the most at once")
		close(others[1].(*slow).end)
		k.waits(ids[1])
		_, err = start(5) // on thing-0, as the first
		refused(t, "the same target", err, "another run is at it")
		if _, err = start(4); err != nil {
			t.Errorf("a place was given back: %v", err)
		}
		for _, i := range []int{0, 2, 3, 4} {
			close(others[i].(*slow).end)
		}
	})
	t.Run("plans that cannot be", func(t *testing.T) {
		k := newDesk(t)
		for what, ask := range map[string]plan.Request{
			"there is no procedure":  {Procedure: "gone", Target: "thing"},
			"there is no such thing": {Procedure: "rotate", Target: "gone"},
			"takes up no earlier":    {Procedure: "rotate", Target: "thing", Of: "x"},
			"there is no mode":       {Procedure: "rotate", Target: "thing", Mode: "dance"},
			"has no run":             {Mode: plan.Resume, Of: "x"},
		} {
			_, err := k.Plan(t.Context(), ask)
			refused(t, what, err, what)
		}
		k.Detach()
		_, err := k.Plan(t.Context(), plan.Request{Mode: plan.Resume, Of: "x"})
		refused(t, "without an incident", err, "no incident is open")
		_, err = k.Advise(t.Context())
		refused(t, "advice without an incident", err, "no incident is open")
		if _, err := k.Plan(t.Context(), plan.Request{Procedure: "rotate", Target: "thing"}); err != nil {
			t.Errorf("a plan needs no incident: %v", err)
		}
		k.Close()
		_, err = k.Plan(t.Context(), plan.Request{Procedure: "rotate", Target: "thing"})
		refused(t, "when closed", err, "closing")
	})
}

// slow is a procedure that ends when a test says so.
type slow struct {
	rotate
	target string
	end    chan struct{}
}

func (p *slow) Prepare(context.Context, Ask) (*Prepared, error) {
	return &Prepared{
		Plan: plan.Plan{Title: "Wait", Steps: []plan.Step{{ID: "a", Title: "Wait"}}},
		Steps: []Step{{Do: func(ctx context.Context, _ *Run) error {
			select {
			case <-p.end:
			case <-ctx.Done():
			}
			return nil
		}}},
	}, nil
}

func TestThePlainTextLogIsKept(t *testing.T) {
	k := newDesk(t, func(o *Options) {
		o.Scrub = func(s string) string { return strings.ReplaceAll(s, "new-value", "[redacted]") }
	})
	path := filepath.Join(t.TempDir(), "recovery.log")
	k.Attach(k.log, path)
	k.arms()
	got := k.does(k.plans(plan.Forward, ""))
	if got.LogPath != path {
		t.Errorf("%q", got.LogPath)
	}
	checkLog(t, path, len(got.Log))
	for _, l := range got.Log {
		if strings.Contains(l.Text, "new-value") {
			t.Errorf("%+v", l)
		}
	}
}
