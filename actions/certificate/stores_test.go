//go:build unix

package certificate

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/drill/awssim"
	"warroom/internal/drill/kubesim"
	"warroom/internal/plan"
)

// stores are a Kubernetes cluster and an AWS account that keep the certificate too.
type stores struct {
	kube *kubesim.Sim
	aws  *awssim.Sim
	arn  string
	yaml string // of both systems
}

func newStores(t *testing.T) *stores {
	t.Helper()
	s := &stores{}
	dir := t.TempDir()
	s.kube = kubesim.New(kubesim.Options{Nodes: []string{"node-1"}})
	s.kube.Build()
	s.kube.AddUser(kubesim.User{Name: "admin", Groups: []string{"system:masters"}}, "token-of-tests")
	api := httptest.NewTLSServer(s.kube)
	api.Config.ErrorLog = quiet
	s.aws = awssim.New(awssim.Options{Region: "us-west-2", Account: "123456789012", Seed: 9, Credentials: map[string]awssim.Credential{"AKIATEST": {SecretKey: "fake", Principal: "arn:aws:iam::123456789012:user/warroom"}}})
	cloud := httptest.NewServer(s.aws)
	cloud.Config.ErrorLog = quiet
	t.Cleanup(func() { api.CloseClientConnections(); api.Close(); cloud.CloseClientConnections(); cloud.Close() })
	ca, kubeconfig, credentials := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "credentials")
	for path, text := range map[string]string{
		ca:          string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})),
		kubeconfig:  fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: %q, certificate-authority: %q}}]\nusers: [{name: u, user: {token: token-of-tests}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n", api.URL, ca),
		credentials: "[profile test]\nregion = us-west-2\n[test]\naws_access_key_id = AKIATEST\naws_secret_access_key = fake\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.arn = "arn:aws:acm:us-west-2:123456789012:certificate/0d1f2e3a-0000-4000-8000-000000000001"
	s.yaml = fmt.Sprintf("aws:\n  - { name: main, region: us-west-2, endpoint: %q, profile: test, shared_files: [%q] }\nkubernetes:\n  - { name: main, kubeconfig: %q }", cloud.URL, credentials, kubeconfig)
	return s
}

// fill has both hold what the world serves, and the account a certificate of its own
// where other is set.
func (s *stores) fill(t *testing.T, w *world, other bool, change func(*corev1.Secret)) {
	t.Helper()
	o := &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "edge-tls", Labels: map[string]string{"app": "edge"}},
		Type: corev1.SecretTypeTLS, Data: map[string][]byte{"tls.crt": w.oldCert, "tls.key": w.oldKey, "ca.crt": w.ca.pem()},
	}
	if change != nil {
		change(o)
	}
	if err := s.kube.Apply("kubectl", o); err != nil {
		t.Fatal(err)
	}
	held := w.oldCert
	if other {
		held, _ = w.ca.issue(t, 9*day, 90*day, nil)
	}
	s.aws.AddCertificate(awssim.Certificate{ARN: s.arn, PEM: held, Chain: w.ca.pem(), InUseBy: []string{"arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/app/edge/1"}})
}

func (s *stores) rotation() string {
	return fmt.Sprintf("cluster: main\n            object: default/edge-tls\n            account: main\n            acm: %q", s.arn)
}

// held are the serial numbers in both, and whether the Secret's key is its own.
func (s *stores) held(t *testing.T, w *world) (object, imported string, whole bool) {
	t.Helper()
	s.kube.Read("Secret", "default", func(o kubesim.Object) {
		if c, ok := o.(*corev1.Secret); ok && c.Name == "edge-tls" {
			object = serialOf(t, c.Data["tls.crt"])
			_, err := tls.X509KeyPair(c.Data["tls.crt"], c.Data["tls.key"])
			whole = err == nil && len(c.Data["ca.crt"]) > 0 && c.Labels["app"] == "edge"
		}
	})
	set := clients.New(w.cfg)
	defer set.Close()
	account, err := set.AWS("main")
	if err != nil {
		t.Fatal(err)
	}
	services, err := account.Services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := services.ACM.GetCertificate(t.Context(), &acm.GetCertificateInput{CertificateArn: aws.String(s.arn)})
	if err != nil {
		t.Fatal(err)
	}
	return object, serialOf(t, []byte(aws.ToString(out.Certificate))), whole
}

// TestTheStoresAreUpdated, with the files, and put back with them.
func TestTheStoresAreUpdated(t *testing.T) {
	for _, mode := range []plan.Mode{plan.Forward, plan.Back} {
		t.Run(string(mode), func(t *testing.T) {
			s := newStores(t)
			w := newWorld(t, shape{one: true, components: s.yaml, rotation: s.rotation()})
			s.fill(t, w, false, nil)
			old := serialOf(t, w.oldCert)
			e := w.engine()
			if mode == plan.Forward {
				p := w.must(e, plan.RunDone, plan.Request{}).Plan
				if p.Irreversible != "" {
					t.Errorf("irreversible: %s", p.Irreversible)
				}
				object, imported, whole := s.held(t, w)
				if served := w.served()[0]; object != served || imported != served || served == old || !whole {
					t.Errorf("served %s, in the Secret %s (whole: %v), in ACM %s", served, object, whole, imported)
				}
				w.clean()
				return
			}
			w.drain = 100 * time.Millisecond
			w.fronts[0].ReloadFile = ""
			e = w.engine()
			got := w.must(e, plan.RunFailed, plan.Request{})
			if object, imported, _ := s.held(t, w); object == old || imported == old {
				t.Fatal("nothing was updated: the roll-back shows nothing")
			}
			w.must(e, plan.RunRolledBack, plan.Request{Mode: plan.Back, Of: got.Run})
			if object, imported, whole := s.held(t, w); object != old || imported != old || !whole {
				t.Errorf("rolled back: in the Secret %s (whole: %v), in ACM %s, before %s", object, whole, imported, old)
			}
			w.asBefore("rolled back")
			w.clean()
		})
	}
}

// TestWhatACMDoesNotGiveBack is said before, and the roll-back is refused after it.
func TestWhatACMDoesNotGiveBack(t *testing.T) {
	s := newStores(t)
	w := newWorld(t, shape{one: true, components: s.yaml, rotation: s.rotation()})
	s.fill(t, w, true, nil)
	w.drain = 100 * time.Millisecond
	w.fronts[0].ReloadFile = ""
	e := w.engine()
	got := w.must(e, plan.RunFailed, plan.Request{})
	if !strings.Contains(got.Plan.Irreversible, "no private key back") {
		t.Errorf("irreversible: %q", got.Plan.Irreversible)
	}
	_, err := w.do(e, plan.Request{Mode: plan.Back, Of: got.Run})
	var no *actions.Refusal
	if !errors.As(err, &no) {
		t.Errorf("rolled back: %v", err)
	}
	w.matched("after the refusal")
}

// TestASecretThatSomebodyElseKeepsIsLeftAlone, with what to do instead.
func TestASecretThatSomebodyElseKeepsIsLeftAlone(t *testing.T) {
	yes := true
	for want, change := range map[string]func(*corev1.Secret){
		"not kubernetes.io/tls": func(o *corev1.Secret) { o.Type = corev1.SecretTypeOpaque },
		"immutable":             func(o *corev1.Secret) { o.Immutable = &yes },
		"cmctl renew edge":      func(o *corev1.Secret) { o.Annotations = map[string]string{"cert-manager.io/certificate-name": "edge"} },
		"ExternalSecret edge": func(o *corev1.Secret) {
			o.OwnerReferences = []metav1.OwnerReference{{APIVersion: "external-secrets.io/v1", Kind: "ExternalSecret", Name: "edge", UID: "1"}}
		},
	} {
		s := newStores(t)
		w := newWorld(t, shape{one: true, components: s.yaml, rotation: s.rotation()})
		s.fill(t, w, false, change)
		_, err := w.engine().Plan(t.Context(), plan.Request{Procedure: Name, Target: target})
		var no *actions.Refusal
		if !errors.As(err, &no) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
