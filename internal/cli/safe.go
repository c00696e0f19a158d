package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// What is printed may hold what systems, people and files said. A terminal obeys
// control sequences wherever they come from, so none leaves here: of text they are
// taken out, line by line, so that one that is never ended takes no other line with
// it; in JSON documents they are escaped, because a program reads them.

// safeText is text without anything that a terminal obeys. Its lines, blanks and
// columns stay as they are.
func safeText(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		body, ended := strings.CutSuffix(line, "\n")
		out.WriteString(safeLine(body))
		if ended {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// safeLine is safeText of one line.
func safeLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return r
		case unicode.IsSpace(r), r == '\u2028', r == '\u2029':
			return ' '
		case unicode.Is(unicode.C, r):
			return -1
		}
		return r
	}, ansi.Strip(strings.ToValidUTF8(s, "?")))
}

// safeJSON is a JSON document with the control characters escaped that JSON allows
// and a terminal obeys: those beyond ASCII (C1) and those that turn the direction
// of text. They can stand in strings only, so the document stays the same.
func safeJSON(doc string) string {
	var out strings.Builder
	last := 0
	for i, r := range doc {
		if r < 0x7f || r > 0x9f && !unicode.Is(unicode.Bidi_Control, r) {
			continue
		}
		out.WriteString(doc[last:i])
		out.WriteString(`\u` + hex4(r))
		last = i + len(string(r))
	}
	if last == 0 {
		return doc
	}
	out.WriteString(doc[last:])
	return out.String()
}

func hex4(r rune) string {
	digits := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", max(0, 4-len(digits))) + digits
}

// printText prints lines for people.
func printText(out io.Writer, text string) error {
	_, err := io.WriteString(out, safeText(text))
	return failed(err)
}

// printJSON prints a document for programs.
func printJSON(out io.Writer, doc string) error {
	_, err := io.WriteString(out, safeJSON(doc))
	return failed(err)
}

// notice says something beside what was asked for, as errors are said.
func notice(out io.Writer, format string, args ...any) {
	_, _ = io.WriteString(out, safeText("warroom: "+fmt.Sprintf(format, args...))+"\n")
}
