package checks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
)

// tree fills a fake Vault with folders of secrets: the breadth of each level, and as
// many secrets in each of the deepest.
func (f *fakeVault) tree(mount string, secrets int, breadth ...int) (total, folders int) {
	paths := []string{""}
	folders = 1
	for level, n := range breadth {
		var next []string
		for _, p := range paths {
			for i := range n {
				next = append(next, fmt.Sprintf("%sl%d-%d/", p, level, i))
			}
		}
		paths = next
		folders += len(paths)
	}
	for _, p := range paths {
		for i := range secrets {
			f.put(mount, fmt.Sprintf("%ss%d", p, i), 1, vaultBegan)
			total++
		}
	}
	return total, folders
}

func TestVaultCount(t *testing.T) {
	f := newFakeVault(t)
	total, folders := f.tree("secret/", 5, 3, 4)
	f.put("legacy/", "one", 1, vaultBegan)
	f.put("legacy/", "metadata", 1, vaultBegan)
	f.put("legacy/", "metadata/two", 1, vaultBegan)
	f.mounts["legacy/"] = "kv 1"
	f.put("empty/", "x", 1, vaultBegan)
	delete(f.kv["empty/"], "x")
	f.put("secret/", "od d%2F#?x/leaf", 1, vaultBegan)

	got := vaultData[estate.VaultCount](t, vaultsOf(t, vaultConfig(f)).read("v1", estate.CheckVaultCount))
	// A name that is a secret and a folder counts as the one and is listed as the other.
	want := estate.VaultCount{Secrets: total + 4, Estimate: total + 4, Folders: folders + 1 + 2 + 1, Mounts: 3, Complete: true, Limit: 2000}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if f.values != 0 {
		t.Errorf("%d values were read", f.values)
	}
}

func TestVaultCountWithoutMounts(t *testing.T) {
	f := newFakeVault(t)
	f.tree("secret/", 3, 2)
	f.denied = func(path string) bool { return path == "sys/mounts" }
	got := vaultData[estate.VaultCount](t, vaultsOf(t, vaultConfig(f)).read("v1", estate.CheckVaultCount))
	if got.Secrets != 6 || !got.Complete || !got.Usable {
		t.Errorf("where sys/mounts is denied the usable mounts are counted: %+v", got)
	}
}

func TestVaultCountOfWhatIsDenied(t *testing.T) {
	f := newFakeVault(t)
	total, _ := f.tree("secret/", 5, 10)
	f.denied = func(path string) bool { return strings.HasSuffix(path, "metadata/l0-3") }
	f.says("secret/metadata/l0-4", 200, `{"data":{"keys":7}}`)
	got := vaultData[estate.VaultCount](t, vaultsOf(t, vaultConfig(f)).read("v1", estate.CheckVaultCount))
	if got.Secrets != total-10 || got.Denied != 1 || got.Unlisted != 1 || got.Complete || got.Estimate != total {
		t.Errorf("%+v, want %d of %d", got, total-10, total)
	}
	f.denied = func(path string) bool { return strings.Contains(path, "metadata") }
	fail := vaultFailure(t, vaultsOf(t, vaultConfig(f)).read("v1", estate.CheckVaultCount))
	if fail.Kind != estate.Denied || !strings.Contains(fail.Next, "list") {
		t.Errorf("nothing may be listed: %v", fail)
	}
}

// A tree larger than the limit is sampled, and what is estimated of it is near.
func TestVaultCountEstimates(t *testing.T) {
	f := newFakeVault(t)
	total, _ := f.tree("secret/", 4, 20, 20)
	cfg := vaultConfig(f)
	cfg.Components[0].Vault.Limit = 120
	got := vaultData[estate.VaultCount](t, vaultsOf(t, cfg).read("v1", estate.CheckVaultCount))
	listings := 0
	for path, n := range f.calls {
		if strings.HasPrefix(path, "secret/") {
			listings += n
		}
	}
	if listings != 120 || got.Folders != 120 || got.Complete || got.Running {
		t.Errorf("%d listings: %+v", listings, got)
	}
	if got.Estimate < total*9/10 || got.Estimate > total*11/10 {
		t.Errorf("estimates %d secrets of %d", got.Estimate, total)
	}
}

// A name that leads nowhere, or in a circle, is not followed.
func TestVaultCountEnds(t *testing.T) {
	f := newFakeVault(t)
	f.does("secret/metadata", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":{"keys":["/","../","./","a//","b","..",""]}}`)
	})
	got := vaultData[estate.VaultCount](t, vaultsOf(t, vaultConfig(f)).read("v1", estate.CheckVaultCount))
	if got.Folders != 1 || got.Unlisted != 4 || got.Complete || got.Secrets != 3 {
		t.Errorf("%+v", got)
	}
	deep := newFakeVault(t)
	deep.does("secret/metadata", nil)
	deep.mu.Lock()
	deep.answers["secret/metadata"] = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"data":{"keys":["a/"]}}`) }
	deep.mu.Unlock()
	path := "secret/metadata"
	for range walkDepth + 5 {
		path += "/a"
		deep.says(path, 200, `{"data":{"keys":["a/"]}}`)
	}
	if got := vaultData[estate.VaultCount](t, vaultsOf(t, vaultConfig(deep)).read("v1", estate.CheckVaultCount)); got.Folders != walkDepth || got.Complete {
		t.Errorf("a tree without end: %+v", got)
	}
}

// A count that takes longer than one run tells how far it is, goes on in the next
// run, and shows the last whole count while the next is made.
func TestVaultCountGoesOn(t *testing.T) {
	f := newFakeVault(t)
	total, folders := f.tree("secret/", 2, 100)
	cfg := vaultConfig(f)
	cfg.Checks.Timeout = 150 * time.Millisecond // at 100 a second after the first 50
	w := vaultsOf(t, cfg)
	runs, last := 0, estate.VaultCount{}
	for runs = 1; runs < 200; runs++ {
		r := w.read("v1", estate.CheckVaultCount)
		c := vaultData[estate.VaultCount](t, r)
		if c.Secrets < last.Secrets {
			t.Fatalf("run %d lost progress: %+v after %+v", runs, c, last)
		}
		last = c
		if !c.Running {
			break
		}
		if r.Again == 0 || c.Complete {
			t.Fatalf("run %d: %+v goes on after %s", runs, c, r.Again)
		}
	}
	if runs < 2 || !last.Complete || last.Secrets != total || last.Folders != folders {
		t.Errorf("after %d runs: %+v, want %d in %d", runs, last, total, folders)
	}
	r := w.read("v1", estate.CheckVaultCount)
	if c := vaultData[estate.VaultCount](t, r); c != last || r.At.IsZero() || r.Again == 0 {
		t.Errorf("while the next count is made: %+v at %s, again after %s", c, r.At, r.Again)
	}
}

// What fails for every folder ends a run and loses nothing; a folder that fails by
// itself is left out in the end.
func TestVaultCountResumes(t *testing.T) {
	f := newFakeVault(t)
	total, _ := f.tree("secret/", 1, 6)
	f.says("secret/metadata/l0-2", 429, `{"errors":["rate limit quota exceeded"]}`)
	w := vaultsOf(t, vaultConfig(f))
	for range 5 {
		if got := vaultFailure(t, w.read("v1", estate.CheckVaultCount)); got.Kind != estate.Throttled {
			t.Fatalf("throttled: %v", got)
		}
	}
	f.does("secret/metadata/l0-2", nil)
	if got := vaultData[estate.VaultCount](t, w.read("v1", estate.CheckVaultCount)); got.Secrets != total || !got.Complete {
		t.Errorf("after the throttling: %+v", got)
	}
	f.says("secret/metadata/l0-2", 500, `{"errors":["internal error"]}`)
	for i := 1; i < walkTries; i++ {
		if got := vaultFailure(t, w.read("v1", estate.CheckVaultCount)); got.Kind != estate.ServerError {
			t.Fatalf("an error: %v", got)
		}
	}
	if got := vaultData[estate.VaultCount](t, w.read("v1", estate.CheckVaultCount)); got.Secrets != total-1 || got.Complete || got.Unlisted != 1 {
		t.Errorf("without the folder that fails: %+v", got)
	}
}

func TestVaultStaticRoles(t *testing.T) {
	f := newFakeVault(t)
	w := vaultsOf(t, vaultConfig(f))
	if got := vaultData[estate.VaultStaticRoles](t, w.read("v1", estate.CheckVaultStaticRoles)); len(got.Roles) != 0 || got.Partial {
		t.Errorf("no role: %+v", got)
	}
	now := time.Now().UTC().Truncate(time.Second)
	role := func(name, rest string) {
		f.roles["database/"][name] = json.RawMessage(`{"username":"u-` + name + `","password":"` + vaultCanary + `"` + rest + `}`)
	}
	last := func(d time.Duration) string {
		return `,"last_vault_rotation":"` + now.Add(-d).Format(time.RFC3339Nano) + `"`
	}
	role("fresh", last(time.Hour)+`,"rotation_period":86400`)
	role("stuck", last(48*time.Hour)+`,"rotation_period":86400`)
	role("imported", `,"rotation_period":3600`)
	role("scheduled", `,"last_vault_rotation":"2026-03-01T10:00:00Z","rotation_schedule":"0 3 * * SAT"`)
	role("garbled", last(time.Hour)+`,"rotation_schedule":"whenever"`)
	role("forbidden", "")
	f.denied = func(path string) bool { return path == "database/static-roles/forbidden" }
	got := vaultData[estate.VaultStaticRoles](t, w.read("v1", estate.CheckVaultStaticRoles))
	by := map[string]estate.VaultStaticRole{}
	for _, r := range got.Roles {
		by[r.Name] = r
	}
	if len(by) != 6 || got.Partial {
		t.Fatalf("%+v", got)
	}
	if r := by["fresh"]; r.Mount != "database/" || r.User != "u-fresh" || r.Period != 24*time.Hour || !r.Due.Equal(now.Add(23*time.Hour)) || r.TTL < 22*time.Hour || r.Failure != "" {
		t.Errorf("fresh: %+v", r)
	}
	if r := by["stuck"]; r.TTL != 0 || !r.Due.Equal(now.Add(-24*time.Hour)) || !r.LastRotation.Equal(now.Add(-48*time.Hour)) {
		t.Errorf("stuck: %+v", r)
	}
	if r := by["imported"]; !r.LastRotation.IsZero() || !r.Due.IsZero() || r.Period != time.Hour {
		t.Errorf("imported: %+v", r)
	}
	if r := by["scheduled"]; !r.Due.Equal(time.Date(2026, 3, 7, 3, 0, 0, 0, time.UTC)) || r.Schedule != "0 3 * * SAT" {
		t.Errorf("scheduled: %+v", r)
	}
	if r := by["garbled"]; r.Failure == "" {
		t.Errorf("garbled: %+v", r)
	}
	if r := by["forbidden"]; !strings.Contains(r.Failure, string(estate.Denied)) {
		t.Errorf("forbidden: %+v", r)
	}
	for path := range f.calls {
		if strings.Contains(path, "static-creds") {
			t.Errorf("%s was read, which brings a password", path)
		}
	}
	for i := range staticRolesMost + 3 {
		role(fmt.Sprintf("many-%03d", i), "")
	}
	cfg := vaultConfig(f)
	cfg.Checks.Timeout = 30 * time.Second
	if got := vaultData[estate.VaultStaticRoles](t, vaultsOf(t, cfg).read("v1", estate.CheckVaultStaticRoles)); len(got.Roles) != staticRolesMost || !got.Partial {
		t.Errorf("%d of very many roles, partial %v", len(got.Roles), got.Partial)
	}
}

func TestVaultPair(t *testing.T) {
	there, here := newFakeVault(t), newFakeVault(t)
	for i := range 10 {
		there.put("secret/", fmt.Sprintf("app/%d", i), 2, vaultBegan)
		here.put("secret/", fmt.Sprintf("app/%d", i), 2, vaultBegan.Add(time.Second))
	}
	w := vaultsOf(t, vaultConfig(there, here))
	pair := func() estate.VaultPair {
		t.Helper()
		return vaultData[estate.VaultPair](t, w.read("v2", estate.CheckVaultPair))
	}
	if got, want := pair(), (estate.VaultPair{With: "one", Compared: 10, Complete: true}); got != want {
		t.Errorf("in step: %+v, want %+v", got, want)
	}
	// Its versions there were made hour by hour: the oldest that lacks is the first
	// that was made after the copy.
	there.put("secret/", "app/0", 4, vaultBegan.Add(3*time.Hour))
	there.put("secret/", "new/one", 1, vaultBegan.Add(5*time.Hour))
	here.put("secret/", "old/one", 1, vaultBegan)
	here.put("secret/", "app/extra", 1, vaultBegan)
	want := estate.VaultPair{With: "one", Compared: 11, Behind: 1, Missing: 1, Extra: 2, Oldest: vaultBegan.Add(time.Hour), Complete: true}
	if got := pair(); got != want {
		t.Errorf("behind: %+v, want %+v", got, want)
	}
	// A script that copied once makes one version of two: it has arrived.
	here.put("secret/", "app/0", 3, vaultBegan.Add(4*time.Hour))
	here.put("secret/", "new/one", 1, vaultBegan.Add(6*time.Hour))
	// What was deleted there need not be here.
	there.put("secret/", "app/deleted", 1, vaultBegan.Add(time.Hour))
	gone := there.kv["secret/"]["app/deleted"]
	gone.deleted = true
	there.kv["secret/"]["app/deleted"] = gone
	// A mount of version 1 has names only; a mount that is not here at all lacks all.
	there.put("legacy/", "a", 1, vaultBegan)
	there.mounts["legacy/"] = "kv 1"
	there.put("team/", "b", 1, vaultBegan.Add(7*time.Hour))
	want = estate.VaultPair{With: "one", Compared: 14, Missing: 2, Extra: 2, Oldest: vaultBegan.Add(7 * time.Hour), Complete: true}
	if got := pair(); got != want {
		t.Errorf("copied: %+v, want %+v", got, want)
	}
	if there.values+here.values != 0 {
		t.Errorf("%d values were read", there.values+here.values)
	}
}

func TestVaultPairSamples(t *testing.T) {
	there, here := newFakeVault(t), newFakeVault(t)
	for i := range pairSample * 2 {
		there.put("secret/", fmt.Sprintf("big/%d", i), 2, vaultBegan.Add(time.Hour))
		here.put("secret/", fmt.Sprintf("big/%d", i), 1, vaultBegan)
	}
	cfg := vaultConfig(there, here)
	got := vaultData[estate.VaultPair](t, vaultsOf(t, cfg).read("v2", estate.CheckVaultPair))
	if got.Compared != pairSample || got.Behind != pairSample || got.Complete {
		t.Errorf("a large folder: %+v", got)
	}
	there.tree("secret/", 1, 50)
	cfg.Components[1].Vault.Limit = 20
	there.calls, here.calls = map[string]int{}, map[string]int{}
	if got := vaultData[estate.VaultPair](t, vaultsOf(t, cfg).read("v2", estate.CheckVaultPair)); got.Complete {
		t.Errorf("a tree beyond the limit: %+v", got)
	}
}

// The other cluster's trouble is told as such, and is no failure of this one.
func TestVaultPairWithoutTheOther(t *testing.T) {
	there, here := newFakeVault(t), newFakeVault(t)
	there.put("secret/", "a", 1, vaultBegan)
	here.put("secret/", "a", 1, vaultBegan)
	cfg := vaultConfig(there, here)
	w := vaultsOf(t, cfg)
	there.sealed = true
	got := vaultFailure(t, w.read("v2", estate.CheckVaultPair))
	if got.Kind != estate.OutOfReach || got.Detail != "cluster one, of which this is to be a copy: sealed" {
		t.Errorf("sealed: %v", got)
	}
	there.says("sys/seal-status", 200, vaultIsBare)
	got = vaultFailure(t, w.read("v2", estate.CheckVaultPair))
	if got.Kind != estate.OutOfReach || got.Detail != "cluster one, of which this is to be a copy: not initialised" || strings.Contains(got.Next, "unseal") {
		t.Errorf("not initialised: %v", got)
	}
	there.sealed = false
	there.denied = func(path string) bool { return strings.Contains(path, "metadata") }
	if got := vaultFailure(t, w.read("v2", estate.CheckVaultPair)); got.Kind != estate.Denied {
		t.Errorf("denied there: %v", got)
	}
	there.Close()
	if got := vaultFailure(t, w.read("v2", estate.CheckVaultPair)); got.Kind != estate.OutOfReach || got.Kind.Status() != estate.Unknown {
		t.Errorf("closed: %v", got)
	}
	cfg.Vaults = cfg.Vaults[1:]
	if got := vaultFailure(t, vaultsOf(t, cfg).read("v2", estate.CheckVaultPair)); got.Kind != estate.Misconfigure {
		t.Errorf("not configured: %v", got)
	}
}
