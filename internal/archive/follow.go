package archive

import (
	"context"
	"fmt"
	"time"

	"warroom/internal/incident"
	"warroom/internal/journal"
)

const (
	// followEvery is how often a session that follows looks for news: while there are
	// none it reads the head's file, and nothing else.
	followEvery = 200 * time.Millisecond
	// holderEvery is after how many looks it asks who writes: that touches the lock.
	holderEvery = 5
)

// follow reads an incident that something else writes, or nobody, and goes on
// reading until the session is closed. who writes it is looked up when empty;
// standing is why it is read-only for another reason.
func (s *Session) follow(ctx context.Context, who, standing string) error {
	reader, err := journal.Read(s.folder)
	if err != nil {
		return fmt.Errorf("open incident %s to read it: %w", s.id, err)
	}
	s.reader = reader
	s.standing = standing
	if who == "" {
		who = writerOf(s.folder)
	}
	if err := s.load(ctx, func(c *incident.Case) { c.Writer = who }); err != nil {
		return err
	}
	followed := s.lasts(ctx)
	s.store.start(followed, "following an incident", func() { s.watch(followed) })
	return nil
}

// writerOf says who writes a journal now; empty when nobody does.
func writerOf(folder string) string {
	who, held, err := journal.Holder(folder)
	switch {
	case err != nil || !held:
		return ""
	case who == "":
		return "another process"
	}
	return who
}

// watch publishes what others write until ctx ends.
func (s *Session) watch(ctx context.Context) {
	defer close(s.ended)
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.look(ctx, n%holderEvery == 0)
		}
	}
}

// look publishes what changed since the last look, if anything did.
func (s *Session) look(ctx context.Context, holder bool) {
	s.mu.Lock()
	who, damage := s.current.Writer, s.damage
	s.mu.Unlock()
	before := who
	if holder {
		who = writerOf(s.folder)
	}
	s.reading.Lock()
	grew, err := s.reader.Refresh()
	s.reading.Unlock()
	if err == nil && grew {
		err = s.load(ctx, func(c *incident.Case) { c.Writer = who })
		if err == nil {
			return
		}
	}
	if ctx.Err() != nil {
		return
	}
	now := damage
	if err != nil {
		now = err.Error()
	}
	if who == before && now == damage {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.damage = now
	s.publish(func(c *incident.Case) { c.Writer = who })
}
