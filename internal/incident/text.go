package incident

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// How long texts of people may be, in runes.
const (
	maxText = 2000 // notes, decisions, reasons, updates
	maxName = 80   // people, places
	maxLink = 500
)

// clean makes one line of what a person typed or pasted: no control sequence, no
// control or invisible formatting character, single blanks.
func clean(s string) string { return strings.Join(strings.Fields(visible(s)), " ") }

// cleanLines does so line by line, and leaves the lines apart.
func cleanLines(s string) string {
	lines := strings.Split(strings.ReplaceAll(visible(s), "\r", ""), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(strings.ReplaceAll(line, "\t", "    "), " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// visible drops what cannot be seen, but for line ends and tabs.
func visible(s string) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	if strings.ContainsFunc(s, func(r rune) bool { return r == '\x1b' || c1(r) }) {
		// The controls of one character are those of ESC and another.
		var seven strings.Builder
		for _, r := range s {
			if c1(r) {
				seven.WriteByte('\x1b')
				r -= 0x40
			}
			seven.WriteRune(r)
		}
		s = sequences.ReplaceAllString(seven.String(), "")
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' || !unicode.Is(unicode.C, r) {
			return r
		}
		return -1
	}, s)
}

// sequences are terminal control sequences: CSI with its parameters, strings that
// end, and what ESC makes of one character. A string that never ends is no more
// than its beginning: what follows is text, and a note must not lose it.
var sequences = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]`)

func c1(r rune) bool { return r >= 0x80 && r <= 0x9f }

// field is one text that an act takes.
type field struct {
	text  *string
	what  string // in words for a refusal: "the reason"
	most  int    // runes
	need  bool
	lines bool // it may have several
}

// take cleans what a person typed, in place, and refuses what is missing or too
// long.
func take(fields ...field) error {
	for _, f := range fields {
		if f.lines {
			*f.text = cleanLines(*f.text)
		} else {
			*f.text = clean(*f.text)
		}
		if *f.text == "" && f.need {
			return refuse("%s is missing", f.what)
		}
		if n := utf8.RuneCountInString(*f.text); n > f.most {
			return refuse("%s is too long: %d characters, at most %d", f.what, n, f.most)
		}
	}
	return nil
}

func refuse(format string, args ...any) error { return &Refusal{Why: fmt.Sprintf(format, args...)} }

// short cuts a text to so many runes, the last of which is an ellipsis then.
func short(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:most-1]), " ") + "…"
}

// hour is a time of day as people on the bridge say it.
func hour(t time.Time) string { return t.UTC().Format("15:04") + " UTC" }

// day is a time with its date.
func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

// utc is a time as events hold it: of no zone but UTC, and of no clock but the
// wall's.
func utc(t time.Time) time.Time { return t.Round(0).UTC() }

// count words a number of things: "1 item", "3 items", "2 possibilities".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	if stem, ok := strings.CutSuffix(thing, "y"); ok {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
