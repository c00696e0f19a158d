package actions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// errKilled is what is left of a process that was killed: nothing it calls gets
// anywhere.
var errKilled = errors.New("killed")

// world is what the procedure of the tests changes. It records every call, and ends a
// process before or after any of them.
type world struct {
	mu    sync.Mutex
	has   map[string]string
	calls []clients.Call // that changed something and were made

	points []string // every place at which a process can be killed, while it counts
	count  bool
	killAt int // the point at which it is; -1: never
	dead   bool

	fail map[string]func(do func() error) error // by the name of a call
}

func newWorld() *world {
	return &world{has: map[string]string{"current": "old", "database": "old"}, killAt: -1, fail: map[string]func(func() error) error{}}
}

// point is a place at which the process can be killed.
func (w *world) point(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return false
	}
	if w.count {
		w.points = append(w.points, name)
		w.dead = len(w.points)-1 == w.killAt
	}
	return !w.dead
}

// Around is asked by the engine about every call that its gate lets through.
func (w *world) Around(_ context.Context, call clients.Call, do func() error) error {
	if !w.point("before " + call.Name) {
		return errKilled
	}
	w.mu.Lock()
	broken := w.fail[call.Name]
	w.mu.Unlock()
	var err error
	if broken != nil {
		err = broken(do)
	} else {
		err = do()
	}
	if !w.point("after " + call.Name) {
		return errKilled
	}
	return err
}

func (w *world) look() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.has)
}

func (w *world) changes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls)
}

// set changes something, as a client of a real system does: through the permit of its
// context.
func (w *world) set(ctx context.Context, key, value string) error {
	call := clients.Call{System: "world", Name: "set " + key, Changes: true}
	return clients.Around(ctx, call, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.calls = append(w.calls, call)
		if value == "" {
			delete(w.has, key)
		} else {
			w.has[key] = value
		}
		return nil
	})
}

func (w *world) get(ctx context.Context, key string) (value string, err error) {
	err = clients.Around(ctx, clients.Call{System: "world", Name: "get " + key}, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		value = w.has[key]
		return nil
	})
	return value, err
}

// rotate is a procedure like those that rotate a password: it stores, sets, waits,
// promotes and drops.
type rotate struct {
	w      *world
	name   string
	change func(*Prepared) // what a test wants otherwise
}

func (p *rotate) About() plan.About {
	return plan.About{Name: p.name, Title: "Rotate", Summary: "Rotates.", Target: "thing", Changes: true}
}

func (p *rotate) Targets() []plan.Target {
	return []plan.Target{{ID: "thing", Title: "the thing", Ready: true}}
}

// setter is a step that sets a key from one value to another.
func (p *rotate) setter(key, from string, to func(*Run) string) Step {
	is := func(ctx context.Context, want string) (string, error) {
		got, err := p.w.get(ctx, key)
		if err != nil {
			return "", err
		}
		if got != want {
			return "", &estate.Failure{Kind: estate.BadAnswer, Doing: "look at " + key, Detail: fmt.Sprintf("it is %q, not %q", got, want), Next: "look at the world"}
		}
		return key + " is " + want, nil
	}
	return Step{
		Do: func(ctx context.Context, r *Run) error { return p.w.set(ctx, key, to(r)) },
		Probe: func(ctx context.Context, r *Run) (plan.Effect, string, error) {
			got, err := p.w.get(ctx, key)
			switch {
			case err != nil:
				return "", "", err
			case got == to(r):
				return plan.Took, key + " is new", nil
			case got == from:
				return plan.NotDone, key + " is as it was", nil
			}
			return plan.Partly, key + " is " + got, nil
		},
		Verify:     func(ctx context.Context, r *Run) (string, error) { return is(ctx, to(r)) },
		Undo:       func(ctx context.Context, _ *Run) error { return p.w.set(ctx, key, from) },
		VerifyUndo: func(ctx context.Context, _ *Run) (string, error) { return is(ctx, from) },
	}
}

func (p *rotate) Prepare(ctx context.Context, ask Ask) (*Prepared, error) {
	if ask.Target != "thing" && ask.Target != "other" {
		return nil, &Refusal{What: "rotating " + ask.Target, Why: "there is no such thing"}
	}
	observe := func(ctx context.Context) ([]plan.Observed, error) {
		current, err := p.w.get(ctx, "current")
		return []plan.Observed{{Name: "current", Value: current}, {Name: "time", Value: time.Now().String(), Live: true}}, err
	}
	seen, err := observe(ctx)
	if err != nil {
		return nil, err
	}
	fresh := func(r *Run) string { return r.Fact("new") }
	out := &Prepared{
		Plan: plan.Plan{
			Title: "Rotate the thing", Why: "it is old", Facts: map[string]string{"new": "new-value"}, Observed: seen,
			Affected: []plan.Affected{{Name: "service", How: "reads the new value", Critical: true}},
			Steps: []plan.Step{
				{ID: "look", Title: "Look at the thing", Verify: "reads it"},
				{ID: "store", Title: "Store the new value", Change: true, Calls: []string{"set pending"}, Verify: "reads it back", Undo: "set pending to nothing"},
				{ID: "set", Title: "Set it in the database", Change: true, Calls: []string{"set database"}, Before: "pending is there", Verify: "logs in", Undo: "set database back"},
				{ID: "wait", Title: "Wait for the replicas"},
				{ID: "promote", Title: "Promote it", Change: true, Calls: []string{"set current"}, Verify: "reads it back", Undo: "set current back"},
				{ID: "test", Title: "Try everything", Verify: "reads it"},
			},
			Measures: []plan.Measure{{Step: "store", Kind: "cancelled rotation", What: "the schedule of the thing"}},
		},
		Observe: observe,
	}
	if ask.Past != nil {
		out.Plan.Facts = maps.Clone(ask.Past.Facts)
	}
	set := p.setter("database", "old", fresh)
	set.Check = func(ctx context.Context, _ *Run) error {
		if v, err := p.w.get(ctx, "pending"); err != nil || v == "" {
			return errors.Join(err, errors.New("nothing is stored yet"))
		}
		return nil
	}
	waited := Step{
		Do: func(ctx context.Context, r *Run) error {
			r.Note("waited", "yes")
			_, err := p.w.get(ctx, "database")
			return err
		},
		Verify: func(context.Context, *Run) (string, error) { return "all replayed", nil },
	}
	out.Steps = []Step{
		{Verify: func(ctx context.Context, _ *Run) (string, error) {
			v, err := p.w.get(ctx, "current")
			return "it is " + v, err
		}},
		p.setter("pending", "", fresh), set, waited, p.setter("current", "old", fresh),
		{Verify: func(ctx context.Context, r *Run) (string, error) {
			for _, key := range []string{"current", "database"} {
				if v, err := p.w.get(ctx, key); err != nil || v != fresh(r) {
					return "", errors.Join(err, fmt.Errorf("%s is %q", key, v))
				}
			}
			return "everything works", nil
		}},
	}
	if p.change != nil {
		p.change(out)
	}
	return out, nil
}

// rotated and untouched are how the world is when all is done, and when all is undone.
var (
	rotated   = map[string]string{"current": "new-value", "database": "new-value", "pending": "new-value"}
	untouched = map[string]string{"current": "old", "database": "old"}
)

// disk is a journal that outlives the processes that write it.
type disk struct {
	mu    sync.Mutex
	lines [][]byte
}

// session is the journal as one process writes it.
type session struct {
	w    *world
	disk *disk

	mu     sync.Mutex
	fold   incident.Fold
	n      int
	state  incident.Case
	broken func(incident.Event) error // what becomes of an event; nil: it is recorded
}

var t0 = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

// open takes up the journal, as another process would.
func (d *disk) open(t testing.TB, w *world) *session {
	t.Helper()
	s := &session{w: w, disk: d}
	s.state.Writing = true
	d.mu.Lock()
	for i, line := range d.lines {
		e, err := incident.Decode(uint64(i+1), line)
		if err != nil {
			t.Fatal(err)
		}
		s.fold.Apply(e)
		s.n++
	}
	first := len(d.lines) == 0
	d.mu.Unlock()
	s.state.State = s.fold.State()
	act := incident.ConsoleMoved{Act: "resumed", Host: "here", PID: 7}
	if first {
		declared := incident.Declared{ID: "2026-11-23-1", Severity: "SEV1", Summary: "no logins", Started: t0, Environment: "test", Roles: map[incident.Role]string{incident.Commander: "ic-1"}}
		if err := s.put(incident.New("ic-1", declared), incident.New("ic-1", act)); err != nil {
			t.Fatal(err)
		}
	} else if err := s.put(incident.New("ic-1", act)); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *session) put(events ...incident.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		e.At = time.Now().UTC()
		line, err := incident.Encode(e)
		if err != nil {
			return err
		}
		back, err := incident.Decode(uint64(s.n+1), line)
		if err != nil {
			return err
		}
		s.disk.mu.Lock()
		s.disk.lines = append(s.disk.lines, line)
		s.disk.mu.Unlock()
		s.n++
		s.fold.Apply(back)
	}
	next := s.state
	next.State = s.fold.State()
	s.state = next
	return nil
}

func (s *session) Record(_ context.Context, events ...incident.Event) error {
	for _, e := range events {
		s.mu.Lock()
		broken := s.broken
		s.mu.Unlock()
		if broken != nil {
			if err := broken(e); err != nil {
				return err
			}
		}
	}
	if !s.w.point("before " + string(events[0].Kind)) {
		return errKilled
	}
	if err := s.put(events...); err != nil {
		return err
	}
	if !s.w.point("after " + string(events[0].Kind)) {
		return errKilled
	}
	return nil
}

func (s *session) breaks(f func(incident.Event) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = f
}

func (s *session) Case() *incident.Case {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.state
	return &c
}

func (s *session) Now() time.Time { return time.Now() }

// kinds are the kinds of event that the journal holds, from a place on.
func (d *disk) kinds(t testing.TB) (out []incident.Kind) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, line := range d.lines {
		e, err := incident.Decode(uint64(i+1), line)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Kind)
	}
	return out
}

// desk is an engine on a world, with its journal.
type desk struct {
	*Engine
	t    testing.TB
	w    *world
	log  *session
	disk *disk
	proc *rotate
}

func options(w *world, procedures ...Procedure) Options {
	return Options{Procedures: procedures, Environment: "test", Operator: "ic-1", Host: "here", PID: 7, Around: w}
}

// newDesk is an engine that is attached to a new incident.
func newDesk(t testing.TB, with ...func(*Options)) *desk {
	t.Helper()
	w := newWorld()
	return onDisk(t, w, &disk{}, with...)
}

// onDisk is an engine on what there is.
func onDisk(t testing.TB, w *world, d *disk, with ...func(*Options)) *desk {
	t.Helper()
	proc := &rotate{w: w, name: "rotate"}
	o := options(w, proc)
	for _, f := range with {
		f(&o)
	}
	k := &desk{Engine: New(o), t: t, w: w, disk: d, proc: proc}
	t.Cleanup(k.Close)
	k.log = d.open(t, w)
	k.Attach(k.log, "")
	return k
}

func (k *desk) arms() {
	k.t.Helper()
	if _, err := k.Arm(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
}

func (k *desk) plans(mode plan.Mode, of string) *plan.Plan {
	k.t.Helper()
	ask := plan.Request{Procedure: "rotate", Target: "thing", Mode: mode, Of: of}
	p, err := k.Plan(k.t.Context(), ask)
	if err != nil {
		k.t.Fatalf("plan %s: %v", mode, err)
	}
	return p
}

// consent is all that a plan asks for.
func consent(p *plan.Plan) plan.Consent {
	c := plan.Consent{Plan: p.ID, Fingerprint: p.Fingerprint(), Typed: p.Target, Reason: "it must be"}
	for _, w := range p.Warnings {
		c.Accepted = append(c.Accepted, w.ID)
	}
	c.Inputs = map[string]estate.Secret{}
	for _, in := range p.Inputs {
		c.Inputs[in.ID] = estate.NewSecret("typed-value-of-" + in.ID)
	}
	return c
}

// does starts a plan with everything it asks for, and waits for its end.
func (k *desk) does(p *plan.Plan) plan.Progress {
	k.t.Helper()
	if err := k.Start(k.t.Context(), consent(p)); err != nil {
		k.t.Fatalf("start: %v", err)
	}
	return k.waits(p.ID)
}

func (k *desk) waits(run string) plan.Progress {
	k.t.Helper()
	got, err := k.Wait(k.t.Context(), run)
	if err != nil {
		k.t.Fatal(err)
	}
	return got
}

func (k *desk) run(id string) incident.Run {
	k.t.Helper()
	runs := k.log.Case().State.Runs
	i := slices.IndexFunc(runs, func(r incident.Run) bool { return r.ID == id })
	if i < 0 {
		k.t.Fatalf("the journal has no run %s", id)
	}
	return runs[i]
}

// is fails unless the world is so.
func (k *desk) is(want map[string]string) {
	k.t.Helper()
	if got := k.w.look(); !maps.Equal(got, want) {
		k.t.Fatalf("the world is %v, want %v", got, want)
	}
}
