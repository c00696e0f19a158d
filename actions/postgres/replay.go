package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/estate"
)

// LSN is a position in the WAL, in bytes.
type LSN uint64

// parseLSN reads the spelling of PostgreSQL.
func parseLSN(text string) (LSN, error) {
	high, low, ok := strings.Cut(text, "/")
	a, err := strconv.ParseUint(high, 16, 32)
	b, err2 := strconv.ParseUint(low, 16, 32)
	if !ok || err != nil || err2 != nil {
		return 0, errors.New("a position in the WAL cannot be read")
	}
	return LSN(a<<32 | b), nil
}

// String is the spelling of PostgreSQL.
func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint64(l)>>32, uint32(l)) }

// WrittenLSN is how far a primary has written.
func WrittenLSN(ctx context.Context, s *clients.PostgresSession, t Target) (LSN, error) {
	var text string
	err := s.Read(ctx, "read the WAL position of "+t.Place(), "SELECT pg_current_wal_lsn()", nil, func(scan func(...any) error) error { return scan(&text) })
	if err != nil {
		return 0, err
	}
	return parseLSN(text)
}

// Replay is how far a replica is.
type Replay struct {
	At         LSN
	Paused     bool
	InRecovery bool
}

// ReplayOf reads how far a replica has replayed.
func ReplayOf(ctx context.Context, s *clients.PostgresSession, t Target) (Replay, error) {
	doing := "read the replay position of " + t.Place()
	var r Replay
	if err := s.Read(ctx, doing, "SELECT pg_is_in_recovery()", nil, func(scan func(...any) error) error { return scan(&r.InRecovery) }); err != nil || !r.InRecovery {
		return r, err
	}
	var text *string
	if err := s.Read(ctx, doing, "SELECT pg_last_wal_replay_lsn(), pg_is_wal_replay_paused()", nil, func(scan func(...any) error) error { return scan(&text, &r.Paused) }); err != nil {
		return r, err
	}
	if text == nil {
		return r, &estate.Failure{Kind: estate.BadAnswer, Doing: doing, Detail: "it has replayed nothing yet", Next: "see whether it streams from its primary"}
	}
	var err error
	r.At, err = parseLSN(*text)
	return r, err
}

// PausedError says that a replica replays nothing because somebody paused it.
type PausedError struct {
	Target Target
	At, To LSN
}

// Error says what is to be done.
func (e *PausedError) Error() string {
	return fmt.Sprintf("wait for replica %s at %s: replay is paused there, %d bytes behind; it goes on to take the old password and refuses the new one until somebody runs SELECT pg_wal_replay_resume() there as a superuser",
		e.Target.Name, e.Target.Place(), uint64(e.To-min(e.To, e.At)))
}

// replayEvery is how often a replica is asked.
const replayEvery = 100 * time.Millisecond

// WaitReplay waits until a replica has replayed up to a position. A paused replay is
// an error at once, because it ends by nobody waiting. told hears how far it is.
func WaitReplay(ctx context.Context, s *clients.PostgresSession, t Target, to LSN, told func(behind uint64)) error {
	ticker := time.NewTicker(replayEvery)
	defer ticker.Stop()
	var last Replay
	for {
		r, err := ReplayOf(ctx, s, t)
		switch {
		case err != nil && ctx.Err() == nil:
			return err
		case err == nil && !r.InRecovery:
			return &estate.Failure{
				Kind: estate.BadAnswer, Doing: "wait for replica " + t.Name, Detail: t.Place() + " is no replica: it is not in recovery",
				Next: "see whether it was promoted, and correct role in warroom.yaml",
			}
		case err == nil && r.At >= to:
			return nil
		case err == nil && r.Paused:
			return &PausedError{Target: t, At: r.At, To: to}
		case err == nil:
			last = r
			told(uint64(to - r.At))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return &estate.Failure{
				Kind: estate.Silent, Doing: fmt.Sprintf("wait for replica %s at %s", t.Name, t.Place()),
				Detail: fmt.Sprintf("it has not replayed %s in time, and is %d bytes behind", to, uint64(to-min(to, last.At))),
				Next:   "see why its replay is slow (conflicting queries, disk, network), then resume the run",
			}
		}
	}
}

// Watch opens a session on a server that may not know the newest password yet: with
// the monitoring role where one is configured, else with the first of the credentials
// that works.
func Watch(ctx context.Context, systems actions.Systems, book *Book, t Target, monitor func(ctx context.Context, secret string) (Credential, error), others ...Credential) (*clients.PostgresSession, error) {
	if t.Service != "" {
		s, try := t.client(systems.Read).OpenService(ctx, t.Service, systems.Config.Checks.Timeout)
		if s != nil {
			return s, nil
		}
		if try.Err != nil && ctx.Err() != nil {
			return nil, try.Err
		}
	}
	var last error
	if t.Monitor != "" && monitor != nil {
		c, err := monitor(ctx, t.Monitor)
		if err == nil {
			others = append([]Credential{c}, others...)
		}
		last = err
	}
	for _, c := range others {
		s, a := book.Open(ctx, systems, t, c)
		if s != nil {
			return s, nil
		}
		if last = a.Refused(t, c.User); ctx.Err() != nil {
			break
		}
	}
	if last == nil {
		last = fmt.Errorf("log in to %s: no credential is configured", t.Place())
	}
	return nil, last
}
