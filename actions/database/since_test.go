package database

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/actions"
	"warroom/actions/postgres"
	"warroom/actions/store"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// practice is the drill with consoles on it, each with an incident of its own.
type practice struct {
	t   *testing.T
	cfg *config.Config
}

// analytics is a secret of the drill whose password works when the story begins.
const analytics = "prod/db/analytics"

func newPractice(t *testing.T) *practice {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "world")
	world, err := drill.Open("db-rotation", drill.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- world.Serve(ctx) }()
	t.Cleanup(func() { stop(); <-served; _ = world.Close() })
	<-world.Ready()
	cfg, err := config.Parse(filepath.Join(dir, "warroom.yaml"), world.Config())
	if err != nil {
		t.Fatal(err)
	}
	return &practice{t, cfg}
}

// notes is a journal in memory.
type notes struct {
	mu    sync.Mutex
	fold  incident.Fold
	count uint64
}

func (n *notes) Record(_ context.Context, events ...incident.Event) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range events {
		n.count++
		e.Seq, e.At = n.count, time.Now()
		n.fold.Apply(e)
	}
	return nil
}

func (n *notes) Case() *incident.Case {
	n.mu.Lock()
	defer n.mu.Unlock()
	return &incident.Case{State: n.fold.State(), Writing: true}
}

func (n *notes) Now() time.Time { return time.Now() }

// around sees every call.
type around func(clients.Call, func() error) error

func (a around) Around(_ context.Context, c clients.Call, do func() error) error { return a(c, do) }

// console is one console with an incident of its own.
type console struct {
	*actions.Engine
	p   *practice
	log *notes

	mu    sync.Mutex
	calls []string                               // that changed something
	meet  func(clients.Call, func() error) error // nil makes the call
}

func (p *practice) console(operator string) *console {
	p.t.Helper()
	systems := actions.Systems{Config: p.cfg, Read: clients.New(p.cfg), Act: clients.NewActing(p.cfg), Holder: operator + "@war"}
	c := &console{p: p, log: &notes{}}
	c.Engine = actions.New(actions.Options{Procedures: Procedures(systems), Systems: systems, Environment: "production", Operator: operator, Host: "war", PID: os.Getpid(),
		Around: around(func(call clients.Call, do func() error) error {
			c.mu.Lock()
			meet := c.meet
			if call.Changes {
				c.calls = append(c.calls, call.Name)
			}
			c.mu.Unlock()
			if meet != nil {
				return meet(call, do)
			}
			return do()
		})})
	declared, err := incident.Declare(operator, incident.Declared{ID: "2026-11-23-1", Severity: "SEV1", Summary: "database", Started: time.Now(), Environment: "production", Roles: map[incident.Role]string{incident.Commander: operator}}, time.Now())
	if err == nil {
		err = c.log.Record(p.t.Context(), declared)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	c.Attach(c.log, filepath.Join(p.t.TempDir(), "recovery.log"))
	if _, err := c.Arm(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close(); systems.Read.Close(); systems.Act.Close() })
	return c
}

// do carries a plan out to its end.
func (c *console) do(want plan.RunState, ask plan.Request) plan.Progress {
	c.p.t.Helper()
	p, err := c.Plan(c.p.t.Context(), ask)
	if err != nil {
		c.p.t.Fatal(err)
	}
	given := plan.Consent{Plan: p.ID, Fingerprint: p.Fingerprint(), Typed: p.Target, Reason: "test"}
	for _, w := range p.Warnings {
		if w.Accept {
			given.Accepted = append(given.Accepted, w.ID)
		}
	}
	if err := c.Start(c.p.t.Context(), given); err != nil {
		c.p.t.Fatal(err)
	}
	got, err := c.Wait(c.p.t.Context(), p.ID)
	if err != nil || got.State != want {
		var log []string
		for _, l := range got.Log {
			log = append(log, l.Text)
		}
		c.p.t.Fatalf("it is %s and not %s, %v: %s\n%s", got.State, want, err, got.Trouble, strings.Join(log, "\n"))
	}
	return got
}

// stopped carries a plan out and stops it before the step after that which first makes a
// call of a name that begins so. It is the run's name.
func (c *console) stopped(ask plan.Request, beginning string) string {
	c.p.t.Helper()
	c.mu.Lock()
	c.meet = func(call clients.Call, do func() error) error {
		if call.Changes && strings.HasPrefix(call.Name, beginning) {
			all, err := c.Next(context.Background())
			for _, r := range all {
				c.Stop(r.Run)
			}
			if err != nil {
				return err
			}
		}
		return do()
	}
	c.mu.Unlock()
	return c.do(plan.RunStopped, ask).Run
}

// current fails the test unless the primary takes what the store says is current.
func (p *practice) current(when string) {
	p.t.Helper()
	set := clients.New(p.cfg)
	defer set.Close()
	e, err := targetsOf(actions.Systems{Config: p.cfg, Read: set, Act: set}, &postgres.Book{}, analytics)
	if err != nil {
		p.t.Fatal(err)
	}
	s, err := e.look(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	if !s.tryBase(p.t.Context()) {
		p.t.Errorf("%s AWSCURRENT, version %s, is not let in: %s", when, store.Short(s.state.Current), s.base.words())
	}
}

// A run that somebody else's rotation came after is not rolled back: the older password
// would lock out whoever has the newer one.
func TestARollBackIsRefusedOnceSomebodyRotatedSince(t *testing.T) {
	p := newPractice(t)
	first, second := p.console("anna"), p.console("ben")
	run := first.stopped(plan.Request{Procedure: RotateName, Target: analytics}, "ALTER ROLE")
	second.do(plan.RunDone, plan.Request{Procedure: RecoverName, Target: analytics})
	p.current("after the second console finished it")
	_, err := first.Plan(t.Context(), plan.Request{Mode: plan.Back, Of: run})
	refusal, ok := errors.AsType[*actions.Refusal](err)
	if !ok || !strings.Contains(refusal.Why, "somebody has rotated it since") || refusal.Next == "" {
		t.Errorf("planned all the same, or with another reason: %v", err)
	}
	second.do(plan.RunDone, plan.Request{Procedure: RotateName, Target: analytics})
	if _, err := first.Plan(t.Context(), plan.Request{Mode: plan.Back, Of: run}); err == nil {
		t.Error("planned although a third version is current")
	}
	p.current("in the end")
}

// The label goes back once the database has the earlier password, and not before.
func TestTheDatabaseGoesBackBeforeTheLabel(t *testing.T) {
	p := newPractice(t)
	c := p.console("anna")
	run := c.stopped(plan.Request{Procedure: RotateName, Target: analytics}, "PATCH prod/externalsecrets")
	c.mu.Lock()
	c.calls, c.meet = nil, nil
	c.mu.Unlock()
	c.do(plan.RunRolledBack, plan.Request{Mode: plan.Back, Of: run})
	p.current("rolled back,")
	alter := slices.IndexFunc(c.calls, func(s string) bool { return strings.HasPrefix(s, "ALTER ROLE") })
	label := slices.Index(c.calls, "secretsmanager:UpdateSecretVersionStage")
	if alter < 0 || label < 0 || alter > label {
		t.Errorf("the calls were %q", c.calls)
	}
}

// A rotation whose end is missing is not followed by another one.
func TestARotationWithoutAnEndBarsTheNext(t *testing.T) {
	p := newPractice(t)
	first, second := p.console("anna"), p.console("ben")
	first.stopped(plan.Request{Procedure: RotateName, Target: analytics}, "PATCH prod/externalsecrets")
	_, err := second.Plan(t.Context(), plan.Request{Procedure: RotateName, Target: analytics})
	refusal, ok := errors.AsType[*actions.Refusal](err)
	if !ok || !strings.Contains(refusal.Why, "anna@war") {
		t.Errorf("planned all the same, or without who it is: %v", err)
	}
	second.do(plan.RunDone, plan.Request{Procedure: RecoverName, Target: analytics})
	second.do(plan.RunDone, plan.Request{Procedure: RotateName, Target: analytics})
	p.current("in the end")
}

// A copy whose system is down does not keep anybody from rotating: it is left as it is,
// once that is accepted, and stays an open item.
func TestACopyThatDoesNotAnswerIsLeftOpen(t *testing.T) {
	p := newPractice(t)
	p.cfg.Vaults = append(p.cfg.Vaults, config.VaultCluster{Name: "down", Address: "https://127.0.0.1:1"})
	_, stored, err := store.Open(actions.Systems{Config: p.cfg}, analytics)
	if err != nil {
		t.Fatal(err)
	}
	stored.Rotation.Copies = append(stored.Rotation.Copies, config.Copy{Cluster: "down", Path: "secret/prod/db"})
	c := p.console("anna")
	ask := plan.Request{Procedure: RotateName, Target: analytics}
	got, err := c.Plan(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(got.Warnings, func(w plan.Warning) bool { return w.Accept && strings.HasPrefix(w.ID, "copy-left:") }) {
		t.Errorf("the warnings are %+v", got.Warnings)
	}
	c.do(plan.RunDone, ask)
	p.current("with a copy that is behind,")
	open := false
	for _, m := range c.log.Case().State.Measures {
		open = open || m.Ended.IsZero() && strings.Contains(m.What, "in Vault down is behind")
	}
	if !open {
		t.Errorf("the open items are %+v", c.log.Case().State.Measures)
	}
}
