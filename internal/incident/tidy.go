package incident

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"warroom/internal/runbook"
)

// A journal may have been written by anybody: what is kept of it in a State is as
// clean and as short as what an act would have made, and words of which only some
// are known are one of those, or empty. The journal itself keeps what it holds.

// maxID bounds the id of a node, item, measure, phase or component, in runes.
const maxID = 200

// tidy is an event as a state keeps it.
func tidy(e Event) Event {
	var t tidier
	t.text(&e.By, maxName)
	t.changed = false
	switch d := e.Data.(type) {
	case Declared:
		t.declared(&d)
		if t.changed {
			e.Data = d
		}
	case SeverityChanged:
		t.known((*string)(&d.From), severities[:]...)
		t.known((*string)(&d.To), severities[:]...)
		t.text(&d.Reason, maxText)
		if t.changed {
			e.Data = d
		}
	case RoleAssigned:
		t.text(&d.From, maxName)
		t.text(&d.To, maxName)
		if t.changed {
			e.Data = d
		}
	case Recovered:
		t.text(&d.Note, maxText)
		if t.changed {
			e.Data = d
		}
	case Closed:
		t.text(&d.Reason, maxText)
		t.reasons(&d.Open)
		if t.changed {
			e.Data = d
		}
	case Reopened:
		t.text(&d.Reason, maxText)
		if t.changed {
			e.Data = d
		}
	case NodeMoved:
		t.text(&d.Node, maxID)
		t.text((*string)(&d.Act), maxName)
		t.known(&d.Verdict, Verdicts[:]...)
		t.text(&d.Reason, maxText)
		t.evidence(&d.Evidence)
		if t.changed {
			e.Data = d
		}
	case ItemMoved:
		t.text(&d.Item, maxID)
		t.text((*string)(&d.Act), maxName)
		t.text(&d.Reason, maxText)
		t.evidence(&d.Evidence)
		if t.changed {
			e.Data = d
		}
	case Sensed:
		t.text(&d.Item, maxID)
		t.text(&d.Node, maxID)
		t.text(&d.Lesson, maxID)
		t.evidence(&d.Evidence)
		if t.changed {
			e.Data = d
		}
	case Assigned:
		t.text(&d.Item, maxID)
		t.text(&d.Owner, maxName)
		if t.changed {
			e.Data = d
		}
	case Noted:
		t.text(&d.Text, maxText)
		if t.changed {
			e.Data = d
		}
	case Decided:
		t.text(&d.Text, maxText)
		t.text(&d.Reason, maxText)
		if t.changed {
			e.Data = d
		}
	case Updated:
		t.lines(&d.Text)
		t.text(&d.To, maxName)
		t.text(&d.Fail, maxText)
		t.text(&d.State, maxName)
		if t.changed {
			e.Data = d
		}
	case MeasureMoved:
		t.text(&d.ID, maxID)
		t.text(&d.Act, maxName)
		t.text((*string)(&d.Kind), maxName)
		t.text(&d.What, maxText)
		t.text(&d.Who, maxName)
		t.text(&d.Reason, maxText)
		if t.changed {
			e.Data = d
		}
	case ReadingChanged:
		t.text((*string)(&d.Component), maxID)
		t.text(&d.Name, maxID)
		t.text(&d.Word, maxName)
		t.text(&d.Reason, maxText)
		if t.changed {
			e.Data = d
		}
	case Overrun:
		t.text(&d.Phase, maxID)
		if t.changed {
			e.Data = d
		}
	default:
		if clean, ok := t.run(d); ok && t.changed {
			e.Data = clean
		}
	}
	return e
}

// severities are the words of runbook.Severities.
var severities = func() (out [len(runbook.Severities)]string) {
	for i, s := range runbook.Severities {
		out[i] = string(s)
	}
	return out
}()

// tidier cleans what needs it, and notes that something did: most events are clean,
// and none of those is made anew.
type tidier struct{ changed bool }

func (t *tidier) text(s *string, most int) {
	if !fine(*s, most) {
		*s, t.changed = short(clean(*s), most), true
	}
}

func (t *tidier) lines(s *string) {
	if text := short(cleanLines(*s), maxText); text != *s {
		*s, t.changed = text, true
	}
}

// known keeps a word that is one of some, and empties any other.
func (t *tidier) known(s *string, words ...string) {
	if *s != "" && !slices.Contains(words, *s) {
		*s, t.changed = "", true
	}
}

func (t *tidier) evidence(e *Evidence) {
	t.text(&e.Stance, maxName)
	t.text(&e.Value, maxText)
	t.text(&e.Source, maxText)
	t.text(&e.Typed, maxText)
	t.text(&e.Note, maxText)
	t.text(&e.Link, maxLink)
	t.text(&e.With, maxName)
}

func (t *tidier) declared(d *Declared) {
	t.known((*string)(&d.Severity), severities[:]...)
	t.text(&d.ID, maxName)
	t.text(&d.Summary, maxText)
	t.text(&d.Environment, maxName)
	t.text(&d.Drill, maxName)
	t.text(&d.Runbook, maxText)
	t.text(&d.Digest, maxID)
	roles := map[Role]string{}
	for _, role := range Roles {
		if who, ok := d.Roles[role]; ok {
			t.text(&who, maxName)
			roles[role] = who
		}
	}
	if len(roles) != len(d.Roles) || t.changed {
		d.Roles, t.changed = roles, true
	}
}

func (t *tidier) reasons(all *map[string]string) {
	out := map[string]string{}
	before := t.changed
	t.changed = false
	for id, why := range *all {
		t.text(&id, maxID)
		t.text(&why, maxText)
		out[id] = why
	}
	if t.changed {
		*all = out
	}
	t.changed = t.changed || before
}

// fine reports whether a text is one that clean leaves as it is, but for blanks, and
// no longer than most runes.
func fine(s string, most int) bool {
	n := 0
	for i, r := range s {
		n++
		switch {
		case n > most, r < ' ', r == 0x7f:
			return false
		case r < 0x7f, r == '→', r == '·', r == '–', r == '…', r == '“', r == '”':
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			return false // no text at all
		case unicode.Is(unicode.C, r):
			return false
		}
	}
	return true
}
