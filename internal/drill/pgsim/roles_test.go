package pgsim_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"warroom/internal/drill/pgsim"
)

func TestRolesAreMadeGrantedAndChangedByThemselves(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	admin := w.mustLogin(t, w.primary, "postgres", adminPassword, "postgres")
	for _, sql := range []string{
		"CREATE ROLE \"app_user_clone\" WITH LOGIN PASSWORD '" + pgsim.NewVerifier("a password of the clone", []byte("0123456789abcdef")) + "'",
		"GRANT \"app_user\" TO \"app_user_clone\"",
		"GRANT \"app_user\" TO \"app_user_clone\"", // again: a notice
	} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if r, _ := w.RoleOf("app_user_clone"); !r.CanLogin || len(r.MemberOf) != 1 || r.MemberOf[0] != "app_user" {
		t.Errorf("the clone is %+v", r)
	}
	c := w.mustLogin(t, w.primary, "app_user_clone", "a password of the clone", "production")
	if _, err := c.Exec(t.Context(), "ALTER ROLE app_user_clone PASSWORD 'another'"); err != nil {
		t.Fatalf("a role may change its own password: %v", err)
	}
	w.mustLogin(t, w.primary, "app_user_clone", "another", "production")
	if _, err := c.Exec(t.Context(), "ALTER ROLE app_user PASSWORD 'x'"); code(err) != "42501" {
		t.Errorf("it may not change another's: %v", err)
	}
	w.SetRole(pgsim.Role{Name: "keeper", CanLogin: true, ConnLimit: -1, CreateRole: true})
	w.SetPassword("keeper", "keeper's password")
	k := w.mustLogin(t, w.primary, "keeper", "keeper's password", "production")
	if _, err := k.Exec(t.Context(), "ALTER ROLE app_user PASSWORD 'x' VALID UNTIL '2040-01-01T00:00:00Z'"); err != nil {
		t.Errorf("CREATEROLE may: %v", err)
	}
	if _, err := k.Exec(t.Context(), "ALTER ROLE postgres PASSWORD 'x'"); code(err) != "42501" {
		t.Errorf("but not a superuser's: %v", err)
	}
}

func code(err error) string {
	var p *pgconn.PgError
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

func TestAdvisoryLocksBelongToSessions(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	one := w.mustLogin(t, w.primary, "app_user", oldPassword, "production")
	two := w.mustLogin(t, w.primary, "app_user", oldPassword, "production")
	if _, err := one.Exec(t.Context(), "SET application_name = 'warroom alice@bridge'"); err != nil {
		t.Fatal(err)
	}
	try := func(c asker, sql string, want bool) {
		t.Helper()
		if got := c.try(sql); got != want {
			t.Errorf("%s: %v", sql, got)
		}
	}
	a, b := asker{t, one}, asker{t, two}
	const lock = "SELECT pg_try_advisory_lock(4611686018427387905)" // 2^62 + 1
	try(a, lock, true)
	try(a, lock, true)
	try(b, lock, false)
	const holder = `SELECT a.application_name, a.pid = pg_backend_pid() FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid::text = $1::text AND l.objid::text = $2::text
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	var name string
	var own bool
	if err := two.QueryRow(t.Context(), holder, "1073741824", "1").Scan(&name, &own); err != nil || name != "warroom alice@bridge" || own {
		t.Errorf("it is held by %q, ours %v: %v", name, own, err)
	}
	const unlock = "SELECT pg_advisory_unlock(4611686018427387905)"
	try(a, unlock, true)
	try(b, lock, false)
	try(b, unlock, false)
	_ = one.Close(t.Context())
	for !b.try(lock) { // the server hears of the end a moment later
		if t.Context().Err() != nil {
			t.Fatal("a lock outlived its session")
		}
	}
}

// asker asks for one boolean.
type asker struct {
	t    *testing.T
	conn *pgx.Conn
}

func (a asker) try(sql string) (yes bool) {
	if err := a.conn.QueryRow(a.t.Context(), sql).Scan(&yes); err != nil {
		a.t.Fatal(err)
	}
	return yes
}
