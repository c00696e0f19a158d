package diagnosis

import (
	"slices"
	"strings"

	"warroom/internal/estate"
)

// accessEmergency: which way in does not need the failed secret? What is seen to
// open a target counts first; what people declared as a fallback is told beside it.
func (x *senses) accessEmergency() Finding {
	if len(x.failing.all) == 0 {
		return x.secretsFailed()
	}
	e := x.gather()
	failed := map[string]bool{}
	for _, id := range x.failedIDs() {
		failed[id] = true
	}
	var doors []string // components that a failed secret opens
	places := map[string][]string{}
	var order []string
	for i := range x.t.Components {
		c := &x.t.Components[i]
		if !target(c.Kind) || !x.focused(c) {
			continue
		}
		doors = append(doors, c.Name)
		for _, way := range x.waysInto(e, c, failed) {
			if places[way] == nil {
				order = append(order, way)
			}
			places[way] = append(places[way], c.Name)
		}
	}
	for _, way := range order {
		e.hit(way + " opens " + strings.Join(places[way], " and "))
	}
	declared, none := x.fallbacks(e)
	var told []string
	if len(declared) > 0 {
		told = append(told, "fallback of "+names(declared, 2))
	}
	if len(none) > 0 {
		told = append(told, "no fallback: "+names(none, 3))
	}
	text := few(e.hits, 2)
	switch {
	case len(e.hits) > 0:
		return e.finding(For, strings.Join(append([]string{text}, told...), "; "))
	case len(e.blind) > 0:
		return e.finding(Unread, strings.Join(append([]string{few(e.blind, 2)}, told...), "; "))
	case e.looks == 0 && len(declared) == 0:
		return Finding{Value: "no second account, no other version and no fallback is configured"}
	case e.looks == 0:
		return Finding{Value: "nothing tries another way in; " + strings.Join(told, "; ")}
	case len(declared) > 0:
		return e.finding(For, "no other login works; "+strings.Join(told, "; "))
	}
	return e.finding(Against, "no other login works at "+names(doors, 3)+", and no fallback is declared")
}

// focused reports whether a component uses one of the secrets in question.
func (x *senses) focused(c *estate.Component) bool {
	return slices.ContainsFunc(c.Secrets, func(id string) bool { return id != c.Monitor && x.focal[id] })
}

// waysInto lists what opens a component without the current version of a failed
// secret: the account with which it is read, and other versions.
func (x *senses) waysInto(e *evidence, c *estate.Component, failed map[string]bool) []string {
	var out []string
	if c.Monitor != "" && !failed[c.Monitor] && !slices.Contains(x.uses(c), c.Monitor) {
		for _, check := range [...]string{estate.CheckRole, estate.CheckConnections} {
			slot, ok := x.s.Slot(estate.Key{Component: c.ID, Check: check})
			if !ok {
				continue
			}
			v := seen{slot: &slot, ok: slot.Good != nil, stale: slot.IsStale(x.now)}
			if v.absent() {
				continue
			}
			if e.look(v) {
				out = append(out, c.Monitor)
				e.proofs = append(e.proofs, x.fact(v, "Opened by "+c.Monitor, "a session was opened and read "+check, estate.OK))
				break
			}
		}
	}
	for i := range x.tries {
		t := &x.tries[i]
		if t.owner() != c.ID || t.stage == estate.StageCurrent && failed[t.secret] && !t.accepted {
			continue
		}
		e.looks++
		switch {
		case t.accepted:
			out = append(out, t.version()+" of "+t.secret)
			e.proofs = append(e.proofs, t.fact(x))
		case !t.sure():
			e.miss(x.why(t.seen))
		default:
			e.note(t.fact(x))
		}
	}
	return out
}

// uses lists the secrets that a component needs for its work.
func (x *senses) uses(c *estate.Component) []string {
	return slices.DeleteFunc(slices.Clone(c.Secrets), func(s string) bool { return s == c.Monitor })
}

// fallbacks lists what people declared of the services that use the secrets in
// question: what still works without them, and who has nothing.
func (x *senses) fallbacks(e *evidence) (declared, none []string) {
	for i := range x.t.Components {
		c := &x.t.Components[i]
		if c.Kind != estate.KindApplication && c.Kind != estate.KindPostgres && c.Kind != estate.KindExternalAPI || !x.focused(c) {
			continue
		}
		switch {
		case c.Fallback != "":
			declared = append(declared, c.Name+": "+c.Fallback)
			e.note(Fact{Component: c.ID, Name: "Fallback", Value: c.Fallback, Status: estate.NA, Source: "fallback in warroom.yaml"})
		case c.Kind == estate.KindApplication:
			none = append(none, c.Name)
			e.note(Fact{Component: c.ID, Name: "Fallback", Value: "NONE", Status: estate.NA, Source: "fallback in warroom.yaml"})
		}
	}
	return declared, none
}
