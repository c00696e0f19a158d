package lab

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tool runs a program to its end, and returns what it printed.
func tool(t *testing.T, env []string, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, env...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestRealPgBouncer(t *testing.T) {
	d := running(t, "pgbouncer")
	primary := func(statement string) {
		t.Helper()
		if out, err := ask(t, d.Primary, d.Primary.Superuser, d.Primary.SuperuserPassword, "verify-full", statement); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	primary("CREATE ROLE lab_pooled LOGIN PASSWORD 'first'")
	defer primary("DROP ROLE lab_pooled")
	pooled := &PostgresURL{Host: d.PgBouncer.Host, Port: d.PgBouncer.Port, CAFile: d.PgBouncer.CAFile}
	if out, err := ask(t, pooled, "lab_pooled", "first", "verify-full", "SELECT current_user"); err != nil || out != "lab_pooled" {
		t.Errorf("a role of the primary: %q, %v", out, err)
	}
	if out, err := ask(t, pooled, "lab_pooled", "wrong", "verify-full", "SELECT 1"); err == nil {
		t.Errorf("a wrong password: %q", out)
	}
	console := *pooled
	cmd := func(statement string) (string, error) {
		home := t.TempDir()
		passfile := filepath.Join(home, "pgpass")
		if err := os.WriteFile(passfile, []byte("*:*:*:*:"+d.PgBouncer.AdminPassword+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return tool(t, []string{"PGPASSFILE=" + passfile}, filepath.Join(postgresBin(), "psql"), "-X", "-w", "-q", "-A", "-t", "-c", statement,
			"host="+console.Host+" port="+itoa(console.Port)+" user="+d.PgBouncer.AdminUser+" dbname=pgbouncer sslmode=verify-full sslrootcert="+console.CAFile)
	}
	if out, err := cmd("SHOW POOLS"); err != nil || !strings.Contains(out, "lab_pooled") {
		t.Errorf("the admin console: %q, %v", out, err)
	}
}

func TestRealVault(t *testing.T) {
	d := running(t, "vault")
	vault := func(at *VaultURL, token string, args ...string) (string, error) {
		t.Helper()
		env := []string{"VAULT_ADDR=" + at.Address, "VAULT_CACERT=" + at.CAFile}
		if token != "" {
			text, err := os.ReadFile(token)
			if err != nil {
				t.Fatal(err)
			}
			env = append(env, "VAULT_TOKEN="+string(text))
		}
		return tool(t, env, d.VaultCLI, args...)
	}
	standby := *d.Vault
	standby.Address = d.Vault.StandbyAddress
	for _, test := range []struct {
		what, says string
		at         *VaultURL
		token      string
		fails      bool
		args       []string
	}{
		{"the active node", "HA Mode active", d.Vault, "", false, []string{"status"}},
		{"the standby", "HA Mode standby", &standby, "", false, []string{"status"}},
		{"the sealed one", `"sealed": true`, d.VaultSealed, "", true, []string{"status", "-format=json"}},
		{"one that was never initialised", `"initialized": false`, d.VaultUninitialised, "", true, []string{"status", "-format=json"}},
		{"the reader lists", "db/", d.Vault, d.Vault.ReadTokenFile, false, []string{"kv", "list", "secret/prod"}},
		{"the reader sees metadata", `"current_version": 3`, d.Vault, d.Vault.ReadTokenFile, false, []string{"kv", "metadata", "get", "-format=json", "secret/prod/db/postgres"}},
		{"the reader sees no value", "permission denied", d.Vault, d.Vault.ReadTokenFile, true, []string{"kv", "get", "secret/prod/db/postgres"}},
		{"the reader sees no static credential", "permission denied", d.Vault, d.Vault.ReadTokenFile, true, []string{"read", "database/static-creds/app"}},
		{"the reader sees the audit devices", "file/", d.Vault, d.Vault.ReadTokenFile, false, []string{"audit", "list"}},
		{"the reader sees autopilot", `"Healthy": true`, d.Vault, d.Vault.ReadTokenFile, false, []string{"operator", "raft", "autopilot", "state", "-format=json"}},
		{"the copy is a version behind", `"current_version": 1`, d.VaultSecondary, d.VaultSecondary.ReadTokenFile, false, []string{"kv", "metadata", "get", "-format=json", "secret/" + d.VaultSecondary.Behind[0]}},
		{"the copy lacks one", "No value found", d.VaultSecondary, d.VaultSecondary.ReadTokenFile, true, []string{"kv", "metadata", "get", "secret/" + d.VaultSecondary.Missing[0]}},
	} {
		out, err := vault(test.at, test.token, test.args...)
		if (err != nil) != test.fails || !strings.Contains(strings.Join(strings.Fields(out), " "), test.says) {
			t.Errorf("%s: %v: %s", test.what, err, out)
		}
	}
	read := func(path string) string {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if out, err := vault(d.Vault, "", "write", "-format=json", "auth/approle/login", "role_id="+read(d.Vault.RoleIDFile), "secret_id="+read(d.Vault.SecretIDFile)); err != nil || !strings.Contains(out, vaultReader) {
		t.Errorf("the login by AppRole: %v", err)
	}
	if text := read(d.Vault.AuditFile); !strings.Contains(text, "secret/metadata/prod") {
		t.Error("the audit file does not have what was just listed")
	}
}

// The role whose rotation fails is found by its age, and the other one works.
func TestRealVaultStaticRoles(t *testing.T) {
	d := running(t, "vault")
	root, err := os.ReadFile(d.Vault.RootTokenFile)
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"VAULT_ADDR=" + d.Vault.Address, "VAULT_CACERT=" + d.Vault.CAFile, "VAULT_TOKEN=" + string(root)}
	password, err := tool(t, env, d.VaultCLI, "read", "-field=password", "database/static-creds/"+d.Vault.StaticRole)
	if err != nil {
		t.Fatalf("%v: %s", err, password)
	}
	if out, err := ask(t, d.Primary, vaultStaticRole, password, "verify-full", "SELECT current_user"); err != nil || out != vaultStaticRole {
		t.Errorf("with Vault's password: %q, %v", out, err)
	}
	at := func() time.Time {
		t.Helper()
		text, err := tool(t, env, d.VaultCLI, "read", "-field=last_vault_rotation", "database/static-roles/"+d.Vault.StuckRole)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		when, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	first := at()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for time.Since(first) < 12*time.Second && ctx.Err() == nil {
		time.Sleep(200 * time.Millisecond)
	}
	if last := at(); !last.Equal(first) {
		t.Errorf("a role that cannot be rotated was, at %v after %v", last, first)
	}
}

func TestRealKubernetes(t *testing.T) {
	d := running(t, "kubernetes")
	k := d.Kubernetes
	kubectl := func(kubeconfig string, args ...string) (string, error) {
		t.Helper()
		return tool(t, []string{"KUBECONFIG=" + kubeconfig}, d.Kubectl, args...)
	}
	get := func(path, what string) string {
		t.Helper()
		parts := strings.Split(path, "/")
		out, err := kubectl(k.Kubeconfig, "get", parts[1], parts[len(parts)-1], "-n", parts[0], "-o", "jsonpath={"+what+"}")
		if err != nil {
			t.Fatalf("%s of %s: %v: %s", what, path, err, out)
		}
		return out
	}
	for _, test := range []struct{ path, what, want string }{
		{k.Deployment, ".status.readyReplicas", "3"},
		{k.StatefulSet, ".spec.updateStrategy.type", "OnDelete"},
		{k.DaemonSet, ".status.numberReady", "2"},
		{k.Stuck, `.status.conditions[?(@.type=="Progressing")].reason`, "ProgressDeadlineExceeded"},
	} {
		if got := get(test.path, test.what); got != test.want {
			t.Errorf("%s of %s is %q, want %q", test.what, test.path, got, test.want)
		}
	}
	if out, err := kubectl(k.ReadKubeconfig, "get", "externalsecrets", "-n", "shop", "-o", `jsonpath={.items[*].status.conditions[0].reason}`); err != nil || out != "SecretSynced SecretSyncedError" {
		t.Errorf("the external secrets: %q, %v", out, err)
	}
	if out, err := kubectl(k.ReadKubeconfig, "get", "deployments", "-n", "ops"); err != nil {
		t.Errorf("the reader lists: %q, %v", out, err)
	}
	if out, err := kubectl(k.ReadKubeconfig, "get", "deployments", "-A"); err == nil || !strings.Contains(out, "forbidden") {
		t.Errorf("the reader lists every namespace: %q, %v", out, err)
	}
	if out, err := kubectl(k.Kubeconfig, "version"); err != nil || strings.Count(out, strings.TrimPrefix(kubeVersion[0], "-X=k8s.io/component-base/version.gitVersion=")) != 2 {
		t.Errorf("the versions: %q, %v", out, err)
	}
	if out, err := kubectl(k.ReadKubeconfig, "rollout", "restart", "deployment/user-service", "-n", "shop"); err == nil || !strings.Contains(out, "forbidden") {
		t.Errorf("the reader restarts: %q, %v", out, err)
	}
	if out, err := kubectl(k.Kubeconfig, "get", "pods", "-n", "shop", "-l", "app=reports", "-o", `jsonpath={.items[0].status.containerStatuses[0].state.waiting.reason}`); err != nil || out != "CrashLoopBackOff" {
		t.Errorf("the one that crashes: %q, %v", out, err)
	}
}

// A restart really rolls, in a namespace of its own.
func TestRealRollout(t *testing.T) {
	d := running(t, "kubernetes")
	kubectl := func(args ...string) string {
		t.Helper()
		out, err := tool(t, []string{"KUBECONFIG=" + d.Kubernetes.Kubeconfig}, d.Kubectl, args...)
		if err != nil {
			t.Fatalf("kubectl %v: %v: %s", args, err, out)
		}
		return out
	}
	kubectl("create", "namespace", "lab-rollout")
	defer kubectl("delete", "namespace", "lab-rollout", "--wait=false")
	kubectl("create", "deployment", "rolls", "-n", "lab-rollout", "--image=lab.test/rolls:1", "--replicas=2")
	kubectl("rollout", "status", "deployment/rolls", "-n", "lab-rollout", "--timeout=60s")
	before := kubectl("get", "pods", "-n", "lab-rollout", "-o", "name")
	kubectl("rollout", "restart", "deployment/rolls", "-n", "lab-rollout")
	kubectl("rollout", "status", "deployment/rolls", "-n", "lab-rollout", "--timeout=60s")
	after := kubectl("get", "pods", "-n", "lab-rollout", "-o", "name", "--field-selector=status.phase=Running")
	for pod := range strings.FieldsSeq(before) {
		if strings.Contains(after, pod) && !strings.Contains(kubectl("get", pod, "-n", "lab-rollout", "--ignore-not-found", "-o", "jsonpath={.metadata.deletionTimestamp}"), "T") {
			t.Errorf("%s is from before the restart: %s", pod, after)
		}
	}
}

func TestRealACME(t *testing.T) {
	d := running(t, "acme")
	ca, err := loadCA(d.ACME.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	var directory struct {
		NewOrder    string `json:"newOrder"`
		RenewalInfo string `json:"renewalInfo"`
	}
	api := newREST(d.ACME.Directory, ca)
	defer api.close()
	if err := api.call(t.Context(), http.MethodGet, "", nil, &directory); err != nil || directory.NewOrder == "" || directory.RenewalInfo == "" {
		t.Errorf("the directory: %+v, %v", directory, err)
	}
	if text, err := os.ReadFile(d.ACME.IssuerFile); err != nil || !strings.Contains(string(text), "BEGIN CERTIFICATE") {
		t.Errorf("the issuer's certificate: %.40s, %v", text, err)
	}
}

func TestRealSystemd(t *testing.T) {
	d := running(t, "systemd")
	// By the bus alone, as a program finds it.
	env := []string{"DBUS_SESSION_BUS_ADDRESS=" + d.Systemd.BusAddress}
	for _, test := range []struct{ unit, property, want string }{
		{d.Systemd.GoodUnit, "SubState", `s "running"`},
		{d.Systemd.FailedUnit, "ActiveState", `s "failed"`},
		{d.Systemd.Timer, "ActiveState", `s "active"`},
	} {
		path, err := tool(t, env, "busctl", "--user", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "LoadUnit", "s", test.unit)
		if err != nil {
			t.Fatalf("%v: %s", err, path)
		}
		object := strings.Trim(strings.TrimPrefix(path, "o "), `"`)
		if got, err := tool(t, env, "busctl", "--user", "get-property", "org.freedesktop.systemd1", object, "org.freedesktop.systemd1.Unit", test.property); err != nil || got != test.want {
			t.Errorf("%s of %s is %q, %v, want %q", test.property, test.unit, got, err, test.want)
		}
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil && !bootedWithSystemd() {
		t.Error("the machine has a /run/systemd/system, which makes programs take it for one that was booted with systemd")
	}
}

// bootedWithSystemd says that the machine's own first process is systemd.
func bootedWithSystemd() bool {
	name, err := os.ReadFile("/proc/1/comm")
	return err == nil && strings.TrimSpace(string(name)) == "systemd"
}

func TestRealToxiproxy(t *testing.T) {
	d := running(t, "toxiproxy")
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	api := newREST(d.Toxiproxy.API, nil)
	defer api.close()
	if err := api.call(t.Context(), http.MethodPost, "/proxies", map[string]any{"name": "lab-test", "listen": address(port), "upstream": strings.TrimPrefix(d.Toxiproxy.API, "http://"), "enabled": true}, nil); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := api.call(context.WithoutCancel(t.Context()), http.MethodDelete, "/proxies/lab-test", nil, nil); err != nil {
			t.Error(err)
		}
	}()
	through := newREST("http://"+address(port), nil)
	defer through.close()
	var version map[string]any
	if err := through.call(t.Context(), http.MethodGet, "/proxies", nil, &version); err != nil {
		t.Errorf("through the proxy: %v", err)
	}
	if err := api.call(t.Context(), http.MethodPost, "/proxies/lab-test/toxics", map[string]any{"type": "reset_peer", "stream": "downstream"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := through.call(t.Context(), http.MethodGet, "/proxies", nil, nil); err == nil {
		t.Error("a connection that is reset answers")
	}
}

// The config is one that warroom takes, and names what there is.
func TestRealEstate(t *testing.T) {
	d := running(t, "estate")
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", "--config", d.Config, "config", "validate")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "valid: ") {
		t.Errorf("%v: %s", err, out)
	}
	out, err := tool(t, nil, "sh", "-c", `. "$1" && psql service=pooler -XAtc "SELECT 'pooled'" && vault token lookup -format=json && kubectl get namespaces -o name && aws secretsmanager describe-secret --secret-id prod/db/postgres`, "sh", d.Environment)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"pooled\n", `"root"`, "namespace/shop", `"RotationEnabled": true`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}

// The description is a contract: keys are only ever added to it.
func TestRealDescriptionKeys(t *testing.T) {
	running(t, "estate")
	text, err := os.ReadFile(os.Getenv(Variable))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../docs/lab.md")
	if err != nil {
		t.Fatal(err)
	}
	for key := range all {
		if !strings.Contains(string(docs), "`"+key+"`") {
			t.Errorf("docs/lab.md does not explain %s", key)
		}
	}
}
