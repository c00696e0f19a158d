package drill

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"warroom/internal/drill/pgsim"
	"warroom/internal/drill/vaultsim"
)

// vaultPolicy is what the token of the world may do: what docs/permissions.md says
// that reading needs.
//
//go:embed vault-policy.hcl
var vaultPolicy string

// Names of the listeners of the two Vault clusters, the first of each the active
// node, and the files of their tokens.
var (
	vaultPrimaryNodes   = []string{"vault-primary", "vault-primary-2", "vault-primary-3"}
	vaultSecondaryNodes = []string{"vault-secondary", "vault-secondary-2", "vault-secondary-3"}
)

const (
	fileVaultPrimary   = "vault-primary.token"
	fileVaultAdmin     = "vault-admin.token" // the primary's root token, to break and mend it by hand
	fileVaultSecondary = "vault-secondary.token"

	vaultRoot = "vault_admin" // as whom Vault changes passwords

	vaultLag   = 45 * time.Second // of the secondary: the line to its site is too slow for what the primary writes
	vaultAge   = 410 * day        // of the primary
	vaultToken = 6*day + 4*time.Hour
)

// vaultUser is a database user whose password Vault rotates. All do: the security
// group was changed for the function alone.
type vaultUser struct {
	name     string
	period   time.Duration
	schedule string        // in place of period
	ago      time.Duration // its last rotation, where it has a period
}

var vaultUsers = []vaultUser{
	{name: "reporting_user", period: 7 * day, ago: 2*day + 3*time.Hour},
	{name: "orders_user", period: 48 * time.Hour, ago: 26 * time.Hour},
	{name: "inventory_user", period: 36 * time.Hour, ago: 13 * time.Hour},
	{name: "billing_user", schedule: "30 2 * * *"},
	{name: "search_user", period: 48 * time.Hour, ago: 5 * time.Hour},
}

// last is when the user's password was rotated last.
func (u vaultUser) last(e *estate) time.Time {
	if u.schedule == "" {
		return e.ago(u.ago)
	}
	at := e.began.UTC().Truncate(day).Add(2*time.Hour + 30*time.Minute)
	if at.After(e.began) {
		at = at.Add(-day)
	}
	return at
}

// makeVaultUsers makes the roles without their passwords: to hash those takes
// longer than all else, and nobody logs in with one before the world is ready.
func (e *estate) makeVaultUsers(c *pgsim.Cluster) {
	c.SetRole(pgsim.Role{Name: vaultRoot, CanLogin: true, Superuser: true, ConnLimit: -1})
	for _, u := range vaultUsers {
		c.SetRole(pgsim.Role{Name: u.name, CanLogin: true, ConnLimit: -1})
	}
}

// keepVaultUsers sets the passwords that Vault has, and then rotates them when their
// time comes, until the world ends.
func (e *estate) keepVaultUsers() {
	set, ended := make(chan struct{}), make(chan struct{})
	// ALTER ROLE, as Vault does it on the primary.
	e.vault.OnRotate(func(_, user, password string) error {
		select {
		case <-set:
		case <-ended:
		}
		if _, ok := e.postgres.RoleOf(user); !ok {
			return fmt.Errorf("failed to execute query: ERROR: role %q does not exist (SQLSTATE 42704)", user)
		}
		e.postgres.SetPassword(user, password)
		return nil
	})
	e.run(func() {
		for _, u := range vaultUsers {
			e.postgres.SetPassword(u.name, e.password("vault current "+u.name))
		}
		e.postgres.SetPassword(vaultRoot, e.password("vault root"))
		close(set)
		tick := time.NewTicker(vaultsim.Every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				e.vault.Tick()
			case <-ended:
				return
			}
		}
	}, func() { close(ended) })
}

// makeVault makes the pair: a primary in which all is well, and a performance
// secondary that is behind.
func (e *estate) makeVault() error {
	nodes := func(names []string) []vaultsim.NodeOptions {
		var out []vaultsim.NodeOptions
		for _, name := range names {
			// Clusters talk to each other on a port of their own, at which nothing
			// listens here.
			out = append(out, vaultsim.NodeOptions{Name: name, Host: name + ".company.com", API: "https://" + e.address(name), Cluster: "https://" + name + ".company.com:8201"})
		}
		return out
	}
	license := e.began.Truncate(day).Add(200*day - time.Second)
	e.vault = vaultsim.New(vaultsim.Options{
		Clock: e.now, Seed: e.seed, Name: "company-primary", Enterprise: true, License: license, Nodes: nodes(vaultPrimaryNodes),
		Began: e.ago(vaultAge), Active: e.ago(19*day + 2*time.Hour), Writes: 12,
	})
	v := e.vault
	for _, m := range []vaultsim.Mount{
		{Path: "secret/", Type: "kv", Version: 2, Description: "secrets of the services"},
		{Path: "platform/", Type: "kv", Version: 2, Description: "secrets of the platform"},
		{Path: "payments/", Type: "kv", Version: 2, Description: "secrets in the scope of PCI DSS"},
		{Path: "legacy/", Type: "kv", Version: 1, Description: "what has not moved yet"},
		{Path: "database/", Type: "database", Description: "passwords of the production database"},
		{Path: "pki/", Type: "pki", Description: "certificates of company.com"},
		{Path: "auth/approle/", Type: "approle"},
		{Path: "auth/kubernetes/", Type: "kubernetes"},
		{Path: "auth/oidc/", Type: "oidc", Description: "people"},
	} {
		v.Mount(m)
	}
	v.AddAudit(vaultsim.Audit{Path: "file/", Type: "file", Options: map[string]string{"file_path": "/var/log/vault/audit.log"}})
	if err := errors.Join(v.SetPolicy("warroom-read", vaultPolicy), v.SetPolicy("warroom-act", vaultActPolicy)); err != nil {
		return err
	}
	e.fillVault()
	if err := e.makeCopies(); err != nil {
		return err
	}
	v.AddDatabase(vaultsim.Database{
		Mount: "database/", Name: databaseName, URL: "postgresql://{{username}}:{{password}}@db.company.com:5432/" + databaseName + "?sslmode=verify-full",
		Username: vaultRoot, Password: e.password("vault root"), Allowed: []string{"*"}, Hashing: "scram-sha-256",
	})
	for _, u := range vaultUsers {
		if err := v.AddStaticRole(vaultsim.StaticRole{
			Mount: "database/", Name: strings.TrimSuffix(u.name, "_user"), Database: databaseName, User: u.name, Password: e.password("vault current " + u.name),
			Period: u.period, Schedule: u.schedule, Last: u.last(e),
		}); err != nil {
			return err
		}
	}
	v.SetCA("pki/", e.pki.cert, e.pki.key)
	v.AddPKIRole("pki/", "web", 90*day, "company.com")
	e.vaultSecondary = vaultsim.New(vaultsim.Options{
		Clock: e.now, Seed: e.seed + 1, Name: "company-secondary", License: license, Nodes: nodes(vaultSecondaryNodes),
		Began: e.ago(300 * day), Active: e.ago(33*day + 5*time.Hour), Primary: v, Lag: vaultLag,
	})
	if err := errors.Join(
		e.vaultFiles(v, fileVaultPrimary, fileVaultPrimaryAct, fileVaultPrimaryShares),
		e.vaultFiles(e.vaultSecondary, fileVaultSecondary, fileVaultSecondaryAct, fileVaultSecondaryShares),
	); err != nil {
		return err
	}
	if err := e.write(fileVaultAdmin, []byte(v.RootToken()+"\n")); err != nil {
		return err
	}
	for i := range vaultPrimaryNodes {
		e.web(vaultPrimaryNodes[i], v.Node(i), true)
		e.web(vaultSecondaryNodes[i], e.vaultSecondary.Node(i), true)
	}
	e.keepVaultUsers()
	return nil
}

// vaultToken is the token with which a cluster is read. It opens nothing else.
func (w *World) vaultToken(file string) string { return "hvs.CAESI" + w.text(file, 86) }

// vaultEnv is the environment of the vault command line.
func (w *World) vaultEnv() []string {
	return []string{
		"VAULT_ADDR=https://" + w.address(vaultPrimaryNodes[0]),
		"VAULT_CACERT=" + w.file(fileCA),
		"VAULT_TOKEN=" + w.vaultToken(fileVaultPrimary),
	}
}

func (w *World) vaultExamples() []string {
	secondary := "VAULT_ADDR=https://" + w.address(vaultSecondaryNodes[0]) + " "
	return []string{
		"vault status",
		"vault kv list secret/prod",
		"vault list database/static-roles",
		"vault operator raft autopilot state",
		"VAULT_TOKEN=$(cat " + shellQuote(w.file(fileVaultAdmin)) + ") vault token lookup",
		secondary + "vault read -format=json sys/replication/status",
		secondary + "VAULT_TOKEN=$(cat " + shellQuote(w.file(fileVaultSecondary)) + ") vault token lookup",
	}
}

// vaultConfig fills the clusters into the world's warroom.yaml.
func (w *World) vaultConfig() []string {
	var out []string
	for _, c := range []struct {
		name             string
		nodes            []string
		token, actTokens string
	}{
		{"PRIMARY", vaultPrimaryNodes, fileVaultPrimary, fileVaultPrimaryAct}, {"SECONDARY", vaultSecondaryNodes, fileVaultSecondary, fileVaultSecondaryAct},
	} {
		var nodes []string
		for _, n := range c.nodes {
			nodes = append(nodes, fmt.Sprintf("%q", "https://"+w.address(n)))
		}
		out = append(out,
			"${VAULT_"+c.name+"}", "https://"+w.address(c.nodes[0]), "${VAULT_"+c.name+"_NODES}", strings.Join(nodes, ", "),
			"${VAULT_"+c.name+"_TOKEN}", fmt.Sprintf("%q", w.file(c.token)), "${VAULT_"+c.name+"_ACT}", fmt.Sprintf("%q", w.file(c.actTokens)))
	}
	return out
}
