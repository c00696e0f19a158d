package kubesim

import (
	"slices"
	"sync"
	"time"
)

// Fault is what happens to requests in place of an answer. Verb, Group,
// Resource and Namespace say to which: empty and * are all.
type Fault struct {
	Verb, Group, Resource, Namespace string

	Status     int    // HTTP status: 429, 500, 503, 410 …
	Message    string // of its Status object
	RetryAfter int    // seconds
	Latency    time.Duration
	Times      int  // how many requests; 0 means every one until cleared
	Drop       bool // close the connection without an answer

	deny bool
}

type namedFault struct {
	Fault
	name string
}

func (f *Fault) matches(a attributes) bool {
	any := func(want, have string) bool { return want == "" || want == "*" || want == have }
	return any(f.Verb, a.verb) && any(f.Group, a.group) && (any(f.Resource, a.resource) || f.Resource == a.full()) && any(f.Namespace, a.namespace)
}

// SetFault makes requests fail under a name; nil ends it.
func (s *Sim) SetFault(name string, f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(n *namedFault) bool { return n.name == name })
	if f != nil {
		s.faults = append(s.faults, &namedFault{Fault: *f, name: name})
	}
}

// takeFault consumes one use of the first fault that matches.
func (s *Sim) takeFault(a attributes) *Fault {
	for i, f := range s.faults {
		if f.deny || !f.matches(a) {
			continue
		}
		c := f.Fault
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return &c
	}
	return nil
}

// SetLatency changes what is added to every request.
func (s *Sim) SetLatency(d time.Duration) { s.set(func() { s.latency = d }) }

// SetDown has the server close every connection without an answer, watches
// included, or ends that.
func (s *Sim) SetDown(down bool) {
	s.set(func() {
		s.down = down
		if down {
			s.cut(errGone{})
		}
	})
}

// SetWatchList says whether watches may begin with the list (sendInitialEvents),
// as they may unless it is taken away: servers before 1.32 refuse it.
func (s *Sim) SetWatchList(on bool) { s.set(func() { s.noLists = !on }) }

// FreezeWatches holds back everything from watches until it is ended: the
// server lags.
func (s *Sim) FreezeWatches(frozen bool) {
	s.set(func() {
		s.frozen = frozen
		close(s.pulse)
		s.pulse = make(chan struct{})
	})
}

// CutWatches ends every watch, as a load balancer or a restarted server does.
func (s *Sim) CutWatches() { s.set(func() { s.cut(errGone{}) }) }

// ExpireWatches ends every watch with 410 Gone and forgets the history, so that
// nobody can go on from where they were.
func (s *Sim) ExpireWatches() {
	s.set(func() {
		s.compact()
		s.cut(errGone{expired: true})
	})
}

// Compact forgets the history: watches and pages that begin before now are
// answered with 410 Gone, those that have seen everything go on.
func (s *Sim) Compact() { s.set(s.compact) }

func (s *Sim) compact() {
	for w := range s.watches {
		if w.cursor == s.version {
			w.cursor++
		}
	}
	s.version++ // nobody has seen this one
	s.floor = s.version
	s.changes = nil
}

// Bookmark tells every watch that asked for bookmarks where it is.
func (s *Sim) Bookmark() {
	s.set(func() {
		for w := range s.watches {
			w.bookmark = true
		}
		close(s.pulse)
		s.pulse = make(chan struct{})
	})
}

// Watches is how many watches are open.
func (s *Sim) Watches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.watches)
}

// errGone is why a watch ends.
type errGone struct{ expired bool }

// cut ends every watch; the caller holds s.mu.
func (s *Sim) cut(why errGone) {
	for w := range s.watches {
		select {
		case w.end <- why:
		default: // it is ending already
		}
	}
}

// Calls is how many requests of a verb on a resource ("list pods", "watch
// deployments.apps") were let in, throttled ones included.
func (s *Sim) Calls(what string) int { return s.meter.calls(what) }

// PeakRate is the most requests of all kinds within any one second.
func (s *Sim) PeakRate() int { return s.meter.highest() }

// meter counts requests.
type meter struct {
	pace func() time.Time

	mu     sync.Mutex
	counts map[string]int
	recent []time.Time
	peak   int
}

func newMeter(pace func() time.Time) *meter { return &meter{pace: pace, counts: map[string]int{}} }

func (m *meter) count(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[what]++
	now := m.pace()
	m.recent = slices.DeleteFunc(m.recent, func(t time.Time) bool { return now.Sub(t) >= time.Second })
	m.recent = append(m.recent, now)
	m.peak = max(m.peak, len(m.recent))
}

func (m *meter) calls(what string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[what]
}

func (m *meter) highest() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peak
}
