package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"warroom/internal/estate"
)

// serves reports whether a kind of component is what users feel.
func serves(k estate.Kind) bool {
	return k == estate.KindApplication || k == estate.KindGateway || k == estate.KindBalancer
}

// impactAssessed is For when every service and every count of logins was read,
// whatever they say.
func (x *senses) impactAssessed() Finding {
	e := x.gather()
	var down, degraded []string
	services := 0
	for i := range x.t.Components {
		c := &x.t.Components[i]
		if !serves(c.Kind) {
			continue
		}
		services++
		e.looks++
		f := x.summary(i)
		switch x.r.All[i].Status {
		case estate.Fail:
			down = append(down, c.Name)
			e.proofs = append(e.proofs, f)
		case estate.Warn:
			degraded = append(degraded, c.Name)
			e.note(f)
		case estate.Unknown:
			e.miss(c.Name + ": " + cut(x.r.All[i].Reason, 80))
			e.gaps = append(e.gaps, f)
		default:
			e.note(f)
		}
	}
	rates := x.refusals(e)
	if services == 0 && len(rates) == 0 && len(e.blind) == 0 {
		return Finding{Value: "no service and no count of logins is configured"}
	}
	text := fmt.Sprintf("%s of %s down", thousands(len(down)), count(services, "service"))
	if len(down) > 0 {
		text += " (" + names(down, 2) + ")"
	}
	if len(degraded) > 0 {
		text += ", " + thousands(len(degraded)) + " degraded"
	}
	for i, r := range rates {
		if i == 2 {
			break
		}
		text += ", " + r.words
	}
	if len(rates) == 0 {
		e.miss("nothing is configured that counts refused logins")
	}
	if len(e.blind) > 0 {
		return e.finding(Unread, text+"; not read: "+few(e.blind, 2))
	}
	return e.finding(For, text)
}

// refusal is one count of refused logins or calls.
type refusal struct {
	words string
	over  bool // more than is well
	fact  Fact
	share float64 // -1 when attempts are not counted
	vague bool    // it cannot be told whether it is much
}

// refusals gathers what counts refused logins and calls, the largest share first.
func (x *senses) refusals(e *evidence) []refusal {
	var out []refusal
	for _, v := range every[estate.FailureRate](x, estate.CheckAuthFailures) {
		if !e.look(v.seen) {
			continue
		}
		d := &v.data
		out = append(out, x.refusal(v.seen, "calls at "+x.name(v.owner()), d.Failed, d.Total, nil, estate.Span(d.Window)))
	}
	for _, v := range every[estate.FailedAuths](x, estate.CheckFailedAuths) {
		if !e.look(v.seen) {
			continue
		}
		d := &v.data
		if x.countedAt(v.slot.Last.Key) {
			continue
		}
		if d.Partial {
			e.miss(d.Source + ": there was more than one read may count")
		}
		if d.Total == 0 && d.Failed == 0 {
			d.Total = -1 // nobody tried
		}
		out = append(out, x.refusal(v.seen, v.slot.Last.Key.Item, d.Failed, d.Total, d.Earlier, estate.Span(d.Window)))
	}
	return out
}

// refusal judges one count: by its share where attempts are counted, else by what
// was usual before.
func (x *senses) refusal(v seen, what string, failed, total float64, earlier []float64, window string) refusal {
	r := refusal{share: -1}
	switch {
	case total > 0:
		r.share = min(failed/total, 1)
		r.over = r.share >= x.t.Rules.AuthFailuresWarn
		r.words = fmt.Sprintf("%s of %s refused (%s of %s in %s)", percent(r.share), what, thousands(int(failed)), thousands(int(total)), window)
	case len(earlier) > 0:
		usual := (&estate.FailedAuths{Earlier: earlier}).Usual()
		r.over = failed >= x.t.Rules.AnomalyFloor && failed > x.t.Rules.AnomalyFactor*usual
		// While something fails, what is usual may be the trouble's own.
		r.vague = failed >= x.t.Rules.AnomalyFloor && len(x.failing.all) > 0
		r.words = fmt.Sprintf("%s refused %s in %s, usually %.0f", what, thousands(int(failed)), window, usual)
	default:
		r.vague = failed > 0
		r.words = fmt.Sprintf("%s refused %s in %s", what, thousands(int(failed)), window)
	}
	status := bad(r.over, estate.Fail)
	if r.over && r.share < x.t.Rules.AuthFailuresFail {
		status = estate.Warn
	}
	r.fact = x.fact(v, "Refused "+what, r.words, status)
	return r
}

// countedAt reports whether a gateway's own count tells of what a source of an
// access monitor counts.
func (x *senses) countedAt(k estate.Key) bool {
	c, _ := x.t.Component(k.Component)
	for i, source := range c.Sources {
		if source != k.Item || i >= len(c.Of) {
			continue
		}
		_, counted := x.s.Slot(estate.Key{Component: c.Of[i], Check: estate.CheckAuthFailures})
		return counted
	}
	return false
}

// authRecovering is For when every count of refused logins is below the share, or
// the count, that warns.
func (x *senses) authRecovering() Finding {
	e := x.gather()
	var told []string
	for _, r := range x.refusals(e) {
		if r.over {
			e.hit(r.words, r.fact)
			continue
		}
		if r.vague {
			e.miss(r.words + ": attempts are not counted, so no share is known")
		}
		told = append(told, r.words)
		e.note(r.fact)
	}
	so := "under " + percent(x.t.Rules.AuthFailuresWarn) + " refused"
	if len(told) > 0 {
		so += ": " + few(told, 2)
	}
	return e.all(so, "nothing is configured that counts refused logins")
}

// changesReviewed is For when everything that changed since the last good rotation
// was read.
func (x *senses) changesReviewed() Finding {
	if !x.s.TellsChanges() {
		return Finding{Value: noChanges}
	}
	e := x.gather()
	for _, check := range [...]string{estate.CheckChanges, estate.CheckRevisions} {
		for _, slot := range x.byCheck[check] {
			if v := x.seenOf(slot); v.sure() {
				e.read = append(e.read, v)
			}
		}
	}
	for _, u := range x.unread {
		e.miss(u.What + ": " + cut(u.Why, 80))
	}
	var all []*estate.RecentChange
	for i := range x.changes {
		c := &x.changes[i]
		if !c.Routine() && !c.ByRotation {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b *estate.RecentChange) int { return cmp.Or(telling(b)-telling(a), nearer(a, b)) })
	for _, c := range all {
		e.hit(x.change(c), x.changed(c))
	}
	window := x.window()
	text := count(len(all), "change") + " in " + estate.Span(window)
	if len(e.hits) > 0 {
		text += ": " + few(e.hits, 2)
	}
	if s := x.beyond(); s != nil {
		e.miss(fmt.Sprintf("what changed between the last rotation of %s %s and %s ago", s.Secret.ID, estate.Ago(x.now, s.Described.LastRotated), estate.Span(window)))
	}
	if len(e.blind) > 0 {
		return e.finding(Unread, text+"; not read: "+few(e.blind, 2))
	}
	return e.finding(For, text)
}

// telling orders changes by how often their like is the cause: rules of the network,
// then rights, then the rest.
func telling(c *estate.RecentChange) int {
	switch {
	case closes(c):
		return 2
	case strings.Contains(c.What, "Policy") || strings.Contains(c.What, "KeyRotation") || strings.Contains(c.What, "DisableKey"):
		return 1
	}
	return 0
}

// beyond is a failed secret whose last good rotation lies before the window of the
// changes; nil when there is none.
func (x *senses) beyond() *estate.Standing {
	if len(x.failing.all) == 0 {
		return nil
	}
	from := x.now.Add(-x.window())
	for _, s := range x.focus {
		if at := s.Described.LastRotated; s.RotationStatus == estate.Fail && !at.IsZero() && at.Before(from) {
			return s
		}
	}
	return nil
}
