package estate

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// How many single events, secrets and roles the detail of a monitor lists.
const (
	eventsListed = 10
	namesListed  = 20
)

// stuck reports whether Vault has failed to rotate a role in time, as it was when
// it was read.
func (r *VaultStaticRole) stuck(read time.Time) bool {
	return r.Failure == "" && !r.LastRotation.IsZero() && !r.Due.IsZero() && read.Sub(r.Due) > vaultRoleSlack
}

// rotations is how rotations went within a window.
type rotations struct {
	gathered
	window                                time.Duration
	started, succeeded, failed, abandoned int // by CloudTrail
	rotated, stuck                        int // static roles of Vault
	counted                               int // events that were counted where there were more
	partial                               bool
	unread                                int // roles of which nothing is known
	events                                []RotationEvent
	roles                                 []VaultStaticRole // those that are stuck
}

// ended is how many rotations came to an end, good or bad.
func (x *rotations) ended() int { return x.good() + x.bad() + x.abandoned }
func (x *rotations) good() int  { return x.succeeded + x.rotated }
func (x *rotations) bad() int   { return x.failed + x.stuck }

// share is how many of the rotations that ended succeeded, 0 to 1; 1 when none
// ended.
func (x *rotations) share() float64 {
	if x.ended() == 0 {
		return 1
	}
	return float64(x.good()) / float64(x.ended())
}

// rotationMonitor: how rotations went, and whether that is an alert.
func (d *deriver) rotationMonitor() {
	x := d.rotated()
	if x.reads == 0 {
		return
	}
	d.add(true, d.successRate(x))

	note := ""
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{x.failed, "reported by CloudTrail"}, {x.stuck, "stuck in Vault"}, {x.abandoned, "abandoned, not counted here"}} {
		if p.n > 0 {
			parts = append(parts, thousands(p.n)+" "+p.what)
		}
	}
	note = strings.Join(parts, "; ")
	status := OK
	if x.bad() > 0 {
		status = Worst(Warn, d.rateStatus(x.share()))
	}
	f := x.tally("Failed rotations", x.bad(), " in "+Span(x.window), status, x.of(note))
	f.Formula = "RotationFailed events of CloudTrail within " + Span(x.window) + ", plus static roles of Vault whose rotation is due and has not happened"
	d.add(true, f)

	d.alert(x)
	d.failedSecrets(x)
	d.rotationDetail(x)
}

// rotated counts the rotations of the monitor's accounts and of the Vault
// clusters that it watches.
func (d *deriver) rotated() *rotations {
	x := &rotations{}
	for _, v := range seeAll[RotationEvents](d.derivation, d.c.ID, CheckRotationEvents) {
		x.add(v.basis)
		e := &v.data
		x.window = max(x.window, e.Window)
		x.started, x.succeeded = x.started+e.Started, x.succeeded+e.Succeeded
		x.failed, x.abandoned = x.failed+e.Failed, x.abandoned+e.Abandoned
		x.counted += e.Started + e.Succeeded + e.Failed + e.Abandoned
		x.partial = x.partial || e.Partial
		x.events = append(x.events, e.Events...)
	}
	slices.SortStableFunc(x.events, func(a, b RotationEvent) int { return b.At.Compare(a.At) })
	x.window = cmp.Or(x.window, d.t.Rules.RotationWindow, day)
	for c, v := range d.watchedRoles() {
		x.add(v.basis)
		x.partial = x.partial || v.data.Partial
		for _, role := range v.data.Roles {
			switch {
			case role.Failure != "":
				x.unread++
			case role.stuck(d.readAt(c, v.basis)):
				x.stuck++
				x.roles = append(x.roles, role)
			case !role.LastRotation.IsZero() && d.now.Sub(role.LastRotation) <= x.window:
				x.rotated++
			}
		}
	}
	return x
}

// watchedRoles are the static roles of each Vault cluster that a monitor watches.
// A secondary repeats its primary's, and is left out.
func (d *deriver) watchedRoles() iter.Seq2[*Component, seen[VaultStaticRoles]] {
	return func(yield func(*Component, seen[VaultStaticRoles]) bool) {
		for i := range d.t.Components {
			c := &d.t.Components[i]
			if c.Kind != KindVault || c.Standby || !d.c.watches(c.ID) {
				continue
			}
			v := see[VaultStaticRoles](d.derivation, c.ID, CheckVaultStaticRoles, "")
			if fail := v.failure(); !v.planned || fail != nil && fail.Kind == NotSupported {
				continue
			}
			if !yield(c, v) {
				return
			}
		}
	}
}

// readAt is when a cluster was read, by its own clock: a rotation that came due
// since may have been made since.
func (d *derivation) readAt(c *Component, v basis) time.Time {
	skew := see[VaultHealth](d, c.ID, CheckVaultHealth, "").data.ClockSkew
	if good := v.slot.Good; good != nil {
		return good.At.Add(skew)
	}
	return d.now.Add(skew)
}

// watches reports whether a monitor watches a component; one that names none
// watches all.
func (c *Component) watches(id ID) bool {
	return len(c.Watches) == 0 || slices.Contains(c.Watches, id)
}

// of adds to a note of what the counts are only a part.
func (x *rotations) of(note string) string {
	if x.partial {
		note = strings.TrimPrefix(fmt.Sprintf("%s; of the newest %s only: there were more than one read may look at", note, some(x.counted, "event")), "; ")
	}
	if x.unread > 0 {
		note = strings.TrimPrefix(note+"; "+count(x.unread, "role")+" of Vault could not be read", "; ")
	}
	return note
}

func (d *deriver) successRate(x *rotations) Fact {
	formula := "succeeded / (succeeded + failed + abandoned) of the rotations that ended within " + Span(x.window) +
		": RotationSucceeded, RotationFailed and RotationAbandoned of CloudTrail, which delivers up to 15 minutes late, and Vault's static roles, of which one that rotated within the window succeeded and one that is due and did not has failed"
	if x.ended() == 0 {
		f := x.rate("Success rate", "no rotation in "+Span(x.window), NA, x.of(""))
		f.Formula = formula
		return f
	}
	share := x.share()
	f := x.rate("Success rate", percent(share)+" in "+Span(x.window), d.rateStatus(share), x.of(fmt.Sprintf("%s of %s succeeded", thousands(x.good()), some(x.ended(), "rotation"))))
	f.Formula = formula
	return f
}

// rateStatus judges the share of rotations that succeeded.
func (d *derivation) rateStatus(share float64) Status {
	switch {
	case share < d.t.Rules.RotationFail:
		return Fail
	case share < d.t.Rules.RotationWarn:
		return Warn
	}
	return OK
}

// hanging are the static roles of Vault that are stuck.
func (x *rotations) hanging() []string {
	var out []string
	for _, role := range x.roles {
		out = append(out, strings.Trim(role.Mount, "/")+"/"+role.Name+": stuck, last rotated at "+role.LastRotation.UTC().Format(time.DateTime))
	}
	return out
}

// lastFailed reports that the newest end of a secret's rotations is a failure, of
// after the store's own date of its last rotation.
func (x *rotations) lastFailed(item *StoredSecret, rotated time.Time) bool {
	for i := range x.events {
		if e := &x.events[i]; e.Secret == item.ID || item.Name != "" && named(e.Secret) == named(item.Name) {
			if e.What == RotationFailed || e.What == RotationSucceeded {
				return e.What == RotationFailed && e.At.After(rotated)
			}
		}
	}
	return false
}

// alert sums up: a critical secret that fails to rotate is CRITICAL whatever the
// rate is, any other at least a WARNING, and nothing is CLEAR of which something
// could not be read.
func (d *deriver) alert(x *rotations) {
	var failing []string
	var lead *secretState
	hanging := x.hanging()
	secrets := gathered{}
	for i := range d.t.Secrets {
		item := &d.t.Secrets[i]
		state := d.secret(item.ID)
		secrets.add(state.seen.basis)
		if !state.seen.ok || state.seen.stale {
			continue
		}
		late := state.rotation.status == Fail // whatever the last attempt to read it brought
		text := item.ID + ": " + strings.Trim(state.rotation.word+", "+state.rotation.note, ", ")
		switch {
		case late && item.Criticality == Critical:
			failing = append(failing, text)
			if lead == nil {
				lead = state
			}
		case late:
			hanging = append(hanging, text)
		case x.lastFailed(item, state.seen.data.LastRotated):
			hanging = append(hanging, item.ID+": its last rotation failed")
		}
	}
	both := x.gathered
	if secrets.reads > 0 {
		both.join(&secrets)
	}
	share := x.share()
	rate := x.rate("", "", d.rateStatus(share), "").Status
	var f Fact
	switch {
	case lead != nil:
		note := "critical: " + failing[0]
		if n := len(failing) - 1; n > 0 {
			note += fmt.Sprintf("; and %d more", n)
		}
		f = lead.seen.fact("Alert status", "CRITICAL", Fail, note)
	case rate == Fail && x.ended() > 0:
		f = both.fact("Alert status", "CRITICAL", Fail, percent(share)+" of rotations succeeded")
	case len(hanging) > 0:
		f = both.fact("Alert status", "WARNING", Warn, fewOf(hanging, 1))
	case !both.known():
		f = both.fact("Alert status", "?", Unknown, "")
		f.Value = "?"
	case rate == Warn:
		f = both.fact("Alert status", "WARNING", Warn, percent(share)+" of rotations succeeded")
	default:
		f = both.fact("Alert status", "CLEAR", OK, "")
	}
	f.Formula = fmt.Sprintf("CRITICAL when under %s of rotations succeed (thresholds.rotation_success_fail) or the rotation of a secret of criticality critical fails; WARNING under %s (thresholds.rotation_success_warn), or while a rotation of any watched secret or of a static role hangs, is overdue or failed and did not succeed since; CLEAR only when nothing does and all of it was read",
		percent(d.t.Rules.RotationFail), percent(d.t.Rules.RotationWarn))
	d.add(true, f)
	if f.Status != NA && f.Value != "?" {
		d.say(f.Status, f.Value, f.Note)
	}
}

// join takes what another figure rests on.
func (g *gathered) join(o *gathered) {
	g.reads, g.unsure, g.none = g.reads+o.reads, g.unsure+o.unsure, g.none+o.none
	g.stale, g.failed = g.stale+o.stale, g.failed+o.failed
	if !o.at.IsZero() && (g.at.IsZero() || o.at.Before(g.at)) {
		g.at = o.at
	}
	g.took = max(g.took, o.took)
	g.sources = slices.Clone(g.sources)
	for _, s := range o.sources {
		g.source(s)
	}
	g.more += o.more
	if g.note == "" {
		g.note = o.note
	}
}

// failedSecrets lists whose rotations failed, the most often first.
func (d *deriver) failedSecrets(x *rotations) {
	type one struct {
		name  string
		n     int
		error string
		last  time.Time
		since bool // it succeeded after that
	}
	fine := map[string]bool{}
	at := map[string]int{}
	var all []one
	for i := range x.events {
		e := &x.events[i]
		name := named(e.Secret)
		if e.What != RotationFailed {
			fine[name] = fine[name] || e.What == RotationSucceeded
			continue
		}
		j, known := at[name]
		if !known {
			j = len(all)
			at[name], all = j, append(all, one{name: name, last: e.At, error: e.Error, since: fine[name]})
		}
		all[j].n++
	}
	slices.SortStableFunc(all, func(a, b one) int { return b.n - a.n })
	for i, o := range all {
		if i == namesListed {
			d.add(false, x.fact("More secrets that failed", fmt.Sprintf("%d not listed", len(all)-i), NA, ""))
			break
		}
		note := strings.Trim("last "+Ago(d.now, o.last)+": "+o.error, ": ")
		if o.since {
			note = "succeeded since; " + note
		}
		f := x.fact("Failed: "+o.name, count(o.n, "time"), statusIf(!o.since, Warn), note)
		f.Formula = "RotationFailed events of this secret among the newest " + some(len(x.events), "event")
		d.add(false, f)
	}
	for i, role := range x.roles {
		if i == namesListed {
			d.add(false, x.fact("More roles that are stuck", fmt.Sprintf("%d not listed", len(x.roles)-i), NA, ""))
			break
		}
		f := x.fact("Stuck: "+strings.Trim(role.Mount, "/")+"/"+role.Name, "last rotated "+Ago(d.now, role.LastRotation), Warn, "user "+role.User)
		f.Formula = "its rotation was due more than " + Span(vaultRoleSlack) + " before it was read"
		d.add(false, f)
	}
}

// rotationDetail lists the newest events and what is known of the counts.
func (d *deriver) rotationDetail(x *rotations) {
	if x.started > 0 || x.ended() > 0 {
		f := x.fact("Rotations", some(x.started, "start"), NA, fmt.Sprintf("%s succeeded, %s failed, %s abandoned by CloudTrail; %s rotated, %s stuck in Vault",
			thousands(x.succeeded), thousands(x.failed), thousands(x.abandoned), thousands(x.rotated), thousands(x.stuck)))
		f.Formula = "events of CloudTrail within " + Span(x.window) + ", static roles of Vault as they stand now"
		d.add(false, f)
	}
	for _, e := range x.events[:min(len(x.events), eventsListed)] {
		d.add(false, x.fact(Ago(d.now, e.At), string(e.What), NA, strings.TrimSuffix(named(e.Secret)+": "+e.Error, ": ")))
	}
}
