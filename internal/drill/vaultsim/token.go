package vaultsim

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxTTL is the longest life of a token, and that of one that asks for none.
const maxTTL = 768 * time.Hour

// Token is a token to be made. Created is now when zero.
type Token struct {
	ID       string // drawn from the seed when empty; a secret
	Name     string // display name
	Policies []string
	Created  time.Time
	TTL      time.Duration // 768 hours when zero, unless Period is set
	Period   time.Duration // what each renewal gives; a periodic token has no end
	Fixed    bool          // cannot be renewed
	Meta     map[string]string
}

// Format keeps the id out of every formatter.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "token of "+t.Name) }

// token is one token of the cluster. Tokens are local to their cluster.
type token struct {
	id, accessor, display, path, kind, entity string
	policies                                  []string
	meta                                      map[string]string
	created, issued, renewed, expires         time.Time // expires: zero for never
	ttl, period, explicit                     time.Duration
	uses                                      int // left; 0 for any number
	orphan, renewable                         bool
	parent                                    string
	cubbyhole                                 map[string]map[string]any
}

// AddToken makes a token and returns its id, which is a secret. It is lasting: its
// parent is not revoked.
func (c *Cluster) AddToken(t Token) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.Created.IsZero() {
		t.Created = c.now()
	}
	if t.TTL <= 0 {
		t.TTL = maxTTL
		if t.Period > 0 {
			t.TTL = t.Period
		}
	}
	n := c.newToken(&token{
		id: t.ID, display: t.Name, policies: withDefault(t.Policies), meta: t.Meta, created: t.Created.UTC(), ttl: t.TTL, period: t.Period,
		path: "auth/token/create", orphan: true, renewable: !t.Fixed, kind: "service",
	})
	return n.id
}

func withDefault(policies []string) []string {
	p := slices.Clone(policies)
	if !slices.Contains(p, "default") && !slices.Contains(p, "root") {
		p = append(p, "default")
	}
	slices.Sort(p)
	return slices.Compact(p)
}

// newToken fills in and keeps a token. The caller holds c.mu.
func (c *Cluster) newToken(t *token) *token {
	n := c.next()
	if t.id == "" {
		t.id = "hvs.CAES" + c.text("token "+n, 84)
	}
	t.accessor = c.text("accessor "+n, 24)
	t.issued = t.created
	if t.ttl > 0 {
		t.expires = t.created.Add(t.ttl)
	}
	c.tokens[t.id] = t
	return t
}

// alive is the token of an id, unless it ended.
func (c *Cluster) alive(id string) *token {
	t := c.tokens[id]
	if t != nil && !t.expires.IsZero() && !c.now().Before(t.expires) {
		c.revoke(t)
		return nil
	}
	return t
}

// revoke ends a token and those made with it.
func (c *Cluster) revoke(t *token) {
	delete(c.tokens, t.id)
	for _, child := range c.tokens {
		if child.parent == t.id && !child.orphan {
			c.revoke(child)
		}
	}
}

func (q *request) aclOf(t *token) acl {
	var ps []*policy
	for _, name := range t.policies {
		if name == "root" {
			return acl{root: true}
		}
		if p := q.s.policies[name]; p != nil {
			ps = append(ps, p)
		}
	}
	return newACL(ps)
}

// sent is the token that a request carries.
func sent(r *http.Request) string {
	if t := r.Header.Get("X-Vault-Token"); t != "" {
		return t
	}
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return bearer
}

// authorise finds out who asks and whether they may. It answers where they may not.
func (q *request) authorise() (reply, bool) {
	if q.public() {
		return reply{}, true
	}
	id := sent(q.http)
	if id == "" {
		if q.path == "sys/internal/ui/mounts" {
			return q.answer(map[string]any{"auth": map[string]any{}, "secret": map[string]any{}}), false
		}
		return noToken, false
	}
	if q.who = q.c.alive(id); q.who == nil {
		return badToken, false
	}
	a := q.aclOf(q.who)
	ok := strings.HasPrefix(q.path, "sys/internal/ui/mounts") || a.allows(q.path, q.capability(), q.needsSudo())
	if q.who.uses > 0 {
		if q.who.uses--; q.who.uses == 0 {
			q.c.revoke(q.who)
		}
	}
	if !ok {
		return denied, false
	}
	return reply{}, true
}

// capability is what a policy must grant for the operation.
func (q *request) capability() string {
	if q.op == update && !q.exists() {
		return "create"
	}
	return string(q.op)
}

// public says whether the path needs no token.
func (q *request) public() bool {
	switch q.path {
	case "sys/replication/status", "sys/replication/performance/status", "sys/replication/dr/status":
		return q.op == read
	}
	m, rest := q.s.mountOf(q.path)
	switch {
	case m == nil:
	case m.kind == "approle":
		return rest == "login" && q.op == update
	case m.kind == "pki":
		return q.op == read && (rest == "ca" || rest == "ca/pem" || rest == "ca_chain" || rest == "cert/ca" || rest == "cert/ca_chain")
	}
	return false
}

// needsSudo says whether Vault guards the path with sudo.
func (q *request) needsSudo() bool {
	for _, p := range []string{"sys/audit", "sys/auth/", "sys/audit/", "sys/seal", "sys/step-down", "sys/rotate", "sys/config/", "sys/raw", "auth/token/accessors", "auth/token/create-orphan", "auth/token/revoke-orphan"} {
		if q.path == p || strings.HasSuffix(p, "/") && strings.HasPrefix(q.path, p) || strings.TrimSuffix(q.path, "/") == p {
			return true
		}
	}
	return false
}

// tokenPath answers below auth/token/.
func (q *request) tokenPath(rest string) reply {
	switch rest {
	case "lookup-self":
		if q.op != read && q.op != update {
			return noOperation
		}
		return q.lookup(q.who)
	case "lookup":
		t := q.who
		if q.op == update {
			if t = q.c.alive(q.str("token")); t == nil {
				return refuse(http.StatusForbidden, "bad token")
			}
		} else if q.op != read {
			return noOperation
		}
		return q.lookup(t)
	case "accessors/":
		if q.op != list {
			return noOperation
		}
		var names []string
		for _, t := range q.c.tokens {
			names = append(names, t.accessor)
		}
		slices.Sort(names)
		return q.keys(names)
	}
	if q.op != update {
		if slices.Contains([]string{"create", "create-orphan", "renew-self", "renew", "revoke-self", "revoke", "lookup-accessor", "revoke-accessor", "accessors"}, strings.TrimSuffix(rest, "/")) {
			return noOperation
		}
		return noPath
	}
	switch rest {
	case "create", "create-orphan":
		return q.createToken(rest == "create-orphan")
	case "renew-self":
		return q.renew(q.who)
	case "renew":
		t := q.c.alive(q.str("token"))
		if t == nil {
			return badRequest("token not found")
		}
		return q.renew(t)
	case "revoke-self":
		q.c.revoke(q.who)
		return noContent
	case "revoke":
		if t := q.c.alive(q.str("token")); t != nil {
			q.c.revoke(t)
		}
		return noContent
	case "lookup-accessor", "revoke-accessor":
		for _, t := range q.c.tokens {
			if t.accessor == q.str("accessor") && q.c.alive(t.id) != nil {
				if rest == "revoke-accessor" {
					q.c.revoke(t)
					return noContent
				}
				return q.lookup(t, true)
			}
		}
		return refused(http.StatusBadRequest, "invalid accessor")
	}
	return noPath
}

// lookup tells what is known of a token, by its accessor without the id.
func (q *request) lookup(t *token, byAccessor ...bool) reply {
	now := q.c.now()
	data := map[string]any{
		"accessor": t.accessor, "creation_time": t.created.Unix(), "creation_ttl": int64(t.ttl / time.Second), "display_name": t.display, "entity_id": t.entity,
		"expire_time": nil, "explicit_max_ttl": int64(t.explicit / time.Second), "id": t.id, "meta": nil, "num_uses": t.uses, "orphan": t.orphan,
		"path": t.path, "policies": t.policies, "ttl": int64(0), "type": t.kind,
	}
	if len(byAccessor) > 0 {
		data["id"] = ""
	}
	if t.meta != nil {
		data["meta"] = t.meta
	}
	if !t.issued.IsZero() {
		data["issue_time"], data["renewable"] = stamp(t.issued), t.renewable
	}
	if !t.expires.IsZero() {
		// Rounded up, as a lease of which no whole second has passed is told whole.
		data["expire_time"], data["ttl"] = stamp(t.expires), int64((t.expires.Sub(now)+time.Second-1)/time.Second)
	}
	if t.period > 0 {
		data["period"] = int64(t.period / time.Second)
	}
	if !t.renewed.IsZero() {
		data["last_renewal"], data["last_renewal_time"] = stamp(t.renewed), t.renewed.Unix()
	}
	return q.answer(data)
}

// grant is the auth block of an answer.
func (q *request) grant(t *token, warnings ...string) reply {
	var meta any
	if t.meta != nil {
		meta = t.meta
	}
	a := q.answer(nil, warnings...)
	body := a.body.(response)
	body.Auth = map[string]any{
		"client_token": t.id, "accessor": t.accessor, "policies": t.policies, "token_policies": t.policies, "metadata": meta,
		"lease_duration": int64(t.ttl / time.Second), "renewable": t.renewable, "entity_id": t.entity, "token_type": t.kind, "orphan": t.orphan,
		"mfa_requirement": nil, "num_uses": t.uses,
	}
	a.body = body
	return a
}

func (q *request) createToken(orphan bool) reply {
	parent := q.aclOf(q.who)
	policies := q.names("policies")
	if len(policies) == 0 {
		policies = slices.DeleteFunc(slices.Clone(q.who.policies), func(p string) bool { return p == "default" && len(q.who.policies) > 1 })
	} else if !parent.root {
		for _, p := range policies {
			if !slices.Contains(q.who.policies, p) {
				return badRequest("child policies must be subset of parent")
			}
		}
	}
	if !q.flag("no_default_policy", false) {
		policies = withDefault(policies)
	}
	if q.flag("no_parent", false) && !parent.root {
		return badRequest("root or sudo privileges required to create orphan token")
	}
	t := &token{
		policies: policies, display: "token", meta: q.object("meta"), created: q.c.now(), path: "auth/token/create", kind: "service",
		orphan: orphan || q.flag("no_parent", false), renewable: q.flag("renewable", true), parent: q.who.id,
	}
	if name := q.str("display_name"); name != "" {
		t.display += "-" + name
	}
	t.uses, _ = q.number("num_uses")
	t.period, _ = q.duration("period")
	t.explicit, _ = q.duration("explicit_max_ttl")
	t.ttl = maxTTL
	if ttl, ok := q.duration("ttl"); ok && ttl > 0 {
		t.ttl = min(ttl, maxTTL)
	} else if slices.Contains(policies, "root") {
		t.ttl, t.renewable = 0, false
	}
	if t.period > 0 {
		t.ttl = t.period
	}
	if t.explicit > 0 {
		t.ttl = min(t.ttl, t.explicit)
	}
	var warnings []string
	for _, p := range policies {
		if q.s.policies[p] == nil && p != "root" {
			warnings = append(warnings, fmt.Sprintf("Policy %q does not exist", p))
		}
	}
	q.c.newToken(t)
	return q.grant(t, warnings...)
}

func (q *request) renew(t *token) reply {
	switch {
	case t.expires.IsZero():
		return badRequest("invalid lease ID")
	case !t.renewable:
		return badRequest("lease is not renewable")
	}
	now := q.c.now()
	t.renewed = now
	ttl := t.ttl
	if inc, ok := q.duration("increment"); ok && inc > 0 {
		ttl = inc
	}
	if t.period > 0 {
		ttl = t.period
	} else {
		ttl = min(ttl, t.created.Add(maxTTL).Sub(now))
	}
	if t.explicit > 0 {
		ttl = min(ttl, t.created.Add(t.explicit).Sub(now))
	}
	t.expires = now.Add(max(0, ttl))
	shown := *t
	shown.ttl = ttl
	return q.grant(&shown)
}

// cubbyholePath answers below cubbyhole/, which each token has for itself.
func (q *request) cubbyholePath(rest string) reply {
	t := q.who
	switch q.op {
	case read:
		if d, ok := t.cubbyhole[rest]; ok {
			return q.answer(d)
		}
		return notFound
	case list:
		return q.keys(children(slices.Sorted(maps.Keys(t.cubbyhole)), rest))
	case update:
		if len(q.in) == 0 {
			return badRequest("missing data fields")
		}
		if t.cubbyhole == nil {
			t.cubbyhole = map[string]map[string]any{}
		}
		t.cubbyhole[rest] = q.in
		return noContent
	case remove:
		delete(t.cubbyhole, rest)
		return noContent
	}
	return noOperation
}
