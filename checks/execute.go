package checks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// late is how long a read may take to return after its timeout before it is
// reported without waiting for it.
const late = 50 * time.Millisecond

// A read that outlives its timeout by this many timeouts, and by no less than
// lostLeast, is lost: its probe runs again without it. lostMost is how many lost
// reads of one probe may be under way, so that they do not pile up.
const (
	lostAfter = 10
	lostLeast = time.Minute
	lostMost  = 3
)

// execute runs a task once, posts what it saw and tells its lane. A read that
// panics is reported as broken; one that outlives its timeout is reported at its
// timeout and left to end by itself; its probe waits for that, unless it is lost.
func (l *lane) execute(parent context.Context, t *task) {
	ctx, cancel := context.WithTimeout(parent, t.Timeout)
	defer cancel()
	began := time.Now()
	read := make(chan Result, 1)
	go func() { read <- guard(ctx, t.Probe) }()

	var r Result
	select {
	case r = <-read:
		l.report(t, r, began, true)
		return
	case <-ctx.Done():
	}
	patience := time.NewTimer(late)
	defer patience.Stop()
	select {
	case r = <-read:
		l.report(t, r, began, true)
	case <-patience.C:
		if parent.Err() != nil { // shutting down: nobody waits for this answer
			l.tell(event{task: t, report: &Result{Err: parent.Err()}, over: true})
			return
		}
		l.report(t, Result{Err: &estate.Failure{
			Kind:   estate.Silent,
			Doing:  t.Source,
			Detail: fmt.Sprintf("no answer within %s", t.Timeout),
		}}, began, false)
		l.linger(t, read)
	}
}

// linger waits until a late read ends or is lost, and has its probe run again.
// Where as many as may be are lost already, it waits until one of them ends.
func (l *lane) linger(t *task, read <-chan Result) {
	patience := time.NewTimer(max(lostAfter*t.Timeout, lostLeast) - late)
	defer patience.Stop()
	select {
	case <-read:
		l.tell(event{task: t, over: true})
		return
	case <-l.gone:
		return
	case <-patience.C:
	}
	select {
	case <-read:
		l.tell(event{task: t, over: true})
	case <-l.gone:
	case t.lost() <- struct{}{}:
		l.tell(event{task: t, over: true})
		<-read
		<-t.lost()
	}
}

// guard runs a read and turns a panic into a failure. The panic's value is left
// out: it may quote what the read was handling.
func guard(ctx context.Context, p Probe) (r Result) {
	defer func() {
		if v := recover(); v != nil {
			r = Result{Err: &estate.Failure{
				Kind:   estate.Broken,
				Doing:  p.Source,
				Detail: fmt.Sprintf("the check itself failed (panic of type %T)", v),
				Next:   "report this as a fault of warroom; the other checks go on",
			}}
		}
	}()
	r = p.Read(ctx)
	if r.Err == nil && r.Data == nil {
		r.Err = &estate.Failure{Kind: estate.Broken, Doing: p.Source, Detail: "the check brought neither data nor an error"}
	}
	return r
}

// report posts what a run saw and tells the lane.
func (l *lane) report(t *task, r Result, began time.Time, over bool) {
	o := estate.Observation{
		Key:      t.Key,
		Source:   t.Source,
		At:       l.scheduler.now(),
		Took:     time.Since(began),
		Interval: t.Interval,
	}
	if r.Interval > 0 {
		o.Interval = r.Interval
	}
	if r.Err != nil {
		o.Failure = failure(r.Err, t.Source)
	} else {
		o.Data = r.Data
		if !r.At.IsZero() {
			o.At, o.Tried, o.Took = r.At, o.At, 0
		}
	}
	if l.scheduler.post != nil && !errors.Is(r.Err, context.Canceled) {
		l.scheduler.post(o)
	}
	l.tell(event{task: t, report: &r, over: over})
}

// failure finds the typed failure in err. Most probes classify their own errors,
// because they know whose words to scrub; any other is classified here.
func failure(err error, doing string) *estate.Failure {
	var f *estate.Failure
	if errors.As(err, &f) {
		return f
	}
	return clients.Classify(err, doing)
}

func (l *lane) tell(e event) {
	select {
	case l.events <- e:
	case <-l.gone:
	}
}
