package checks

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill/vaultsim"
	"warroom/internal/estate"
)

// A secret that Vault keeps is described by its metadata, stands by the same rules as
// one of Secrets Manager, and brings no value.
func TestSecretsThatVaultKeeps(t *testing.T) {
	const canary = "CANARY-of-a-kept-secret"
	made := time.Now().Add(-48 * time.Hour).Truncate(time.Second)
	c := vaultsim.New(vaultsim.Options{Clock: time.Now})
	c.Mount(vaultsim.Mount{Path: "secret/", Type: "kv", Version: 2})
	data := map[string]string{"password": canary}
	c.AddSecrets("secret/", []vaultsim.KV{
		{Path: "app/db", Versions: []time.Time{made.Add(-time.Hour), made}, Data: data},
		{Path: "app/tagged", Versions: []time.Time{made}, Data: data, Custom: map[string]string{"ends": "2020-01-01", "note": canary}},
		{Path: "app/stuck", Versions: []time.Time{made}, Data: data},
		{Path: "app/stuck" + clients.PendingSuffix, Versions: []time.Time{made}, Data: data},
	})
	server := httptest.NewServer(c)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(c.RootToken()), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse(filepath.Join(t.TempDir(), "w.yaml"), []byte(`version: 1
environment: test
vaults: [{name: v1, address: '`+server.URL+`', token_file: '`+file+`'}]
components:
  - id: vault
    name: Vault
    plane: state
    vault:
      cluster: v1
      secrets:
        - {id: secret/app/db, as: db}
        - {id: secret/app/tagged, as: tagged, expiry: 'tag:ends'}
        - {id: secret/app/stuck, as: stuck}
        - {id: secret/app/gone, as: gone}
  - id: app
    name: App
    plane: service
    application: {secrets: [db]}
`))
	if err != nil {
		t.Fatal(err)
	}
	set := clients.New(cfg)
	defer set.Close()
	ctx := clients.WithPermit(t.Context(), readsOnly{t})
	board := map[string]Result{}
	for _, p := range Probes(cfg, set) {
		if p.Key.Check == estate.CheckDescribe {
			board[p.Key.Item] = p.Read(ctx)
		}
	}
	d, ok := board["db"].Data.(estate.SecretDescription)
	if !ok || len(d.Versions) != 2 || d.Versions[1].ID != "2" || d.Versions[1].Stages[0] != estate.StageCurrent || d.Versions[0].Stages[0] != estate.StagePrevious || !d.LastRotated.Equal(made) {
		t.Errorf("db: %+v, %v", d, board["db"].Err)
	}
	if f := clients.Classify(board["gone"].Err, ""); f == nil || f.Kind != estate.Missing {
		t.Errorf("gone: %v", board["gone"].Err)
	}
	now := time.Now()
	snapshot := estate.NewSnapshot(cfg.Topology(), Expectations(Probes(cfg, set)))
	for name, r := range board {
		o := estate.Observation{Key: estate.Key{Component: "vault", Check: estate.CheckDescribe, Item: name}, At: now, Data: r.Data, Interval: time.Minute}
		if r.Err != nil {
			o.Failure = clients.Classify(r.Err, "read")
		}
		snapshot = snapshot.With(o)
	}
	if text := fmt.Sprintf("%+v", board); strings.Contains(text, "CANARY") {
		t.Errorf("a value is in %s", text)
	}
	reading, ok := estate.Derive(snapshot, now).Of("vault")
	if !ok {
		t.Fatal("Vault has no reading")
	}
	listed := map[string]string{}
	for _, f := range reading.Facts {
		listed[f.Name] = f.Value
	}
	if listed["db"] != "MANUAL" || listed["stuck"] != "FAILED" {
		t.Errorf("Vault lists %v", listed)
	}
	want := map[string]string{"db": "MANUAL", "tagged": "EXPIRED", "stuck": "FAILED", "gone": "?"}
	for _, s := range estate.Standings(snapshot, now) {
		if s.Word != want[s.Secret.ID] && s.Secret.ID != "gone" || s.Secret.ID == "gone" && s.Status != estate.Fail {
			t.Errorf("%s stands as %s (%v: %s)", s.Secret.ID, s.Word, s.Status, s.Note)
		}
	}
}
