package apikey

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill/awssim"
	"warroom/internal/drill/edge"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// Values of the world. Each begins with canary, which nothing that is told may hold.
const (
	canary   = "sk_canary_"
	oldKey   = canary + "old_Zm9vYmFyYmF6cXV4Y29ycw"
	adminKey = canary + "admin_cXV1eGdyYXVsdGdhcnA"
	backup   = canary + "backup_d2FsZG9mcmVkcGx1Z2g"
	staleKey = canary + "stale_eHl6enl0aHVkYmxvcmJsYQ"
	target   = "prod/api/payment"
)

// world is an account of AWS, a provider, and a service that uses its key.
type world struct {
	t        *testing.T
	sim      *awssim.Sim
	west     *awssim.Sim // another region, with a copy
	provider *edge.Provider
	cfg      *config.Config
	log      *memory
	calls    *recorder

	mu     sync.Mutex
	offset time.Duration     // of the provider's and the procedures' clock
	loaded map[string]string // version by service
	health bool              // whether the services answer
	idle   func()            // called for every second that a procedure waits
}

// shape says how a world differs from the usual one.
type shape struct {
	noList, noRevoke, noCreate, noLastUsed, replay, dependents, backup, help, copies bool
}

func newWorld(t *testing.T, s shape) *world {
	t.Helper()
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "fake", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
		"AWS_ENDPOINT_URL": "", "AWS_REGION": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(k, v)
	}
	w := &world{t: t, log: &memory{}, calls: &recorder{}, loaded: map[string]string{}, health: true}
	w.sim = awssim.New(awssim.Options{Region: "us-west-2", Seed: 7, Credentials: map[string]awssim.Credential{
		"AKIATEST": {SecretKey: "fake", Principal: "arn:aws:iam::123456789012:user/warroom"},
	}})
	made := 0
	w.provider = &edge.Provider{Limit: 1000, Window: time.Hour, Now: w.now, Admin: adminKey, Replay: s.replay, Most: 3, Mint: func(int) string {
		made++
		return fmt.Sprintf("%snew%d_QWxsIHlvdXIgYmFzZQ", canary, made)
	}}
	w.provider.Accept("production", oldKey)
	w.provider.Accept("backup", backup)
	object := func(key, id string) string {
		raw, _ := json.Marshal(map[string]string{"api_key": key, "key_id": id, "endpoint": "https://api.payments.example"})
		return string(raw)
	}
	week := time.Now().Add(-7 * 24 * time.Hour)
	secret := func(name, value string) {
		w.sim.AddSecret(awssim.Secret{Name: name, Created: week, LastChanged: week, Versions: []awssim.Version{{Value: value, Stages: []string{"AWSCURRENT"}, Created: week}}})
	}
	secret(target, object(oldKey, edge.KeyID("production", oldKey)))
	secret("prod/api/fallback", object(staleKey, "key_stale"))
	secret("prod/api/admin", `{"token":"`+adminKey+`"}`)
	secret("prod/api/sealed", object(backup, edge.KeyID("backup", backup)))
	w.west = awssim.New(awssim.Options{Region: "us-east-1", Seed: 8, Credentials: map[string]awssim.Credential{
		"AKIATEST": {SecretKey: "fake", Principal: "arn:aws:iam::123456789012:user/warroom"},
	}})
	w.west.AddSecret(awssim.Secret{Name: "copy/payment", Created: week, LastChanged: week, Versions: []awssim.Version{
		{Value: object(oldKey, edge.KeyID("production", oldKey)), Stages: []string{"AWSCURRENT"}, Created: week},
	}})
	aws, west := httptest.NewServer(w.sim), httptest.NewServer(w.west)
	api := httptest.NewServer(w.provider)
	app := httptest.NewServer(http.HandlerFunc(w.serveHealth))
	for _, server := range []*httptest.Server{aws, west, api, app} {
		server.Config.ErrorLog = quiet
		t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	}
	text := strings.NewReplacer("${AWS}", aws.URL, "${WEST}", west.URL, "${API}", api.URL, "${APP}", app.URL).Replace(yamlOf(s))
	cfg, err := config.Parse(filepath.Join(t.TempDir(), "warroom.yaml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	w.cfg = cfg
	w.loaded["payment-service"] = w.version("AWSCURRENT", target)
	declared, err := incident.Declare("anna", incident.Declared{ID: "2026-11-23-1", Severity: "SEV1", Summary: "keys", Started: time.Now(), Environment: "production", Roles: map[incident.Role]string{incident.Commander: "anna"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.log.Record(t.Context(), declared); err != nil {
		t.Fatal(err)
	}
	return w
}

func yamlOf(s shape) string {
	cut := func(when bool, text string) string {
		if when {
			return ""
		}
		return text
	}
	again := ""
	if s.replay {
		again = ", idempotent: true"
	}
	rule := `
            api_key:
              provider: Payment API
              most_keys: 3
              quiet: 10m
              probe: { url: "${API}/v1/account", headers: { Authorization: "Bearer ${key}" } }` +
		cut(s.noCreate, `
              create: { method: POST, url: "${API}/v1/keys", headers: { Authorization: "Bearer ${secret:prod/api/admin:token}", Idempotency-Key: "${name}" }, body: '{"name":"${name}"}', value: key.value, id: key.id`+again+` }`) +
		cut(s.noList, `
              list: { url: "${API}/v1/keys", headers: { Authorization: "Bearer ${secret:prod/api/admin:token}" }, items: keys, id: id }`) +
		cut(s.noLastUsed, `
              last_used: { url: "${API}/v1/keys/${key_id}", headers: { Authorization: "Bearer ${secret:prod/api/admin:token}" }, time: key.last_used }`) +
		cut(s.noRevoke, `
              revoke: { method: DELETE, url: "${API}/v1/keys/${key_id}", headers: { Authorization: "Bearer ${secret:prod/api/admin:token}" } }`) +
		cut(!s.dependents, `
              dependents: [prod/api/fallback]`) +
		cut(!s.backup, `
              backup: { secret: prod/api/sealed, for: 24h }`) +
		cut(!s.help, `
              help: { contact: "+1 555 0101", ticket: "https://support.payments.example/urgent", eta: 4h }`)
	return `
version: 1
environment: production
aws:
  - { name: main, region: us-west-2, endpoint: "${AWS}" }
  - { name: west, region: us-east-1, endpoint: "${WEST}" }
components:
  - id: secrets-manager
    name: Secrets Manager
    plane: service
    secrets_manager:
      account: main
      secrets:
        - id: prod/api/payment
          type: api_key
          rotation:` + cut(!s.copies, `
            copies: [{ account: west, secret: copy/payment }]`) + rule + `
        - { id: prod/api/fallback, type: api_key }
        - { id: prod/api/admin, type: token }
        - { id: prod/api/sealed, type: api_key }
  - id: payment-service
    name: Payment Service
    plane: service
    criticality: critical
    application:
      secrets: [prod/api/payment]
      health: { url: "${APP}/payment-service" }
`
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.offset)
}

// pass lets time pass for the provider and the procedures.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offset += d
}

func (w *world) serveHealth(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.health {
		rw.WriteHeader(http.StatusBadGateway)
		return
	}
	_, _ = fmt.Fprintf(rw, `{"status":"ok","secret_version":%q}`, w.loaded[strings.TrimPrefix(r.URL.Path, "/")])
}

// version is that of a secret under a label; empty when there is none.
func (w *world) version(stage, secret string) string {
	s, _ := w.sim.Secret(secret)
	for _, v := range s.Versions {
		if slices.Contains(v.Stages, stage) {
			return v.ID
		}
	}
	return ""
}

// key is the one in a secret under a label.
func (w *world) key(stage, secret string) string {
	s, _ := w.sim.Secret(secret)
	return keyOf(s, stage)
}

func keyOf(s awssim.Secret, stage string) string {
	for _, v := range s.Versions {
		var fields map[string]string
		if slices.Contains(v.Stages, stage) && json.Unmarshal([]byte(v.Value), &fields) == nil {
			return fields["api_key"]
		}
	}
	return ""
}

// copied is the key in the copy.
func (w *world) copied() string {
	s, _ := w.west.Secret("copy/payment")
	return keyOf(s, "AWSCURRENT")
}

// stages are the labels of the target's versions.
func (w *world) stages() map[string][]string {
	s, _ := w.sim.Secret(target)
	out := map[string][]string{}
	for _, v := range s.Versions {
		out[v.ID] = v.Stages
	}
	return out
}

// restart has the service load what the store hands out.
func (w *world) restart() {
	version := w.version("AWSCURRENT", target)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loaded["payment-service"] = version
}

// engine is a console on the world, as after its start.
func (w *world) engine() *actions.Engine {
	w.t.Helper()
	f := w.family()
	systems := f.systems
	scrub := func(s string) string { return systems.Read.Net().Scrub(systems.Act.Net().Scrub(s)) }
	e := actions.New(actions.Options{
		Procedures: f.procedures(), Systems: systems, Environment: "production", Operator: "anna", Host: "war", PID: os.Getpid(), Scrub: scrub, Around: w.calls,
	})
	e.Attach(w.log, filepath.Join(w.t.TempDir(), "recovery.log"))
	if _, err := e.Arm(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(e.Close)
	return e
}

// family is the procedures on the world, which wait for nothing.
func (w *world) family() *family {
	systems := actions.Systems{Config: w.cfg, Read: clients.New(w.cfg), Act: clients.NewActing(w.cfg), Holder: "anna@war"}
	w.t.Cleanup(func() { systems.Read.Close(); systems.Act.Close() })
	pause := func(ctx context.Context, _ time.Duration) error {
		if w.idle != nil {
			w.idle()
		}
		return ctx.Err()
	}
	return &family{systems: systems, now: w.now, jitter: func() float64 { return 0.5 }, pause: pause}
}

// consent is everything that a plan asks for.
func consent(p *plan.Plan, inputs map[string]estate.Secret) plan.Consent {
	c := plan.Consent{Plan: p.ID, Fingerprint: p.Fingerprint(), Typed: p.Target, Reason: "test", Inputs: inputs}
	for _, w := range p.Warnings {
		if w.Accept {
			c.Accepted = append(c.Accepted, w.ID)
		}
	}
	return c
}

// do plans and carries out, and gives what came of it.
func (w *world) do(e *actions.Engine, ask plan.Request, inputs map[string]estate.Secret) (plan.Progress, error) {
	w.t.Helper()
	if ask.Target == "" && ask.Of == "" {
		ask.Target = target
	}
	p, err := e.Plan(w.t.Context(), ask)
	if err != nil {
		return plan.Progress{}, err
	}
	if len(p.Inputs) == 0 {
		inputs = nil
	}
	if err := e.Start(w.t.Context(), consent(p, inputs)); err != nil {
		return plan.Progress{}, err
	}
	return e.Wait(w.t.Context(), p.ID)
}

// must is do that has to end in a state.
func (w *world) must(e *actions.Engine, state plan.RunState, ask plan.Request, inputs map[string]estate.Secret) plan.Progress {
	w.t.Helper()
	got, err := w.do(e, ask, inputs)
	if err != nil {
		w.t.Fatalf("%s: %v", ask.Procedure, err)
	}
	if got.State != state {
		w.t.Fatalf("%s ended %s, want %s: %s; %s\n%s", ask.Procedure, got.State, state, got.Trouble, got.Next, lines(got))
	}
	return got
}

func lines(p plan.Progress) string {
	var out strings.Builder
	for _, l := range p.Log {
		fmt.Fprintf(&out, "%s %s\n", l.Mark, l.Text)
	}
	return out.String()
}

// safe checks what must hold whatever happened: the store hands out a key that works.
func (w *world) safe(when string) {
	w.t.Helper()
	if code := w.provider.Judge(w.key("AWSCURRENT", target)); code != http.StatusOK {
		w.t.Errorf("%s: the key that is handed out is answered %d", when, code)
	}
}

// clean checks that no value of the world is in what was journalled or told.
func (w *world) clean(told ...any) {
	w.t.Helper()
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	texts := map[string]any{"journal": w.log.events, "told": told, "calls": w.calls.list(), "audit": w.provider.Audit()}
	for name, what := range texts {
		raw, err := json.Marshal(what)
		if err != nil {
			w.t.Fatal(err)
		}
		if text := string(raw) + fmt.Sprintf("%+v", what); strings.Contains(text, canary) {
			at := strings.Index(text, canary)
			w.t.Errorf("a value is in the %s: …%s…", name, text[max(0, at-200):min(len(text), at+60)])
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

// died is what every call of a dead process comes to. Nobody tries it again.
type died struct{}

func (died) Error() string        { return "the process is dead" }
func (died) RetryableError() bool { return false }

var errDead error = died{}

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
		if line, err := incident.Encode(e); err != nil {
			return err
		} else if e, err = incident.Decode(e.Seq, line); err != nil {
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
	armed func() // called when a run is about to begin
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

// reborn lets calls through again, as those of a new process.
func (r *recorder) reborn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dead, r.dies, r.calls, r.fault = false, 0, nil, nil
}
