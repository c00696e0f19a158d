package drill

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"warroom/internal/labtest"
)

// vaultClient reaches one node of the world as warroom does: with the CA and the
// token file.
func vaultClient(t *testing.T, w *World, node, tokenFile string) *api.Client {
	t.Helper()
	cfg := api.DefaultConfig()
	cfg.Address, cfg.MaxRetries = "https://"+w.address(node), 0
	if err := cfg.ConfigureTLS(&api.TLSConfig{CACert: w.file(fileCA)}); err != nil {
		t.Fatal(err)
	}
	c, err := api.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	token, err := os.ReadFile(w.file(tokenFile))
	if err != nil {
		t.Fatal(err)
	}
	c.SetToken(strings.TrimSpace(string(token)))
	c.ClearNamespace()
	return c
}

// countSecrets lists every folder below a path.
func countSecrets(t *testing.T, c *api.Client, path string) int {
	t.Helper()
	s, err := c.Logical().ListWithContext(t.Context(), path)
	if err != nil || s == nil {
		t.Fatalf("list %s: %v, %v", path, s, err)
	}
	n := 0
	for _, key := range s.Data["keys"].([]any) {
		if name := key.(string); strings.HasSuffix(name, "/") {
			n += countSecrets(t, c, path+name)
		} else {
			n++
		}
	}
	return n
}

// TestTheStoryInVault reads the pair with the token of the world, and with nothing
// more than that token may do.
func TestTheStoryInVault(t *testing.T) {
	w := open(t, Options{Seed: 5})
	for _, one := range []struct{ node, token, mode string }{
		{vaultPrimaryNodes[0], fileVaultPrimary, "primary"}, {vaultSecondaryNodes[0], fileVaultSecondary, "secondary"}, {vaultPrimaryNodes[2], fileVaultPrimary, "primary"},
	} {
		c := vaultClient(t, w, one.node, one.token)
		h, err := c.Sys().Health()
		if err != nil || !h.Initialized || h.Sealed || !h.Enterprise || h.ReplicationPerformanceMode != one.mode {
			t.Errorf("%s: %+v, %v", one.node, h, err)
		}
		total := 0
		for _, mount := range []string{"secret/metadata/", "platform/metadata/", "payments/metadata/", "legacy/"} {
			n := countSecrets(t, c, mount)
			if n == 0 {
				t.Errorf("%s: nothing in %s", one.node, mount)
			}
			total += n
		}
		if total != 2847 {
			t.Errorf("%s: %d secrets, want 2,847", one.node, total)
		}
		nodes, err1 := c.Sys().HAStatus()
		raft, err2 := c.Sys().RaftAutopilotState()
		audit, err3 := c.Sys().ListAudit()
		auth, err4 := c.Sys().ListAuth()
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil || len(nodes.Nodes) != 3 || !raft.Healthy || audit["file/"] == nil || auth["approle/"] == nil {
			t.Errorf("%s: %v, %v, %v, %v: %+v %+v %+v %+v", one.node, err1, err2, err3, err4, nodes, raft, audit, auth)
		}
		roles, err := c.Logical().List("database/static-roles")
		if err != nil || len(roles.Data["keys"].([]any)) != len(vaultUsers) {
			t.Fatalf("%s: %+v, %v", one.node, roles, err)
		}
		for _, name := range roles.Data["keys"].([]any) {
			r, err := c.Logical().Read("database/static-roles/" + name.(string))
			if err != nil {
				t.Fatal(err)
			}
			if at, err := time.Parse(time.RFC3339Nano, r.Data["last_vault_rotation"].(string)); err != nil || time.Since(at) > 7*day {
				t.Errorf("%s: %s was last rotated at %v, %v", one.node, name, at, err)
			}
		}
		self, err := c.Auth().Token().LookupSelf()
		if ttl, _ := self.TokenTTL(); err != nil || ttl < 20*day || ttl > 32*day {
			t.Errorf("%s: the token lives for %v, %v", one.node, ttl, err)
		}
		for _, secret := range []string{
			"secret/data/prod/accounts/user-service/database", "secret/metadata/prod/accounts/user-service/database", "payments/data/prod/ledger/database", "legacy/ftp/database",
			"database/static-creds/orders", "database/config/" + databaseName, "sys/policies/acl/root",
		} {
			if s, err := c.Logical().Read(secret); err == nil || !strings.Contains(err.Error(), "permission denied") {
				t.Errorf("%s: the token reads %s: %v", one.node, secret, s != nil)
			}
		}
		if _, err := c.Logical().Write("database/rotate-role/orders", nil); err == nil {
			t.Errorf("%s: the token rotates", one.node)
		}
	}
}

// lagOf is the age of the canary that the secondary tells.
func lagOf(t *testing.T, w *World) time.Duration {
	t.Helper()
	s, err := vaultClient(t, w, vaultSecondaryNodes[0], fileVaultSecondary).Logical().Read("sys/replication/status")
	if err != nil {
		t.Fatal(err)
	}
	primaries := s.Data["performance"].(map[string]any)["primaries"].([]any)
	ms, err := strconv.Atoi(primaries[0].(map[string]any)["replication_primary_canary_age_ms"].(string))
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(ms) * time.Millisecond
}

// TestVaultLagStaysAndShrinks lets the world live for a day.
func TestVaultLagStaysAndShrinks(t *testing.T) {
	var mu sync.Mutex
	now := time.Now().UTC()
	e := makeWorld(t, func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	})
	w := e.World
	pass := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
	for range 48 {
		if lag := lagOf(t, w).Round(time.Second); lag != vaultLag {
			t.Fatalf("%v behind, want 45 s", lag)
		}
		pass(30*time.Minute + 333*time.Millisecond)
	}
	e.vaultSecondary.SetLag(0)
	pass(10 * time.Second)
	if lag := lagOf(t, w); lag > 2*time.Second {
		t.Errorf("still %v behind without the fault", lag)
	}
}

// TestVaultRotates has Vault change a password, in the database too.
func TestVaultRotates(t *testing.T) {
	e := makeWorld(t, time.Now)
	w := e.World
	c := vaultClient(t, w, vaultPrimaryNodes[0], fileVaultPrimary)
	c.SetToken(e.vault.RootToken())
	password := func() string {
		s, err := c.Logical().Read("database/static-creds/orders")
		if err != nil {
			t.Fatal(err)
		}
		return s.Data["password"].(string)
	}
	before := password()
	if _, err := c.Logical().Write("database/rotate-role/orders", nil); err != nil {
		t.Fatal(err)
	}
	after := password()
	if before == after || logIn(t, w, srvPrimary, "orders_user", after) != "" || logIn(t, w, srvPrimary, "orders_user", before) != "28P01" {
		t.Error("the database does not take the password that Vault has now, or still takes the one before")
	}
	if got := logIn(t, w, srvPrimary, "search_user", w.text("password vault current search_user", 32)); got != "" {
		t.Errorf("a password that Vault has is refused: %s", got)
	}
}

// TestVaultPolicyIsDocumented keeps the docs and the token of the world the same.
func TestVaultPolicyIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/permissions.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "```hcl\n"+vaultPolicy+"```\n") {
		t.Error("docs/permissions.md does not have the policy of vault-policy.hcl")
	}
}

// TestVaultExamples runs the world's examples for the vault command line.
func TestVaultExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("each vault command takes a tenth of a second or more")
	}
	bin := labtest.Tool(t, "vault")
	w := open(t, Options{Seed: 5})
	for _, example := range w.vaultExamples() {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", "vault() { "+shellQuote(bin)+` "$@"; }; `+example)
		cmd.Env = append(w.Env(), "HOME="+t.TempDir(), "PATH=/usr/bin:/bin")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", example, err, out)
		}
	}
}
