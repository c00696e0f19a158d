package checks

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// ownCalls counts, minute by minute, the requests of ours that a gateway
// refused. Its failure metric counts them too, and they are no part of the
// incident. A nil ownCalls counts nothing.
type ownCalls struct {
	mu      sync.Mutex
	minutes map[int64]float64 // by Unix minute
}

// ownKept is how many minutes are kept: the longest window of a failure rate is a
// day.
const ownKept = 24*60 + 2

func (o *ownCalls) add(at time.Time, code int) {
	if o == nil || code < 400 || code >= 500 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.minutes == nil {
		o.minutes = map[int64]float64{}
	}
	minute := at.Unix() / 60
	o.minutes[minute]++
	for m := range o.minutes {
		if m <= minute-ownKept {
			delete(o.minutes, m)
		}
	}
}

// within is how many of the failures that a metric counted are ours. Each is
// looked for in the datapoint of its minute, else in those beside it, because the
// gateway's clock need not be ours; where it is in none, the metric does not have
// it yet, and there is nothing to leave out.
func (o *ownCalls) within(failed series, period time.Duration) float64 {
	if o == nil {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	step := max(int64(period/time.Minute), 1)
	left := make(map[int64]float64, len(failed.at)) // by number of the period
	for i, at := range failed.at {
		left[at.Unix()/60/step] += failed.values[i]
	}
	ours := 0.0
	for _, minute := range slices.Sorted(maps.Keys(o.minutes)) {
		n := o.minutes[minute]
		for _, beside := range []int64{0, 1, -1} {
			slot := (minute + beside) / step
			taken := min(n, max(left[slot], 0))
			left[slot] -= taken
			n -= taken
			ours += taken
		}
	}
	return ours
}
