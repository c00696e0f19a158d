package vaultsim

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// route hands a request to the engine that its path is in.
func (q *request) route() reply {
	m, rest := q.s.mountOf(q.path)
	if m == nil {
		return q.noRoute()
	}
	q.mountType = m.kind
	switch m.kind {
	case "system":
		return q.system(rest)
	case "token":
		return q.tokenPath(rest)
	case "cubbyhole":
		return q.cubbyholePath(rest)
	case "approle":
		return q.approlePath(m, rest)
	case "kv":
		if m.Version == 2 {
			return q.kv2(m, rest)
		}
		return q.kv1(m, rest)
	case "database":
		return q.database(m, rest)
	case "pki":
		return q.pki(m, rest)
	}
	return noPath
}

// exists is the existence check by which Vault tells create from update.
func (q *request) exists() bool {
	m, rest := q.s.mountOf(q.path)
	if m == nil || m.kv == nil {
		return true
	}
	if m.Version == 2 {
		kind, name, _ := strings.Cut(rest, "/")
		if kind != "data" && kind != "metadata" {
			return true
		}
		rest = name
	}
	return m.kv.secrets[rest] != nil
}

// system answers below sys/.
func (q *request) system(rest string) reply {
	c := q.c
	name, sub, _ := strings.Cut(rest, "/")
	switch {
	case strings.HasPrefix(rest, "replication/") && q.op == read && q.public():
		return q.replicationStatus()
	case rest == "seal" && q.op == update:
		if q.node != c.active() {
			return refuse(http.StatusInternalServerError, "vault cannot seal when in standby mode; please restart instead")
		}
		q.node.change(func() { q.node.sealed = true })
		return noContent
	case rest == "step-down" && q.op == update:
		c.stepDown()
		return noContent
	case name == "mounts", name == "auth":
		return q.mounts(name == "auth", sub)
	case name == "audit":
		return q.auditDevices(sub)
	case rest == "internal/ui/mounts" && q.op == read:
		return q.uiMounts()
	case strings.HasPrefix(rest, "internal/ui/mounts/") && q.op == read:
		return q.uiMount(strings.TrimPrefix(rest, "internal/ui/mounts/"))
	case rest == "ha-status" && q.op == read:
		return q.spliced(map[string]any{"nodes": c.haStatus()})
	case strings.HasPrefix(rest, "storage/raft/"):
		return q.raft(strings.TrimPrefix(rest, "storage/raft/"))
	case name == "policies" || name == "policy":
		return q.policies(rest)
	case rest == "capabilities-self" || rest == "capabilities":
		return q.capabilities(rest == "capabilities-self")
	case rest == "key-status" && q.op == read:
		return q.spliced(map[string]any{"encryptions": c.walAt(c.now()), "install_time": stamp(c.o.Began), "term": 1})
	case rest == "license/status" && q.op == read:
		return q.license()
	case rest == "version-history/" && q.op == list:
		return q.answer(map[string]any{"keys": []string{c.version()}, "key_info": map[string]any{c.version(): map[string]any{
			"build_date": stamp(c.o.Build), "previous_version": nil, "timestamp_installed": stamp(c.o.Began),
		}}})
	}
	switch rest {
	case "seal", "step-down", "ha-status", "capabilities", "capabilities-self", "internal/ui/mounts":
		return noOperation
	}
	return noPath
}

// describe is a mount as lists of mounts have it; for the user interface with the
// defaults filled in.
func (q *request) describe(m *mount, filled bool) map[string]any {
	config := map[string]any{"default_lease_ttl": int64(0), "force_no_cache": false, "max_lease_ttl": int64(m.maxTTL / time.Second)}
	if filled {
		config["default_lease_ttl"] = int64(maxTTL / time.Second)
		if m.maxTTL == 0 {
			config["max_lease_ttl"] = int64(maxTTL / time.Second)
		}
	}
	running := "v" + q.c.o.Version + "+builtin.vault"
	out := map[string]any{
		"accessor": m.accessor, "config": config, "description": m.Description, "external_entropy_access": false, "local": m.Local, "options": nil,
		"plugin_version": "", "running_sha256": "", "seal_wrap": m.kind == "system", "type": m.kind, "uuid": m.uuid,
	}
	switch m.kind {
	case "identity":
		config["passthrough_request_headers"] = []string{"Authorization"}
	case "system":
		config["passthrough_request_headers"] = []string{"Accept"}
	case "cubbyhole", "token":
	case "kv":
		running = "v0.21.0+builtin"
		out["deprecation_status"] = "supported"
	default:
		out["deprecation_status"] = "supported"
	}
	if strings.HasPrefix(m.path, "auth/") {
		config["token_type"] = "default-service"
		if m.kind != "token" {
			out["options"] = map[string]string{}
		}
	}
	if m.options != nil {
		out["options"] = m.options
	}
	out["running_plugin_version"] = running
	return out
}

// among are the mounts of secrets engines or of auth methods, by their own paths.
func (s *store) among(auth bool) map[string]*mount {
	out := map[string]*mount{}
	for path, m := range s.mounts {
		own, is := strings.CutPrefix(path, "auth/")
		if is == auth {
			out[own] = m
		}
	}
	return out
}

// mounts answers below sys/mounts and sys/auth.
func (q *request) mounts(auth bool, sub string) reply {
	all := q.s.among(auth)
	if sub == "" {
		if q.op != read {
			return noOperation
		}
		out := map[string]any{}
		for path, m := range all {
			out[path] = q.describe(m, false)
		}
		return q.spliced(out)
	}
	own, tune := strings.CutSuffix(strings.TrimSuffix(sub, "/"), "/tune")
	own += "/"
	path := own
	if auth {
		path = "auth/" + own
	}
	m := all[own]
	switch {
	case q.op == read && m == nil:
		return badRequest("No secret engine mount at %s", own)
	case q.op == read && tune:
		d := q.describe(m, true)["config"].(map[string]any)
		d["description"] = m.Description
		if m.options != nil {
			d["options"] = m.options
		}
		return q.spliced(d)
	case q.op == read:
		return q.spliced(q.describe(m, false))
	case q.op == update && !tune:
		return q.enable(path, auth)
	case q.op == remove && !tune:
		if m == nil {
			return noContent
		}
		if slices.Contains([]string{"system", "identity", "cubbyhole", "token"}, m.kind) {
			return badRequest("cannot unmount %q", strings.TrimSuffix(own, "/"))
		}
		q.write(func(s *store) { delete(s.mounts, path) })
		return noContent
	}
	return noOperation
}

func (q *request) enable(path string, auth bool) reply {
	kind := q.str("type")
	known := []string{"kv", "database", "pki"}
	if auth {
		known = []string{"approle"}
	}
	version := 1
	if strings.HasPrefix(kind, "kv-v") {
		kind, version = "kv", int(kind[4]-'0')
	}
	if !slices.Contains(known, kind) {
		return badRequest("plugin not found in the catalog: %s", kind)
	}
	for other := range q.s.mounts {
		if strings.HasPrefix(other, path) || strings.HasPrefix(path, other) && other != "auth/" {
			return badRequest("path is already in use at %s", other)
		}
	}
	if q.object("options")["version"] == "2" {
		version = 2
	}
	m := q.home.newMount(Mount{Path: path, Type: kind, Version: version, Description: q.str("description"), Local: q.flag("local", false)})
	if config, ok := q.in["config"].(map[string]any); ok {
		sub := request{in: config}
		m.maxTTL, _ = sub.duration("max_lease_ttl")
	}
	q.write(func(s *store) {
		one := *m
		one.kv, one.db, one.pki, one.approles = m.kv.clone(), m.db.clone(), m.pki.clone(), maps.Clone(m.approles)
		s.mounts[path] = &one
	})
	return noContent
}

func (q *request) auditDevices(sub string) reply {
	sub = strings.TrimSuffix(sub, "/")
	switch {
	case sub == "" && q.op == read:
		out := map[string]any{}
		for path, a := range q.s.audit {
			options := a.Options
			if options == nil {
				options = map[string]string{}
			}
			out[path] = map[string]any{"description": "", "local": a.Local, "options": options, "path": path, "type": a.Type}
		}
		if len(out) == 0 {
			return q.answer(out)
		}
		return q.spliced(out)
	case sub != "" && q.op == update:
		path, kind := sub+"/", q.str("type")
		if _, ok := q.s.audit[path]; ok {
			return badRequest("path already in use: invalid configuration")
		}
		if !slices.Contains([]string{"file", "syslog", "socket"}, kind) {
			return badRequest("unknown backend type: %q: invalid configuration", kind)
		}
		a := Audit{Path: path, Type: kind, Options: q.object("options"), Local: q.flag("local", false)}
		q.write(func(s *store) { s.audit[path] = a })
		return noContent
	case sub != "" && q.op == remove:
		if _, ok := q.s.audit[sub+"/"]; ok {
			q.write(func(s *store) { delete(s.audit, sub+"/") })
		}
		return noContent
	}
	return noOperation
}

// uiMounts lists the mounts in which the caller may do anything.
func (q *request) uiMounts() reply {
	a := q.aclOf(q.who)
	out := map[string]map[string]any{"auth": {}, "secret": {}}
	for path, m := range q.s.mounts {
		if !a.reaches(path) && m.kind != "token" {
			continue
		}
		if own, auth := strings.CutPrefix(path, "auth/"); auth {
			out["auth"][own] = q.describe(m, true)
		} else {
			out["secret"][path] = q.describe(m, true)
		}
	}
	q.mountType = ""
	return q.answer(out)
}

// uiMount tells in which mount a path is, as the command line asks before it reads
// from kv.
func (q *request) uiMount(path string) reply {
	q.mountType = ""
	m, _ := q.s.mountOf(path)
	if m == nil || !q.aclOf(q.who).reaches(m.path) {
		return refuse(http.StatusForbidden, `preflight capability check returned 403, please ensure client's policies grant access to path "`+strings.TrimSuffix(path, "/")+`/"`)
	}
	d := q.describe(m, true)
	d["path"] = m.path
	return q.answer(d)
}

// policies answers below sys/policies/acl and the older sys/policy.
func (q *request) policies(rest string) reply {
	name, old := strings.CutPrefix(rest, "policy")
	if !old {
		var ok bool
		if name, ok = strings.CutPrefix(rest, "policies/acl"); !ok {
			return noPath
		}
	}
	name = strings.Trim(name, "/")
	p := q.s.policies[name]
	switch {
	case name == "" && (q.op == list || old && q.op == read):
		names := slices.Sorted(maps.Keys(q.s.policies))
		if old {
			return q.spliced(map[string]any{"keys": names, "policies": names})
		}
		return q.keys(names)
	case name == "":
		return noOperation
	case q.op == read && p == nil:
		return notFound
	case q.op == read && old:
		return q.spliced(map[string]any{"name": name, "rules": p.text})
	case q.op == read:
		return q.answer(map[string]any{"name": name, "policy": p.text})
	case q.op == update:
		source := q.str("policy")
		if source == "" {
			source = q.str("rules")
		}
		if name == "root" {
			return badRequest("cannot update %q policy", name)
		}
		if source == "" {
			return badRequest("'policy' parameter not supplied or empty")
		}
		next, err := parsePolicy(name, source)
		if err != nil {
			return badRequest("%v", err)
		}
		q.write(func(s *store) { s.policies[name] = next })
		return noContent
	case q.op == remove:
		if name == "root" || name == "default" {
			return badRequest("cannot delete %q policy", name)
		}
		if p != nil {
			q.write(func(s *store) { delete(s.policies, name) })
		}
		return noContent
	}
	return noOperation
}

// capabilities tells what a token may do on paths.
func (q *request) capabilities(self bool) reply {
	if q.op != update {
		return noOperation
	}
	t := q.who
	if !self {
		if t = q.c.alive(q.str("token")); t == nil {
			return refused(http.StatusBadRequest, "invalid token")
		}
	}
	paths := q.names("paths")
	if len(paths) == 0 {
		paths = q.names("path")
	}
	if len(paths) == 0 {
		return badRequest("paths must be supplied")
	}
	a, out := q.aclOf(t), map[string]any{}
	for _, path := range paths {
		caps := slices.Sorted(slices.Values(a.on(path)))
		if len(caps) == 0 {
			caps = []string{"deny"}
		}
		out[path] = caps
		if len(paths) == 1 {
			out["capabilities"] = caps
		}
	}
	return q.spliced(out)
}

func (q *request) license() reply {
	if !q.c.o.Enterprise {
		return refuse(http.StatusNotFound, "enterprise-only feature")
	}
	one := map[string]any{
		"expiration_time": stamp(q.c.o.License), "features": []string{"Performance Replication", "DR Replication", "Performance Standby", "Namespaces"},
		"license_id": q.c.uuid("license"), "performance_standby_count": 9999, "start_time": stamp(q.c.o.License.AddDate(-1, 0, 0)),
		"termination_time": stamp(q.c.o.License.AddDate(10, 0, 0)),
	}
	return q.answer(map[string]any{"autoloading_used": true, "autoloaded": one, "persisted_autoload": one})
}
