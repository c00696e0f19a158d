package incident

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"warroom/internal/runbook"
)

// Tell says in one line what an event tells, without when and by whom: as a
// timeline prints it, and what a search looks in. rb gives nodes, items and phases
// their words; what it does not know keeps its id. rb may be nil.
func Tell(e *Event, rb *runbook.Runbook) string {
	if rb == nil {
		rb = &runbook.Runbook{}
	}
	var text string
	switch d := e.Data.(type) {
	case Declared:
		text = phrase(string(d.Severity)+" declared", d.Summary, "T0 "+stamp(d.Started), list(d.Roles))
	case SeverityChanged:
		text = phrase(fmt.Sprintf("severity %s → %s", d.From, d.To), d.Reason)
	case RoleAssigned:
		text = tellRole(d)
	case Recovered:
		text = phrase("service is back", d.Note)
	case Closed:
		text = phrase("incident closed", d.Reason, list(d.Open))
	case Reopened:
		text = phrase("incident opened again", d.Reason)
	case NodeMoved:
		text = phrase(nodeWords(rb, d.Node)+": "+string(d.Act), d.Verdict, d.Evidence.words(), d.Reason)
	case ItemMoved:
		text = phrase(string(d.Act)+": "+itemWords(rb, d.Item), d.Evidence.words(), d.Reason)
	case Sensed:
		text = tellSensed(d, rb)
	case Assigned:
		due := ""
		if !d.Due.IsZero() {
			due = "due " + stamp(d.Due)
		}
		text = phrase("assigned: "+itemWords(rb, d.Item), d.Owner, due)
	case Noted:
		text = d.Text
	case Decided:
		text = phrase(d.Text, d.Reason)
	case Updated:
		text = tellUpdate(d)
	case MeasureMoved:
		until := ""
		if !d.Until.IsZero() {
			until = "until " + stamp(d.Until)
		}
		// Only the one that opens a measure says what it is.
		text = phrase(join(": ", fmt.Sprintf("measure %s %s", d.ID, d.Act), string(d.Kind)), d.What, d.Who, until, d.Reason)
	case ReadingChanged:
		text = tellReading(d)
	case Overrun:
		text = fmt.Sprintf("%s is over its budget of %s", phaseWords(rb, d.Phase), span(d.Budget))
	case ConsoleMoved:
		text = fmt.Sprintf("console %s on %s, process %d", d.Act, d.Host, d.PID)
	case JournalMoved:
		text = phrase("journal", d.What)
	case ClockSet:
		way := "forward"
		if d.By < 0 {
			way = "back"
		}
		text = fmt.Sprintf("this machine's clock was set %s by %s, or the machine slept", way, span(d.By.Abs()))
	case Corrected:
		start := ""
		if !d.Started.IsZero() {
			start = "T0 " + stamp(d.Started)
		}
		text = phrase("corrected", start, d.Summary, d.Reason)
	case Acked:
		text = phrase("reminder answered", d.What)
	case Armed:
		text = tellArmed(d)
	case Granted:
		text = tellGranted(d)
	case Intent:
		text = tellIntent(d)
	case Outcome:
		text = phrase(fmt.Sprintf("run %s, step %s: %s", d.Run, d.Step, d.State), d.Detail, d.Next)
	case RunEnded:
		text = phrase(fmt.Sprintf("run %s is %s", d.Run, d.State), d.Detail, d.Next)
	case Unreadable:
		text = fmt.Sprintf("%q of version %d, which this version cannot read; it is kept", d.Kind, d.Version)
	default:
		text = string(e.Kind)
	}
	return clean(text)
}

func tellRole(d RoleAssigned) string {
	switch {
	case d.To == "":
		return fmt.Sprintf("%s: nobody any more", d.Role)
	case d.From == "":
		return fmt.Sprintf("%s: %s", d.Role, d.To)
	}
	return fmt.Sprintf("%s: %s → %s", d.Role, d.From, d.To)
}

func tellSensed(d Sensed, rb *runbook.Runbook) string {
	if d.Lesson != "" {
		return phrase("like a past incident: "+lessonWords(rb, d.Lesson), d.Evidence.words())
	}
	of := itemWords(rb, d.Item)
	if d.Item == "" {
		of = nodeWords(rb, d.Node)
	}
	switch {
	case d.Regressed:
		return phrase("REGRESSED: "+of, d.Evidence.words())
	case d.Ready:
		return phrase("READY: "+of, d.Evidence.words())
	}
	return phrase("no longer ready: "+of, d.Evidence.words())
}

func tellUpdate(d Updated) string {
	next := ""
	if !d.Next.IsZero() {
		next = "next at " + stamp(d.Next)
	}
	switch {
	case d.State == UpdateSending:
		return phrase("sending an update to "+d.To, d.Text)
	case d.State != "":
		return phrase("NOT KNOWN whether an update reached "+d.To, d.Fail, d.Text)
	case d.Fail != "":
		return phrase("update did NOT reach "+d.To, d.Fail, d.Text)
	}
	return phrase("update to "+d.To, d.Text, next)
}

func tellReading(d ReadingChanged) string {
	switch {
	case !d.Baseline:
		return phrase(fmt.Sprintf("%s: %s → %s", d.Name, d.From, d.To), d.Word, d.Reason)
	case d.More > 0:
		return fmt.Sprintf("at the declaration: %d more were not OK", d.More)
	case d.Word == d.To.String():
		d.Word = ""
	}
	return phrase(join(" ", "at the declaration:", d.Name, d.To.String(), d.Word), d.Reason)
}

// words are what was seen, typed, noted and linked.
func (e Evidence) words() string {
	parts := []string{e.Value}
	for _, p := range [...]struct{ name, text string }{{"typed ", e.Typed}, {"", e.Note}, {"", e.Link}, {"confirmed by ", e.With}} {
		if p.text != "" {
			parts = append(parts, p.name+p.text)
		}
	}
	return join("; ", parts...)
}

// phrase is a head and what there is to say of it.
func phrase(head string, rest ...string) string { return join(": ", head, join("; ", rest...)) }

func join(by string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), by)
}

func list[K ~string](m map[K]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, string(key)+" "+m[key])
	}
	return strings.Join(parts, ", ")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// span is a length without the units that are zero.
func span(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func nodeWords(rb *runbook.Runbook, id string) string {
	if _, n := rb.Node(id); n != nil {
		return n.Title
	}
	return id
}

func itemWords(rb *runbook.Runbook, id string) string {
	if _, i := rb.Item(id); i != nil {
		return i.Text
	}
	return id
}

func lessonWords(rb *runbook.Runbook, id string) string {
	for i := range rb.Lessons {
		if rb.Lessons[i].ID == id {
			return rb.Lessons[i].Title
		}
	}
	return id
}

func phaseWords(rb *runbook.Runbook, id string) string {
	for i := range rb.Flow {
		if rb.Flow[i].ID == id {
			return "phase " + rb.Flow[i].Title
		}
	}
	for i := range rb.Checklist {
		if rb.Checklist[i].ID == id {
			return "phase " + rb.Checklist[i].Title
		}
	}
	return "phase " + id
}
