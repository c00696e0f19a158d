package panes

import (
	"fmt"
	"strings"

	"warroom/internal/diagnosis"
	"warroom/internal/incident"
	"warroom/internal/runbook"
	"warroom/internal/theme"
)

// ListView is how one phase of the checklist is shown.
type ListView struct {
	Phase    int    // index into Board.List
	Selected string // the item under the cursor; empty for the current one
	Reminder string // where you were, until it is acknowledged; empty for none
	// Scroll is by how many rows the window is moved down from where the selected
	// item is in sight; negative is up.
	Scroll int
}

// Checklist draws one phase of the checklist: first what the verdict brought
// forward, last the completion call. The current item alone has a frame and its
// whole evidence. total is how many rows its body has.
func Checklist(f Frame, b *incident.Board, v ListView) (rows []string, total int) {
	w := window{f: f, accent: theme.Border}
	if b == nil || v.Phase < 0 || v.Phase >= len(b.List) {
		w.title = spans{{theme.Strong, "Checklist"}}
		w.body = []spans{{{theme.Unknown, f.Theme.Glyphs.Unknown + " the runbook has no such phase"}}}
		return w.draw(), len(w.body)
	}
	d := f.list(b, v)
	w.title, w.right = d.title()
	room := max(f.Height-2, 0)
	w.head = d.head(room, v.Reminder)
	room -= len(w.head)
	if f.Height >= 22 {
		w.fixed = d.legend()
	}
	d.lay(room - len(w.fixed))
	if w.fixed != nil && len(d.body) > room-len(w.fixed) {
		w.fixed = nil
		d.lay(room)
	}
	w.body = d.body
	w.scroll = inSight(len(d.body), room-len(w.fixed), d.from, d.to) + v.Scroll
	return w.draw(), len(w.body)
}

// ListOrder lists the items of a phase as they are drawn, from top to bottom:
// first those that the verdict brought forward and that are not settled, of
// whatever phase.
func ListOrder(b *incident.Board, phase int) []string {
	if b == nil || phase < 0 || phase >= len(b.List) {
		return nil
	}
	var out []string
	for _, one := range order(b, phase) {
		out = append(out, one.v.Item.ID)
	}
	return out
}

// listed is one item of a phase's list, with the phase that it is of.
type listed struct {
	v     *incident.ItemView
	phase int
}

func order(b *incident.Board, phase int) []listed {
	var out []listed
	for i := range b.List {
		for j := range b.List[i].Items {
			if one := &b.List[i].Items[j]; one.Forward && !one.Status.Settled() {
				out = append(out, listed{one, i})
			}
		}
	}
	for j := range b.List[phase].Items {
		if one := &b.List[phase].Items[j]; !one.Forward || one.Status.Settled() {
			out = append(out, listed{one, phase})
		}
	}
	return out
}

// listing is one phase of the checklist while it is drawn.
type listing struct {
	f        Frame
	n        int // cells of a row
	b        *incident.Board
	at       int // index of the phase
	p        *incident.ListView
	items    []listed
	selected string
	boxed    string // the one item with a frame
	body     []spans
	from, to int // rows of body that the selected item takes
}

func (f Frame) list(b *incident.Board, v ListView) *listing {
	d := &listing{f: f, n: inner(f.Width), b: b, at: v.Phase, p: &b.List[v.Phase], items: order(b, v.Phase), selected: v.Selected}
	here := func(id string) bool {
		for _, one := range d.items {
			if one.v.Item.ID == id {
				return true
			}
		}
		return false
	}
	if !here(d.selected) {
		d.selected = ""
	}
	if here(b.Item) {
		d.boxed = b.Item
	}
	if d.selected == "" {
		d.selected = d.boxed
	}
	return d
}

// title is the phase, how it is worked, and its clock.
func (d *listing) title() (title, right spans) {
	f := d.f
	title = spans{{theme.Strong, strings.ToUpper(f.say(d.p.Phase.Title))}, {theme.Plain, " "}}
	title = append(title, f.clockSpans(d.p.Clock, d.b.State != nil)...)
	if d.p.Phase.Mode == runbook.ReadDo {
		return title, spans{{theme.Strong, "READ-DO"}, {theme.Muted, ": read one, do it, tick it"}}
	}
	return title, spans{{theme.Strong, "DO-CONFIRM"}, {theme.Muted, ": do the work, then confirm each"}}
}

// head stands above the items: where you were, every phase, and the condition for
// leaving this one.
func (d *listing) head(room int, reminder string) []spans {
	f := d.f
	var out []spans
	if s := f.say(reminder); s != "" {
		s = f.cut(" "+f.Theme.Glyphs.Now+" "+s, d.n-1)
		out = append(out, spans{{theme.WarnBadge, s + spaces(d.n-width(s))}})
	}
	if room < 8 {
		return out
	}
	var list []tab
	for i := range d.b.List {
		p := &d.b.List[i]
		t := tab{number: i + 1, title: short(p.Phase.Title), chosen: i == d.at, done: p.Clock.Done, over: p.Clock.Over > 0 && !p.Clock.Done}
		for j := range p.Items {
			if p.Items[j].Call {
				continue
			}
			t.of++
			if p.Items[j].Status.Settled() {
				t.settled++
			}
			if p.Items[j].Status == incident.ItemIsRegressed {
				t.regressed++
			}
		}
		list = append(list, t)
	}
	out = append(out, f.tabs(list, f.verdictOf(d.b), d.n))
	if leave := f.say(d.p.Phase.Leave); leave != "" && room >= 14 {
		out = append(out, spans{{theme.Muted, "leave when: "}, {theme.Text, f.cut(leave, d.n-12)}})
	}
	return out
}

// short is the first word of a title, for a row that holds them all.
func short(title string) string {
	first, _, _ := strings.Cut(title, " ")
	return first
}

// legend tells the marks apart.
func (d *listing) legend() []spans {
	g := &d.f.Theme.Glyphs
	out := spans{{theme.Strong, g.Killer}, {theme.Muted, " never skipped lightly   "}, {theme.OK, d.f.sensor()}, {theme.Muted, " read by a check: turns READY by itself   "}, {theme.Strong, "[ ]"}, {theme.Muted, " said by a person"}}
	if out.width() > d.n {
		out = spans{{theme.Strong, g.Killer}, {theme.Muted, " killer   "}, {theme.OK, d.f.sensor()}, {theme.Muted, " sensed   "}, {theme.Strong, "[ ]"}, {theme.Muted, " by hand"}}
	}
	return []spans{out}
}

// sensor is the mark of an item that is read.
func (f Frame) sensor() string { return "(" + f.Theme.Glyphs.Sensed + ")" }

// How much is said of the items that are not boxed.
const (
	bare   = iota // one row each
	joined        // a response that does not fit, and who settled it, in one row below
	whole         // each in a row of its own
)

// lay draws the items into the body with as much about each as room rows allow:
// less about all of them, and then nothing about one after the other, those that
// are settled and furthest from the current one first.
func (d *listing) lay(room int) {
	var blocks [whole + 1][][]spans
	here := 0
	for i := range d.items {
		if id := d.items[i].v.Item.ID; id == d.boxed || d.boxed == "" && id == d.selected {
			here = i
		}
	}
	total := func(detail int) (n int) {
		for i := range d.items {
			d.body = nil
			if d.items[i].v.Item.ID == d.boxed {
				d.box(&d.items[i])
			} else {
				d.item(&d.items[i], detail)
			}
			blocks[detail] = append(blocks[detail], d.body)
			n += len(d.body)
		}
		return n
	}
	n := total(whole)
	chosen := append([][]spans(nil), blocks[whole]...)
	if n > room {
		total(joined)
		total(bare)
	}
	for _, step := range []struct {
		settled bool
		detail  int
	}{{true, joined}, {true, bare}, {false, bare}} {
		for far := len(d.items); far >= 0 && n > room; far-- {
			for i := range d.items {
				if v := d.items[i].v; abs(i-here) == far && v.Status.Settled() == step.settled && n > room {
					n += len(blocks[step.detail][i]) - len(chosen[i])
					chosen[i] = blocks[step.detail][i]
				}
			}
		}
	}
	d.body = nil
	for i := range d.items {
		if d.items[i].v.Item.ID == d.selected {
			d.from, d.to = len(d.body), len(d.body)+len(chosen[i])
		}
		d.body = append(d.body, chosen[i]...)
	}
}

// mark is how an item is told to be settled: a box for what a person says, a
// sensor for what is read.
func (d *listing) mark(v *incident.ItemView) span {
	f, g := d.f, &d.f.Theme.Glyphs
	if v.Call {
		return span{theme.Strong, "   "}
	}
	if v.Item.Sense != "" && v.Finding.Stance != diagnosis.NoSensor {
		switch v.Status {
		case incident.ItemIsReady:
			return span{theme.OK, f.sensor()}
		case incident.ItemIsRegressed:
			return span{theme.Fail, f.sensor()}
		}
		if v.Finding.Stance == diagnosis.Unread {
			return span{theme.Unknown, "(" + g.Unknown + ")"}
		}
		return span{theme.Muted, f.sensor()}
	}
	in := " "
	switch v.Status {
	case incident.ItemIsDone:
		in = g.OK
	case incident.ItemIsSkipped:
		in = g.RuledOut
	case incident.ItemIsNA:
		in = g.NA
	case incident.ItemIsOverridden:
		in = g.Warn
	case incident.ItemIsRegressed:
		in = g.Regressed
	}
	return span{theme.Strong, "[" + in + "]"}
}

// stateCells is as wide as the widest word of an item with its glyph and margins.
const stateCells = 14

// lead is what stands before an item's text: killer mark, box or sensor, state.
func (d *listing) lead(v *incident.ItemView) spans {
	f, g := d.f, &d.f.Theme.Glyphs
	killer := span{theme.Plain, "  "}
	if v.Item.Killer {
		killer = span{theme.Strong, g.Killer + " "}
	}
	out := spans{killer, d.mark(v), {theme.Plain, " "}}
	state := f.itemSign(v.Status).spans()
	if v.Call {
		state = d.call(v)
	}
	if !f.itemSign(v.Status).badge {
		state = append(spans{{theme.Plain, " "}}, state...)
	}
	return append(out, f.fit(state, stateCells)...)
}

// call is how the completion call stands: it waits for the others.
func (d *listing) call(v *incident.ItemView) spans {
	if v.Status == incident.ItemIsOpen && d.left() > 0 {
		return spans{{theme.Muted, d.f.Theme.Glyphs.Open + " waits"}}
	}
	return d.f.itemSign(v.Status).spans()
}

// left is how many items stand before the completion call.
func (d *listing) left() int {
	n := 0
	for i := range d.p.Items {
		if !d.p.Items[i].Call && !d.p.Items[i].Status.Settled() {
			n++
		}
	}
	return n
}

// response is what stands at the end of an item's row: the observed value, and
// while nothing was observed the one that is expected.
func (d *listing) response(v *incident.ItemView) (string, theme.Token) {
	f := d.f
	if v.Call {
		return d.tally(v)
	}
	value := f.say(v.Response)
	if v.Status.Settled() {
		if value == "" {
			value = f.say(v.Done.Evidence.Value)
		}
		for _, s := range []string{v.Done.Evidence.Typed, v.Done.Evidence.Note, v.Done.Evidence.Link} {
			if value == "" {
				value = f.say(s)
			}
		}
		if value == "" {
			return "no value was noted", theme.Muted
		}
		return value, theme.Text
	}
	switch v.Finding.Stance {
	case diagnosis.For, diagnosis.Against:
		if value == "" {
			value = f.say(v.Finding.Value)
		}
		look := figureToken(worstOf(&v.Finding))
		glyph := ""
		if s := worstOf(&v.Finding); s > 0 {
			glyph = f.glyph(s) + " "
		}
		if staleFinding(&v.Finding) {
			look, glyph = theme.Stale, f.Theme.Glyphs.Stale+" "
		}
		return glyph + value, look
	case diagnosis.Unread:
		why := f.say(v.Finding.Value)
		if why == "" {
			why = "nothing was read"
		}
		return f.Theme.Glyphs.Unknown + " unread: " + why, theme.Unknown
	}
	if s := f.say(v.Item.Expect); s != "" {
		return "expect: " + s, theme.Muted
	}
	return "", theme.Muted
}

// tally is what the completion call says: how everything above it was settled.
func (d *listing) tally(v *incident.ItemView) (string, theme.Token) {
	if n := d.left(); n > 0 && !v.Status.Settled() {
		return fmt.Sprintf("%d of %d still open", n, len(d.p.Items)-1), theme.Muted
	}
	var parts []string
	for _, s := range []incident.ItemStatus{incident.ItemIsDone, incident.ItemIsSkipped, incident.ItemIsNA, incident.ItemIsOverridden} {
		if n := d.p.Count[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", "), theme.Strong
}
