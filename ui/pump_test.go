package ui

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
)

// pumpFeed hands out what is put into it.
type pumpFeed chan *estate.Snapshot

func (f pumpFeed) Next(ctx context.Context) (*estate.Snapshot, error) {
	select {
	case s := <-f:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pumped runs a pump whose derivations take cost, in a bubble, and returns when
// each was begun, of what was put in every tenth of a second for so long.
func pumped(t *testing.T, cost, long time.Duration, batch func(int) estate.Observation) (begun []time.Duration, seen []uint64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		topology := (&estate.Topology{Components: []estate.Component{{ID: "a", Kind: estate.KindKeys}, {ID: "b", Kind: estate.KindKeys}}}).Index()
		ctx, stop := context.WithCancel(t.Context())
		feed, start := make(pumpFeed), time.Now()
		snap := estate.NewSnapshot(topology, nil)
		p := newPump(ctx, Options{Snapshot: snap, Feed: feed, Clock: time.Now, Derive: func(s *estate.Snapshot, now time.Time) *estate.Readings {
			begun, seen = append(begun, time.Since(start)), append(seen, s.Version)
			time.Sleep(cost)
			return estate.Derive(s, now)
		}})
		go p.read()
		go func() {
			for ctx.Err() == nil {
				p.next()
			}
		}()
		for i := range int(long / (100 * time.Millisecond)) {
			time.Sleep(100 * time.Millisecond)
			snap = snap.With(batch(i))
			feed <- snap
		}
		time.Sleep(2 * time.Second)
		stop()
		synctest.Wait()
		if last := seen[len(seen)-1]; last != snap.Version {
			t.Errorf("the last picture is of version %d, want %d", last, snap.Version)
		}
	})
	return begun, seen
}

func of(id estate.ID) estate.Observation {
	return estate.Observation{Key: estate.Key{Component: id, Check: "c"}, At: time.Now(), Data: estate.Role{}}
}

func TestDerivingLeavesTheMachineToOthers(t *testing.T) {
	for _, x := range []struct {
		cost        time.Duration
		least, most int // of derivations in ten seconds
	}{
		{0, 100, 115},
		{5 * time.Millisecond, 95, 115},
		{40 * time.Millisecond, 20, 36},
		{300 * time.Millisecond, 8, 13},
	} {
		begun, _ := pumped(t, x.cost, 10*time.Second, func(int) estate.Observation { return of("a") })
		n := 0
		for i, at := range begun {
			if at <= 10*time.Second {
				n++
			}
			if i > 2 && at <= 10*time.Second && at-begun[i-1] > time.Second+x.cost+100*time.Millisecond {
				t.Errorf("cost %v: nothing was derived from %v to %v", x.cost, begun[i-1], at)
			}
		}
		if n < x.least || n > x.most {
			t.Errorf("cost %v: %d derivations in ten seconds, want %d to %d", x.cost, n, x.least, x.most)
		}
	}
}

func TestWhatIsNewDoesNotWait(t *testing.T) {
	const at = 14 // the batch that brings the second component
	begun, seen := pumped(t, 40*time.Millisecond, 3*time.Second, func(i int) estate.Observation {
		if i == at {
			return of("b")
		}
		return of("a")
	})
	came := (at + 1) * 100 * time.Millisecond
	for i, version := range seen {
		if version >= at+2 {
			if begun[i] > came+45*time.Millisecond {
				t.Errorf("what came at %v was derived at %v", came, begun[i])
			}
			return
		}
	}
	t.Error("it was never derived")
}

// Findings that are dear to make lag behind the readings, and no further than to
// the next second.
func TestDearFindingsFollowWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		p := &pump{sense: func(*estate.Readings, time.Time) diagnosis.Findings {
			made++
			time.Sleep(dearSense)
			return nil
		}}
		p.wanted.Store(true)
		again := func() { p.behind = true; p.senseAgain(time.Now()) }
		again()
		for range 20 {
			again()
			time.Sleep(10 * time.Millisecond)
		}
		if made != 1 || !p.behind {
			t.Errorf("made %d times within 200 ms", made)
		}
		time.Sleep(senseMost)
		p.senseAgain(time.Now())
		if made != 2 || p.behind {
			t.Errorf("made %d times after a second, behind: %v", made, p.behind)
		}
	})
}
