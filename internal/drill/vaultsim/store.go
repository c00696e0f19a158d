package vaultsim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// store is what a cluster keeps and replicates. What its maps hold is replaced,
// never changed, so that copies may share it.
type store struct {
	mounts   map[string]*mount // by path, which ends in /; auth methods begin with auth/
	audit    map[string]Audit  // by path
	policies map[string]*policy
}

// Mount is a secrets engine or auth method to be mounted. Of the types only kv,
// database, pki and approle answer; others are listed.
type Mount struct {
	Path        string // ends in /
	Type        string
	Version     int // of kv: 1 or 2
	Description string
	Local       bool
}

// Audit is an audit device.
type Audit struct {
	Path    string // ends in /
	Type    string // file, syslog, socket
	Options map[string]string
	Local   bool
}

// mount is one mounted engine. Engines but kv change by replacing what the maps
// hold.
type mount struct {
	Mount
	path, kind     string
	accessor, uuid string
	options        map[string]string
	maxTTL         time.Duration

	kv       *kvStore
	db       *dbStore
	pki      *pkiStore
	approles map[string]*appRole
}

func newStore(c *Cluster) *store {
	s := &store{mounts: map[string]*mount{}, audit: map[string]Audit{}, policies: map[string]*policy{}}
	for _, m := range []Mount{
		{Path: "sys/", Type: "system", Description: "system endpoints used for control, policy and debugging"},
		{Path: "identity/", Type: "identity", Description: "identity store"},
		{Path: "cubbyhole/", Type: "cubbyhole", Description: "per-token private secret storage", Local: true},
		{Path: "auth/token/", Type: "token", Description: "token based credentials"},
	} {
		s.mounts[m.Path] = c.newMount(m)
	}
	p, err := parsePolicy("default", defaultPolicy)
	if err != nil {
		panic(err) // it is a constant
	}
	s.policies["default"] = p
	s.policies["root"] = &policy{name: "root"}
	return s
}

// newMount makes an empty engine.
func (c *Cluster) newMount(m Mount) *mount {
	d := c.uuid("mount", m.Path, m.Type)
	kind := m.Type
	if strings.HasPrefix(m.Path, "auth/") {
		kind = "auth_" + kind
	}
	n := &mount{Mount: m, path: m.Path, kind: m.Type, uuid: d, accessor: kind + "_" + d[len(d)-8:]}
	switch m.Type {
	case "kv":
		if m.Version != 2 {
			n.Version = 1
		}
		n.options = map[string]string{"version": string(rune('0' + n.Version))}
		n.kv = &kvStore{seed: c.o.Seed, secrets: map[string]*secret{}}
	case "database":
		n.db = newDBStore()
	case "pki":
		n.pki = newPKIStore()
	case "approle":
		n.approles = map[string]*appRole{}
	}
	return n
}

func (s *store) clone() *store {
	out := &store{mounts: map[string]*mount{}, audit: maps.Clone(s.audit), policies: maps.Clone(s.policies)}
	for path, m := range s.mounts {
		n := *m
		n.kv, n.db, n.pki, n.approles = m.kv.clone(), m.db.clone(), m.pki.clone(), maps.Clone(m.approles)
		out.mounts[path] = &n
	}
	return out
}

// mountOf is the mount that a path is in, and the rest of the path.
func (s *store) mountOf(path string) (*mount, string) {
	var best *mount
	for _, m := range s.mounts {
		if (strings.HasPrefix(path, m.path) || path+"/" == m.path) && (best == nil || len(m.path) > len(best.path)) {
			best = m
		}
	}
	if best == nil {
		return nil, ""
	}
	return best, strings.TrimPrefix(strings.TrimPrefix(path, strings.TrimSuffix(best.path, "/")), "/")
}

// children are the names directly below a folder in a sorted list of paths: a
// folder ends in /.
func children(sorted []string, folder string) []string {
	var out []string
	i, _ := slices.BinarySearch(sorted, folder)
	for i < len(sorted) && strings.HasPrefix(sorted[i], folder) {
		rest := sorted[i][len(folder):]
		name, _, deeper := strings.Cut(rest, "/")
		if !deeper {
			if rest != "" {
				out = append(out, rest)
			}
			i++
			continue
		}
		out = append(out, name+"/")
		i, _ = slices.BinarySearch(sorted, folder+name+"0") // 0 follows /
	}
	return out
}

// Mount mounts an engine; one at the same path is replaced.
func (c *Cluster) Mount(m Mount) {
	n := c.newMount(m)
	c.setup(func(s *store) {
		one := *n
		one.kv, one.db, one.pki, one.approles = n.kv.clone(), n.db.clone(), n.pki.clone(), maps.Clone(n.approles)
		s.mounts[m.Path] = &one
	})
}

// AddAudit adds an audit device.
func (c *Cluster) AddAudit(a Audit) { c.setup(func(s *store) { s.audit[a.Path] = a }) }

// SetPolicy writes an ACL policy in Vault's language.
func (c *Cluster) SetPolicy(name, text string) error {
	p, err := parsePolicy(name, text)
	if err != nil {
		return err
	}
	c.setup(func(s *store) { s.policies[name] = p })
	return nil
}
