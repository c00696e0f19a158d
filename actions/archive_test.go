package actions_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"warroom/actions"
	"warroom/internal/archive"
	"warroom/internal/incident"
	"warroom/internal/plan"
	"warroom/internal/runbook"
)

// counter is a procedure with one step that counts up, and notes that it did.
type counter struct{ n int }

func (c *counter) About() plan.About    { return plan.About{Name: "count", Changes: true} }
func (*counter) Targets() []plan.Target { return []plan.Target{{ID: "n", Ready: true}} }

func (c *counter) Prepare(context.Context, actions.Ask) (*actions.Prepared, error) {
	return &actions.Prepared{
		Plan: plan.Plan{Title: "Count", Steps: []plan.Step{{ID: "up", Title: "Count up", Change: true, Undo: "count down"}}},
		Steps: []actions.Step{{
			Do: func(_ context.Context, r *actions.Run) error { c.n++; r.Note("counted", "yes"); return nil },
			Probe: func(context.Context, *actions.Run) (plan.Effect, string, error) {
				if c.n > 0 {
					return plan.Took, "", nil
				}
				return plan.NotDone, "", nil
			},
			Verify:     func(context.Context, *actions.Run) (string, error) { return "canary-7391 is seen", nil },
			Undo:       func(context.Context, *actions.Run) error { c.n--; return nil },
			VerifyUndo: func(context.Context, *actions.Run) (string, error) { return "", nil },
		}},
	}, nil
}

// TestARunIsInTheIncidentOnDisk records in a real incident, and reads it as the next
// console does.
func TestARunIsInTheIncidentOnDisk(t *testing.T) {
	ctx := t.Context()
	scrub := func(s string) string { return strings.ReplaceAll(s, "canary-7391", "[redacted]") }
	store := archive.New(filepath.Join(t.TempDir(), "incidents"), archive.Options{Operator: "ic-1", Scrub: scrub})
	rb := runbook.Guide()
	declared, err := incident.Declare("ic-1", incident.Declared{Severity: "SEV1", Summary: "no logins", Environment: "test",
		Roles: map[incident.Role]string{incident.Commander: "ic-1"}, Runbook: rb.Name, Digest: rb.Digest}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	session, err := store.Create(ctx, declared, rb)
	if err != nil {
		t.Fatal(err)
	}
	e := actions.New(actions.Options{Procedures: []actions.Procedure{&counter{}}, Environment: "test", Operator: "ic-1", Host: "here", PID: 7, Scrub: scrub})
	defer e.Close()
	path := filepath.Join(session.Case().Folder, "recovery.log")
	e.Attach(session, path)
	if _, err := e.Arm(ctx); err != nil {
		t.Fatal(err)
	}
	p, err := e.Plan(ctx, plan.Request{Procedure: "count", Target: "n"})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(ctx, plan.Consent{Plan: p.ID, Fingerprint: p.Fingerprint()}); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Wait(ctx, p.ID); err != nil || got.State != plan.RunDone || got.LogPath != path {
		t.Fatalf("%+v, %v", got, err)
	}
	e.Close()
	id := session.ID()
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }() // it was only read
	s := again.Case().State
	if len(s.Runs) != 1 || s.Runs[0].State != plan.RunDone || s.Runs[0].Facts["counted"] != "yes" || s.Runs[0].Plan.Fingerprint() != p.Fingerprint() || s.Armed.On {
		t.Fatalf("%+v", s.Runs)
	}
	if d := s.Runs[0].Steps["up"].Detail; d != "[redacted] is seen" {
		t.Errorf("it says %q", d)
	}
}
