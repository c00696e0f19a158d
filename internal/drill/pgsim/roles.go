package pgsim

import (
	"slices"
)

// createRole is CREATE ROLE name [WITH] with the options that ALTER ROLE takes.
func (p *parser) createRole() (plan, *failure) {
	p.i = 2
	who, _ := p.next()
	if !who.name() {
		return plan{}, p.unexpected(who)
	}
	name, user := who.s, p.tokens[1].is("user")
	p.accept("with")
	var edits []func(*Role)
	for !p.done() {
		edit, f := p.roleOption()
		if f != nil {
			return plan{}, f
		}
		edits = append(edits, edit)
	}
	return command("CREATE ROLE", func(s *session) *failure {
		if s.readsOnly() {
			return readOnly("CREATE ROLE")
		}
		me, _ := s.server.role(s.user)
		if !me.Superuser && !me.CreateRole {
			return problem("42501", "permission denied to create role")
		}
		if _, there := s.server.role(name); there {
			return problem("42710", "role %q already exists", bounded(name)).from("user.c", "CreateRole")
		}
		return s.alters(func(next *catalog) {
			r := Role{Name: name, CanLogin: user, ConnLimit: -1}
			for _, e := range edits {
				e(&r)
			}
			next.roles[name] = r
		})
	}), nil
}

// grantRole is GRANT role TO role. Other grants are not simulated.
func (p *parser) grantRole() (plan, *failure) {
	p.i = 1
	role, _ := p.next()
	if !role.name() || !p.accept("to") {
		return plan{}, notSimulated("this GRANT")
	}
	member, ok := p.next()
	if !ok || !member.name() || !p.done() {
		return plan{}, notSimulated("this GRANT")
	}
	return command("GRANT ROLE", func(s *session) *failure {
		if s.readsOnly() {
			return readOnly("GRANT ROLE")
		}
		me, _ := s.server.role(s.user)
		for _, name := range []string{role.s, member.s} {
			if _, there := s.server.role(name); !there {
				return problem("42704", "role %q does not exist", bounded(name)).from("acl.c", "get_role_oid")
			}
		}
		of, _ := s.server.role(role.s)
		switch {
		case of.Superuser && !me.Superuser:
			return problem("42501", "must be superuser to alter superusers")
		case !me.Superuser && !me.CreateRole:
			return problem("42501", "must have admin option on role %q", bounded(role.s))
		}
		if in, _ := s.server.role(member.s); slices.Contains(in.MemberOf, role.s) {
			s.warn("00000", "role \""+bounded(member.s)+"\" is already a member of role \""+bounded(role.s)+"\"")
			return nil
		}
		return s.alters(func(next *catalog) {
			m := next.roles[member.s]
			m.MemberOf = append(slices.Clone(m.MemberOf), role.s)
			next.roles[member.s] = m
		})
	}), nil
}

// alters changes the catalog, in a transaction at its end.
func (s *session) alters(change func(*catalog)) *failure {
	if s.tx == 'T' {
		s.pending = append(s.pending, change)
		return nil
	}
	s.server.cluster.change(change)
	return nil
}
