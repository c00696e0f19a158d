package discover

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/hashicorp/vault/api"

	"warroom/internal/config"
)

// vault is a Vault cluster that answered, in whatever state.
type vault struct {
	config.VaultCluster
	version, cluster string
	sealed           bool
	token            bool // there is a token to read with
}

func vaultAddress() string { return os.Getenv(api.EnvVaultAddress) }

func (l *looker) vault(ctx context.Context, cfg config.VaultCluster) {
	what := "Vault at " + oneLine(vaultAddress())
	l.Progress(what)
	client, err := l.set.Vault(cfg.Name)
	if err != nil {
		l.note(what, err)
		return
	}
	conn, err := client.Client()
	if err != nil {
		l.note(what, err)
		return
	}
	// The body says what the code only hints at, whatever the code.
	res, err := conn.Logical().ReadRawWithContext(ctx, "sys/health")
	if res == nil || res.Body == nil {
		if err == nil {
			err = fmt.Errorf("no answer")
		}
		l.note(what, err)
		return
	}
	defer res.Body.Close()
	var said struct {
		Sealed      bool   `json:"sealed"`
		Version     string `json:"version"`
		ClusterName string `json:"cluster_name"`
	}
	if err := json.NewDecoder(res.Body).Decode(&said); err != nil || said.Version == "" {
		l.note(what, fmt.Errorf("what listens there answers %d and does not speak as Vault does", codeOf(res.Response)))
		return
	}
	found := vault{VaultCluster: cfg, version: oneLine(said.Version), cluster: oneLine(said.ClusterName), sealed: said.Sealed, token: conn.Token() != ""}
	found.Address = vaultAddress()
	found.Namespace = os.Getenv(api.EnvVaultNamespace)
	found.CACert = os.Getenv(api.EnvVaultCACert)
	l.add(func(f *Found) { f.vaults = append(f.vaults, found) })
}

func codeOf(res *http.Response) int {
	if res == nil {
		return 0
	}
	return res.StatusCode
}
