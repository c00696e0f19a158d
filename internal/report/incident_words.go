package report

import (
	"fmt"
	"strings"

	"warroom/internal/incident"
)

// The words of a report that both Markdown and HTML use: rows of cells, made from
// the model alone. What a rendering adds is only how a cell is written.

// section is a part of a report: a title, perhaps a paragraph, and a table or a
// list.
type section struct {
	ID, Title string
	Loud      bool     // it must not be passed over
	Text      []string // paragraphs
	Head      []string // of the table; empty when there is none
	Rows      [][]string
	List      []string
	Empty     string // instead of a table or list without rows
	Picture   bool   // the picture of the timeline stands before the table
	Parts     []section
}

// sections are the whole report in its order.
func (d *incidentDoc) sections() []section {
	return []section{
		d.restsShort(), d.header(), d.timesSection(), d.updatesSection(), d.openSection(), d.runsSection(), d.measuresSection(), d.exceptionsSection(),
		d.decisionsSection(), d.preventionSection(), d.checklistSection(), d.flowSection(), d.notesSection(), d.timelineSection(), d.basisSection(),
	}
}

// title is what the report is called.
func (d *incidentDoc) title() string {
	parts := []string{"Incident " + d.ID, d.Severity}
	if d.Environment != "" {
		parts = append(parts, d.Environment)
	}
	if d.Drill != "" {
		parts = append([]string{"DRILL " + d.Drill}, parts...)
	}
	return strings.Join(parts, " · ")
}

// restsShort says before everything else whether the report can be relied on.
func (d *incidentDoc) restsShort() section {
	s := section{ID: "standing"}
	b := &d.Basis
	line := fmt.Sprintf("Made %s from %s. Status: %s.", d.MadeAt, count(b.Events, "event"), d.Status)
	switch {
	case !b.Verified:
		s.Loud = true
		line += " The journal behind this report is NOT verified: see What this report rests on."
	case len(b.Gaps) > 0:
		line += " The journal is verified; there are gaps: see What this report rests on."
	default:
		line += " The journal is verified."
	}
	s.Text = []string{line}
	if d.Drill != "" {
		s.Text = append(s.Text, "This was a DRILL ("+d.Drill+"): no real system was affected.")
	}
	return s
}

func (d *incidentDoc) header() section {
	s := section{ID: "incident", Title: "Incident", Head: []string{"What", "Value"}}
	add := func(name, value string) {
		if value != "" {
			s.Rows = append(s.Rows, []string{name, value})
		}
	}
	add("Id", d.ID)
	add("Summary", d.Summary)
	add("Severity", d.Severity)
	for _, c := range d.Severities {
		add("Severity changed", join("; ", c.when.both(), c.From+" → "+c.To, by(c.By), c.Reason))
	}
	add("Environment", d.Environment)
	add("Drill", d.Drill)
	add("Status", d.Status)
	add("Started (T0)", d.Started.String())
	add("Declared", d.Declared.String())
	add("Service back", d.Recovered.String())
	add("Closed", d.Closed.String())
	for _, m := range d.Marks {
		add("Marked "+m.What, join("; ", m.when.both(), by(m.By), m.Text))
	}
	for _, r := range d.Roles {
		who := r.Who
		if who == "" {
			who = "nobody at the end"
		}
		var hands []string
		for i, h := range r.History {
			switch {
			case i == 0 && h.From == "":
				hands = append(hands, fmt.Sprintf("%s since %s", h.To, h.when.both()))
			case h.To == "":
				hands = append(hands, fmt.Sprintf("%s → nobody at %s%s", h.From, h.when.both(), within(by(h.By))))
			default:
				hands = append(hands, fmt.Sprintf("%s → %s at %s%s", h.From, h.To, h.when.both(), within(by(h.By))))
			}
		}
		add(strings.ToUpper(r.Role[:1])+r.Role[1:], who+": "+strings.Join(hands, "; "))
	}
	if v := d.Verdict; v != nil {
		how := "by its evidence"
		if v.Marked {
			how = "by a person's mark"
		}
		at := ""
		if !v.At.IsZero() {
			at = v.when.both()
		}
		add("Verdict", join("; ", v.Word+", "+how, v.Node, at, by(v.By), v.Reason, v.Evidence.words()))
	} else {
		add("Verdict", "none was told")
	}
	return s
}

func (d *incidentDoc) timesSection() section {
	s := section{ID: "times", Title: "Times", Picture: true, Text: []string{"These are the times of this incident, each with how it is counted. They say nothing as a mean over incidents."}}
	s.Head = []string{"Time", "Length", "Counted as", "Remark"}
	for _, t := range d.Times {
		s.Rows = append(s.Rows, []string{t.Title, t.Value.orDash(), t.Formula, t.Note})
	}
	p := section{ID: "phases", Title: "Phases and their budgets", Head: []string{"Phase", "Budget from T0", "First act", "Done", "Over", "Settled", "State"}, Empty: "The runbook has no phases."}
	for _, one := range d.Phases {
		p.Rows = append(p.Rows, []string{
			fmt.Sprintf("%s %d: %s", one.Of, one.Number, one.Title), fmt.Sprintf("%s to %s", one.From, one.To), one.Began.tOrDash(),
			one.Done.tOrDash(), one.Over.orDash(), fmt.Sprintf("%d of %d", one.Settled, one.Total), one.State,
		})
	}
	s.Parts = []section{p}
	return s
}

func (d *incidentDoc) updatesSection() section {
	u := &d.Updates
	s := section{ID: "updates", Title: "Status updates", Empty: "No status update was sent."}
	line := fmt.Sprintf("%d sent, %d on time, %d late, %d promised and never sent, %d did not arrive.", u.Sent, u.OnTime, u.Late, u.Missed, u.Failed)
	if u.Unclear > 0 {
		line += fmt.Sprintf(" Of %d it is NOT KNOWN whether they arrived.", u.Unclear)
	}
	if u.Worst != nil {
		line += " The latest came " + u.Worst.String() + " late."
	}
	switch {
	case u.Over != nil:
		line += fmt.Sprintf(" The next was due at %s and is overdue by %s.", u.Due, u.Over)
	case !u.Due.IsZero():
		line += fmt.Sprintf(" The next is due at %s.", u.Due)
	}
	s.Text = []string{line}
	if len(u.List) > 0 {
		s.Head = []string{"Sent", "T+", "By", "To", "Promised for", "State", "Late by", "Promised next", "Text"}
	}
	for _, one := range u.List {
		s.Rows = append(s.Rows, []string{
			one.At.String(), one.T.T(), one.By, one.To, one.Promised.String(), join(": ", one.State, one.Failed), one.Late.orDash(), one.Next.String(), one.Text,
		})
	}
	return s
}

func (d *incidentDoc) openSection() section {
	s := section{ID: "open", Title: "Open items", Empty: "Nothing is open."}
	overdue := 0
	for _, o := range d.Open {
		state, owner := o.State, o.Owner
		if o.Overdue {
			state = join(", ", state, "OVERDUE")
			overdue++
		}
		if owner == "" {
			owner = "nobody"
		}
		s.Rows = append(s.Rows, []string{o.What, o.Of, owner, o.Due.String(), state})
	}
	if len(s.Rows) > 0 {
		s.Head = []string{"What", "Of", "Owner", "Due", "State"}
		s.Text = []string{fmt.Sprintf("%s open, %d overdue.", count(len(s.Rows), "item"), overdue)}
		s.Loud = overdue > 0
	}
	return s
}

func (d *incidentDoc) measuresSection() section {
	s := section{ID: "measures", Title: "Temporary measures", Empty: "No temporary measure was registered."}
	left := 0
	for _, m := range d.Measures {
		if m.Ended.IsZero() {
			left++
		}
		s.Rows = append(s.Rows, []string{m.ID, m.Kind, m.What, m.Who, m.Opened.String(), m.Until.String(), m.Ended.String(), m.State, m.Reason, m.Why})
	}
	if len(s.Rows) > 0 {
		s.Head = []string{"Id", "Kind", "What", "Who", "Opened", "Until", "Ended", "State", "Reason", "Why ended, extended or kept"}
	}
	if left > 0 {
		s.Loud = true
		s.Text = []string{fmt.Sprintf("%s STILL OPEN.", count(left, "measure"))}
	}
	return s
}

func (d *incidentDoc) exceptionsSection() section {
	s := section{ID: "exceptions", Title: "Exceptions", Empty: "Nothing was skipped, overridden, left out or marked against its evidence, and nothing has turned since."}
	for _, e := range d.Exceptions {
		s.Rows = append(s.Rows, []string{e.What, e.State, e.At.String(), e.T.tOrDash(), e.By, e.Reason, e.Value})
	}
	if len(s.Rows) > 0 {
		s.Head = []string{"What", "State", "When", "T+", "By", "Reason", "Evidence then"}
	}
	return s
}

func (d *incidentDoc) decisionsSection() section {
	s := section{ID: "decisions", Title: "Decisions", Empty: "No decision was recorded."}
	s.Head, s.Rows = saidRows(d.Decisions, true)
	return s
}

func (d *incidentDoc) notesSection() section {
	s := section{ID: "notes", Title: "Notes", Empty: "No note was recorded."}
	s.Head, s.Rows = saidRows(d.Notes, false)
	return s
}

func saidRows(said []saidDoc, reason bool) (head []string, rows [][]string) {
	for i := range said {
		one := &said[i]
		row := []string{one.At.String(), one.T.T(), fmt.Sprint(one.Seq), one.By, one.Text}
		if reason {
			row = append(row, one.Reason)
		}
		rows = append(rows, row)
	}
	switch {
	case len(rows) == 0:
	case reason:
		head = []string{"When", "T+", "Event", "By", "Decision", "Reason"}
	default:
		head = []string{"When", "T+", "Event", "By", "Note"}
	}
	return head, rows
}

func (d *incidentDoc) preventionSection() section {
	s := section{
		ID: "prevention", Title: "Proposed prevention measures",
		Empty: "Nothing that the journal holds speaks for one of the runbook's past incidents.",
	}
	if len(d.Prevention) > 0 {
		s.Text = []string{"These are proposed from past incidents like this one. None of them is decided or done."}
	}
	for i := range d.Prevention {
		l := &d.Prevention[i]
		p := section{ID: fmt.Sprintf("lesson-%d", i+1), Title: l.Title, Text: []string{}}
		if l.Summary != "" {
			p.Text = append(p.Text, l.Summary+".")
		}
		for _, why := range l.Why {
			p.Text = append(p.Text, "Proposed because: "+why)
		}
		for _, m := range l.Measures {
			p.List = append(p.List, l.State+": "+m)
		}
		s.Parts = append(s.Parts, p)
	}
	return s
}

func (d *incidentDoc) checklistSection() section {
	s := section{ID: "checklist", Title: "Checklist", Empty: "The runbook has no checklist."}
	for i := range d.Checklist {
		l := &d.Checklist[i]
		p := section{ID: fmt.Sprintf("list-%d", i+1), Title: fmt.Sprintf("%s (%s)", l.Title, l.Mode), Head: []string{"Item", "Expected", "State", "Observed", "By", "When", "T+", "Reason", "Owner, due"}}
		for j := range l.Items {
			item := &l.Items[j]
			p.Rows = append(p.Rows, item.row())
		}
		s.Parts = append(s.Parts, p)
	}
	return s
}

func (i *itemDoc) row() []string {
	text, state, due := i.Text, i.State, ""
	if i.Killer {
		text = "★ " + text
	}
	switch incident.ItemAct(i.Act) {
	case incident.ItemUndone, incident.ItemReassessed:
		state = join(", ", state, i.Act)
	}
	if !i.Due.IsZero() {
		due = "due " + i.Due.String()
	}
	if i.Overdue {
		due = join(" ", due, "OVERDUE")
	}
	return []string{text, i.Expect, state, i.Evidence.words(), i.By, i.At.String(), i.T.tOrDash(), i.Reason, join(", ", i.Owner, due)}
}
