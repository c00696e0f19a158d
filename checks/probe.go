// Package checks observes: probes, each of which reads one thing of one system,
// and the scheduler that runs them for ever.
//
// Its rules:
//
//   - One probe makes one kind of call, so that what one call may not do never
//     hides what another may.
//   - A probe changes nothing. It brings typed data or says why not; what the
//     data means is decided in package estate.
//   - The scheduler never gives up: it backs off, and recovers by itself. One
//     slow or dead system never delays another.
//   - No probe returns a secret's value, in data or in an error.
package checks

import (
	"context"
	"time"

	"warroom/internal/estate"
)

// Probe is one repeated read.
type Probe struct {
	Key    estate.Key
	Source string // which call or statement, at which endpoint; shown with every figure it brings
	// System groups probes that share a connection or quota: their concurrency
	// is bounded together and no other system waits for them.
	System string
	// Width is how many reads of the system may be under way at once, where that is
	// not Options.Concurrency; the largest of its probes counts.
	Width    int
	Interval time.Duration
	Timeout  time.Duration
	// Read makes the call. It must return soon after ctx ends. An error that is
	// not an *estate.Failure is classified by clients.Classify.
	Read func(ctx context.Context) Result
}

// Result is what one run of a probe brought: data or an error.
type Result struct {
	Data estate.Data
	Err  error
	// At is set when Data is remembered from an earlier read rather than made
	// now; the figure keeps its true age.
	At time.Time
	// Interval, when not zero, replaces the probe's interval until its next run:
	// for reads that were held back so as to do no harm.
	Interval time.Duration
	// Again, when not zero, is when to run next, where that is sooner than Interval:
	// a remembered answer stays good for long, and what would end it is looked for
	// often.
	Again time.Duration
}

// Watcher is a read that a system pushes: it keeps a connection open and tells
// what changed, for several keys at once. It is run as probes are: for ever, and
// by itself again after every failure.
//
// What it posts is as fresh as the connection: while the watch is known to be
// alive it posts the same data again, with a new time, before Interval has passed
// three times; when it is cut, expired or found to lag, it posts why.
type Watcher struct {
	Keys    []estate.Expectation // what it posts; it posts each soon after it began
	System  string               // as of Probe: bounds what it asks besides watching
	Timeout time.Duration        // within which each key must have its first post
	// Watch runs until ctx ends, and returns soon after with everything it started
	// ended. It must post a result for every key within Timeout, be it that the
	// system does not answer; what it leaves out is reported as silent. Where
	// once(ctx) holds it is to read what there is and need not watch.
	Watch func(ctx context.Context, post func(estate.Key, Result))
	// Confirm, when not nil, asks that what is known of the components be compared
	// with the system now, and what failed be tried again; no component stands for
	// all. It does not wait.
	Confirm func(ids []estate.ID)
}
