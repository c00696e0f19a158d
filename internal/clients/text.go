package clients

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Strip makes remote text fit to be kept and drawn on one line: no escape
// sequence, no control or invisible formatting character (bidirectional
// overrides among them), every run of white space one blank, valid UTF-8, and at
// most limit runes, the last of which is an ellipsis when text was cut off.
func Strip(s string, limit int) string {
	if plain(s, limit) {
		return s
	}
	var out strings.Builder
	out.Grow(min(len(s), max(limit, 0)+3)) // with the ellipsis; more where runes are wide
	n := 0
	blank := false // a blank is due before the next visible rune
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\x1b' || r >= 0x80 && r <= 0x9f:
			i += sequence(s[i:])
			continue
		case unicode.IsSpace(r):
			blank = n > 0
			i += size
			continue
		case unicode.Is(unicode.C, r) && r != utf8.RuneError:
			// Cc, Cf, Co, Cs: controls, invisible formatting, private use.
			i += size
			continue
		}
		need := 1
		if blank {
			need = 2
		}
		if n+need > limit {
			return ellipsis(out.String(), limit)
		}
		if blank {
			out.WriteByte(' ')
			blank = false
		}
		out.WriteRune(r)
		n += need
		i += size
	}
	return out.String()
}

// plain reports whether a text is as Strip leaves it, by a look that most texts
// pass: printable ASCII, and single blanks within.
func plain(s string, limit int) bool {
	if len(s) > limit {
		return false
	}
	blank := true
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~', c == ' ' && blank:
			return false
		default:
			blank = c == ' '
		}
	}
	return !blank || s == ""
}

// ellipsis ends a text that was cut with an ellipsis, within limit runes.
func ellipsis(s string, limit int) string {
	if limit <= 0 {
		return ""
	}
	for utf8.RuneCountInString(s) >= limit {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return strings.TrimRight(s, " ") + "…"
}

// sequence is the length in bytes of the terminal control sequence that s begins
// with, s beginning with ESC or a C1 control. A string sequence (OSC, DCS …)
// that never ends is no more than its introducer: what follows is text and must
// not be swallowed.
func sequence(s string) int {
	r, size := utf8.DecodeRuneInString(s)
	kind := r
	at := size
	if r == '\x1b' {
		if len(s) < 2 {
			return size
		}
		kind = rune(s[1]) + 0x40 // ESC [ is U+009B, and so on
		at = 2
		if s[1] < 0x40 || s[1] > 0x5f {
			// Intermediate bytes and a final one: ESC ( B, ESC 7, ESC c.
			for at = 1; at < len(s) && s[at] >= 0x20 && s[at] <= 0x2f; at++ {
			}
			if at < len(s) && s[at] >= 0x30 && s[at] <= 0x7e {
				at++
			}
			return at
		}
	}
	switch kind {
	case 0x9b: // CSI: parameters, intermediates, one final byte
		for at < len(s) && s[at] >= 0x20 && s[at] <= 0x3f {
			at++
		}
		if at < len(s) && s[at] >= 0x40 && s[at] <= 0x7e {
			at++
		}
		return at
	case 0x90, 0x98, 0x9d, 0x9e, 0x9f: // DCS, SOS, OSC, PM, APC: up to BEL or ST
		for j := at; j < len(s); j++ {
			switch {
			case s[j] == '\a':
				return j + 1
			case s[j] == '\x1b':
				if j+1 < len(s) && s[j+1] == '\\' {
					return j + 2
				}
				return at
			case strings.HasPrefix(s[j:], "\u009c"):
				return j + len("\u009c")
			case s[j] == '\n':
				return at
			}
		}
	}
	return at
}
