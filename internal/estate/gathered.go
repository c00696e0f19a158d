package estate

import (
	"fmt"
	"strings"
	"time"
)

// gathered is what a figure over many reads rests on: it is as old as the oldest
// of them and as sure as the least sure.
type gathered struct {
	reads, unsure, stale, failed int
	none                         int // reads that never brought anything
	at                           time.Time
	took                         time.Duration
	sources                      []string // of the first few
	more                         int      // sources beyond those
	note                         string   // of the first that is not sure
}

// sourcesNamed is how many sources a figure over many reads names.
const sourcesNamed = 3

// add takes one more read. One that brought nothing makes the figure unknown, and
// never a failure: it is the read's own component that fails.
func (g *gathered) add(b basis) {
	g.reads++
	if good := b.slot.Good; good != nil {
		if g.at.IsZero() || good.At.Before(g.at) {
			g.at = good.At
		}
		g.took = max(g.took, good.Took)
		g.source(good.Source)
	} else {
		g.source(b.slot.Last.Source)
	}
	if b.sure() {
		return
	}
	g.unsure++
	switch {
	case !b.ok:
		g.none++
	case b.stale:
		g.stale++
	}
	if b.ok && b.failure() != nil {
		g.failed++
	}
	if g.note == "" {
		g.note = b.fact("", "", OK, "").Note
		if b.slot.Last.Source != "" {
			g.note = b.slot.Last.Source + ": " + g.note
		}
	}
}

// by says how a figure is computed.
func (f Fact) by(formula string) Fact {
	f.Formula = formula
	return f
}

// proven is a status that follows from this read, which is not known any more
// when the read is past its time.
func (v basis) proven(s Status) Status {
	if v.stale {
		return Unknown
	}
	return s
}

// told is fact for a figure of something that only watches: judged follows from
// what was read, and a read that brought nothing is no failure of the watcher.
func (v basis) told(name, value string, judged Status, note string) Fact {
	f := v.fact(name, value, judged, note)
	switch {
	case f.Status != Fail || v.ok && judged == Fail:
	case v.ok:
		f.Status = Unknown
	default:
		f.Value, f.Status = "?", Unknown
	}
	return f
}

func (g *gathered) source(s string) {
	for _, have := range g.sources {
		if have == s {
			return
		}
	}
	switch {
	case s == "":
	case len(g.sources) < sourcesNamed:
		g.sources = append(g.sources, s)
	default:
		g.more++
	}
}

// known reports that every read is there, fresh and from its last attempt.
func (g *gathered) known() bool { return g.reads > 0 && g.unsure == 0 }

// fact states a figure. Its status must follow from what is known: what is not
// known makes it worse here, and leaves alone only a Fail.
func (g *gathered) fact(name, value string, status Status, note string) Fact {
	f := Fact{Name: name, Value: value, Status: status, Note: note, At: g.at, Took: g.took, Source: strings.Join(g.sources, "; ")}
	if g.more > 0 {
		f.Source += fmt.Sprintf("; and %d more reads", g.more)
	}
	switch {
	case g.reads == 0:
		f.Value, f.Status, f.Note = "?", Unknown, "nothing in warroom.yaml says how to read it"
	case g.none == g.reads:
		f.Value, f.Status, f.Note = "?", Unknown, g.note
	case g.unsure > 0:
		f.Status = Worst(status, Unknown)
		f.Stale, f.Failed = g.stale > 0, g.failed > 0
		why := g.note
		if g.reads > 1 {
			why = fmt.Sprintf("%d of %s are not sure, %s", g.unsure, count(g.reads, "read"), g.note)
		}
		f.Note = strings.TrimPrefix(f.Note+"; "+why, "; ")
	}
	return f
}

// rate is fact for a figure to which every read contributes: none of it is known
// while one of them is past its time.
func (g *gathered) rate(name, value string, status Status, note string) Fact {
	f := g.fact(name, value, status, note)
	if g.stale > 0 || g.none > 0 {
		f.Status = Unknown
	}
	if g.none > 0 {
		f.Value = "?" // a share of a part is not the share
	}
	return f
}

// tally is fact for a count to which every read contributes: while one of them
// brought nothing it is only known that there are as many, drawn as 12+.
func (g *gathered) tally(name string, n int, unit string, status Status, note string) Fact {
	f := g.fact(name, thousands(n)+unit, status, note)
	if g.stale > 0 || g.none > 0 {
		f.Status = Worst(f.Status, Unknown)
	}
	switch {
	case g.none == 0 || g.none == g.reads:
	case n == 0:
		f.Value = "?"
	default:
		f.Value = thousands(n) + "+" + unit
	}
	return f
}
