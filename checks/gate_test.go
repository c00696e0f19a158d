package checks

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// gateWorld is one simulated primary seen by two components with one secret.
func gateWorld(t *testing.T) (*simWorld, *pgEstate) {
	w := newSimWorld(t, nil)
	w.setRole(t, pgRole{name: "wr_app", password: pgNew})
	e := newPGEstate(t, w.at(false), w.at(false))
	return w, e
}

func TestARefusedVersionRestsForAllWhoWouldTryIt(t *testing.T) {
	w, e := gateWorld(t)
	for _, stage := range []estate.Stage{estate.StageCurrent, estate.StagePending} {
		e.vault.put(pgSecret, stage, pgVersion{id: "v1", user: "wr_app", password: pgOld})
	}
	began := e.clock.Now()
	every := 30 * time.Second
	failed := func(want int) {
		t.Helper()
		if n := w.Primary().FailedLogins(); n != want {
			t.Fatalf("%s: the server counts %d failed logins, want %d", e.clock.Now().Sub(began), n, want)
		}
	}
	all := func() (r Result) {
		t.Helper()
		for _, db := range []string{"db0", "db1"} {
			for _, stage := range []estate.Stage{estate.StageCurrent, estate.StagePending} {
				r = e.run(t, db, estate.CheckLogin, string(stage))
				l, ok := r.Data.(estate.Login)
				if !ok || l.Outcome != estate.LoginWrong || l.Stage != stage || l.SQLState != "28P01" {
					t.Fatalf("%s %s: %+v %v", db, stage, r.Data, r.Err)
				}
			}
			// The application's own login would be used for monitoring.
			kindIs(t, e.run(t, db, estate.CheckRole, "").Err, estate.NoIdentity)
		}
		return r
	}
	all()
	failed(1)
	at := began
	for e.clock.Now().Sub(began) < hold-every {
		e.clock.advance(every)
		r := all()
		failed(1)
		if !r.At.Equal(at) {
			t.Errorf("remembered answer is of %v, want %v", r.At, at)
		}
		// Neither now nor by its next run, a tenth late, may it be stale.
		due := time.Duration(float64(r.Again) * (1 + jitter))
		if age := e.clock.Now().Add(due).Sub(r.At); age > estate.StaleAfter*r.Interval {
			t.Errorf("at its next run the answer is %s old and its interval %s", age, r.Interval)
		}
		if r.Again > every {
			t.Errorf("a new version would be noticed only after %s", r.Again)
		}
	}
	// A new version does not have to wait.
	e.vault.put(pgSecret, estate.StagePending, pgVersion{id: "v2", user: "wr_app", password: pgNew})
	if l := e.login(t, "db0", estate.StagePending); l.Outcome != estate.LoginAccepted || l.Version != "v2" {
		t.Errorf("the new version: %+v", l)
	}
	if l := e.login(t, "db0", estate.StageCurrent); l.Outcome != estate.LoginWrong {
		t.Errorf("the old version: %+v", l)
	}
	failed(1)
	e.clock.advance(every)
	e.vault.put(pgSecret, estate.StagePending, pgVersion{id: "v1", user: "wr_app", password: pgOld})
	all()
	failed(2)
	e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v3", user: "wr_app", password: pgWrong})
	e.login(t, "db0", estate.StageCurrent)
	failed(3)
}

func TestOneVersionUnderTwoLabelsIsOneLogin(t *testing.T) {
	w, e := gateWorld(t)
	logins := func() int {
		n := 0
		for _, stage := range []estate.Stage{estate.StageCurrent, estate.StagePending} {
			r := e.run(t, "db0", estate.CheckLogin, string(stage))
			if l, ok := r.Data.(estate.Login); !ok || l.Outcome != estate.LoginAccepted || l.Stage != stage {
				t.Fatalf("%s: %+v %v", stage, r.Data, r.Err)
			}
			if r.At.IsZero() {
				n++
			}
		}
		return n
	}
	for _, stage := range []estate.Stage{estate.StageCurrent, estate.StagePending} {
		e.vault.put(pgSecret, stage, pgVersion{id: "v1", user: "wr_app", password: pgNew})
	}
	for range 5 {
		if n := logins(); n != 1 {
			t.Errorf("%d logins were made for one version under two labels", n)
		}
		e.clock.advance(20 * time.Second)
	}
	// An accepted login is repeated at once when asked by the same probe, and
	// tells of a change.
	w.expire(t, "wr_app")
	if l := e.login(t, "db0", estate.StageCurrent); l.Outcome != estate.LoginWrong {
		t.Errorf("after the role expired: %+v", l)
	}
}

func TestAnotherDatabaseIsNotToldOfARefusalAtThisOne(t *testing.T) {
	w := newSimWorld(t, nil)
	w.setRole(t, pgRole{name: "wr_app", password: pgOld})
	closed := w.at(false)
	closed.Database = pgClosed
	e := newPGEstate(t, closed, w.at(false))
	e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_app", password: pgOld})
	if l := e.login(t, "db0", estate.StageCurrent); l.Outcome != estate.LoginBarred {
		t.Errorf("got %+v", l)
	}
	kindIs(t, e.run(t, "db1", estate.CheckLogin, "AWSCURRENT").Err, estate.Paused)
	e.clock.advance(hold)
	if l := e.login(t, "db1", estate.StageCurrent); l.Outcome != estate.LoginAccepted || l.Database != pgDatabase {
		t.Errorf("got %+v", l)
	}
	// An accepted login is no answer for another database either.
	if l := e.login(t, "db0", estate.StageCurrent); l.Outcome != estate.LoginBarred || l.Database != pgClosed {
		t.Errorf("got %+v", l)
	}
}

func TestGateLetsOneOfManyThrough(t *testing.T) {
	g := newGate(time.Now, nil)
	var mu sync.Mutex
	tries := 0
	started, finish := make(chan struct{}), make(chan struct{})
	try := func(context.Context) outcome {
		mu.Lock()
		defer mu.Unlock()
		if tries++; tries == 1 {
			close(started)
			<-finish
		}
		return loginOutcome(clients.LoginTry{Login: estate.Login{Outcome: estate.LoginWrong}})
	}
	k := gateKey{"db:5432", "app", pgSecret, "v1"}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			got, err := g.present(t.Context(), k, asker{by: string(rune('a' + i)), share: time.Minute}, try)
			if err != nil || got.says != refused {
				t.Errorf("got %+v %v", got, err)
			}
		})
	}
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.present(ctx, k, asker{by: "impatient"}, try); !errors.Is(err, context.Canceled) {
		t.Errorf("while another login runs: %v", err)
	}
	close(finish)
	all.Wait()
	if tries != 1 {
		t.Errorf("%d logins were made, want 1", tries)
	}
}

func TestHolds(t *testing.T) {
	silent := &estate.Failure{Kind: estate.Silent}
	for _, x := range []struct {
		name  string
		try   clients.LoginTry
		known bool
		want  bool
	}{
		{"unreachable", clients.LoginTry{Err: silent}, false, false},
		{"presented, unanswered", clients.LoginTry{Err: silent, Presented: true}, false, true},
		{"presented, unanswered, known to be right", clients.LoginTry{Err: silent, Presented: true}, true, false},
		{"wrong", clients.LoginTry{Login: estate.Login{Outcome: estate.LoginWrong}}, true, true},
		{"barred", clients.LoginTry{Login: estate.Login{Outcome: estate.LoginBarred}}, false, true},
		{"rejected", clients.LoginTry{Login: estate.Login{Outcome: estate.LoginRejected}}, false, true},
		{"busy", clients.LoginTry{Login: estate.Login{Outcome: estate.LoginBusy}}, false, false},
		{"trusted", clients.LoginTry{Login: estate.Login{Outcome: estate.LoginTrusted}}, false, false},
		{"a server that proved nothing", clients.LoginTry{Presented: true, Login: estate.Login{Outcome: estate.LoginWeak}}, true, true},
		{"weak", clients.LoginTry{Login: estate.Login{Outcome: estate.LoginWeak}}, false, false},
		{"accepted", clients.LoginTry{Login: estate.Login{Outcome: estate.LoginAccepted}}, false, false},
	} {
		if got := holds(loginOutcome(x.try).says, x.known); got != x.want {
			t.Errorf("%s: held %v, want %v", x.name, got, x.want)
		}
	}
}

func TestGateForgetsOldVersions(t *testing.T) {
	now := &pgClock{now: time.Date(2026, 3, 4, 3, 0, 0, 0, time.UTC)}
	g := newGate(now.Now, nil)
	for i := range 2000 {
		_, _ = g.present(t.Context(), gateKey{place: "db", version: time.Duration(i).String()}, asker{}, func(context.Context) outcome {
			return loginOutcome(clients.LoginTry{Login: estate.Login{Outcome: estate.LoginWrong}})
		})
		now.advance(10 * time.Second)
	}
	if n := len(g.entries); n > 400 {
		t.Errorf("the gate remembers %d versions", n)
	}
}

// In a healthy estate the previous password is refused, as it should be. That is
// found out once.
func TestAHealthyEstateGetsOneFailedLogin(t *testing.T) {
	w := newSimWorld(t, nil)
	w.setRole(t, pgRole{name: "wr_app", password: pgNew})
	e := newPGEstate(t, w.at(false))
	e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v2", user: "wr_app", password: pgNew})
	e.vault.put(pgSecret, estate.StagePrevious, pgVersion{id: "v1", user: "wr_app", password: pgOld})
	e.vault.put(pgSecret, estate.StagePending, pgVersion{id: "v3", user: "wr_app", password: pgWrong})
	const every = 30 * time.Second
	failed := func(what string, want int) {
		t.Helper()
		if n := w.Primary().FailedLogins(); n != want {
			t.Fatalf("%s: %d failed logins, want %d", what, n, want)
		}
	}
	round := func(ctx context.Context) map[estate.Stage]Result {
		t.Helper()
		out := map[estate.Stage]Result{}
		for _, stage := range []estate.Stage{estate.StagePending, estate.StagePrevious, estate.StageCurrent} {
			r := e.probes[estate.Key{Component: "db0", Check: estate.CheckLogin, Item: string(stage)}].Read(ctx)
			if r.Err != nil {
				t.Fatalf("%s: %v", stage, r.Err)
			}
			out[stage] = r
		}
		return out
	}
	round(t.Context())
	failed("the first round", 2)
	at := e.clock.Now()
	for e.clock.Now().Sub(at) < time.Hour {
		e.clock.advance(every)
		for stage, r := range round(t.Context()) {
			want := estate.LoginWrong
			if stage == estate.StageCurrent {
				want = estate.LoginAccepted
			}
			if l := r.Data.(estate.Login); l.Outcome != want || l.Stage != stage {
				t.Fatalf("%s: %+v", stage, l)
			}
			if stage == estate.StageCurrent {
				continue
			}
			due := time.Duration(float64(r.Again) * (1 + jitter))
			if !r.At.Equal(at) || e.clock.Now().Add(due).Sub(at) > estate.StaleAfter*r.Interval || r.Again > every {
				t.Fatalf("%s: of %v, again in %s, interval %s: it turns stale", stage, r.At, r.Again, r.Interval)
			}
		}
	}
	failed("after an hour", 2)

	hand := context.WithValue(t.Context(), handKey{}, true)
	round(hand)
	failed("when a person asks", 4)
	round(hand)
	failed("when a person asks again", 4)

	e.vault.put(pgSecret, estate.StagePrevious, pgVersion{id: "v0", user: "wr_app", password: pgWrong})
	round(t.Context())
	failed("with another previous version", 5)
	e.clock.advance(hold)
	round(t.Context())
	failed("after which it rests as well", 5)

	// The current version no longer works: now it matters whether another does.
	w.setRole(t, pgRole{name: "wr_app", password: "canary-other-Yb7"})
	round(t.Context())
	failed("the current one stops working", 6)
	got := round(t.Context())
	failed("then the others are tried", 8)
	if !got[estate.StagePrevious].At.IsZero() {
		t.Errorf("the previous one is remembered of %v", got[estate.StagePrevious].At)
	}
	w.setRole(t, pgRole{name: "wr_app", password: pgWrong})
	e.clock.advance(hold)
	if l := round(t.Context())[estate.StagePrevious].Data.(estate.Login); l.Outcome != estate.LoginAccepted {
		t.Errorf("the previous one was put back: %+v", l)
	}
}

func TestCheckNowIsByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hands []bool
		ran := make(chan struct{}, 10)
		s := NewScheduler([]Probe{{Key: estate.Key{Component: "x"}, System: "x", Interval: time.Minute, Timeout: time.Second, Read: func(ctx context.Context) Result {
			hands = append(hands, byHand(ctx))
			ran <- struct{}{}
			return Result{Data: estate.Health{}}
		}}}, Options{Concurrency: 1})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Run(ctx)
		<-ran
		time.Sleep(3 * time.Second)
		s.CheckNow("x")
		<-ran
		<-ran
		cancel()
		synctest.Wait()
		if len(hands) != 3 || hands[0] || !hands[1] || hands[2] {
			t.Errorf("by hand: %v, want the second alone", hands)
		}
	})
}
