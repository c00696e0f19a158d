package diagnosis

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"warroom/internal/estate"
)

// count words a number of things: "1 secret", "3 secrets", "2,847 secrets".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return thousands(n) + " " + thing + "s"
}

// thousands writes a number with separators: 2,847.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// few names the first of a list and says how many more there are.
func few(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, "; ")
	}
	if n == 1 {
		return list[0] + fmt.Sprintf(" and %s more", thousands(len(list)-1))
	}
	return strings.Join(list[:n], "; ") + fmt.Sprintf("; and %s more", thousands(len(list)-n))
}

// names lists a few names, parted by commas.
func names(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:n], ", ") + fmt.Sprintf(" and %s more", thousands(len(list)-n))
}

// cut makes a text one line of at most n runes, without control characters: much of
// what findings quote was written elsewhere.
func cut(s string, n int) string {
	if len(s) <= n && plain(s) {
		return s
	}
	if !plain(s) {
		s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	}
	runes := 0
	for i := range s {
		if runes == n-1 && len(s)-i > utf8.UTFMax || runes == n-1 && utf8.RuneCountInString(s[i:]) > 1 {
			return s[:i] + "…"
		}
		runes++
	}
	return s
}

// plain reports whether a text has no control characters and no two blanks in a row.
func plain(s string) bool {
	blank := true
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == 0x7f || c == 0xc2 || c == ' ' && blank {
			return false // 0xc2 begins the control characters beyond ASCII, among others
		}
		blank = c == ' '
	}
	return !blank || s == ""
}

// percent words a share of 0 to 1; a share above nothing never reads 0%, one below
// everything never 100%.
func percent(share float64) string {
	p := int(share*100 + 0.5)
	switch {
	case share > 0 && p == 0:
		return "<1%"
	case share < 1 && p >= 100:
		return ">99%"
	}
	return strconv.Itoa(p) + "%"
}

// short is a version id's beginning, as people compare them.
func short(id string) string {
	if len(id) > 8 {
		return id[:8]
	}
	return id
}

// passed words when something ended or ends.
func passed(now, t time.Time) string {
	if t.After(now) {
		return "ends " + estate.Ago(now, t)
	}
	return "ended " + estate.Ago(now, t)
}

// bad is s for what is bad, and OK otherwise.
func bad(is bool, s estate.Status) estate.Status {
	if is {
		return s
	}
	return estate.OK
}

// weight orders criticalities, the highest first; what nobody rated is medium.
func weight(c estate.Criticality) int {
	switch c {
	case estate.Critical:
		return 4
	case estate.High:
		return 3
	case estate.Low:
		return 1
	}
	return 2
}

// tries words a number of tries.
func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return thousands(n) + " tries"
}
