package vaultsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// canary is a value that must not be found where it does not belong.
const canaryValue = "s3cr3t-canary-value"

// rig is a cluster with a KV mount and a reader, behind a server.
type rig struct {
	*Cluster
	clock *clock
	url   string
}

func newRig(t *testing.T, o Options) *rig {
	t.Helper()
	r := &rig{clock: newClock()}
	o.Clock = r.clock.now
	r.Cluster = New(o)
	if !o.Uninitialized {
		r.Mount(Mount{Path: "secret/", Type: "kv", Version: 2})
		r.Mount(Mount{Path: "old/", Type: "kv", Version: 1})
		r.AddSecrets("secret/", []KV{{Path: "app/db", Versions: []time.Time{r.clock.now()}, Data: map[string]string{"password": canaryValue}}})
	}
	r.url = serve(t, r.Cluster)
	return r
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// call makes one request and returns its status and body.
func call(t *testing.T, method, url, token, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(raw)), res.Header
}

func (r *rig) call(t *testing.T, method, path, token, body string) (int, string) {
	t.Helper()
	code, text, _ := call(t, method, r.url+"/v1/"+path, token, body)
	return code, text
}

// client is the real API client. It does not retry.
func client(t *testing.T, url, token string) *api.Client {
	t.Helper()
	c, err := api.NewClient(&api.Config{Address: url, MaxRetries: 0, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	c.SetToken(token)
	c.ClearNamespace()
	return c
}

// data is the data of an answer.
func data(t *testing.T, body string) map[string]any {
	t.Helper()
	var a struct{ Data map[string]any }
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return a.Data
}

// TestRefusals expects the statuses and words of a Vault 1.19.0 server.
func TestRefusals(t *testing.T) {
	r := newRig(t, Options{})
	root := r.RootToken()
	if err := r.SetPolicy("reader", `path "secret/data/app/*" { capabilities = ["read", "create"] }
path "sys/audit" { capabilities = ["read"] }`); err != nil {
		t.Fatal(err)
	}
	reader := r.AddToken(Token{Name: "reader", Policies: []string{"reader"}})
	const denied, none, bad = `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`, `{"errors":["permission denied"]}`, `{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`
	for _, c := range []struct {
		method, path, token, body string
		code                      int
		want                      string
	}{
		{"GET", "sys/mounts", "", "", 403, none},
		{"GET", "nothere/x", "", "", 403, none},
		{"GET", "sys/mounts", "hvs.wrong", "", 403, bad},
		{"GET", "sys/mounts", reader, "", 403, denied},
		{"GET", "sys/audit", reader, "", 403, denied}, // read, but not sudo
		{"GET", "sys/internal/ui/mounts", "", "", 200, `"auth":{},"secret":{}`},
		{"GET", "sys/internal/ui/mounts/old", reader, "", 403, `preflight capability check returned 403, please ensure client's policies grant access to path \"old/\"`},
		{"GET", "nothere/x", root, "", 404, `{"errors":["no handler for route \"nothere/x\". route entry not found."]}`},
		{"GET", "sys/nothere", root, "", 404, `{"errors":["1 error occurred:\n\t* unsupported path\n\n"]}`},
		{"DELETE", "sys/mounts", root, "", 405, `{"errors":["1 error occurred:\n\t* unsupported operation\n\n"]}`},
		{"POST", "sys/health", root, "", 405, `{"errors":[]}`},
		{"FROB", "secret/data/v", root, "", 405, `{"errors":[]}`},
		{"LIST", "old", root, "", 404, `{"errors":[]}`},
		{"GET", "secret/data/zz", root, "", 404, `{"errors":[]}`},
		{"GET", "secret/app/db", root, "", 404, `use 'vault kv get' for this operation`},
		{"POST", "secret/data/v", root, `{}`, 400, `{"errors":["no data provided"]}`},
		{"POST", "secret/data/v", root, `[1]`, 400, `{"errors":["error parsing JSON"]}`},
		{"POST", "secret/data/app/db", root, `{"data":{},"options":{"cas":0}}`, 400, `{"errors":["check-and-set parameter did not match the current version"]}`},
		{"POST", "secret/data/app/db", reader, `{"data":{}}`, 403, denied}, // create, but it is there
		{"POST", "secret/data/app/new", reader, `{"data":{"a":"b"}}`, 200, `"version":1`},
		{"POST", "secret/data/", root, `{"data":{}}`, 400, `cannot write to a path ending in '/'`},
		{"POST", "sys/capabilities-self", root, `{}`, 400, `{"errors":["paths must be supplied"]}`},
		{"POST", "sys/mounts/secret", root, `{"type":"kv"}`, 400, `{"errors":["path is already in use at secret/"]}`},
		{"POST", "sys/mounts/zz", root, `{"type":"frob"}`, 400, `{"errors":["plugin not found in the catalog: frob"]}`},
		{"PUT", "sys/policies/acl/bad", root, `{"policy":"path \"x\" { capabilities = [\"frob\"] }"}`, 400, `failed to parse policy: path \"x\": invalid capability \"frob\"`},
		{"PUT", "sys/policies/acl/bad", root, `{"policy":"path x"}`, 400, `failed to parse policy: At 1:8: key 'path x' expected start of object`},
		{"GET", "sys/replication/performance/status", "", "", 404, `{"errors":["enterprise-only feature"]}`},
		{"GET", "sys/replication/status", "", "", 200, `"data":{"mode":"disabled"}`},
		{"GET", "auth/nope/x", root, "", 404, `no handler for route \"auth/nope/x\"`},
		{"POST", "auth/token/lookup", root, `{"token":"x"}`, 403, `{"errors":["bad token"]}`},
		{"POST", "auth/token/renew-self", root, `{}`, 400, `{"errors":["invalid lease ID"]}`},
	} {
		code, body := r.call(t, c.method, c.path, c.token, c.body)
		if code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %s, want %d with %s", c.method, c.path, code, body, c.code, c.want)
		}
		if strings.Contains(body, canaryValue) || reader != "" && strings.Contains(body, reader) {
			t.Errorf("%s %s tells a secret: %s", c.method, c.path, body)
		}
	}
	for path, want := range map[string]int{"/": 404, "/v2/x": 404, "/v1": 307} {
		if code, _, _ := call(t, "GET", r.url+path, root, ""); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
}

// TestHealth expects the codes and words of each state.
func TestHealth(t *testing.T) {
	three := []NodeOptions{{API: "http://a"}, {API: "http://b"}, {API: "http://c"}}
	raft, file := New(Options{Nodes: three}), New(Options{Storage: File})
	fresh, ent := New(Options{Uninitialized: true}), New(Options{Enterprise: true, Nodes: three})
	get := func(n *Node, query string) (int, map[string]any) {
		w := httptest.NewRecorder()
		n.ServeHTTP(w, httptest.NewRequest("GET", "/v1/sys/health"+query, nil))
		var body map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		return w.Code, body
	}
	for _, c := range []struct {
		name  string
		node  *Node
		set   func()
		query string
		code  int
		want  string
	}{
		{"active", raft.Node(0), nil, "", 200, `standby=false sealed=false mode=disabled connected=<nil> removed=false`},
		{"active with a code", raft.Node(0), nil, "?activecode=211", 211, `standby=false`},
		{"bad code", raft.Node(0), nil, "?activecode=abc", 400, ``},
		{"standby", raft.Node(1), nil, "", 429, `standby=true sealed=false mode=disabled connected=true`},
		{"standby that is well", raft.Node(1), nil, "?standbyok=true", 200, `standby=true`},
		{"cut off", raft.Node(1), func() { raft.Node(1).SetCut(true) }, "", 474, `standby=true sealed=false mode=disabled connected=false`},
		{"sealed", raft.Node(2), raft.Node(2).Seal, "", 503, `standby=true sealed=true mode=unknown`},
		{"sealed with a code", raft.Node(2), nil, "?sealedcode=299", 299, `sealed=true`},
		{"no quorum", raft.Node(0), nil, "", 429, `standby=true sealed=false mode=unknown connected=<nil>`},
		{"removed", raft.Node(1), func() { raft.Node(1).SetRemoved(true) }, "", 530, `removed=true`},
		{"uninitialised", fresh.Node(0), nil, "", 501, `standby=true sealed=true mode=unknown`},
		{"not of a cluster", file.Node(0), nil, "", 200, `standby=false sealed=false mode=disabled connected=<nil> removed=<nil>`},
		{"performance standby", ent.Node(1), nil, "", 473, `standby=true sealed=false mode=disabled connected=true`},
		{"performance standby that is well", ent.Node(1), nil, "?perfstandbyok=true", 200, `standby=true`},
	} {
		if c.set != nil {
			c.set()
		}
		code, b := get(c.node, c.query)
		got := fmt.Sprintf("standby=%v sealed=%v mode=%v connected=%v removed=%v", b["standby"], b["sealed"], b["replication_performance_mode"], b["ha_connection_healthy"], b["removed_from_cluster"])
		if code != c.code || !strings.Contains(got, c.want) {
			t.Errorf("%s: %d %s, want %d %s", c.name, code, got, c.code, c.want)
		}
		if name, sealed := b["cluster_name"], b["sealed"]; sealed == true && name != nil {
			t.Errorf("%s: a sealed node knows the name of its cluster", c.name)
		}
	}
}

// TestUnseal initialises and unseals with the threshold of shares, as operators do.
func TestUnseal(t *testing.T) {
	r := newRig(t, Options{Uninitialized: true})
	sys := client(t, r.url, "").Sys()
	if _, err := sys.Unseal("AAAA"); err == nil || !strings.Contains(err.Error(), "Vault is not initialized") {
		t.Errorf("unseal before init: %v", err)
	}
	if _, err := sys.Init(&api.InitRequest{SecretShares: 3, SecretThreshold: 4}); err == nil {
		t.Error("a threshold above the shares was taken")
	}
	made, err := sys.Init(&api.InitRequest{SecretShares: 3, SecretThreshold: 2})
	if err != nil || len(made.Keys) != 3 || made.RootToken == "" {
		t.Fatalf("%v", err)
	}
	if _, err := sys.Init(&api.InitRequest{SecretShares: 3, SecretThreshold: 2}); err == nil {
		t.Error("it was initialised twice")
	}
	if code, body := r.call(t, "GET", "sys/mounts", made.RootToken, ""); code != 503 || body != `{"errors":["Vault is sealed"]}` {
		t.Errorf("sealed: %d %s", code, body)
	}
	step := func(key string, sealed bool, progress int) {
		t.Helper()
		s, err := sys.Unseal(key)
		if err != nil || s.Sealed != sealed || s.Progress != progress || (s.Nonce != "") != (progress > 0) {
			t.Errorf("sealed %v, progress %d, nonce %q, %v; want %v, %d", s.Sealed, s.Progress, s.Nonce, err, sealed, progress)
		}
	}
	step(made.KeysB64[0], true, 1)
	step(made.KeysB64[0], true, 1) // the same share counts once
	wrong := strings.Repeat("ab", 33)
	if _, err := sys.Unseal(wrong); err == nil {
		t.Error("a wrong share unsealed it")
	}
	step(made.KeysB64[2], true, 1) // it began anew
	step(made.Keys[1], false, 0)   // in hex
	c := client(t, r.url, made.RootToken)
	if _, err := c.Sys().ListMounts(); err != nil {
		t.Error(err)
	}
	if err := c.Sys().Seal(); err != nil {
		t.Error(err)
	}
	if s, err := c.Sys().SealStatus(); err != nil || !s.Sealed {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestStandby asks a node that is not active.
func TestStandby(t *testing.T) {
	r := newRig(t, Options{Nodes: []NodeOptions{{API: "http://active"}, {API: "http://b"}, {API: "http://c"}}})
	root, url := r.RootToken(), serve(t, r.Node(1))
	if code, body, _ := call(t, "GET", url+"/v1/secret/data/app/db", root, ""); code != 200 || !strings.Contains(body, canaryValue) {
		t.Errorf("forwarded: %d %s", code, body)
	}
	code, _, header := call(t, "GET", url+"/v1/sys/mounts?a=b", root, "", "X-Vault-No-Request-Forwarding", "true")
	if code != 307 || header.Get("Location") != "http://active/v1/sys/mounts?a=b" {
		t.Errorf("not forwarded: %d %s", code, header.Get("Location"))
	}
	l, err := client(t, url, "").Sys().Leader()
	if err != nil || !l.HAEnabled || l.IsSelf || l.LeaderAddress != "http://active" {
		t.Errorf("%+v, %v", l, err)
	}
	r.StepDown()
	if l, err = client(t, url, "").Sys().Leader(); err != nil || !l.IsSelf || !l.ActiveTime.Equal(r.clock.now()) {
		t.Errorf("%+v, %v", l, err)
	}
	state, err := client(t, url, root).Sys().RaftAutopilotState()
	if err != nil || !state.Healthy || state.FailureTolerance != 1 || len(state.Servers) != 3 || state.Leader != "node2" {
		t.Errorf("%+v, %v", state, err)
	}
	r.Node(0).SetDown(true)
	r.clock.add(15 * time.Second)
	if state, err = client(t, url, root).Sys().RaftAutopilotState(); err != nil || state.Healthy || state.FailureTolerance != 0 || state.Servers["node1"].Healthy {
		t.Errorf("%+v, %v", state, err)
	}
	r.clock.add(time.Minute)
	status, err := client(t, url, root).Sys().HAStatus()
	if err != nil || len(status.Nodes) != 2 || !status.Nodes[0].ActiveNode || status.Nodes[1].LastEcho == nil {
		t.Errorf("%+v, %v", status, err)
	}
	r.Node(2).Seal() // no quorum
	if code, body, _ := call(t, "GET", url+"/v1/sys/mounts", root, ""); code != 500 || body != `{"errors":["local node not active but active cluster node not found"]}` {
		t.Errorf("%d %s", code, body)
	}
	if code, body, _ := call(t, "GET", r.url+"/v1/sys/health", root, ""); code != 0 {
		t.Errorf("a node that is down answers %d %s", code, body)
	}
}
