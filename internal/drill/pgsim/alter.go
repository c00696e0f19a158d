package pgsim

import (
	"strconv"
	"strings"
	"time"
)

// alterRole is ALTER ROLE name [WITH] with the options that decide whether the
// role can log in. On the replica and in a read-only transaction it is refused;
// in a transaction it takes effect at COMMIT.
func (p *parser) alterRole() (plan, *failure) {
	p.i = 2
	who, _ := p.next()
	if !who.name() {
		return plan{}, p.unexpected(who)
	}
	name := who.s
	p.accept("with")
	if p.done() {
		return plan{}, p.stuck()
	}
	var edits []func(*Role)
	own := true // it changes a password and nothing else
	for !p.done() {
		t, _ := p.peek()
		own = own && (t.is("password") || t.is("encrypted"))
		edit, f := p.roleOption()
		if f != nil {
			return plan{}, f
		}
		edits = append(edits, edit)
	}
	return command("ALTER ROLE", func(s *session) *failure {
		if s.readsOnly() {
			return readOnly("ALTER ROLE")
		}
		target := name
		if who.kind == word && (name == "current_user" || name == "session_user" || name == "current_role") {
			target = s.user
		}
		r, ok := s.server.role(target)
		me, _ := s.server.role(s.user)
		switch {
		case !ok:
			return problem("42704", "role %q does not exist", bounded(target)).from("acl.c", "get_rolespec_tuple")
		case r.Superuser && !me.Superuser:
			return problem("42501", "must be superuser to alter superuser roles or change superuser attribute")
		case !me.Superuser && !me.CreateRole && (target != s.user || !own):
			return problem("42501", "permission denied")
		}
		change := func(next *catalog) {
			r := next.roles[target]
			for _, e := range edits {
				e(&r)
			}
			next.roles[target] = r
		}
		return s.alters(change)
	}), nil
}

// roleOption reads one option of ALTER ROLE.
func (p *parser) roleOption() (func(*Role), *failure) {
	switch {
	case p.accept("login"):
		return func(r *Role) { r.CanLogin = true }, nil
	case p.accept("nologin"):
		return func(r *Role) { r.CanLogin = false }, nil
	case p.accept("valid", "until"):
		return p.validUntil()
	case p.accept("connection", "limit"):
		sign := ""
		if p.accept("-") {
			sign = "-"
		}
		t, ok := p.next()
		n, err := strconv.Atoi(sign + t.s)
		if !ok || t.kind != number || err != nil {
			p.i--
			return nil, p.stuck()
		}
		if n < -1 {
			return nil, problem("22023", "invalid connection limit: %d", n)
		}
		return func(r *Role) { r.ConnLimit = n }, nil
	}
	p.accept("encrypted")
	if !p.accept("password") {
		return nil, p.stuck()
	}
	if p.accept("null") {
		return func(r *Role) { r.Verifier = "" }, nil
	}
	t, ok := p.next()
	if !ok || t.kind != text {
		p.i--
		return nil, p.stuck()
	}
	// A verifier is stored as it is: how a careful client changes a password.
	verifier := t.s
	if _, err := parseVerifier(verifier); err != nil {
		verifier = ""
		if t.s != "" {
			verifier = NewVerifier(t.s, p.session.server.cluster.salt())
		}
	}
	return func(r *Role) { r.Verifier = verifier }, nil
}

func (p *parser) validUntil() (func(*Role), *failure) {
	t, ok := p.next()
	if !ok || t.kind != text {
		p.i--
		return nil, p.stuck()
	}
	if strings.EqualFold(strings.TrimSpace(t.s), "infinity") {
		return func(r *Role) { r.ValidUntil, r.Infinite = time.Time{}, true }, nil
	}
	for _, layout := range []string{
		time.RFC3339, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999-07",
		"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02",
	} {
		if at, err := time.Parse(layout, strings.TrimSpace(t.s)); err == nil {
			return func(r *Role) { r.ValidUntil, r.Infinite = at, false }, nil
		}
	}
	return nil, problem("22007", "invalid input syntax for type timestamp with time zone: %q", bounded(t.s))
}
