package database_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"warroom/actions"
	"warroom/actions/contain"
	"warroom/actions/database"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill/awssim"
	"warroom/internal/drill/pgsim"
	"warroom/internal/drill/vaultsim"
	"warroom/internal/incident"
	"warroom/internal/plan"
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

// name is how the estate calls the secret.
func (w *world) name() string {
	if w.shape.kv {
		return inVault
	}
	return target
}

// stored are all passwords of the app that are stored anywhere, by user.
func (w *world) stored() map[string]string {
	out := map[string]string{}
	if !w.shape.kv {
		s, _ := w.aws.Secret(target)
		for _, v := range s.Versions {
			var fields struct{ Username, Password string }
			if json.Unmarshal([]byte(v.Value), &fields) == nil {
				out[fields.Password] = fields.Username
			}
		}
		return out
	}
	for _, path := range []string{"secret/data/prod/db/app", "secret/data/prod/db/app.warroom-pending"} {
		for n := range 6 {
			s, err := w.root().Logical().ReadWithData(path, map[string][]string{"version": {strconv.Itoa(n)}})
			if err != nil || s == nil {
				continue
			}
			if data, ok := s.Data["data"].(map[string]any); ok {
				out[fmt.Sprint(data["password"])] = fmt.Sprint(data["username"])
			}
		}
	}
	return out
}

// staged is user and password of the version under a label; for Vault of the latest.
func (w *world) staged(stage string) (user, password string) {
	if w.shape.kv {
		path := "secret/data/prod/db/app"
		if stage == "AWSPENDING" {
			path += ".warroom-pending"
		}
		s, err := w.root().Logical().Read(path)
		if err != nil {
			w.t.Fatal(err)
		}
		if s == nil {
			return "", ""
		}
		data, _ := s.Data["data"].(map[string]any)
		return fmt.Sprint(data["username"]), fmt.Sprint(data["password"])
	}
	return labelled(w.aws, stage)
}

func labelled(sim *awssim.Sim, stage string) (user, password string) {
	s, _ := sim.Secret(target)
	for _, v := range s.Versions {
		var fields struct{ Username, Password string }
		if slices.Contains(v.Stages, stage) && json.Unmarshal([]byte(v.Value), &fields) == nil {
			return fields.Username, fields.Password
		}
	}
	return "", ""
}

// takes reports whether the primary lets somebody in.
func (w *world) takes(user, password string) bool {
	r, ok := w.pg.RoleOf(user)
	return ok && r.CanLogin && matches(r.Verifier, password) && (r.Infinite || r.ValidUntil.IsZero() || r.ValidUntil.After(time.Now()))
}

// matches reports whether a verifier was made of a password.
func matches(verifier, password string) bool {
	_, rest, _ := strings.Cut(verifier, ":")
	text, _, _ := strings.Cut(rest, "$")
	salt, err := base64.StdEncoding.DecodeString(text)
	return err == nil && verifier != "" && pgsim.NewVerifier(password, salt) == verifier
}

// safe checks what must hold whatever happened: some stored password logs in.
func (w *world) safe(when string) {
	w.t.Helper()
	for password, user := range w.stored() {
		if w.takes(user, password) {
			return
		}
	}
	w.t.Errorf("%s: no stored password logs in", when)
}

// rotated checks that a new password is current, works, and nothing is left over.
func (w *world) rotated(when string) {
	w.t.Helper()
	user, password := w.staged("AWSCURRENT")
	if password == now || password == oldest || !w.takes(user, password) {
		w.t.Errorf("%s: what is current is not new, or does not log in", when)
	}
	w.tidy(when)
	w.copied(when, password)
}

func (w *world) copied(when, password string) {
	w.t.Helper()
	if !w.shape.copies {
		return
	}
	_, west := labelled(w.west, "AWSCURRENT")
	s, err := w.root().Logical().Read("secret/data/copies/app")
	if err != nil || s == nil {
		w.t.Fatalf("read the copy: %v", err)
	}
	data, _ := s.Data["data"].(map[string]any)
	if west != password || data["password"] != password || data["note"] != "kept as it is" {
		w.t.Errorf("%s: the copies do not hold the password, or lost what else they held", when)
	}
}

// tidy checks that no label, tag or value of a rotation is left.
func (w *world) tidy(when string) {
	w.t.Helper()
	if w.shape.kv {
		if _, password := w.staged("AWSPENDING"); password != "" {
			w.t.Errorf("%s: a pending value is left in Vault", when)
		}
		return
	}
	s, _ := w.aws.Secret(target)
	for _, v := range s.Versions {
		for _, label := range v.Stages {
			if label != "AWSCURRENT" && label != "AWSPREVIOUS" {
				w.t.Errorf("%s: label %s is left", when, label)
			}
		}
	}
	if held := s.Tags["warroom:rotation"]; held != "" {
		w.t.Errorf("%s: the tag %q is left", when, held)
	}
}

// engine is a console on the world, as after its start.
func (w *world) engine() *actions.Engine { return w.console("anna", w.log, w.calls) }

func (w *world) console(operator string, journal actions.Log, around clients.Permit) *actions.Engine {
	w.t.Helper()
	systems := actions.Systems{Config: w.cfg, Read: clients.New(w.cfg), Act: clients.NewActing(w.cfg), Holder: operator + "@war"}
	scrub := func(s string) string { return systems.Read.Net().Scrub(systems.Act.Net().Scrub(s)) }
	e := actions.New(actions.Options{
		Procedures: append(database.Procedures(systems), contain.Procedures(systems)...), Systems: systems, Environment: "production",
		Operator: operator, Host: "war", PID: os.Getpid(), Scrub: scrub, Around: around,
	})
	e.Attach(journal, filepath.Join(w.t.TempDir(), "recovery.log"))
	if _, err := e.Arm(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { e.Close(); systems.Read.Close(); systems.Act.Close() })
	return e
}

// consent is everything that a plan asks for.
func consent(p *plan.Plan) plan.Consent {
	c := plan.Consent{Plan: p.ID, Fingerprint: p.Fingerprint(), Typed: p.Target, Reason: "test"}
	for _, w := range p.Warnings {
		if w.Accept {
			c.Accepted = append(c.Accepted, w.ID)
		}
	}
	return c
}

// do plans and carries out, and gives what came of it.
func (w *world) do(e *actions.Engine, ask plan.Request) (plan.Progress, error) {
	w.t.Helper()
	if ask.Target == "" && ask.Of == "" {
		ask.Target = w.name()
	}
	p, err := e.Plan(w.t.Context(), ask)
	if err != nil {
		return plan.Progress{}, err
	}
	w.clean(p)
	if err := e.Start(w.t.Context(), consent(p)); err != nil {
		return plan.Progress{}, err
	}
	return e.Wait(w.t.Context(), p.ID)
}

// must is do that has to end in a state.
func (w *world) must(e *actions.Engine, state plan.RunState, ask plan.Request) plan.Progress {
	w.t.Helper()
	got, err := w.do(e, ask)
	if err != nil {
		w.t.Fatalf("%s: %v", ask.Procedure, err)
	}
	if got.State != state {
		w.t.Fatalf("%s ended %s, want %s: %s; %s\n%s", ask.Procedure, got.State, state, got.Trouble, got.Next, lines(got))
	}
	w.clean(got)
	return got
}

func lines(p plan.Progress) string {
	var out strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&out, "%s %s: %s\n", s.ID, s.State, s.Detail)
	}
	for _, l := range p.Log {
		fmt.Fprintf(&out, "%s %s\n", l.Mark, l.Text)
	}
	return out.String()
}

// clean checks that no value of the world, and none that was made in it, is in what
// was journalled or told.
func (w *world) clean(told ...any) {
	w.t.Helper()
	w.log.mu.Lock()
	events := slices.Clone(w.log.events)
	w.log.mu.Unlock()
	secrets := []string{canary}
	for password := range w.stored() {
		if password != "" && password != "empty" {
			secrets = append(secrets, password)
		}
	}
	for name, what := range map[string]any{"journal": events, "told": told, "calls": w.calls.list()} {
		raw, err := json.Marshal(what)
		if err != nil {
			w.t.Fatal(err)
		}
		text := string(raw) + fmt.Sprintf("%+v", what)
		for _, secret := range secrets {
			if at := strings.Index(text, secret); at >= 0 {
				w.t.Errorf("a value is in the %s: …%s…", name, strings.ReplaceAll(text[max(0, at-200):at], "\n", " "))
			}
		}
	}
}

// memory is a journal in memory. When it is dead, nothing can be written.
type memory struct {
	mu     sync.Mutex
	fold   incident.Fold
	state  *incident.State
	events []incident.Event
	dead   bool
	writes int
	dies   int // the write, from 1, from which on it is dead; 0 for never
}

var errDead = errors.New("the process is dead")

// Record satisfies actions.Log.
func (m *memory) Record(_ context.Context, events ...incident.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if m.dead || m.dies > 0 && m.writes >= m.dies {
		m.dead = true
		return errDead
	}
	for _, e := range events {
		e.Seq = uint64(len(m.events) + 1)
		if e.At.IsZero() {
			e.At = time.Now()
		}
		line, err := incident.Encode(e)
		if err != nil {
			return err
		}
		if e, err = incident.Decode(e.Seq, line); err != nil {
			return err
		}
		m.events = append(m.events, e)
		m.fold.Apply(e)
	}
	m.state = m.fold.State()
	return nil
}

// Case satisfies actions.Log.
func (m *memory) Case() *incident.Case {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &incident.Case{State: m.state, Writing: true}
}

// Now satisfies actions.Log.
func (m *memory) Now() time.Time { return time.Now() }

// recorder sees every call, and dies before or after one of them.
type recorder struct {
	mu    sync.Mutex
	calls []clients.Call
	dies  int // the call, from 1, at which the process dies; 0 for never
	after bool
	dead  bool
	also  func() // what dies with it
	fault func(n int, c clients.Call, do func() error) error
}

// Around satisfies clients.Permit.
func (r *recorder) Around(_ context.Context, c clients.Call, do func() error) error {
	r.mu.Lock()
	if r.dead {
		r.mu.Unlock()
		return errDead
	}
	r.calls = append(r.calls, c)
	n := len(r.calls)
	fault := r.fault
	die := r.dies > 0 && n == r.dies
	if die {
		r.dead = true
		if r.also != nil {
			r.also()
		}
	}
	r.mu.Unlock()
	switch {
	case die && r.after:
		_ = do() // it took effect, and nobody hears of it
		return errDead
	case die:
		return errDead
	case fault != nil:
		return fault(n, c, do)
	}
	return do()
}

func (r *recorder) list() []clients.Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// reborn is the recorder of the next process.
func (r *recorder) reborn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls, r.dies, r.after, r.dead, r.also, r.fault = nil, 0, false, false, nil, nil
}
