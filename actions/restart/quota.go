package restart

import (
	"context"
	"strings"
	"sync"
	"time"

	"warroom/internal/estate"
)

// quotas keeps the surges of rollouts that run at once within what the quotas of
// their namespaces leave.
type quotas struct {
	p *Procedure

	mu  sync.Mutex
	all map[string]*budget // by cluster and namespace
}

// budget is what rollouts under way have taken of one namespace.
type budget struct {
	turn      chan struct{} // held while somebody asks for room
	unlimited bool          // there is no quota, or it cannot be read
	held      room
	takers    int
}

// room reads what the quotas of a namespace leave, as whom we read or else act.
func (p *Procedure) room(ctx context.Context, cluster, namespace string) (room, error) {
	c, err := open(p.s.Read, cluster)
	if err != nil {
		return nil, err
	}
	left, err := roomIn(ctx, c, namespace)
	if denied(err) {
		if acting, other := open(p.s.Act, cluster); other == nil {
			left, err = roomIn(ctx, acting, namespace)
		}
	}
	if err != nil {
		return nil, c.failure(err, "list the quotas of namespace "+namespace+" in cluster "+cluster)
	}
	return left, nil
}

// take waits until a workload's surge fits into what the quotas leave now, beside what
// rollouts under way may still take: what they have taken counts twice for a while,
// which only makes others wait. A pod that ends counts until it is gone. A quota that
// cannot be read holds nothing back: the API server still does.
func (q *quotas) take(ctx context.Context, c *cluster, w *workload) (give func(), err error) {
	need, end := extra(w), time.Now().Add(q.p.deadline())
	q.mu.Lock()
	if q.all == nil {
		q.all = map[string]*budget{}
	}
	key := c.name + "/" + w.namespace
	b := q.all[key]
	if b == nil {
		b = &budget{turn: make(chan struct{}, 1), held: room{}}
		q.all[key] = b
	}
	q.mu.Unlock()
	if len(need) == 0 {
		return func() {}, nil
	}
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for {
		var lack []string
		if !b.unlimited {
			left, err := q.p.room(ctx, c.name, w.namespace)
			b.unlimited = err == nil && len(left) == 0 || err != nil && ctx.Err() == nil
			q.mu.Lock()
			for name := range left {
				left[name] -= b.held[name]
			}
			lack = left.lacks(need)
			if b.takers == 0 && w.away > 0 {
				lack = nil // it makes room by itself
			}
			q.mu.Unlock()
		}
		if len(lack) == 0 {
			break
		}
		if !time.Now().Before(end) {
			return nil, &estate.Failure{
				Kind: estate.BadAnswer, Doing: "restart " + w.String(), Detail: "the quota of its namespace had no room for its new pods: " + strings.Join(lack, "; "),
				Next: "raise the quota, or let the workload have a pod away (maxUnavailable), then resume",
			}
		}
		if err := pause(ctx, 2*q.p.pace); err != nil {
			return nil, err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	b.takers++
	for name, n := range need {
		b.held[name] += n
	}
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		b.takers--
		for name, n := range need {
			b.held[name] -= n
		}
	}, nil
}
