package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"warroom/internal/estate"
)

// dialled reports whether a check of a component goes over the network to a store
// or a target: what the rotation has to reach too.
func dialled(k estate.Kind) bool {
	switch k {
	case estate.KindPostgres, estate.KindExternalAPI, estate.KindVault, estate.KindSecretsManager:
		return true
	}
	return false
}

// dials gathers our own attempts that failed in one of some ways, a component at a
// time.
func (x *senses) dials(e *evidence, what string, kinds ...estate.FailureKind) {
	for i := range x.t.Components {
		c := &x.t.Components[i]
		if !dialled(c.Kind) {
			continue
		}
		told := false
		for _, slot := range x.s.Slots(c.ID) {
			v := x.seenOf(slot)
			if v.absent() || v.kind() == estate.NotYetRead {
				continue
			}
			if slices.Contains(kinds, v.kind()) && x.recent(slot) && !told {
				told = true
				e.hit(c.Name+" "+what+" from here", x.lost(v, slot.Last.Key.Check))
			}
		}
	}
}

// reached counts the stores and targets that answer us, and notes those of which
// nothing is known.
func (x *senses) reached(e *evidence) (n int) {
	for i := range x.t.Components {
		c := &x.t.Components[i]
		if !dialled(c.Kind) || len(x.s.Slots(c.ID)) == 0 {
			continue
		}
		e.looks++
		var dark *estate.Slot
		answered := false
		for _, slot := range x.s.Slots(c.ID) {
			if v := x.seenOf(slot); v.sure() || x.recent(slot) && answers(v.kind()) {
				answered = true
				if len(e.read) < factsKept {
					e.read = append(e.read, v)
				}
				break
			}
			dark = slot
		}
		if answered {
			n++
			continue
		}
		e.miss(x.why(x.seenOf(dark)))
	}
	return n
}

// answers reports whether a failure is one that the system itself told us: it was
// reached.
func answers(k estate.FailureKind) bool {
	switch k {
	case estate.Denied, estate.NoIdentity, estate.Throttled, estate.NotSupported, estate.Sealed, estate.Uninitialised, estate.ServerError, estate.BadAnswer, estate.Missing:
		return true
	}
	return false
}

// networkTimeout: does the rotation, or do we, get no answer in time?
func (x *senses) networkTimeout() Finding {
	e := x.faulty(timedOut)
	for _, v := range every[estate.FunctionMetrics](x, estate.CheckFunctionMetrics) {
		cfg, ok := one[estate.FunctionConfig](x, v.owner(), estate.CheckFunction, "")
		if !e.look(v.seen) || !ok || !cfg.sure() || cfg.data.Timeout <= 0 {
			continue
		}
		longest := x.fact(v.seen, "Longest run", fmt.Sprintf("%s of a timeout of %s", v.data.MaxDuration.Round(10*time.Millisecond), cfg.data.Timeout), estate.OK)
		if v.data.MaxDuration >= cfg.data.Timeout && v.data.LastErrors > 0 {
			longest.Status = estate.Fail
			e.hit(fmt.Sprintf("%s runs into its timeout of %s", x.name(v.owner()), cfg.data.Timeout), longest)
			continue
		}
		e.note(longest)
	}
	x.dials(e, "does not answer", estate.Silent)
	n := x.reached(e)
	return e.any("no run timed out, and "+reachable(n), "no function, store or target is configured")
}

// walls are parts of the names of calls that open or close a way through the
// network.
var walls = []string{"SecurityGroup", "NetworkAcl", "Route", "VpcEndpoint", "FirewallRule", "FirewallPolicy", "NatGateway", "TransitGateway", "VpcPeering"}

// closes reports whether a change may have closed a way through the network: one
// that was made, of a rule, and not only let more in.
func closes(c *estate.RecentChange) bool {
	return c.Failed == "" && !strings.HasPrefix(c.What, "Authorize") &&
		slices.ContainsFunc(walls, func(w string) bool { return strings.Contains(c.What, w) })
}

// nearer puts what touches a component of the estate before what does not.
func nearer(a, b *estate.RecentChange) int {
	return min(len(b.Components), 1) - min(len(a.Components), 1)
}

// reachable words how many stores and targets answer.
func reachable(n int) string {
	if n == 1 {
		return "the 1 store or target answers"
	}
	return "all " + thousands(n) + " stores and targets answer"
}

// networkFirewall: does something in between let nothing through? A changed rule
// counts only while something gets no answer.
func (x *senses) networkFirewall() Finding {
	e := x.faulty(blocked)
	silent := x.faulty(timedOut)
	x.dials(silent, "does not answer", estate.Silent)
	n := x.reached(e)
	var changed []*estate.RecentChange
	if len(x.byCheck[estate.CheckChanges]) > 0 {
		if len(silent.hits) > 0 {
			x.look(e)
		}
		for i := range x.changes {
			if c := &x.changes[i]; closes(c) {
				changed = append(changed, c)
			}
		}
		slices.SortStableFunc(changed, nearer)
		for _, c := range changed {
			if len(silent.hits) > 0 {
				e.hit(x.change(c), x.changed(c))
			} else {
				e.note(x.changed(c))
			}
		}
	} else if len(silent.hits) > 0 {
		e.miss("something gets no answer, and nothing is configured that tells of changed rules")
	}
	if len(changed) > 0 && len(silent.hits) > 0 {
		e.proofs = append(e.proofs, silent.proofs...)
		return e.finding(For, few(e.hits, 1)+"; now "+silent.hits[0])
	}
	none := "nothing is blocked: " + reachable(n)
	switch {
	case len(silent.hits) > 0:
		none = "no rule changed in " + estate.Span(x.window()) + ", though " + silent.hits[0]
	case len(changed) > 0:
		none = "nothing times out since " + x.change(changed[0])
	}
	return e.any(none, "no function, store or target is configured")
}

// networkDNS: does a name not resolve, for the rotation or for us?
func (x *senses) networkDNS() Finding {
	e := x.faulty(unresolved)
	x.dials(e, "does not resolve", estate.Unresolved)
	n := x.reached(e)
	return e.any("every name resolves: "+reachable(n)+", and no run says otherwise", "no function, store or target is configured")
}

// networkStores: is every secret store to be reached, and does it serve?
func (x *senses) networkStores() Finding {
	e := x.gather()
	var well []string
	for i := range x.t.Components {
		c := &x.t.Components[i]
		if c.Kind != estate.KindVault && c.Kind != estate.KindSecretsManager || len(x.s.Slots(c.ID)) == 0 {
			continue
		}
		e.looks++
		var out, dark, good *estate.Slot
		for _, slot := range x.s.Slots(c.ID) {
			switch v := x.seenOf(slot); {
			case v.absent():
			case v.sure() || answers(v.kind()) && x.recent(slot):
				if good == nil || slot.TriedAt().After(good.TriedAt()) {
					good = slot
				}
			case unreachable(v.kind()) && x.recent(slot):
				if out == nil || slot.TriedAt().After(out.TriedAt()) {
					out = slot
				}
			default:
				dark = slot
			}
		}
		seal, _ := one[estate.VaultSeal](x, c.ID, estate.CheckVaultSeal, "")
		health, _ := one[estate.VaultHealth](x, c.ID, estate.CheckVaultHealth, "")
		switch {
		case seal.sure() && seal.data.Sealed:
			e.hit(c.Name+" is sealed", x.fact(seal.seen, "Seal status", "SEALED", estate.Fail))
		case health.sure() && health.data.Sealed:
			e.hit(c.Name+" is sealed", x.fact(health.seen, "Seal status", "SEALED", estate.Fail))
		case out != nil && (good == nil || out.TriedAt().After(good.TriedAt())):
			e.hit(c.Name+": "+string(x.seenOf(out).kind()), x.lost(x.seenOf(out), out.Last.Key.Check))
		case good != nil:
			well = append(well, c.Name)
			f := x.fact(x.seenOf(good), good.Last.Key.Check, "reached", estate.OK)
			if !x.seenOf(good).sure() {
				f = x.lost(x.seenOf(good), good.Last.Key.Check)
			}
			if t := good.Last.Took; t > 0 {
				f.Value += " in " + t.Round(time.Millisecond).String()
			}
			e.note(f)
		case dark != nil:
			e.miss(x.why(x.seenOf(dark)))
			e.gaps = append(e.gaps, x.fact(x.seenOf(dark), dark.Last.Key.Check, "", estate.Unknown))
		}
	}
	return e.all("0 of "+count(len(well), "store")+" out of reach: "+names(well, 3), "no secret store is configured")
}

// unreachable reports whether a failure is of the way to a system.
func unreachable(k estate.FailureKind) bool {
	return k == estate.Silent || k == estate.Refused || k == estate.Unresolved
}

// failureNetwork: does the rotation not get there?
func (x *senses) failureNetwork() Finding {
	f := x.oneOf(line{"network.firewall", (*senses).networkFirewall}, line{"network.timeout", (*senses).networkTimeout}, line{"network.dns", (*senses).networkDNS})
	if wall := x.ask("network.firewall", (*senses).networkFirewall); wall.Stance == For {
		f.Value = wall.Value // which tells of the time-outs too
	}
	return f
}
