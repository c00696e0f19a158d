package pgsim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"warroom/internal/drill/pgsim"
)

func TestErrorsAreThoseOfPostgres(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	app := w.mustLogin(t, w.primary, "app_user", oldPassword, "production")
	admin := w.mustLogin(t, w.primary, "postgres", adminPassword, "postgres")
	replica := w.mustLogin(t, w.replica, "postgres", adminPassword, "postgres")
	for _, x := range []struct {
		on            *pgx.Conn
		sql           string
		code, message string
		position      int32
	}{
		{app, "selec 1", "42601", `syntax error at or near "selec"`, 1},
		{app, "SELECT 1 +", "0A000", "this expression is not simulated by this drill server", 0},
		{app, "SELECT", "42601", "syntax error at end of input", 7},
		{app, "SHOW", "42601", "syntax error at end of input", 5},
		{app, "SHOW nothing", "42704", `unrecognized configuration parameter "nothing"`, 0},
		{app, "SET nothing = 1", "42704", `unrecognized configuration parameter "nothing"`, 0},
		{app, "SET max_connections = 1", "55P02", `parameter "max_connections" cannot be changed now`, 0},
		{app, "SELECT foo", "42703", `column "foo" does not exist`, 8},
		{app, "SELECT foo()", "42883", "function foo() does not exist", 8},
		{app, "SELECT * FROM foo", "42P01", `relation "foo" does not exist`, 15},
		{app, "SELECT nothing FROM pg_roles", "42703", `column "nothing" does not exist`, 8},
		{app, "SELECT 'open", "42601", `unterminated quoted string at or near "'open"`, 8},
		{app, "INSERT INTO t VALUES (1)", "0A000", "INSERT is not simulated by this drill server", 0},
		{app, "ALTER ROLE app_user PASSWORD 'x' VALID UNTIL 'infinity'", "42501", "permission denied", 0},
		{app, "ALTER ROLE analytics PASSWORD 'x'", "42704", `role "analytics" does not exist`, 0},
		{app, "CREATE ROLE other", "42501", "permission denied to create role", 0},
		{admin, "CREATE ROLE app_user", "42710", `role "app_user" already exists`, 0},
		{admin, "GRANT app_user TO nobody", "42704", `role "nobody" does not exist`, 0},
		{admin, "GRANT SELECT ON t TO app_user", "0A000", "this GRANT is not simulated by this drill server", 0},
		{replica, "CREATE ROLE other", "25006", "cannot execute CREATE ROLE in a read-only transaction", 0},
		{app, "ALTER ROLE postgres PASSWORD 'x'", "42501", "must be superuser to alter superuser roles or change superuser attribute", 0},
		{app, "SELECT pg_wal_replay_resume()", "42501", "permission denied for function pg_wal_replay_control", 0},
		{admin, "SELECT pg_wal_replay_resume()", "55000", "recovery is not in progress", 0},
		{admin, "ALTER ROLE nobody LOGIN", "42704", `role "nobody" does not exist`, 0},
		{admin, "ALTER ROLE app_user VALID UNTIL 'soon'", "22007", `invalid input syntax for type timestamp with time zone: "soon"`, 0},
		{admin, "ALTER ROLE app_user BOGUS", "42601", `syntax error at or near "BOGUS"`, 21},
		{replica, "ALTER ROLE app_user NOLOGIN", "25006", "cannot execute ALTER ROLE in a read-only transaction", 0},
		{replica, "CREATE TABLE t ()", "25006", "cannot execute CREATE TABLE in a read-only transaction", 0},
		{replica, "SELECT pg_current_wal_lsn()", "55000", "recovery is in progress", 0},
	} {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
			_, err := x.on.Exec(t.Context(), x.sql, mode)
			var p *pgconn.PgError
			if !errors.As(err, &p) {
				t.Errorf("%s: %v, want an error", x.sql, err)
				continue
			}
			if p.Severity != "ERROR" || p.Code != x.code || p.Message != x.message || p.Position != x.position {
				t.Errorf("%s: %s %s %q at %d, want %s %q at %d", x.sql, p.Severity, p.Code, p.Message, p.Position, x.code, x.message, x.position)
			}
		}
	}
}

func TestValuesInTextAndBinary(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.SetRole(pgsim.Role{Name: "for_ever", CanLogin: true, ConnLimit: 5, Infinite: true})
	w.SetValidUntil("app_user", opening.Add(time.Hour))
	c := w.mustLogin(t, w.primary, "app_user", oldPassword, "production")
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		var (
			n     int
			text  string
			null  *string
			yes   bool
			now   time.Time
			limit int
			until time.Time
			count int64
		)
		if err := c.QueryRow(t.Context(), "SELECT 42 AS n, 'it''s', NULL, true, now()", mode).Scan(&n, &text, &null, &yes, &now); err != nil {
			t.Fatalf("%v: %v", mode, err)
		}
		if n != 42 || text != "it's" || null != nil || !yes || !now.Equal(opening) {
			t.Errorf("%v: %d %q %v %v %v", mode, n, text, null, yes, now)
		}
		if err := c.QueryRow(t.Context(), "SELECT rolconnlimit, rolvaliduntil FROM pg_roles WHERE rolname = 'app_user'", mode).Scan(&limit, &until); err != nil {
			t.Fatalf("%v: %v", mode, err)
		}
		if limit != -1 || !until.Equal(opening.Add(time.Hour)) {
			t.Errorf("%v: %d %v", mode, limit, until)
		}
		if err := c.QueryRow(t.Context(), "SELECT count(*) FROM pg_roles WHERE rolcanlogin = true AND rolname <> 'postgres'", mode).Scan(&count); err != nil || count != 2 {
			t.Errorf("%v: %d %v", mode, count, err)
		}
		var names []string
		rows, err := c.Query(t.Context(), "SELECT rolname FROM pg_roles ORDER BY rolname DESC LIMIT 2", mode)
		if err != nil {
			t.Fatal(err)
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || fmt.Sprint(names) != "[postgres for_ever]" {
			t.Errorf("%v: %v %v", mode, names, err)
		}
	}
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	c := w.mustLogin(t, w.primary, "postgres", adminPassword, "postgres")
	exec := func(sql string) error {
		_, err := c.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
		return err
	}
	status := func() byte { return c.PgConn().TxStatus() }
	limit := func() int { r, _ := w.RoleOf("app_user"); return r.ConnLimit }

	if err := exec("BEGIN; ALTER ROLE app_user CONNECTION LIMIT 3"); err != nil || limit() != -1 || status() != 'T' {
		t.Errorf("before COMMIT: %v, limit %d, status %c", err, limit(), status())
	}
	if err := exec("COMMIT"); err != nil || limit() != 3 || status() != 'I' {
		t.Errorf("after COMMIT: %v, limit %d, status %c", err, limit(), status())
	}
	if err := exec("BEGIN; ALTER ROLE app_user CONNECTION LIMIT 4; ROLLBACK"); err != nil || limit() != 3 {
		t.Errorf("after ROLLBACK: %v, limit %d", err, limit())
	}
	if err := exec("BEGIN; ALTER ROLE app_user CONNECTION LIMIT 4; SELECT nothing"); state(err) != "42703" || status() != 'E' {
		t.Errorf("an error: %v, status %c", err, status())
	}
	if err := exec("SELECT 1"); state(err) != "25P02" {
		t.Errorf("in a broken transaction: %v", err)
	}
	if err := exec("COMMIT"); err != nil || limit() != 3 || status() != 'I' {
		t.Errorf("COMMIT of a broken transaction: %v, limit %d, status %c", err, limit(), status())
	}
	if err := exec("BEGIN READ ONLY; ALTER ROLE app_user CONNECTION LIMIT 5"); state(err) != "25006" {
		t.Errorf("read only: %v", err)
	}
	if err := exec("ROLLBACK; SET default_transaction_read_only = on; ALTER ROLE app_user CONNECTION LIMIT 5"); state(err) != "25006" {
		t.Errorf("read only by default: %v", err)
	}
}

func TestVerifierIsStoredAsItIs(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	c := w.mustLogin(t, w.primary, "postgres", adminPassword, "postgres")
	verifier := pgsim.NewVerifier(newPassword, []byte("0123456789abcdef"))
	if _, err := c.Exec(t.Context(), "ALTER ROLE app_user PASSWORD '"+verifier+"'", pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	if r, _ := w.RoleOf("app_user"); r.Verifier != verifier {
		t.Error("the verifier was changed")
	}
	w.mustLogin(t, w.primary, "app_user", newPassword, "production")
	if _, err := w.login(t, w.primary, "app_user", verifier, "production"); state(err) != "28P01" {
		t.Errorf("the verifier is no password: %v", err)
	}
}

func TestCancelAndTimeout(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	c := w.mustLogin(t, w.primary, "app_user", oldPassword, "production")
	if _, err := c.Exec(t.Context(), "SET statement_timeout = 50; SELECT pg_sleep(3000)", pgx.QueryExecModeSimpleProtocol); state(err) != "57014" || !strings.Contains(err.Error(), "statement timeout") {
		t.Errorf("past its timeout: %v", err)
	}
	if _, err := c.Exec(t.Context(), "SET statement_timeout = 0", pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		_, err := c.Exec(context.Background(), "SELECT pg_sleep(3000)", pgx.QueryExecModeSimpleProtocol)
		result <- err
	}()
	// A cancel that comes before the statement runs has no effect, as with the
	// real server: repeat it until the statement ends.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(10 * time.Second); ; {
		select {
		case err := <-result:
			if state(err) != "57014" || !strings.Contains(err.Error(), "user request") {
				t.Errorf("cancelled: %v", err)
			}
			return
		case <-tick.C:
			if err := c.PgConn().CancelRequest(t.Context()); err != nil {
				t.Fatal(err)
			}
		case <-limit:
			t.Fatal("the statement was not cancelled")
		}
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	s := w.Primary()
	pids := s.AddSessions(pgsim.Session{User: "app_user", Database: "production", Application: "user-service", State: "idle in transaction", Started: opening.Add(-time.Hour)})
	pids = append(pids, s.AddSessions(pgsim.Session{User: "app_user", Database: "production", BlockedBy: pids[0]})...)
	c := w.mustLogin(t, w.primary, "postgres", adminPassword, "postgres", "application_name=console")
	var n int
	for sql, want := range map[string]int{
		"SELECT count(*) FROM pg_stat_activity":                                                          3,
		"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'console'":                       1,
		"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'app_user'":  1,
		"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND backend_type='client backend'": 2,
	} {
		if err := c.QueryRow(t.Context(), sql, pgx.QueryExecModeSimpleProtocol).Scan(&n); err != nil || n != want {
			t.Errorf("%s: %d %v, want %d", sql, n, err, want)
		}
	}
	var ended bool
	if err := c.QueryRow(t.Context(), fmt.Sprintf("SELECT pg_terminate_backend(%d)", pids[0]), pgx.QueryExecModeSimpleProtocol).Scan(&ended); err != nil || !ended {
		t.Errorf("terminate: %v %v", ended, err)
	}
	for _, one := range s.Sessions() {
		if one.BlockedBy != 0 {
			t.Errorf("%+v still waits for a session that ended", one)
		}
	}
}

func TestFiguresFollowFromSeedAndClock(t *testing.T) {
	t.Parallel()
	read := func() string {
		c := &clock{now: opening}
		w := pgsim.New(pgsim.Options{Now: c.Now, Seed: 99, WALRate: 1 << 20})
		defer w.Close()
		w.SetPassword("app_user", oldPassword)
		w.PauseReplay()
		c.Advance(15 * 24 * time.Hour)
		w.SetPassword("app_user", newPassword)
		w.AdvanceWAL(1 << 30)
		r, _ := w.RoleOf("app_user")
		written, replayed := w.LSNs()
		return fmt.Sprint(r, written, replayed, w.Primary().AddSessions(pgsim.Session{User: "app_user"}))
	}
	first, second := read(), read()
	if first != second {
		t.Errorf("the same seed and clock gave\n%s and\n%s", first, second)
	}
}

func TestWhatIsNotTheProtocolIsDropped(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *pgsim.Options) { o.HandshakeTimeout = 300 * time.Millisecond })
	huge := []byte{0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0}
	for name, sent := range map[string][]byte{
		"nothing":       nil,
		"half a packet": {0, 0, 0, 20, 0, 3},
		"HTTP":          []byte("GET / HTTP/1.1\r\n\r\n"),
		"huge packet":   huge,
		"no terminator": {0, 0, 0, 12, 0, 3, 0, 0, 'u', 's', 'e', 'r'},
		"version 2":     {0, 0, 0, 8, 0, 2, 0, 0},
		"TLS forever":   {0, 0, 0, 8, 4, 210, 22, 47},
		"zeros":         make([]byte, 9000),
	} {
		c, err := net.Dial("tcp", w.primary)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write(sent)
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: the server did not hang up: %v", name, err)
		}
		_ = c.Close()
	}
	w.mustLogin(t, w.primary, "app_user", oldPassword, "production", "connect_timeout=0")
}

func TestTooLongAStatement(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	c := w.mustLogin(t, w.primary, "app_user", oldPassword, "production")
	if _, err := c.Exec(t.Context(), "SELECT '"+strings.Repeat("x", 2<<20)+"'", pgx.QueryExecModeSimpleProtocol); err == nil {
		t.Error("a statement of 2 MiB was taken")
	}
	w.mustLogin(t, w.primary, "app_user", oldPassword, "production")
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	c := w.mustLogin(t, w.primary, "app_user", oldPassword, "production")
	idle, err := net.Dial("tcp", w.primary)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = idle.Close() }()
	result := make(chan error, 1)
	go func() {
		_, err := c.Exec(context.Background(), "SELECT pg_sleep(3000)", pgx.QueryExecModeSimpleProtocol)
		result <- err
	}()
	closed := make(chan struct{})
	go func() {
		w.Close()
		close(closed)
	}()
	for what, done := range map[string]<-chan struct{}{"Close": closed} {
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Fatalf("%s does not return", what)
		}
	}
	select {
	case err := <-result:
		if err == nil {
			t.Error("a statement outlived its server")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the client still waits")
	}
}
