package apikey

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"warroom/actions"
	"warroom/internal/drill/edge"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// rotated is a world in which the key was rotated, and nobody was restarted yet.
func rotated(t *testing.T, s shape) (*world, *actions.Engine) {
	t.Helper()
	w := newWorld(t, s)
	e := w.engine()
	w.must(e, plan.RunDone, rotate(), nil)
	return w, e
}

func TestTheOldKeyIsNotEndedWhileSomebodyMayUseIt(t *testing.T) {
	for name, c := range map[string]struct {
		shape shape
		ready func(*world)
		want  string // empty: it may be ended
	}{
		"a consumer on it":             {ready: func(w *world) { w.pass(quietTime) }, want: "still on the old key: Payment Service"},
		"a consumer that says nothing": {ready: func(w *world) { w.restart(); w.pass(quietTime); w.health = false }, want: "not known which key they use: Payment Service"},
		"a consumer on another value":  {ready: func(w *world) { w.pass(quietTime); w.loaded["payment-service"] = "elsewhere" }, want: "still on the old key"},
		"used lately":                  {ready: func(w *world) { w.restart(); w.pass(quietTime); w.provider.Use(oldKey) }, want: "it was used at"},
		"used right before our probe":  {ready: func(w *world) { w.restart() }, want: "less than 10m0s ago"},
		"the provider does not say": {ready: func(w *world) {
			w.restart()
			w.pass(quietTime)
			w.provider.SetFault("show", &edge.ProviderFault{Code: 500})
		}, want: "when it was used last cannot be told"},
		"the new key is refused": {ready: func(w *world) { w.restart(); w.pass(quietTime); w.provider.Revoke(w.key("AWSCURRENT", target)) }, want: "the key that is handed out is refused"},
		"the provider is silent": {ready: func(w *world) {
			w.restart()
			w.pass(quietTime)
			w.provider.SetFault("use", &edge.ProviderFault{Drop: true})
		}, want: "no answer came"},
		"all is well":                     {ready: func(w *world) { w.restart(); w.pass(quietTime) }},
		"all is well, by consumers alone": {shape: shape{noLastUsed: true}, ready: func(w *world) { w.restart() }},
	} {
		t.Run(name, func(t *testing.T) {
			w, e := rotated(t, c.shape)
			c.ready(w)
			got, err := w.do(e, revoke(), nil)
			var refusal *actions.Refusal
			switch {
			case c.want == "" && (err != nil || got.State != plan.RunDone || w.provider.Judge(oldKey) != http.StatusUnauthorized):
				t.Errorf("%v, %s %s", err, got.State, got.Trouble)
			case c.want != "" && (!errors.As(err, &refusal) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v; want %q", err, c.want)
			case c.want != "" && w.provider.Judge(oldKey) != http.StatusOK:
				t.Error("it was ended all the same")
			}
			if err != nil {
				w.clean(err.Error())
			}
		})
	}
}

func TestWhatChangesBetweenPlanAndRunKeepsTheOldKey(t *testing.T) {
	w, e := rotated(t, shape{})
	w.restart()
	w.pass(quietTime)
	p, err := e.Plan(t.Context(), plan.Request{Procedure: "revoke-api-key", Target: target})
	if err != nil {
		t.Fatal(err)
	}
	w.provider.Use(oldKey) // somebody still has it
	if err := e.Start(t.Context(), consent(p, nil)); err != nil {
		t.Fatal(err)
	}
	got, err := e.Wait(t.Context(), p.ID)
	if err != nil || got.State != plan.RunFailed || !strings.Contains(got.Trouble, "it was used at") || w.provider.Judge(oldKey) != http.StatusOK {
		t.Errorf("%s %q %v", got.State, got.Trouble, err)
	}
}

func TestForcingNeedsAReasonAMeasureAndAnAcceptedWarning(t *testing.T) {
	w, e := rotated(t, shape{})
	if _, err := w.do(e, revoke("force", "yes"), nil); err == nil || !strings.Contains(err.Error(), "needs a measure") {
		t.Errorf("without a measure: %v", err)
	}
	ask := revoke("force", "yes", "measure", "payments are queued until the service is restarted")
	ask.Target = target
	p, err := e.Plan(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	all := consent(p, nil)
	for what, change := range map[string]func(*plan.Consent){
		"a reason":  func(c *plan.Consent) { c.Reason = "" },
		"a warning": func(c *plan.Consent) { c.Accepted = nil },
		"typed":     func(c *plan.Consent) { c.Typed = "" },
	} {
		c := all
		change(&c)
		if err := e.Start(t.Context(), c); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("without %s: %v", what, err)
		}
	}
	if w.provider.Judge(oldKey) != http.StatusOK {
		t.Fatal("it was ended")
	}
	if err := e.Start(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Wait(t.Context(), p.ID); err != nil || got.State != plan.RunDone || w.provider.Judge(oldKey) != http.StatusUnauthorized {
		t.Errorf("%s %s %v", got.State, got.Trouble, err)
	}
	measures := w.log.Case().State.Measures
	if len(measures) != 1 || !strings.Contains(measures[0].What, "payments are queued") {
		t.Errorf("measures %+v", measures)
	}
	w.clean(p)
}

func TestAKeyThatIsStillHandedOutIsNeverEnded(t *testing.T) {
	w, e := rotated(t, shape{})
	w.restart()
	w.pass(quietTime)
	s, _ := w.sim.Secret(target)
	current := ""
	for _, v := range s.Versions {
		if v.ID == w.version("AWSCURRENT", target) {
			_, rest, _ := strings.Cut(v.Value, `"key_id":"`)
			current, _, _ = strings.Cut(rest, `"`)
		}
	}
	for _, force := range []string{"no", "yes"} {
		if _, err := w.do(e, revoke("key", current, "force", force, "measure", "none"), nil); err == nil || !strings.Contains(err.Error(), "handed out now") {
			t.Errorf("force %s: %v", force, err)
		}
	}
	// Another key of the account can be ended by its id, under the same rules.
	if _, err := w.do(e, revoke("key", edge.KeyID("backup", backup)), nil); err != nil {
		t.Errorf("%v", err)
	}
	if w.provider.Judge(backup) != http.StatusUnauthorized || w.provider.Judge(oldKey) != http.StatusOK {
		t.Error("not that key alone was ended")
	}
}

func TestTheBackupKeyIsNotEndedWhileItIsSealed(t *testing.T) {
	w, e := rotated(t, shape{backup: true})
	w.restart()
	w.pass(quietTime)
	_, err := w.do(e, revoke("key", edge.KeyID("backup", backup), "force", "yes", "measure", "none"), nil)
	if err == nil || !strings.Contains(err.Error(), "prod/api/sealed still hands it out") {
		t.Errorf("%v", err)
	}
}

func TestAKeyThatIsEndedByHandIsLookedAt(t *testing.T) {
	w, e := rotated(t, shape{noRevoke: true})
	w.restart()
	w.pass(quietTime)
	got, err := w.do(e, revoke(), nil)
	if err != nil || got.State != plan.RunFailed || !strings.Contains(got.Next, "in the console of Payment API") {
		t.Fatalf("%v %s %q", err, got.State, got.Next)
	}
	w.provider.Revoke(oldKey)
	w.pass(quietTime) // our look was a use
	w.must(e, plan.RunDone, plan.Request{Mode: plan.Resume, Of: got.Run}, nil)
}

// TestConsumersWithoutAHealthEndpoint are judged by when they started.
func TestConsumersWithoutAHealthEndpoint(t *testing.T) {
	w, e := rotated(t, shape{noLastUsed: true})
	_ = e
	for i := range w.cfg.Components {
		if a := w.cfg.Components[i].Application; a != nil {
			a.Health = nil
		}
	}
	now := time.Now()
	readings := func(oldest time.Time, failure *estate.Failure) *estate.Readings {
		key := estate.Key{Component: "payment-service", Check: "pods"}
		s := estate.NewSnapshot(w.cfg.Topology(), []estate.Expectation{{Key: key, Interval: time.Minute}})
		if !oldest.IsZero() {
			s = s.With(estate.Observation{Key: key, At: now, Interval: time.Minute, Data: estate.WorkloadPods{Running: 3, Oldest: oldest}})
		}
		if failure != nil {
			s = s.With(estate.Observation{Key: key, At: now.Add(time.Second), Interval: time.Minute, Failure: failure})
		}
		return &estate.Readings{Snapshot: s, At: now.Add(2 * time.Second)}
	}
	for name, c := range map[string]struct {
		readings *estate.Readings
		want     standing
	}{
		"nothing read":             {readings(time.Time{}, nil), unknown},
		"no readings":              {nil, unknown},
		"started before":           {readings(now.Add(-time.Hour), nil), onOld},
		"started after":            {readings(now.Add(time.Hour), nil), onNew},
		"could not be read lately": {readings(now.Add(time.Hour), &estate.Failure{Kind: estate.Denied}), unknown},
	} {
		f := w.family()
		f.systems.Readings = func() *estate.Readings { return c.readings }
		s, err := f.subject(target)
		if err != nil {
			t.Fatal(err)
		}
		states, err := s.looks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := s.consumers(t.Context(), states); len(got) != 1 || got[0].standing != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}
