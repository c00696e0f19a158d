package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
)

// How long a draft and its lines may be: a bridge reads no more.
const (
	draftLines   = 25
	summaryLines = 12
	draftRunes   = 180
)

// Draft is a status update written from evidence only: impact, what is known,
// what is being done, and when the next update comes. What is not known is said as
// such. It is plain text, to be edited before it is sent. r may be nil.
func (b *Board) Draft(r *estate.Readings) string {
	if b.State == nil {
		return ""
	}
	lines := []string{b.head()}
	if s := b.State.Declared.Summary; s != "" {
		lines = append(lines, s)
	}
	lines = append(lines, "", "Impact")
	lines = append(lines, bullets(impact(r, 5))...)
	lines = append(lines, "Known")
	lines = append(lines, bullets(b.known(7))...)
	lines = append(lines, "Being done")
	lines = append(lines, bullets(b.underWay(4))...)
	lines = append(lines, "", b.nextUpdate())
	room, witness := draftLines, ""
	if head := clean(b.Journal); head != "" { // whole, whatever else is cut
		room, witness = draftLines-1, "\nJournal "+short(head, draftRunes)
	}
	for most := draftRunes; ; most -= 20 {
		text := strings.Join(fit(lines, room, most), "\n") + witness
		if utf8.RuneCountInString(text) <= maxText { // or it could not be sent as it is
			return text
		}
	}
}

// Summary is the incident in at most 12 lines for someone who joins late: impact,
// decisions, what is under way, what is due next.
func (b *Board) Summary(r *estate.Readings) []string {
	if b.State == nil {
		return nil
	}
	s := b.State
	lines := []string{b.head()}
	lines = append(lines, prefixed("Impact: ", impact(r, 2))...)
	lines = append(lines, prefixed("Known: ", b.known(2))...)
	lines = append(lines, b.decided(3)...)
	lines = append(lines, prefixed("Under way: ", b.underWay(3))...)
	if u, ok := s.Sending.Data.(Updated); ok && b.Now.Sub(s.Sending.At) > time.Minute {
		lines = append(lines, "Whether the update of "+hour(s.Sending.At)+" reached "+u.To+" is not known.")
	}
	if n := len(b.Regressed); n > 0 {
		lines = append(lines, count(n, "settled step")+" regressed: "+strings.Join(b.titles(b.Regressed), "; "))
	}
	switch u := b.Update; {
	case u.Due.IsZero():
	case u.Overdue > 0:
		lines = append(lines, "Update overdue since "+hour(u.Due)+".")
	default:
		lines = append(lines, "Next update due "+hour(u.Due)+".")
	}
	return fit(lines, summaryLines, draftRunes)
}

// decided are the last decisions, oldest first.
func (b *Board) decided(most int) []string {
	all := b.State.Decisions
	var lines []string
	for _, e := range all[max(len(all)-most, 0):] {
		if d, ok := e.Data.(Decided); ok {
			lines = append(lines, "Decided "+hour(e.At)+": "+d.Text)
		}
	}
	return lines
}

// head says which incident it is, how bad, and how long it lasts.
func (b *Board) head() string {
	s := b.State
	parts := []string{first(string(s.Severity), "?")}
	if s.Declared.Drill != "" {
		parts[0] = "DRILL " + parts[0]
	}
	if s.Declared.ID != "" {
		parts = append(parts, s.Declared.ID)
	}
	if s.Declared.Environment != "" {
		parts = append(parts, s.Declared.Environment)
	}
	since := "since " + day(s.Declared.Started)
	switch {
	case !s.Closed.IsZero():
		since += ", closed " + day(s.Closed)
	case !s.Recovered.IsZero():
		since += ", service back since " + hour(s.Recovered)
	default:
		since += fmt.Sprintf(", for %d min", int(b.Elapsed.Minutes()))
	}
	parts = append(parts, since)
	if who := s.Roles[Commander]; who != "" {
		parts = append(parts, "commander "+who)
	}
	return strings.Join(parts, " · ")
}

// known is what the flow has told: the verdict; the causes that the evidence or a
// person's reason confirmed, those of the matrix's last column one by one, since
// they are the nearest to the root, and those of the others by name; how many were
// ruled out; and what the nodes of the main line saw, the latest first.
func (b *Board) known(most int) []string {
	var lines []string
	if s := b.State; s.Verdict != "" {
		by := "by its evidence"
		if s.Marked {
			by = "by a person's word"
		}
		line := "the credential is " + s.Verdict + ", " + by
		if why := b.verdictReason(); why != "" {
			line += ": " + short(why, 200)
		}
		lines = append(lines, line)
	}
	var columns []column
	var seen []string
	ruledOut := 0
	for i := range b.Flow {
		for j := range b.Flow[i].Nodes {
			v := &b.Flow[i].Nodes[j]
			if g := v.Node.Group; g != "" && (len(columns) == 0 || columns[len(columns)-1].name != g) {
				columns = append(columns, column{name: g})
			}
			switch told := first(v.Done.Evidence.read(), v.Done.Reason); {
			case v.Done.Regressed:
				seen = append(seen, v.Node.Title+": its evidence has turned, now "+first(v.Finding.Value, "not known"))
			case v.Done.Act == NodeRuledOut:
				ruledOut++
			case v.Done.Act != NodeDone || told == "":
			case v.Node.Group == "":
				seen = append(seen, v.Node.Title+": "+told)
			default:
				if v.Done.Evidence.Stance != diagnosis.For.String() {
					if told = v.Done.Reason; told == "" {
						continue // someone looked at it: that confirms nothing
					}
				}
				c := &columns[len(columns)-1]
				c.titles = append(c.titles, v.Node.Title)
				c.lines = append(c.lines, v.Node.Title+b.suspects(v)+": "+told)
			}
		}
	}
	found := false
	for i := range slices.Backward(columns) {
		c := &columns[i]
		switch {
		case len(c.titles) == 0:
			continue
		case i == len(columns)-1 && len(c.lines) <= most-len(lines):
			lines = append(lines, c.lines...)
		default:
			lines = append(lines, c.name+": "+strings.Join(c.titles, ", "))
		}
		found = true
	}
	if ruledOut > 0 {
		lines = append(lines, count(ruledOut, "possibility")+" ruled out")
	}
	if !found {
		lines = append(lines, "the cause is not known yet")
	}
	for _, one := range slices.Backward(seen) {
		if len(lines) >= most {
			break
		}
		lines = append(lines, one)
	}
	return lines[:min(len(lines), most)]
}

// column is what was confirmed in one column of the matrix.
type column struct {
	name          string
	titles, lines []string
}

// suspects are the possibilities of a confirmed cause that have evidence.
func (b *Board) suspects(v *NodeView) string {
	var lines []string
	for i := range v.Lines {
		if v.Lines[i].Finding.Stance == diagnosis.For {
			lines = append(lines, v.Lines[i].Line.Text)
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return " (" + short(strings.Join(lines, ", "), 60) + ")"
}

// read is the value of evidence that was read, for or against.
func (e Evidence) read() string {
	switch e.Stance {
	case diagnosis.For.String(), diagnosis.Against.String():
		return e.Value
	}
	return ""
}

// underWay is what is being done: what someone is at, the current step, and the
// measures that are open.
func (b *Board) underWay(most int) []string {
	var lines []string
	if b.State.Closed.IsZero() {
		if v := b.node(b.Node); v != nil {
			lines = append(lines, "finding the cause: "+v.Node.Title)
		}
		if list, v := b.item(b.Item); v != nil {
			lines = append(lines, list.Phase.Title+": "+v.Item.Text)
		}
	}
	for i := range b.List {
		for j := range b.List[i].Items {
			if v := &b.List[i].Items[j]; v.Status == ItemIsDoing && v.Item.ID != b.Item {
				lines = append(lines, v.Item.Text+" ("+v.Done.By+" since "+hour(v.Done.At)+")")
			}
		}
	}
	open := b.State.Open()
	lines = lines[:min(len(lines), most-min(len(open), 1))]
	if n := len(open); n > 0 {
		m := open[n-1]
		until := "without an end"
		if !m.Until.IsZero() {
			until = "until " + day(m.Until)
		}
		lines = append(lines, count(n, "temporary measure")+" open, the latest: "+first(m.What, string(m.Kind))+", "+until)
	}
	if len(lines) == 0 {
		return []string{"nothing is under way"}
	}
	return lines
}

func (b *Board) nextUpdate() string {
	switch next := b.promise(); {
	case !b.open():
		return "The incident is closed: this is the last update."
	case next.IsZero():
		return "When the next update comes is not decided."
	default:
		return "Next update at " + hour(next) + "."
	}
}

// titles are the texts of items and nodes, by their ids.
func (b *Board) titles(ids []string) []string {
	var out []string
	for _, id := range ids {
		if _, v := b.item(id); v != nil {
			out = append(out, v.Item.Text)
		} else if v := b.node(id); v != nil {
			out = append(out, v.Node.Title)
		}
	}
	return out
}

// verdictReason is what a person said when they told the verdict that stands; empty
// when it rests on evidence.
func (b *Board) verdictReason() string {
	if !b.State.Marked {
		return ""
	}
	for i := range b.Flow {
		for j := range b.Flow[i].Nodes {
			if done := b.Flow[i].Nodes[j].Done; done.Verdict == b.State.Verdict && done.Reason != "" {
				return done.Reason
			}
		}
	}
	return ""
}
