package clients

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"warroom/internal/config"
	"warroom/internal/drill/pgsim"
	"warroom/internal/drill/vaultsim"
	"warroom/internal/estate"
	"warroom/internal/labtest"
)

const changeCanary = "CANARY-password-7Yq2Xw9Zk-0123456789"

// postgres is a simulated primary.
func postgres(t *testing.T) (*pgsim.Cluster, *Postgres) {
	t.Helper()
	c := pgsim.New(pgsim.Options{Now: time.Now, Seed: 1, Databases: []string{"production"}})
	c.SetPassword("postgres", changeCanary)
	c.SetPassword("app_user", "CANARY-old-password")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Primary().Serve(l) }()
	t.Cleanup(func() { c.Primary().Close(); <-done; c.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n, _ := strconv.Atoi(port)
	return c, NewPostgres(PostgresServer{Host: "127.0.0.1", Port: n, Database: "production", SSLMode: "disable"}, Strip)
}

// A verifier that was made here lets its password in, and the statement that carries
// it is made once, by a session that says who it is.
func TestChangeAPassword(t *testing.T) {
	_, p := postgres(t)
	ctx := t.Context()
	password := NewPassword(40)
	verifier, err := SCRAMVerifier(password)
	if err != nil {
		t.Fatal(err)
	}
	sql := `ALTER ROLE "app_user" PASSWORD '` + verifier + `'`
	reading, try := p.Open(ctx, "postgres", estate.NewSecret(changeCanary), time.Second)
	if reading == nil {
		t.Fatalf("%+v", try)
	}
	defer reading.Close()
	b := &book{}
	if err := reading.Change(WithPermit(ctx, b), "change it", sql); err == nil || len(b.calls) != 0 {
		t.Errorf("a session for reading: %v, %v", err, b.calls)
	}
	s, try := p.Named("warroom ops@bridge").OpenToChange(ctx, "postgres", estate.NewSecret(changeCanary), time.Second)
	if s == nil {
		t.Fatalf("%+v", try)
	}
	defer s.Close()
	var kept *NotPermitted
	if err := s.Change(ctx, "change it", sql); !errors.As(err, &kept) {
		t.Fatalf("without a permit: %v", err)
	}
	if got := p.Login(ctx, "app_user", password); got.Login.Outcome != estate.LoginWrong {
		t.Fatalf("before: %+v", got)
	}
	if err := s.Change(WithPermit(ctx, b), "change it", sql); err != nil {
		t.Fatal(err)
	}
	if got := b.changes(); len(got) != 1 || got[0] != "postgres:"+p.Place()+` ALTER ROLE "app_user" PASSWORD '…'` {
		t.Errorf("the permit saw %q", got)
	}
	if got := p.Login(ctx, "app_user", password); got.Login.Outcome != estate.LoginAccepted {
		t.Errorf("after: %+v", got)
	}
	err = s.Change(WithPermit(ctx, b), "change nobody", `ALTER ROLE "nobody" PASSWORD '`+verifier+`'`)
	var said *SQLError
	var f *estate.Failure
	if !errors.As(err, &said) || said.SQLState != "42704" || !errors.As(err, &f) || strings.Contains(err.Error(), verifier) {
		t.Errorf("a refusal: %v", err)
	}
	refuse := &book{around: func(Call, func() error) error {
		return &pgconn.PgError{Code: "42501", Message: "permission denied to alter role"}
	}}
	if err := s.Change(WithPermit(ctx, refuse), "change it", sql); !errors.As(err, &said) || said.SQLState != "42501" || Classify(err, "").Kind != estate.Denied {
		t.Errorf("a refusal of the permit's: %v", err)
	}
	wrong := &book{around: func(Call, func() error) error {
		return &pgconn.PgError{Code: "28P01", Message: "password authentication failed"}
	}}
	if got := p.Login(WithPermit(ctx, wrong), "app_user", password); got.Login.Outcome != estate.LoginWrong {
		t.Errorf("a login that the permit refuses: %+v", got)
	}
	var name string
	err = s.Read(ctx, "read the name", "SHOW application_name", nil, func(scan func(...any) error) error { return scan(&name) })
	if err != nil || name != "warroom ops@bridge" {
		t.Errorf("application_name %q, %v", name, err)
	}
}

// The same at a real server.
func TestLabVerifier(t *testing.T) {
	lab := labtest.PostgresPrimary(t)
	p := NewPostgres(PostgresServer{Host: lab.Host, Port: lab.Port, Database: "postgres", SSLMode: "verify-full", CACert: lab.CAFile}, Strip)
	ctx := WithPermit(t.Context(), &book{})
	s, try := p.OpenToChange(ctx, lab.Superuser, estate.NewSecret(lab.SuperuserPassword), 10*time.Second)
	if s == nil {
		t.Fatalf("%+v", try)
	}
	defer s.Close()
	role := `"verifier_` + strconv.Itoa(os.Getpid()) + `"`
	password := NewPassword(64)
	verifier, err := SCRAMVerifier(password)
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"CREATE ROLE " + role + " LOGIN", "ALTER ROLE " + role + " PASSWORD '" + verifier + "'"} {
		if err := s.Change(ctx, "make a role", sql); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		if err := s.Change(ctx, "drop the role", "DROP ROLE "+role); err != nil {
			t.Error(err)
		}
	}()
	if got := p.Login(ctx, strings.Trim(role, `"`), password); got.Login.Outcome != estate.LoginAccepted {
		t.Errorf("%+v", got)
	}
	var name string
	if err := s.Read(ctx, "read", "SELECT rolpassword FROM pg_authid WHERE rolname = $1", []any{strings.Trim(role, `"`)}, func(scan func(...any) error) error { return scan(&name) }); err != nil || name != verifier {
		t.Errorf("the server stored %d characters of %d: %v", len(name), len(verifier), err)
	}
}

// The example of RFC 7677 section 3: its salt and count, and the client and server
// proofs that follow from the verifier.
func TestVerifierOfTheRFC(t *testing.T) {
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	got, err := scramVerifier(estate.NewSecret("pencil"), salt, 4096)
	const want = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
	if err != nil || got != want {
		t.Errorf("got %s, %v", got, err)
	}
	// By the RFC's own messages: ServerSignature = HMAC(ServerKey, AuthMessage).
	_, keys, _ := strings.Cut(want, "==$")
	_, server, _ := strings.Cut(keys, ":")
	serverKey, _ := base64.StdEncoding.DecodeString(server)
	const exchanged = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	if v := base64.StdEncoding.EncodeToString(keyed(serverKey, exchanged)); v != "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" {
		t.Errorf("the server's signature is %s", v)
	}
	for _, bad := range []string{"", "pässword", "line\nbreak"} {
		if _, err := SCRAMVerifier(estate.NewSecret(bad)); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestNewPassword(t *testing.T) {
	seen, count := map[string]bool{}, map[byte]int{}
	for range 2000 {
		p := NewPassword(40).Reveal()
		if len(p) != 40 || seen[p] {
			t.Fatalf("%d characters, seen %v", len(p), seen[p])
		}
		seen[p] = true
		for _, set := range []string{upper, lower, digits, marks} {
			if !strings.ContainsAny(p, set) {
				t.Fatalf("none of %s", set)
			}
		}
		if strings.ContainsAny(p[:1]+p[39:], marks) {
			t.Fatal("a mark at an end")
		}
		for i := 1; i < 39; i++ {
			count[p[i]]++
		}
	}
	if len(count) != 66 {
		t.Errorf("%d different characters, want 66", len(count))
	}
	for c, n := range count { // 76,000 draws of 66: 1,152 each, with a deviation of 34
		if n < 900 || n > 1500 {
			t.Errorf("%c was drawn %d times", c, n)
		}
	}
	if n := len(NewPassword(8).Reveal()); n != 32 {
		t.Errorf("%d characters where 8 were asked for", n)
	}
}

// kv is a simulated cluster with a KV engine.
func kv(t *testing.T) *Set {
	t.Helper()
	c := vaultsim.New(vaultsim.Options{Clock: time.Now})
	c.Mount(vaultsim.Mount{Path: "secret/", Type: "kv", Version: 2})
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(c.RootToken()), 0o600); err != nil {
		t.Fatal(err)
	}
	set := New(&config.Config{
		Checks:     config.Checks{Timeout: 5 * time.Second},
		Vaults:     []config.VaultCluster{{Name: "primary", Address: server.URL, TokenFile: file}},
		Components: []config.Component{{ID: "v", Vault: &config.Vault{Cluster: "primary", Secrets: []config.StoredSecret{{ID: "secret/app/db", As: "db"}}}}},
	})
	t.Cleanup(set.Close)
	return set
}

func TestKVAsAStore(t *testing.T) { storeInKV(t, kv(t), "secret") }

func TestLabKVAsAStore(t *testing.T) {
	lab := labtest.VaultPrimary(t)
	set := New(&config.Config{
		Checks:     config.Checks{Timeout: 10 * time.Second},
		Vaults:     []config.VaultCluster{{Name: "primary", Address: lab.Address, CACert: lab.CAFile, TokenFile: lab.RootTokenFile}},
		Components: []config.Component{{ID: "v", Vault: &config.Vault{Cluster: "primary", Secrets: []config.StoredSecret{{ID: "MOUNT/app/db", As: "db"}}}}},
	})
	t.Cleanup(set.Close)
	v, _ := set.Vault("primary")
	ctx := WithPermit(t.Context(), &book{})
	mount := "clients-" + strconv.Itoa(os.Getpid())
	if err := v.Write(ctx, "sys/mounts/"+mount, map[string]any{"type": "kv", "options": map[string]string{"version": "2"}}, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Delete(WithPermit(context.Background(), &book{}), "sys/mounts/"+mount) })
	set.keeper["db"] = keeper{cluster: "primary", name: mount + "/app/db"}
	for end := time.Now().Add(20 * time.Second); ; { // a new KV engine upgrades itself before it takes a write
		_, err := v.WriteKV(ctx, mount, "ready", estate.NewSecret(`{}`), 0)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	storeInKV(t, set, mount)
}

func storeInKV(t *testing.T, set *Set, mount string) {
	v, _ := set.Vault("primary")
	ctx := WithPermit(t.Context(), &book{})
	var none *NoVersionError
	if _, err := set.StoredFresh(ctx, "db", estate.StageCurrent); !missing(err) || errors.As(err, &none) {
		t.Fatalf("before there is one: %v", err)
	}
	write := func(path, password string, cas, want int) {
		t.Helper()
		got, err := v.WriteKV(ctx, mount, path, estate.NewSecret(`{"username":"app","password":"`+password+`"}`), cas)
		if err != nil || got != want {
			t.Fatalf("version %d, %v; want %d", got, err, want)
		}
	}
	labels := func(current, previous, pending string) {
		t.Helper()
		for stage, want := range map[estate.Stage]string{estate.StageCurrent: current, estate.StagePrevious: previous, estate.StagePending: pending} {
			value, err := set.StoredFresh(ctx, "db", stage)
			if want == "" {
				if !errors.As(err, &none) {
					t.Errorf("%s: %v", stage, err)
				}
				continue
			}
			field, ferr := value.Field("password")
			if err != nil || ferr != nil || field.Reveal() != want || value.Created.IsZero() {
				t.Errorf("%s: %v, %v", stage, err, ferr)
			}
		}
	}
	write("app/db", changeCanary+"-1", 0, 1)
	labels(changeCanary+"-1", "", "")
	write("app/db"+PendingSuffix, changeCanary+"-2", 0, 1)
	labels(changeCanary+"-1", "", changeCanary+"-2")
	var taken *KVConflictError
	if _, err := v.WriteKV(ctx, mount, "app/db"+PendingSuffix, estate.NewSecret(`{"password":"`+changeCanary+`"}`), 0); !errors.As(err, &taken) || strings.Contains(err.Error(), "CANARY") {
		t.Fatalf("a second one: %v", err)
	}
	if err := v.WriteKVMetadata(ctx, mount, "app/db"+PendingSuffix, map[string]string{"holder": "run ops@bridge"}); err != nil {
		t.Fatal(err)
	}
	meta, err := v.KVMetadata(ctx, mount, "app/db"+PendingSuffix)
	if err != nil || meta.Custom["holder"] != "run ops@bridge" || meta.Current != 1 || meta.Created.IsZero() {
		t.Errorf("metadata: %+v, %v", meta, err)
	}
	write("app/db", changeCanary+"-2", 1, 2)
	if err := v.RemoveKV(ctx, mount, "app/db"+PendingSuffix); err != nil {
		t.Fatal(err)
	}
	labels(changeCanary+"-2", changeCanary+"-1", "")
	one, err := v.ReadKV(ctx, mount, "app/db", 1)
	if err != nil || one.Version != 1 {
		t.Errorf("version 1: %+v, %v", one.Version, err)
	}
	if err := v.DeleteKV(ctx, mount, "app/db"); err != nil {
		t.Fatal(err)
	}
	labels(changeCanary+"-1", "", "")
	if err := v.UndeleteKV(ctx, mount, "app/db", 2); err != nil {
		t.Fatal(err)
	}
	labels(changeCanary+"-2", changeCanary+"-1", "")
	if _, err := v.WriteKV(ctx, mount, "app/db", estate.NewSecret(changeCanary), 2); err == nil || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("a value that is no object: %v", err)
	}
	if text := set.Text("is "+changeCanary+"-2 in here", 100); strings.Contains(text, "CANARY") {
		t.Errorf("a value that was written is not known: %s", text)
	}
}

// What was read a moment ago is not what a procedure goes by.
func TestFreshIsReadAgain(t *testing.T) {
	set := kv(t)
	v, _ := set.Vault("primary")
	ctx := WithPermit(t.Context(), &book{})
	put := func(password string, cas int) {
		t.Helper()
		if _, err := v.WriteKV(ctx, "secret", "app/db", estate.NewSecret(`{"password":"`+password+`"}`), cas); err != nil {
			t.Fatal(err)
		}
	}
	put("first-password", 0)
	if _, err := set.Stored(ctx, "db", estate.StageCurrent); err != nil {
		t.Fatal(err)
	}
	put("second-password", 1)
	old, err := set.Stored(ctx, "db", estate.StageCurrent)
	if err != nil || old.VersionID != "1" {
		t.Fatalf("version %s, %v", old.VersionID, err)
	}
	fresh, err := set.StoredFresh(ctx, "db", estate.StageCurrent)
	if err != nil || fresh.VersionID != "2" {
		t.Errorf("fresh: version %s, %v", fresh.VersionID, err)
	}
	if next, err := set.Stored(ctx, "db", estate.StageCurrent); err != nil || next.VersionID != "2" {
		t.Errorf("after that: version %s, %v", next.VersionID, err)
	}
}

func TestWith(t *testing.T) {
	for _, c := range []struct {
		name, text string
		fields     map[string]string
		want       string // empty: refused
	}{
		{"order and format", "{\n  \"z\": 1.50,\n  \"password\": \"old\" ,\n  \"a\": {\"password\": \"x\"}\n}\n", map[string]string{"password": `n"w\`}, "{\n  \"z\": 1.50,\n  \"password\": \"n\\\"w\\\\\" ,\n  \"a\": {\"password\": \"x\"}\n}\n"},
		{"added", `{"username":"app"}`, map[string]string{"password": "p", "key_id": "<7>"}, `{"username":"app","key_id":"<7>","password":"p"}`},
		{"added to nothing", `{ }`, map[string]string{"a": "p", "b": "q"}, `{ "a":"p","b":"q"}`},
		{"not text", `{"password":12,"b":true}`, map[string]string{"password": "p"}, `{"password":"p","b":true}`},
		{"twice", `{"password":"a","password":"b"}`, map[string]string{"password": "p"}, `{"password":"p","password":"p"}`},
		{"escaped key", `{"p\u0061ss":"a"}`, map[string]string{"pass": "p"}, `{"p\u0061ss":"p"}`},
		{"text", changeCanary, map[string]string{"password": "p"}, ""},
		{"list", `["CANARY"]`, map[string]string{"password": "p"}, ""},
		{"two objects", `{"a":"CANARY"} {}`, map[string]string{"password": "p"}, ""},
		{"cut", `{"a":"CANARY"`, map[string]string{"password": "p"}, ""},
	} {
		fields := map[string]estate.Secret{}
		for k, v := range c.fields {
			fields[k] = estate.NewSecret(v)
		}
		got, err := Value{SecretID: "x", text: estate.NewSecret(c.text)}.With(fields)
		var f *estate.Failure
		switch {
		case c.want == "" && (!errors.As(err, &f) || f.Kind != estate.BadSecret || strings.Contains(err.Error(), "CANARY")):
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err != nil || got.Reveal() != c.want):
			t.Errorf("%s: got %s, %v", c.name, got.Reveal(), err)
		}
	}
}

// What is made of any object is one in which the fields are as meant and all others
// as they were.
func FuzzWith(f *testing.F) {
	for _, text := range []string{`{"a":"b"}`, `{"a":[1,{"b":null}],"password":"x"}`, "{ \t\n}", `{"a":1e5,"a":2}`, `[]`, `{"é":"\ud800"}`} {
		f.Add(text, "password", "new")
	}
	f.Fuzz(func(t *testing.T, text, name, value string) {
		out, err := Value{text: estate.NewSecret(text)}.With(map[string]estate.Secret{name: estate.NewSecret(value)})
		if err != nil {
			return
		}
		var before, after map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &before) != nil || json.Unmarshal([]byte(out.Reveal()), &after) != nil {
			t.Fatalf("%q became %q", text, out.Reveal())
		}
		var got string
		if json.Unmarshal(after[name], &got) != nil || got != value {
			t.Fatalf("%q became %q", text, out.Reveal())
		}
		delete(before, name)
		delete(after, name)
		if len(before) != len(after) {
			t.Fatalf("%q became %q", text, out.Reveal())
		}
		for k := range before {
			if string(before[k]) != string(after[k]) {
				t.Fatalf("%q: %s became %s", text, before[k], after[k])
			}
		}
	})
}
