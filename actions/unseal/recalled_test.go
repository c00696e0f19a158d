package unseal

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/plan"
)

// TestAForgedJournalGetsNoShares: an earlier run is taken up only with nodes that
// warroom.yaml or the cluster itself names, so that no share goes elsewhere.
func TestAForgedJournalGetsNoShares(t *testing.T) {
	t.Setenv("VAULT_TOKEN", "hvs.none")
	var asked atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer elsewhere.Close()
	var told string // what the cluster says of its nodes
	vault := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/sys/ha-status" && told != "" {
			_, _ = fmt.Fprintf(w, `{"data":{"nodes":[{"api_address":%q}]}}`, told)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer vault.Close()
	const listed = "http://127.0.0.1:8209"
	for _, c := range []struct {
		what, nodes, told, fact string
		ok                      bool
	}{
		{what: "the cluster's own address", fact: vault.URL, ok: true},
		{what: "one that the cluster tells", told: listed, fact: listed, ok: true},
		{what: "its own, and the cluster tells others", told: listed, fact: vault.URL, ok: true},
		{what: "one of warroom.yaml", nodes: `, nodes: ["` + listed + `"]`, fact: listed, ok: true},
		{what: "an address of nobody's", fact: elsewhere.URL},
		{what: "an address of nobody's, among others", fact: vault.URL + " " + elsewhere.URL},
		{what: "not in warroom.yaml", nodes: `, nodes: ["` + listed + `"]`, fact: elsewhere.URL},
		{what: "a path on the right host", fact: vault.URL + "/proxy"},
	} {
		t.Run(c.what, func(t *testing.T) {
			told = c.told
			cfg, err := config.Parse(filepath.Join(t.TempDir(), "warroom.yaml"), []byte(`
version: 1
environment: production
vaults:
  - { name: main, address: "`+vault.URL+`"`+c.nodes+` }
components:
  - { id: vault, name: Vault, plane: state, vault: { cluster: main } }
`))
			if err != nil {
				t.Fatal(err)
			}
			systems := actions.Systems{Config: cfg, Read: clients.New(cfg), Act: clients.NewActing(cfg)}
			defer systems.Read.Close()
			defer systems.Act.Close()
			_, err = New(systems).Prepare(t.Context(), actions.Ask{
				Request: plan.Request{Procedure: Name, Target: "vault", Mode: plan.Resume},
				Past:    &actions.Past{Plan: &plan.Plan{}, Facts: map[string]string{factNodes: c.fact, factSeal: "shamir", factThreshold: "3"}},
			})
			switch {
			case c.ok && err != nil:
				t.Error(err)
			case !c.ok && (err == nil || !strings.Contains(err.Error(), "as the journal does")):
				t.Errorf("it is taken up: %v", err)
			}
		})
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the address of nobody's was asked %d times", n)
	}
}
