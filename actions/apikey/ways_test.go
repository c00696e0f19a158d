package apikey

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"warroom/internal/drill/edge"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// TestWhatAProviderAnswersIsKeptApart has the create and the probe answer in each way.
func TestWhatAProviderAnswersIsKeptApart(t *testing.T) {
	for name, c := range map[string]struct {
		operation string
		fault     edge.ProviderFault
		want      string
		kind      plan.RunState
	}{
		"create refused":                    {"create", edge.ProviderFault{Code: 401}, "the credential of this call is not taken", plan.RunFailed},
		"create forbidden":                  {"create", edge.ProviderFault{Code: 403}, "give the credential of this call the right", plan.RunFailed},
		"create limited":                    {"create", edge.ProviderFault{Code: 429, RetryAfter: "1800"}, "retry-api-key", plan.RunFailed},
		"create in trouble":                 {"create", edge.ProviderFault{Code: 500}, "retry-api-key or ask-provider", plan.RunFailed},
		"create silent":                     {"create", edge.ProviderFault{Drop: true}, "what came of it is not known", plan.RunFailed},
		"create once in trouble, once lost": {"create", edge.ProviderFault{Code: 502, After: true, Times: 1}, "", plan.RunDone},
		"probe refused":                     {"use", edge.ProviderFault{Code: 401}, "roll back, which ends the new one", plan.RunFailed},
		"probe forbidden":                   {"use", edge.ProviderFault{Code: 403}, "roll back, which ends the new one", plan.RunFailed},
		"probe limited":                     {"use", edge.ProviderFault{Code: 429}, "resume later, or roll back", plan.RunFailed},
		"probe in trouble":                  {"use", edge.ProviderFault{Code: 503}, "resume later, or roll back", plan.RunFailed},
		"probe once lost":                   {"use", edge.ProviderFault{Drop: true, Times: 1}, "", plan.RunDone},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, shape{})
			e := w.engine()
			p, err := e.Plan(t.Context(), plan.Request{Procedure: "rotate-api-key", Target: target})
			if err != nil {
				t.Fatal(err)
			}
			w.provider.SetFault(c.operation, &c.fault)
			if err := e.Start(t.Context(), consent(p, nil)); err != nil {
				t.Fatal(err)
			}
			got, err := e.Wait(t.Context(), p.ID)
			if err != nil || got.State != c.kind || !strings.Contains(got.Trouble+got.Next, c.want) {
				t.Errorf("%v %s %q %q; want %q", err, got.State, got.Trouble, got.Next, c.want)
			}
			w.safe("after it")
			w.provider.SetFault(c.operation, nil)
			w.clean(got)
			if c.kind == plan.RunDone {
				return
			}
			if keys := len(w.provider.Keys()); c.operation == "create" && keys != 2 {
				t.Errorf("%d keys are at the provider: one was left behind", keys)
			}
			// Rolled back where something was done, nothing of it is left anywhere.
			back, err := w.do(e, plan.Request{Mode: plan.Back, Of: p.ID}, nil)
			if err == nil && back.State != plan.RunRolledBack {
				t.Errorf("roll-back: %s %s", back.State, back.Trouble)
			}
			if len(w.provider.Keys()) != 2 || w.version("AWSPENDING", target) != "" {
				t.Error("a key or a pending version is left")
			}
		})
	}
}

func TestARollBackLeavesAKeyAliveThatAConsumerMayHaveLoaded(t *testing.T) {
	for name, c := range map[string]struct {
		loads bool
		alive int
	}{"loaded": {true, http.StatusOK}, "not loaded": {false, http.StatusUnauthorized}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, shape{})
			e := w.engine()
			w.calls.fault = failing("secretsmanager:UntagResource", timeout{})
			failed := w.must(e, plan.RunFailed, rotate(), nil)
			w.calls.reborn()
			fresh := w.key("AWSCURRENT", target)
			if fresh == oldKey {
				t.Fatal("it was not handed out")
			}
			if c.loads {
				w.restart()
			}
			got := w.must(e, plan.RunRolledBack, plan.Request{Mode: plan.Back, Of: failed.Run}, nil)
			if code := w.provider.Judge(fresh); code != c.alive || w.key("AWSCURRENT", target) != oldKey {
				t.Errorf("the new key is answered %d, want %d", code, c.alive)
			}
			if c.loads && !strings.Contains(lines(got), "stays alive") {
				t.Errorf("it is not told:\n%s", lines(got))
			}
			w.clean(got)
		})
	}
}

func TestAProviderThatCannotListTellsWhatItMayHaveLeft(t *testing.T) {
	w := newWorld(t, shape{noList: true})
	e := w.engine()
	w.provider.SetFault("create", &edge.ProviderFault{Drop: true, After: true, Times: 1})
	got := w.must(e, plan.RunFailed, rotate(), nil)
	if !strings.Contains(got.Trouble+got.Next, "may have made a key named warroom-") {
		t.Errorf("%q %q", got.Trouble, got.Next)
	}
	p, err := e.Plan(t.Context(), plan.Request{Mode: plan.Resume, Of: got.Run})
	if err != nil {
		t.Fatal(err)
	}
	bare := consent(p, nil)
	bare.Accepted = nil
	if err := e.Start(t.Context(), bare); err == nil {
		t.Error("it is resumed without a word about the key that may be left")
	}
	w.provider.Revoke(canary + "new1_QWxsIHlvdXIgYmFzZQ") // what the person does in the console
	end := w.must(e, plan.RunDone, plan.Request{Mode: plan.Resume, Of: got.Run}, nil)
	w.safe("resumed")
	w.clean(got, end)
}

func TestTheBackupKeyIsATemporaryMeasure(t *testing.T) {
	w := newWorld(t, shape{backup: true})
	w.provider.Revoke(oldKey) // what it is for
	e := w.engine()
	ask := plan.Request{Procedure: "use-backup-key", Target: target}
	p, err := e.Plan(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	bare := consent(p, nil)
	bare.Reason = ""
	if err := e.Start(t.Context(), bare); err == nil || !strings.Contains(err.Error(), "reason") {
		t.Errorf("without a reason: %v", err)
	}
	got := w.must(e, plan.RunDone, ask, nil)
	if w.key("AWSCURRENT", target) != backup {
		t.Error("it is not handed out")
	}
	m := w.log.Case().State.Measures
	if len(m) != 1 || m[0].Kind != "backup key" || !strings.Contains(m[0].What, "by "+time.Now().Add(24*time.Hour).UTC().Format("2006-01-02")) {
		t.Errorf("measures %+v", m)
	}
	w.clean(got)
	// Used up, it is refused: it is the current key.
	if _, err := w.do(e, ask, nil); err == nil || !strings.Contains(err.Error(), "current key") {
		t.Errorf("%v", err)
	}
}

func TestABackupKeyThatDoesNotWorkIsNotUsed(t *testing.T) {
	w := newWorld(t, shape{backup: true})
	w.provider.Revoke(backup)
	if _, err := w.do(w.engine(), plan.Request{Procedure: "use-backup-key"}, nil); err == nil || !strings.Contains(err.Error(), "is refused (401") {
		t.Errorf("%v", err)
	}
}

func TestRetryingGoesOnUntilItWorks(t *testing.T) {
	w := newWorld(t, shape{})
	e := w.engine()
	w.provider.SetFault("create", &edge.ProviderFault{Code: 503, Times: 6})
	got := w.must(e, plan.RunDone, plan.Request{Procedure: "retry-api-key"}, nil)
	if text := lines(got); !strings.Contains(text, "attempt 6 of 8") || !strings.Contains(text, "next attempt at") {
		t.Errorf("the attempts are not told:\n%s", text)
	}
	w.safe("at last")
	w.clean(got)
	w2 := newWorld(t, shape{})
	w2.provider.SetFault("create", &edge.ProviderFault{Code: 503})
	end := w2.must(w2.engine(), plan.RunFailed, plan.Request{Procedure: "retry-api-key", Options: map[string]string{"attempts": "3"}}, nil)
	n := 0
	for _, c := range w2.provider.Audit() {
		if c.Method == http.MethodPost {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d attempts, want 3: %s", n, end.Trouble)
	}
}

func TestAWaitIsStopped(t *testing.T) {
	w := newWorld(t, shape{help: true})
	w.provider.Revoke(oldKey)
	for _, procedure := range []string{"ask-provider", "retry-api-key"} {
		e := w.engine()
		if procedure == "retry-api-key" {
			w.provider.SetFault("create", &edge.ProviderFault{Code: 503})
		}
		p, err := e.Plan(t.Context(), plan.Request{Procedure: procedure, Target: target, Options: map[string]string{"attempts": "20"}})
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		w.idle = func() { // when the procedure waits
			select {
			case stop <- struct{}{}:
			default:
			}
		}
		go func() {
			<-stop
			e.Stop(p.ID)
		}()
		if err := e.Start(t.Context(), consent(p, nil)); err != nil {
			t.Fatal(err)
		}
		got, err := e.Wait(t.Context(), p.ID)
		if err != nil || got.State != plan.RunStopped && got.State != plan.RunFailed || !strings.Contains(got.Trouble+got.Next+lines(got), "stopped") {
			t.Errorf("%s: %s %q %v", procedure, got.State, got.Trouble, err)
		}
		e.Close()
	}
}

func TestTheProvidersHelpIsWaitedFor(t *testing.T) {
	w := newWorld(t, shape{help: true})
	w.provider.Revoke(oldKey)
	e := w.engine()
	waits := 0
	w.idle = func() {
		w.pass(20 * time.Second)
		if waits++; waits == 1500 { // more than eight hours later
			w.provider.Accept("production", oldKey)
		}
	}
	before := len(w.provider.Audit())
	got := w.must(e, plan.RunDone, plan.Request{Procedure: "ask-provider"}, nil)
	text := lines(got)
	for _, want := range []string{"+1 555 0101", "https://support.payments.example/urgent", "over the time that it named"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not told:\n%s", want, text)
		}
	}
	refusedProbes := 0
	for _, c := range w.provider.Audit()[before:] {
		if c.Code == http.StatusUnauthorized {
			refusedProbes++
		}
	}
	if most := int(1500 * 20 * time.Second / probeEvery); refusedProbes > most+2 || refusedProbes < most/2 {
		t.Errorf("%d logins that fail in 8 hours 20 minutes, at most %d", refusedProbes, most)
	}
	for _, c := range w.calls.list() {
		if c.Changes {
			t.Errorf("it changes something: %s", c.Name)
		}
	}
	w.clean(got)
}

func TestAKeyTypedAsItsIDIsRefused(t *testing.T) {
	w := newWorld(t, shape{noCreate: true})
	fresh := canary + "typed_c2Vjb25kIGtleSB0eXBlZA"
	w.provider.Accept("by hand", fresh)
	got := w.must(w.engine(), plan.RunFailed, rotate(), map[string]estate.Secret{inputKey: estate.NewSecret(fresh), inputID: estate.NewSecret(fresh)})
	if !strings.Contains(got.Trouble, "is the key, or no id") {
		t.Errorf("%q", got.Trouble)
	}
	w.clean(got)
}

// What was rotated after a run is not rolled back over, neither in the store nor in its
// copies.
func TestARotationAfterARunIsNotRolledBackOver(t *testing.T) {
	w := newWorld(t, shape{copies: true})
	e := w.engine()
	w.calls.fault = failing("secretsmanager:UntagResource", timeout{})
	failed := w.must(e, plan.RunFailed, rotate(), nil)
	w.calls.reborn()
	first := w.key("AWSCURRENT", target)
	if first == oldKey || w.copied() != first {
		t.Fatal("the first one was not handed out")
	}
	w.provider.Revoke(oldKey) // what a roll-back would hand out again
	w.must(e, plan.RunDone, rotate(), nil)
	second := w.key("AWSCURRENT", target)
	if second == first || w.copied() != second {
		t.Fatal("the second one was not handed out")
	}
	_, err := w.do(e, plan.Request{Mode: plan.Back, Of: failed.Run}, nil)
	if err == nil || !strings.Contains(err.Error(), "somebody has rotated it since") {
		t.Errorf("rolled back all the same: %v", err)
	}
	if w.key("AWSCURRENT", target) != second || w.copied() != second {
		t.Error("the newer key is not handed out any more")
	}
}
