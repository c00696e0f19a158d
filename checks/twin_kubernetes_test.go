package checks

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"warroom/internal/estate"
)

// The real cluster's API server, controllers and scheduler are Kubernetes's own. Its
// kubelets are played by KWOK, which looks at no Secret: a pod that lacks one runs
// there, while the drill has it wait as a kubelet does. Of a missing Secret only
// that is twinned which the API server tells.

// TestTwinKubernetesDeployment takes a Deployment from its first start through a
// changed Secret, a rollout, a pause and its deletion.
func TestTwinKubernetesDeployment(t *testing.T) {
	kubeTwins(t, func(t *testing.T, w *twinKube, s *story) {
		s.short = kubeHash
		w.web(t)
		l := liveOn(t, w.config(t, kubeCanary, "deployment/web"))
		r := l.await("healthy", func(r *estate.Readings) bool { return healthyWeb(r) && revisionsAre(r, "web", 1) })
		s.tellAll("healthy", r, "web")
		reads(t, r, "web", estate.OK, "HEALTHY")

		// The one from the environment is taken at the start only; the file follows.
		second(t)
		w.write(t, "db", "two")
		w.write(t, "files", "two")
		r = l.await("older than its Secret", func(r *estate.Readings) bool { return all(r, "web") && olderPods(r, "web", "db") == 3 })
		s.tellAll("older than its Secret", r, "web")
		if n := olderPods(r, "web", "files"); n != 0 {
			t.Errorf("%d pods older than what they have as a file", n)
		}
		second(t)

		// A restart whose pods find no node is under way.
		w.redeploy(t, "web", func(d *appsv1.DeploymentSpec) {
			d.Template.Annotations = map[string]string{"kubectl.kubernetes.io/restartedAt": time.Now().UTC().Format(time.RFC3339)}
			nowhere(&d.Template.Spec)
		})
		r = l.await("rolling", func(r *estate.Readings) bool {
			events, _ := slotOf[estate.WorkloadEvents](r, "web", estate.CheckWorkloadEvents)
			return workloadIs("web", func(x estate.Workload) bool {
				return x.Updated == 1 && x.Ready == 3 && (x.Progress == "ReplicaSetUpdated" || x.Progress == "NewReplicaSetCreated")
			})(r) &&
				podsAre(r, "web", 3, 1) && revisionsAre(r, "web", 2) && len(events.Events) == 1
		})
		s.tellAll("rolling", r, "web")
		w.redeploy(t, "web", func(d *appsv1.DeploymentSpec) { d.Template.Spec.NodeSelector = nil; imageOf(&d.Template.Spec, "2") })
		r = l.await("rolled", func(r *estate.Readings) bool { return healthyWeb(r) && revisionsAre(r, "web", 3) })
		s.tellSlot("rolled", twinSlot(t, r, "web", estate.CheckWorkload))
		s.tellSlot("rolled", twinSlot(t, r, "web", estate.CheckWorkloadPods))
		s.tellSlot("rolled", twinSlot(t, r, "web", estate.CheckWorkloadSecrets))
		s.tellSlot("rolled", twinSlot(t, r, "web", estate.CheckRevisions))

		w.redeploy(t, "web", func(d *appsv1.DeploymentSpec) { d.Paused = true; imageOf(&d.Template.Spec, "3") })
		r = l.await("paused", workloadIs("web", func(x estate.Workload) bool { return x.Paused && x.Progress == "DeploymentPaused" && x.Updated == 0 }))
		s.tellSlot("paused", twinSlot(t, r, "web", estate.CheckWorkload))
		reads(t, r, "web", estate.Warn, "PAUSED")
		w.redeploy(t, "web", func(d *appsv1.DeploymentSpec) { d.Paused = false })
		l.await("resumed", func(r *estate.Readings) bool { return healthyWeb(r) && revisionsAre(r, "web", 4) })

		if err := w.api.CoreV1().Secrets(w.namespace).Delete(t.Context(), "db", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		r = l.await("without its Secret", func(r *estate.Readings) bool {
			uses, ok := slotOf[estate.WorkloadSecrets](r, "web", estate.CheckWorkloadSecrets)
			return ok && len(uses.Uses) == 2 && uses.Uses[0].Missing
		})
		s.tellSlot("without its Secret", twinSlot(t, r, "web", estate.CheckWorkloadSecrets))
		if err := w.api.AppsV1().Deployments(w.namespace).Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		r = l.await("deleted", func(r *estate.Readings) bool {
			for _, check := range []string{estate.CheckWorkload, estate.CheckWorkloadSecrets} {
				if f := twinSlot(t, r, "web", check).Failure; f == nil || f.Kind != estate.Missing {
					return false
				}
			}
			return true
		})
		s.tellSlot("deleted", twinSlot(t, r, "web", estate.CheckWorkload))
		reads(t, r, "web", estate.Fail, "MISSING")
	})
}

// TestTwinKubernetesStuck has a rollout pass its deadline.
func TestTwinKubernetesStuck(t *testing.T) {
	kubeTwins(t, func(t *testing.T, w *twinKube, s *story) {
		s.short = kubeHash
		w.write(t, "db", "one")
		w.write(t, "files", "one")
		w.deploy(t, "late", 2, func(d *appsv1.DeploymentSpec) {
			deadline := int32(2)
			d.ProgressDeadlineSeconds = &deadline
			nowhere(&d.Template.Spec)
		})
		l := liveOn(t, w.config(t, kubeCanary, "deployment/late"))
		r := l.await("stuck", func(r *estate.Readings) bool {
			events, _ := slotOf[estate.WorkloadEvents](r, "late", estate.CheckWorkloadEvents)
			return all(r, "late") && podsAre(r, "late", 0, 2) && len(events.Events) == 2 &&
				workloadIs("late", func(x estate.Workload) bool { return x.Progress == "ProgressDeadlineExceeded" })(r)
		})
		s.tellAll("stuck", r, "late")
		reads(t, r, "late", estate.Fail, "STUCK")
	})
}

// TestTwinKubernetesOthers has a StatefulSet whose pods are replaced only when
// somebody deletes them, and a DaemonSet.
func TestTwinKubernetesOthers(t *testing.T) {
	kubeTwins(t, func(t *testing.T, w *twinKube, s *story) {
		s.short = kubeHash
		w.write(t, "db", "one")
		w.write(t, "files", "one")
		second(t)
		two := int32(2)
		sets, daemons := w.api.AppsV1().StatefulSets(w.namespace), w.api.AppsV1().DaemonSets(w.namespace)
		ledger := must[*appsv1.StatefulSet](t, "make ledger")(sets.Create(t.Context(), &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "ledger"}, Spec: appsv1.StatefulSetSpec{
			Replicas: &two, ServiceName: "ledger", Selector: twinSelector("ledger"), Template: twinTemplate("ledger"),
			UpdateStrategy: appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType},
		}}, metav1.CreateOptions{}))
		must[*appsv1.DaemonSet](t, "make agent")(daemons.Create(t.Context(), &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "agent"}, Spec: appsv1.DaemonSetSpec{
			Selector: twinSelector("agent"), Template: twinTemplate("agent"),
		}}, metav1.CreateOptions{}))
		l := liveOn(t, w.config(t, kubeCanary, "statefulset/ledger", "daemonset/agent"))
		r := l.await("both run", func(r *estate.Readings) bool {
			ready := func(x estate.Workload) bool { return x.Ready == 2 && x.Updated == 2 && x.Available == 2 }
			return workloadIs("ledger", ready)(r) && workloadIs("agent", ready)(r) && all(r, "ledger") && all(r, "agent") &&
				podsAre(r, "ledger", 2, 0) && podsAre(r, "agent", 2, 0) && revisionsAre(r, "ledger", 1) && revisionsAre(r, "agent", 1)
		})
		s.tellAll("runs", r, "ledger")
		s.tellAll("runs", r, "agent")
		reads(t, r, "ledger", estate.OK, "HEALTHY")

		until(t, "a change of ledger", 10*time.Second, func() (bool, string) {
			x, err := sets.Get(t.Context(), ledger.Name, metav1.GetOptions{})
			if err != nil {
				return false, err.Error()
			}
			imageOf(&x.Spec.Template.Spec, "2")
			if _, err = sets.Update(t.Context(), x, metav1.UpdateOptions{}); err != nil {
				return false, err.Error()
			}
			return true, ""
		})
		r = l.await("an old revision", func(r *estate.Readings) bool {
			return workloadIs("ledger", func(x estate.Workload) bool { return x.Updated == 0 && x.Revision != x.UpdateRevision })(r) && revisionsAre(r, "ledger", 2)
		})
		s.tellAll("of the old revision", r, "ledger")
		reads(t, r, "ledger", estate.Warn, "ON DELETE")
		if err := w.api.CoreV1().Pods(w.namespace).Delete(t.Context(), "ledger-1", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		r = l.await("one of two replaced", func(r *estate.Readings) bool {
			return workloadIs("ledger", func(x estate.Workload) bool { return x.Updated == 1 && x.Ready == 2 })(r) && podsAre(r, "ledger", 2, 0)
		})
		s.tellSlot("one of two replaced", twinSlot(t, r, "ledger", estate.CheckWorkload))
		reads(t, r, "ledger", estate.Warn, "ON DELETE")
	})
}
