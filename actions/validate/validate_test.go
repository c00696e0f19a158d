package validate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// hears is who is told in a test, and a gate that lets reads through and counts them.
type hears struct {
	mu    sync.Mutex
	facts map[string]string
	parts map[string]plan.Part
	calls map[string]int
}

func newHears() *hears {
	return &hears{facts: map[string]string{}, parts: map[string]plan.Part{}, calls: map[string]int{}}
}

func (h *hears) Say(string, string) {}

func (h *hears) Note(name, value string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.facts[name] = value
}

func (h *hears) Part(p plan.Part) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts[p.Name] = p
}

func (h *hears) Around(_ context.Context, c clients.Call, do func() error) error {
	if c.Changes {
		return &clients.NotPermitted{Call: c}
	}
	h.mu.Lock()
	h.calls[c.System+" "+c.Name]++
	h.mu.Unlock()
	return do()
}

// count is how often calls were made whose system and name begin so.
func (h *hears) count(prefix string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, times := range h.calls {
		if strings.HasPrefix(name, prefix) {
			n += times
		}
	}
	return n
}

// inDrill is the procedure on the drill's estate.
func inDrill(t *testing.T) (*Procedure, *config.Config) {
	t.Helper()
	world, err := drill.Open("db-rotation", drill.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- world.Serve(t.Context()) }()
	t.Cleanup(func() {
		if err := errors.Join(world.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-world.Ready():
	case err := <-served:
		served <- err
		t.Fatal("the world ended")
	}
	cfg, err := config.Parse("drill", world.Config())
	if err != nil {
		t.Fatal(err)
	}
	read, act := clients.New(cfg), clients.NewActing(cfg)
	t.Cleanup(func() { read.Close(); act.Close() })
	return New(actions.Systems{Config: cfg, Read: read, Act: act}), cfg
}

func (p *Procedure) all(t *testing.T, h *hears, target string) (string, error) {
	t.Helper()
	secret := target
	if target == Everything {
		secret = ""
	}
	ctx, cancel := context.WithTimeout(clients.WithPermit(t.Context(), h), time.Minute)
	defer cancel()
	return p.verify(ctx, h, p.trials(secret), p.rates())
}

// In the crisis everything is tried once, changes nothing, and what is broken is told
// by name; what was refused is not tried again.
func TestInTheCrisis(t *testing.T) {
	p, _ := inDrill(t)
	ready, err := p.Prepare(t.Context(), actions.Ask{Request: plan.Request{Target: Everything}})
	if err != nil {
		t.Fatal(err)
	}
	if ready.Plan.Changes() || len(ready.Plan.Steps) != 1 || len(ready.Plan.Steps[0].Calls) < 8 || ready.Steps[0].Do != nil {
		t.Errorf("%+v", ready.Plan)
	}
	h := newHears()
	text, err := p.all(t, h, Everything)
	var f *estate.Failure
	if !errors.As(err, &f) || text != "" {
		t.Fatalf("%q %v", text, err)
	}
	if !strings.Contains(f.Detail, "8 of 13 work, 5 do not") {
		t.Errorf("%v", f)
	}
	for name, begins := range map[string]string{
		"API prod/api/external at its provider":           "works: ",
		"API prod/api/payment at its provider":            "works: ",
		"database prod/db/postgres at postgres-primary":   "refused: version ",
		"database prod/db/postgres at postgres-replica":   "refused: version ",
		"database prod/db/monitoring at postgres-primary": "works: version ",
		"database prod/db/analytics at postgres-primary":  "works: version ",
		"database prod/db/analytics at postgres-replica":  "refused: version ", // it has not replayed the change
		"health of user-service":                          "refused: it answers 503 FAILED",
		"health of payment-service":                       "works: it answers 200 HEALTHY, on the current version",
		"health of analytics-service":                     "refused: it answers 200 DEGRADED, on version ",
		"authentication failures":                         "told: nothing reads their counts here",
	} {
		if fact := h.facts[FactPrefix+name]; !strings.HasPrefix(fact, begins) {
			t.Errorf("%s is %q, not %q", name, fact, begins)
		}
	}
	for name, part := range h.parts {
		if part.Detail == "" || part.State == plan.Waiting || part.State == plan.Running {
			t.Errorf("%s ended as %+v", name, part)
		}
	}
	tried := h.count("postgres:")
	again := newHears()
	if _, err := p.all(t, again, "prod/db/postgres"); err == nil || !strings.Contains(err.Error(), "not tried again before") {
		t.Errorf("%v", err)
	}
	if tried < 4 || again.count("postgres:") != 0 {
		t.Errorf("%d calls to the databases, and %d with what was refused a moment ago", tried, again.count("postgres:"))
	}
	for _, h := range []*hears{h, again} {
		for call := range h.calls {
			if strings.HasPrefix(call, "http:") && !strings.Contains(call, " GET ") && !strings.Contains(call, " POST ") {
				t.Errorf("%s was called", call)
			}
		}
	}
}

// One secret is validated by itself; with nothing wrong the step is done.
func TestOneSecret(t *testing.T) {
	p, _ := inDrill(t)
	h := newHears()
	text, err := p.all(t, h, "prod/api/payment")
	if err != nil || text != "2 of 2 work" {
		t.Errorf("%q, %v", text, err)
	}
	for _, target := range p.Targets() {
		_, err := p.Prepare(t.Context(), actions.Ask{Request: plan.Request{Target: target.ID}})
		if (err == nil) != target.Ready {
			t.Errorf("%+v: %v", target, err)
		}
	}
	if _, err := p.Prepare(t.Context(), actions.Ask{Request: plan.Request{Target: "nobody"}}); err == nil {
		t.Error("a secret that there is not was planned for")
	}
}

// A store that does not answer leaves what it unlocks not known, which is not works.
func TestWithoutTheStore(t *testing.T) {
	p, cfg := inDrill(t)
	for i := range cfg.AWS {
		cfg.AWS[i].Endpoint = "http://127.0.0.1:1"
	}
	read := clients.New(cfg)
	t.Cleanup(read.Close)
	p.s.Read = read
	h := newHears()
	_, err := p.all(t, h, "prod/db/monitoring")
	if err == nil || !strings.Contains(err.Error(), "0 of 2 work, 2 ") || h.count("postgres:") != 0 {
		t.Errorf("%v after %d logins", err, h.count("postgres:"))
	}
}

// readings are of one component, with what its checks brought.
func readings(t *testing.T, p *Procedure, id estate.ID, at time.Time, data ...estate.Data) func() *estate.Readings {
	t.Helper()
	s := estate.NewSnapshot(p.topo, nil)
	for i, d := range data {
		s = s.With(estate.Observation{Key: estate.Key{Component: id, Check: "test", Item: fmt.Sprint(i)}, At: at, Interval: time.Minute, Data: d})
	}
	r := estate.Derive(s, at)
	return func() *estate.Readings { return r }
}

// What a check of the console was refused with is not presented again.
func TestTheConsoleWasRefused(t *testing.T) {
	p, _ := inDrill(t)
	value, err := p.s.Read.StoredFresh(t.Context(), "prod/db/postgres", estate.StageCurrent)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	said := estate.Login{Secret: "prod/db/postgres", Version: value.VersionID, User: "app_user", Outcome: estate.LoginWrong, Message: "password authentication failed"}
	for name, c := range map[string]struct {
		ago   time.Duration
		login estate.Login
		held  bool
	}{
		"a moment ago":    {time.Minute, said, true},
		"long ago":        {6 * time.Minute, said, false},
		"another version": {time.Minute, estate.Login{Secret: said.Secret, Version: "another", User: said.User, Outcome: said.Outcome}, false},
		"accepted":        {time.Minute, estate.Login{Secret: said.Secret, Version: said.Version, User: said.User, Outcome: estate.LoginAccepted}, false},
	} {
		p.book, p.s.Readings = New(p.s).book, readings(t, p, "postgres-primary", now.Add(-c.ago), c.login)
		h := newHears()
		_, err := p.all(t, h, "prod/db/postgres")
		logins := 0
		for call, n := range h.calls {
			if strings.Contains(call, "log in as app_user") {
				logins += n
			}
		}
		// The replica is asked in any case.
		if want := map[bool]int{true: 1, false: 2}[c.held]; logins != want {
			t.Errorf("%s: %d logins, not %d: %v", name, logins, want, err)
		}
	}
}

// Counts of failures are compared with the read before, or with the window before.
func TestFalling(t *testing.T) {
	p, _ := inDrill(t)
	at := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	count := func(failed float64, earlier ...float64) estate.FailedAuths {
		return estate.FailedAuths{Source: "logins", Window: time.Hour, Failed: failed, Total: -1, Earlier: earlier}
	}
	for _, c := range []struct {
		before, now estate.Data
		want        string
	}{
		{count(900), count(400), "falling: 400"},
		{count(400), count(900), "rising: 900"},
		{count(400, 100), count(0), "none: 0"},
		{nil, count(400, 900), "falling: 400 in 1h0m0s to 03:01:00Z, 900 in the 1h0m0s before"},
		{nil, count(400, 400), "level: 400"},
		{nil, count(400), "no second read"},
		{estate.FailureRate{Window: time.Minute, Failed: 9}, estate.FailureRate{Window: time.Minute, Failed: 3}, "falling: 3 in 1m0s"},
	} {
		before := map[string]rate{}
		if c.before != nil {
			p.s.Readings = readings(t, p, "api-gateway", at, c.before)
			before = p.rates()
		}
		p.s.Readings = readings(t, p, "api-gateway", at.Add(time.Minute), c.now)
		got := p.falling(before)
		if len(got) != 1 || !strings.Contains(got[0].text, c.want) {
			t.Errorf("%+v after %+v: %+v, want %q", c.now, c.before, got, c.want)
		}
	}
}

// Only what was said of the key itself is remembered of it.
func TestTroubleOfAProviderIsNotHeldAgainstTheKey(t *testing.T) {
	var b keyBook
	now := time.Now()
	tries := 0
	say := func(v Verdict, ofKey bool) func() (Verdict, string, bool) {
		return func() (Verdict, string, bool) { tries++; return v, "said", ofKey }
	}
	if v, _ := b.present(now, "a", say(Refused, false)); v != Refused {
		t.Errorf("it is %s", v)
	}
	if v, _ := b.present(now, "a", say(Works, true)); v != Works || tries != 2 {
		t.Errorf("it is %s after %d tries", v, tries)
	}
	b.present(now, "a", say(Refused, true))
	if v, text := b.present(now.Add(time.Minute), "a", say(Works, true)); v != Refused || tries != 3 || !strings.Contains(text, "not tried again before") {
		t.Errorf("it is %s after %d tries: %s", v, tries, text)
	}
	if v, _ := b.present(now.Add(held), "a", say(Works, true)); v != Works {
		t.Errorf("it is %s", v)
	}
}
