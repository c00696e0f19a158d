package panes

import (
	"strings"

	"warroom/internal/diagnosis"
	"warroom/internal/incident"
	"warroom/internal/theme"
)

// leadCells is what stands before an item's text.
const leadCells = 2 + 2 + 4 + stateCells

// item draws one item without a frame. With detail it says below the row who
// settled it and why, and what is due.
func (d *listing) item(one *listed, detail int) {
	f, v := d.f, one.v
	if detail == joined && d.join(one) {
		return
	}
	d.headline(one, detail, spans{{theme.Plain, "  "}}, d.n)
	if detail == bare && v.Status != incident.ItemIsRegressed && v.Item.ID != d.selected {
		return
	}
	for _, s := range d.about(one, d.n-leadCells) {
		d.body = append(d.body, append(spans{{theme.Plain, spaces(leadCells)}}, f.fit(s, d.n-leadCells)...))
	}
}

// text is what an item says; a completion call says how many stand as what at the
// end of its row.
func (d *listing) text(one *listed) string {
	if one.v.Call {
		return d.f.say(d.b.List[one.phase].Phase.Complete)
	}
	return d.f.say(one.v.Item.Text)
}

// join draws a settled item whose response does not fit behind its text in two
// rows: below the text the response, and behind that who settled it.
func (d *listing) join(one *listed) bool {
	f, v := d.f, one.v
	if !v.Status.Settled() || v.Item.ID == d.selected {
		return false
	}
	response, _ := d.response(v)
	room := d.n - leadCells
	about := d.about(one, max(room*3/5, 24))
	if width(d.text(one))+width(response)+4 <= room || len(about) != 1 {
		return false
	}
	row := append(spans{{theme.Plain, "  "}}, d.lead(v)...)
	d.body = append(d.body, append(row, span{theme.Text, f.cut(d.text(one), d.n-row.width())}))
	who := about[0]
	response = f.cut(response, max(room-who.width()-width(f.dot()), 1))
	d.body = append(d.body, append(spans{{theme.Plain, spaces(leadCells)}, {theme.Text, response}, {theme.Muted, f.dot()}}, who...))
	return true
}

// headline is an item's own row: its text, dots, and at the end the response. A
// response that would be cut gets a row of its own while there is detail.
func (d *listing) headline(one *listed, detail int, before spans, n int) {
	f, v := d.f, one.v
	selected := v.Item.ID == d.selected && v.Item.ID != d.boxed
	if selected && before.width() == 2 {
		before = spans{{theme.Strong, f.Theme.Glyphs.Select + " "}} // the cursor is no matter of colour
	}
	row := append(before, d.lead(v)...)
	look := theme.Text
	switch {
	case selected:
		look = theme.Selection
	case v.Item.ID == d.boxed, v.Status == incident.ItemIsRegressed, v.Status == incident.ItemIsReady, v.Call:
		look = theme.Strong
	}
	text := d.text(one)
	if v.Call && v.Status.Settled() {
		look = theme.OK
	}
	response, quiet := d.response(v)
	room := n - row.width()
	loud := v.Item.ID == d.boxed || v.Item.ID == d.selected || v.Status == incident.ItemIsRegressed
	said := func(s string) spans {
		if loud || v.Status.Settled() || v.Call || v.Finding.Stance == diagnosis.NoSensor {
			return spans{{quiet, s}}
		}
		return f.quiet(s, quiet)
	}
	dots := room - width(text) - width(response) - 2
	if dots >= 2 {
		row = append(row, span{look, text}, span{theme.Plain, " "}, span{theme.Group, rule(f.Theme.Glyphs.Leader, dots)}, span{theme.Plain, " "})
		d.body = append(d.body, append(row, said(response)...))
		return
	}
	if detail == whole && width(response) > 24 {
		// The whole response stands below the text, at the end of its row.
		row = append(row, span{look, f.cut(text, room)})
		d.body = append(d.body, f.fit(row, n))
		indent := before.width() + leadCells - 2
		space := n - indent
		if v.Item.ID == d.boxed && width(response) > space-3 {
			// The current item has its whole evidence.
			for _, r := range f.rowsOf(response, quiet, space, 3) {
				d.body = append(d.body, append(spans{{theme.Plain, spaces(indent)}}, r...))
			}
			return
		}
		response = f.cut(response, space-3)
		d.body = append(d.body, append(spans{{theme.Plain, spaces(indent)}, {theme.Group, rule(f.Theme.Glyphs.Leader, max(space-1-width(response), 0))}, {theme.Plain, " "}}, said(response)...))
		return
	}
	text = f.cut(text, max(room*3/5, min(width(text), room-6)-max(min(width(response), room*2/5), 0)))
	response = f.cut(response, max(room-width(text)-4, 0))
	dots = max(room-width(text)-width(response)-2, 0)
	row = append(row, span{look, text}, span{theme.Plain, " "}, span{theme.Group, rule(f.Theme.Glyphs.Leader, dots)}, span{theme.Plain, " "})
	d.body = append(d.body, f.fit(append(row, said(response)...), n))
}

// about are the rows below an item: where it was brought from, who settled it,
// when and why, what turned, and who owns it until when.
func (d *listing) about(one *listed, n int) []spans {
	f, v := d.f, one.v
	var out []spans
	if v.Forward && !v.Status.Settled() {
		out = append(out, spans{{theme.FailBadge, " BROUGHT FORWARD "}, {theme.Text, " from " + f.say(d.b.List[one.phase].Phase.Title)}})
	}
	if v.Status == incident.ItemIsRegressed {
		s := spans{{theme.Fail, "its evidence has turned"}}
		if !v.Done.Turned.IsZero() {
			s = append(s, span{theme.Fail, " " + since(v.Done.Turned, f.Now)})
		}
		if then := f.say(v.Done.Evidence.Value); then != "" {
			s = append(s, span{theme.Muted, "; was: " + then})
		}
		out = append(out, s)
	}
	if v.Status == incident.ItemIsReady && v.Done.Regressed {
		out = append(out, spans{{theme.Warn, "its evidence had turned and is back: confirm it again"}})
	}
	if v.Done.Act != "" && v.Done.Act != incident.ItemUndone && v.Status != incident.ItemIsOpen && v.Status != incident.ItemIsReady {
		var s spans
		if v.Status == incident.ItemIsDoing {
			s = append(s, span{theme.Muted, "at it: "})
		}
		// The reason is cut before who gave it.
		who := f.settledBy(d.b, v.Done.By, v.Done.At)
		if with := f.say(v.Done.Evidence.With); with != "" {
			who += ", confirmed by " + with
		}
		reason := f.say(v.Done.Reason)
		if reason == f.say(v.Response) {
			reason = "" // it is said already; of what was overridden say the evidence
			if v.Status == incident.ItemIsOverridden && v.Done.Evidence.Value != "" {
				reason = strings.TrimSpace(f.say(v.Done.Evidence.Stance + ": " + v.Done.Evidence.Value))
			}
		}
		if reason != "" {
			s = append(s, span{theme.Text, f.prose(reason, max(n-width(who)-3, 8))}, span{theme.Muted, f.dot()})
		}
		if who != "" {
			s = append(s, span{theme.Muted, who})
		}
		if len(s) > 0 {
			out = append(out, s)
		}
	}
	if s := d.owner(v); s != nil {
		out = append(out, s)
	}
	return out
}

// owner is who answers for an item of the days after, and until when.
func (d *listing) owner(v *incident.ItemView) spans {
	f := d.f
	if v.Call || v.Status.Settled() || !d.p.Phase.Owned && v.Owner == "" && v.Due.IsZero() {
		return nil
	}
	out := spans{{theme.Muted, "owner "}}
	if s := f.say(v.Owner); s != "" {
		out = append(out, span{theme.Text, s})
	} else {
		out = append(out, span{theme.Warn, f.Theme.Glyphs.Warn + " nobody"})
	}
	switch {
	case v.Due.IsZero():
		out = append(out, span{theme.Muted, f.dot() + "no due date"})
	case v.Overdue:
		out = append(out, span{theme.Plain, "  "}, span{theme.FailBadge, " OVERDUE " + late(f.Now.Sub(v.Due)) + " "}, span{theme.Muted, " was due " + day(v.Due)})
	default:
		out = append(out, span{theme.Muted, f.dot() + "due "}, span{theme.Text, day(v.Due)})
	}
	return out
}

// box draws the current item: in a frame, with its whole evidence.
func (d *listing) box(one *listed) {
	f, v := d.f, one.v
	g := &f.Theme.Glyphs
	look := theme.Strong
	if v.Status == incident.ItemIsRegressed {
		look = theme.Fail
	}
	fr := g.Current
	d.body = append(d.body, f.lid(fr, look, spans{{theme.Strong, g.Now + " CURRENT"}}, d.n))
	var rows []spans
	sub := &listing{f: f, n: d.n, b: d.b, at: d.at, p: d.p, items: d.items, selected: d.selected, boxed: d.boxed}
	sub.headline(one, whole, nil, d.n-4)
	rows = append(rows, sub.body...)
	rows = append(rows, indented(d.proof(v, d.n-4-leadCells+2), leadCells-2)...)
	rows = append(rows, indented(d.about(one, d.n-2-leadCells), leadCells-2)...)
	for _, s := range rows {
		row := append(spans{{look, fr.Down}, {theme.Plain, " "}}, f.fit(s, d.n-4)...)
		d.body = append(d.body, append(row, span{theme.Plain, " "}, span{look, fr.Down}))
	}
	d.body = append(d.body, f.sole(fr, look, d.n, false))
}

func indented(rows []spans, n int) []spans {
	for i := range rows {
		rows[i] = append(spans{{theme.Plain, spaces(n)}}, rows[i]...)
	}
	return rows
}

// proof is the evidence of the current item: what is expected, what was read,
// whence and how old it is.
func (d *listing) proof(v *incident.ItemView, n int) []spans {
	f := d.f
	var out []spans
	if v.Call {
		return nil
	}
	sensed := v.Finding.Stance != diagnosis.NoSensor
	if s := f.say(v.Item.Expect); s != "" && (sensed || v.Status.Settled()) {
		out = append(out, spans{{theme.Muted, "expect: "}, {theme.Text, f.cut(s, n-8)}})
	}
	switch {
	case !sensed:
		what := "no sensor: say who, when and what, or a link"
		if v.Item.Sense != "" {
			what = "no sensor: " + f.say(v.Item.Sense) + "; a person's word counts"
		}
		out = append(out, spans{{theme.Muted, f.prose(what, n)}})
	default:
		from := f.provenance(&v.Finding)
		if from == "" {
			from = "rests on nothing that was read"
		}
		out = append(out, spans{{theme.Muted, f.cut(from, n)}})
	}
	return out
}
