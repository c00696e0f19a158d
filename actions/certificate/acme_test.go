//go:build unix

package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"crypto/rand"

	"warroom/internal/plan"
)

// acmeServer is as much of an ACME server as a client needs that takes http-01: it
// checks signatures and nonces, fetches the challenges and gives renewal information.
type acmeServer struct {
	t    *testing.T
	ca   *authority
	url  string
	wait int // looks at an order before it is done, once it is finalized

	mu        sync.Mutex
	keys      map[string]*ecdsa.PublicKey // by the URL of the account
	nonces    map[string]bool
	orders    []*acmeOrder
	replaced  map[string]bool
	challenge string    // base URL where challenges are answered
	window    time.Time // the start of the renewal window
	limited   bool
	next      int
}

type acmeOrder struct {
	status, replaces string
	names            []map[string]string
	proven           []bool
	cert             []byte
	wait             int
}

func newACME(t *testing.T, ca *authority) *acmeServer {
	t.Helper()
	a := &acmeServer{t: t, ca: ca, keys: map[string]*ecdsa.PublicKey{}, nonces: map[string]bool{}, replaced: map[string]bool{}, window: time.Now().Add(20 * day)}
	s := httptest.NewServer(a)
	s.Config.ErrorLog = quiet
	a.url = s.URL
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return a
}

func b64(t string) []byte {
	out, _ := base64.RawURLEncoding.DecodeString(t)
	return out
}

// ServeHTTP satisfies http.Handler.
func (a *acmeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next++
	nonce := fmt.Sprintf("nonce-%d", a.next)
	a.nonces[nonce] = true
	w.Header().Set("Replay-Nonce", nonce)
	reply := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	problem := func(status int, kind, detail string) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "urn:ietf:params:acme:error:" + kind, "detail": detail, "status": status})
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/dir":
		reply(200, map[string]string{"newNonce": a.url + "/nonce", "newAccount": a.url + "/account", "newOrder": a.url + "/order", "renewalInfo": a.url + "/renewal"})
		return
	case r.URL.Path == "/nonce":
		return
	case parts[0] == "renewal":
		reply(200, map[string]any{"suggestedWindow": map[string]time.Time{"start": a.window, "end": a.window.Add(day)}})
		return
	}
	payload, account, why := a.signed(r)
	if why != "" {
		problem(400, why, "the request is not one that is signed as it should be")
		return
	}
	switch parts[0] {
	case "account":
		w.Header().Set("Location", account)
		reply(201, map[string]string{"status": "valid"})
	case "order":
		if len(parts) > 1 {
			o := a.orders[number(parts[1])]
			if o.status == "processing" {
				if o.wait--; o.wait <= 0 {
					o.status = "valid"
				}
			}
			reply(200, a.order(o, parts[1]))
			return
		}
		var in struct {
			Identifiers []map[string]string
			Replaces    string
		}
		_ = json.Unmarshal(payload, &in)
		switch {
		case a.limited:
			problem(429, "rateLimited", "too many certificates")
		case in.Replaces != "" && a.replaced[in.Replaces]:
			problem(409, "alreadyReplaced", "another order has replaced it")
		default:
			a.replaced[in.Replaces] = true
			a.orders = append(a.orders, &acmeOrder{status: "pending", replaces: in.Replaces, names: in.Identifiers, proven: make([]bool, len(in.Identifiers))})
			id := fmt.Sprint(len(a.orders) - 1)
			w.Header().Set("Location", a.url+"/order/"+id)
			reply(201, a.order(a.orders[len(a.orders)-1], id))
		}
	case "authz":
		reply(200, a.authz(parts[1], parts[2]))
	case "challenge":
		o, i := a.orders[number(parts[1])], number(parts[2])
		a.prove(o, parts[1], i, account)
		reply(200, a.authz(parts[1], parts[2])["challenges"].([]map[string]string)[0])
	case "finalize":
		o := a.orders[number(parts[1])]
		if o.status != "ready" {
			problem(403, "orderNotReady", "it is "+o.status)
			return
		}
		var in struct{ CSR string }
		_ = json.Unmarshal(payload, &in)
		if o.cert = a.sign(b64(in.CSR)); o.cert == nil {
			problem(400, "badCSR", "it cannot be signed")
			return
		}
		if o.status, o.wait = "valid", a.wait; o.wait > 0 {
			o.status = "processing"
		}
		reply(200, a.order(o, parts[1]))
	case "cert":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_, _ = w.Write(a.orders[number(parts[1])].cert)
	}
}

func number(s string) (n int) {
	_, _ = fmt.Sscan(s, &n)
	return n
}

// signed checks the signature of a request (RFC 7515) and takes its payload out.
func (a *acmeServer) signed(r *http.Request) (payload []byte, account, why string) {
	var body struct{ Protected, Payload, Signature string }
	var head struct {
		Nonce, URL, Kid string
		JWK             struct{ X, Y string }
	}
	raw, _ := io.ReadAll(r.Body)
	if json.Unmarshal(raw, &body) != nil || json.Unmarshal(b64(body.Protected), &head) != nil {
		return nil, "", "malformed"
	}
	if !a.nonces[head.Nonce] {
		return nil, "", "badNonce"
	}
	delete(a.nonces, head.Nonce)
	if head.URL != a.url+r.URL.Path {
		return nil, "", "unauthorized"
	}
	account, key := head.Kid, a.keys[head.Kid]
	if account == "" {
		var err error
		if key, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, b64(head.JWK.X), b64(head.JWK.Y))); err != nil {
			return nil, "", "badPublicKey"
		}
		account = a.url + "/account/" + head.JWK.X
		a.keys[account] = key
	}
	sum, s := sha256.Sum256([]byte(body.Protected+"."+body.Payload)), b64(body.Signature)
	if key == nil || len(s) != 64 || !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(s[:32]), new(big.Int).SetBytes(s[32:])) {
		return nil, "", "unauthorized"
	}
	return b64(body.Payload), account, ""
}

func (a *acmeServer) order(o *acmeOrder, id string) map[string]any {
	var authz []string
	for i := range o.names {
		authz = append(authz, fmt.Sprintf("%s/authz/%s/%d", a.url, id, i))
	}
	out := map[string]any{"status": o.status, "identifiers": o.names, "authorizations": authz, "finalize": a.url + "/finalize/" + id}
	if o.status == "valid" {
		out["certificate"] = a.url + "/cert/" + id
	}
	return out
}

func (a *acmeServer) authz(id, i string) map[string]any {
	o := a.orders[number(id)]
	status := "pending"
	switch {
	case o.status == "invalid":
		status = "invalid"
	case o.proven[number(i)]:
		status = "valid"
	}
	return map[string]any{"status": status, "identifier": o.names[number(i)], "challenges": []map[string]string{
		{"type": "http-01", "url": fmt.Sprintf("%s/challenge/%s/%s", a.url, id, i), "status": status, "token": "token_" + id + "-" + i},
	}}
}

// prove fetches the answer to a challenge.
func (a *acmeServer) prove(o *acmeOrder, id string, i int, account string) {
	res, err := http.Get(a.challenge + "/.well-known/acme-challenge/token_" + id + "-" + fmt.Sprint(i))
	text := ""
	if err == nil {
		raw, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		text = string(raw)
	}
	point, err := a.keys[account].Bytes() // 4, and both coordinates
	if err != nil {
		o.status = "invalid"
		return
	}
	jwk := fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:]))
	sum := sha256.Sum256([]byte(jwk))
	if text != fmt.Sprintf("token_%s-%d.%s", id, i, base64.RawURLEncoding.EncodeToString(sum[:])) {
		o.status = "invalid"
		return
	}
	o.proven[i] = true
	for _, yes := range o.proven {
		if !yes {
			return
		}
	}
	o.status = "ready"
}

func (a *acmeServer) sign(der []byte) []byte {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil || csr.CheckSignature() != nil {
		return nil
	}
	a.ca.next++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.ca.next), Subject: csr.Subject, DNSNames: csr.DNSNames, IPAddresses: csr.IPAddresses,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * day), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	made, err := x509.CreateCertificate(rand.Reader, template, a.ca.cert, csr.PublicKey, a.ca.key)
	if err != nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made})
}

// newACMEWorld is a world whose certificates come from an ACME server.
func newACMEWorld(t *testing.T, listen bool, s shape) (*world, *acmeServer) {
	t.Helper()
	dir := t.TempDir()
	how := fmt.Sprintf("webroot: %q", dir)
	base := ""
	if listen {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		how, base = fmt.Sprintf("listen: %q", l.Addr()), "http://"+l.Addr().String()
		_ = l.Close()
	} else {
		site := httptest.NewServer(http.StripPrefix("/.well-known/acme-challenge/", http.FileServer(http.Dir(dir))))
		site.Config.ErrorLog = quiet
		t.Cleanup(func() { site.CloseClientConnections(); site.Close() })
		base = site.URL
	}
	a := newACME(t, nil)
	s.one = true
	s.issuer = fmt.Sprintf("acme: { directory: %q, account_key: %q, email: ops@company.com, %s }", a.url+"/dir", dir+"/account/key.pem", how)
	w := newWorld(t, s)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ca, a.challenge = w.ca, base
	return w, a
}

// TestACMEIssues: with both ways to answer challenges, the order names what it
// replaces, and without that where the server refuses it.
func TestACMEIssues(t *testing.T) {
	for _, test := range []struct {
		what             string
		listen, replaced bool
	}{{"webroot", false, false}, {"listening", true, false}, {"replaced already", false, true}} {
		t.Run(test.what, func(t *testing.T) {
			w, a := newACMEWorld(t, test.listen, shape{})
			e := w.engine()
			if test.replaced {
				p, err := e.Plan(t.Context(), plan.Request{Procedure: Name, Target: target})
				if err != nil || p.Facts[factReplaces] == "" {
					t.Fatalf("%v, %v", p, err)
				}
				a.mu.Lock()
				a.replaced[p.Facts[factReplaces]] = true
				a.mu.Unlock()
			}
			w.must(e, plan.RunDone, plan.Request{})
			if !w.fresh() {
				t.Errorf("served %v", w.served())
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if len(a.orders) != 1 || (a.orders[0].replaces == "") != test.replaced {
				t.Errorf("%d orders, %+v", len(a.orders), a.orders[0])
			}
			info, stat := os.Stat(w.cfg.Components[0].Balancer.Endpoints[0].Renew.ACME.Account)
			if stat != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the account's key: %v, %v", info, stat)
			}
			key, err := os.ReadFile(w.cfg.Components[0].Balancer.Endpoints[0].Renew.ACME.Account)
			if err != nil {
				t.Fatal(err)
			}
			w.clean(key)
		})
	}
}

// TestTheACMEServersAdviceCounts: a window that has begun makes a certificate due that
// is in order otherwise.
func TestTheACMEServersAdviceCounts(t *testing.T) {
	w, a := newACMEWorld(t, false, shape{left: 300 * day, life: 365 * day, change: func(c *x509.Certificate) { c.AuthorityKeyId = []byte{1, 2, 3} }})
	e := w.engine()
	if p, err := e.Plan(t.Context(), plan.Request{Procedure: Name, Target: target}); err == nil {
		t.Fatalf("planned: %s", p.Why)
	}
	a.mu.Lock()
	a.window = time.Now().Add(-time.Hour)
	a.mu.Unlock()
	p, err := e.Plan(t.Context(), plan.Request{Procedure: Name, Target: target})
	if err != nil || !strings.Contains(p.Why, "asks to renew") {
		t.Fatalf("%v, %v", p, err)
	}
}

// TestACMERefusals are told in the server's words, with what to do.
func TestACMERefusals(t *testing.T) {
	w, a := newACMEWorld(t, false, shape{})
	a.mu.Lock()
	a.limited = true
	a.mu.Unlock()
	e := w.engine()
	got := w.must(e, plan.RunFailed, plan.Request{})
	if !strings.Contains(got.Trouble, "too many certificates") || !strings.Contains(got.Trouble+got.Next, "throttled") {
		t.Errorf("it says: %s; %s", got.Trouble, got.Next)
	}
	a.mu.Lock()
	a.limited, a.challenge = false, "http://127.0.0.1:1"
	a.mu.Unlock()
	got = w.must(e, plan.RunFailed, plan.Request{Mode: plan.Resume, Of: got.Run})
	if !strings.Contains(got.Trouble, "prove ") && !strings.Contains(got.Trouble, "given the order up") {
		t.Errorf("it says: %s; %s", got.Trouble, got.Next)
	}
	open, err := e.Advise(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatalf("%+v, %v", open, err)
	}
	w.must(e, plan.RunRolledBack, plan.Request{Mode: plan.Back, Of: open[0].Run})
	w.asBefore("rolled back")
}

// TestACMECrashes: the process dies around every call to the server and every write;
// resumed, the same order is carried through.
func TestACMECrashes(t *testing.T) {
	probe, a := newACMEWorld(t, false, shape{})
	a.wait = 1
	if probe.begin(plan.Request{}, nil) == "" || !probe.fresh() {
		t.Fatal("it does not come to its end")
	}
	points := 0
	for i, c := range probe.calls.list() {
		if !strings.HasPrefix(c.System, "http:") || strings.Contains(c.Name, "/renewal/") {
			continue // advice on renewal is asked for by the way, thrice, and not needed
		}
		for _, after := range []bool{false, true} {
			if after && !c.Changes {
				continue
			}
			points++
			t.Run(fmt.Sprintf("call %d, after %v", i+1, after), func(t *testing.T) {
				t.Parallel()
				w, a := newACMEWorld(t, false, shape{})
				where := fmt.Sprintf("call %d, after %v: %s", i+1, after, c.Name)
				w.begin(plan.Request{}, func() {
					w.calls.mu.Lock()
					defer w.calls.mu.Unlock()
					w.calls.dies, w.calls.after = i+1, after
					w.calls.also = func() { w.log.mu.Lock(); defer w.log.mu.Unlock(); w.log.dead = true }
				})
				w.log.mu.Lock()
				w.log.dead = false
				w.log.mu.Unlock()
				w.calls.reborn()
				e := w.engine()
				advice, err := e.Advise(t.Context())
				if err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				if len(advice) == 0 {
					return
				}
				got, err := w.do(e, plan.Request{Mode: plan.Resume, Of: advice[0].Run})
				if err != nil || got.State != plan.RunDone || !w.fresh() {
					t.Errorf("%s: resumed, it ended %s, %v: %s\n%s", where, got.State, err, got.Trouble, lines(got))
				}
				a.mu.Lock()
				if len(a.orders) > 2 {
					t.Errorf("%s: %d orders were placed", where, len(a.orders))
				}
				a.mu.Unlock()
				w.clean()
			})
		}
	}
	t.Logf("%d crashes around calls to the ACME server", points)
}

// TestATokenIsNoPath: a server must not choose the file that is written.
func TestATokenIsNoPath(t *testing.T) {
	for token, good := range map[string]bool{"abc_DEF-123": true, "": false, "../x": false, "a/b": false, "a.b": false, "a\x00": false, strings.Repeat("a", 201): false} {
		if isToken(token) != good {
			t.Errorf("%q: %v", token, !good)
		}
	}
}
