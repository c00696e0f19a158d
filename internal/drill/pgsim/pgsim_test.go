package pgsim_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"warroom/internal/drill/pgsim"
)

// clock is a drill's clock that only the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

var opening = time.Date(2026, 3, 4, 3, 0, 0, 0, time.UTC)

// certificate makes a self-signed server certificate for loopback and writes it
// to a file that clients can trust.
func certificate(t testing.TB) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "drill"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
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

// world is a cluster that listens.
type world struct {
	*pgsim.Cluster
	clock            *clock
	ca               string
	primary, replica string // addresses
}

const oldPassword, newPassword, adminPassword = "canary-old-7Yq", "canary-new-2Xw", "canary-admin-9Zk"

func start(t testing.TB, change func(*pgsim.Options)) *world {
	t.Helper()
	config, ca := certificate(t)
	w := &world{clock: &clock{now: opening}, ca: ca}
	o := pgsim.Options{Now: w.clock.Now, Seed: 1, TLS: config, Databases: []string{"production"}}
	if change != nil {
		change(&o)
	}
	w.Cluster = pgsim.New(o)
	w.SetPassword("postgres", adminPassword)
	w.SetPassword("app_user", oldPassword)
	w.primary, w.replica = serve(t, w.Primary()), serve(t, w.Replica())
	t.Cleanup(w.Close)
	return w
}

func serve(t testing.TB, s *pgsim.Server) string {
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
	return l.Addr().String()
}

// login connects with pgx.
func (w *world) login(t testing.TB, address, user, password, database string, options ...string) (*pgx.Conn, error) {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	dsn := "host=" + host + " port=" + port + " user=" + user + " dbname=" + database +
		" sslmode=verify-full sslrootcert=" + w.ca + " connect_timeout=5"
	for _, o := range options {
		dsn += " " + o
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.Password = password
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := pgx.ConnectConfig(ctx, config)
	if err == nil {
		t.Cleanup(func() { _ = c.Close(context.Background()) })
	}
	return c, err
}

func (w *world) mustLogin(t testing.TB, address, user, password, database string, options ...string) *pgx.Conn {
	t.Helper()
	c, err := w.login(t, address, user, password, database, options...)
	if err != nil {
		t.Fatalf("log in as %s: %v", user, err)
	}
	return c
}

// state is the SQLSTATE of an error, or empty.
func state(err error) string {
	var p *pgconn.PgError
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}
