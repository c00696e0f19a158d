package checks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill/pgsim"
	"warroom/internal/estate"
)

// Passwords of the tests. None may show up anywhere.
const (
	pgOld    = "canary-old-Kq7vR2"
	pgNew    = "canary-new-Wz4tL9"
	pgWrong  = "canary-wrong-Xp3mB8"
	pgWatch  = "canary-watch-Gd5nH6"
	pgCanary = "canary-"
)

const (
	pgDatabase = "warroom_checks"        // every role may connect to it
	pgClosed   = "warroom_checks_closed" // no role may
)

// pgRole is what a test wants of a role.
type pgRole struct {
	name, password string
	nologin        bool
	until          time.Time // zero for none
	infinite       bool
	limit          *int
	monitor        bool
}

// pgWorld is a primary and a streaming replica: simulated, or real.
type pgWorld interface {
	// at is where one of them is.
	at(replica bool) config.Postgres
	setRole(t *testing.T, r pgRole)
	// expire ends a role's validity a day ago.
	expire(t *testing.T, role string)
	pause(t *testing.T)
	resume(t *testing.T)
	// caughtUp waits until the replica replayed what the primary wrote.
	caughtUp(t *testing.T)
	// block makes one session wait for a lock that another holds, both of role,
	// until the test ends.
	block(t *testing.T, role, password string)
	// trusted is a user who is let in without a password.
	trusted(t *testing.T) string
}

// pgWorlds runs a test on the simulation, and on the lab's servers where
// WARROOM_LAB names them.
func pgWorlds(t *testing.T, test func(t *testing.T, w pgWorld)) {
	t.Run("simulated", func(t *testing.T) { test(t, newSimWorld(t, nil)) })
	path := os.Getenv("WARROOM_LAB")
	if path == "" {
		return
	}
	t.Run("real", func(t *testing.T) { test(t, newLabWorld(t, path)) })
}

// simWorld is the drill's PostgreSQL.
type simWorld struct {
	*pgsim.Cluster
	ca             string
	primary, other config.Postgres
}

func newSimWorld(t testing.TB, change func(*pgsim.Options)) *simWorld {
	t.Helper()
	certificate, ca := pgCertificate(t)
	o := pgsim.Options{Seed: 1, TLS: certificate, Databases: []string{pgDatabase, pgClosed}, ServerVersion: "15.18"}
	if change != nil {
		change(&o)
	}
	w := &simWorld{Cluster: pgsim.New(o), ca: ca}
	w.SetRole(pgsim.Role{Name: "wr_watch", CanLogin: true, ConnLimit: -1, Monitor: true})
	w.SetPassword("wr_watch", pgWatch)
	w.primary, w.other = w.listen(t, w.Primary(), "primary"), w.listen(t, w.Replica(), "replica")
	t.Cleanup(w.Close)
	return w
}

func (w *simWorld) listen(t testing.TB, s *pgsim.Server, role string) config.Postgres {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return config.Postgres{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Role: role, CACert: w.ca, SSLMode: "verify-full", Database: pgDatabase}
}

func (w *simWorld) at(replica bool) config.Postgres {
	if replica {
		return w.other
	}
	return w.primary
}

func (w *simWorld) setRole(_ *testing.T, r pgRole) {
	limit := -1
	if r.limit != nil {
		limit = *r.limit
	}
	w.SetRole(pgsim.Role{Name: r.name, CanLogin: !r.nologin, ValidUntil: r.until, Infinite: r.infinite, ConnLimit: limit, Monitor: r.monitor})
	w.SetPassword(r.name, r.password)
	w.SetConnect(pgClosed, r.name, false)
}

func (w *simWorld) expire(_ *testing.T, role string) {
	w.SetValidUntil(role, time.Now().Add(-24*time.Hour))
}
func (w *simWorld) pause(*testing.T)    { w.PauseReplay() }
func (w *simWorld) resume(*testing.T)   { w.ResumeReplay() }
func (w *simWorld) caughtUp(*testing.T) {}
func (w *simWorld) trusted(t *testing.T) string {
	w.Primary().SetUserHBA("wr_trusted", pgsim.HBATrust)
	w.setRole(t, pgRole{name: "wr_trusted", password: pgOld})
	return "wr_trusted"
}

func (w *simWorld) block(t *testing.T, role, _ string) {
	pids := w.Primary().AddSessions(pgsim.Session{User: role, Database: pgDatabase, State: "idle in transaction"})
	pids = append(pids, w.Primary().AddSessions(pgsim.Session{User: role, Database: pgDatabase, BlockedBy: pids[0], WaitStart: time.Now().Add(-time.Second)})...)
	t.Cleanup(func() { w.Primary().EndSessions(pids...) })
}

// pgCertificate makes a certificate for 127.0.0.1 and localhost and a file by
// which clients trust it.
func pgCertificate(t testing.TB) (*tls.Config, string) {
	t.Helper()
	return pgCertificateFor(t, "localhost", net.IPv4(127, 0, 0, 1))
}

func pgCertificateFor(t testing.TB, name string, ips ...net.IP) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(11), Subject: pkix.Name{CommonName: "a test's server"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: ips, DNSNames: []string{name},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, file
}

// pgVault is a store of stored secrets that a test fills.
type pgVault struct {
	mu       sync.Mutex
	versions map[string]map[estate.Stage]pgVersion
}

// pgVersion is one version of a stored secret.
type pgVersion struct {
	id             string
	user, password string
	created        time.Time
	unusable       string // why its fields cannot be read; empty when they can
	err            error  // of the read itself
	remembered     time.Time
}

func (v *pgVault) put(secret string, stage estate.Stage, version pgVersion) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.versions == nil {
		v.versions = map[string]map[estate.Stage]pgVersion{}
	}
	if v.versions[secret] == nil {
		v.versions[secret] = map[estate.Stage]pgVersion{}
	}
	v.versions[secret][stage] = version
}

func (v *pgVault) read(_ context.Context, secret string, stage estate.Stage) (credential, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	one, ok := v.versions[secret][stage]
	if !ok {
		return credential{}, &clients.NoVersionError{SecretID: secret, Stage: stage}
	}
	if one.err != nil {
		return credential{}, one.err
	}
	return credential{version: one.id, created: one.created, remembered: one.remembered, field: func(name string) (estate.Secret, error) {
		switch {
		case one.unusable != "":
			return estate.Secret{}, &estate.Failure{Kind: estate.BadSecret, Doing: "use version " + one.id, Detail: one.unusable}
		case name == "username":
			return estate.NewSecret(one.user), nil
		case name == "password":
			return estate.NewSecret(one.password), nil
		}
		return estate.Secret{}, &estate.Failure{Kind: estate.BadSecret, Detail: "it has no key " + name}
	}}, nil
}

// pgEstate is an estate of PostgreSQL components with its probes.
type pgEstate struct {
	vault  *pgVault
	probes map[estate.Key]Probe
	clock  *pgClock
}

// pgClock is a clock that only the test moves.
type pgClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *pgClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *pgClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const pgSecret = "prod/db/postgres"

// newPGEstate makes the probes of servers, which are called db0, db1 …
func newPGEstate(t *testing.T, servers ...config.Postgres) *pgEstate {
	t.Helper()
	cfg := &config.Config{Checks: config.Checks{Interval: 15 * time.Second, LoginEvery: 30 * time.Second, Timeout: 5 * time.Second}}
	for i, s := range servers {
		if s.Secret == "" {
			s.Secret = pgSecret
		}
		cfg.Components = append(cfg.Components, config.Component{ID: fmt.Sprintf("db%d", i), Postgres: &s})
	}
	e := &pgEstate{vault: &pgVault{}, probes: map[estate.Key]Probe{}, clock: &pgClock{now: time.Date(2026, 3, 4, 3, 0, 0, 0, time.UTC)}}
	e.vault.put("watch", estate.StageCurrent, pgVersion{id: "w1", user: "wr_watch", password: pgWatch})
	for _, p := range postgresProbes(cfg, newSet(t, cfg), e.vault.read, newGate(e.clock.Now, nil), nil) {
		if _, dup := e.probes[p.Key]; dup {
			t.Fatalf("two probes for %v", p.Key)
		}
		e.probes[p.Key] = p
	}
	return e
}

// run runs one probe and sees to it that nothing of it holds a password.
func (e *pgEstate) run(t *testing.T, component, check, item string) Result {
	t.Helper()
	p, ok := e.probes[estate.Key{Component: estate.ID(component), Check: check, Item: item}]
	if !ok {
		t.Fatalf("no probe %s %s of %s", check, item, component)
	}
	ctx, cancel := context.WithTimeout(t.Context(), p.Timeout)
	defer cancel()
	r := p.Read(ctx)
	noCanary(t, fmt.Sprintf("%s %+v %#v %v %#v", p.Source, r.Data, r.Data, r.Err, r.Err))
	return r
}

func (e *pgEstate) login(t *testing.T, component string, stage estate.Stage) estate.Login {
	t.Helper()
	r := e.run(t, component, estate.CheckLogin, string(stage))
	l, ok := r.Data.(estate.Login)
	if !ok {
		t.Fatalf("login %s with %s: %v", component, stage, r.Err)
	}
	return l
}

func noCanary(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, pgCanary) {
		t.Errorf("a password shows in %q", text)
	}
}
