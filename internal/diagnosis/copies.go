package diagnosis

import (
	"fmt"
	"strings"
	"time"

	"warroom/internal/estate"
)

// behind gathers the stores and replicas that hold another version than the store
// hands out.
func (x *senses) behind(e *evidence) {
	x.takenBehind(e)
	for i := range x.secrets {
		s := &x.secrets[i]
		if s.Slot == nil {
			continue
		}
		v := x.seenOf(s.Slot)
		if v.absent() || !e.look(v) {
			continue
		}
		for _, r := range s.Described.Replicas {
			if r.Status != "InSync" {
				text := fmt.Sprintf("%s in %s is %s", s.Secret.ID, r.Region, r.Status)
				e.hit(text, x.fact(v, "Replica "+r.Region, strings.TrimSuffix(r.Status+": "+cut(r.Message, 60), ": "), estate.Fail))
			}
		}
	}
	for _, v := range every[estate.VaultPair](x, estate.CheckVaultPair) {
		if !e.look(v.seen) {
			continue
		}
		p := &v.data
		f := x.fact(v.seen, "Copy of "+p.With, fmt.Sprintf("%s behind, %s missing of %s compared", thousands(p.Behind), thousands(p.Missing), thousands(p.Compared)), bad(p.Behind+p.Missing > 0, estate.Fail))
		switch {
		case p.Behind+p.Missing > 0:
			e.hit(x.name(v.owner())+" has "+f.Value, f)
		case !p.Complete && p.Compared == 0:
			e.miss(x.name(v.owner()) + ": none of its secrets could be compared with " + p.With)
		default:
			e.note(f)
		}
	}
	for _, v := range every[estate.VaultReplication](x, estate.CheckVaultReplication) {
		if !e.look(v.seen) || !v.data.Licensed {
			continue
		}
		for _, set := range v.data.Sets {
			if set.Mode != "secondary" {
				continue
			}
			// Seconds of lag are no other version; minutes, or a stream that stands
			// still, may be.
			late := set.CanaryKnown && set.CanaryAge > x.t.Rules.VaultLagFail
			lag := "lag not told"
			if set.CanaryKnown {
				lag = set.CanaryAge.Round(time.Second).String() + " behind"
			}
			f := x.fact(v.seen, "Replication ("+set.Kind+")", strings.TrimSuffix(lag+", "+set.State, ", "), bad(late || set.State != "stream-wals", estate.Fail))
			if f.Status == estate.Fail {
				e.hit(x.name(v.owner())+" is "+f.Value, f)
				continue
			}
			e.note(f)
		}
	}
	for _, v := range every[estate.ExternalSecrets](x, estate.CheckExternalSecrets) {
		if !e.look(v.seen) {
			continue
		}
		c, _ := x.t.Component(v.owner())
		for _, one := range v.data.Secrets {
			rotated := x.lastRotated(&c)
			text, status := "refreshed "+estate.Ago(x.now, one.Refreshed), estate.OK
			switch {
			case !one.Ready:
				text, status = "not synced: "+cut(strings.TrimSuffix(one.Reason+": "+one.Message, ": "), 80), estate.Fail
			case !one.Refreshed.IsZero() && one.Refreshed.Before(rotated):
				text, status = text+", rotated "+estate.Ago(x.now, rotated), estate.Warn
			}
			f := x.fact(v.seen, "ExternalSecret "+one.Name, text, status)
			if status != estate.OK {
				e.hit("ExternalSecret "+one.Name+" "+text, f)
				continue
			}
			e.note(f)
		}
	}
}

// takenBehind gathers the targets that take another version than the current one:
// a replica that has not replayed the change is one.
func (x *senses) takenBehind(e *evidence) {
	for i := range x.tries {
		t := &x.tries[i]
		if t.stage != estate.StageCurrent {
			continue
		}
		if !e.look(t.seen) {
			continue
		}
		if !t.refused {
			e.note(t.fact(x))
			continue
		}
		for _, stage := range [...]estate.Stage{estate.StagePending, estate.StagePrevious} {
			for _, o := range x.triesOf(t.secret, stage) {
				if o.owner() != t.owner() || !o.accepted {
					continue
				}
				text := fmt.Sprintf("%s takes %s of %s and refuses AWSCURRENT", x.name(t.owner()), stage, t.secret)
				if r, ok := one[estate.Replication](x, t.owner(), estate.CheckReplication, ""); ok && r.sure() && r.data.Paused {
					text += ": its replay is paused"
					e.proofs = append(e.proofs, x.fact(r.seen, "Replay", "PAUSED", estate.Fail))
				}
				e.hit(text, t.fact(x), o.fact(x))
			}
		}
	}
}

// storesUpdated is For when every store and replica that was read has the version
// in use.
func (x *senses) storesUpdated() Finding {
	e := x.gather()
	x.behind(e)
	for i := range x.secrets {
		s := &x.secrets[i]
		if s.Slot == nil || s.Rotation != "FAILED" {
			continue
		}
		if v := x.seenOf(s.Slot); v.sure() {
			e.hit(s.Secret.ID+": "+s.RotationNote, x.fact(v, s.Secret.ID, s.Rotation+": "+s.RotationNote, estate.Fail))
		}
	}
	if n := len(e.hits); n > 0 {
		return e.finding(Against, fmt.Sprintf("%s behind: %s", thousands(n), few(e.hits, 2)))
	}
	return e.all("0 stores behind: secrets, replicas, copies and targets are on the version in use", "nothing is configured that holds a copy of a secret")
}
