package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Markdown writes the report in GitHub's flavour of Markdown. Every text is
// escaped: what people typed shows as they typed it and never becomes markup, a
// link, a mention or a reference to an issue.
func (i *Incident) Markdown(out io.Writer) error {
	w := bufio.NewWriter(out) // it keeps its first error for Flush
	fmt.Fprintf(w, "# %s\n", escape(i.doc.title()))
	sections := i.doc.sections()
	for j := range sections {
		sections[j].markdown(w, 2)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the report of incident %s as Markdown: %w", i.doc.ID, err)
	}
	return nil
}

func (s *section) markdown(w *bufio.Writer, level int) {
	if s.Title != "" {
		fmt.Fprintf(w, "\n%s %s\n", strings.Repeat("#", level), escape(s.Title))
	}
	for _, p := range s.Text {
		if s.Loud {
			fmt.Fprintf(w, "\n**%s**\n", escape(p))
		} else {
			fmt.Fprintf(w, "\n%s\n", escape(p))
		}
	}
	if len(s.Rows) > 0 {
		w.WriteString("\n|")
		for _, h := range s.Head {
			w.WriteString(" " + escape(h) + " |")
		}
		w.WriteString("\n|")
		for range s.Head {
			w.WriteString(" --- |")
		}
		w.WriteString("\n")
		for _, row := range s.Rows {
			w.WriteString("|")
			for _, cell := range row {
				w.WriteString(" " + escape(cell) + " |")
			}
			w.WriteString("\n")
		}
	}
	if len(s.List) > 0 {
		w.WriteString("\n")
		for _, item := range s.List {
			w.WriteString("- " + escape(item) + "\n")
		}
	}
	if s.Empty != "" && len(s.Rows) == 0 && len(s.List) == 0 && len(s.Parts) == 0 {
		fmt.Fprintf(w, "\n%s\n", escape(s.Empty))
	}
	for i := range s.Parts {
		s.Parts[i].markdown(w, level+1)
	}
}

// apart stands between two characters that GitHub would take together as a
// mention, a reference, a link or a picture. It shows nothing.
const apart = "<!-- -->"

// escape makes text of Markdown: every character that could begin markup is
// escaped, and what GitHub makes something of by itself is taken apart.
func escape(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 16)
	hash, hashEnd := 0, 0 // the run of hexadecimal digits that i is in
	for i, r := range s {
		if i >= hashEnd && (i == 0 || !word(s[i-1])) {
			hash, hashEnd = i, i+commit(s[i:])
		}
		switch r {
		case '\n':
			b.WriteString("<br>")
			continue
		case '\\', '`', '*', '_', '[', ']', '<', '>', '#', '|', '~', '&', '$':
			b.WriteByte('\\')
		case '+', '-':
			if i == 0 {
				b.WriteByte('\\')
			}
		case '.', ')':
			if i > 0 && (digits(s[:i]) || r == '.' && www(s[:i])) {
				b.WriteByte('\\')
			}
		}
		b.WriteRune(r)
		switch {
		case r == '@', r == '#' && i+1 < len(s) && alnum(s[i+1]), r == ':' && strings.HasPrefix(s[i:], "://"), r == '.' && i > 0 && www(s[:i]),
			r == ':' && emoji(s[i:]), i+1 < hashEnd && (i-hash)%6 == 5, r == '-' && i >= 2 && strings.EqualFold(s[i-2:i], "GH"):
			b.WriteString(apart)
		}
	}
	return b.String()
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func www(before string) bool {
	return len(before) >= 3 && strings.EqualFold(before[len(before)-3:], "www")
}

// emoji reports whether a text begins with the name of one, as in :smile:. Names have
// no capitals, and none is of two digits, as stand in every time of day.
func emoji(s string) bool {
	end := 1
	for end < len(s) && (alnum(s[end]) && s[end]|0x20 == s[end] || strings.IndexByte("_+-", s[end]) >= 0) {
		end++
	}
	return end > 1 && end < len(s) && s[end] == ':' && (end > 3 || !digits(s[1:end]))
}

// commit is how long the hexadecimal number is that a text begins with, when GitHub
// could take it for a commit's: 7 to 40 digits and nothing of a word after them.
func commit(s string) int {
	n := 0
	for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n]|0x20 >= 'a' && s[n]|0x20 <= 'f') {
		n++
	}
	if n < 7 || n > 40 || n < len(s) && word(s[n]) {
		return 0
	}
	return n
}

func word(c byte) bool { return c == '_' || alnum(c) }

func alnum(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
