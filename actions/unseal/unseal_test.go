package unseal

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill/vaultsim"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// world is a cluster of Vault of three nodes, and a console that looks after it.
type world struct {
	t     *testing.T
	vault *vaultsim.Cluster
	urls  []string
	cfg   *config.Config
	log   *memory
	e     *actions.Engine
	calls *recorder
	text  string // path of the text log
}

func newWorld(t *testing.T, seal string) *world {
	t.Helper()
	w := &world{}
	var nodes []vaultsim.NodeOptions
	var servers []*httptest.Server
	for i := range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewUnstartedServer(nil)
		_ = s.Listener.Close() // in place of the one that it made
		s.Listener = l
		servers = append(servers, s)
		w.urls = append(w.urls, "http://"+l.Addr().String())
		nodes = append(nodes, vaultsim.NodeOptions{Name: fmt.Sprintf("node%d", i+1), API: w.urls[i]})
	}
	w.vault = vaultsim.New(vaultsim.Options{Seed: 4, Nodes: nodes})
	for i, s := range servers {
		s.Config.Handler = w.vault.Node(i)
		s.Start()
		t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	}
	if seal != "" {
		w.vault.SetAutoSeal(seal)
	}
	made := newConsole(t, w.urls, w.vault.RootToken())
	made.vault = w.vault
	return made
}

// newConsole is a console on a cluster of Vault.
func newConsole(t *testing.T, urls []string, root string) *world {
	t.Helper()
	for _, name := range []string{"VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_CAPATH", "VAULT_AGENT_ADDR"} {
		if os.Getenv(name) != "" {
			t.Setenv(name, "")
		}
	}
	w := &world{t: t, log: &memory{}, calls: &recorder{}, urls: urls}
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(root), 0o600); err != nil {
		t.Fatal(err)
	}
	var quoted []string
	for _, u := range w.urls {
		quoted = append(quoted, fmt.Sprintf("%q", u))
	}
	cfg, err := config.Parse(filepath.Join(dir, "warroom.yaml"), fmt.Appendf(nil, `
version: 1
environment: production
vaults:
  - { name: main, address: %q, token_file: %q, nodes: [%s] }
components:
  - { id: vault-primary, name: Vault Primary, plane: state, vault: { cluster: main } }
`, w.urls[0], token, strings.Join(quoted, ", ")))
	if err != nil {
		t.Fatal(err)
	}
	w.cfg = cfg
	declared, err := incident.Declare("anna", incident.Declared{ID: "2026-11-24-1", Severity: "SEV1", Summary: "sealed", Started: time.Now(), Environment: "production", Roles: map[incident.Role]string{incident.Commander: "anna"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.log.Record(t.Context(), declared); err != nil {
		t.Fatal(err)
	}
	systems := actions.Systems{Config: cfg, Read: clients.New(cfg), Act: clients.NewActing(cfg), Holder: "anna@war"}
	p := New(systems)
	p.every = 5 * time.Millisecond
	w.e = actions.New(actions.Options{
		Procedures: []actions.Procedure{p}, Systems: systems, Environment: "production", Operator: "anna", Host: "war", PID: os.Getpid(), Around: w.calls,
		Scrub: func(s string) string { return systems.Read.Net().Scrub(systems.Act.Net().Scrub(s)) },
	})
	w.text = filepath.Join(dir, "recovery.log")
	w.e.Attach(w.log, w.text)
	if _, err := w.e.Arm(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.e.Close(); systems.Read.Close(); systems.Act.Close() })
	return w
}

func (w *world) seal(nodes ...int) {
	for _, i := range nodes {
		w.vault.Node(i).Seal()
	}
}

func (w *world) plan() *plan.Plan {
	w.t.Helper()
	p, err := w.e.Plan(w.t.Context(), plan.Request{Procedure: Name, Target: "vault-primary"})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// start grants a plan with shares.
func (w *world) start(p *plan.Plan, shares ...string) {
	w.t.Helper()
	inputs := map[string]estate.Secret{}
	for i, s := range shares {
		inputs[inputID(i)] = estate.NewSecret(s)
	}
	var accepted []string
	for _, one := range p.Warnings {
		if one.Accept {
			accepted = append(accepted, one.ID)
		}
	}
	if err := w.e.Start(w.t.Context(), plan.Consent{Plan: p.ID, Fingerprint: p.Fingerprint(), Typed: p.Target, Accepted: accepted, Inputs: inputs}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) wait(p *plan.Plan) plan.Progress {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	got, err := w.e.Wait(ctx, p.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// clean checks that no share is in anything that was told or kept.
func (w *world) clean(told ...any) {
	w.t.Helper()
	w.without(w.vault.UnsealKeys(), told...)
}

func (w *world) without(shares []string, told ...any) {
	w.t.Helper()
	text, err := os.ReadFile(w.text)
	if err != nil {
		w.t.Fatal(err)
	}
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	raw, err := json.Marshal([]any{w.log.events, told, w.calls.list()})
	if err != nil {
		w.t.Fatal(err)
	}
	all := string(text) + string(raw) + fmt.Sprintf("%+v", told)
	for _, share := range shares {
		if strings.Contains(all, share) {
			w.t.Error("a key share is in what was told")
		}
	}
}

func TestSharesTypedHereOpenEveryNode(t *testing.T) {
	w := newWorld(t, "")
	w.seal(0, 1, 2)
	p := w.plan()
	if len(p.Inputs) != 3 || len(p.Steps) != 4 || p.Irreversible == "" || !slices.ContainsFunc(p.Observed, func(o plan.Observed) bool { return o.Value == "sealed, 0 of 3 shares given" }) {
		t.Fatalf("plan %+v", p)
	}
	for _, in := range p.Inputs {
		if !in.Optional {
			t.Errorf("%s must be typed here", in.ID)
		}
	}
	w.start(p, w.vault.UnsealKeys()[:3]...)
	got := w.wait(p)
	if got.State != plan.RunDone || !strings.Contains(got.Steps[3].Detail, "is active") {
		t.Errorf("%s: %s %s, %+v", got.State, got.Trouble, got.Next, got.Steps)
	}
	if n := w.calls.count("PUT sys/unseal"); n != 9 {
		t.Errorf("%d shares were sent, want three to each of three nodes", n)
	}
	w.clean(p, got)
	if _, err := w.e.Plan(t.Context(), plan.Request{Procedure: Name, Target: "vault-primary"}); err == nil || !strings.Contains(err.Error(), "no node of it is sealed") {
		t.Errorf("a plan for an open Vault: %v", err)
	}
}

func TestHoldersEnterTheirsElsewhere(t *testing.T) {
	w := newWorld(t, "")
	w.seal(1)
	p := w.plan()
	if len(p.Steps) != 2 {
		t.Fatalf("%d steps for one sealed node", len(p.Steps))
	}
	keys := w.vault.UnsealKeys()
	w.start(p, keys[0])
	// The others watch the progress, and enter theirs from machines of their own.
	elsewhere := func(share string) {
		cfg := api.DefaultConfig()
		cfg.Address = w.urls[1]
		c, err := api.NewClient(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Sys().UnsealWithContext(t.Context(), share); err != nil {
			t.Error(err)
		}
	}
	shown := func(text string) {
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for time.Now().Before(deadline) {
			all, err := w.e.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range all {
				for _, s := range one.Steps {
					if slices.ContainsFunc(s.Parts, func(p plan.Part) bool { return p.Detail == text }) {
						return
					}
				}
			}
		}
		t.Fatalf("%q was never shown", text)
	}
	shown("1 of 3 shares given")
	elsewhere(keys[3])
	shown("2 of 3 shares given")
	elsewhere(keys[4])
	if got := w.wait(p); got.State != plan.RunDone {
		t.Errorf("%s: %s %s", got.State, got.Trouble, got.Next)
	}
	if n := w.calls.count("PUT sys/unseal"); n != 1 {
		t.Errorf("%d shares were sent from here, want the one that was typed", n)
	}
	w.clean(p)
}

func TestAResetElsewhereIsMadeGood(t *testing.T) {
	w := newWorld(t, "")
	w.seal(1)
	p := w.plan()
	keys := w.vault.UnsealKeys()
	cfg := api.DefaultConfig()
	cfg.Address = w.urls[1]
	c, err := api.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	w.calls.after = func(call clients.Call) {
		if call.Name == "PUT sys/unseal" {
			once.Do(func() {
				if _, err := c.Sys().ResetUnsealProcessWithContext(t.Context()); err != nil {
					t.Error(err)
				}
				if _, err := c.Sys().UnsealWithContext(t.Context(), keys[4]); err != nil {
					t.Error(err)
				}
			})
		}
	}
	w.start(p, keys[0], keys[1])
	if got := w.wait(p); got.State != plan.RunDone {
		t.Errorf("%s: %s %s", got.State, got.Trouble, got.Next)
	}
}

func TestWrongSharesAreSaidPlainly(t *testing.T) {
	w := newWorld(t, "")
	keys := w.vault.UnsealKeys()
	stranger := vaultsim.New(vaultsim.Options{Seed: 99}).UnsealKeys()[0]
	for name, c := range map[string]struct {
		shares []string
		want   string
		sent   bool
	}{
		"of another cluster": {[]string{keys[0], keys[1], stranger}, "at least one of them is wrong", true},
		"no share at all":    {[]string{keys[0], "correct horse battery staple"}, "is no key share", false},
		"twice the same":     {[]string{keys[0], keys[0]}, "the same as share 1", false},
	} {
		w.seal(2)
		p := w.plan()
		before := w.calls.count("PUT sys/unseal")
		w.start(p, c.shares...)
		got := w.wait(p)
		if got.State != plan.RunFailed || !strings.Contains(got.Trouble, c.want) || (w.calls.count("PUT sys/unseal") > before) != c.sent {
			t.Errorf("%s: %s, %q; sent: %v", name, got.State, got.Trouble, w.calls.count("PUT sys/unseal") > before)
		}
		if c.sent && !strings.Contains(got.Next, "vault operator unseal -reset") {
			t.Errorf("%s: what to do is %q", name, got.Next)
		}
		for _, s := range c.shares {
			if strings.Contains(fmt.Sprintf("%+v", got), s) {
				t.Errorf("%s: a share is told", name)
			}
		}
		w.clean(got)
		// Going on: the shares are typed anew.
		again, err := w.e.Plan(t.Context(), plan.Request{Mode: plan.Resume, Of: p.ID})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		w.start(again, keys[2], keys[3], keys[4])
		if got := w.wait(again); got.State != plan.RunDone {
			t.Errorf("%s, resumed: %s %s", name, got.State, got.Trouble)
		}
	}
}

func TestAKeyServiceIsNamedAndNothingAskedFor(t *testing.T) {
	w := newWorld(t, "awskms")
	w.seal(0, 1, 2)
	w.vault.SetSealHealthy(false)
	p := w.plan()
	if len(p.Inputs) != 0 || p.Changes() || !strings.Contains(p.Why, "awskms") || !strings.Contains(p.Why, "its key service awskms is unhealthy") {
		t.Fatalf("plan %+v", p)
	}
	w.start(p)
	w.vault.SetSealHealthy(true)
	for i := range 3 {
		w.vault.Node(i).Unseal()
	}
	if got := w.wait(p); got.State != plan.RunDone || w.calls.count("PUT sys/unseal") != 0 {
		t.Errorf("%s: %s; %d shares sent", got.State, got.Trouble, w.calls.count("PUT sys/unseal"))
	}
}

func TestDecodeTakesWhatVaultTakes(t *testing.T) {
	for text, want := range map[string]bool{
		strings.Repeat("ab", 33): true, strings.Repeat("ab", 16): true, strings.Repeat("ab", 15): false, strings.Repeat("ab", 34): false, "": false, "%": false,
	} {
		if _, ok := decode(text); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
	}
}

// memory is a journal in memory.
type memory struct {
	mu     sync.Mutex
	fold   incident.Fold
	state  *incident.State
	events []incident.Event
}

func (m *memory) Record(_ context.Context, events ...incident.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range events {
		e.Seq = uint64(len(m.events) + 1)
		if e.At.IsZero() {
			e.At = time.Now()
		}
		line, err := incident.Encode(e)
		if err == nil {
			e, err = incident.Decode(e.Seq, line)
		}
		if err != nil {
			return err
		}
		m.events = append(m.events, e)
		m.fold.Apply(e)
	}
	m.state = m.fold.State()
	return nil
}

func (m *memory) Case() *incident.Case {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &incident.Case{State: m.state, Writing: true}
}

func (m *memory) Now() time.Time { return time.Now() }

// recorder sees every call.
type recorder struct {
	after func(clients.Call) // set before the run

	mu    sync.Mutex
	calls []clients.Call
}

func (r *recorder) Around(_ context.Context, c clients.Call, do func() error) error {
	r.mu.Lock()
	r.calls = append(r.calls, c)
	r.mu.Unlock()
	err := do()
	if r.after != nil {
		r.after(c)
	}
	return err
}

func (r *recorder) list() []clients.Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

func (r *recorder) count(name string) (n int) {
	for _, c := range r.list() {
		if c.Name == name {
			n++
		}
	}
	return n
}
