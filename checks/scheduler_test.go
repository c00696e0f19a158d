package checks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"warroom/internal/estate"
)

type recorder struct {
	mu  sync.Mutex
	all []estate.Observation
}

func (r *recorder) post(o estate.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, o)
}

func (r *recorder) of(check string) []estate.Observation {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []estate.Observation
	for _, o := range r.all {
		if o.Key.Check == check {
			out = append(out, o)
		}
	}
	return out
}

func probe(system, name string, read func(context.Context) Result) Probe {
	return Probe{
		Key:      estate.Key{Component: estate.ID(system), Check: name},
		Source:   "test " + name,
		System:   system,
		Interval: 10 * time.Second,
		Timeout:  2 * time.Second,
		Read:     read,
	}
}

func good(context.Context) Result { return Result{Data: estate.IssuerKeys{}} }

// during runs the probes for d of fake time and returns what they posted.
func during(t *testing.T, d time.Duration, concurrency int, probes ...Probe) *recorder {
	t.Helper()
	rec := &recorder{}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		NewScheduler(probes, Options{Concurrency: concurrency, Post: rec.post}).Run(ctx)
		time.Sleep(2 * time.Minute) // fake time, for reads that outlive the run
	})
	return rec
}

func TestRunRepeatsAtItsIntervalWithJitter(t *testing.T) {
	var at []time.Duration
	rec := during(t, 101*time.Second, 1, probe("a", "x", good))
	for _, o := range rec.all {
		at = append(at, o.At.Sub(rec.all[0].At))
	}
	if n := len(at); n < 10 || n > 13 {
		t.Fatalf("%d runs in 101 s at an interval of 10 s: %v", n, at)
	}
	if len(at) > 1 && at[1] > 11*time.Second {
		t.Errorf("the second run came after %v", at[1])
	}
	for i := 2; i < len(at); i++ {
		if gap := at[i] - at[i-1]; gap < 9*time.Second || gap > 11*time.Second {
			t.Errorf("gap %d is %v, want 10 s give or take a tenth", i, gap)
		}
	}
}

func TestAnEstateIsNotReadInBursts(t *testing.T) {
	var probes []Probe
	for i := range 200 {
		probes = append(probes, probe(fmt.Sprint("system ", i), "x", good))
	}
	rec := during(t, 31*time.Second, 1, probes...)
	perSecond := map[int]int{}
	for _, o := range rec.all {
		if s := int(o.At.Sub(rec.all[0].At) / time.Second); s > 0 {
			perSecond[s]++
		}
	}
	for s, n := range perSecond {
		if n > 60 { // 20 are due on average
			t.Errorf("%d of 200 reads with an interval of 10 s fell into second %d", n, s)
		}
	}
}

func TestASlowSystemDelaysNoOther(t *testing.T) {
	hang := func(ctx context.Context) Result { <-ctx.Done(); return Result{Err: ctx.Err()} }
	rec := during(t, 31*time.Second, 1,
		probe("dead", "h1", hang), probe("dead", "h2", hang), probe("dead", "h3", hang), probe("well", "x", good))
	if n := len(rec.of("x")); n < 3 {
		t.Errorf("the healthy system was read %d times in 31 s beside a dead one, want at least 3", n)
	}
	for i, name := range []string{"h1", "h2", "h3"} {
		got := rec.of(name)
		if len(got) == 0 {
			t.Fatalf("%s never reported", name)
		}
		if got[0].Failure == nil || got[0].Failure.Kind != estate.Silent {
			t.Errorf("%s: %v, want Silent", name, got[0].Failure)
		}
		if got[0].Took < 2*time.Second || got[0].Took > 2*time.Second+late {
			t.Errorf("%s (%d) reported after %v, want its timeout of 2 s", name, i, got[0].Took)
		}
	}
}

func TestAReadThatIgnoresItsTimeoutIsReportedAndNotRepeated(t *testing.T) {
	var mu sync.Mutex
	under, most, runs := 0, 0, 0
	deaf := func(context.Context) Result {
		mu.Lock()
		under++
		runs++
		most = max(most, under)
		mu.Unlock()
		time.Sleep(55 * time.Second) // fake time
		mu.Lock()
		under--
		mu.Unlock()
		return good(context.Background())
	}
	rec := during(t, 200*time.Second, 1, probe("a", "deaf", deaf), probe("a", "x", good))
	if most != 1 {
		t.Errorf("%d runs of one probe at once, want single flight", most)
	}
	if runs < 2 {
		t.Errorf("%d runs, want it taken up again after it ended", runs)
	}
	if got := rec.of("deaf"); got[0].Failure == nil || got[0].Failure.Kind != estate.Silent {
		t.Errorf("reported %+v, want Silent at the timeout", got[0])
	}
	if n := len(rec.of("x")); n < 15 {
		t.Errorf("its neighbour in the same lane was read %d times in 200 s, want at least 15: the slot must be freed", n)
	}
}

// A read that never returns does not end its probe for good, and does not pile up.
func TestALostReadIsReplacedAndTheirNumberBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var starts []time.Duration
		var release []chan struct{}
		began := time.Now()
		runs := func() int {
			mu.Lock()
			defer mu.Unlock()
			return len(starts)
		}
		stuck := func(context.Context) Result {
			end := make(chan struct{})
			mu.Lock()
			starts, release = append(starts, time.Since(began)), append(release, end)
			mu.Unlock()
			<-end
			return good(context.Background())
		}
		rec := &recorder{}
		s := NewScheduler([]Probe{probe("a", "stuck", stuck)}, Options{Concurrency: 1, Post: rec.post})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { s.Run(ctx); close(ended) }()

		time.Sleep(time.Hour)
		synctest.Wait()
		if n := runs(); n != 1+lostMost {
			t.Fatalf("%d reads under way after an hour, want %d", n, 1+lostMost)
		}
		if starts[1] < time.Minute || starts[1] > 2*time.Minute {
			t.Errorf("the second read began after %s, want it after the first outlived its timeout by a minute", starts[1])
		}
		if n := len(rec.of("stuck")); n != 1+lostMost || rec.all[n-1].Failure == nil || rec.all[n-1].Failure.Kind != estate.Silent {
			t.Errorf("%d reports, the last %+v; want each read reported silent", n, rec.all[n-1])
		}
		close(release[0])
		synctest.Wait()
		if n := runs(); n != 2+lostMost {
			t.Errorf("%d reads after a lost one ended, want one more", n)
		}
		for _, end := range release[1:] {
			close(end)
		}
		cancel()
		<-ended
	})
}

func TestFailuresBackOffAndRecover(t *testing.T) {
	fail := true
	began := time.Time{}
	p := probe("a", "x", func(context.Context) Result {
		if began.IsZero() {
			began = time.Now()
		}
		if time.Since(began) > 5*time.Minute {
			fail = false
		}
		if fail {
			return Result{Err: &estate.Failure{Kind: estate.Refused, Doing: "connect"}}
		}
		return good(context.Background())
	})
	rec := during(t, 10*time.Minute, 1, p)
	var failed, ok int
	for _, o := range rec.all {
		if o.Failure != nil {
			failed++
		} else {
			ok++
		}
	}
	// 10 s, 20 s, 40 s, then a minute each: about 8 in five minutes, not 30.
	if failed < 6 || failed > 11 {
		t.Errorf("%d failed runs in 5 minutes, want about 8", failed)
	}
	if ok < 20 {
		t.Errorf("%d good runs after it recovered, want its interval of 10 s again", ok)
	}
}

func TestAPanicIsOneBrokenReading(t *testing.T) {
	const canary = "canary-of-a-panic"
	rec := during(t, 25*time.Second, 1,
		probe("a", "boom", func(context.Context) Result { panic(canary) }), probe("a", "x", good))
	got := rec.of("boom")
	if len(got) < 2 {
		t.Fatalf("%d reports, want it run again after a panic", len(got))
	}
	if got[0].Failure == nil || got[0].Failure.Kind != estate.Broken {
		t.Fatalf("got %+v, want Broken", got[0])
	}
	if strings.Contains(got[0].Failure.Error(), canary) {
		t.Error("the panic's value is in the failure")
	}
	if len(rec.of("x")) < 2 {
		t.Error("its neighbour did not go on")
	}
}

func TestConcurrencyIsBoundedPerSystem(t *testing.T) {
	var mu sync.Mutex
	under, most := 0, 0
	var probes []Probe
	for i := range 40 {
		probes = append(probes, probe("a", fmt.Sprint(i), func(context.Context) Result {
			mu.Lock()
			under++
			most = max(most, under)
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			under--
			mu.Unlock()
			return good(context.Background())
		}))
	}
	rec := during(t, 1050*time.Millisecond, 4, probes...) // ten rounds of four
	if most != 4 {
		t.Errorf("%d reads at once, want 4", most)
	}
	names := map[string]bool{}
	for _, o := range rec.all {
		names[o.Key.Check] = true
	}
	if len(names) != 40 {
		t.Errorf("%d of 40 reported", len(names))
	}
}

func TestOnceReportsEachExactlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{}
		probes := []Probe{
			probe("a", "good", good),
			probe("a", "bad", func(context.Context) Result { return Result{Err: errors.New("x")} }),
			probe("b", "hang", func(ctx context.Context) Result { <-ctx.Done(); return Result{Err: ctx.Err()} }),
			probe("b", "nothing", func(context.Context) Result { return Result{} }),
		}
		NewScheduler(probes, Options{Concurrency: 1, Post: rec.post}).Once(t.Context())
		if len(rec.all) != len(probes) {
			t.Fatalf("%d reports of %d probes", len(rec.all), len(probes))
		}
		for _, o := range rec.all {
			if (o.Data == nil) == (o.Failure == nil) {
				t.Errorf("%s: data %v and failure %v, want exactly one", o.Key.Check, o.Data, o.Failure)
			}
		}
	})
}

func TestCheckNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{}
		probes := []Probe{probe("a", "x", good), probe("b", "y", good)}
		for i := range probes {
			probes[i].Interval = 10 * time.Minute
		}
		s := NewScheduler(probes, Options{Concurrency: 1, Post: rec.post})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { s.Run(ctx); close(ended) }()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		s.CheckNow("a")
		synctest.Wait()
		if x, y := len(rec.of("x")), len(rec.of("y")); x != 2 || y != 1 {
			t.Errorf("after CheckNow(a): %d of a and %d of b, want 2 and 1", x, y)
		}
		s.CheckNow("a") // at once again: a held key must not hammer the system
		synctest.Wait()
		if x := len(rec.of("x")); x != 2 {
			t.Errorf("after a repeat within 2 s: %d of a, want 2", x)
		}
		cancel()
		<-ended
	})
}

func TestARememberedAnswerKeepsItsAge(t *testing.T) {
	var first time.Time
	p := probe("a", "x", func(context.Context) Result {
		if first.IsZero() {
			first = time.Now()
		}
		return Result{Data: estate.IssuerKeys{}, At: first, Interval: time.Minute}
	})
	rec := during(t, 150*time.Second, 1, p)
	last := rec.all[len(rec.all)-1]
	if !last.At.Equal(first) {
		t.Errorf("At is %v, want the first read %v", last.At, first)
	}
	if last.Interval != time.Minute {
		t.Errorf("interval %v, want the one the probe asked for", last.Interval)
	}
	if len(rec.all) > 4 {
		t.Errorf("%d runs in 150 s, want one a minute", len(rec.all))
	}
}

func TestBoard(t *testing.T) {
	top := (&estate.Topology{Components: []estate.Component{{ID: "a"}}}).Index()
	key := estate.Key{Component: "a", Check: "x"}
	synctest.Test(t, func(t *testing.T) {
		b := NewBoard(estate.NewSnapshot(top, []estate.Expectation{{Key: key}}))
		start := time.Now()
		for i := range 1000 {
			b.Post(estate.Observation{Key: key, At: start.Add(time.Duration(i)), Data: estate.IssuerKeys{Issuer: fmt.Sprint(i)}})
		}
		s, err := b.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slot, _ := s.Slot(key)
		if got := slot.Last.Data.(estate.IssuerKeys).Issuer; got != "999" {
			t.Errorf("latest is %s, want 999", got)
		}
		b.Post(estate.Observation{Key: key, At: start.Add(time.Hour), Data: estate.IssuerKeys{Issuer: "good"}})
		b.Post(estate.Observation{Key: key, At: start.Add(2 * time.Hour), Failure: &estate.Failure{Kind: estate.Denied}})
		before := time.Now()
		if s, err = b.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(before); waited != Batch {
			t.Errorf("second batch came after %v, want %v", waited, Batch)
		}
		slot, _ = s.Slot(key)
		if slot.Last.Failure == nil || slot.Good == nil || slot.Good.Data.(estate.IssuerKeys).Issuer != "good" {
			t.Errorf("a success followed by a failure in one batch: last %+v good %+v", slot.Last, slot.Good)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestAnUnclassifiedErrorIsClassified(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind estate.FailureKind
	}{
		{&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, estate.Refused},
		{fmt.Errorf("read: %w", context.DeadlineExceeded), estate.Silent},
		{&estate.Failure{Kind: estate.Denied, Doing: "its own words"}, estate.Denied},
		{errors.New("odd"), estate.Broken},
	} {
		f := failure(c.err, "GET somewhere")
		if f.Kind != c.kind || f.Doing == "" || c.kind == estate.Broken && f.Detail != "odd" {
			t.Errorf("%v became %+v, want kind %q", c.err, f, c.kind)
		}
	}
}
