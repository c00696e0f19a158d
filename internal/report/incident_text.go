package report

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// longest is how many runes a text of a report has at most: as many as a note can
// have. What a damaged or foreign journal holds beyond is cut.
const longest = 2000

// moment is a time; in JSON RFC 3339 in UTC, null when it is zero.
type moment struct{ time.Time }

// MarshalJSON writes the time, or null.
func (m moment) MarshalJSON() ([]byte, error) {
	if m.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + m.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano) + `"`), nil
}

// String is the time as people read it in a report; a dash when there is none.
func (m moment) String() string {
	if m.IsZero() {
		return "–"
	}
	return m.UTC().Format("2006-01-02 15:04:05Z")
}

// span is a length of time; in JSON seconds.
type span time.Duration

// MarshalJSON writes seconds, to the millisecond.
func (s span) MarshalJSON() ([]byte, error) {
	return []byte(strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", time.Duration(s).Seconds()), "0"), ".")), nil
}

// T is a time counted from T0: T+0:03:12.
func (s span) T() string {
	d, sign := time.Duration(s).Truncate(time.Second), "+"
	if d < 0 {
		d, sign = -d, "-"
	}
	return fmt.Sprintf("T%s%d:%02d:%02d", sign, int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}

// String is the length in its two greatest units: 3 min 12 s.
func (s span) String() string {
	d, sign := time.Duration(s).Truncate(time.Second), ""
	if d < 0 {
		d, sign = -d, "-"
	}
	days, hours, minutes, seconds := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60
	two := func(a int, unit string, b int, next string) string {
		if b == 0 {
			return fmt.Sprintf("%s%d %s", sign, a, unit)
		}
		return fmt.Sprintf("%s%d %s %d %s", sign, a, unit, b, next)
	}
	switch {
	case days > 0:
		return two(days, "d", hours, "h")
	case hours > 0:
		return two(hours, "h", minutes, "min")
	case minutes > 0:
		return two(minutes, "min", seconds, "s")
	}
	return fmt.Sprintf("%s%d s", sign, seconds)
}

func some(d time.Duration) *span {
	s := span(d)
	return &s
}

// sequences are terminal control sequences, whole or without their end.
var sequences = regexp.MustCompile(`(?:\x1b\[|\x{9b})[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x{90}\x{98}\x{9d}-\x{9f}])[^\x07\x1b\x{9c}]*(?:\x07|\x1b\\|\x{9c})|\x1b[ -/]*[0-~]`)

// tidy makes one line of a text: no control sequences, nothing invisible, no mark
// that turns the direction of what follows, at most longest runes.
func tidy(s string) string { return cut(strings.Join(strings.Fields(seen(s)), " "), longest) }

// tidyLines does so, and leaves lines apart.
func tidyLines(s string) string {
	lines := strings.Split(seen(strings.ReplaceAll(s, "\r\n", "\n")), "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	return cut(strings.Trim(strings.Join(lines, "\n"), "\n"), longest)
}

func seen(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if plain {
		return s
	}
	s = sequences.ReplaceAllString(strings.ToValidUTF8(s, string(utf8.RuneError)), "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsSpace(r) || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.Is(unicode.C, r):
			return -1
		}
		return r
	}, s)
}

// cut shortens a text to so many runes, the last of which is an ellipsis then.
func cut(s string, most int) string {
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:most-1]), " ") + "…"
}

// tidyAll tidies every text of a document. It walks by reflection because a field
// that someone forgot would be the hole.
func tidyAll(doc any) { tidyValue(reflect.ValueOf(doc).Elem(), false) }

func tidyValue(v reflect.Value, lines bool) {
	switch v.Kind() {
	case reflect.String:
		if lines {
			v.SetString(tidyLines(v.String()))
		} else {
			v.SetString(tidy(v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			tidyValue(v.Elem(), lines)
		}
	case reflect.Slice:
		for i := range v.Len() {
			tidyValue(v.Index(i), lines)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[moment]() {
			return
		}
		for i := range v.NumField() {
			tidyValue(v.Field(i), v.Type().Field(i).Tag.Get("report") == "lines")
		}
	}
}
