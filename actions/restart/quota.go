package restart

import (
	"context"
	"strings"
	"sync"

	"warroom/internal/estate"
)

// quotas keeps the surges of rollouts that run at once within what the quotas of
// their namespaces leave.
type quotas struct {
	p *Procedure

	mu  sync.Mutex
	all map[string]*budget // by cluster and namespace
}

// budget is what is left in one namespace.
type budget struct {
	once  sync.Once
	left  room
	held  int           // rollouts that have taken of it
	freed chan struct{} // closed when one has given back
}

// take waits until a workload's surge fits beside those under way. A quota that cannot
// be read holds nothing back: the API server still does.
func (q *quotas) take(ctx context.Context, c *cluster, w *workload) (give func(), err error) {
	need := extra(w)
	q.mu.Lock()
	if q.all == nil {
		q.all = map[string]*budget{}
	}
	key := c.name + "/" + w.namespace
	b := q.all[key]
	if b == nil {
		b = &budget{freed: make(chan struct{})}
		q.all[key] = b
	}
	q.mu.Unlock()
	b.once.Do(func() { b.left, _ = roomIn(ctx, c, w.namespace) })
	for {
		q.mu.Lock()
		lack := b.left.lacks(need)
		if len(lack) == 0 || b.held == 0 && w.away > 0 {
			for name, n := range need {
				if _, limited := b.left[name]; limited {
					b.left[name] -= n
				}
			}
			b.held++
			q.mu.Unlock()
			return func() {
				q.mu.Lock()
				defer q.mu.Unlock()
				for name, n := range need {
					if _, limited := b.left[name]; limited {
						b.left[name] += n
					}
				}
				b.held--
				close(b.freed)
				b.freed = make(chan struct{})
			}, nil
		}
		if b.held == 0 {
			q.mu.Unlock()
			return nil, &estate.Failure{
				Kind: estate.BadAnswer, Doing: "restart " + w.String(), Detail: "the quota of its namespace has no room for its new pods: " + strings.Join(lack, "; "),
				Next: "raise the quota, or let the workload have a pod away (maxUnavailable), then resume",
			}
		}
		freed := b.freed
		q.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
