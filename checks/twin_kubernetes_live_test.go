package checks

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// kubeHash takes the ends of generated names out: of ReplicaSets, of pods, of
// ControllerRevisions.
var kubeHash = regexps{
	// Which of the two stands while a rollout hangs on its first pod is decided by
	// which of its controllers was quicker.
	{regexp.MustCompile(`Progress=(ReplicaSetUpdated|NewReplicaSetCreated) ProgressNote=(ReplicaSet "\S+" is progressing\.|Created new replica set "\S+")`), "Progress=under way"},
	{regexp.MustCompile(`too old resource version: 1 \(\d+\)`), "too old resource version: 1 (N)"},
	{regexp.MustCompile(`\b(web|late|ledger|agent)-[0-9a-z]{6,10}(-[0-9a-z]{5})?\b`), "$1-HASH"},
}

// lagVersions takes out at which versions a cluster is.
var lagVersions = regexps{{regexp.MustCompile(`version \d+ there and \d+ here`), "version N there and M here"}}

// waitFor is how long a state is waited for at the most.
const waitFor = 40 * time.Second

// kubeLive runs the checks of an estate as the console does.
type kubeLive struct {
	t         *testing.T
	board     *Board
	scheduler *Scheduler
	ids       []estate.ID
}

func liveOn(t *testing.T, cfg *config.Config) *kubeLive {
	t.Helper()
	set := clients.New(cfg)
	watchers := Watchers(cfg, set)
	l := &kubeLive{t: t, board: NewBoard(estate.NewSnapshot(cfg.Topology(), Expectations(nil, watchers...)))}
	for _, c := range cfg.Components {
		l.ids = append(l.ids, estate.ID(c.ID))
	}
	l.scheduler = NewScheduler(nil, Options{Post: l.board.Post, Watchers: watchers})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); l.scheduler.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		set.Close()
	})
	return l
}

// await waits until the readings are as wanted, and returns them.
func (l *kubeLive) await(what string, is func(r *estate.Readings) bool) *estate.Readings {
	l.t.Helper()
	var r *estate.Readings
	until(l.t, what, waitFor, func() (bool, string) {
		r = estate.Derive(l.board.Snapshot(), time.Now())
		said := ""
		for _, id := range l.ids {
			one, _ := r.Of(id)
			said += fmt.Sprintf("%s reads %s %s (%s); ", id, one.Status, one.Word, one.Reason)
			for _, slot := range r.Snapshot.Slots(id) {
				said += fmt.Sprintf("\n  %s %+v %v", slot.Last.Key.Check, slot.Last.Data, slot.Last.Failure)
				noCanary(l.t, said)
			}
		}
		return is(r), said
	})
	return r
}

// all reports whether every check of a component brought data, but those named.
func all(r *estate.Readings, id estate.ID, but ...string) bool {
	for _, slot := range r.Snapshot.Slots(id) {
		if slices.Contains(but, slot.Last.Key.Check) == (slot.Last.Failure == nil) {
			return false
		}
	}
	return true
}

func slotOf[T estate.Data](r *estate.Readings, id estate.ID, check string) (data T, ok bool) {
	slot, _ := r.Snapshot.Slot(estate.Key{Component: id, Check: check})
	if slot.Last.Failure != nil {
		return data, false
	}
	data, ok = slot.Last.Data.(T)
	return data, ok
}

// workloadIs is whether the workload's own object says so.
func workloadIs(id estate.ID, is func(w estate.Workload) bool) func(*estate.Readings) bool {
	return func(r *estate.Readings) bool {
		w, ok := slotOf[estate.Workload](r, id, estate.CheckWorkload)
		return ok && w.Observed == w.Generation && is(w)
	}
}

func podsAre(r *estate.Readings, id estate.ID, running, notReady int) bool {
	p, ok := slotOf[estate.WorkloadPods](r, id, estate.CheckWorkloadPods)
	return ok && p.Running == running && p.NotReady == notReady
}

// olderPods are the pods older than a Secret that they take from the environment.
func olderPods(r *estate.Readings, id estate.ID, secret string) int {
	s, _ := slotOf[estate.WorkloadSecrets](r, id, estate.CheckWorkloadSecrets)
	for _, u := range s.Uses {
		if u.Name == secret {
			return u.OlderPods
		}
	}
	return -2
}

func revisionsAre(r *estate.Readings, id estate.ID, n int) bool {
	v, ok := slotOf[estate.Revisions](r, id, estate.CheckRevisions)
	return ok && len(v.Revisions) == n
}

// twinTemplate takes the Secret db from the environment and files from a volume.
func twinTemplate(name string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{
			Name: "app", Image: "twin.test/app:1",
			Env:          []corev1.EnvVar{{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}, Key: "password"}}}},
			VolumeMounts: []corev1.VolumeMount{{Name: "files", MountPath: "/etc/files"}},
		}},
		Volumes: []corev1.Volume{{Name: "files", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "files"}}}},
	}}
}

func twinSelector(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
}

func (w *twinKube) deploy(t *testing.T, name string, replicas int32, change func(*appsv1.DeploymentSpec)) {
	t.Helper()
	spec := appsv1.DeploymentSpec{Replicas: &replicas, Selector: twinSelector(name), Template: twinTemplate(name)}
	if change != nil {
		change(&spec)
	}
	must[*appsv1.Deployment](t, "make "+name)(w.api.AppsV1().Deployments(w.namespace).Create(t.Context(), &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}, metav1.CreateOptions{}))
}

// redeploy changes a Deployment's spec, and tries again when its controller was
// quicker.
func (w *twinKube) redeploy(t *testing.T, name string, change func(*appsv1.DeploymentSpec)) {
	t.Helper()
	all := w.api.AppsV1().Deployments(w.namespace)
	until(t, "a change of "+name, 10*time.Second, func() (bool, string) {
		d, err := all.Get(t.Context(), name, metav1.GetOptions{})
		if err == nil {
			change(&d.Spec)
			_, err = all.Update(t.Context(), d, metav1.UpdateOptions{})
		}
		return err == nil, fmt.Sprint(err)
	})
}

// write makes a Secret, or gives it another value.
func (w *twinKube) write(t *testing.T, name, value string) {
	t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"password": "canary-" + value}}
	all := w.api.CoreV1().Secrets(w.namespace)
	if _, err := all.Get(t.Context(), name, metav1.GetOptions{}); err == nil {
		must[*corev1.Secret](t, "change "+name)(all.Update(t.Context(), s, metav1.UpdateOptions{}))
		return
	}
	must[*corev1.Secret](t, "make "+name)(all.Create(t.Context(), s, metav1.CreateOptions{}))
}

// second waits until the next second has begun: Kubernetes keeps no finer times,
// and what is compared must not be of the same one.
func second(t *testing.T) {
	t.Helper()
	now := time.Now().Truncate(time.Second)
	until(t, "the next second", 5*time.Second, func() (bool, string) { return !time.Now().Truncate(time.Second).Equal(now), "" })
}

// web is a Deployment of three that runs, with both its Secrets.
func (w *twinKube) web(t *testing.T) {
	t.Helper()
	w.write(t, "db", "one")
	w.write(t, "files", "one")
	second(t)
	w.deploy(t, "web", 3, nil)
}

func healthyWeb(r *estate.Readings) bool {
	return workloadIs("web", func(x estate.Workload) bool {
		return x.Ready == 3 && x.Updated == 3 && x.Available == 3 && x.Progress == "NewReplicaSetAvailable"
	})(r) && all(r, "web") && podsAre(r, "web", 3, 0) && olderPods(r, "web", "db") == 0
}

// nowhere is a selector that no node has.
func nowhere(spec *corev1.PodSpec) {
	spec.NodeSelector = map[string]string{"twin.test/none": "has-this"}
}

func imageOf(spec *corev1.PodSpec, tag string) {
	spec.Containers[0].Image = strings.Split(spec.Containers[0].Image, ":")[0] + ":" + tag
}
