package panes

import (
	"time"

	"warroom/internal/incident"
	"warroom/internal/theme"
)

// BandInfo is what the permanent band says. An empty text is left out.
type BandInfo struct {
	Environment, Drill, Mode string    // Mode is READ-ONLY or ARMED
	Frozen                   time.Time // when the frame was frozen; zero when it is live
	Share                    bool

	Incident string              // id of the declared incident; empty while there is none, and then the rest is not shown
	Severity string              // SEV1 to SEV4
	Elapsed  time.Duration       // T+
	Phase    incident.PhaseClock // the phase that counts
	Update   incident.UpdateClock
	Closed   bool   // the incident is closed: its clocks stand
	Reading  bool   // this console only reads: another one writes
	Writer   string // which one; empty when nobody is known to
	Trouble  string // what is wrong with the journal, one line; empty when nothing is
}

// BandHeight is how many rows the band wants: a second one for what is wrong with
// the journal.
func BandHeight(b BandInfo) int {
	if b.Trouble != "" {
		return 2
	}
	return 1
}

// Band is the row on top that never goes away: where we are, whether anything
// can be changed, and what time it is.
func Band(f Frame, b BandInfo) []string {
	type part struct {
		s     spans
		badge bool
	}
	var parts []part
	put := func(k theme.Token, s string) {
		s = f.say(s)
		switch {
		case s == "":
		case k == theme.BandStrong:
			parts = append(parts, part{spans{{k, s}}, false})
		default:
			parts = append(parts, part{spans{{k, " " + s + " "}}, true})
		}
	}
	if b.Drill != "" {
		put(theme.BandDrill, "DRILL "+b.Drill)
	}
	put(theme.BandStrong, b.Environment)
	switch {
	case b.Mode == "ARMED":
		put(theme.BandArmed, b.Mode)
	default:
		put(theme.BandReadOnly, b.Mode)
	}
	if !b.Frozen.IsZero() {
		put(theme.BandNotice, "FROZEN "+b.Frozen.UTC().Format("15:04:05"))
	}
	if b.Share {
		put(theme.BandNotice, "SHARE")
	}
	// What is copied or photographed from here is read on another day.
	form := "15:04:05 UTC"
	if f.Width >= 100 {
		form = "Mon 2 Jan 15:04:05 UTC"
	}
	clock := spans{{theme.Band, f.Now.UTC().Format(form)}}

	bar := " " + f.Theme.Glyphs.Bar + " "
	var all spans
	for i, p := range parts {
		if i > 0 {
			gap := span{theme.BandMuted, bar}
			if p.badge || parts[i-1].badge {
				gap = span{theme.Band, " "}
			}
			all = append(all, gap)
		}
		all = append(all, p.s...)
	}
	l := f.line(f.Width)
	l.fill = theme.Band
	l.limit = max(f.Width-1, 0)
	if len(parts) > 0 && !parts[0].badge {
		l.skip(1)
	}
	if w := clock.width(); l.at+all.width()+2+w <= l.limit {
		l.spans(all).to(l.limit - w)
		l.spans(clock)
	} else {
		l.spans(all)
	}
	l.limit = f.Width
	return []string{l.String()}
}
