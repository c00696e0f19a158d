package edge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

var testNow = time.Date(2026, 3, 1, 12, 34, 0, 0, time.UTC)

func ask(h http.Handler, path, authorization string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestGatewayJudgesTokens(t *testing.T) {
	issuer, err := NewIssuer("https://auth.test", "k1")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := NewIssuer("https://auth.test", "k1")
	if err != nil {
		t.Fatal(err)
	}
	renamed, err := NewIssuer("https://auth.test", "k2")
	if err != nil {
		t.Fatal(err)
	}
	token := func(i *Issuer, audience string, left time.Duration) string {
		text, err := i.Token("client", audience, testNow.Add(-time.Hour), testNow.Add(left))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := token(issuer, "api", time.Minute)
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"k1"}`))
	g := &Gateway{Realm: "api.test", Issuer: issuer, Audience: "api", Now: func() time.Time { return testNow }}
	for _, c := range []struct {
		name, authorization, says string
		code                      int
	}{
		{"good", "Bearer " + good, "", 200},
		{"nothing", "", `Bearer realm="api.test"`, 401},
		{"another scheme", "Basic eDp5", "invalid_request", 401},
		{"expired", "Bearer " + token(issuer, "api", 0), "the token has expired", 401},
		{"another audience", "Bearer " + token(issuer, "other", time.Minute), "valid audience", 401},
		{"another key", "Bearer " + token(stranger, "api", time.Minute), "signature is not valid", 401},
		{"another key id", "Bearer " + token(renamed, "api", time.Minute), "signing key is not known", 401},
		{"no algorithm", "Bearer " + none + "." + payload + "." + signature, "not ES256", 401},
		{"changed", "Bearer " + header + "." + payload[:len(payload)-2] + "." + signature, "malformed", 401},
		{"garbage", "Bearer a.b", "malformed", 401},
	} {
		w := ask(g, "/", c.authorization)
		if w.Code != c.code || !strings.Contains(w.Header().Get("WWW-Authenticate"), c.says) {
			t.Errorf("%s: %d %q, want %d %q", c.name, w.Code, w.Header().Get("WWW-Authenticate"), c.code, c.says)
		}
		if strings.Contains(w.Body.String()+w.Header().Get("WWW-Authenticate"), signature) {
			t.Errorf("%s: the token is echoed", c.name)
		}
	}
}

func TestIssuerPublishesItsKey(t *testing.T) {
	issuer, err := NewIssuer("https://auth.test", "k1")
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	w := ask(issuer, "/.well-known/openid-configuration", "")
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil || document["issuer"] != "https://auth.test" || document["jwks_uri"] != "https://auth.test/.well-known/jwks.json" {
		t.Errorf("discovery %v, %v", document, err)
	}
	var set struct{ Keys []map[string]string }
	w = ask(issuer, "/.well-known/jwks.json", "")
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || len(set.Keys) != 1 || set.Keys[0]["kid"] != "k1" || len(set.Keys[0]["x"]) != 43 || len(set.Keys[0]["y"]) != 43 {
		t.Errorf("keys %v, %v", set, err)
	}
	if _, private := set.Keys[0]["d"]; private {
		t.Error("the private key is published")
	}
	if w = ask(issuer, "/else", ""); w.Code != 404 {
		t.Errorf("another path: %d", w.Code)
	}
}

func TestProviderLimits(t *testing.T) {
	now := testNow
	p := &Provider{Limit: 2, Window: time.Hour, Now: func() time.Time { return now }}
	p.Accept("production", "key-1")
	step := func(path, key string, code int, remaining string) {
		t.Helper()
		w := ask(p, path, "Bearer "+key)
		if w.Code != code || w.Header().Get("X-RateLimit-Remaining") != remaining {
			t.Errorf("%s: %d, %q left; want %d, %q", path, w.Code, w.Header().Get("X-RateLimit-Remaining"), code, remaining)
		}
	}
	step("/health", "key-1", 200, "2")
	step("/v1/account", "key-1", 200, "1")
	step("/v1/data", "key-1", 200, "0")
	step("/v1/data", "key-1", 429, "0")
	step("/v1/account", "key-1", 429, "0")
	step("/health", "key-1", 200, "0")
	if w := ask(p, "/v1/data", "Bearer key-1"); w.Header().Get("Retry-After") != "1561" {
		t.Errorf("Retry-After %q, want the 26 minutes to the hour", w.Header().Get("Retry-After"))
	}
	now = now.Add(time.Hour)
	step("/v1/data", "key-1", 200, "1")
	step("/v1/data", "key-2", 401, "")
	p.Block("key-1")
	step("/v1/account", "key-1", 403, "")
	p.Revoke("key-1")
	step("/v1/account", "key-1", 401, "")
	if w := ask(p, "/", ""); w.Code != 401 {
		t.Errorf("without a key: %d", w.Code)
	}
}

func TestHealthCodes(t *testing.T) {
	for status, code := range map[string]int{"healthy": 200, "degraded": 200, "failed": 503} {
		w := ask(Health(func() Report { return Report{Status: status, SecretVersion: "v1"} }), "/health", "")
		if w.Code != code || !strings.Contains(w.Body.String(), `"secret_version":"v1"`) {
			t.Errorf("%s: %d %s", status, w.Code, w.Body)
		}
	}
}

func TestBalancerKeepsWhatItServes(t *testing.T) {
	b := &Balancer{CertFile: t.TempDir() + "/none.crt", KeyFile: "none.key"}
	if err := b.Reload(); err == nil {
		t.Error("a missing certificate was loaded")
	}
	if _, err := b.TLS().GetCertificate(nil); err == nil {
		t.Error("a balancer without a certificate served one")
	}
	if w := ask(b, "/health", ""); w.Code != 200 {
		t.Errorf("health %d", w.Code)
	}
	if w := ask(b, "/", ""); w.Code != 503 {
		t.Errorf("without a backend %d", w.Code)
	}
}

// TestBalancerReloadsWhenItIsTold: new files are not served until the reload file is
// touched, and files that do not belong together never are.
func TestBalancerReloadsWhenItIsTold(t *testing.T) {
	dir := t.TempDir()
	b := &Balancer{CertFile: dir + "/c.pem", KeyFile: dir + "/k.pem", ReloadFile: dir + "/reload"}
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(dir+"/"+name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair := func(serial int64) (cert, key []byte) {
		t.Helper()
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
		if err != nil {
			t.Fatal(err)
		}
		text, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
	}
	served := func() int64 {
		t.Helper()
		c, err := b.TLS().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(c.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	tell := func(at int64) {
		t.Helper()
		write("reload", nil)
		if err := os.Chtimes(dir+"/reload", time.Unix(at, 0), time.Unix(at, 0)); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := pair(1)
	write("c.pem", cert)
	write("k.pem", key)
	if err := b.Reload(); err != nil {
		t.Fatal(err)
	}
	newCert, newKey := pair(2)
	write("c.pem", newCert)
	if tell(100); served() != 1 {
		t.Error("a certificate beside another one's key is served")
	}
	write("k.pem", newKey)
	if served() != 1 {
		t.Error("new files are served before it was told")
	}
	if tell(200); served() != 2 {
		t.Error("it was told to reload and serves the old certificate")
	}
}
