package actions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"warroom/internal/incident"
	"warroom/internal/plan"
)

// points are all places at which a process that carries out a run can be killed:
// before and after every call and every record of the journal.
func points(t *testing.T) []string {
	t.Helper()
	k := newDesk(t)
	k.arms()
	p := k.plans(plan.Forward, "")
	k.w.count = true
	if got := k.does(p); got.State != plan.RunDone {
		t.Fatalf("%+v", got)
	}
	return k.w.points
}

// killed runs the procedure in a process that is killed at a point, and gives the next
// process.
func killed(t *testing.T, at int) (next *desk, run string) {
	t.Helper()
	k := newDesk(t)
	k.arms()
	p := k.plans(plan.Forward, "")
	k.w.count, k.w.killAt = true, at
	if err := k.Start(t.Context(), consent(p)); err == nil {
		k.waits(p.ID)
	}
	k.Close() // which gets nothing done any more
	return revived(t, k), p.ID
}

// revived is the next process on the same world and disk.
func revived(t *testing.T, k *desk) *desk {
	t.Helper()
	k.w.mu.Lock()
	k.w.dead, k.w.count, k.w.killAt, k.w.points = false, false, -1, nil
	k.w.mu.Unlock()
	next := onDisk(t, k.w, k.disk)
	next.arms()
	return next
}

// settledValue is what must hold of the world at every moment: some value that works
// is stored.
func settledValue(t *testing.T, w *world) {
	t.Helper()
	has := w.look()
	if has["database"] != has["current"] && has["database"] != has["pending"] {
		t.Fatalf("no stored value works: %v", has)
	}
}

func TestAfterAKillEverythingCanBeResumedOrRolledBack(t *testing.T) {
	all := points(t)
	if len(all) < 50 {
		t.Fatalf("only %d points: %v", len(all), all)
	}
	t.Logf("%d points", len(all))
	resumed, rolled, nothing := 0, 0, 0
	for at, name := range all {
		for _, mode := range []plan.Mode{plan.Resume, plan.Back} {
			t.Run(fmt.Sprintf("%d %s, %s", at, name, mode), func(t *testing.T) {
				k, run := killed(t, at)
				settledValue(t, k.w)
				advice, err := k.Advise(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if len(advice) == 0 {
					// The consent was not journalled and nothing was done, or the end was.
					if r := k.log.Case().State.Runs; len(r) == 0 {
						k.is(untouched)
					} else if r[0].State != plan.RunDone {
						t.Fatalf("no advice on %+v", r[0])
					} else {
						k.is(rotated)
					}
					nothing++
					return
				}
				if a := advice[0]; a.Reason == "" || !slices.Contains(a.Possible, a.Recommended) || !slices.Contains(a.Possible, plan.Resume) {
					t.Fatalf("%+v", a)
				}
				p, err := k.Plan(t.Context(), plan.Request{Mode: mode, Of: run})
				if err != nil {
					var no *Refusal
					if mode == plan.Back && errors.As(err, &no) && !slices.Contains(advice[0].Possible, plan.Back) {
						k.is(untouched)
						nothing++
						return
					}
					t.Fatal(err)
				}
				got := k.does(p)
				want, world := plan.RunDone, rotated
				if mode == plan.Back {
					want, world = plan.RunRolledBack, untouched
				}
				if got.State != want {
					t.Fatalf("%s: %+v", got.State, got)
				}
				k.is(world)
				if r := k.run(run); r.State != want {
					t.Errorf("the first run is %s", r.State)
				}
				if again, err := k.Advise(t.Context()); err != nil || len(again) > 0 {
					t.Errorf("still open: %+v, %v", again, err)
				}
				if mode == plan.Back {
					rolled++
				} else {
					resumed++
				}
			})
		}
	}
	t.Logf("%d resumed, %d rolled back, in %d nothing was to do", resumed, rolled, nothing)
	if resumed < len(all)/2 || rolled < len(all)/2 {
		t.Errorf("only %d resumed and %d rolled back", resumed, rolled)
	}
}

// TestAKillWhileItIsTakenUp kills the resumption and the roll-back as well.
func TestAKillWhileItIsTakenUp(t *testing.T) {
	middle := slices.Index(points(t), "after set database")
	for _, mode := range []plan.Mode{plan.Resume, plan.Back} {
		for at := 0; ; at++ {
			k, run := killed(t, middle)
			p, err := k.Plan(t.Context(), plan.Request{Mode: mode, Of: run})
			if err != nil {
				t.Fatal(err)
			}
			k.w.count, k.w.killAt = true, at
			if err := k.Start(t.Context(), consent(p)); err == nil {
				k.waits(p.ID)
			}
			if n := len(k.w.points); n <= at {
				if at < 20 {
					t.Errorf("%s: only %d points", mode, n)
				}
				break
			}
			k.Close()
			settledValue(t, k.w)
			next := revived(t, k)
			r := next.run(run)
			if !r.State.Open() {
				continue // its end was journalled
			}
			for _, mode := range []plan.Mode{plan.Back, plan.Resume} {
				p, err := next.Plan(t.Context(), plan.Request{Mode: mode, Of: run})
				if err != nil {
					continue // nothing left to undo
				}
				got := next.does(p)
				if mode == plan.Back {
					if got.State != plan.RunRolledBack {
						t.Fatalf("killed at %d, rolled back: %+v", at, got)
					}
					next.is(untouched)
				} else if got.State != plan.RunDone || !maps.Equal(next.w.look(), rotated) {
					t.Fatalf("killed at %d, resumed: %+v, %v", at, got, next.w.look())
				}
				break
			}
		}
	}
}

// TestWhatFailsIsToldAsItIs makes every call of the run fail, before and after it took
// effect.
func TestWhatFailsIsToldAsItIs(t *testing.T) {
	refused := errors.New("the world says no")
	faults := map[string]func(func() error) error{
		"before it took effect": func(func() error) error { return context.DeadlineExceeded },
		"after it took effect": func(do func() error) error {
			if err := do(); err != nil {
				return err
			}
			return context.DeadlineExceeded
		},
		"refused": func(func() error) error { return refused },
	}
	for _, call := range []string{"set pending", "set database", "set current"} {
		for name, fault := range faults {
			t.Run(call+" "+name, func(t *testing.T) {
				k := newDesk(t)
				k.arms()
				k.w.fail[call] = fault
				got := k.does(k.plans(plan.Forward, ""))
				k.w.mu.Lock()
				delete(k.w.fail, call)
				k.w.mu.Unlock()
				settledValue(t, k.w)
				if name == "after it took effect" {
					if got.State != plan.RunDone {
						t.Fatalf("%+v", got)
					}
					k.is(rotated)
					return
				}
				if got.State != plan.RunFailed || got.Trouble == "" || got.Next == "" {
					t.Fatalf("%+v", got)
				}
				r := k.run(got.Run)
				i := slices.IndexFunc(got.Steps, func(s plan.StepProgress) bool { return s.State == plan.Failed })
				if i < 0 || r.Steps[got.Steps[i].ID].State != plan.Failed {
					t.Fatalf("%+v, journal %+v", got.Steps, r.Steps)
				}
				if p := k.does(k.plans(plan.Resume, got.Run)); p.State != plan.RunDone {
					t.Fatalf("resumed: %+v", p)
				}
				k.is(rotated)
			})
		}
	}
}

// TestWhatCannotBeJournalledIsNotDone breaks the journal at each of its records.
func TestWhatCannotBeJournalledIsNotDone(t *testing.T) {
	full := errors.New("the disk is full")
	for _, unsure := range []bool{false, true} {
		for at := range 12 {
			t.Run(fmt.Sprint(at, " unsure ", unsure), func(t *testing.T) {
				k := newDesk(t)
				k.arms()
				p := k.plans(plan.Forward, "")
				n, changesThen := 0, -1
				k.log.breaks(func(incident.Event) error {
					if n++; n-1 < at {
						return nil
					}
					if changesThen < 0 {
						changesThen = k.w.changes()
					}
					if unsure {
						return fmt.Errorf("record: %w", incident.ErrUnsure)
					}
					return full
				})
				err := k.Start(t.Context(), consent(p))
				if at == 0 {
					if err == nil {
						t.Fatal("begun without a journal")
					}
					k.is(untouched)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				got := k.waits(p.ID)
				if changesThen >= 0 && k.w.changes() != changesThen {
					t.Fatalf("%d changes, and %d when the journal broke", k.w.changes(), changesThen)
				}
				if changesThen >= 0 && got.State != plan.RunFailed && got.State != plan.RunDone {
					t.Fatalf("%+v", got)
				}
				settledValue(t, k.w)
				k.log.breaks(nil)
				next := revived(t, k)
				for _, a := range advised(t, next) {
					if slices.Contains(a.Possible, plan.Resume) {
						p, err := next.Plan(t.Context(), plan.Request{Mode: plan.Resume, Of: a.Run})
						if err != nil {
							t.Fatal(err)
						}
						if got := next.does(p); got.State != plan.RunDone {
							t.Fatalf("%+v", got)
						}
						next.is(rotated)
					}
				}
			})
		}
	}
}

func advised(t *testing.T, k *desk) []plan.Advice {
	t.Helper()
	advice, err := k.Advise(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return advice
}
