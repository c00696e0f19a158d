package vaultsim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// TestPolicies follows Vault's rules of which path of a policy counts.
func TestPolicies(t *testing.T) {
	var ps []*policy
	for i, text := range []string{
		`path "secret/data/*" { capabilities = ["read", "list"] }
path "secret/data/app/*" { capabilities = ["create"] }
path "secret/data/app/no" { capabilities = ["deny"] }
path "+/config" { capabilities = ["read"] }
path "secret/+/x" { capabilities = ["update"] }
path "secret/+/+" { capabilities = ["delete"] }
path "team/+/db*" { capabilities = ["patch"] }
path "kv/folder" { capabilities = ["list"] }
path "sys/audit" { capabilities = ["read", "sudo"] }`,
		`path "secret/data/app/*" { capabilities = ["update"] }
path "secret/data/exact" { capabilities = ["sudo"] }`,
	} {
		p, err := parsePolicy(fmt.Sprint(i), text)
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	a := newACL(ps)
	for path, want := range map[string]string{
		"secret/data/one/two": "list,read", "secret/data/app/x": "create,update", "secret/data/app/no": "deny", "secret/data/exact": "sudo",
		"any/config": "read", "any/deep/config": "", "secret/meta/x": "update", "secret/meta/y": "delete", "secret/meta/y/z": "", "team/a/db-1/deep": "patch",
		"team/a/other": "", "zzz": "", "/secret/data/one": "list,read", "secret/data/x": "list,read",
	} {
		if got := strings.Join(slices.Sorted(slices.Values(a.on(path))), ","); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if !a.allows("kv/folder/", "list", false) || a.allows("kv/folder/", "read", false) || a.allows("kv/folder/deeper/", "list", false) {
		t.Error("a folder is listed by its name with and without the slash, and no other")
	}
	if !a.allows("sys/audit", "read", true) || a.allows("any/config", "read", true) {
		t.Error("sudo is a capability of its own")
	}
	for mount, want := range map[string]bool{"secret/": true, "team/": true, "kv/": true, "other/": true, "a/b/": false} {
		if got := a.reaches(mount); got != want { // other/ by +/config
			t.Errorf("something in %s: %v, want %v", mount, got, want)
		}
	}
}

// FuzzPolicy reads policies that nobody wrote: an error or a policy, never a panic.
func FuzzPolicy(f *testing.F) {
	f.Add(`path "secret/*" { capabilities = ["read"] }`, "secret/x")
	f.Add(`path "+/+*" { capabilities = ["read"] }`, "a/b/c")
	f.Add(`path "a" { capabilities = "read" }`, "a")
	f.Add(`path { }`, "")
	f.Add(defaultPolicy, "cubbyhole/x")
	f.Fuzz(func(t *testing.T, text, path string) {
		p, err := parsePolicy("fuzz", text)
		if err != nil {
			return
		}
		a := newACL([]*policy{p})
		caps := a.on(path)
		if slices.Contains(caps, "deny") && len(caps) > 1 {
			t.Errorf("deny with others: %q", caps)
		}
		for _, c := range caps {
			if !slices.Contains(capabilities, c) {
				t.Errorf("capability %q", c)
			}
		}
		a.reaches(path)
	})
}

// TestTokens makes, looks up, renews, exhausts, outlives and revokes tokens.
func TestTokens(t *testing.T) {
	r := newRig(t, Options{})
	root := client(t, r.url, r.RootToken())
	made, err := root.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"default"}, TTL: "1h", DisplayName: "warroom", Metadata: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	self := client(t, r.url, made.Auth.ClientToken)
	s, err := self.Auth().Token().LookupSelf()
	if err != nil || s.Data["display_name"] != "token-warroom" || fmt.Sprint(s.Data["ttl"]) != "3600" || s.Data["orphan"] != false || fmt.Sprint(s.Data["policies"]) != "[default]" {
		t.Errorf("%+v, %v", s, err)
	}
	r.clock.add(30 * time.Minute)
	if s, err = self.Auth().Token().LookupSelf(); err != nil || fmt.Sprint(s.Data["ttl"]) != "1800" {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = self.Auth().Token().RenewSelf(7200); err != nil || s.Auth.LeaseDuration != 7200 {
		t.Errorf("%+v, %v", s, err)
	}
	byAccessor, err := root.Auth().Token().LookupAccessor(made.Auth.Accessor)
	if err != nil || byAccessor.Data["id"] != "" || byAccessor.Data["display_name"] != "token-warroom" {
		t.Errorf("%+v, %v", byAccessor, err)
	}
	r.clock.add(2 * time.Hour)
	if _, err = self.Auth().Token().LookupSelf(); err == nil || !strings.Contains(err.Error(), "invalid token") {
		t.Errorf("a token outlived its time: %v", err)
	}
	used, err := root.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"default"}, NumUses: 2})
	if err != nil {
		t.Fatal(err)
	}
	twice := client(t, r.url, used.Auth.ClientToken)
	for i := range 3 {
		if _, err = twice.Auth().Token().LookupSelf(); (err != nil) != (i == 2) {
			t.Errorf("use %d: %v", i+1, err)
		}
	}
	parent, err := root.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"root"}, TTL: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	asParent := client(t, r.url, parent.Auth.ClientToken)
	child, err := asParent.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"default"}})
	if err != nil {
		t.Fatal(err)
	}
	orphan, err := asParent.Auth().Token().CreateOrphan(&api.TokenCreateRequest{Policies: []string{"default"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := asParent.Auth().Token().RevokeSelf(""); err != nil {
		t.Fatal(err)
	}
	if _, err = client(t, r.url, child.Auth.ClientToken).Auth().Token().LookupSelf(); err == nil {
		t.Error("a child outlived its parent")
	}
	if _, err = client(t, r.url, orphan.Auth.ClientToken).Auth().Token().LookupSelf(); err != nil {
		t.Errorf("an orphan died with its parent: %v", err)
	}
	low := client(t, r.url, r.AddToken(Token{Policies: []string{"maker"}}))
	if err := r.SetPolicy("maker", `path "auth/token/create" { capabilities = ["update"] }`); err != nil {
		t.Fatal(err)
	}
	if _, err := low.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"root"}}); err == nil || !strings.Contains(err.Error(), "child policies must be subset of parent") {
		t.Errorf("a token gave more than it has: %v", err)
	}
	caps, err := low.Sys().CapabilitiesSelf("auth/token/create")
	if err != nil || fmt.Sprint(caps) != "[update]" {
		t.Errorf("%v, %v", caps, err)
	}
}

func TestAppRole(t *testing.T) {
	r := newRig(t, Options{})
	root := client(t, r.url, r.RootToken()).Logical()
	if err := client(t, r.url, r.RootToken()).Sys().EnableAuthWithOptions("approle", &api.EnableAuthOptions{Type: "approle"}); err != nil {
		t.Fatal(err)
	}
	if _, err := root.Write("auth/approle/role/app", map[string]any{"token_policies": "default", "token_ttl": "1h", "secret_id_num_uses": 1}); err != nil {
		t.Fatal(err)
	}
	role, err1 := root.Read("auth/approle/role/app/role-id")
	secret, err2 := root.Write("auth/approle/role/app/secret-id", nil)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	anyone := client(t, r.url, "").Logical()
	in := map[string]any{"role_id": role.Data["role_id"], "secret_id": "wrong"}
	if _, err := anyone.Write("auth/approle/login", in); err == nil || !strings.Contains(err.Error(), "invalid role or secret ID") {
		t.Errorf("%v", err)
	}
	in["secret_id"] = secret.Data["secret_id"]
	s, err := anyone.Write("auth/approle/login", in)
	if err != nil || s.Auth.LeaseDuration != 3600 || s.Auth.Metadata["role_name"] != "app" {
		t.Fatalf("%v", err)
	}
	if _, err := client(t, r.url, s.Auth.ClientToken).Auth().Token().LookupSelf(); err != nil {
		t.Error(err)
	}
	if _, err := anyone.Write("auth/approle/login", in); err == nil {
		t.Error("a secret id was used up and taken again")
	}
}

// TestFaults makes requests fail in each way.
func TestFaults(t *testing.T) {
	r := newRig(t, Options{Pace: newClock().now})
	get := func(path string) (int, string) { return r.call(t, "GET", path, r.RootToken(), "") }
	r.SetFault("sys/mounts", &Fault{Status: 412, Errors: []string{"required index state not present"}, Times: 1})
	if code, body := get("sys/mounts"); code != 412 || !strings.Contains(body, "required index") {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := get("sys/mounts"); code != 200 {
		t.Errorf("a fault outlived its times: %d", code)
	}
	r.SetFault("secret/*", &Fault{Drop: true, After: true})
	if code, _ := r.call(t, "POST", "secret/data/late", r.RootToken(), `{"data":{}}`); code != 0 {
		t.Errorf("the connection was not dropped: %d", code)
	}
	r.SetFault("secret/*", nil)
	if code, _ := get("secret/data/late"); code != 200 {
		t.Errorf("the write whose reply was lost did not happen: %d", code)
	}
	r.SetFault("sys/health", &Fault{Latency: time.Nanosecond, Only: true})
	if code, _ := get("sys/health"); code != 200 {
		t.Errorf("slow: %d", code)
	}
	r.SetRateLimit(2)
	for i, want := range []int{200, 200, 429} {
		code, body := get("sys/auth")
		if code != want || want == 429 && body != `{"errors":["request path \"sys/auth\": rate limit quota exceeded"]}` {
			t.Errorf("request %d: %d %s", i, code, body)
		}
	}
	if code, _ := get("sys/health"); code != 200 {
		t.Errorf("health was limited: %d", code)
	}
	if r.Calls("sys/mounts") != 2 || r.Calls("sys/*") < 6 || r.PeakRate() < 6 {
		t.Errorf("calls %d and %d, peak %d", r.Calls("sys/mounts"), r.Calls("sys/*"), r.PeakRate())
	}
}

// TestNothingPrintsASecret formats what holds one in every way.
func TestNothingPrintsASecret(t *testing.T) {
	r := newRig(t, Options{})
	for _, v := range []any{
		Token{ID: canaryValue}, &Token{ID: canaryValue}, KV{Data: map[string]string{"a": canaryValue}}, StaticRole{Password: canaryValue}, Database{Password: canaryValue}, r.Cluster,
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, canaryValue) || strings.Contains(s, r.RootToken()) {
				t.Errorf("%s of a %T: %s", verb, v, s)
			}
		}
	}
}

func TestSeedDecides(t *testing.T) {
	made := func(seed uint64) string {
		c := New(Options{Seed: seed, Clock: newClock().now})
		return c.RootToken() + fmt.Sprint(c.UnsealKeys()) + c.AddToken(Token{}) + c.id()
	}
	if first, again, other := made(1), made(1), made(2); first != again || first == other {
		t.Error("the seed does not decide what is drawn")
	}
}

// TestManyAtOnce is for the race detector.
func TestManyAtOnce(t *testing.T) {
	d := newDatabase(t)
	second := New(Options{Clock: d.clock.now, Primary: d.Cluster, Lag: time.Second})
	url := serve(t, second)
	done := make(chan struct{})
	for i := range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			for j := range 20 {
				path := fmt.Sprintf("secret/data/%d/%d", i, j)
				if code, body := d.call(t, "POST", path, d.RootToken(), `{"data":{"a":"b"}}`); code != 200 {
					t.Errorf("%d %s", code, body)
				}
				d.call(t, "POST", "database/rotate-role/app", d.RootToken(), "")
				call(t, "GET", url+"/v1/sys/replication/status", "", "")
				d.clock.add(time.Second)
				d.Tick()
				second.SetLag(time.Duration(j) * time.Second)
			}
		}()
	}
	for range 8 {
		<-done
	}
	second.SetLag(0)
	d.clock.add(time.Hour)
	if a, b := d.Secrets("secret/"), second.Secrets("secret/"); a != 161 || b != a {
		t.Errorf("%d secrets, and %d on the secondary", a, b)
	}
}
