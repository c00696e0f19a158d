package panes

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"warroom/internal/theme"
)

// Overlay draws box over base with its top left corner at x, y. Every row keeps
// its width; what of the box lies outside the base is cut.
func Overlay(base []string, box []string, x, y int) []string {
	out := append([]string(nil), base...)
	for i, b := range box {
		row := y + i
		if row < 0 || row >= len(out) {
			continue
		}
		out[row] = over(out[row], b, x)
	}
	return out
}

func over(row, box string, x int) string {
	total, w := ansi.StringWidth(row), ansi.StringWidth(box)
	if x < 0 {
		w = max(w+x, 0)
		cut := ansi.TruncateLeft(box, -x, "")
		for n := 1 - x; ansi.StringWidth(cut) > w && w > 0; n++ {
			cut = ansi.TruncateLeft(box, n, "")
		}
		box, x = cut, 0
	}
	if x >= total || w <= 0 {
		return row
	}
	if x+w > total {
		box = ansi.Truncate(box, total-x, "")
	}
	var b strings.Builder
	b.Grow(len(row) + len(box) + 16)
	left := ansi.Truncate(row, x, "")
	b.WriteString(left)
	b.WriteString(theme.Reset)
	// A cell two wide that the edge of the box goes through becomes blank.
	b.WriteString(strings.Repeat(" ", x-ansi.StringWidth(left)))
	b.WriteString(box)
	b.WriteString(theme.Reset)
	at := x + min(ansi.StringWidth(box), total-x)
	w = min(w, total-x)
	b.WriteString(strings.Repeat(" ", max(x+w-at, 0)))
	if rest := total - x - w; rest > 0 {
		right := ansi.TruncateLeft(row, x+w, "")
		for n := x + w + 1; ansi.StringWidth(right) > rest && n <= total; n++ {
			right = ansi.TruncateLeft(row, n, "")
		}
		b.WriteString(strings.Repeat(" ", max(rest-ansi.StringWidth(right), 0)))
		b.WriteString(right)
		b.WriteString(theme.Reset)
	}
	return b.String()
}

// Center is where a box is drawn to stand in the middle of a frame.
func Center(f Frame, box []string) (x, y int) {
	w := 0
	if len(box) > 0 {
		w = ansi.StringWidth(box[0])
	}
	return max((f.Width-w)/2, 0), max((f.Height-len(box))/2, 0)
}

// Beside sets two blocks of rows of equal height side by side. It only joins
// strings, all of them in one piece of memory, so that rows that were kept cost
// next to nothing.
func Beside(left, right []string) []string {
	out := make([]string, max(len(left), len(right)))
	n := 0
	for _, s := range left {
		n += len(s)
	}
	for _, s := range right {
		n += len(s)
	}
	var b strings.Builder
	b.Grow(n)
	for i := range out {
		if i < len(left) {
			b.WriteString(left[i])
		}
		if i < len(right) {
			b.WriteString(right[i])
		}
	}
	all, from := b.String(), 0
	for i := range out {
		to := from
		if i < len(left) {
			to += len(left[i])
		}
		if i < len(right) {
			to += len(right[i])
		}
		out[i], from = all[from:to], to
	}
	return out
}
