package panes

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"warroom/internal/incident"
	"warroom/internal/theme"
)

// BandInfo is what the permanent band says. An empty text is left out.
type BandInfo struct {
	Environment, Drill, Mode string    // Mode is READ-ONLY or ARMED
	Frozen                   time.Time // when the frame was frozen; zero when it is live
	Share                    bool
	Armed                    time.Duration // for how long changes stay possible; counts while Mode is ARMED
	Run                      string        // what is running, in words; empty when nothing is
	RunShort                 string        // the same shorter

	Incident  string              // id of the declared incident; empty while there is none, and then the rest is not shown
	Severity  string              // SEV1 to SEV4
	Elapsed   time.Duration       // T+
	Phase     incident.PhaseClock // the phase that counts
	Update    incident.UpdateClock
	Recovered time.Time     // when service was said to be back; zero while it was not
	Measures  int           // open temporary measures that are past their end
	Measure   string        // the one that is longest so
	Overdue   time.Duration // by how much
	Closed    bool          // the incident is closed: its clocks stand
	Reading   bool          // this console only reads: another one writes
	Writer    string        // which one; empty when nobody is known to
	Trouble   string        // what is wrong with the journal, one line; empty when nothing is
}

// BandHeight is how many rows the band wants: a second one for what is wrong with
// the journal.
func BandHeight(b BandInfo) int {
	if b.Trouble != "" {
		return 2
	}
	return 1
}

// Band is the row on top that never goes away: where we are, whether anything can
// be changed, and how an incident's clocks stand. Where it does not all fit, what
// is shortened first is what can be read elsewhere. A frame of two rows has a
// second one when the journal is in trouble.
func Band(f Frame, b BandInfo) []string {
	parts := f.bandParts(&b)
	room := f.Width - 1
	at := bandClock(f)
	for {
		if f.bandWidth(parts)+at.width()+2 <= room {
			break
		}
		if b.Incident == "" || at == nil {
			at = nil
			if f.bandWidth(parts) <= room || !shorten(parts) {
				break
			}
			continue
		}
		// The time of day goes before anything of the incident does.
		if short := (spans{{theme.Band, f.Now.UTC().Format("15:04:05 UTC")}}); at.width() > short.width() {
			at = short
		} else {
			at = nil
		}
	}
	l := f.line(f.Width)
	l.fill = theme.Band
	l.limit = max(room, 0)
	bar := " " + f.Theme.Glyphs.Bar + " "
	last := -1
	for i := range parts {
		p := &parts[i]
		if p.text() == "" {
			continue
		}
		switch {
		case last < 0:
			if !p.badge() {
				l.skip(1)
			}
		case p.badge() || parts[last].badge():
			l.skip(1)
		default:
			l.put(theme.BandMuted, bar)
		}
		if p.badge() {
			l.put(p.look, " "+p.text()+" ")
		} else {
			l.put(p.look, p.text())
		}
		last = i
	}
	if at != nil {
		l.to(l.limit - at.width())
		l.spans(at)
	}
	l.limit = f.Width
	rows := []string{l.String()}
	if b.Trouble != "" && f.Height >= 2 {
		rows = append(rows, f.trouble(b.Trouble))
	}
	return rows
}

// trouble is the row that says what is wrong with the journal.
func (f Frame) trouble(s string) string {
	l := f.line(f.Width)
	l.fill = theme.FailBadge
	l.put(theme.FailBadge, " "+f.Theme.Glyphs.Fail+" JOURNAL: "+f.say(s))
	return l.String()
}

// What is copied or photographed from here is read on another day.
func bandClock(f Frame) spans {
	form := "15:04:05 UTC"
	if f.Width >= 100 {
		form = "Mon 2 Jan 15:04:05 UTC"
	}
	return spans{{theme.Band, f.Now.UTC().Format(form)}}
}

// bandPart is one thing that the band says, in ever shorter forms.
type bandPart struct {
	look  theme.Token
	forms []string // the longest first; an empty one leaves the part out
	keep  int      // how soon it is shortened: the lowest first
}

func (p *bandPart) text() string {
	if len(p.forms) == 0 {
		return ""
	}
	return p.forms[0]
}

// badge reports whether a part is drawn as a filled label.
func (p *bandPart) badge() bool {
	switch p.look {
	case theme.BandStrong, theme.Band, theme.BandMuted:
		return false
	}
	return true
}

// shorten takes the next shorter form of the part that is to be shortened first.
func shorten(parts []bandPart) bool {
	at := -1
	for i := range parts {
		if len(parts[i].forms) > 1 && (at < 0 || parts[i].keep < parts[at].keep) {
			at = i
		}
	}
	if at < 0 {
		return false
	}
	parts[at].forms = parts[at].forms[1:]
	parts[at].keep += 10
	return true
}

func (f Frame) bandWidth(parts []bandPart) int {
	n, last := 0, -1
	for i := range parts {
		p := &parts[i]
		if p.text() == "" {
			continue
		}
		w := width(p.text())
		if p.badge() {
			w += 2
		}
		switch {
		case last < 0 && p.badge():
		case last < 0, p.badge(), parts[last].badge():
			w++
		default:
			w += 3
		}
		n += w
		last = i
	}
	return n
}

// bandParts are what the band says, in the order in which it says it.
func (f Frame) bandParts(b *BandInfo) []bandPart {
	var out []bandPart
	put := func(look theme.Token, keep int, forms ...string) {
		for i := range forms {
			forms[i] = f.say(forms[i])
		}
		if forms[0] != "" {
			out = append(out, bandPart{look, forms, keep})
		}
	}
	if b.Drill != "" {
		put(theme.BandDrill, 3, "DRILL "+b.Drill, "DRILL")
	}
	if b.Incident == "" {
		put(theme.BandStrong, 9, b.Environment)
	} else {
		forms := []string{b.Environment, f.cut(f.say(b.Environment), 12)}
		if b.Mode != "ARMED" { // where something can be changed must never be a question
			forms = append(forms, "")
		}
		put(theme.BandStrong, 5, forms...)
	}
	if b.Mode == "ARMED" {
		long, short := minutes(b.Armed)
		put(theme.BandArmed, 2, f.Theme.Glyphs.Warn+" ARMED, "+long, f.Theme.Glyphs.Warn+" ARMED "+short)
	} else {
		put(theme.BandReadOnly, 99, b.Mode)
	}
	if b.Run != "" {
		put(theme.BandNotice, 3, b.Run, b.RunShort, "")
	}
	if b.Reading {
		who := "VIEWING"
		if w := f.console(b.Writer); w != "" {
			who = "VIEWING (written by " + w + ")"
		}
		put(theme.BandNotice, 1, who, "VIEWING")
	}
	if b.Trouble != "" && f.Height < 2 {
		put(theme.FailBadge, 2, f.Theme.Glyphs.Fail+" JOURNAL: "+b.Trouble, f.Theme.Glyphs.Fail+" JOURNAL")
	}
	if b.Incident != "" {
		f.bandIncident(b, put)
	}
	if !b.Frozen.IsZero() {
		put(theme.BandNotice, 6, "FROZEN "+b.Frozen.UTC().Format("15:04:05"), "FROZEN")
	}
	if b.Share {
		put(theme.BandNotice, 99, "SHARE")
	}
	return out
}

// bandIncident is the incident with its clocks: severity, T+ and what is over or
// overdue stay to the last.
func (f Frame) bandIncident(b *BandInfo, put func(theme.Token, int, ...string)) {
	put(theme.BandStrong, 0, b.Incident, "")
	put(theme.BandStrong, 99, strings.TrimSpace(cmp.Or(b.Severity, "?")+" T+ "+tplus(b.Elapsed)))
	if b.Closed {
		put(theme.BandNotice, 99, "CLOSED")
		return
	}
	if !b.Recovered.IsZero() {
		at := b.Recovered.UTC().Format("15:04")
		put(theme.BandNotice, 3, "SERVICE BACK "+at, "BACK "+at)
	}
	if b.Measures > 0 {
		more := ""
		if b.Measures > 1 {
			more = fmt.Sprintf(" +%d", b.Measures-1)
		}
		late := clock(b.Overdue)
		put(theme.FailBadge, 8, b.Measure+" overdue "+late+more, b.Measure+" late "+late+more, b.Measure+" late")
	}
	c := b.Phase
	title := strings.ToUpper(c.Title)
	kind := "PHASE"
	if c.Of == "checklist" {
		kind = "LIST"
	}
	long := fmt.Sprintf("%s %d %s ", kind, c.Number, title)
	switch s, over := counting(c, true); {
	case c.ID == "":
	case over:
		put(theme.FailBadge, 4, long+s, title+" "+s, s)
	case c.Done:
		put(theme.Band, 4, long+s, title+" done", "")
	default:
		put(theme.BandStrong, 4, long+s, title+" "+s, s, "")
	}
	switch u := b.Update; {
	case u.Due.IsZero():
	case u.Overdue > 0:
		put(theme.FailBadge, 7, "UPDATE OVERDUE "+clock(u.Overdue), "UPDATE LATE "+clock(u.Overdue), "LATE "+clock(u.Overdue))
	default:
		put(theme.BandStrong, 7, "update in "+clock(u.Left), "upd "+clock(u.Left))
	}
}

// minutes is how long changes stay possible, in whole minutes: a figure that ends
// something by itself must not count in seconds beside all the others.
func minutes(d time.Duration) (long, short string) {
	switch {
	case d <= 0:
		return "ends now", "0 min"
	case d < time.Minute:
		return "less than 1 min left", "<1 min"
	}
	short = fmt.Sprintf("%d min", int((d+time.Minute-1)/time.Minute))
	return short + " left", short
}

// console is who writes an incident and from where, in share mode without the
// host.
func (f Frame) console(s string) string {
	s = clean(s)
	if !f.Share {
		return s
	}
	user, rest, ok := strings.Cut(s, "@")
	if !ok {
		return s
	}
	if i := strings.IndexByte(rest, ' '); i >= 0 {
		return user + "@" + maskedHost + rest[i:]
	}
	return user + "@" + maskedHost
}
