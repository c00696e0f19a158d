package drill

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"warroom/internal/drill/awssim"
	"warroom/internal/labtest"
)

// cluster reaches the world's cluster through its kubeconfig.
func cluster(t *testing.T, w *World, context string) (*kubernetes.Clientset, *rest.Config) {
	t.Helper()
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: w.file(fileKubeconfig)}, &clientcmd.ConfigOverrides{CurrentContext: context}).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	cfg.QPS = -1
	c, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c, cfg
}

func deploymentState(t *testing.T, c *kubernetes.Clientset, name string) (ready, updated int32, progress string) {
	t.Helper()
	d, err := c.AppsV1().Deployments(kubeNamespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range d.Status.Conditions {
		if k.Type == appsv1.DeploymentProgressing {
			progress = k.Reason
		}
	}
	return d.Status.ReadyReplicas, d.Status.UpdatedReplicas, progress
}

// TestKubernetesRoleIsDocumented keeps the docs and the world's reader the same.
func TestKubernetesRoleIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/permissions.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "```yaml\n"+string(kubernetesRole)+"```\n") {
		t.Error("docs/permissions.md does not have the role of kubernetes-role.yaml")
	}
}

// TestKubernetesReader has the reader read what the checks watch, and nothing else.
func TestKubernetesReader(t *testing.T) {
	e := makeWorld(t, nil)
	c, cfg := cluster(t, e.World, kubeCluster)
	list := metav1.ListOptions{}
	meta, err := metadata.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]func() error{
		"pods":        func() error { _, err := c.CoreV1().Pods(kubeNamespace).List(t.Context(), list); return err },
		"events":      func() error { _, err := c.CoreV1().Events(kubeNamespace).List(t.Context(), list); return err },
		"deployments": func() error { _, err := c.AppsV1().Deployments(kubeNamespace).List(t.Context(), list); return err },
		"cronjobs":    func() error { _, err := c.BatchV1().CronJobs(kubeNamespace).List(t.Context(), list); return err },
		"metadata of secrets": func() error {
			_, err := meta.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}).Namespace(kubeNamespace).List(t.Context(), list)
			return err
		},
		"externalsecrets": func() error {
			_, err := meta.Resource(schema.GroupVersionResource{Group: "external-secrets.io", Version: "v1", Resource: "externalsecrets"}).Namespace(kubeNamespace).List(t.Context(), list)
			return err
		},
	}
	for what, f := range allowed {
		if err := f(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	forbidden := map[string]func() error{
		"a secret by name": func() error {
			_, err := c.CoreV1().Secrets(kubeNamespace).Get(t.Context(), "analytics-db", metav1.GetOptions{})
			return err
		},
		"another namespace": func() error { _, err := c.CoreV1().Pods("kube-system").List(t.Context(), list); return err },
		"every namespace":   func() error { _, err := c.CoreV1().Pods("").List(t.Context(), list); return err },
		"a restart": func() error {
			_, err := c.AppsV1().Deployments(kubeNamespace).Patch(t.Context(), "user-service", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{})
			return err
		},
		"the end of a pod": func() error {
			return c.CoreV1().Pods(kubeNamespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, list)
		},
	}
	for what, f := range forbidden {
		if err := f(); !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want a refusal", what, err)
		}
	}
}

// TestKubernetesTellsTheStory reads what the story left in the cluster.
func TestKubernetesTellsTheStory(t *testing.T) {
	e := makeWorld(t, nil)
	c, _ := cluster(t, e.World, kubeCluster+"-"+kubeOperator)
	if ready, updated, progress := deploymentState(t, c, "user-service"); ready != 0 || updated != 3 || progress != "ProgressDeadlineExceeded" {
		t.Errorf("user service: %d ready, %d updated, %s", ready, updated, progress)
	}
	if ready, updated, progress := deploymentState(t, c, "payment-service"); ready != 4 || updated != 4 || progress != "NewReplicaSetAvailable" {
		t.Errorf("payment service: %d ready, %d updated, %s", ready, updated, progress)
	}
	pods, err := c.CoreV1().Pods(kubeNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=user-service"})
	if err != nil {
		t.Fatal(err)
	}
	old := 0
	for _, p := range pods.Items {
		if p.CreationTimestamp.Time.Before(e.ago(tried + time.Hour)) {
			old++
		}
		i := slices.IndexFunc(p.Status.Conditions, func(k corev1.PodCondition) bool { return k.Type == corev1.PodReady })
		since := e.ago(0).Sub(p.Status.Conditions[i].LastTransitionTime.Time)
		if p.CreationTimestamp.Time.Before(e.ago(tried+time.Hour)) && (since < due-time.Minute || since > due+time.Minute) {
			t.Errorf("%s is not ready for %s, want %s", p.Name, since, due)
		}
	}
	if len(pods.Items) != 8 || old != 5 {
		t.Errorf("user service: %d pods, %d of them old", len(pods.Items), old)
	}
	for name, want := range map[string]string{"user-service-db": e.password("app current"), "analytics-db": e.password("analytics previous")} {
		s, err := c.CoreV1().Secrets(kubeNamespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || string(s.Data["password"]) != want {
			t.Errorf("Secret %s does not hold the value of its time: %v", name, err)
		}
	}
	events, err := c.CoreV1().Events(kubeNamespace).List(t.Context(), metav1.ListOptions{FieldSelector: "type=Warning,reason=Unhealthy"})
	if err != nil || len(events.Items) != 8 {
		t.Errorf("%d warnings of pods that are not ready: %v", len(events.Items), err)
	}
}

// TestKubernetesRepairs repairs the role: the pods recover and the rollout that
// hung goes on. A new password reaches the application with a restart alone.
func TestKubernetesRepairs(t *testing.T) {
	var clock atomic.Pointer[time.Time] // the world looks at it from elsewhere
	start := time.Now()
	clock.Store(&start)
	e := makeWorld(t, func() time.Time { return *clock.Load() })
	c, _ := cluster(t, e.World, kubeCluster+"-"+kubeOperator)
	pass := func(d time.Duration) {
		next := clock.Load().Add(d)
		clock.Store(&next)
		e.kube.Tick()
	}
	e.postgres.SetValidUntil("app_user", start.Add(30*day))
	pass(2 * time.Minute)
	if ready, updated, progress := deploymentState(t, c, "user-service"); ready != 6 || updated != 6 || progress != "NewReplicaSetAvailable" {
		t.Errorf("after the repair: %d ready, %d updated, %s", ready, updated, progress)
	}
	// A rotation that works: stored, set, synchronised, and then restarted for.
	s, _ := e.aws.Secret("prod/db/postgres")
	i := slices.IndexFunc(s.Versions, func(v awssim.Version) bool { return slices.Contains(v.Stages, "AWSPENDING") })
	pending := s.Versions[i]
	e.postgres.SetPassword("app_user", stringField(pending.Value, "password"))
	for j := range s.Versions {
		s.Versions[j].Stages = nil
	}
	s.Versions[i].Stages = []string{"AWSCURRENT"}
	e.aws.AddSecret(s)
	pass(30 * time.Second)
	if ready, _, _ := deploymentState(t, c, "user-service"); ready != 0 {
		t.Errorf("%d pods are ready with a password that was changed", ready)
	}
	pass(time.Hour)
	if ready, _, _ := deploymentState(t, c, "user-service"); ready != 0 {
		t.Errorf("%d pods took a new password over without a restart", ready)
	}
	patch, _ := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]string{restartedAt: e.now().Format(time.RFC3339)}}}}})
	if _, err := c.AppsV1().Deployments(kubeNamespace).Patch(t.Context(), "user-service", types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	pass(2 * time.Minute)
	if ready, updated, _ := deploymentState(t, c, "user-service"); ready != 6 || updated != 6 {
		t.Errorf("after the restart: %d ready, %d updated", ready, updated)
	}
	if r, code := health(t, e.World, srvUsers); code != 200 || r.SecretVersion != pending.ID {
		t.Errorf("the application after the restart: %d %+v, want version %s", code, r, pending.ID)
	}
}

// TestKubectlExamples runs the world's examples for kubectl.
func TestKubectlExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("each kubectl command takes a tenth of a second or more")
	}
	bin := labtest.Tool(t, "kubectl")
	e := makeWorld(t, nil)
	for _, example := range e.kubeExamples() {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", "kubectl() { "+shellQuote(bin)+` "$@"; }; `+example)
		cmd.Env = append(e.Env(), "HOME="+t.TempDir(), "PATH=/usr/bin:/bin")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", example, err, out)
		}
		if strings.Contains(string(out), e.password("app current")) {
			t.Errorf("%s shows a password", example)
		}
	}
}
