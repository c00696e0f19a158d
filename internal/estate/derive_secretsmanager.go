package estate

import (
	"fmt"
	"strings"
	"time"
)

// secretsManager: how rotation stands over all watched secrets, led by the worst.
func (d *deriver) secretsManager() {
	type one struct {
		item  *StoredSecret
		state *secretState
	}
	var all []one
	worst, failed := -1, 0
	status := NA
	for i := range d.t.Secrets {
		item := &d.t.Secrets[i]
		if item.Store != d.c.ID {
			continue
		}
		state := d.secret(item.ID)
		all = append(all, one{item, state})
		rotation := state.rotated()
		status = Worst(status, rotation)
		if rotation == Fail {
			failed++
		}
		if worst < 0 || d.graver(state, item, all[worst].state, all[worst].item) {
			worst = len(all) - 1
		}
	}
	if worst < 0 {
		return
	}
	lead := all[worst]
	word, note := lead.state.rotation.word, lead.item.ID
	switch {
	case !lead.state.seen.ok:
		word, note = lead.state.word, lead.item.ID+": "+lead.state.note
	case status == OK:
		word, note = "OK", ""
	case failed > 0:
		if fail := lead.state.seen.failure(); lead.state.rotation.status != Fail && fail != nil {
			word = fail.Kind.word() // what was last read of it was no failure
		}
		note = fmt.Sprintf("%d of %s; worst %s: %s", failed, count(len(all), "secret"), lead.item.ID, lead.state.rotation.note)
	case lead.state.rotation.note != "":
		note += ": " + lead.state.rotation.note
	}
	f := lead.state.seen.fact("Rotation status", word, lead.state.rotation.status, note)
	f.Formula = "the worst of the watched secrets: FAILED when AWSPENDING stays on a version without AWSCURRENT for 15 minutes, OVERDUE when NextRotationDate is past"
	d.add(true, f)
	if status == Fail && lead.state.seen.ok {
		d.say(status, word, note)
	}
	f = lead.state.seen.fact("Last rotation", Ago(d.now, lead.state.seen.data.LastRotated), statusIf(lead.state.rotation.status == Fail, Fail), "of "+lead.item.ID).by("now − LastRotatedDate of the secret that stands worst")
	d.add(true, f)
	for _, o := range all {
		// Of very many secrets only those that need a look are listed.
		if len(all) > listed && o.state.status == OK {
			continue
		}
		f := o.state.fact(o.item.ID)
		if o.state.seen.ok {
			f.Note = d.secretDetail(o.state)
		}
		d.add(false, f)
		if f.Status > OK && f.Status != Unknown {
			d.say(f.Status, o.state.word, o.item.ID+": "+o.state.note)
		}
	}
	if len(all) > listed {
		d.add(false, lead.state.seen.fact("Watched secrets", fmt.Sprint(len(all)), NA, "those that are OK are not listed"))
	}
	for _, o := range all {
		f := d.readersOf(o.item.ID)
		if f == nil || len(all) > listed && (f.Status == OK || f.Status == NA) {
			continue
		}
		d.add(false, *f)
	}
	d.inventory()
	d.identity()
	d.say(OK, "HEALTHY", "")
}

// rotated is the status of a secret's rotation, as sure as its description is.
func (s *secretState) rotated() Status {
	if s.seen.sure() {
		return s.rotation.status
	}
	return s.seen.fact("", "", s.rotation.status, "").Status
}

// listed is up to how many secrets the detail lists one by one.
const listed = 100

// graver orders secrets by how badly rotation stands, then by criticality, then
// by how it fails, then by the age of the last rotation.
func (d *deriver) graver(a *secretState, ai *StoredSecret, b *secretState, bi *StoredSecret) bool {
	if x, y := a.rotated(), b.rotated(); x != y {
		return x > y
	}
	if w, v := ai.Criticality.weight(), bi.Criticality.weight(); w != v {
		return w > v
	}
	if x, y := a.rotation.urgency(), b.rotation.urgency(); x != y {
		return x > y
	}
	return a.seen.data.LastRotated.Before(b.seen.data.LastRotated)
}

// urgency orders rotations that fail: one that hangs half way has changed the
// target or the store and not both, one that is late has changed neither.
func (r rotation) urgency() int {
	switch r.word {
	case "DELETED":
		return 3
	case "FAILED":
		return 2
	case "OVERDUE":
		return 1
	}
	return 0
}

// secretDetail says what else is known of a secret.
func (d *deriver) secretDetail(s *secretState) string {
	v := s.seen.data
	var parts []string
	say := func(text string, really bool) {
		if really {
			parts = append(parts, text)
		}
	}
	say(s.note, s.note != "")
	say("rotation "+s.rotation.word+": "+s.rotation.note, s.word != s.rotation.word && !strings.Contains(s.note, s.rotation.note))
	say("last rotated "+Ago(d.now, v.LastRotated), !v.LastRotated.IsZero())
	say("next "+Ago(d.now, v.NextRotation), v.RotationEnabled && !v.NextRotation.IsZero())
	say("schedule "+v.Schedule, v.Schedule != "")
	for _, stage := range []Stage{StageCurrent, StagePending, StagePrevious} {
		id := v.staged(stage)
		say(string(stage)+" "+short(id), id != "")
	}
	for _, r := range v.Replicas {
		say("replica "+r.Region+" "+r.Status, r.Status != "InSync")
	}
	say("managed by "+v.OwningService, v.OwningService != "")
	say("key "+v.KMSKey, v.KMSKey != "")
	say("last read on "+v.LastAccessed.UTC().Format(time.DateOnly), !v.LastAccessed.IsZero())
	return strings.Join(parts, "; ")
}

func (d *deriver) inventory() {
	for _, v := range seeAll[SecretInventory](d.derivation, d.c.ID, CheckInventory) {
		x := v.data
		status, note := OK, fmt.Sprintf("%d rotate, %d overdue, %d being deleted; the list lags up to 5 minutes", x.Rotating, x.Overdue, x.Deleted)
		if x.Overdue > 0 {
			status = Warn
		}
		d.add(false, v.fact("Secrets in account", fmt.Sprint(x.Total), status, note).by("entries of ListSecrets without those whose deletion is scheduled; overdue: rotation enabled and NextRotationDate < now"))
	}
}

func (d *deriver) identity() {
	for _, v := range seeAll[CallerIdentity](d.derivation, d.c.ID, CheckIdentity) {
		x := v.data
		status, note := OK, ""
		switch {
		case x.Expires.IsZero():
		case !d.now.Before(x.Expires):
			status, note = Unknown, "this session ended "+Ago(d.now, x.Expires)
		case x.Expires.Sub(d.now) < 15*time.Minute:
			status, note = Warn, "this session ends "+Ago(d.now, x.Expires)
		}
		d.add(false, v.fact("Read as", x.ARN, status, note))
		if v.ok {
			skew := x.ClockSkew.Abs()
			status = OK
			if skew > d.t.Rules.ClockSkewWarn {
				status = Warn
			}
			word := "none"
			if skew >= 2*time.Second {
				word = Span(skew) + map[bool]string{true: " ahead of us", false: " behind us"}[x.ClockSkew > 0]
			}
			d.add(false, v.fact("Clock skew", word, status, "").by("Date header of the answer, to half a second − our time when it came"))
		}
	}
}
