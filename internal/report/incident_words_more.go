package report

import (
	"fmt"
	"slices"
	"strings"
)

func (d *incidentDoc) flowSection() section {
	s := section{ID: "flow", Title: "Flow", Empty: "The runbook has no flow."}
	for i := range d.Flow {
		f := &d.Flow[i]
		p := section{ID: fmt.Sprintf("flow-%d", i+1), Title: f.Title, Head: []string{"Step", "Asks", "State", "Evidence", "By", "When", "T+", "Reason"}}
		for j := range f.Nodes {
			n := &f.Nodes[j]
			title, state := n.Title, n.State
			if n.Group != "" {
				title = n.Group + ": " + title
			}
			if n.Beside != "" {
				title += " (beside " + n.Beside + ")"
			}
			if n.Verdict != "" {
				state += ", verdict " + n.Verdict
			}
			if n.Marked {
				state += ", by a person's mark"
			}
			p.Rows = append(p.Rows, []string{title, n.Text, state, n.Evidence.words(), n.By, n.At.String(), n.T.tOrDash(), n.Reason})
		}
		s.Parts = append(s.Parts, p)
	}
	return s
}

func (d *incidentDoc) timelineSection() section {
	s := section{ID: "timeline", Title: "Timeline", Head: []string{"When", "T+", "Event", "Kind", "By", "What"}}
	several := 0
	for i := range d.Timeline {
		e := &d.Timeline[i]
		number := fmt.Sprint(e.Seq)
		if e.Events > 1 {
			several++
			number = fmt.Sprintf("%d–%d: %s", e.Seq, e.Last, count(e.Events, "event"))
		}
		s.Rows = append(s.Rows, []string{e.At.String(), e.T.T(), number, e.Kind, e.By, e.Text})
	}
	if several > 0 {
		s.Text = []string{fmt.Sprintf("What one component or step did over and over is told in one line: %s. What people did is never put together.", count(several, "line"))}
	}
	return s
}

func (d *incidentDoc) basisSection() section {
	b := &d.Basis
	s := section{ID: "basis", Title: "What this report rests on", Loud: !b.Verified}
	if b.Verified {
		s.Text = append(s.Text, "The journal is verified: every record, its place in the chain and its signature were checked when this report was made.")
	} else {
		s.Text = append(s.Text, "The journal is NOT verified.")
	}
	if b.Problem != "" {
		s.Text = append(s.Text, "Problem: "+b.Problem)
	}
	s.Head = []string{"What", "Value"}
	add := func(name, value string) {
		if value != "" {
			s.Rows = append(s.Rows, []string{name, value})
		}
	}
	add("Events told here", fmt.Sprint(b.Events))
	add("Records in the journal", fmt.Sprintf("%d in %s", b.Records, count(b.Files, "file")))
	add("Head", b.Head)
	for _, k := range b.Signers {
		add("Signed", fmt.Sprintf("%d by %s", k.Records, k.Fingerprint))
	}
	if len(b.Signers) == 0 {
		add("Signed", "by no key that is known")
	}
	add("Runbook", join(", SHA-256 ", b.Runbook, b.Digest))
	for _, n := range b.Notes {
		add("Note", n)
	}
	gaps := section{ID: "gaps", Title: "Gaps", List: slices.Clone(b.Gaps), Empty: "No gap is known."}
	s.Parts = []section{gaps}
	return s
}

// words are what was seen, with what people typed and noted beside it, and where
// and when it was read.
func (e *evidenceDoc) words() string {
	value := join(": ", e.Stance, e.Value)
	parts := []string{value}
	for _, p := range [...]struct{ name, text string }{{"typed ", e.Typed}, {"note ", e.Note}, {"link ", e.Link}, {"confirmed with ", e.With}, {"from ", e.Source}} {
		if p.text != "" {
			parts = append(parts, p.name+p.text)
		}
	}
	if !e.Read.IsZero() {
		parts = append(parts, "read "+e.Read.String())
	}
	return join("; ", parts...)
}

// both is a time in UTC and counted from T0.
func (w when) both() string { return w.At.String() + " (" + w.T.T() + ")" }

func (s *span) orDash() string {
	if s == nil {
		return "–"
	}
	return s.String()
}

func (s *span) tOrDash() string {
	if s == nil {
		return "–"
	}
	return s.T()
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return "by " + who
}

func within(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

func join(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), sep)
}
