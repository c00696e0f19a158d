package diagnosis

import (
	"fmt"
	"strings"
	"time"

	"warroom/internal/estate"
)

// secretsFailed names the secrets whose rotation fails. A list that is not whole
// is no answer to "which", but what is known of it is told.
func (x *senses) secretsFailed() Finding {
	f := x.failing
	e := evidence{x: x, proofs: f.proofsOf(factsKept), gaps: f.gaps, blind: f.blind, looks: f.looks}
	switch {
	case f.looks == 0:
		return Finding{Value: "no store, account, Vault or job is configured that tells of rotations"}
	case len(f.all) == 0 && len(f.blind) > 0:
		return e.unreadable()
	case len(f.all) == 0:
		e.rest()
		return e.finding(For, fmt.Sprintf("0 failed: all of %s that were read rotate in time", count(f.watched, "watched secret")))
	case len(f.blind) > 0:
		return e.finding(For, fmt.Sprintf("at least %s failed: %s; not read: %s", thousands(len(f.all)), f.named(3), few(f.blind, 1)))
	}
	return e.finding(For, fmt.Sprintf("%s failed: %s", thousands(len(f.all)), f.named(3)))
}

// rest puts the reads of descriptions and events behind a finding that found
// nothing amiss in them.
func (e *evidence) rest() {
	x := e.x
	for _, check := range [...]string{estate.CheckRotationEvents, estate.CheckDescribe, estate.CheckVaultStaticRoles, estate.CheckJob} {
		for _, slot := range x.byCheck[check] {
			if len(e.facts) >= factsKept {
				return
			}
			v := seen{slot: slot, ok: slot.Good != nil, stale: slot.IsStale(x.now)}
			if v.sure() {
				e.note(x.fact(v, check, "read, no failure", estate.OK))
			}
		}
	}
}

// secretsIdentified is For only when nothing that would tell is unread.
func (x *senses) secretsIdentified() Finding {
	f := x.secretsFailed()
	n := len(x.failing.blind)
	if f.Stance != For {
		return f
	}
	if n > 0 {
		f.Stance = Unread
		f.Value = fmt.Sprintf("%s failed so far, %s unread: %s", thousands(len(x.failing.all)), thousands(n), few(x.failing.blind, 2))
		return f
	}
	f.Value = fmt.Sprintf("%s failed, 0 unread", thousands(len(x.failing.all)))
	if len(x.failing.all) > 0 {
		f.Value += ": " + x.failing.named(3)
	}
	return f
}

// secretsDependencies says which services live on the failed secrets.
func (x *senses) secretsDependencies() Finding {
	if f := x.failing; f.looks == 0 || len(f.all) == 0 && len(f.blind) > 0 {
		return x.secretsFailed()
	}
	e := x.gather()
	e.blind = append(e.blind, x.failing.blind...)
	if len(x.failing.all) == 0 {
		if len(e.blind) > 0 {
			return e.unreadable()
		}
		e.rest()
		return e.finding(For, "0 services: no secret failed")
	}
	var services []string
	seenOf := map[estate.ID]bool{}
	for _, s := range x.focus {
		for i := range x.t.Components {
			c := &x.t.Components[i]
			if seenOf[c.ID] || !consumer(c.Kind) || !x.t.Through(c.ID, s.Secret.ID) {
				continue
			}
			seenOf[c.ID] = true
			one := &x.r.All[i]
			services = append(services, strings.TrimSuffix(c.Name+" ("+string(c.Criticality), " (")+map[bool]string{true: ") ", false: " "}[c.Criticality != ""]+one.Word)
			if one.Status == estate.Unknown {
				e.miss(c.Name + ": " + one.Reason)
			}
			e.hit(c.Name, x.summary(i))
		}
	}
	text := count(len(services), "service") + " on " + names(x.failedIDs(), 2)
	if len(services) > 0 {
		text += ": " + names(services, 4)
	}
	if n := x.failing.unwatched(); n > 0 {
		text += fmt.Sprintf("; who uses the other %s is not in warroom.yaml", thousands(n))
	}
	if x.failing.unwatched() == len(x.failing.all) {
		e.miss(fmt.Sprintf("none of the %s is in warroom.yaml, so nobody says who uses them: %s", count(len(x.failing.all), "failed secret"), x.failing.named(2)))
	}
	if len(e.blind) > 0 {
		if len(services) > 0 {
			return e.finding(Unread, text+"; not read: "+few(e.blind, 1))
		}
		return e.unreadable()
	}
	return e.finding(For, text)
}

// consumer reports whether components of a kind serve others with the secrets that
// they use.
func consumer(k estate.Kind) bool {
	switch k {
	case estate.KindApplication, estate.KindGateway, estate.KindBalancer, estate.KindExternalAPI:
		return true
	}
	return false
}

// failedIDs are the names of the watched secrets that fail.
func (x *senses) failedIDs() []string {
	var out []string
	for i := range x.failing.all {
		if f := &x.failing.all[i]; f.item != nil {
			out = append(out, f.name)
		}
	}
	return out
}

// summary is a component's own reading as a fact.
func (x *senses) summary(i int) Fact {
	one := &x.r.All[i]
	f := Fact{Component: one.ID, Name: x.name(one.ID), Value: one.Word, Status: one.Status, At: one.At}
	if one.Reason != "" {
		f.Value += ": " + cut(one.Reason, 120)
	}
	for _, fact := range one.Facts {
		if fact.Headline && fact.Source != "" && fact.Status == one.Status {
			f.Source, f.Stale = fact.Source, fact.Stale
			break
		}
	}
	return f
}

// secretsExpiry says when each failed secret ends and how long it is honoured after
// that.
func (x *senses) secretsExpiry() Finding {
	if f := x.failing; f.looks == 0 || len(f.all) == 0 && len(f.blind) > 0 {
		return x.secretsFailed()
	}
	e := x.gather()
	var told []string
	for _, s := range x.focus {
		if s.Slot == nil {
			continue
		}
		v := x.seenOf(s.Slot)
		if !e.look(v) {
			continue
		}
		source := v
		if s.EndSlot != nil {
			source = seen{slot: s.EndSlot, ok: s.EndSlot.Good != nil, stale: s.EndSlot.IsStale(x.now)}
			if !e.look(source) {
				continue
			}
		}
		switch {
		case s.Lost:
			e.miss(s.Secret.ID + ": " + cut(s.Note, 90))
		case s.Ends.IsZero():
			if len(x.failing.all) > 0 {
				told = append(told, s.Secret.ID+" has no end")
			}
			e.note(x.fact(source, s.Secret.ID, "no end", estate.OK))
		default:
			text, status := s.Secret.ID+" "+passed(x.now, s.Ends)+", "+grace(s.Secret.Grace, s.Ends, x.now), estate.OK
			if !s.Ends.After(x.now) {
				status = estate.Fail
			}
			told = append(told, text)
			e.hit(text, x.fact(source, "Ends", s.Ends.UTC().Format("2006-01-02 15:04 UTC")+", "+grace(s.Secret.Grace, s.Ends, x.now), status))
		}
	}
	for i := range x.failing.all {
		f := &x.failing.all[i]
		if f.item != nil {
			continue
		}
		if ends, slot, ok := x.inventoryEnd(f.name); ok {
			told = append(told, f.name+" "+passed(x.now, ends))
			e.note(x.fact(slot, f.name, passed(x.now, ends)+" by its tag", bad(!ends.After(x.now), estate.Fail)))
		}
	}
	if n := x.failing.unwatched(); n > 0 {
		told = append(told, count(n, "other")+" not in warroom.yaml, without a tag that ends them")
	}
	e.blind = append(e.blind, x.failing.blind...)
	if len(e.blind) > 0 {
		return e.finding(Unread, strings.TrimPrefix(few(told, 2)+"; not read: "+few(e.blind, 2), "; "))
	}
	if len(told) == 0 {
		return e.finding(For, "0 failed: no end to read")
	}
	return e.finding(For, few(told, 3))
}

// inventoryEnd is when a secret of an inventory ends by its tag.
func (x *senses) inventoryEnd(name string) (time.Time, seen, bool) {
	for _, v := range every[estate.SecretInventory](x, estate.CheckInventory) {
		if !v.sure() {
			continue
		}
		for _, l := range v.data.Lives {
			if l.Tag && estate.PlainName(l.Name) == name {
				return l.Ends, v.seen, true
			}
		}
	}
	return time.Time{}, seen{}, false
}

// grace words how long a credential is honoured after its end.
func grace(d time.Duration, ends, now time.Time) string {
	switch {
	case d <= 0:
		return "no grace"
	case ends.After(now):
		return "then " + estate.Span(d) + " of grace"
	case ends.Add(d).After(now):
		return estate.Span(ends.Add(d).Sub(now)) + " of grace left"
	}
	return "its grace of " + estate.Span(d) + " is over"
}

// secretsRotated is For only when all that tells of rotations was read and no secret
// fails.
func (x *senses) secretsRotated() Finding {
	f := x.secretsFailed()
	switch {
	case len(x.failing.all) > 0:
		f.Stance = Against
		f.Value = fmt.Sprintf("%s failed still: %s", thousands(len(x.failing.all)), x.failing.worst())
	case f.Stance == For && len(x.failing.blind) == 0:
		f.Value = fmt.Sprintf("0 of %s failed", count(x.failing.watched, "watched secret"))
	}
	return f
}
