package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// vaultCanary is the token that the checks read with. The fake Vault echoes it
// wherever it can.
const vaultCanary = "hvs.CANARY-b41c97d2e06f"

// vaultBegan is when everything in a fake Vault was made.
var vaultBegan = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fakeSecret is one secret of a fake Vault's KV mount, as its metadata.
type fakeSecret struct {
	version int
	updated time.Time
	times   []time.Time // of the versions, the oldest first
	deleted bool
}

// fakeVault is an unsealed Community Edition that takes vaultCanary. Its answers are
// those of Vault 1.19.
type fakeVault struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string]http.HandlerFunc           // by path, before all else
	mounts  map[string]string                     // type, for kv with its version: "kv 2"
	kv      map[string]map[string]fakeSecret      // by mount and path
	roles   map[string]map[string]json.RawMessage // static roles by mount and name
	denied  func(path string) bool                // 403 for the token
	sealed  bool
	calls   map[string]int
	asked   http.Header // of the last request
	values  int         // reads that would have brought a value
}

func newFakeVault(t *testing.T) *fakeVault {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{"VAULT_ADDR", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_CAPATH", "VAULT_AGENT_ADDR", "VAULT_SKIP_VERIFY", "VAULT_WRAP_TTL"} {
		t.Setenv(name, "")
	}
	t.Setenv("VAULT_TOKEN", vaultCanary)
	f := &fakeVault{
		answers: map[string]http.HandlerFunc{},
		mounts:  map[string]string{"secret/": "kv 2", "sys/": "system", "cubbyhole/": "cubbyhole", "database/": "database"},
		kv:      map[string]map[string]fakeSecret{"secret/": {}},
		roles:   map[string]map[string]json.RawMessage{"database/": {}},
		calls:   map[string]int{},
	}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

// says has a path answered with a status and a body.
func (f *fakeVault) says(path string, code int, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[path] = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func (f *fakeVault) does(path string, h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[path] = h
}

func (f *fakeVault) put(mount, path string, version int, updated time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kv[mount] == nil {
		f.kv[mount], f.mounts[mount] = map[string]fakeSecret{}, "kv 2"
	}
	s := fakeSecret{version: version, updated: updated}
	for i := range version {
		s.times = append(s.times, updated.Add(-time.Duration(version-1-i)*time.Hour))
	}
	f.kv[mount][path] = s
}

const vaultIsSealed = `{"errors":["Vault is sealed"]}`

func (f *fakeVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[path]++
	f.asked = r.Header.Clone()
	if h := f.answers[path]; h != nil {
		f.mu.Unlock()
		h(w, r)
		f.mu.Lock()
		return
	}
	say := func(code int, body string) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
	data := func(v any) {
		raw, err := json.Marshal(map[string]any{"request_id": "x", "data": v, "warnings": nil})
		if err != nil {
			panic(err)
		}
		say(200, string(raw))
	}
	switch path {
	case "sys/health":
		code := map[bool]int{true: 503, false: 200}[f.sealed]
		say(code, fmt.Sprintf(`{"initialized":true,"sealed":%v,"standby":%v,"server_time_utc":%d,"version":"1.19.0","cluster_name":"c","cluster_id":"i","removed_from_cluster":false}`, f.sealed, f.sealed, time.Now().Unix()))
		return
	case "sys/seal-status":
		say(200, fmt.Sprintf(`{"type":"shamir","initialized":true,"sealed":%v,"t":3,"n":5,"progress":1,"storage_type":"raft"}`, f.sealed))
		return
	}
	if f.sealed {
		say(503, vaultIsSealed)
		return
	}
	if path == "sys/replication/status" {
		data(map[string]string{"mode": "disabled"})
		return
	}
	switch token := r.Header.Get("X-Vault-Token"); {
	case token == "":
		say(403, `{"errors":["permission denied"]}`)
		return
	case token != vaultCanary:
		say(403, `{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`)
		return
	case f.denied != nil && f.denied(path):
		say(403, `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`)
		return
	}
	switch path {
	case "auth/token/lookup-self":
		data(map[string]any{"id": vaultCanary, "accessor": vaultCanary, "display_name": "approle-" + vaultCanary, "policies": []string{"default", "warroom"}, "expire_time": vaultBegan.Add(time.Hour), "renewable": true})
	case "sys/mounts":
		data(f.described())
	case "sys/internal/ui/mounts":
		data(map[string]any{"auth": map[string]any{}, "secret": f.described()})
	case "sys/auth":
		data(map[string]any{"token/": map[string]any{"type": "token", "options": nil}, "approle/": map[string]any{"type": "approle"}})
	case "sys/audit":
		data(map[string]any{"file/": map[string]any{"type": "file", "path": "file/", "options": map[string]string{"file_path": "/var/log/vault.log", "hmac_accessor": "true"}}})
	case "sys/ha-status":
		data(map[string]any{"nodes": []map[string]any{
			{"hostname": "a", "api_address": "https://a:8200", "active_node": true, "version": "1.19.0", "last_echo": nil},
			{"hostname": "b", "api_address": "https://b:8200", "active_node": false, "version": "1.19.0", "last_echo": time.Now()},
		}})
	case "sys/storage/raft/autopilot/state":
		data(map[string]any{"healthy": true, "failure_tolerance": 1, "leader": "a", "servers": map[string]any{
			"a": map[string]any{"id": "a", "address": "a:8201", "status": "leader", "healthy": true, "last_contact": "0s", "last_index": 70},
			"b": map[string]any{"id": "b", "address": "b:8201", "status": "voter", "healthy": true, "last_contact": "1.5s", "last_index": 69},
		}})
	default:
		f.engine(path, r.URL.Query().Get("list") == "true", data, say)
	}
}

func (f *fakeVault) described() map[string]any {
	out := map[string]any{}
	for path, kind := range f.mounts {
		kind, version, _ := strings.Cut(kind, " ")
		one := map[string]any{"type": kind, "accessor": "x", "options": nil}
		if version != "" {
			one["options"] = map[string]string{"version": version}
		}
		out[path] = one
	}
	return out
}

// engine answers below the mounts.
func (f *fakeVault) engine(path string, list bool, data func(any), say func(int, string)) {
	mount, rest, _ := strings.Cut(path, "/")
	mount += "/"
	kind, known := f.mounts[mount]
	switch {
	case !known:
		say(404, fmt.Sprintf(`{"errors":["no handler for route \"%s\". route entry not found."]}`, path))
	case kind == "database" && list:
		f.keys(slices.Collect(maps.Keys(f.roles[mount])), data, say)
	case kind == "database":
		role, ok := f.roles[mount][strings.TrimPrefix(rest, "static-roles/")]
		if !ok {
			say(404, `{"errors":[]}`)
			return
		}
		data(role)
	case kind == "kv 2" && !strings.HasPrefix(rest, "metadata"), kind == "kv 1" && !list:
		f.values++
		data(map[string]any{"data": map[string]string{"password": vaultCanary}})
	case list:
		if kind == "kv 2" {
			rest = strings.TrimPrefix(strings.TrimPrefix(rest, "metadata"), "/")
		}
		f.keys(f.under(mount, rest), data, say)
	default:
		s, ok := f.kv[mount][strings.TrimPrefix(rest, "metadata/")]
		if !ok {
			say(404, `{"errors":[]}`)
			return
		}
		versions := map[string]any{}
		for i, at := range s.times {
			deleted := ""
			if s.deleted && i == len(s.times)-1 {
				deleted = at.Format(time.RFC3339)
			}
			versions[fmt.Sprint(s.version-len(s.times)+1+i)] = map[string]any{"created_time": at, "deletion_time": deleted, "destroyed": false}
		}
		data(map[string]any{"current_version": s.version, "updated_time": s.updated, "custom_metadata": map[string]string{"note": vaultCanary}, "versions": versions})
	}
}

// keys answers a LIST: what is empty is not there.
func (f *fakeVault) keys(names []string, data func(any), say func(int, string)) {
	if len(names) == 0 {
		say(404, `{"errors":[]}`)
		return
	}
	slices.Sort(names)
	data(map[string]any{"keys": names})
}

// under are the names in a folder.
func (f *fakeVault) under(mount, folder string) []string {
	if folder != "" && !strings.HasSuffix(folder, "/") {
		folder += "/"
	}
	names := map[string]bool{}
	for path := range f.kv[mount] {
		rest, ok := strings.CutPrefix(path, folder)
		if !ok || rest == "" {
			continue
		}
		name, more, isFolder := strings.Cut(rest, "/")
		if isFolder && more != "" {
			name += "/"
		}
		names[name] = true
	}
	return slices.Collect(maps.Keys(names))
}

// vaultConfig is an estate of a primary, and of a secondary if there is a second.
func vaultConfig(primary *fakeVault, secondary ...*fakeVault) *config.Config {
	cfg := &config.Config{
		Checks:     config.Checks{Interval: 15 * time.Second, Timeout: 5 * time.Second, SlowEvery: time.Minute, Concurrency: 8},
		Vaults:     []config.VaultCluster{{Name: "one", Address: primary.URL}},
		Components: []config.Component{{ID: "v1", Vault: &config.Vault{Cluster: "one", Role: "primary", Limit: 2000}}},
	}
	for _, s := range secondary {
		cfg.Vaults = append(cfg.Vaults, config.VaultCluster{Name: "two", Address: s.URL})
		cfg.Components = append(cfg.Components, config.Component{ID: "v2", Vault: &config.Vault{Cluster: "two", Role: "secondary", Compare: "one", Limit: 2000}})
	}
	return cfg
}

// vaultWorld are the probes of an estate.
type vaultWorld struct {
	t      *testing.T
	set    *clients.Set
	probes []Probe
}

func vaultsOf(t *testing.T, cfg *config.Config) *vaultWorld {
	t.Helper()
	set := newSet(t, cfg)
	return &vaultWorld{t, set, Probes(cfg, set)}
}

// read runs one probe once.
func (w *vaultWorld) read(id estate.ID, check string) Result {
	w.t.Helper()
	for _, p := range w.probes {
		if p.Key == (estate.Key{Component: id, Check: check}) {
			ctx, cancel := context.WithTimeout(w.t.Context(), p.Timeout)
			defer cancel()
			r := guard(ctx, p)
			w.clean(p.Source, r)
			return r
		}
	}
	w.t.Fatalf("no probe reads %s of %s", check, id)
	return Result{}
}

// clean fails the test when the token or a value is in what a probe brought.
func (w *vaultWorld) clean(source string, r Result) {
	w.t.Helper()
	raw, err := json.Marshal(r.Data)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, text := range []string{source, string(raw), fmt.Sprint(r.Err), fmt.Sprintf("%#v", r.Err), fmt.Sprintf("%+v", r.Data)} {
		if strings.Contains(text, "CANARY") {
			w.t.Errorf("a secret is in %s", text)
		}
	}
}

// vaultData is what a read brought, of one type.
func vaultData[T estate.Data](t *testing.T, r Result) T {
	t.Helper()
	data, ok := r.Data.(T)
	if r.Err != nil || !ok {
		t.Fatalf("brought %#v, %v", r.Data, r.Err)
	}
	return data
}

// vaultFailure is why a read brought nothing.
func vaultFailure(t *testing.T, r Result) *estate.Failure {
	t.Helper()
	f, ok := r.Err.(*estate.Failure)
	if !ok {
		t.Fatalf("brought %#v, %v; want a failure", r.Data, r.Err)
	}
	return f
}

func newVaultForFuzz(f *testing.F) *clients.Vault {
	f.Helper()
	cfg := &config.Config{Vaults: []config.VaultCluster{{Name: "one", Address: "http://127.0.0.1:1"}}}
	set := clients.New(cfg)
	f.Cleanup(set.Close)
	v, err := set.Vault("one")
	if err != nil {
		f.Fatal(err)
	}
	return v
}

func answerOf(body []byte) clients.VaultAnswer {
	return clients.VaultAnswer{Code: 200, Body: body, Sent: vaultBegan, Came: vaultBegan}
}
