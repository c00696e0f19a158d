package database_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"warroom/actions/postgres"
	"warroom/internal/config"
	"warroom/internal/drill/awssim"
	"warroom/internal/labtest"
	"warroom/internal/plan"
)

// real is the world with the lab's PostgreSQL in place of the simulated one.
type real struct {
	*world
	primary, replica *labtest.Postgres
}

func newReal(t *testing.T, s shape) *real {
	t.Helper()
	r := &real{primary: labtest.PostgresPrimary(t), replica: labtest.PostgresReplica(t)}
	s.replica = true
	r.world = newWorld(t, s)
	r.aws.AddSecret(awssim.Secret{Name: "prod/db/root", Versions: []awssim.Version{{Value: object(r.primary.Superuser, r.primary.SuperuserPassword), Stages: []string{"AWSCURRENT"}}}})
	for i := range r.cfg.Components {
		p := r.cfg.Components[i].Postgres
		if p == nil {
			continue
		}
		at := r.primary
		if p.Role == "replica" {
			at = r.replica
		}
		p.Host, p.Port, p.SSLMode, p.CACert, p.Database = at.Host, at.Port, "verify-full", at.CAFile, "postgres"
	}
	password := s.database
	if password == "" {
		password = now
	}
	until := "infinity"
	if s.ended {
		until = "2020-01-01"
	}
	for _, sql := range []string{
		"DROP ROLE IF EXISTS app_clone", "DROP ROLE IF EXISTS app", "DROP ROLE IF EXISTS watch", "DROP ROLE IF EXISTS keeper",
		"CREATE ROLE app LOGIN PASSWORD '" + password + "' VALID UNTIL '" + until + "'",
		"CREATE ROLE watch LOGIN PASSWORD '" + watching + "' IN ROLE pg_monitor", "CREATE ROLE keeper LOGIN CREATEROLE PASSWORD '" + boss + "'",
		"ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()",
	} {
		r.exec(r.primary, sql)
	}
	r.exec(r.replica, "SELECT pg_wal_replay_resume() WHERE pg_is_wal_replay_paused()")
	t.Cleanup(func() {
		r.exec(r.replica, "SELECT pg_wal_replay_resume() WHERE pg_is_wal_replay_paused()")
		r.exec(r.primary, "ALTER SYSTEM RESET log_statement")
		r.exec(r.primary, "SELECT pg_reload_conf()")
	})
	return r
}

// login logs in to a server of the lab.
func (r *real) login(at *labtest.Postgres, user, password string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d user=%s dbname=postgres sslmode=verify-full sslrootcert=%s connect_timeout=10", at.Host, at.Port, user, at.CAFile))
	if err != nil {
		return nil, err
	}
	cfg.Password = password
	return pgx.ConnectConfig(context.Background(), cfg)
}

func (r *real) exec(at *labtest.Postgres, sql string) {
	r.t.Helper()
	c, err := r.login(at, at.Superuser, at.SuperuserPassword)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = c.Close(context.Background()) }()
	if _, err := c.Exec(context.Background(), sql); err != nil {
		r.t.Fatalf("%s: %v", strings.SplitN(sql, "PASSWORD", 2)[0], err)
	}
}

// opens checks that what is current logs in on both servers, and that no password that
// was made stands in a server's log.
func (r *real) opens() {
	r.t.Helper()
	user, password := r.staged("AWSCURRENT")
	for _, at := range []*labtest.Postgres{r.primary, r.replica} {
		c, err := r.login(at, user, password)
		if err != nil {
			r.t.Errorf("what is current does not log in at port %d: %v", at.Port, errors.Unwrap(err))
			continue
		}
		_ = c.Close(context.Background())
	}
	for _, name := range []string{"primary.log", "replica.log"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(r.primary.CAFile), name))
		if err != nil {
			r.t.Fatal(err)
		}
		if name == "primary.log" && !strings.Contains(string(text), `ALTER ROLE "app`) && !strings.Contains(string(text), `CREATE ROLE "app`) {
			r.t.Error("the log of the primary does not show statements: this proves nothing")
		}
		if password != now && password != oldest && password != stuck && strings.Contains(string(text), password) {
			r.t.Errorf("the new password stands in %s", name)
		}
	}
}

func TestRealRotations(t *testing.T) {
	for name, s := range map[string]shape{
		"same user":        {},
		"no monitor":       {blind: true},
		"break-glass":      {ended: true, secret: "{ emergency: prod/db/root, valid_for: 336h }"},
		"alternating":      {secret: "{ strategy: alternating, admin: prod/db/keeper }"},
		"only AWSPREVIOUS": {database: oldest},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReal(t, s)
			r.must(r.engine(), plan.RunDone, rotate())
			r.tidy(name)
			if _, password := r.staged("AWSCURRENT"); password == now {
				t.Error("nothing was rotated")
			}
			r.opens()
		})
	}
	for name, s := range map[string]shape{"form a": {pending: stuck, database: stuck}, "form b": {pending: stuck}, "form c": {pending: "empty"}} {
		t.Run(name, func(t *testing.T) {
			r := newReal(t, s)
			r.must(r.engine(), plan.RunDone, recovering())
			r.tidy(name)
			r.opens()
		})
	}
}

func TestRealReplayThatIsPaused(t *testing.T) {
	r := newReal(t, shape{})
	e := r.engine()
	ask := rotate()
	ask.Target = target
	p, err := e.Plan(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	r.exec(r.replica, "SELECT pg_wal_replay_pause()")
	if err := e.Start(t.Context(), consent(p)); err != nil {
		t.Fatal(err)
	}
	got, err := e.Wait(t.Context(), p.ID)
	if err != nil || got.State != plan.RunFailed || !strings.Contains(got.Trouble, "replay is paused") {
		t.Fatalf("%s: %s %v", got.State, got.Trouble, err)
	}
	r.exec(r.replica, "SELECT pg_wal_replay_resume()")
	r.must(e, plan.RunDone, plan.Request{Mode: plan.Resume, Of: p.ID})
	r.opens()
}

func TestRealRollBack(t *testing.T) {
	r := newReal(t, shape{})
	r.calls.fault = failing("secretsmanager:UpdateSecretVersionStage", errors.New("stopped here"))
	if got, err := r.do(r.engine(), rotate()); err != nil || got.State != plan.RunFailed {
		t.Fatalf("%s %v", got.State, err)
	}
	r.back(rotate())
	if _, password := r.staged("AWSCURRENT"); password != now {
		t.Error("what was current is not")
	}
	r.tidy("rolled back")
	r.opens()
}

func TestRealLockIsHeldByOne(t *testing.T) {
	r := newReal(t, shape{})
	c, err := r.login(r.primary, "app", now)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.Background()) }()
	for _, sql := range []string{"SET application_name = 'warroom bert@bridge'", fmt.Sprintf("SELECT pg_advisory_lock(%d)", postgres.LockKey("app"))} {
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.do(r.engine(), rotate())
	if err != nil || got.State == plan.RunDone || !strings.Contains(got.Trouble, "bert@bridge") {
		t.Errorf("%s: %s %v", got.State, got.Trouble, err)
	}
	r.opens()
}

// TestRealPooler rotates behind a pooler that finds the user in its list.
func TestRealPooler(t *testing.T) {
	pooler := labtest.Pooler(t)
	r := newReal(t, shape{})
	admin := func(command string) {
		cfg, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d user=%s dbname=pgbouncer sslmode=verify-full sslrootcert=%s connect_timeout=10", pooler.Host, pooler.Port, pooler.AdminUser, pooler.CAFile))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Password = pooler.AdminPassword
		c, err := pgx.ConnectConfig(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close(context.Background()) }()
		if _, err := c.PgConn().Exec(context.Background(), command).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(pooler.AuthFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pooler.AuthFile, []byte(string(before)+`"app" "`+now+`"`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(pooler.AuthFile, before, 0o600); err != nil {
			t.Error(err)
		}
		admin("RELOAD")
	})
	admin("RELOAD")
	raw, err := json.Marshal(map[string]string{"username": pooler.AdminUser, "password": pooler.AdminPassword})
	if err != nil {
		t.Fatal(err)
	}
	r.aws.AddSecret(awssim.Secret{Name: "prod/db/keeper", Versions: []awssim.Version{{Value: string(raw), Stages: []string{"AWSCURRENT"}}}})
	for i := range r.cfg.Components {
		if m := r.cfg.Components[i].SecretsManager; m != nil {
			m.Secrets[0].Rotation.Database.Poolers = []config.Pooler{{
				Name: "pool", Host: pooler.Host, Port: pooler.Port, Secret: "prod/db/keeper", Database: "postgres", SSLMode: "verify-full", CACert: pooler.CAFile, UserList: pooler.AuthFile,
			}}
		}
	}
	// A client holds a connection, so that the pooler has keys of the old password.
	old, err := r.login(&labtest.Postgres{Host: pooler.Host, Port: pooler.Port, CAFile: pooler.CAFile}, "app", now)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Close(context.Background()) }()
	r.must(r.engine(), plan.RunDone, rotate())
	r.opens()
	text, err := os.ReadFile(pooler.AuthFile)
	if err != nil {
		t.Fatal(err)
	}
	_, password := r.staged("AWSCURRENT")
	if string(text) != string(before)+`"app" "`+password+`"`+"\n" {
		t.Error("the pooler's list of users is not what it was with the one line replaced")
	}
}
