package panes

import (
	"time"

	"warroom/internal/incident"
	"warroom/internal/plan"
	"warroom/internal/runbook"
	"warroom/internal/theme"
)

// told is one event in words: the one line of its row, and what its expansion
// says beyond that.
type told struct {
	line string
	look theme.Token
	text string      // the whole text, with its line ends; empty when line is all there is
	more [][2]string // label and value; those without a value are left out
}

// kindWords are the kinds as rows call them, where the kind itself is no good word.
var kindWords = map[incident.Kind]string{
	incident.KindSeverity: "severity", incident.KindUnreadable: "newer", incident.KindAck: "reminded", incident.KindNode: "flow", incident.KindItem: "checklist",
	incident.KindGrant: "consent", incident.KindIntent: "step", incident.KindOutcome: "step", incident.KindRun: "run end",
}

// KindWord is what a row of the timeline calls a kind of event.
func KindWord(k incident.Kind) string {
	if w, ok := kindWords[k]; ok {
		return w
	}
	return string(k)
}

// tell says what an event tells. Nothing in it is prepared to be drawn yet.
func (f Frame) tell(b *incident.Board, e *incident.Event) told {
	var rb *runbook.Runbook
	if b != nil {
		rb = b.Runbook
	}
	if v, ok := e.Data.(incident.ConsoleMoved); ok && f.Share && v.Host != "" {
		// A host without a domain is not known for one among other words.
		v.Host = maskedHost
		masked := *e
		masked.Data, e = v, &masked
	}
	t := told{line: incident.Tell(e, rb), look: theme.Text}
	switch v := e.Data.(type) {
	case incident.Declared:
		t.look, t.text = theme.Strong, string(v.Severity)+" declared: "+v.Summary
		t.more = [][2]string{{"T0", timeOf(v.Started)}, {"incident", v.ID}, {"environment", v.Environment}, {"drill", v.Drill}, {"runbook", v.Runbook}}
		for _, r := range incident.Roles {
			t.more = append(t.more, [2]string{string(r), v.Roles[r]})
		}
	case incident.SeverityChanged, incident.RoleAssigned, incident.Recovered, incident.Closed, incident.Reopened, incident.Corrected:
		t.look = theme.Strong
	case incident.NodeMoved:
		t.more = append([][2]string{{"verdict", v.Verdict}, {"reason", v.Reason}}, proofOf(&v.Evidence)...)
		t.text = nodeName(rb, v.Node) + ": " + string(v.Act)
		if v.Verdict != "" {
			t.look = theme.Strong
		}
		if v.Marked {
			t.text += ", a person's mark"
		}
	case incident.ItemMoved:
		t.more = append([][2]string{{"reason", v.Reason}}, proofOf(&v.Evidence)...)
		t.text = itemName(rb, v.Item) + ": " + string(v.Act)
		if v.Act == incident.ItemOverridden {
			t.look = theme.Warn
		}
	case incident.Sensed:
		t.more = proofOf(&v.Evidence)
		if v.Regressed {
			t.look = theme.Fail
		}
	case incident.Noted:
		t.text = v.Text
	case incident.Decided:
		t.look, t.text, t.more = theme.Strong, v.Text, [][2]string{{"reason", v.Reason}}
	case incident.Updated:
		t.text, t.more = v.Text, [][2]string{{"to", v.To}, {"NOT SENT", v.Fail}, {"next promised", timeOf(v.Next)}}
		switch {
		case v.State == incident.UpdateSending:
			t.look, t.more[0][0] = theme.Muted, "being sent to"
		case v.State != "":
			t.look, t.more[1][0] = theme.Unknown, "NOT KNOWN WHETHER IT ARRIVED"
		case v.Fail != "":
			t.look = theme.Fail
		}
	case incident.MeasureMoved:
		t.look, t.text = theme.Warn, v.ID+" "+v.Act+": "+v.What
		t.more = [][2]string{{"kind", string(v.Kind)}, {"who", v.Who}, {"reason", v.Reason}, {"until", timeOf(v.Until)}}
	case incident.ReadingChanged:
		t.look = figureToken(v.To)
		t.more = [][2]string{{"component", string(v.Component)}, {"why", v.Reason}}
	case incident.Armed:
		t.look = theme.Warn
	case incident.Granted:
		t.look = theme.Strong
	case incident.Intent, incident.Outcome, incident.RunEnded:
		tellRun(b, &t, v)
	case incident.Overrun:
		t.look = theme.Fail
	case incident.JournalMoved, incident.ClockSet:
		t.look = theme.Warn
	case incident.Unreadable:
		t.look = theme.Unknown
	}
	return t
}

// tellRun says of an event of a run what its plan calls the run and the step: their
// ids tell nobody anything, and stand below.
func tellRun(b *incident.Board, t *told, data any) {
	state, run, step, detail := "", "", "", [2]string{}
	switch v := data.(type) {
	case incident.Intent:
		run, step, state, t.look = v.Run, v.Step, "about to be done", theme.Muted
		if v.Undo {
			state = "about to be undone"
		}
	case incident.Outcome:
		run, step, state, detail = v.Run, v.Step, string(v.State), [2]string{v.Detail, v.Next}
		switch v.State {
		case plan.Failed, plan.UndoError:
			t.look = theme.Fail
		case plan.Broken:
			t.look = theme.Unknown
		}
	case incident.RunEnded:
		run, state, detail, t.look = v.Run, string(v.State), [2]string{v.Detail, v.Next}, theme.Strong
		if v.State == plan.RunFailed {
			t.look = theme.Fail
		}
	}
	t.more = [][2]string{{"next", detail[1]}, {"run", run}, {"step", step}}
	if b == nil || b.State == nil {
		return
	}
	for i := range b.State.Runs {
		one := &b.State.Runs[i]
		if one.ID != run {
			continue
		}
		of := one.Plan.Procedure + " " + one.Plan.Target
		t.line = of + " is " + state
		if step != "" {
			title := step
			if s, ok := one.Plan.Step(step); ok {
				title = s.Title
			}
			t.line = title + ": " + state
			t.more = append([][2]string{{"of", of}}, t.more...)
		}
		if detail[0] != "" {
			t.line += ": " + detail[0]
		}
		return
	}
}

func proofOf(e *incident.Evidence) [][2]string {
	return [][2]string{{"evidence", e.Value}, {"stance", e.Stance}, {"source", e.Source}, {"read at", timeOf(e.Read)}, {"typed", e.Typed}, {"note", e.Note}, {"link", e.Link}, {"confirmed by", e.With}}
}

func timeOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("Mon 2 Jan 15:04:05 UTC")
}

// nodeName is what the runbook calls a node; its id when it has none of that name.
func nodeName(rb *runbook.Runbook, id string) string {
	if rb != nil {
		if _, n := rb.Node(id); n != nil {
			return n.Title
		}
	}
	return id
}

// itemName is an item's text; its id when the runbook has none of that name.
func itemName(rb *runbook.Runbook, id string) string {
	if rb != nil {
		if _, i := rb.Item(id); i != nil {
			return i.Text
		}
	}
	return id
}
