package clients

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"warroom/internal/estate"
)

// VaultSealStatus is how one node of a Vault cluster is sealed, as it says to
// anybody.
type VaultSealStatus struct {
	Type        string `json:"type"` // shamir, awskms, transit …
	Initialized bool   `json:"initialized"`
	Sealed      bool   `json:"sealed"`
	Threshold   int    `json:"t"`
	Shares      int    `json:"n"`
	Progress    int    `json:"progress"` // shares given to the unsealing under way
	Nonce       string `json:"nonce"`    // of the unsealing under way; another one means that it was begun anew
	Version     string `json:"version"`
	Cluster     string `json:"cluster_name"`
	Storage     string `json:"storage_type"`
	Recovery    bool   `json:"recovery_seal"`
}

// Shamir reports whether people hold the shares of the key, in place of a key
// service.
func (s VaultSealStatus) Shamir() bool { return s.Type == "shamir" || s.Type == "" && !s.Recovery }

// VaultSealBackend is a key service with which a Vault unseals itself.
type VaultSealBackend struct {
	Name    string
	Healthy bool
	Since   time.Time // when it became unhealthy; zero where that is not told
}

// At is one node of the cluster by its own address, as who has no token: what a node
// says to anybody, and what it takes from anybody, the shares of its key. The address
// must be one of https, or on this machine.
func (v *Vault) At(address string) (*Vault, error) {
	to, err := url.Parse(address)
	if err == nil && to.Host == "" {
		err = errors.New("it names no host")
	}
	if err != nil {
		return nil, &estate.Failure{
			Kind: estate.Misconfigure, Doing: "use the node " + v.set.Text(address, 120) + " of Vault cluster " + v.cluster.Name,
			Detail: v.set.Text(err.Error(), DetailLimit), Next: "correct its nodes in warroom.yaml",
		}
	}
	if f := inClear(to); f != nil {
		return nil, f
	}
	one := v.cluster
	one.Address, one.Namespace, one.TokenFile = address, "", os.DevNull
	return newVault(v.set, one, v.limit), nil
}

// SealStatus reads how this node is sealed.
func (v *Vault) SealStatus(ctx context.Context) (VaultSealStatus, error) {
	const path = "sys/seal-status"
	a, err := v.Ask(ctx, path)
	if err != nil {
		return VaultSealStatus{}, err
	}
	var status VaultSealStatus
	var said struct{ Sealed *bool }
	if a.Code != http.StatusOK || json.Unmarshal(a.Body, &status) != nil || json.Unmarshal(a.Body, &said) != nil || said.Sealed == nil {
		return VaultSealStatus{}, v.Refusal(ctx, a, path)
	}
	return v.fit(status), nil
}

// fit makes the words of a status fit to be kept.
func (v *Vault) fit(s VaultSealStatus) VaultSealStatus {
	for _, text := range []*string{&s.Type, &s.Nonce, &s.Version, &s.Cluster, &s.Storage} {
		*text = v.set.Text(*text, 120)
	}
	return s
}

// SealBackends reads how the key services are with which this Vault unseals itself.
// Vault tells it to anybody since 1.16; an older one answers with NotSupported.
func (v *Vault) SealBackends(ctx context.Context) ([]VaultSealBackend, error) {
	const path = "sys/seal-backend-status"
	a, err := v.Ask(ctx, path)
	if err != nil {
		return nil, err
	}
	var body struct {
		Backends []struct {
			Name    string
			Healthy bool
			Since   string `json:"unhealthy_since"`
		}
	}
	if a.Code != http.StatusOK || json.Unmarshal(a.Body, &body) != nil {
		f := v.Refusal(ctx, a, path)
		if f.Kind == estate.Missing || f.Kind == estate.Denied || f.Kind == estate.NoIdentity {
			f.Kind, f.Next = estate.NotSupported, ""
		}
		return nil, f
	}
	const most = 20
	var out []VaultSealBackend
	for _, b := range body.Backends[:min(len(body.Backends), most)] {
		since, _ := time.Parse(time.RFC3339, b.Since) // zero when it is not told
		out = append(out, VaultSealBackend{Name: v.set.Text(b.Name, 120), Healthy: b.Healthy, Since: since})
	}
	return out, nil
}

// Unseal gives this node one share of its key, and says how it is sealed then. The
// share is sent nowhere else and is in no error. A node takes the same share twice as
// one. The error is an *estate.Failure: BadSecret where Vault says that the share, or
// all that it was given together, do not open it; it has dropped them all then.
func (v *Vault) Unseal(ctx context.Context, share estate.Secret) (VaultSealStatus, error) {
	doing := "give a key share to " + v.set.Text(v.cluster.Address, 120) + " of Vault cluster " + v.cluster.Name
	v.set.net.Register(share.Reveal())
	client, err := v.session(VaultRoot, true)
	if err != nil {
		return VaultSealStatus{}, v.set.Failure(err, doing)
	}
	status, err := client.Sys().UnsealWithContext(ctx, share.Reveal())
	var said *api.ResponseError
	switch {
	case errors.As(err, &said) && !said.RawError && said.StatusCode == http.StatusBadRequest:
		return VaultSealStatus{}, &estate.Failure{Kind: estate.BadSecret, Doing: doing, Detail: v.set.Text(strings.TrimSpace(vaultWords(said.Errors)), DetailLimit)}
	case err != nil:
		return VaultSealStatus{}, v.set.Failure(err, doing)
	case status == nil:
		return VaultSealStatus{}, &estate.Failure{Kind: estate.BadAnswer, Doing: doing, Detail: "the answer is empty", Next: "check what listens at this address"}
	}
	return v.fit(VaultSealStatus{
		Type: status.Type, Initialized: status.Initialized, Sealed: status.Sealed, Threshold: status.T, Shares: status.N, Progress: status.Progress,
		Nonce: status.Nonce, Version: status.Version, Cluster: status.ClusterName, Storage: status.StorageType, Recovery: status.RecoverySeal,
	}), nil
}
