package pgsim

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
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

// parser walks the tokens of one statement.
type parser struct {
	session *session
	tokens  []token
	i       int
}

func (p *parser) peek() (token, bool) {
	if p.i < len(p.tokens) {
		return p.tokens[p.i], true
	}
	return token{}, false
}

// next returns the next token and goes past it.
func (p *parser) next() (token, bool) {
	t, ok := p.peek()
	p.i++
	return t, ok
}

// accept goes past the words or symbols, if they come next.
func (p *parser) accept(words ...string) bool {
	for i, w := range words {
		if p.i+i >= len(p.tokens) || !p.tokens[p.i+i].is(w) {
			return false
		}
	}
	p.i += len(words)
	return true
}

func (p *parser) done() bool { return p.i >= len(p.tokens) }

// unexpected is a syntax error at a token.
func (p *parser) unexpected(t token) *failure {
	return problem("42601", "syntax error at or near %q", bounded(t.raw)).at(t.pos).from("scan.l", "scanner_yyerror")
}

// stuck is a syntax error where the parser stands.
func (p *parser) stuck() *failure {
	if t, ok := p.peek(); ok {
		return p.unexpected(t)
	}
	last := p.tokens[len(p.tokens)-1]
	return problem("42601", "syntax error at end of input").at(last.pos+len([]rune(last.raw))).from("scan.l", "scanner_yyerror")
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

// transaction is BEGIN, COMMIT and ROLLBACK.
func (p *parser) transaction() (plan, *failure) {
	first, _ := p.next()
	if first.is("start") {
		if !p.accept("transaction") {
			return plan{}, p.stuck()
		}
	} else if !p.accept("work") {
		p.accept("transaction")
	}
	if first.is("begin") || first.is("start") {
		ro, f := p.modes()
		if f != nil {
			return plan{}, f
		}
		tag := strings.ToUpper(first.s)
		if first.is("start") {
			tag = "START TRANSACTION"
		}
		return command(tag, func(s *session) *failure {
			if s.tx != 'I' {
				s.warn("25001", "there is already a transaction in progress")
				return nil
			}
			s.tx, s.readOnly = 'T', ro
			return nil
		}), nil
	}
	if !p.done() {
		if p.accept("to") {
			return plan{}, notSimulated("ROLLBACK TO SAVEPOINT")
		}
		return plan{}, p.stuck()
	}
	commit := first.is("commit") || first.is("end")
	end := plan{ends: true}
	end.run = func(_ context.Context, s *session, _ []any) ([][]any, string, *failure) {
		if s.tx == 'I' {
			s.warn("25P01", "there is no transaction in progress")
		}
		done, tag := s.pending, "ROLLBACK"
		if commit && s.tx != 'E' {
			tag = "COMMIT"
			for _, f := range done {
				s.server.cluster.change(f)
			}
		}
		s.tx, s.pending, s.readOnly = 'I', nil, false
		return nil, tag, nil
	}
	return end, nil
}

// modes reads transaction modes and returns whether it is read only.
func (p *parser) modes() (readOnly bool, f *failure) {
	for !p.done() {
		switch {
		case p.accept("read", "only"):
			readOnly = true
		case p.accept("read", "write"):
			readOnly = false
		case p.accept("isolation", "level", "read", "committed"), p.accept("isolation", "level", "repeatable", "read"),
			p.accept("isolation", "level", "serializable"), p.accept("deferrable"), p.accept("not", "deferrable"), p.accept(","):
		default:
			return false, p.stuck()
		}
	}
	return readOnly, nil
}

// warn sends a notice.
func (s *session) warn(code, message string) {
	s.backend.Send(&pgproto3.NoticeResponse{Severity: "WARNING", SeverityUnlocalized: "WARNING", Code: code, Message: message})
}
