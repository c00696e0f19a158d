package panes

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// longest is how many bytes of one text from outside are looked at: far more
// than a screen holds, and little enough that a hostile one costs nothing.
const longest = 16 << 10

// plain reports whether s is printable ASCII, which nearly everything is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// width is how many cells s takes.
func width(s string) int {
	if plain(s) {
		return len(s)
	}
	n := 0
	for _, r := range s {
		if !single(r) {
			return ansi.StringWidth(s)
		}
		n++
	}
	return n
}

// single reports whether a rune takes one cell whatever stands beside it: what
// frames, rules and the glyphs of a theme are made of. Others have to be looked up.
func single(r rune) bool {
	switch {
	case r < 0x7f:
		return r >= ' '
	case r >= 0x2500 && r < 0x25fd: // lines, blocks and shapes
		return true
	}
	switch r {
	case '·', '×', '–', '…', '←', '↑', '→', '↓', '↻', '⊘', '★', '✓', '✗':
		return true
	}
	return false
}

// clean makes text from outside fit to be drawn: no escape sequences, control
// or format characters, blanks of every kind as a single space.
func clean(s string) string {
	if plain(s) {
		return s
	}
	if len(s) > longest {
		s = s[:longest]
	}
	s = ansi.Strip(strings.ToValidUTF8(s, "?"))
	var b strings.Builder
	b.Grow(len(s))
	blank := false
	for _, r := range s {
		if unicode.IsSpace(r) {
			blank = true
			continue
		}
		// Cf holds the bidirectional overrides and the joiners, which reorder
		// or merge cells; Co and Cs have no agreed width.
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs) || (r >= 0xFE00 && r <= 0xFE0F) {
			continue
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		if r == utf8.RuneError {
			r = '?' // someone before us met bytes that are no text
		}
		b.WriteRune(r)
	}
	if blank {
		b.WriteByte(' ')
	}
	return b.String()
}

var transliteration = strings.NewReplacer(
	"…", "...", "·", ";", "–", "-", "—", "-", "→", "->", "←", "<-", "’", "'", "‘", "'", "“", `"`, "”", `"`,
	"≥", ">=", "≤", "<=", "×", "x", "✓", "+", "✗", "x", " ", " ")

// toASCII brings s down to ASCII; what has no likeness becomes a question mark.
func toASCII(s string) string {
	if plain(s) {
		return s
	}
	s = transliteration.Replace(s)
	return strings.Map(func(r rune) rune {
		switch {
		case r < utf8.RuneSelf:
			return r
		case unicode.Is(unicode.Mn, r):
			return -1
		}
		return '?'
	}, s)
}

// say prepares text to be drawn. Every text passes through it once: names and
// labels may hold a host or an account as well as figures may, so that in share
// mode all of it is masked.
func (f Frame) say(s string) string {
	s = clean(s)
	if f.Theme.Glyphs.ASCIIOnly {
		s = toASCII(s)
	}
	if f.Share {
		s = Mask(s)
	}
	return s
}

// cut shortens s to n cells and says so with an ellipsis.
func (f Frame) cut(s string, n int) string {
	if n <= 0 {
		return ""
	}
	if width(s) <= n {
		return s
	}
	tail := f.Theme.Glyphs.Ellipsis
	if width(tail) >= n {
		tail = tail[:0]
		if f.Theme.Glyphs.ASCIIOnly {
			tail = "."
		} else if n == 1 {
			return f.Theme.Glyphs.Ellipsis
		}
	}
	if plain(s) {
		return strings.TrimRight(s[:n-width(tail)], " ") + tail
	}
	return ansi.Truncate(s, n, tail)
}

// prose shortens a sentence to n cells, between words where that costs little.
func (f Frame) prose(s string, n int) string {
	if width(s) <= n {
		return s
	}
	tail := f.Theme.Glyphs.Ellipsis
	short := f.cut(s, n)
	body, ok := strings.CutSuffix(short, tail)
	if !ok || strings.HasPrefix(s[min(len(body), len(s)):], " ") {
		return short
	}
	if i := strings.LastIndexByte(body, ' '); i > 0 && len(body)-i <= 14 && i > len(body)/2 {
		return strings.TrimRight(body[:i], " ,;:") + tail
	}
	return short
}

// wrap breaks s into lines of at most n cells, between words where it can.
func wrap(s string, n int) []string {
	if n <= 0 || s == "" {
		return nil
	}
	if width(s) <= n {
		return []string{s}
	}
	var out []string
	for _, l := range strings.Split(ansi.Wrap(s, n, ""), "\n") {
		out = append(out, strings.TrimRight(l, " "))
	}
	return out
}
