package vaultsim

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pair is a primary and a secondary that is 45 seconds behind.
func pair(t *testing.T) (r *rig, second *Cluster, url string) {
	r = newRig(t, Options{Enterprise: true, Began: newClock().now().Add(-time.Hour)})
	second = New(Options{Clock: r.clock.now, Seed: 2, Primary: r.Cluster, Lag: 45 * time.Second})
	return r, second, serve(t, second)
}

// state is the performance set of a cluster.
func state(t *testing.T, url string) map[string]any {
	t.Helper()
	code, body, _ := call(t, "GET", url+"/v1/sys/replication/status", "", "")
	if code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	d := data(t, body)
	if mode := d["dr"].(map[string]any)["mode"]; mode != "disabled" {
		t.Errorf("dr %v", mode)
	}
	return d["performance"].(map[string]any)
}

// age is the canary's at the one peer of a set.
func age(t *testing.T, set map[string]any) time.Duration {
	t.Helper()
	peers, ok := set["primaries"].([]any)
	if !ok {
		peers = set["secondaries"].([]any)
	}
	text := peers[0].(map[string]any)["replication_primary_canary_age_ms"].(string)
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(n) * time.Millisecond
}

// TestLagStays reads the lag over an hour, at odd times, on both sides.
func TestLagStays(t *testing.T) {
	r, _, url := pair(t)
	last := 0.0
	for range 200 {
		r.clock.add(17*time.Second + 777*time.Millisecond)
		second, first := state(t, url), state(t, r.url)
		for _, set := range []map[string]any{second, first} {
			if a := age(t, set); a < 45*time.Second || a >= 45500*time.Millisecond {
				t.Fatalf("%v behind, want 45 s", a)
			}
		}
		wal, remote := first["last_performance_wal"].(float64), second["last_remote_wal"].(float64)
		if remote <= last || wal-remote < 45*3 || wal-remote > 47*3 {
			t.Fatalf("the primary is at %v, the secondary went from %v to %v", wal, last, remote)
		}
		last = remote
		if second["mode"] != "secondary" || second["state"] != "stream-wals" || second["connection_state"] != "ready" || first["mode"] != "primary" || first["state"] != "running" {
			t.Fatalf("%v and %v", second, first)
		}
		if second["cluster_id"] != first["cluster_id"] || fmt.Sprint(first["known_secondaries"]) != "["+second["secondary_id"].(string)+"]" {
			t.Fatalf("they do not know each other: %v and %v", first, second)
		}
	}
}

// TestLagIsReal writes on the primary and waits for it on the secondary.
func TestLagIsReal(t *testing.T) {
	r, second, url := pair(t)
	see := func() int {
		code, _, _ := call(t, "GET", url+"/v1/secret/data/new", second.RootToken(), "")
		return code
	}
	code, _, header := call(t, "POST", r.url+"/v1/secret/data/new", r.RootToken(), `{"data":{"a":"b"}}`)
	index := header.Get("X-Vault-Index")
	if code != 200 || index == "" {
		t.Fatalf("%d, index %q", code, index)
	}
	if code, body, _ := call(t, "GET", url+"/v1/secret/data/new", second.RootToken(), "", "X-Vault-Index", index); code != 412 || body != `{"errors":["required index state not present"]}` {
		t.Errorf("%d %s", code, body)
	}
	r.clock.add(44 * time.Second)
	if see() != 404 {
		t.Error("it came before its time")
	}
	r.clock.add(2 * time.Second)
	if see() != 200 {
		t.Error("it did not come")
	}
	if code, body, _ := call(t, "GET", url+"/v1/secret/data/new", second.RootToken(), "", "X-Vault-Index", index); code != 200 {
		t.Errorf("%d %s", code, body)
	}
	// A write to the secondary is made by the primary.
	if code, body, _ := call(t, "POST", url+"/v1/secret/data/new", second.RootToken(), `{"data":{"a":"c"},"options":{"cas":1}}`); code != 200 || !strings.Contains(body, `"version":2`) {
		t.Errorf("%d %s", code, body)
	}
	if code, body := r.call(t, "GET", "secret/data/new", r.RootToken(), ""); code != 200 || !strings.Contains(body, `"a":"c"`) {
		t.Errorf("%d %s", code, body)
	}
	if code, _, _ := call(t, "GET", url+"/v1/sys/mounts", r.RootToken(), ""); code != 403 {
		t.Errorf("a token of the primary is taken by the secondary: %d", code)
	}
}

// TestLagShrinksAndGrows removes the fault, cuts the link, seals the primary.
func TestLagShrinksAndGrows(t *testing.T) {
	r, second, url := pair(t)
	second.SetLag(0)
	before := age(t, state(t, url))
	for range 6 {
		r.clock.add(time.Second)
		now := age(t, state(t, url))
		if now > before+500*time.Millisecond {
			t.Errorf("it grew from %v to %v", before, now)
		}
		before = now
	}
	if before > 2*time.Second || second.Lag() != leastLag {
		t.Errorf("still %v behind", before)
	}
	second.Disconnect()
	r.clock.add(5 * time.Minute)
	set := state(t, url)
	if a := age(t, set); a < 5*time.Minute || set["state"] != "idle" || set["connection_state"] != "transient_failure" {
		t.Errorf("%v: %v", a, set)
	}
	if peer := state(t, r.url)["secondaries"].([]any)[0].(map[string]any); peer["connection_status"] != "disconnected" {
		t.Errorf("%v", peer)
	}
	if code, _, _ := call(t, "POST", url+"/v1/secret/data/x", second.RootToken(), `{"data":{}}`); code != 500 {
		t.Errorf("a write without the primary: %d", code)
	}
	second.SetLag(0)
	r.clock.add(5 * time.Minute)
	if a := age(t, state(t, url)); a > 2*time.Second {
		t.Errorf("still %v behind", a)
	}
	r.Node(0).Seal()
	r.clock.add(time.Minute)
	if a := age(t, state(t, url)); a < time.Minute || a > 63*time.Second {
		t.Errorf("%v since the primary wrote, which is sealed for a minute", a)
	}
	if code, _, _ := call(t, "GET", url+"/v1/secret/data/app/db", second.RootToken(), ""); code != 200 {
		t.Errorf("the secondary does not serve without its primary: %d", code)
	}
}

// TestEnterpriseHealth expects what an enterprise cluster adds.
func TestEnterpriseHealth(t *testing.T) {
	r, _, url := pair(t)
	for u, mode := range map[string]string{r.url: "primary", url: "secondary"} {
		code, body, _ := call(t, "GET", u+"/v1/sys/health", "", "")
		for _, want := range []string{`"replication_performance_mode":"` + mode + `"`, `"version":"1.19.0+ent"`, `"enterprise":true`, `"license":{"state":"autoloaded"`, `"last_wal":`} {
			if code != 200 || !strings.Contains(body, want) {
				t.Errorf("%d %s lacks %s", code, body, want)
			}
		}
	}
	if code, _, _ := call(t, "GET", r.url+"/v1/sys/mounts", r.RootToken(), "", "X-Vault-Namespace", "nowhere"); code != 404 {
		t.Errorf("a namespace that there is not: %d", code)
	}
	if code, _, _ := call(t, "GET", r.url+"/v1/sys/mounts", r.RootToken(), "", "X-Vault-Namespace", "root"); code != 200 {
		t.Errorf("the root namespace: %d", code)
	}
}
