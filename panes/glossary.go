package panes

import (
	"slices"
	"strings"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// Glossary lists what words and figures mean, as far as the filter lets them
// through; those that explain the figures of component id, if one is given, stand
// first. total is as for Detail.
func Glossary(f Frame, r *estate.Readings, id estate.ID, filter string, scroll int) (rows []string, total int) {
	w := window{f: f, accent: theme.Border, scroll: scroll, title: spans{{theme.Strong, "Glossary"}}, right: spans{{theme.Key, "esc"}, {theme.KeyText, " back"}}}
	if filter != "" {
		w.title = append(w.title, span{theme.Strong, " /" + f.say(filter)})
	}
	d := &detail{f: f, n: inner(f.Width), r: r}
	var first []estate.Term
	name := ""
	if r != nil && id != "" {
		if c, ok := r.Snapshot.Topology.Component(id); ok {
			one, _ := r.Of(id)
			name = c.Name
			for i := range one.Facts {
				t, ok := estate.Explain(c.Kind, one.Facts[i].Name)
				if ok && !slices.ContainsFunc(first, func(o estate.Term) bool { return o.Name == t.Name }) {
					first = append(first, t)
				}
			}
		}
	}
	count := 0
	list := func(terms []estate.Term, skip []estate.Term) {
		for i := range terms {
			t := &terms[i]
			if !explains(t, filter) || slices.ContainsFunc(skip, func(o estate.Term) bool { return o.Name == t.Name }) {
				continue
			}
			if count > 0 {
				d.row()
			}
			count++
			d.term(t)
		}
	}
	if len(first) > 0 && filter == "" {
		d.heading("Figures of " + f.say(name))
		list(first, nil)
		d.heading("Everything else")
		count = 0
		list(estate.Glossary(), first)
	} else {
		list(estate.Glossary(), nil)
	}
	if count == 0 {
		d.row(span{theme.Text, "nothing here matches /" + f.say(filter)})
		d.row(span{theme.Muted, "esc clears the filter"})
	}
	w.body = d.body
	return w.draw(), len(w.body)
}

// explains reports whether every word of a filter stands somewhere in a term.
func explains(t *estate.Term, filter string) bool {
	low := strings.ToLower(strings.Join([]string{t.Name, strings.Join(t.Figures, "\n"), t.Means, t.Formula, strings.Join(t.Keys, "\n")}, "\n"))
	return !slices.ContainsFunc(strings.Fields(strings.ToLower(filter)), func(w string) bool { return !strings.Contains(low, w) })
}

func (d *detail) term(t *estate.Term) {
	f := d.f
	d.text(0, "", theme.Strong, f.say(t.Name))
	d.text(2, "", theme.Text, f.say(t.Means))
	d.text(2, "formula:", theme.Muted, f.say(t.Formula))
	d.text(2, "window:", theme.Muted, f.say(t.Window))
	d.text(2, "source:", theme.Muted, f.say(t.Source))
	d.text(2, "keys:", theme.Muted, f.say(strings.Join(t.Keys, ", ")))
}
