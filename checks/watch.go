package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// A watcher that ended by itself is begun again after watchAgain, then after
// twice that, up to backOffTop; one that ran for watchSteady begins anew with the
// short wait.
const (
	watchAgain  = time.Second
	watchSteady = time.Minute
	// watchLinger is how long a watcher may take to return after its end before it
	// is no longer waited for.
	watchLinger = 2 * time.Second
)

// Watchers is every watch that an estate's configuration asks for. Nothing is
// connected to, and no file is read, before one runs.
func Watchers(cfg *config.Config, set *clients.Set) []Watcher {
	return kubernetesWatchers(cfg, set)
}

// onceKey marks the context of a watch that is to read once.
type onceKey struct{}

// once reports whether what there is now is all that is wanted.
func once(ctx context.Context) bool { return ctx.Value(onceKey{}) != nil }

// watching is a watcher that the scheduler runs.
type watching struct {
	Watcher
	scheduler *Scheduler
	expected  map[estate.Key]estate.Expectation

	mu       sync.Mutex
	posted   map[estate.Key]bool // since the watch began
	single   bool                // only the first post of each key counts
	over     bool                // nothing that is still said is heard
	whole    chan struct{}       // closed when every key was posted
	asked    time.Time           // when it was last asked to confirm
	attempts int
}

func newWatching(s *Scheduler, w Watcher) *watching {
	all := make(map[estate.Key]estate.Expectation, len(w.Keys))
	for _, e := range w.Keys {
		all[e.Key] = e
	}
	return &watching{Watcher: w, scheduler: s, expected: all}
}

// run keeps the watch going until ctx ends, or until every key was posted where
// that is enough.
func (w *watching) run(ctx context.Context, single bool) {
	if len(w.expected) == 0 {
		return
	}
	if single {
		w.attempt(context.WithValue(ctx, onceKey{}, true), true)
		return
	}
	wait := watchAgain
	for ctx.Err() == nil {
		began := time.Now()
		w.attempt(ctx, false)
		if time.Since(began) > watchSteady {
			wait = watchAgain
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, backOffTop)
	}
}

// attempt runs the watch once. It returns when the watch has ended, and says so
// under every key where nobody told it to end.
func (w *watching) attempt(parent context.Context, single bool) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	w.mu.Lock()
	w.posted, w.single, w.over = make(map[estate.Key]bool, len(w.expected)), single, false
	w.attempts++
	mine := w.attempts
	whole := make(chan struct{})
	w.whole = whole
	w.mu.Unlock()

	ended := make(chan *estate.Failure, 1)
	go func() { ended <- w.guard(ctx, mine) }()
	patience := time.NewTimer(w.Timeout + late)
	defer patience.Stop()
	var enough <-chan struct{}
	if single {
		enough = whole
	}
	for {
		select {
		case broken := <-ended:
			if parent.Err() == nil {
				w.rest(mine, broken, !single)
			}
			return
		case <-parent.Done():
		case <-enough:
		case <-patience.C:
			w.rest(mine, &estate.Failure{Kind: estate.Silent, Detail: fmt.Sprintf("no answer within %s", w.Timeout)}, false)
			if !single {
				continue
			}
		}
		break
	}
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	cancel()
	patience.Reset(watchLinger)
	select {
	case <-ended:
	case <-patience.C:
	}
}

// guard runs the watch and turns a panic into a failure.
func (w *watching) guard(ctx context.Context, mine int) (f *estate.Failure) {
	defer func() {
		if v := recover(); v != nil {
			f = &estate.Failure{
				Kind: estate.Broken, Detail: fmt.Sprintf("the watch itself failed (panic of type %T)", v),
				Next: "report this as a fault of warroom; the watch is begun again, and the other checks go on",
			}
		}
	}()
	w.Watch(ctx, func(k estate.Key, r Result) {
		if ctx.Err() == nil {
			w.post(mine, k, r)
		}
	})
	return &estate.Failure{Kind: estate.Broken, Detail: "the watch ended by itself", Next: "it is begun again by itself"}
}

// rest posts a failure for the keys that have none yet, or for all.
func (w *watching) rest(mine int, f *estate.Failure, all bool) {
	for _, e := range w.Keys {
		w.mu.Lock()
		skip := w.posted[e.Key] && !all
		w.mu.Unlock()
		if !skip {
			own := *f
			own.Doing = e.Source
			w.post(mine, e.Key, Result{Err: &own})
		}
	}
}

// post hands on what the watch saw. What an earlier watch still says, and what
// nobody announced, is dropped.
func (w *watching) post(mine int, k estate.Key, r Result) {
	e, known := w.expected[k]
	if !known || errors.Is(r.Err, context.Canceled) {
		return
	}
	o := estate.Observation{Key: k, Source: e.Source, At: w.scheduler.now(), Interval: e.Interval}
	if r.Interval > 0 {
		o.Interval = r.Interval
	}
	switch {
	case r.Err != nil:
		o.Failure = failure(r.Err, e.Source)
	case r.Data == nil:
		o.Failure = &estate.Failure{Kind: estate.Broken, Doing: e.Source, Detail: "the watch brought neither data nor an error"}
	default:
		o.Data = r.Data
		if !r.At.IsZero() {
			o.At, o.Tried = r.At, o.At
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over || mine != w.attempts || w.single && w.posted[k] {
		return
	}
	// Under the lock, so that what ends the watch is not overtaken by it.
	if w.scheduler.post != nil {
		w.scheduler.post(o)
	}
	if !w.posted[k] {
		w.posted[k] = true
		if len(w.posted) == len(w.expected) {
			close(w.whole)
		}
	}
}

// confirm passes on that a person wants to know of the components now.
func (w *watching) confirm(ids []estate.ID) {
	if w.Confirm == nil {
		return
	}
	concerned := len(ids) == 0
	for k := range w.expected {
		if concerned {
			break
		}
		concerned = slices.Contains(ids, k.Component)
	}
	w.mu.Lock()
	wait := !concerned || time.Since(w.asked) < manualGap
	if !wait {
		w.asked = time.Now()
	}
	w.mu.Unlock()
	if !wait {
		w.Confirm(ids)
	}
}
