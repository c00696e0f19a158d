package estate

import (
	"fmt"
	"strings"
	"time"
)

// How a workload's figures are judged.
const (
	recentRestart = time.Hour // a container that restarted since is worth a look
	latestEvents  = 3         // how many warnings are told in full
	latestRolls   = 3         // how many revisions are told
)

// runs tells how an application runs: as a workload of a cluster, or as a unit of
// this host. It reports whether its first fact, the state itself, was added to the
// box.
func (d *deriver) runs(headline bool) {
	work := see[Workload](d.derivation, d.c.ID, CheckWorkload, "")
	unit := see[Unit](d.derivation, d.c.ID, CheckUnit, "")
	switch {
	case work.planned:
		d.workload(work, headline)
		d.pods()
		d.consumption()
		d.externalSecrets()
		d.warnings()
		d.rolled(work)
	case unit.planned:
		d.unit(unit, headline)
	case d.c.Workload != "":
		d.add(headline, Fact{Name: "Workload", Value: "?", Status: Unknown, Source: d.c.Workload, Note: "nothing reads it"})
	}
}

// workload: whether all of it runs, and whether what was last asked of it is done.
func (d *deriver) workload(v seen[Workload], headline bool) {
	word, status, note := rollout(v.data)
	value := fmt.Sprintf("%d/%d ready", v.data.Ready, v.data.Desired)
	if word != "" {
		value = word + " " + value
	}
	f := v.fact("Workload", value, status, note)
	f.Formula = "replicas ready of those wanted, and the rollout, by the object's own status"
	d.add(headline, f)
	switch fail := v.failure(); {
	case status > OK && v.sure():
		d.say(status, word, note)
	case fail != nil && fail.Kind == Missing: // whatever was known of it before
		d.say(Fail, "MISSING", fail.brief())
	}
	if v.ok && !v.data.Restarted.IsZero() {
		d.add(false, v.fact("Restart asked for", Ago(d.now, v.data.Restarted), NA, ""))
	}
}

// rollout words how a workload stands, the worst first; an empty word where all
// is as it should be.
func rollout(w Workload) (word string, status Status, note string) {
	behind := w.Desired - w.Updated
	held := w.Partition > 0 && w.Updated >= w.Desired-w.Partition
	switch {
	case w.Progress == "ProgressDeadlineExceeded":
		return "STUCK", Fail, strings.TrimSuffix("its rollout passed its progress deadline: "+w.ProgressNote, ": ")
	case w.Desired == 0:
		return "NONE WANTED", Warn, "it is scaled to nothing"
	case w.Ready == 0:
		return "DOWN", Fail, "no pod of it is ready"
	case w.Paused:
		return "PAUSED", Warn, "its rollout is paused: a restart or a new template waits"
	case w.Observed < w.Generation:
		return "ROLLING", Warn, "its controller has not looked at the last change yet"
	case w.OnDelete && behind > 0:
		return "ON DELETE", Warn, count(behind, "pod") + " of the old revision stay until somebody deletes them"
	case behind > 0 && held:
		return "PARTITIONED", Warn, fmt.Sprintf("its partition keeps the %s below ordinal %d at the old revision", count(behind, "pod"), w.Partition)
	case behind > 0:
		return "ROLLING", Warn, fmt.Sprintf("%d of %d updated", w.Updated, w.Desired)
	case !w.OnDelete && w.UpdateRevision != "" && w.Revision != w.UpdateRevision && !held:
		return "ROLLING", Warn, "its last revision is not the current one yet"
	case w.Ready < w.Desired:
		return "DEGRADED", Warn, count(w.Desired-w.Ready, "pod") + " not ready"
	case w.OnDelete:
		return "", OK, "its pods are replaced only when somebody deletes them"
	}
	return "", OK, ""
}

func (d *deriver) pods() {
	v := see[WorkloadPods](d.derivation, d.c.ID, CheckWorkloadPods, "")
	if !v.planned {
		return
	}
	p := v.data
	note := ""
	if !p.Oldest.IsZero() {
		note = "the oldest started " + Ago(d.now, p.Oldest) + ", the newest " + Ago(d.now, p.Newest)
	}
	d.add(false, v.fact("Pods", fmt.Sprintf("%d running, %d not ready", p.Running, p.NotReady), statusIf(p.NotReady > 0, Warn), note))
	if !v.ok {
		return
	}
	status, note := OK, ""
	if p.Restarts > 0 {
		note = "the last " + Ago(d.now, p.LastRestart)
		if p.LastRestart.IsZero() {
			note = "when is not known"
		}
		status = statusIf(d.now.Sub(p.LastRestart) < recentRestart, Warn)
	}
	f := v.fact("Restarts", fmt.Sprint(p.Restarts), status, note)
	f.Formula = "restarts of all containers since their pods started; it warns for " + Span(recentRestart) + " after the last"
	d.add(false, f)
	if len(p.Waiting) > 0 {
		reasons := strings.Join(p.Waiting, ", ")
		d.add(false, v.fact("Waiting containers", reasons, Warn, ""))
		d.say(Warn, "DEGRADED", "containers wait: "+reasons)
	}
}

// consumption: how each Secret of the cluster gets into the workload, and which
// pods go on with a value of before it changed.
func (d *deriver) consumption() {
	v := see[WorkloadSecrets](d.derivation, d.c.ID, CheckWorkloadSecrets, "")
	if !v.planned {
		return
	}
	if !v.ok {
		d.add(false, v.fact("Secrets consumed", "?", Unknown, ""))
		return
	}
	d.add(false, v.fact("Secrets consumed", fmt.Sprint(len(v.data.Uses)), OK, ""))
	for _, u := range v.data.Uses {
		value, status, note := d.taken(u)
		f := v.fact("Secret "+u.Name, value, status, note)
		f.Formula = "pods of which a container that takes the value when it starts has run since before the Secret changed"
		if u.From != "" {
			f.Formula += "; its change is told by " + u.From
		}
		d.add(false, f)
		if status == Fail || status == Warn {
			word := map[Status]string{Warn: "RESTART DUE", Fail: "SECRET MISSING"}[status]
			d.say(status, word, "Secret "+u.Name+": "+note)
		}
	}
}

// taken words one use of a Secret.
func (d *deriver) taken(u SecretUse) (value string, status Status, note string) {
	value = strings.Join(u.How, ", ")
	changed := ""
	if !u.Changed.IsZero() {
		changed = "changed " + Ago(d.now, u.Changed)
	}
	switch {
	case u.Missing && u.Optional:
		return value, OK, "there is no such Secret, and it is optional"
	case u.Missing:
		return value + ": MISSING", Fail, "there is no such Secret: pods that start now do not come up"
	case u.Refreshes && len(u.How) == 1 && u.How[0] == "imagePull":
		return value, OK, strings.TrimPrefix(changed+"; read at each pull", "; ")
	case u.Refreshes:
		return value, OK, strings.TrimPrefix(changed+"; a change reaches running pods by itself, within minutes", "; ")
	case u.OlderPods < 0:
		return value, Unknown, strings.TrimPrefix(changed+"; the pods could not be read to tell which are older", "; ")
	case u.OlderPods > 0:
		return value, Warn, fmt.Sprintf("%s started before it %s and do not take it over: restart %s", count(u.OlderPods, "pod"), changed, d.c.Workload)
	}
	return value, OK, strings.TrimPrefix(changed+"; a change needs a restart", "; ")
}

// externalSecrets: whether what fills the workload's Secrets does so.
func (d *deriver) externalSecrets() {
	v := see[ExternalSecrets](d.derivation, d.c.ID, CheckExternalSecrets, "")
	if !v.planned {
		return
	}
	if fail := v.failure(); fail != nil && fail.Kind == NotSupported {
		d.add(false, Fact{Name: "ExternalSecrets", Value: "N/A", Status: NA, Note: "External Secrets Operator is not installed", Source: v.slot.Last.Source, At: v.slot.Last.At})
		return
	}
	if !v.ok || len(v.data.Secrets) == 0 {
		d.add(false, v.fact("ExternalSecrets", "none", NA, ""))
		return
	}
	for _, e := range v.data.Secrets {
		value, status, note := "SYNCED", OK, "refreshed "+Ago(d.now, e.Refreshed)
		switch late := d.now.Sub(e.Refreshed); {
		case !e.Ready:
			value, status, note = "NOT SYNCED", Fail, strings.TrimPrefix(e.Reason+": "+e.Message, ": ")
			if e.Reason == "" {
				value, status, note = "NOT SYNCED", Warn, "the operator has not said anything of it yet"
			}
		case e.Every == 0:
			note += "; it does not refresh by itself"
		case !e.Refreshed.IsZero() && late > 2*e.Every:
			status, note = Warn, note+", due every "+Span(e.Every)
		}
		f := v.fact("ExternalSecret "+e.Name, value, status, note+"; writes Secret "+e.Target)
		d.add(false, f)
		if status > OK {
			d.say(status, "NOT SYNCED", "ExternalSecret "+e.Name+": "+note)
		}
	}
}

// warnings: what the cluster complained of.
func (d *deriver) warnings() {
	v := see[WorkloadEvents](d.derivation, d.c.ID, CheckWorkloadEvents, "")
	if !v.planned {
		return
	}
	all := v.data.Events
	f := v.fact("Warning events", fmt.Sprintf("%d in %s", len(all), Span(v.data.Window)), statusIf(len(all) > 0, Warn), "")
	f.Formula = "events of type Warning about it, its ReplicaSets and its pods that last happened within " + Span(v.data.Window) + "; repeated ones count once"
	d.add(false, f)
	for i, e := range all[:min(len(all), latestEvents)] {
		value := e.Reason
		if e.Count > 1 {
			value = fmt.Sprintf("%s, %d times", e.Reason, e.Count)
		}
		d.add(false, v.fact(fmt.Sprintf("Event %d", i+1), value, NA, Ago(d.now, e.At)+" "+e.Object+": "+e.Text))
	}
}

// rolled: the newest revisions, as recent changes.
func (d *deriver) rolled(work seen[Workload]) {
	v := see[Revisions](d.derivation, d.c.ID, CheckRevisions, "")
	if !v.planned {
		return
	}
	if !v.ok || len(v.data.Revisions) == 0 {
		d.add(false, v.fact("Revision", "none", NA, ""))
		return
	}
	for i, r := range v.data.Revisions[:min(len(v.data.Revisions), latestRolls)] {
		name := "Revision"
		if i > 0 {
			name = fmt.Sprintf("Revision before (%d)", i)
		}
		f := v.fact(name, fmt.Sprintf("%d, %s", r.Number, Ago(d.now, r.At)), NA, r.Note)
		d.add(false, f)
	}
}

// unit: whether a systemd unit runs, and since before which of the files it reads
// at its start.
func (d *deriver) unit(v seen[Unit], headline bool) {
	u := v.data
	word, status, note := u.state()
	f := v.fact("Unit", word, status, note)
	d.add(headline, f)
	if status > OK && v.sure() {
		d.say(status, word, u.Name+": "+note)
	}
	if !v.ok {
		return
	}
	if !u.Started.IsZero() {
		d.add(false, v.fact("Started", Ago(d.now, u.Started), NA, ""))
	}
	again := u.Restarts > 0 && d.now.Sub(u.Changed) < recentRestart
	r := v.fact("Restarts", fmt.Sprint(u.Restarts), statusIf(again, Warn), "")
	r.Formula = "restarts by systemd since the unit was loaded; it warns while its state changed within " + Span(recentRestart)
	d.add(false, r)
	for _, s := range u.Secrets {
		status, note := OK, ""
		switch {
		case s.Missing:
			status, note = Fail, "there is no such file: the unit does not start again"
			d.say(Fail, "SECRET MISSING", s.Name+": "+note)
		case s.Changed.IsZero():
			status, note = Unknown, "when its file changed is not known"
		case u.Started.IsZero():
			note = "changed " + Ago(d.now, s.Changed)
		case s.Changed.After(u.Started):
			status, note = Warn, "changed "+Ago(d.now, s.Changed)+", after the unit started: restart "+u.Name
			d.say(Warn, "RESTART DUE", s.Name+" "+note)
		default:
			note = "changed " + Ago(d.now, s.Changed) + ", before the unit started"
		}
		f := v.fact("Secret "+s.Name, s.How, status, note)
		f.Formula = "time of the file against the start of the unit's main process, which reads it once"
		d.add(false, f)
	}
}

// state words how a unit stands.
func (u Unit) state() (word string, status Status, note string) {
	note = u.Sub
	switch {
	case u.Load == "not-found":
		return "NOT FOUND", Fail, "systemd knows no such unit"
	case u.Load == "masked":
		return "MASKED", Fail, "it cannot be started while it is masked"
	case u.Load != "" && u.Load != "loaded":
		return "NOT LOADED", Fail, "its unit file is not loaded: " + u.Load
	}
	if u.Result != "" && u.Result != "success" {
		note = strings.TrimPrefix(note+": "+u.Result, ": ")
		if u.Result == "exit-code" {
			note += fmt.Sprintf(" %d", u.ExitCode)
		}
	}
	switch u.Active {
	case "active":
		return "ACTIVE", OK, note
	case "reloading":
		return "RELOADING", OK, note
	case "failed":
		return "FAILED", Fail, note
	case "inactive":
		return "INACTIVE", Fail, "it does not run"
	case "activating":
		if u.Sub == "auto-restart" {
			return "RESTARTING", Fail, note
		}
		return "ACTIVATING", Warn, note
	case "deactivating":
		return "STOPPING", Warn, note
	}
	return "?", Unknown, "state " + u.Active
}
