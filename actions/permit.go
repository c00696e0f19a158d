package actions

import (
	"context"
	"sync"
	"time"

	"warroom/internal/clients"
)

// permit is the gate. Every call of a procedure passes one: that of the step which is
// being done lets changes through, every other one refuses them. It ends with what it
// was given for: what a procedure left running can call nothing any more.
type permit struct {
	around  clients.Permit
	changes func() bool // whether calls that change something may be made now
	ungated bool        // tests only

	mu     sync.Mutex
	dead   bool
	flying int
	landed chan struct{} // closed when the permit is dead and no call is under way
}

// Around makes a call, or refuses it before anything is sent.
func (p *permit) Around(ctx context.Context, call clients.Call, do func() error) error {
	p.mu.Lock()
	refused := p.dead || call.Changes && !p.changes()
	if refused && !p.ungated {
		p.mu.Unlock()
		return &clients.NotPermitted{Call: call}
	}
	if !p.dead {
		p.flying++
		defer p.land()
	}
	p.mu.Unlock()
	if p.around != nil {
		return p.around.Around(ctx, call, do)
	}
	return do()
}

// land is the return of a call.
func (p *permit) land() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flying--; p.flying == 0 && p.dead {
		close(p.landed)
	}
}

// end refuses every call from now on, and waits for those under way; false when one
// of them does not return within a time.
func (p *permit) end(most time.Duration) bool {
	p.mu.Lock()
	if !p.dead {
		p.dead = true
		if p.flying == 0 {
			close(p.landed)
		}
	}
	p.mu.Unlock()
	limit := time.NewTimer(most)
	defer limit.Stop()
	select {
	case <-p.landed:
		return true
	case <-limit.C:
		return false
	}
}

// landing is how long calls of a step that has ended are waited for.
const landing = 5 * time.Second

// under gives a context under a permit. end ends both and reports whether every call
// has returned.
func (e *Engine) under(ctx context.Context, changes func() bool) (_ context.Context, end func() bool) {
	p := &permit{around: e.o.Around, changes: changes, ungated: e.ungated, landed: make(chan struct{})}
	ctx, cancel := context.WithCancel(clients.WithPermit(ctx, p))
	return ctx, func() bool {
		cancel()
		return p.end(landing)
	}
}

// reading gives a context under which nothing can be changed.
func (e *Engine) reading(ctx context.Context) (context.Context, func() bool) {
	return e.under(ctx, func() bool { return false })
}
