package restart

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/plan"
)

// two is a world in which two applications, of two ranks, wait for their restart.
func two(t *testing.T) (*world, *config.Config) {
	t.Helper()
	w := newSim(t)
	w.secret(oldValue)
	w.deployment("back", 2, nil)
	w.deployment("front", 1, nil)
	w.stale("deployment/back", "deployment/front")
	return w, w.config(w.application("deployment", "back", ""), w.application("deployment", "front", "restart_after: [back]"))
}

// restartedOnce says what is wrong with a world in which both must have been restarted
// once, by one run.
func restartedOnce(w *world) error {
	var wrong []error
	for _, name := range []string{"back", "front"} {
		if g := w.generation(name); g != 2 {
			wrong = append(wrong, fmt.Errorf("%s was changed %d times", name, g-1))
		}
		if w.marks(deployment, name) == "" {
			wrong = append(wrong, fmt.Errorf("%s was not restarted", name))
		}
	}
	if a, b := w.marks(deployment, "back"), w.marks(deployment, "front"); a != b {
		wrong = append(wrong, errors.New("they were restarted by two runs"))
	}
	return errors.Join(wrong...)
}

// Killed before and after every call that changes something and every write of the
// journal, the run is resumed to its end, and nothing is restarted twice.
func TestKilledAnywhere(t *testing.T) {
	w, cfg := two(t)
	w.calls.reset(true, 0)
	w.restarts(cfg, plan.Request{Target: secretID})
	points := append([]string{}, w.calls.points...)
	if err := restartedOnce(w); err != nil {
		t.Fatal(err)
	}
	if len(points) < 12 {
		t.Fatalf("only %d points: %v", len(points), points)
	}
	resumed := 0
	for i, point := range points {
		t.Run(fmt.Sprintf("%d %s", i+1, point), func(t *testing.T) {
			w, cfg := two(t)
			d := w.process(cfg)
			p, err := d.Plan(t.Context(), plan.Request{Procedure: Name, Target: secretID})
			w.must(err)
			w.calls.reset(true, i+1-armed(points))
			got, err := d.start(p)
			if err == nil && got.State == plan.RunDone {
				if err := restartedOnce(w); err != nil {
					t.Fatal(err)
				}
				return // killed after its end, or when nothing was left
			}
			d.Close()
			w.calls.reset(false, 0)
			d = w.process(cfg)
			advice, err := d.Advise(t.Context())
			w.must(err)
			if len(advice) == 0 { // it was not granted
				w.restarts(cfg, plan.Request{Target: secretID})
			} else {
				w.restarts(cfg, plan.Request{Mode: plan.Resume, Of: advice[0].Run})
				resumed++
			}
			if err := restartedOnce(w); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Logf("%d points, %d resumed", len(points), resumed)
	if resumed < 8 {
		t.Errorf("only %d runs were resumed", resumed)
	}
}

// armed is how many of the points of a recording come before a plan is granted.
func armed(points []string) int {
	for i, p := range points {
		if strings.HasSuffix(p, " grant") {
			return i
		}
	}
	return 0
}

// Killed at reads all over a run, it is resumed as well.
func TestKilledAtReads(t *testing.T) {
	w, cfg := two(t)
	d := w.process(cfg)
	p, err := d.Plan(t.Context(), plan.Request{Procedure: Name, Target: secretID})
	w.must(err)
	w.calls.reset(true, 0)
	w.calls.countReads()
	_, err = d.start(p)
	w.must(err)
	points := len(w.calls.points)
	const samples = 12
	if points < 2*samples {
		t.Fatalf("only %d points", points)
	}
	resumed := 0
	for i := range samples {
		at := 3 + i*(points-6)/samples
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			w, cfg := two(t)
			patient := cfg.Recovery.Rollout
			cfg.Recovery.Rollout = 2 * time.Second // a killed process waits for what it no longer sees
			d := w.process(cfg)
			p, err := d.Plan(t.Context(), plan.Request{Procedure: Name, Target: secretID})
			w.must(err)
			w.calls.reset(true, at)
			w.calls.countReads()
			got, err := d.start(p)
			if err == nil && got.State == plan.RunDone {
				w.must(restartedOnce(w))
				return
			}
			d.Close()
			w.calls.reset(false, 0)
			cfg.Recovery.Rollout = patient
			d = w.process(cfg)
			advice, err := d.Advise(t.Context())
			w.must(err)
			if len(advice) == 0 {
				w.restarts(cfg, plan.Request{Target: secretID})
			} else {
				resumed++
				w.restarts(cfg, plan.Request{Mode: plan.Resume, Of: advice[0].Run})
			}
			w.must(restartedOnce(w))
		})
	}
	t.Logf("%d points, %d sampled, %d resumed", points, samples, resumed)
}

// answered is an error of the gate that stands for an answer of the API server.
type answered struct{ code int }

func (a answered) Error() string { return fmt.Sprintf("answered %d", a.code) }

func (a answered) Response(req *http.Request) *http.Response {
	reason := map[int]metav1.StatusReason{403: metav1.StatusReasonForbidden, 429: metav1.StatusReasonTooManyRequests, 409: metav1.StatusReasonConflict, 500: metav1.StatusReasonInternalError}[a.code]
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":"as the test has it"}`, reason, a.code)
	return &http.Response{StatusCode: a.code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}}, Body: bodyOf(body), Request: req}
}

type reader struct{ *strings.Reader }

func (reader) Close() error { return nil }

func bodyOf(text string) reader { return reader{strings.NewReader(text)} }

// The restart of one workload is asked for and fails, in every way: what took effect is
// not asked for twice, and what did not is asked again or said.
func TestEveryFaultOfThePatch(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	for _, c := range []struct {
		name   string
		times  int
		breaks func(do func() error) error
		done   bool
		says   string
	}{
		{"timeout before it took effect", 1, func(func() error) error { return context.DeadlineExceeded }, true, ""},
		{"timeout after it took effect", 1, func(do func() error) error { _ = do(); return context.DeadlineExceeded }, true, ""},
		{"reset before", 1, func(func() error) error { return reset }, true, ""},
		{"reset after", 1, func(do func() error) error { _ = do(); return reset }, true, ""},
		{"throttled once", 1, func(func() error) error { return answered{429} }, true, ""},
		{"conflict once", 1, func(func() error) error { return answered{409} }, true, ""},
		{"conflict always", 99, func(func() error) error { return answered{409} }, false, "somebody else changes it"},
		{"trouble always", 99, func(func() error) error { return answered{500} }, false, "nothing was restarted"},
		{"throttled always", 99, func(func() error) error { return answered{429} }, false, "throttled"},
		{"silent always", 99, func(func() error) error { return context.DeadlineExceeded }, false, "no answer"},
		{"refused", 99, func(func() error) error { return answered{403} }, false, "not permitted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, cfg := two(t)
			var mu sync.Mutex
			left := c.times
			w.calls.breaks = func(call clients.Call, do func() error) error {
				mu.Lock()
				broken := call.Changes && left > 0
				if broken {
					left--
				}
				mu.Unlock()
				if broken {
					return c.breaks(do)
				}
				return do()
			}
			got, err := w.process(cfg).run(plan.Request{Target: secretID})
			w.must(err)
			if c.done {
				if got.State != plan.RunDone {
					t.Fatalf("%s: %s\n%s", got.State, got.Trouble, logOf(got))
				}
				w.must(restartedOnce(w))
				return
			}
			if text := got.Trouble + "; " + got.Next; got.State != plan.RunFailed || !strings.Contains(text, c.says) {
				t.Errorf("%s: %s", got.State, text)
			}
			if w.marks(deployment, "back") != "" || w.marks(deployment, "front") != "" {
				t.Error("something was restarted")
			}
		})
	}
}

// Reads that fail for a while keep no rollout from its end.
func TestFaultsOfReads(t *testing.T) {
	for name, breaks := range map[string]func(do func() error) error{
		"silent": func(func() error) error { return context.DeadlineExceeded }, "throttled": func(func() error) error { return answered{429} }, "trouble": func(func() error) error { return answered{500} },
	} {
		t.Run(name, func(t *testing.T) {
			w, cfg := two(t)
			var mu sync.Mutex
			patched, n := false, 0
			w.calls.breaks = func(call clients.Call, do func() error) error {
				mu.Lock()
				patched = patched || call.Changes
				broken := patched && !call.Changes && strings.HasPrefix(call.System, "kubernetes") && strings.Contains(call.Name, "deployments")
				if broken {
					n++
				}
				broken = broken && n > 1 && n <= 4
				mu.Unlock()
				if broken {
					return breaks(do)
				}
				return do()
			}
			got, err := w.process(cfg).run(plan.Request{Target: secretID})
			w.must(err)
			if got.State != plan.RunDone || n < 4 {
				t.Fatalf("%s after %d reads: %s", got.State, n, got.Trouble)
			}
			w.must(restartedOnce(w))
		})
	}
}

// While it rolls, no more replicas are away and no more are there than each rollout
// allows, as its watchers see it.
func TestNeverMoreAwayThanARolloutAllows(t *testing.T) {
	w := newSim(t)
	w.recovery = "soak: 0s, concurrency: 8, rollout_deadline: 1m"
	w.secret(oldValue)
	type bound struct{ least, most int }
	bounds := map[string]bound{}
	var all []string
	for i, c := range []struct{ replicas, surge, away int32 }{{4, 1, 0}, {4, 0, 1}, {6, 2, 2}, {1, 1, 0}, {3, 1, 1}} {
		name := fmt.Sprintf("d%d", i)
		w.deployment(name, c.replicas, func(d *appsv1.Deployment) {
			surge, away := intstr.FromInt32(c.surge), intstr.FromInt32(c.away)
			d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &surge, MaxUnavailable: &away}}
		})
		bounds[name] = bound{int(c.replicas - c.away), int(c.replicas + c.surge)}
		all = append(all, "deployment/"+name)
	}
	w.stale(all...)
	pods, err := w.api.CoreV1().Pods("prod").List(t.Context(), metav1.ListOptions{})
	w.must(err)
	ready := map[string]map[string]bool{}
	there := map[string]map[string]bool{}
	note := func(p *corev1.Pod, gone bool) {
		name := p.Labels["app"]
		if ready[name] == nil {
			ready[name], there[name] = map[string]bool{}, map[string]bool{}
		}
		delete(ready[name], p.Name)
		delete(there[name], p.Name)
		if gone || p.DeletionTimestamp != nil {
			return
		}
		there[name][p.Name] = true
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				ready[name][p.Name] = true
			}
		}
	}
	for i := range pods.Items {
		note(&pods.Items[i], false)
	}
	ctx, end := context.WithCancel(t.Context())
	seen, err := w.api.CoreV1().Pods("prod").Watch(ctx, metav1.ListOptions{ResourceVersion: pods.ResourceVersion})
	w.must(err)
	done := make(chan int)
	go func() {
		n := 0
		for e := range seen.ResultChan() {
			p, ok := e.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			n++
			note(p, e.Type == "DELETED")
			name := p.Labels["app"]
			if b := bounds[name]; len(ready[name]) < b.least || len(there[name]) > b.most {
				t.Errorf("%s: %d ready of at least %d, %d there of at most %d", name, len(ready[name]), b.least, len(there[name]), b.most)
			}
		}
		done <- n
	}()
	w.restarts(w.config(), plan.Request{Target: secretID})
	time.Sleep(50 * time.Millisecond) // for the last events to come
	end()
	seen.Stop()
	if n := <-done; n < 40 {
		t.Errorf("only %d events were seen", n)
	}
}

// Stopped, it ends before its next rank, and is resumed from there.
func TestStopped(t *testing.T) {
	w, cfg := two(t)
	d := w.process(cfg)
	p, err := d.Plan(t.Context(), plan.Request{Procedure: Name, Target: secretID})
	w.must(err)
	w.calls.breaks = func(call clients.Call, do func() error) error {
		if call.Changes {
			d.Stop(p.ID)
		}
		return do()
	}
	got, err := d.start(p)
	w.must(err)
	if got.State != plan.RunStopped || w.marks(deployment, "back") == "" || w.marks(deployment, "front") != "" {
		t.Fatalf("%s: %s", got.State, got.Trouble)
	}
	w.calls.breaks = nil
	w.restarts(cfg, plan.Request{Mode: plan.Resume, Of: got.Run})
	w.must(restartedOnce(w))
}
