package kubesim

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestCronJobs(t *testing.T) {
	b := newBench(t, Options{})
	fails := false
	b.OnJob(func(namespace, cronJob string, at time.Time) JobResult {
		if namespace != "prod" || cronJob != "rotate" {
			t.Errorf("a job of %s/%s", namespace, cronJob)
		}
		return JobResult{Took: 5 * time.Second, Failed: fails, Words: "the store refused it"}
	})
	limit := int32(1)
	b.must(b.Apply("test", &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "rotate", Namespace: "prod"}, Spec: batchv1.CronJobSpec{
		Schedule: "30 * * * *", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{BackoffLimit: &limit, Template: corev1.PodTemplateSpec{
			Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "rotate", Image: "rotate:1"}}}}}},
	}}))
	cron := func() (out *batchv1.CronJob) {
		b.Read("CronJob", "prod", func(o Object) { out = o.(*batchv1.CronJob) })
		return out
	}
	b.pass(29 * time.Minute)
	if cron().Status.LastScheduleTime != nil {
		t.Error("it ran before its time")
	}
	b.pass(time.Minute + time.Second)
	if n := len(cron().Status.Active); n != 1 {
		t.Errorf("%d jobs run", n)
	}
	b.pass(4*time.Hour + 45*time.Minute)
	good := cron().Status
	jobs := 0
	b.Read("Job", "prod", func(o Object) { jobs++ })
	if good.LastSuccessfulTime == nil || !good.LastScheduleTime.Time.Equal(time.Date(2026, 3, 1, 16, 30, 0, 0, time.UTC)) || len(good.Active) != 0 || jobs != 3 {
		t.Errorf("after five hours: %+v, %d jobs kept", good, jobs)
	}
	fails = true
	b.pass(time.Hour)
	var failed *batchv1.Job
	b.Read("Job", "prod", func(o Object) {
		for _, c := range o.(*batchv1.Job).Status.Conditions {
			if c.Type == batchv1.JobFailed && c.Reason == batchv1.JobReasonBackoffLimitExceeded {
				failed = o.(*batchv1.Job)
			}
		}
	})
	if failed == nil || failed.Status.Failed != 2 || cron().Status.LastSuccessfulTime.After(failed.CreationTimestamp.Time) {
		t.Errorf("a job that fails: %+v", failed)
	}
	words := ""
	b.Read("Pod", "prod", func(o Object) {
		for _, c := range o.(*corev1.Pod).Status.ContainerStatuses {
			if c.State.Terminated != nil && c.State.Terminated.ExitCode != 0 {
				words = c.State.Terminated.Message
			}
		}
	})
	if words != "the store refused it" {
		t.Errorf("the pod's last words: %q", words)
	}
}

func TestDaemonSets(t *testing.T) {
	b := newBench(t, Options{Nodes: []string{"a", "b", "c", "d"}})
	set := func(image string) *appsv1.DaemonSet {
		tpl := template("agent")
		tpl.Spec.Containers[0].Env, tpl.Spec.Containers[0].Image = nil, image
		return &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "agent", Namespace: "prod"}, Spec: appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: tpl.Labels}, Template: tpl}}
	}
	status := func() (out appsv1.DaemonSetStatus) {
		b.Read("DaemonSet", "prod", func(o Object) { out = o.(*appsv1.DaemonSet).Status })
		return out
	}
	b.must(b.Apply("test", set("v1")))
	b.pass(time.Minute)
	if st := status(); st.NumberReady != 4 || st.DesiredNumberScheduled != 4 {
		t.Errorf("%+v", st)
	}
	b.must(b.Apply("test", set("v2")))
	for range 40 {
		b.pass(time.Second)
		if st := status(); st.NumberUnavailable > 1 {
			t.Fatalf("more than one pod is missing: %+v", st)
		}
	}
	if st := status(); st.UpdatedNumberScheduled != 4 || st.NumberReady != 4 {
		t.Errorf("after its rollout: %+v", st)
	}
}

// TestVolumesRefresh has a changed Secret reach files, not the environment.
func TestVolumesRefresh(t *testing.T) {
	b := newBench(t, Options{})
	var files, env string
	b.OnHealth(func(p Pod) Health {
		if p.Workload == "files" {
			files = string(p.Secret("db", "password"))
		} else {
			env = string(p.Secret("db", "password"))
		}
		return Health{}
	})
	mounted := web(1)
	mounted.Name, mounted.Spec.Selector.MatchLabels = "files", map[string]string{"app": "files"}
	mounted.Spec.Template = template("files")
	spec := &mounted.Spec.Template.Spec
	spec.Containers[0].Env = nil
	spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "db", MountPath: "/etc/db"}}
	spec.Volumes = []corev1.Volume{{Name: "db", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "db"}}}}
	b.must(b.Apply("test", web(1), mounted))
	b.pass(10 * time.Second)
	reasons := map[string]bool{}
	b.Read("Event", "prod", func(o Object) { reasons[o.(*corev1.Event).Reason] = true })
	if !reasons["FailedMount"] || !reasons["Failed"] {
		t.Errorf("without the Secret: %v", reasons)
	}
	b.must(b.Apply("test", secret(canary)))
	b.pass(2 * time.Minute)
	b.must(b.Apply("test", secret("second")))
	b.pass(30 * time.Second)
	if files != canary || env != canary {
		t.Error("the change arrived at once")
	}
	b.pass(time.Minute)
	if files != "second" || env != canary {
		t.Error("the change reached the environment, or not the files")
	}
}

func TestSchedules(t *testing.T) {
	from := time.Date(2026, 2, 27, 12, 0, 30, 0, time.UTC) // a Friday
	for _, test := range []struct{ text, want string }{
		{"* * * * *", "2026-02-27 12:01"}, {"15 2 * * *", "2026-02-28 02:15"}, {"*/20 * * * *", "2026-02-27 12:20"}, {"0 0 1 * *", "2026-03-01 00:00"},
		{"0 9-17/4 * * 1-5", "2026-02-27 13:00"}, {"0 0 13 * 1", "2026-03-02 00:00"}, {"@daily", "2026-02-28 00:00"}, {"0 0 29 2 *", "2028-02-29 00:00"}, {"0 0 * * 7", "2026-03-01 00:00"},
	} {
		p, err := parseSchedule(test.text)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
		} else if got := p.next(from).Format("2006-01-02 15:04"); got != test.want {
			t.Errorf("%s: %s, want %s", test.text, got, test.want)
		}
	}
	for _, bad := range []string{"", "* * * *", "60 * * * *", "a * * * *", "5-1 * * * *", "*/0 * * * *", "0 0 32 * *"} {
		if _, err := parseSchedule(bad); err == nil {
			t.Errorf("%q was taken for a schedule", bad)
		}
	}
}

func FuzzSchedule(f *testing.F) {
	for _, seed := range []string{"* * * * *", "0 0 29 2 *", "*/5 1-3,7 * 2 1-5/2", "@hourly"} {
		f.Add(seed)
	}
	from := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parseSchedule(text); err == nil {
			if next := p.next(from); !next.IsZero() && !next.After(from) {
				t.Errorf("%q: the next time is %s", text, next)
			}
		}
	})
}
