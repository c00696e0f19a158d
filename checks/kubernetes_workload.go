package checks

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"warroom/internal/estate"
)

// Bounds of what is told of one workload.
const (
	eventWindow   = time.Hour
	mostEvents    = 20
	mostRevisions = 10
)

// found looks the key's workload up. That there is none is the cluster's own
// answer; without a failure and without an item the workload could not be read,
// which the key for it tells.
func (k *kubeKey) found(of feeds) (*workloadItem, types.UID, *estate.Failure) {
	one, uid, ok := lookUp[*workloadItem](of[k.work.plural()], k.work.name)
	if ok {
		return one, uid, nil
	}
	if readable, _ := of[k.work.plural()].ready(time.Now()); !readable {
		return nil, "", nil
	}
	return nil, "", &estate.Failure{
		Kind: estate.Missing, Doing: k.expected.Source,
		Detail: "there is no " + k.work.String() + ", or no such namespace",
		Next:   "check namespace/kind/name in warroom.yaml, and whether somebody deleted it",
	}
}

// owns reports whether something with this owner is the workload's own: by name,
// and by identity where both are known, for there may have been another of that
// name.
func (k *kubeKey) owns(by owner, uid types.UID) bool {
	return by.kind == k.work.object() && by.name == k.work.name && (uid == "" || by.uid == uid)
}

// consumes are the Secrets that a workload uses: those of its template, and what
// only its pods have, ephemeral containers and what admission adds. Where neither
// can be read it says why.
func (k *kubeKey) consumes(of feeds) (all []use, running []*podItem, fail *estate.Failure) {
	one, uid, fail := k.found(of)
	if fail != nil {
		return nil, nil, fail
	}
	if one != nil {
		all = slices.Clone(one.uses)
	} else if ok, why := of[pods].ready(time.Now()); !ok {
		if _, own := of[k.work.plural()].ready(time.Now()); own != nil {
			why = own
		}
		return nil, nil, why
	}
	running = k.itsPods(of, uid)
	for _, p := range running {
		for _, u := range p.uses {
			if !slices.ContainsFunc(all, func(have use) bool { return have.secret == u.secret }) {
				all = append(all, u)
			}
		}
	}
	return all, running, nil
}

func lookUp[T any](f *feed, name string) (what T, uid types.UID, ok bool) {
	if f == nil {
		return what, "", false
	}
	return of[T](&f.store, name)
}

func (w *kubeWatch) workload(k *kubeKey, of feeds) Result {
	one, _, missing := k.found(of)
	if missing != nil {
		return Result{Err: missing}
	}
	out := one.data
	out.Cluster, out.Namespace, out.Kind, out.Name = w.name, k.work.namespace, k.work.object(), k.work.name
	return Result{Data: out}
}

// itsPods are the pods of a workload that have not ended and are not being
// deleted. A Deployment's belong to its ReplicaSets, which are called after it and
// the hash of their template, unless somebody handed one over to it.
func (k *kubeKey) itsPods(of feeds, uid types.UID) []*podItem {
	sets := map[types.UID]bool{}
	if f := of[replicaSets]; f != nil {
		each(&f.store, func(i *item, r *revisionItem) bool {
			if k.owns(r.owner, uid) {
				sets[i.UID] = true
			}
			return true
		})
	}
	f := of[pods]
	if f == nil {
		return nil
	}
	var out []*podItem
	each(&f.store, func(_ *item, p *podItem) bool {
		mine := k.owns(p.owner, uid)
		if k.work.kind == "deployment" {
			mine = p.owner.kind == "ReplicaSet" && (sets[p.owner.uid] || p.owner.name == k.work.name+"-"+p.hash)
		}
		if mine && !p.over {
			out = append(out, p)
		}
		return true
	})
	return out
}

func (w *kubeWatch) pods(k *kubeKey, of feeds) Result {
	_, uid, missing := k.found(of)
	if missing != nil {
		return Result{Err: missing}
	}
	var out estate.WorkloadPods
	for _, p := range k.itsPods(of, uid) {
		if p.running {
			out.Running++
		}
		if !p.ready {
			out.NotReady++
		}
		out.Restarts += p.restarts
		if p.last.After(out.LastRestart) {
			out.LastRestart = p.last
		}
		out.Waiting = append(out.Waiting, p.waiting...)
		if p.started.IsZero() {
			continue
		}
		if out.Oldest.IsZero() || p.started.Before(out.Oldest) {
			out.Oldest = p.started
		}
		if p.started.After(out.Newest) {
			out.Newest = p.started
		}
	}
	slices.Sort(out.Waiting)
	out.Waiting = slices.Compact(out.Waiting)
	out.Waiting = out.Waiting[:min(len(out.Waiting), mostReasons)]
	return Result{Data: out}
}

func (w *kubeWatch) secrets(k *kubeKey, of feeds) Result {
	all, running, fail := k.consumes(of)
	if fail != nil {
		return Result{Err: fail}
	}
	readable, _ := of[pods].ready(time.Now())
	var out estate.WorkloadSecrets
	for _, u := range all {
		use := estate.SecretUse{Name: u.secret, How: u.how, Refreshes: u.refreshes, Optional: u.optional}
		stored, _, there := lookUp[*secretItem](of[secrets], u.secret)
		if there {
			use.Changed, use.From = stored.changed, stored.from
		}
		use.Missing = !there && !u.notASecret
		use.OlderPods = older(running, u.secret, use.Changed)
		if !readable {
			use.OlderPods = -1
		}
		out.Uses = append(out.Uses, use)
	}
	return Result{Data: out}
}

// older counts the pods that go on with a value of before the Secret changed.
func older(running []*podItem, secret string, changed time.Time) int {
	n := 0
	for _, p := range running {
		for _, u := range p.uses {
			if u.secret == secret && !u.refreshes && !u.since.IsZero() && u.since.Before(changed) {
				n++
				break
			}
		}
	}
	return n
}

func (w *kubeWatch) events(k *kubeKey, of feeds) Result {
	_, _, missing := k.found(of)
	if missing != nil {
		return Result{Err: missing}
	}
	out := estate.WorkloadEvents{Window: eventWindow}
	after := w.now().Add(-eventWindow)
	each(&of[events].store, func(_ *item, e *eventItem) bool {
		if e.data.At.After(after) && k.concerns(e.kind, e.name) {
			out.Events = append(out.Events, e.data)
		}
		return true
	})
	slices.SortFunc(out.Events, func(a, b estate.WorkloadEvent) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Text, b.Text))
	})
	out.Events = slices.Clone(out.Events[:min(len(out.Events), mostEvents)])
	return Result{Data: out}
}

// concerns reports whether an event is about the workload, its ReplicaSets or its
// pods. They are told by their names, because an event outlives what it is about:
// NAME-HASH for a ReplicaSet, NAME-HASH-SUFFIX for a Deployment's pod, NAME-ORDINAL
// for a StatefulSet's and NAME-SUFFIX for a DaemonSet's.
func (k *kubeKey) concerns(kind, name string) bool {
	if kind == k.work.object() {
		return name == k.work.name
	}
	rest, ok := strings.CutPrefix(name, k.work.name+"-")
	if !ok {
		return false
	}
	parts := strings.Count(rest, "-") + 1
	switch {
	case kind == "ReplicaSet":
		return k.work.kind == "deployment" && parts == 1
	case kind == "Pod" && k.work.kind == "deployment":
		return parts == 2
	case kind == "Pod" && k.work.kind == "statefulset":
		return strings.Trim(rest, "0123456789") == ""
	case kind == "Pod":
		return parts == 1
	}
	return false
}

func (w *kubeWatch) external(k *kubeKey, of feeds) Result {
	uses, _, fail := k.consumes(of)
	if fail != nil {
		return Result{Err: fail}
	}
	out := estate.ExternalSecrets{}
	each(&of[externalSecrets].store, func(_ *item, e *externalItem) bool {
		if slices.ContainsFunc(uses, func(u use) bool { return u.secret == e.data.Target }) {
			out.Secrets = append(out.Secrets, e.data)
		}
		return true
	})
	slices.SortFunc(out.Secrets, func(a, b estate.ExternalSecret) int { return cmp.Compare(a.Name, b.Name) })
	return Result{Data: out}
}

func (w *kubeWatch) revisions(k *kubeKey, of feeds) Result {
	_, uid, missing := k.found(of)
	if missing != nil {
		return Result{Err: missing}
	}
	type numbered struct {
		name string
		*revisionItem
	}
	var all []numbered
	each(&of[k.work.revisions()].store, func(i *item, r *revisionItem) bool {
		if k.owns(r.owner, uid) {
			all = append(all, numbered{i.Name, r})
		}
		return true
	})
	slices.SortFunc(all, func(a, b numbered) int {
		return cmp.Or(cmp.Compare(b.number, a.number), cmp.Compare(a.name, b.name))
	})
	var out estate.Revisions
	for i, r := range all[:min(len(all), mostRevisions)] {
		note := r.cause
		var before *revisionItem
		if i+1 < len(all) {
			before = all[i+1].revisionItem
		}
		// A cause stays written until somebody writes another: the same one twice
		// tells nothing of the second.
		if note == "" || before != nil && before.cause == note {
			note = r.differs(before)
		}
		if r.again {
			note = strings.TrimSuffix("rolled back to an earlier template; "+note, "; ")
		}
		out.Revisions = append(out.Revisions, estate.Revision{At: r.at, Number: r.number, Name: r.name, Note: note})
	}
	return Result{Data: out}
}

// differs says in what a revision differs from the one before it.
func (r *revisionItem) differs(before *revisionItem) string {
	if before == nil {
		return "" // nothing to compare with
	}
	var out []string
	if !slices.Equal(r.images, before.images) {
		out = append(out, "image "+strings.Join(before.images, ", ")+" to "+strings.Join(r.images, ", "))
	}
	if r.template != before.template {
		out = append(out, "environment, volumes or other settings")
	}
	if r.restart != before.restart && r.restart != "" {
		out = append(out, "restart")
	}
	if len(out) == 0 {
		return "labels or annotations"
	}
	return strings.Join(out, "; ")
}
