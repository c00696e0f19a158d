package actions

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warroom/internal/plan"
)

// TestAClockThatIsSetBackLengthensNothing: neither the time that a plan can be granted
// for, nor that after which nothing can be changed any more.
func TestAClockThatIsSetBackLengthensNothing(t *testing.T) {
	for _, by := range []time.Duration{time.Minute, time.Hour, 48 * time.Hour, 10 * 365 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var set atomic.Int64 // nanoseconds
			k := newDesk(t, func(o *Options) { o.Clock = func() time.Time { return time.Now().Add(-time.Duration(set.Load())) } })
			k.arms()
			p := k.plans(plan.Forward, "")
			set.Store(int64(by))
			time.Sleep(planLife)
			if err := k.Start(t.Context(), consent(p)); err == nil || !strings.Contains(err.Error(), "expired") && !strings.Contains(err.Error(), "no such plan") {
				t.Errorf("set back by %s, the plan is still good: %v", by, err)
			}
			if !k.Arming().On {
				t.Errorf("set back by %s, it is armed no more after %s", by, planLife)
			}
			time.Sleep(defaultIdle - planLife)
			synctest.Wait()
			if k.Arming().On {
				t.Errorf("set back by %s, it is still armed after %s without a key", by, defaultIdle)
			}
			if n := k.w.changes(); n > 0 {
				t.Errorf("%d changes", n)
			}
			k.Close()
		})
	}
}
