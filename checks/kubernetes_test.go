package checks

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// clusterTime is when the objects of these tests began.
var clusterTime = time.Now().Add(-10 * time.Hour).UTC().Truncate(time.Second)

func at(d time.Duration) metav1.Time { return metav1.NewTime(clusterTime.Add(d)) }

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), CreationTimestamp: at(0)}
}

func ownedBy(kind, name string, m metav1.ObjectMeta) metav1.ObjectMeta {
	yes := true
	m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: name, UID: types.UID("uid-" + name), Controller: &yes}}
	return m
}

// template takes the Secret db from the environment and tls from a volume.
func template(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		Containers: []corev1.Container{{
			Name: "app", Image: image,
			Env:          []corev1.EnvVar{{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}, Key: "password"}}}},
			VolumeMounts: []corev1.VolumeMount{{Name: "tls", MountPath: "/tls"}},
		}},
		Volumes: []corev1.Volume{{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "tls"}}}},
	}}
}

func deployment(name string) *appsv1.Deployment {
	n := int32(2)
	d := &appsv1.Deployment{ObjectMeta: named(name), Spec: appsv1.DeploymentSpec{Replicas: &n, Template: template("user:2")}}
	d.Generation, d.Annotations = 3, map[string]string{revisionOf: "2"}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2,
		Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable", Message: "it is there"}}}
	return d
}

func replicaSet(of, hash, revision, image string, d time.Duration) *appsv1.ReplicaSet {
	r := &appsv1.ReplicaSet{ObjectMeta: ownedBy("Deployment", of, named(of+"-"+hash)), Spec: appsv1.ReplicaSetSpec{Template: template(image)}}
	r.Annotations, r.CreationTimestamp = map[string]string{revisionOf: revision}, at(d)
	return r
}

func pod(of, hash, suffix string, started time.Duration) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: ownedBy("ReplicaSet", of+"-"+hash, named(of+"-"+hash+"-"+suffix)), Spec: template("user:2").Spec}
	p.Labels = map[string]string{templateHash: hash}
	start := at(started)
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &start,
		Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "app", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: start}}}},
	}
	return p
}

// storedSecret is a Secret with a value that must never be seen.
func storedSecret(name string, changed time.Duration) *corev1.Secret {
	when := at(changed)
	s := &corev1.Secret{ObjectMeta: named(name), Data: map[string][]byte{"password": []byte("CANARY-value-of-a-secret")}}
	s.ManagedFields = []metav1.ManagedFieldsEntry{
		{Manager: "writer", Operation: metav1.ManagedFieldsOperationUpdate, Time: &when, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:data":{".":{},"f:password":{}},"f:type":{}}`)},
	}
	return s
}

func warning(kind, name, reason string, d time.Duration) *corev1.Event {
	return &corev1.Event{ObjectMeta: named(name + "." + reason), Type: corev1.EventTypeWarning, Reason: reason, Message: "as \x1b[31mtold", Count: 3,
		InvolvedObject: corev1.ObjectReference{Kind: kind, Name: name}, LastTimestamp: metav1.NewTime(time.Now().Add(-d))}
}

// usual fills the cluster with one Deployment and all that belongs to it.
func (c *fakeCluster) usual() {
	c.put("deployments", deployment("user"), deployment("other"))
	c.put("replicasets", replicaSet("user", "aaa", "1", "user:1", 0), replicaSet("user", "bbb", "2", "user:2", time.Hour), replicaSet("other", "ccc", "7", "other:1", 0))
	c.put("pods", pod("user", "bbb", "x1", time.Hour), pod("user", "bbb", "x2", 3*time.Hour), pod("other", "ccc", "y", time.Hour))
	c.put("secrets", storedSecret("db", 2*time.Hour), storedSecret("tls", 4*time.Hour), storedSecret("unused", 0))
	c.put("events", warning("Pod", "user-bbb-x1", "BackOff", time.Minute), warning("Pod", "other-ccc-y", "Unhealthy", time.Minute), warning("Deployment", "user", "Old", 2*time.Hour))
	c.put("externalsecrets", map[string]any{
		"metadata": map[string]any{"name": "user-db"},
		"spec":     map[string]any{"refreshInterval": "1h", "target": map[string]any{"name": "db"}},
		"status": map[string]any{"refreshTime": clusterTime.Format(time.RFC3339), "conditions": []any{
			map[string]any{"type": "Ready", "status": "False", "reason": "SecretSyncedError", "message": "could not get secret"}}},
	})
}

func userApp() config.Component {
	return config.Component{ID: "user", Application: &config.Application{Cluster: "main", Workload: "prod/deployment/user"}}
}

// live is a scheduler that runs the watchers of an estate, with what it posted.
type live struct {
	t *testing.T
	*Scheduler
	mu  sync.Mutex
	all []estate.Observation
	now map[estate.Key]estate.Observation
}

func watchLive(t *testing.T, cfg *config.Config) *live {
	l := &live{t: t, now: map[estate.Key]estate.Observation{}}
	l.Scheduler = NewScheduler(nil, Options{Post: l.take, Watchers: Watchers(cfg, newSet(t, cfg))})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { l.Run(ctx); close(ended) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return l
}

func (l *live) take(o estate.Observation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all, l.now[o.Key] = append(l.all, o), o
}

func (l *live) history() []estate.Observation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// await waits until the newest observation of a check is as wanted.
func (l *live) await(id estate.ID, check, what string, is func(estate.Observation) bool) estate.Observation {
	l.t.Helper()
	key := estate.Key{Component: id, Check: check}
	var o estate.Observation
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		l.mu.Lock()
		var there bool
		o, there = l.now[key]
		l.mu.Unlock()
		if there && is(o) {
			return o
		}
	}
	l.t.Fatalf("%s never was %s; last %+v %v", check, what, o.Data, o.Failure)
	return o
}

func fine(o estate.Observation) bool { return o.Failure == nil }

func failedAs(kind estate.FailureKind) func(estate.Observation) bool {
	return func(o estate.Observation) bool { return o.Failure != nil && o.Failure.Kind == kind }
}

func ready(n int) func(estate.Observation) bool {
	return func(o estate.Observation) bool {
		w, ok := o.Data.(estate.Workload)
		return ok && w.Ready == n
	}
}

var workloadChecks = []string{estate.CheckWorkload, estate.CheckWorkloadPods, estate.CheckWorkloadSecrets, estate.CheckWorkloadEvents, estate.CheckExternalSecrets, estate.CheckRevisions}

func TestAWorkloadIsReadWhole(t *testing.T) {
	t.Parallel()
	c := newFakeCluster(t)
	c.usual()
	l := watchLive(t, c.config(userApp()))
	get := func(check string) estate.Data { return l.await("user", check, "read", fine).Data }

	want := estate.Workload{Cluster: "main", Namespace: "prod", Kind: "Deployment", Name: "user", Desired: 2, Updated: 2, Ready: 2, Available: 2,
		Generation: 3, Observed: 3, Progress: "NewReplicaSetAvailable", ProgressNote: "it is there", Revision: "2"}
	if got := get(estate.CheckWorkload); !reflect.DeepEqual(got, want) {
		t.Errorf("workload %+v", got)
	}
	pods := get(estate.CheckWorkloadPods).(estate.WorkloadPods)
	if pods.Running != 2 || pods.NotReady != 0 || !pods.Oldest.Equal(at(time.Hour).Time) || !pods.Newest.Equal(at(3*time.Hour).Time) {
		t.Errorf("pods %+v", pods)
	}
	used := get(estate.CheckWorkloadSecrets).(estate.WorkloadSecrets).Uses
	if len(used) != 2 || used[0].Name != "db" || used[0].Refreshes || used[0].OlderPods != 1 || !used[0].Changed.Equal(at(2*time.Hour).Time) || !strings.Contains(used[0].From, "writer") {
		t.Errorf("secrets %+v, want one pod older than db", used)
	}
	if len(used) == 2 && (used[1].Name != "tls" || !used[1].Refreshes || used[1].OlderPods != 0) {
		t.Errorf("a volume follows by itself: %+v", used[1])
	}
	events := get(estate.CheckWorkloadEvents).(estate.WorkloadEvents).Events
	if len(events) != 1 || events[0].Reason != "BackOff" || events[0].Text != "as told" || events[0].Count != 3 {
		t.Errorf("events %+v", events)
	}
	external := get(estate.CheckExternalSecrets).(estate.ExternalSecrets).Secrets
	if len(external) != 1 || external[0].Ready || external[0].Target != "db" || external[0].Every != time.Hour || external[0].Reason != "SecretSyncedError" {
		t.Errorf("external secrets %+v", external)
	}
	revisions := get(estate.CheckRevisions).(estate.Revisions).Revisions
	if len(revisions) != 2 || revisions[0].Number != 2 || revisions[0].Note != "image user:1 to user:2" {
		t.Errorf("revisions %+v", revisions)
	}

	// What changes is told, soon.
	d := deployment("user")
	d.Status.ReadyReplicas = 1
	c.put("deployments", d)
	l.await("user", estate.CheckWorkload, "1 ready", ready(1))
	c.remove("deployments", "user")
	l.await("user", estate.CheckWorkload, "missing", failedAs(estate.Missing))
	for _, o := range l.history() {
		if text := fmt.Sprintf("%+v %v", o.Data, o.Failure); strings.Contains(text, "CANARY") {
			t.Fatalf("a secret in %s", text)
		}
	}
	if c.count("watch nodes") != 0 || c.count("list statefulsets") != 0 {
		t.Error("kinds are asked for that nothing needs")
	}
}

// A watch that is alive says so again, with a new time.
func TestAQuietWatchStaysFresh(t *testing.T) {
	t.Parallel()
	c := newFakeCluster(t)
	c.usual()
	l := watchLive(t, c.config(userApp()))
	first := l.await("user", estate.CheckWorkload, "read", fine)
	l.await("user", estate.CheckWorkload, "said again", func(o estate.Observation) bool { return o.At.Sub(first.At) > time.Second })
	if n := c.count("list deployments"); n != 1 {
		t.Errorf("listed %d times, want once: it is watched", n)
	}
}

// A list of several pages is one picture.
// What was listed is told before the watch after it is open, and what happens
// from then on when it is.
func TestAListIsToldBeforeItsWatchIsOpen(t *testing.T) {
	t.Parallel()
	c := newFakeCluster(t)
	c.usual()
	c.held = true
	l := watchLive(t, c.config(userApp()))
	for _, check := range workloadChecks {
		l.await("user", check, "read while no watch is open", fine)
	}
	c.change(func() { c.held = false })
	d := deployment("user")
	d.Status.ReadyReplicas = 1
	c.put("deployments", d)
	l.await("user", estate.CheckWorkload, "one ready", ready(1))
}

// A list alone is good for a moment only.
func TestAListAloneGrowsOld(t *testing.T) {
	f := newFeed(deployments, "prod", nil, nil, nil, func() {})
	if ok, why := f.ready(time.Now()); ok || why != nil {
		t.Errorf("before anything was listed it is ready %v, %v", ok, why)
	}
	if err := f.store.Replace(nil, ""); err != nil {
		t.Fatal(err)
	}
	if ok, why := f.ready(time.Now()); !ok || why != nil {
		t.Errorf("when it was listed it is ready %v, %v", ok, why)
	}
	late := time.Now().Add(feedGrace + time.Second)
	if ok, why := f.ready(late); ok || why != nil {
		t.Errorf("when no watch came after it, it is ready %v, %v", ok, why)
	}
	f.broken(&estate.Failure{Kind: estate.Denied})
	if ok, why := f.ready(time.Now()); ok || why == nil || why.Kind != estate.Denied {
		t.Errorf("when the watch was refused it is ready %v, %v", ok, why)
	}
}

func TestManyObjectsComeInPages(t *testing.T) {
	t.Parallel()
	c := newFakeCluster(t)
	c.usual()
	for i := range listPage + 20 {
		c.put("pods", pod("user", "bbb", fmt.Sprintf("p%d", i), time.Hour))
	}
	l := watchLive(t, c.config(userApp()))
	o := l.await("user", estate.CheckWorkloadPods, "read", fine)
	if got := o.Data.(estate.WorkloadPods).Running; got != listPage+22 {
		t.Errorf("%d pods, want %d", got, listPage+22)
	}
}

// A cluster whose pods change all the time is told of twice a second, no more.
func TestPostsOfOneKeyAreFew(t *testing.T) {
	t.Parallel()
	c := newFakeCluster(t)
	c.usual()
	cfg := c.config(userApp())
	cfg.Checks.Interval = time.Hour
	l := watchLive(t, cfg)
	l.await("user", estate.CheckWorkloadPods, "read", fine)
	began := time.Now()
	for i := range 1000 {
		p := pod("user", "bbb", "x1", time.Hour)
		p.Status.ContainerStatuses[0].RestartCount = int32(i + 1)
		c.put("pods", p)
	}
	l.await("user", estate.CheckWorkloadPods, "at 1000 restarts", func(o estate.Observation) bool {
		p, ok := o.Data.(estate.WorkloadPods)
		return ok && p.Restarts == 1000
	})
	n := 0
	for _, o := range l.history() {
		if o.Key.Check == estate.CheckWorkloadPods {
			n++
		}
	}
	if most := 3 + int(time.Since(began)/postGap); n > most {
		t.Errorf("%d posts in %s, want at most %d", n, time.Since(began), most)
	}
}

func TestOnceReadsAndDoesNotWatch(t *testing.T) {
	t.Parallel()
	c := newFakeCluster(t)
	c.usual()
	cfg := c.config(userApp())
	var rec recorder
	NewScheduler(nil, Options{Post: rec.post, Watchers: Watchers(cfg, newSet(t, cfg))}).Once(t.Context())
	if len(rec.all) != len(workloadChecks) {
		t.Errorf("%d posts of %d keys", len(rec.all), len(workloadChecks))
	}
	for _, o := range rec.all {
		if o.Failure != nil {
			t.Errorf("%s: %v", o.Key.Check, o.Failure)
		}
	}
	if c.count("watch deployments") != 0 {
		t.Error("a check that runs once has opened a watch")
	}
}

// Everything that a watch started ends with it.
func TestNothingIsLeftOfAWatch(t *testing.T) {
	c := newFakeCluster(t)
	c.usual()
	cfg := c.config(userApp())
	set := newSet(t, cfg)
	run := func() {
		l := &live{t: t, now: map[estate.Key]estate.Observation{}}
		s := NewScheduler(nil, Options{Post: l.take, Watchers: Watchers(cfg, set)})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { s.Run(ctx); close(ended) }()
		for _, check := range workloadChecks {
			l.await("user", check, "read", fine)
		}
		cancel()
		<-ended
	}
	run() // the connection and what client-go keeps for ever
	before := runtime.NumGoroutine()
	for range 3 {
		run()
	}
	var after int
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if after = runtime.NumGoroutine(); after <= before {
			return
		}
	}
	text := make([]byte, 1<<20)
	t.Errorf("%d goroutines before, %d after:\n%s", before, after, text[:runtime.Stack(text, true)])
}

func TestACronJob(t *testing.T) {
	t.Parallel()
	c := newFakeCluster(t)
	last, success := at(6*time.Hour), at(time.Hour)
	c.put("cronjobs", &batchv1.CronJob{ObjectMeta: named("rotate"), Spec: batchv1.CronJobSpec{Schedule: "0 */6 * * *"},
		Status: batchv1.CronJobStatus{LastScheduleTime: &last, LastSuccessfulTime: &success}})
	run := func(name string, d time.Duration, kind batchv1.JobConditionType, reason string) *batchv1.Job {
		start, end := at(d), at(d+time.Minute)
		return &batchv1.Job{ObjectMeta: ownedBy("CronJob", "rotate", named(name)), Status: batchv1.JobStatus{StartTime: &start,
			Conditions: []batchv1.JobCondition{{Type: kind, Status: corev1.ConditionTrue, Reason: reason, LastTransitionTime: end}}}}
	}
	c.put("jobs", run("a", 0, batchv1.JobComplete, ""), run("b", 5*time.Hour, batchv1.JobFailed, "BackoffLimitExceeded"), run("c", 6*time.Hour, batchv1.JobFailed, "DeadlineExceeded"))
	l := watchLive(t, c.config(config.Component{ID: "job", ScheduledJob: &config.ScheduledJob{Cluster: "main", Job: "prod/rotate"}}))
	got := l.await("job", estate.CheckJob, "read", fine).Data.(estate.Job)
	if got.LastResult != "failed" || got.Reason != "DeadlineExceeded" || got.Failures != 2 || !got.Last.Equal(at(6*time.Hour).Time) || !got.LastSuccess.Equal(at(time.Hour).Time) {
		t.Errorf("job %+v", got)
	}
	if got.Period != 6*time.Hour || got.Next.Minute() != 0 || got.Next.Hour()%6 != 0 || !got.Next.After(time.Now()) {
		t.Errorf("next %s, period %s", got.Next, got.Period)
	}
}
