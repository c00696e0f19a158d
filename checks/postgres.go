package checks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// postgresProbes reads every PostgreSQL server. They share one gate, so that a
// password that several of them would try is tried once.
func postgresProbes(cfg *config.Config, set *clients.Set, read credentialReader, gate *gate, own map[estate.ID]*ownCalls) []Probe {
	var out []Probe
	monitors := map[monitorKey]*monitorPool{}
	for i := range cfg.Components {
		c := &cfg.Components[i]
		if c.Postgres == nil {
			continue
		}
		s := &postgres{
			cfg: cfg, id: estate.ID(c.ID), spec: c.Postgres, read: read, gate: gate, own: own[estate.ID(c.ID)], text: set.Text,
			client: clients.NewPostgres(clients.PostgresServer{
				Host: c.Postgres.Host, Port: c.Postgres.Port, Database: c.Postgres.Database,
				SSLMode: c.Postgres.SSLMode, CACert: c.Postgres.CACert,
			}, set.Text),
		}
		key := monitorKeyOf(s)
		if s.monitor = monitors[key]; s.monitor == nil {
			s.monitor = &monitorPool{owner: s, turn: make(chan struct{}, 1)}
			monitors[key] = s.monitor
		}
		out = append(out, s.probes()...)
	}
	return out
}

// postgres is one server with its probes.
type postgres struct {
	cfg     *config.Config
	id      estate.ID
	spec    *config.Postgres
	client  *clients.Postgres
	read    credentialReader
	gate    *gate
	own     *ownCalls // logins of ours that were refused; nil where nobody counts them
	monitor *monitorPool
	text    func(string, int) string

	mu    sync.Mutex
	app   appLogin
	works bool // the current version logged in the last time it was tried
}

// appLogin is what is known of the login that applications use now, from the
// last time its secret was read.
type appLogin struct {
	user    string
	rotated time.Time // when the current version was made; zero when not known
}

// place is the server as host:port.
func (p *postgres) place() string {
	return net.JoinHostPort(p.spec.Host, strconv.Itoa(p.spec.Port))
}

func (p *postgres) probes() []Probe {
	user := p.spec.User
	if user == "" {
		user = "the username of the secret"
	}
	var out []Probe
	add := func(check, item, source string, every time.Duration, read func(context.Context) Result) {
		out = append(out, Probe{
			Key:    estate.Key{Component: p.id, Check: check, Item: item},
			Source: source, System: "pg:" + p.place(), Interval: every, Timeout: p.cfg.Checks.Timeout, Read: read,
		})
	}
	for _, stage := range []estate.Stage{estate.StageCurrent, estate.StagePending, estate.StagePrevious} {
		source := fmt.Sprintf("PostgreSQL login %s@%s/%s, %s of %s", user, p.place(), p.spec.Database, stage, p.spec.Secret)
		add(estate.CheckLogin, string(stage), source, p.cfg.Checks.LoginEvery, func(ctx context.Context) Result { return p.login(ctx, stage) })
	}
	add(estate.CheckRole, "", "SELECT FROM pg_roles at "+p.place(), p.cfg.Checks.Interval, p.role)
	add(estate.CheckConnections, "", "SELECT FROM pg_stat_activity at "+p.place(), p.cfg.Checks.Interval, p.connections)
	from := "pg_stat_replication"
	if p.spec.Role == "replica" {
		from = "pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()"
	}
	add(estate.CheckReplication, "", "SELECT "+from+" at "+p.place(), p.cfg.Checks.Interval, p.replication)
	return out
}

// login tries one version of the secret.
func (p *postgres) login(ctx context.Context, stage estate.Stage) Result {
	doing := fmt.Sprintf("read the %s password of %s for %s", stage, p.spec.Secret, p.place())
	l := estate.Login{Secret: p.spec.Secret, Stage: stage, User: p.spec.User, Database: p.spec.Database}
	credential, err := p.read.get(ctx, p.spec.Secret, stage, doing)
	var none *clients.NoVersionError
	if errors.As(err, &none) {
		p.judged(stage, false)
		l.Outcome, l.Version, l.Message = estate.LoginNoSuch, none.Version, p.text(none.Error(), clients.DetailLimit)
		return Result{Data: l}
	}
	if err != nil {
		return p.failed(ctx, err, doing)
	}
	l.Version, l.Remembered = credential.version, credential.remembered
	user, password, err := p.fields(credential)
	if err != nil {
		var failure *estate.Failure
		if !errors.As(err, &failure) || failure.Kind != estate.BadSecret {
			return p.failed(ctx, err, doing)
		}
		p.judged(stage, false)
		l.Outcome, l.Message = estate.LoginUnusable, p.text(failure.Detail, clients.DetailLimit)
		return Result{Data: l}
	}
	if stage == estate.StageCurrent {
		p.learn(user, credential.created)
	}
	who := asker{
		by: p.by(estate.CheckLogin, string(stage)), database: p.spec.Database, share: p.cfg.Checks.LoginEvery,
		// While the current version works, that another one is refused is how it
		// should be: it is not asked again for as long as both stay what they are,
		// unless a person wants to know.
		rest: stage != estate.StageCurrent && p.currentWorks() && !byHand(ctx),
	}
	made, err := p.gate.present(ctx, gateKey{p.place(), user, p.spec.Secret, credential.version}, who,
		func(ctx context.Context) outcome {
			return p.counted(loginOutcome(p.client.Login(ctx, user, password)))
		})
	if err != nil {
		return p.failed(ctx, err, fmt.Sprintf("log in to %s as %s", p.place(), clients.Strip(user, 64)))
	}
	p.judged(stage, made.says == accepted)
	return p.result(made, l)
}

// counted counts a login that was refused: the server's log has it too.
func (p *postgres) counted(o outcome) outcome {
	if o.says == refused {
		p.own.refused(time.Now())
	}
	return o
}

// judged keeps whether the current version works.
func (p *postgres) judged(stage estate.Stage, works bool) {
	if stage != estate.StageCurrent {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.works = works
}

func (p *postgres) currentWorks() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.works
}

// result makes the probe's answer of a login that was made now or is remembered.
func (p *postgres) result(made attempt, l estate.Login) Result {
	got, ok := made.data.(estate.Login)
	r := made.result(nil, p.cfg.Checks.LoginEvery)
	switch {
	case made.err != nil:
		r.Err = made.heldBack(made.err)
	case !ok:
		r.Err = &estate.Failure{Kind: estate.Broken, Doing: "log in to " + p.place(), Detail: "what is remembered is no login"}
	case got.Database != l.Database && got.Outcome != estate.LoginWrong:
		// What the server said of the other database need not hold for this one.
		r.Err = made.heldBack(&estate.Failure{
			Kind: estate.Paused, Doing: fmt.Sprintf("log in to %s as %s", p.place(), got.User),
			Detail: fmt.Sprintf("the same credential was just refused for database %s: %s", got.Database, got.Message),
		})
	default:
		got.Secret, got.Stage, got.Version, got.Database, got.Remembered = l.Secret, l.Stage, l.Version, l.Database, l.Remembered
		r.Data = got
	}
	return r
}

// fields are the user and password of a credential.
func (p *postgres) fields(c credential) (user string, password estate.Secret, err error) {
	user = p.spec.User
	if user == "" {
		name, err := c.field("username")
		if err != nil {
			return "", estate.Secret{}, err
		}
		user = name.Reveal()
	}
	password, err = c.field("password")
	return user, password, err
}

// learn keeps what the current version of the secret says.
func (p *postgres) learn(user string, rotated time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.app = appLogin{user: user, rotated: rotated}
}

// application is the login that applications use now, read where no login probe
// has read it yet.
func (p *postgres) application(ctx context.Context) (appLogin, error) {
	p.mu.Lock()
	known := p.app
	p.mu.Unlock()
	if known.user != "" {
		return known, nil
	}
	credential, err := p.read.get(ctx, p.spec.Secret, estate.StageCurrent, "read the name of the application's role from "+p.spec.Secret+" for "+p.place())
	if err == nil {
		user := p.spec.User
		if user == "" {
			var name estate.Secret
			name, err = credential.field("username")
			user = name.Reveal()
		}
		if err == nil {
			p.learn(user, credential.created)
			return appLogin{user, credential.created}, nil
		}
	}
	if p.spec.User != "" && ctx.Err() == nil {
		// The role can be looked at without its secret.
		return appLogin{user: p.spec.User}, nil
	}
	return appLogin{}, err
}

// by names one of this server's probes to the gate.
func (p *postgres) by(check, item string) string { return string(p.id) + " " + check + " " + item }

// failed classifies an error of a read.
func (p *postgres) failed(ctx context.Context, err error, doing string) Result {
	if ctx.Err() == context.Canceled {
		return Result{Err: context.Canceled}
	}
	f := clients.Classify(err, doing)
	f.Detail = p.text(f.Detail, clients.DetailLimit)
	return Result{Err: f}
}
