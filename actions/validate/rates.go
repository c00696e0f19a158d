package validate

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"warroom/internal/estate"
)

// rate is a count of failed authentications at one time.
type rate struct {
	at     time.Time
	failed float64
	total  float64 // -1 where attempts are not counted
	window time.Duration
	before float64 // in the window before; -1 where that is not known
}

// told is something that was found and is neither right nor wrong.
type told struct{ name, text string }

// rates are the counts of failures that the console has read last, by name; none where
// there are no readings.
func (p *Procedure) rates() map[string]rate {
	out := map[string]rate{}
	if p.s.Readings == nil {
		return out
	}
	readings := p.s.Readings()
	if readings == nil {
		return out
	}
	for i := range p.topo.Components {
		id := p.topo.Components[i].ID
		for _, slot := range readings.Snapshot.Slots(id) {
			switch d := slot.Last.Data.(type) {
			case estate.FailedAuths:
				r := rate{at: slot.Last.At, failed: d.Failed, total: d.Total, window: d.Window, before: -1}
				if len(d.Earlier) > 0 {
					r.before = d.Earlier[0]
				}
				out["failures of "+d.Source] = r
			case estate.FailureRate:
				out["failures at "+string(id)] = rate{at: slot.Last.At, failed: d.Failed, total: d.Total, window: d.Window, before: -1}
			}
		}
	}
	return out
}

// falling says of every count of failures whether it falls: against the read before,
// else against the window before.
func (p *Procedure) falling(before map[string]rate) []told {
	now := p.rates()
	if len(now) == 0 {
		return []told{{"authentication failures", "nothing reads their counts here: look at them in the console"}}
	}
	var out []told
	for _, name := range sorted(now) {
		r, old := now[name], before[name]
		text := fmt.Sprintf("%.0f in %s to %s", r.failed, r.window, r.at.UTC().Format("15:04:05Z"))
		switch {
		case r.failed == 0:
			text = "none: " + text
		case !old.at.IsZero() && r.at.After(old.at) && r.failed != old.failed:
			text = direction(r.failed, old.failed) + fmt.Sprintf(": %s, %.0f in the read of %s", text, old.failed, old.at.UTC().Format("15:04:05Z"))
		case r.before >= 0:
			text = direction(r.failed, r.before) + fmt.Sprintf(": %s, %.0f in the %s before", text, r.before, r.window)
		default:
			text = "there is no second read to compare with yet: " + text
		}
		out = append(out, told{name, text})
	}
	return out
}

func direction(now, before float64) string {
	switch {
	case now < before:
		return "falling"
	case now > before:
		return "rising"
	}
	return "level"
}

func sorted(of map[string]rate) []string { return slices.Sorted(maps.Keys(of)) }
