package panes

import (
	"fmt"
	"slices"
	"strings"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// hitShown is how many consumers are named near the top of the detail; all of
// them stand in its list of what depends on it.
const hitShown = 6

// whom says in one line who answers for a component and how to reach them at
// night; empty when neither is written.
func (f Frame) whom(c *estate.Component) string {
	var parts []string
	if o := f.say(c.Owner); o != "" {
		parts = append(parts, "owner "+o)
	}
	if p := f.say(c.Contact); p != "" {
		parts = append(parts, "page "+p)
	}
	return strings.Join(parts, f.dot())
}

// consumer is one component that uses a secret which runs through another.
type consumer struct {
	c       *estate.Component
	r       *estate.Reading
	secrets []string // that join them
}

// consumers lists who is hit when a component fails, the worst first.
func consumers(rs *estate.Readings, id estate.ID) []consumer {
	t := rs.Snapshot.Topology
	ids := t.Consumers(id)
	if len(ids) == 0 {
		return nil
	}
	out := make([]consumer, 0, len(ids))
	for i := range t.Components {
		c := &t.Components[i]
		if i >= len(rs.All) || !slices.Contains(ids, c.ID) {
			continue
		}
		one := consumer{c: c, r: &rs.All[i]}
		for _, s := range c.Secrets {
			if s != c.Monitor && t.Through(id, s) {
				one.secrets = append(one.secrets, s)
			}
		}
		out = append(out, one)
	}
	slices.SortStableFunc(out, func(a, b consumer) int { return int(known(b.r.Status)) - int(known(a.r.Status)) })
	return out
}

// hit reports whether a consumer suffers together with what it depends on.
func (one consumer) hit(r *estate.Reading) bool {
	return known(r.Status) > estate.OK && known(one.r.Status) > estate.OK
}

// label is how a consumer is introduced.
func (one consumer) label(r *estate.Reading) string {
	if one.hit(r) {
		return "Hit:"
	}
	return "Used by:"
}

// consumer is one in words: "User Service (uses prod/db/postgres)", its
// status, and what is left without it.
func (f Frame) consumer(one consumer) (name string, tail spans) {
	name = f.say(one.c.Name) + " (uses " + f.say(strings.Join(one.secrets, ", ")) + ")"
	tail = spans{{token(one.r.Status), f.verdict(one.r.Status)}}
	fallback := "no fallback"
	if s := f.say(one.c.Fallback); s != "" {
		fallback = "fallback: " + s
	}
	return name, append(tail, span{theme.Muted, ", " + fallback})
}

// hit says near the top of the detail who is hit.
func (d *detail) hit() {
	f, all := d.f, consumers(d.r, d.c.ID)
	if len(all) == 0 {
		return
	}
	label, last := "", ""
	shown := all[:min(len(all), hitShown)]
	for _, one := range shown {
		if label = one.label(d.one) + " "; label == last {
			label = spaces(len(label))
		} else {
			last = label
		}
		name, tail := f.consumer(one)
		room := d.n - len(label)
		row := spans{{theme.Strong, label}, {theme.Text, f.cut(name, room)}}
		if row.width()+1+tail.width() > d.n {
			d.row(row...)
			d.text(len(label)+2, "", token(one.r.Status), tail[0].s+tail[1].s)
			continue
		}
		d.row(append(append(row, span{theme.Plain, " "}), tail...)...)
	}
	if n := len(all) - len(shown); n > 0 {
		d.row(span{theme.Muted, fmt.Sprintf("%s+%d more, listed under what depends on it", spaces(len(label)), n)})
	}
}

// hitLine says in one line of a box who is hit, as many as fit, or when nobody
// is who uses its secrets.
func (f Frame) hitLine(b *box, rs *estate.Readings, n int) spans {
	all := consumers(rs, b.c.ID)
	if len(all) == 0 {
		return nil
	}
	label := all[0].label(b.r) // the worst stands first
	for i, one := range all {
		if one.label(b.r) != label {
			all = all[:i]
			break
		}
	}
	out := spans{{theme.Muted, label + " "}}
	for i, one := range all {
		item := spans{{token(one.r.Status), f.glyph(one.r.Status) + " "}, {theme.Text, f.say(one.c.Name)}}
		if i > 0 {
			item = append(spans{{theme.Muted, ", "}}, item...)
		}
		more := ""
		if rest := len(all) - i - 1; rest > 0 {
			more = fmt.Sprintf(" +%d", rest)
		}
		if i > 0 && out.width()+item.width()+len(more) > n {
			return append(out, span{theme.Muted, fmt.Sprintf(" +%d", len(all)-i)})
		}
		out = append(out, item...)
	}
	return out
}
