package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"warroom/internal/config"
)

// labWorld is real servers, described by the file that WARROOM_LAB names.
type labWorld struct {
	Primary labPostgres `json:"postgres_primary"`
	Replica labPostgres `json:"postgres_replica"`
	Trust   string      `json:"trust_user"`
}

type labPostgres struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	User     string `json:"superuser"`
	Password string `json:"superuser_password"`
	CA       string `json:"ca_file"`
	Trust    string `json:"trust_user"`
}

// labOnce keeps tests of this package from pausing each other's replica.
var labOnce sync.Mutex

func newLabWorld(t *testing.T, path string) *labWorld {
	t.Helper()
	labOnce.Lock()
	t.Cleanup(labOnce.Unlock)
	w := &labWorld{}
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, w)
	}
	if err != nil {
		t.Fatalf("WARROOM_LAB: %v", err)
	}
	if w.Primary.Host == "" || w.Replica.Host == "" {
		t.Fatal("WARROOM_LAB names no postgres_primary or no postgres_replica")
	}
	w.resume(t)
	t.Cleanup(func() { w.resume(t) })
	for _, database := range []string{pgDatabase, pgClosed} {
		var n int
		if err := w.query(t, false, "SELECT count(*) FROM pg_database WHERE datname = $1", database).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			w.exec(t, false, "CREATE DATABASE "+database)
		}
	}
	w.exec(t, false, "REVOKE CONNECT ON DATABASE "+pgClosed+" FROM PUBLIC")
	w.setRole(t, pgRole{name: "wr_watch", password: pgWatch, monitor: true})
	w.caughtUp(t)
	return w
}

// admin connects as superuser.
func (w *labWorld) admin(t *testing.T, replica bool) *pgx.Conn {
	t.Helper()
	s := w.Primary
	if replica {
		s = w.Replica
	}
	c, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d user=%s dbname=postgres sslmode=verify-full sslrootcert=%s connect_timeout=10", s.Host, s.Port, s.User, s.CA))
	if err != nil {
		t.Fatal(err)
	}
	c.Password = s.Password
	conn, err := pgx.ConnectConfig(context.Background(), c)
	if err != nil {
		t.Fatalf("the lab's PostgreSQL at port %d: %v", s.Port, err)
	}
	return conn
}

func (w *labWorld) exec(t *testing.T, replica bool, sql string) {
	t.Helper()
	c := w.admin(t, replica)
	defer func() { _ = c.Close(context.Background()) }()
	if _, err := c.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", strings.SplitN(sql, "PASSWORD", 2)[0], err)
	}
}

type closing struct {
	pgx.Row
	conn *pgx.Conn
}

func (c closing) Scan(dest ...any) error {
	defer func() { _ = c.conn.Close(context.Background()) }()
	return c.Row.Scan(dest...)
}

func (w *labWorld) query(t *testing.T, replica bool, sql string, args ...any) pgx.Row {
	c := w.admin(t, replica)
	return closing{c.QueryRow(context.Background(), sql, args...), c}
}

func (w *labWorld) at(replica bool) config.Postgres {
	s, role := w.Primary, "primary"
	if replica {
		s, role = w.Replica, "replica"
	}
	return config.Postgres{Host: s.Host, Port: s.Port, Role: role, CACert: s.CA, SSLMode: "verify-full", Database: pgDatabase}
}

func (w *labWorld) setRole(t *testing.T, r pgRole) {
	t.Helper()
	var n int
	if err := w.query(t, false, "SELECT count(*) FROM pg_roles WHERE rolname = $1", r.name).Scan(&n); err != nil {
		t.Fatal(err)
	}
	sql := "CREATE ROLE "
	if n > 0 {
		sql = "ALTER ROLE "
	}
	sql += r.name
	if r.nologin {
		sql += " NOLOGIN"
	} else {
		sql += " LOGIN"
	}
	until := "infinity"
	if !r.until.IsZero() {
		until = r.until.UTC().Format(time.RFC3339Nano)
	}
	if !r.until.IsZero() || r.infinite || n > 0 {
		sql += " VALID UNTIL '" + until + "'"
	}
	limit := -1
	if r.limit != nil {
		limit = *r.limit
	}
	sql += " CONNECTION LIMIT " + strconv.Itoa(limit) + " PASSWORD '" + r.password + "'"
	w.exec(t, false, sql)
	if r.monitor {
		w.exec(t, false, "GRANT pg_monitor TO "+r.name)
	}
	if r.name != "wr_watch" {
		t.Cleanup(func() { w.exec(t, false, "DROP ROLE IF EXISTS "+r.name) })
	}
}

func (w *labWorld) expire(t *testing.T, role string) {
	w.exec(t, false, "ALTER ROLE "+role+" VALID UNTIL '"+time.Now().Add(-24*time.Hour).UTC().Format(time.RFC3339)+"'")
}

func (w *labWorld) pause(t *testing.T) {
	w.caughtUp(t)
	w.exec(t, true, "SELECT pg_wal_replay_pause()")
	// The startup process takes notice at its next record or wake-up.
	w.until(t, "replay is paused", func() bool {
		var state string
		return w.query(t, true, "SELECT pg_get_wal_replay_pause_state()").Scan(&state) == nil && state == "paused"
	})
}

func (w *labWorld) resume(t *testing.T) { w.exec(t, true, "SELECT pg_wal_replay_resume()") }

func (w *labWorld) caughtUp(t *testing.T) {
	t.Helper()
	var lsn string
	if err := w.query(t, false, "SELECT pg_current_wal_flush_lsn()::text").Scan(&lsn); err != nil {
		t.Fatal(err)
	}
	w.until(t, "the replica replayed "+lsn, func() bool {
		var done bool
		return w.query(t, true, "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", lsn).Scan(&done) == nil && done
	})
}

// until waits for a state of the servers, which have no other way to tell.
func (w *labWorld) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(20 * time.Second); !done(); <-tick.C {
		if time.Now().After(limit) {
			t.Fatalf("waited 20 s until %s", what)
		}
	}
}

func (w *labWorld) trusted(t *testing.T) string {
	user := w.Trust
	if user == "" {
		user = w.Primary.Trust
	}
	if user == "" {
		t.Fatal("WARROOM_LAB names no trust_user")
	}
	return user
}

func (w *labWorld) block(t *testing.T, role, password string) {
	t.Helper()
	session := func() *pgx.Conn {
		c, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d user=%s dbname=%s sslmode=verify-full sslrootcert=%s", w.Primary.Host, w.Primary.Port, role, pgDatabase, w.Primary.CA))
		if err != nil {
			t.Fatal(err)
		}
		c.Password = password
		conn, err := pgx.ConnectConfig(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	holder, waiter := session(), session()
	if _, err := holder.Exec(context.Background(), "SELECT pg_advisory_lock(4711)"); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = waiter.Exec(context.Background(), "SELECT pg_advisory_lock(4711)")
	}()
	t.Cleanup(func() {
		_ = holder.Close(context.Background())
		<-done
		_ = waiter.Close(context.Background())
	})
	w.until(t, "a session waits for a lock", func() bool {
		var n int
		return w.query(t, false, "SELECT count(*) FROM pg_locks WHERE NOT granted AND waitstart < now() - interval '50 ms'").Scan(&n) == nil && n == 1
	})
}
