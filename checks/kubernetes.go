package checks

import (
	"strings"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// kubernetesWatchers makes one watch for each cluster in which something runs
// that is configured. Only the namespaces and kinds that it needs are watched.
func kubernetesWatchers(cfg *config.Config, set *clients.Set) []Watcher {
	var out []Watcher
	for i := range cfg.Kubernetes {
		name := cfg.Kubernetes[i].Name
		w := &kubeWatch{set: set, name: name, interval: cfg.Checks.Interval, slow: cfg.Checks.SlowEvery, now: time.Now, hurry: make(chan []estate.ID, 1)}
		for j := range cfg.Components {
			w.take(&cfg.Components[j])
		}
		if len(w.keys) == 0 {
			continue
		}
		out = append(out, Watcher{
			Keys: w.expectations(), System: "kubernetes:" + name, Timeout: cfg.Checks.Timeout,
			Watch: w.run, Confirm: w.confirm,
		})
	}
	return out
}

// workload is one Deployment, StatefulSet or DaemonSet that is configured.
type workload struct {
	namespace, kind, name string // kind as configured: deployment, statefulset, daemonset
}

// plural is the kind that is watched for it, and revisions the one that keeps its
// revisions.
func (w workload) plural() kubeKind { return kubeKind(w.kind + "s") }

func (w workload) revisions() kubeKind {
	if w.kind == "deployment" {
		return replicaSets
	}
	return controllerRevisions
}

// object is the kind as the API spells it.
func (w workload) object() string {
	switch w.kind {
	case "deployment":
		return "Deployment"
	case "statefulset":
		return "StatefulSet"
	}
	return "DaemonSet"
}

func (w workload) String() string {
	return w.kind + " " + w.name + " in namespace " + w.namespace
}

// kubeKey is one thing that a cluster's watch posts.
type kubeKey struct {
	expected estate.Expectation
	needs    []kubeKind // the feeds on which it rests, the decisive first
	optional []kubeKind // feeds without which it is told all the same
	work     workload   // kind is empty for a CronJob
	read     func(*kubeWatch, *kubeKey, feeds) Result
	moves    bool // what it says changes with time alone

	version uint64 // of its feeds when it was last worked out
	posted  time.Time
	last    Result
}

// take notes what is to be watched for a component.
func (w *kubeWatch) take(c *config.Component) {
	id := estate.ID(c.ID)
	add := func(check, source string, k kubeKey) {
		k.expected = estate.Expectation{
			Key:    estate.Key{Component: id, Check: check},
			Source: source + ", Kubernetes cluster " + w.name, Interval: w.interval,
		}
		w.keys = append(w.keys, &k)
	}
	if a := c.Application; a != nil && a.Cluster == w.name && a.Workload != "" {
		part := strings.SplitN(a.Workload, "/", 3)
		if len(part) != 3 {
			return
		}
		work := workload{part[0], part[1], part[2]}
		one, in := work.plural(), " in namespace "+work.namespace
		// Each rests on no more than it must, so that what we may not read hides
		// nothing else.
		about := []kubeKind{one, pods, replicaSets}
		add(estate.CheckWorkload, "watch "+work.String(), kubeKey{needs: []kubeKind{one}, work: work, read: (*kubeWatch).workload})
		add(estate.CheckWorkloadPods, "watch pods of "+work.String(), kubeKey{needs: []kubeKind{pods}, optional: []kubeKind{one, replicaSets}, work: work, read: (*kubeWatch).pods})
		add(estate.CheckWorkloadSecrets, "watch "+work.String()+", metadata of secrets, pods", kubeKey{needs: []kubeKind{secrets}, optional: about, work: work, read: (*kubeWatch).secrets})
		add(estate.CheckWorkloadEvents, "watch events of type Warning"+in, kubeKey{needs: []kubeKind{events}, optional: []kubeKind{one}, work: work, read: (*kubeWatch).events, moves: true})
		add(estate.CheckExternalSecrets, "watch externalsecrets."+externalGroup+in, kubeKey{needs: []kubeKind{externalSecrets}, optional: about, work: work, read: (*kubeWatch).external})
		add(estate.CheckRevisions, "watch "+string(work.revisions())+in, kubeKey{needs: []kubeKind{work.revisions()}, optional: []kubeKind{one}, work: work, read: (*kubeWatch).revisions})
	}
	if j := c.ScheduledJob; j != nil && j.Cluster == w.name && j.Job != "" {
		namespace, name, _ := strings.Cut(j.Job, "/")
		add(estate.CheckJob, "watch cronjob "+name+" and its jobs in namespace "+namespace, kubeKey{needs: []kubeKind{cronJobs, jobs}, work: workload{namespace: namespace, name: name}, read: (*kubeWatch).job, moves: true})
	}
}

func (w *kubeWatch) expectations() []estate.Expectation {
	out := make([]estate.Expectation, len(w.keys))
	for i, k := range w.keys {
		out[i] = k.expected
	}
	return out
}

// names are the configured names in one namespace, by what is kept for them.
type names struct {
	workloads map[kubeKind]map[string]bool // by plural
	jobs      map[string]bool
}

func (w *kubeWatch) names(namespace string) names {
	out := names{workloads: map[kubeKind]map[string]bool{}, jobs: map[string]bool{}}
	for _, k := range w.keys {
		switch {
		case k.work.namespace != namespace:
		case k.work.kind == "":
			out.jobs[k.work.name] = true
		default:
			of := out.workloads[k.work.plural()]
			if of == nil {
				of = map[string]bool{}
				out.workloads[k.work.plural()] = of
			}
			of[k.work.name] = true
		}
	}
	return out
}

// keep reports whether anything that is configured needs an object.
func (n names) keep(i *item) bool {
	switch what := i.what.(type) {
	case *workloadItem:
		return n.named(i.Name)
	case *podItem:
		return n.owned(what.owner)
	case *revisionItem:
		return n.owned(what.owner)
	case *eventItem:
		return n.about(what.name)
	case *cronItem:
		return n.jobs[i.Name]
	case *jobItem:
		return what.owner.kind == "CronJob" && n.jobs[what.owner.name]
	}
	return true
}

func (n names) named(name string) bool {
	for _, of := range n.workloads {
		if of[name] {
			return true
		}
	}
	return false
}

func (n names) owned(by owner) bool {
	switch by.kind {
	case "ReplicaSet": // owned by a Deployment, after which it is called
		return n.about(by.name)
	case "Deployment":
		return n.workloads[deployments][by.name]
	case "StatefulSet":
		return n.workloads[statefulSets][by.name]
	case "DaemonSet":
		return n.workloads[daemonSets][by.name]
	}
	return false
}

// about reports whether name is, or begins like, that of a workload: objects are
// called after their owners, with something after a dash.
func (n names) about(name string) bool {
	for {
		if n.named(name) {
			return true
		}
		at := strings.LastIndexByte(name, '-')
		if at < 0 {
			return false
		}
		name = name[:at]
	}
}
