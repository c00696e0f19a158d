package ui

import (
	"time"

	"warroom/internal/estate"
)

// Picture is what the console shows of the estate at one time. It is immutable.
// Each plane carries a number that changes only when something visible in it
// did, so that a plane which looks the same is not drawn again.
type Picture struct {
	Readings *estate.Readings
	Now      time.Time
	planes   [len(estate.Planes)]uint64
	all      uint64 // changes when any plane does
}

// firstPicture is what is known before anything was derived.
func firstPicture(r *estate.Readings, now time.Time) Picture {
	p := Picture{Readings: r, Now: now, all: 1}
	for i := range p.planes {
		p.planes[i] = 1
	}
	return p
}

// next is the picture after p: r as read at now.
func (p Picture) next(r *estate.Readings, now time.Time) Picture {
	n := Picture{Readings: r, Now: now, planes: p.planes, all: p.all}
	a, b := p.Readings, r
	if a.Snapshot.Topology != b.Snapshot.Topology || len(a.All) != len(b.All) {
		for i := range n.planes {
			n.planes[i]++
		}
		n.all++
		return n
	}
	var touched [len(estate.Planes)]bool
	for i := range b.All {
		plane := b.Snapshot.Topology.Components[i].Plane
		if !touched[plane] && !looksSame(&a.All[i], &b.All[i], p.Now, now) {
			touched[plane] = true
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

// looksSame reports whether a component drawn from a at one time and from b at
// another shows the same. When it was read counts only as the age that is drawn.
func looksSame(a, b *estate.Reading, atA, atB time.Time) bool {
	if a.ID != b.ID || a.Status != b.Status || a.Word != b.Word || a.Reason != b.Reason ||
		len(a.Facts) != len(b.Facts) || age(atA, a.At) != age(atB, b.At) {
		return false
	}
	for i := range a.Facts {
		f, g := &a.Facts[i], &b.Facts[i]
		if f.Value != g.Value || f.Status != g.Status || f.Stale != g.Stale || f.Name != g.Name ||
			f.Note != g.Note || f.Headline != g.Headline || age(atA, f.At) != age(atB, g.At) {
			return false
		}
	}
	return true
}

// age numbers the steps in which ages are drawn: two ages with the same number
// read the same. It changes where estate.Span does.
func age(now, at time.Time) int64 {
	if at.IsZero() {
		return -1
	}
	d := now.Sub(at)
	sign := int64(1)
	if d < 0 {
		d, sign = -d, -1
	}
	switch {
	case d < time.Minute:
		return sign * (1 + int64(d/(10*time.Second)))
	case d < time.Hour:
		return sign * (100 + int64(d/time.Minute))
	case d < 48*time.Hour:
		return sign * (1000 + int64(d/time.Hour))
	}
	return sign * (10000 + int64(d/(24*time.Hour)))
}
