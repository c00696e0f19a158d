package clients

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"warroom/internal/config"
	"warroom/internal/estate"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// authority issues certificates for the tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	path string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"},
		NotBefore: time.Now().Add(-1000 * time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.path = write(t, "ca.pem", "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) issue(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0xabc123), Subject: pkix.Name{CommonName: "api.example.com"}, DNSNames: []string{"api.example.com"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func write(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serveTLS hand-shakes with everybody.
func serveTLS(t *testing.T, config *tls.Config) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				if tls.Server(c, config).Handshake() == nil {
					_, _ = io.Copy(io.Discard, c)
				}
			}()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

func TestHandshakeTellsProblemsApart(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	good := ca.issue(t, nil)
	expired := ca.issue(t, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	})
	future := ca.issue(t, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(24*time.Hour), time.Now().Add(48*time.Hour)
	})
	client := ca.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	strange := stranger.issue(t, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	})
	one := func(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }
	cases := []struct {
		name, server string
		config       *tls.Config
		chain, wrong string // words of ChainError and NameError; empty for none
	}{
		{"good", "api.example.com", one(good), "", ""},
		{"by address", "127.0.0.1", one(good), "", ""},
		{"wrong name", "other.example.com", one(good), "", "other.example.com"},
		{"expired is neither", "api.example.com", one(expired), "", ""},
		{"not yet valid is neither", "api.example.com", one(future), "", ""},
		{"expired, unknown and misnamed", "other.example.com", one(strange), "unknown authority", "other.example.com"},
		{"not for servers", "api.example.com", one(client), "incompatible key usage", ""},
		{"asks for a client certificate", "api.example.com", &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}, "", ""},
		{"asks for a client certificate, TLS 1.3", "api.example.com", &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert}, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newSet().TLS(ca.path).Handshake(t.Context(), serveTLS(t, c.config), c.server, time.Now())
			if s.Failure != nil || s.Leaf == nil {
				t.Fatalf("no leaf: %v", s.Failure)
			}
			if (c.chain == "") != (s.ChainError == "") || !strings.Contains(s.ChainError, c.chain) {
				t.Errorf("chain error %q, want %q", s.ChainError, c.chain)
			}
			if (c.wrong == "") != (s.NameError == "") || !strings.Contains(s.NameError, c.wrong) {
				t.Errorf("name error %q, want %q", s.NameError, c.wrong)
			}
			if s.Leaf.Serial != "abc123" || len(s.Leaf.SHA256) != 64 || len(s.Leaf.KeySHA256) != 64 || len(s.Leaf.Names) != 2 {
				t.Errorf("leaf %+v", s.Leaf)
			}
		})
	}
}

// hugeHello begins a message of 16 MiB, which is more than the library reads.
var hugeHello = []byte{22, 3, 3, 0, 5, 2, 0xff, 0xff, 0xff, 0}

// One server is one thing to whoever asks it.
func TestAHugeHandshakeIsABadAnswerToEveryClient(t *testing.T) {
	address := rawServer(t, func(c net.Conn, _ *http.Request) { _, _ = c.Write(hugeHello); _, _ = io.Copy(io.Discard, c) })
	if _, f := get(t, newSet().HTTP(""), "https://"+address, false, 5*time.Second); f == nil || f.Kind != estate.BadAnswer {
		t.Errorf("HTTP: %v", f)
	}
	keys(t)
	_, a := account(t, config.AWSAccount{Region: "eu-west-1", Endpoint: "https://" + address})
	if _, err := a.Value(t.Context(), "x", estate.StageCurrent); Classify(err, "").Kind != estate.BadAnswer {
		t.Errorf("AWS: %v", err)
	}
}

func TestHandshakeBadInput(t *testing.T) {
	closed := netip.MustParseAddrPort("127.0.0.1:1") // nobody listens there; a port that was free could be taken
	raw := func(answer func(net.Conn)) netip.AddrPort {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() { defer func() { _ = c.Close() }(); answer(c) }()
			}
		}()
		return netip.MustParseAddrPort(l.Addr().String())
	}
	hello := func(c net.Conn) { _, _ = c.Read(make([]byte, 1024)) }
	cases := []struct {
		name    string
		address netip.AddrPort
		within  time.Duration
		want    estate.FailureKind
	}{
		{"refused", closed, 5 * time.Second, estate.Refused},
		{"silent", raw(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), 80 * time.Millisecond, estate.Silent},
		{"reset", raw(func(c net.Conn) { hello(c); reset(c) }), 5 * time.Second, estate.Refused},
		{"garbage", raw(func(c net.Conn) { hello(c); _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2p1 \x1b[2J Debian\r\n") }), 5 * time.Second, estate.BadAnswer},
		{"cut off in a record", raw(func(c net.Conn) { hello(c); _, _ = c.Write([]byte{22, 3, 3, 1, 0, 2, 0}) }), 5 * time.Second, estate.Refused},
		{"a message of 16 MiB", raw(func(c net.Conn) { hello(c); _, _ = c.Write(hugeHello) }), 5 * time.Second, estate.BadAnswer},
		{"a damaged hello", raw(func(c net.Conn) { hello(c); _, _ = c.Write([]byte{22, 3, 3, 0, 5, 2, 0, 0, 1, 9}) }), 5 * time.Second, estate.BadAnswer},
		{"alert", serveTLS(t, &tls.Config{}), 5 * time.Second, estate.Refused},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.within)
			defer cancel()
			s := newSet().TLS("").Handshake(ctx, c.address, "api.example.com", time.Now())
			if s.Leaf != nil || s.Failure == nil || s.Failure.Kind != c.want {
				t.Errorf("leaf %v, failure %v, want kind %q", s.Leaf, s.Failure, c.want)
			}
			if s.Failure != nil && strings.ContainsRune(s.Failure.Error(), '\x1b') {
				t.Errorf("control sequence in %q", s.Failure)
			}
		})
	}
}

func TestHandshakeWithoutCAFileStillReadsTheLeaf(t *testing.T) {
	ca := newAuthority(t)
	address := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.issue(t, nil)}})
	s := newSet().TLS(filepath.Join(t.TempDir(), "missing.pem")).Handshake(t.Context(), address, "api.example.com", time.Now())
	if s.Leaf == nil || !strings.Contains(s.ChainError, "does not exist") {
		t.Errorf("leaf %v, chain error %q", s.Leaf, s.ChainError)
	}
}

func TestReadCertificateAndKey(t *testing.T) {
	ca := newAuthority(t)
	good, other := ca.issue(t, nil), ca.issue(t, nil)
	der := func(c tls.Certificate) []byte {
		out, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	cert := write(t, "good.crt", "CERTIFICATE", good.Certificate[0])
	key := write(t, "good.key", "PRIVATE KEY", der(good))
	for _, c := range []struct {
		name, path, want string
	}{
		{"good", cert, ""},
		{"missing", filepath.Join(t.TempDir(), "no.crt"), "does not exist"},
		{"folder", t.TempDir(), "not a regular file"},
		{"a key", key, "holds a PRIVATE KEY but no certificate"},
		{"damaged", write(t, "x.crt", "CERTIFICATE", []byte("nonsense")), "damaged certificate"},
		{"DER", raw(t, good.Certificate[0]), "is DER"},
		{"empty", raw(t, nil), "is empty"},
		{"text", raw(t, []byte("hello")), "holds no PEM certificate"},
	} {
		got, err := ReadCertificate(c.path)
		if c.want == "" && (err != nil || got.Serial != "abc123") {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	for _, c := range []struct {
		name, path, want string
		matches          bool
	}{
		{"its own", key, "", true},
		{"its own, SEC 1", write(t, "ec.key", "EC PRIVATE KEY", sec1(t, good)), "", true},
		{"another", write(t, "other.key", "PRIVATE KEY", der(other)), "", false},
		{"encrypted", write(t, "enc.key", "ENCRYPTED PRIVATE KEY", []byte{1}), "is encrypted", false},
		{"damaged", write(t, "bad.key", "PRIVATE KEY", []byte{1, 2}), "cannot be parsed", false},
		{"no key", cert, "holds no PEM private key", false},
	} {
		matches, err := KeyMatches(cert, c.path)
		if matches != c.matches || (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %v, %q", c.name, matches, err, c.matches, c.want)
		}
	}
}

func raw(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "raw")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sec1(t *testing.T, c tls.Certificate) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(c.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	return der
}
