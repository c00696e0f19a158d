package checks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"warroom/internal/drill/edge"
	"warroom/internal/estate"
)

// twinPage is one listener: a certificate and key on disk, and what is answered.
type twinPage struct {
	certificate, key string
	bearer           bool // only for whoever has a token
	status           int
	report           edge.Report
}

// twinEdge serves pages, each on its own address, and loads its certificates anew
// when it is told to.
type twinEdge struct {
	serve  func(t *testing.T, pages []twinPage) (addresses []string)
	reload func(t *testing.T)
}

// newSimEdge is the drill's: its load balancer, its health endpoints, its gateway.
func newSimEdge(*testing.T) *twinEdge {
	w := &twinEdge{}
	var balancers []*edge.Balancer
	w.serve = func(t *testing.T, pages []twinPage) (out []string) {
		t.Helper()
		for _, p := range pages {
			b := &edge.Balancer{CertFile: p.certificate, KeyFile: p.key}
			if err := b.Reload(); err != nil {
				t.Fatal(err)
			}
			balancers = append(balancers, b)
			var h http.Handler = edge.Health(func() edge.Report { return p.report })
			if p.bearer {
				issuer, err := edge.NewIssuer("https://issuer.invalid", "k")
				if err != nil {
					t.Fatal(err)
				}
				h = &edge.Gateway{Realm: "twin", Issuer: issuer, Audience: "twin", Now: time.Now}
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := edge.NewServer(h, nil)
			done := make(chan struct{})
			go func() { defer close(done); _ = s.Serve(tls.NewListener(l, b.TLS())) }() // until it is closed
			t.Cleanup(func() { _ = s.Close(); <-done })
			out = append(out, l.Addr().String())
		}
		return out
	}
	w.reload = func(t *testing.T) {
		for _, b := range balancers {
			if err := b.Reload(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return w
}

// newRealEdge is an nginx of the test's own, of the program that the lab installs.
func newRealEdge(t *testing.T) *twinEdge {
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w := &twinEdge{}
	w.serve = func(t *testing.T, pages []twinPage) (out []string) {
		t.Helper()
		conf := "daemon off;\nworker_processes 1;\npid " + dir + "/pid;\nerror_log stderr;\nevents {}\nhttp {\n  access_log off;\n  ssl_protocols TLSv1.2 TLSv1.3;\n"
		if os.Geteuid() == 0 {
			conf = "user root;\n" + conf
		}
		for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			conf += fmt.Sprintf("  %s_temp_path %s/%[1]s;\n", kind, dir)
		}
		for _, p := range pages {
			at := twinAddress(t)
			out = append(out, at)
			body, err := json.Marshal(p.report)
			if err != nil {
				t.Fatal(err)
			}
			answer := fmt.Sprintf("return %d '%s';", p.status, body)
			if p.bearer {
				answer = "return 401 '{}';"
			}
			conf += fmt.Sprintf("  server { listen %s ssl; ssl_certificate %s; ssl_certificate_key %s; location / { default_type application/json; %s } }\n", at, p.certificate, p.key, answer)
		}
		file := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(file, []byte(conf+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		twinProcess(t, program, "-c", file, "-p", dir)
		for _, at := range out {
			until(t, "nginx at "+at, 20*time.Second, func() (bool, string) {
				c, err := net.Dial("tcp", at)
				if err != nil {
					return false, err.Error()
				}
				return c.Close() == nil, ""
			})
		}
		return out
	}
	w.reload = func(t *testing.T) {
		t.Helper()
		raw, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err != nil {
			t.Fatal(err)
		}
		var pid int
		if _, err := fmt.Sscan(string(raw), &pid); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// twinAuthority issues certificates as files.
type twinAuthority struct {
	file string
	leaf func(name, cn string, from, to time.Time) (certificate, key string)
}

func newAuthority(t *testing.T, cn string) *twinAuthority {
	t.Helper()
	dir, serial := t.TempDir(), int64(100)
	key := must[*ecdsa.PrivateKey](t, "key")(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: cn}, NotBefore: time.Now().Add(-1000 * time.Hour), NotAfter: time.Now().Add(10000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der := must[[]byte](t, "sign")(x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key))
	a := &twinAuthority{file: filepath.Join(dir, "ca.pem")}
	write := func(path, kind string, der []byte) {
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(a.file, "CERTIFICATE", der)
	a.leaf = func(name, cn string, from, to time.Time) (string, string) {
		serial++
		own := must[*ecdsa.PrivateKey](t, "key")(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		leaf := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: cn}, DNSNames: []string{cn}, NotBefore: from, NotAfter: to,
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		signed := must[[]byte](t, "sign")(x509.CreateCertificate(rand.Reader, leaf, root, &own.PublicKey, key))
		secret := must[[]byte](t, "key")(x509.MarshalPKCS8PrivateKey(own))
		certificate, private := filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
		write(certificate, "CERTIFICATE", signed)
		write(private, "PRIVATE KEY", secret)
		return certificate, private
	}
	return a
}

// TestTwinEdge reads TLS and HTTP of the drill's edge and of nginx.
func TestTwinEdge(t *testing.T) {
	t.Parallel()
	twinned(t, []string{"tls"}, newSimEdge, newRealEdge, func(t *testing.T, w *twinEdge, s *story) {
		ours, theirs := newAuthority(t, "the twins' CA"), newAuthority(t, "somebody's CA")
		s.same(filepath.Dir(ours.file), "FILES")
		s.same(filepath.Dir(theirs.file), "THEIRS")
		s.short = regexps{{regexp.MustCompile(`[0-9a-f]{64}`), "HASH"}}
		now := time.Now()
		day := 24 * time.Hour
		page := func(a *twinAuthority, name, cn string, from, to time.Duration) twinPage {
			c, k := a.leaf(name, cn, now.Add(from), now.Add(to+time.Hour))
			return twinPage{certificate: c, key: k, status: 200, report: edge.Report{Status: "ok", Connection: "connected"}}
		}
		names := []string{"good", "ending", "last", "expired", "early", "stranger", "renewed", "degraded", "failed", "gateway"}
		pages := []twinPage{
			page(ours, "good", "twin.test", -10*day, 80*day), page(ours, "ending", "twin.test", -80*day, 10*day), page(ours, "last", "twin.test", -88*day, 2*day),
			page(ours, "expired", "twin.test", -90*day, -day), page(ours, "early", "twin.test", day, 90*day), page(theirs, "stranger", "twin.test", -day, 80*day),
			page(ours, "renewed", "twin.test", -88*day, 2*day),
			page(ours, "degraded", "twin.test", -10*day, 80*day), page(ours, "failed", "twin.test", -10*day, 80*day), page(ours, "gateway", "localhost", -10*day, 80*day),
		}
		for i := range names[7:] { // those that are spoken to, by an address
			c, k := ours.leaf(names[7+i], "localhost", now.Add(-10*day), now.Add(80*day))
			pages[7+i].certificate, pages[7+i].key = c, k
		}
		pages[7].report = edge.Report{Status: "degraded", Connection: "connected", Retries: 3}
		pages[8].status, pages[8].report = 503, edge.Report{Status: "failed", Connection: "refused", Error: "password authentication failed", Retries: 120}
		pages[9].bearer = true
		at := w.serve(t, pages)
		local := func(i int) string { return strings.Replace(at[i], "127.0.0.1", "localhost", 1) }
		text := "components:\n"
		endpoint := func(id string, i int, name string) {
			text += fmt.Sprintf("- {id: %s, name: Edge, plane: edge, balancer: {ca_cert: %q, endpoints: [{address: %q, server_name: %s, certificate: %q, key: %q}]}}\n", id, ours.file, at[i], name, pages[i].certificate, pages[i].key)
		}
		for i, name := range names[:7] {
			endpoint(name, i, "twin.test")
		}
		endpoint("misnamed", 0, "other.test")
		closed := twinAddress(t)
		text += fmt.Sprintf("- {id: closed, name: Edge, plane: edge, balancer: {ca_cert: %q, endpoints: [{address: %q, server_name: twin.test}]}}\n", ours.file, closed)
		for i, name := range names[7:9] {
			text += fmt.Sprintf("- {id: %s, name: App, plane: service, application: {health: {url: \"https://%s/health\", ca_cert: %q}}}\n", name, local(7+i), ours.file)
		}
		text += fmt.Sprintf("- {id: gateway, name: Gateway, plane: edge, gateway: {url: \"https://%s/\", ca_cert: %q}}\n", local(9), ours.file)
		cfg := twinConfig(t, text)
		r := twinCheck(t, cfg)
		told := append(names[:len(names):len(names)], "misnamed", "closed")
		for _, name := range told {
			s.tellAll(name, r, estate.ID(name))
		}
		for name, want := range map[estate.ID]estate.Status{"good": estate.OK, "ending": estate.Warn, "last": estate.Fail, "expired": estate.Fail, "early": estate.Fail,
			"stranger": estate.Fail, "misnamed": estate.Fail, "closed": estate.Fail, "degraded": estate.Warn, "failed": estate.Fail} {
			if one := mustReading(t, r, name); one.Status != want {
				t.Errorf("%s reads %s %s (%s), want %s", name, one.Status, one.Word, one.Reason, want)
			}
		}

		// Renewed on disk, not loaded, and then loaded.
		ours.leaf("renewed", "twin.test", now.Add(-time.Hour), now.Add(90*day))
		r = twinCheck(t, cfg)
		s.tellAll("renewed on disk", r, "renewed")
		w.reload(t)
		until(t, "the renewed certificate", 20*time.Second, func() (bool, string) {
			r = twinCheck(t, cfg)
			one := mustReading(t, r, "renewed")
			return one.Status == estate.OK, fmt.Sprint(one.Status, one.Word, one.Reason)
		})
		s.tellAll("reloaded", r, "renewed") // the workers of before may still answer the next one
	})
}
