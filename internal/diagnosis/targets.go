package diagnosis

import (
	"fmt"

	"warroom/internal/estate"
)

// target reports whether components of a kind are what secrets open.
func target(k estate.Kind) bool {
	switch k {
	case estate.KindPostgres, estate.KindExternalAPI, estate.KindGateway, estate.KindBalancer:
		return true
	}
	return false
}

// judged goes through the readings of some components: hits are those that fail,
// and what is not known is missing.
func (x *senses) judged(of func(*estate.Component) bool) (e *evidence, well int) {
	e = x.gather()
	for i := range x.t.Components {
		c := &x.t.Components[i]
		if !of(c) {
			continue
		}
		e.looks++
		one, f := &x.r.All[i], x.summary(i)
		switch one.Status {
		case estate.Fail:
			e.hit(c.Name+" "+worded(one), f)
		case estate.Unknown:
			e.miss(c.Name + ": " + cut(one.Reason, 90))
			e.gaps = append(e.gaps, f)
		default:
			well++
			e.note(f)
		}
	}
	return e, well
}

// worded is a component's word with its reason.
func worded(r *estate.Reading) string {
	if r.Reason == "" {
		return r.Word
	}
	return r.Word + ", " + cut(r.Reason, 70)
}

// targetsState: do the databases, APIs and certificates behind the secrets answer?
func (x *senses) targetsState() Finding {
	e, well := x.judged(func(c *estate.Component) bool { return target(c.Kind) })
	if n := len(e.hits); n > 0 {
		return e.finding(Against, fmt.Sprintf("%s of %s failing: %s", thousands(n), count(e.looks, "target"), few(e.hits, 2)))
	}
	return e.all(fmt.Sprintf("0 of %s failing", count(well, "target")), "no database, API or certificate is configured as a target")
}

// targetsExamined is For when state, limits and settings of every target were read,
// whatever they are.
func (x *senses) targetsExamined() Finding {
	e, _ := x.judged(func(c *estate.Component) bool { return target(c.Kind) })
	if e.looks == 0 {
		return Finding{Value: "no database, API or certificate is configured as a target"}
	}
	down, targets := len(e.hits), e.looks
	full := x.atLimit(e)
	for _, check := range [...]string{estate.CheckRole, estate.CheckReplication, estate.CheckLogin, estate.CheckTLS, estate.CheckListeners, estate.CheckAuthorizers, estate.CheckProbe} {
		for _, slot := range x.byCheck[check] {
			v := seen{slot: slot, ok: slot.Good != nil, stale: slot.IsStale(x.now)}
			if !v.absent() && !v.sure() {
				e.look(v)
			}
		}
	}
	text := fmt.Sprintf("%s of %s down, %s at a limit", thousands(down), count(targets, "target"), thousands(len(full)))
	if len(full) > 0 {
		text += " (" + names(full, 2) + ")"
	}
	if down > 0 {
		text += ": " + few(e.hits, 2)
	}
	if len(e.blind) > 0 {
		return e.finding(Unread, text+"; not read: "+few(e.blind, 2))
	}
	return e.finding(For, text)
}

// atLimit lists the targets that have no room left: connections, sessions of the
// role, calls.
func (x *senses) atLimit(e *evidence) []string {
	var full []string
	for _, v := range every[estate.Connections](x, estate.CheckConnections) {
		if !e.look(v.seen) {
			continue
		}
		d := &v.data
		at := d.Max > 0 && float64(d.Used) >= x.t.Rules.ConnectionsFail*float64(d.Max-d.Reserved)
		f := x.fact(v.seen, "Connection slots", fmt.Sprintf("%d of %d", d.Used, d.Max), bad(at, estate.Fail))
		if at {
			full = append(full, fmt.Sprintf("%s: %s connections", x.name(v.owner()), f.Value))
			e.proofs = append(e.proofs, f)
			continue
		}
		e.note(f)
	}
	for _, v := range every[estate.Role](x, estate.CheckRole) {
		if v.sure() && v.data.ConnLimit >= 0 && v.data.InUse >= v.data.ConnLimit {
			f := x.fact(v.seen, "Role connections", fmt.Sprintf("%d of %d", v.data.InUse, v.data.ConnLimit), estate.Fail)
			full = append(full, fmt.Sprintf("%s: %s sessions of %s", x.name(v.owner()), f.Value, v.data.Name))
			e.proofs = append(e.proofs, f)
		}
	}
	for _, v := range every[estate.APIProbe](x, estate.CheckAPI) {
		if !e.look(v.seen) {
			continue
		}
		d := &v.data
		at := d.Code == 429 || d.RateRemaining == 0
		f := x.fact(v.seen, "Rate limit", rate(d), bad(at, estate.Fail))
		if at {
			full = append(full, x.name(v.owner())+": "+f.Value)
			e.proofs = append(e.proofs, f)
			continue
		}
		e.note(f)
	}
	return full
}

// rate words how many calls an API has left.
func rate(d *estate.APIProbe) string {
	switch {
	case d.Code == 429:
		return "429, no calls left"
	case d.RateRemaining < 0:
		return "not stated"
	case d.RateLimit > 0:
		return fmt.Sprintf("%s of %s calls left", thousands(d.RateRemaining), thousands(d.RateLimit))
	}
	return thousands(d.RateRemaining) + " calls left"
}
