package drill

import (
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"warroom/internal/drill/kubesim"
	"warroom/internal/drill/pgsim"
)

// kubernetesRole is what the world's reader may do: what docs/permissions.md says
// that reading needs.
//
//go:embed kubernetes-role.yaml
var kubernetesRole []byte

const (
	srvKubernetes  = "kubernetes"
	fileKubeconfig = "kubeconfig"
	kubeCluster    = "prod"  // as warroom.yaml and the kubeconfig call it
	kubeOperator   = "admin" // the context with which the cluster can be changed
	kubeNamespace  = "prod"

	kubeAge     = 62 * day              // of the cluster
	released    = 20 * day              // the user service's last release
	restarted   = rotated - time.Hour/2 // the user service, for the password of that rotation
	analyticsUp = analytics + 30*day - time.Hour
	nightlyUp   = 3 * day
	restartedAt = "kubectl.kubernetes.io/restartedAt"
	tried       = 2 * time.Hour // somebody restarted the user service, in vain
)

// kube is the cluster of the applications, with what their pods have been seen
// to start with.
type kube struct {
	*kubesim.Sim

	mu     sync.Mutex
	story  bool // being told; the world does not live yet
	newest map[string]started
	judged map[[2]string]bool // verifier and password: whether they fit
}

// started is what the pod of a workload that started last has for its secret.
type started struct {
	at    time.Time
	value string
}

// consumes says which key of which Secret each workload uses, and the stored
// secret behind it.
var consumes = map[string]struct{ secret, key, stored, field string }{
	"user-service":      {"user-service-db", "password", "prod/db/postgres", "password"},
	"payment-service":   {"payment-api", "api_key", "prod/api/payment", "api_key"},
	"analytics-service": {"analytics-db", "password", "prod/db/analytics", "password"},
}

func (e *estate) newKube() *kube {
	return &kube{
		Sim: kubesim.New(kubesim.Options{Clock: e.now, Seed: e.seed}), story: true, newest: map[string]started{}, judged: map[[2]string]bool{},
	}
}

// makeKubernetes lives the cluster's part of the story through. The user service
// took the password of the last rotation over with a restart; since that ran out
// no pod of it is ready, and the restart that somebody tried two hours ago hangs
// on its first pods. The payment service was restarted for its new key. The
// Secret of the analytics service is filled only when somebody asks for it, and
// nobody did since its password was rotated.
func (e *estate) makeKubernetes() error {
	k := e.kube
	rules, err := rulesOf(kubernetesRole)
	if err != nil {
		return err
	}
	k.AddUser(kubesim.User{Name: "warroom", Rules: rules}, e.kubeToken("warroom"))
	k.AddUser(kubesim.User{Name: kubeOperator, Groups: []string{"system:masters"}}, e.kubeToken(kubeOperator))
	if err := e.addActor(k.Sim); err != nil {
		return err
	}
	k.OnFetch(e.fetchSecret)
	k.OnHealth(e.podHealth)
	k.OnLogs(e.podLogs)
	at := func(ago time.Duration) { k.Past(e.ago(ago)) }
	apply := func(objects ...kubesim.Object) {
		err = errors.Join(err, k.Apply("kubectl-client-side-apply", objects...))
	}
	users := func(image string, restart time.Duration, cause string) *appsv1.Deployment {
		return e.deployment("user-service", 6, image, restart, cause)
	}

	at(kubeAge)
	k.Build()
	store := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": map[string]any{"name": "aws"},
		"spec": map[string]any{"provider": map[string]any{"aws": map[string]any{"service": "SecretsManager", "region": region}}},
	}}
	least := intstr.FromInt32(5)
	apply(store, externalSecret("user-service", "1h", ""), externalSecret("payment-service", "1h", ""),
		users("registry.company.com/user-service:2.14.3", 0, "release 2.14.3"),
		e.deployment("payment-service", 4, "registry.company.com/payment-service:5.2.0", 0, "release 5.2.0"),
		service("user-service"), service("payment-service"), service("analytics-service"),
		&policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Name: "user-service", Namespace: kubeNamespace},
			Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &least, Selector: &metav1.LabelSelector{MatchLabels: appLabels("user-service")}},
		})
	at(analyticsUp)
	apply(externalSecret("analytics-service", "0", ""), e.statefulSet("analytics-service", 3, "registry.company.com/analytics-service:1.9.1"))
	at(released)
	apply(users("registry.company.com/user-service:2.15.0", 0, "release 2.15.0"))
	at(restarted)
	apply(users("registry.company.com/user-service:2.15.0", restarted, "restart: password of prod/db/postgres rotated"))
	at(nightlyUp)
	apply(nightly())
	at(due)
	at(keysRotated - 2*time.Minute)
	apply(externalSecret("payment-service", "1h", fmt.Sprint(e.ago(keysRotated-2*time.Minute).Unix())))
	at(synced + 5*time.Minute)
	apply(e.deployment("payment-service", 4, "registry.company.com/payment-service:5.2.0", synced+5*time.Minute, "restart: key of prod/api/payment rotated"))
	at(tried)
	apply(users("registry.company.com/user-service:2.15.0", tried, "restart: no connections to the database"))
	at(time.Hour)
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.story = false
	k.mu.Unlock()
	k.Live()
	if err := e.write(fileKubeconfig, e.kubeconfig()); err != nil {
		return err
	}
	stop := make(chan struct{})
	e.run(func() { k.Run(stop) }, sync.OnceFunc(func() { close(stop) }))
	e.web(srvKubernetes, k, true)
	return nil
}

// fetchSecret is where ExternalSecrets get a field of a stored secret: the
// version of a staging label, or in the story the one that was current then.
func (e *estate) fetchSecret(at time.Time, _, name, field, stage string) ([]byte, error) {
	s, ok := e.aws.Secret(name)
	if !ok {
		return nil, fmt.Errorf("secret %s does not exist", name)
	}
	e.kube.mu.Lock()
	story := e.kube.story
	e.kube.mu.Unlock()
	value, found := "", false
	var newest time.Time
	for _, v := range s.Versions {
		switch {
		case story:
			// The oldest there is stands for all before it.
			if slices.Contains(v.Stages, "AWSPENDING") && len(v.Stages) == 1 || found && (v.Created.After(at) || v.Created.Before(newest)) {
				continue
			}
			value, newest, found = v.Value, v.Created, true
		case slices.Contains(v.Stages, orCurrent(stage)):
			value, found = v.Value, true
		}
	}
	if !found {
		return nil, fmt.Errorf("secret %s has no version under %s", name, orCurrent(stage))
	}
	if field == "" {
		return []byte(value), nil
	}
	text := stringField(value, field)
	if text == "" {
		return nil, fmt.Errorf("key %s does not exist in secret %s", field, name)
	}
	return []byte(text), nil
}

func orCurrent(stage string) string {
	if stage == "" {
		return "AWSCURRENT"
	}
	return stage
}

// podHealth says how a pod does with the credential that it started with.
func (e *estate) podHealth(p kubesim.Pod) kubesim.Health {
	use, ok := consumes[p.Workload]
	if !ok {
		return kubesim.Health{}
	}
	k := e.kube
	value := string(p.Secret(use.secret, use.key))
	k.mu.Lock()
	story := k.story
	if last := k.newest[p.Workload]; !p.Started.Before(last.at) {
		k.newest[p.Workload] = started{at: p.Started, value: value}
	}
	k.mu.Unlock()
	switch p.Workload {
	case "user-service":
		refused := !p.At.Before(e.ago(due))
		if !story {
			refused = !e.admits("app_user", value, p.At)
		}
		if refused {
			return kubesim.Health{Failing: true, Message: "HTTP probe failed with statuscode: 503"}
		}
	case "payment-service":
		if !story && e.paying.Use(value) != http.StatusOK {
			return kubesim.Health{Failing: true, Message: "HTTP probe failed with statuscode: 503"}
		}
	}
	return kubesim.Health{} // reports of yesterday are good enough for the analytics service to be ready
}

// admits reports whether the primary would take a password. It logs nobody in.
func (e *estate) admits(role, password string, now time.Time) bool {
	r, ok := e.postgres.RoleOf(role)
	if !ok || !r.CanLogin || !r.ValidUntil.IsZero() && !r.Infinite && !now.Before(r.ValidUntil) {
		return false
	}
	k := e.kube
	k.mu.Lock()
	defer k.mu.Unlock()
	pair := [2]string{r.Verifier, password}
	fits, known := k.judged[pair]
	if !known {
		// SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey
		_, rest, _ := strings.Cut(r.Verifier, ":")
		salt, err := base64.StdEncoding.DecodeString(strings.Split(rest, "$")[0])
		fits = err == nil && pgsim.NewVerifier(password, salt) == r.Verifier
		clear(k.judged) // of the past nobody asks
		k.judged[pair] = fits
	}
	return fits
}

// inUse is an application with the credential that its newest pod started with.
func (e *estate) inUse(a app) app {
	use := consumes[a.name]
	e.kube.mu.Lock()
	last, story := e.kube.newest[a.name], e.kube.story
	e.kube.mu.Unlock()
	if story || last.value == "" || last.value == stringField(a.value, use.field) {
		return a
	}
	s, _ := e.aws.Secret(use.stored) // without it no version is found
	for _, v := range s.Versions {
		if stringField(v.Value, use.field) == last.value {
			a.value, a.version = v.Value, v.ID
		}
	}
	return a
}

// podLogs is what a pod says of its credential.
func (e *estate) podLogs(p kubesim.Pod) []string {
	health := e.podHealth(p)
	if !health.Failing {
		return []string{e.now().Format(time.RFC3339) + " ready"}
	}
	words := `connect to database: FATAL: password authentication failed for user "app_user" (SQLSTATE 28P01)`
	if p.Workload != "user-service" {
		words = "the API refused the key"
	}
	var out []string
	for i := 5; i > 0; i-- {
		out = append(out, e.now().Add(-time.Duration(i)*10*time.Second).Format(time.RFC3339)+" "+words)
	}
	return out
}

func (w *World) kubeToken(user string) string { return w.text("kubernetes token "+user, 40) }

// kubeconfig has a context for each user; the reader's is the current one.
func (w *World) kubeconfig() []byte {
	out := fmt.Appendf(nil, "apiVersion: v1\nkind: Config\ncurrent-context: %[1]s\nclusters:\n  - name: %[1]s\n    cluster: { server: \"https://%[2]s\", certificate-authority: %[3]s }\ncontexts:\n",
		kubeCluster, w.address(srvKubernetes), fileCA)
	users := []struct{ context, user string }{{kubeCluster, reader}, {kubeActor, actor}, {kubeCluster + "-" + kubeOperator, kubeOperator}}
	for _, u := range users {
		out = fmt.Appendf(out, "  - name: %s\n    context: { cluster: %s, user: %s, namespace: %s }\n", u.context, kubeCluster, u.user, kubeNamespace)
	}
	out = append(out, "users:\n"...)
	for _, u := range users {
		out = fmt.Appendf(out, "  - name: %[1]s\n    user: { token: %[2]s }\n", u.user, w.kubeToken(u.user))
	}
	return out
}

// kubeConfig fills the cluster into the world's warroom.yaml.
func (w *World) kubeConfig() []string {
	return []string{"${KUBECONFIG}", fmt.Sprintf("%q", w.file(fileKubeconfig)), "${KUBE}", kubeCluster, "${KUBE_ACT}", kubeActor}
}

// kubeEnv is the environment of kubectl.
func (w *World) kubeEnv() []string { return []string{"KUBECONFIG=" + w.file(fileKubeconfig)} }

func (w *World) kubeExamples() []string {
	return []string{
		"kubectl get deployments,statefulsets,pods",
		"kubectl get externalsecrets",
		"kubectl get events --field-selector type=Warning",
		"kubectl rollout status deployment/user-service --timeout=1s || true",
		"kubectl auth can-i --list",
		"kubectl --context " + kubeCluster + "-" + kubeOperator + " describe deployment user-service",
		"kubectl --context " + kubeCluster + "-" + kubeOperator + " rollout restart deployment user-service",
	}
}

func appLabels(name string) map[string]string { return map[string]string{"app": name} }

// template is the pods of a workload: its credential is in its environment.
func (e *estate) template(name, image string, restart time.Duration) corev1.PodTemplateSpec {
	use := consumes[name]
	t := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: appLabels(name)}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: name, Image: image, Ports: []corev1.ContainerPort{{ContainerPort: 8443}},
		Env: []corev1.EnvVar{{Name: strings.ToUpper(use.key), ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: use.secret}, Key: use.key,
		}}}},
		ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/health", Port: intstr.FromInt32(8443), Scheme: corev1.URISchemeHTTPS}}},
	}}}}
	if restart > 0 {
		t.Annotations = map[string]string{restartedAt: e.ago(restart).Format(time.RFC3339)}
	}
	return t
}

func (e *estate) deployment(name string, replicas int32, image string, restart time.Duration, cause string) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: kubeNamespace, Labels: appLabels(name), Annotations: map[string]string{"kubernetes.io/change-cause": cause}},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: appLabels(name)}, Template: e.template(name, image, restart)},
	}
}

func (e *estate) statefulSet(name string, replicas int32, image string) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: kubeNamespace, Labels: appLabels(name)},
		Spec:       appsv1.StatefulSetSpec{Replicas: &replicas, ServiceName: name, Selector: &metav1.LabelSelector{MatchLabels: appLabels(name)}, Template: e.template(name, image, 0)},
	}
}

func service(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: kubeNamespace, Labels: appLabels(name)},
		Spec:       corev1.ServiceSpec{Selector: appLabels(name), Ports: []corev1.ServicePort{{Name: "https", Port: 443, TargetPort: intstr.FromInt32(8443)}}},
	}
}

// externalSecret fills the Secret of a workload from the store.
func externalSecret(workload, every, force string) *unstructured.Unstructured {
	use := consumes[workload]
	out := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": map[string]any{"name": use.secret, "namespace": kubeNamespace},
		"spec": map[string]any{
			"refreshInterval": every, "secretStoreRef": map[string]any{"name": "aws", "kind": "ClusterSecretStore"}, "target": map[string]any{"name": use.secret},
			"data": []any{map[string]any{"secretKey": use.key, "remoteRef": map[string]any{"key": use.stored, "property": use.field}}},
		},
	}}
	if force != "" {
		out.SetAnnotations(map[string]string{"force-sync": force})
	}
	return out
}

// nightly is a job that renews the keys of sessions. It works; nobody watches it.
func nightly() *batchv1.CronJob {
	return &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: "rotate-session-keys", Namespace: kubeNamespace},
		Spec: batchv1.CronJobSpec{Schedule: "15 2 * * *", ConcurrencyPolicy: batchv1.ForbidConcurrent, JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
			Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "rotate", Image: "registry.company.com/session-keys:1.3.0"}}},
		}}}},
	}
}
