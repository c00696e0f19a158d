package archive

import (
	"sync"
	"testing"
	"time"

	"warroom/internal/incident"
)

// wheel is a clock whose wall and whose passing a test sets apart.
type wheel struct {
	mu  sync.Mutex
	now moment
}

func (w *wheel) look() moment {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// turn lets time pass, and sets the wall clock by more.
func (w *wheel) turn(passed, set time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now.wall, w.now.passed = w.now.wall.Add(passed+set), w.now.passed+passed
}

func TestStamps(t *testing.T) {
	const s, h = time.Second, time.Hour
	type turn struct{ passed, set, want, told time.Duration }
	for name, turns := range map[string][]turn{
		"nothing happens":         {{s, 0, s, 0}, {s, 0, 2 * s, 0}},
		"a small correction":      {{s, time.Second, 2 * s, 0}, {s, -time.Second, 2 * s, 0}},
		"set forward is followed": {{s, h, h + s, h}, {s, 0, h + 2*s, 0}},
		"set back goes on":        {{10 * s, 0, 10 * s, 0}, {s, -h, 11 * s, -h}, {s, 0, 12 * s, 0}, {2 * h, 0, 2*h + 12*s - h, 0}},
		"set forward and back":    {{s, h, h + s, h}, {s, -h, h + 2*s, -h}, {s, 0, h + 3*s, 0}},
	} {
		w := &wheel{now: moment{wall: t0}}
		st := newStamper(w.look)
		last := t0
		for i, turn := range turns {
			w.turn(turn.passed, turn.set)
			at, told := st.stamp()
			if at.Before(last) {
				t.Errorf("%s, %d: %v is before %v", name, i, at, last)
			}
			if name == "set back goes on" && i == 3 { // the wall has caught up: it may stand anywhere not before
				continue
			}
			if got := at.Sub(t0); got != turn.want || told != turn.told {
				t.Errorf("%s, %d: stamped %v and told %v, want %v and %v", name, i, got, told, turn.want, turn.told)
			}
			last = at
		}
	}
}

// A clock that jumps cannot put events in another order, and is told.
func TestAClockThatJumps(t *testing.T) {
	w := &wheel{now: moment{wall: t0}}
	s := store(t, Options{Clock: func() time.Time { return t0 }, look: w.look})
	session := create(t, s)
	w.turn(time.Minute, 0)
	record(t, session, note("one"))
	w.turn(time.Minute, -3*time.Hour)
	record(t, session, note("two"))
	w.turn(time.Minute, 5*time.Hour)
	record(t, session, note("three"))
	var kinds []incident.Kind
	var set []time.Duration
	var last time.Time
	if err := session.Events(func(e incident.Event) error {
		if e.At.Before(last) {
			t.Errorf("event %d of %v follows one of %v", e.Seq, e.At, last)
		}
		last = e.At
		kinds = append(kinds, e.Kind)
		if c, ok := e.Data.(incident.ClockSet); ok {
			set = append(set, c.By)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(kinds) != 7 || kinds[3] != incident.KindClock || kinds[5] != incident.KindClock || set[0] != -3*time.Hour || set[1] != 5*time.Hour {
		t.Errorf("the journal tells %v and %v", kinds, set)
	}
	if want := t0.Add(3*time.Minute + 2*time.Hour); !last.Equal(want) {
		t.Errorf("the last event is of %v, want %v", last, want)
	}
}

// A clock that was set back while nobody had the incident open is told when it is
// taken up again, and time goes on behind the last event. The console is told the
// same time as the events.
func TestAClockThatWasSetBackMeanwhile(t *testing.T) {
	w := &wheel{now: moment{wall: t0}}
	s := store(t, Options{Clock: func() time.Time { return w.look().wall }, look: w.look})
	session := create(t, s)
	w.turn(time.Minute, 0)
	record(t, session, note("one"))
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	w.turn(time.Minute, -3*time.Hour)
	again := open(t, s, session.ID())
	w.turn(time.Minute, 0)
	if now, want := again.Now(), t0.Add(2*time.Minute); !now.Equal(want) {
		t.Errorf("for the incident it is %v, want %v", now, want)
	}
	record(t, again, note("two"))
	if at := again.Case().State.LastAt; !at.Equal(again.Now()) || !at.Equal(t0.Add(2*time.Minute)) {
		t.Errorf("the last event is of %v, and it is %v", at, again.Now())
	}
	follower, err := s.Follow(t.Context(), session.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = follower.Close() }()
	if now := follower.Now(); !now.Equal(t0.Add(2 * time.Minute)) {
		t.Errorf("for whoever follows it is %v", now)
	}
	var last time.Time
	var set []time.Duration
	if err := again.Events(func(e incident.Event) error {
		if e.At.Before(last) {
			t.Errorf("event %d of %v follows one of %v", e.Seq, e.At, last)
		}
		last = e.At
		if c, ok := e.Data.(incident.ClockSet); ok {
			set = append(set, c.By)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := -3*time.Hour + time.Minute; len(set) != 1 || set[0] != want {
		t.Errorf("the clock was set by %v, want once %v", set, want)
	}
}
