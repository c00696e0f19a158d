package panes

import (
	"fmt"
	"strings"
	"unicode"

	"warroom/internal/theme"
)

// Choice is one action or view of the palette; Disabled says why it cannot be
// chosen now.
type Choice struct {
	Label, Detail, Key string
	Disabled           string
}

// paletteRows is how many results the palette shows at most: more than can be
// read is less.
const paletteRows = 10

// Palette is a dialog with an input line and the choices, already filtered and
// ordered by Fuzzy or otherwise, with what the query matched marked. The list
// scrolls with selected. Its height depends on the frame and not on the number
// of choices, so that it does not jump while one types.
func Palette(f Frame, query string, choices []Choice, selected int) []string {
	box := f.within(76, min(paletteRows+4, f.Height))
	room := inner(box.Width)
	g := &f.Theme.Glyphs
	input := spans{{theme.Key, ": "}, {theme.Strong, f.tailOf(f.say(query), room-3)}, {theme.Strong, g.Cursor}}

	key := 0
	for _, c := range choices {
		key = max(key, min(width(f.say(c.Key)), 12))
	}
	list := max(box.Height-4, 1)
	first := max(0, min(selected-list/2, len(choices)-list))
	var rows []spans
	for i := first; i < min(first+list, len(choices)); i++ {
		rows = append(rows, f.choice(choices[i], query, i == selected, room, key))
	}
	if len(choices) == 0 {
		rows = append(rows, spans{{theme.Text, f.cut("nothing is called that; esc closes", room)}})
	}
	body := append([]spans{input, {{theme.Group, strings.Repeat(g.Frame.Across, max(room, 0))}}}, rows...)
	right := spans(nil)
	if n := len(choices) - list; n > 0 {
		right = spans{{theme.Muted, fmt.Sprintf("%d of %d", min(selected, len(choices)-1)+1, len(choices))}}
	}
	if box.Height < 3 || box.Width < 8 {
		body = []spans{input}
	}
	return window{f: box, title: spans{{theme.Strong, "Go to or do"}}, right: right, accent: theme.Border, body: body}.draw()
}

func (f Frame) choice(c Choice, query string, chosen bool, room, key int) spans {
	mark, look, quiet := "  ", theme.Text, theme.Muted
	if c.Disabled != "" {
		look = theme.Disabled
	}
	if chosen {
		mark = f.Theme.Glyphs.Select + " "
		if c.Disabled == "" {
			look = theme.Selection
		}
	}
	out := spans{{theme.Strong, mark}}
	left := room - width(mark) - key - 2
	label := f.cut(f.say(c.Label), left)
	out = append(out, f.marked(label, query, look)...)
	detail := f.say(c.Detail)
	if c.Disabled != "" {
		detail = "(" + f.say(c.Disabled) + ")"
	}
	at := width(label)
	if at+2+8 <= left && detail != "" {
		detail = f.cut(detail, left-at-2)
		out = append(out, span{theme.Plain, "  "}, span{quiet, detail})
		at += 2 + width(detail)
	}
	if key > 0 {
		out = append(out, span{theme.Plain, spaces(left - at + 2)})
		k := f.cut(f.say(c.Key), key)
		out = append(out, span{theme.Plain, spaces(key - width(k))}, span{theme.Key, k})
	}
	return out
}

// marked underlines the letters of label that query matched.
func (f Frame) marked(label, query string, look theme.Token) spans {
	at, _, ok := match(label, query)
	if !ok || len(at) == 0 {
		return spans{{look, label}}
	}
	var out spans
	next, from := 0, 0
	runes := []rune(label)
	for i := range runes {
		hit := next < len(at) && at[next] == i
		if hit {
			if from < i {
				out = append(out, span{look, string(runes[from:i])})
			}
			out = append(out, span{theme.Match, string(runes[i : i+1])})
			from, next = i+1, next+1
		}
	}
	if from < len(runes) {
		out = append(out, span{look, string(runes[from:])})
	}
	return out
}

// tailOf keeps the end of an input that is longer than its line.
func (f Frame) tailOf(s string, n int) string {
	for width(s) > max(n, 0) {
		_, size := firstRune(s)
		s = s[size:]
	}
	return s
}

func firstRune(s string) (rune, int) {
	for i, r := range s {
		if i > 0 {
			return r, i
		}
	}
	return 0, len(s)
}

// Fuzzy lists the indexes of the choices that a query matches, the best first:
// all its letters in order, better at the beginning of words and in a row. What
// is equally good keeps its order; an empty query matches all.
func Fuzzy(query string, choices []Choice) []int {
	var out, scores []int
	for i, c := range choices {
		_, score, ok := match(c.Label, query)
		if !ok {
			if _, score, ok = match(c.Label+" "+c.Detail, query); !ok {
				continue
			}
			score -= 100
		}
		// What is called what was typed stands together, in its order.
		if q := strings.TrimSpace(query); q != "" && len(c.Label) >= len(q) && strings.EqualFold(c.Label[:len(q)], q) {
			score = 1000
		}
		if query != "" && strings.EqualFold(c.Key, query) {
			score += 50
		}
		at := len(out)
		for at > 0 && scores[at-1] < score {
			at--
		}
		out = append(out[:at], append([]int{i}, out[at:]...)...)
		scores = append(scores[:at], append([]int{score}, scores[at:]...)...)
	}
	return out
}

// match says at which runes of text the letters of query stand, and how good
// that is. A run of letters that stands together is preferred.
func match(text, query string) (at []int, score int, ok bool) {
	q := []rune(strings.ToLower(strings.Join(strings.Fields(query), "")))
	t := []rune(text)
	if len(q) == 0 {
		return nil, 0, true
	}
	for start := range t {
		if unicode.ToLower(t[start]) != q[0] {
			continue
		}
		if a, s, found := from(t, q, start); found && (!ok || s > score) {
			at, score, ok = a, s, true
		}
	}
	return at, score, ok
}

func from(t, q []rune, start int) (at []int, score int, ok bool) {
	next := 0
	for i := start; i < len(t) && next < len(q); i++ {
		if unicode.ToLower(t[i]) != q[next] {
			continue
		}
		switch {
		case len(at) > 0 && at[len(at)-1] == i-1:
			score += 8
		case i == 0 || !unicode.IsLetter(t[i-1]) && !unicode.IsDigit(t[i-1]):
			score += 6
		default:
			score -= 2
		}
		at = append(at, i)
		next++
	}
	return at, score - len(t)/16, next == len(q)
}
