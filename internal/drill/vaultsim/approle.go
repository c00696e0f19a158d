package vaultsim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// appRole is one role of AppRole. It is replaced, never changed.
type appRole struct {
	id       string
	policies []string
	ttl, max time.Duration
	uses     int            // of a new secret id
	secrets  map[string]int // secret ids, with the uses that each has left; 0 for any number
}

// approlePath answers below an AppRole mount.
func (q *request) approlePath(m *mount, rest string) reply {
	if rest == "login" {
		return q.approleLogin(m)
	}
	if rest == "role/" && q.op == list {
		return q.keys(slices.Sorted(maps.Keys(m.approles)))
	}
	name, sub, _ := strings.Cut(strings.TrimPrefix(rest, "role/"), "/")
	if !strings.HasPrefix(rest, "role/") || name == "" {
		return noPath
	}
	role := m.approles[name]
	switch {
	case sub == "" && q.op == update:
		next := &appRole{id: q.c.uuid("role id", q.c.next()), secrets: map[string]int{}}
		if role != nil {
			*next = *role
		}
		if _, ok := q.in["token_policies"]; ok {
			next.policies = q.names("token_policies")
		}
		if d, ok := q.duration("token_ttl"); ok {
			next.ttl = d
		}
		if d, ok := q.duration("token_max_ttl"); ok {
			next.max = d
		}
		if n, ok := q.number("secret_id_num_uses"); ok {
			next.uses = n
		}
		path := m.path
		q.write(func(s *store) { s.mounts[path].approles[name] = next })
		return noContent
	case role == nil && q.op == remove:
		return noContent
	case role == nil:
		return notFound
	case sub == "" && q.op == read:
		return q.answer(map[string]any{
			"bind_secret_id": true, "local_secret_ids": false, "secret_id_bound_cidrs": nil, "secret_id_num_uses": role.uses, "secret_id_ttl": 0,
			"token_bound_cidrs": []string{}, "token_explicit_max_ttl": 0, "token_max_ttl": int64(role.max / time.Second), "token_no_default_policy": false,
			"token_num_uses": 0, "token_period": 0, "token_policies": role.policies, "token_ttl": int64(role.ttl / time.Second), "token_type": "default",
		})
	case sub == "" && q.op == remove:
		path := m.path
		q.write(func(s *store) { delete(s.mounts[path].approles, name) })
		return noContent
	case sub == "role-id" && q.op == read:
		return q.answer(map[string]any{"role_id": role.id})
	case sub == "secret-id" && q.op == update:
		id, accessor, path := q.c.uuid("secret id", q.c.next()), q.c.uuid("secret id accessor", q.c.next()), m.path
		uses := role.uses
		next := *role
		next.secrets = maps.Clone(role.secrets)
		next.secrets[id] = uses
		q.write(func(s *store) { s.mounts[path].approles[name] = &next })
		return q.answer(map[string]any{"secret_id": id, "secret_id_accessor": accessor, "secret_id_num_uses": uses, "secret_id_ttl": 0})
	}
	return noPath
}

func (q *request) approleLogin(m *mount) reply {
	if q.op != update {
		return noOperation
	}
	q.mountType = ""
	for name, role := range m.approles {
		if role.id != q.str("role_id") {
			continue
		}
		id := q.str("secret_id")
		if id == "" {
			return badRequest("missing secret_id")
		}
		left, ok := role.secrets[id]
		if !ok {
			break
		}
		if left > 0 {
			next, path := *role, m.path
			next.secrets = maps.Clone(role.secrets)
			if next.secrets[id]--; left == 1 {
				delete(next.secrets, id)
			}
			q.write(func(s *store) { s.mounts[path].approles[name] = &next })
		}
		ttl := role.ttl
		if ttl <= 0 {
			ttl = maxTTL
		}
		if role.max > 0 {
			ttl = min(ttl, role.max)
		}
		return q.grant(q.c.newToken(&token{
			display: strings.TrimSuffix(strings.TrimPrefix(m.path, "auth/"), "/"), policies: withDefault(role.policies), meta: map[string]string{"role_name": name},
			created: q.c.now(), ttl: ttl, path: m.path + "login", kind: "service", entity: q.c.uuid("entity", role.id), orphan: true, renewable: true,
		}))
	}
	return badRequest("invalid role or secret ID")
}
