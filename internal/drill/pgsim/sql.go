package pgsim

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// field is one column of a result.
type field struct {
	name string
	oid  uint32
}

// plan is a statement that is understood.
type plan struct {
	params []uint32
	fields []field // none for statements that return no rows
	ends   bool    // may run in a broken transaction
	// run returns rows and, for statements that are not SELECT, the command tag.
	run func(ctx context.Context, s *session, args []any) ([][]any, string, *failure)
}

// command is a plan that returns no rows.
func command(tag string, f func(s *session) *failure) plan {
	return plan{run: func(_ context.Context, s *session, _ []any) ([][]any, string, *failure) {
		return nil, tag, f(s)
	}}
}

// writers are commands that a read-only transaction refuses, and readers those
// that it does not. None of them is simulated beyond that.
var (
	writers = []string{"insert", "update", "delete", "merge", "truncate", "create", "drop", "alter", "grant", "revoke", "comment", "reindex", "cluster", "refresh", "security", "import"}
	readers = []string{"explain", "with", "table", "values", "copy", "declare", "fetch", "listen", "notify", "unlisten", "lock", "prepare", "execute", "deallocate", "discard", "checkpoint", "call", "do", "analyze", "analyse", "vacuum", "savepoint", "release", "load", "move", "close", "reassign"}
	objects = []string{"table", "role", "user", "group", "database", "schema", "view", "index", "function", "extension", "sequence", "type", "tablespace", "policy", "trigger"}
)

// compile understands a statement, or refuses it as PostgreSQL would.
func (s *session) compile(t []token) (plan, *failure) {
	if p, ok := monitoring[normal(t)]; ok {
		return p, nil
	}
	p := parser{session: s, tokens: t}
	first := t[0]
	if first.kind != word {
		return plan{}, p.unexpected(first)
	}
	switch first.s {
	case "select":
		return p.selecting()
	case "show":
		return p.show()
	case "set":
		return p.set()
	case "reset":
		return p.reset()
	case "begin", "start", "commit", "end", "rollback", "abort":
		return p.transaction()
	case "alter":
		if len(t) > 2 && (t[1].is("role") || t[1].is("user")) {
			return p.alterRole()
		}
	case "create":
		if len(t) > 2 && (t[1].is("role") || t[1].is("user")) {
			return p.createRole()
		}
	case "grant":
		return p.grantRole()
	}
	if slices.Contains(writers, first.s) {
		return s.write(t), nil
	}
	if slices.Contains(readers, first.s) {
		return plan{}, notSimulated(strings.ToUpper(first.s))
	}
	return plan{}, p.unexpected(first)
}

// write refuses what would change something that is not simulated: in a
// read-only transaction as PostgreSQL does, else as the drill does.
func (s *session) write(t []token) plan {
	name := strings.ToUpper(t[0].s)
	if len(t) > 1 && t[1].kind == word && slices.Contains(objects, t[1].s) {
		name += " " + strings.ToUpper(t[1].s)
	}
	return command("", func(s *session) *failure {
		if s.readsOnly() {
			return readOnly(name)
		}
		return notSimulated(name)
	})
}

func readOnly(what string) *failure {
	return problem("25006", "cannot execute %s in a read-only transaction", what).from("utility.c", "PreventCommandIfReadOnly")
}

// show is SHOW name.
func (p *parser) show() (plan, *failure) {
	p.i = 1
	t, ok := p.next()
	if !ok || !t.name() {
		p.i = 1
		return plan{}, p.stuck()
	}
	name := t.s
	if t.is("time") && p.accept("zone") {
		name = "timezone"
	}
	if t.is("transaction") && p.accept("isolation", "level") {
		name = "transaction_isolation"
	}
	if !p.done() {
		return plan{}, p.stuck()
	}
	if name == "all" {
		return plan{}, notSimulated("SHOW ALL")
	}
	if _, ok := p.session.setting(name); !ok {
		return plan{}, problem("42704", "unrecognized configuration parameter %q", bounded(name)).from("guc.c", "find_option")
	}
	column := name
	for _, r := range reported {
		if strings.EqualFold(r, name) {
			column = r
		}
	}
	return plan{
		fields: []field{{column, pgtype.TextOID}},
		run: func(_ context.Context, s *session, _ []any) ([][]any, string, *failure) {
			v, _ := s.setting(name)
			return [][]any{{v}}, "SHOW", nil
		},
	}, nil
}

// set is SET [SESSION|LOCAL] name {=|TO} value, and SET TRANSACTION.
func (p *parser) set() (plan, *failure) {
	p.i = 1
	if p.accept("transaction") || p.accept("session", "characteristics", "as", "transaction") {
		ro, f := p.modes()
		if f != nil {
			return plan{}, f
		}
		return command("SET", func(s *session) *failure {
			s.readOnly = ro
			return nil
		}), nil
	}
	if !p.accept("session") {
		p.accept("local")
	}
	t, ok := p.next()
	if !ok || !t.name() {
		p.i--
		return plan{}, p.stuck()
	}
	name := t.s
	if t.is("time") && p.accept("zone") {
		name = "timezone"
	} else if !p.accept("=") && !p.accept("to") {
		return plan{}, p.stuck()
	}
	if p.done() {
		return plan{}, p.stuck()
	}
	var values []string
	for !p.done() {
		v, _ := p.next()
		if v.kind == symbol && v.s != "," && v.s != "-" {
			return plan{}, p.unexpected(v)
		}
		if !v.is(",") {
			values = append(values, v.s)
		}
	}
	value := strings.Join(values, ", ")
	if len(values) == 1 && values[0] == "default" {
		return command("SET", func(s *session) *failure { delete(s.settings, name); return nil }), nil
	}
	return command("SET", func(s *session) *failure { return s.set(name, value) }), nil
}

func (p *parser) reset() (plan, *failure) {
	if len(p.tokens) != 2 || !p.tokens[1].name() {
		p.i = min(len(p.tokens), 2)
		return plan{}, p.stuck()
	}
	name := p.tokens[1].s
	return command("RESET", func(s *session) *failure {
		if name == "all" {
			clear(s.settings)
		}
		delete(s.settings, name)
		return nil
	}), nil
}
