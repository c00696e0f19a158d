package restart

import (
	"errors"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"warroom/actions"
	"warroom/internal/drill/kubesim"
	"warroom/internal/plan"
)

// refused is the refusal that an error is.
func refused(t *testing.T, err error) *actions.Refusal {
	t.Helper()
	var r *actions.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("the plan was not refused: %v", err)
	}
	return r
}

// Every kind of workload is restarted, found by what it consumes and by warroom.yaml,
// and not a second time.
func TestRestartsWhatUsesASecret(t *testing.T) {
	w := newSim(t)
	w.secret(oldValue)
	w.deployment("api", 3, nil)
	w.deployment("unnamed", 1, nil)
	w.deployment("other", 1, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Env = nil })
	w.statefulSet("ledger", 2, nil)
	w.daemonSet("agent", nil)
	w.stale("deployment/api", "deployment/unnamed", "deployment/other", "statefulset/ledger", "daemonset/agent")
	cfg := w.config(w.application("deployment", "api", ""))
	got := w.restarts(cfg, plan.Request{Target: secretID})
	for _, one := range []struct{ kind, name string }{{"deployment", "api"}, {"deployment", "unnamed"}, {"statefulset", "ledger"}, {"daemonset", "agent"}} {
		if w.marks(one.kind, one.name) == "" {
			t.Errorf("%s %s was not restarted", one.kind, one.name)
		}
		if p := part(t, got, one.name); p.State != plan.Done || !strings.Contains(p.Detail, "on the new value") {
			t.Errorf("%s: %+v", one.name, p)
		}
	}
	if w.marks("deployment", "other") != "" {
		t.Error("a workload that does not use the secret was restarted")
	}
	_, err := w.process(cfg).run(plan.Request{Target: secretID})
	if r := refused(t, err); !strings.Contains(r.Why, "all created after") || !strings.Contains(r.Next, "all=yes") {
		t.Errorf("what runs on the new value: %v", r)
	}
	before := w.generation("api")
	w.restarts(cfg, plan.Request{Target: secretID, Options: map[string]string{"all": "yes"}})
	if w.generation("api") != before+1 {
		t.Error("all=yes did not restart it")
	}
}

// One application is restarted by itself.
func TestRestartsOneApplication(t *testing.T) {
	w := newSim(t)
	w.secret(oldValue)
	w.deployment("api", 1, nil)
	w.deployment("web", 1, nil)
	w.stale("deployment/api", "deployment/web")
	w.restarts(w.config(w.application("deployment", "api", ""), w.application("deployment", "web", "")), plan.Request{Target: "web"})
	if w.marks("deployment", "api") != "" || w.marks("deployment", "web") == "" {
		t.Error("another one than the named one was restarted")
	}
}

// A copy that is behind refuses the plan, and says what to do.
func TestNeverRestartsIntoAnOldValue(t *testing.T) {
	w := newSim(t)
	w.secret(oldValue)
	w.deployment("api", 1, nil)
	w.settled("deployment/api")
	_, err := w.process(w.config()).run(plan.Request{Target: secretID})
	r := refused(t, err)
	if !strings.Contains(r.Why, "holds another value (password)") || !strings.Contains(r.Next, "update the copy") || strings.Contains(r.Error(), oldValue) {
		t.Errorf("%v", r)
	}
	// One that falls behind after the plan ends the run before anything is restarted.
	w.secret(newValue)
	d := w.process(w.config())
	p, err := d.Plan(t.Context(), plan.Request{Procedure: Name, Target: secretID})
	w.must(err)
	w.secret(oldValue)
	got, err := d.start(p)
	w.must(err)
	if got.State != plan.RunFailed || !strings.Contains(got.Trouble, "holds another value") || w.marks("deployment", "api") != "" {
		t.Errorf("%s: %s", got.State, got.Trouble)
	}
}

// What cannot roll refuses the plan with what to do by hand, or is left on demand.
func TestBlocked(t *testing.T) {
	for _, c := range []struct {
		name, kind string
		make       func(w *world)
		next       string
	}{
		{"paused", "deployment", func(w *world) {
			w.deployment("bad", 1, nil)
			w.settled("deployment/bad")
			_, err := w.api.AppsV1().Deployments("prod").Patch(t.Context(), "bad", "application/merge-patch+json", []byte(`{"spec":{"paused":true}}`), metav1.PatchOptions{})
			w.must(err)
		}, "rollout resume deployment/bad"},
		{"OnDelete set", "statefulset", func(w *world) {
			w.statefulSet("bad", 2, func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType })
			w.settled("statefulset/bad")
		}, "delete pod bad-0, then bad-1"},
		{"OnDelete daemons", "daemonset", func(w *world) {
			w.daemonSet("bad", func(s *appsv1.DaemonSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteDaemonSetStrategyType })
			w.settled("daemonset/bad")
		}, "kubectl -n prod delete pod bad-"},
		{"partition", "statefulset", func(w *world) {
			two := int32(2)
			w.statefulSet("bad", 2, func(s *appsv1.StatefulSet) {
				s.Spec.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType, RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: &two}}
			})
			w.settled("statefulset/bad")
		}, `"partition":0`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newSim(t)
			w.secret(oldValue)
			w.deployment("good", 1, nil)
			w.settled("deployment/good")
			c.make(w)
			w.secret(newValue)
			_, err := w.process(w.config()).run(plan.Request{Target: secretID})
			if r := refused(t, err); !strings.Contains(r.Next, c.next) {
				t.Errorf("%v", r)
			}
			w.restarts(w.config(), plan.Request{Target: secretID, Options: map[string]string{"blocked": "leave"}})
			if w.marks("deployment", "good") == "" || w.marks(c.kind, "bad") != "" {
				t.Error("the good one must be restarted, the blocked one left")
			}
		})
	}
}

// A partition above nothing is honoured, and told.
func TestPartition(t *testing.T) {
	w := newSim(t)
	one := int32(1)
	w.secret(oldValue)
	w.statefulSet("ledger", 3, func(s *appsv1.StatefulSet) {
		s.Spec.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType, RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: &one}}
	})
	w.stale("statefulset/ledger")
	got := w.restarts(w.config(), plan.Request{Target: secretID})
	if p := part(t, got, "ledger"); !strings.Contains(p.Detail, "2 of 3 on the new value; its partition keeps 1") {
		t.Errorf("%+v", p)
	}
}

// We may not: said before anything is begun.
func TestForbidden(t *testing.T) {
	w := newSim(t)
	w.sim.AddUser(kubesim.User{Name: "us", Rules: []kubesim.Rule{{Verbs: []string{"list", "watch"}, Groups: []string{"", "apps"}, Resources: []string{"*"}, Namespaces: []string{"prod"}}}}, "canary-token-of-us")
	w.secret(oldValue)
	w.deployment("api", 1, nil)
	w.stale("deployment/api")
	cfg := w.config(w.application("deployment", "api", ""))
	cfg.Kubernetes[0].Kubeconfig = w.write("ours", strings.ReplaceAll(read(t, w.kube), adminToken, "canary-token-of-us"))
	_, err := w.process(cfg).run(plan.Request{Target: secretID})
	if r := refused(t, err); !strings.Contains(r.Why, "may not patch deployments in namespace prod") || !strings.Contains(r.Next, "permissions.md") {
		t.Errorf("%v", r)
	}
	// The same with another identity to act: what we may not list is told.
	cfg.Kubernetes[0].Act = actAs(w.kube)
	d := w.process(cfg)
	p, err := d.Plan(t.Context(), plan.Request{Procedure: Name, Target: secretID})
	w.must(err)
	if text := warnings(p); !strings.Contains(text, "outside the namespaces prod") {
		t.Errorf("warnings: %s", text)
	}
	// Forbidden only when it is done.
	w.sim.SetFault("no", &kubesim.Fault{Verb: "patch", Resource: "deployments", Status: 403, Message: `deployments.apps "api" is forbidden`})
	got, err := d.start(p)
	w.must(err)
	if got.State != plan.RunFailed || !strings.Contains(got.Trouble, "not permitted") || !strings.Contains(got.Next, "patch on workloads") {
		t.Errorf("%s: %s; %s", got.State, got.Trouble, got.Next)
	}
}

// New pods that crash fail the restart, at once and with what they say; the old ones
// still serve, and what is further on is not begun.
func TestCrashLoop(t *testing.T) {
	w := newSim(t)
	w.recovery = "soak: 0s, concurrency: 1, rollout_deadline: 30s"
	w.sim.OnHealth(func(p kubesim.Pod) kubesim.Health {
		bad := p.Workload == "b-bad" && string(p.Secret("db", "password")) == newValue
		return kubesim.Health{Crash: bad, Failing: bad, Message: "cannot log in"}
	})
	w.secret(oldValue)
	for _, name := range []string{"a-good", "b-bad", "c-later"} {
		w.deployment(name, 2, nil)
	}
	w.stale("deployment/a-good", "deployment/b-bad", "deployment/c-later")
	d := w.process(w.config())
	got, err := d.run(plan.Request{Target: secretID})
	w.must(err)
	if got.State != plan.RunFailed || !strings.Contains(got.Trouble, "CrashLoopBackOff") || !strings.Contains(got.Trouble, "2 of 2 available") || !strings.Contains(got.Trouble, "1 were not started") {
		t.Errorf("%s: %s", got.State, got.Trouble)
	}
	for name, state := range map[string]plan.StepState{"a-good": plan.Done, "b-bad": plan.Failed, "c-later": plan.Waiting} {
		if p := part(t, got, name); p.State != state {
			t.Errorf("%+v, want %s", p, state)
		}
	}
	if w.marks("deployment", "c-later") != "" {
		t.Error("another one was begun after the failure")
	}
	// What was wrong is mended: resumed, only what is left is restarted.
	w.sim.OnHealth(nil)
	good := w.generation("a-good")
	advice, err := d.Advise(t.Context())
	w.must(err)
	if len(advice) != 1 || advice[0].Recommended != plan.Resume || advice[0].Effect != plan.Partly {
		t.Errorf("%+v", advice)
	}
	if _, ok := advice[0].Impossible[plan.Back]; !ok {
		t.Errorf("a restart can be rolled back? %+v", advice[0])
	}
	w.settled("deployment/b-bad")
	w.restarts(w.config(), plan.Request{Mode: plan.Resume, Of: got.Run})
	if w.generation("a-good") != good || w.generation("b-bad") != good || w.generation("c-later") != good {
		t.Errorf("each is restarted once: %d %d %d", w.generation("a-good"), w.generation("b-bad"), w.generation("c-later"))
	}
}

// A container that restarts in the soak fails it, although the rollout was through.
func TestSoak(t *testing.T) {
	w := newSim(t)
	w.recovery = "soak: 2s, concurrency: 1, rollout_deadline: 30s"
	w.sim.OnHealth(func(p kubesim.Pod) kubesim.Health {
		late := string(p.Secret("db", "password")) == newValue && p.At.Sub(p.Started) > 15*time.Second
		return kubesim.Health{Crash: late, Message: "gave up"}
	})
	w.secret(oldValue)
	w.deployment("api", 1, nil)
	w.stale("deployment/api")
	got, err := w.process(w.config()).run(plan.Request{Target: secretID})
	w.must(err)
	if got.State != plan.RunFailed || !strings.Contains(got.Trouble, "did not stay well") {
		t.Errorf("%s: %s", got.State, got.Trouble)
	}
}

// A rollout past its own deadline fails at once; one past ours when that ends.
func TestDeadlines(t *testing.T) {
	for _, c := range []struct {
		name, recovery, want string
		seconds              int32
	}{
		{"its own", "soak: 0s, rollout_deadline: 30s", "exceeded its own deadline", 20},
		{"ours", "soak: 0s, rollout_deadline: 30s", "not through after 1.5s", 100_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newSim(t)
			w.recovery = c.recovery
			w.sim.OnHealth(func(p kubesim.Pod) kubesim.Health {
				return kubesim.Health{Failing: string(p.Secret("db", "password")) == newValue}
			})
			w.secret(oldValue)
			w.deployment("api", 2, func(d *appsv1.Deployment) { d.Spec.ProgressDeadlineSeconds = &c.seconds })
			w.stale("deployment/api")
			cfg := w.config()
			if c.name == "ours" {
				cfg.Recovery.Rollout = 1500 * time.Millisecond
			}
			got, err := w.process(cfg).run(plan.Request{Target: secretID})
			w.must(err)
			if got.State != plan.RunFailed || !strings.Contains(got.Trouble, c.want) || !strings.Contains(got.Trouble, "2 of 2 available") {
				t.Errorf("%s: %s", got.State, got.Trouble)
			}
		})
	}
}

// What an earlier rollout says of its deadline is no failure of this one.
func TestOldDeadline(t *testing.T) {
	w := newSim(t)
	seconds := int32(20)
	w.secret(newValue)
	w.sim.OnHealth(func(p kubesim.Pod) kubesim.Health {
		return kubesim.Health{Failing: string(p.Secret("db", "password")) == oldValue}
	})
	w.secret(oldValue)
	w.deployment("api", 2, func(d *appsv1.Deployment) { d.Spec.ProgressDeadlineSeconds = &seconds })
	w.until("exceed the deadline", func() (bool, string) {
		d, err := w.api.AppsV1().Deployments("prod").Get(t.Context(), "api", metav1.GetOptions{})
		w.must(err)
		for _, c := range d.Status.Conditions {
			if c.Reason == "ProgressDeadlineExceeded" {
				return true, ""
			}
		}
		return false, "not yet"
	})
	w.secret(newValue)
	w.restarts(w.config(), plan.Request{Target: secretID})
}

// Those on which others depend are through before the others begin.
func TestRanks(t *testing.T) {
	w := newSim(t)
	w.secret(oldValue)
	for _, name := range []string{"front", "middle", "back", "alone"} {
		w.deployment(name, 1, nil)
	}
	w.stale("deployment/front", "deployment/middle", "deployment/back", "deployment/alone")
	cfg := w.config(
		w.application("deployment", "front", "connects_to: between"),
		"between: restart_after: [middle]", // it uses nothing, and hands the order on
		w.application("deployment", "middle", "restart_after: [back]"),
		w.application("deployment", "back", ""), w.application("deployment", "alone", ""))
	d := w.process(cfg)
	p, err := d.Plan(t.Context(), plan.Request{Procedure: Name, Target: secretID})
	w.must(err)
	if len(p.Steps) != 3 || len(p.Steps[0].Calls) != 2 {
		t.Fatalf("%+v", p.Steps)
	}
	got, err := d.start(p)
	w.must(err)
	if got.State != plan.RunDone {
		t.Fatalf("%s: %s", got.State, got.Trouble)
	}
	created := func(name string) (first time.Time) {
		pods, err := w.api.CoreV1().Pods("prod").List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + name})
		w.must(err)
		for _, p := range pods.Items {
			if p.Annotations[runMark] != "" {
				first = p.CreationTimestamp.Time
			}
		}
		return first
	}
	ready := func(name string) (at time.Time) {
		pods, err := w.api.CoreV1().Pods("prod").List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + name})
		w.must(err)
		for _, p := range pods.Items {
			for _, c := range p.Status.Conditions {
				if c.Type == corev1.PodReady && p.Annotations[runMark] != "" {
					at = c.LastTransitionTime.Time
				}
			}
		}
		return at
	}
	for _, pair := range [][2]string{{"back", "middle"}, {"middle", "front"}} {
		if created(pair[1]).Before(ready(pair[0])) {
			t.Errorf("%s began at %s, before %s was ready at %s", pair[1], created(pair[1]), pair[0], ready(pair[0]))
		}
	}
	if _, err := ranks(w.config(w.application("deployment", "a", "restart_after: [b]"), w.application("deployment", "b", "connects_to: a")), []*member{{Component: "a"}, {Component: "b"}}); err == nil || !strings.Contains(err.Error(), "a after b after a") {
		t.Errorf("a circle: %v", err)
	}
}
