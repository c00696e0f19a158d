package database_test

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"warroom/internal/config"
	"warroom/internal/drill/awssim"
	"warroom/internal/drill/pgsim"
	"warroom/internal/drill/vaultsim"
	"warroom/internal/incident"
)

// Values of the world. Each begins with canary, which nothing that is told may hold.
const (
	canary   = "canary-"
	oldest   = canary + "oldest-7YqPk2Wd9sVb4Nf6"
	now      = canary + "now-Zk8Lm3Xc5Rt1Gh7Jq0"
	stuck    = canary + "stuck-Hj4Bv6Dw8Fs2Ka9Lp"
	boss     = canary + "boss-Ty5Nu7Me3Qa1Cz6Xo"
	watching = canary + "watching-Rw9Eg2Vb5Hy8Ul"
	target   = "prod/db/app"
	inVault  = "secret/prod/db/app"
	day      = 24 * time.Hour
)

// shape says how a world differs from the usual one.
type shape struct {
	secret    string // how the database block of the rotation is
	kv        bool   // the secret is kept in Vault
	copies    bool   // there are copies in Vault and in the other account
	schedule  bool   // a rotation function rotates it by a schedule
	pending   string // what is pending: stuck, empty, or a password
	database  string // the password that the database takes; now when empty
	replica   bool
	blind     bool // no monitoring role
	ended     bool // VALID UNTIL has passed
	exclusive bool // the user is configured at the component
}

// world is a store, a database, and perhaps a Vault.
type world struct {
	t     *testing.T
	shape shape
	aws   *awssim.Sim
	west  *awssim.Sim
	pg    *pgsim.Cluster
	vault *vaultsim.Cluster
	url   string // of Vault
	cfg   *config.Config
	log   *memory
	calls *recorder
}

func newWorld(t *testing.T, s shape) *world {
	t.Helper()
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "fake", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
		"AWS_ENDPOINT_URL": "", "AWS_REGION": "", "AWS_CA_BUNDLE": "", "VAULT_TOKEN": "", "VAULT_ADDR": "", "VAULT_NAMESPACE": "",
	} {
		t.Setenv(k, v)
	}
	w := &world{t: t, shape: s, log: &memory{}, calls: &recorder{}}
	w.makePostgres()
	w.aws, w.west = w.account("us-west-2"), w.account("us-east-1")
	w.makeVault()
	w.makeSecrets()
	urls := map[string]string{}
	for name, sim := range map[string]*awssim.Sim{"${AWS}": w.aws, "${WEST}": w.west} {
		server := httptest.NewServer(sim)
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		t.Cleanup(func() { server.CloseClientConnections(); server.Close(); sim.Wait() })
		urls[name] = server.URL
	}
	primary, replica := w.listen(w.pg.Primary()), w.listen(w.pg.Replica())
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(w.vault.RootToken()), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("${AWS}", urls["${AWS}"], "${WEST}", urls["${WEST}"], "${PRIMARY}", primary, "${REPLICA}", replica,
		"${VAULT}", w.url, "${TOKEN}", token).Replace(w.yaml())
	cfg, err := config.Parse(filepath.Join(t.TempDir(), "warroom.yaml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	w.cfg = cfg
	declared, err := incident.Declare("anna", incident.Declared{ID: "2026-11-23-1", Severity: "SEV1", Summary: "passwords", Started: time.Now(), Environment: "production", Roles: map[incident.Role]string{incident.Commander: "anna"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.log.Record(t.Context(), declared); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) account(region string) *awssim.Sim {
	return awssim.New(awssim.Options{Region: region, Seed: 7, Credentials: map[string]awssim.Credential{
		"AKIATEST": {SecretKey: "fake", Principal: "arn:aws:iam::123456789012:user/warroom"},
	}})
}

func (w *world) makePostgres() {
	c := pgsim.New(pgsim.Options{Seed: 7, Databases: []string{"production"}, MaxConnections: 100})
	w.pg = c
	w.t.Cleanup(c.Close)
	c.SetPassword("postgres", boss)
	c.SetRole(pgsim.Role{Name: "watch", CanLogin: true, ConnLimit: -1, Monitor: true})
	c.SetPassword("watch", watching)
	c.SetRole(pgsim.Role{Name: "keeper", CanLogin: true, ConnLimit: -1, CreateRole: true})
	c.SetPassword("keeper", boss)
	password := w.shape.database
	if password == "" {
		password = now
	}
	c.SetPassword("app", password)
	if w.shape.ended {
		c.SetValidUntil("app", time.Now().Add(-time.Hour))
	}
}

func (w *world) listen(s *pgsim.Server) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }() // ends with the cluster
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func (w *world) makeVault() {
	l := httptest.NewUnstartedServer(nil)
	w.vault = vaultsim.New(vaultsim.Options{Seed: 7, Storage: vaultsim.InMem, Nodes: []vaultsim.NodeOptions{{API: "http://" + l.Listener.Addr().String()}}})
	l.Config.Handler, l.Config.ErrorLog = w.vault, log.New(io.Discard, "", 0)
	l.Start()
	w.url = l.URL
	w.t.Cleanup(func() { l.CloseClientConnections(); l.Close() })
	w.vault.Mount(vaultsim.Mount{Path: "secret/", Type: "kv", Version: 2})
	root := w.root()
	write := func(path string, data map[string]any) {
		if _, err := root.Logical().Write(path, map[string]any{"data": data}); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, password := range []string{oldest, now} {
		write("secret/data/prod/db/app", map[string]any{"username": "app", "password": password, "host": "127.0.0.1"})
	}
	write("secret/data/copies/app", map[string]any{"username": "app", "password": now, "note": "kept as it is"})
	if w.shape.kv && w.shape.pending != "" {
		write("secret/data/prod/db/app.warroom-pending", map[string]any{"username": "app", "password": w.shape.pending, "host": "127.0.0.1"})
	}
}

// root is a client that may do everything.
func (w *world) root() *api.Client {
	cfg := api.DefaultConfig()
	cfg.Address = w.url
	c, err := api.NewClient(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	c.SetToken(w.vault.RootToken())
	return c
}

// object is a stored value.
func object(user, password string) string {
	raw, _ := json.Marshal(map[string]any{"engine": "postgres", "host": "127.0.0.1", "port": 5432, "dbname": "production", "username": user, "password": password})
	return string(raw)
}

func (w *world) makeSecrets() {
	then := time.Now().Add(-14 * day)
	version := func(id, value string, stages ...string) awssim.Version {
		return awssim.Version{ID: strings.Repeat(id, 8) + "-0000-4000-8000-000000000000", Value: value, Stages: stages, Created: then}
	}
	main := awssim.Secret{Name: target, Created: then, LastRotated: then, Versions: []awssim.Version{
		version("a", object("app", oldest), "AWSPREVIOUS"), version("b", object("app", now), "AWSCURRENT"),
	}}
	switch w.shape.pending {
	case "":
	case "empty":
		main.Versions = append(main.Versions, version("c", "", "AWSPENDING"))
	default:
		main.Versions = append(main.Versions, version("c", object("app", w.shape.pending), "AWSPENDING"))
	}
	if w.shape.schedule {
		w.aws.AddFunction(awssim.Function{Name: "rotate-postgres", Policy: w.aws.InvokePolicy("rotate-postgres")})
		main.RotationLambda, main.RotateAfterDays, main.NextRotation = "rotate-postgres", 14, time.Now().Add(2*time.Hour)
	}
	w.aws.AddSecret(main)
	w.west.AddSecret(awssim.Secret{Name: target, Created: then, Versions: []awssim.Version{version("d", object("app", now), "AWSCURRENT")}})
	for name, value := range map[string]string{"prod/db/root": object("postgres", boss), "prod/db/watch": object("watch", watching), "prod/db/keeper": object("keeper", boss)} {
		w.aws.AddSecret(awssim.Secret{Name: name, Created: then, Versions: []awssim.Version{version("e", value, "AWSCURRENT")}})
	}
}

func (w *world) yaml() string {
	how := w.shape.secret
	if how == "" {
		how = "{ emergency: prod/db/root }"
	}
	copies := ""
	if w.shape.copies {
		copies = `
            copies:
              - { account: west, secret: prod/db/app }
              - { cluster: main, path: secret/copies/app }`
	}
	rule := `
          type: database
          rotation:
            database: ` + how + copies
	name, kept, beside := target, `
        - id: prod/db/app`+rule, ""
	if w.shape.kv {
		name, kept = inVault, ""
		beside = `
      secrets:
        - id: secret/prod/db/app` + rule
	}
	monitor := ", monitor: prod/db/watch"
	if w.shape.blind {
		monitor = ""
	}
	user := ""
	if w.shape.exclusive {
		user = ", user: app"
	}
	server := func(id, role, port string) string {
		return `
  - id: ` + id + `
    name: ` + id + `
    plane: state
    postgres: { host: 127.0.0.1, port: ` + port + `, database: production, role: ` + role + `, sslmode: disable, secret: ` + name + monitor + user + ` }`
	}
	replica := ""
	if w.shape.replica {
		replica = server("standby", "replica", "${REPLICA}")
	}
	return `
version: 1
environment: production
checks: { timeout: 5s }
recovery: { replay_deadline: 10s }
aws:
  - { name: main, region: us-west-2, endpoint: "${AWS}" }
  - { name: west, region: us-east-1, endpoint: "${WEST}" }
vaults:
  - { name: main, address: "${VAULT}", token_file: "${TOKEN}" }
components:
  - id: secrets-manager
    name: Secrets Manager
    plane: service
    secrets_manager:
      account: main
      secrets:` + kept + `
        - { id: prod/db/root, type: database }
        - { id: prod/db/watch, type: database }
        - { id: prod/db/keeper, type: database }
  - id: rotation
    name: Rotation
    plane: service
    rotation_function: { account: main, function: rotate-postgres }
  - id: vault
    name: Vault
    plane: state
    vault:
      cluster: main` + beside + server("main-db", "primary", "${PRIMARY}") + replica + `
  - id: users
    name: Users
    plane: service
    criticality: critical
    application: { secrets: [` + name + `], unit: users.service }
`
}
