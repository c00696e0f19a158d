package drill

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"warroom/internal/drill/edge"
)

// app is an application that has loaded a secret when it started, and goes on
// with it, as applications do.
type app struct {
	name    string
	secret  string
	version string
	value   string
}

// load starts an application with a version of a secret.
func (e *estate) load(name, secret, stage string) (app, error) {
	v, err := e.staged(secret, stage)
	return app{name: name, secret: secret, version: v.ID, value: v.Value}, err
}

// makeApps starts the three applications. What they say of themselves is what
// happens when they use the secret they have.
func (e *estate) makeApps() error {
	users, err1 := e.load(srvUsers, "prod/db/postgres", "AWSCURRENT")
	payment, err2 := e.load(srvPayment, "prod/api/payment", "AWSCURRENT")
	analytic, err3 := e.load(srvAnalytics, "prod/db/analytics", "AWSPREVIOUS") // the new one was refused by the replica
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	e.users = &login{estate: e, server: srvPrimary, app: users}
	e.web(srvUsers, edge.Health(func() edge.Report {
		r := e.inUse(users).report(e.ago(due))
		if err := e.users.try(); err != nil {
			r.Status, r.Connection, r.Error = "failed", "failed", err.Error()
			r.Retries = int(e.now().Sub(e.ago(due)) / time.Minute)
		} else {
			now := e.now()
			r.LastSync = &now
		}
		return r
	}), true)
	e.web(srvPayment, edge.Health(func() edge.Report {
		payment := e.inUse(payment)
		r := payment.report(e.ago(synced))
		if code := e.paying.Use(stringField(payment.value, "api_key")); code != http.StatusOK {
			r.Status, r.Connection, r.Error = "failed", "failed", "the payment API answers "+http.StatusText(code)
		}
		return r
	}), true)
	replica := &login{estate: e, server: srvReplica, app: analytic}
	writes := &login{estate: e, server: srvPrimary, app: analytic}
	e.web(srvAnalytics, edge.Health(func() edge.Report {
		r := e.inUse(analytic).report(e.ago(degraded))
		if err := replica.try(); err != nil {
			r.Status, r.Connection, r.Error = "failed", "failed", "reports: "+err.Error()
		} else if err := writes.try(); err != nil {
			r.Status, r.Connection, r.Error = "degraded", "degraded", "storing results: "+err.Error()
		}
		if r.Error != "" {
			r.Retries = int(e.now().Sub(e.ago(degraded)) / retryEvery)
		}
		return r
	}), true)
	return nil
}

func (a app) report(synced time.Time) edge.Report {
	return edge.Report{Status: "healthy", Connection: "healthy", LastSync: &synced, Secret: a.secret, SecretVersion: a.version}
}

// stringField is one field of a JSON object, empty when there is none.
func stringField(object, name string) string {
	var fields map[string]any
	_ = json.Unmarshal([]byte(object), &fields) // then there is none
	text, _ := fields[name].(string)
	return text
}

// loginEvery is for how long an application goes by its last login: its pool does
// not open a connection for every health check.
const loginEvery = 10 * time.Second

// login opens connections as an application does: over TLS, with SCRAM.
type login struct {
	estate *estate
	server string
	app    app

	mu   sync.Mutex
	at   time.Time
	with string // the version that it logged in with
	last error
}

// try logs in, or says how the last login went where that was just now, by pods of the
// same secret: those that were restarted begin with logins of their own.
func (l *login) try() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	app := l.estate.inUse(l.app)
	if !l.at.IsZero() && time.Since(l.at) < loginEvery && l.with == app.version {
		return l.last
	}
	l.last = l.connect(app)
	l.at, l.with = time.Now(), app.version
	return l.last
}

func (l *login) connect(app app) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	// Everything is said here, because the environment of the person at the
	// console (PGSERVICE, PGSSLROOTCERT …) is for their own databases.
	config, err := pgconn.ParseConfig("host=127.0.0.1 dbname=" + databaseName + " service=drill servicefile='" + libpqQuote(l.estate.file(fileService)) +
		"' passfile='' sslmode=disable sslnegotiation=postgres require_auth=scram-sha-256 target_session_attrs=any connect_timeout=3")
	if err != nil {
		return errors.New("the database's settings are wrong")
	}
	config.Port = uint16(l.estate.port(l.server))
	config.User, config.Password = stringField(app.value, "username"), stringField(app.value, "password")
	config.RuntimeParams = map[string]string{"application_name": app.name}
	config.TLSConfig = l.estate.pki.client("db.company.com")
	config.Fallbacks = nil
	conn, err := pgconn.ConnectConfig(ctx, config)
	var said *pgconn.PgError
	switch {
	case errors.As(err, &said):
		return errors.New(said.Message + " (SQLSTATE " + said.Code + ")")
	case err != nil:
		return errors.New("the database cannot be reached")
	}
	_ = conn.Close(ctx) // the login was all that was wanted
	return nil
}

// libpqQuote escapes a value within quotes of a connection string.
func libpqQuote(s string) string { return strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) }
