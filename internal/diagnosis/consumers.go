package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"warroom/internal/estate"
)

// version is the version of its secret with which one consumer works.
type version struct {
	name  string // of the consumer
	words string // "Analytics Service uses c7254ba0, the store hands out a1b09bda"
	old   bool   // it is not the current one
	why   string // why it is not known; empty when it is
	fact  Fact
}

// versions finds for every application which version of its secrets it works with:
// by its own word, else by what fills its Secrets and how old its processes are.
func (x *senses) versions() []version {
	var out []version
	for i := range x.t.Components {
		c := &x.t.Components[i]
		if c.Kind != estate.KindApplication || len(x.uses(c)) == 0 {
			continue
		}
		out = append(out, x.versionOf(c))
	}
	return out
}

func (x *senses) versionOf(c *estate.Component) version {
	health, _ := one[estate.Health](x, c.ID, estate.CheckHealth, "")
	current, unread := x.currents(c)
	if v := health.data.Version; health.sure() && v != "" {
		u := version{name: c.Name, words: c.Name + " " + short(v), fact: x.fact(health.seen, "Version in use", short(v), estate.OK)}
		switch {
		case unread != "":
			u.why = unread
		case !slices.Contains(current, v):
			u.old, u.fact.Status = true, estate.Fail
			u.words = fmt.Sprintf("%s uses %s, the store hands out %s", c.Name, short(v), short(first(current)))
		}
		return u
	}
	return x.versionByAge(c, health.seen, unread)
}

func first(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return list[0]
}

// currents are the versions that the stores hand out of a consumer's secrets, and
// why they are not known.
func (x *senses) currents(c *estate.Component) (ids []string, unread string) {
	for _, id := range x.uses(c) {
		s := x.standing(id)
		if s == nil || s.Slot == nil {
			return nil, c.Name + ": no store describes " + id
		}
		v := x.seenOf(s.Slot)
		if !v.sure() {
			return nil, x.why(v)
		}
		for _, one := range s.Described.Versions {
			if slices.Contains(one.Stages, estate.StageCurrent) {
				ids = append(ids, one.ID)
			}
		}
	}
	return ids, ""
}

// standing is how a stored secret stands; nil when warroom.yaml does not list it.
func (x *senses) standing(id string) *estate.Standing {
	if i, ok := x.byID[id]; ok {
		return &x.secrets[i]
	}
	return nil
}

// lastRotated is when the newest of a consumer's secrets was rotated.
func (x *senses) lastRotated(c *estate.Component) time.Time {
	var at time.Time
	for _, id := range x.uses(c) {
		if s := x.standing(id); s != nil && s.Described.LastRotated.After(at) {
			at = s.Described.LastRotated
		}
	}
	return at
}

// versionByAge tells which version a consumer works with by its last sync, its pods
// or its unit, compared with when the secret was rotated.
func (x *senses) versionByAge(c *estate.Component, health seen, unread string) version {
	u := version{name: c.Name}
	rotated := x.lastRotated(c)
	if h, ok := one[estate.Health](x, c.ID, estate.CheckHealth, ""); ok && h.sure() && !h.data.LastSync.IsZero() && unread == "" {
		u.old = h.data.LastSync.Before(rotated)
		u.words = fmt.Sprintf("%s synced %s", c.Name, estate.Ago(x.now, h.data.LastSync))
		if u.old {
			u.words += ", before its secret was rotated " + estate.Ago(x.now, rotated)
		}
		u.fact = x.fact(h.seen, "Last sync", estate.Ago(x.now, h.data.LastSync), bad(u.old, estate.Fail))
		return u
	}
	if v, ok := one[estate.WorkloadSecrets](x, c.ID, estate.CheckWorkloadSecrets, ""); ok && v.sure() && len(v.data.Uses) > 0 {
		return x.versionByPods(c, v, rotated, unread)
	}
	if v, ok := one[estate.Unit](x, c.ID, estate.CheckUnit, ""); ok && v.sure() && len(v.data.Secrets) > 0 && !v.data.Started.IsZero() {
		for _, s := range v.data.Secrets {
			if s.Changed.After(v.data.Started) {
				u.old, u.words = true, fmt.Sprintf("%s started before %s changed %s", c.Name, s.Name, estate.Ago(x.now, s.Changed))
			}
		}
		if !u.old {
			u.words = c.Name + " started after its secrets changed"
		}
		u.fact = x.fact(v.seen, "Unit", u.words, bad(u.old, estate.Fail))
		return u
	}
	switch {
	case unread != "":
		u.why = unread
	case health.slot != nil && health.slot.Last.Key.Check != "" && !health.sure():
		u.why = x.why(health)
	default:
		u.why = c.Name + ": it tells no version, and nothing else does"
	}
	return u
}

// versionByPods tells it by the age of the pods and of what fills their Secrets.
func (x *senses) versionByPods(c *estate.Component, v of[estate.WorkloadSecrets], rotated time.Time, unread string) version {
	u := version{name: c.Name}
	for _, use := range v.data.Uses {
		switch {
		case use.OlderPods < 0 && !use.Refreshes:
			u.why = c.Name + ": its pods could not be read"
			return u
		case use.OlderPods > 0 && !use.Refreshes:
			u.old = true
			u.words = fmt.Sprintf("%s: %s started before Secret %s changed %s", c.Name, count(use.OlderPods, "pod"), use.Name, estate.Ago(x.now, use.Changed))
			u.fact = x.fact(v.seen, "Secret "+use.Name, u.words, estate.Fail)
			return u
		}
	}
	ext, ok := one[estate.ExternalSecrets](x, c.ID, estate.CheckExternalSecrets, "")
	if ok && ext.sure() && unread == "" {
		for _, one := range ext.data.Secrets {
			if !one.Refreshed.IsZero() && one.Refreshed.Before(rotated) {
				u.old = true
				u.words = fmt.Sprintf("%s: Secret %s was filled %s, rotated %s", c.Name, one.Target, estate.Ago(x.now, one.Refreshed), estate.Ago(x.now, rotated))
				u.fact = x.fact(ext.seen, "ExternalSecret "+one.Name, u.words, estate.Fail)
				return u
			}
		}
		if len(ext.data.Secrets) > 0 {
			u.words = c.Name + ": its pods are newer than its Secrets, and those than the rotation"
			u.fact = x.fact(v.seen, "Secrets consumed", u.words, estate.OK)
			return u
		}
	}
	u.why = c.Name + ": nothing tells whether its Secrets hold the rotated value"
	return u
}

// storesConsumers is For when the version of every consumer is known, whatever it
// is.
func (x *senses) storesConsumers() Finding {
	e := x.gather()
	var told, dark []string
	for _, u := range x.versions() {
		e.looks++
		if u.why != "" {
			dark = append(dark, u.name)
			e.miss(u.why)
			continue
		}
		told = append(told, u.words)
		if u.old {
			e.proofs = append(e.proofs, u.fact)
		} else {
			e.note(u.fact)
		}
	}
	switch {
	case e.looks == 0:
		return Finding{Value: "no application is configured that uses a secret"}
	case len(dark) > 0:
		return e.finding(Unread, fmt.Sprintf("%s of %s unknown: %s", thousands(len(dark)), count(e.looks, "consumer"), few(e.blind, 2)))
	}
	return e.finding(For, fmt.Sprintf("0 of %s unknown: %s", count(e.looks, "consumer"), few(told, 3)))
}

// servicesRestarted is For when no consumer and no session is on an older version
// than the current one.
func (x *senses) servicesRestarted() Finding {
	e := x.gather()
	for _, u := range x.versions() {
		e.looks++
		switch {
		case u.why != "":
			e.miss(u.why)
		case u.old:
			e.hit(u.words, u.fact)
		default:
			e.note(u.fact)
		}
	}
	x.waiting(e)
	for _, v := range every[estate.Connections](x, estate.CheckConnections) {
		if !e.look(v.seen) || v.data.OldSessions < 0 {
			continue
		}
		f := x.fact(v.seen, "Sessions older than the last rotation", thousands(v.data.OldSessions), bad(v.data.OldSessions > 0, estate.Warn))
		if v.data.OldSessions > 0 {
			e.hit(fmt.Sprintf("%s on %s older than the last rotation", count(v.data.OldSessions, "session"), x.name(v.owner())), f)
			continue
		}
		e.note(f)
	}
	if len(e.hits) > 0 {
		left := map[estate.ID]bool{}
		for i := range e.proofs {
			left[e.proofs[i].Component] = true
		}
		return e.finding(Against, fmt.Sprintf("%s on the old version or half way: %s", thousands(len(left)), few(e.hits, 3)))
	}
	return e.all("0 on the old version: consumers, pods and sessions are newer than the last rotation", "no application and no database session is read")
}

// waiting gathers the pods and units that go on with a value of before it changed,
// and rollouts that are not through.
func (x *senses) waiting(e *evidence) {
	for _, v := range every[estate.Workload](x, estate.CheckWorkload) {
		if !e.look(v.seen) {
			continue
		}
		w := &v.data
		stuck := w.Progress == "ProgressDeadlineExceeded"
		if behind := w.Desired - w.Updated; behind > 0 || stuck {
			text := fmt.Sprintf("%d of %d pods updated", w.Updated, w.Desired)
			if stuck {
				text += ", its rollout is stuck"
			}
			e.hit(x.name(v.owner())+": "+text, x.fact(v.seen, "Rollout", text, estate.Fail))
		}
	}
	for _, v := range every[estate.WorkloadSecrets](x, estate.CheckWorkloadSecrets) {
		if !e.look(v.seen) {
			continue
		}
		for _, use := range v.data.Uses {
			if use.OlderPods > 0 && !use.Refreshes {
				text := fmt.Sprintf("%s: %s started before Secret %s changed %s", x.name(v.owner()), count(use.OlderPods, "pod"), use.Name, estate.Ago(x.now, use.Changed))
				e.hit(text, x.fact(v.seen, "Secret "+use.Name, strings.TrimPrefix(text, x.name(v.owner())+": "), estate.Fail))
			}
		}
	}
}
