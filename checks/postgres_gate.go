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

// holdLogin is how long a credential version that a server refused is not tried
// there again: failed logins lock accounts, trip intrusion blockers and drown
// the failure counts that the incident is read from.
const holdLogin = 5 * time.Minute

// loginKey is one credential version at one server.
type loginKey struct {
	place, user, secret, version string
}

// attempt is a login, made now or remembered.
type attempt struct {
	try        clients.LoginTry
	at         time.Time
	held       bool // the next one has to wait
	remembered bool
	age        time.Duration
}

// loginGate lets through at most one login that may fail per credential version
// and server in five minutes, for all components, staging labels and the
// monitoring logins together, whoever asks and however often.
type loginGate struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[loginKey]*gateEntry
}

// gateEntry is the last login of one key. Its turn is held while one is made, so
// that of two that come together the second learns from the first.
type gateEntry struct {
	turn  chan struct{}
	used  int // who hold or await the turn; of the gate's lock
	made  bool
	last  attempt
	by    string
	known bool // the server took this version the last time it judged it
}

func newLoginGate(now func() time.Time) *loginGate {
	return &loginGate{now: now, entries: map[loginKey]*gateEntry{}}
}

// entry finds or makes the entry of a key, and forgets those that no longer
// matter.
func (g *loginGate) entry(k loginKey) *gateEntry {
	g.mu.Lock()
	defer g.mu.Unlock()
	const many = 256
	if len(g.entries) > many {
		for other, e := range g.entries {
			if e.used == 0 && g.now().Sub(e.last.at) > 2*holdLogin {
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
	return e
}

// asker is who wants a login.
type asker struct {
	by       string        // which probe
	database string        // at which database
	share    time.Duration // how old a login of another probe may be to serve for this one
}

// login makes a login, or returns the last one of the same credential version:
// within five minutes where it was refused, and within the asker's share where
// another probe made it and it was accepted. The error is ctx's, when it ended
// while another login of the same version was under way.
func (g *loginGate) login(ctx context.Context, k loginKey, who asker, try func(context.Context) clients.LoginTry) (attempt, error) {
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

	if e.made {
		last := e.last
		last.remembered, last.age = true, max(g.now().Sub(last.at), 0)
		if last.held && last.age < holdLogin {
			return last, nil
		}
		if e.by != who.by && last.age < who.share && last.try.Err == nil && last.try.Login.Outcome == estate.LoginAccepted && last.try.Login.Database == who.database {
			return last, nil
		}
	}
	made := attempt{try: try(ctx)}
	made.at = g.now()
	made.held = holds(made.try, e.known)
	if made.try.Err != nil && !made.held {
		return made, nil // nothing was proved: what was known before stays so
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	e.last, e.by, e.made = made, who.by, true
	switch made.try.Login.Outcome {
	case estate.LoginAccepted, estate.LoginBarred:
		e.known = made.try.Err == nil
	case estate.LoginWrong, estate.LoginRejected:
		e.known = false
	}
	return made, nil
}

// holds reports whether a login counts as one that failed. After LoginBusy,
// LoginTrusted and LoginWeak the password was never presented. A login that was
// presented and never answered may have failed, unless the version is known to
// be right.
func holds(t clients.LoginTry, known bool) bool {
	if t.Err != nil {
		return t.Presented && !known
	}
	switch t.Login.Outcome {
	case estate.LoginWrong, estate.LoginRejected, estate.LoginBarred:
		return true
	}
	return false
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

// heldBack adds to a remembered failure when it happened and when it can be
// tried again.
func (a attempt) heldBack(err error) error {
	var failure *estate.Failure
	if !a.remembered || !errors.As(err, &failure) {
		return err
	}
	f := *failure
	f.Detail = fmt.Sprintf("%s (at %s UTC; the same password is not tried again before %s)",
		f.Detail, a.at.UTC().Format(time.TimeOnly), a.at.Add(holdLogin).UTC().Format(time.TimeOnly))
	return &f
}
