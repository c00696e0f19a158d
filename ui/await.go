package ui

import (
	"fmt"
	"time"

	"warroom/internal/estate"
)

// answerWait is how long the console waits for all reads of a check that was
// asked for, before it says how many have answered.
const answerWait = 15 * time.Second

// await is a check that was asked for and whose result is still to be said.
type await struct {
	id    estate.ID // none for every component
	asked time.Time
}

func (m *Model) await(id estate.ID) { m.awaited = &await{id, m.opt.Clock()} }

// hear says the result of the check that was asked for, once every read of it
// has answered, or how far it got when some do not.
func (m *Model) hear() {
	a := m.awaited
	if a == nil || !m.frozen.IsZero() {
		return
	}
	r := m.live.Readings
	reads, answered := 0, 0
	for _, c := range r.Snapshot.Topology.Components {
		if a.id != "" && c.ID != a.id {
			continue
		}
		for _, slot := range r.Snapshot.Slots(c.ID) {
			reads++
			if !slot.Last.At.Before(a.asked) || !slot.Last.Tried.Before(a.asked) {
				answered++
			}
		}
	}
	late := m.live.Now.Sub(a.asked) >= answerWait
	if answered < reads && !late || reads == 0 && !late {
		return
	}
	m.awaited = nil
	how := "checked"
	if answered < reads {
		how = fmt.Sprintf("checked, %d of %d reads answered so far", answered, reads)
	}
	if a.id == "" {
		n := r.Count()
		m.say(fmt.Sprintf("every component %s: %d FAIL, %d UNKNOWN, %d WARN, %d OK", how, n[estate.Fail], n[estate.Unknown], n[estate.Warn], n[estate.OK]))
		return
	}
	one, ok := r.Of(a.id)
	switch {
	case !ok:
		return
	case reads == 0:
		how = "has no check that could be made"
	}
	text := m.name(a.id) + " " + how + ": " + one.Status.String()
	if one.Word != "" && one.Word != one.Status.String() {
		text += " " + plain(one.Word)
	}
	m.say(text)
}
