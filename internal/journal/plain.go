package journal

import (
	"strings"
	"unicode"
)

// Bounds of texts that come from files and go to a screen, in runes.
const (
	mostName = 100  // of a file, or of a version
	mostText = 1000 // of a sentence
)

// plain is a text that a file holds as it may be shown: without what steers a
// terminal or hides in it (control and format characters and those that end a
// line), and no longer than most runes. Whoever can write to the folder can put
// anything there.
func plain(text string, most int) string {
	var out strings.Builder
	for n, r := range []rune(strings.ToValidUTF8(text[:min(len(text), 8*most)], "?")) {
		if n == most {
			out.WriteString("…")
			break
		}
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs) {
			r = ' '
		}
		out.WriteRune(r)
	}
	return out.String()
}
