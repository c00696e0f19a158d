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
	worst                        Status   // of the reads that are not sure
	note                         string   // of the worst of them
}

// sourcesNamed is how many sources a figure over many reads names.
const sourcesNamed = 3

// add takes one more read.
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
	status := Unknown
	if fail := b.failure(); fail != nil && !b.stale {
		status = fail.Kind.Status()
	}
	switch {
	case !b.ok:
		g.none++
	case b.stale:
		g.stale++
	}
	if b.ok && b.failure() != nil {
		g.failed++
	}
	if status > g.worst || g.note == "" {
		g.worst, g.note = status, b.fact("", "", OK, "").Note
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
		f.Value, f.Status, f.Note = "?", max(g.worst, Unknown), g.note
	case g.unsure > 0:
		f.Status = Worst(status, g.worst)
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
