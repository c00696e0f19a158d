package pgsim_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"warroom/internal/drill/pgsim"
)

func TestLoginIsJudgedInPostgresOrder(t *testing.T) {
	const user = `"app_user"`
	cases := []struct {
		name     string
		arrange  func(w *world)
		password string
		database string
		options  []string
		code     string
		message  string
	}{
		{name: "right", password: oldPassword},
		{name: "right without channel binding", password: oldPassword, options: []string{"channel_binding=disable"}},
		{name: "right, binding required", password: oldPassword, options: []string{"channel_binding=require"}},
		{name: "right without TLS", password: oldPassword, options: []string{"sslmode=disable"}},
		{name: "wrong", password: "nope", code: "28P01", message: `password authentication failed for user ` + user},
		{name: "no such role", arrange: func(w *world) { w.SetRole(pgsim.Role{Name: "app_user", ConnLimit: -1, CanLogin: true}) },
			password: oldPassword, code: "28P01", message: `password authentication failed for user ` + user},
		{name: "expired", arrange: func(w *world) { w.SetValidUntil("app_user", opening.Add(-24*time.Hour)) },
			password: oldPassword, code: "28P01", message: `password authentication failed for user ` + user},
		{name: "not expired yet", arrange: func(w *world) { w.SetValidUntil("app_user", opening.Add(time.Hour)) }, password: oldPassword},
		{name: "no such database", password: oldPassword, database: "nowhere", code: "3D000", message: `database "nowhere" does not exist`},
		{name: "no such database, wrong password", password: "nope", database: "nowhere", code: "28P01", message: `password authentication failed for user ` + user},
		{name: "may not log in", arrange: func(w *world) { edit(w, func(r *pgsim.Role) { r.CanLogin = false }) },
			password: oldPassword, code: "28000", message: `role ` + user + ` is not permitted to log in`},
		{name: "no CONNECT", arrange: func(w *world) { w.SetConnect("production", "app_user", false) },
			password: oldPassword, code: "42501", message: `permission denied for database "production"`},
		{name: "database closed", arrange: func(w *world) { w.SetAllowConnections("production", false) },
			password: oldPassword, code: "55000", message: `database "production" is not currently accepting connections`},
		{name: "role's limit", arrange: func(w *world) { edit(w, func(r *pgsim.Role) { r.ConnLimit = 0 }) },
			password: oldPassword, code: "53300", message: `too many connections for role ` + user},
		{name: "reserved slots", arrange: func(w *world) { w.Primary().AddSessions(make([]pgsim.Session, 97)...) },
			password: oldPassword, code: "53300", message: "remaining connection slots are reserved for non-replication superuser connections"},
		{name: "all slots, wrong password", arrange: func(w *world) { w.Primary().AddSessions(make([]pgsim.Session, 100)...) },
			password: "nope", code: "53300", message: "sorry, too many clients already"},
		{name: "starting", arrange: func(w *world) { w.Primary().SetStarting(true) }, password: oldPassword, code: "57P03", message: "the database system is starting up"},
		{name: "rejected", arrange: func(w *world) { w.Primary().SetHBA(pgsim.HBAReject) }, password: oldPassword,
			code: "28000", message: `pg_hba.conf rejects connection for host "127.0.0.1", user "app_user", database "production", SSL encryption`},
		{name: "no line", arrange: func(w *world) { w.Primary().SetHBA(pgsim.HBANone) }, password: oldPassword, options: []string{"sslmode=disable"},
			code: "28000", message: `no pg_hba.conf entry for host "127.0.0.1", user "app_user", database "production", no encryption`},
		{name: "trust takes anything", arrange: func(w *world) { w.Primary().SetHBA(pgsim.HBATrust) }, password: "nope"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			if c.arrange != nil {
				c.arrange(w)
			}
			database := c.database
			if database == "" {
				database = "production"
			}
			_, err := w.login(t, w.primary, "app_user", c.password, database, c.options...)
			if c.code == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			var p *pgconn.PgError
			if !errors.As(err, &p) {
				t.Fatalf("error %v, want SQLSTATE %s", err, c.code)
			}
			if p.Code != c.code || p.Message != c.message || p.Severity != "FATAL" {
				t.Errorf("got %s %s %q, want FATAL %s %q", p.Severity, p.Code, p.Message, c.code, c.message)
			}
		})
	}
}

// edit changes app_user.
func edit(w *world, f func(*pgsim.Role)) {
	r, _ := w.RoleOf("app_user")
	f(&r)
	w.SetRole(r)
}

func TestPausedReplicaKeepsTheOldPassword(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *pgsim.Options) { o.WALRate = 1000 })
	w.PauseReplay()
	w.clock.Advance(time.Hour)
	w.SetPassword("app_user", newPassword)
	w.SetValidUntil("app_user", opening)
	for _, c := range []struct {
		what, address, password, code string
	}{
		{"primary, old", w.primary, oldPassword, "28P01"},
		{"primary, new but expired", w.primary, newPassword, "28P01"},
		{"replica, old", w.replica, oldPassword, ""},
		{"replica, new", w.replica, newPassword, "28P01"},
	} {
		if _, err := w.login(t, c.address, "app_user", c.password, "production"); state(err) != c.code || (err == nil) != (c.code == "") {
			t.Errorf("%s: %v, want SQLSTATE %q", c.what, err, c.code)
		}
	}
	if n := w.Primary().FailedLogins(); n != 2 {
		t.Errorf("primary counts %d failed logins, want 2", n)
	}
	admin := w.mustLogin(t, w.replica, "postgres", adminPassword, "postgres")
	if _, err := admin.Exec(t.Context(), "SELECT pg_wal_replay_resume()"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.login(t, w.replica, "app_user", oldPassword, "production"); state(err) != "28P01" {
		t.Errorf("replica after resuming, old: %v", err)
	}
	w.SetValidUntil("app_user", time.Time{})
	w.mustLogin(t, w.primary, "app_user", newPassword, "production")
	w.mustLogin(t, w.replica, "app_user", newPassword, "production")
}
