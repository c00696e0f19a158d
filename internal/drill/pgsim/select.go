package pgsim

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

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
	case (t.is("pg_try_advisory_lock") || t.is("pg_advisory_unlock")) && arg.kind == number:
		return lockCall(t.s, arg)
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
