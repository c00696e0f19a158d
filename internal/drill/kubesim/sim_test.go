package kubesim

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// canary is a value that must never be in any text but the Secret itself.
const canary = "c4n4ry-pa55word"

// bench is a cluster whose clock only the test moves.
type bench struct {
	*Sim
	t      *testing.T
	server *httptest.Server

	mu  sync.Mutex
	now time.Time
}

func newBench(t *testing.T, o Options) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	o.Clock = func() time.Time {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.now
	}
	b.Sim = New(o)
	b.Build()
	b.AddUser(User{Name: "admin", Groups: []string{"system:masters"}}, "admin-token")
	b.server = httptest.NewUnstartedServer(b.Sim)
	b.server.EnableHTTP2 = true
	b.server.StartTLS()
	t.Cleanup(b.server.Close)
	t.Cleanup(func() { b.CutWatches() })
	return b
}

// pass moves the clock and does what is due.
func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	b.now = b.now.Add(d)
	b.mu.Unlock()
	b.Tick()
}

func (b *bench) rest(token, contentType string) *rest.Config {
	return &rest.Config{
		Host: b.server.URL, BearerToken: token, QPS: -1, TLSClientConfig: rest.TLSClientConfig{Insecure: true},
		ContentConfig: rest.ContentConfig{ContentType: contentType, AcceptContentTypes: contentType + ",application/json"},
	}
}

func (b *bench) client(token string) *kubernetes.Clientset {
	b.t.Helper()
	c, err := kubernetes.NewForConfig(b.rest(token, protobufType))
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// web is a Deployment whose pods take the key password of the Secret db.
func web(replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": "web"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "prod", Labels: labels},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template("web")},
	}
}

func template(name string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: name, Image: name + ":1",
		Env: []corev1.EnvVar{{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}, Key: "password"}}}},
	}}}}
}

func secret(value string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "db", Namespace: "prod"}, Data: map[string][]byte{"password": []byte(value)}}
}

// deployed is a cluster with the Deployment web, all of it ready.
func deployed(t *testing.T, replicas int32) *bench {
	t.Helper()
	b := newBench(t, Options{})
	b.must(b.Apply("test", secret(canary), web(replicas)))
	b.pass(time.Minute)
	if d := b.deployment(); d.Status.ReadyReplicas != replicas {
		t.Fatalf("%d of %d pods are ready after a minute", d.Status.ReadyReplicas, replicas)
	}
	return b
}

func (b *bench) deployment() (out *appsv1.Deployment) {
	b.t.Helper()
	b.Read("Deployment", "prod", func(o Object) {
		if o.GetName() == "web" {
			out = o.(*appsv1.Deployment)
		}
	})
	if out == nil {
		b.t.Fatal("there is no Deployment web")
	}
	return out
}

func (b *bench) restart() {
	b.t.Helper()
	patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":%q}}}}}`, b.o.Clock().Format(time.RFC3339))
	_, err := b.client("admin-token").AppsV1().Deployments("prod").Patch(b.t.Context(), "web", "application/strategic-merge-patch+json", []byte(patch), metav1.PatchOptions{})
	b.must(err)
}

func progressing(d *appsv1.Deployment) string {
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing {
			return c.Reason
		}
	}
	return ""
}

// TestRollingUpdate watches a rollout second by second: it keeps within its fences
// and ends with a new revision.
func TestRollingUpdate(t *testing.T) {
	b := deployed(t, 6)
	if r := progressing(b.deployment()); r != "NewReplicaSetAvailable" {
		t.Errorf("a rollout that is over is %s", r)
	}
	b.restart()
	if d := b.deployment(); d.Generation != 2 || d.Status.ObservedGeneration != 2 {
		t.Errorf("generation %d, observed %d", d.Generation, d.Status.ObservedGeneration)
	}
	for range 60 {
		b.pass(time.Second)
		ready, all := 0, 0
		b.Read("Pod", "prod", func(o Object) {
			p := o.(*corev1.Pod)
			if p.DeletionTimestamp != nil {
				return
			}
			all++
			if _, ok := podReady(p); ok {
				ready++
			}
		})
		if ready < 5 || all > 8 { // 25% of 6: one may be missing, two may be more
			t.Fatalf("%d ready of %d pods", ready, all)
		}
	}
	d := b.deployment()
	if d.Status.UpdatedReplicas != 6 || d.Status.Replicas != 6 || d.Annotations[revisionKey] != "2" || progressing(d) != "NewReplicaSetAvailable" {
		t.Errorf("after the rollout: %+v, revision %s", d.Status, d.Annotations[revisionKey])
	}
	var sets []string
	b.Read("ReplicaSet", "prod", func(o Object) {
		rs := o.(*appsv1.ReplicaSet)
		sets = append(sets, fmt.Sprint(rs.Annotations[revisionKey], ":", *rs.Spec.Replicas))
		if rs.Labels[hashLabel] == "" || rs.Name != "web-"+rs.Labels[hashLabel] {
			t.Errorf("ReplicaSet %s has hash %q", rs.Name, rs.Labels[hashLabel])
		}
	})
	if len(sets) != 2 || !strings.Contains(fmt.Sprint(sets), "1:0") || !strings.Contains(fmt.Sprint(sets), "2:6") {
		t.Errorf("ReplicaSets %v", sets)
	}
	// Back to the first template: its ReplicaSet is used again, under a new number.
	b.must(b.Apply("test", web(6)))
	b.pass(time.Minute)
	if d := b.deployment(); d.Annotations[revisionKey] != "3" || d.Status.ReadyReplicas != 6 {
		t.Errorf("after going back: revision %s, %+v", d.Annotations[revisionKey], d.Status)
	}
}

// TestBadSecretSticksTheRollout has new pods crash on a value that does not fit.
func TestBadSecretSticksTheRollout(t *testing.T) {
	b := newBench(t, Options{})
	b.OnHealth(func(p Pod) Health {
		return Health{Crash: string(p.Secret("db", "password")) != canary, Message: "login refused"}
	})
	b.must(b.Apply("test", secret(canary), web(4)))
	b.pass(time.Minute)
	b.must(b.Apply("test", secret("other")))
	b.pass(10 * time.Minute)
	if d := b.deployment(); d.Status.ReadyReplicas != 4 {
		t.Fatalf("a changed Secret reached the environment of running pods: %+v", d.Status)
	}
	b.restart()
	b.pass(9 * time.Minute)
	if r := progressing(b.deployment()); r != "ReplicaSetUpdated" {
		t.Errorf("before its deadline the rollout is %s", r)
	}
	b.pass(3 * time.Minute)
	d := b.deployment()
	if r := progressing(d); r != "ProgressDeadlineExceeded" || d.Status.AvailableReplicas != 3 {
		t.Errorf("past its deadline the rollout is %s with %+v", r, d.Status)
	}
	crashing := 0
	b.Read("Pod", "prod", func(o Object) {
		for _, c := range o.(*corev1.Pod).Status.ContainerStatuses {
			if c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff" && c.RestartCount > 3 && c.LastTerminationState.Terminated.Message == "login refused" {
				crashing++
			}
		}
	})
	if crashing != 2 {
		t.Errorf("%d pods crash, want 2", crashing)
	}
	// The right value again: nothing needs to be restarted, the kubelet does it.
	b.must(b.Apply("test", secret(canary)))
	b.pass(10 * time.Minute)
	if d := b.deployment(); d.Status.ReadyReplicas != 4 || progressing(d) != "NewReplicaSetAvailable" {
		t.Errorf("after the repair: %s %+v", progressing(d), d.Status)
	}
}

// TestTimeInOneStep has it not matter how often anybody looks.
func TestTimeInOneStep(t *testing.T) {
	run := func(step time.Duration) string {
		b := deployed(t, 4)
		b.restart()
		for passed := time.Duration(0); passed < time.Minute; passed += step {
			b.pass(step)
		}
		var out []string
		b.Read("Pod", "prod", func(o Object) {
			since, _ := podReady(o.(*corev1.Pod))
			out = append(out, o.GetName()+" "+since.Format(time.TimeOnly))
		})
		return strings.Join(out, "\n")
	}
	if a, b := run(time.Second), run(time.Minute); a != b {
		t.Errorf("second by second:\n%s\nat once:\n%s", a, b)
	}
}

func TestStatefulSets(t *testing.T) {
	set := func(partition int32, kind appsv1.StatefulSetUpdateStrategyType, image string) *appsv1.StatefulSet {
		n := int32(3)
		tpl := template("db")
		tpl.Spec.Containers[0].Image = image
		out := &appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Name: "db", Namespace: "prod"},
			Spec:       appsv1.StatefulSetSpec{Replicas: &n, Selector: &metav1.LabelSelector{MatchLabels: tpl.Labels}, Template: tpl, UpdateStrategy: appsv1.StatefulSetUpdateStrategy{Type: kind}},
		}
		if kind == appsv1.RollingUpdateStatefulSetStrategyType {
			out.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: &partition}
		}
		return out
	}
	images := func(b *bench) (out string) {
		b.Read("Pod", "prod", func(o Object) { out += o.(*corev1.Pod).Spec.Containers[0].Image + " " })
		return strings.TrimSpace(out)
	}
	status := func(b *bench) (out appsv1.StatefulSetStatus) {
		b.Read("StatefulSet", "prod", func(o Object) { out = o.(*appsv1.StatefulSet).Status })
		return out
	}
	for _, test := range []struct {
		name      string
		partition int32
		kind      appsv1.StatefulSetUpdateStrategyType
		want      string
		updated   int32
		over      bool
	}{
		{"rolling", 0, appsv1.RollingUpdateStatefulSetStrategyType, "v2 v2 v2", 3, true},
		{"a partition keeps what is below it", 2, appsv1.RollingUpdateStatefulSetStrategyType, "v1 v1 v2", 1, false},
		{"on delete waits for somebody", 0, appsv1.OnDeleteStatefulSetStrategyType, "v1 v1 v1", 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, Options{})
			b.must(b.Apply("test", secret(canary), set(test.partition, test.kind, "v1")))
			b.pass(6 * time.Second)
			if st := status(b); st.Replicas != 2 || st.ReadyReplicas != 1 {
				t.Errorf("after six seconds, in order: %+v", st)
			}
			b.pass(time.Minute)
			b.must(b.Apply("test", set(test.partition, test.kind, "v2")))
			b.pass(2 * time.Minute)
			st := status(b)
			if images(b) != test.want || st.UpdatedReplicas != test.updated || st.ReadyReplicas != 3 || (st.CurrentRevision == st.UpdateRevision) != test.over {
				t.Errorf("%s, %+v", images(b), st)
			}
			b.Delete("Pod", "prod", "db-0")
			b.pass(time.Minute)
			if got := strings.HasPrefix(images(b), "v2"); got != (test.partition == 0) {
				t.Errorf("after db-0 was deleted: %s", images(b))
			}
		})
	}
}

func TestExternalSecrets(t *testing.T) {
	b := newBench(t, Options{})
	value := canary
	b.OnFetch(func(_ time.Time, store, key, property, version string) ([]byte, error) {
		if value == "" {
			return nil, fmt.Errorf("AccessDeniedException")
		}
		return []byte(value), nil
	})
	store := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": map[string]any{"name": "aws"}}}
	es := func(every, force string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": map[string]any{"name": "db", "namespace": "prod", "annotations": map[string]any{"force-sync": force}},
			"spec": map[string]any{"refreshInterval": every, "secretStoreRef": map[string]any{"name": "aws", "kind": "ClusterSecretStore"},
				"data": []any{map[string]any{"secretKey": "password", "remoteRef": map[string]any{"key": "prod/db", "property": "password"}}}},
		}}
	}
	state := func() (reason, refreshed string) {
		b.Read("ExternalSecret", "prod", func(o Object) {
			_, reason = readyOf(o.(*unstructured.Unstructured))
			refreshed = nested(o.(*unstructured.Unstructured), "status", "refreshTime")
		})
		return
	}
	held := func() (out string, at time.Time) {
		b.Read("Secret", "prod", func(o Object) {
			out = string(o.(*corev1.Secret).Data["password"])
			for _, f := range o.GetManagedFields() {
				if strings.Contains(f.FieldsV1.GetRawString(), `"f:password"`) {
					at = f.Time.Time
				}
			}
		})
		return
	}
	b.must(b.Apply("test", es("1h", "1")))
	if reason, _ := state(); reason != "SecretSyncedError" {
		t.Errorf("without its store: %s", reason)
	}
	b.must(b.Apply("test", store))
	b.pass(time.Minute)
	first, at := held()
	if reason, refreshed := state(); reason != "SecretSynced" || refreshed == "" || first != canary || at.IsZero() {
		t.Errorf("with its store: %s at %s, changed %s", reason, refreshed, at)
	}
	b.pass(2 * time.Hour)
	if _, again := held(); !again.Equal(at) {
		t.Errorf("a refresh that changed nothing moved the time of the change from %s to %s", at, again)
	}
	value = "second"
	b.pass(30 * time.Minute)
	if v, _ := held(); v != canary {
		t.Errorf("half an hour is not its interval")
	}
	b.must(b.Apply("test", es("1h", "2")))
	if v, changed := held(); v != "second" || !changed.After(at) {
		t.Errorf("force-sync brought nothing new: changed %s", changed)
	}
	value = ""
	b.pass(2 * time.Hour)
	if reason, _ := state(); reason != "SecretSyncedError" {
		t.Errorf("with a provider that refuses: %s", reason)
	}
	if v, _ := held(); v != "second" {
		t.Error("a failed refresh touched the Secret")
	}
	value = "third"
	b.pass(20 * time.Minute)
	if v, _ := held(); v != "third" {
		t.Error("a failed refresh was not tried again")
	}
	// Without an interval not even force-sync brings a new value.
	b.must(b.Apply("test", es("0", "2")))
	value = "fourth"
	b.pass(24 * time.Hour)
	b.must(b.Apply("test", es("0", "3")))
	b.pass(time.Minute)
	if v, _ := held(); v != "third" {
		t.Error("without an interval it was refreshed")
	}
	b.must(b.Apply("test", es("1h", "3")))
	if v, _ := held(); v != "fourth" {
		t.Error("with an interval again it was not refreshed")
	}
	// What somebody deletes is made again.
	b.Delete("Secret", "prod", "db")
	if v, _ := held(); v != "fourth" {
		t.Error("the deleted Secret was not made again")
	}
}

func TestPodNeverShowsValues(t *testing.T) {
	b := newBench(t, Options{})
	var seen []string
	b.OnHealth(func(p Pod) Health {
		if string(p.Secret("db", "password")) != canary {
			t.Error("the pod does not know its value")
		}
		seen = append(seen, fmt.Sprint(p), fmt.Sprintf("%+v %#v %s", p, p, p))
		return Health{}
	})
	b.must(b.Apply("test", secret(canary), web(1)))
	b.pass(time.Minute)
	if len(seen) == 0 || strings.Contains(strings.Join(seen, " "), canary) {
		t.Errorf("%d texts, or a value in one", len(seen))
	}
}

// eventually waits for a state.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatal("it did not come to be: " + what)
		case <-tick.C:
		}
	}
}
