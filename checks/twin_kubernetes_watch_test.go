package checks

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"warroom/internal/estate"
)

// failed are the checks of a component that failed, and how.
func failed(r *estate.Readings, id estate.ID) map[string]estate.FailureKind {
	out := map[string]estate.FailureKind{}
	for _, slot := range r.Snapshot.Slots(id) {
		if f := slot.Last.Failure; f != nil {
			out[slot.Last.Key.Check] = f.Kind
		}
	}
	return out
}

// failsSo waits until exactly these checks fail.
func failsSo(id estate.ID, want map[string]estate.FailureKind) func(*estate.Readings) bool {
	return func(r *estate.Readings) bool { return maps.Equal(failed(r, id), want) }
}

// everyCheck is that all checks of a workload fail in one way.
func everyCheck(kind estate.FailureKind) map[string]estate.FailureKind {
	out := map[string]estate.FailureKind{}
	for _, check := range workloadChecks {
		out[check] = kind
	}
	return out
}

// TestTwinKubernetesForbidden takes one verb on one kind away at a time, and gives
// it back.
func TestTwinKubernetesForbidden(t *testing.T) {
	kubeTwins(t, func(t *testing.T, w *twinKube, s *story) {
		s.short = kubeHash
		w.web(t)
		cfg := w.config(t, kubeCanary, "deployment/web")
		l := liveOn(t, cfg)
		l.await("healthy", healthyWeb)
		for _, x := range []struct {
			denied []string
			failed string
		}{
			{[]string{"watch events"}, estate.CheckWorkloadEvents},
			{[]string{"list secrets"}, estate.CheckWorkloadSecrets},
			{[]string{"list secrets", "watch secrets"}, estate.CheckWorkloadSecrets},
			{[]string{"list deployments"}, estate.CheckWorkload},
			{[]string{"watch pods"}, estate.CheckWorkloadPods},
			{[]string{"list replicasets"}, estate.CheckRevisions},
			{[]string{"list externalsecrets"}, estate.CheckExternalSecrets},
		} {
			what := "without " + strings.Join(x.denied, ", ")
			w.may(t, x.denied...)
			l := liveOn(t, cfg)
			r := l.await(what, failsSo("web", map[string]estate.FailureKind{x.failed: estate.Denied}))
			s.tellAll(what, r, "web")
			if one := mustReading(t, r, "web"); one.Status != estate.Unknown {
				t.Errorf("%s it reads %s %s", what, one.Status, one.Word)
			}
			w.may(t)
			l.scheduler.CheckNow("web")
			l.await("allowed again", healthyWeb)
		}
		// The console that was there all the while never saw any of it: a watch that is
		// open goes on.
		if got := failed(l.await("healthy", healthyWeb), "web"); len(got) > 0 {
			t.Errorf("what was open before fails: %v", got)
		}
		strange := liveOn(t, w.config(t, "canary-bearer-of-nobody", "deployment/web"))
		s.tellAll("unauthorized", strange.await("unauthorized", failsSo("web", everyCheck(estate.NoIdentity))), "web")
	})
}

// TestTwinKubernetesAbsent asks for what is not there: a workload, a namespace, the
// operator of ExternalSecrets.
func TestTwinKubernetesAbsent(t *testing.T) {
	kubeTwins(t, func(t *testing.T, w *twinKube, s *story) {
		s.short = kubeHash
		w.web(t)
		cfg := w.config(t, kubeCanary, "deployment/web", "deployment/nobody", "job/never")
		r := liveOn(t, cfg).await("missing", func(r *estate.Readings) bool {
			read := failed(r, "never")[estate.CheckJob] == estate.Missing
			for _, slot := range r.Snapshot.Slots("nobody") {
				read = read && (slot.Last.Failure == nil || slot.Last.Failure.Kind == estate.Missing)
			}
			return read && healthyWeb(r)
		})
		s.tellAll("no workload", r, "nobody")
		s.tellAll("no job", r, "never")
		reads(t, r, "nobody", estate.Fail, "MISSING")

		// The role is the namespace's: in another one nothing may be read, whether or not
		// there is such a namespace.
		away := *w
		away.namespace = "twin-nowhere"
		r = liveOn(t, away.config(t, kubeCanary, "deployment/web")).await("no namespace", failsSo("web", everyCheck(estate.Denied)))
		s.tellAll("no namespace", r, "web")

		w.mu.Lock()
		w.absent = true
		w.mu.Unlock()
		r = liveOn(t, cfg).await("no operator", func(r *estate.Readings) bool {
			return maps.Equal(failed(r, "web"), map[string]estate.FailureKind{estate.CheckExternalSecrets: estate.NotSupported})
		})
		s.tellAll("no operator", r, "web")
	})
}

// oldest is what the server answers whoever wants to go on from the first version.
func (w *twinKube) oldest(t *testing.T) string {
	t.Helper()
	of := schema.GroupVersionResource{Group: externalGroup, Version: "v1", Resource: "externalsecrets"}
	open, err := w.dynamic.Resource(of).Namespace(w.namespace).Watch(t.Context(), metav1.ListOptions{ResourceVersion: "1"})
	if err == nil {
		defer open.Stop()
		e := <-open.ResultChan()
		err = apierrors.FromObject(e.Object)
	}
	if !apierrors.IsResourceExpired(err) {
		t.Fatalf("the first version is not forgotten: %v", err)
	}
	status := err.(apierrors.APIStatus).Status()
	return fmt.Sprintf("%d %s %s", status.Code, status.Reason, status.Message)
}

// TestTwinKubernetesCut takes the way to the API server away in every way there is,
// and gives it back.
func TestTwinKubernetesCut(t *testing.T) {
	kubeTwins(t, func(t *testing.T, w *twinKube, s *story) {
		s.short = kubeHash
		w.web(t)
		l := liveOn(t, w.config(t, kubeCanary, "deployment/web"))
		l.await("healthy", healthyWeb)
		scaled := func(n int) func(*estate.Readings) bool {
			return workloadIs("web", func(x estate.Workload) bool { return x.Desired == n && x.Ready == n && x.Updated == n })
		}
		scale := func(n int32) { w.redeploy(t, "web", func(d *appsv1.DeploymentSpec) { d.Replicas = &n }) }

		// Cut off: it watches again, from where it was, and nothing is listed anew.
		w.settled(t)
		lists, watches := w.times("list deployments"), w.times("watch deployments")
		w.cut()
		until(t, "another watch", waitFor, func() (bool, string) { return w.times("watch deployments") > watches, "" })
		scale(4)
		s.tellSlot("after a cut", twinSlot(t, l.await("after a cut", scaled(4)), "web", estate.CheckWorkload))
		if n := w.times("list deployments") - lists; n != 0 {
			t.Errorf("listed %d times after a cut", n)
		}

		// Expired: where it was is forgotten; it lists, and watches from there. The real
		// server remembers all since it began to serve a kind, and so forgets nothing
		// within a test but what was before that: of a kind defined later, the beginning.
		if w.sim != nil {
			w.sim.Compact()
		}
		s.tell("the first version", w.oldest(t))
		lists = w.times("list externalsecrets")
		w.age("externalsecrets")
		until(t, "another list", waitFor, func() (bool, string) { return w.times("list externalsecrets") > lists, "" })
		scale(2)
		r := l.await("after 410", func(r *estate.Readings) bool {
			return scaled(2)(r) && len(failed(r, "web")) == 0 && podsAre(r, "web", 2, 0)
		})
		s.tellSlot("after 410", twinSlot(t, r, "web", estate.CheckWorkload))
		s.tellSlot("after 410", twinSlot(t, r, "web", estate.CheckExternalSecrets))

		// Down, and back by itself.
		w.stop()
		r = l.await("down", func(r *estate.Readings) bool {
			for _, check := range workloadChecks { // cut first, and refused when it is tried again
				if f := twinSlot(t, r, "web", check).Failure; f == nil || !strings.Contains(f.Detail, "refused") {
					return false
				}
			}
			return true
		})
		s.tellReading("down", r, "web")
		failures(t, r, "web", everyCheck(estate.OutOfReach))
		scale(3)
		w.start()
		r = l.await("back", func(r *estate.Readings) bool {
			web, _ := r.Of("web") // what its pods and its secret say of each other comes last
			return scaled(3)(r) && len(failed(r, "web")) == 0 && podsAre(r, "web", 3, 0) && web.Status == estate.OK
		})
		s.tellSlot("back", twinSlot(t, r, "web", estate.CheckWorkload))
		reads(t, r, "web", estate.OK, "HEALTHY")
	})
}

// TestTwinKubernetesLag holds back what a watch tells: it is open, and says nothing
// of what has happened. A confirming read finds out, and another watch cures it.
func TestTwinKubernetesLag(t *testing.T) {
	kubeTwins(t, func(t *testing.T, w *twinKube, s *story) {
		s.short = slices.Concat(kubeHash, lagVersions)
		w.web(t)
		l := liveOn(t, w.config(t, kubeCanary, "deployment/web"))
		l.await("healthy", healthyWeb)
		w.hold(true)
		w.redeploy(t, "web", func(d *appsv1.DeploymentSpec) { n := int32(4); d.Replicas = &n })
		until(t, "four pods", waitFor, func() (bool, string) {
			d, err := w.api.AppsV1().Deployments(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
			return err == nil && d.Status.ReadyReplicas == 4, fmt.Sprint(err)
		})
		l.scheduler.CheckNow()
		r := l.await("lagging", func(r *estate.Readings) bool { return failed(r, "web")[estate.CheckWorkload] == estate.Lagging })
		s.tellSlot("lagging", twinSlot(t, r, "web", estate.CheckWorkload))
		if one := mustReading(t, r, "web"); one.Status != estate.Unknown {
			t.Errorf("a watch that lags reads %s %s", one.Status, one.Word)
		}
		w.hold(false)
		l.scheduler.CheckNow()
		r = l.await("up to date", func(r *estate.Readings) bool {
			return len(failed(r, "web")) == 0 && podsAre(r, "web", 4, 0) && workloadIs("web", func(x estate.Workload) bool { return x.Ready == 4 })(r)
		})
		s.tellSlot("up to date", twinSlot(t, r, "web", estate.CheckWorkload))
	})
}
