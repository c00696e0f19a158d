package runbook

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"

	"warroom/internal/decode"
)

// How much there may be of everything: more can be drawn, but not overlooked. A
// phase of the checklist fits a screen of 100×30 without scrolling.
const (
	maxPhases   = 9  // of the flow, and of the checklist
	maxMain     = 9  // nodes of a main line
	maxRows     = 9  // nodes in a column of a matrix
	maxSides    = 3  // side nodes beside one node
	maxColumns  = 4  // of a matrix
	maxLines    = 9  // lines of a matrix node
	maxItems    = 9  // of a phase of the checklist
	maxLessons  = 20 //
	maxPrevents = 9  // of a lesson
)

// How wide texts may be, in cells.
const (
	wideName    = 60
	wideTitle   = 40 // of phases, and completion calls
	wideNode    = 26 // titles of nodes and groups: they stand in boxes
	wideText    = 60 // what a node asks, and verb and object of an item
	wideExpect  = 40
	wideLine    = 40
	wideLeave   = 80
	wideLesson  = 60
	wideSummary = 160
	widePrevent = 100
	longID      = 40
)

// Verdicts are the fates of a credential that the flow tells apart.
var Verdicts = [...]string{"expired", "stuck", "compromised"}

// validator checks what a runbook means, after its shape is known to be right.
// Each problem goes to the line that causes it.
type validator struct {
	doc     *decode.Document
	sensors []string          // nil: not checked
	ids     map[string]string // id to its path
}

func (v *validator) add(path, hint, format string, args ...any) {
	v.doc.Add(path, fmt.Sprintf(format, args...), hint)
}

func (v *validator) runbook(r *Runbook) {
	v.ids = map[string]string{}
	v.text("name", r.Name, wideName)
	v.cadences(r.Updates)
	v.many("flow", len(r.Flow), maxPhases, "phases")
	v.many("checklist", len(r.Checklist), maxPhases, "phases")
	v.many("lessons", len(r.Lessons), maxLessons, "lessons")
	var flow, list []budget
	for i := range r.Flow {
		p, at := &r.Flow[i], decode.Index("flow", i)
		flow = append(flow, budget{at, p.Title, p.From, p.To})
		v.flowPhase(p, at)
	}
	for i := range r.Checklist {
		p, at := &r.Checklist[i], decode.Index("checklist", i)
		list = append(list, budget{at, p.Title, p.From, p.To})
		v.listPhase(p, at)
	}
	v.budgets(flow)
	v.budgets(list)
	for i := range r.Lessons {
		v.lesson(&r.Lessons[i], decode.Index("lessons", i))
	}
}

// text reports what does not fit one line of width cells.
func (v *validator) text(path, s string, width int) {
	switch n := ansi.StringWidth(s); {
	case strings.ContainsFunc(s, hidden):
		v.add(path, "", "holds characters that are not drawn; expected one line of text")
	case n == 0 && s != "":
		v.add(path, "", "shows nothing; expected one line of text")
	case s != strings.TrimSpace(s):
		v.add(path, "", "begins or ends with a space; expected one line of text")
	case n > width:
		v.add(path, "say it shorter: verb, object, value", "is %d cells wide; expected at most %d", n, width)
	}
}

// hidden are characters that take no place of their own or would act on the
// terminal.
func hidden(r rune) bool {
	if r < unicode.MaxASCII {
		return r < ' '
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs)
}

// many reports more of something than can be shown.
func (v *validator) many(path string, n, limit int, what string) {
	if n > limit {
		v.add(path, "", "has %d %s; expected at most %d", n, what, limit)
	}
}

// id declares an id. What was refused already is left alone.
func (v *validator) id(path, id string) {
	if id == "" || v.doc.Failed(path) {
		return
	}
	if len(id) > longID || strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
	}) {
		v.add(path, "", "is not an id; expected at most %d small letters, digits, dots and dashes", longID)
		return
	}
	if first, twice := v.ids[id]; twice {
		v.add(path, "", "%q is the id of %s already (line %d); expected one that is unique within the runbook", id, first, v.doc.At(first).Line)
		return
	}
	v.ids[id] = path
}

// sense reports a sensor that there is not.
func (v *validator) sense(path, name string) {
	if v.sensors == nil || name == "" || slices.Contains(v.sensors, name) {
		return
	}
	hint := decode.DidYouMean(name, v.sensors)
	if hint == "" {
		hint = "warroom runbook sensors lists them; without sense it is a person's word"
	}
	v.add(path, hint, "there is no sensor of this name")
}

// cadences wants each severity once.
func (v *validator) cadences(list []Cadence) {
	if v.doc.Failed("updates") || !v.doc.Has("updates") {
		return
	}
	first := map[Severity]int{}
	broken := false // one whose severity cannot be told may be the missing one
	for i, c := range list {
		at := decode.Join(decode.Index("updates", i), "severity")
		if c.Severity == "" {
			broken = true
			continue
		}
		if j, twice := first[c.Severity]; twice {
			v.add(at, "", "%s is in updates[%d] already; expected each severity once", c.Severity, j)
			continue
		}
		first[c.Severity] = i
	}
	for _, s := range Severities {
		if _, ok := first[s]; !ok && !broken {
			v.add("updates", "", "%s is missing; expected each of %s once", s, severities())
			return
		}
	}
}

func severities() string {
	words := make([]string, len(Severities))
	for i, s := range Severities {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

// budget is when a phase may run.
type budget struct {
	path, title string
	from, to    time.Duration
}

// budgets wants the phases one after the other; there may be gaps.
func (v *validator) budgets(list []budget) {
	known := func(b budget) bool { return b.to > 0 && !v.doc.Failed(b.path+".to") && !v.doc.Failed(b.path+".from") }
	for i, b := range list {
		if !known(b) {
			continue
		}
		if b.to <= b.from {
			v.add(b.path+".to", "", "the phase ends at %s, and begins at %s; expected an end after its beginning",
				decode.FormatDuration(b.to), decode.FormatDuration(b.from))
			continue
		}
		if i == 0 || !known(list[i-1]) || b.from >= list[i-1].to {
			continue
		}
		at := b.path + ".from"
		if !v.doc.Has(at) {
			at = b.path + ".to"
		}
		v.add(at, "", "the phase begins at %s, before the one above it ends at %s; expected one after the other",
			decode.FormatDuration(b.from), decode.FormatDuration(list[i-1].to))
	}
}

func (v *validator) lesson(l *Lesson, at string) {
	v.id(at+".id", l.ID)
	v.text(at+".title", l.Title, wideLesson)
	v.text(at+".summary", l.Summary, wideSummary)
	for i, s := range l.Sense {
		v.sense(decode.Index(at+".sense", i), s)
	}
	v.many(at+".prevent", len(l.Prevent), maxPrevents, "measures")
	for i, p := range l.Prevent {
		v.text(decode.Index(at+".prevent", i), p, widePrevent)
	}
}
