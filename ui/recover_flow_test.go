package ui

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"warroom/internal/plan"
)

// look lets what was just drawn be looked at for as long as a confirmation asks.
func (r *room) look() { r.clock.pass(2 * grace) }

// TestRecoverByKeysAlone goes from a console without an incident to a run that was
// stopped and is taken up again.
func TestRecoverByKeysAlone(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {100, 30}, {160, 45}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			t.Parallel()
			r := newRoom()
			h := newHealer(r.clock.Now)
			d := r.open(t, size[0], size[1], func(o *Options) { o.Recovery = h })
			d.WaitText("READ-ONLY")

			// Arming declares an incident first.
			d.Press("!")
			r.fills(d, "Declare an incident", "", "orders fail for everyone", "", "", "", "", "")
			d.WaitText("Arm this console?")
			r.rest()
			d.Press("enter") // staying as it is comes first
			d.WaitGone("Arm this console?")
			d.WaitText("READ-ONLY")
			d.Press("!")
			d.WaitText("Arm this console?")
			r.rest()
			d.Press("right", "enter")
			d.WaitText("As whom we act", "token warroom-act, lives for 7h 0m", "ARMED")
			r.rest()
			d.Press("esc")

			// A plan that is read and left.
			d.Press("4")
			d.WaitText("What can be done", "Rotate a database password")
			d.Press("down", "enter")
			d.WaitText("prod/db/postgres", "prod/db/legacy")
			d.Press("down", "down", "down", "enter")
			d.WaitText("enter: not now, warroom.yaml says nothing")
			d.Press("up", "up", "enter")
			d.WaitText("Options: Rotate a database password", "Nothing is changed by a plan")
			r.rest()
			d.Press("right", "enter", "enter")
			d.WaitText("PLAN: Rotate the password of app_user", "NOTHING IS CHANGED YET", "User Service", "expires in")
			d.Press("enter")
			d.WaitText("CONFIRM", "run: rotate-database prod/db/postgres", "Cancel")
			r.look()
			d.Press("enter") // Cancel is where it begins
			d.WaitGone("CONFIRM")
			d.WaitText("cancelled; nothing was begun")
			if n := len(h.starts()); n != 0 {
				t.Fatalf("%d runs began by cancelling", n)
			}
			d.Press("enter")
			d.WaitText("CONFIRM")
			d.Press("esc") // leaving needs no patience
			d.WaitGone("CONFIRM")

			// A plan with everything that one can ask.
			d.Press("esc")
			d.WaitText("Plan that waits")
			d.Press("end", "up", "up", "up", "enter", "down", "enter")
			d.WaitText("PLAN: Rotate the key of the payment", "CANNOT BE UNDONE")
			d.Press("y")
			statement := d.WaitClipboard("the statement", func(s string) bool { return strings.Contains(s, "fingerprint sha256:") })
			signature := filepath.Join(t.TempDir(), "statement.txt.sig")
			if err := os.WriteFile(signature, []byte(armored+"\nU1NIU0lHAAAAAQ==\n-----END SSH SIGNATURE-----\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			d.Press("enter")
			d.WaitText("Consent: Rotate the key", "1 consumer does not say")
			r.rest()
			d.Press("enter", "enter")
			d.Type("because it leaked")
			d.Press("enter")
			d.Type(signature)
			d.Press("enter")
			d.WaitText("type or paste it") // the secret is asked for
			d.Type(canary)
			d.WaitText("typed; it is not shown")
			d.Press("enter", "enter", "enter")
			d.WaitText("without that nothing can be done")
			d.Press("space")
			d.WaitText("[x] accepted")
			d.Press("tab", "tab", "tab", "enter")
			d.WaitText("CONFIRM", "Type prod/api/payment to confirm", "with the signature of a second person", "reason: because it leaked")
			d.Type("prod/api/payment") // before it was looked at
			r.look()
			d.Press("tab")
			d.Type("prod/api/paymemt")
			d.WaitText("prod/api/paymemt")
			d.Press("tab", "enter")
			d.WaitText("the name is not typed, or not the same")
			if n := len(h.starts()); n != 0 {
				t.Fatalf("%d runs began with the wrong name", n)
			}
			d.Press("tab", "backspace", "backspace", "backspace")
			d.Type("ent")
			d.Press("tab", "enter")
			d.WaitText("RUN rotate-api-key prod/api/payment", "RUNNING", "Hold the lock of app_user")
			given := h.starts()
			if len(given) != 1 {
				t.Fatalf("%d runs began", len(given))
			}
			g := given[0]
			if g.Typed != "prod/api/payment" || g.Reason != "because it leaked" || fmt.Sprint(g.Accepted) != "[unknown]" ||
				g.Inputs["key"].Reveal() != canary || !strings.HasPrefix(g.Signature, armored) || !strings.Contains(statement, g.Fingerprint) {
				t.Fatalf("the consent is %+v", g)
			}

			// It is stopped, its advice is read, and it is resumed.
			d.Press("X")
			d.WaitText("Stop before the next step?", "finished and verified first")
			r.rest()
			d.Press("right", "enter")
			d.WaitText("STOPS BEFORE ITS NEXT STEP")
			h.mu.Lock()
			h.advice = []plan.Advice{{Run: g.Plan, Procedure: "rotate-api-key", Target: "prod/api/payment", State: plan.RunStopped, Step: "set",
				StepTitle: "Set the password of app_user", Effect: plan.NotDone, Found: "nothing is set yet", Recommended: plan.Resume, Reason: "what is stored can be used",
				Possible: []plan.Mode{plan.Resume, plan.Back, plan.Abandon}}}
			h.mu.Unlock()
			h.change(func(p *plan.Progress) {
				p.State, p.Ended, p.Trouble = plan.RunStopped, r.clock.Now(), "it was stopped by key"
				p.Steps[0].State, p.Steps[1].State = plan.Done, plan.Done
			})
			d.WaitText("STOPPED", "nothing is set yet", "Recommended:")
			d.Press("enter")
			d.WaitText("What is to be done?", "Leave it as it is")
			r.rest()
			d.Press("right", "enter")
			d.WaitText("PLAN: Rotate the key", "of run:")
			h.mu.Lock()
			resumed := h.plans["plan-3"]
			h.mu.Unlock()
			if resumed == nil || resumed.Mode != plan.Resume || resumed.Of != g.Plan {
				t.Fatalf("what was planned is %+v", resumed)
			}
			d.Press("!")
			d.WaitText("Disarm: READ-ONLY")
			r.rest()
			d.Press("right", "enter")
			d.WaitText("READ-ONLY: nothing can be changed")
			d.Press("enter")
			d.WaitText("enter: not now, this console is READ-ONLY")
			d.Press("q")
			if err := d.WaitEnd(); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(d.Raw(), canary) || strings.Contains(d.Raw(), canary[:8]) || strings.Contains(statement, canary) {
				t.Error("what was typed as a secret reached the terminal")
			}
			for _, e := range r.shelf.told() {
				if strings.Contains(e, canary) {
					t.Errorf("the journal holds a secret: %s", e)
				}
			}
		})
	}
}

// TestQuitWhileItRuns leaves a console with a run under way, by letting its step end.
func TestQuitWhileItRuns(t *testing.T) {
	t.Parallel()
	r := newRoom()
	h := newHealer(r.clock.Now)
	d := r.open(t, 100, 30, func(o *Options) { o.Recovery = h })
	r.declare(d)
	p, _ := h.Plan(t.Context(), plan.Request{Procedure: "rotate-database", Target: "prod/db/postgres"})
	h.mu.Lock()
	h.tell(half(p, r.clock.Now()))
	h.mu.Unlock()
	d.WaitText("RUN 3/6")
	d.Press("q")
	d.WaitText("Quit while a run is under way?", "step 4 of 6", "warroom incident resume 2026-03-14-1")
	r.rest()
	d.Press("enter")
	d.WaitGone("Quit while")
	d.Press("q")
	d.WaitText("Quit while")
	r.rest()
	d.Press("right", "enter")
	d.WaitText("Stopping", "ends as soon as the step that is running is finished")
	h.change(func(p *plan.Progress) { p.State, p.Ended = plan.RunStopped, r.clock.Now() })
	if err := d.WaitEnd(); err != nil {
		t.Fatal(err)
	}
	if len(h.stops) != 1 || h.stops[0] != p.ID {
		t.Errorf("stopped %v", h.stops)
	}
}

// TestWithoutARecovery says what is missing, and everything else works.
func TestWithoutARecovery(t *testing.T) {
	m := ready(t, newWorld(), 100, 30)
	keys(m, "4")
	if s := screen(m); !strings.Contains(s, "recovery needs a configuration") {
		t.Errorf("the view says:\n%s", s)
	}
	for _, k := range []string{"enter", "r", "X", "!", "down", "right", "pgdown"} {
		keys(m, k)
	}
	if keys(m, "!"); !strings.Contains(m.message, "recovery needs a configuration") {
		t.Errorf("! says %q", m.message)
	}
	if keys(m, "1"); m.mode != modePlanes {
		t.Error("1 does not lead to the planes")
	}
}
