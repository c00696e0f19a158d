package vaultsim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
)

// policy is one ACL policy: its text and what it says.
type policy struct {
	name, text string
	rules      []rule
}

// rule grants capabilities on a path, which may hold + for one segment and end in a
// * for anything.
type rule struct {
	path string // without the *
	glob bool
	caps []string // deny alone when it denies
}

var capabilities = []string{"create", "read", "update", "delete", "list", "sudo", "deny", "patch", "subscribe", "recover"}

// parsePolicy reads a policy in Vault's language.
func parsePolicy(name, source string) (*policy, error) {
	fail := func(err error) (*policy, error) { return nil, fmt.Errorf("failed to parse policy: %w", err) }
	file, err := hcl.Parse(source)
	if err != nil {
		return fail(err)
	}
	root, ok := file.Node.(*ast.ObjectList)
	if !ok {
		return fail(fmt.Errorf("does not contain a root object"))
	}
	p := &policy{name: name, text: source}
	for _, item := range root.Filter("path").Items {
		path := "path"
		if len(item.Keys) > 0 {
			path, _ = item.Keys[0].Token.Value().(string)
		}
		var in struct{ Capabilities []string }
		if err := hcl.DecodeObject(&in, item.Val); err != nil {
			return fail(fmt.Errorf("path %q: %w", path, err))
		}
		r := rule{caps: in.Capabilities}
		for _, c := range in.Capabilities {
			if !slices.Contains(capabilities, c) {
				return fail(fmt.Errorf("path %q: invalid capability %q", path, c))
			}
		}
		if strings.Contains(path, "+*") {
			return fail(fmt.Errorf("path %q: invalid use of wildcards ('+*' is forbidden)", path))
		}
		if slices.Contains(r.caps, "deny") {
			r.caps = []string{"deny"}
		}
		r.path, r.glob = strings.CutSuffix(strings.TrimPrefix(path, "/"), "*")
		p.rules = append(p.rules, r)
	}
	return p, nil
}

// acl is what all policies of a token say together.
type acl struct {
	root  bool
	rules []rule // one a path
}

func newACL(policies []*policy) acl {
	var a acl
	at := map[string]int{}
	for _, p := range policies {
		if p.name == "root" {
			a.root = true
		}
		for _, r := range p.rules {
			key := r.path
			if r.glob {
				key += "*"
			}
			i, ok := at[key]
			if !ok {
				at[key] = len(a.rules)
				r.caps = slices.Clone(r.caps)
				a.rules = append(a.rules, r)
				continue
			}
			have := &a.rules[i]
			if slices.Contains(r.caps, "deny") || slices.Contains(have.caps, "deny") {
				have.caps = []string{"deny"}
				continue
			}
			for _, c := range r.caps {
				if !slices.Contains(have.caps, c) {
					have.caps = append(have.caps, c)
				}
			}
		}
	}
	return a
}

// on are the capabilities on a path: of the rule for exactly it, or else of the most
// specific one that fits. None means none.
func (a acl) on(path string) []string {
	if a.root {
		return []string{"root"}
	}
	path = strings.TrimPrefix(path, "/")
	var best *rule
	for i := range a.rules {
		r := &a.rules[i]
		if !r.glob && r.path == path {
			best = r
			break
		}
		if r.fits(path) && (best == nil || best.below(r)) {
			best = r
		}
	}
	if best == nil {
		return nil
	}
	return best.caps
}

// allows says whether an operation may be done on a path, and whether as sudo.
func (a acl) allows(path string, need string, sudo bool) bool {
	caps := a.on(path)
	if trimmed, ok := strings.CutSuffix(path, "/"); ok && caps == nil && need == "list" {
		caps = a.exactly(trimmed)
	}
	if slices.Contains(caps, "root") {
		return true
	}
	return slices.Contains(caps, need) && (!sudo || slices.Contains(caps, "sudo"))
}

func (a acl) exactly(path string) []string {
	for _, r := range a.rules {
		if !r.glob && r.path == path {
			return r.caps
		}
	}
	return nil
}

// reaches says whether any rule grants anything within a mount.
func (a acl) reaches(mount string) bool {
	if a.root {
		return true
	}
	for _, r := range a.rules {
		if len(r.caps) == 0 || r.caps[0] == "deny" {
			continue
		}
		fixed, _, wild := strings.Cut(r.path, "+")
		if wild || r.glob {
			if strings.HasPrefix(fixed, mount) || strings.HasPrefix(mount, fixed) && a.covers(r, mount) {
				return true
			}
		} else if strings.HasPrefix(r.path, mount) {
			return true
		}
	}
	return false
}

// covers says whether a rule with wildcards may fit something below a mount.
func (a acl) covers(r rule, mount string) bool {
	rules, parts := strings.Split(r.path, "/"), strings.Split(strings.TrimSuffix(mount, "/"), "/")
	for i, part := range parts {
		last := i == len(rules)-1
		switch {
		case i >= len(rules):
			return r.glob
		case rules[i] == "+" || rules[i] == part:
		case last && r.glob && strings.HasPrefix(part, rules[i]):
			return true
		default:
			return false
		}
	}
	return true
}

// fits says whether a rule with wildcards is for a path.
func (r *rule) fits(path string) bool {
	if !strings.Contains(r.path, "+") {
		return r.glob && strings.HasPrefix(path, r.path)
	}
	rules, parts := strings.Split(r.path, "/"), strings.Split(path, "/")
	if len(parts) < len(rules) || len(parts) > len(rules) && !r.glob {
		return false
	}
	for i, one := range rules {
		switch {
		case one == "+" || one == parts[i]:
		case i == len(rules)-1 && r.glob && strings.HasPrefix(parts[i], one):
		default:
			return false
		}
	}
	return true
}

// below says whether r gives way to s, by Vault's rules of priority.
func (r *rule) below(s *rule) bool {
	first := func(r *rule) int {
		if i := strings.Index(r.path, "+"); i >= 0 {
			return i
		}
		return len(r.path)
	}
	if a, b := first(r), first(s); a != b {
		return a < b
	}
	if r.glob != s.glob {
		return r.glob
	}
	if a, b := strings.Count(r.path, "+"), strings.Count(s.path, "+"); a != b {
		return a > b
	}
	if len(r.path) != len(s.path) {
		return len(r.path) < len(s.path)
	}
	return r.path < s.path
}

// defaultPolicy is what every token may do unless it was made without it.
const defaultPolicy = `
# Allow tokens to look up, renew and revoke themselves
path "auth/token/lookup-self" {
    capabilities = ["read"]
}
path "auth/token/renew-self" {
    capabilities = ["update"]
}
path "auth/token/revoke-self" {
    capabilities = ["update"]
}

# Allow a token to look up its own capabilities on a path
path "sys/capabilities-self" {
    capabilities = ["update"]
}

# Allow a token to log in to applications through its own identity
path "identity/oidc/provider/+/authorize" {
    capabilities = ["read", "update"]
}

# Allow a token to manage its own cubbyhole
path "cubbyhole/*" {
    capabilities = ["create", "read", "update", "delete", "list"]
}
`
