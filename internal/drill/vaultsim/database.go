package vaultsim

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Database is the configuration of one database of a database mount.
type Database struct {
	Mount    string // database/
	Name     string
	Plugin   string   // postgresql-database-plugin when empty
	URL      string   // with {{username}} and {{password}}
	Username string   // its root user
	Password string   // that user's; a secret
	Allowed  []string // roles; * for all
	Hashing  string   // password_authentication: password or scram-sha-256; may be empty
}

// Format keeps the password out of every formatter.
func (d Database) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "database "+d.Mount+"config/"+d.Name)
}

// StaticRole is a database user whose password is rotated.
type StaticRole struct {
	Mount, Name, Database, User string
	Password                    string        // a secret
	Period                      time.Duration // or Schedule
	Schedule                    string        // five fields of cron, UTC
	Window                      time.Duration // how long after its time a scheduled rotation may begin; 0 for any time
	Last                        time.Time     // its last rotation
}

// Format keeps the password out of every formatter.
func (r StaticRole) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "static role "+r.Mount+r.Name)
}

// dbStore is one database mount.
type dbStore struct {
	configs map[string]*Database
	static  map[string]*staticRole
	dynamic map[string]map[string]any
}

// staticRole is a StaticRole with what is kept of it.
type staticRole struct {
	StaticRole
	plan    cron.Schedule // nil: a period
	pending string        // the password that a failed rotation tries again; a secret
}

// parseSchedule reads cron's five fields, in UTC.
func parseSchedule(text string) (plan cron.Schedule, err error) {
	defer func() { // the parser panics on some texts
		if recover() != nil {
			err = fmt.Errorf("the schedule %q cannot be parsed", text)
		}
	}()
	return cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(text)
}

func newDBStore() *dbStore {
	return &dbStore{configs: map[string]*Database{}, static: map[string]*staticRole{}, dynamic: map[string]map[string]any{}}
}

func (d *dbStore) clone() *dbStore {
	if d == nil {
		return nil
	}
	return &dbStore{configs: maps.Clone(d.configs), static: maps.Clone(d.static), dynamic: maps.Clone(d.dynamic)}
}

// AddDatabase configures a database.
func (c *Cluster) AddDatabase(d Database) {
	if d.Plugin == "" {
		d.Plugin = "postgresql-database-plugin"
	}
	c.setup(func(s *store) { s.mounts[d.Mount].db.configs[d.Name] = &d })
}

// AddStaticRole adds a static role that has been rotated before.
func (c *Cluster) AddStaticRole(r StaticRole) error {
	one := &staticRole{StaticRole: r}
	if r.Schedule != "" {
		plan, err := parseSchedule(r.Schedule)
		if err != nil {
			return fmt.Errorf("add static role %s: %w", r.Name, err)
		}
		one.plan = plan
	}
	one.Last = r.Last.UTC()
	c.setup(func(s *store) { s.mounts[r.Mount].db.static[r.Name] = one })
	return nil
}

// due is when a role is to be rotated next.
func (r *staticRole) due() time.Time {
	if r.plan != nil {
		return r.plan.Next(r.Last)
	}
	return r.Last.Add(r.Period)
}

// database answers in a database mount.
func (q *request) database(m *mount, rest string) reply {
	kind, name, _ := strings.Cut(rest, "/")
	switch kind {
	case "config":
		return q.dbConfig(m, name)
	case "static-roles":
		return q.dbStatic(m, name)
	case "static-creds":
		if q.op != read {
			return noOperation
		}
		r := m.db.static[name]
		if r == nil {
			return badRequest("unknown role: %s", name)
		}
		out := r.rhythm()
		out["username"], out["password"], out["last_vault_rotation"] = r.User, r.Password, stamp(r.Last)
		// Rounded up, as Vault tells a whole period right after a rotation.
		out["ttl"] = max(0, int64((r.due().Sub(q.c.now())+time.Second-1)/time.Second))
		return q.answer(out)
	case "roles":
		return q.dbRoles(m, name)
	case "creds":
		if q.op != read {
			return noOperation
		}
		if m.db.dynamic[name] == nil {
			return badRequest("unknown role: %s", name)
		}
		return refused(http.StatusInternalServerError, "making users is not part of this simulation")
	case "rotate-role":
		if q.op != update {
			return noOperation
		}
		return q.rotateRole(m.path, name)
	case "rotate-root":
		if q.op != update {
			return noOperation
		}
		return q.rotateRoot(m.path, name)
	}
	return noPath
}

// rhythm is when a role is rotated, in the fields of an answer.
func (r *staticRole) rhythm() map[string]any {
	if r.plan == nil {
		return map[string]any{"rotation_period": int64(r.Period / time.Second)}
	}
	return map[string]any{"rotation_schedule": r.Schedule, "rotation_window": int64(r.Window / time.Second)}
}

func (q *request) dbConfig(m *mount, name string) reply {
	d := m.db.configs[name]
	switch {
	case q.op == list && name == "":
		return q.keys(slices.Sorted(maps.Keys(m.db.configs)))
	case q.op == read && d == nil:
		return notFound
	case q.op == read:
		details := map[string]any{"connection_url": d.URL, "username": d.Username}
		if d.Hashing != "" {
			details["password_authentication"] = d.Hashing
		}
		return q.answer(map[string]any{
			"allowed_roles": d.Allowed, "connection_details": details, "disable_automated_rotation": false,
			"password_policy": "", "plugin_name": d.Plugin, "plugin_version": "", "root_credentials_rotate_statements": []string{}, "rotation_period": 0,
			"rotation_schedule": "", "rotation_window": 0, "skip_static_role_import_rotation": false, "verify_connection": true,
		})
	case q.op == update:
		next := Database{Mount: m.path, Name: name}
		if d != nil {
			next = *d
		}
		set := func(to *string, field string) {
			if _, ok := q.in[field]; ok {
				*to = q.str(field)
			}
		}
		set(&next.Plugin, "plugin_name")
		set(&next.URL, "connection_url")
		set(&next.Username, "username")
		set(&next.Password, "password")
		set(&next.Hashing, "password_authentication")
		if _, ok := q.in["allowed_roles"]; ok {
			next.Allowed = q.names("allowed_roles")
		}
		if next.Plugin == "" {
			return badRequest("empty plugin name")
		}
		if next.URL == "" {
			return badRequest("error creating database object: connection_url cannot be empty")
		}
		path := m.path
		q.write(func(s *store) { s.mounts[path].db.configs[name] = &next })
		return noContent
	case q.op == remove:
		path := m.path
		q.write(func(s *store) { delete(s.mounts[path].db.configs, name) })
		return noContent
	}
	return noOperation
}

func (q *request) dbStatic(m *mount, name string) reply {
	r, path := m.db.static[name], m.path
	switch {
	case q.op == list:
		return q.keys(slices.Sorted(maps.Keys(m.db.static)))
	case q.op == read && r == nil:
		return notFound
	case q.op == read:
		out := r.rhythm()
		out["credential_type"], out["db_name"], out["last_vault_rotation"] = "password", r.Database, stamp(r.Last)
		out["rotation_statements"], out["skip_import_rotation"], out["username"] = []string{}, false, r.User
		return q.answer(out)
	case q.op == update:
		return q.writeStatic(m, name, r)
	case q.op == remove:
		q.write(func(s *store) { delete(s.mounts[path].db.static, name) })
		return noContent
	}
	return noOperation
}

// writeStatic makes or changes a static role. A new one is rotated at once, and is
// not made when that fails.
func (q *request) writeStatic(m *mount, name string, old *staticRole) reply {
	next := staticRole{StaticRole: StaticRole{Mount: m.path, Name: name}}
	if old != nil {
		next = *old
	}
	if db := q.str("db_name"); db != "" {
		next.Database = db
	}
	if next.Database == "" {
		return badRequest("database name is a required field")
	}
	user := q.str("username")
	switch {
	case old == nil && user == "":
		return badRequest("username is a required field to create a static account")
	case old != nil && user != "" && user != old.User:
		return badRequest("cannot update static account username")
	case old == nil:
		next.User = user
	}
	period, plain := q.duration("rotation_period")
	text := q.str("rotation_schedule")
	switch {
	case plain && text != "":
		return badRequest("mutually exclusive fields rotation_period and rotation_schedule were both specified; only one of them can be provided")
	case plain && period < 5*time.Second:
		return badRequest("rotation_period must be 5 seconds or more")
	case plain:
		next.Period, next.Schedule, next.plan = period, "", nil
	case text != "":
		plan, err := parseSchedule(text)
		if err != nil {
			return badRequest("could not parse rotation_schedule: %v", err)
		}
		next.Schedule, next.plan, next.Period = text, plan, 0
		next.Window, _ = q.duration("rotation_window")
	case old == nil:
		return badRequest("one of rotation_schedule or rotation_period must be provided to create a static account")
	}
	d := m.db.configs[next.Database]
	if d == nil {
		return refused(http.StatusInternalServerError, fmt.Sprintf("failed to find entry for connection with name: %q", next.Database))
	}
	if !slices.Contains(d.Allowed, "*") && !slices.Contains(d.Allowed, name) {
		return refused(http.StatusInternalServerError, fmt.Sprintf("%q is not an allowed role", name))
	}
	if old == nil {
		password := q.home.password()
		if err := q.home.change(next.Database, next.User, password); err != nil {
			return refused(http.StatusInternalServerError, fmt.Sprintf("cannot update static account password: %v", err))
		}
		next.Password, next.Last = password, q.c.now()
	}
	path := m.path
	q.write(func(s *store) {
		if m := s.mounts[path]; m != nil {
			m.db.static[name] = &next
		}
	})
	return noContent
}

func (q *request) dbRoles(m *mount, name string) reply {
	path := m.path
	role := m.db.dynamic[name]
	switch {
	case q.op == list:
		return q.keys(slices.Sorted(maps.Keys(m.db.dynamic)))
	case q.op == read && role == nil:
		return notFound
	case q.op == read:
		return q.answer(role)
	case q.op == update:
		ttl, _ := q.duration("default_ttl")
		longest, _ := q.duration("max_ttl")
		next := map[string]any{
			"creation_statements": q.statements("creation_statements"), "credential_type": "password", "db_name": q.str("db_name"),
			"default_ttl": int64(ttl / time.Second), "max_ttl": int64(longest / time.Second), "renew_statements": q.statements("renew_statements"),
			"revocation_statements": q.statements("revocation_statements"), "rollback_statements": q.statements("rollback_statements"),
		}
		if next["db_name"] == "" {
			return badRequest("database name is a required field")
		}
		q.write(func(s *store) { s.mounts[path].db.dynamic[name] = next })
		return noContent
	case q.op == remove:
		q.write(func(s *store) { delete(s.mounts[path].db.dynamic, name) })
		return noContent
	}
	return noOperation
}

// statements is a list of SQL, in which commas do not separate.
func (q *request) statements(name string) []string {
	if s, ok := q.in[name].(string); ok {
		return []string{s}
	}
	return q.names(name)
}
