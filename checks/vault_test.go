package checks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
)

// vaultChecks are all the checks of a Vault, those last that need no token.
var vaultChecks = []string{
	estate.CheckVaultNodes, estate.CheckVaultRaft, estate.CheckVaultMounts, estate.CheckVaultAuth, estate.CheckVaultAudit,
	estate.CheckVaultCount, estate.CheckVaultStaticRoles, estate.CheckVaultToken,
	estate.CheckVaultReplication, estate.CheckVaultHealth, estate.CheckVaultSeal,
}

const vaultTokenless = 3 // of vaultChecks

func TestVaultUnsealed(t *testing.T) {
	f := newFakeVault(t)
	f.put("secret/", "a/b", 1, vaultBegan)
	w := vaultsOf(t, vaultConfig(f))

	h := vaultData[estate.VaultHealth](t, w.read("v1", estate.CheckVaultHealth))
	if skew := h.ClockSkew.Abs(); skew > time.Second {
		t.Errorf("clock skew %s of a server on this machine", skew)
	}
	h.ClockSkew = 0
	if want := (estate.VaultHealth{Initialized: true, Version: "1.19.0", ClusterName: "c", ClusterID: "i", Code: 200}); h != want {
		t.Errorf("health %+v, want %+v", h, want)
	}
	if f.asked.Get("X-Vault-Request") != "true" || f.asked.Get("User-Agent") == "" {
		t.Errorf("sent %v, want X-Vault-Request and our user agent", f.asked)
	}
	if s := vaultData[estate.VaultSeal](t, w.read("v1", estate.CheckVaultSeal)); s != (estate.VaultSeal{Type: "shamir", Storage: "raft", Initialized: true, Shares: 5, Threshold: 3, Progress: 1}) {
		t.Errorf("seal %+v", s)
	}
	nodes := vaultData[estate.VaultNodes](t, w.read("v1", estate.CheckVaultNodes)).Nodes
	if len(nodes) != 2 || !nodes[0].Active || !nodes[0].LastEcho.IsZero() || nodes[1].LastEcho.IsZero() || nodes[1].Host != "b" {
		t.Errorf("nodes %+v", nodes)
	}
	raft := vaultData[estate.VaultRaft](t, w.read("v1", estate.CheckVaultRaft))
	if !raft.Healthy || raft.FailureTolerance != 1 || len(raft.Servers) != 2 || raft.Servers[1].LastContact != 1500*time.Millisecond || raft.Servers[1].LastIndex != 69 {
		t.Errorf("raft %+v", raft)
	}
	if r := vaultData[estate.VaultReplication](t, w.read("v1", estate.CheckVaultReplication)); r.Licensed || len(r.Sets) != 0 {
		t.Errorf("replication of the Community Edition %+v", r)
	}
	mounts := vaultData[estate.VaultMounts](t, w.read("v1", estate.CheckVaultMounts)).Mounts
	if want := []estate.VaultMount{{Path: "cubbyhole/", Type: "cubbyhole"}, {Path: "database/", Type: "database"}, {Path: "secret/", Type: "kv", Version: "2"}, {Path: "sys/", Type: "system"}}; !slices.Equal(mounts, want) {
		t.Errorf("mounts %+v", mounts)
	}
	if auth := vaultData[estate.VaultMounts](t, w.read("v1", estate.CheckVaultAuth)).Mounts; len(auth) != 2 || auth[0].Type != "approle" {
		t.Errorf("auth methods %+v", auth)
	}
	if a := vaultData[estate.VaultAudit](t, w.read("v1", estate.CheckVaultAudit)).Devices; len(a) != 1 || a[0] != (estate.VaultAuditDevice{Path: "file/", Type: "file", Target: "/var/log/vault.log"}) {
		t.Errorf("audit devices %+v", a)
	}
	token := vaultData[estate.VaultToken](t, w.read("v1", estate.CheckVaultToken))
	if !token.Expires.Equal(vaultBegan.Add(time.Hour)) || token.Root || !token.Renewable || !slices.Equal(token.Policies, []string{"default", "warroom"}) {
		t.Errorf("token %+v", token)
	}
	f.says("sys/audit", 200, `{"data":{}}`)
	if a := vaultData[estate.VaultAudit](t, w.read("v1", estate.CheckVaultAudit)); len(a.Devices) != 0 {
		t.Errorf("no audit device read as %+v", a)
	}
	f.says("auth/token/lookup-self", 200, `{"data":{"display_name":"root","policies":["root"],"expire_time":null}}`)
	if token := vaultData[estate.VaultToken](t, w.read("v1", estate.CheckVaultToken)); !token.Root || !token.Expires.IsZero() {
		t.Errorf("root token %+v", token)
	}
}

// What sys/health says counts by its body, whatever the status.
func TestVaultHealthGoesByTheBody(t *testing.T) {
	f := newFakeVault(t)
	w := vaultsOf(t, vaultConfig(f))
	for name, c := range map[string]struct {
		code int
		body string
		want estate.VaultHealth
	}{
		"sealed":          {503, `{"initialized":true,"sealed":true,"standby":true}`, estate.VaultHealth{Initialized: true, Sealed: true, Standby: true, Code: 503}},
		"uninitialised":   {501, `{"initialized":false,"sealed":true,"standby":true}`, estate.VaultHealth{Sealed: true, Standby: true, Code: 501}},
		"standby":         {429, `{"initialized":true,"sealed":false,"standby":true,"ha_connection_healthy":true}`, estate.VaultHealth{Initialized: true, Standby: true, Code: 429}},
		"no active node":  {474, `{"initialized":true,"sealed":false,"standby":true,"ha_connection_healthy":false}`, estate.VaultHealth{Initialized: true, Standby: true, NoActive: true, Code: 474}},
		"dr secondary":    {472, `{"initialized":true,"sealed":false,"standby":false,"enterprise":true,"replication_dr_mode":"secondary"}`, estate.VaultHealth{Initialized: true, Enterprise: true, Code: 472}},
		"perf standby":    {473, `{"initialized":true,"sealed":false,"standby":true,"performance_standby":true,"enterprise":true}`, estate.VaultHealth{Initialized: true, Standby: true, PerfStandby: true, Enterprise: true, Code: 473}},
		"removed":         {530, `{"initialized":true,"sealed":true,"removed_from_cluster":true}`, estate.VaultHealth{Initialized: true, Sealed: true, Removed: true, Code: 530}},
		"another's codes": {299, `{"initialized":true,"sealed":true}`, estate.VaultHealth{Initialized: true, Sealed: true, Code: 299}},
	} {
		f.says("sys/health", c.code, c.body)
		if got := vaultData[estate.VaultHealth](t, w.read("v1", estate.CheckVaultHealth)); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	for name, c := range map[string]struct {
		code int
		body string
		want estate.FailureKind
	}{
		"quota":          {429, `{"errors":["request path \"sys/health\": rate limit quota exceeded"]}`, estate.Throttled},
		"hollow":         {200, `{}`, estate.BadAnswer},
		"null":           {200, `null`, estate.BadAnswer},
		"a web page":     {200, `<html>hello`, estate.BadAnswer},
		"a proxy's 503":  {503, `<html>no upstream`, estate.ServerError},
		"fails":          {500, `{"errors":["failed to check"]}`, estate.ServerError},
		"not an object":  {200, `[1]`, estate.BadAnswer},
		"wrong type":     {200, `{"initialized":"yes","sealed":false}`, estate.BadAnswer},
		"a proxy's 404":  {404, `not here`, estate.BadAnswer},
		"half an answer": {200, `{"initialized":true}`, estate.BadAnswer},
	} {
		f.says("sys/health", c.code, c.body)
		if got := vaultFailure(t, w.read("v1", estate.CheckVaultHealth)); got.Kind != c.want {
			t.Errorf("%s: %v, want %q", name, got, c.want)
		}
	}
}

func TestVaultClockSkew(t *testing.T) {
	f := newFakeVault(t)
	f.says("sys/health", 200, fmt.Sprintf(`{"initialized":true,"sealed":false,"server_time_utc":%d}`, time.Now().Add(90*time.Second).Unix()))
	skew := vaultData[estate.VaultHealth](t, vaultsOf(t, vaultConfig(f)).read("v1", estate.CheckVaultHealth)).ClockSkew
	if skew < 88*time.Second || skew > 92*time.Second {
		t.Errorf("skew %s of a clock that is 90 s ahead", skew)
	}
}

// A sealed Vault is sealed: what else cannot be read says so and is no failure of
// its own.
func TestVaultSealed(t *testing.T) {
	f := newFakeVault(t)
	f.sealed = true
	w := vaultsOf(t, vaultConfig(f, f))
	if h := vaultData[estate.VaultHealth](t, w.read("v1", estate.CheckVaultHealth)); !h.Sealed || !h.Initialized {
		t.Errorf("health %+v", h)
	}
	if s := vaultData[estate.VaultSeal](t, w.read("v1", estate.CheckVaultSeal)); !s.Sealed || s.Progress != 1 {
		t.Errorf("seal %+v", s)
	}
	for _, check := range append(vaultChecks[:len(vaultChecks)-2:len(vaultChecks)-2], estate.CheckVaultPair) {
		id := estate.ID("v1")
		if check == estate.CheckVaultPair {
			id = "v2"
		}
		got := vaultFailure(t, w.read(id, check))
		if want := estate.Sealed; got.Kind != want && (check != estate.CheckVaultPair || got.Kind != estate.OutOfReach) || got.Kind.Status() != estate.Unknown {
			t.Errorf("%s: %v, want %q", check, got, want)
		}
	}
}

const vaultIsBare = `{"type":"shamir","initialized":false,"sealed":true,"t":0,"n":0,"progress":0,"storage_type":"raft"}`

// A Vault that was never initialised has nothing to unseal it with.
func TestVaultNeverInitialised(t *testing.T) {
	f := newFakeVault(t)
	f.sealed = true
	f.says("sys/seal-status", 200, vaultIsBare)
	w := vaultsOf(t, vaultConfig(f))
	if s := vaultData[estate.VaultSeal](t, w.read("v1", estate.CheckVaultSeal)); s.Initialized || s.Shares != 0 {
		t.Errorf("seal %+v", s)
	}
	for _, check := range vaultChecks[:len(vaultChecks)-2] {
		got := vaultFailure(t, w.read("v1", check))
		if got.Kind != estate.Uninitialised || got.Kind.Status() != estate.Unknown || strings.Contains(got.Error(), "sealed") || strings.Contains(got.Error(), "key shares") {
			t.Errorf("%s: %v", check, got)
		}
	}
}

// Whoever is not let in is told whether the token or the permission is at fault, and
// what needs no token is read all the same.
func TestVaultTokens(t *testing.T) {
	f := newFakeVault(t)
	f.put("secret/", "a", 1, vaultBegan)
	expect := func(what string, cfgToken string, want estate.FailureKind, words string) {
		t.Helper()
		cfg := vaultConfig(f)
		cfg.Vaults[0].TokenFile = cfgToken
		w := vaultsOf(t, cfg)
		for i, check := range vaultChecks {
			r := w.read("v1", check)
			if i >= len(vaultChecks)-vaultTokenless {
				if r.Err != nil {
					t.Errorf("%s: %s needs no token: %v", what, check, r.Err)
				}
				continue
			}
			if got := vaultFailure(t, r); got.Kind != want || !strings.Contains(got.Error(), words) {
				t.Errorf("%s: %s: %v, want %q with %q", what, check, got, want, words)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hvs.another-CANARY-token")
	expect("wrong", file, estate.NoIdentity, "invalid token")
	write("")
	expect("none", file, estate.NoIdentity, "there is no token")
	write("hvs.with\x01control-CANARY")
	expect("unusable", file, estate.NoIdentity, "characters")
	expect("absent file", filepath.Join(t.TempDir(), "absent"), estate.NoIdentity, "token_file")

	// Versions that say no more than permission denied: lookup-self tells.
	for _, check := range vaultChecks[:len(vaultChecks)-vaultTokenless] {
		if check != estate.CheckVaultToken {
			f.denied = func(path string) bool { return path != "auth/token/lookup-self" }
			got := vaultFailure(t, vaultsOf(t, vaultConfig(f)).read("v1", check))
			if got.Kind != estate.Denied || !strings.Contains(got.Next, "polic") {
				t.Errorf("denied: %s: %v", check, got)
			}
		}
	}
	w := vaultsOf(t, vaultConfig(f))
	f.calls = map[string]int{}
	for range 3 {
		w.read("v1", estate.CheckVaultMounts)
		w.read("v1", estate.CheckVaultNodes)
	}
	if n := f.calls["auth/token/lookup-self"]; n != 1 {
		t.Errorf("asked %d times whether the token is valid, want once", n)
	}
	f.denied = func(string) bool { return true }
	f.says("auth/token/lookup-self", 403, `{"errors":["bad token"]}`)
	if got := vaultFailure(t, vaultsOf(t, vaultConfig(f)).read("v1", estate.CheckVaultMounts)); got.Kind != estate.NoIdentity {
		t.Errorf("a token that an old version does not know: %v", got)
	}
	f.says("auth/token/lookup-self", 403, `{"errors":["permission denied"]}`)
	if got := vaultFailure(t, vaultsOf(t, vaultConfig(f)).read("v1", estate.CheckVaultMounts)); got.Kind != estate.Denied || !strings.Contains(got.Next, "whether the token is valid") {
		t.Errorf("a token that may not look itself up: %v", got)
	}
}

func TestVaultAuditNamesItsPermission(t *testing.T) {
	f := newFakeVault(t)
	f.denied = func(path string) bool { return path == "sys/audit" }
	got := vaultFailure(t, vaultsOf(t, vaultConfig(f)).read("v1", estate.CheckVaultAudit))
	if got.Kind != estate.Denied || !strings.Contains(got.Detail, "sudo") || !strings.Contains(got.Next, "sys/audit") {
		t.Errorf("%v", got)
	}
}

// How the ways in which reads fail are told apart.
func TestVaultFailures(t *testing.T) {
	f := newFakeVault(t)
	w := vaultsOf(t, vaultConfig(f))
	for name, c := range map[string]struct {
		code int
		body string
		want estate.FailureKind
	}{
		"quota":         {429, `{"errors":["request path \"sys/mounts\": rate limit quota exceeded"]}`, estate.Throttled},
		"index":         {412, `{"errors":["required index state not present"]}`, estate.Silent},
		"no active":     {500, `{"errors":["local node not active but active cluster node not found"]}`, estate.ServerError},
		"internal":      {500, `{"errors":["internal error"]}`, estate.ServerError},
		"proxy":         {502, `<html>bad gateway ` + vaultCanary, estate.ServerError},
		"login page":    {403, `<html>log in ` + vaultCanary, estate.BadAnswer},
		"dr":            {400, `{"errors":["path disabled in replication DR secondary mode"]}`, estate.NotSupported},
		"gone":          {404, `{"errors":["no handler for route \"sys/mounts\"."]}`, estate.Missing},
		"wrong request": {400, `{"errors":["` + vaultCanary + `\u001b[31m bad"]}`, estate.Broken},
		"hollow":        {200, `{}`, estate.BadAnswer},
		"no mounts":     {200, `{"data":{}}`, estate.BadAnswer},
		"wrong type":    {200, `{"data":{"secret/":{"type":7}}}`, estate.BadAnswer},
		"a list":        {200, `{"data":[]}`, estate.BadAnswer},
		"torn":          {200, `{"data":{"sec`, estate.BadAnswer},
		"wrong switch":  {101, ``, estate.BadAnswer},
	} {
		f.does("sys/mounts", func(w http.ResponseWriter, _ *http.Request) {
			if c.code == 101 {
				w.Header().Set("Upgrade", "x")
				w.Header().Set("Connection", "Upgrade")
			}
			w.WriteHeader(c.code)
			_, _ = io.WriteString(w, c.body)
		})
		before := f.calls["sys/mounts"]
		got := vaultFailure(t, w.read("v1", estate.CheckVaultMounts))
		if got.Kind != c.want {
			t.Errorf("%s: %v, want %q", name, got, c.want)
		}
		if strings.ContainsRune(got.Error(), '\x1b') {
			t.Errorf("%s: a control sequence in %q", name, got)
		}
		if n := f.calls["sys/mounts"] - before; n != 1 {
			t.Errorf("%s: called %d times, want once", name, n)
		}
	}
	f.says("sys/storage/raft/autopilot/state", 404, `{"errors":["1 error occurred:\n\t* unsupported path\n\n"]}`)
	if got := vaultFailure(t, w.read("v1", estate.CheckVaultRaft)); got.Kind != estate.NotSupported {
		t.Errorf("raft without raft: %v", got)
	}
	f.says("sys/storage/raft/autopilot/state", 200, `{"data":{"healthy":true,"servers":{"a":{"last_contact":"soon"}}}}`)
	if got := vaultFailure(t, w.read("v1", estate.CheckVaultRaft)); got.Kind != estate.BadAnswer {
		t.Errorf("raft with a strange duration: %v", got)
	}

	f.Close()
	for _, check := range vaultChecks {
		if got := vaultFailure(t, w.read("v1", check)); got.Kind != estate.Refused {
			t.Errorf("%s of nobody: %v", check, got)
		}
	}
	cfg := vaultConfig(newFakeVault(t))
	cfg.Vaults = nil
	for _, check := range vaultChecks {
		if got := vaultFailure(t, vaultsOf(t, cfg).read("v1", check)); got.Kind != estate.Misconfigure {
			t.Errorf("%s of no cluster: %v", check, got)
		}
	}
}

// A standby that has lost the active node sends clients to where that was: what it
// cannot tell is no failure of its own.
func TestVaultSendsUsOn(t *testing.T) {
	f, active := newFakeVault(t), newFakeVault(t)
	on := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, active.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}
	f.does("sys/mounts", on)
	f.does("sys/replication/status", on)
	w := vaultsOf(t, vaultConfig(f))
	if got := vaultData[estate.VaultMounts](t, w.read("v1", estate.CheckVaultMounts)); len(got.Mounts) == 0 {
		t.Errorf("the active node says %+v", got)
	}
	active.Close()
	for _, check := range []string{estate.CheckVaultMounts, estate.CheckVaultReplication} {
		got := vaultFailure(t, w.read("v1", check))
		if got.Kind != estate.OutOfReach || got.Kind.Status() != estate.Unknown || !strings.Contains(got.Detail, strings.TrimPrefix(active.URL, "http://")) {
			t.Errorf("%s: %v", check, got)
		}
	}
}

func TestVaultSilence(t *testing.T) {
	f := newFakeVault(t)
	cfg := vaultConfig(f)
	cfg.Checks.Timeout = 100 * time.Millisecond
	f.does("sys/health", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if got := vaultFailure(t, vaultsOf(t, cfg).read("v1", estate.CheckVaultHealth)); got.Kind != estate.Silent {
		t.Errorf("%v", got)
	}
}

// The configured namespace is asked where it has a say; the cluster's own paths are
// of the root namespace.
func TestVaultNamespaces(t *testing.T) {
	f := newFakeVault(t)
	cfg := vaultConfig(f)
	cfg.Vaults[0].Namespace = "team/a"
	w := vaultsOf(t, cfg)
	for _, check := range vaultChecks {
		want := ""
		switch check {
		case estate.CheckVaultMounts, estate.CheckVaultAuth, estate.CheckVaultCount, estate.CheckVaultStaticRoles, estate.CheckVaultToken:
			want = "team/a"
		}
		if w.read("v1", check); f.asked.Get("X-Vault-Namespace") != want {
			t.Errorf("%s asked namespace %q, want %q", check, f.asked.Get("X-Vault-Namespace"), want)
		}
	}
}

// The Enterprise's answer is the documentation's example, with its numbers in
// strings.
func TestVaultEnterpriseReplication(t *testing.T) {
	f := newFakeVault(t)
	w := vaultsOf(t, vaultConfig(f))
	f.says("sys/replication/status", 200, `{"data":{
		"dr":{"mode":"primary","state":"running","last_dr_wal":145,"secondaries":[{"node_id":"s1","connection_status":"connected","replication_primary_canary_age_ms":"454"},{"node_id":"s2","connection_status":"disconnected"}]},
		"performance":{"mode":"secondary","state":"stream-wals","connection_state":"ready","last_remote_wal":223,
			"primaries":[{"connection_status":"disconnected","replication_primary_canary_age_ms":"1"},{"connection_status":"connected","replication_primary_canary_age_ms":"45000"}]}}}`)
	got := vaultData[estate.VaultReplication](t, w.read("v1", estate.CheckVaultReplication))
	want := estate.VaultReplication{Licensed: true, Sets: []estate.VaultReplicationSet{
		{Kind: "performance", Mode: "secondary", State: "stream-wals", RemoteWAL: 223, Connection: "ready", CanaryAge: 45 * time.Second, CanaryKnown: true},
		{Kind: "dr", Mode: "primary", State: "running", LastWAL: 145, Secondaries: []estate.VaultSecondary{
			{ID: "s1", Connection: "connected", CanaryAge: 454 * time.Millisecond, CanaryKnown: true}, {ID: "s2", Connection: "disconnected"},
		}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	f.says("sys/replication/status", 200, `{"data":{"dr":{"mode":"disabled"},"performance":{"mode":"disabled"}}}`)
	if got := vaultData[estate.VaultReplication](t, w.read("v1", estate.CheckVaultReplication)); !got.Licensed || len(got.Sets) != 2 {
		t.Errorf("disabled on the Enterprise: %+v", got)
	}
	f.says("sys/replication/status", 200, `{"data":{}}`)
	if got := vaultFailure(t, w.read("v1", estate.CheckVaultReplication)); got.Kind != estate.BadAnswer {
		t.Errorf("an answer that says nothing: %v", got)
	}
}

func FuzzVaultBodies(f *testing.F) {
	f.Add([]byte(`{"initialized":true,"sealed":false,"server_time_utc":9223372036854775807}`))
	f.Add([]byte(`{"data":{"dr":{"mode":"primary","secondaries":[{"replication_primary_canary_age_ms":"-9223372036854775808"}]},"performance":null}}`))
	f.Add([]byte(`{"data":{"secret/":{"type":"kv","options":{"version":"2"}}}}`))
	f.Add([]byte(`{"errors":["2 errors occurred:\n\t* permission denied\n\n"]}`))
	b := vaultBuilder{here: vaultSide{Vault: newVaultForFuzz(f)}}
	f.Fuzz(func(t *testing.T, body []byte) {
		a := answerOf(body)
		if h, ok := b.parseHealth(a); ok && h.ClockSkew.Abs() > 1<<62 {
			t.Errorf("skew %s", h.ClockSkew)
		}
		if r, ok := b.parseReplication(a); ok {
			for _, s := range r.Sets {
				if s.CanaryAge < 0 {
					t.Errorf("a negative age %s", s.CanaryAge)
				}
			}
		}
		var mounted vaultMounted
		if json.Unmarshal(body, &mounted) == nil {
			for _, root := range kvFolders(mounted) {
				_ = root.listed()
			}
		}
		if b.here.Refusal(t.Context(), a, "x") == nil {
			t.Error("no failure for a refusal")
		}
		if s, err := parseSchedule(string(body)); err == nil {
			s.Next(vaultBegan)
		}
	})
}
