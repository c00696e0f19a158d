package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"warroom/internal/incident"
	"warroom/internal/journal"
	"warroom/internal/runbook"
)

// ErrClosed says that a session has ended.
var ErrClosed = errors.New("this incident is not open here any more")

// ReadOnly says that something was to be recorded in a session that only follows.
type ReadOnly struct {
	ID  string
	Who string // who writes it; empty when nobody
	Why string // why it is read-only else
}

// Error says what to do next as well.
func (e *ReadOnly) Error() string {
	switch {
	case e.Who != "":
		return fmt.Sprintf("incident %s is read-only here: %s writes it", e.ID, e.Who)
	case e.Why != "":
		return fmt.Sprintf("incident %s is %s", e.ID, e.Why)
	}
	return fmt.Sprintf("incident %s is read-only here, and nobody writes it now: open it again", e.ID)
}

// recorder is the journal of a session that writes.
type recorder interface {
	Append(payloads ...[]byte) (journal.Head, error)
	Head() journal.Head
	Trouble() string
	Close() error
}

// Session is one incident that is open, to write or to follow. Its methods are
// safe for concurrent use; Next is for one caller.
type Session struct {
	id, folder string
	store      *Store
	rb         *runbook.Runbook

	mu      sync.Mutex
	current *incident.Case
	changed chan struct{} // closed when current is replaced, or the session ends
	told    *incident.Case
	fold    incident.Fold
	index   index
	closed  bool

	standing string   // why it is read-only, or behind, as long as the session lasts
	doubt    string   // why the runbook may not be the one that it was declared with
	repaired []string // what was repaired on opening, until a person goes on
	damage   string   // what the last read ran into

	reading sync.Mutex // guards reader
	reader  *journal.Reader

	writer   recorder // nil in a session that follows
	stamper  *stamper
	queue    []*entry
	wake     chan struct{}   // holds at most one
	ended    chan struct{}   // closed when the goroutine of the session has ended
	base     context.Context // ends with the session
	stop     context.CancelFunc
	closeErr error
	closing  sync.Once
}

// session is one without a journal yet. rb may be nil: then the incident's own
// copy is read.
func (s *Store) session(id, folder string, rb *runbook.Runbook) *Session {
	session := &Session{id: id, folder: folder, store: s, rb: rb,
		changed: make(chan struct{}), wake: make(chan struct{}, 1), ended: make(chan struct{})}
	session.current = &incident.Case{Folder: folder}
	session.base = context.Background()
	if rb == nil {
		session.rb, session.doubt = ownRunbook(folder)
	}
	return session
}

// lasts gives the session a context of its own, with the values of the one that it
// is opened with: it lasts until the session is closed.
func (s *Session) lasts(ctx context.Context) context.Context {
	s.base, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	return s.base
}

// ownRunbook is the runbook that an incident keeps. When that cannot be used, it
// is the embedded one, and why is said.
func ownRunbook(folder string) (rb *runbook.Runbook, trouble string) {
	path := filepath.Join(folder, runbookFile)
	source, err := readRegular(path, mostRunbook)
	if err == nil {
		rb, err = runbook.Parse(path, source, nil)
	}
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return runbook.Guide(), "its runbook cannot be used, the guide's stands in: " + first
	}
	return rb, ""
}

// ID names the incident.
func (s *Session) ID() string { return s.id }

// Runbook is the one that the incident follows: its own copy.
func (s *Session) Runbook() *runbook.Runbook { return s.rb }

// RunbookDoubt is why Runbook may not be the one that the incident was declared
// with; empty when it is.
func (s *Session) RunbookDoubt() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doubt
}

// Case is how the incident stands. It never holds an event that is not durable.
func (s *Session) Case() *incident.Case {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Now is what time it is for the incident, UTC: what an event that is recorded now
// carries, also while the wall clock stands behind because it was set back. It is
// what counts from the incident's times. In a session that follows it is the
// clock's, but never before the last event.
func (s *Session) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stamper != nil {
		return s.stamper.now()
	}
	now := s.store.options.Clock().Round(0).UTC()
	if state := s.current.State; state != nil && now.Before(state.LastAt) {
		return state.LastAt
	}
	return now
}

// Next waits for a Case that it has not returned yet. What came meanwhile is in
// it: none is queued. The error is ctx's, or ErrClosed.
func (s *Session) Next(ctx context.Context) (*incident.Case, error) {
	for {
		s.mu.Lock()
		current, changed, closed := s.current, s.changed, s.closed
		fresh := current != s.told
		if fresh {
			s.told = current
		}
		s.mu.Unlock()
		switch {
		case fresh:
			return current, nil
		case closed:
			return nil, ErrClosed
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for news of incident %s: %w", s.id, ctx.Err())
		case <-changed:
		}
	}
}

// publish makes a Case of what is known and tells whoever waits. s.mu is held.
func (s *Session) publish(edit func(*incident.Case)) {
	next := *s.current
	next.State = s.fold.State()
	edit(&next)
	next.Trouble, next.Damage = s.trouble(), s.damage
	s.current = &next
	close(s.changed)
	s.changed = make(chan struct{})
}

// trouble is what is wrong with the journal, the worst first. s.mu is held.
func (s *Session) trouble() string {
	all := []string{s.damage, s.standing, s.doubt}
	if s.writer != nil { // which tells of damage as well
		all[0] = s.writer.Trouble()
	}
	return join(append(all, s.repaired...)...)
}

// join puts together what is wrong, once each.
func join(texts ...string) string {
	var all []string
	for _, t := range texts {
		if t != "" && !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return strings.Join(all, "; ")
}

// take folds an event and remembers its kind. s.mu is held, and events come in
// order.
func (s *Session) take(e incident.Event) {
	s.fold.Apply(e)
	s.index.add(e.Seq, e.Kind)
	if e.By != "" && e.Kind != incident.KindConsole {
		s.repaired = nil
	}
}

// closeWait is how long Close waits for what is being recorded.
const closeWait = 3 * time.Second

// Close ends the session: what was given to Record is recorded first, and that
// this console left. It may be called again.
func (s *Session) Close() error { return s.end("left") }

func (s *Session) end(act string) error {
	s.closing.Do(func() {
		if s.writer != nil && act != "" {
			ctx, cancel := context.WithTimeout(context.Background(), closeWait)
			s.closeErr = s.Record(ctx, s.moved(act))
			cancel()
		}
		s.mu.Lock()
		s.closed = true
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
		s.stop()
		limit := time.NewTimer(closeWait)
		defer limit.Stop()
		select {
		case <-s.ended:
		case <-limit.C:
			s.closeErr = errors.Join(s.closeErr, fmt.Errorf("close incident %s: its disk does not answer; what was acknowledged is safe", s.id))
			return
		}
		if s.writer != nil {
			s.closeErr = errors.Join(s.closeErr, s.writer.Close())
		}
	})
	return s.closeErr
}

// moved is the event of a console that took the incident up or left it.
func (s *Session) moved(act string) incident.Event {
	return incident.New(s.store.options.Operator, incident.ConsoleMoved{Act: act, Host: s.store.host, PID: os.Getpid()})
}
