package restart

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"warroom/internal/estate"
)

// together is from how many members of one kind and namespace on they are looked at by
// one list for all: a hundred rollouts must not ask a cluster a hundred times as often.
const together = 4

// lens looks at workloads and pods for all members of a job. What one of them has just
// read serves the others.
type lens struct {
	mu     sync.Mutex
	crowds map[string]int // members by cluster, namespace and kind; of all kinds for the pods
	shots  map[string]*shot
}

// shot is the last list of one thing.
type shot struct {
	turn      chan struct{} // held while a list is read
	begun     time.Time     // of the list; zero before the first
	workloads map[string]*workload
	pods      []corev1.Pod
}

// crowd notes the members that are going to be looked at.
func (l *lens) crowd(members []*member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crowds, l.shots = map[string]int{}, map[string]*shot{}
	for _, m := range members {
		if m.Unit == "" {
			l.crowds[m.Cluster+"/"+m.Namespace+"/"+m.Kind]++
			l.crowds[m.Cluster+"/"+m.Namespace]++
		}
	}
}

// shot is the entry of a list, and whether enough members share it.
func (l *lens) shot(key string) (*shot, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.crowds[key] < together {
		return nil, false
	}
	s := l.shots[key]
	if s == nil {
		s = &shot{turn: make(chan struct{}, 1)}
		l.shots[key] = s
	}
	return s, true
}

// take has a list read that is not older than since.
func (s *shot) take(ctx context.Context, since time.Time, read func() error) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.turn }()
	if !s.begun.IsZero() && !s.begun.Before(since) {
		return nil
	}
	begun := time.Now()
	if err := read(); err != nil {
		return err
	}
	s.begun = begun
	return nil
}

// workload reads a member's workload as it was at since, or later.
func (l *lens) workload(ctx context.Context, c *cluster, m *member, since time.Time) (*workload, error) {
	s, shared := l.shot(m.Cluster + "/" + m.Namespace + "/" + m.Kind)
	if !shared {
		return c.workload(ctx, m.Namespace, m.Kind, m.Name)
	}
	var found *workload
	err := s.take(ctx, since, func() error {
		all, err := c.workloads(ctx, m.Kind, m.Namespace, "")
		if err != nil {
			return err
		}
		byName := make(map[string]*workload, len(all))
		for _, w := range all {
			byName[w.name] = w
		}
		l.mu.Lock()
		s.workloads = byName
		l.mu.Unlock()
		return nil
	})
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	found = s.workloads[m.Name]
	l.mu.Unlock()
	if found == nil {
		return nil, &estate.Failure{Kind: estate.Missing, Doing: "read " + m.String(), Detail: "there is no such workload", Next: "find out who deleted it"}
	}
	return found, nil
}

// pods reads the pods of a workload as they were at since, or later.
func (l *lens) pods(ctx context.Context, c *cluster, m *member, w *workload, since time.Time) ([]corev1.Pod, error) {
	s, shared := l.shot(m.Cluster + "/" + m.Namespace)
	if !shared {
		all, err := c.pods(ctx, m.Namespace, w)
		return of(w, all), err
	}
	err := s.take(ctx, since, func() error {
		all, err := c.pods(ctx, m.Namespace, nil)
		if err != nil {
			return err
		}
		l.mu.Lock()
		s.pods = all
		l.mu.Unlock()
		return nil
	})
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	all := s.pods
	l.mu.Unlock()
	return of(w, all), nil
}
