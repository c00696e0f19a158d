package report

import (
	"fmt"
	"slices"
	"time"

	"warroom/internal/incident"
)

// document makes the model of what was read.
func (r *reading) document(in IncidentInput, s *incident.State) incidentDoc {
	board := incident.NewBoard(s, in.Runbook, nil, in.Now)
	r.untold()
	doc := incidentDoc{
		Schema: IncidentSchema, MadeAt: moment{in.Now}, ID: s.Declared.ID, Status: "open", Severity: string(s.Severity),
		Summary: s.Declared.Summary, Environment: s.Declared.Environment, Drill: s.Declared.Drill,
		Started: moment{s.Declared.Started}, Declared: moment{s.At}, Recovered: moment{s.Recovered}, Closed: moment{s.Closed},
		Marks: none(r.marks), Severities: none(r.severities), Roles: r.roles(s), Verdict: r.told(s), Times: r.times(s, board),
		Phases: r.phases(board), Updates: r.updates, Timeline: none(r.timeline.finish()), Flow: r.flow(board), Checklist: r.checklist(board),
		Decisions: none(r.decisions), Measures: measures(s, in.Now), Notes: none(r.notes), Open: append(openRuns(s), open(board, in.Now)...),
		Runs:       r.runs(s),
		Prevention: r.signs.lessons(in, s),
	}
	switch {
	case !s.Closed.IsZero():
		doc.Status = "closed"
	case !s.Recovered.IsZero():
		doc.Status = "open, service is back"
	}
	doc.Updates.List = none(doc.Updates.List)
	if u := board.Update; !u.Due.IsZero() {
		doc.Updates.Due = moment{u.Due}
		if u.Overdue >= time.Second {
			doc.Updates.Over = some(u.Overdue)
		}
	}
	doc.Exceptions = r.exceptions(&doc)
	doc.Basis = basisDoc{
		Verified: in.Journal.Verified && r.broken == "", Problem: in.Journal.Problem, Head: in.Journal.Head, Events: r.count,
		Records: in.Journal.Records, Files: in.Journal.Files, Signers: []signerDoc{}, Notes: none(slices.Clone(in.Journal.Notes)),
		Runbook: s.Declared.Runbook, Digest: s.Declared.Digest, Gaps: none(r.gaps.lines(r, in, s)),
	}
	for _, k := range in.Journal.Signers {
		doc.Basis.Signers = append(doc.Basis.Signers, signerDoc(k))
	}
	return doc
}

// none makes an empty list of nil, so that JSON has [] and never null.
func none[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (r *reading) roles(s *incident.State) []roleDoc {
	out := []roleDoc{}
	for _, role := range incident.Roles {
		if history := r.hands[role]; len(history) > 0 {
			out = append(out, roleDoc{string(role), s.Roles[role], history})
		}
	}
	return out
}

// told is the verdict that stands, with when, by whom and on what it was told.
func (r *reading) told(s *incident.State) *verdictDoc {
	if s.Verdict == "" {
		return nil
	}
	if r.verdict == nil || r.verdict.Word != s.Verdict {
		return &verdictDoc{Word: s.Verdict, Marked: s.Marked}
	}
	return r.verdict
}

// times are the lengths of this incident. They are given one by one, each with how
// it is counted: a mean of such times over incidents says nothing, and none is made.
func (r *reading) times(s *incident.State, b *incident.Board) []timeDoc {
	one := func(name, title string, at time.Time, formula, note string) timeDoc {
		return timeDoc{name, title, r.since(at), formula, note}
	}
	var update, verdict, through time.Time
	for i := range r.updates.List {
		if u := &r.updates.List[i]; u.Failed == "" && u.To != "" {
			update = u.At.Time
			break
		}
	}
	if v := r.told(s); v != nil {
		verdict = v.At.Time
	}
	done := len(b.Flow) > 0
	for i := range b.Flow {
		done = done && b.Flow[i].Clock.Done
		for j := range b.Flow[i].Nodes {
			if n := &b.Flow[i].Nodes[j]; n.Node.Beside == "" && n.Done.Settled.After(through) {
				through = n.Done.Settled
			}
		}
	}
	diagnose := one("diagnose", "Time to diagnose", through, "the last step of the flow settled − T0", "")
	if !done {
		diagnose = one("diagnose", "Time to diagnose", verdict, "the verdict told − T0, since the flow was not finished", "the flow was not finished")
	}
	detect := ""
	if s.At.Equal(s.Declared.Started) {
		detect = "no earlier time of the alert was given"
	}
	recover := ""
	if n := said(r.marks, "service is back"); n > 1 {
		recover = fmt.Sprintf("said %d times: the last one counts", n)
	}
	return []timeDoc{
		one("detect", "Time to detect", s.At, "declared − T0", detect),
		one("first_update", "Time to first update", update, "the first status update that arrived − T0", ""),
		one("verdict", "Time to verdict", verdict, "the verdict that stands told − T0", ""),
		diagnose,
		one("recover", "Time to recover", s.Recovered, "service said to be back − T0", recover),
		one("close", "Time to close", s.Closed, "closed − T0", ""),
	}
}

func said(marks []markDoc, what string) (n int) {
	for i := range marks {
		if marks[i].What == what {
			n++
		}
	}
	return n
}

// phases hold each phase against its budget.
func (r *reading) phases(b *incident.Board) []phaseDoc {
	out := []phaseDoc{}
	add := func(c *incident.PhaseClock, settled, total int) {
		p := phaseDoc{
			Of: c.Of, Number: c.Number, ID: c.ID, Title: c.Title, From: span(c.From), To: span(c.To), Began: r.since(r.began[c.ID]),
			Settled: settled, Total: total,
		}
		closed := b.State != nil && !b.State.Closed.IsZero()
		if c.Over >= time.Second {
			p.Over = some(c.Over)
		}
		switch {
		case c.Done && p.Over != nil:
			p.Done, p.State = some(c.Elapsed), "done, over by "+p.Over.String()
		case c.Done:
			p.Done, p.State = some(c.Elapsed), "done within its budget"
		case closed && p.Over != nil:
			p.State = "not finished when the incident was closed, over by " + p.Over.String()
		case closed:
			p.State = "not finished when the incident was closed"
		case p.Over != nil:
			p.State = "not finished, over by " + p.Over.String()
		default:
			p.State = "not finished"
		}
		out = append(out, p)
	}
	for i := range b.Flow {
		v := &b.Flow[i]
		settled, total := 0, 0
		for j := range v.Nodes {
			if v.Nodes[j].Node.Beside != "" {
				continue
			}
			if total++; v.Nodes[j].Done.IsSettled() {
				settled++
			}
		}
		add(&v.Clock, settled, total)
	}
	for i := range b.List {
		v := &b.List[i]
		settled, total := 0, 0
		for j := range v.Items {
			if v.Items[j].Call {
				continue
			}
			if total++; v.Items[j].Status.Settled() {
				settled++
			}
		}
		add(&v.Clock, settled, total)
	}
	return out
}

func (r *reading) flow(b *incident.Board) []flowDoc {
	out := []flowDoc{}
	for i := range b.Flow {
		v := &b.Flow[i]
		p := flowDoc{Title: v.Phase.Title, ID: v.Phase.ID, Nodes: []nodeDoc{}}
		for j := range v.Nodes {
			n := &v.Nodes[j]
			one := nodeDoc{
				ID: n.Node.ID, Title: n.Node.Title, Text: n.Node.Text, Group: n.Node.Group, State: n.Status.String(),
				At: moment{n.Done.At}, T: r.since(n.Done.At), By: n.Done.By, Reason: n.Done.Reason, Verdict: n.Done.Verdict,
				Evidence: evidenceOf(n.Done.Evidence),
			}
			if n.Node.Beside != "" {
				one.Beside = r.node(n.Node.Beside)
			}
			if n.Done.IsSettled() {
				one.Marked = r.marked[n.Node.ID].Marked
			}
			if n.Status == incident.NodeIsCurrent && !b.State.Closed.IsZero() {
				one.State = incident.NodeIsOpen.String() // nobody is at it any more
			}
			if n.Status == incident.NodeIsRegressed {
				one.State += " since it was " + string(n.Done.Act)
			}
			p.Nodes = append(p.Nodes, one)
		}
		out = append(out, p)
	}
	return out
}

func (r *reading) checklist(b *incident.Board) []listDoc {
	out := []listDoc{}
	for i := range b.List {
		v := &b.List[i]
		p := listDoc{Title: v.Phase.Title, ID: v.Phase.ID, Mode: string(v.Phase.Mode), Items: []itemDoc{}}
		for j := range v.Items {
			p.Items = append(p.Items, r.itemOf(&v.Items[j]))
		}
		out = append(out, p)
	}
	return out
}

func (r *reading) itemOf(v *incident.ItemView) itemDoc {
	return itemDoc{
		ID: v.Item.ID, Text: v.Item.Text, Expect: v.Item.Expect, Killer: v.Item.Killer, Call: v.Call, State: standing(v),
		Act: string(v.Done.Act), At: moment{v.Done.At}, T: r.since(v.Done.At), By: v.Done.By, Reason: v.Done.Reason,
		Evidence: evidenceOf(v.Done.Evidence), Owner: v.Owner, Due: moment{v.Due}, Overdue: v.Overdue,
	}
}

// standing is how an item stands, in words.
func standing(v *incident.ItemView) string {
	if v.Status == incident.ItemIsOpen && v.Done.Ready {
		return "ready, not confirmed"
	}
	return v.Status.String()
}

// exceptions lists again what did not go by the list: what was skipped, did not
// apply, was done against its evidence, or turned afterwards.
func (r *reading) exceptions(doc *incidentDoc) []exceptionDoc {
	out := []exceptionDoc{}
	for i := range doc.Flow {
		for j := range doc.Flow[i].Nodes {
			n := &doc.Flow[i].Nodes[j]
			state := n.State
			switch {
			case n.Marked:
				state += ", by a person's mark"
			case n.State == incident.NodeIsOpen.String(), n.State == incident.NodeIsCurrent.String(),
				n.State == incident.NodeIsDone.String(), n.State == incident.NodeIsRuledOut.String():
				continue
			}
			out = append(out, exceptionDoc{n.Title, state, n.At, n.T, n.By, n.Reason, n.Evidence.Value})
		}
	}
	for i := range doc.Checklist {
		for j := range doc.Checklist[i].Items {
			item := &doc.Checklist[i].Items[j]
			state := item.State
			if at, ok := r.turned[item.ID]; ok && state != incident.ItemIsRegressed.String() {
				state += ", regressed at " + span(at.Sub(r.t0)).T()
			}
			switch item.State {
			case incident.ItemIsSkipped.String(), incident.ItemIsNA.String(), incident.ItemIsOverridden.String(), incident.ItemIsRegressed.String():
			default:
				if state == item.State {
					continue
				}
			}
			out = append(out, exceptionDoc{item.Text, state, item.At, item.T, item.By, item.Reason, item.Evidence.Value})
		}
	}
	return out
}

func measures(s *incident.State, now time.Time) []measureDoc {
	out := []measureDoc{}
	for _, m := range s.Measures {
		one := measureDoc{
			ID: m.ID, Kind: string(m.Kind), What: m.What, Who: m.Who, Reason: m.Reason, Opened: moment{m.Opened}, Until: moment{m.Until},
			Ended: moment{m.Ended}, Why: m.Why, State: "ended",
		}
		if m.Ended.IsZero() {
			one.State = "STILL OPEN"
			switch {
			case m.Until.IsZero():
				one.State += ", without an end"
			case now.After(m.Until):
				one.State += ", OVERDUE"
			}
		}
		out = append(out, one)
	}
	return out
}

// open lists what is left to do, and whose it is.
func open(b *incident.Board, now time.Time) []openDoc {
	out := []openDoc{}
	for _, m := range b.State.Open() {
		out = append(out, openDoc{
			What: m.ID + ": " + m.What, Of: "temporary measure: " + string(m.Kind), State: "open", Owner: m.Who, Due: moment{m.Until},
			Overdue: !m.Until.IsZero() && now.After(m.Until),
		})
	}
	for i := range b.List {
		for j := range b.List[i].Items {
			v := &b.List[i].Items[j]
			if v.Call || v.Status.Settled() {
				continue
			}
			out = append(out, openDoc{v.Item.Text, b.List[i].Phase.Title, standing(v), v.Owner, moment{v.Due}, v.Overdue})
		}
	}
	return out
}
