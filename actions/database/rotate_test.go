package database_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"warroom/actions"
	"warroom/actions/store"
	"warroom/internal/drill/pgsim"
	"warroom/internal/plan"
)

func rotate() plan.Request     { return plan.Request{Procedure: "rotate-database"} }
func recovering() plan.Request { return plan.Request{Procedure: "recover-pending"} }

// back rolls back what a run has done whose last step is made to fail.
func (w *world) back(ask plan.Request) plan.Progress {
	w.t.Helper()
	w.calls.mu.Lock()
	w.calls.fault = nil
	w.calls.mu.Unlock()
	e := w.engine()
	defer e.Close()
	advice, err := e.Advise(w.t.Context())
	if err != nil || len(advice) == 0 {
		w.t.Fatalf("%s: nothing to roll back: %v", ask.Procedure, err)
	}
	return w.must(e, plan.RunRolledBack, plan.Request{Mode: plan.Back, Of: advice[0].Run})
}

func TestRotate(t *testing.T) {
	for name, s := range map[string]shape{
		"plain":                       {},
		"a replica":                   {replica: true},
		"a replica, no monitor":       {replica: true, blind: true},
		"copies":                      {copies: true, replica: true},
		"the scheduler is on":         {schedule: true},
		"in Vault":                    {kv: true},
		"in Vault, copies":            {kv: true, copies: true, replica: true},
		"the user is configured":      {exclusive: true},
		"plain text":                  {secret: `{ emergency: prod/db/root, plain_text: "an old proxy checks passwords" }`},
		"an end, by an administrator": {secret: "{ admin: prod/db/keeper, valid_for: 336h }"},
		"only AWSPREVIOUS works":      {database: oldest},
		"nothing works":               {database: stuck},
		"its time is over":            {ended: true, secret: "{ emergency: prod/db/root, valid_for: 336h }"},
		"alternating":                 {secret: "{ strategy: alternating, admin: prod/db/keeper }"},
		"alternating, in Vault":       {kv: true, secret: "{ strategy: alternating, admin: prod/db/keeper }"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, s)
			e := w.engine()
			got := w.must(e, plan.RunDone, rotate())
			w.rotated(name)
			if n := len(got.Plan.Measures); (n > 0) != s.schedule {
				t.Errorf("%d temporary measures are told", n)
			}
			role, _ := w.pg.RoleOf("app")
			if strings.Contains(s.secret, "valid_for") && time.Until(role.ValidUntil) < 13*day {
				t.Errorf("VALID UNTIL is %v", role.ValidUntil)
			}
			emergency := s.database == stuck || s.ended
			if (got.Plan.NeedsReason != "") != emergency {
				t.Errorf("a reason is asked for: %q", got.Plan.NeedsReason)
			}
			if strings.Contains(s.secret, "alternating") {
				if user, _ := w.staged("AWSCURRENT"); user != "app_clone" {
					t.Errorf("%s is current", user)
				}
				if !w.takes("app", now) {
					t.Error("the user that was current does not log in any more")
				}
				if r, _ := w.pg.RoleOf("app_clone"); len(r.MemberOf) != 1 {
					t.Errorf("the clone is a member of %v", r.MemberOf)
				}
				// And back to the first of the two.
				w.must(e, plan.RunDone, rotate())
				if user, password := w.staged("AWSCURRENT"); user != "app" || !w.takes("app", password) || password == now {
					t.Errorf("after the second time %s is current", user)
				}
				w.tidy("after the second time")
			}
		})
	}
}

func TestRotateIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		shape shape
		want  string
	}{
		"a stuck rotation":       {shape{pending: stuck}, "recover-pending"},
		"nothing gets in":        {shape{database: stuck, secret: "{ length: 40 }"}, "nothing that is stored gets in"},
		"alternating, but fixed": {shape{exclusive: true, secret: "{ strategy: alternating, admin: prod/db/keeper }"}, "always logs in as app"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.shape)
			_, err := w.do(w.engine(), rotate())
			var refused *actions.Refusal
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want a refusal with %q", err, c.want)
			}
			w.clean(err.Error())
		})
	}
}

func TestRecoverEachForm(t *testing.T) {
	const alone = "{ length: 40 }" // without an emergency superuser
	for name, c := range map[string]struct {
		shape shape
		form  string
		end   string
	}{
		"a":                         {shape{pending: stuck, database: stuck, secret: alone}, "(a)", stuck},
		"a, copies, scheduler":      {shape{pending: stuck, database: stuck, copies: true, schedule: true, replica: true}, "(a)", stuck},
		"b":                         {shape{pending: stuck, secret: alone}, "(b)", stuck},
		"b in Vault":                {shape{pending: stuck, kv: true}, "(b)", stuck},
		"c":                         {shape{pending: "empty", secret: alone}, "(c)", ""},
		"d, an earlier one works":   {shape{pending: stuck, database: oldest, secret: alone}, "(d)", stuck},
		"d, by the superuser":       {shape{pending: stuck, database: "nobody knows it"}, "(d)", stuck},
		"d, VALID UNTIL is over":    {shape{pending: stuck, ended: true, secret: "{ emergency: prod/db/root, valid_for: 336h }"}, "(d)", stuck},
		"c, and nothing else works": {shape{pending: "empty", database: "nobody knows it"}, "(c)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.shape)
			got := w.must(w.engine(), plan.RunDone, recovering())
			if !strings.Contains(got.Plan.Why, c.form) {
				t.Errorf("the form is not told: %s", got.Plan.Why)
			}
			w.rotated(name)
			if _, password := w.staged("AWSCURRENT"); c.end != "" && password != c.end {
				t.Error("what was pending is not current")
			}
		})
	}
	t.Run("e", func(t *testing.T) {
		w := newWorld(t, shape{pending: stuck, database: "nobody knows it", secret: alone})
		if _, err := w.do(w.engine(), recovering()); err == nil || !strings.Contains(err.Error(), "ModifyDBInstance") {
			t.Errorf("%v: by hand is not told", err)
		}
	})
}

func TestAStuckVersionIsGivenUp(t *testing.T) {
	drop := recovering()
	drop.Options = map[string]string{"end": "drop"}
	for _, pending := range []string{stuck, "empty"} {
		w := newWorld(t, shape{pending: pending})
		w.must(w.engine(), plan.RunDone, drop)
		if _, password := w.staged("AWSCURRENT"); password != now {
			t.Error("what is current has changed")
		}
		w.tidy(pending)
	}
	w := newWorld(t, shape{pending: stuck, database: stuck})
	if _, err := w.do(w.engine(), drop); err == nil || !strings.Contains(err.Error(), "takes now") {
		t.Errorf("the password that the database takes is given up: %v", err)
	}
}

func TestAPausedReplicaIsToldAndLeftOnlyWhenAccepted(t *testing.T) {
	w := newWorld(t, shape{replica: true})
	w.pg.PauseReplay()
	e := w.engine()
	ask := rotate()
	ask.Target = target
	p, err := e.Plan(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	bare := consent(p)
	bare.Accepted = nil
	if err := e.Start(t.Context(), bare); err == nil {
		t.Fatal("it is not asked whether the replica is left behind")
	}
	if err := e.Start(t.Context(), consent(p)); err != nil {
		t.Fatal(err)
	}
	got, err := e.Wait(t.Context(), p.ID)
	if err != nil || got.State != plan.RunDone || !strings.Contains(lines(got), "pg_wal_replay_resume") {
		t.Fatalf("%s: %v\n%s", got.State, err, lines(got))
	}
	w.rotated("with a paused replica")
}

func TestAReplicaThatIsPausedMeanwhileFailsTheRunAndIsResumed(t *testing.T) {
	w := newWorld(t, shape{replica: true})
	e := w.engine()
	ask := rotate()
	ask.Target = target
	p, err := e.Plan(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	w.pg.PauseReplay()
	if err := e.Start(t.Context(), consent(p)); err != nil {
		t.Fatal(err)
	}
	got, err := e.Wait(t.Context(), p.ID)
	if err != nil || got.State != plan.RunFailed || !strings.Contains(got.Trouble, "replay is paused") {
		t.Fatalf("%s: %s %v", got.State, got.Trouble, err)
	}
	w.safe("paused")
	if _, password := w.staged("AWSCURRENT"); password != now {
		t.Error("it became current before every replica knew it")
	}
	w.pg.ResumeReplay()
	w.must(e, plan.RunDone, plan.Request{Mode: plan.Resume, Of: p.ID})
	w.rotated("resumed")
}

func TestOfTwoConsolesOneWins(t *testing.T) {
	for _, kv := range []bool{false, true} {
		w := newWorld(t, shape{kv: kv})
		one, two := w.engine(), w.console("bert", &memory{fold: w.log.fold, state: w.log.state}, w.calls)
		ask := rotate()
		ask.Target = w.name()
		var plans []*plan.Plan
		for _, e := range []*actions.Engine{one, two} {
			p, err := e.Plan(t.Context(), ask)
			if err != nil {
				t.Fatal(err)
			}
			plans = append(plans, p)
		}
		if err := one.Start(t.Context(), consent(plans[0])); err != nil {
			t.Fatal(err)
		}
		if err := two.Start(t.Context(), consent(plans[1])); err != nil {
			t.Fatal(err)
		}
		a, err := one.Wait(t.Context(), plans[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		b, err := two.Wait(t.Context(), plans[1].ID)
		if err != nil {
			t.Fatal(err)
		}
		won := 0
		for _, got := range []plan.Progress{a, b} {
			if got.State == plan.RunDone {
				won++
			} else if !strings.Contains(got.Trouble, "@war") && !strings.Contains(got.Trouble, "AWSCURRENT") && !strings.Contains(got.Trouble, "AWSPENDING") {
				t.Errorf("the loser is not told who holds it: %s", got.Trouble)
			}
		}
		if won != 1 {
			t.Errorf("%d of two consoles won\n%s\n%s", won, lines(a), lines(b))
		}
		w.rotated("two consoles")
	}
}

func TestTheLoserIsToldTheHolder(t *testing.T) {
	for _, kv := range []bool{false, true} {
		w := newWorld(t, shape{kv: kv})
		e := w.engine()
		ask := rotate()
		ask.Target = w.name()
		p, err := e.Plan(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		// Another console stops halfway.
		other := w.console("bert", &memory{fold: w.log.fold, state: w.log.state}, &recorder{fault: failing("ALTER ROLE", errors.New("stopped here"))})
		if got, err := w.do(other, ask); err != nil || got.State != plan.RunFailed {
			t.Fatalf("%s %v", got.State, err)
		}
		if err := e.Start(t.Context(), consent(p)); err == nil {
			got, err := e.Wait(t.Context(), p.ID)
			if err != nil || got.State == plan.RunDone || !strings.Contains(got.Trouble+lines(got), "bert@war") {
				t.Errorf("%s: %s %v", got.State, got.Trouble, err)
			}
		} else if !strings.Contains(err.Error(), "bert@war") {
			t.Errorf("who holds it is not told: %v", err)
		}
		_, err = e.Plan(t.Context(), ask)
		var taken *store.Taken
		if !errors.As(err, &taken) || !strings.Contains(err.Error(), "bert@war") {
			t.Errorf("who holds it is not told: %v", err)
		}
		w.safe("held")
	}
}

func TestOnlyOneLoginOfAVersionFails(t *testing.T) {
	w := newWorld(t, shape{database: stuck})
	e := w.engine()
	for range 3 {
		ask := rotate()
		ask.Target = target
		if _, err := e.Plan(t.Context(), ask); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.pg.Primary().FailedLogins(); n != 2 { // AWSCURRENT and AWSPREVIOUS
		t.Errorf("%d logins failed", n)
	}
}

func TestPrivilegesThatAreMissingAreNamed(t *testing.T) {
	w := newWorld(t, shape{secret: "{ strategy: alternating, admin: prod/db/keeper }"})
	w.pg.SetRole(pgsim.Role{Name: "keeper", CanLogin: true, ConnLimit: -1})
	w.pg.SetPassword("keeper", boss)
	got, err := w.do(w.engine(), rotate())
	if err != nil || got.State != plan.RunFailed || !strings.Contains(got.Trouble+got.Next, "CREATEROLE") {
		t.Errorf("%s: %s; %s %v", got.State, got.Trouble, got.Next, err)
	}
	w.safe("refused")
	w.back(rotate())
	w.tidy("rolled back")
}
