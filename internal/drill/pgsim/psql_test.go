package pgsim_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"warroom/internal/labtest"
)

// psql runs the real psql.
func (w *world) psql(t *testing.T, address, user, password, database string, args ...string) (out string, err error) {
	t.Helper()
	path := labtest.Tool(t, "psql")
	host, port, _ := net.SplitHostPort(address)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	dsn := "host=" + host + " port=" + port + " user=" + user + " dbname=" + database + " sslmode=verify-full sslrootcert=" + w.ca
	cmd := exec.CommandContext(ctx, path, append([]string{"-X", "-v", "ON_ERROR_STOP=1", dsn}, args...)...)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+password, "LC_ALL=C", "PGCONNECT_TIMEOUT=5")
	raw, err := cmd.CombinedOutput()
	return string(raw), err
}

func TestPsql(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for _, x := range []struct {
		name, password string
		args           []string
		want           []string
		fails          bool
	}{
		{"select", oldPassword, []string{"-c", "SELECT 1"}, []string{"?column?", "(1 row)"}, false},
		{"wrong password", "nope", []string{"-c", "SELECT 1"}, []string{`FATAL:  password authentication failed for user "app_user"`}, true},
		{"who and where", oldPassword, []string{"-At", "-c", "select current_user, current_database(), pg_is_in_recovery()"}, []string{"app_user|production|f"}, false},
		{"version", oldPassword, []string{"-At", "-c", "SELECT version();"}, []string{"PostgreSQL 15.8"}, false},
		{"show", oldPassword, []string{"-At", "-c", "SHOW max_connections"}, []string{"100"}, false},
		{"several statements", oldPassword, []string{"-At", "-c", "BEGIN; SELECT 'a;b'; COMMIT"}, []string{"BEGIN", "a;b", "COMMIT"}, false},
		{"conninfo", oldPassword, []string{"-c", `\conninfo`}, []string{`database "production" as user "app_user"`, "TLSv1.3"}, false},
		{"syntax error", oldPassword, []string{"-c", "selec 1"}, []string{`ERROR:  syntax error at or near "selec"`, "LINE 1: selec 1", "^"}, true},
		{"not simulated", oldPassword, []string{"-c", "CREATE TABLE x (a int)"}, []string{"ERROR:  CREATE TABLE is not simulated by this drill server"}, true},
		{"a view", oldPassword, []string{"-At", "-c", "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname = 'app_user'"}, []string{"app_user|t"}, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			out, err := w.psql(t, w.primary, "app_user", x.password, "production", x.args...)
			if (err != nil) != x.fails {
				t.Errorf("psql ended with %v", err)
			}
			for _, part := range x.want {
				if !strings.Contains(out, part) {
					t.Errorf("output lacks %q:\n%s", part, out)
				}
			}
		})
	}
	t.Run("an administrator repairs the role", func(t *testing.T) {
		w.SetValidUntil("app_user", opening.Add(-time.Hour))
		if out, err := w.psql(t, w.primary, "app_user", oldPassword, "production", "-c", "SELECT 1"); err == nil {
			t.Errorf("an expired role logs in:\n%s", out)
		}
		if out, err := w.psql(t, w.replica, "postgres", adminPassword, "postgres", "-c", "ALTER ROLE app_user VALID UNTIL 'infinity'"); err == nil || !strings.Contains(out, "cannot execute ALTER ROLE in a read-only transaction") {
			t.Errorf("on the replica: %v\n%s", err, out)
		}
		out, err := w.psql(t, w.primary, "postgres", adminPassword, "postgres", "-c", "ALTER ROLE app_user PASSWORD '"+newPassword+"' VALID UNTIL 'infinity'")
		if err != nil || !strings.Contains(out, "ALTER ROLE") {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, address := range []string{w.primary, w.replica} {
			if out, err := w.psql(t, address, "app_user", newPassword, "production", "-c", "SELECT 1"); err != nil {
				t.Errorf("after the repair: %v\n%s", err, out)
			}
		}
	})
}
