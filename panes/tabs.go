package panes

import (
	"fmt"

	"warroom/internal/theme"
)

// tab is one phase in the row that names them all.
type tab struct {
	number      int
	title       string
	settled, of int
	regressed   int
	chosen      bool
	done, over  bool
}

// tabs sets phases in one row of n cells, each with how much of it is settled; the
// titles of those that are not shown are cut, and at last left out, where they do
// not all fit. right stands at the far end if there is room.
func (f Frame) tabs(list []tab, right spans, n int) spans {
	g := &f.Theme.Glyphs
	form := func(t *tab, most int) spans {
		name := f.say(t.title)
		if !t.chosen {
			name = f.cut(name, most)
		}
		if name != "" {
			name = " " + name
		}
		count := fmt.Sprintf(" %d/%d", t.settled, t.of)
		look, quiet := theme.Muted, theme.Muted
		if t.chosen {
			look, quiet = theme.Selection, theme.Selection
		}
		out := spans{{look, fmt.Sprintf(" %d%s", t.number, name)}}
		if t.done {
			out = append(out, span{look, " " + g.OK})
		}
		out = append(out, span{quiet, count})
		switch {
		case t.regressed > 0:
			return append(out, span{look, " "}, span{theme.Fail, fmt.Sprintf("%s %d ", g.Regressed, t.regressed)})
		case t.over:
			return append(out, span{look, " "}, span{theme.Fail, "OVER "})
		}
		return append(out, span{look, " "})
	}
	whole := func(most int) spans {
		var out spans
		for i := range list {
			if i > 0 {
				out = append(out, span{theme.Muted, g.Bar})
			}
			out = append(out, form(&list[i], most)...)
		}
		return out
	}
	var out spans
	for _, most := range []int{40, 10, 7, 5, 0} {
		if out = whole(most); out.width() <= n {
			break
		}
	}
	if w := right.width(); w > 0 && out.width()+2+w <= n {
		out = append(out, span{theme.Plain, spaces(n - out.width() - w)})
		out = append(out, right...)
	}
	return out
}
