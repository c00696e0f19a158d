package estate

import (
	"fmt"
	"strings"
)

// outdated is how a secret stands for a consumer that does not say itself which
// version it uses: STALE when what fills its Secrets did so last before the stored
// secret was rotated, or when pods go on with the value of before a Secret
// changed. It takes f, how the secret stands in the store. Nothing tells which of
// several Secrets holds which stored secret, so each of them counts.
func (d *deriver) outdated(id string, state *secretState, f Fact) Fact {
	if state.status == Fail {
		return f
	}
	stale := func(b basis, note string) Fact {
		out := b.fact(f.Name, "STALE", Warn, id+": "+note).on(state.seen.basis, state.end)
		// What is not known of the secret itself stays so.
		out.Status = Worst(out.Status, state.status)
		if !strings.Contains(out.Note, note) {
			out.Note = note + "; " + out.Note
		}
		if out.Status == Warn {
			d.say(Warn, "STALE", out.Note)
		}
		return out
	}
	rotated := state.seen.data.LastRotated
	if v := see[ExternalSecrets](d.derivation, d.c.ID, CheckExternalSecrets, ""); v.ok && !v.absent() {
		if e, ok := v.data.oldest(); ok && e.Refreshed.Before(rotated) {
			return stale(v.basis, fmt.Sprintf("ExternalSecret %s last refreshed Secret %s %s, rotated %s", e.Name, e.Target, Ago(d.now, e.Refreshed), Ago(d.now, rotated)))
		}
	}
	if v := see[WorkloadSecrets](d.derivation, d.c.ID, CheckWorkloadSecrets, ""); v.ok {
		for _, u := range v.data.Uses {
			if !u.Refreshes && u.OlderPods > 0 {
				return stale(v.basis, fmt.Sprintf("%s started before Secret %s changed %s", count(u.OlderPods, "pod"), u.Name, Ago(d.now, u.Changed)))
			}
		}
	}
	return f
}

// oldest is the ExternalSecret that was refreshed longest ago. One of which that
// was never told says nothing here; its own figure says that it is not synced.
func (x ExternalSecrets) oldest() (e ExternalSecret, ok bool) {
	for _, one := range x.Secrets {
		if !one.Refreshed.IsZero() && (!ok || one.Refreshed.Before(e.Refreshed)) {
			e, ok = one, true
		}
	}
	return e, ok
}

// absent reports that the system has no such feature, by the last attempt.
func (v basis) absent() bool {
	fail := v.failure()
	return fail != nil && fail.Kind == NotSupported
}

// refreshed is the last sync of an application that does not tell its own: that of
// what fills its Secrets.
func (d *deriver) refreshed() {
	v := see[ExternalSecrets](d.derivation, d.c.ID, CheckExternalSecrets, "")
	if !v.ok || v.absent() {
		return // how the ExternalSecrets stand is a figure of its own
	}
	e, ok := v.data.oldest()
	if !ok {
		return
	}
	status, note := OK, "by ExternalSecret "+e.Name
	switch age := d.now.Sub(e.Refreshed); {
	case age < -d.t.Rules.ClockSkewWarn:
		status, note = Unknown, note+"; its clock is ahead of ours"
	case e.Every == 0:
		note += ", which does not refresh by itself"
	case age > max(d.t.Rules.SyncWarn, 2*e.Every):
		status, note = Warn, note+", due every "+Span(e.Every)
	}
	f := v.fact("Last sync", Ago(d.now, e.Refreshed), status, note)
	f.Formula = "now − the oldest refresh of the ExternalSecrets that write its Secrets; WARN above thresholds.sync_warn, or twice the refresh interval where that is longer, and never of one that does not refresh by itself"
	d.add(false, f)
}
