package checks

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// ownCalls counts, minute by minute, the requests of ours that a gateway refused,
// or the logins that a database did. Its own count of failures has them too, and
// they are no part of the incident. A nil ownCalls counts nothing.
type ownCalls struct {
	mu      sync.Mutex
	minutes map[int64]float64 // by Unix minute
}

// ownKept is how many minutes are kept: the longest window of a failure rate is a
// day, and counts are compared with earlier windows for as long.
const ownKept = 24*60 + 2

// add counts a request that was answered with an HTTP status, where that refuses
// it.
func (o *ownCalls) add(at time.Time, code int) {
	if code >= 400 && code < 500 {
		o.refused(at)
	}
}

func (o *ownCalls) refused(at time.Time) {
	if o == nil {
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

// before is what has been counted so far of the minutes before a time. A metric is
// asked for after this, so that what it cannot have yet is not looked for in it.
func (o *ownCalls) before(end time.Time) *ownCalls {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	kept := maps.Clone(o.minutes)
	maps.DeleteFunc(kept, func(minute int64, _ float64) bool { return minute >= end.Unix()/60 })
	return &ownCalls{minutes: kept}
}

// within is how many of the failures that a metric counted are ours. Each is
// looked for in the datapoint of its minute, else in those beside it, because the
// gateway's clock need not be ours; where it is in none, the metric does not have
// it yet, and there is nothing to leave out.
func (o *ownCalls) within(failed series, period time.Duration) float64 {
	return o.among(failed, period).sum()
}

// among is the same, by the datapoint in which each of ours was found.
func (o *ownCalls) among(failed series, period time.Duration) series {
	var ours series
	if o == nil {
		return ours
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	step := max(int64(period/time.Minute), 1)
	left := make(map[int64]float64, len(failed.at)) // by number of the period
	for i, at := range failed.at {
		left[at.Unix()/60/step] += failed.values[i]
	}
	for _, minute := range slices.Sorted(maps.Keys(o.minutes)) {
		n := o.minutes[minute]
		for _, beside := range []int64{0, 1, -1} {
			slot := (minute + beside) / step
			taken := min(n, max(left[slot], 0))
			left[slot] -= taken
			n -= taken
			if taken > 0 {
				ours.at = append(ours.at, time.Unix(slot*step*60, 0))
				ours.values = append(ours.values, taken)
			}
		}
	}
	return ours
}

// between is how many of ours there were from one minute to another, for counts
// that tell no times of their own.
func (o *ownCalls) between(from, to time.Time) float64 {
	if o == nil {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0.0
	for minute, count := range o.minutes {
		if at := time.Unix(minute*60, 0); !at.Before(from.Truncate(time.Minute)) && at.Before(to) {
			n += count
		}
	}
	return n
}
