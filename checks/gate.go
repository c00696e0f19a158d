package checks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// hold is how long a credential version that a system refused is not presented
// there again: failed logins lock accounts, trip intrusion blockers and drown
// the failure counts that the incident is read from.
const hold = 5 * time.Minute

// stepBack is by how much the clock may have been set back for a try of the
// future to count as one of now.
const stepBack = time.Minute

// gateKey is one credential version at one place.
type gateKey struct {
	place, user, secret, version string
}

// verdict is what a system's answer says of the credential that was presented.
type verdict int

const (
	inconclusive verdict = iota // nothing: it was not presented, or not judged
	accepted
	barred     // it is right, and what was asked is refused all the same
	refused    // no
	unanswered // it was presented and no answer came
)

// outcome is what came of presenting a credential once: data, or err.
type outcome struct {
	data estate.Data
	err  error
	says verdict
}

// attempt is a try, made now or remembered.
type attempt struct {
	outcome
	at         time.Time
	held       bool // the next one has to wait
	remembered bool
	age        time.Duration
}

// gate lets through at most one try that may fail per credential version and
// place in five minutes, for all components, staging labels and the monitoring
// logins together, whoever asks and however often, and for every process of this
// user.
type gate struct {
	now  func() time.Time
	file *gateFile // nil where nothing is kept beyond the process

	mu      sync.Mutex
	entries map[gateKey]*gateEntry
}

// gateEntry is the last try of one key. Its turn is held while one is made, so
// that of two that come together the second learns from the first.
type gateEntry struct {
	turn  chan struct{}
	used  int       // who hold or await the turn; of the gate's lock
	asked time.Time // last; of the gate's lock
	made  bool
	last  attempt
	by    string
	known bool // the place took this version the last time it judged it
}

func newGate(now func() time.Time, file *gateFile) *gate {
	return &gate{now: now, file: file, entries: map[gateKey]*gateEntry{}}
}

// entry finds or makes the entry of a key, and forgets those that nobody asks
// for any more.
func (g *gate) entry(k gateKey) *gateEntry {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	const many = 256
	if len(g.entries) > many {
		for other, e := range g.entries {
			if e.used == 0 && now.Sub(e.asked) > 2*hold {
				delete(g.entries, other)
			}
		}
	}
	e := g.entries[k]
	if e == nil {
		e = &gateEntry{turn: make(chan struct{}, 1)}
		g.entries[k] = e
	}
	e.used++
	e.asked = now
	return e
}

// asker is who wants a try.
type asker struct {
	by       string        // which probe
	database string        // at which database, where that matters
	share    time.Duration // how old an accepted try of another probe may be to serve for this one
	rest     bool          // a refusal is good for as long as nothing changes: no try just to hear it again
}

// present presents a credential, or returns the last try of the same version:
// within five minutes where it was refused, beyond them where the asker wants it
// to rest, and within the asker's share where another probe made it and it was
// accepted. The error is ctx's, when it ended while another try of the same
// version was under way.
func (g *gate) present(ctx context.Context, k gateKey, who asker, try func(context.Context) outcome) (attempt, error) {
	e := g.entry(k)
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		e.used--
	}()
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return attempt{}, ctx.Err()
	}
	defer func() { <-e.turn }()

	if last, ok := e.serves(who, g.now()); ok {
		return last, nil
	}
	if before, ok := g.file.find(k, g.now()); ok && (!e.made || before.at.After(e.last.at)) {
		// Another process of ours was here.
		e.last, e.by, e.made, e.known = before, "another process", true, false
		if last, ok := e.serves(who, g.now()); ok {
			return last, nil
		}
	}
	made := attempt{outcome: try(ctx)}
	made.at = g.now()
	made.held = holds(made.says, e.known)
	if made.err != nil && !made.held {
		return made, nil // nothing was proved: what was known before stays so
	}
	e.last, e.by, e.made = made, who.by, true
	switch made.says {
	case accepted, barred:
		e.known = true
	case refused:
		e.known = false
	}
	if made.held {
		g.file.note(k, made)
	}
	return made, nil
}

// serves returns the last try where it answers the asker.
func (e *gateEntry) serves(who asker, now time.Time) (attempt, bool) {
	if !e.made {
		return attempt{}, false
	}
	last := e.last
	age := now.Sub(last.at)
	last.remembered, last.age = true, max(age, 0)
	switch {
	case last.held && age >= -stepBack && age < hold:
		return last, true
	case last.held && last.err == nil && who.rest:
		return last, true
	case e.by != who.by && age >= 0 && age < who.share && last.says == accepted && databaseOf(last.data) == who.database:
		return last, true
	}
	return attempt{}, false
}

func databaseOf(d estate.Data) string {
	l, _ := d.(estate.Login)
	return l.Database
}

// holds reports whether a try counts as one that failed. One that was presented
// and never answered may have failed, unless the version is known to be right.
func holds(says verdict, known bool) bool {
	switch says {
	case refused, barred:
		return true
	case unanswered:
		return !known
	}
	return false
}

// loginOutcome is what a login to a database came to. After LoginBusy and
// LoginTrusted the password was never presented, and after LoginWeak only to a
// server that did not prove itself, which gets no proof after proof.
func loginOutcome(t clients.LoginTry) outcome {
	if t.Err != nil {
		o := outcome{err: t.Err}
		if t.Presented {
			o.says = unanswered
		}
		return o
	}
	o := outcome{data: t.Login}
	switch t.Login.Outcome {
	case estate.LoginAccepted:
		o.says = accepted
	case estate.LoginBarred:
		o.says = barred
	case estate.LoginWrong, estate.LoginRejected:
		o.says = refused
	case estate.LoginWeak:
		if t.Presented {
			o.says = refused
		}
	}
	return o
}

// interval makes a remembered answer last until the next run: StaleAfter of it
// cover the answer's age by then, with something to spare. Zero is the probe's
// own interval.
func (a attempt) interval(every time.Duration) time.Duration {
	if !a.remembered {
		return 0
	}
	return max(every, (a.age+2*every)/estate.StaleAfter)
}

// result makes a probe's answer of an attempt that shows data, which may say more
// than what is remembered. A new version of the secret is looked for as often as
// ever, also while the old one rests.
func (a attempt) result(data estate.Data, every time.Duration) Result {
	r := Result{Data: data, Interval: a.interval(every)}
	if a.remembered {
		r.At, r.Again = a.at, every
	}
	return r
}

// heldBack adds to a remembered failure when it happened and when it can be
// tried again.
func (a attempt) heldBack(err error) error {
	var failure *estate.Failure
	if !a.remembered || !errors.As(err, &failure) {
		return err
	}
	f := *failure
	f.Detail = fmt.Sprintf("%s (at %s UTC; the same password is not tried again before %s)",
		f.Detail, a.at.UTC().Format(time.TimeOnly), a.at.Add(hold).UTC().Format(time.TimeOnly))
	return &f
}
