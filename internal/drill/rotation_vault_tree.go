package drill

import (
	"math/rand/v2"
	"time"

	"warroom/internal/drill/vaultsim"
)

// vaultSecrets is how many secrets Vault holds.
const vaultSecrets = 2847

// vaultTeams are the teams of the company with their services.
var vaultTeams = []struct {
	name     string
	services []string
}{
	{"accounts", []string{"user-service", "sign-in", "profile", "sessions", "consent", "invitations"}},
	{"analytics", []string{"analytics-service", "reports", "events", "warehouse-loader", "dashboards"}},
	{"catalogue", []string{"products", "prices", "stock", "images", "reviews", "suggestions"}},
	{"checkout", []string{"cart", "orders", "vouchers", "taxes", "shipping", "returns"}},
	{"customer-care", []string{"tickets", "chat", "callbacks", "surveys"}},
	{"integrations", []string{"partner-gateway", "erp", "crm", "edi", "webhooks"}},
	{"logistics", []string{"warehouse", "routes", "carriers", "labels", "tracking"}},
	{"marketing", []string{"campaigns", "mail", "push", "segments", "landing-pages"}},
	{"mobile", []string{"app-backend", "feature-flags", "device-registry"}},
	{"search", []string{"search", "search-indexer", "synonyms"}},
}

// vaultKinds are the secrets that a service has, the commonest first.
var vaultKinds = []string{
	"database", "api-key", "session-key", "broker", "cache", "object-store", "mail", "webhook-signing", "encryption", "oauth-client", "metrics", "feature-flags",
	"backup", "sentry", "ssh", "signing", "partner", "license",
}

// fillVault plants the tree: the platform's and the payments' own mounts, what has
// not moved yet, and the services in three environments, which have the rest.
func (e *estate) fillVault() {
	r := e.source("vault tree")
	left := vaultSecrets
	plant := func(mount string, paths []string) {
		paths = paths[:min(left, len(paths))]
		left -= len(paths)
		e.vault.AddSecrets(mount, e.written(r, paths))
	}
	environments := []string{"prod", "staging", "dev"}
	var platform, payments, legacy, services []string
	for _, env := range environments {
		for _, part := range []string{"ci", "registry", "dns", "monitoring", "logging", "mesh", "backup", "identity"} {
			for _, kind := range vaultKinds[:10] {
				platform = append(platform, env+"/"+part+"/"+kind)
			}
		}
		for _, part := range []string{"payment-service", "ledger", "fraud", "payouts", "card-vault", "reconciliation"} {
			for _, kind := range vaultKinds[:9] {
				payments = append(payments, env+"/"+part+"/"+kind)
			}
		}
	}
	for _, part := range []string{"billing-host", "intranet", "old-shop", "ftp"} {
		for _, kind := range vaultKinds[:12] {
			legacy = append(legacy, part+"/"+kind)
		}
	}
	plant("platform/", platform)
	plant("payments/", payments)
	plant("legacy/", legacy)
	// Every service gets one kind after another until all are planted.
	for _, kind := range vaultKinds {
		for _, env := range environments {
			for _, team := range vaultTeams {
				for _, service := range team.services {
					services = append(services, env+"/"+team.name+"/"+service+"/"+kind)
				}
			}
		}
	}
	plant("secret/", services)
}

// copies are the stored secrets of which Vault keeps a copy in secret/, for what runs
// outside of Kubernetes.
var copies = map[string]string{
	"prod/db/postgres": "prod/accounts/user-service/database",
	"prod/api/payment": "prod/integrations/webhooks/api-key",
}

// makeCopies gives the copies the value that is current in the store.
func (e *estate) makeCopies() error {
	for stored, path := range copies {
		v, err := e.staged(stored, "AWSCURRENT")
		if err != nil {
			return err
		}
		e.vault.AddSecrets("secret/", []vaultsim.KV{{Path: path, Versions: []time.Time{v.Created.Add(-30 * day), v.Created.Add(time.Minute)}, JSON: v.Value}})
	}
	return nil
}

// written gives secrets the times at which they were written: each within the
// cluster's life, some of them more than once.
func (e *estate) written(r *rand.Rand, paths []string) []vaultsim.KV {
	out := make([]vaultsim.KV, len(paths))
	for i, path := range paths {
		n := 1 + r.IntN(8)*r.IntN(2)/2
		at := e.ago(time.Duration(30+r.IntN(370)) * day).Add(time.Duration(r.IntN(86400)) * time.Second)
		times := make([]time.Time, n)
		for v := range times {
			times[v] = at
			at = at.Add(e.began.Sub(at) / 3)
		}
		out[i] = vaultsim.KV{Path: path, Versions: times}
	}
	return out
}
