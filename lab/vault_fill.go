package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
)

// vaultReaderPolicy is what warroom may do on Vault, as docs/permissions.md has
// it with compare_with: no secret's value is among it.
const vaultReaderPolicy = `
path "sys/mounts"                       { capabilities = ["read"] }
path "sys/auth"                         { capabilities = ["read"] }
path "sys/audit"                        { capabilities = ["read", "sudo"] }
path "sys/ha-status"                    { capabilities = ["read"] }
path "sys/storage/raft/autopilot/state" { capabilities = ["read"] }
path "secret/metadata/*"                { capabilities = ["list", "read"] }
path "database/static-roles/*"          { capabilities = ["list", "read"] }
`

// vaultEntry is one path below the KV mount "secret".
type vaultEntry struct {
	path     string
	versions int // how often it was written
	copied   int // how many of them the second cluster has
}

// vaultEntries are a tree of three levels. The second cluster lacks one entry
// and is a version behind with another.
var vaultEntries = []vaultEntry{
	{"prod/db/postgres", 3, 3},
	{"prod/db/analytics", 2, 1},
	{"prod/db/monitoring", 1, 1},
	{"prod/api/external", 1, 1},
	{"prod/api/payment", 4, 4},
	{"prod/auth/gateway-token", 1, 0},
	{"prod/auth/signing", 1, 1},
	{"stage/db/postgres", 1, 1},
	{"stage/api/external", 1, 1},
	{"shared/smtp", 2, 2},
	{"shared/tls/internal", 1, 1},
	{"top", 1, 1},
}

// Roles of PostgreSQL that Vault's database engine manages. The second one can
// no longer be rotated: it became a superuser, which the engine may not change.
const (
	vaultEngineRole = "lab_vault"
	vaultStaticRole = "lab_vault_app"
	vaultStuckRole  = "lab_vault_stuck"
	vaultReader     = "warroom-read" // the name of the policy
)

// startAudit has the first cluster write down every request. A request that is
// under way while a device is added fails with "internal error", and a node that
// joins asks but once: so nothing else may be going on.
func (v *vaults) startAudit(ctx context.Context) error {
	device := map[string]any{"type": "file", "options": map[string]string{"file_path": v.auditFile()}}
	return v.first.root.call(ctx, http.MethodPut, "/v1/sys/audit/file", device, nil)
}

func (v *vaults) auditFile() string { return filepath.Join(v.active.dir, "audit.log") }

// fillFirst gives the first cluster what there is to read.
func (v *vaults) fillFirst(ctx context.Context, s *Site) error {
	root := v.first.root
	for _, one := range []struct {
		method, path string
		in           any
	}{
		{http.MethodPost, "/v1/sys/auth/approle", map[string]string{"type": "approle"}},
		{http.MethodPost, "/v1/sys/mounts/database", map[string]string{"type": "database"}},
	} {
		if err := root.call(ctx, one.method, one.path, one.in, nil); err != nil {
			return err
		}
	}
	if err := v.fillKV(ctx, v.active, &v.first, func(e vaultEntry) int { return e.versions }); err != nil {
		return err
	}
	return errors.Join(v.makeAppRole(ctx), v.makeStaticRoles(ctx, s))
}

func (v *vaults) fillSecond(ctx context.Context) error {
	return v.fillKV(ctx, v.copy, &v.second, func(e vaultEntry) int { return e.copied })
}

// fillKV mounts KV version 2, writes as many versions of each entry as versions
// says, and makes the policy and the token of a reader.
func (v *vaults) fillKV(ctx context.Context, n *vaultNode, access *vaultAccess, versions func(vaultEntry) int) error {
	root := access.root
	if err := root.call(ctx, http.MethodPost, "/v1/sys/mounts/secret", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}}, nil); err != nil {
		return err
	}
	// A new mount answers for a moment that it is being upgraded.
	if err := poll(ctx, n.process, func(ctx context.Context) error {
		return root.call(ctx, http.MethodGet, "/v1/secret/config", nil, nil)
	}); err != nil {
		return err
	}
	for _, entry := range vaultEntries {
		for range versions(entry) {
			value := map[string]any{"data": map[string]string{"username": "lab", "password": rand.Text()}}
			if err := root.call(ctx, http.MethodPost, "/v1/secret/data/"+entry.path, value, nil); err != nil {
				return err
			}
		}
	}
	policy := map[string]string{"policy": vaultReaderPolicy}
	if err := root.call(ctx, http.MethodPut, "/v1/sys/policies/acl/"+vaultReader, policy, nil); err != nil {
		return err
	}
	var made struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	want := map[string]any{"policies": []string{vaultReader}, "ttl": "72h", "display_name": "warroom"}
	if err := root.call(ctx, http.MethodPost, "/v1/auth/token/create", want, &made); err != nil {
		return err
	}
	return writePrivate(access.readerTokenFile, made.Auth.Token)
}

// makeAppRole lets a program log in by AppRole as the reader.
func (v *vaults) makeAppRole(ctx context.Context) error {
	root, path := v.first.root, "/v1/auth/approle/role/warroom"
	if err := root.call(ctx, http.MethodPost, path, map[string]any{"token_policies": []string{vaultReader}, "token_ttl": "1h"}, nil); err != nil {
		return err
	}
	var answer struct {
		Data struct {
			RoleID   string `json:"role_id"`
			SecretID string `json:"secret_id"`
		} `json:"data"`
	}
	if err := root.call(ctx, http.MethodGet, path+"/role-id", nil, &answer); err != nil {
		return err
	}
	if err := root.call(ctx, http.MethodPost, path+"/secret-id", map[string]any{}, &answer); err != nil {
		return err
	}
	v.approle = vaultAppRole{
		roleIDFile: filepath.Join(v.active.dir, "approle-role-id"), secretIDFile: filepath.Join(v.active.dir, "approle-secret-id"),
	}
	return errors.Join(
		writePrivate(v.approle.roleIDFile, answer.Data.RoleID),
		writePrivate(v.approle.secretIDFile, answer.Data.SecretID),
	)
}

// makeStaticRoles has the database engine rotate two roles of the lab's
// PostgreSQL, and then keeps it from rotating one of them.
func (v *vaults) makeStaticRoles(ctx context.Context, s *Site) error {
	if err := s.Await(ctx, v.primary.Name()); err != nil {
		return err
	}
	password := rand.Text()
	if _, err := v.primary.sql(ctx, fmt.Sprintf("CREATE ROLE %s LOGIN CREATEROLE PASSWORD %s;\nCREATE ROLE %s LOGIN;\nCREATE ROLE %s LOGIN;\n",
		vaultEngineRole, quote(password), vaultStaticRole, vaultStuckRole)); err != nil {
		return err
	}
	// From version 16 on only who administers a role may change it.
	if _, err := v.primary.sql(ctx, fmt.Sprintf("SELECT current_setting('server_version_num')::int >= 160000 AS needed \\gset\n\\if :needed\nGRANT %s, %s TO %s WITH ADMIN OPTION;\n\\endif\n",
		vaultStaticRole, vaultStuckRole, vaultEngineRole)); err != nil {
		return err
	}
	root := v.first.root
	if err := root.call(ctx, http.MethodPost, "/v1/database/config/lab-postgres", map[string]any{
		"plugin_name":             "postgresql-database-plugin",
		"connection_url":          fmt.Sprintf("postgresql://{{username}}:{{password}}@127.0.0.1:%d/postgres?sslmode=verify-full&sslrootcert=%s", v.primary.port, v.primary.ca),
		"username":                vaultEngineRole,
		"password":                password,
		"password_authentication": "scram-sha-256",
		"allowed_roles":           []string{"app", "stuck"},
	}, nil); err != nil {
		return err
	}
	for _, role := range []struct{ name, user, period string }{
		{"app", vaultStaticRole, "24h"},
		{"stuck", vaultStuckRole, "5s"}, // the shortest that Vault takes
	} {
		if err := root.call(ctx, http.MethodPost, "/v1/database/static-roles/"+role.name, map[string]any{
			"db_name": "lab-postgres", "username": role.user, "rotation_period": role.period,
			"rotation_statements": []string{`ALTER ROLE "{{name}}" WITH PASSWORD '{{password}}';`},
		}, nil); err != nil {
			return err
		}
	}
	_, err := v.primary.sql(ctx, fmt.Sprintf("ALTER ROLE %s SUPERUSER;\n", vaultStuckRole))
	return err
}

func (v *vaults) Describe(d *Description) {
	d.VaultCLI = v.program
	d.Vault = &VaultURL{
		Address: v.active.address(), StandbyAddress: v.standby.address(), CAFile: v.primary.ca,
		RootTokenFile: v.first.rootTokenFile, ReadTokenFile: v.first.readerTokenFile, UnsealKeyFile: v.first.unsealKeyFile,
		RoleIDFile: v.approle.roleIDFile, SecretIDFile: v.approle.secretIDFile, AuditFile: v.auditFile(),
		Mount: "secret", Entries: len(vaultEntries), StaticRole: "app", StuckRole: "stuck",
	}
	missing, behind := []string{}, []string{}
	for _, entry := range vaultEntries {
		switch {
		case entry.copied == 0:
			missing = append(missing, entry.path)
		case entry.copied < entry.versions:
			behind = append(behind, entry.path)
		}
	}
	d.VaultSecondary = &VaultURL{
		Address: v.copy.address(), CAFile: v.primary.ca,
		RootTokenFile: v.second.rootTokenFile, ReadTokenFile: v.second.readerTokenFile, UnsealKeyFile: v.second.unsealKeyFile,
		Mount: "secret", Entries: len(vaultEntries) - len(missing), Missing: missing, Behind: behind,
	}
	d.VaultSealed = &VaultURL{Address: v.sealed.address(), CAFile: v.primary.ca}
	d.VaultUninitialised = &VaultURL{Address: v.empty.address(), CAFile: v.primary.ca}
}
