package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// reading is what one pass over the events gathers beside the folded state.
type reading struct {
	rb     *runbook.Runbook
	fold   incident.Fold
	count  int
	broken string // why the events end early
	last   uint64 // Seq of the last event

	timeline   timeline
	marks      []markDoc
	severities []severityDoc
	hands      map[incident.Role][]handDoc
	updates    updatesDoc
	sending    map[string]updateDoc // by place: what was about to go out there
	notes      []saidDoc
	decisions  []saidDoc
	began      map[string]time.Time          // by phase id: the first thing done in it
	phaseOf    map[string]string             // phase id, by node and item id
	verdict    *verdictDoc                   // the one that stands, if it still does at the end
	marked     map[string]incident.NodeMoved // by node id: how it was settled last
	turned     map[string]time.Time          // by item id: when its evidence turned last
	signs      signs
	gaps       gaps
	t0         time.Time
	corrected  time.Time // what t0 was corrected to last; zero when it never was
}

func newReading(rb *runbook.Runbook) *reading {
	r := &reading{
		rb: rb, hands: map[incident.Role][]handDoc{}, sending: map[string]updateDoc{}, began: map[string]time.Time{}, phaseOf: map[string]string{},
		marked: map[string]incident.NodeMoved{}, turned: map[string]time.Time{},
	}
	for i := range rb.Flow {
		for j := range rb.Flow[i].Nodes {
			r.phaseOf[rb.Flow[i].Nodes[j].ID] = rb.Flow[i].ID
		}
	}
	for i := range rb.Checklist {
		p := &rb.Checklist[i]
		for j := range p.Items {
			r.phaseOf[p.Items[j].ID] = p.ID
		}
		r.phaseOf[p.CompleteID()] = p.ID
	}
	r.signs.learn(rb)
	return r
}

// at is a time twice; the second part is 0 before anything was declared.
func (r *reading) at(t time.Time) when {
	if r.t0.IsZero() {
		return when{At: moment{t}}
	}
	return when{At: moment{t}, T: span(t.Sub(r.t0))}
}

// since is a time counted from T0; nil when there is none.
func (r *reading) since(t time.Time) *span {
	if t.IsZero() {
		return nil
	}
	return some(t.Sub(r.t0))
}

// take takes one event.
func (r *reading) take(e incident.Event) {
	r.count++
	if r.last > 0 && e.Seq > r.last+1 {
		r.gaps.missing += int(e.Seq - r.last - 1)
	}
	r.last = max(r.last, e.Seq)
	before := r.due(e)
	r.fold.Apply(e)
	if r.t0.IsZero() {
		if s := r.fold.State(); s.IsDeclared() {
			r.t0 = s.Declared.Started
			if !r.corrected.IsZero() {
				r.t0 = r.corrected
			}
			for _, role := range incident.Roles {
				if who := s.Roles[role]; who != "" {
					r.hands[role] = []handDoc{{when: r.at(e.At), To: who, By: e.By}}
				}
			}
		}
	}
	r.keep(e, before)
	r.signs.take(e)
	r.gaps.take(e)
	r.timeline.add(r, e)
}

// due is when an update was due just before an event that says whether it came.
func (r *reading) due(e incident.Event) time.Time {
	switch e.Data.(type) {
	case incident.Updated, incident.Closed:
		return incident.NewBoard(r.fold.State(), r.rb, nil, e.At).Update.Due
	}
	return time.Time{}
}

// keep puts what people did where it belongs beside the timeline.
func (r *reading) keep(e incident.Event, due time.Time) {
	switch d := e.Data.(type) {
	case incident.SeverityChanged:
		r.severities = append(r.severities, severityDoc{r.at(e.At), string(d.From), string(d.To), e.By, d.Reason})
	case incident.RoleAssigned:
		if slices.Contains(incident.Roles[:], d.Role) {
			r.hands[d.Role] = append(r.hands[d.Role], handDoc{r.at(e.At), d.From, d.To, e.By})
		}
	case incident.Recovered:
		r.marks = append(r.marks, markDoc{r.at(e.At), "service is back", e.By, d.Note})
	case incident.Closed:
		r.marks = append(r.marks, markDoc{r.at(e.At), "closed", e.By, d.Reason})
		if !due.IsZero() && e.At.Sub(due) >= time.Second {
			r.updates.Missed++
			r.updates.List = append(r.updates.List, updateDoc{
				when: r.at(e.At), Promised: moment{due}, State: "never sent: the incident was closed", Late: some(e.At.Sub(due)),
			})
		}
	case incident.Reopened:
		r.marks = append(r.marks, markDoc{r.at(e.At), "opened again", e.By, d.Reason})
	case incident.NodeMoved:
		r.begin(d.Node, e.At)
		if d.Act == incident.NodeDone || d.Act == incident.NodeRuledOut {
			r.marked[d.Node] = d
		}
		if d.Verdict != "" && d.Act != incident.NodeEntered {
			r.verdict = &verdictDoc{r.at(e.At), d.Verdict, d.Marked, r.node(d.Node), e.By, d.Reason, evidenceOf(d.Evidence)}
		}
	case incident.ItemMoved:
		r.begin(d.Item, e.At)
	case incident.Sensed:
		if _, known := r.phaseOf[d.Item]; known && d.Regressed {
			r.turned[d.Item] = e.At
		}
	case incident.Noted:
		r.notes = append(r.notes, saidDoc{r.at(e.At), e.Seq, e.By, d.Text, ""})
	case incident.Decided:
		r.decisions = append(r.decisions, saidDoc{r.at(e.At), e.Seq, e.By, d.Text, d.Reason})
	case incident.Updated:
		r.updated(e, d, due)
	}
}

func (r *reading) begin(id string, at time.Time) {
	phase, known := r.phaseOf[id]
	if _, told := r.began[phase]; known && !told {
		r.began[phase] = at
	}
}

const notKnown = "not known whether it arrived"

// updated holds one update against what was promised.
func (r *reading) updated(e incident.Event, d incident.Updated, due time.Time) {
	u := updateDoc{when: r.at(e.At), By: e.By, To: d.To, Promised: moment{due}, Next: moment{d.Next}, Failed: d.Fail, Text: d.Text, State: "on time"}
	late := e.At.Sub(due)
	delete(r.sending, d.To)
	switch {
	case d.State == incident.UpdateSending:
		u.State, u.Failed = notKnown, "what became of it was not told"
		r.sending[d.To] = u
		return // its outcome tells, if there is one
	case d.State != "":
		u.State = notKnown
		if u.Failed == "" {
			u.Failed = "no answer"
		}
		r.updates.Unclear++
	case d.Fail != "":
		u.State = "did not arrive"
		r.updates.Failed++
	case due.IsZero():
		u.State = "not promised"
		r.updates.Sent++
	case late >= time.Second:
		u.State, u.Late = "late", some(late)
		r.updates.Sent++
		r.updates.Late++
		if r.updates.Worst == nil || *r.updates.Worst < *u.Late {
			r.updates.Worst = u.Late
		}
	default:
		r.updates.Sent++
		r.updates.OnTime++
	}
	r.updates.List = append(r.updates.List, u)
}

// untold puts the updates in their places of which nothing more was told.
func (r *reading) untold() {
	for _, to := range slices.Sorted(maps.Keys(r.sending)) {
		r.updates.Unclear++
		r.updates.List = append(r.updates.List, r.sending[to])
	}
	slices.SortStableFunc(r.updates.List, func(a, b updateDoc) int { return cmp.Compare(a.T, b.T) })
}

// node is the title of a node, or its id.
func (r *reading) node(id string) string {
	if _, n := r.rb.Node(id); n != nil {
		return n.Title
	}
	return id
}

// item is the text of an item, or its id.
func (r *reading) item(id string) string {
	if _, i := r.rb.Item(id); i != nil {
		return i.Text
	}
	return id
}

func evidenceOf(e incident.Evidence) evidenceDoc {
	return evidenceDoc{e.Stance, e.Value, e.Typed, e.Note, e.Link, e.With, e.Source, moment{e.Read}}
}

// gaps are what makes a report tell less, or less certainly.
type gaps struct {
	missing    int      // numbers that no event has
	unreadable int      // events of a newer version
	clock      []string // the clock was set
	journal    []string // what happened to the journal
	unwatched  []string // no console was there

	last    time.Time // of the event before
	watched bool      // a console was there after it
	closed  bool
}

const maxGaps = 20 // of each kind: more is a sum

func (g *gaps) take(e incident.Event) {
	note := func(list *[]string, text string) {
		if len(*list) < maxGaps {
			*list = append(*list, text)
		} else if len(*list) == maxGaps {
			*list = append(*list, "and more: the timeline has them")
		}
	}
	switch d := e.Data.(type) {
	case incident.Closed:
		g.closed = true
	case incident.Reopened:
		g.closed = false
	case incident.ConsoleMoved:
		if d.Act == "resumed" && !g.closed {
			text := "Nothing was watched from %s to %s: no console was open."
			if g.watched { // and when after its last record it ended, nobody knows
				text = "From %s to %s there was no console for some or all of the time: it ended without a word, killed or with its machine."
			}
			note(&g.unwatched, fmt.Sprintf(text, moment{g.last}, moment{e.At}))
		}
		g.watched = d.Act != "left"
	case incident.ClockSet:
		note(&g.clock, fmt.Sprintf("%s: %s", moment{e.At}, incident.Tell(&e, nil)))
	case incident.JournalMoved:
		note(&g.journal, fmt.Sprintf("%s: the journal: %s", moment{e.At}, d.What))
	case incident.Unreadable, nil:
		g.unreadable++
	}
	g.last = e.At
}

// lines words the gaps.
func (g *gaps) lines(r *reading, in IncidentInput, s *incident.State) []string {
	var out []string
	if r.broken != "" {
		out = append(out, fmt.Sprintf("Events after number %d could not be read and are missing here: %s", r.last, r.broken))
	}
	if after := r.count - int(in.Journal.Records); in.Journal.Verified && after > 0 {
		out = append(out, fmt.Sprintf("%s came while this report was made, after the journal was verified.", count(after, "event")))
	}
	if g.missing > 0 {
		out = append(out, fmt.Sprintf("%s missing between those that are there, by their numbers.", count(g.missing, "event")))
	}
	if g.unreadable > 0 {
		out = append(out, fmt.Sprintf("%s of a newer version or damaged: counted here, and what they say is not in this report.", count(g.unreadable, "event")))
	}
	out = append(out, g.unwatched...)
	out = append(out, g.journal...)
	out = append(out, g.clock...)
	if in.Trouble != "" {
		out = append(out, in.Trouble)
	}
	if want := s.Declared.Digest; want != "" && in.Runbook.Digest != "" && want != in.Runbook.Digest {
		out = append(out, "The runbook beside the journal is not the one that the incident was declared with: titles, budgets and promises here may differ from those that people saw.")
	}
	return out
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, strings.TrimSuffix(thing, "s"))
}
