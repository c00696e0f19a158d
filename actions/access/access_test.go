package access

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// openWorld is a drill, and its configuration after some changes to the text.
func openWorld(t *testing.T, edit func(string) string) *config.Config {
	t.Helper()
	w, err := drill.Open("db-rotation", drill.Options{Dir: t.TempDir(), Seed: 6})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- w.Serve(t.Context()) }()
	t.Cleanup(func() {
		if err := errors.Join(w.Close(), <-served); err != nil {
			t.Errorf("the world did not end well: %v", err)
		}
	})
	select {
	case <-w.Ready():
	case err := <-served:
		t.Fatal(err)
	}
	cfg, err := config.Parse(filepath.Join(w.Dir(), "warroom.yaml"), []byte(edit(string(w.Config()))))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// run asks everything through the engine, which lets nothing be changed.
func run(t *testing.T, cfg *config.Config) (plan.Progress, map[string]string) {
	t.Helper()
	systems := actions.Systems{Config: cfg, Read: clients.New(cfg), Act: clients.NewActing(cfg), Holder: "anna@war"}
	e := actions.New(actions.Options{
		Procedures: Procedures(systems), Systems: systems, Environment: cfg.Environment, Operator: "anna", Host: "war", PID: os.Getpid(),
		Scrub: func(s string) string { return systems.Read.Net().Scrub(systems.Act.Net().Scrub(s)) },
	})
	t.Cleanup(func() { e.Close(); systems.Read.Close(); systems.Act.Close() })
	log := &memory{}
	declared, err := incident.Declare("anna", incident.Declared{ID: "2026-11-24-1", Severity: "SEV1", Summary: "access", Started: time.Now(), Environment: cfg.Environment, Roles: map[incident.Role]string{incident.Commander: "anna"}}, time.Now())
	if err == nil {
		err = log.Record(t.Context(), declared)
	}
	if err != nil {
		t.Fatal(err)
	}
	e.Attach(log, filepath.Join(t.TempDir(), "recovery.log"))
	if _, err := e.Arm(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := e.Plan(t.Context(), plan.Request{Procedure: Name, Target: Everything})
	if err != nil {
		t.Fatal(err)
	}
	if p.Changes() {
		t.Error("it changes something")
	}
	if err := e.Start(t.Context(), plan.Consent{Plan: p.ID, Fingerprint: p.Fingerprint(), Typed: p.Target}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := e.Wait(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, s := range got.Steps {
		said[s.ID] = s.Detail
	}
	return got, said
}

func TestEverythingCanBeUsed(t *testing.T) {
	got, said := run(t, openWorld(t, func(s string) string { return s }))
	if got.State != plan.RunDone || !strings.Contains(said["verdict"], "vault:primary, vault:secondary, aws:main, kubernetes:prod can be used") {
		t.Errorf("%s: %q; %+v", got.State, said["verdict"], said)
	}
	for id, want := range map[string][]string{
		"aws:main":        {"reading as arn:aws:iam::123456789012:user/warroom", "acting as arn:aws:iam::123456789012:user/drill-act", "Secrets Manager of us-west-2 answers", "by its own policies"},
		"vault:primary":   {"reachable and unsealed", "warroom-read", "warroom-act", "paths that procedures change"},
		"kubernetes:prod": {"reading as warroom", "acting as drill-act", "may change"},
	} {
		for _, part := range want {
			if !strings.Contains(said[id], part) {
				t.Errorf("%s says %q, want %q", id, said[id], part)
			}
		}
	}
}

// Who only may read can look; what recovery would lack is named.
func TestWhatRecoveryLacksIsNamed(t *testing.T) {
	act := regexp.MustCompile(`(?m)^\s+act: .*\n`)
	got, said := run(t, openWorld(t, func(s string) string { return act.ReplaceAllString(s, "") }))
	if got.State != plan.RunDone || !strings.Contains(said["verdict"], "can be used in part") {
		t.Errorf("%s: %q", got.State, said["verdict"])
	}
	for id, want := range map[string]string{
		"vault:primary":   "its policies lack update on pki/sign/web",
		"kubernetes:prod": "its role lacks patch deployments prod/payment-service",
		"aws:main":        "what it may change could not be asked",
	} {
		if !strings.Contains(said[id], want) {
			t.Errorf("%s says %q, want %q", id, said[id], want)
		}
	}
}

// With no store left, it says so, and what people can still do.
func TestNothingCanBeUsed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	_ = l.Close() // nobody answers there now
	address := regexp.MustCompile(`(?m)^(\s+(?:address|endpoint): https?://).*$`)
	cfg := openWorld(t, func(s string) string {
		head, rest, _ := strings.Cut(s, "\ncomponents:")
		return address.ReplaceAllString(head, "${1}"+dead) + "\ncomponents:" + rest
	})
	got, said := run(t, cfg)
	if got.State != plan.RunFailed || !strings.Contains(got.Trouble, "no store of secrets can be used") {
		t.Errorf("%s: %q", got.State, got.Trouble)
	}
	if !strings.Contains(said["vault:primary"], "refused") {
		t.Errorf("Vault says %q", said["vault:primary"])
	}
	var log strings.Builder
	for _, line := range got.Log {
		log.WriteString(line.Text + "\n")
	}
	for _, want := range []string{"1. PostgreSQL Primary at 127.0.0.1:", "superuser of prod/db/superuser", "database team, #dba-oncall", "its key shares", "aws sso login --profile drill", "payments are queued for up to 2 hours"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not said:\n%s", want, log.String())
		}
	}
}

func TestPrincipal(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:sts::123456789012:assumed-role/warroom-act/anna": "arn:aws:iam::123456789012:role/warroom-act",
		"arn:aws:iam::123456789012:user/anna":                     "arn:aws:iam::123456789012:user/anna",
	} {
		if got := principal(arn); got != want {
			t.Errorf("%s: %s, want %s", arn, got, want)
		}
	}
}

// memory is a journal in memory.
type memory struct {
	mu    sync.Mutex
	fold  incident.Fold
	state *incident.State
	n     uint64
}

func (m *memory) Record(_ context.Context, events ...incident.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range events {
		m.n++
		e.Seq = m.n
		if e.At.IsZero() {
			e.At = time.Now()
		}
		m.fold.Apply(e)
	}
	m.state = m.fold.State()
	return nil
}

func (m *memory) Case() *incident.Case {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &incident.Case{State: m.state, Writing: true}
}

func (m *memory) Now() time.Time { return time.Now() }
