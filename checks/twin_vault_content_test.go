package checks

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"warroom/internal/config"
	"warroom/internal/drill/vaultsim"
	"warroom/internal/estate"
)

// newVaults starts clusters in one world.
type newVaults func(*testing.T, vaultStorage) twinVault

func vaultTwins(t *testing.T, test func(t *testing.T, start newVaults, s *story), peers ...string) {
	t.Parallel()
	twinned(t, append(peers, "vault"), func(*testing.T) newVaults { return newSimVault }, func(*testing.T) newVaults { return newRealVault }, test)
}

// openCluster is one node with an audit device and the read policy of the docs.
func openCluster(t *testing.T, s *story, start newVaults, name string) *twinCluster {
	t.Helper()
	c := startCluster(t, s, start, vaultStorage{name, vaultsim.Raft, 1})
	s.same(c.address(0), "NODE-"+name)
	c.open(t)
	c.audit(t, s)
	c.policy(t, "reader", vaultPolicy(t))
	return c
}

// TestTwinVaultSecrets counts secrets of both versions of KV, folders that are
// empty, and what a token may not list.
func TestTwinVaultSecrets(t *testing.T) {
	vaultTwins(t, func(t *testing.T, start newVaults, s *story) {
		c := openCluster(t, s, start, "twin")
		cfg := c.config(t)
		c.read(t, c.newToken(t, "reader"))
		r := twinCheck(t, cfg)
		s.tellAll("no KV mount", r, "node1")
		failures(t, r, "node1", map[string]estate.FailureKind{})
		reads(t, r, "node1", estate.OK, "HEALTHY")

		c.kv(t, "secret", "2")
		c.kv(t, "platform", "2") // stays empty
		c.kv(t, "legacy", "1")
		c.put(t, "secret/data/a", "secret/data/a", "secret/data/app/db", "secret/data/app/api", "secret/data/app/deep/er/x", "secret/data/gone/y", "secret/data/gone/z",
			"legacy/one", "legacy/folder/two")
		c.must(t, http.MethodDelete, "secret/metadata/gone/y", nil) // without a trace
		c.must(t, http.MethodDelete, "secret/data/gone/z", nil)     // its metadata stays
		r = twinCheck(t, cfg)
		s.tellAll("filled", r, "node1")
		count := twinData[estate.VaultCount](t, r, "node1", estate.CheckVaultCount)
		if count.Secrets != 7 || count.Mounts != 3 || !count.Complete || count.Denied != 0 || count.Usable {
			t.Errorf("count %+v", count)
		}
		c.must(t, http.MethodDelete, "secret/metadata/gone/z", nil)
		s.tellSlot("an empty folder", twinSlot(t, twinCheck(t, cfg), "node1", estate.CheckVaultCount))

		// Without one permission that alone is not told.
		for _, x := range []struct {
			without string
			failed  map[string]estate.FailureKind
		}{
			{"sys/audit", map[string]estate.FailureKind{estate.CheckVaultAudit: estate.Denied}},
			{"sys/auth", map[string]estate.FailureKind{estate.CheckVaultAuth: estate.Denied}},
			{"sys/ha-status", map[string]estate.FailureKind{estate.CheckVaultNodes: estate.Denied}},
			{"autopilot", map[string]estate.FailureKind{estate.CheckVaultRaft: estate.Denied}},
			{"sys/mounts", map[string]estate.FailureKind{estate.CheckVaultMounts: estate.Denied}},
			{"secret/metadata", map[string]estate.FailureKind{}},
		} {
			name := "no-" + strings.ReplaceAll(x.without, "/", "-")
			c.policy(t, name, vaultPolicy(t, x.without))
			c.read(t, c.newToken(t, name))
			r := twinCheck(t, cfg)
			s.tellAll("without "+x.without, r, "node1")
			failures(t, r, "node1", x.failed)
			if x.without != "secret/metadata" && mustReading(t, r, "node1").Status != estate.Unknown {
				t.Errorf("without %s it reads %s", x.without, mustReading(t, r, "node1").Status)
			}
		}
		count = twinData[estate.VaultCount](t, r, "node1", estate.CheckVaultCount)
		c.policy(t, "none", `path "cubbyhole/x" { capabilities = ["read"] }`)
		c.read(t, c.newToken(t, "none"))
		r = twinCheck(t, cfg)
		s.tellAll("without any", r, "node1")

		// Audit with sudo alone, or read alone, is not enough.
		for _, can := range []string{`"read"`, `"sudo"`} {
			c.policy(t, "half", `path "sys/audit" { capabilities = [`+can+`] }`)
			c.read(t, c.newToken(t, "half"))
			s.tellSlot("audit with "+can, twinSlot(t, twinCheck(t, cfg), "node1", estate.CheckVaultAudit))
		}
		c.must(t, http.MethodDelete, "sys/audit/file", nil)
		c.read(t, c.newToken(t, "reader"))
		r = twinCheck(t, cfg)
		s.tellAll("not audited", r, "node1")
		reads(t, r, "node1", estate.Warn, "NOT AUDITED")
	})
}

// TestTwinVaultToken has the token that we read with end.
func TestTwinVaultToken(t *testing.T) {
	vaultTwins(t, func(t *testing.T, start newVaults, s *story) {
		c := openCluster(t, s, start, "twin")
		cfg := c.config(t)
		token := c.newToken(t, "reader")
		c.read(t, token)
		r := twinCheck(t, cfg)
		s.tellReading("lasting", r, "node1")
		s.tellReading("an hour before its end", readLater(r, 71*time.Hour), "node1")
		soon := readLater(r, 72*time.Hour-10*time.Minute)
		s.tellReading("soon over", soon, "node1")
		reads(t, soon, "node1", estate.Warn, "TOKEN ENDS")
		c.must(t, http.MethodPost, "auth/token/revoke", map[string]string{"token": token})
		r = twinCheck(t, cfg)
		s.tellAll("revoked", r, "node1")
		if f := twinSlot(t, r, "node1", estate.CheckVaultMounts).Failure; f == nil || f.Kind != estate.NoIdentity {
			t.Errorf("mounts with a revoked token: %v", f)
		}
	})
}

// TestTwinVaultStaticRoles has Vault rotate two database users, one of which is
// dropped behind its back.
func TestTwinVaultStaticRoles(t *testing.T) {
	// Far from any change of what "in 20 days" is called.
	plan := time.Now().UTC().Add(20*24*time.Hour + 12*time.Hour).Format("4 15 2 1 *")
	vaultTwins(t, func(t *testing.T, start newVaults, s *story) {
		c := openCluster(t, s, start, "twin")
		cfg := c.config(t)
		c.read(t, c.newToken(t, "reader"))
		users, spoil := c.database(t, &c.vaultOps)
		s.same(users[0], "APP")
		s.same(users[1], "STUCK")
		r := twinCheck(t, cfg)
		s.tellAll("no static role", r, "node1")
		for i, role := range []map[string]any{
			{"username": users[0], "rotation_schedule": plan}, {"username": users[1], "rotation_period": "5s"},
		} {
			role["db_name"] = "twin"
			c.must(t, http.MethodPost, fmt.Sprintf("database/static-roles/role%d", i), role)
		}
		roles := func() []estate.VaultStaticRole {
			r = twinCheck(t, cfg)
			return twinData[estate.VaultStaticRoles](t, r, "node1", estate.CheckVaultStaticRoles).Roles
		}
		first := roles()[1].LastRotation
		until(t, "a rotation", 20*time.Second, func() (bool, string) {
			last := roles()[1].LastRotation
			return last.After(first), last.String()
		})
		if got := roles(); len(got) != 2 || got[0].Schedule != plan || got[0].LastRotation.IsZero() || got[1].Period != 5*time.Second || got[1].User != users[1] || got[0].TTL.Round(time.Hour) != 20*24*time.Hour+12*time.Hour {
			t.Errorf("roles %+v", got)
		}
		spoil(t)
		until(t, "a role that is overdue", 30*time.Second, func() (bool, string) {
			role := roles()[1]
			return role.TTL == 0 && time.Since(role.Due) > time.Second, fmt.Sprintf("%+v", role)
		})
		stuck := readLater(r, 3*time.Minute)
		s.tellAll("stuck", stuck, "node1")
		reads(t, stuck, "node1", estate.Fail, "STATIC ROLES STUCK")

		// A token that may list the roles but not read them.
		c.policy(t, "lists", vaultPolicy(t, "static-roles")+"\npath \"database/static-roles\" { capabilities = [\"list\"] }\n")
		c.read(t, c.newToken(t, "lists"))
		s.tellAll("roles that may not be read", twinCheck(t, cfg), "node1")
		c.policy(t, "blind", vaultPolicy(t, "static-roles"))
		c.read(t, c.newToken(t, "blind"))
		s.tellAll("roles that may not be listed", twinCheck(t, cfg), "node1")
	}, "postgres")
}

// TestTwinVaultPair compares a cluster with the copy that a script keeps of it.
func TestTwinVaultPair(t *testing.T) {
	vaultTwins(t, func(t *testing.T, start newVaults, s *story) {
		a, b := openCluster(t, s, start, "original"), openCluster(t, s, start, "copy")
		cfg := pairConfig(t, a, b)
		for _, c := range []*twinCluster{a, b} {
			c.kv(t, "secret", "2")
			c.kv(t, "legacy", "1")
			c.policy(t, "reader", vaultPolicy(t)+"\npath \"secret/metadata/*\" { capabilities = [\"list\", \"read\"] }\n")
			c.read(t, c.newToken(t, "reader"))
		}
		pair := func(what string) estate.VaultPair {
			r := twinCheck(t, cfg)
			s.tellAll(what, r, "copy")
			return twinData[estate.VaultPair](t, r, "copy", estate.CheckVaultPair)
		}
		a.put(t, "secret/data/same", "secret/data/behind", "secret/data/dir/same", "legacy/one")
		b.put(t, "secret/data/same", "secret/data/behind", "secret/data/dir/same", "legacy/one")
		if p := pair("in step"); p.Compared != 4 || p.Behind+p.Missing+p.Extra != 0 || !p.Complete {
			t.Errorf("in step %+v", p)
		}
		a.put(t, "secret/data/behind", "secret/data/dir/missing", "legacy/two")
		b.put(t, "secret/data/extra", "secret/data/only/here")
		if p := pair("behind"); p.Behind != 1 || p.Missing != 2 || p.Extra != 2 || p.Oldest.IsZero() {
			t.Errorf("behind %+v", p)
		}
		r := twinCheck(t, cfg)
		late := readLater(r, 10*time.Minute)
		s.tellReading("behind for long", late, "copy")
		reads(t, late, "copy", estate.Fail, "UNHEALTHY")

		// The original cannot be read: that is no fault of the copy's.
		a.read(t, "hvs.canary-of-another-vault")
		s.tellAll("original refuses", twinCheck(t, cfg), "copy")
		a.stop(t, 0)
		r = twinCheck(t, cfg)
		s.tellAll("original is away", r, "copy")
		failures(t, r, "copy", map[string]estate.FailureKind{estate.CheckVaultPair: estate.OutOfReach})
	})
}

func pairConfig(t *testing.T, a, b *twinCluster) *config.Config {
	t.Helper()
	text := "thresholds: {clock_skew_warn: 5m, vault_lag_warn: 2m, vault_lag_fail: 8m}\nvaults:\n"
	for name, c := range map[string]*twinCluster{"original": a, "copy": b} {
		text += fmt.Sprintf("- {name: %s, address: %q, ca_cert: %q, token_file: %q}\n", name, c.address(0), c.caFile(), c.token)
	}
	return twinConfig(t, text+"components:\n- {id: original, name: Vault, plane: control, vault: {cluster: original}}\n- {id: copy, name: Copy, plane: control, vault: {cluster: copy, role: secondary, compare_with: original}}\n")
}
