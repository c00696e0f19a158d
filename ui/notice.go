package ui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/estate"
	"warroom/internal/incident"
)

// notices are the events that nobody makes: what the evidence did by itself, and
// components whose status changed. The console that writes records them; one that
// follows does not.
type notices struct {
	seen    *estate.Readings // up to which changes were told
	changes []incident.Event // not handed over yet
	under   bool             // a batch of them is being recorded
	retry   time.Time        // not before, after one was not recorded
	wrong   string           // why the last batch was not recorded; empty when it was
	silent  int              // changes that were given up
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
		n.seen, n.changes = r, nil
		return
	}
	if r == n.seen {
		return
	}
	n.changes = append(n.changes, incident.Changes(n.seen, r)...)
	if over := len(n.changes) - mostChanges; over > 0 {
		n.changes = n.changes[over:]
		n.silent += over
	}
	n.seen = r
}

// tell hands over what was noticed, unless the last batch is still under way.
func (m *Model) tell() tea.Cmd {
	n := &m.notices
	if !m.writing() || m.closed() || n.under || m.live.Now.Before(n.retry) || m.newest == nil {
		return nil
	}
	events := append(n.changes, m.newest.Notices()...)
	if len(events) == 0 {
		return nil
	}
	n.changes, n.under = nil, true
	return m.enqueue(batch{what: "what the evidence did", events: events, auto: true})
}

// told goes on after a batch was recorded.
func (n *notices) told(*Model) { n.under, n.wrong = false, "" }

// failed keeps the changes of a batch that was not recorded for the next attempt.
// Notices are computed anew.
func (n *notices) failed(m *Model, events []incident.Event, err error) {
	n.under, n.retry, n.wrong = false, m.live.Now.Add(retryAfter), plain(err.Error())
	var again []incident.Event
	for _, e := range events {
		if e.Kind == incident.KindReading {
			again = append(again, e)
		}
	}
	n.changes = append(again, n.changes...)
	if over := len(n.changes) - mostChanges; over > 0 {
		n.changes = n.changes[over:]
		n.silent += over
	}
}
