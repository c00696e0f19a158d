package vaultsim

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// keptVersions is how many versions a secret keeps unless it or its mount says.
const keptVersions = 10

// KV is a secret of a KV mount to be put there.
type KV struct {
	Path     string
	Versions []time.Time       // when each version was written; of version 1 of KV the last counts
	Data     map[string]string // of the last version; drawn from the seed when nil
	JSON     string            // of the last version, an object with values of any type; in place of Data
	Custom   map[string]string // custom metadata
}

// Format keeps the data out of every formatter.
func (k KV) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "secret "+k.Path) }

// kvStore is one KV mount.
type kvStore struct {
	seed    uint64
	secrets map[string]*secret // replaced, never changed
	sorted  []string           // their paths; nil when it is to be made anew

	max         int
	casRequired bool
	deleteAfter time.Duration
}

// secret is one secret with its versions.
type secret struct {
	created, updated time.Time
	versions         []version // oldest first; the last has the number current
	current          int
	max              int
	casRequired      bool
	deleteAfter      time.Duration
	custom           map[string]string
}

// version is one version of a secret.
type version struct {
	created, deleted time.Time // deleted: zero for never; may lie ahead
	destroyed        bool
	data             map[string]any // nil: drawn from the seed
}

func (k *kvStore) clone() *kvStore {
	if k == nil {
		return nil
	}
	n := *k
	n.secrets = maps.Clone(k.secrets)
	return &n
}

func (k *kvStore) put(path string, s *secret) {
	if _, ok := k.secrets[path]; !ok {
		k.sorted = nil
	}
	k.secrets[path] = s
}

func (k *kvStore) drop(path string) {
	delete(k.secrets, path)
	k.sorted = nil
}

// children lists a folder.
func (k *kvStore) children(folder string) []string {
	if k.sorted == nil {
		k.sorted = slices.Sorted(maps.Keys(k.secrets))
	}
	return children(k.sorted, folder)
}

// AddSecrets puts secrets into a KV mount, as having been there.
func (c *Cluster) AddSecrets(mount string, secrets []KV) {
	made := make([]secret, len(secrets))
	for i, one := range secrets {
		s := &made[i]
		s.versions, s.current, s.custom = make([]version, len(one.Versions)), len(one.Versions), one.Custom
		for j, at := range one.Versions {
			s.versions[j].created = at.UTC()
		}
		s.created, s.updated = s.versions[0].created, s.versions[s.current-1].created
		if one.Data != nil {
			data := map[string]any{}
			for k, v := range one.Data {
				data[k] = v
			}
			s.versions[s.current-1].data = data
		}
		if one.JSON != "" {
			d := json.NewDecoder(strings.NewReader(one.JSON))
			d.UseNumber()
			data := map[string]any{}
			if d.Decode(&data) == nil {
				s.versions[s.current-1].data = data
			}
		}
	}
	c.setup(func(st *store) {
		k := st.mounts[mount].kv
		k.sorted = nil
		for i := range made {
			k.secrets[secrets[i].Path] = &made[i]
		}
	})
}

// Secrets is how many secrets a KV mount holds, deleted ones with metadata
// included, as a list does.
func (c *Cluster) Secrets(mount string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	if m := c.store.mounts[mount]; m != nil && m.kv != nil {
		return len(m.kv.secrets)
	}
	return 0
}

// at is a version by its number, 0 for the current one.
func (s *secret) at(number int) (version, int, bool) {
	if number == 0 {
		number = s.current
	}
	i := number - (s.current - len(s.versions)) - 1
	if number <= 0 || i < 0 || i >= len(s.versions) {
		return version{}, 0, false
	}
	return s.versions[i], number, true
}

// change is a copy of s whose versions may be changed.
func (s *secret) change() *secret {
	n := *s
	n.versions = slices.Clone(s.versions)
	return &n
}

// value is what a version holds.
func (k *kvStore) value(path string, number int, v version) map[string]any {
	if v.data != nil {
		return v.data
	}
	return map[string]any{"value": drawn(k.seed, 32, "kv", path, strconv.Itoa(number))}
}

func (v version) gone(now time.Time) bool {
	return v.destroyed || !v.deleted.IsZero() && !v.deleted.After(now)
}

// kv1 answers in a mount of version 1.
func (q *request) kv1(m *mount, rest string) reply {
	s, path := m.kv.secrets[rest], m.path
	switch q.op {
	case list:
		return q.keys(m.kv.children(rest))
	case read:
		if s == nil {
			return notFound
		}
		a := q.answer(m.kv.value(rest, s.current, s.versions[len(s.versions)-1]))
		body := a.body.(response)
		body.Lease = int64(maxTTL / time.Second)
		a.body = body
		return a
	case update:
		if len(q.in) == 0 {
			return badRequest("missing data fields")
		}
		now, in := q.c.now(), q.in
		n := &secret{created: now, updated: now, current: 1, versions: []version{{created: now, data: in}}}
		q.write(func(st *store) { st.mounts[path].kv.put(rest, n) })
		return noContent
	case remove:
		if s != nil {
			q.write(func(st *store) { st.mounts[path].kv.drop(rest) })
		}
		return noContent
	}
	return noOperation
}

// kv2 answers in a mount of version 2.
func (q *request) kv2(m *mount, rest string) reply {
	kind, name, deeper := strings.Cut(rest, "/")
	name = strings.TrimSuffix(name, "/")
	switch {
	case kind == "config" && !deeper:
		return q.kvConfig(m)
	case kind == "metadata" && q.op == list:
		if name != "" {
			name += "/"
		}
		return q.keys(m.kv.children(name))
	case kind == "data" && deeper && q.op == update && strings.HasSuffix(rest, "/"):
		return badRequest("cannot write to a path ending in '/'")
	case kind == "metadata" && name == "" && q.op == read:
		return notFound
	case name == "":
	case kind == "data" && q.op != list:
		return q.kvData(m, name)
	case kind == "metadata":
		return q.kvMetadata(m, name)
	case q.op == update && (kind == "delete" || kind == "undelete" || kind == "destroy"):
		return q.kvMark(m, kind, name)
	}
	verb := map[operation]string{read: "get", list: "list", update: "put", remove: "delete", patch: "patch"}[q.op]
	return q.gone(nil, "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. If using the Vault CLI, use 'vault kv "+verb+"' for this operation.")
}

func (v version) metadata(s *secret, number int) map[string]any {
	return map[string]any{
		"created_time": stamp(v.created), "custom_metadata": s.customOrNil(), "deletion_time": stamp(v.deleted), "destroyed": v.destroyed, "version": number,
	}
}

func (s *secret) customOrNil() any {
	if s.custom == nil {
		return nil
	}
	return s.custom
}

func (q *request) kvData(m *mount, name string) reply {
	s, now := m.kv.secrets[name], q.c.now()
	switch q.op {
	case read:
		number, _ := q.number("version")
		if s == nil {
			return notFound
		}
		v, number, ok := s.at(number)
		if !ok {
			return notFound
		}
		out := map[string]any{"data": nil, "metadata": v.metadata(s, number)}
		if v.gone(now) {
			return q.gone(out)
		}
		out["data"] = m.kv.value(name, number, v)
		return q.answer(out)
	case remove:
		if s == nil || s.current == 0 || s.versions[len(s.versions)-1].gone(now) {
			return noContent
		}
		n, path := s.change(), m.path
		n.versions[len(n.versions)-1].deleted = now
		q.write(func(st *store) { st.mounts[path].kv.put(name, n) })
		return noContent
	}
	return q.kvWrite(m, name, s)
}

// kvWrite adds a version, or merges into the current one.
func (q *request) kvWrite(m *mount, name string, s *secret) reply {
	data, ok := q.in["data"].(map[string]any)
	if !ok {
		return badRequest("no data provided")
	}
	now := q.c.now()
	if s == nil {
		s = &secret{created: now}
	}
	if q.op == patch {
		v, number, there := s.at(0)
		if !there || v.gone(now) {
			return notFound
		}
		data = merged(m.kv.value(name, number, v), data)
	}
	if options, given := q.in["options"].(map[string]any); given && options["cas"] != nil {
		cas, err := strconv.Atoi(text(options["cas"]))
		if err != nil {
			return badRequest("error parsing check-and-set parameter")
		}
		if cas != s.current {
			return badRequest("check-and-set parameter did not match the current version")
		}
	} else if m.kv.casRequired || s.casRequired {
		return badRequest("check-and-set parameter required for this call")
	}
	n, path := s.change(), m.path
	v := version{created: now, data: data}
	if after := shortest(m.kv.deleteAfter, s.deleteAfter); after > 0 {
		v.deleted = now.Add(after)
	}
	n.current++
	n.versions = append(n.versions, v)
	kept := keptVersions
	if n.max > 0 {
		kept = n.max
	} else if m.kv.max > 0 {
		kept = m.kv.max
	}
	n.versions = n.versions[max(0, len(n.versions)-kept):]
	n.updated = now
	q.write(func(st *store) { st.mounts[path].kv.put(name, n) })
	return q.answer(v.metadata(n, n.current))
}

func shortest(a, b time.Duration) time.Duration {
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}

// merged is a JSON merge patch.
func merged(into, change map[string]any) map[string]any {
	out := maps.Clone(into)
	for k, v := range change {
		switch v := v.(type) {
		case nil:
			delete(out, k)
		case map[string]any:
			old, _ := out[k].(map[string]any)
			out[k] = merged(old, v)
			if old == nil {
				out[k] = merged(map[string]any{}, v)
			}
		default:
			out[k] = v
		}
	}
	return out
}

// kvMark deletes, brings back or destroys versions.
func (q *request) kvMark(m *mount, kind, name string) reply {
	numbers := q.names("versions")
	if len(numbers) == 0 {
		return badRequest("No version number provided")
	}
	s := m.kv.secrets[name]
	if s == nil {
		return noContent
	}
	n, now, path := s.change(), q.c.now(), m.path
	for _, text := range numbers {
		number, _ := strconv.Atoi(text)
		_, _, ok := n.at(number)
		if number == 0 || !ok {
			continue
		}
		v := &n.versions[number-(n.current-len(n.versions))-1]
		switch {
		case kind == "destroy":
			v.destroyed, v.data = true, nil
		case v.destroyed:
		case kind == "undelete":
			v.deleted = time.Time{}
		case !v.gone(now):
			v.deleted = now
		}
	}
	q.write(func(st *store) { st.mounts[path].kv.put(name, n) })
	return noContent
}

func (q *request) kvConfig(m *mount) reply {
	switch q.op {
	case read:
		return q.answer(map[string]any{"cas_required": m.kv.casRequired, "delete_version_after": m.kv.deleteAfter.String(), "max_versions": m.kv.max})
	case update:
		most, after, path := m.kv.max, m.kv.deleteAfter, m.path
		if n, ok := q.number("max_versions"); ok {
			most = n
		}
		if d, ok := q.duration("delete_version_after"); ok {
			after = d
		}
		cas := q.flag("cas_required", m.kv.casRequired)
		q.write(func(st *store) {
			k := st.mounts[path].kv
			k.max, k.casRequired, k.deleteAfter = most, cas, after
		})
		return noContent
	}
	return noOperation
}

func (q *request) kvMetadata(m *mount, name string) reply {
	s, path := m.kv.secrets[name], m.path
	switch q.op {
	case read:
		if s == nil {
			return notFound
		}
		oldest := 0
		if len(s.versions) > 0 && s.current > len(s.versions) {
			oldest = s.current - len(s.versions) + 1
		}
		versions := map[string]any{}
		for i, v := range s.versions {
			versions[strconv.Itoa(s.current-len(s.versions)+1+i)] = map[string]any{"created_time": stamp(v.created), "deletion_time": stamp(v.deleted), "destroyed": v.destroyed}
		}
		return q.answer(map[string]any{
			"cas_required": s.casRequired, "created_time": stamp(s.created), "current_version": s.current, "custom_metadata": s.customOrNil(),
			"delete_version_after": s.deleteAfter.String(), "max_versions": s.max, "oldest_version": oldest, "updated_time": stamp(s.updated), "versions": versions,
		})
	case update, patch:
		if s == nil {
			if q.op == patch {
				return notFound
			}
			now := q.c.now()
			s = &secret{created: now, updated: now}
		}
		n := s.change()
		if most, ok := q.number("max_versions"); ok {
			n.max = most
		}
		if after, ok := q.duration("delete_version_after"); ok {
			n.deleteAfter = after
		}
		n.casRequired = q.flag("cas_required", n.casRequired)
		if custom := q.object("custom_metadata"); custom != nil {
			if q.op == patch {
				all := maps.Clone(n.custom)
				if all == nil {
					all = map[string]string{}
				}
				maps.Copy(all, custom)
				custom = all
			}
			n.custom = custom
		}
		q.write(func(st *store) { st.mounts[path].kv.put(name, n) })
		return noContent
	case remove:
		if s != nil {
			q.write(func(st *store) { st.mounts[path].kv.drop(name) })
		}
		return noContent
	}
	return noOperation
}
