package report

import (
	"fmt"
	"strings"
	"time"

	"warroom/internal/incident"
)

// What nobody did, above all readings, can come by the thousand. Of each component,
// item or node the first few in a row are told one by one; more of them within a
// while become one line, and past a bound so does everything.
const (
	flapFew  = 3
	flapRest = 10 * time.Minute // without a change: the next one is told by itself again
	maxNoise = 1000             // lines of what nobody did
	maxFlaps = 1000             // subjects that are told apart
)

// timeline puts the events in their order, each by itself but for noise.
type timeline struct {
	entries []entryDoc
	noise   int
	flaps   map[string]*flap // by subject
	bursts  []*burst
}

// flap is what one subject did of late.
type flap struct {
	at    time.Time // when it did something last
	told  int       // one by one, in a row
	burst *burst    // the line for many; nil while there is none
}

// burst is a line that stands for many events of one subject.
type burst struct {
	entry int // in the timeline
	name  string
	acts  map[string]int
	order []string
	last  string
}

// add puts one event into the timeline.
func (t *timeline) add(r *reading, e incident.Event) {
	subject, name, act := noiseOf(r, &e)
	if subject == "" {
		t.append(r, &e)
		return
	}
	if t.flaps == nil {
		t.flaps = map[string]*flap{}
	}
	if t.flaps[subject] == nil && len(t.flaps) >= maxFlaps {
		subject, name, act = "", "everything else", name
	}
	f := t.flaps[subject]
	if f == nil {
		f = &flap{}
		t.flaps[subject] = f
	}
	full := t.noise >= maxNoise
	if e.At.Sub(f.at) > flapRest && !full {
		f.told, f.burst = 0, nil
	}
	f.at = e.At
	if f.burst == nil && f.told < flapFew && !full {
		f.told++
		t.noise++
		t.append(r, &e)
		return
	}
	if f.burst == nil {
		f.burst = &burst{entry: len(t.entries), name: name, acts: map[string]int{}}
		t.bursts = append(t.bursts, f.burst)
		t.noise++
		t.append(r, &e)
		t.entries[f.burst.entry].Events = 0
	}
	f.burst.count(act)
	line := &t.entries[f.burst.entry]
	line.Events++
	line.Until, line.Last = moment{e.At}, e.Seq
}

const maxActs = 6 // kinds of change that a line for many tells apart

func (b *burst) count(act string) {
	b.last = act
	if _, known := b.acts[act]; !known {
		if len(b.order) >= maxActs {
			act = "other"
		}
		if b.acts[act] == 0 {
			b.order = append(b.order, act)
		}
	}
	b.acts[act]++
}

// finish words the lines that stand for many.
func (t *timeline) finish() []entryDoc {
	for _, b := range t.bursts {
		line := &t.entries[b.entry]
		if line.Events == 1 {
			line.Until, line.Last = moment{}, 0
			continue
		}
		var acts []string
		for _, act := range b.order {
			acts = append(acts, fmt.Sprintf("%d × %s", b.acts[act], act))
		}
		line.Text = fmt.Sprintf("%s: %d changes until %s (%s), the last %s", b.name, line.Events, line.Until, strings.Join(acts, ", "), b.last)
	}
	return t.entries
}

func (t *timeline) append(r *reading, e *incident.Event) {
	kind := string(e.Kind)
	if u, ok := e.Data.(incident.Unreadable); ok && u.Kind != "" {
		kind = "unreadable"
	}
	told, act := *e, ""
	switch d := e.Data.(type) {
	case incident.NodeMoved:
		act = string(d.Act)
	case incident.ItemMoved:
		act = string(d.Act)
	case incident.Sensed:
		if d.Regressed {
			act = actRegressed
		}
	case incident.Updated: // whole under Updates
		d.Text = cut(tidy(d.Text), 160)
		told.Data = d
	case incident.MeasureMoved: // what was extended or ended is told again
		for _, m := range r.fold.State().Measures {
			if m.ID == d.ID && d.Kind == "" {
				d.Kind, d.What = m.Kind, m.What
			}
		}
		told.Data = d
	}
	t.entries = append(t.entries, entryDoc{when: r.at(e.At), Seq: e.Seq, Kind: kind, By: e.By, Text: incident.Tell(&told, r.rb), Events: 1, Act: act})
}

// actRegressed is the act of evidence that turned after something was settled.
const actRegressed = "regressed"

// noiseOf says of what an event that nobody made tells, and what it did; no
// subject of one that a person made or that is told whatever comes.
func noiseOf(r *reading, e *incident.Event) (subject, name, act string) {
	switch d := e.Data.(type) {
	case incident.ReadingChanged:
		return "reading " + string(d.Component), d.Name, fmt.Sprintf("%s → %s", d.From, d.To)
	case incident.Sensed:
		act = "no longer ready"
		if d.Regressed {
			act = "REGRESSED"
		} else if d.Ready {
			act = "READY"
		}
		if d.Lesson != "" {
			return "lesson " + cut(d.Lesson, 80), "the past incident " + cut(d.Lesson, 80), "seen"
		}
		if d.Item != "" {
			return "item " + d.Item, r.item(d.Item), act
		}
		return "node " + d.Node, r.node(d.Node), act
	case incident.ClockSet:
		return "clock", "this machine's clock", "set"
	case incident.JournalMoved:
		return "journal", "the journal", cut(tidy(d.What), 60)
	case incident.ConsoleMoved:
		return "console", "the console", d.Act
	case incident.Acked:
		return "ack", "reminders", "answered"
	case incident.Unreadable:
		return "unreadable " + cut(string(d.Kind), 40), "events of kind " + cut(string(d.Kind), 40), "not readable"
	case nil:
		return "unreadable", "events without data", "not readable"
	case incident.Overrun:
		return "overrun " + cut(d.Phase, 80), "the budget of " + d.Phase, "overrun"
	}
	return "", "", ""
}
