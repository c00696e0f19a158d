package checks

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"warroom/internal/estate"
)

// Annotations and labels by which workloads are read.
const (
	restartedAt     = "kubectl.kubernetes.io/restartedAt"
	revisionOf      = "deployment.kubernetes.io/revision"
	revisionHistory = "deployment.kubernetes.io/revision-history"
	changeCause     = "kubernetes.io/change-cause"
	templateHash    = "pod-template-hash"
)

// workloadItem is what is kept of a Deployment, StatefulSet or DaemonSet.
type workloadItem struct {
	data estate.Workload // without cluster, namespace, kind and name
	uses []use
}

// podItem is what is kept of a pod.
type podItem struct {
	owner    owner
	hash     string // of the template; with the Deployment's name it is its ReplicaSet's
	running  bool
	ready    bool
	over     bool // it ended or is being deleted
	started  time.Time
	restarts int
	last     time.Time // last restart
	waiting  []string
	uses     []use // with since
}

// revisionItem is what is kept of a ReplicaSet or ControllerRevision.
type revisionItem struct {
	owner    owner
	number   int64
	at       time.Time
	again    bool // it was a revision before: a roll-back made it the newest
	cause    string
	images   []string
	template uint64 // of all else in the template
	restart  string
}

// eventItem is what is kept of a warning.
type eventItem struct {
	kind, name string
	data       estate.WorkloadEvent
}

// jobItem is what is kept of a Job.
type jobItem struct {
	owner   owner
	started time.Time
	ended   time.Time
	result  string
	reason  string
}

// cronItem is what is kept of a CronJob.
type cronItem struct {
	schedule, zone string
	suspended      bool
	last, success  time.Time
	running        int
}

// owner is the controller of an object.
type owner struct {
	kind, name string
	uid        types.UID
}

func ownerOf(refs []metav1.OwnerReference) owner {
	for _, r := range refs {
		if r.Controller != nil && *r.Controller {
			return owner{r.Kind, r.Name, r.UID}
		}
	}
	return owner{}
}

// words cleans and bounds remote text.
type words func(text string, limit int) string

// Bounds of what is kept of remote text, in runes, and of lists.
const (
	kubeNameLimit = 60
	kubeNoteLimit = 200
	mostReasons   = 8
	mostImages    = 4
)

// strip makes an item of an object; what is nil for one of another kind. The
// object is not kept, nor any part of it that could hold it in memory.
func (w words) strip(obj runtime.Object) *item {
	m, ok := obj.(metav1.Object)
	if !ok {
		return nil
	}
	i := &item{ObjectMeta: metav1.ObjectMeta{Name: m.GetName(), Namespace: m.GetNamespace(), UID: m.GetUID(), ResourceVersion: m.GetResourceVersion()}}
	switch o := obj.(type) {
	case *appsv1.Deployment:
		i.what = w.deployment(o)
	case *appsv1.StatefulSet:
		i.what = w.statefulSet(o)
	case *appsv1.DaemonSet:
		i.what = w.daemonSet(o)
	case *appsv1.ReplicaSet:
		i.what = w.replicaSet(o)
	case *appsv1.ControllerRevision:
		i.what = w.controllerRevision(o)
	case *corev1.Pod:
		i.what = w.pod(o)
	case *corev1.Event:
		if o.Type == corev1.EventTypeWarning {
			i.what = w.event(o)
		}
	case *metav1.PartialObjectMetadata:
		i.what = w.secret(o)
	case *batchv1.CronJob:
		i.what = w.cronJob(o)
	case *batchv1.Job:
		i.what = w.job(o)
	default:
		i.what = w.external(obj)
	}
	return i
}

func (w words) deployment(o *appsv1.Deployment) *workloadItem {
	out := &workloadItem{uses: usesOf(&o.Spec.Template.Spec), data: estate.Workload{
		Desired: replicas(o.Spec.Replicas), Updated: int(o.Status.UpdatedReplicas), Ready: int(o.Status.ReadyReplicas),
		Available: int(o.Status.AvailableReplicas), Generation: o.Generation, Observed: o.Status.ObservedGeneration,
		Paused: o.Spec.Paused, Revision: w(o.Annotations[revisionOf], kubeNameLimit), Restarted: restarted(o.Spec.Template.Annotations),
	}}
	for _, c := range o.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing {
			out.data.Progress, out.data.ProgressNote = w(c.Reason, kubeNameLimit), w(c.Message, kubeNoteLimit)
		}
	}
	return out
}

func (w words) statefulSet(o *appsv1.StatefulSet) *workloadItem {
	out := &workloadItem{uses: usesOf(&o.Spec.Template.Spec), data: estate.Workload{
		Desired: replicas(o.Spec.Replicas), Updated: int(o.Status.UpdatedReplicas), Ready: int(o.Status.ReadyReplicas),
		Available: int(o.Status.AvailableReplicas), Generation: o.Generation, Observed: o.Status.ObservedGeneration,
		OnDelete: o.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType,
		Revision: w(o.Status.CurrentRevision, kubeNoteLimit), UpdateRevision: w(o.Status.UpdateRevision, kubeNoteLimit),
		Restarted: restarted(o.Spec.Template.Annotations),
	}}
	if r := o.Spec.UpdateStrategy.RollingUpdate; r != nil && r.Partition != nil {
		out.data.Partition = int(*r.Partition)
	}
	return out
}

func (w words) daemonSet(o *appsv1.DaemonSet) *workloadItem {
	return &workloadItem{uses: usesOf(&o.Spec.Template.Spec), data: estate.Workload{
		Desired: int(o.Status.DesiredNumberScheduled), Updated: int(o.Status.UpdatedNumberScheduled), Ready: int(o.Status.NumberReady),
		Available: int(o.Status.NumberAvailable), Generation: o.Generation, Observed: o.Status.ObservedGeneration,
		OnDelete:  o.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType,
		Restarted: restarted(o.Spec.Template.Annotations),
	}}
}

// replicas is how many are wanted: one where nobody said.
func replicas(n *int32) int {
	if n == nil {
		return 1
	}
	return int(*n)
}

func restarted(annotations map[string]string) time.Time {
	at, err := time.Parse(time.RFC3339, annotations[restartedAt])
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

func (w words) replicaSet(o *appsv1.ReplicaSet) *revisionItem {
	var number int64
	if _, err := fmt.Sscan(o.Annotations[revisionOf], &number); err != nil {
		number = 0
	}
	out := w.revision(ownerOf(o.OwnerReferences), number, o.CreationTimestamp.Time, o.Annotations[changeCause], &o.Spec.Template)
	if o.Annotations[revisionHistory] != "" {
		out.again, out.at = true, written(o.ManagedFields, out.at)
	}
	return out
}

// written is when anything but the status of an object was last written, where
// its managed fields tell, else at.
func written(fields []metav1.ManagedFieldsEntry, at time.Time) time.Time {
	for _, f := range fields {
		if f.Subresource == "" && f.Time != nil && f.Time.After(at) {
			at = f.Time.Time
		}
	}
	return at.UTC()
}

// revision tells what sets one revision's template apart. The values of
// environment variables go into a fingerprint that never leaves the process.
func (w words) revision(by owner, number int64, at time.Time, cause string, t *corev1.PodTemplateSpec) *revisionItem {
	out := &revisionItem{owner: by, number: number, at: at.UTC(), cause: w(withoutValues(cause), kubeNoteLimit), restart: w(t.Annotations[restartedAt], kubeNameLimit)}
	rest := t.Spec.DeepCopy()
	for _, list := range [][]corev1.Container{rest.InitContainers, rest.Containers} {
		for i := range list {
			if len(out.images) < mostImages {
				out.images = append(out.images, w(list[i].Image, kubeNoteLimit))
			}
			list[i].Image = ""
		}
	}
	out.template = templatePrint(rest)
	return out
}

var seed = maphash.MakeSeed()

func templatePrint(spec *corev1.PodSpec) uint64 {
	text, err := spec.Marshal()
	if err != nil {
		return 0
	}
	return maphash.Bytes(seed, text)
}

func (w words) pod(o *corev1.Pod) *podItem {
	out := &podItem{
		owner: ownerOf(o.OwnerReferences), hash: o.Labels[templateHash],
		running: o.Status.Phase == corev1.PodRunning,
		over:    o.DeletionTimestamp != nil || o.Status.Phase == corev1.PodSucceeded || o.Status.Phase == corev1.PodFailed,
		uses:    usesOf(&o.Spec),
	}
	if o.Status.StartTime != nil {
		out.started = o.Status.StartTime.UTC()
	}
	for _, c := range o.Status.Conditions {
		if c.Type == corev1.PodReady {
			out.ready = c.Status == corev1.ConditionTrue
		}
	}
	began := map[string]time.Time{}
	for _, list := range [][]corev1.ContainerStatus{o.Status.InitContainerStatuses, o.Status.ContainerStatuses, o.Status.EphemeralContainerStatuses} {
		for i := range list {
			out.container(w, &list[i], began)
		}
	}
	slices.Sort(out.waiting)
	out.waiting = slices.Compact(out.waiting)
	for i := range out.uses {
		out.uses[i].since = out.uses[i].begun(began, out.started)
	}
	return out
}

// container takes one container's state over.
func (p *podItem) container(w words, c *corev1.ContainerStatus, began map[string]time.Time) {
	p.restarts += int(c.RestartCount)
	if c.State.Running != nil {
		began[c.Name] = c.State.Running.StartedAt.UTC()
	}
	if end := c.LastTerminationState.Terminated; end != nil && c.RestartCount > 0 && end.FinishedAt.After(p.last) {
		p.last = end.FinishedAt.UTC()
	}
	// A container that waits for others to start is not held up by itself.
	if wait := c.State.Waiting; wait != nil && wait.Reason != "" && wait.Reason != "ContainerCreating" && wait.Reason != "PodInitializing" && len(p.waiting) < mostReasons {
		p.waiting = append(p.waiting, w(wait.Reason, kubeNameLimit))
	}
}

func (w words) event(o *corev1.Event) *eventItem {
	at, n := o.LastTimestamp.Time, int(o.Count)
	if o.Series != nil {
		at, n = o.Series.LastObservedTime.Time, int(o.Series.Count)
	}
	if at.IsZero() {
		at = o.EventTime.Time
	}
	if at.IsZero() {
		at = o.CreationTimestamp.Time
	}
	about := o.InvolvedObject
	return &eventItem{kind: about.Kind, name: about.Name, data: estate.WorkloadEvent{
		At: at.UTC(), Count: max(n, 1), Reason: w(o.Reason, kubeNameLimit),
		Object: w(about.Kind+"/"+about.Name, kubeNoteLimit), Text: w(o.Message, kubeNoteLimit),
	}}
}

func (w words) cronJob(o *batchv1.CronJob) *cronItem {
	out := &cronItem{schedule: w(o.Spec.Schedule, kubeNameLimit), suspended: o.Spec.Suspend != nil && *o.Spec.Suspend, running: len(o.Status.Active)}
	if o.Spec.TimeZone != nil {
		out.zone = w(*o.Spec.TimeZone, kubeNameLimit)
	}
	if t := o.Status.LastScheduleTime; t != nil {
		out.last = t.UTC()
	}
	if t := o.Status.LastSuccessfulTime; t != nil {
		out.success = t.UTC()
	}
	return out
}

func (w words) job(o *batchv1.Job) *jobItem {
	out := &jobItem{owner: ownerOf(o.OwnerReferences), result: "running", started: o.CreationTimestamp.UTC()}
	if o.Status.StartTime != nil {
		out.started = o.Status.StartTime.UTC()
	}
	for _, c := range o.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case batchv1.JobComplete:
			out.result, out.ended = "succeeded", c.LastTransitionTime.UTC()
		case batchv1.JobFailed:
			out.result, out.ended = "failed", c.LastTransitionTime.UTC()
			out.reason = w(strings.Trim(cmp.Or(c.Reason, "failed")+": "+c.Message, ": "), kubeNoteLimit)
		}
	}
	return out
}
