package archive

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"warroom/internal/incident"
	"warroom/internal/journal"
	"warroom/internal/runbook"
)

type whose struct{}

// net is a console that catches panics.
type net struct {
	mu      sync.Mutex
	started map[string]int
	caught  []string
	foreign int // goroutines with the context of another console
}

func (n *net) start(ctx context.Context, what string, f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ctx.Value(whose{}) != n || ctx.Err() != nil {
		n.foreign++
	}
	if n.started == nil {
		n.started = map[string]int{}
	}
	n.started[what]++
	go func() {
		defer func() {
			if v := recover(); v != nil {
				n.mu.Lock()
				defer n.mu.Unlock()
				n.caught = append(n.caught, fmt.Sprintf("%s: %v", what, v))
			}
		}()
		f()
	}()
}

func (n *net) told() (caught []string, started map[string]int, foreign int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.caught), n.started, n.foreign
}

// Every goroutine is one that the console can catch, and knows by its context.
func TestGoroutinesAreTheConsoles(t *testing.T) {
	n := &net{}
	s := New(filepath.Join(t.TempDir(), "incidents"), Options{Operator: "ic-1", Go: n.start})
	opening, end := context.WithCancel(context.WithValue(t.Context(), whose{}, n))
	session, err := s.Create(opening, declaration(), runbook.Guide())
	if err != nil {
		t.Fatal(err)
	}
	follower, err := s.Follow(opening, session.ID())
	if err != nil {
		t.Fatal(err)
	}
	end() // of whatever opened them: they last
	record(t, session, note("one"))
	await(t, follower, "the note", func(c *incident.Case) bool { return c.State.Counts[incident.KindNote] == 1 })
	for _, one := range []*Session{follower, session} {
		if err := one.Close(); err != nil {
			t.Fatal(err)
		}
	}
	caught, started, foreign := n.told()
	if len(caught) > 0 || foreign > 0 {
		t.Errorf("caught %q, %d started without the console's context", caught, foreign)
	}
	for _, what := range []string{"recording an incident", "following an incident", "reading an incident", "decoding an incident"} {
		if started[what] == 0 {
			t.Errorf("nothing was started for %s: %v", what, started)
		}
	}
}

// bomb panics when it is written to.
type bomb struct{ recorder }

func (bomb) Append(...[]byte) (journal.Head, error) { panic("the disk is on fire") }

// A panic of what writes is caught, whoever waits is told, and closing ends.
func TestAPanicOfWhatWrites(t *testing.T) {
	n := &net{}
	session := create(t, store(t, Options{Go: n.start}))
	session.mu.Lock()
	session.writer = bomb{session.writer}
	session.mu.Unlock()
	if err := session.Record(t.Context(), note("one")); !errors.Is(err, incident.ErrUnsure) {
		t.Errorf("what was being written: %v", err)
	}
	if err := session.Record(t.Context(), note("two")); !errors.Is(err, ErrClosed) || errors.Is(err, incident.ErrUnsure) {
		t.Errorf("what comes after: %v", err)
	}
	if err := session.Close(); err == nil {
		t.Error("closing it says nothing")
	}
	if caught, _, _ := n.told(); !slices.Equal(caught, []string{"recording an incident: the disk is on fire"}) {
		t.Errorf("caught %q", caught)
	}
}

// A panic while a journal is read is caught, and nobody takes a part for the whole.
func TestAPanicOfWhatReads(t *testing.T) {
	n := &net{}
	session := create(t, store(t, Options{Go: n.start}))
	if err := session.readTo(2); err != nil {
		t.Fatal(err)
	}
	read := func(from uint64, _ int) ([]journal.Record, error) {
		if from > 1 {
			panic("no such page")
		}
		return session.records(from, 1)
	}
	seen := 0
	if err := session.decodeFrom(t.Context(), read, 1, func(incident.Event) error { seen++; return nil }); !errors.Is(err, errStopped) || seen != 1 {
		t.Errorf("reading %d events: %v", seen, err)
	}
}
