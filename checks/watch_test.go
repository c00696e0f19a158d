package checks

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warroom/internal/estate"
)

// watchOf is a watcher of keys a and b of one component.
func watchOf(id string, run func(ctx context.Context, post func(estate.Key, Result))) Watcher {
	var keys []estate.Expectation
	for _, check := range []string{"a", "b"} {
		keys = append(keys, estate.Expectation{Key: estate.Key{Component: estate.ID(id), Check: check}, Source: "watch " + check, Interval: 10 * time.Second})
	}
	return Watcher{Keys: keys, System: id, Timeout: 5 * time.Second, Watch: run}
}

func key(id, check string) estate.Key { return estate.Key{Component: estate.ID(id), Check: check} }

func TestAWatchIsBegunAgainAfterAPanic(t *testing.T) {
	const canary = "canary-of-a-panic"
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		var runs atomic.Int32
		w := watchOf("x", func(ctx context.Context, post func(estate.Key, Result)) {
			if runs.Add(1) < 4 {
				panic(canary)
			}
			post(key("x", "a"), good(ctx))
			post(key("x", "b"), good(ctx))
			<-ctx.Done()
		})
		other := watchOf("y", func(ctx context.Context, post func(estate.Key, Result)) {
			post(key("y", "a"), good(ctx))
			<-ctx.Done()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		NewScheduler([]Probe{probe("p", "x", good)}, Options{Concurrency: 1, Post: rec.post, Watchers: []Watcher{w, other}}).Run(ctx)
		if n := runs.Load(); n != 4 { // at once, then after 1, 2 and 4 seconds
			t.Errorf("%d runs in 20 s, want 4", n)
		}
		var broken, fine int
		for _, o := range rec.all {
			if o.Key.Component != "x" {
				continue
			}
			if o.Failure != nil {
				broken++
				if o.Failure.Kind != estate.Broken || strings.Contains(o.Failure.Error(), canary) {
					t.Errorf("a panic reads %v", o.Failure)
				}
			} else {
				fine++
			}
		}
		if broken != 6 || fine != 2 {
			t.Errorf("%d failures and %d figures, want 6 and 2", broken, fine)
		}
		if len(rec.of("x")) < 2 {
			t.Error("the probes beside it did not go on")
		}
	})
}

func TestAWatchThatSaysNothingIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		w := watchOf("x", func(ctx context.Context, post func(estate.Key, Result)) {
			post(key("x", "a"), good(ctx))
			time.Sleep(8 * time.Second) // fake time
			post(key("x", "b"), good(ctx))
			<-ctx.Done()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		NewScheduler(nil, Options{Post: rec.post, Watchers: []Watcher{w}}).Run(ctx)
		if a := rec.of("a"); len(a) != 1 || a[0].Failure != nil {
			t.Errorf("what it said reads %+v", a)
		}
		b := rec.of("b")
		if len(b) != 2 || b[0].Failure == nil || b[0].Failure.Kind != estate.Silent || b[1].Failure != nil {
			t.Errorf("what it said late reads %+v", b)
		}
	})
}

func TestOnceEndsAWatch(t *testing.T) {
	for name, x := range map[string]struct {
		watch func(ctx context.Context, post func(estate.Key, Result))
		took  time.Duration
		kinds string // of a and b
	}{
		"whole": {func(ctx context.Context, post func(estate.Key, Result)) {
			if !once(ctx) {
				panic("it is not told that it runs once")
			}
			post(key("x", "a"), good(ctx))
			post(key("x", "a"), Result{Err: &estate.Failure{Kind: estate.Denied}}) // only the first counts
			post(key("x", "b"), good(ctx))
			<-ctx.Done()
		}, 0, " "},
		"half": {func(ctx context.Context, post func(estate.Key, Result)) {
			post(key("x", "a"), good(ctx))
			<-ctx.Done()
		}, 5*time.Second + late, " " + string(estate.Silent)},
		"deaf": {func(context.Context, func(estate.Key, Result)) { time.Sleep(time.Hour) },
			5*time.Second + late + watchLinger, string(estate.Silent) + " " + string(estate.Silent)},
		"ends": {func(context.Context, func(estate.Key, Result)) {}, 0, string(estate.Broken) + " " + string(estate.Broken)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var rec recorder
				began := time.Now()
				NewScheduler(nil, Options{Post: rec.post, Watchers: []Watcher{watchOf("x", x.watch)}}).Once(t.Context())
				if took := time.Since(began); took != x.took {
					t.Errorf("it took %s, want %s", took, x.took)
				}
				kinds := map[string]string{}
				for _, o := range rec.all {
					kinds[o.Key.Check] = ""
					if o.Failure != nil {
						kinds[o.Key.Check] = string(o.Failure.Kind)
					}
				}
				if len(rec.all) != 2 || kinds["a"]+" "+kinds["b"] != x.kinds {
					t.Errorf("%d posts: %q, want %q", len(rec.all), kinds["a"]+" "+kinds["b"], x.kinds)
				}
				time.Sleep(2 * time.Hour) // for the deaf one
			})
		})
	}
}

func TestCheckNowHasWatchersConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		w := watchOf("x", func(ctx context.Context, post func(estate.Key, Result)) { <-ctx.Done() })
		w.Confirm = func(ids []estate.ID) { asked.Add(1) }
		s := NewScheduler(nil, Options{Watchers: []Watcher{w, watchOf("y", w.Watch)}})
		s.CheckNow("y")
		if asked.Load() != 0 {
			t.Error("asked for a component that it does not watch")
		}
		s.CheckNow("x")
		s.CheckNow("x") // a held key
		if asked.Load() != 1 {
			t.Errorf("asked %d times, want once", asked.Load())
		}
		time.Sleep(manualGap)
		s.CheckNow()
		if asked.Load() != 2 {
			t.Errorf("asked %d times for all, want 2", asked.Load())
		}
	})
}

// What a watch says after it was told to end, or for another, is not heard.
func TestAWatchThatIsOverIsNotHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		w := watchOf("x", func(ctx context.Context, post func(estate.Key, Result)) {
			post(key("other", "a"), good(ctx))
			<-ctx.Done()
			post(key("x", "a"), good(ctx))
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		NewScheduler(nil, Options{Post: rec.post, Watchers: []Watcher{w}}).Run(ctx)
		if len(rec.all) != 0 {
			t.Errorf("heard %+v", rec.all)
		}
	})
}
