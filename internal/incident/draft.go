package incident

import (
	"fmt"
	"slices"
	"strings"

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
	lines = append(lines, bullets(b.known(5))...)
	lines = append(lines, "Being done")
	lines = append(lines, bullets(b.underWay(4))...)
	lines = append(lines, "", b.nextUpdate())
	return strings.Join(fit(lines, draftLines), "\n")
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
	for _, e := range slices.Backward(s.Decisions) {
		if d, ok := e.Data.(Decided); ok {
			lines = append(lines, "Decided "+hour(e.At)+": "+d.Text)
			break
		}
	}
	lines = append(lines, prefixed("Under way: ", b.underWay(3))...)
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
	return fit(lines, summaryLines)
}

// head says which incident it is, how bad, and how long it lasts.
func (b *Board) head() string {
	s := b.State
	parts := []string{string(s.Severity)}
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

// impact is what users feel: the applications and what stands before them, those
// that are not well by name with the reason, and how many there are of each.
func impact(r *estate.Readings, most int) []string {
	if r == nil {
		return []string{"not known: nothing was read"}
	}
	users := func(k estate.Kind) bool {
		return k == estate.KindApplication || k == estate.KindGateway || k == estate.KindBalancer
	}
	components := r.Snapshot.Topology.Components
	var n [estate.Fail + 1]int
	all := 0
	for i := range components {
		if status := r.All[i].Status; users(components[i].Kind) && status != estate.NA {
			n[status]++
			all++
		}
	}
	if all == 0 {
		return []string{"not known: no application is watched"}
	}
	var worded []string
	for _, one := range [...]struct {
		status estate.Status
		word   string
	}{{estate.Fail, "failing"}, {estate.Warn, "degraded"}, {estate.Unknown, "not known"}, {estate.OK, "well"}} {
		if n[one.status] > 0 {
			worded = append(worded, fmt.Sprintf("%d %s", n[one.status], one.word))
		}
	}
	lines := []string{fmt.Sprintf("of %s: %s", count(all, "application and entry point"), strings.Join(worded, ", "))}
	if all > 1 {
		lines[0] = fmt.Sprintf("of %d applications and entry points: %s", all, strings.Join(worded, ", "))
	}
	more := 0
	for _, i := range r.WorstFirst() {
		if !users(components[i].Kind) {
			continue
		}
		if len(lines) > most {
			more++
			continue
		}
		one := &r.All[i]
		state := one.Status.String()
		if one.Status == estate.Unknown {
			state = "not known"
		}
		lines = append(lines, components[i].Name+" "+state+": "+first(one.Reason, one.Word, "no reason was read"))
	}
	if more > 0 {
		lines[len(lines)-1] += fmt.Sprintf(" (and %d more)", more)
	}
	return lines
}

// known is what the flow has told: the verdict, the causes that the evidence
// confirmed, how many were ruled out, and what the nodes of the main line saw.
func (b *Board) known(most int) []string {
	var lines []string
	s := b.State
	if s.Verdict != "" {
		by := "by its evidence"
		if s.Marked {
			by = "by a person's word"
		}
		lines = append(lines, "the credential is "+s.Verdict+", "+by)
	}
	var causes, seen []string
	ruledOut := 0
	for i := range b.Flow {
		for j := range b.Flow[i].Nodes {
			v := &b.Flow[i].Nodes[j]
			e := v.Done.Evidence
			switch {
			case v.Status == NodeIsRegressed:
				seen = append(seen, v.Node.Title+": its evidence has turned, now "+first(v.Finding.Value, "not known"))
			case v.Done.Act == NodeRuledOut:
				ruledOut++
			case v.Done.Act != NodeDone || e.Stance != diagnosis.For.String() && v.Done.Reason == "":
			case v.Node.Group != "":
				causes = append(causes, v.Node.Title+": "+first(e.Value, v.Done.Reason))
			case e.Value != "" || v.Done.Reason != "":
				seen = append(seen, v.Node.Title+": "+first(e.Value, v.Done.Reason))
			}
		}
	}
	lines = append(lines, causes...)
	if ruledOut > 0 {
		lines = append(lines, count(ruledOut, "possibility")+" ruled out")
	}
	if len(causes) == 0 {
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

func bullets(lines []string) []string { return prefixed("- ", lines) }

func prefixed(prefix string, lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = prefix + line
	}
	return out
}

// fit makes every line one line of bearable length, and keeps at most so many.
func fit(lines []string, most int) []string {
	for i := range lines {
		lines[i] = short(clean(lines[i]), draftRunes)
	}
	return lines[:min(len(lines), most)]
}
