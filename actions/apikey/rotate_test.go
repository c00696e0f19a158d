package apikey

import (
	"io"
	"log"
	"net/http"
	"strings"
	"testing"
	"time"

	"warroom/internal/drill/edge"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

var quiet = log.New(io.Discard, "", 0)

func rotate() plan.Request { return plan.Request{Procedure: "rotate-api-key"} }
func revoke(options ...string) plan.Request {
	r := plan.Request{Procedure: "revoke-api-key", Options: map[string]string{}}
	for i := 0; i+1 < len(options); i += 2 {
		r.Options[options[i]] = options[i+1]
	}
	return r
}

func TestARotationEndsWithTheNewKeyAloneInUse(t *testing.T) {
	w := newWorld(t, shape{})
	e := w.engine()
	before := w.version("AWSCURRENT", target)
	got := w.must(e, plan.RunDone, rotate(), nil)
	current := w.key("AWSCURRENT", target)
	if current == oldKey || !strings.HasPrefix(current, canary+"new") {
		t.Fatal("the store does not hand out the new key")
	}
	if w.version("AWSPREVIOUS", target) != before || w.version("AWSPENDING", target) != "" {
		t.Errorf("previous %q, pending %q", w.version("AWSPREVIOUS", target), w.version("AWSPENDING", target))
	}
	if w.provider.Judge(oldKey) != http.StatusOK {
		t.Error("the old key ended before anybody was restarted")
	}
	if text := lines(got); !strings.Contains(text, "Payment Service") || !strings.Contains(text, "revoke-api-key") {
		t.Errorf("nothing tells who is to be restarted:\n%s", text)
	}
	s, _ := w.sim.Secret(target)
	if len(s.Tags) != 0 {
		t.Errorf("it is still signed: %v", s.Tags)
	}
	if keys := w.provider.Keys(); len(keys) != 3 {
		t.Errorf("%d keys", len(keys))
	}
	// The service is restarted, and the old key is quiet.
	w.restart()
	w.pass(11 * time.Minute)
	end := w.must(e, plan.RunDone, revoke(), nil)
	if w.provider.Judge(oldKey) != http.StatusUnauthorized || w.provider.Judge(current) != http.StatusOK {
		t.Error("not the old key alone is ended")
	}
	if !strings.Contains(end.Plan.Irreversible, "cannot bring it back") {
		t.Errorf("irreversible: %q", end.Plan.Irreversible)
	}
	w.safe("at the end")
	w.clean(got, end)
}

func TestTheSecretsOfACascadeGetTheSameKey(t *testing.T) {
	w := newWorld(t, shape{dependents: true})
	got := w.must(w.engine(), plan.RunDone, rotate(), nil)
	if a, b := w.key("AWSCURRENT", target), w.key("AWSCURRENT", "prod/api/fallback"); a != b || w.provider.Judge(b) != http.StatusOK {
		t.Error("the fallback does not have the new key")
	}
	s, _ := w.sim.Secret("prod/api/fallback")
	for _, v := range s.Versions {
		if !strings.Contains(v.Value, "https://api.payments.example") {
			t.Error("other fields of the secret are lost")
		}
	}
	w.clean(got)
}

func TestATypedKeyIsTriedBeforeItIsStored(t *testing.T) {
	type input = map[string]estate.Secret
	of := func(key string) input { return input{inputKey: estate.NewSecret(key)} }
	fresh := canary + "typed_c2Vjb25kIGtleSB0eXBlZA"
	t.Run("a good one", func(t *testing.T) {
		w := newWorld(t, shape{noCreate: true})
		w.provider.Accept("by hand", fresh)
		in := of(fresh)
		in[inputID] = estate.NewSecret(edge.KeyID("by hand", fresh))
		got := w.must(w.engine(), plan.RunDone, rotate(), in)
		if w.key("AWSCURRENT", target) != fresh {
			t.Error("it is not handed out")
		}
		w.clean(got)
	})
	for name, c := range map[string]struct {
		key, why string
		fault    *edge.ProviderFault
	}{
		"refused":              {fresh, "refused", nil},
		"the current one":      {oldKey, "the current key", nil},
		"a placeholder":        {"REPLACE_ME_WITH_THE_REAL_API_KEY", "placeholder", nil},
		"masked":               {"sk_live_xxxxxxxxxxxxxxxxxxxxxxxx", "placeholder", nil},
		"half of one":          {oldKey[:len(oldKey)/2-1], "shorter than half", nil},
		"limited":              {oldKey + "2", "rate limited", &edge.ProviderFault{Code: 429}},
		"trouble":              {oldKey + "2", "trouble of its own", &edge.ProviderFault{Code: 503}},
		"silent":               {oldKey + "2", "no answer came", &edge.ProviderFault{Drop: true}},
		"an answer of a proxy": {oldKey + "2", "says nothing of a key", &edge.ProviderFault{Code: 404}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, shape{noCreate: true})
			e := w.engine()
			p, err := e.Plan(t.Context(), plan.Request{Procedure: "rotate-api-key", Target: target})
			if err != nil {
				t.Fatal(err)
			}
			w.provider.SetFault("use", c.fault) // after the plan was made
			if err := e.Start(t.Context(), consent(p, of(c.key))); err != nil {
				t.Fatal(err)
			}
			got, err := e.Wait(t.Context(), p.ID)
			if err != nil || got.State != plan.RunFailed || !strings.Contains(got.Trouble, c.why) {
				t.Errorf("%s, %q, %v; want %q", got.State, got.Trouble, err, c.why)
			}
			if w.sim.Calls("secretsmanager:PutSecretValue") != 0 {
				t.Error("something was stored")
			}
			if strings.Contains(got.Trouble+lines(got), c.key) {
				t.Error("what was typed is told")
			}
			w.clean(got)
		})
	}
	t.Run("accepted although the provider is silent", func(t *testing.T) {
		w := newWorld(t, shape{noCreate: true})
		w.provider.Accept("by hand", fresh)
		w.provider.SetFault("use", &edge.ProviderFault{Drop: true})
		e := w.engine()
		p, err := e.Plan(t.Context(), plan.Request{Procedure: "rotate-api-key", Target: target})
		if err != nil {
			t.Fatal(err)
		}
		bare := consent(p, of(fresh))
		bare.Accepted = nil
		if err := e.Start(t.Context(), bare); err == nil || !strings.Contains(err.Error(), "not accepted") {
			t.Errorf("without accepting: %v", err)
		}
		got := w.must(e, plan.RunDone, rotate(), of(fresh))
		if w.key("AWSCURRENT", target) != fresh || !strings.Contains(lines(got), "without having been tried") {
			t.Errorf("not stored, or not said:\n%s", lines(got))
		}
	})
}

func TestAFullAccountIsToldBeforeAnythingIsDone(t *testing.T) {
	w := newWorld(t, shape{})
	w.provider.Accept("third", canary+"third_YW5vdGhlciBvbmUgdGhlcmU")
	_, err := w.do(w.engine(), rotate(), nil)
	if err == nil || !strings.Contains(err.Error(), "3 of at most 3 keys") || !strings.Contains(err.Error(), "third") {
		t.Errorf("%v", err)
	}
	w.clean(err.Error())
}

func TestSomebodysPendingValueIsNotTaken(t *testing.T) {
	w := newWorld(t, shape{backup: true})
	e := w.engine()
	w.provider.SetFault("use", &edge.ProviderFault{Code: 401})
	w.must(e, plan.RunFailed, rotate(), nil)
	w.provider.SetFault("use", nil)
	_, err := w.do(w.engine(), rotate(), nil)
	if err == nil || !strings.Contains(err.Error(), "pending") || !strings.Contains(err.Error(), "anna@war") {
		t.Errorf("%v", err)
	}
	w.safe("with a run that failed")
	// Its place is taken when that is asked for.
	w.must(w.engine(), plan.RunDone, plan.Request{Procedure: "use-backup-key", Options: map[string]string{"pending": "replace"}}, nil)
	if w.key("AWSCURRENT", target) != backup || w.version("AWSPENDING", target) != "" {
		t.Errorf("not handed out, or something is pending: %v", w.stages())
	}
}
