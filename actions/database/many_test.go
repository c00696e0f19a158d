package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/actions"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// fakes guards what fake procedures have done: those of a wave are done at once.
var fakes sync.Mutex

// fake is one secret with the steps of its plan, each of which notes what is done.
func fake(name string, done map[string]bool, fails map[string]error, ids ...string) *one {
	o := &one{name: name, id: name, role: name, held: "lock of " + name, ready: &actions.Prepared{Close: func() {}}}
	p := &o.ready.Plan
	p.Facts = map[string]string{factUser: "user_" + name[len(name)-3:], factOld: "user_" + name[len(name)-3:], factToken: "token-of-" + name, factBase: "base-of-" + name}
	p.Observed = []plan.Observed{{Name: "AWSCURRENT of " + name, Value: "v1"}, {Name: "login", Value: "accepted", Live: true}}
	o.ready.Observe = func(context.Context) ([]plan.Observed, error) { return p.Observed, nil }
	for _, id := range ids {
		key := name + " " + id
		p.Steps = append(p.Steps, plan.Step{ID: id, Title: id, Where: "aws:main", Change: true, Calls: []string{"do " + id + " to " + name + " as " + p.Facts[factUser]}, Undo: "undo it"})
		o.ready.Steps = append(o.ready.Steps, actions.Step{
			Do: func(context.Context, *actions.Run) error {
				fakes.Lock()
				defer fakes.Unlock()
				if err := fails[key]; err != nil {
					return err
				}
				if done[key] {
					return errors.New(key + " is done twice")
				}
				done[key] = true
				return nil
			},
			Probe: func(context.Context, *actions.Run) (plan.Effect, string, error) {
				fakes.Lock()
				defer fakes.Unlock()
				return effect(done[key]), "looked", nil
			},
			Verify: func(context.Context, *actions.Run) (string, error) {
				fakes.Lock()
				defer fakes.Unlock()
				if !done[key] {
					return "", errors.New(key + " is not done")
				}
				return "done", nil
			},
			Undo: func(context.Context, *actions.Run) error {
				fakes.Lock()
				defer fakes.Unlock()
				if !done[key] {
					return errors.New(key + " was not done")
				}
				delete(done, key)
				return nil
			},
			VerifyUndo: func(context.Context, *actions.Run) (string, error) {
				fakes.Lock()
				defer fakes.Unlock()
				if done[key] {
					return "", errors.New(key + " is still done")
				}
				return "undone", nil
			},
		})
	}
	return o
}

// procedure is what a person does with several secrets that are no real ones.
type procedure struct{ prepare func() *actions.Prepared }

func (p *procedure) About() plan.About {
	return plan.About{Name: "many", Title: "Many", Target: "secrets", Changes: true}
}
func (p *procedure) Targets() []plan.Target {
	return []plan.Target{{ID: "x/*", Ready: true}}
}
func (p *procedure) Prepare(context.Context, actions.Ask) (*actions.Prepared, error) {
	return p.prepare(), nil
}

// memory is a journal that is kept in memory.
type memory struct {
	mu   sync.Mutex
	fold incident.Fold
	n    int
	kept incident.Case
}

func newMemory(t *testing.T) *memory {
	m := &memory{}
	m.kept.Writing = true
	declared := incident.Declared{ID: "2026-11-23-1", Severity: "SEV1", Summary: "no logins", Started: time.Now().UTC(), Environment: "test", Roles: map[incident.Role]string{incident.Commander: "ic-1"}}
	for _, d := range []incident.Data{declared, incident.ConsoleMoved{Act: "resumed", Host: "here", PID: 1}} {
		if err := m.Record(t.Context(), incident.New("ic-1", d)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *memory) Record(_ context.Context, events ...incident.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range events {
		e.At = time.Now().UTC()
		line, err := incident.Encode(e)
		if err != nil {
			return err
		}
		m.n++
		back, err := incident.Decode(uint64(m.n), line)
		if err != nil {
			return err
		}
		m.fold.Apply(back)
	}
	m.kept.State = m.fold.State()
	return nil
}

func (m *memory) Case() *incident.Case {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := m.kept
	return &kept
}

func (m *memory) Now() time.Time { return time.Now() }

// A failure of one of a wave ends the run there. Resumed, only what was not done is
// done; rolled back, only what was.
func TestWavesAreTakenUp(t *testing.T) {
	for _, mode := range []plan.Mode{plan.Resume, plan.Back} {
		t.Run(string(mode), func(t *testing.T) {
			done, fails := map[string]bool{}, map[string]error{"x/db/003 " + stepSet: errors.New("the wire broke")}
			p := &procedure{prepare: func() *actions.Prepared {
				var waves [][]*one
				for w := range 2 {
					var wave []*one
					for i := range 4 {
						wave = append(wave, fake(fmt.Sprintf("x/db/%03d", 4*w+i), done, fails, stepPending, stepSet, stepPromote))
					}
					waves = append(waves, wave)
				}
				return compose("x/*", waves)
			}}
			log := newMemory(t)
			e := actions.New(actions.Options{Procedures: []actions.Procedure{p}, Environment: "test", Operator: "ic-1", Host: "here", PID: 1})
			defer e.Close()
			e.Attach(log, "")
			if _, err := e.Arm(t.Context()); err != nil {
				t.Fatal(err)
			}
			carry := func(ask plan.Request) plan.Progress {
				t.Helper()
				made, err := e.Plan(t.Context(), ask)
				if err != nil {
					t.Fatal(err)
				}
				if err := e.Start(t.Context(), plan.Consent{Plan: made.ID, Fingerprint: made.Fingerprint(), Typed: made.Target}); err != nil {
					t.Fatal(err)
				}
				got, err := e.Wait(t.Context(), made.ID)
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			first := carry(plan.Request{Procedure: "many", Target: "x/*"})
			if first.State != plan.RunFailed || !strings.Contains(first.Trouble, "x/db/003") || !strings.Contains(first.Trouble, "the wire broke") {
				t.Fatalf("%s: %s", first.State, first.Trouble)
			}
			if n := len(done); n != 4+3 {
				t.Fatalf("%d steps are done: the second wave must not have begun", n)
			}
			clear(fails)
			again := carry(plan.Request{Procedure: "many", Target: "x/*", Mode: mode, Of: first.Run})
			want, state := 8*3, plan.RunDone
			if mode == plan.Back {
				want, state = 0, plan.RunRolledBack
			}
			if again.State != state || len(done) != want {
				t.Errorf("%s with %d steps done, want %s with %d: %s", again.State, len(done), state, want, again.Trouble)
			}
		})
	}
}

// A plan of a hundred fits into a journal, and says of each what its words stand for.
func TestPlansOfManyAreShort(t *testing.T) {
	var waves [][]*one
	var all []*one
	for i := range 100 {
		all = append(all, fake(fmt.Sprintf("x/db/%03d", i), map[string]bool{}, nil, stepPending, stepSet, stepPromote))
	}
	for wave := range slices.Chunk(all, atOnce) {
		waves = append(waves, wave)
	}
	p := compose("x/*", waves).Plan
	if len(p.Facts) != 100 || len(p.Observed) != 200 || len(p.Steps) != 13*3 {
		t.Errorf("%d facts, %d observed, %d steps", len(p.Facts), len(p.Observed), len(p.Steps))
	}
	for name, value := range p.Facts {
		if !incident.FactFits(name, value) {
			t.Errorf("no journal keeps fact %s", name)
		}
	}
	firstCalls := p.Steps[0].Calls
	if len(firstCalls) != atOnce+1 || firstCalls[atOnce] != "do pending to <secret> as <user>" ||
		firstCalls[0] != "of x/db/000: <user> user_000, <current> base-of-x/db/000, <new> token-of-x/db/000" {
		t.Errorf("%q", firstCalls)
	}
}

func TestSwap(t *testing.T) {
	tests := []struct{ text, from, want string }{
		{"log in as app, twice", "app", "log in as <x>, twice"},
		{"app and app_2 and my-app and app", "app", "<x> and app_2 and my-app and <x>"},
		{"prod/db/1 and prod/db/10.", "prod/db/1", "<x> and prod/db/10."},
		{"prod/db/10.", "prod/db/10", "<x>."},
		{"größe", "gr", "größe"},
		{"", "app", ""},
	}
	for _, test := range tests {
		if got := swap(test.text, test.from, "<x>"); got != test.want {
			t.Errorf("%q: %q, want %q", test.text, got, test.want)
		}
	}
}
