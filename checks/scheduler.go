package checks

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"warroom/internal/estate"
)

// Back-off and jitter of the scheduler.
const (
	jitter     = 0.1             // a run is up to this share of its interval early or late
	backOffTop = time.Minute     // the longest wait between failed runs, unless the interval is longer
	manualGap  = 2 * time.Second // CheckNow does not repeat what ended less than this ago
)

// Scheduler runs probes and watchers for ever. Each system has a lane of its own with its own
// bound on reads under way, so that one slow or dead system never delays
// another. A probe runs again only when its last read has ended, or is lost: see
// lostAfter. A failed probe is tried again after
// twice the wait, up to a minute or its interval, for ever.
type Scheduler struct {
	lanes map[string]*lane
	watch []*watching
	post  func(estate.Observation)
	now   func() time.Time
	start func(ctx context.Context, what string, f func())
}

// Options of a Scheduler.
type Options struct {
	Concurrency int                      // reads under way at once on one system whose probes name no Width; at least 1
	Post        func(estate.Observation) // takes what was seen; called from many goroutines, must not block
	Now         func() time.Time         // the estate's clock; nil is the system's
	// Go starts a goroutine; nil is the go statement. It lets the console catch a
	// panic of ours, which would leave the terminal raw.
	Go func(ctx context.Context, what string, f func())
	// Watchers are run beside the probes, each by itself.
	Watchers []Watcher
}

// NewScheduler prepares to run probes and the watchers of o. Nothing runs before Run or Once.
func NewScheduler(probes []Probe, o Options) *Scheduler {
	s := &Scheduler{lanes: map[string]*lane{}, post: o.Post, now: o.Now, start: o.Go}
	if s.start == nil {
		s.start = func(_ context.Context, _ string, f func()) { go f() }
	}
	if s.now == nil {
		s.now = time.Now
	}
	type kind struct {
		component estate.ID
		check     string
	}
	ranks := map[kind]int{}
	for _, p := range probes {
		rank := ranks[kind{p.Key.Component, p.Key.Check}]
		ranks[kind{p.Key.Component, p.Key.Check}]++
		l := s.lanes[p.System]
		if l == nil {
			l = &lane{
				scheduler: s,
				free:      max(o.Concurrency, 1),
				events:    make(chan event),
				gone:      make(chan struct{}),
				hurry:     make(chan map[estate.ID]bool, 1),
			}
			s.lanes[p.System] = l
		}
		l.free = max(l.free, p.Width)
		l.queue = append(l.queue, &task{Probe: p, rank: rank})
	}
	for _, w := range o.Watchers {
		s.watch = append(s.watch, newWatching(s, w))
	}
	return s
}

// Expectations announces what the probes and watchers will read, for
// estate.NewSnapshot.
func Expectations(probes []Probe, watchers ...Watcher) []estate.Expectation {
	out := make([]estate.Expectation, 0, len(probes)+len(watchers))
	for _, p := range probes {
		out = append(out, estate.Expectation{Key: p.Key, Source: p.Source, Interval: p.Interval})
	}
	for _, w := range watchers {
		out = append(out, w.Keys...)
	}
	return out
}

// Run runs every probe at its interval, and every watcher, until ctx ends, and
// returns when every read under way has ended or was given up.
func (s *Scheduler) Run(ctx context.Context) { s.each(ctx, false) }

// Once runs every probe once and every watcher until it has posted each of its
// keys, and returns when all have reported. Each key is posted once.
func (s *Scheduler) Once(ctx context.Context) { s.each(ctx, true) }

func (s *Scheduler) each(ctx context.Context, once bool) {
	var wg sync.WaitGroup
	for system, l := range s.lanes {
		wg.Add(1)
		s.start(ctx, "scheduling the checks of "+system, func() {
			defer wg.Done()
			l.run(ctx, once)
		})
	}
	for _, w := range s.watch {
		wg.Add(1)
		s.start(ctx, "watching "+w.System, func() {
			defer wg.Done()
			w.run(ctx, once)
		})
	}
	wg.Wait()
}

// CheckNow makes every probe of the components due at once, or of all when none
// is named, and has their watchers confirm what they know. It does not wait, and does not repeat what is under way or ended
// within the last two seconds. A probe that holds itself back goes on doing so.
func (s *Scheduler) CheckNow(ids ...estate.ID) {
	var want map[estate.ID]bool
	if len(ids) > 0 {
		want = make(map[estate.ID]bool, len(ids))
		for _, id := range ids {
			want[id] = true
		}
	}
	for _, l := range s.lanes {
		select {
		case l.hurry <- want:
		default: // the lane has an unread request; pressing again will do
		}
	}
	for _, w := range s.watch {
		w.confirm(ids)
	}
}

// task is a probe with its place in the queue.
type task struct {
	Probe
	rank   int // how many of the same check of its component come before it
	due    time.Time
	ended  time.Time
	failed int  // runs that failed in a row
	spread bool // its runs are apart from those that began with it
	byHand bool // the next run is one that a person asked for
	losing sync.Mutex
	slots  chan struct{} // holds one for each read that is lost and has not ended; nil before the first
}

// lost is where lost reads wait for their end. Few probes ever have one.
func (t *task) lost() chan struct{} {
	t.losing.Lock()
	defer t.losing.Unlock()
	if t.slots == nil {
		t.slots = make(chan struct{}, lostMost)
	}
	return t.slots
}

// event tells a lane about a run. A run reports once and is over once: together
// as a rule, apart when a read outlives its timeout. Its slot is free after the
// report, but the probe is not due again before it is over.
type event struct {
	task   *task
	report *Result
	over   bool
}

// lane runs the probes of one system.
type lane struct {
	scheduler *Scheduler
	queue     queue
	free      int // runs that may start
	events    chan event
	hurry     chan map[estate.ID]bool
	gone      chan struct{} // closed when the lane no longer listens
}

func (l *lane) run(ctx context.Context, once bool) {
	defer close(l.gone)
	now := time.Now()
	for _, t := range l.queue {
		t.due = now
	}
	heap.Init(&l.queue)
	running, waiting := 0, len(l.queue) // waiting: reports still to come in a single round
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	done := ctx.Done()
	for {
		for done != nil && l.free > 0 && len(l.queue) > 0 && !l.queue[0].due.After(time.Now()) {
			t := heap.Pop(&l.queue).(*task)
			l.free--
			running++
			run := ctx
			if t.byHand {
				run, t.byHand = context.WithValue(ctx, handKey{}, true), false
			}
			l.scheduler.start(ctx, t.Source, func() { l.execute(run, t) })
		}
		if once && waiting == 0 || done == nil && running == 0 {
			return
		}
		if done != nil && l.free > 0 && len(l.queue) > 0 {
			timer.Reset(time.Until(l.queue[0].due))
		} else {
			timer.Reset(time.Hour)
		}
		select {
		case <-done:
			done = nil
		case <-timer.C:
		case want := <-l.hurry:
			l.hasten(want)
		case e := <-l.events:
			if e.report != nil {
				l.free++
				running--
				waiting--
				e.task.ended = time.Now()
				e.task.due = e.task.ended.Add(e.task.wait(*e.report))
			}
			if e.over && !once {
				heap.Push(&l.queue, e.task)
			}
		}
	}
}

// hasten makes the wanted tasks due now.
func (l *lane) hasten(want map[estate.ID]bool) {
	now := time.Now()
	for _, t := range l.queue {
		if (want == nil || want[t.Key.Component]) && now.Sub(t.ended) >= manualGap {
			t.due, t.byHand = now, true
		}
	}
	heap.Init(&l.queue)
}

// handKey marks the context of a run that a person asked for.
type handKey struct{}

// byHand reports whether a person asked for this run.
func byHand(ctx context.Context) bool { return ctx.Value(handKey{}) != nil }

// wait is how long to wait after a run, and remembers how many failed in a row.
func (t *task) wait(r Result) time.Duration {
	base := t.Interval
	if r.Interval > 0 {
		base = r.Interval
	}
	if r.Again > 0 {
		base = r.Again
	}
	if r.Err == nil {
		t.failed = 0
	} else {
		top := max(base, backOffTop)
		for range min(t.failed, 10) {
			base = min(base*2, top)
		}
		t.failed++
	}
	spread := 1 + jitter*(2*rand.Float64()-1)
	if !t.spread && r.Err == nil && r.Interval == 0 && r.Again == 0 {
		// All first runs are made at once, so that the first picture is whole
		// soon. The second come anywhere within an interval, or all of an estate
		// would be read in one burst for ever.
		t.spread = true
		spread = max(jitter, rand.Float64())
	}
	return time.Duration(float64(base) * spread)
}

// queue orders tasks by when they are due. Of those that are due together the first
// of each check comes first: thousands of secrets do not keep a function waiting,
// nor a password that may work at some time one that has to work now.
type queue []*task

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if d := q[i].due.Compare(q[j].due); d != 0 {
		return d < 0
	}
	return q[i].rank < q[j].rank
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*task)) }
func (q *queue) Pop() any {
	old := *q
	t := old[len(old)-1]
	*q = old[:len(old)-1]
	return t
}
