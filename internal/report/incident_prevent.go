package report

import (
	"fmt"
	"slices"
	"strings"

	"warroom/internal/diagnosis"
	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// signs are what the journal holds that speaks for a lesson of the runbook. What
// the lessons' own sensors said is recorded by consoles of this version; journals of
// older ones, and evidence that nobody was there to see, are known by other signs.
type signs struct {
	senses map[string]string // by node and item id: its sensor
	titles map[string]string // by node and item id: its words
	spoke  map[string]string // by sensor: the latest evidence for it, in words
	told   map[string]string // by the id of a lesson: what its sensor said, in words
	words  map[string]string // by the state word of a reading: the first one, in words
}

const maxWords = 200 // state words that are told apart; there are some forty

func (s *signs) learn(rb *runbook.Runbook) {
	s.senses, s.titles, s.spoke = map[string]string{}, map[string]string{}, map[string]string{}
	s.told, s.words = map[string]string{}, map[string]string{}
	for i := range rb.Lessons {
		s.told[rb.Lessons[i].ID] = ""
	}
	for i := range rb.Flow {
		for j := range rb.Flow[i].Nodes {
			n := &rb.Flow[i].Nodes[j]
			s.senses[n.ID], s.titles[n.ID] = n.Sense, n.Title
		}
	}
	for i := range rb.Checklist {
		for j := range rb.Checklist[i].Items {
			item := &rb.Checklist[i].Items[j]
			s.senses[item.ID], s.titles[item.ID] = item.Sense, item.Text
		}
	}
}

func (s *signs) take(e incident.Event) {
	switch d := e.Data.(type) {
	case incident.NodeMoved:
		if d.Act == incident.NodeDone {
			s.evidence(e, d.Node, d.Evidence)
		}
	case incident.ItemMoved:
		s.evidence(e, d.Item, d.Evidence)
	case incident.Sensed:
		if told, known := s.told[d.Lesson]; known && told == "" {
			s.told[d.Lesson] = fmt.Sprintf("event %d: its sensor said %q", e.Seq, cut(tidy(d.Evidence.Value), 200))
		}
		id := d.Item
		if id == "" {
			id = d.Node
		}
		s.evidence(e, id, d.Evidence)
	case incident.ReadingChanged:
		w := strings.ToUpper(tidy(d.Word))
		if w == "EXPIRED" && strings.Contains(strings.ToLower(d.Name+" "+d.Reason), "certificate") {
			w = "EXPIRED certificate"
		}
		if _, known := s.words[w]; !known && w != "" && len(s.words) < maxWords {
			s.words[w] = fmt.Sprintf("event %d: %s was %s, %s", e.Seq, d.Name, d.To, w)
		}
	}
}

func (s *signs) evidence(e incident.Event, id string, found incident.Evidence) {
	if sense := s.senses[id]; sense != "" && found.Stance == diagnosis.For.String() {
		s.spoke[sense] = fmt.Sprintf("event %d: the evidence of %q was %q", e.Seq, s.titles[id], cut(tidy(found.Value), 200))
	}
}

// read are the signs by which the sensors of lessons that diagnosis has are known
// again in a journal.
var read = map[string]func(*signs, *incident.State) []string{
	"lesson.seal": func(s *signs, _ *incident.State) []string { return s.readings("SEALED") },
	"lesson.revocation": func(s *signs, _ *incident.State) []string {
		return s.readings("REVOKED", "VALIDATION TIMED OUT", "EXPIRED certificate")
	},
	// A rotation function that failed: a machine of ours rotates it, and the secret
	// is stuck half way or the state of a change is.
	"lesson.rotation": func(s *signs, state *incident.State) []string {
		by, ours := s.spoke["mechanism.automated"]
		if !ours {
			return nil
		}
		half, halfWay := s.spoke["failure.state"]
		switch {
		case state.Verdict == "stuck":
			return []string{by, "the verdict was stuck"}
		case halfWay:
			return []string{by, half}
		}
		return nil
	},
}

func (s *signs) readings(words ...string) []string {
	var out []string
	for _, w := range words {
		if told := s.words[w]; told != "" {
			out = append(out, told)
		}
	}
	return out
}

// lessons are the lessons of the runbook that something speaks for.
func (s *signs) lessons(in IncidentInput, state *incident.State) []lessonDoc {
	out := []lessonDoc{}
	for i := range in.Runbook.Lessons {
		l := &in.Runbook.Lessons[i]
		var why []string
		if told := s.told[l.ID]; told != "" {
			why = append(why, told)
		}
		for _, sense := range l.Sense {
			if told := s.spoke[sense]; told != "" {
				why = append(why, told)
			}
			if f := read[sense]; f != nil {
				why = append(why, f(s, state)...)
			}
		}
		for _, given := range in.Lessons {
			if given.ID == l.ID {
				why = append(why, given.Why)
			}
		}
		if len(why) > 0 {
			out = append(out, lessonDoc{ID: l.ID, Title: l.Title, Summary: l.Summary, Why: why, State: "proposed", Measures: slices.Clone(l.Prevent)})
		}
	}
	return out
}
