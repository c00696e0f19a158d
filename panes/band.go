package panes

import (
	"time"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// BandInfo is what the permanent band says. An empty text is left out.
type BandInfo struct {
	Environment, Drill, Mode                     string // Mode is READ-ONLY or ARMED
	Incident, Severity, Clock, Phase, NextUpdate string
	Frozen                                       time.Time // when the frame was frozen; zero when it is live
	Share                                        bool
	Viewers                                      string
	Status                                       estate.Status
}

// Band is the row on top that never goes away: where we are, whether anything
// can be changed, and how far into the incident. When a frame two rows high is
// too narrow for one row, it is two.
func Band(f Frame, b BandInfo) []string {
	type part struct {
		s     spans
		badge bool
	}
	var left, right []part
	put := func(list *[]part, label string, k theme.Token, s string) {
		if s = f.say(s); s == "" {
			return
		}
		filled := k != theme.Band && k != theme.BandStrong
		if filled {
			*list = append(*list, part{spans{{k, " " + s + " "}}, true})
			return
		}
		p := part{}
		if label != "" {
			p.s = append(p.s, span{theme.BandMuted, label + " "})
		}
		p.s = append(p.s, span{k, s})
		*list = append(*list, p)
	}
	if b.Drill != "" {
		put(&left, "", theme.BandDrill, "DRILL "+b.Drill)
	}
	put(&left, "", theme.BandStrong, b.Environment)
	switch {
	case b.Mode == "ARMED":
		put(&left, "", theme.BandArmed, b.Mode)
	default:
		put(&left, "", theme.BandReadOnly, b.Mode)
	}
	if !b.Frozen.IsZero() {
		put(&left, "", theme.BandNotice, "FROZEN "+b.Frozen.UTC().Format("15:04:05"))
	}
	if b.Share {
		put(&left, "", theme.BandNotice, "SHARE")
	}
	put(&right, "", theme.BandStrong, b.Severity)
	put(&right, "", theme.Band, b.Incident)
	incident := len(right) - 1 // in two rows it stands in the first
	if b.Incident == "" {
		incident = -1
	}
	put(&right, "", theme.BandStrong, b.Clock)
	put(&right, "", theme.BandStrong, b.Phase)
	put(&right, "update", theme.Band, b.NextUpdate)
	put(&right, "viewers", theme.Band, b.Viewers)
	clock := spans{{theme.Band, f.Now.UTC().Format("15:04:05") + " UTC"}}

	bar := " " + f.Theme.Glyphs.Bar + " "
	join := func(parts []part) (out spans) {
		for i, p := range parts {
			if i > 0 {
				gap := span{theme.BandMuted, bar}
				if p.badge || parts[i-1].badge {
					gap = span{theme.Band, " "}
				}
				out = append(out, gap)
			}
			out = append(out, p.s...)
		}
		return out
	}
	row := func(a, z spans) string {
		l := f.line(f.Width)
		l.fill = theme.Band
		l.limit = max(f.Width-1, 0)
		if len(a) > 0 && a[0].k == theme.Band || len(a) > 0 && a[0].k == theme.BandStrong {
			l.skip(1)
		}
		if w := z.width(); w > 0 && l.at+a.width()+2+w <= l.limit {
			l.spans(a).to(l.limit - w)
			l.spans(z)
		} else {
			l.spans(a)
		}
		l.limit = f.Width
		return l.String()
	}
	// What matters most stands first: of what does not fit whole parts go from
	// the end, but never those that say whether something can be changed.
	fit := func(parts []part, keep int) spans {
		for len(parts) > keep && join(parts).width()+2 > f.Width {
			parts = parts[:len(parts)-1]
		}
		return join(parts)
	}
	all := append(append([]part(nil), left...), right...)
	if join(all).width()+2 <= f.Width || f.Height < 2 || len(right) == 0 {
		return []string{row(fit(all, len(left)), clock)}
	}
	kept := len(left)
	if incident >= 0 {
		left = append(left, right[incident])
		right = append(right[:incident:incident], right[incident+1:]...)
	}
	if len(right) == 0 {
		return []string{row(fit(left, kept), clock)}
	}
	return []string{row(fit(left, kept), clock), row(fit(right, 1), nil)}
}
