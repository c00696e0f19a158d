package restart

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/incident"
)

var errKilled = errors.New("killed")

// recorder counts the places at which a process can be killed, and kills it at one. It
// breaks calls as it is told.
type recorder struct {
	mu     sync.Mutex
	on     bool
	points []string
	killAt int    // counted from 1; 0 is never
	killAs string // the beginning of a point's name; empty is none
	reads  bool   // calls that only read are points too
	dead   bool
	calls  []clients.Call
	breaks func(call clients.Call, do func() error) error // nil makes it
}

// reset forgets what was counted, and has the process killed at a place.
func (r *recorder) reset(on bool, killAt int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on, r.points, r.killAt, r.killAs, r.dead, r.calls = on, nil, killAt, "", false, nil
}

func (r *recorder) countReads() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads = true
}

func (r *recorder) point(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.on && !r.dead {
		r.points = append(r.points, name)
		r.dead = len(r.points) == r.killAt || r.killAs != "" && strings.HasPrefix(name, r.killAs)
	}
	return !r.dead
}

// Around is asked by the engine about every call that its gate lets through.
func (r *recorder) Around(_ context.Context, call clients.Call, do func() error) error {
	r.mu.Lock()
	r.calls = append(r.calls, call)
	breaks := r.breaks
	r.mu.Unlock()
	r.mu.Lock()
	counts := call.Changes || r.reads
	r.mu.Unlock()
	if counts && !r.point("before "+call.Name) {
		return errKilled
	}
	if r.isDead() {
		return errKilled
	}
	var err error
	if breaks != nil {
		err = breaks(call, do)
	} else {
		err = do()
	}
	if counts && !r.point("after "+call.Name) || r.isDead() {
		return errKilled
	}
	return err
}

func (r *recorder) isDead() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dead
}

// disk is a journal that outlives the processes that write it.
type disk struct {
	mu    sync.Mutex
	lines [][]byte
}

// session is the journal as one process writes it.
type session struct {
	disk  *disk
	kills *recorder

	mu    sync.Mutex
	fold  incident.Fold
	n     int
	state incident.Case
}

// open takes up the journal, as another process would.
func (d *disk) open(t testing.TB, kills *recorder) *session {
	t.Helper()
	s := &session{disk: d, kills: kills}
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
	events := []incident.Event{incident.New("ic-1", incident.ConsoleMoved{Act: "resumed", Host: "here", PID: 7})}
	if first {
		events = append([]incident.Event{incident.New("ic-1", incident.Declared{ID: "2026-11-23-1", Severity: "SEV1", Summary: "no logins", Started: time.Now().UTC(), Environment: "test",
			Roles: map[incident.Role]string{incident.Commander: "ic-1"}})}, events...)
	}
	if err := s.put(events...); err != nil {
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
		for _, canary := range []string{oldValue, newValue, adminToken} {
			if strings.Contains(string(line), canary) {
				return errors.New("a value is in the journal")
			}
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
	if !s.kills.point("before " + string(events[0].Kind)) {
		return errKilled
	}
	if err := s.put(events...); err != nil {
		return err
	}
	if !s.kills.point("after " + string(events[0].Kind)) {
		return errKilled
	}
	return nil
}

func (s *session) Case() *incident.Case {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.state
	return &c
}

func (s *session) Now() time.Time { return time.Now() }

// killFirst has the process killed at the first point whose name begins so.
func (r *recorder) killFirst(prefix string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on, r.points, r.killAt, r.dead, r.killAs = true, nil, 0, false, prefix
}
