package panes

import (
	"strings"

	"warroom/internal/theme"
)

// Big type: letters of three by five dots. A dot is two cells wide, so that it is
// as wide as it is high; in half the height two dots share a cell.

// dots are the letters that big type has, five rows of up to three dots.
var dots = map[rune][5]string{
	'0': {"###", "# #", "# #", "# #", "###"},
	'1': {" # ", "## ", " # ", " # ", "###"},
	'2': {"###", "  #", "###", "#  ", "###"},
	'3': {"###", "  #", " ##", "  #", "###"},
	'4': {"# #", "# #", "###", "  #", "  #"},
	'5': {"###", "#  ", "###", "  #", "###"},
	'6': {"###", "#  ", "###", "# #", "###"},
	'7': {"###", "  #", "  #", " # ", " # "},
	'8': {"###", "# #", "###", "# #", "###"},
	'9': {"###", "# #", "###", "  #", "###"},
	':': {" ", "#", " ", "#", " "},
	'-': {"   ", "   ", "###", "   ", "   "},
	'+': {"   ", " # ", "###", " # ", "   "},
	' ': {" ", " ", " ", " ", " "},
	'd': {"  #", "  #", "###", "# #", "###"},
	'S': {"###", "#  ", "###", "  #", "###"},
	'E': {"###", "#  ", "## ", "#  ", "###"},
	'V': {"# #", "# #", "# #", "# #", " # "},
}

// bigSize is how large big type is drawn.
type bigSize uint8

const (
	bigFull bigSize = iota // five rows
	bigHalf                // three rows, where the theme has half blocks
	bigNone                // one row of usual type
)

func (s bigSize) rows() int { return [...]int{5, 3, 1}[s] }

// bigWidth is how many cells s takes in big type.
func bigWidth(s string, size bigSize) int {
	if size == bigNone {
		return width(s)
	}
	n := 0
	for i, r := range s {
		if i > 0 {
			n++
		}
		n += len(dots[r][0]) * size.dot()
	}
	return n
}

// dot is how many cells wide a dot is.
func (s bigSize) dot() int {
	if s == bigFull {
		return 2
	}
	return 1
}

// big is s in big type, in rows of equal width. A letter that big type has not is
// left blank; what is drawn with it has none.
func (f Frame) big(k theme.Token, s string, size bigSize) []spans {
	if size == bigNone {
		return []spans{{{k, s}}}
	}
	g := &f.Theme.Glyphs
	rows := make([]spans, size.rows())
	for y := range rows {
		var b strings.Builder
		for i, r := range s {
			if i > 0 {
				b.WriteByte(' ')
			}
			d := dots[r]
			if size == bigFull {
				for _, c := range d[y] {
					if c == '#' {
						b.WriteString(g.Block + g.Block)
					} else {
						b.WriteString("  ")
					}
				}
				continue
			}
			up, low := d[2*y], spaces(len(d[0]))
			if 2*y+1 < 5 {
				low = d[2*y+1]
			}
			for x := range len(up) {
				switch {
				case up[x] == '#' && low[x] == '#':
					b.WriteString(g.Block)
				case up[x] == '#':
					b.WriteString(g.HalfUp)
				case low[x] == '#':
					b.WriteString(g.HalfDown)
				default:
					b.WriteByte(' ')
				}
			}
		}
		rows[y] = spans{{k, b.String()}}
	}
	return rows
}
