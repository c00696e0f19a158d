package pgsim

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5/pgtype"
)

// Advisory locks of sessions, by 64-bit key and per database. They end with their
// sessions; they can be taken on a replica, too.

// lockKey is one lock.
type lockKey struct {
	database string
	key      int64
}

// tryLock takes a lock for a session, once more where it has it already.
func (s *Server) tryLock(k lockKey, pid uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, held := s.locks[k]; held && h.pid != pid {
		return false
	}
	h := s.locks[k]
	s.locks[k] = advisory{pid, h.count + 1}
	return true
}

// unlock gives a lock back; false where the session does not hold it.
func (s *Server) unlock(k lockKey, pid uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, held := s.locks[k]
	if !held || h.pid != pid {
		return false
	}
	if h.count--; h.count > 0 {
		s.locks[k] = h
	} else {
		delete(s.locks, k)
	}
	return true
}

// advisory is a lock that is held.
type advisory struct {
	pid   uint32
	count int
}

// lockCall is pg_try_advisory_lock(key) or pg_advisory_unlock(key).
func lockCall(name string, arg token) (item, *failure) {
	key, err := strconv.ParseInt(arg.s, 10, 64)
	if err != nil {
		return item{}, notSimulated("arithmetic beyond integers")
	}
	return item{field{name, pgtype.BoolOID}, func(_ context.Context, s *session) (any, *failure) {
		k := lockKey{s.database, key}
		if name == "pg_try_advisory_lock" {
			return s.server.tryLock(k, s.pid), nil
		}
		held := s.server.unlock(k, s.pid)
		if !held {
			s.warn("01000", "you don't own a lock of type ExclusiveLock")
		}
		return held, nil
	}}, nil
}

// sqlHolder finds the session that holds an advisory lock: how package
// actions/postgres asks.
const sqlHolder = `SELECT a.application_name, a.pid = pg_backend_pid() FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid::text = $1::text AND l.objid::text = $2::text
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`

// readHolder answers it. Everybody sees locks and application names.
func readHolder(_ context.Context, s *session, args []any) ([][]any, string, *failure) {
	high, _ := args[0].(string)
	low, _ := args[1].(string)
	h, err := strconv.ParseUint(high, 10, 32)
	l, err2 := strconv.ParseUint(low, 10, 32)
	if err != nil || err2 != nil {
		return nil, "", nil // no oid reads so
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	held, ok := s.server.locks[lockKey{s.database, int64(h<<32 | l)}]
	if !ok {
		return nil, "", nil
	}
	name := ""
	if b := s.server.backends[held.pid]; b != nil {
		name = b.Application
	}
	return [][]any{{name, held.pid == s.pid}}, "", nil
}
