package archive

import "time"

// clockSlack is how far the wall clock may move against the time that passed
// before that is told: what a time service slews stays below it.
const clockSlack = 2 * time.Second

// moment is one look at the clock.
type moment struct {
	wall   time.Time     // UTC, without a monotonic part
	passed time.Duration // really passed since the session began
}

// looks makes a function that looks at a clock. Where the clock's times have a
// monotonic part, passed rests on it.
func looks(clock func() time.Time) func() moment {
	start := clock()
	return func() moment {
		t := clock()
		return moment{wall: t.Round(0).UTC(), passed: t.Sub(start)}
	}
}

// stamper gives events their time: the wall clock's, but never before the event
// before. While the wall clock stands behind that one, because it was set back,
// time goes on from there by what really passed. A clock that was set forward, or
// a machine that slept, is followed.
type stamper struct {
	look func() moment
	seen moment        // the last look
	at   time.Time     // what was stamped then
	owed time.Duration // by how much the clock was set before the first stamp, to be told with it
}

func newStamper(look func() moment) *stamper {
	now := look()
	return &stamper{look: look, seen: now, at: now.wall}
}

// resume goes on behind the last event of an incident that is taken up again: a
// wall clock that stands before it was set back meanwhile.
func (s *stamper) resume(last time.Time) {
	behind := last.Sub(s.at)
	if behind <= 0 {
		return
	}
	if s.at = last; behind > clockSlack {
		s.owed = -behind
	}
}

// stamp is the time of an event that happens now, and by how much the clock was
// set since the last look; 0 when it was not.
func (s *stamper) stamp() (at time.Time, set time.Duration) {
	now := s.look()
	if jump := now.wall.Sub(s.seen.wall) - s.since(now); jump.Abs() > clockSlack {
		set = jump
	}
	at = s.reckon(now)
	set += s.owed
	s.seen, s.at, s.owed = now, at, 0
	return at, set
}

// now is the time that an event would be stamped with, told without one.
func (s *stamper) now() time.Time { return s.reckon(s.look()) }

// since is how much time really passed since the last stamp.
func (s *stamper) since(now moment) time.Duration { return max(0, now.passed-s.seen.passed) }

// reckon is the time of a moment: the wall clock's, or where that stands behind
// the last stamp, the last stamp's and what passed.
func (s *stamper) reckon(now moment) time.Time {
	if now.wall.Before(s.at) {
		return s.at.Add(s.since(now))
	}
	return now.wall
}
