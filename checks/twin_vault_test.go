package checks

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/config"
	"warroom/internal/drill/vaultsim"
	"warroom/internal/estate"
)

// The twin tests of Vault know the Community Edition only, which is what can be run.
// Of the Enterprise there is only the simulation: see TestVaultEnterpriseAsDocumented.

// twinCluster is a cluster under test with what opens it.
type twinCluster struct {
	twinVault
	vaultOps
	keys  []string
	token string // file of the token with which the checks read
}

// startCluster is a cluster that was not initialised.
func startCluster(t *testing.T, s *story, start func(*testing.T, vaultStorage) twinVault, o vaultStorage) *twinCluster {
	t.Helper()
	c := &twinCluster{twinVault: start(t, o), token: filepath.Join(t.TempDir(), "token")}
	c.vaultOps = vaultOps{url: c.address(0), client: twinClient(t, c.caFile())}
	c.read(t, "")
	for i := range o.nodes {
		s.same(c.address(i), fmt.Sprintf("NODE%d", i+1))
	}
	return c
}

// read gives the checks a token.
func (c *twinCluster) read(t *testing.T, token string) {
	t.Helper()
	if err := os.WriteFile(c.token, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
}

// initialise makes the keys: two of three open it.
func (c *twinCluster) initialise(t *testing.T) {
	t.Helper()
	made := decoded[struct {
		Keys []string `json:"keys_base64"`
		Root string   `json:"root_token"`
	}](t, &c.vaultOps, http.MethodPut, "sys/init", map[string]any{"secret_shares": 3, "secret_threshold": 2})
	if len(made.Keys) != 3 || made.Root == "" {
		t.Fatalf("initialised with %d keys", len(made.Keys))
	}
	c.keys, c.vaultOps.token = made.Keys, made.Root
}

// unseal gives a node that many key shares, and waits until a node that was given
// enough serves.
func (c *twinCluster) unseal(t *testing.T, node int, shares ...int) {
	t.Helper()
	v := vaultOps{url: c.address(node), client: c.client}
	for _, i := range shares {
		raw, err := base64.StdEncoding.DecodeString(c.keys[i])
		if err != nil || len(raw) == 0 {
			t.Fatalf("key share %d: %v", i, err)
		}
		v.must(t, http.MethodPut, "sys/unseal", map[string]any{"key": c.keys[i]})
	}
	if slices.Contains(shares, 1) {
		path := "sys/health?standbyok=true"
		if node == 0 {
			path = "sys/health" // it is alone still, and to be active
		}
		until(t, "an unsealed node", 20*time.Second, func() (bool, string) {
			code, body, err := v.call(http.MethodGet, path, nil)
			return code == 200, fmt.Sprintf("%d %s %v", code, body, err)
		})
	}
}

func (c *twinCluster) open(t *testing.T) {
	t.Helper()
	c.initialise(t)
	c.unseal(t, 0, 0, 1)
	c.read(t, c.vaultOps.token)
}

// audit has the cluster record what is asked of it.
func (c *twinCluster) audit(t *testing.T, s *story) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "audit.log")
	s.same(file, "AUDIT")
	c.must(t, http.MethodPut, "sys/audit/file", map[string]any{"type": "file", "options": map[string]string{"file_path": file}})
}

// newToken makes a token with these policies.
func (c *twinCluster) newToken(t *testing.T, policies ...string) string {
	t.Helper()
	made := decoded[struct {
		Auth struct {
			Token string `json:"client_token"`
		}
	}](t, &c.vaultOps, http.MethodPost, "auth/token/create", map[string]any{"policies": policies, "ttl": "72h", "display_name": "warroom"})
	return made.Auth.Token
}

func (c *twinCluster) kv(t *testing.T, mount, version string) {
	t.Helper()
	c.must(t, http.MethodPost, "sys/mounts/"+mount, map[string]any{"type": "kv", "options": map[string]string{"version": version}})
	if version == "2" {
		c.must(t, http.MethodGet, mount+"/config", nil)
	}
}

func (c *twinCluster) put(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		c.must(t, http.MethodPost, path, map[string]any{"data": map[string]string{"password": "canary-of-a-vault"}})
	}
}

// config is an estate of the nodes: node1, and node2 where there is a second.
func (c *twinCluster) config(t *testing.T) *config.Config {
	t.Helper()
	text, components := "thresholds: {clock_skew_warn: 5m}\nvaults:\n", "components:\n"
	for i := range 2 {
		if i == 1 && !c.hasSecond() {
			break
		}
		text += fmt.Sprintf("- {name: cluster%d, address: %q, ca_cert: %q, token_file: %q}\n", i+1, c.address(i), c.caFile(), c.token)
		components += fmt.Sprintf("- {id: node%[1]d, name: Vault, plane: control, vault: {cluster: cluster%[1]d}}\n", i+1)
	}
	return twinConfig(t, text+components)
}

func (c *twinCluster) hasSecond() bool {
	switch w := c.twinVault.(type) {
	case *simVault:
		return len(w.servers) > 1
	case *realVault:
		return len(w.urls) > 1
	}
	return false
}

// vaultPolicy is the read policy of docs/permissions.md without the lines that
// hold one of these words.
func vaultPolicy(t *testing.T, without ...string) string {
	t.Helper()
	raw, err := os.ReadFile("../internal/drill/vault-policy.hcl") // a test of the drill holds the docs to it
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for line := range strings.Lines(string(raw)) {
		if !slices.ContainsFunc(without, func(word string) bool { return strings.Contains(line, word) }) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func (c *twinCluster) policy(t *testing.T, name, text string) {
	t.Helper()
	c.must(t, http.MethodPut, "sys/policies/acl/"+name, map[string]string{"policy": text})
}

// sealed are the checks that a sealed Vault does not answer.
func allFailed(kind estate.FailureKind) map[string]estate.FailureKind {
	out := map[string]estate.FailureKind{}
	for _, check := range vaultChecks[:len(vaultChecks)-2] {
		out[check] = kind
	}
	return out
}

// TestTwinVaultStates takes one cluster from its first start to the loss of its
// active node.
func TestTwinVaultStates(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, start func(*testing.T, vaultStorage) twinVault, s *story) {
		c := startCluster(t, s, start, vaultStorage{"twin", vaultsim.Raft, 2})
		cfg := c.config(t)
		check := func(what string) *estate.Readings {
			r := twinCheck(t, cfg)
			s.tellAll(what, r, "node1")
			return r
		}
		r := check("uninitialised")
		reads(t, r, "node1", estate.Fail, "UNINITIALISED")

		c.initialise(t)
		c.read(t, c.vaultOps.token)
		r = check("sealed")
		reads(t, r, "node1", estate.Fail, "SEALED")
		failures(t, r, "node1", allFailed(estate.Sealed))
		c.unseal(t, 0, 0)
		r = check("half unsealed")
		if seal := twinData[estate.VaultSeal](t, r, "node1", estate.CheckVaultSeal); seal.Progress != 1 || seal.Threshold != 2 || seal.Shares != 3 {
			t.Errorf("seal %+v", seal)
		}
		c.unseal(t, 0, 1)
		r = check("alone, with a root token")
		reads(t, r, "node1", estate.Warn, "NOT AUDITED")

		c.audit(t, s)
		c.join(t, &c.vaultOps)
		c.unseal(t, 1, 0, 1)
		until(t, "a second voter", 20*time.Second, func() (bool, string) {
			code, body, err := c.call(http.MethodGet, "sys/storage/raft/autopilot/state", nil)
			return strings.Contains(string(body), `"voters":["vault-1","vault-2"]`) && !strings.Contains(string(body), `"healthy":false`), fmt.Sprintf("%d %s %v", code, body, err)
		})
		r = check("active of two")
		failures(t, r, "node1", map[string]estate.FailureKind{})
		s.tellAll("standby", r, "node2")
		if h := twinData[estate.VaultHealth](t, r, "node2", estate.CheckVaultHealth); !h.Standby || h.Code != http.StatusTooManyRequests || h.NoActive {
			t.Errorf("the standby's health %+v", h)
		}

		c.read(t, "hvs.canary-of-another-vault")
		r = check("wrong token")
		without := allFailed(estate.NoIdentity)
		delete(without, estate.CheckVaultReplication)
		failures(t, r, "node1", without)
		c.read(t, "")
		r = check("no token")
		failures(t, r, "node1", without)
		c.read(t, c.vaultOps.token)

		c.stop(t, 0)
		r = check("unreachable")
		refused := allFailed(estate.Refused)
		refused[estate.CheckVaultHealth], refused[estate.CheckVaultSeal] = estate.Refused, estate.Refused
		failures(t, r, "node1", refused)
		reads(t, r, "node1", estate.Fail, "NO CONNECTION")

		// Alone, the second one has no majority. It goes on to send clients where the
		// active node was.
		left := vaultOps{url: c.address(1), client: c.client}
		until(t, "a standby that misses its active node", 30*time.Second, func() (bool, string) {
			code, body, err := left.call(http.MethodGet, "sys/health", nil)
			return code == 474, fmt.Sprintf("%d %s %v", code, body, err)
		})
		r = twinCheck(t, cfg)
		s.tellAll("left alone", r, "node2")
		reads(t, r, "node2", estate.Fail, "NO ACTIVE NODE")
		failures(t, r, "node2", allFailed(estate.OutOfReach))
	}
	twinned(t, []string{"vault"},
		func(*testing.T) func(*testing.T, vaultStorage) twinVault { return newSimVault },
		func(*testing.T) func(*testing.T, vaultStorage) twinVault { return newRealVault }, test)
}

// TestTwinVaultFile has a cluster on other storage than raft: no raft, no standbys.
func TestTwinVaultFile(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, start func(*testing.T, vaultStorage) twinVault, s *story) {
		c := startCluster(t, s, start, vaultStorage{"twin", vaultsim.File, 1})
		cfg := c.config(t)
		s.tellAll("uninitialised", twinCheck(t, cfg), "node1")
		c.open(t)
		r := twinCheck(t, cfg)
		s.tellAll("open", r, "node1")
		failures(t, r, "node1", map[string]estate.FailureKind{estate.CheckVaultRaft: estate.NotSupported})
		for _, f := range mustReading(t, r, "node1").Facts {
			if f.Name == "Raft" && f.Status != estate.NA {
				t.Errorf("raft on file storage reads %s %s", f.Status, f.Value)
			}
		}
	}
	twinned(t, []string{"vault"},
		func(*testing.T) func(*testing.T, vaultStorage) twinVault { return newSimVault },
		func(*testing.T) func(*testing.T, vaultStorage) twinVault { return newRealVault }, test)
}

func mustReading(t *testing.T, r *estate.Readings, id estate.ID) estate.Reading {
	t.Helper()
	one, ok := r.Of(id)
	if !ok {
		t.Fatalf("no component %s", id)
	}
	return one
}

// TestVaultEnterpriseAsDocumented has no twin: the Enterprise cannot be run without
// a licence. What is held to the documentation of sys/replication/status are the
// fields, and to its meaning what they are read as.
func TestVaultEnterpriseAsDocumented(t *testing.T) {
	t.Parallel()
	ca, _, certificate := twinFiles(t)
	serve := func(o vaultsim.Options) (*vaultsim.Cluster, vaultOps) {
		s := httptest.NewUnstartedServer(nil)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
		o.Enterprise, o.Began = true, time.Now().Add(-time.Hour)
		o.Nodes = []vaultsim.NodeOptions{{Name: o.Name, API: "https://" + s.Listener.Addr().String(), Cluster: "https://" + s.Listener.Addr().String()}}
		c := vaultsim.New(o)
		s.Config.Handler = c
		s.StartTLS()
		t.Cleanup(s.Close)
		return c, vaultOps{url: s.URL, client: twinClient(t, ca), token: c.RootToken()}
	}
	first, one := serve(vaultsim.Options{Name: "one"})
	_, two := serve(vaultsim.Options{Name: "two", Primary: first, Lag: 45 * time.Second})
	for _, x := range []struct {
		of   vaultOps
		list string
		want []string
	}{
		{one, "secondaries", []string{"cluster_id", "known_secondaries", "last_performance_wal", "last_reindex_epoch", "merkle_root", "mode", "primary_cluster_addr", "secondaries", "state"}},
		{two, "primaries", []string{"cluster_id", "connection_state", "known_primary_cluster_addrs", "last_reindex_epoch", "last_remote_wal", "last_start", "merkle_root", "mode", "primaries", "primary_cluster_addr", "secondary_id", "state"}},
	} {
		answer := decoded[struct {
			Data struct{ DR, Performance map[string]any }
		}](t, &x.of, http.MethodGet, "sys/replication/status", nil)
		for _, name := range x.want {
			if _, ok := answer.Data.Performance[name]; !ok {
				t.Errorf("%s: performance has no %s, which is documented", x.list, name)
			}
		}
		if answer.Data.DR["mode"] != "disabled" {
			t.Errorf("dr %v", answer.Data.DR)
		}
		peers, _ := answer.Data.Performance[x.list].([]any)
		if len(peers) != 1 {
			t.Fatalf("%s: %v", x.list, answer.Data.Performance)
		}
		for _, name := range []string{"api_address", "clock_skew_ms", "cluster_address", "connection_status", "last_heartbeat", "last_heartbeat_duration_ms", "replication_primary_canary_age_ms"} {
			if _, ok := peers[0].(map[string]any)[name]; !ok {
				t.Errorf("%s has no %s, which is documented: %v", x.list, name, peers[0])
			}
		}
	}
	file := func(token string) string {
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	r := twinCheck(t, twinConfig(t, fmt.Sprintf(`vaults:
- {name: one, address: %q, ca_cert: %q, token_file: %q}
- {name: two, address: %q, ca_cert: %q, token_file: %q}
components:
- {id: one, name: One, plane: control, vault: {cluster: one}}
- {id: two, name: Two, plane: control, vault: {cluster: two, role: secondary}}
`, one.url, ca, file(one.token), two.url, ca, file(two.token))))
	sets := twinData[estate.VaultReplication](t, r, "two", estate.CheckVaultReplication)
	i := slices.IndexFunc(sets.Sets, func(s estate.VaultReplicationSet) bool { return s.Kind == "performance" })
	if i < 0 || !sets.Licensed || sets.Sets[i].Mode != "secondary" || !sets.Sets[i].CanaryKnown || sets.Sets[i].CanaryAge.Round(10*time.Second) != 50*time.Second && sets.Sets[i].CanaryAge.Round(10*time.Second) != 40*time.Second {
		t.Errorf("the secondary: %+v", sets)
	}
	for _, f := range mustReading(t, r, "two").Facts {
		if f.Name == "Replication lag" && (f.Status != estate.Warn || !strings.HasPrefix(f.Value, "4")) {
			t.Errorf("lag %s %s %s", f.Status, f.Value, f.Note)
		}
	}
}
