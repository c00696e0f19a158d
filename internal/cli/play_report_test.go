package cli

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/incident"
)

// reported is what a JSON report states.
type reported struct {
	Severity, Summary string
	Timeline          []struct {
		Seq, Last uint64 // last_seq
		At        time.Time
		Kind, By  string
		Text      string
	}
	Flow []struct {
		Nodes []struct {
			ID, State, By, Reason, Verdict string
			At                             *time.Time
			Evidence                       reportedEvidence
		}
	}
	Checklist []struct {
		Items []struct {
			ID, Act, By, Reason string
			At                  *time.Time
			Evidence            reportedEvidence
		}
	}
	Notes, Decisions []struct {
		Seq              uint64
		By, Text, Reason string
		At               time.Time
	}
	Updates struct {
		Sent int
		List []struct {
			By, To, Text string
			At           time.Time
		}
	}
	Measures []struct {
		ID, Kind, What, Who, Reason, Why string
		Opened                           time.Time
		Until, Ended                     *time.Time
	}
	Roles []struct {
		Role, Who string
		History   []struct {
			From, To, By string
			At           time.Time
		}
	}
	Marks []struct {
		What, By, Text string
		At             time.Time
	}
	Verdict *struct {
		Word, By string
		At       time.Time
	}
	Basis struct {
		Verified bool
		Events   int
		Gaps     []string
	}
}

type reportedEvidence struct{ Stance, Value, Typed, Note, Link, With string }

func evidenceOf(e incident.Evidence) reportedEvidence {
	return reportedEvidence{e.Stance, e.Value, e.Typed, e.Note, e.Link, e.With}
}

// same reports whether a time of the report is that of an event.
func same(at *time.Time, e *incident.Event) bool {
	return at != nil && at.Truncate(time.Millisecond).Equal(e.At.Truncate(time.Millisecond))
}

// flat makes one line of a text, so that where lines are broken makes no difference.
func flat(s string) string { return strings.Join(strings.Fields(s), " ") }

// assertReported holds a report against the journal, both ways.
func assertReported(t *testing.T, all []incident.Event, document string, pages map[string]string) {
	t.Helper()
	var doc reported
	if err := json.Unmarshal([]byte(document), &doc); err != nil {
		t.Fatal(err)
	}
	if !doc.Basis.Verified || doc.Basis.Events != len(all) {
		t.Errorf("it rests on %+v, and the journal has %d events", doc.Basis, len(all))
	}
	assertAllIsTold(t, all, &doc, pages)
	assertAllThatIsToldHappened(t, all, &doc)
}

// assertAllIsTold finds every event of a person in the report, and what was typed
// on every page for people.
func assertAllIsTold(t *testing.T, all []incident.Event, doc *reported, pages map[string]string) {
	t.Helper()
	human := 0
	for i := range all {
		e := &all[i]
		if e.By == "" {
			continue
		}
		human++
		at := slices.IndexFunc(doc.Timeline, func(l struct {
			Seq, Last uint64
			At        time.Time
			Kind, By  string
			Text      string
		}) bool {
			return l.Seq == e.Seq
		})
		if at < 0 {
			t.Errorf("event %d is not in the timeline: %s", e.Seq, incident.Tell(e, nil))
			continue
		}
		if l := &doc.Timeline[at]; l.Kind != string(e.Kind) || l.By != e.By || !same(&l.At, e) || l.Text == "" {
			t.Errorf("event %d is told as %+v: %s", e.Seq, l, incident.Tell(e, nil))
		}
		for _, typed := range typedBy(e) {
			for name, page := range pages {
				if !strings.Contains(flat(page), typed) {
					t.Errorf("%s does not say %q of event %d", name, typed, e.Seq)
				}
			}
		}
	}
	if human < 50 {
		t.Errorf("only %d events are a person's", human)
	}
}

// typedBy are the texts of an event that someone typed.
func typedBy(e *incident.Event) []string {
	var out []string
	switch d := e.Data.(type) {
	case incident.Declared:
		out = append(out, d.Summary, string(d.Severity))
	case incident.ItemMoved:
		out = append(out, d.Reason, d.Evidence.Note)
	case incident.Noted:
		out = append(out, d.Text)
	case incident.Decided:
		out = append(out, d.Text, d.Reason)
	case incident.MeasureMoved:
		out = append(out, d.ID, d.What, d.Who, d.Reason)
	case incident.RoleAssigned:
		out = append(out, d.To)
	case incident.Recovered:
		out = append(out, d.Note)
	case incident.Closed:
		out = append(out, d.Reason)
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// assertAllThatIsToldHappened finds an event for everything that the report states
// beside its timeline.
func assertAllThatIsToldHappened(t *testing.T, all []incident.Event, doc *reported) {
	t.Helper()
	happened := func(what any, ok func(*incident.Event) bool) {
		t.Helper()
		if !slices.ContainsFunc(all, func(e incident.Event) bool { return ok(&e) }) {
			t.Errorf("the journal does not know of %+v", what)
		}
	}
	for _, l := range doc.Timeline {
		happened(l, func(e *incident.Event) bool { return e.Seq == l.Seq && same(&l.At, e) })
	}
	settled := 0
	for _, phase := range doc.Flow {
		for _, n := range phase.Nodes {
			if n.At == nil {
				continue
			}
			settled++
			happened(n, func(e *incident.Event) bool {
				d, ok := e.Data.(incident.NodeMoved)
				return ok && d.Node == n.ID && same(n.At, e) && e.By == n.By && d.Reason == n.Reason && d.Verdict == n.Verdict && n.Evidence == evidenceOf(d.Evidence)
			})
		}
	}
	for _, phase := range doc.Checklist {
		for _, item := range phase.Items {
			if item.Act == "" {
				continue
			}
			settled++
			happened(item, func(e *incident.Event) bool {
				d, ok := e.Data.(incident.ItemMoved)
				return ok && d.Item == item.ID && string(d.Act) == item.Act && same(item.At, e) && e.By == item.By && d.Reason == item.Reason && item.Evidence == evidenceOf(d.Evidence)
			})
		}
	}
	if settled < 15+28 {
		t.Errorf("only %d steps and items are told as settled", settled)
	}
	for _, n := range doc.Notes {
		happened(n, func(e *incident.Event) bool {
			d, ok := e.Data.(incident.Noted)
			return ok && e.Seq == n.Seq && e.By == n.By && d.Text == n.Text
		})
	}
	for _, n := range doc.Decisions {
		happened(n, func(e *incident.Event) bool {
			d, ok := e.Data.(incident.Decided)
			return ok && e.Seq == n.Seq && e.By == n.By && d.Text == n.Text && d.Reason == n.Reason
		})
	}
	for _, u := range doc.Updates.List {
		if u.Text == "" {
			continue // promised, and never sent
		}
		happened(u, func(e *incident.Event) bool {
			d, ok := e.Data.(incident.Updated)
			return ok && same(&u.At, e) && e.By == u.By && d.To == u.To && flat(d.Text) == flat(u.Text)
		})
	}
	for _, m := range doc.Measures {
		happened(m, func(e *incident.Event) bool {
			d, ok := e.Data.(incident.MeasureMoved)
			return ok && d.Act == incident.MeasureOpened && d.ID == m.ID && string(d.Kind) == m.Kind && d.What == m.What && d.Who == m.Who && d.Reason == m.Reason && same(&m.Opened, e)
		})
		happened(m, func(e *incident.Event) bool {
			d, ok := e.Data.(incident.MeasureMoved)
			return ok && d.Act == incident.MeasureEnded && d.ID == m.ID && d.Reason == m.Why && same(m.Ended, e)
		})
	}
	for _, r := range doc.Roles {
		for _, h := range r.History {
			happened(h, func(e *incident.Event) bool {
				switch d := e.Data.(type) {
				case incident.Declared:
					return string(d.Roles[incident.Role(r.Role)]) == h.To && same(&h.At, e)
				case incident.RoleAssigned:
					return string(d.Role) == r.Role && d.From == h.From && d.To == h.To && e.By == h.By && same(&h.At, e)
				}
				return false
			})
		}
	}
	for _, m := range doc.Marks {
		happened(m, func(e *incident.Event) bool {
			switch d := e.Data.(type) {
			case incident.Recovered:
				return m.What == "service is back" && d.Note == m.Text && same(&m.At, e)
			case incident.Closed:
				return m.What == "closed" && d.Reason == m.Text && same(&m.At, e)
			}
			return false
		})
	}
	if doc.Verdict == nil {
		t.Error("it tells no verdict")
	} else {
		happened(doc.Verdict, func(e *incident.Event) bool {
			d, ok := e.Data.(incident.NodeMoved)
			return ok && d.Verdict == doc.Verdict.Word && e.By == doc.Verdict.By && same(&doc.Verdict.At, e)
		})
	}
	if len(doc.Notes) != 1 || len(doc.Decisions) != 1 || doc.Updates.Sent != 1 || len(doc.Measures) != 1 || len(doc.Roles) != 2 || len(doc.Marks) != 2 {
		t.Errorf("it tells of %d notes, %d decisions, %d updates, %d measures, %d roles, %d marks", len(doc.Notes), len(doc.Decisions),
			doc.Updates.Sent, len(doc.Measures), len(doc.Roles), len(doc.Marks))
	}
}
