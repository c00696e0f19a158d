package vaultsim

import (
	"os/exec"
	"strings"
	"testing"

	"warroom/internal/labtest"
)

// TestCommandLine drives the cluster with the real vault command line.
func TestCommandLine(t *testing.T) {
	if testing.Short() {
		t.Skip("each vault command takes a tenth of a second or more")
	}
	bin := labtest.Tool(t, "vault")
	d := newDatabase(t)
	d.AddAudit(Audit{Path: "file/", Type: "file", Options: map[string]string{"file_path": "/var/log/audit.log"}})
	home := t.TempDir()
	run := func(token string, args ...string) (string, int) {
		cmd := exec.CommandContext(t.Context(), bin, args...)
		cmd.Env = []string{"VAULT_ADDR=" + d.url, "VAULT_TOKEN=" + token, "VAULT_MAX_RETRIES=0", "VAULT_CLI_NO_COLOR=1", "HOME=" + home, "PATH=/usr/bin:/bin"}
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	root := d.RootToken()
	for _, c := range []struct {
		args, token, want string
		code              int
	}{
		{"status", "", "Storage Type              raft", 0},
		{"status", "", "HA Mode                   active", 0},
		{"auth list", root, "token based credentials", 0},
		{"secrets list", root, "secret/       kv           kv_", 0},
		{"audit list", root, "file/", 0},
		{"token lookup", root, "[root]", 0},
		{"token lookup", "hvs.wrong", "permission denied", 2},
		{"kv list secret/", root, "app/", 0},
		{"kv get -field=password secret/app/db", root, canaryValue, 0},
		{"kv put secret/cli/one a=b", root, "secret/data/cli/one", 0},
		{"kv put -cas=7 secret/cli/one a=b", root, "check-and-set parameter did not match", 2},
		{"kv patch secret/cli/one c=d", root, "version            2", 0},
		{"kv metadata get secret/cli/one", root, "current_version         2", 0},
		{"kv delete secret/cli/one", root, "Success", 0},
		{"kv undelete -versions=2 secret/cli/one", root, "Success", 0},
		{"kv get secret/none", root, "No value found at secret/data/none", 2},
		{"kv list secret/none", root, "No value found at secret/metadata/none", 2},
		{"list database/static-roles", root, "app", 0},
		{"read -field=username database/static-creds/app", root, "app_user", 0},
		{"write -f database/rotate-role/app", root, "Success", 0},
		{"policy list", root, "default", 0},
		{"policy read default", root, "lookup-self", 0},
		{"read -format=json sys/replication/status", root, `"mode": "disabled"`, 0},
		{"operator raft list-peers", root, "leader", 0},
		{"operator raft autopilot state", root, "Failure Tolerance:            0", 0},
		{"operator members", root, "Active Node", 0},
		{"token create -policy=default -ttl=1h", root, "token_duration       1h", 0},
		{"secrets enable -path=more -version=2 kv", root, "Success", 0},
		{"kv put more/x a=b", root, "more/data/x", 0},
		{"delete more/metadata/x", root, "Success", 0},
		{"secrets disable more", root, "Success", 0},
		{"login -no-store " + root, "", "You are now authenticated", 0},
		{"token capabilities secret/data/x", root, "root", 0},
		{"operator seal", root, "Success! Vault is sealed.", 0},
		{"status", "", "Sealed                    true", 2},
		{"kv list secret/", root, "Vault is sealed", 2},
		{"operator unseal " + d.UnsealKeys()[0], "", "Unseal Progress           1/3", 0},
		{"operator unseal " + d.UnsealKeys()[1], "", "Unseal Progress           2/3", 0},
		{"operator unseal " + d.UnsealKeys()[2], "", "Sealed                    false", 0},
	} {
		out, code := run(c.token, strings.Fields(c.args)...)
		// Columns are as wide as their longest cell.
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
		if code != c.code || !strings.Contains(squeeze(out), squeeze(c.want)) {
			t.Errorf("vault %s: exit %d\n%s\nwant %d with %s", strings.Fields(c.args)[:2], code, out, c.code, c.want)
		}
	}
}
