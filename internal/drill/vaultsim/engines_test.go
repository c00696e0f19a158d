package vaultsim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// TestKV2 lives one secret through with the real client.
func TestKV2(t *testing.T) {
	r := newRig(t, Options{})
	c := client(t, r.url, r.RootToken())
	kv, ctx := c.KVv2("secret"), t.Context()
	put := func(want int, o ...api.KVOption) {
		t.Helper()
		s, err := kv.Put(ctx, "team/one", map[string]any{"n": want}, o...)
		if err != nil || s.VersionMetadata.Version != want {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	put(1, api.WithCheckAndSet(0))
	if _, err := kv.Put(ctx, "team/one", map[string]any{}, api.WithCheckAndSet(0)); err == nil {
		t.Error("check-and-set let a second first version in")
	}
	r.clock.add(time.Hour)
	put(2, api.WithCheckAndSet(1))
	if _, err := kv.Patch(ctx, "team/one", map[string]any{"more": "x"}); err != nil {
		t.Fatal(err)
	}
	s, err := kv.Get(ctx, "team/one")
	if err != nil || s.VersionMetadata.Version != 3 || s.Data["more"] != "x" || fmt.Sprint(s.Data["n"]) != "2" || !s.VersionMetadata.CreatedTime.Equal(r.clock.now()) {
		t.Errorf("%+v, %v", s, err)
	}
	if err := kv.Delete(ctx, "team/one"); err != nil {
		t.Fatal(err)
	}
	if code, body := r.call(t, "GET", "secret/data/team/one", r.RootToken(), ""); code != 404 || data(t, body)["data"] != nil || data(t, body)["metadata"] == nil {
		t.Errorf("deleted: %d %s", code, body)
	}
	if err := kv.Undelete(ctx, "team/one", []int{3}); err != nil {
		t.Fatal(err)
	}
	if err := kv.Destroy(ctx, "team/one", []int{1}); err != nil {
		t.Fatal(err)
	}
	if err := kv.Undelete(ctx, "team/one", []int{1}); err != nil {
		t.Fatal(err)
	}
	m, err := kv.GetMetadata(ctx, "team/one")
	if err != nil || m.CurrentVersion != 3 || !m.Versions["1"].Destroyed || m.Versions["3"].DeletionTime != (time.Time{}) || !m.UpdatedTime.Equal(r.clock.now()) || !m.CreatedTime.Equal(r.clock.now().Add(-time.Hour)) {
		t.Errorf("%+v, %v", m, err)
	}
	err = kv.PutMetadata(ctx, "team/one", api.KVMetadataPutInput{MaxVersions: 2, CASRequired: true, DeleteVersionAfter: time.Hour, CustomMetadata: map[string]any{"owner": "db"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(ctx, "team/one", map[string]any{}); err == nil || !strings.Contains(err.Error(), "check-and-set parameter required") {
		t.Errorf("%v", err)
	}
	put(4, api.WithCheckAndSet(3))
	if m, err = kv.GetMetadata(ctx, "team/one"); err != nil || len(m.Versions) != 2 || m.OldestVersion != 3 || m.CustomMetadata["owner"] != "db" {
		t.Errorf("%+v, %v", m, err)
	}
	r.clock.add(time.Hour + time.Second) // delete_version_after
	if code, _ := r.call(t, "GET", "secret/data/team/one", r.RootToken(), ""); code != 404 {
		t.Errorf("a version lived on: %d", code)
	}
	if err := kv.DeleteMetadata(ctx, "team/one"); err != nil {
		t.Fatal(err)
	}
	if code, _ := r.call(t, "LIST", "secret/metadata/team", r.RootToken(), ""); code != 404 {
		t.Errorf("an empty folder lists with %d", code)
	}
}

func TestFolders(t *testing.T) {
	sorted := []string{"a", "a-b/c", "a/b", "a/b/c", "a/c", "b/x/y/z", "b/x0"}
	for folder, want := range map[string][]string{"": {"a", "a-b/", "a/", "b/"}, "a/": {"b", "b/", "c"}, "b/": {"x/", "x0"}, "b/x/": {"y/"}, "c/": nil} {
		if got := children(sorted, folder); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", folder, got, want)
		}
	}
	r := newRig(t, Options{})
	c := client(t, r.url, r.RootToken()).Logical()
	if _, err := c.Write("old/x/y", map[string]any{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	s, err := c.List("old/x")
	if err != nil || fmt.Sprint(s.Data["keys"]) != "[y]" {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = c.Read("old/x/y"); err != nil || s.Data["a"] != "b" || s.LeaseDuration != 2764800 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := c.Delete("old/x/y"); err != nil {
		t.Fatal(err)
	}
	if s, err = c.List("old/x"); err != nil || s != nil {
		t.Errorf("%+v, %v", s, err)
	}
}

// database is a rig with a static role whose database may refuse.
type database struct {
	*rig
	passwords []string // what the database took
	refuse    error
}

func newDatabase(t *testing.T) *database {
	d := &database{rig: newRig(t, Options{})}
	d.Mount(Mount{Path: "database/", Type: "database"})
	d.AddDatabase(Database{Mount: "database/", Name: "prod", URL: "postgresql://x", Username: "root", Password: canaryValue, Allowed: []string{"app", "nightly"}})
	err := d.AddStaticRole(StaticRole{Mount: "database/", Name: "app", Database: "prod", User: "app_user", Password: "first-password", Period: time.Hour, Last: d.clock.now()})
	if err != nil {
		t.Fatal(err)
	}
	d.OnRotate(func(_, user, password string) error {
		d.passwords = append(d.passwords, user+" "+password)
		return d.refuse
	})
	return d
}

func (d *database) credentials(t *testing.T) (password, last string, ttl int) {
	t.Helper()
	s, err := client(t, d.url, d.RootToken()).Logical().Read("database/static-creds/app")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Sscan(fmt.Sprint(s.Data["ttl"]), &ttl)
	return s.Data["password"].(string), s.Data["last_vault_rotation"].(string), ttl
}

// TestStaticRole rotates by hand and by itself, with a database that fails between.
func TestStaticRole(t *testing.T) {
	d := newDatabase(t)
	if p, _, ttl := d.credentials(t); p != "first-password" || ttl != 3600 {
		t.Errorf("ttl %d", ttl)
	}
	d.clock.add(10 * time.Minute)
	d.Tick()
	if len(d.passwords) != 0 {
		t.Error("it was rotated before its time")
	}
	if code, body := d.call(t, "POST", "database/rotate-role/app", d.RootToken(), ""); code != 204 {
		t.Fatalf("%d %s", code, body)
	}
	p, last, ttl := d.credentials(t)
	if len(d.passwords) != 1 || d.passwords[0] != "app_user "+p || ttl != 3600 || last != stamp(d.clock.now()) {
		t.Errorf("the database took %d passwords; last %s, ttl %d", len(d.passwords), last, ttl)
	}
	d.refuse = errors.New(`failed to execute query: ERROR: role "app_user" does not exist (SQLSTATE 42704)`)
	d.clock.add(time.Hour + time.Second)
	d.Tick()
	d.Tick()
	after, since, ttl := d.credentials(t)
	if after != p || since != last || ttl != 0 {
		t.Errorf("a rotation that failed: same password %v, last %s, ttl %d", after == p, since, ttl)
	}
	if len(d.passwords) != 3 || d.passwords[1] != d.passwords[2] {
		t.Errorf("%d tries; each with the same password: %v", len(d.passwords)-1, d.passwords[1] == d.passwords[2])
	}
	code, body := d.call(t, "POST", "database/rotate-role/app", d.RootToken(), "")
	if code != 500 || !strings.Contains(body, `unable to finish rotating credentials; retries will continue in the background but it is also safe to retry manually: error setting credentials: 1 error occurred:\n\t* failed to execute query`) {
		t.Errorf("%d %s", code, body)
	}
	if code, body = d.call(t, "POST", "database/rotate-root/prod", d.RootToken(), ""); code != 500 || strings.Contains(body, canaryValue) {
		t.Errorf("%d %s", code, body)
	}
	d.refuse = nil
	d.Tick()
	if after, _, ttl = d.credentials(t); ttl != 3600 || d.passwords[len(d.passwords)-1] != "app_user "+after || d.passwords[1] != "app_user "+after {
		t.Errorf("it did not recover with the password that it had tried: ttl %d", ttl)
	}
	if code, body = d.call(t, "POST", "database/rotate-root/prod", d.RootToken(), ""); code != 204 {
		t.Errorf("%d %s", code, body)
	}
}

func TestStaticRoleRefusals(t *testing.T) {
	d := newDatabase(t)
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"GET", "database/static-creds/none", "", 400, `{"errors":["unknown role: none"]}`},
		{"GET", "database/static-roles/none", "", 404, `{"errors":[]}`},
		{"POST", "database/rotate-role/none", "", 400, `{"errors":["no static role found for role name"]}`},
		{"POST", "database/rotate-root/none", "", 500, `failed to find entry for connection with name: \"none\"`},
		{"POST", "database/static-roles/no", `{"db_name":"prod","username":"x","rotation_period":"1h"}`, 500, `\"no\" is not an allowed role`},
		{"POST", "database/static-roles/app", `{"db_name":"prod","username":"other","rotation_period":"1h"}`, 400, `cannot update static account username`},
		{"POST", "database/static-roles/nightly", `{"db_name":"prod","username":"n","rotation_period":"2s"}`, 400, `rotation_period must be 5 seconds or more`},
		{"POST", "database/static-roles/nightly", `{"db_name":"prod","username":"n"}`, 400, `one of rotation_schedule or rotation_period`},
		{"POST", "database/static-roles/nightly", `{"db_name":"prod","username":"n","rotation_schedule":"x"}`, 400, `could not parse rotation_schedule`},
		{"POST", "database/static-roles/nightly", `{"db_name":"prod","username":"n","rotation_schedule":"0 3 * * *","rotation_window":"2h"}`, 204, ``},
		{"GET", "database/static-roles/nightly", "", 200, `"rotation_schedule":"0 3 * * *","rotation_statements":[],"rotation_window":7200`},
		{"GET", "database/static-creds/nightly", "", 200, `"ttl":54000`}, // from noon to three
		{"LIST", "database/static-roles", "", 200, `"keys":["app","nightly"]`},
		{"GET", "database/config/prod", "", 200, `"username":"root"`},
		{"LIST", "database/roles", "", 404, `{"errors":[]}`},
	} {
		code, body := d.call(t, c.method, c.path, d.RootToken(), c.body)
		if code != c.code || !strings.Contains(body, c.want) || strings.Contains(body, canaryValue) {
			t.Errorf("%s %s: %d %s, want %d with %s", c.method, c.path, code, body, c.code, c.want)
		}
	}
}

// TestPKI issues a certificate and signs a request, both of which verify.
func TestPKI(t *testing.T) {
	r := newRig(t, Options{})
	r.Mount(Mount{Path: "pki/", Type: "pki"})
	c := client(t, r.url, r.RootToken()).Logical()
	write := func(path string, in map[string]any) map[string]any {
		t.Helper()
		s, err := c.Write(path, in)
		if err != nil {
			t.Fatal(err)
		}
		return s.Data
	}
	write("pki/root/generate/internal", map[string]any{"common_name": "company.com CA", "ttl": "700h"})
	write("pki/roles/web", map[string]any{"allowed_domains": "company.com", "allow_subdomains": true, "key_type": "ec", "max_ttl": "72h"})
	roots := x509.NewCertPool()
	if code, body, _ := call(t, "GET", r.url+"/v1/pki/ca/pem", "", ""); code != 200 || !roots.AppendCertsFromPEM([]byte(body)) {
		t.Fatalf("%d %s", code, body)
	}
	verify := func(out map[string]any) *x509.Certificate {
		t.Helper()
		block, _ := pem.Decode([]byte(out["certificate"].(string)))
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "api.company.com", CurrentTime: r.clock.now()}); err != nil {
			t.Error(err)
		}
		return leaf
	}
	issued := write("pki/issue/web", map[string]any{"common_name": "api.company.com", "ttl": "24h", "ip_sans": "127.0.0.1"})
	leaf := verify(issued)
	block, _ := pem.Decode([]byte(issued["private_key"].(string)))
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil || !key.PublicKey.Equal(leaf.PublicKey) || !leaf.NotAfter.Equal(r.clock.now().Add(24*time.Hour)) {
		t.Errorf("the key does not fit, or it ends at %v: %v", leaf.NotAfter, err)
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "api.company.com"}}, own)
	if err != nil {
		t.Fatal(err)
	}
	csr := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	signed := write("pki/sign/web", map[string]any{"csr": csr, "common_name": "api.company.com"})
	if leaf := verify(signed); !own.PublicKey.Equal(leaf.PublicKey) || signed["private_key"] != nil || !leaf.NotAfter.Equal(r.clock.now().Add(72*time.Hour)) {
		t.Errorf("signed until %v", leaf.NotAfter)
	}
	number := signed["serial_number"].(string)
	write("pki/revoke", map[string]any{"serial_number": number})
	if s, err := c.Read("pki/cert/" + number); err != nil || fmt.Sprint(s.Data["revocation_time"]) == "0" {
		t.Errorf("%+v, %v", s, err)
	}
	for body, want := range map[string]string{
		`{"common_name":"api.evil.com"}`:                           "common name api.evil.com not allowed by this role",
		`{"common_name":"api.company.com","alt_names":"evil.com"}`: "subject alternate name evil.com not allowed by this role",
		`{}`: "the common_name field is required",
	} {
		if code, text := r.call(t, "POST", "pki/issue/web", r.RootToken(), body); code != 400 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", body, code, text)
		}
	}
}
