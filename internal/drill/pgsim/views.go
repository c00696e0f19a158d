package pgsim

import (
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// view is a relation that can be selected from.
type view struct {
	fields []field
	rows   func(s *session) [][]any
}

var views = map[string]view{
	"pg_roles": {
		fields: []field{{"rolname", pgtype.NameOID}, {"rolsuper", pgtype.BoolOID}, {"rolcanlogin", pgtype.BoolOID}, {"rolconnlimit", pgtype.Int4OID}, {"rolpassword", pgtype.TextOID}, {"rolvaliduntil", pgtype.TimestamptzOID}},
		rows: func(s *session) [][]any {
			var out [][]any
			for _, r := range s.server.cluster.catalogFor(s.server.replica).sorted() {
				out = append(out, []any{r.Name, r.Superuser, r.CanLogin, int32(r.ConnLimit), strings.Repeat("*", 8), until(r)})
			}
			return out
		},
	},
	"pg_database": {
		fields: []field{{"datname", pgtype.NameOID}, {"datallowconn", pgtype.BoolOID}},
		rows: func(s *session) [][]any {
			var out [][]any
			seen := s.server.cluster.catalogFor(s.server.replica)
			for _, name := range sortedKeys(seen.databases) {
				out = append(out, []any{name, !seen.databases[name].closed})
			}
			return out
		},
	},
	"pg_stat_activity": {
		fields: []field{{"datname", pgtype.NameOID}, {"pid", pgtype.Int4OID}, {"usename", pgtype.NameOID}, {"application_name", pgtype.TextOID}, {"client_addr", pgtype.TextOID}, {"backend_start", pgtype.TimestamptzOID}, {"wait_event_type", pgtype.TextOID}, {"state", pgtype.TextOID}, {"query", pgtype.TextOID}, {"backend_type", pgtype.TextOID}},
		rows: func(s *session) [][]any {
			var out [][]any
			for _, b := range s.server.Sessions() {
				row := []any{b.Database, int32(b.PID), b.User, b.Application, nil, nil, nil, nil, "<insufficient privilege>", nil}
				if s.seesAll() || b.User == s.user {
					copy(row[4:], []any{b.Client, b.Started, nil, b.State, b.Query, "client backend"})
					if b.BlockedBy != 0 {
						row[6] = "Lock"
					}
				}
				out = append(out, row)
			}
			return out
		},
	},
	"pg_stat_replication": {
		fields: []field{{"application_name", pgtype.TextOID}, {"state", pgtype.TextOID}, {"sent_lsn", pgtype.TextOID}, {"replay_lsn", pgtype.TextOID}},
		rows: func(s *session) [][]any {
			if s.server.replica {
				return nil
			}
			if !s.seesAll() {
				return [][]any{{standbyName, nil, nil, nil}}
			}
			written, replayed, _ := s.server.cluster.positions()
			return [][]any{{standbyName, "streaming", formatLSN(written), formatLSN(replayed)}}
		},
	},
	"pg_stat_wal_receiver": {
		fields: []field{{"status", pgtype.TextOID}, {"flushed_lsn", pgtype.TextOID}},
		rows: func(s *session) [][]any {
			if !s.server.replica {
				return nil
			}
			written, _, _ := s.server.cluster.positions()
			return [][]any{{"streaming", formatLSN(written)}}
		},
	},
}

// until is VALID UNTIL as a value.
func until(r Role) any {
	switch {
	case r.Infinite:
		return pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}
	case r.ValidUntil.IsZero():
		return nil
	}
	return r.ValidUntil
}
