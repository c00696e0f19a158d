//go:build unix

package certificate

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// TestTheDrillsCertificateIsRenewed: the load balancer of the drill is renewed by what
// its configuration says, with the identities that it gives us, and rolled back.
func TestTheDrillsCertificateIsRenewed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "world")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	world, err := drill.Open("db-rotation", drill.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- world.Serve(ctx) }()
	t.Cleanup(func() { stop(); <-served })
	<-world.Ready()
	for _, pair := range world.Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	cfg, err := config.Parse(filepath.Join(dir, "warroom.yaml"), world.Config())
	if err != nil {
		t.Fatal(err)
	}
	journal := &memory{}
	declared, err := incident.Declare("anna", incident.Declared{ID: "2026-11-23-1", Severity: "SEV1", Summary: "certificate", Started: time.Now(), Environment: "production", Roles: map[incident.Role]string{incident.Commander: "anna"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := journal.Record(t.Context(), declared); err != nil {
		t.Fatal(err)
	}
	w := &drilled{t: t, cfg: cfg, log: journal, dir: dir}
	before := w.handshake()
	calls := &recorder{}
	e := w.engine(calls)
	targets := e.Targets(Name)
	if len(targets) != 1 || !targets[0].Ready {
		t.Fatalf("targets: %+v", targets)
	}
	// The process dies when the server was reloaded: rolled back, everything is as before.
	calls.fault = func(_ int, c clients.Call, do func() error) error {
		err := do()
		if c.System == "command" {
			calls.mu.Lock()
			defer calls.mu.Unlock()
			calls.dead = true
			journal.mu.Lock()
			defer journal.mu.Unlock()
			journal.dead = true
		}
		return err
	}
	p, err := e.Plan(t.Context(), plan.Request{Procedure: Name, Target: targets[0].ID})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context(), consent(p)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Wait(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	e.Close()
	journal.mu.Lock()
	journal.dead = false
	journal.mu.Unlock()
	calls.reborn()
	if now := w.handshake(); now == before {
		t.Fatal("the reload did nothing")
	}
	e = w.engine(calls)
	w.run(e, plan.RunRolledBack, plan.Request{Mode: plan.Back, Of: p.ID})
	if now := w.handshake(); now != before {
		t.Errorf("rolled back, %s is served, and %s was", now, before)
	}
	w.run(e, plan.RunDone, plan.Request{Procedure: Name, Target: targets[0].ID})
	if now := w.handshake(); now == before {
		t.Error("the old certificate is served")
	}
}

// drilled is the drill with a console on it.
type drilled struct {
	t   *testing.T
	cfg *config.Config
	log *memory
	dir string
}

func (w *drilled) engine(calls *recorder) *actions.Engine {
	systems := actions.Systems{Config: w.cfg, Read: clients.New(w.cfg), Act: clients.NewActing(w.cfg), Holder: "anna@war"}
	e := actions.New(actions.Options{Procedures: []actions.Procedure{New(systems)}, Systems: systems, Environment: "production", Operator: "anna", Host: "war", PID: os.Getpid(), Around: calls})
	e.Attach(w.log, filepath.Join(w.t.TempDir(), "recovery.log"))
	if _, err := e.Arm(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { e.Close(); systems.Read.Close(); systems.Act.Close() })
	return e
}

func (w *drilled) run(e *actions.Engine, state plan.RunState, ask plan.Request) {
	w.t.Helper()
	p, err := e.Plan(w.t.Context(), ask)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := e.Start(w.t.Context(), consent(p)); err != nil {
		w.t.Fatal(err)
	}
	got, err := e.Wait(w.t.Context(), p.ID)
	if err != nil || got.State != state {
		w.t.Fatalf("it ended %s, %v: %s\n%s", got.State, err, got.Trouble, lines(got))
	}
}

// handshake is the serial number that the load balancer serves.
func (w *drilled) handshake() string {
	w.t.Helper()
	set := clients.New(w.cfg)
	defer set.Close()
	p := New(actions.Systems{Config: w.cfg, Read: set, Act: set})
	all := p.endpoints()
	if len(all) != 1 {
		w.t.Fatalf("%d endpoints", len(all))
	}
	list, err := p.addresses(w.t.Context(), all[0].Address)
	if err != nil {
		w.t.Fatal(err)
	}
	served, err := p.handshakes(w.t.Context(), &all[0], list)
	if err != nil || served[0].Leaf == nil {
		w.t.Fatalf("%+v, %v", served, err)
	}
	return served[0].Leaf.Serial
}
