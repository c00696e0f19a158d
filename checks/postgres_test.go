package checks

import (
	"strings"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill/pgsim"
	"warroom/internal/estate"
)

// expectation is one login and what it must prove, on any PostgreSQL.
type expectation struct {
	name     string
	role     pgRole // made with password pgOld unless it says otherwise
	missing  bool   // the role is not made
	expired  bool
	password string // tried; pgOld when empty
	database string // pgDatabase when empty
	trusted  bool
	outcome  estate.LoginOutcome
	state    string
	message  string // part of it; USER stands for the role
}

func zero() *int { n := 0; return &n }

// expectations hold for the simulation and for real servers alike.
var expectations = []expectation{
	{name: "right", outcome: estate.LoginAccepted},
	{name: "right, valid for ever", role: pgRole{infinite: true}, outcome: estate.LoginAccepted},
	{name: "right, not yet expired", role: pgRole{until: time.Now().Add(time.Hour)}, outcome: estate.LoginAccepted},
	{name: "wrong", password: pgWrong, outcome: estate.LoginWrong, state: "28P01", message: `password authentication failed for user "USER"`},
	{name: "no such role", missing: true, outcome: estate.LoginWrong, state: "28P01", message: `password authentication failed for user "USER"`},
	{name: "expired", expired: true, outcome: estate.LoginWrong, state: "28P01", message: `password authentication failed for user "USER"`},
	{name: "no password stored", role: pgRole{password: " "}, password: pgOld, outcome: estate.LoginWrong, state: "28P01"},
	{name: "NOLOGIN", role: pgRole{nologin: true}, outcome: estate.LoginBarred, state: "28000", message: `role "USER" is not permitted to log in`},
	{name: "NOLOGIN, wrong password", role: pgRole{nologin: true}, password: pgWrong, outcome: estate.LoginWrong, state: "28P01"},
	{name: "no such database", database: "warroom_nowhere", outcome: estate.LoginBarred, state: "3D000", message: `database "warroom_nowhere" does not exist`},
	{name: "no such database, wrong password", database: "warroom_nowhere", password: pgWrong, outcome: estate.LoginWrong, state: "28P01"},
	{name: "no CONNECT", database: pgClosed, outcome: estate.LoginBarred, state: "42501", message: `permission denied for database "` + pgClosed + `"`},
	{name: "connection limit", role: pgRole{limit: zero()}, outcome: estate.LoginBarred, state: "53300", message: `too many connections for role "USER"`},
	{name: "trust", trusted: true, password: pgWrong, outcome: estate.LoginTrusted, message: "any would do"},
}

func TestLoginOutcomes(t *testing.T) {
	pgWorlds(t, func(t *testing.T, w pgWorld) {
		for i, x := range expectations {
			t.Run(x.name, func(t *testing.T) {
				user := "wr_login_" + string(rune('a'+i))
				if x.trusted {
					user = w.trusted(t)
				} else if !x.missing {
					x.role.name = user
					if x.role.password == "" {
						x.role.password = pgOld
					}
					w.setRole(t, x.role)
				}
				if x.expired {
					w.expire(t, user)
				}
				at := w.at(false)
				if x.database != "" {
					at.Database = x.database
				}
				e := newPGEstate(t, at)
				password := x.password
				if password == "" {
					password = pgOld
				}
				e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: user, password: password})
				l := e.login(t, "db0", estate.StageCurrent)
				if l.Outcome != x.outcome || l.SQLState != x.state || !strings.Contains(l.Message, strings.ReplaceAll(x.message, "USER", user)) {
					t.Errorf("got %q %q %q, want %q %q %q", l.Outcome, l.SQLState, l.Message, x.outcome, x.state, x.message)
				}
				want := estate.Login{Secret: pgSecret, Stage: estate.StageCurrent, Version: "v1", User: user, Database: at.Database, TLS: true,
					Outcome: l.Outcome, SQLState: l.SQLState, Message: l.Message}
				if l != want {
					t.Errorf("got %+v, want %+v", l, want)
				}
			})
		}
	})
}

func TestPausedReplicaTakesTheOldPassword(t *testing.T) {
	pgWorlds(t, func(t *testing.T, w pgWorld) {
		const user = "wr_paused"
		w.setRole(t, pgRole{name: user, password: pgOld})
		w.pause(t)
		w.setRole(t, pgRole{name: user, password: pgNew})
		primary, replica := w.at(false), w.at(true)
		primary.Monitor, replica.Monitor = "watch", "watch"
		e := newPGEstate(t, primary, replica)
		e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "new", user: user, password: pgNew})
		e.vault.put(pgSecret, estate.StagePrevious, pgVersion{id: "old", user: user, password: pgOld})
		for _, x := range []struct {
			db    string
			stage estate.Stage
			want  estate.LoginOutcome
		}{
			{"db0", estate.StageCurrent, estate.LoginAccepted},
			{"db0", estate.StagePrevious, estate.LoginWrong},
			{"db0", estate.StagePending, estate.LoginNoSuch},
			{"db1", estate.StageCurrent, estate.LoginWrong},
			{"db1", estate.StagePrevious, estate.LoginAccepted},
		} {
			if l := e.login(t, x.db, x.stage); l.Outcome != x.want {
				t.Errorf("%s with %s: %q %s, want %q", x.db, x.stage, l.Outcome, l.Message, x.want)
			}
		}

		there, ok := e.run(t, "db1", estate.CheckReplication, "").Data.(estate.Replication)
		if !ok || !there.InRecovery || !there.Paused || !there.Connected || there.LagBytes <= 0 || len(there.Standbys) != 0 {
			t.Errorf("the replica says %+v", there)
		}
		here, ok := e.run(t, "db0", estate.CheckReplication, "").Data.(estate.Replication)
		if !ok || here.InRecovery || here.Paused || len(here.Standbys) != 1 {
			t.Fatalf("the primary says %+v", here)
		}
		if s := here.Standbys[0]; s.Name == "" || s.State != "streaming" || s.LagBytes <= 0 {
			t.Errorf("the primary says of its replica %+v", s)
		}
		w.resume(t)
		w.caughtUp(t)
		there, _ = e.run(t, "db1", estate.CheckReplication, "").Data.(estate.Replication)
		if there.Paused || there.LagBytes != 0 || there.LastReplay.IsZero() {
			t.Errorf("the replica that caught up says %+v", there)
		}
	})
}

func TestRoleAndConnections(t *testing.T) {
	pgWorlds(t, func(t *testing.T, w pgWorld) {
		const user = "wr_app"
		limit := 7
		until := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
		w.setRole(t, pgRole{name: user, password: pgOld, until: until, limit: &limit})
		at := w.at(false)
		at.Monitor = "watch"
		e := newPGEstate(t, at)
		put := func(created time.Time) {
			e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: user, password: pgOld, created: created})
			e.login(t, "db0", estate.StageCurrent)
		}
		put(time.Now().Add(-time.Hour))
		role := func() estate.Role {
			t.Helper()
			r := e.run(t, "db0", estate.CheckRole, "")
			got, ok := r.Data.(estate.Role)
			if !ok {
				t.Fatal(r.Err)
			}
			return got
		}
		connections := func() estate.Connections {
			t.Helper()
			r := e.run(t, "db0", estate.CheckConnections, "")
			got, ok := r.Data.(estate.Connections)
			if !ok {
				t.Fatal(r.Err)
			}
			return got
		}
		if got, want := role(), (estate.Role{Name: user, Exists: true, CanLogin: true, ValidUntil: until, ConnLimit: 7}); got != want {
			t.Errorf("role is %+v, want %+v", got, want)
		}
		// A server ends the sessions of the set-up a moment after they were closed.
		settled := func(want func(estate.Connections) bool) estate.Connections {
			t.Helper()
			got := connections()
			for end := time.Now().Add(10 * time.Second); !want(got) && time.Now().Before(end); {
				got = connections()
			}
			return got
		}
		before := settled(func(c estate.Connections) bool { return c.Used == 0 })
		if before.Max < 10 || before.Reserved < 1 || before.Blocked != 0 || before.OldestBlocked != 0 || before.OldSessions != 0 {
			t.Errorf("connections are %+v", before)
		}
		w.block(t, user, pgOld)
		during := settled(func(c estate.Connections) bool { return c.Used == before.Used+2 && c.Blocked == 1 })
		if during.Used != before.Used+2 || during.Blocked != 1 || during.OldestBlocked <= 0 || during.OldestBlocked > time.Minute || during.OldSessions != 0 {
			t.Errorf("with one waiting for another, connections are %+v, before %+v", during, before)
		}
		if got := role().InUse; got != 2 {
			t.Errorf("the role has %d sessions, want 2", got)
		}
		put(time.Now().Add(time.Hour))
		e.clock.advance(time.Minute)
		put(time.Now().Add(time.Hour))
		if got := connections().OldSessions; got != 2 {
			t.Errorf("%d sessions are older than the rotation, want 2", got)
		}
		put(time.Time{})
		if got := connections().OldSessions; got != -1 {
			t.Errorf("%d sessions are older than a rotation at no known time, want -1", got)
		}

		w.setRole(t, pgRole{name: user, password: pgOld, infinite: true, nologin: true})
		if got := role(); !got.Infinite || !got.ValidUntil.IsZero() || got.CanLogin || got.ConnLimit != -1 {
			t.Errorf("role is %+v", got)
		}
		e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v2", user: "wr_nobody", password: pgOld})
		e.login(t, "db0", estate.StageCurrent)
		if got, want := role(), (estate.Role{Name: "wr_nobody", ConnLimit: -1}); got != want {
			t.Errorf("role is %+v, want %+v", got, want)
		}
	})
}

func TestMonitoringAsTheApplication(t *testing.T) {
	pgWorlds(t, func(t *testing.T, w pgWorld) {
		const user = "wr_plain"
		w.setRole(t, pgRole{name: user, password: pgOld})
		e := newPGEstate(t, w.at(false))
		e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: user, password: pgOld})
		if r := e.run(t, "db0", estate.CheckRole, ""); r.Err != nil || !r.Data.(estate.Role).CanLogin {
			t.Errorf("its own role: %+v %v", r.Data, r.Err)
		}
		for _, check := range []string{estate.CheckConnections, estate.CheckReplication} {
			kindIs(t, e.run(t, "db0", check, "").Err, estate.Denied)
		}
	})
}

func TestMonitoringLoginThatIsRefused(t *testing.T) {
	pgWorlds(t, func(t *testing.T, w pgWorld) {
		at := w.at(false)
		at.Monitor = "watch"
		e := newPGEstate(t, at)
		e.vault.put("watch", estate.StageCurrent, pgVersion{id: "w2", user: "wr_watch", password: pgWrong})
		e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_watch", password: pgWatch})
		for _, check := range []string{estate.CheckRole, estate.CheckConnections, estate.CheckReplication} {
			f := kindIs(t, e.run(t, "db0", check, "").Err, estate.NoIdentity)
			if !strings.Contains(f.Detail, "28P01") {
				t.Errorf("%s: %v", check, f)
			}
		}
		// A new version is tried at once.
		e.vault.put("watch", estate.StageCurrent, pgVersion{id: "w3", user: "wr_watch", password: pgWatch})
		if r := e.run(t, "db0", estate.CheckRole, ""); r.Err != nil {
			t.Error(r.Err)
		}
	})
}

func TestMonitoringConnectionIsKeptAndRebuilt(t *testing.T) {
	w := newSimWorld(t, nil)
	w.setRole(t, pgRole{name: "wr_app", password: pgOld})
	at := w.at(false)
	at.Monitor = "watch"
	e := newPGEstate(t, at)
	e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_app", password: pgOld})
	pids := func() []int {
		var out []int
		for _, s := range w.Primary().Sessions() {
			if s.User == "wr_watch" {
				if s.Application != "warroom" {
					t.Errorf("our session calls itself %q", s.Application)
				}
				out = append(out, s.PID)
			}
		}
		return out
	}
	for range 3 {
		for _, check := range []string{estate.CheckRole, estate.CheckConnections, estate.CheckReplication} {
			if r := e.run(t, "db0", check, ""); r.Err != nil {
				t.Fatal(r.Err)
			}
		}
	}
	first := pids()
	if len(first) != 1 {
		t.Fatalf("%d monitoring connections, want 1", len(first))
	}
	w.Primary().EndSessions(first...)
	if r := e.run(t, "db0", estate.CheckRole, ""); r.Err != nil {
		t.Fatalf("after the connection broke: %v", r.Err)
	}
	if second := pids(); len(second) != 1 || second[0] == first[0] {
		t.Errorf("connections %v, then %v", first, second)
	}
	got := e.run(t, "db0", estate.CheckConnections, "").Data.(estate.Connections)
	if got.Used != 0 {
		t.Errorf("our own session is counted: %+v", got)
	}
}

// Cases that only the simulation is asked: they need a server set up wrong, or
// full.
func TestLoginAtServersSetUpWrong(t *testing.T) {
	cases := []struct {
		name    string
		arrange func(w *simWorld)
		outcome estate.LoginOutcome
		state   string
		message string
	}{
		{"full", func(w *simWorld) { w.Primary().AddSessions(make([]pgsim.Session, 100)...) }, estate.LoginBusy, "53300", "too many clients"},
		{"nearly full", func(w *simWorld) { w.Primary().AddSessions(make([]pgsim.Session, 97)...) }, estate.LoginBarred, "53300", "remaining connection slots are reserved"},
		{"reject line", func(w *simWorld) { w.Primary().SetHBA(pgsim.HBAReject) }, estate.LoginRejected, "28000", "pg_hba.conf rejects"},
		{"no line", func(w *simWorld) { w.Primary().SetHBA(pgsim.HBANone) }, estate.LoginRejected, "28000", "no pg_hba.conf entry"},
		{"cleartext", func(w *simWorld) { w.Primary().SetHBA(pgsim.HBAPassword) }, estate.LoginWeak, "", "not sent"},
		{"md5", func(w *simWorld) { w.Primary().SetHBA(pgsim.HBAMD5) }, estate.LoginWeak, "", "not sent"},
		{"trust", func(w *simWorld) { w.Primary().SetHBA(pgsim.HBATrust) }, estate.LoginTrusted, "", "any would do"},
		{"database closed", func(w *simWorld) { w.SetAllowConnections(pgDatabase, false) }, estate.LoginBarred, "55000", "not currently accepting"},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			w := newSimWorld(t, nil)
			w.setRole(t, pgRole{name: "wr_app", password: pgOld})
			x.arrange(w)
			e := newPGEstate(t, w.at(false))
			e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_app", password: pgOld})
			l := e.login(t, "db0", estate.StageCurrent)
			if l.Outcome != x.outcome || l.SQLState != x.state || !strings.Contains(l.Message, x.message) {
				t.Errorf("got %+v", l)
			}
			if n := w.Primary().FailedLogins(); n != 0 {
				t.Errorf("the server counts %d failed logins", n)
			}
		})
	}
	t.Run("starting", func(t *testing.T) {
		w := newSimWorld(t, nil)
		w.Primary().SetStarting(true)
		e := newPGEstate(t, w.at(false))
		e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_app", password: pgOld})
		kindIs(t, e.run(t, "db0", estate.CheckLogin, string(estate.StageCurrent)).Err, estate.ServerError)
	})
}

func TestStoredValuesThatCannotBeUsed(t *testing.T) {
	w := newSimWorld(t, nil)
	e := newPGEstate(t, w.at(false))
	for _, why := range []string{"it is not a JSON object", "it has no key \"password\"", "it is binary", "it is empty"} {
		e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", unusable: why})
		if l := e.login(t, "db0", estate.StageCurrent); l.Outcome != estate.LoginUnusable || l.Message != why || l.Version != "v1" {
			t.Errorf("got %+v", l)
		}
	}
	if l := e.login(t, "db0", estate.StagePending); l.Outcome != estate.LoginNoSuch || l.Version != "" {
		t.Errorf("got %+v", l)
	}
	e.vault.put(pgSecret, estate.StageCurrent, pgVersion{err: &estate.Failure{Kind: estate.Denied, Detail: "no"}})
	for _, check := range []string{estate.CheckRole, estate.CheckLogin} {
		item := map[string]string{estate.CheckLogin: string(estate.StageCurrent)}[check]
		f := kindIs(t, e.run(t, "db0", check, item).Err, estate.NoCredential)
		if !strings.Contains(f.Detail, "not permitted: no") || f.Kind.Status() != estate.Unknown {
			t.Errorf("%s: %v does not say what the store said", check, f)
		}
	}
	if n := w.Primary().FailedLogins(); n != 0 {
		t.Errorf("the server counts %d failed logins", n)
	}
}

func TestPostgresProbesAndKeys(t *testing.T) {
	e := newPGEstate(t, config.Postgres{Host: "db.example.com", Port: 5432, Database: "production", User: "app_user", SSLMode: "verify-full"})
	if len(e.probes) != 6 {
		t.Errorf("%d probes, want 6", len(e.probes))
	}
	p := e.probes[estate.Key{Component: "db0", Check: estate.CheckLogin, Item: "AWSPREVIOUS"}]
	if p.Source != "PostgreSQL login app_user@db.example.com:5432/production, AWSPREVIOUS of prod/db/postgres" || p.System != "pg:db.example.com:5432" ||
		p.Interval != 30*time.Second || p.Timeout != 5*time.Second {
		t.Errorf("got %+v", p)
	}
}

// PostgreSQL before 14 does not know since when a session waits for a lock.
func TestOlderServersAreAskedForLess(t *testing.T) {
	for version, asks := range map[int]bool{0: true, 10: false, 13: false, 14: true, 18: true} {
		got := connectionsOf(version)
		if strings.Contains(got, "waitstart") != asks || strings.Count(got, ",\n") != strings.Count(sqlConnections, ",\n") {
			t.Errorf("version %d: %s", version, got)
		}
	}
	for said, want := range map[string]int{"13.14": 13, "9.6.24": 9, "15.8 (Debian 15.8-1)": 15, "17beta1": 17, "unknown": 0} {
		w := newSimWorld(t, func(o *pgsim.Options) { o.ServerVersion = said })
		at := w.at(false)
		c := clients.NewPostgres(clients.PostgresServer{Host: at.Host, Port: at.Port, Database: at.Database, SSLMode: at.SSLMode, CACert: at.CACert}, clients.Strip)
		s, try := c.Open(t.Context(), "wr_watch", estate.NewSecret(pgWatch), time.Second)
		if s == nil {
			t.Fatalf("%+v", try)
		}
		if got := s.Version(); got != want {
			t.Errorf("%q is version %d, want %d", said, got, want)
		}
		s.Close()
	}
}
