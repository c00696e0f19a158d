//go:build unix

package certificate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill/edge"
	"warroom/internal/drill/vaultsim"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

const (
	day    = 24 * time.Hour
	target = "load-balancer"
	name   = "api.company.com"
)

var quiet = log.New(io.Discard, "", 0)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{next: 1000}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * day),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte{1, 2, 3},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// issue makes a certificate for the name and loopback, changed as a test wants.
func (a *authority) issue(t *testing.T, left, life time.Duration, change func(*x509.Certificate)) (cert, key []byte) {
	t.Helper()
	private, text, err := newKey("")
	if err != nil {
		t.Fatal(err)
	}
	a.next++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name, "www.company.com"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(left - life), NotAfter: time.Now().Add(left), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), text
}

// world is a load balancer on two addresses, with the files that it serves, and a
// Vault that issues.
type world struct {
	t        *testing.T
	dir      string // of the files
	ca       *authority
	vault    *vaultsim.Cluster
	fronts   []*edge.Balancer
	list     []netip.Addr
	cfg      *config.Config
	log      *memory
	calls    *recorder
	drain    time.Duration
	oldCert  []byte
	oldKey   []byte
	told     []any
	procured func(*Procedure)
}

// shape says how a world differs from the usual one.
type shape struct {
	left, life time.Duration           // of the old certificate; 5 of 365 days when zero
	change     func(*x509.Certificate) // of the old certificate
	rotation   string                  // more lines of the rotation block
	issuer     string                  // in place of Vault's
	layout     string                  // "", "combined", "folder" or "data"
	one        bool                    // one address only
	components string                  // more YAML: systems
	endpoint   string                  // more lines of the endpoint
	vault      string                  // fields of a Vault cluster, in place of the simulated one's
	trusts     []byte                  // PEM of another authority that the endpoint's clients know
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func newWorld(t *testing.T, s shape) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), ca: newAuthority(t), log: &memory{}, calls: &recorder{}, drain: 5 * time.Second}
	if s.left == 0 {
		s.left, s.life = 5*day, 365*day
	}
	w.oldCert, w.oldKey = w.ca.issue(t, s.left, s.life, s.change)
	w.write("ca.pem", append(w.ca.pem(), s.trusts...), 0o644)
	certFile, keyFile := w.lay(s.layout)
	w.vault = vaultsim.New(vaultsim.Options{Seed: 5})
	w.vault.Mount(vaultsim.Mount{Path: "pki/", Type: "pki"})
	w.vault.SetCA("pki/", w.ca.cert, w.ca.key)
	w.vault.AddPKIRole("pki/", "web", 90*day, "company.com")
	w.vault.AddPKIRole("pki/", "stranger", 90*day, "elsewhere.com")
	v := httptest.NewServer(w.vault)
	v.Config.ErrorLog = quiet
	t.Cleanup(func() { v.CloseClientConnections(); v.Close() })
	w.write("token", []byte(w.vault.RootToken()), 0o600)
	port := w.serve(certFile, keyFile, !s.one)
	if s.issuer == "" {
		s.issuer = "vault: { cluster: main, mount: pki, role: web }"
	}
	if s.vault == "" {
		s.vault = fmt.Sprintf("address: %q, token_file: %q", v.URL, w.path("token"))
	}
	files := fmt.Sprintf("certificate: %q\n          key: %q", certFile, keyFile)
	if s.layout == "combined" {
		files, s.rotation = fmt.Sprintf("certificate: %q", certFile), fmt.Sprintf("combined: %q\n            %s", certFile, s.rotation)
	}
	text := fmt.Sprintf(`
version: 1
environment: production
checks: { timeout: 5s }
vaults:
  - { name: main, %s }
%s
components:
  - id: load-balancer
    name: Load Balancer
    plane: edge
    criticality: critical
    balancer:
      ca_cert: %q
      endpoints:
        - address: "balancer.test:%s"
          server_name: api.company.com
          %s
          %s
          rotation:
            %s
            reload: [touch, %q]
            %s
`, s.vault, s.components, w.path("ca.pem"), port, files, s.endpoint, s.issuer, w.path("reload"), s.rotation)
	cfg, err := config.Parse(filepath.Join(w.dir, "warroom.yaml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	w.cfg = cfg
	declared, err := incident.Declare("anna", incident.Declared{ID: "2026-11-23-1", Severity: "SEV1", Summary: "certificate", Started: time.Now(), Environment: "production", Roles: map[incident.Role]string{incident.Commander: "anna"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.log.Record(t.Context(), declared); err != nil {
		t.Fatal(err)
	}
	return w
}

// lay puts the old files into place.
func (w *world) lay(layout string) (cert, key string) {
	switch layout {
	case "combined":
		w.write("both.pem", append(append([]byte{}, w.oldKey...), w.oldCert...), 0o640)
		return w.path("both.pem"), w.path("both.pem")
	case "folder": // current -> v1
		w.write("v1/server.crt", w.oldCert, 0o644)
		w.write("v1/server.key", w.oldKey, 0o600)
		w.write("v1/dhparam.pem", []byte("parameters\n"), 0o644)
		w.link("v1", "current")
		return w.path("current/server.crt"), w.path("current/server.key")
	case "data": // as the kubelet does
		w.write("tls/..2026_01/tls.crt", w.oldCert, 0o644)
		w.write("tls/..2026_01/tls.key", w.oldKey, 0o600)
		w.link("..2026_01", "tls/..data")
		w.link("..data/tls.crt", "tls/tls.crt")
		w.link("..data/tls.key", "tls/tls.key")
		return w.path("tls/tls.crt"), w.path("tls/tls.key")
	}
	w.write("server.crt", w.oldCert, 0o644)
	w.write("server.key", w.oldKey, 0o640)
	return w.path("server.crt"), w.path("server.key")
}

func (w *world) write(name string, data []byte, mode fs.FileMode) {
	w.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(w.path(name)), 0o755), os.WriteFile(w.path(name), data, mode), os.Chmod(w.path(name), mode)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) link(to, name string) {
	w.t.Helper()
	if err := os.Symlink(to, w.path(name)); err != nil {
		w.t.Fatal(err)
	}
}

// serve starts the balancers, each with what it has loaded, on one port.
func (w *world) serve(cert, key string, two bool) string {
	w.t.Helper()
	hosts := []string{"127.0.0.1"}
	if two {
		hosts = append(hosts, "127.0.0.2")
	}
	port := "0"
	for _, host := range hosts {
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil && host != hosts[0] {
			w.t.Skipf("a second loopback address cannot be had: %v", err)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		_, port, _ = net.SplitHostPort(l.Addr().String())
		b := &edge.Balancer{CertFile: cert, KeyFile: key, ReloadFile: w.path("reload")}
		if strings.HasSuffix(cert, "both.pem") {
			b.KeyFile = cert
		}
		if err := b.Reload(); err != nil {
			w.t.Fatal(err)
		}
		server := &http.Server{Handler: b, TLSConfig: b.TLS(), ErrorLog: quiet}
		done := make(chan struct{})
		go func() { defer close(done); _ = server.ServeTLS(l, "", "") }()
		w.t.Cleanup(func() { _ = server.Close(); <-done })
		w.fronts, w.list = append(w.fronts, b), append(w.list, netip.MustParseAddr(host))
	}
	return port
}

// engine is a console on the world, as after its start.
func (w *world) engine() *actions.Engine {
	w.t.Helper()
	systems := actions.Systems{Config: w.cfg, Read: clients.New(w.cfg), Act: clients.NewActing(w.cfg), Holder: "anna@war"}
	p := New(systems)
	p.lookup = func(context.Context, string) ([]netip.Addr, error) { return w.list, nil }
	p.state = func() string { return w.path("state") }
	p.drain, p.pause, p.poll = w.drain, 3*time.Millisecond, 10*time.Millisecond
	if w.procured != nil {
		w.procured(p)
	}
	scrub := func(s string) string { return systems.Read.Net().Scrub(systems.Act.Net().Scrub(s)) }
	e := actions.New(actions.Options{Procedures: []actions.Procedure{p}, Systems: systems, Environment: "production", Operator: "anna", Host: "war", PID: os.Getpid(), Scrub: scrub, Around: w.calls})
	e.Attach(w.log, filepath.Join(w.dir, "recovery.log"))
	if _, err := e.Arm(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { e.Close(); systems.Read.Close(); systems.Act.Close() })
	return e
}

// consent is everything that a plan asks for.
func consent(p *plan.Plan) plan.Consent {
	c := plan.Consent{Plan: p.ID, Fingerprint: p.Fingerprint(), Typed: p.Target, Reason: "test"}
	for _, w := range p.Warnings {
		if w.Accept {
			c.Accepted = append(c.Accepted, w.ID)
		}
	}
	return c
}

// do plans and carries out, and gives what came of it.
func (w *world) do(e *actions.Engine, ask plan.Request) (plan.Progress, error) {
	w.t.Helper()
	if ask.Of == "" {
		ask.Procedure, ask.Target = Name, target
	}
	p, err := e.Plan(w.t.Context(), ask)
	if err != nil {
		w.told = append(w.told, err.Error())
		return plan.Progress{}, err
	}
	w.told = append(w.told, p)
	if err := e.Start(w.t.Context(), consent(p)); err != nil {
		w.told = append(w.told, err.Error())
		return plan.Progress{}, err
	}
	got, err := e.Wait(w.t.Context(), p.ID)
	w.told = append(w.told, got)
	return got, err
}

// must is do that has to end in a state.
func (w *world) must(e *actions.Engine, state plan.RunState, ask plan.Request) plan.Progress {
	w.t.Helper()
	got, err := w.do(e, ask)
	if err != nil {
		w.t.Fatalf("%s %s: %v", ask.Mode, ask.Of, err)
	}
	if got.State != state {
		w.t.Fatalf("it ended %s, want %s: %s; %s\n%s", got.State, state, got.Trouble, got.Next, lines(got))
	}
	return got
}

func lines(p plan.Progress) string {
	var out strings.Builder
	for _, l := range p.Log {
		fmt.Fprintf(&out, "%s %s\n", l.Mark, l.Text)
	}
	return out.String()
}

// served is the serial number that each address shows now.
func (w *world) served() (out []string) {
	w.t.Helper()
	_, port, _ := net.SplitHostPort(w.cfg.Components[0].Balancer.Endpoints[0].Address)
	for _, a := range w.list {
		c, err := tls.Dial("tcp", net.JoinHostPort(a.String(), port), &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, serial(c.ConnectionState().PeerCertificates[0]))
		_ = c.Close()
	}
	return out
}

func serialOf(t *testing.T, text []byte) string {
	t.Helper()
	b, err := parseBundle(text)
	if err != nil {
		t.Fatal(err)
	}
	return serial(b.leaf)
}

// old reports whether every address serves the old certificate, and fresh whether all
// serve one and the same other.
func (w *world) old() bool {
	for _, s := range w.served() {
		if s != serialOf(w.t, w.oldCert) {
			return false
		}
	}
	return true
}

func (w *world) fresh() bool {
	all := w.served()
	for _, s := range all {
		if s != all[0] || s == serialOf(w.t, w.oldCert) {
			return false
		}
	}
	return true
}

// endpoint is the one under test.
func (w *world) endpoint() config.TLSEndpoint { return w.cfg.Components[0].Balancer.Endpoints[0] }

// matched checks what must hold whenever nothing is under way: a server that reads its
// files now finds a key that belongs to the certificate.
func (w *world) matched(when string) {
	w.t.Helper()
	e := w.endpoint()
	key := e.Key
	if key == "" {
		key = e.Certificate
	}
	if e.Certificate == "" {
		return
	}
	if _, err := tls.LoadX509KeyPair(e.Certificate, key); err != nil {
		w.t.Errorf("%s: the files do not belong together: %v", when, err)
	}
}

// left are the files that are not the world's own.
func (w *world) left() (out []string) {
	_ = filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(path, "warroom-") && !strings.HasSuffix(path, ".lock") {
			out = append(out, strings.TrimPrefix(path, w.dir+"/"))
		}
		return err
	})
	return out
}

// clean checks that nothing of any private key is in what was journalled, told or
// called, nor in a file that others may read.
func (w *world) clean(keys ...[]byte) {
	w.t.Helper()
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	texts := map[string]any{"journal": w.log.events, "told": w.told, "calls": w.calls.list()}
	logged, err := os.ReadFile(w.path("recovery.log"))
	if err == nil {
		texts["log"] = string(logged)
	}
	var parts []string
	for _, key := range append(keys, w.oldKey) {
		for line := range strings.Lines(string(key)) {
			if line = strings.TrimSpace(line); len(line) > 20 && !strings.HasPrefix(line, "--") {
				parts = append(parts, line)
			}
		}
	}
	if len(parts) == 0 {
		w.t.Fatal("no key to look for")
	}
	for what, told := range texts {
		raw, err := json.Marshal(told)
		if err != nil {
			w.t.Fatal(err)
		}
		text := string(raw) + fmt.Sprintf("%+v", told)
		for _, part := range append(parts, "PRIVATE KEY") {
			if strings.Contains(text, part) {
				w.t.Errorf("part of a private key is in the %s", what)
			}
		}
	}
	_ = filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Type() != 0 {
			return nil
		}
		info, _ := d.Info()
		data, _ := os.ReadFile(path)
		if info != nil && strings.Contains(string(data), "PRIVATE KEY") && info.Mode().Perm()&0o007 != 0 {
			w.t.Errorf("%s holds a private key with mode %v", path, info.Mode())
		}
		return nil
	})
}
