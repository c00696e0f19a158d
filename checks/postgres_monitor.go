package checks

import (
	"context"
	"math"
	"strings"
	"time"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// Statements of the monitoring reads. Our own sessions are left out of what they
// count. PostgreSQL 14 and later have every column, 10 and later all but one; a
// role in pg_monitor may read them all.
const (
	sqlRole = `SELECT r.rolcanlogin, r.rolconnlimit,
  coalesce(r.rolvaliduntil = 'infinity', false),
  CASE WHEN isfinite(r.rolvaliduntil) THEN extract(epoch FROM r.rolvaliduntil)::float8 WHEN r.rolvaliduntil = '-infinity' THEN 0 END,
  (SELECT count(*) FROM pg_stat_activity a WHERE a.usename = r.rolname
    AND coalesce(a.backend_type, 'client backend') = 'client backend' AND coalesce(a.application_name, '') <> 'warroom')
FROM pg_roles r WHERE r.rolname = $1::text`

	sqlConnections = `SELECT pg_has_role('pg_read_all_stats', 'USAGE'),
  count(*) FILTER (WHERE a.backend_type = 'client backend' AND coalesce(a.application_name, '') <> 'warroom'),
  current_setting('max_connections')::int,
  current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true), '0')::int,
  count(*) FILTER (WHERE CASE WHEN a.wait_event_type = 'Lock' THEN cardinality(pg_blocking_pids(a.pid)) > 0 ELSE false END),
  ` + sqlWaited + `,
  CASE WHEN $2::float8 IS NULL THEN -1 ELSE count(*) FILTER (WHERE a.usename = $1::text AND a.backend_type = 'client backend'
    AND coalesce(a.application_name, '') <> 'warroom' AND a.backend_start < to_timestamp($2::float8)) END
FROM pg_stat_activity a`

	// Since when a lock is waited for is known from PostgreSQL 14 on.
	sqlWaited   = `coalesce(extract(epoch FROM now() - (SELECT min(l.waitstart) FROM pg_locks l WHERE NOT l.granted)), 0)::float8`
	sqlNoWaited = `0::float8`

	sqlRecovery = `SELECT pg_is_in_recovery()`

	// A walsender without a replay position feeds an archive or a base backup.
	sqlStandbys = `SELECT pg_has_role('pg_read_all_stats', 'USAGE'), coalesce(application_name, ''), coalesce(state, ''),
  coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), -1)::bigint
FROM pg_stat_replication
WHERE replay_lsn IS NOT NULL OR NOT pg_has_role('pg_read_all_stats', 'USAGE')
ORDER BY application_name, pid`

	sqlReplay = `SELECT coalesce(greatest(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0), 0)::bigint,
  pg_is_wal_replay_paused(), EXISTS (SELECT 1 FROM pg_stat_wal_receiver),
  extract(epoch FROM pg_last_xact_replay_timestamp())::float8`
)

// standbyLimit bounds how many replicas of one primary are kept.
const standbyLimit = 64

// monitorKey is what the components have in common that share a monitoring
// connection: a server, and as whom it is watched. Its slots are few.
type monitorKey struct {
	server                 clients.PostgresServer
	secret, service, alone string
}

// monitorKeyOf is the key of a component. One that is watched as its own
// application shares with none.
func monitorKeyOf(p *postgres) monitorKey {
	key := monitorKey{
		server: clients.PostgresServer{Host: p.spec.Host, Port: p.spec.Port, Database: p.spec.Database, SSLMode: p.spec.SSLMode, CACert: p.spec.CACert},
		secret: p.spec.Monitor, service: p.spec.Service,
	}
	if key.secret == "" && key.service == "" {
		key.alone = string(p.id)
	}
	return key
}

// monitorPool is the one connection for monitoring reads of a server.
type monitorPool struct {
	owner   *postgres
	turn    chan struct{} // held by whoever uses what follows
	session *clients.PostgresSession
	lag     lagRead
}

// lagShared is how long what a server said of its replication serves the other
// components on it: they are due together, and it is the same for all of them.
const lagShared = 2 * time.Second

// lagRead is what a server last said of its replication, when, and to whom.
type lagRead struct {
	by   estate.ID
	at   time.Time
	says estate.Replication
}

// serves reports whether another component's read of a moment ago answers id.
func (l lagRead) serves(id estate.ID, now time.Time) bool {
	age := now.Sub(l.at)
	return l.by != "" && l.by != id && age >= 0 && age < lagShared
}

// read runs one statement on the monitoring connection, which is made when there
// is none and once anew when it turns out to be broken.
func (m *monitorPool) read(ctx context.Context, doing string, run func(*clients.PostgresSession) error) error {
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-m.turn }()
	for again := true; ; again = false {
		fresh := m.session == nil
		if fresh {
			session, err := m.open(ctx)
			if err != nil {
				return err
			}
			m.session = session
		}
		err := run(m.session)
		if !m.session.Broken() {
			return err
		}
		m.session.Close()
		m.session = nil
		if err == nil || fresh || !again || ctx.Err() != nil {
			return err
		}
	}
}

// open logs in for monitoring: with the stored secret of the monitoring role,
// else as the service file says, else as the application.
func (m *monitorPool) open(ctx context.Context) (*clients.PostgresSession, error) {
	p := m.owner
	doing := "log in for monitoring to " + p.place()
	limit := p.cfg.Checks.Timeout
	var session *clients.PostgresSession
	key := gateKey{place: p.place(), user: "service " + p.spec.Service, secret: "service", version: p.spec.Service}
	try := func(ctx context.Context) outcome {
		var t clients.LoginTry
		session, t = p.client.OpenService(ctx, p.spec.Service, limit)
		return loginOutcome(t)
	}
	if p.spec.Monitor != "" || p.spec.Service == "" {
		secret, fields := p.spec.Monitor, p.fields
		if secret == "" {
			secret = p.spec.Secret
		} else {
			fields = monitorFields
		}
		credential, err := p.read.get(ctx, secret, estate.StageCurrent, "read the monitoring login of "+p.place()+" from "+secret)
		if err != nil {
			return nil, err
		}
		user, password, err := fields(credential)
		if err != nil {
			return nil, err
		}
		key = gateKey{p.place(), user, secret, credential.version}
		try = func(ctx context.Context) outcome {
			var t clients.LoginTry
			session, t = p.client.Open(ctx, user, password, limit)
			return p.counted(loginOutcome(t))
		}
	}
	// Of an earlier login only a refusal is of use here: what is wanted is the
	// connection.
	made, err := p.gate.present(ctx, key, asker{by: p.by("monitor", ""), database: p.spec.Database}, try)
	if err != nil {
		return nil, err
	}
	if made.err != nil {
		return nil, made.heldBack(made.err)
	}
	if session != nil {
		return session, nil
	}
	login, _ := made.data.(estate.Login)
	return nil, made.heldBack(refusedMonitor(login, doing))
}

// monitorFields are the user and password of the monitoring role's own secret.
func monitorFields(c credential) (string, estate.Secret, error) {
	user, err := c.field("username")
	if err != nil {
		return "", estate.Secret{}, err
	}
	password, err := c.field("password")
	return user.Reveal(), password, err
}

// refusedMonitor is why there is no monitoring connection. Our own login being
// refused says nothing about what it would have read.
func refusedMonitor(l estate.Login, doing string) *estate.Failure {
	f := &estate.Failure{
		Kind: estate.NoIdentity, Doing: doing + " as " + l.User, Detail: string(l.Outcome),
		Next: "give monitoring a role of its own (monitor or service in warroom.yaml)",
	}
	if l.Outcome == estate.LoginBusy || l.SQLState == "53300" {
		f.Kind, f.Next = estate.ServerError, "free connection slots"
	}
	if l.SQLState != "" {
		f.Detail += " (SQLSTATE " + l.SQLState + ")"
	}
	if l.Message != "" {
		f.Detail += ": " + l.Message
	}
	return f
}

// role reads the role that applications log in as.
func (p *postgres) role(ctx context.Context) Result {
	doing := "read the application's role at " + p.place()
	app, err := p.application(ctx)
	if err != nil {
		return p.failed(ctx, err, doing)
	}
	var out estate.Role
	err = p.monitor.read(ctx, doing, func(s *clients.PostgresSession) error {
		out = estate.Role{Name: app.user, ConnLimit: -1}
		return s.Read(ctx, doing, sqlRole, []any{app.user}, func(scan func(...any) error) error {
			var until *float64
			out.Exists = true
			if err := scan(&out.CanLogin, &out.ConnLimit, &out.Infinite, &until, &out.InUse); err != nil {
				return err
			}
			if until != nil {
				out.ValidUntil = epochTime(*until)
			}
			return nil
		})
	})
	if err != nil {
		return p.failed(ctx, err, doing)
	}
	return Result{Data: out}
}

// epochTime is a time in seconds since the epoch, to the microsecond as the server
// keeps it.
func epochTime(epoch float64) time.Time {
	return time.UnixMicro(int64(math.Round(epoch * 1e6))).UTC()
}

// connectionsOf is the statement for a server of that major version; 0 is not
// known.
func connectionsOf(version int) string {
	if version > 0 && version < 14 {
		return strings.Replace(sqlConnections, sqlWaited, sqlNoWaited, 1)
	}
	return sqlConnections
}

// connections reads the use of connection slots.
func (p *postgres) connections(ctx context.Context) Result {
	doing := "read sessions at " + p.place()
	app, err := p.application(ctx)
	if err != nil {
		// Slots can be counted without knowing whose they are.
		app = appLogin{}
	}
	var since any
	if !app.rotated.IsZero() && app.user != "" {
		since = float64(app.rotated.UnixMicro()) / 1e6
	}
	var out estate.Connections
	seesAll := false
	err = p.monitor.read(ctx, doing, func(s *clients.PostgresSession) error {
		return s.Read(ctx, doing, connectionsOf(s.Version()), []any{app.user, since}, func(scan func(...any) error) error {
			var waited float64
			if err := scan(&seesAll, &out.Used, &out.Max, &out.Reserved, &out.Blocked, &waited, &out.OldSessions); err != nil {
				return err
			}
			if out.Blocked > 0 {
				out.OldestBlocked = time.Duration(max(waited, 0) * float64(time.Second)).Round(time.Millisecond)
			}
			return nil
		})
	})
	if err == nil && !seesAll {
		err = p.unprivileged(doing)
	}
	if err != nil {
		return p.failed(ctx, err, doing)
	}
	return Result{Data: out}
}

// unprivileged: the server hides most of what is asked from roles outside
// pg_monitor and would make every count too low.
func (p *postgres) unprivileged(doing string) error {
	return &estate.Failure{
		Kind: estate.Denied, Doing: doing, Detail: "the monitoring role sees only its own sessions",
		Next: "grant it pg_monitor, or name a role that has it (monitor or service in warroom.yaml)",
	}
}

// replication reads how far replicas are behind, by what the server is rather
// than by what it should be.
func (p *postgres) replication(ctx context.Context) Result {
	doing := "read replication at " + p.place()
	var out estate.Replication
	var at time.Time // of another component's read that answers
	err := p.monitor.read(ctx, doing, func(s *clients.PostgresSession) error {
		if l := p.monitor.lag; l.serves(p.id, time.Now()) {
			out, at = l.says, l.at
			return nil
		}
		read, err := p.lag(ctx, s, doing)
		if out, at = read, (time.Time{}); err == nil {
			p.monitor.lag = lagRead{by: p.id, at: time.Now(), says: out}
		}
		return err
	})
	if err != nil {
		return p.failed(ctx, err, doing)
	}
	return Result{Data: out, At: at}
}

// lag asks a server for its replication.
func (p *postgres) lag(ctx context.Context, s *clients.PostgresSession, doing string) (out estate.Replication, err error) {
	err = s.Read(ctx, doing, sqlRecovery, nil, func(scan func(...any) error) error { return scan(&out.InRecovery) })
	if err != nil {
		return out, err
	}
	if out.InRecovery {
		err = s.Read(ctx, doing, sqlReplay, nil, func(scan func(...any) error) error {
			var last *float64
			if err := scan(&out.LagBytes, &out.Paused, &out.Connected, &last); err != nil {
				return err
			}
			if last != nil {
				out.LastReplay = epochTime(*last)
			}
			return nil
		})
		return out, err
	}
	seesAll := true
	err = s.Read(ctx, doing, sqlStandbys, nil, func(scan func(...any) error) error {
		var one estate.Standby
		if err := scan(&seesAll, &one.Name, &one.State, &one.LagBytes); err != nil {
			return err
		}
		if len(out.Standbys) < standbyLimit {
			one.Name, one.State = p.text(one.Name, 64), p.text(one.State, 32)
			out.Standbys = append(out.Standbys, one)
		}
		return nil
	})
	if err == nil && !seesAll {
		err = p.unprivileged(doing)
	}
	return out, err
}
