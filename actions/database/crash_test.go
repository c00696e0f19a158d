package database_test

import (
	"context"
	"errors"
	"fmt"
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

// outset is how a procedure is begun in a world.
type outset struct {
	name  string
	shape shape
	ask   plan.Request
}

func outsets() []outset {
	return []outset{
		{"rotate", shape{copies: true, replica: true, schedule: true}, rotate()},
		{"rotate in Vault", shape{kv: true}, rotate()},
		{"rotate by the superuser", shape{ended: true, secret: "{ emergency: prod/db/root, valid_for: 336h }"}, rotate()},
		{"rotate by AWSPREVIOUS", shape{database: oldest, replica: true}, rotate()},
		{"alternate", shape{secret: "{ strategy: alternating, admin: prod/db/keeper }"}, rotate()},
		{"recover a", shape{pending: stuck, database: stuck}, recovering()},
		{"recover b", shape{pending: stuck, schedule: true}, recovering()},
		{"recover c", shape{pending: "empty"}, recovering()},
	}
}

// every is how much of a matrix is gone through: all of it where WARROOM_MATRIX says
// so, else every nth point of it.
func every(n int) int {
	if os.Getenv("WARROOM_MATRIX") != "" {
		return 1
	}
	return n
}

// start begins a run, and waits until it ends or its process is dead.
func (w *world) start(ask plan.Request, arm func()) {
	w.t.Helper()
	e := w.engine()
	defer e.Close()
	ask.Target = w.name()
	p, err := e.Plan(w.t.Context(), ask)
	if err != nil {
		w.t.Fatal(err)
	}
	w.calls.reborn()
	if arm != nil {
		arm()
	}
	if err := e.Start(w.t.Context(), consent(p)); err != nil {
		return // the first record of it could not be written, or what it rests on not be read
	}
	if _, err := e.Wait(w.t.Context(), p.ID); err != nil {
		w.t.Fatal(err)
	}
}

// TestNoCrashLosesAPassword has the process die before and after every call, and at
// every write of the journal: some stored password logs in all the time, and both ways
// out lead out.
func TestNoCrashLosesAPassword(t *testing.T) {
	crashes, turn := 0, 0
	for _, o := range outsets() {
		t.Run(o.name, func(t *testing.T) {
			probe := newWorld(t, o.shape)
			writes := probe.log.writes
			probe.start(o.ask, nil)
			calls, records := probe.calls.list(), probe.log.writes-writes
			probe.rotated("without a crash")
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
					if turn++; turn%every(61) != 0 {
						continue
					}
					crashes++
					name := fmt.Sprintf("call %d after %v write %d then %s", p.call, p.after, p.write, mode)
					if p.call > 0 {
						name += ", " + calls[p.call-1].Name
					}
					t.Run(name, func(t *testing.T) {
						o.crash(t, name, mode, func(w *world) {
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
					})
				}
			}
		})
	}
	t.Logf("%d crashes, each taken up", crashes)
}

// crash has a run die, and takes it up.
func (o outset) crash(t *testing.T, name string, mode plan.Mode, arm func(*world)) {
	t.Helper()
	w := newWorld(t, o.shape)
	locked := o.shape.ended // nothing that is stored logged in to begin with
	safe := func(when string) {
		if !locked {
			w.safe(when)
		}
	}
	w.start(o.ask, func() { arm(w) })
	safe("after the crash")
	w.log.mu.Lock()
	w.log.dead, w.log.dies = false, 0
	w.log.mu.Unlock()
	w.calls.reborn()
	e := w.engine()
	defer e.Close()
	advice, err := e.Advise(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(advice) == 0 {
		return // it was not begun, or had ended
	}
	got, err := w.do(e, plan.Request{Mode: mode, Of: advice[0].Run})
	switch {
	case err != nil && mode == plan.Back && strings.Contains(err.Error(), "nothing that it did is left to undo"):
	case err != nil:
		t.Error(err)
	case mode == plan.Resume && got.State != plan.RunDone:
		t.Errorf("resumed, it ended %s: %s\n%s", got.State, got.Trouble, lines(got))
	case mode == plan.Resume:
		w.rotated(name)
		w.safe(name)
	case got.State != plan.RunRolledBack:
		t.Errorf("rolled back, it ended %s: %s\n%s", got.State, got.Trouble, lines(got))
	default:
		if _, password := w.staged("AWSCURRENT"); password != now {
			t.Error("rolled back, and not what was current before")
		}
		w.copied("rolled back", now)
		if o.shape.pending == "" {
			w.tidy("rolled back")
			safe("rolled back")
		}
		if s, _ := w.aws.Secret(target); o.shape.schedule && o.shape.pending == "" && s.RotationCancelled {
			t.Error("rolled back, and its rotation is off")
		}
	}
	w.clean(got)
}

// TestNoFaultOfACallIsTakenForItsOpposite has every call fail in each way that calls
// fail, once: the run ends well, or fails and is then resumed.
func TestNoFaultOfACallIsTakenForItsOpposite(t *testing.T) {
	faults := map[string]func(do func() error) error{
		"a timeout before": func(func() error) error { return context.DeadlineExceeded },
		"a timeout after":  func(do func() error) error { _ = do(); return context.DeadlineExceeded },
		"a reset before":   func(func() error) error { return syscall.ECONNRESET },
		"a reset after":    func(do func() error) error { _ = do(); return syscall.ECONNRESET },
		"anything else":    func(func() error) error { return errors.New("anything else") },
	}
	n, turn := 0, 0
	for _, o := range outsets() {
		t.Run(o.name, func(t *testing.T) {
			probe := newWorld(t, o.shape)
			probe.start(o.ask, nil)
			for i, c := range probe.calls.list() {
				for name, fault := range faults {
					if turn++; turn%every(71) != 0 {
						continue
					}
					n++
					what := fmt.Sprintf("%s at call %d, %s", name, i+1, c.Name)
					t.Run(what, func(t *testing.T) {
						w := newWorld(t, o.shape)
						w.start(o.ask, func() {
							w.calls.mu.Lock()
							defer w.calls.mu.Unlock()
							w.calls.fault = func(at int, _ clients.Call, do func() error) error {
								if at == i+1 {
									return fault(do)
								}
								return do()
							}
						})
						if !o.shape.ended {
							w.safe(what)
						}
						w.calls.reborn()
						e := w.engine()
						defer e.Close()
						advice, err := e.Advise(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						if len(advice) > 0 {
							got, err := w.do(e, plan.Request{Mode: plan.Resume, Of: advice[0].Run})
							if err != nil || got.State != plan.RunDone {
								t.Fatalf("resumed, it ended %s: %s %v\n%s", got.State, got.Trouble, err, lines(got))
							}
						} else if runs := w.log.Case().State.Runs; len(runs) == 0 || runs[len(runs)-1].State != plan.RunDone {
							return // it was refused before anything was done
						}
						w.rotated(what)
						w.clean()
					})
				}
			}
		})
	}
	t.Logf("%d faults", n)
}
