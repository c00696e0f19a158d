package clients

import (
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"warroom/internal/config"
	"warroom/internal/estate"
)

func vaultOf(t *testing.T, c config.VaultCluster) *Vault {
	t.Helper()
	for _, name := range []string{"VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_CAPATH", "VAULT_AGENT_ADDR"} {
		if os.Getenv(name) != "" {
			t.Setenv(name, "")
		}
	}
	c.Name = "main"
	set := New(&config.Config{Checks: config.Checks{Timeout: 300 * time.Millisecond}, Vaults: []config.VaultCluster{c}})
	t.Cleanup(set.Close)
	v, err := set.Vault("main")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVaultClient(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	calls := 0
	var token, namespace string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		token, namespace = r.Header.Get("X-Vault-Token"), r.Header.Get("X-Vault-Namespace")
		if r.URL.Path == "/v1/failing" {
			w.WriteHeader(500)
			return
		}
		_, _ = io.WriteString(w, `{"initialized":true,"sealed":false,"version":"1.21.4"}`)
	}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hvs.CANARY-first\n")
	v := vaultOf(t, config.VaultCluster{Address: server.URL, CACert: ca, Namespace: "team", TokenFile: file})

	client, err := v.Client()
	if err != nil {
		t.Fatal(err)
	}
	health, err := client.Sys().HealthWithContext(t.Context())
	if err != nil || health.Version != "1.21.4" {
		t.Fatalf("got %+v, %v", health, err)
	}
	if token != "hvs.CANARY-first" || namespace != "team" {
		t.Errorf("sent token %q, namespace %q", token, namespace)
	}
	write("hvs.CANARY-second")
	if client, err = v.Client(); err != nil {
		t.Fatal(err)
	}
	calls = 0
	if _, err := client.Logical().ReadWithContext(t.Context(), "failing"); err == nil || calls != 1 {
		t.Errorf("%d calls for a failing read (%v), want one and no retry", calls, err)
	}
	if token != "hvs.CANARY-second" {
		t.Errorf("sent token %q, want the renewed one", token)
	}
	if got := v.set.Text("denied hvs.CANARY-second", 100); strings.Contains(got, "CANARY") {
		t.Errorf("the token stays in %q", got)
	}
}

func TestVaultIsBoundInTimeAndSize(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/silent" {
			<-r.Context().Done()
			return
		}
		for chunk := make([]byte, 64<<10); r.Context().Err() == nil; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	client, err := vaultOf(t, config.VaultCluster{Address: address}).Client()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Logical().ReadWithContext(t.Context(), "silent"); Classify(err, "").Kind != estate.Silent {
		t.Errorf("silent: %v", err)
	}
	if _, err := client.Logical().ReadWithContext(t.Context(), "endless"); err == nil {
		t.Error("an endless answer was taken")
	}
}

func TestVaultTokens(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	v := vaultOf(t, config.VaultCluster{Address: "http://127.0.0.1:1"})
	is := func(what, want string) {
		t.Helper()
		client, err := v.Client()
		if err != nil || client.Token() != want {
			t.Errorf("%s: token %q, %v", what, client.Token(), err)
		}
	}
	is("none", "")
	if err := os.WriteFile(filepath.Join(home, ".vault-token"), []byte("hvs.home-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	is("of vault login", "hvs.home-token")
	t.Setenv("VAULT_TOKEN", "hvs.from-environment")
	is("of the environment", "hvs.from-environment")

	v = vaultOf(t, config.VaultCluster{Address: "http://127.0.0.1:1", TokenFile: filepath.Join(home, "absent")})
	var f *estate.Failure
	if _, err := v.Client(); !errors.As(err, &f) || f.Kind != estate.NoIdentity {
		t.Errorf("a token file that is not there: %v", err)
	}
	v = vaultOf(t, config.VaultCluster{Address: "http://127.0.0.1:1", CACert: filepath.Join(home, "absent.pem")})
	if _, err := v.Client(); !errors.As(err, &f) || f.Kind != estate.Misconfigure {
		t.Errorf("a CA file that is not there: %v", err)
	}
}

// VAULT_SKIP_VERIFY does not switch verification off, with or without a CA file.
func TestVaultAlwaysVerifies(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	asked := false
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	defer server.Close()
	other := write(t, "ca.pem", "CERTIFICATE", newAuthority(t).cert.Raw)
	for _, ca := range []string{"", other} {
		v := vaultOf(t, config.VaultCluster{Address: server.URL, CACert: ca})
		t.Setenv("VAULT_SKIP_VERIFY", "true")
		t.Setenv("VAULT_TOKEN", "hvs.CANARY")
		if f := Classify(v.Read(t.Context(), VaultRoot, "x", nil), ""); f == nil || f.Kind != estate.Misconfigure || !strings.Contains(f.Detail, "unknown authority") {
			t.Errorf("with CA %q: %v, want %q", ca, f, estate.Misconfigure)
		}
	}
	if asked {
		t.Error("a Vault that is not trusted was asked")
	}
}

// The token goes over http to this machine only, wherever the address comes from.
func TestVaultTokenStaysOffTheWireInClear(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	v := vaultOf(t, config.VaultCluster{})
	for address, refused := range map[string]bool{
		"http://192.0.2.1:8200": true, "http://vault.example.invalid": true, "http://127.0.0.1.example.invalid": true,
		"http://127.0.0.1:8200": false, "http://[::1]:8200": false, "http://localhost:8200": false, "https://192.0.2.1:8200": false, "unix:///run/vault.sock": false,
	} {
		for _, name := range []string{"VAULT_ADDR", "VAULT_AGENT_ADDR"} {
			t.Run(name+"="+address, func(t *testing.T) {
				t.Setenv(name, address)
				v := newVault(v.set, config.VaultCluster{Name: "main"}, time.Second)
				var f *estate.Failure
				if _, err := v.Client(); errors.As(err, &f) != refused || refused && f.Kind != estate.Misconfigure {
					t.Errorf("%v, want refused %t", err, refused)
				}
			})
		}
	}
}

func TestVaultIsNotSentElsewhereInClear(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.0.2.1:8200"+r.URL.Path, http.StatusTemporaryRedirect)
	})
	v := vaultOf(t, config.VaultCluster{Address: address})
	if f := Classify(v.Read(t.Context(), VaultRoot, "x", nil), ""); f == nil || f.Kind != estate.Misconfigure || !strings.Contains(f.Detail, "in clear") {
		t.Errorf("%v, want %q", f, estate.Misconfigure)
	}
}

// A Vault that was never initialised calls itself sealed to everything but its seal
// status.
func TestVaultThatWasNeverInitialised(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for status, want := range map[string]estate.FailureKind{
		`{"initialized":false,"sealed":true}`: estate.Uninitialised,
		`{"initialized":true,"sealed":true}`:  estate.Sealed,
		`{}`:                                  estate.Sealed,
		`<html>`:                              estate.Sealed,
	} {
		v := vaultOf(t, config.VaultCluster{Address: serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/sys/seal-status" {
				_, _ = io.WriteString(w, status)
				return
			}
			w.WriteHeader(503)
			_, _ = io.WriteString(w, `{"errors":["Vault is sealed"]}`)
		})})
		a, err := v.Ask(t.Context(), "sys/replication/status")
		if err != nil {
			t.Fatal(err)
		}
		for what, f := range map[string]*estate.Failure{
			"read":   Classify(v.Read(t.Context(), VaultRoot, "sys/mounts", nil), ""),
			"answer": v.Refusal(t.Context(), a, "sys/replication/status"),
		} {
			if f.Kind != want || f.Kind.Status() != estate.Unknown {
				t.Errorf("%s of one with %s: %v, want %q", what, status, f, want)
			}
			if want == estate.Uninitialised && (strings.Contains(f.Error(), "sealed") || strings.Contains(f.Error(), "key shares")) {
				t.Errorf("%s: %q", what, f)
			}
		}
	}
}
