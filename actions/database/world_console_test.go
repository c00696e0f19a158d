package database_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"warroom/internal/clients"
	"warroom/internal/incident"
)

// memory is a journal in memory. When it is dead, nothing can be written.
type memory struct {
	mu     sync.Mutex
	fold   incident.Fold
	state  *incident.State
	events []incident.Event
	dead   bool
	writes int
	dies   int // the write, from 1, from which on it is dead; 0 for never
}

var errDead = errors.New("the process is dead")

// Record satisfies actions.Log.
func (m *memory) Record(_ context.Context, events ...incident.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if m.dead || m.dies > 0 && m.writes >= m.dies {
		m.dead = true
		return errDead
	}
	for _, e := range events {
		e.Seq = uint64(len(m.events) + 1)
		if e.At.IsZero() {
			e.At = time.Now()
		}
		line, err := incident.Encode(e)
		if err != nil {
			return err
		}
		if e, err = incident.Decode(e.Seq, line); err != nil {
			return err
		}
		m.events = append(m.events, e)
		m.fold.Apply(e)
	}
	m.state = m.fold.State()
	return nil
}

// Case satisfies actions.Log.
func (m *memory) Case() *incident.Case {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &incident.Case{State: m.state, Writing: true}
}

// Now satisfies actions.Log.
func (m *memory) Now() time.Time { return time.Now() }

// recorder sees every call, and dies before or after one of them.
type recorder struct {
	mu    sync.Mutex
	calls []clients.Call
	dies  int // the call, from 1, at which the process dies; 0 for never
	after bool
	dead  bool
	also  func() // what dies with it
	fault func(n int, c clients.Call, do func() error) error
}

// Around satisfies clients.Permit.
func (r *recorder) Around(_ context.Context, c clients.Call, do func() error) error {
	r.mu.Lock()
	if r.dead {
		r.mu.Unlock()
		return errDead
	}
	r.calls = append(r.calls, c)
	n := len(r.calls)
	fault := r.fault
	die := r.dies > 0 && n == r.dies
	if die {
		r.dead = true
		if r.also != nil {
			r.also()
		}
	}
	r.mu.Unlock()
	switch {
	case die && r.after:
		_ = do() // it took effect, and nobody hears of it
		return errDead
	case die:
		return errDead
	case fault != nil:
		return fault(n, c, do)
	}
	return do()
}

func (r *recorder) list() []clients.Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// reborn is the recorder of the next process.
func (r *recorder) reborn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls, r.dies, r.after, r.dead, r.also, r.fault = nil, 0, false, false, nil, nil
}
