package pgsim

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// Statements of the console's monitoring reads, which are beyond what the parser
// understands and are answered as a whole. A test of package checks sends them.
const (
	sqlRole = `SELECT r.rolcanlogin, r.rolconnlimit,
  coalesce(r.rolvaliduntil = 'infinity', false),
  CASE WHEN isfinite(r.rolvaliduntil) THEN extract(epoch FROM r.rolvaliduntil)::float8 WHEN r.rolvaliduntil = '-infinity' THEN 0 END,
  (SELECT count(*) FROM pg_stat_activity a WHERE a.usename = r.rolname
    AND coalesce(a.backend_type, 'client backend') = 'client backend' AND coalesce(a.application_name, '') <> 'warroom')
FROM pg_roles r WHERE r.rolname = $1::text`

	sqlConnections = `SELECT pg_has_role('pg_read_all_stats', 'USAGE'),
  count(*) FILTER (WHERE a.backend_type = 'client backend' AND coalesce(a.application_name, '') <> 'warroom'),
  current_setting('max_connections')::int,
  current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true), '0')::int,
  count(*) FILTER (WHERE CASE WHEN a.wait_event_type = 'Lock' THEN cardinality(pg_blocking_pids(a.pid)) > 0 ELSE false END),
  coalesce(extract(epoch FROM now() - (SELECT min(l.waitstart) FROM pg_locks l WHERE NOT l.granted)), 0)::float8,
  CASE WHEN $2::float8 IS NULL THEN -1 ELSE count(*) FILTER (WHERE a.usename = $1::text AND a.backend_type = 'client backend'
    AND coalesce(a.application_name, '') <> 'warroom' AND a.backend_start < to_timestamp($2::float8)) END
FROM pg_stat_activity a`

	sqlStandbys = `SELECT pg_has_role('pg_read_all_stats', 'USAGE'), coalesce(application_name, ''), coalesce(state, ''),
  coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), -1)::bigint
FROM pg_stat_replication
WHERE replay_lsn IS NOT NULL OR NOT pg_has_role('pg_read_all_stats', 'USAGE')
ORDER BY application_name, pid`

	sqlReplay = `SELECT coalesce(greatest(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0), 0)::bigint,
  pg_is_wal_replay_paused(), EXISTS (SELECT 1 FROM pg_stat_wal_receiver),
  extract(epoch FROM pg_last_xact_replay_timestamp())::float8`
)

// ours is the application_name of the console's own sessions.
const ours = "warroom"

// monitoring holds the plans of those statements by their normal form.
var monitoring = func() map[string]plan {
	out := map[string]plan{}
	for sql, p := range map[string]plan{
		sqlRole: {
			params: []uint32{pgtype.TextOID},
			fields: []field{{"rolcanlogin", pgtype.BoolOID}, {"rolconnlimit", pgtype.Int4OID}, {"coalesce", pgtype.BoolOID}, {"case", pgtype.Float8OID}, {"count", pgtype.Int8OID}},
			run:    readRole,
		},
		sqlConnections: {
			params: []uint32{pgtype.TextOID, pgtype.Float8OID},
			fields: []field{{"pg_has_role", pgtype.BoolOID}, {"count", pgtype.Int8OID}, {"current_setting", pgtype.Int4OID}, {"?column?", pgtype.Int4OID}, {"count", pgtype.Int8OID}, {"coalesce", pgtype.Float8OID}, {"case", pgtype.Int8OID}},
			run:    readConnections,
		},
		sqlStandbys: {
			fields: []field{{"pg_has_role", pgtype.BoolOID}, {"coalesce", pgtype.TextOID}, {"coalesce", pgtype.TextOID}, {"coalesce", pgtype.Int8OID}},
			run:    readStandbys,
		},
		sqlHolder: {
			params: []uint32{pgtype.TextOID, pgtype.TextOID},
			fields: []field{{"application_name", pgtype.TextOID}, {"?column?", pgtype.BoolOID}},
			run:    readHolder,
		},
		sqlReplay: {
			fields: []field{{"coalesce", pgtype.Int8OID}, {"pg_is_wal_replay_paused", pgtype.BoolOID}, {"exists", pgtype.BoolOID}, {"extract", pgtype.Float8OID}},
			run:    readReplay,
		},
	} {
		statements, f := lex(sql)
		if f != nil || len(statements) != 1 {
			panic("pgsim: a statement of its own does not lex")
		}
		out[normal(statements[0])] = p
	}
	return out
}()

func epoch(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// seesAll reports whether the session's role is in pg_read_all_stats.
func (s *session) seesAll() bool {
	r, _ := s.server.role(s.user)
	return r.Superuser || r.Monitor
}

func readRole(_ context.Context, s *session, args []any) ([][]any, string, *failure) {
	name, _ := args[0].(string)
	r, ok := s.server.role(name)
	if !ok {
		return nil, "", nil
	}
	var until any
	if !r.Infinite && !r.ValidUntil.IsZero() {
		until = epoch(r.ValidUntil)
	}
	var used int64
	for _, b := range s.server.Sessions() {
		if b.User == name && b.Application != ours {
			used++
		}
	}
	return [][]any{{r.CanLogin, int32(r.ConnLimit), r.Infinite, until, used}}, "", nil
}

func readConnections(_ context.Context, s *session, args []any) ([][]any, string, *failure) {
	name, _ := args[0].(string)
	before, known := args[1].(float64)
	all, now := s.seesAll(), s.server.now()
	var used, blocked, old int64
	var waited float64
	if !known {
		old = -1
	}
	for _, b := range s.server.Sessions() {
		if b.BlockedBy != 0 {
			// pg_locks is for everyone.
			waited = max(waited, now.Sub(b.WaitStart).Seconds())
		}
		if !all && b.User != s.user {
			continue
		}
		if b.BlockedBy != 0 {
			blocked++
		}
		if b.Application == ours {
			continue
		}
		used++
		if known && b.User == name && epoch(b.Started) < before {
			old++
		}
	}
	o := s.server.cluster.opts
	return [][]any{{all, used, int32(o.MaxConnections), int32(o.ReservedConnections), blocked, waited, old}}, "", nil
}

func readStandbys(_ context.Context, s *session, _ []any) ([][]any, string, *failure) {
	if s.server.replica {
		return nil, "", nil
	}
	if !s.seesAll() {
		return [][]any{{false, standbyName, "", int64(-1)}}, "", nil
	}
	written, replayed, _ := s.server.cluster.positions()
	return [][]any{{true, standbyName, "streaming", written - replayed}}, "", nil
}

func readReplay(_ context.Context, s *session, _ []any) ([][]any, string, *failure) {
	if !s.server.replica {
		return nil, "", notInRecovery
	}
	written, replayed, paused := s.server.cluster.positions()
	var last any
	if at := s.server.cluster.lastReplay(); !at.IsZero() {
		last = epoch(at)
	}
	return [][]any{{written - replayed, paused, true, last}}, "", nil
}

// standbyName is the replica's application_name at the primary.
const standbyName = "walreceiver"
