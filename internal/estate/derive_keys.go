package estate

import (
	"fmt"
	"slices"
	"strings"
)

// keys: whether encryption keys can be used and when they rotate.
func (d *deriver) keys() {
	states := seeAll[KeyState](d.derivation, d.c.ID, CheckKey)
	rotations := seeAll[KeyRotation](d.derivation, d.c.ID, CheckKeyRotation)
	if len(states) == 0 {
		return
	}
	facts := make([]Fact, len(states))
	worst, bad := 0, 0
	for i, v := range states {
		note := strings.Join(present(v.data.Spec, v.data.Origin, v.data.Manager), ", ")
		if !v.data.Deletion.IsZero() {
			note = "deleted " + Ago(d.now, v.data.Deletion)
		}
		facts[i] = v.fact("Key "+v.slot.Last.Key.Item, strings.ToUpper(v.data.State), statusIf(v.data.State != "Enabled", Fail), note)
		if facts[i].Status == Fail {
			bad++
		}
		if facts[i].Status > facts[worst].Status {
			worst = i
		}
	}
	word, note := "HEALTHY", count(len(states), "key")+" enabled"
	if bad > 0 {
		word, note = facts[worst].Value, fmt.Sprintf("%d of %s cannot be used", bad, count(len(states), "key"))
	}
	d.add(true, states[worst].fact("Encryption keys", word, statusIf(bad > 0, Fail), note).by("HEALTHY when the state of every key is Enabled"))
	d.say(statusIf(bad > 0, Fail), word, note)

	lines := d.keyRotations(rotations)
	for _, f := range append(facts, lines...) {
		d.add(false, f)
	}
}

// keyRotations adds how the keys rotate, led by the worst and among equals by
// the next one, and returns a line for each.
func (d *deriver) keyRotations(all []seen[KeyRotation]) []Fact {
	if len(all) == 0 {
		return nil
	}
	lines := make([]Fact, len(all))
	lead := 0
	for i, v := range all {
		r := v.data
		word, status, note := "SCHEDULED", OK, ""
		switch {
		case v.ok && !r.Supported:
			word, status, note = "N/A", NA, "this key's type does not rotate by itself"
		case v.ok && !r.Enabled:
			word, status, note = "OFF", Warn, "automatic rotation is not enabled"
		case r.PeriodDays > 0:
			note = fmt.Sprintf("every %d days", r.PeriodDays)
		}
		if !r.LastOnDmd.IsZero() {
			note += "; on demand " + Ago(d.now, r.LastOnDmd)
		}
		lines[i] = v.fact("Rotation of "+v.slot.Last.Key.Item, word, status, note)
		if s := lines[i].Status; s > lines[lead].Status || s == lines[lead].Status && d.sooner(r, all[lead].data) {
			lead = i
		}
	}
	head := lines[lead]
	head.Name = "Rotation"
	head.Formula = "the worst of all keys: OFF where automatic rotation is not enabled, N/A where the type of key has none"
	d.add(true, head)
	if head.Status == Warn {
		d.say(Warn, "ROTATION "+head.Value, head.Note)
	}
	next := all[lead]
	when, status := "not scheduled", NA
	if at := next.data.Next; !at.IsZero() {
		when, status = Span(at.Sub(d.now)), OK
		if at.Before(d.now) {
			when, status = "OVERDUE", Warn
		}
	}
	d.add(true, next.fact("Next", when, status, "").by("the soonest NextRotationDate − now, of the keys whose rotation stands worst"))
	return lines
}

func (d *deriver) sooner(a, b KeyRotation) bool {
	return !a.Next.IsZero() && (b.Next.IsZero() || a.Next.Before(b.Next))
}

// present drops empty texts.
func present(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}
