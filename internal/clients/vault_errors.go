package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/api"

	"warroom/internal/estate"
)

const (
	nextVaultToken  = "log in to Vault again, or correct token_file, VAULT_TOKEN or ~/.vault-token"
	nextVaultDenied = "allow this call to the token's policies"
	nextVaultSealed = "unseal it with its key shares, or see why its automatic unseal fails"
	nextVaultBare   = "see whether this is the cluster meant, and whether its storage was lost; a new one is initialised with vault operator init"
)

// sortVault judges what Vault itself said, its words before the HTTP status. A
// refusal (403) without a word on the token stays Denied here; whether the token
// is the reason is found out by Vault.judge.
func sortVault(e *api.ResponseError) (estate.FailureKind, string, string) {
	if e.RawError {
		return sortStatus(e.StatusCode) // a proxy's page: Vault always answers in JSON
	}
	said := vaultWords(e.Errors)
	text := fmt.Sprintf("HTTP %d", e.StatusCode)
	if said != "" {
		text += ": " + said
	}
	has := func(words string) bool { return strings.Contains(said, words) }
	switch code := e.StatusCode; {
	case has("Vault is sealed"):
		return estate.Sealed, strings.Trim(strings.TrimPrefix(said, "Vault is sealed"), ", "), nextVaultSealed
	case has("invalid token"), has("bad token"), has("missing client token"):
		return estate.NoIdentity, text, nextVaultToken
	case code == http.StatusTooManyRequests:
		return estate.Throttled, text, "the check slows down by itself; see the rate limit quotas (vault read sys/quotas/rate-limit/…)"
	case code == http.StatusPreconditionFailed:
		return estate.Silent, text + ": this node has not yet taken over what it was asked for", "wait for it to catch up with the active node"
	case code == http.StatusForbidden, has("permission denied"):
		return estate.Denied, text, nextVaultDenied
	case has("unsupported path"), has("unsupported operation"), has("raft storage is not in use"), has("enterprise-only feature"),
		has("disabled in replication DR secondary mode"), code == http.StatusMethodNotAllowed:
		return estate.NotSupported, text, ""
	case has("active cluster node not found"), has("no active node"):
		return estate.ServerError, text, "no node of this cluster is active: see the seal status of each, and its storage"
	case code == http.StatusNotFound:
		return estate.Missing, text, ""
	case code >= 500:
		return estate.ServerError, text, "see the log of Vault"
	}
	return estate.Broken, text, ""
}

// bare tells a Vault that was never initialised from one that is sealed: to whoever
// asks anything else of it, it says that it is sealed, and it has no key shares.
func (v *Vault) bare(ctx context.Context, f *estate.Failure) *estate.Failure {
	if f.Kind != estate.Sealed {
		return f
	}
	client, err := v.session(VaultRoot, true)
	if err != nil {
		return f
	}
	res, err := vaultGet(ctx, client, "sys/seal-status", nil)
	if res == nil || res.Response == nil {
		return f
	}
	defer func() { _ = res.Body.Close() }()
	var body struct{ Initialized *bool }
	if err != nil || json.NewDecoder(res.Body).Decode(&body) != nil || body.Initialized == nil || *body.Initialized {
		return f
	}
	g := *f
	g.Kind, g.Detail, g.Next = estate.Uninitialised, "", nextVaultBare
	return &g
}

// vaultWords joins what Vault said, without the frame that it puts around lists of
// errors ("2 errors occurred:" and bullets).
func vaultWords(errs []string) string {
	var out []string
	for _, e := range errs {
		for line := range strings.Lines(e) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasSuffix(line, "occurred:") {
				continue
			}
			out = append(out, strings.TrimPrefix(line, "* "))
		}
	}
	return strings.Join(out, ", ")
}
