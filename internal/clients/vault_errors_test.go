package clients

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"warroom/internal/config"
	"warroom/internal/estate"
)

func TestVaultErrors(t *testing.T) {
	for _, c := range []struct {
		code int
		said []string
		raw  bool
		want estate.FailureKind
	}{
		{503, []string{"Vault is sealed"}, false, estate.Sealed},
		{503, []string{"<html>"}, true, estate.ServerError},
		{403, []string{"2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"}, false, estate.NoIdentity},
		{400, []string{"missing client token"}, false, estate.NoIdentity},
		{403, []string{"1 error occurred:\n\t* permission denied\n\n"}, false, estate.Denied},
		{403, []string{"<html>"}, true, estate.BadAnswer},
		{429, []string{"rate limit quota exceeded"}, false, estate.Throttled},
		{412, []string{"required index state not present"}, false, estate.Silent},
		{404, nil, false, estate.Missing},
		{404, []string{"1 error occurred:\n\t* unsupported path\n\n"}, false, estate.NotSupported},
		{405, []string{"1 error occurred:\n\t* unsupported operation\n\n"}, false, estate.NotSupported},
		{400, []string{"raft storage is not in use"}, false, estate.NotSupported},
		{500, []string{"local node not active but active cluster node not found"}, false, estate.ServerError},
		{400, []string{"bad request"}, false, estate.Broken},
	} {
		err := fmt.Errorf("reading: %w", &api.ResponseError{StatusCode: c.code, Errors: c.said, RawError: c.raw, URL: "https://vault/v1/secret?token=CANARY"})
		f := Classify(err, "read x")
		if f.Kind != c.want {
			t.Errorf("HTTP %d %v: %v, want %q", c.code, c.said, f, c.want)
		}
		if strings.Contains(f.Error(), "CANARY") || strings.Contains(f.Detail, "occurred") || f.Doing != "read x" {
			t.Errorf("HTTP %d %v: %q", c.code, c.said, f)
		}
	}
	if got := vaultWords([]string{"2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n", "third"}); got != "permission denied, invalid token, third" {
		t.Errorf("words %q", got)
	}
}

func TestVaultReads(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	bodies := map[string]string{
		"a":  `{"data":{"name":"x","secret":"CANARY"}}`,
		"no": `{"warnings":["CANARY"]}`,
		"nu": `{"data":null}`,
	}
	t.Setenv("VAULT_WRAP_TTL", "60s")
	listed, wrapped := false, false
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		wrapped = wrapped || r.Header.Get("X-Vault-Wrap-TTL") != ""
		listed = r.URL.Query().Get("list") == "true"
		path := strings.TrimPrefix(r.URL.Path, "/v1/")
		body, ok := bodies[path]
		if !ok {
			w.WriteHeader(404)
			body = `{"errors":[]}`
		}
		if path == "keys" {
			body = `{"data":{"keys":["b","c/"]}}`
		}
		_, _ = io.WriteString(w, body)
	})
	bodies["keys"] = ""
	v := vaultOf(t, config.VaultCluster{Address: address})
	var out struct{ Name string }
	if err := v.Read(t.Context(), VaultNamespace, "a", &out); err != nil || out.Name != "x" {
		t.Errorf("%+v, %v", out, err)
	}
	for path, want := range map[string]estate.FailureKind{"no": estate.BadAnswer, "nu": estate.BadAnswer, "away": estate.Missing} {
		if f := Classify(v.Read(t.Context(), VaultNamespace, path, &out), ""); f == nil || f.Kind != want || strings.Contains(f.Error(), "CANARY") {
			t.Errorf("%s: %v, want %q", path, f, want)
		}
	}
	names, err := v.List(t.Context(), "keys")
	if err != nil || len(names) != 2 || !listed {
		t.Errorf("listed %v, %v", names, err)
	}
	if wrapped {
		t.Error("an answer was asked for that would have to be unwrapped")
	}
	if names, err := v.List(t.Context(), "empty"); err != nil || len(names) != 0 {
		t.Errorf("what is empty listed as %v, %v", names, err)
	}
	if _, err := v.List(t.Context(), "a"); Classify(err, "").Kind != estate.BadAnswer {
		t.Errorf("a list without keys: %v", err)
	}
}

// A token that cannot be sent never reaches the wire, and does not keep from asking
// what needs none.
func TestVaultTokenThatCannotBeSent(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	var token []string
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		token = r.Header["X-Vault-Token"]
		_, _ = io.WriteString(w, `{"sealed":true}`)
	})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("hvs.CANARY\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := vaultOf(t, config.VaultCluster{Address: address, TokenFile: file})
	if f := Classify(v.Read(t.Context(), VaultRoot, "x", nil), ""); f.Kind != estate.NoIdentity || strings.Contains(f.Error(), "CANARY") {
		t.Errorf("%v", f)
	}
	a, err := v.Ask(t.Context(), "sys/health")
	if err != nil || string(a.Body) != `{"sealed":true}` || a.Code != 200 || len(token) != 0 {
		t.Errorf("%+v, %v, sent token %v", a, err, token)
	}
}
