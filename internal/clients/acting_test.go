package clients

import (
	"net/http"
	"strings"
	"testing"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// A request to somebody else's API holds its values to itself.
func TestDo(t *testing.T) {
	var got *http.Request
	var hops int
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		hops++
		got = r
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/keys", http.StatusTemporaryRedirect)
			return
		}
		http.Error(w, "echo: "+r.Header.Get("Authorization"), http.StatusBadRequest)
	})
	set := NewActing(&config.Config{})
	h := set.HTTP("")
	ctx := WithPermit(t.Context(), &book{})
	ask := HTTPRequest{Method: "POST", URL: address + "/keys", Header: map[string]estate.Secret{"Authorization": estate.NewSecret("Bearer " + changeCanary)}, Body: estate.NewSecret(`{"key":"` + changeCanary + `"}`)}
	a, err := h.Do(ctx, ask)
	if err != nil || a.Code != 400 || strings.Contains(a.Text(string(a.Body), 200), "CANARY") {
		t.Fatalf("%v", err)
	}
	if got.Header.Get("User-Agent") != ActingAgent || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("sent %v", got.Header)
	}
	ask.URL, hops = address+"/moved", 0
	if a, err = h.Do(ctx, ask); err != nil || a.Code != 307 || hops != 1 {
		t.Errorf("a redirect: %d hops, %v", hops, err)
	}
	ask.URL, ask.ReadOnly = address+"/keys", true
	if a, err = h.Do(t.Context(), ask); err != nil || a.Code != 400 {
		t.Errorf("a probe by POST: %v", err)
	}
	for name, bad := range map[string]HTTPRequest{
		"clear":  {URL: "http://192.0.2.1/x", Header: ask.Header},
		"method": {Method: "NO METHOD", URL: address},
		"header": {URL: address, Header: map[string]estate.Secret{"X": estate.NewSecret(changeCanary + "\n")}},
		"gone":   {URL: "http://127.0.0.1:1/x", Header: ask.Header},
	} {
		if _, err := h.Do(ctx, bad); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSketch(t *testing.T) {
	for sql, want := range map[string]string{
		`ALTER ROLE "app" PASSWORD 'SCRAM-SHA-256$4096:x$y:z' VALID UNTIL 'infinity'`: `ALTER ROLE "app" PASSWORD '…' VALID UNTIL '…'`,
		"SELECT E'a\\'b''c'": "SELECT '…'",
		"SELECT 'open":       "SELECT '…'",
		"DO $x$ secret $x$":  "DO '…'",
		" SELECT\n1 ":        "SELECT 1",
	} {
		if got := sketch(sql); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
}

func TestActingIdentities(t *testing.T) {
	cfg := &config.Config{
		AWS:        []config.AWSAccount{{Name: "main", Profile: "read", RoleARN: "arn:read", Act: &config.AWSIdentity{Profile: "act"}}, {Name: "other", RoleARN: "arn:read"}},
		Vaults:     []config.VaultCluster{{Name: "v", TokenFile: "read", Act: &config.VaultIdentity{TokenFile: "act"}}},
		Kubernetes: []config.KubernetesCluster{{Name: "k", Context: "read", Kubeconfig: "file", Act: &config.KubernetesIdentity{Context: "act"}}},
	}
	set := NewActing(cfg)
	if a := set.aws["main"].account; a.Profile != "act" || a.RoleARN != "" {
		t.Errorf("AWS: %+v", a)
	}
	if a := set.aws["other"].account; a.RoleARN != "arn:read" {
		t.Errorf("AWS without act: %+v", a)
	}
	if c := set.vault["v"].cluster; c.TokenFile != "act" {
		t.Errorf("Vault: %+v", c)
	}
	if c := set.kubernetes["k"].cluster; c.Context != "act" || c.Kubeconfig != "file" {
		t.Errorf("Kubernetes: %+v", c)
	}
	if cfg.AWS[0].Profile != "read" || cfg.Vaults[0].TokenFile != "read" {
		t.Error("the configuration itself was changed")
	}
	if id := set.Identity(t.Context(), "files"); id.Err != nil || id.Name == "" {
		t.Errorf("files: %+v", id)
	}
	if id := set.Identity(t.Context(), "moon:x"); id.Err == nil {
		t.Errorf("moon: %+v", id)
	}
}
