package restart

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/clientcmd"

	"warroom/internal/clients"
	"warroom/internal/labtest"
	"warroom/internal/plan"
)

// newReal is a world on the lab's cluster, in a namespace of its own.
func newReal(t testing.TB) *world {
	t.Helper()
	lab := labtest.Cluster(t)
	cfg, err := clientcmd.BuildConfigFromFlags("", lab.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, cfg)
	w.namespace = "restart-" + strings.ToLower(rand.Text()[:8])
	w.makeNamespace()
	t.Cleanup(func() {
		if err := w.api.CoreV1().Namespaces().Delete(context.Background(), w.namespace, metav1.DeleteOptions{}); err != nil {
			t.Errorf("delete the namespace: %v", err)
		}
	})
	return w
}

// One of each kind is restarted by the real controllers, and not again.
func TestRealRestarts(t *testing.T) {
	w := newReal(t)
	w.secret(oldValue)
	w.deployment("api", 3, nil)
	w.statefulSet("ledger", 2, nil)
	w.statefulSet("by-hand", 1, func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType })
	w.daemonSet("agent", nil)
	w.settled("deployment/api", "statefulset/ledger", "statefulset/by-hand", "daemonset/agent")
	d := w.process(w.config())
	_, err := d.run(plan.Request{Target: secretID})
	if err == nil || !strings.Contains(err.Error(), "holds another value") {
		t.Fatalf("a copy that is behind: %v", err)
	}
	w.stale()
	if _, err = d.run(plan.Request{Target: secretID}); err == nil || !strings.Contains(err.Error(), "OnDelete") {
		t.Fatalf("one that is OnDelete: %v", err)
	}
	leave := map[string]string{"blocked": "leave"}
	got, err := d.run(plan.Request{Target: secretID, Options: leave})
	w.must(err)
	if got.State != plan.RunDone {
		t.Fatalf("%s: %s\n%s", got.State, got.Trouble, logOf(got))
	}
	for _, one := range []struct{ kind, name string }{{deployment, "api"}, {statefulSet, "ledger"}, {daemonSet, "agent"}} {
		if w.marks(one.kind, one.name) == "" || part(t, got, one.name).State != plan.Done {
			t.Errorf("%s %s was not restarted", one.kind, one.name)
		}
	}
	if w.marks(statefulSet, "by-hand") != "" {
		t.Error("the one that is OnDelete was touched")
	}
	_, err = d.run(plan.Request{Target: secretID, Options: leave})
	if err == nil || !strings.Contains(err.Error(), "all created after") {
		t.Errorf("what runs on the new value: %v", err)
	}
}

// A run of the real cluster that is killed around its patches is resumed.
func TestRealKilled(t *testing.T) {
	for _, at := range []string{"before PATCH", "after PATCH", "before outcome"} {
		t.Run(at, func(t *testing.T) {
			w := newReal(t)
			w.secret(oldValue)
			w.deployment("back", 2, nil)
			w.deployment("front", 1, nil)
			w.stale("deployment/back", "deployment/front")
			cfg := w.config(w.application("deployment", "back", ""), w.application("deployment", "front", "restart_after: [back]"))
			d := w.process(cfg)
			p, err := d.Plan(t.Context(), plan.Request{Procedure: Name, Target: secretID})
			w.must(err)
			w.calls.killFirst(at)
			if got, err := d.start(p); err == nil && got.State == plan.RunDone {
				t.Fatal("it was not killed")
			}
			d.Close()
			w.calls.reset(false, 0)
			d = w.process(cfg)
			advice, err := d.Advise(t.Context())
			w.must(err)
			if len(advice) != 1 {
				t.Fatalf("%+v", advice)
			}
			w.restarts(cfg, plan.Request{Mode: plan.Resume, Of: advice[0].Run})
			w.must(restartedOnce(w))
		})
	}
}

// A quota leaves room for one more pod: the surges of several rollouts wait for each
// other, and none is refused a pod.
func TestRealQuota(t *testing.T) {
	w := newReal(t)
	w.recovery = "soak: 0s, concurrency: 4, rollout_deadline: 1m"
	w.secret(oldValue)
	var all []string
	for i := range 3 {
		name := fmt.Sprintf("d%d", i)
		w.deployment(name, 2, func(d *appsv1.Deployment) {
			one, none := intstr.FromInt32(1), intstr.FromInt32(0)
			d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &one, MaxUnavailable: &none}}
		})
		all = append(all, "deployment/"+name)
	}
	w.stale(all...)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "pods", Namespace: w.namespace},
		Status: corev1.ResourceQuotaStatus{}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: apiresource.MustParse("6")}}}
	made, err := w.api.CoreV1().ResourceQuotas(w.namespace).Create(t.Context(), quota, metav1.CreateOptions{})
	w.must(err)
	// No controller of quotas runs in the lab: what it would write is written here.
	set := func(used string) {
		t.Helper()
		made.Status = corev1.ResourceQuotaStatus{Hard: made.Spec.Hard, Used: corev1.ResourceList{corev1.ResourcePods: apiresource.MustParse(used)}}
		if made, err = w.api.CoreV1().ResourceQuotas(w.namespace).UpdateStatus(t.Context(), made, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	set("6")
	_, err = w.process(w.config()).run(plan.Request{Target: secretID})
	if r := refused(t, err); !strings.Contains(r.Why, "quota") || !strings.Contains(r.Why, "pods: needs 1 more, 0 left") {
		t.Errorf("%v", r)
	}
}

// Eighty-nine services of the real cluster are restarted, a bounded number at once, and
// many times faster than one after the other by kubectl, as the guide has it.
func TestRealEightyNine(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes most of a minute")
	}
	w := newReal(t)
	w.recovery = "soak: 0s, concurrency: 64, rollout_deadline: 3m"
	w.secret(oldValue)
	const services, measured = 89, 5
	var all []string
	for i := range services {
		name := fmt.Sprintf("service-%02d", i)
		w.deployment(name, 1, nil)
		all = append(all, "deployment/"+name)
	}
	w.settled(all...)
	guide := w.oneByOne(t, all[:measured]) * services / measured
	w.stale(all...)
	cfg := w.config()
	began := time.Now()
	d := w.process(cfg)
	p, err := d.Plan(t.Context(), plan.Request{Procedure: Name, Target: secretID, Options: map[string]string{"all": "yes"}})
	w.must(err)
	planned := time.Since(began)
	got, err := d.start(p)
	w.must(err)
	took := time.Since(began)
	if got.State != plan.RunDone {
		t.Fatalf("%s: %s", got.State, got.Trouble)
	}
	done := 0
	for _, p := range got.Steps[0].Parts {
		if p.State == plan.Done {
			done++
		}
	}
	if done != services {
		t.Errorf("%d of %d were restarted", done, services)
	}
	calls := map[string]int{}
	for _, c := range w.calls.calls {
		verb, rest, _ := strings.Cut(c.Name, " ")
		if kind := strings.Split(rest, "/"); len(kind) > 1 {
			verb += " " + kind[1]
		}
		calls[verb]++
	}
	t.Logf("calls: %v; plan %s", calls, planned.Round(10*time.Millisecond))
	t.Logf("%d services in %s, plan and verification included; one by one as in the guide %s (measured on %d): %.1f times", services, took.Round(10*time.Millisecond),
		guide.Round(time.Second), measured, guide.Seconds()/took.Seconds())
}

// oneByOne restarts services as the guide's script does.
func (w *world) oneByOne(t *testing.T, of []string) time.Duration {
	t.Helper()
	kubectl := labtest.Tool(t, "kubectl")
	began := time.Now()
	for _, one := range of {
		for _, args := range [][]string{{"get", one}, {"rollout", "restart", one}, {"rollout", "status", one, "--timeout=300s"}} {
			cmd := exec.Command(kubectl, append([]string{"--kubeconfig", w.kube, "-n", w.namespace}, args...)...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("kubectl %v: %v: %s", args, err, out)
			}
		}
	}
	return time.Since(began)
}

// A unit of the real user manager is restarted and watched; one that does not stay up
// fails.
func TestRealUnits(t *testing.T) {
	lab := labtest.UserManager(t)
	suffix := fmt.Sprint(os.Getpid())
	good, bad := "restart-good-"+suffix+".service", "restart-bad-"+suffix+".service"
	flag := filepath.Join(t.TempDir(), "flag")
	units := map[string]string{
		good: "[Service]\nExecStart=/bin/sleep infinity\n",
		bad:  "[Service]\nRestart=always\nRestartSec=100ms\nStartLimitIntervalSec=0\nExecStart=/bin/sh -c 'test -e " + flag + " && sleep 0.3 && exit 1; exec sleep infinity'\n",
	}
	systemctl := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("systemctl", append([]string{"--user"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("systemctl %v: %v: %s", args, err, out)
		}
	}
	for name, text := range units {
		path := filepath.Join(lab.UnitDir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(path) })
	}
	systemctl("daemon-reload")
	for name := range units {
		systemctl("start", name)
		t.Cleanup(func() { _ = exec.Command("systemctl", "--user", "stop", name).Run() })
	}
	w := newSim(t)
	w.recovery = "soak: 1s, concurrency: 2, rollout_deadline: 10s"
	w.secret(newValue)
	unit := func(name string) string {
		return fmt.Sprintf("unit: secrets: [%s], unit: %s, bus: user", secretID, name)
	}

	cfg := w.config(unit(good))
	set := clients.New(cfg)
	t.Cleanup(set.Close)
	state := func() string {
		s, err := set.Systemd(clients.UserBus).State(t.Context(), good)
		w.must(err)
		return s.Invocation
	}
	before := state()
	got := w.restarts(cfg, plan.Request{Target: secretID})
	if p := part(t, got, good); p.State != plan.Done || !strings.Contains(p.Detail, "active (running)") {
		t.Errorf("%+v", p)
	}
	if state() == before {
		t.Error("it was not restarted")
	}
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := w.process(w.config(unit(bad))).run(plan.Request{Target: "unit"})
	w.must(err)
	if got.State != plan.RunFailed || !strings.Contains(got.Trouble, "does not stay up") && !strings.Contains(got.Trouble, "did not stay well") {
		t.Errorf("%s: %s", got.State, got.Trouble)
	}
	_, err = w.process(w.config(unit("restart-nobody.service"))).run(plan.Request{Target: "unit"})
	if err == nil || !strings.Contains(err.Error(), "no such unit") {
		t.Errorf("a unit that is not there: %v", err)
	}
}

// A unit whose restart was asked for before the process was killed is only watched.
func TestRealUnitKilled(t *testing.T) {
	lab := labtest.UserManager(t)
	name := fmt.Sprintf("restart-killed-%d.service", os.Getpid())
	path := filepath.Join(lab.UnitDir, name)
	if err := os.WriteFile(path, []byte("[Service]\nExecStart=/bin/sleep infinity\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("systemctl", "--user", "stop", name).Run()
		_ = os.Remove(path)
	})
	for _, args := range [][]string{{"daemon-reload"}, {"start", name}} {
		if out, err := exec.Command("systemctl", append([]string{"--user"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	w := newSim(t)
	w.secret(newValue)
	cfg := w.config(fmt.Sprintf("unit: secrets: [%s], unit: %s, bus: user", secretID, name))
	d := w.process(cfg)
	p, err := d.Plan(t.Context(), plan.Request{Procedure: Name, Target: "unit"})
	w.must(err)
	w.calls.killFirst("after RestartUnit")
	if got, err := d.start(p); err == nil && got.State == plan.RunDone {
		t.Fatal("it was not killed")
	}
	d.Close()
	w.calls.reset(false, 0)
	asked := countOf(w, "RestartUnit")
	d = w.process(cfg)
	advice, err := d.Advise(t.Context())
	w.must(err)
	if len(advice) != 1 || advice[0].Effect != plan.Took {
		t.Fatalf("%+v", advice)
	}
	w.restarts(cfg, plan.Request{Mode: plan.Resume, Of: advice[0].Run})
	if again := asked(); again != 0 {
		t.Errorf("it was asked to restart %d times more", again)
	}
}

// countOf counts calls of a name from now on.
func countOf(w *world, name string) func() int {
	var mu sync.Mutex
	n := 0
	w.calls.breaks = func(call clients.Call, do func() error) error {
		if strings.HasPrefix(call.Name, name) {
			mu.Lock()
			n++
			mu.Unlock()
		}
		return do()
	}
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}
