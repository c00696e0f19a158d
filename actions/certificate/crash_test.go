//go:build unix

package certificate

import (
	"fmt"
	"strings"
	"testing"

	"warroom/internal/plan"
)

// begin starts a run and waits until it ends or its process is dead. arm is called
// when it is about to begin.
func (w *world) begin(ask plan.Request, arm func()) string {
	w.t.Helper()
	e := w.engine()
	ask.Procedure, ask.Target = Name, target
	p, err := e.Plan(w.t.Context(), ask)
	if err != nil {
		w.t.Fatal(err)
	}
	w.calls.reborn()
	if arm != nil {
		arm()
	}
	if err := e.Start(w.t.Context(), consent(p)); err != nil {
		return ""
	}
	if _, err := e.Wait(w.t.Context(), p.ID); err != nil {
		w.t.Fatal(err)
	}
	e.Close() // the locks of a process end with it
	return p.ID
}

// TestNoCrashLeavesAMismatch has the process die before and after every call, and at
// every write of the journal: resumed, the new certificate is served; rolled back,
// everything is as before.
func TestNoCrashLeavesAMismatch(t *testing.T) {
	shapes := map[string]shape{
		"two files": {rotation: `test: ["true"]`, one: true},
		"folder":    {layout: "folder", one: true},
		"combined":  {layout: "combined"},
	}
	for kind, s := range shapes {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			crashes := 0
			probe := newWorld(t, s)
			writes := probe.log.writes
			if probe.begin(plan.Request{}, nil) == "" || !probe.fresh() {
				t.Fatal("it does not come to its end")
			}
			calls, records := probe.calls.list(), probe.log.writes-writes
			type point struct {
				call  int
				after bool
				write int
			}
			var points []point
			for i, c := range calls {
				if !c.Changes && kind != "two files" {
					continue
				}
				points = append(points, point{call: i + 1})
				if c.Changes {
					points = append(points, point{call: i + 1, after: true})
				}
			}
			if kind != "two files" {
				records = 0 // the journal is written in the same places
			}
			for i := range records {
				points = append(points, point{write: i + 1})
			}
			for _, p := range points {
				for _, mode := range []plan.Mode{plan.Resume, plan.Back} {
					crashes++
					where := fmt.Sprintf("write %d, then %s", p.write, mode)
					if p.call > 0 {
						where = fmt.Sprintf("call %d, after %v, then %s: %s", p.call, p.after, mode, calls[p.call-1].Name)
					}
					crash(t, s, where, mode, func(w *world) {
						w.calls.mu.Lock()
						defer w.calls.mu.Unlock()
						w.calls.dies, w.calls.after = p.call, p.after
						w.calls.also = func() { w.log.mu.Lock(); defer w.log.mu.Unlock(); w.log.dead = true }
						if p.write > 0 {
							w.log.mu.Lock()
							defer w.log.mu.Unlock()
							w.log.dies = w.log.writes + p.write
						}
					})
				}
			}
			t.Logf("%d crashes at %d calls and %d writes of the journal, each taken up", crashes, len(calls), records)
		})
	}
}

func crash(t *testing.T, s shape, where string, mode plan.Mode, arm func(*world)) {
	t.Helper()
	w := newWorld(t, s)
	w.begin(plan.Request{}, func() { arm(w) })
	between := strings.Contains(where, "after false") && strings.Contains(where, ".server.crt.warroom-new to ") || strings.Contains(where, "after true") && strings.Contains(where, ".server.key.warroom-new to ")
	if s.layout != "" || !between { // the window of two renames, which the plan names
		w.matched(where + ": after the crash")
	}
	w.log.mu.Lock()
	w.log.dead, w.log.dies = false, 0
	w.log.mu.Unlock()
	w.calls.reborn()
	e := w.engine()
	defer e.Close()
	advice, err := e.Advise(t.Context())
	if err != nil {
		t.Fatalf("%s: advise: %v", where, err)
	}
	if len(advice) == 0 {
		return // it was not begun, or had ended
	}
	got, err := w.do(e, plan.Request{Mode: mode, Of: advice[0].Run})
	switch {
	case err != nil && mode == plan.Back && strings.Contains(err.Error(), "nothing that it did is left to undo"):
		w.asBefore(where)
	case err != nil:
		t.Errorf("%s: %v", where, err)
	case mode == plan.Resume && (got.State != plan.RunDone || !w.fresh()):
		t.Errorf("%s: resumed, it ended %s, served %v: %s\n%s", where, got.State, w.served(), got.Trouble, lines(got))
	case mode == plan.Back && got.State != plan.RunRolledBack:
		t.Errorf("%s: rolled back, it ended %s: %s\n%s", where, got.State, got.Trouble, lines(got))
	case mode == plan.Back:
		w.asBefore(where)
	}
	w.matched(where + ": at the end")
	w.clean()
}
