package ui

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/incident"
)

// TestAWallClockThatIsSetMovesNoClockOfTheIncident sets the wall clock back and
// forward under a running incident.
func TestAWallClockThatIsSetMovesNoClockOfTheIncident(t *testing.T) {
	for _, jump := range []time.Duration{-time.Hour, time.Hour} {
		bubble(t, func(t *testing.T, r *room) {
			r.read()
			var set atomic.Int64
			l := r.start(t, func(o *Options) { o.Clock = func() time.Time { return r.now().Add(time.Duration(set.Load())) } })
			l.declare()
			l.pass(30 * time.Second)
			before := l.m.newest
			set.Store(int64(jump))
			l.pass(30 * time.Second)
			b := l.m.newest
			for what, d := range map[string]time.Duration{
				"T+":    b.Elapsed - before.Elapsed,
				"phase": b.Phase.Elapsed - before.Phase.Elapsed,
				"left":  before.Update.Left - b.Update.Left,
			} {
				if d < 29*time.Second || d > 31*time.Second {
					t.Errorf("set by %v: %s moves by %v in 30 s", jump, what, d)
				}
			}
			if b.Phase.Over > 0 || b.Update.Overdue > 0 {
				t.Errorf("set by %v: %+v %+v", jump, b.Phase, b.Update)
			}
			// What turns is still told in time, and what waits is tried again.
			l.told("declared")
			ready := l.saidTimes("no longer ready")
			r.senses.set("secrets.identified", diagnosis.Finding{Stance: diagnosis.Against, Value: "0 of 14"})
			l.arrives()
			l.pass(3 * time.Second)
			if l.saidTimes("no longer ready") <= ready {
				t.Errorf("set by %v: what turned is not told:\n%s", jump, strings.Join(l.said(), "\n"))
			}
			// A promise is by the same clock as the events.
			l.press("U", "y")
			l.rest()
			l.press("tab", "enter")
			var u incident.Updated
			for _, e := range r.shelf.events() {
				if d, ok := e.Data.(incident.Updated); ok {
					u = d
					if next := d.Next.Sub(e.At); next <= 0 || next > 30*time.Minute {
						t.Errorf("set by %v: the next update is promised in %v", jump, next)
					}
				}
			}
			if u.To == "" {
				t.Error("nothing was posted")
			}
		})
	}
}
