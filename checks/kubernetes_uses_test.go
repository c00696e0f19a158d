package checks

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s.io/apimachinery/pkg/runtime"
)

func ref(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }

func env(secret string, optional *bool) []corev1.EnvVar {
	return []corev1.EnvVar{{Name: "X", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: ref(secret), Optional: optional}}}}
}

func secretVolume(name, secret string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}}
}

func TestHowASecretIsConsumed(t *testing.T) {
	yes, always := true, corev1.ContainerRestartPolicyAlways
	one := func(change func(*corev1.PodSpec)) *corev1.PodSpec {
		s := &corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}}
		change(s)
		return s
	}
	for _, x := range []struct {
		name      string
		spec      *corev1.PodSpec
		how       string
		refreshes bool
		optional  bool
		atStart   bool
	}{
		{"env", one(func(s *corev1.PodSpec) { s.Containers[0].Env = env("s", nil) }), "env", false, false, false},
		{"optional env", one(func(s *corev1.PodSpec) { s.Containers[0].Env = env("s", &yes) }), "env", false, true, false},
		{"one of two uses is optional", one(func(s *corev1.PodSpec) {
			s.Containers[0].Env = append(env("s", &yes), env("s", nil)...)
		}), "env", false, false, false},
		{"envFrom", one(func(s *corev1.PodSpec) {
			s.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: ref("s")}}}
		}), "envFrom", false, false, false},
		{"volume", one(func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{secretVolume("v", "s")}
			s.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v"}}
		}), "volume", true, false, false},
		{"subPath", one(func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{secretVolume("v", "s")}
			s.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v", SubPath: "password"}}
		}), "volume subPath", false, false, false},
		{"volume and env", one(func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{secretVolume("v", "s")}
			s.Containers[0].VolumeMounts, s.Containers[0].Env = []corev1.VolumeMount{{Name: "v"}}, env("s", nil)
		}), "env volume", false, false, false},
		{"projected", one(func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{LocalObjectReference: ref("s")}}, {}}}}}}
			s.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v"}}
		}), "projected", true, false, false},
		{"init env", one(func(s *corev1.PodSpec) { s.InitContainers = []corev1.Container{{Name: "i", Env: env("s", nil)}} }), "init env", false, false, true},
		{"sidecar env", one(func(s *corev1.PodSpec) {
			s.InitContainers = []corev1.Container{{Name: "i", Env: env("s", nil), RestartPolicy: &always}}
		}), "init env", false, false, false},
		{"init volume, mounted by nobody else", one(func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{secretVolume("v", "s")}
			s.InitContainers = []corev1.Container{{Name: "i", VolumeMounts: []corev1.VolumeMount{{Name: "v"}}}}
		}), "volume", false, false, true},
		{"init and main volume", one(func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{secretVolume("v", "s")}
			s.InitContainers = []corev1.Container{{Name: "i", VolumeMounts: []corev1.VolumeMount{{Name: "v"}}}}
			s.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v"}}
		}), "volume", true, false, false},
		{"ephemeral env", one(func(s *corev1.PodSpec) {
			s.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "e", Env: env("s", nil)}}}
		}), "ephemeral env", false, false, false},
		{"image pull", one(func(s *corev1.PodSpec) { s.ImagePullSecrets = []corev1.LocalObjectReference{ref("s")} }), "imagePull", true, true, false},
		{"CSI", one(func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "secrets-store.csi.k8s.io",
				VolumeAttributes: map[string]string{"secretProviderClass": "aws"}}}}}
		}), "csi", false, false, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			got := usesOf(x.spec)
			if len(got) != 1 {
				t.Fatalf("%d uses: %+v", len(got), got)
			}
			u := got[0]
			if how := strings.Join(u.how, " "); how != x.how || u.refreshes != x.refreshes || u.optional != x.optional || u.atStart != x.atStart {
				t.Errorf("%q refreshes %v optional %v at start %v, want %q %v %v %v", how, u.refreshes, u.optional, u.atStart, x.how, x.refreshes, x.optional, x.atStart)
			}
		})
	}
}

// A container that restarted has the new value, whatever its pod's age.
func TestWhichPodsAreOlderThanASecret(t *testing.T) {
	w := words(func(s string, _ int) string { return s })
	changed := clusterTime.Add(2 * time.Hour)
	for _, x := range []struct {
		name   string
		change func(*corev1.Pod)
		older  int
	}{
		{"started before", func(*corev1.Pod) {}, 1},
		{"started after", func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].State.Running.StartedAt = at(3 * time.Hour)
		}, 0},
		{"does not run, and will take the new one", func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
		}, 0},
		{"only its init container took it", func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "i", Env: env("db", nil)}}
			p.Spec.Containers[0].Env = nil
		}, 1},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := pod("user", "bbb", "x", time.Hour)
			x.change(p)
			if n := older([]*podItem{w.pod(p)}, "db", changed); n != x.older {
				t.Errorf("%d older pods, want %d", n, x.older)
			}
		})
	}
}

func TestWhenASecretChanged(t *testing.T) {
	w := words(func(s string, _ int) string { return s })
	later := at(3 * time.Hour)
	for _, x := range []struct {
		name   string
		fields []metav1.ManagedFieldsEntry
		want   time.Duration
		from   string
	}{
		{"nothing tells", nil, 0, "creation"},
		{"data", storedSecret("s", 2*time.Hour).ManagedFields, 2 * time.Hour, "writer"},
		{"labels, later", append(storedSecret("s", 2*time.Hour).ManagedFields, metav1.ManagedFieldsEntry{Manager: "labeller", Time: &later,
			FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{"f:data":{}}}}`)}), 2 * time.Hour, "writer"},
		{"two writers", append(storedSecret("s", 2*time.Hour).ManagedFields, metav1.ManagedFieldsEntry{Manager: "operator", Time: &later,
			FieldsV1: metav1.NewFieldsV1(`{"f:data":{"f:other":{}}}`)}), 3 * time.Hour, "operator"},
		{"rubbish", []metav1.ManagedFieldsEntry{{Manager: "x", Time: &later, FieldsV1: metav1.NewFieldsV1(`{"f:da`)}}, 0, "creation"},
	} {
		t.Run(x.name, func(t *testing.T) {
			got := w.secret(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: at(0), ManagedFields: x.fields}})
			if !got.changed.Equal(clusterTime.Add(x.want)) || !strings.Contains(got.from, x.from) {
				t.Errorf("changed %s from %q, want %s from %q", got.changed, got.from, clusterTime.Add(x.want), x.from)
			}
		})
	}
}

// kubectl records what it was called with.
func TestARecordedCommandLosesItsValues(t *testing.T) {
	for command, want := range map[string]string{
		"kubectl set env deploy/x DB_PASSWORD=CANARY --record=true":    "kubectl set env deploy/x DB_PASSWORD=… --record=true",
		"kubectl set env deploy/x URL=https://u:CANARY@host":           "kubectl set env deploy/x URL=…",
		`kubectl set env deploy/x db_password="CANARY CANARY" -n prod`: "kubectl set env deploy/x db_password=… -n prod",
		"kubectl set image deploy/x app=registry:5000/app:2":           "kubectl set image deploy/x app=registry:5000/app:2",
		"release 42":                "release 42",
		"--token=CANARY/with:signs": "--token=…",
	} {
		if got := withoutValues(command); got != want {
			t.Errorf("%q became %q, want %q", command, got, want)
		}
	}
}

// Whatever an API server sends is stripped without a panic, and what is kept of
// it is bounded.
func FuzzStrip(f *testing.F) {
	f.Add([]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"b"}]}}}}`), "Ready", "2020-01-01T00:00:00Z")
	f.Add([]byte(`{`), "", "x")
	f.Add([]byte(`null`), "\x1b[31m", "")
	w := words(func(s string, n int) string { return s[:min(len(s), n)] })
	f.Fuzz(func(t *testing.T, raw []byte, text, when string) {
		d := deployment("user")
		d.Annotations, d.Spec.Template.Annotations = map[string]string{revisionOf: text}, map[string]string{restartedAt: when}
		d.Status.Conditions[0].Message = strings.Repeat(text, 1000)
		r := replicaSet("user", text, text, text, 0)
		r.Annotations[changeCause] = strings.Repeat(text, 1000)
		for _, obj := range []runtime.Object{
			&appsv1.ControllerRevision{Data: runtime.RawExtension{Raw: raw}}, d, r, &metav1.PartialObjectMetadata{}, &corev1.Pod{}, &corev1.Event{Type: "Warning"},
		} {
			i := w.strip(obj)
			if i == nil || i.what == nil {
				t.Fatalf("%T was not kept", obj)
			}
			if one, ok := i.what.(*workloadItem); ok && len(one.data.ProgressNote) > kubeNoteLimit {
				t.Errorf("%d bytes of a message are kept", len(one.data.ProgressNote))
			}
			if one, ok := i.what.(*revisionItem); ok && len(one.cause) > kubeNoteLimit {
				t.Errorf("%d bytes of a cause are kept", len(one.cause))
			}
		}
	})
}

func TestWhatIsKeptOfANamespace(t *testing.T) {
	n := names{workloads: map[kubeKind]map[string]bool{deployments: {"user": true}, statefulSets: {"db": true}}, jobs: map[string]bool{"rotate": true}}
	for _, x := range []struct {
		what any
		name string
		keep bool
	}{
		{&workloadItem{}, "user", true},
		{&workloadItem{}, "other", false},
		{&podItem{owner: owner{kind: "ReplicaSet", name: "user-abc"}}, "p", true},
		{&podItem{owner: owner{kind: "ReplicaSet", name: "users-abc"}}, "p", false},
		{&podItem{owner: owner{kind: "StatefulSet", name: "db"}}, "db-0", true},
		{&podItem{owner: owner{kind: "Job", name: "x"}}, "x", false},
		{&revisionItem{owner: owner{kind: "StatefulSet", name: "db"}}, "r", true},
		{&eventItem{kind: "Pod", name: "user-abc-def"}, "e", true},
		{&eventItem{kind: "Pod", name: "username"}, "e", false},
		{&cronItem{}, "rotate", true},
		{&jobItem{owner: owner{kind: "CronJob", name: "rotate"}}, "rotate-1", true},
		{&jobItem{owner: owner{kind: "CronJob", name: "else"}}, "else-1", false},
		{&secretItem{}, "any", true},
	} {
		if got := n.keep(&item{ObjectMeta: metav1.ObjectMeta{Name: x.name}, what: x.what}); got != x.keep {
			t.Errorf("%T %s %+v: kept %v", x.what, x.name, x.what, got)
		}
	}
}

func TestWhatAnEventConcerns(t *testing.T) {
	for _, x := range []struct{ work, yes, no string }{
		{"deployment", "Deployment/user ReplicaSet/user-abc Pod/user-abc-def", "Pod/user-abc ReplicaSet/user-a-b Pod/username-abc-def Node/user Pod/user"},
		{"statefulset", "StatefulSet/user Pod/user-0 Pod/user-12", "Pod/user-x Pod/user-a-0 Deployment/user"},
		{"daemonset", "DaemonSet/user Pod/user-abcde", "Pod/user-a-b Pod/user"},
	} {
		k := &kubeKey{work: workload{"prod", x.work, "user"}}
		for _, list := range []string{x.yes, x.no} {
			for _, one := range strings.Fields(list) {
				kind, name, _ := strings.Cut(one, "/")
				if got := k.concerns(kind, name); got != slices.Contains(strings.Fields(x.yes), one) {
					t.Errorf("%s user: %s concerns it: %v", x.work, one, got)
				}
			}
		}
	}
}

func TestWhenACronJobRunsNext(t *testing.T) {
	now := time.Date(2026, 3, 21, 12, 30, 0, 0, time.UTC)
	for _, x := range []struct {
		c      cronItem
		next   time.Time
		period time.Duration
	}{
		{cronItem{schedule: "0 * * * *"}, now.Add(30 * time.Minute), time.Hour},
		{cronItem{schedule: "@daily"}, time.Date(2026, 3, 22, 0, 0, 0, 0, time.UTC), 24 * time.Hour},
		{cronItem{schedule: "0 3 * * *", zone: "Europe/Berlin"}, time.Date(2026, 3, 22, 2, 0, 0, 0, time.UTC), 24 * time.Hour},
		{cronItem{schedule: "0 * * * *", suspended: true}, time.Time{}, time.Hour},
		{cronItem{schedule: "never"}, time.Time{}, 0},
		{cronItem{schedule: "0 0 31 2 *"}, time.Time{}, 0},
		{cronItem{schedule: "0 * * * *", zone: "No/Where"}, time.Time{}, 0},
	} {
		if at, period := next(&x.c, now); !at.Equal(x.next) || period != x.period {
			t.Errorf("%+v: next %s, period %s; want %s, %s", x.c, at, period, x.next, x.period)
		}
	}
}
