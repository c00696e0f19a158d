package checks

import (
	"context"
	"sync"
	"time"

	"warroom/internal/estate"
)

// Batch is the least time between two snapshots that a Board hands out.
const Batch = 100 * time.Millisecond

// Board collects observations, the latest of each key winning, and hands them
// out in batches as a new snapshot. Posting never blocks and never waits for the
// reader, so a burst costs memory for one observation a key at most.
type Board struct {
	mu       sync.Mutex
	snapshot *estate.Snapshot
	pending  map[estate.Key]estate.Observation
	news     chan struct{}
	last     time.Time // when Next last handed out
}

// NewBoard starts from a snapshot.
func NewBoard(s *estate.Snapshot) *Board {
	return &Board{snapshot: s, pending: map[estate.Key]estate.Observation{}, news: make(chan struct{}, 1)}
}

// Post takes an observation.
func (b *Board) Post(o estate.Observation) {
	b.mu.Lock()
	if old, ok := b.pending[o.Key]; !ok || o.After(&old) {
		// A success must not be lost behind the failure that follows it within
		// one batch: fold it in now.
		if ok && old.Failure == nil && o.Failure != nil {
			b.snapshot = b.snapshot.With(old)
		}
		b.pending[o.Key] = o
	}
	b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// Next waits until something was posted and at least Batch has passed since the
// last snapshot, and returns the new one. It returns ctx's error when ctx ends.
// One reader at a time.
func (b *Board) Next(ctx context.Context) (*estate.Snapshot, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-b.news:
	}
	if wait := Batch - time.Since(b.last); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
	b.last = time.Now()
	return b.Snapshot(), nil
}

// Snapshot returns everything posted so far.
func (b *Board) Snapshot() *estate.Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending) > 0 {
		batch := make([]estate.Observation, 0, len(b.pending))
		for _, o := range b.pending {
			batch = append(batch, o)
		}
		clear(b.pending)
		b.snapshot = b.snapshot.With(batch...)
	}
	return b.snapshot
}
