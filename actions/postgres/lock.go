package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
)

// LockKey is the key of the advisory lock under which a role's password is changed.
func LockKey(role string) int64 {
	h := sha256.Sum256([]byte("warroom role " + role))
	return int64(binary.BigEndian.Uint64(h[:8]) >> 1) // positive, so that its halves are seen as they are
}

// Locked says that another console holds the lock of a role.
type Locked struct {
	Role, Place string
	Holder      string // its application_name; empty when it could not be read
}

// Error says who holds it.
func (e *Locked) Error() string {
	who := e.Holder
	if who == "" {
		who = "a session that cannot be seen from here"
	}
	return fmt.Sprintf("lock role %s at %s: it is held by %s; nothing was changed: speak to them, or wait until they are done", Quote(e.Role), e.Place, who)
}

// Unwrap makes it a refusal.
func (e *Locked) Unwrap() error {
	return &actions.Refusal{What: "a change of role " + Quote(e.Role), Why: "it is held by " + e.Holder}
}

// Lock takes the advisory lock of a role in a session, which holds it until it ends,
// and names the session after holder. It is taken once, also when it is asked for
// again. The error is a *Locked where another session holds it.
func Lock(ctx context.Context, s *clients.PostgresSession, t Target, role, holder string) error {
	name := "warroom " + holder
	doing := fmt.Sprintf("lock role %s at %s", Quote(role), t.Place())
	if err := s.Change(ctx, doing, "SET application_name = "+literal(clients.Strip(name, 63))); err != nil {
		return err
	}
	key := LockKey(role)
	if held, err := holding(ctx, s, doing, key, true); err != nil || held != "" {
		return err
	}
	for try := 1; ; try++ {
		got := false
		err := s.Read(ctx, doing, fmt.Sprintf("SELECT pg_try_advisory_lock(%d)", key), nil, func(scan func(...any) error) error { return scan(&got) })
		switch {
		case err != nil:
			return err
		case got:
			return nil
		}
		who, err := holding(ctx, s, doing, key, false)
		if err != nil {
			return &Locked{Role: role, Place: t.Place()}
		}
		// A console that was killed a moment ago: a busy server takes a while to see that
		// its session is gone.
		if who != clients.Strip(clients.Strip(name, 63), 64) && who != "" || try == lockTries {
			return &Locked{Role: role, Place: t.Place(), Holder: who}
		}
		timer := time.NewTimer(lockPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// How often a lock is asked for that we seem to hold ourselves, and how far apart.
const (
	lockTries = 12
	lockPause = 250 * time.Millisecond
)

// sqlHolder finds the session that holds an advisory lock by the halves of its key.
const sqlHolder = `SELECT a.application_name, a.pid = pg_backend_pid() FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid::text = $1::text AND l.objid::text = $2::text
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`

// Holder is who holds the lock of a role; empty for nobody.
func Holder(ctx context.Context, s *clients.PostgresSession, role string) (string, error) {
	return holding(ctx, s, "see who holds role "+Quote(role), LockKey(role), false)
}

// holding is the application_name of the session that holds a lock, of ours alone or
// of any. One that says nothing of itself is called a session.
func holding(ctx context.Context, s *clients.PostgresSession, doing string, key int64, ours bool) (string, error) {
	half := func(n uint64) string { return strconv.FormatUint(n&0xffffffff, 10) }
	who := ""
	err := s.Read(ctx, doing, sqlHolder, []any{half(uint64(key) >> 32), half(uint64(key))}, func(scan func(...any) error) error {
		var name *string
		var own bool
		if err := scan(&name, &own); err != nil {
			return err
		}
		if ours && !own {
			return nil
		}
		who = "a session without a name"
		if name != nil && *name != "" {
			who = clients.Strip(*name, 64)
		}
		return nil
	})
	return who, err
}
