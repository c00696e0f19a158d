package cli

import (
	"context"
	"sync"

	"warroom/internal/archive"
	"warroom/internal/plan"
	"warroom/ui"
)

// lateEngine is an engine that is made when something needs it first: what it holds
// of a large estate is not held while nobody recovers anything.
type lateEngine struct {
	begin func() *engine

	once sync.Once
	made chan struct{} // closed when e is there
	e    *engine
}

var _ ui.Recovery = (*lateEngine)(nil)

func newLateEngine(begin func() *engine) *lateEngine {
	return &lateEngine{begin: begin, made: make(chan struct{})}
}

// engine is the one engine, made now if it was not yet.
func (l *lateEngine) engine() *engine {
	l.once.Do(func() {
		l.e = l.begin()
		close(l.made)
	})
	return l.e
}

// there is the engine if it was made, and else nil.
func (l *lateEngine) there() *engine {
	select {
	case <-l.made:
		return l.e
	default:
		return nil
	}
}

// lead has the engine record in an incident, which is open for writing.
func (l *lateEngine) lead(s *archive.Session, store *archive.Store) error {
	return l.engine().lead(s, store)
}

// end gives back what the engine holds.
func (l *lateEngine) end() {
	if e := l.there(); e != nil {
		e.end()
	}
}

// scrub takes the values that the engine has read out of a text.
func (l *lateEngine) scrub(text string) string {
	if e := l.there(); e != nil {
		return e.act.Net().Scrub(text)
	}
	return text
}

// Procedures, and what follows, satisfy ui.Recovery.
func (l *lateEngine) Procedures() []plan.About { return l.engine().Procedures() }

func (l *lateEngine) Targets(procedure string) []plan.Target { return l.engine().Targets(procedure) }

func (l *lateEngine) Arm(ctx context.Context) (plan.Arming, error) { return l.engine().Arm(ctx) }

func (l *lateEngine) Plan(ctx context.Context, ask plan.Request) (*plan.Plan, error) {
	return l.engine().Plan(ctx, ask)
}

func (l *lateEngine) Start(ctx context.Context, consent plan.Consent) error {
	return l.engine().Start(ctx, consent)
}

func (l *lateEngine) Advise(ctx context.Context) ([]plan.Advice, error) {
	return l.engine().Advise(ctx)
}

// Next waits for the engine first: without one there is no news.
func (l *lateEngine) Next(ctx context.Context) ([]plan.Progress, error) {
	select {
	case <-l.made:
		return l.e.Next(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *lateEngine) Arming() plan.Arming {
	if e := l.there(); e != nil {
		return e.Arming()
	}
	return plan.Arming{}
}

func (l *lateEngine) Disarm(ctx context.Context, why string) error {
	if e := l.there(); e != nil {
		return e.Disarm(ctx, why)
	}
	return nil
}

func (l *lateEngine) Touch() {
	if e := l.there(); e != nil {
		e.Touch()
	}
}

func (l *lateEngine) Stop(run string) {
	if e := l.there(); e != nil {
		e.Stop(run)
	}
}
