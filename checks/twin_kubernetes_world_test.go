package checks

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	authzv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill/kubesim"
	"warroom/internal/labtest"
)

// twinKube is a namespace of its own in a cluster, simulated or real, and the way
// on which the checks reach the cluster: a proxy of the test's, the same one in
// both worlds, that can cut, hold back or age what comes through it.
type twinKube struct {
	*kubeProxy
	namespace string
	api       kubernetes.Interface // as the administrator, past the proxy
	dynamic   dynamic.Interface
	grant     func(t *testing.T, rules []rbacv1.PolicyRule) // what the checks may do in the namespace
	sim       *kubesim.Sim                                  // nil in the real world
}

// The token with which the checks come, and whose they are.
const (
	kubeCanary = "canary-bearer-of-a-twin"
	kubeUser   = "twin-reader"
)

func newSimKube(t *testing.T) *twinKube {
	t.Helper()
	sim := kubesim.New(kubesim.Options{Nodes: []string{"node-1", "node-2"}, StartDelay: 100 * time.Millisecond, ReadyDelay: 200 * time.Millisecond, ProbeEvery: time.Second})
	sim.Build()
	const admin = "canary-of-an-admin"
	sim.AddUser(kubesim.User{Name: "admin", Groups: []string{"system:masters"}}, admin)
	ca, _, certificate := twinFiles(t)
	s := httptest.NewUnstartedServer(sim)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that hung up
	s.StartTLS()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); sim.Run(stop) }()
	t.Cleanup(func() {
		close(stop)
		<-done
		s.CloseClientConnections()
		s.Close()
	})
	sim.OnFetch(func(_ time.Time, _, secret, _, _ string) ([]byte, error) {
		if secret == "absent" {
			return nil, errors.New("Secret does not exist")
		}
		return []byte("canary-of-a-provider"), nil
	})
	w := newTwinKube(t, &rest.Config{Host: s.URL, BearerToken: admin, TLSClientConfig: rest.TLSClientConfig{CAFile: ca}})
	w.sim = sim
	w.grant = func(_ *testing.T, rules []rbacv1.PolicyRule) {
		var may []kubesim.Rule
		for _, r := range rules {
			may = append(may, kubesim.Rule{Verbs: r.Verbs, Groups: r.APIGroups, Resources: r.Resources, Namespaces: []string{w.namespace}})
		}
		sim.AddUser(kubesim.User{Name: kubeUser, Rules: may}, kubeCanary)
	}
	return w
}

func newRealKube(t *testing.T) *twinKube {
	t.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", labtest.Cluster(t).Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	w := newTwinKube(t, cfg)
	// The server knows no token of ours: the proxy lets it judge the user whose it
	// would be.
	w.as[kubeCanary] = func(h http.Header) {
		h.Set("Authorization", "Bearer "+cfg.BearerToken)
		h.Set("Impersonate-User", kubeUser)
	}
	w.grant = func(t *testing.T, rules []rbacv1.PolicyRule) {
		t.Helper()
		roles := w.api.RbacV1()
		meta := metav1.ObjectMeta{Name: kubeUser, Namespace: w.namespace}
		must[*rbacv1.Role](t, "write the role")(roles.Roles(w.namespace).Update(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.UpdateOptions{})) // or make it
		if _, err := roles.RoleBindings(w.namespace).Get(t.Context(), kubeUser, metav1.GetOptions{}); err == nil {
			return
		}
		must[*rbacv1.RoleBinding](t, "bind the role")(roles.RoleBindings(w.namespace).Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: meta,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: kubeUser}, Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: kubeUser}}}, metav1.CreateOptions{}))
	}
	return w
}

// quiet has the product take client-go's log over before the tests' own clients use
// it: it is a variable of the process, which is written once.
var quiet = sync.OnceFunc(func() {
	set := clients.New(&config.Config{Kubernetes: []config.KubernetesCluster{{Name: "nobody", Kubeconfig: "/nonexistent"}}})
	defer set.Close()
	if cluster, err := set.Kubernetes("nobody"); err == nil {
		_, _ = cluster.Clients() // there is no such file
	}
})

func newTwinKube(t *testing.T, cfg *rest.Config) *twinKube {
	t.Helper()
	quiet()
	cfg.QPS, cfg.Burst, cfg.UserAgent = 200, 400, "twin"
	w := &twinKube{namespace: "twin-" + strings.ToLower(rand.Text()[:8])}
	w.api = must[*kubernetes.Clientset](t, "client")(kubernetes.NewForConfig(cfg))
	w.dynamic = must[*dynamic.DynamicClient](t, "client")(dynamic.NewForConfig(cfg))
	w.kubeProxy = newKubeProxy(t, cfg)
	must[*corev1.Namespace](t, "make the namespace")(w.api.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}, metav1.CreateOptions{}))
	t.Cleanup(func() {
		if err := w.api.CoreV1().Namespaces().Delete(context.Background(), w.namespace, metav1.DeleteOptions{}); err != nil {
			t.Errorf("delete the namespace: %v", err)
		}
	})
	return w
}

// kubeTwins runs a test in a namespace of both worlds, which the checks may read as
// the docs say.
func kubeTwins(t *testing.T, test func(t *testing.T, w *twinKube, s *story)) {
	t.Helper()
	t.Parallel()
	twinned(t, []string{"kubernetes"}, newSimKube, newRealKube, func(t *testing.T, w *twinKube, s *story) {
		s.same(w.namespace, "NAMESPACE")
		w.may(t)
		test(t, w, s)
	})
}

// kubeRules are those of the docs' role, without some, each as "verb resource".
func kubeRules(t *testing.T, without ...string) (rules []rbacv1.PolicyRule) {
	t.Helper()
	raw, err := os.ReadFile("../internal/drill/kubernetes-role.yaml") // a test of the drill holds the docs to it
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.Role
	if err := yaml.UnmarshalStrict(raw, &role); err != nil {
		t.Fatal(err)
	}
	for _, r := range role.Rules {
		for _, resource := range r.Resources {
			verbs := slices.DeleteFunc(slices.Clone(r.Verbs), func(verb string) bool { return slices.Contains(without, verb+" "+resource) })
			if len(verbs) > 0 {
				rules = append(rules, rbacv1.PolicyRule{Verbs: verbs, APIGroups: r.APIGroups, Resources: []string{resource}})
			}
		}
	}
	return rules
}

// may lets the checks read what the docs say, without some, and waits until the
// server acts on it.
func (w *twinKube) may(t *testing.T, without ...string) {
	t.Helper()
	w.grant(t, kubeRules(t, without...))
	as := must[*kubernetes.Clientset](t, "client")(kubernetes.NewForConfig(&rest.Config{Host: w.url(), BearerToken: kubeCanary, TLSClientConfig: rest.TLSClientConfig{CAFile: w.ca}, QPS: -1}))
	for _, r := range kubeRules(t) {
		for _, verb := range r.Verbs {
			want := !slices.Contains(without, verb+" "+r.Resources[0])
			until(t, fmt.Sprintf("%s %s %t", verb, r.Resources[0], want), 10*time.Second, func() (bool, string) {
				a, err := as.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authzv1.SelfSubjectAccessReview{Spec: authzv1.SelfSubjectAccessReviewSpec{
					ResourceAttributes: &authzv1.ResourceAttributes{Namespace: w.namespace, Verb: verb, Group: r.APIGroups[0], Resource: r.Resources[0]}}}, metav1.CreateOptions{})
				return err == nil && a.Status.Allowed == want, fmt.Sprintf("%+v %v", a, err)
			})
		}
	}
}

// config is an estate of workloads of the namespace, each as kind/name, and of one
// CronJob, "job/NAME".
func (w *twinKube) config(t *testing.T, token string, of ...string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: %q, certificate-authority: %q}}]\nusers: [{name: u, user: {token: %s}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n", w.url(), w.ca, token)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	text = fmt.Sprintf("checks: {interval: 5s, slow_interval: 1h, timeout: 5s}\nkubernetes: [{name: main, kubeconfig: %q}]\ncomponents:\n", path)
	for _, one := range of {
		kind, name, _ := strings.Cut(one, "/")
		if kind == "job" {
			text += fmt.Sprintf("- {id: %[1]s, name: %[1]s, plane: service, scheduled_job: {cluster: main, job: %s/%[1]s}}\n", name, w.namespace)
			continue
		}
		text += fmt.Sprintf("- {id: %[1]s, name: %[1]s, plane: service, application: {cluster: main, workload: %s/%s/%[1]s}}\n", name, w.namespace, kind)
	}
	return twinConfig(t, text)
}

// kubeProxy stands between the checks and an API server.
type kubeProxy struct {
	t       *testing.T
	ca      string
	at      string // its address, for good
	tls     *tls.Config
	handler http.Handler
	as      map[string]func(http.Header) // what becomes of requests with a token

	mu      sync.Mutex
	server  *http.Server
	absent  bool               // the group of ExternalSecrets is asked for under a name that nobody has
	aged    string             // the kind whose next watch begins at the first version
	held    chan struct{}      // closed when what is watched goes on; nil unless it is held back
	watches map[*func()]string // ends an open watch
	asked   map[string]int     // by "list PLURAL" and "watch PLURAL"
	last    time.Time          // when a watch was last asked for
}

func newKubeProxy(t *testing.T, cfg *rest.Config) *kubeProxy {
	t.Helper()
	target, err := url.Parse(cfg.Host)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(cfg.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	// HTTP/1.1: what is held back of one watch holds nothing else back.
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, NextProtos: []string{"http/1.1"}}, MaxIdleConnsPerHost: 64}
	ca, _, certificate := twinFiles(t)
	p := &kubeProxy{t: t, ca: ca, tls: &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}},
		as: map[string]func(http.Header){}, watches: map[*func()]string{}, asked: map[string]int{}}
	forward := &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = target.Host },
		ModifyResponse: func(r *http.Response) error {
			if isWatch(r.Request) {
				r.Body = &heldBody{ReadCloser: r.Body, p: p, ctx: r.Request.Context()}
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { p.pass(forward, rw, r) })
	p.start()
	t.Cleanup(func() {
		p.stop()
		transport.CloseIdleConnections()
	})
	return p
}

func isWatch(r *http.Request) bool {
	watch := r.URL.Query().Get("watch")
	return watch == "true" || watch == "1"
}

func (p *kubeProxy) url() string { return "https://" + p.at }

// start listens, at the address of before if there was one.
func (p *kubeProxy) start() {
	p.t.Helper()
	at := p.at
	if at == "" {
		at = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		p.t.Fatal(err)
	}
	s := &http.Server{Handler: p.handler, TLSConfig: p.tls, ErrorLog: log.New(io.Discard, "", 0)}
	p.mu.Lock()
	p.at, p.server = l.Addr().String(), s
	p.mu.Unlock()
	go func() { _ = s.ServeTLS(l, "", "") }() // until stop
}

// stop closes every connection: nobody listens any more.
func (p *kubeProxy) stop() {
	p.mu.Lock()
	s := p.server
	p.mu.Unlock()
	p.cut()
	_ = s.Close()
}

// cut ends every open watch, as a load balancer does.
func (p *kubeProxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for end := range p.watches {
		(*end)()
	}
}

// age cuts every watch, and has the next one of a kind go on from the first version
// there ever was, as one does that was away for long.
func (p *kubeProxy) age(plural string) {
	p.mu.Lock()
	p.aged = plural
	p.mu.Unlock()
	p.cut()
}

// settled waits until every watch is more than a second old: client-go takes one that
// ends before for broken, and lists anew.
func (p *kubeProxy) settled(t *testing.T) {
	t.Helper()
	until(t, "watches that last", waitFor, func() (bool, string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return time.Since(p.last) > 1200*time.Millisecond, ""
	})
}

// hold holds back what watches tell, or lets it go on.
func (p *kubeProxy) hold(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case on && p.held == nil:
		p.held = make(chan struct{})
	case !on && p.held != nil:
		close(p.held)
		p.held = nil
	}
}

// times is how often something was asked: "list deployments".
func (p *kubeProxy) times(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[what]
}

func (p *kubeProxy) pass(forward http.Handler, rw http.ResponseWriter, r *http.Request) {
	watching := isWatch(r)
	verb := "list "
	if watching {
		verb = "watch "
		ctx, cancel := context.WithCancel(r.Context())
		r = r.WithContext(ctx)
		end := func() { cancel() }
		p.mu.Lock()
		p.watches[&end] = r.URL.Path
		p.mu.Unlock()
		defer func() {
			p.mu.Lock()
			delete(p.watches, &end)
			p.mu.Unlock()
			cancel()
		}()
	}
	p.mu.Lock()
	if watching {
		p.last = time.Now()
	}
	p.asked[verb+r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]++
	if p.absent {
		r.URL.Path = strings.Replace(r.URL.Path, "/apis/external-secrets.io", "/apis/absent.example.com", 1)
	}
	if watching && p.aged != "" && strings.HasSuffix(r.URL.Path, "/"+p.aged) {
		p.aged = ""
		query := r.URL.Query()
		query.Set("resourceVersion", "1")
		r.URL.RawQuery = query.Encode()
	}
	p.mu.Unlock()
	if as := p.as[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]; as != nil {
		as(r.Header)
	}
	forward.ServeHTTP(rw, r)
}

// heldBody is what a watch tells, held back at will.
type heldBody struct {
	io.ReadCloser
	p   *kubeProxy
	ctx context.Context
}

func (b *heldBody) Read(buf []byte) (int, error) {
	n, err := b.ReadCloser.Read(buf)
	b.p.mu.Lock()
	held := b.p.held
	b.p.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
	return n, err
}
