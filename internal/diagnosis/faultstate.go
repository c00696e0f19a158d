package diagnosis

import (
	"fmt"
	"strings"

	"warroom/internal/estate"
)

// statePartial: did a change stop half way?
func (x *senses) statePartial() Finding {
	e := x.faulty(partial)
	for i := range x.secrets {
		s := &x.secrets[i]
		if s.Slot == nil {
			continue
		}
		v := x.seenOf(s.Slot)
		if v.absent() || !e.look(v) {
			continue
		}
		if s.Rotation == "FAILED" {
			e.hit(s.Secret.ID+": "+s.RotationNote, x.fact(v, s.Secret.ID, s.Rotation+": "+s.RotationNote, estate.Fail))
		}
	}
	for _, t := range x.takenEarly() {
		e.hit(fmt.Sprintf("%s takes AWSPENDING of %s, the store hands out AWSCURRENT", x.name(t.owner()), t.secret), t.fact(x))
	}
	if len(e.hits) == 0 {
		e.rest()
	}
	return e.any("no watched secret has a version waiting under AWSPENDING", noStore)
}

// takenEarly lists the tries of AWSPENDING that a target takes while it refuses the
// current version.
func (x *senses) takenEarly() []*trial {
	var out []*trial
	for i := range x.tries {
		t := &x.tries[i]
		if t.stage != estate.StagePending || !t.accepted {
			continue
		}
		for _, cur := range x.triesOf(t.secret, estate.StageCurrent) {
			if cur.owner() == t.owner() && cur.refused {
				out = append(out, t)
			}
		}
	}
	return out
}

// stateRollback: is there nothing left to go back to? It is so where a target takes
// none of the versions that the store has.
func (x *senses) stateRollback() Finding {
	e := x.faulty(rolledBack)
	targets := 0
	for i := range x.t.Components {
		c := &x.t.Components[i]
		var tried, refused int
		var facts []Fact
		var labels []string
		current := false
		for j := range x.tries {
			t := &x.tries[j]
			if t.owner() != c.ID || c.Kind != estate.KindPostgres {
				continue
			}
			if login, _ := t.slot.Last.Data.(estate.Login); login.Outcome == estate.LoginNoSuch {
				continue // there is no version under that label to go back to
			}
			if !e.look(t.seen) {
				tried++
				continue
			}
			tried++
			if t.refused {
				refused++
				labels = append(labels, t.version())
				current = current || t.stage == estate.StageCurrent
			}
			facts = append(facts, t.fact(x))
		}
		if tried == 0 {
			continue
		}
		targets++
		if current && refused == tried && refused > 1 {
			why := "nothing stored works"
			if r, ok := one[estate.Role](x, c.ID, estate.CheckRole, ""); ok && r.sure() && !r.data.ValidUntil.IsZero() && !x.now.Before(r.data.ValidUntil) {
				why += ", VALID UNTIL passed " + estate.Ago(x.now, r.data.ValidUntil)
				facts = append(facts, x.fact(r.seen, "Valid until", "ended "+estate.Ago(x.now, r.data.ValidUntil), estate.Fail))
			}
			e.hit(c.Name+" takes none of "+strings.Join(labels, ", ")+": "+why, facts...)
			continue
		}
		e.note(facts...)
	}
	return e.any(fmt.Sprintf("%s: each takes one of the stored versions, and no run tells of a roll-back", count(targets, "database")), "no database is configured at which versions could be tried")
}

// stateInconsistent: do copies of a secret differ?
func (x *senses) stateInconsistent() Finding {
	e := x.gather()
	x.behind(e)
	for _, u := range x.versions() {
		e.looks++
		switch {
		case u.why != "":
			e.miss(u.why)
		case u.old:
			e.hit(u.words, u.fact)
		}
	}
	return e.any("stores, replicas, targets and consumers are on one version", "nothing is configured that holds a copy of a secret")
}

// failureState: do store, target and consumers disagree?
func (x *senses) failureState() Finding {
	return x.oneOf(line{"state.partial", (*senses).statePartial}, line{"state.rollback", (*senses).stateRollback}, line{"state.inconsistent", (*senses).stateInconsistent})
}
