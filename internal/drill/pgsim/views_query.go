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

// viewQuery is SELECT {* | count(*) | columns} FROM view [WHERE column = value
// [AND …]] [ORDER BY column [DESC]] [LIMIT n].
type viewQuery struct {
	view  view
	pick  []int // columns in order; nil for all
	count bool
	tests []viewTest
	order int // a column, or -1
	down  bool
	limit int // or -1
}

// viewTest compares a column with a literal.
type viewTest struct {
	column int
	value  string
	equal  bool
}

// from compiles a viewQuery.
func (p *parser) from() (plan, *failure) {
	p.i = 1
	q := viewQuery{order: -1, limit: -1}
	var want []token
	switch {
	case p.accept("*"):
	case p.accept("count", "(", "*", ")"):
		q.count = true
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
	if f := p.relation(&q); f != nil {
		return plan{}, f
	}
	for _, t := range want {
		i, f := q.view.column(t)
		if f != nil {
			return plan{}, f
		}
		q.pick = append(q.pick, i)
	}
	if f := p.conditions(&q); f != nil {
		return plan{}, f
	}
	if f := p.ordering(&q); f != nil {
		return plan{}, f
	}
	if !p.done() {
		return plan{}, notSimulated("what follows the FROM clause")
	}
	return plan{fields: q.fields(), run: func(_ context.Context, s *session, _ []any) ([][]any, string, *failure) {
		return q.rows(s), "", nil
	}}, nil
}

// relation reads the name of the view.
func (p *parser) relation(q *viewQuery) *failure {
	if p.accept("pg_catalog") {
		p.accept(".")
	}
	t, ok := p.next()
	if !ok || !t.name() {
		p.i--
		return p.stuck()
	}
	if q.view, ok = views[t.s]; !ok {
		return problem("42P01", "relation %q does not exist", bounded(t.s)).at(t.pos).from("parse_relation.c", "parserOpenTable")
	}
	return nil
}

// column finds a column by name.
func (v view) column(t token) (int, *failure) {
	i := slices.IndexFunc(v.fields, func(f field) bool { return f.name == t.s })
	if i < 0 {
		return 0, problem("42703", "column %q does not exist", bounded(t.s)).at(t.pos).from("parse_relation.c", "errorMissingColumn")
	}
	return i, nil
}

// conditions reads WHERE.
func (p *parser) conditions(q *viewQuery) *failure {
	if !p.accept("where") {
		return nil
	}
	for {
		t, ok := p.next()
		if !ok || !t.name() {
			return notSimulated("this condition")
		}
		i, f := q.view.column(t)
		if f != nil {
			return f
		}
		equal := p.accept("=")
		if !equal && !p.accept("<>") && !p.accept("!=") {
			return notSimulated("this condition")
		}
		value, ok := p.next()
		if !ok || value.kind != text && value.kind != number && !value.is("true") && !value.is("false") {
			return notSimulated("this condition")
		}
		q.tests = append(q.tests, viewTest{i, value.s, equal})
		if !p.accept("and") {
			return nil
		}
	}
}

// ordering reads ORDER BY and LIMIT.
func (p *parser) ordering(q *viewQuery) *failure {
	if p.accept("order", "by") {
		t, _ := p.next()
		i, f := q.view.column(t)
		if f != nil {
			return f
		}
		q.order, q.down = i, p.accept("desc")
		p.accept("asc")
	}
	if p.accept("limit") {
		t, _ := p.next()
		n, err := strconv.Atoi(t.s)
		if err != nil {
			return notSimulated("this limit")
		}
		q.limit = n
	}
	return nil
}

func (q *viewQuery) fields() []field {
	switch {
	case q.count:
		return []field{{"count", pgtype.Int8OID}}
	case q.pick == nil:
		return q.view.fields
	}
	out := make([]field, len(q.pick))
	for i, c := range q.pick {
		out[i] = q.view.fields[c]
	}
	return out
}

func (q *viewQuery) rows(s *session) [][]any {
	rows := slices.DeleteFunc(q.view.rows(s), func(row []any) bool {
		return slices.ContainsFunc(q.tests, func(t viewTest) bool {
			return row[t.column] == nil || sameValue(row[t.column], t.value) != t.equal
		})
	})
	if q.count {
		return [][]any{{int64(len(rows))}}
	}
	if q.order >= 0 {
		slices.SortStableFunc(rows, func(a, b []any) int {
			c := cmp.Compare(sortText(a[q.order]), sortText(b[q.order]))
			if q.down {
				return -c
			}
			return c
		})
	}
	if q.limit >= 0 && q.limit < len(rows) {
		rows = rows[:q.limit]
	}
	if q.pick == nil {
		return rows
	}
	for i, row := range rows {
		some := make([]any, len(q.pick))
		for j, c := range q.pick {
			some[j] = row[c]
		}
		rows[i] = some
	}
	return rows
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
