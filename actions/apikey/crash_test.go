package apikey

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"warroom/internal/clients"
	"warroom/internal/plan"
)

// failing has every call fail whose name begins so, before it is sent.
func failing(name string, err error) func(int, clients.Call, func() error) error {
	return func(_ int, c clients.Call, do func() error) error {
		if strings.HasPrefix(c.Name, name) {
			return err
		}
		return do()
	}
}

// outset is how a procedure is begun in a world, and what must be so at its end.
type outset struct {
	name  string
	shape shape
	ask   plan.Request
	done  func(t *testing.T, w *world, when string)
	back  bool // it can be rolled back
}

func outsets() []outset {
	rotated := func(t *testing.T, w *world, when string) {
		if w.key("AWSCURRENT", target) == oldKey || w.version("AWSPENDING", target) != "" {
			t.Errorf("%s: the new key is not handed out, or something is pending: %v", when, w.stages())
		}
	}
	return []outset{
		{name: "rotate", shape: shape{}, ask: rotate(), done: rotated, back: true},
		{name: "rotate, idempotent create", shape: shape{replay: true}, ask: rotate(), done: rotated, back: true},
		{name: "rotate a cascade", shape: shape{dependents: true}, ask: rotate(), back: true, done: func(t *testing.T, w *world, when string) {
			rotated(t, w, when)
			if w.key("AWSCURRENT", target) != w.key("AWSCURRENT", "prod/api/fallback") {
				t.Errorf("%s: the cascade is apart", when)
			}
		}},
		{name: "rotate with copies", shape: shape{copies: true}, ask: rotate(), back: true, done: func(t *testing.T, w *world, when string) {
			rotated(t, w, when)
			if w.copied() != w.key("AWSCURRENT", target) {
				t.Errorf("%s: the copy does not have the new key", when)
			}
		}},
		{name: "backup", shape: shape{backup: true}, ask: plan.Request{Procedure: "use-backup-key"}, done: rotated, back: true},
		{name: "revoke", shape: shape{}, ask: revoke(), done: func(t *testing.T, w *world, when string) {
			if w.provider.Judge(oldKey) != http.StatusUnauthorized {
				t.Errorf("%s: the old key is not ended", when)
			}
		}},
	}
}

// begin makes the world of an outset, as it is before the procedure.
func (o outset) begin(t *testing.T) *world {
	w := newWorld(t, o.shape)
	if o.name == "revoke" {
		e := w.engine()
		w.must(e, plan.RunDone, rotate(), nil)
		e.Close()
		w.restart()
		w.pass(quietTime)
	}
	w.calls.reborn()
	return w
}

const quietTime = 11 * 60e9

// start begins the run, and waits until it ends or its process is dead.
func (w *world) start(ask plan.Request) string {
	w.t.Helper()
	e := w.engine()
	ask.Target = target
	p, err := e.Plan(w.t.Context(), ask)
	if err != nil {
		w.t.Fatal(err)
	}
	w.calls.mu.Lock()
	w.calls.calls = nil
	arm := w.calls.armed
	w.calls.armed = nil
	w.calls.mu.Unlock()
	if arm != nil {
		arm()
	}
	if err := e.Start(w.t.Context(), consent(p, nil)); err != nil {
		return ""
	}
	if _, err := e.Wait(w.t.Context(), p.ID); err != nil {
		w.t.Fatal(err)
	}
	e.Close()
	return p.ID
}

// TestNoCrashLosesAKey has the process die before and after every call, and at every
// write of the journal: a stored key works all the time, and both ways out lead out.
func TestNoCrashLosesAKey(t *testing.T) {
	crashes, taken, turn := 0, 0, 0
	for _, o := range outsets() {
		t.Run(o.name, func(t *testing.T) {
			probe := o.begin(t)
			writes := probe.log.writes
			if probe.start(o.ask) == "" {
				t.Fatal("it does not begin")
			}
			calls, records := probe.calls.list(), probe.log.writes-writes
			o.done(t, probe, "without a crash")
			type point struct {
				call  int
				after bool
				write int
			}
			var points []point
			for i := range calls {
				points = append(points, point{call: i + 1}, point{call: i + 1, after: true})
			}
			for i := range records {
				points = append(points, point{write: i + 1})
			}
			for _, p := range points {
				for _, mode := range []plan.Mode{plan.Resume, plan.Back} {
					if mode == plan.Back && !o.back {
						continue
					}
					if turn++; turn%every(7) != 0 {
						continue
					}
					crashes++
					name := fmt.Sprintf("call %d after %v write %d then %s", p.call, p.after, p.write, mode)
					if p.call > 0 {
						name += ", " + calls[p.call-1].Name
					}
					taken += o.crash(t, name, mode, func(w *world) {
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
		})
	}
	t.Logf("%d crashes, %d of them of a run that was to be taken up", crashes, taken)
	if taken < crashes/2 {
		t.Errorf("%d crashes and %d runs to take up: most of them prove nothing", crashes, taken)
	}
}

// every tells which part of a matrix is tested: all of it with WARROOM_MATRIX=all, else
// one in so many.
func every(part int) int {
	if os.Getenv("WARROOM_MATRIX") == "all" {
		return 1
	}
	return part
}

// crash has a run die, and takes it up; 0 where there was nothing to take up.
func (o outset) crash(t *testing.T, name string, mode plan.Mode, arm func(*world)) int {
	t.Helper()
	w := o.begin(t)
	w.calls.armed = func() { arm(w) }
	w.start(o.ask)
	w.safe(name + ": after the crash")
	w.log.mu.Lock()
	w.log.dead, w.log.dies = false, 0
	w.log.mu.Unlock()
	w.calls.reborn()
	e := w.engine()
	advice, err := e.Advise(t.Context())
	if err != nil {
		t.Fatalf("%s: advise: %v", name, err)
	}
	defer e.Close()
	if len(advice) == 0 {
		// It was not begun, or had ended.
		if started(w, o.ask.Procedure) {
			o.done(t, w, name)
		}
		return 0
	}
	got, err := w.do(e, plan.Request{Mode: mode, Of: advice[0].Run}, nil)
	switch {
	case err != nil && mode == plan.Back && strings.Contains(err.Error(), "nothing that it did is left to undo"):
		w.safe(name)
	case err != nil:
		t.Errorf("%s: %v", name, err)
	case mode == plan.Resume && got.State != plan.RunDone:
		t.Errorf("%s: resumed, it ended %s: %s\n%s", name, got.State, got.Trouble, lines(got))
	case mode == plan.Resume:
		o.done(t, w, name)
		w.safe(name)
	case got.State != plan.RunRolledBack:
		t.Errorf("%s: rolled back, it ended %s: %s\n%s", name, got.State, got.Trouble, lines(got))
	default:
		if w.key("AWSCURRENT", target) != oldKey || w.version("AWSPENDING", target) != "" {
			t.Errorf("%s: rolled back, and not as before", name)
		}
		if o.shape.copies && w.copied() != oldKey {
			t.Errorf("%s: rolled back, and the copy is not as before", name)
		}
		w.safe(name)
	}
	// What is left at the provider: the keys from before, and at most the new one.
	if keys := w.provider.Keys(); len(keys) > 3 {
		t.Errorf("%s: %d keys are left at the provider", name, len(keys))
	}
	w.clean(got)
	return 1
}

// TestNoFaultOfACallIsTakenForItsOpposite has every call fail in each way that calls
// fail, once: the run ends well, or fails and is then resumed.
func TestNoFaultOfACallIsTakenForItsOpposite(t *testing.T) {
	faults := map[string]func(do func() error) error{
		"a timeout before": func(func() error) error { return timeout{} },
		"a timeout after":  func(do func() error) error { _ = do(); return timeout{} },
		"a reset before":   func(func() error) error { return syscall.ECONNRESET },
		"a reset after":    func(do func() error) error { _ = do(); return syscall.ECONNRESET },
		"a refusal":        func(func() error) error { return said{http.StatusForbidden, "AccessDeniedException"} },
		"a throttle":       func(func() error) error { return said{http.StatusTooManyRequests, "ThrottlingException"} },
		"anything else":    func(func() error) error { return errors.New("anything else") },
	}
	n, turn := 0, 0
	for _, o := range outsets() {
		t.Run(o.name, func(t *testing.T) {
			probe := o.begin(t)
			probe.start(o.ask)
			calls := probe.calls.list()
			for i, c := range calls {
				for name, fault := range faults {
					if turn++; turn%every(19) != 0 {
						continue
					}
					n++
					w := o.begin(t)
					w.calls.armed = func() {
						w.calls.mu.Lock()
						defer w.calls.mu.Unlock()
						w.calls.fault = func(at int, _ clients.Call, do func() error) error {
							if at == i+1 {
								return fault(do)
							}
							return do()
						}
					}
					what := fmt.Sprintf("%s at call %d, %s", name, i+1, c.Name)
					w.start(o.ask)
					w.safe(what)
					w.calls.reborn()
					e := w.engine()
					advice, err := e.Advise(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if len(advice) > 0 {
						if got, err := w.do(e, plan.Request{Mode: plan.Resume, Of: advice[0].Run}, nil); err != nil || got.State != plan.RunDone {
							t.Errorf("%s: resumed, it ended %s: %s %v\n%s", what, got.State, got.Trouble, err, lines(got))
						}
					} else if !started(w, o.ask.Procedure) {
						e.Close()
						continue // it was refused before anything was done
					}
					e.Close()
					o.done(t, w, what)
					w.safe(what)
					w.clean()
				}
			}
		})
	}
	t.Logf("%d faults", n)
}

// started reports whether a procedure was granted, and ended well.
func started(w *world, procedure string) bool {
	runs := w.log.Case().State.Runs
	return len(runs) > 0 && runs[len(runs)-1].State == plan.RunDone && runs[len(runs)-1].Plan.Procedure == procedure
}

type timeout struct{}

func (timeout) Error() string   { return "i/o timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

// said is an answer in place of a call.
type said struct {
	code int
	word string
}

func (s said) Error() string { return s.word }

// Response is what the permit's caller gets.
func (s said) Response(*http.Request) *http.Response {
	return &http.Response{
		Status: http.StatusText(s.code), StatusCode: s.code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"X-Amzn-Errortype": {s.word}, "Content-Type": {"application/x-amz-json-1.1"}},
		Body:   io.NopCloser(strings.NewReader(`{"__type":"` + s.word + `","message":"no"}`)),
	}
}
