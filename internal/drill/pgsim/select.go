package pgsim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
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

// item is one expression of a select list without FROM.
type item struct {
	field
	get func(ctx context.Context, s *session) (any, *failure)
}

// selecting is SELECT: expressions, or columns of one of the views.
func (p *parser) selecting() (plan, *failure) {
	for _, t := range p.tokens {
		if t.is("from") {
			return p.from()
		}
	}
	p.i = 1
	var items []item
	var fields []field
	for {
		one, f := p.expression()
		if f != nil {
			return plan{}, f
		}
		items, fields = append(items, one), append(fields, one.field)
		if p.accept(",") {
			continue
		}
		break
	}
	if t, ok := p.peek(); ok {
		if t.kind == symbol && t.s != ")" || t.is("where") || t.is("order") || t.is("limit") || t.is("union") {
			return plan{}, notSimulated("this expression")
		}
		return plan{}, p.unexpected(t)
	}
	return plan{fields: fields, run: func(ctx context.Context, s *session, _ []any) ([][]any, string, *failure) {
		row := make([]any, len(items))
		for i, one := range items {
			v, f := one.get(ctx, s)
			if f != nil {
				return nil, "", f
			}
			row[i] = v
		}
		return [][]any{row}, "", nil
	}}, nil
}

// expression reads one expression and its name.
func (p *parser) expression() (item, *failure) {
	t, ok := p.next()
	if !ok {
		return item{}, p.stuck()
	}
	fixed := func(oid uint32, v any) item {
		return item{field{"?column?", oid}, func(context.Context, *session) (any, *failure) { return v, nil }}
	}
	var out item
	switch {
	case t.kind == number:
		n, err := strconv.ParseInt(t.s, 10, 32)
		if err != nil {
			return item{}, notSimulated("arithmetic beyond integers")
		}
		out = fixed(pgtype.Int4OID, int32(n))
	case t.kind == text:
		out = fixed(pgtype.TextOID, t.s)
	case t.is("null"):
		out = fixed(pgtype.TextOID, nil)
	case t.is("true"), t.is("false"):
		out = fixed(pgtype.BoolOID, t.s == "true")
		out.name = "bool"
	case t.kind == word && !p.bracket():
		fn, known := keywords[t.s]
		if !known {
			if t.is("from") || t.is("where") {
				return item{}, p.unexpected(t)
			}
			return item{}, problem("42703", "column %q does not exist", bounded(t.s)).at(t.pos).from("parse_relation.c", "errorMissingColumn")
		}
		out = item{field{t.s, fn.oid}, func(_ context.Context, s *session) (any, *failure) { return fn.get(s) }}
	case t.kind == word:
		var f *failure
		if out, f = p.call(t); f != nil {
			return item{}, f
		}
	case t.kind == symbol:
		return item{}, p.unexpected(t)
	default:
		return item{}, notSimulated("this expression")
	}
	if p.accept("as") {
		if a, ok := p.peek(); !ok || !a.name() {
			return item{}, p.stuck()
		}
	}
	if a, ok := p.peek(); ok && a.name() {
		out.name = a.s
		p.i++
	}
	return out, nil
}

func (p *parser) bracket() bool {
	t, ok := p.peek()
	return ok && t.is("(")
}

// call reads the call of a function.
func (p *parser) call(t token) (item, *failure) {
	p.i++ // the bracket
	if p.accept(")") {
		fn, ok := functions[t.s]
		if !ok {
			f := problem("42883", "function %s() does not exist", bounded(t.s)).at(t.pos).from("parse_func.c", "ParseFuncOrColumn")
			return item{}, f.with("", "No function matches the given name and argument types. You might need to add explicit type casts.")
		}
		return item{field{t.s, fn.oid}, func(_ context.Context, s *session) (any, *failure) { return fn.get(s) }}, nil
	}
	arg, ok := p.next()
	if !ok || !p.accept(")") {
		return item{}, notSimulated("this expression")
	}
	switch {
	case t.is("current_setting") && arg.kind == text:
		return item{field{t.s, pgtype.TextOID}, func(_ context.Context, s *session) (any, *failure) {
			v, ok := s.setting(arg.s)
			if !ok {
				return nil, problem("42704", "unrecognized configuration parameter %q", bounded(arg.s)).from("guc.c", "find_option")
			}
			return v, nil
		}}, nil
	case t.is("pg_sleep") && arg.kind == number:
		seconds, err := strconv.ParseFloat(arg.s, 64)
		if err != nil || seconds > 3600 {
			return item{}, notSimulated("so long a pg_sleep")
		}
		return item{field{t.s, pgtype.TextOID}, func(ctx context.Context, _ *session) (any, *failure) {
			return "", sleep(ctx, time.Duration(seconds*float64(time.Second)))
		}}, nil
	case t.is("pg_terminate_backend") && arg.kind == number:
		return item{field{t.s, pgtype.BoolOID}, func(_ context.Context, s *session) (any, *failure) {
			if r, _ := s.server.role(s.user); !r.Superuser {
				return nil, problem("42501", "must be a member of the role whose process is being terminated or member of pg_signal_backend")
			}
			pid, _ := strconv.Atoi(arg.s)
			return s.server.EndSessions(pid) == 1, nil
		}}, nil
	}
	return item{}, notSimulated("the function " + bounded(t.s) + " with these arguments")
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

// from is SELECT {* | count(*) | columns} FROM view [WHERE column = value
// [AND …]] [ORDER BY column [DESC]] [LIMIT n].
func (p *parser) from() (plan, *failure) {
	p.i = 1
	var want []token
	count := false
	switch {
	case p.accept("*"):
	case p.accept("count", "(", "*", ")"):
		count = true
	default:
		for {
			t, ok := p.next()
			if !ok || !t.name() {
				return plan{}, notSimulated("this select list")
			}
			want = append(want, t)
			if !p.accept(",") {
				break
			}
		}
	}
	if !p.accept("from") {
		return plan{}, notSimulated("this select list")
	}
	if p.accept("pg_catalog") {
		p.accept(".")
	}
	rel, ok := p.next()
	if !ok || !rel.name() {
		return plan{}, p.stuck()
	}
	v, ok := views[rel.s]
	if !ok {
		return plan{}, problem("42P01", "relation %q does not exist", bounded(rel.s)).at(rel.pos).from("parse_relation.c", "parserOpenTable")
	}
	column := func(t token) (int, *failure) {
		i := slices.IndexFunc(v.fields, func(f field) bool { return f.name == t.s })
		if i < 0 {
			return 0, problem("42703", "column %q does not exist", bounded(t.s)).at(t.pos).from("parse_relation.c", "errorMissingColumn")
		}
		return i, nil
	}
	out := plan{fields: v.fields}
	var pick []int
	if want != nil {
		out.fields = nil
	}
	for _, t := range want {
		i, f := column(t)
		if f != nil {
			return plan{}, f
		}
		pick, out.fields = append(pick, i), append(out.fields, v.fields[i])
	}
	type test struct {
		column int
		value  string
		equal  bool
	}
	var tests []test
	if p.accept("where") {
		for {
			t, ok := p.next()
			if !ok || !t.name() {
				return plan{}, notSimulated("this condition")
			}
			i, f := column(t)
			if f != nil {
				return plan{}, f
			}
			equal := p.accept("=")
			if !equal && !p.accept("<>") && !p.accept("!=") {
				return plan{}, notSimulated("this condition")
			}
			value, ok := p.next()
			if !ok || value.kind != text && value.kind != number && !value.is("true") && !value.is("false") {
				return plan{}, notSimulated("this condition")
			}
			tests = append(tests, test{i, value.s, equal})
			if !p.accept("and") {
				break
			}
		}
	}
	order, down, limit := -1, false, -1
	if p.accept("order", "by") {
		t, _ := p.next()
		i, f := column(t)
		if f != nil {
			return plan{}, f
		}
		order, down = i, p.accept("desc")
		p.accept("asc")
	}
	if p.accept("limit") {
		t, _ := p.next()
		n, err := strconv.Atoi(t.s)
		if err != nil {
			return plan{}, notSimulated("this limit")
		}
		limit = n
	}
	if !p.done() {
		return plan{}, notSimulated("what follows the FROM clause")
	}
	if count {
		out.fields = []field{{"count", pgtype.Int8OID}}
	}
	out.run = func(_ context.Context, s *session, _ []any) ([][]any, string, *failure) {
		rows := v.rows(s)
		rows = slices.DeleteFunc(rows, func(row []any) bool {
			for _, t := range tests {
				if row[t.column] == nil || sameValue(row[t.column], t.value) != t.equal {
					return true
				}
			}
			return false
		})
		if count {
			return [][]any{{int64(len(rows))}}, "", nil
		}
		if order >= 0 {
			slices.SortStableFunc(rows, func(a, b []any) int {
				c := cmp.Compare(sortText(a[order]), sortText(b[order]))
				if down {
					return -c
				}
				return c
			})
		}
		if limit >= 0 && limit < len(rows) {
			rows = rows[:limit]
		}
		if pick != nil {
			for i, row := range rows {
				some := make([]any, len(pick))
				for j, c := range pick {
					some[j] = row[c]
				}
				rows[i] = some
			}
		}
		return rows, "", nil
	}
	return out, nil
}

func sameValue(v any, literal string) bool {
	if b, ok := v.(bool); ok {
		on, valid := parseBool(literal)
		return valid && on == b
	}
	return fmt.Sprint(v) == literal
}

// sortText orders values of one column: numbers by size, the rest as text.
func sortText(v any) string {
	switch v := v.(type) {
	case int32:
		return fmt.Sprintf("%011d", v)
	case int64:
		return fmt.Sprintf("%020d", v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case nil:
		return "\xff"
	}
	return strings.ToLower(fmt.Sprint(v))
}
