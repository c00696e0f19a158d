package actions

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"warroom/internal/clients"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// Log is the journal of the incident in which everything is recorded.
type Log interface {
	// Record makes events durable, together and in order, before it returns.
	Record(ctx context.Context, events ...incident.Event) error
	Case() *incident.Case
	Now() time.Time
}

// Options are what an Engine works with.
type Options struct {
	Procedures  []Procedure
	Systems     Systems
	Environment string
	Drill       string // the scenario; empty when it is no drill
	Operator    string
	Host        string
	PID         int
	Idle        time.Duration // after which changes are no longer possible; 15 minutes when 0
	Signers     string        // path of an OpenSSH allowed_signers file; empty when nobody can sign
	SecondFor   []string      // procedures whose plans another operator must sign
	OwnKeys     []string      // fingerprints (SHA256:…) of keys with which this console signs: none of them is another person's
	Scrub       func(string) string
	Clock       func() time.Time
	// Go runs f beside, and takes care of what it does wrong; nil is go f().
	Go func(ctx context.Context, what string, f func())
	// Around is asked about every call that the gate lets through. Tests record and
	// break calls with it; nil makes them.
	Around clients.Permit
}

// How much an engine keeps and does at once.
const (
	maxActive    = 4                // runs at once
	maxPlans     = 16               // plans that wait for consent
	maxFinished  = 50               // runs that have ended, for who watches
	planLife     = 10 * time.Minute // for which a plan can be granted
	recordLimit  = 30 * time.Second // for one event to become durable
	defaultLimit = 5 * time.Minute  // of a step that names none
	defaultIdle  = 15 * time.Minute
	closeGrace   = 10 * time.Second // for a step under way to end by itself, and again after it was told to
)

// Engine plans, asks for consent, carries out and takes up recovery procedures. Its
// methods are safe for concurrent use; Next is for one caller.
type Engine struct {
	o      Options
	byName map[string]Procedure

	born time.Time       // from which age counts
	base context.Context // of every run; ends when the engine must end at once
	kill context.CancelFunc

	mu      sync.Mutex
	closed  bool
	log     Log
	lines   *lineLog
	arm     arming
	plans   []*prepared // that wait for consent, oldest first
	runs    []*running  // of this attachment, oldest first
	busy    map[string]string
	changed chan struct{} // closed when there is news
	version uint64        // counts news
	told    uint64        // what Next returned last

	ungated bool // tests only: takes the gate out, to show that their properties notice
}

// New is an engine that nothing is attached to.
func New(o Options) *Engine {
	o.Idle = cmp.Or(o.Idle, defaultIdle)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Scrub == nil {
		o.Scrub = func(s string) string { return s }
	}
	if o.Go == nil {
		o.Go = func(_ context.Context, _ string, f func()) { go f() }
	}
	o.Systems.Holder = cmp.Or(o.Systems.Holder, o.Operator+"@"+o.Host)
	e := &Engine{o: o, byName: map[string]Procedure{}, busy: map[string]string{}, changed: make(chan struct{}), born: time.Now()}
	for _, p := range o.Procedures {
		e.byName[p.About().Name] = p
	}
	e.base, e.kill = context.WithCancel(context.Background())
	return e
}

// now is the wall clock's time, so that a machine that slept is not taken for one
// where nothing happened.
func (e *Engine) now() time.Time { return e.o.Clock().Round(0).UTC() }

// age is how long there is an engine, by a clock that nobody can set back: what ends by
// the wall clock ends by this one at the latest.
func (e *Engine) age() time.Duration { return time.Since(e.born) }

// Procedures describes what can be done.
func (e *Engine) Procedures() []plan.About {
	out := make([]plan.About, 0, len(e.o.Procedures))
	for _, p := range e.o.Procedures {
		out = append(out, p.About())
	}
	return out
}

// Targets is what a procedure can be done to; nil where there is no such procedure.
func (e *Engine) Targets(procedure string) []plan.Target {
	p, ok := e.byName[procedure]
	if !ok {
		return nil
	}
	return p.Targets()
}

// Attach records in an incident from now on, and writes the plain-text recovery log
// beside its journal. What was attached before is detached.
func (e *Engine) Attach(log Log, textLog string) {
	e.Detach()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.log, e.lines = log, newLineLog(textLog, e.o.Scrub)
	e.runs = slices.DeleteFunc(e.runs, func(r *running) bool { return !r.active })
	e.arm.why = ""
	e.news()
}

// Detach ends what is recorded in the incident: runs stop before their next step,
// and nothing can be changed any more. It returns when they have stopped, or after
// 20 seconds; a step that does not end by then is told to the next console as
// broken.
func (e *Engine) Detach() {
	e.mu.Lock()
	log := e.log
	if log == nil {
		e.mu.Unlock()
		return
	}
	e.stopAll()
	e.mu.Unlock()
	if !e.settled(closeGrace) {
		e.mu.Lock()
		for _, r := range e.runs {
			if r.active {
				r.cancel()
			}
		}
		e.mu.Unlock()
		e.settled(closeGrace)
	}
	e.disarm("the incident was left")
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = nil
	if e.lines != nil {
		e.lines.close()
		e.lines = nil
	}
	e.dropPlans(func(p *prepared) bool { return p.plan.Of != "" })
	e.news()
}

// Close ends everything, as Detach does, and gives back what plans hold. The engine
// is of no use afterwards. It may be called again.
func (e *Engine) Close() {
	e.Detach()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.closed = true
	e.dropPlans(func(*prepared) bool { return true })
	e.kill()
	e.news()
}

// stopAll asks every active run to stop before its next step. e.mu is held.
func (e *Engine) stopAll() {
	for _, r := range e.runs {
		if r.active && !r.stopping {
			r.stopping = true
		}
	}
	e.news()
}

// settled waits until no run is active, for so long at most.
func (e *Engine) settled(most time.Duration) bool {
	limit := time.NewTimer(most)
	defer limit.Stop()
	for {
		e.mu.Lock()
		active, changed := e.active(), e.changed
		e.mu.Unlock()
		if active == 0 {
			return true
		}
		select {
		case <-changed:
		case <-limit.C:
			return false
		}
	}
}

// active is how many runs are under way. e.mu is held.
func (e *Engine) active() (n int) {
	for _, r := range e.runs {
		if r.active {
			n++
		}
	}
	return n
}

// news wakes whoever waits. e.mu is held.
func (e *Engine) news() {
	e.version++
	close(e.changed)
	e.changed = make(chan struct{})
}

// text makes one line of what is told: scrubbed, without control characters, and
// bounded.
func (e *Engine) text(s string) string { return clients.Strip(e.o.Scrub(s), maxText) }

// maxText bounds a text that is told, in bytes.
const maxText = 1000

// words are what an error says happened, and what to do next.
func (e *Engine) words(err error) (what, next string) {
	what = err.Error()
	if r, ok := errors.AsType[*Refusal](err); ok {
		next = r.Next
	} else if h, ok := errors.AsType[*Halt](err); ok {
		next = h.Next
	} else if f, ok := errors.AsType[*estate.Failure](err); ok {
		next = f.Next
		if f.Kind == estate.Broken { // the word of checks for what has no kind
			what = strings.Replace(what, string(estate.Broken)+": ", "", 1)
		}
	}
	if next != "" {
		what = strings.TrimSuffix(what, "; "+next)
	}
	return e.text(what), e.text(next)
}
