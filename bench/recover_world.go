//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// How much is recovered: the database secrets, and the Deployments that use them.
const (
	manySecrets  = 100
	manyServices = 89
	replicas     = 3
	// startUp is how long a pod takes to become ready, for both sides: an image that is
	// there, a process that starts and opens its connections, a readiness probe.
	startUp = 5 * time.Second
)

// family is what is rotated and restarted, as one target of warroom.
const family = "bench/db/*"

func secretName(i int) string   { return fmt.Sprintf("bench/db/%03d", i) }
func roleName(i int) string     { return fmt.Sprintf("bench_recover_%03d", i) }
func copyName(i int) string     { return fmt.Sprintf("db-%03d", i) }
func serviceName(i int) string  { return fmt.Sprintf("service-%02d", i) }
func guideSecret(i int) string  { return fmt.Sprintf("guide/db/%d", i) }
func guideRole(i int) string    { return fmt.Sprintf("bench_guide_%d", i) }
func guideService(i int) string { return fmt.Sprintf("service-%d", i) }

// nodes are machines of the bench's own: the lab's would not have the room for so many
// pods. They take nobody else's.
const (
	nodes    = 4
	podsOn   = "110" // one node, as the kubelet's default is
	nodeMark = "bench.test/run"
)

const monitorRole = "bench_recover_monitor"

// recoveryWorld is an estate on the lab's PostgreSQL and Kubernetes with the drill's
// Secrets Manager.
type recoveryWorld struct {
	lab        *labDescription
	store      *server
	secrets    *secretsmanager.Client
	db         *pgx.Conn
	api        kubernetes.Interface
	dir        string
	space      string // namespace of what we restart
	guideSpace string // of what the guide's way restarts
	file       string // warroom.yaml
	old        map[string]string
	uses       map[string][]string // Deployment to the Secrets that it uses
}

// newRecoveryWorld makes everything, and returns when every pod is ready.
func newRecoveryWorld(ctx context.Context, lab *labDescription, dir string) (w *recoveryWorld, err error) {
	run := strings.ToLower(rand.Text()[:6])
	w = &recoveryWorld{lab: lab, dir: dir, space: "bench-" + run, guideSpace: "bench-guide-" + run, old: map[string]string{}, uses: map[string][]string{}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("prepare %d secrets and %d services: %w", manySecrets, manyServices, err), w.close())
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return w, err
	}
	if w.store, err = startStore(ctx); err != nil {
		return w, err
	}
	w.secrets = secretsmanager.New(secretsmanager.Options{
		Region: storeRegion, BaseEndpoint: aws.String("http://" + w.store.address), Credentials: credentials.NewStaticCredentialsProvider(storeKey, storeSecret, ""),
	})
	p := lab.Primary
	if w.db, err = pgx.Connect(ctx, dsn(p.Host, p.Port, p.CAFile, p.Superuser, p.SuperuserPassword)); err != nil {
		return w, err
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", lab.Kubernetes.Kubeconfig)
	if err != nil {
		return w, err
	}
	cfg.QPS = -1 // it is no part of what is measured
	if w.api, err = kubernetes.NewForConfig(cfg); err != nil {
		return w, err
	}
	for i := range manySecrets {
		if err := w.add(ctx, secretName(i), roleName(i), ""); err != nil {
			return w, err
		}
	}
	for i := range sample {
		if err := w.add(ctx, guideSecret(i), guideRole(i), ""); err != nil {
			return w, err
		}
	}
	if err := w.add(ctx, "bench/monitor", monitorRole, " IN ROLE pg_monitor"); err != nil {
		return w, err
	}
	if err := w.fill(ctx); err != nil {
		return w, err
	}
	if err := w.write(); err != nil {
		return w, err
	}
	return w, w.ready(ctx)
}

func dsn(host string, port int, ca, user, password string) string {
	return fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=postgres sslmode=verify-full sslrootcert=%s connect_timeout=10", host, port, user, password, ca)
}

// add makes a role, and stores its password.
func (w *recoveryWorld) add(ctx context.Context, name, role, grant string) error {
	password := "of-before-" + rand.Text()
	for _, sql := range []string{"DROP ROLE IF EXISTS " + role, "CREATE ROLE " + role + " LOGIN PASSWORD '" + password + "'" + grant} {
		if _, err := w.db.Exec(ctx, sql); err != nil {
			return err
		}
	}
	w.old[name] = password
	pause := time.NewTimer(25 * time.Millisecond) // below the quota of creating secrets
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	_, err := w.secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(name), SecretString: aws.String(fmt.Sprintf(`{"username":%q,"password":%q}`, role, password)),
	})
	return err
}

// fill makes the Secrets and Deployments of both sides. Service i uses the copy of
// secret i, and the first ones one of those that are left.
func (w *recoveryWorld) fill(ctx context.Context) error {
	for _, space := range []string{w.space, w.guideSpace} {
		if _, err := w.api.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: space}}, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for i := range nodes {
		if _, err := w.api.CoreV1().Nodes().Create(ctx, node(fmt.Sprintf("%s-%d", w.space, i), w.space), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for i := range manySecrets {
		copy := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: copyName(i)}, Data: map[string][]byte{"username": []byte(roleName(i)), "password": []byte(w.old[secretName(i)])}}
		if _, err := w.api.CoreV1().Secrets(w.space).Create(ctx, copy, metav1.CreateOptions{}); err != nil {
			return err
		}
		service := serviceName(i % manyServices)
		w.uses[service] = append(w.uses[service], copyName(i))
	}
	for i := range manyServices {
		name := serviceName(i)
		if _, err := w.api.AppsV1().Deployments(w.space).Create(ctx, deployment(name, w.space, i, w.uses[name]), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for i := range sample {
		if _, err := w.api.AppsV1().Deployments(w.guideSpace).Create(ctx, deployment(guideService(i), w.space, i, nil), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// deployment is a service. Every other one may have a replica away and none more than
// it has; the rest keep to what Kubernetes does by default, which is the other way
// about for three replicas.
func deployment(name, on string, i int, uses []string) *appsv1.Deployment {
	n := int32(replicas)
	labels := map[string]string{"app": name}
	container := corev1.Container{Name: "app", Image: "bench.test/app:1"}
	for i, secret := range uses {
		container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprintf("PASSWORD_%d", i), ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: "password"},
		}})
	}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{
		Replicas: &n, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{"lab.test/ready-after": startUp.String()}}, Spec: corev1.PodSpec{
			Containers: []corev1.Container{container}, NodeSelector: map[string]string{nodeMark: on},
			Tolerations: []corev1.Toleration{{Key: nodeMark, Operator: corev1.TolerationOpExists}},
		}},
	}}
	if i%2 == 1 {
		away, more := intstr.FromInt32(1), intstr.FromInt32(0)
		d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxUnavailable: &away, MaxSurge: &more}
	}
	return d
}

// node is a machine that the cluster's player of kubelets plays.
func node(name, run string) *corev1.Node {
	size := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("32"), corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourcePods: resource.MustParse(podsOn),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{nodeMark: run}},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: nodeMark, Value: run, Effect: corev1.TaintEffectNoSchedule}}},
		Status:     corev1.NodeStatus{Allocatable: size, Capacity: size},
	}
}

// write writes the configuration.
func (w *recoveryWorld) write() error {
	keys := filepath.Join(w.dir, "credentials")
	if err := os.WriteFile(keys, []byte("[default]\naws_access_key_id = "+storeKey+"\naws_secret_access_key = "+storeSecret+"\n"), 0o600); err != nil {
		return err
	}
	var y strings.Builder
	fmt.Fprintf(&y, "version: 1\nenvironment: bench\nincident: {operator: bench}\nrecovery: {soak: 0s, concurrency: 64, rollout_deadline: 5m}\n")
	fmt.Fprintf(&y, "aws: [{name: main, region: %s, endpoint: %q, shared_files: [%q]}]\n", storeRegion, "http://"+w.store.address, keys)
	fmt.Fprintf(&y, "kubernetes: [{name: main, kubeconfig: %q}]\ncomponents:\n", w.lab.Kubernetes.Kubeconfig)
	y.WriteString("  - id: store\n    name: Store\n    plane: service\n    secrets_manager:\n      account: main\n      secrets:\n        - {id: bench/monitor}\n")
	var others []string
	for i := range manySecrets {
		fmt.Fprintf(&y, "        - {id: %s, type: database, rotation: {database: {}, copies: [{kubernetes: main, object: %s/%s, keys: {username: username, password: password}}]}}\n", secretName(i), w.space, copyName(i))
		if i > 0 {
			others = append(others, secretName(i))
		}
	}
	for role, host := range map[string]pgServer{"primary": w.lab.Primary, "replica": w.lab.Replica} {
		fmt.Fprintf(&y, "  - {id: %s, name: %s, plane: state, postgres: {host: %q, port: %d, ca_cert: %q, role: %s, secret: %s, monitor: bench/monitor, other_secrets: [%s]}}\n",
			role, role, host.Host, host.Port, host.CAFile, role, secretName(0), strings.Join(others, ", "))
	}
	w.file = filepath.Join(w.dir, "warroom.yaml")
	return os.WriteFile(w.file, []byte(y.String()), 0o600)
}

// env is what both sides are told.
func (w *recoveryWorld) env() []string {
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		return strings.HasPrefix(pair, "AWS_") || strings.HasPrefix(pair, "VAULT_") || strings.HasPrefix(pair, "PG") || strings.HasPrefix(pair, "KUBE")
	})
	return append(env, "AWS_ENDPOINT_URL=http://"+w.store.address, "AWS_ACCESS_KEY_ID="+storeKey, "AWS_SECRET_ACCESS_KEY="+storeSecret, "AWS_DEFAULT_REGION="+storeRegion, "AWS_REGION="+storeRegion,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "XDG_STATE_HOME="+w.dir)
}

// ready waits until every Deployment has all its pods.
func (w *recoveryWorld) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		left := 0
		for _, space := range []string{w.space, w.guideSpace} {
			all, err := w.api.AppsV1().Deployments(space).List(ctx, metav1.ListOptions{})
			if err != nil {
				return err
			}
			for i := range all.Items {
				if all.Items[i].Status.AvailableReplicas != replicas {
					left++
				}
			}
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d Deployments are not ready: %w", left, ctx.Err())
		case <-tick.C:
		}
	}
}

// close takes away what was made.
func (w *recoveryWorld) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	if w.api != nil {
		for _, space := range []string{w.space, w.guideSpace} {
			errs = append(errs, w.api.CoreV1().Namespaces().Delete(ctx, space, metav1.DeleteOptions{}))
		}
		errs = append(errs, w.emptied(ctx), w.api.CoreV1().Nodes().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: nodeMark + "=" + w.space}))
	}
	if w.db != nil {
		roles := []string{monitorRole}
		for i := range manySecrets {
			roles = append(roles, roleName(i))
		}
		for i := range sample {
			roles = append(roles, guideRole(i))
		}
		_, err := w.db.Exec(ctx, "DROP ROLE IF EXISTS "+strings.Join(roles, ", "))
		errs = append(errs, err, w.db.Close(ctx))
	}
	if w.store != nil {
		errs = append(errs, w.store.stop())
	}
	return errors.Join(errs...)
}

// emptied waits until no pod of ours is left: one whose node is gone stays for ever.
func (w *recoveryWorld) emptied(ctx context.Context) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		left := 0
		for _, space := range []string{w.space, w.guideSpace} {
			pods, err := w.api.CoreV1().Pods(space).List(ctx, metav1.ListOptions{})
			if err != nil {
				return err
			}
			left += len(pods.Items)
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d pods are not gone: %w", left, ctx.Err())
		case <-tick.C:
		}
	}
}
