package panes

import (
	"fmt"
	"slices"
	"strings"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// changesInDetail is how many recent changes the detail of a component lists.
const changesInDetail = 8

// Changes is what was changed of late, newest first, as far as the filter lets it
// through: each change with who made it, whence, and what it touches. What could
// not be read stands first. total is how many rows there are to scroll through,
// of which Height−2 are in sight; a scroll beyond the end shows the end.
func Changes(f Frame, r *estate.Readings, filter string, scroll int) (rows []string, total int) {
	w := window{f: f, accent: theme.Border, scroll: scroll, title: spans{{theme.Strong, "Recent changes"}}, right: spans{{theme.Key, "esc"}, {theme.KeyText, " back"}}}
	d := &detail{f: f, n: inner(f.Width), r: r}
	if r == nil {
		d.row(span{theme.Unknown, "? nothing was read yet"})
	} else {
		all, unread := estate.RecentChanges(r.Snapshot, f.Now)
		t := r.Snapshot.Topology
		if window := t.Rules.ChangesWindow; window > 0 {
			w.title = append(w.title, span{theme.Muted, " of the last " + estate.Span(window)})
		}
		if filter != "" {
			w.title = append(w.title, span{theme.Strong, " /" + f.say(filter)})
		}
		d.missing(unread)
		shown := matching(t, all, filter)
		if len(unread) > 0 && len(shown) > 0 {
			d.row()
		}
		for i := range shown {
			d.change(&shown[i], true)
		}
		d.none(len(all), len(shown), len(unread), filter)
	}
	w.body = d.body
	return w.draw(), len(w.body)
}

// none says why there is nothing to list.
func (d *detail) none(all, shown, unread int, filter string) {
	switch {
	case shown > 0:
	case all > 0:
		d.row(span{theme.Text, "nothing here matches /" + d.f.say(filter)})
		d.row(span{theme.Muted, "esc clears the filter"})
	case unread == 0:
		d.row(span{theme.Text, "nothing was changed, as far as CloudTrail and the workloads tell; CloudTrail delivers up to 15 minutes late"})
	default:
		d.row(span{theme.Text, "no change was read"})
	}
}

// missing lists the sources of changes of which something is missing.
func (d *detail) missing(unread []estate.UnreadChanges) {
	f := d.f
	for _, u := range unread {
		head := f.verdict(u.Status)
		what := f.say(u.What) + ": " + f.say(u.Why)
		if !u.At.IsZero() && u.Status > estate.Warn {
			what += "; as of " + d.ago(u.At)
		}
		for i, part := range wrap(what, max(d.n-width(head)-1, 8)) {
			if i > 0 {
				head = spaces(width(head))
			}
			d.row(span{token(u.Status), head + " "}, span{theme.Text, part})
		}
	}
}

// matching are the changes that a filter lets through: what was changed and how,
// by whom, whence and where, and what it touches. Of several words each must
// match.
func matching(t *estate.Topology, all []estate.RecentChange, filter string) []estate.RecentChange {
	words := strings.Fields(strings.ToLower(filter))
	if len(words) == 0 {
		return all
	}
	var out []estate.RecentChange
	for i := range all {
		c := &all[i]
		text := []string{c.What, c.Target, c.By, c.From, c.Where, c.Detail, c.Failed, strings.Join(c.Secrets, " ")}
		if c.Failed != "" {
			text = append(text, "refused")
		}
		for _, id := range c.Components {
			one, _ := t.Component(id)
			text = append(text, string(id), one.Name)
		}
		low := strings.ToLower(strings.Join(text, "\n"))
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(low, w) }) {
			out = append(out, *c)
		}
	}
	return out
}

// change draws one change: when and what, then by whom, then, where that is not
// plain, what it touches.
func (d *detail) change(c *estate.RecentChange, touches bool) {
	f := d.f
	age := estate.Span(f.Now.Sub(c.At))
	const when = 7
	indent := when + 1
	head := spans{{theme.Muted, spaces(when-width(age)) + age + " "}, {theme.Strong, f.say(c.What)}}
	if target := f.say(c.Target); target != "" {
		head = append(head, span{theme.Text, " " + target})
	}
	if c.Failed != "" {
		head = append(head, span{theme.Warn, " REFUSED: " + f.say(c.Failed)})
	}
	if c.Routine() {
		head = append(head, span{theme.Muted, " by rotation itself, " + c.At.UTC().Format("2 Jan 15:04 UTC")})
	}
	if head.width() <= d.n {
		d.row(head...)
	} else {
		text := head[1].s
		for _, s := range head[2:] {
			text += s.s
		}
		for i, part := range wrap(text, max(d.n-indent, 8)) {
			at := head[0]
			if i > 0 {
				at = span{theme.Plain, spaces(indent)}
			}
			d.row(at, span{theme.Strong, part})
		}
	}
	if c.Routine() {
		// What rotation does by itself is many lines of little news: people's doings
		// must not drown in it.
		return
	}
	d.text(indent, "", theme.Muted, f.by(c))
	d.text(indent, "", theme.Text, f.say(c.Detail))
	if touches {
		d.touched(c, indent)
	}
}

// by says who made a change, from where, when exactly and in which account.
func (f Frame) by(c *estate.RecentChange) string {
	var parts []string
	say := func(label, s string) {
		if s = f.say(s); s != "" {
			parts = append(parts, label+s)
		}
	}
	say("by ", who(c.By))
	if c.From != c.By {
		say("from ", c.From)
	}
	say("in ", c.Where)
	return strings.Join(append(parts, c.At.UTC().Format("2 Jan 15:04 UTC")), ", ")
}

// who is the end of an ARN that people know each other by: role/session or user.
func who(arn string) string {
	for _, kind := range []string{":assumed-role/", ":user/", ":role/"} {
		if _, name, ok := strings.Cut(arn, kind); ok && strings.HasPrefix(arn, "arn:") {
			return name
		}
	}
	return arn
}

// touched names what a change touches, each with its status, as many as fit in a
// line.
func (d *detail) touched(c *estate.RecentChange, indent int) {
	f := d.f
	if len(c.Components) == 0 {
		d.text(indent, "", theme.Muted, "touches nothing that warroom.yaml names")
		return
	}
	row := spans{{theme.Plain, spaces(indent)}, {theme.Muted, "touches "}}
	for i, id := range c.Components {
		one, _ := d.r.Snapshot.Topology.Component(id)
		r, _ := d.r.Of(id)
		item := spans{{token(r.Status), f.glyph(r.Status) + " "}, {theme.Text, f.say(one.Name)}}
		if i > 0 {
			item = append(spans{{theme.Muted, ", "}}, item...)
		}
		more := ""
		if rest := len(c.Components) - i - 1; rest > 0 {
			more = fmt.Sprintf(" +%d", rest)
		}
		if i > 0 && row.width()+item.width()+len(more) > d.n {
			row = append(row, span{theme.Muted, fmt.Sprintf(" +%d", len(c.Components)-i)})
			break
		}
		row = append(row, item...)
	}
	d.row(row...)
}

// changes lists in the detail of a component the changes that touch it, and in
// that of a rotation monitor all.
func (d *detail) changes() {
	if !d.r.Snapshot.TellsChanges() {
		return
	}
	all, unread := estate.RecentChanges(d.r.Snapshot, d.f.Now)
	monitor := d.c.Kind == estate.KindRotationMonitor
	mine := all
	if !monitor {
		mine = nil
		for i := range all {
			if all[i].Touches(d.c.ID) {
				mine = append(mine, all[i])
			}
		}
		unread = slices.DeleteFunc(unread, func(u estate.UnreadChanges) bool { return u.Status < estate.Unknown })
		if len(mine) == 0 && (len(unread) == 0 || d.c.Plane == estate.Control) {
			return
		}
	}
	d.heading("Recent changes")
	d.missing(unread)
	for i := range mine[:min(len(mine), changesInDetail)] {
		d.change(&mine[i], monitor)
	}
	if n := len(mine) - changesInDetail; n > 0 {
		d.row(span{theme.Muted, fmt.Sprintf("+%d more; c lists all", n)})
	}
	if len(mine) == 0 {
		d.none(0, 0, len(unread), "")
	}
}

// CopyChanges is the recent changes that a filter lets through as plain text, to
// be pasted into the channel of an incident. It ends in a line end.
func CopyChanges(f Frame, r *estate.Readings, filter string) string {
	var b strings.Builder
	t := r.Snapshot.Topology
	head := ""
	if t.Drill != "" {
		head = "[DRILL " + f.say(t.Drill) + "] "
	}
	fmt.Fprintf(&b, "%sRecent changes of %s%s%s\n", head, f.say(t.Environment), f.dot(), f.Now.UTC().Format("2006-01-02 15:04 UTC"))
	all, unread := estate.RecentChanges(r.Snapshot, f.Now)
	for _, u := range unread {
		fmt.Fprintf(&b, "- %s %s: %s\n", f.copied(u.Status), f.say(u.What), f.say(u.Why))
	}
	shown := matching(t, all, filter)
	for i := range shown {
		c := &shown[i]
		line := "- " + f.say(c.What+" "+c.Target)
		if c.Failed != "" {
			line += " REFUSED: " + f.say(c.Failed)
		}
		line += ", " + f.by(c)
		if s := f.say(c.Detail); s != "" {
			line += ": " + s
		}
		b.WriteString(line + "\n")
	}
	if len(shown) == 0 {
		b.WriteString("- none\n")
	}
	return b.String()
}
