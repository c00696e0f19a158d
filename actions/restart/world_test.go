package restart

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill/awssim"
	"warroom/internal/drill/kubesim"
	"warroom/internal/plan"
)

const (
	adminToken = "canary-token-of-an-admin"
	oldValue   = "canary-old-password-0123456789"
	newValue   = "canary-new-password-0123456789"
	secretID   = "test/db/restarts" // the lab's cluster knows others
)

// quick is the clock of a simulated cluster: so many times as fast as the real one.
const quick = 40

// world is an estate with one cluster, simulated or real, and a store.
type world struct {
	t         testing.TB
	namespace string
	sim       *kubesim.Sim // nil where the cluster is real
	api       *kubernetes.Clientset
	aws       *awssim.Sim
	folder    string
	kube      string // kubeconfig
	text      string // of components, in YAML
	recovery  string
	calls     *recorder
	disk      *disk
	pace      time.Duration
}

// newSim is a world whose cluster is simulated.
func newSim(t testing.TB) *world {
	t.Helper()
	began := time.Now()
	base := began.UTC().Truncate(time.Second)
	sim := kubesim.New(kubesim.Options{Clock: func() time.Time { return base.Add(quick * time.Since(began)) }, Nodes: []string{"node-1", "node-2", "node-3"}, History: 50_000})
	sim.Build()
	sim.AddUser(kubesim.User{Name: "admin", Groups: []string{"system:masters"}}, adminToken)
	ca, certificate := files(t)
	s := httptest.NewUnstartedServer(sim)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		// The simulation waits by the real clock for what is due by its own.
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				sim.Tick()
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
		sim.CutWatches()
		s.CloseClientConnections()
		s.Close()
	})
	w := newWorld(t, &rest.Config{Host: s.URL, BearerToken: adminToken, TLSClientConfig: rest.TLSClientConfig{CAFile: ca}})
	w.sim, w.namespace, w.pace = sim, "prod", 5*time.Millisecond
	w.makeNamespace()
	return w
}

func newWorld(t testing.TB, cfg *rest.Config) *world {
	t.Helper()
	silence()
	w := &world{t: t, folder: t.TempDir(), recovery: "soak: 0s, concurrency: 4, rollout_deadline: 30s", calls: &recorder{}, disk: &disk{}, pace: 100 * time.Millisecond}
	cfg.QPS, cfg.Burst = -1, 0
	api, err := kubernetes.NewForConfig(cfg)
	w.must(err)
	w.api = api
	w.kube = w.write("kubeconfig", fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: %q, certificate-authority: %q}}]\nusers: [{name: u, user: {token: %s}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n", cfg.Host, cfg.CAFile, cfg.BearerToken))
	w.aws = awssim.New(awssim.Options{Account: "777000000001", Region: "us-east-1", Seed: 3, Credentials: map[string]awssim.Credential{
		"AKIATESTRESTART00001": {SecretKey: "canary-of-aws", Principal: "arn:aws:iam::777000000001:user/us", Allow: []awssim.Permission{{Action: "*"}}},
	}})
	s := httptest.NewServer(w.aws)
	t.Cleanup(s.Close)
	credentials := w.write("credentials", "[default]\naws_access_key_id = AKIATESTRESTART00001\naws_secret_access_key = canary-of-aws\n")
	w.text = fmt.Sprintf("aws: [{name: main, region: us-east-1, endpoint: %q, shared_files: [%q]}]\nkubernetes: [{name: main, kubeconfig: %q}]\n", s.URL, credentials, w.kube)
	w.holds(newValue)
	return w
}

// silence has the product take client-go's log over before the tests' own clients use
// it: it is a variable of the process, which is written once.
var silence = sync.OnceFunc(func() {
	set := clients.New(&config.Config{Kubernetes: []config.KubernetesCluster{{Name: "nobody", Kubeconfig: "/nonexistent"}}})
	defer set.Close()
	if cluster, err := set.Kubernetes("nobody"); err == nil {
		_, _ = cluster.Clients() // there is no such file
	}
})

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) write(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.folder, name)
	w.must(os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (w *world) makeNamespace() {
	w.t.Helper()
	_, err := w.api.CoreV1().Namespaces().Create(w.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}, metav1.CreateOptions{})
	w.must(err)
}

// holds has the store hold a value.
func (w *world) holds(password string) {
	w.aws.AddSecret(awssim.Secret{Name: secretID, Versions: []awssim.Version{
		{ID: "11111111-1111-4111-8111-111111111111", Stages: []string{"AWSPREVIOUS"}, Value: `{"username":"app_user","password":"` + oldValue + `","port":5432}`, Created: time.Now().Add(-time.Hour)},
		{ID: "22222222-2222-4222-8222-222222222222", Stages: []string{"AWSCURRENT"}, Value: `{"username":"app_user","password":"` + password + `","port":5432}`, Created: time.Now().Add(-time.Minute)},
	}})
}

// config is warroom.yaml with these applications, as "id: block".
func (w *world) config(applications ...string) *config.Config {
	w.t.Helper()
	text := "version: 1\nenvironment: test\nchecks: {interval: 5s, timeout: 5s}\nrecovery: {" + w.recovery + "}\n" + w.text + "components:\n" +
		"- {id: store, name: Store, plane: state, secrets_manager: {account: main, secrets: [{id: " + secretID + ", type: database, rotation: {database: {}, copies: [{kubernetes: main, object: " + w.namespace + "/db, keys: {password: password}}]}}]}}\n"
	text += "- {id: db, name: Database, plane: service, postgres: {host: 127.0.0.1, port: 1, secret: " + secretID + "}}\n"
	for _, one := range applications {
		id, block, _ := strings.Cut(one, ": ")
		text += fmt.Sprintf("- {id: %s, name: %s, plane: service, application: {%s}}\n", id, id, block)
	}
	cfg, err := config.Load(w.write("warroom.yaml", text))
	w.must(err)
	return cfg
}

// application is one that runs as a workload of the world.
func (w *world) application(kind, name, more string) string {
	if more != "" {
		more = ", " + more
	}
	return fmt.Sprintf("%s: secrets: [%s], cluster: main, workload: %s/%s/%s%s", name, secretID, w.namespace, kind, name, more)
}

// secret writes the copy of the secret.
func (w *world) secret(value string) {
	w.t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "db", Namespace: w.namespace}, Data: map[string][]byte{"password": []byte(value)}}
	secrets := w.api.CoreV1().Secrets(w.namespace)
	if _, err := secrets.Update(w.t.Context(), s, metav1.UpdateOptions{}); err != nil {
		_, err = secrets.Create(w.t.Context(), s, metav1.CreateOptions{})
		w.must(err)
	}
}

func template(name string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "app", Image: "lab.test/app:1",
		Env: []corev1.EnvVar{{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}, Key: "password"}}}},
	}}}}
}

func (w *world) deployment(name string, replicas int32, change func(*appsv1.Deployment)) {
	w.t.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}, Template: template(name)}}
	if change != nil {
		change(d)
	}
	_, err := w.api.AppsV1().Deployments(w.namespace).Create(w.t.Context(), d, metav1.CreateOptions{})
	w.must(err)
}

func (w *world) statefulSet(name string, replicas int32, change func(*appsv1.StatefulSet)) {
	w.t.Helper()
	s := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace}, Spec: appsv1.StatefulSetSpec{
		Replicas: &replicas, ServiceName: name, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}, Template: template(name)}}
	if change != nil {
		change(s)
	}
	_, err := w.api.AppsV1().StatefulSets(w.namespace).Create(w.t.Context(), s, metav1.CreateOptions{})
	w.must(err)
}

func (w *world) daemonSet(name string, change func(*appsv1.DaemonSet)) {
	w.t.Helper()
	d := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace}, Spec: appsv1.DaemonSetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}, Template: template(name)}}
	if change != nil {
		change(d)
	}
	_, err := w.api.AppsV1().DaemonSets(w.namespace).Create(w.t.Context(), d, metav1.CreateOptions{})
	w.must(err)
}

// settled waits until all these workloads, as kind/name, are through.
func (w *world) settled(of ...string) {
	w.t.Helper()
	set := clients.New(w.config())
	defer set.Close()
	c, err := open(set, "main")
	w.must(err)
	for _, one := range of {
		kind, name, _ := strings.Cut(one, "/")
		w.until("settle "+one, func() (bool, string) {
			got, err := c.workload(w.t.Context(), w.namespace, kind, name)
			if err != nil {
				return false, err.Error()
			}
			ok, text := got.rolled()
			return ok && got.desired > 0, text
		})
	}
}

// until waits for something to be so.
func (w *world) until(what string, is func() (bool, string)) {
	w.t.Helper()
	end := time.Now().Add(time.Minute)
	for {
		ok, text := is()
		if ok {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s: %s", what, text)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// stale is the usual beginning: workloads that run on the old value, and a copy that
// holds the new one since.
func (w *world) stale(of ...string) {
	w.t.Helper()
	w.settled(of...)
	w.secret(newValue)
	if w.sim == nil {
		// The API tells times in whole seconds: a pod of the same second could be older.
		time.Sleep(1100 * time.Millisecond)
	}
}

// desk is an engine on the world, as one process.
type desk struct {
	*actions.Engine
	t    testing.TB
	proc *Procedure
}

// process begins a process: an engine on what the journal holds.
func (w *world) process(cfg *config.Config) *desk {
	w.t.Helper()
	read, act := clients.New(cfg), clients.NewActing(cfg)
	p := New(actions.Systems{Config: cfg, Read: read, Act: act})
	p.pace = w.pace
	d := &desk{t: w.t, proc: p, Engine: actions.New(actions.Options{
		Procedures: []actions.Procedure{p}, Systems: p.s, Environment: "test", Operator: "ic-1", Host: "here", PID: 7, Around: w.calls,
	})}
	w.t.Cleanup(func() { d.Close(); read.Close(); act.Close() })
	d.Attach(w.disk.open(w.t, w.calls), "")
	if _, err := d.Arm(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return d
}

// run plans and carries out a restart.
func (d *desk) run(ask plan.Request) (plan.Progress, error) {
	d.t.Helper()
	ask.Procedure = Name
	p, err := d.Plan(d.t.Context(), ask)
	if err != nil {
		return plan.Progress{}, err
	}
	return d.start(p)
}

func (d *desk) start(p *plan.Plan) (plan.Progress, error) {
	d.t.Helper()
	c := plan.Consent{Plan: p.ID, Fingerprint: p.Fingerprint(), Typed: p.Target, Reason: "it must be"}
	for _, w := range p.Warnings {
		c.Accepted = append(c.Accepted, w.ID)
	}
	if err := d.Start(d.t.Context(), c); err != nil {
		return plan.Progress{}, err
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), 2*time.Minute)
	defer cancel()
	return d.Wait(ctx, p.ID)
}

// restarts carries out a restart that must succeed.
func (w *world) restarts(cfg *config.Config, ask plan.Request) plan.Progress {
	w.t.Helper()
	got, err := w.process(cfg).run(ask)
	w.must(err)
	if got.State != plan.RunDone {
		w.t.Fatalf("the run is %s: %s; %s\n%s", got.State, got.Trouble, got.Next, logOf(got))
	}
	return got
}

func logOf(p plan.Progress) string {
	var out strings.Builder
	for _, l := range p.Log {
		fmt.Fprintf(&out, "%s %s\n", l.Mark, l.Text)
	}
	return out.String()
}

// part is how one member stood at the end.
func part(t testing.TB, p plan.Progress, name string) plan.Part {
	t.Helper()
	for _, s := range p.Steps {
		for _, one := range s.Parts {
			if strings.HasSuffix(one.Name, name) {
				return one
			}
		}
	}
	t.Fatalf("no part is called %s in %+v", name, p.Steps)
	return plan.Part{}
}

// marks are the annotations of the run in a workload's template.
func (w *world) marks(kind, name string) string {
	w.t.Helper()
	ctx := w.t.Context()
	apps := w.api.AppsV1()
	var t corev1.PodTemplateSpec
	switch kind {
	case deployment:
		d, err := apps.Deployments(w.namespace).Get(ctx, name, metav1.GetOptions{})
		w.must(err)
		t = d.Spec.Template
	case statefulSet:
		s, err := apps.StatefulSets(w.namespace).Get(ctx, name, metav1.GetOptions{})
		w.must(err)
		t = s.Spec.Template
	default:
		d, err := apps.DaemonSets(w.namespace).Get(ctx, name, metav1.GetOptions{})
		w.must(err)
		t = d.Spec.Template
	}
	if (t.Annotations[runMark] == "") != (t.Annotations[restartedAt] == "") {
		w.t.Errorf("%s/%s carries one annotation without the other: %v", kind, name, t.Annotations)
	}
	return t.Annotations[runMark]
}

// generation is how often a deployment's spec was changed.
func (w *world) generation(name string) int64 {
	w.t.Helper()
	d, err := w.api.AppsV1().Deployments(w.namespace).Get(w.t.Context(), name, metav1.GetOptions{})
	w.must(err)
	return d.Generation
}

// files are a certificate of this machine and its authority.
func files(t testing.TB) (ca string, certificate tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(12), Subject: pkix.Name{CommonName: "a cluster"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return ca, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func actAs(kubeconfig string) *config.KubernetesIdentity {
	return &config.KubernetesIdentity{Kubeconfig: kubeconfig}
}

func warnings(p *plan.Plan) string {
	var out []string
	for _, w := range p.Warnings {
		out = append(out, w.Text)
	}
	return strings.Join(out, "\n")
}
