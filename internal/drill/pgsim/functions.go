package pgsim

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// function is a function without arguments, or a keyword that reads like one.
type function struct {
	oid uint32
	get func(s *session) (any, *failure)
}

// plain makes a function that cannot fail.
func plain(oid uint32, get func(s *session) any) function {
	return function{oid, func(s *session) (any, *failure) { return get(s), nil }}
}

var inRecovery = problem("55000", "recovery is in progress").with("", "WAL control functions cannot be executed during recovery.").from("xlogfuncs.c", "pg_current_wal_lsn")
var notInRecovery = problem("55000", "recovery is not in progress").with("", "Recovery control functions can only be executed during recovery.").from("xlogfuncs.c", "pg_is_wal_replay_paused")

// keywords are functions that are called without brackets.
var keywords = map[string]function{
	"current_user":      plain(pgtype.NameOID, func(s *session) any { return s.user }),
	"session_user":      plain(pgtype.NameOID, func(s *session) any { return s.user }),
	"user":              plain(pgtype.NameOID, func(s *session) any { return s.user }),
	"current_role":      plain(pgtype.NameOID, func(s *session) any { return s.user }),
	"current_catalog":   plain(pgtype.NameOID, func(s *session) any { return s.database }),
	"current_timestamp": plain(pgtype.TimestamptzOID, func(s *session) any { return s.server.now() }),
}

// functions are called with empty brackets.
var functions = map[string]function{
	"version": plain(pgtype.TextOID, func(s *session) any {
		return "PostgreSQL " + s.server.cluster.opts.ServerVersion + " (warroom drill) on simulated hardware"
	}),
	"current_database":         plain(pgtype.NameOID, func(s *session) any { return s.database }),
	"now":                      plain(pgtype.TimestamptzOID, func(s *session) any { return s.server.now() }),
	"clock_timestamp":          plain(pgtype.TimestamptzOID, func(s *session) any { return s.server.now() }),
	"pg_postmaster_start_time": plain(pgtype.TimestamptzOID, func(s *session) any { return s.server.booted }),
	"pg_backend_pid":           plain(pgtype.Int4OID, func(s *session) any { return int32(s.pid) }),
	"pg_is_in_recovery":        plain(pgtype.BoolOID, func(s *session) any { return s.server.replica }),
	"pg_current_wal_lsn": {pgtype.TextOID, func(s *session) (any, *failure) {
		if s.server.replica {
			return nil, inRecovery
		}
		written, _, _ := s.server.cluster.positions()
		return formatLSN(written), nil
	}},
	"pg_last_wal_receive_lsn": plain(pgtype.TextOID, func(s *session) any {
		if !s.server.replica {
			return nil
		}
		written, _, _ := s.server.cluster.positions()
		return formatLSN(written)
	}),
	"pg_last_wal_replay_lsn": plain(pgtype.TextOID, func(s *session) any {
		if !s.server.replica {
			return nil
		}
		_, replayed, _ := s.server.cluster.positions()
		return formatLSN(replayed)
	}),
	"pg_is_wal_replay_paused": {pgtype.BoolOID, func(s *session) (any, *failure) {
		if !s.server.replica {
			return nil, notInRecovery
		}
		_, _, paused := s.server.cluster.positions()
		return paused, nil
	}},
	"pg_wal_replay_pause":  replayControl((*Cluster).PauseReplay),
	"pg_wal_replay_resume": replayControl((*Cluster).ResumeReplay),
}

func replayControl(do func(*Cluster)) function {
	return function{pgtype.TextOID, func(s *session) (any, *failure) {
		if r, _ := s.server.role(s.user); !r.Superuser {
			return nil, problem("42501", "permission denied for function pg_wal_replay_control")
		}
		if !s.server.replica {
			return nil, notInRecovery
		}
		do(s.server.cluster)
		return "", nil
	}}
}

// sleep waits on the system's clock: a client really waits.
func sleep(ctx context.Context, d time.Duration) *failure {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		if context.Cause(ctx) == errStatementTimeout {
			return problem("57014", "canceling statement due to statement timeout")
		}
		return problem("57014", "canceling statement due to user request")
	}
}
