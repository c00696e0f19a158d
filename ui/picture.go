package ui

import (
	"slices"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/panes"
)

// Picture is what the console shows of the estate at one time. It is immutable.
// Each plane carries a number that changes only when something visible in it
// did, so that a plane which looks the same is not drawn again.
type Picture struct {
	Readings *estate.Readings
	Findings diagnosis.Findings // what Readings mean for the runbook's questions
	Now      time.Time
	planes   [len(estate.Planes)]uint64
	all      uint64                     // changes when any plane does
	ages     [len(estate.Planes)]uint64 // which steps the ages have come to
}

// firstPicture is what is known before anything was derived.
func firstPicture(r *estate.Readings, now time.Time) Picture {
	p := Picture{Readings: r, Now: now, all: 1}
	for i, plane := range estate.Planes {
		p.planes[i] = 1
		p.ages[i] = panes.AgeStamp(r, plane, now)
	}
	return p
}

// next is the picture after p: r as read at now.
func (p Picture) next(r *estate.Readings, now time.Time) Picture {
	n := Picture{Readings: r, Findings: p.Findings, Now: now, planes: p.planes, all: p.all}
	for i, plane := range estate.Planes {
		n.ages[i] = panes.AgeStamp(r, plane, now)
	}
	a, b := p.Readings, r
	if a.Snapshot.Topology != b.Snapshot.Topology || len(a.All) != len(b.All) {
		for i := range n.planes {
			n.planes[i]++
		}
		n.all++
		return n
	}
	var touched [len(estate.Planes)]bool
	for i := range touched {
		touched[i] = n.ages[i] != p.ages[i]
	}
	for i := range b.All {
		t := b.Snapshot.Topology
		c := &t.Components[i]
		if a.All[i].Status != b.All[i].Status {
			reach(t, c, &touched)
		}
		if !touched[c.Plane] && !looksSame(&a.All[i], &b.All[i]) {
			touched[c.Plane] = true
		}
	}
	for i, t := range touched {
		if t {
			n.planes[i]++
			n.all++
		}
	}
	return n
}

// reach marks the planes in which the status of a component is drawn: its own,
// those of what it is joined to by a flow, and those of what its secrets run
// through.
func reach(t *estate.Topology, c *estate.Component, touched *[len(estate.Planes)]bool) {
	touched[c.Plane] = true
	for _, f := range t.Out(c.ID) {
		if end, ok := t.Component(f.To); ok {
			touched[end.Plane] = true
		}
	}
	for _, f := range t.In(c.ID) {
		if end, ok := t.Component(f.From); ok {
			touched[end.Plane] = true
		}
	}
	for i := range t.Components {
		one := &t.Components[i]
		if !touched[one.Plane] && slices.ContainsFunc(c.Secrets, func(s string) bool { return t.Through(one.ID, s) }) {
			touched[one.Plane] = true
		}
	}
}

// looksSame reports whether a component drawn from a and from b shows the same,
// ages aside.
func looksSame(a, b *estate.Reading) bool {
	if a.ID != b.ID || a.Status != b.Status || a.Word != b.Word || a.Reason != b.Reason || len(a.Facts) != len(b.Facts) {
		return false
	}
	for i := range a.Facts {
		f, g := &a.Facts[i], &b.Facts[i]
		if f.Value != g.Value || f.Status != g.Status || f.Stale != g.Stale || f.Name != g.Name ||
			f.Note != g.Note || f.Headline != g.Headline {
			return false
		}
	}
	return true
}
