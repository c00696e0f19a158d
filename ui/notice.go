package ui

import (
	"errors"
	"fmt"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/estate"
	"warroom/internal/incident"
)

// notices are the events that nobody makes: what the evidence did by itself, and
// components whose status changed. The console that writes records them; one that
// follows does not.
type notices struct {
	seen    *estate.Readings   // up to which changes were collected
	known   *incident.Statuses // how components stood when that was collected
	begin   bool               // this console has declared: what is wrong is told as it was then
	changes []incident.Event   // not handed over yet
	under   bool               // a batch of them is being recorded
	retry   time.Time          // not before, after one was not recorded
	wrong   string             // why the last batch was not recorded; empty when it was
	silent  int                // changes that were given up
}

const (
	// mostChanges bounds what waits to be told while the journal does not record.
	mostChanges = 200
	// retryAfter is how long after a failure notices are handed over again.
	retryAfter = 10 * time.Second
)

// notice collects what changed in the live picture.
func (m *Model) notice() {
	n := &m.notices
	r := m.live.Readings
	if !m.writing() || m.closed() {
		n.seen, n.known, n.changes = nil, nil, nil // taken up again, it goes on from the journal
		return
	}
	if r == n.seen {
		return
	}
	if n.known == nil {
		n.known = incident.StatusesOf(m.kase.State)
	}
	if n.begin {
		n.begin = false
		n.keep(n.known.Baseline(r))
	} else {
		n.keep(n.known.Changes(r))
	}
	n.seen = r
}

// keep puts changes behind those that wait, and gives the oldest up when too many
// do.
func (n *notices) keep(more []incident.Event) {
	n.changes = append(n.changes, more...)
	if over := len(n.changes) - mostChanges; over > 0 {
		n.changes = slices.Clone(n.changes[over:])
		n.silent += over
	}
}

// gaveUp is how many changes an event says were not recorded.
func gaveUp(e *incident.Event) int {
	n := 0
	if d, ok := e.Data.(incident.JournalMoved); ok {
		_, _ = fmt.Sscanf(d.What, givenUp, &n)
	}
	return n
}

const givenUp = "%d status changes were not recorded"

// tell hands over what was noticed, unless the last batch is still under way.
func (m *Model) tell() tea.Cmd {
	n := &m.notices
	if !m.writing() || m.closed() || n.under || m.time().Before(n.retry) || m.newest == nil {
		return nil
	}
	var events []incident.Event
	if n.silent > 0 { // they were before those that wait
		what := fmt.Sprintf(givenUp, n.silent) + ": the journal did not take them"
		if n.wrong != "" {
			what += " (" + n.wrong + ")"
		}
		events = append(events, incident.New("", incident.JournalMoved{What: what}))
	}
	events = append(append(events, n.changes...), m.newest.Notices()...)
	if len(events) == 0 {
		return nil
	}
	n.changes, n.silent, n.under = nil, 0, true
	return m.enqueue(batch{what: "what the evidence did", events: events, auto: true})
}

// told goes on after a batch was recorded.
func (n *notices) told(*Model) { n.under, n.wrong = false, "" }

// failed keeps the changes of a batch that was not recorded for the next attempt.
// Notices are computed anew, and so are changes of which it is not known whether they
// were recorded: from what the journal then tells.
func (n *notices) failed(m *Model, events []incident.Event, err error) {
	n.under, n.retry, n.wrong = false, m.time().Add(retryAfter), plain(err.Error())
	if errors.Is(err, incident.ErrUnsure) {
		n.seen, n.known, n.changes = nil, nil, nil
		return
	}
	var again []incident.Event
	for i := range events {
		switch e := &events[i]; e.Kind {
		case incident.KindReading:
			again = append(again, *e)
		case incident.KindJournal:
			n.silent += gaveUp(e)
		}
	}
	later := n.changes
	n.changes = again
	n.keep(later)
}
