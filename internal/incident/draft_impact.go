package incident

import (
	"fmt"
	"strings"

	"warroom/internal/estate"
)

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

func bullets(lines []string) []string { return prefixed("- ", lines) }

func prefixed(prefix string, lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = prefix + line
	}
	return out
}

// fit makes every line one line of bearable length, and keeps at most so many.
func fit(lines []string, most, runes int) []string {
	out := make([]string, 0, len(lines))
	for _, line := range lines[:min(len(lines), most)] {
		out = append(out, short(clean(line), runes))
	}
	return out
}
