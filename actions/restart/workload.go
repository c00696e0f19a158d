package restart

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Annotations of a pod template that a restart writes: kubectl's own, and ours, by
// which a run knows what it has restarted.
const (
	restartedAt = "kubectl.kubernetes.io/restartedAt"
	runMark     = "warroom.dev/rotation"
)

// Kinds of workload, as warroom.yaml writes them.
const (
	deployment  = "deployment"
	statefulSet = "statefulset"
	daemonSet   = "daemonset"
)

var kinds = []string{deployment, statefulSet, daemonSet}

// workload is a Deployment, StatefulSet or DaemonSet at one time.
type workload struct {
	kind, namespace, name string
	uid                   string
	generation, observed  int64
	desired               int // replicas wanted
	have, updated         int
	ready, available      int
	paused, onDelete      bool
	recreate              bool // every old pod ends before a new one starts
	partition             int  // ordinals below it keep the old revision
	surge, away           int  // maxSurge and maxUnavailable, in pods
	progress, progressing string
	progressAt            time.Time
	revision, newRevision string // of a StatefulSet
	mark                  string // our annotation in the template
	uses                  []use
	pod                   corev1.PodSpec // of which only the resources are looked at
	selector              labels.Selector
	labels                map[string]string // of its pods
}

// String is namespace/kind/name.
func (w *workload) String() string { return w.namespace + "/" + w.kind + "/" + w.name }

// set fills in what all kinds have alike.
func (w *workload) set(kind string, m *metav1.ObjectMeta, observed int64, t *corev1.PodTemplateSpec, s *metav1.LabelSelector) {
	w.kind, w.namespace, w.name, w.uid = kind, m.Namespace, m.Name, string(m.UID)
	w.generation, w.observed = m.Generation, observed
	w.mark, w.uses, w.pod, w.labels = t.Annotations[runMark], usesOf(&t.Spec), t.Spec, t.Labels
	w.selector = labels.Nothing()
	if of, err := metav1.LabelSelectorAsSelector(s); err == nil {
		w.selector = of
	}
}

func ofDeployment(d *appsv1.Deployment) *workload {
	w := &workload{desired: one(d.Spec.Replicas), have: int(d.Status.Replicas), updated: int(d.Status.UpdatedReplicas),
		ready: int(d.Status.ReadyReplicas), available: int(d.Status.AvailableReplicas), paused: d.Spec.Paused}
	w.set(deployment, &d.ObjectMeta, d.Status.ObservedGeneration, &d.Spec.Template, d.Spec.Selector)
	if w.recreate = d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType; w.recreate {
		w.away = w.desired
	} else {
		quarter := intstr.FromString("25%") // what an API server fills in
		surge, away := &quarter, &quarter
		if u := d.Spec.Strategy.RollingUpdate; u != nil {
			surge, away = orElse(u.MaxSurge, surge), orElse(u.MaxUnavailable, away)
		}
		w.surge, w.away = share(surge, w.desired, true), share(away, w.desired, false)
		if w.surge == 0 && w.away == 0 {
			w.away = 1 // as the controller has it
		}
		w.away = min(w.away, w.desired)
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing {
			w.progress, w.progressing, w.progressAt = c.Reason, c.Message, c.LastUpdateTime.Time
		}
	}
	return w
}

func ofStatefulSet(s *appsv1.StatefulSet) *workload {
	w := &workload{desired: one(s.Spec.Replicas), have: int(s.Status.Replicas), updated: int(s.Status.UpdatedReplicas),
		ready: int(s.Status.ReadyReplicas), available: int(s.Status.AvailableReplicas),
		revision: s.Status.CurrentRevision, newRevision: s.Status.UpdateRevision, onDelete: s.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType}
	w.set(statefulSet, &s.ObjectMeta, s.Status.ObservedGeneration, &s.Spec.Template, s.Spec.Selector)
	w.away = min(1, w.desired)
	if u := s.Spec.UpdateStrategy.RollingUpdate; u != nil {
		if u.Partition != nil {
			w.partition = min(int(*u.Partition), w.desired)
		}
		if u.MaxUnavailable != nil {
			w.away = min(max(share(u.MaxUnavailable, w.desired, true), 1), w.desired)
		}
	}
	return w
}

func ofDaemonSet(d *appsv1.DaemonSet) *workload {
	w := &workload{desired: int(d.Status.DesiredNumberScheduled), have: int(d.Status.CurrentNumberScheduled), updated: int(d.Status.UpdatedNumberScheduled),
		ready: int(d.Status.NumberReady), available: int(d.Status.NumberAvailable), onDelete: d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType}
	w.set(daemonSet, &d.ObjectMeta, d.Status.ObservedGeneration, &d.Spec.Template, d.Spec.Selector)
	w.away = min(1, w.desired)
	if u := d.Spec.UpdateStrategy.RollingUpdate; u != nil {
		if u.MaxUnavailable != nil {
			w.away = min(share(u.MaxUnavailable, w.desired, true), w.desired)
		}
		if u.MaxSurge != nil {
			w.surge = share(u.MaxSurge, w.desired, true)
		}
	}
	return w
}

func one(n *int32) int {
	if n == nil {
		return 1
	}
	return int(*n)
}

func orElse(v, otherwise *intstr.IntOrString) *intstr.IntOrString {
	if v == nil {
		return otherwise
	}
	return v
}

// share is a number or percentage of n.
func share(v *intstr.IntOrString, n int, up bool) int {
	got, err := intstr.GetScaledValueFromIntOrPercent(v, n, up)
	if err != nil {
		return 0 // the API server takes none that is malformed
	}
	return max(got, 0)
}

// rolled reports whether every pod is of the newest revision and available, by the
// rules of kubectl rollout status; else the text says what is missing.
func (w *workload) rolled() (bool, string) {
	want := w.desired - w.partition
	switch {
	case w.observed < w.generation:
		return false, "the controller has not seen the change yet"
	case w.updated < want:
		return false, fmt.Sprintf("%d of %d on the new value", w.updated, want)
	case w.kind == deployment && w.have > w.updated:
		return false, fmt.Sprintf("%d of %d on the new value, %d old ones still end", w.updated, w.desired, w.have-w.updated)
	case w.available < w.desired:
		return false, fmt.Sprintf("%d of %d on the new value, %d of %d available", w.updated, want, w.available, w.desired)
	case w.kind == statefulSet && w.partition == 0 && w.newRevision != w.revision:
		return false, fmt.Sprintf("%d of %d on the new value, its revision %s is not current yet", w.updated, want, w.newRevision)
	}
	if w.partition > 0 {
		return true, fmt.Sprintf("%d of %d on the new value; its partition keeps %d on the old one", want, w.desired, w.partition)
	}
	return true, fmt.Sprintf("%d of %d on the new value", w.updated, w.desired)
}

// resource is the plural under which the API serves a kind.
func resource(kind string) string { return kind + "s" }

// split reads namespace/kind/name as warroom.yaml writes it.
func split(text string) (namespace, kind, name string, ok bool) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return "", "", "", false
	}
	return parts[0], strings.ToLower(parts[1]), parts[2], true
}
