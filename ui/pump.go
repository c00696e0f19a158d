package ui

import (
	"context"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
)

// pictureMsg brings a new picture; feedErrMsg a feed that had none.
type (
	pictureMsg Picture
	feedErrMsg struct{ err error }
)

// share of a core that reading the same snapshot again, only because time has
// passed, may take: one part in this many.
const rereadShare = 200

// Deriving what came in takes one part in freshShare of a core: the rest of the time
// a machine in trouble has for others. What came in waits for that, at most
// freshMost, but not what was read of a component for the first time.
const (
	freshShare = 10
	freshMost  = 800 * time.Millisecond
)

// Findings of an estate of thousands of secrets are dear: those that take dearSense
// or more take at most one part in senseShare of a core, and are at most senseMost
// behind the readings.
const (
	dearSense  = 5 * time.Millisecond
	senseShare = 50
	senseMost  = 900 * time.Millisecond
)

// pump turns snapshots and the passing of time into pictures. Its goroutine
// reads the feed; next is the one command, armed again after each message.
type pump struct {
	ctx    context.Context
	feed   Feed
	clock  func() time.Time
	derive func(*estate.Snapshot, time.Time) *estate.Readings
	sense  func(*estate.Readings, time.Time) diagnosis.Findings
	net    scrubber

	// wanted is whether findings are: the model says so.
	wanted atomic.Bool

	snaps chan *estate.Snapshot // the newest not yet derived
	errs  chan error

	// of the one running next
	snap    *estate.Snapshot
	fresh   bool // snap was not derived yet
	last    Picture
	derived time.Time
	cost    time.Duration
	sensed  time.Time     // when the findings were made
	asking  time.Duration // what that took
	behind  bool          // the findings are of readings before the last
}

// newPump derives the first picture at once, from what is known at the start.
func newPump(ctx context.Context, o Options) *pump {
	p := &pump{
		ctx: ctx, feed: o.Feed, clock: o.Clock, derive: o.Derive, sense: o.Sense, net: scrubber{scrub: o.Scrub},
		snaps: make(chan *estate.Snapshot, 1), errs: make(chan error, 1), snap: o.Snapshot,
	}
	now := p.clock()
	p.last, p.behind = firstPicture(p.readings(now), now), true
	return p
}

func (p *pump) readings(now time.Time) *estate.Readings {
	return p.net.clean(p.derive(p.snap, now))
}

// findings are what the readings mean for the runbook's questions.
func (p *pump) findings(r *estate.Readings, now time.Time) diagnosis.Findings {
	if p.sense == nil {
		return nil
	}
	return p.sense(r, now)
}

// read takes snapshots from the feed until ctx ends. Of those that come faster
// than they are derived, the latest wins.
func (p *pump) read() {
	for p.ctx.Err() == nil {
		s, err := p.feed.Next(p.ctx)
		switch {
		case p.ctx.Err() != nil:
			return
		case err != nil:
			select {
			case p.errs <- err:
			default:
			}
			wait := time.NewTimer(time.Second)
			select {
			case <-wait.C:
			case <-p.ctx.Done():
				wait.Stop()
				return
			}
		case s != nil:
			select {
			case <-p.snaps:
			default:
			}
			p.snaps <- s // there is room: this is the only sender
		}
	}
}

// next waits for a snapshot or the next full second and derives a picture.
func (p *pump) next() tea.Msg {
	now := p.clock()
	tick := time.NewTimer(now.Truncate(time.Second).Add(time.Second).Sub(now))
	defer tick.Stop()
	rested := time.NewTimer(p.rest(time.Now()))
	defer rested.Stop()
	ready := rested.C
	for waiting := true; waiting; {
		select {
		case <-p.ctx.Done():
			return nil
		case err := <-p.errs:
			return feedErrMsg{err}
		case p.snap = <-p.snaps:
			p.fresh = true
			waiting = p.rest(time.Now()) > 0 && !p.news()
		case <-ready:
			ready, waiting = nil, !p.fresh
		case <-tick.C:
			waiting = false
		}
	}
	began := time.Now()
	now = p.clock()
	if !p.fresh && began.Sub(p.derived) < p.cost*rereadShare {
		p.last = p.last.next(p.last.Readings, now) // ages only
		p.senseAgain(now)
		return pictureMsg(p.last)
	}
	p.last = p.last.next(p.readings(now), now)
	p.behind, p.fresh = true, false
	p.derived = time.Now()
	p.cost = p.derived.Sub(began)
	p.senseAgain(now)
	return pictureMsg(p.last)
}

// senseAgain brings the findings up to the readings, unless nothing rests on them,
// or that is dear and was done just now: then the next picture does, at the latest
// a second from now.
func (p *pump) senseAgain(now time.Time) {
	if !p.wanted.Load() {
		p.last.Findings, p.behind = nil, true
		return
	}
	began := time.Now()
	if !p.behind || p.asking >= dearSense && began.Sub(p.sensed) < min(senseShare*p.asking, senseMost) {
		return
	}
	p.last.Findings = p.findings(p.last.Readings, now)
	p.behind = false
	p.sensed = time.Now()
	p.asking = p.sensed.Sub(began)
}

// rest is how long a snapshot waits before it is derived.
func (p *pump) rest(now time.Time) time.Duration {
	return min((freshShare-1)*p.cost, freshMost) - now.Sub(p.derived)
}

// news reports whether something was read for the first time of a component since
// the last picture.
func (p *pump) news() bool {
	shown := p.last.Readings.Snapshot
	for i := range p.snap.Topology.Components {
		id := p.snap.Topology.Components[i].ID
		if shown.Changed(id) == 0 && p.snap.Changed(id) != 0 {
			return true
		}
	}
	return false
}
