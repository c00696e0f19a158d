package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Text is a plan as people read it before they consent, as plain lines of at most
// width runes: whole words, but for those that are longer than a line. What can be
// typed or copied, calls above all, is never shortened. A width below 40 counts as 40.
func Text(p *Plan, width int) []string {
	w := &writer{width: max(width, 40)}
	w.para("", p.Title)
	w.para("", p.Why)
	w.gap()
	w.field("Procedure", string(p.Mode)+" "+p.Procedure)
	w.field("Target", p.Target)
	environment := p.Environment
	if p.Drill != "" {
		environment += " (DRILL " + p.Drill + ")"
	}
	w.field("Environment", environment)
	if p.Of != "" {
		w.field("Earlier run", p.Of)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Options)) {
		w.field("Option", name+" = "+p.Options[name])
	}
	w.field("Plan", p.ID)
	w.field("Fingerprint", p.ShortFingerprint())
	w.field("Valid", "until "+clock(p.Expires))
	list(w, "Acting as", p.Identities, func(who Identity) string {
		text := who.System + ": " + who.Name
		if who.Trouble != "" {
			text = who.System + ": NOT KNOWN: " + who.Trouble
		}
		if !who.Expires.IsZero() {
			text += " (until " + clock(who.Expires) + ")"
		}
		return text
	})
	list(w, "Blast radius", p.Affected, func(a Affected) string {
		text := a.Name + ": " + a.How
		if a.Critical {
			text = "CRITICAL " + text
		}
		return text
	})
	list(w, "What it rests on", p.Observed, func(o Observed) string {
		if o.Live {
			return o.Name + ": " + o.Value + " (may change)"
		}
		return o.Name + ": " + o.Value
	})
	list(w, "Warnings", p.Warnings, func(n Warning) string {
		if n.Accept {
			return n.Text + " [must be accepted: " + n.ID + "]"
		}
		return n.Text
	})
	w.steps(p)
	list(w, "Temporary measures", p.Measures, func(m Measure) string {
		if m.End {
			return "ends: " + m.Kind + ", " + m.What
		}
		return "opens: " + m.Kind + ", " + m.What + ", to be taken back after the incident"
	})
	w.consent(p)
	return w.lines
}

// ShortFingerprint is the beginning of the fingerprint, in groups that can be read
// aloud.
func (p *Plan) ShortFingerprint() string {
	f := p.Fingerprint()
	if len(f) < 16 {
		return f
	}
	return f[:4] + " " + f[4:8] + " " + f[8:12] + " " + f[12:16]
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// writer lays lines out.
type writer struct {
	width int
	lines []string
}

func (w *writer) steps(p *Plan) {
	if len(p.Steps) == 0 {
		w.head("Steps")
		w.para("  ", "None: nothing is changed, only that is journalled.")
		return
	}
	w.head(fmt.Sprintf("Steps (%d)", len(p.Steps)))
	for i := range p.Steps {
		s := &p.Steps[i]
		kind := ""
		if !s.Change {
			kind = " (only looks)"
		}
		w.hang(fmt.Sprintf("%3d. ", i+1), s.Title+kind)
		w.hang("     where   ", s.Where)
		w.hang("     before  ", s.Before)
		for _, call := range s.Calls {
			w.hang("     call    ", call)
		}
		w.hang("     verify  ", s.Verify)
		switch {
		case s.Undo != "":
			w.hang("     undo    ", s.Undo)
		case s.Change && p.Mode != Back && p.Irreversible != "":
			w.hang("     undo    ", "none")
		}
		if s.Limit > 0 {
			w.hang("     limit   ", s.Limit.String())
		}
	}
}

// consent says what must be given, and what cannot be taken back.
func (w *writer) consent(p *Plan) {
	w.head("Roll-back")
	switch {
	case p.Irreversible != "":
		w.para("  ", "CANNOT BE UNDONE: "+p.Irreversible)
	case p.Mode == Back:
		w.para("  ", "This is one. The run can be resumed afterwards.")
	case p.Changes():
		w.para("  ", "The whole plan can be rolled back.")
	default:
		w.para("  ", "Nothing is changed.")
	}
	var needs []string
	if p.NeedsTyped() {
		needs = append(needs, "the target, typed: "+p.Target)
	}
	if p.NeedsReason != "" {
		needs = append(needs, "a reason: "+p.NeedsReason)
	}
	for _, in := range p.Inputs {
		text := "a value, not echoed and not stored: " + in.Label
		if in.Optional {
			text += " (optional)"
		}
		needs = append(needs, text)
	}
	if p.Second {
		needs = append(needs, "another operator's signature over the fingerprint")
	}
	list(w, "It asks for", needs, func(s string) string { return s })
}

func (w *writer) gap() {
	if n := len(w.lines); n > 0 && w.lines[n-1] != "" {
		w.lines = append(w.lines, "")
	}
}

func (w *writer) head(title string) {
	w.gap()
	w.lines = append(w.lines, title)
}

func (w *writer) field(name, value string) {
	if value != "" {
		w.hang(fmt.Sprintf("%-12s ", name), value)
	}
}

// list writes a title and a line for each, or nothing.
func list[T any](w *writer, title string, all []T, line func(T) string) {
	if len(all) == 0 {
		return
	}
	w.head(title)
	for _, one := range all {
		w.hang("  - ", line(one))
	}
}

func (w *writer) para(indent, text string) {
	if text != "" {
		w.hang(indent, text)
	}
}

// hang writes a text behind a label, its further lines below its first.
func (w *writer) hang(label, text string) {
	if text == "" {
		return
	}
	room := max(w.width-utf8.RuneCountInString(label), 20)
	for _, line := range wrap(text, room) {
		w.lines = append(w.lines, strings.TrimRight(label+line, " "))
		label = strings.Repeat(" ", utf8.RuneCountInString(label))
	}
}

// wrap breaks a text at blanks into lines of at most so many runes. A longer word is
// broken where the line ends.
func wrap(text string, width int) (out []string) {
	line, n := "", 0
	for word := range strings.FieldsSeq(text) {
		size := utf8.RuneCountInString(word)
		if n > 0 && n+1+size > width {
			out = append(out, line)
			line, n = "", 0
		}
		if n > 0 {
			line += " "
			n++
		}
		for size > width {
			runes := []rune(word)
			out = append(out, string(runes[:width]))
			word, size = string(runes[width:]), size-width
		}
		line += word
		n += size
	}
	if n > 0 || len(out) == 0 {
		out = append(out, line)
	}
	return out
}
