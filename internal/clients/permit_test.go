package clients

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// book is a permit that lets calls be made and writes them down. Where around is set
// it is asked in place of do.
type book struct {
	mu     sync.Mutex
	calls  []Call
	around func(c Call, do func() error) error
}

func (b *book) Around(_ context.Context, c Call, do func() error) error {
	b.mu.Lock()
	b.calls = append(b.calls, c)
	b.mu.Unlock()
	if b.around != nil {
		return b.around(c, do)
	}
	return do()
}

// changes are the names of the calls that change something.
func (b *book) changes() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for _, c := range b.calls {
		if c.Changes {
			names = append(names, c.System+" "+c.Name)
		}
	}
	return names
}

// everything is a set whose every system is one server that fails, and counts.
func everything(t *testing.T, acting bool) (*Set, string, *atomic.Int64) {
	t.Helper()
	keys(t)
	t.Setenv("HOME", t.TempDir())
	var count atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", file)
	t.Setenv("VAULT_TOKEN", "hvs.CANARY-token")
	cfg := &config.Config{
		Checks:     config.Checks{Timeout: 10 * time.Second},
		AWS:        []config.AWSAccount{{Name: "main", Region: "eu-west-1", Endpoint: server.URL}},
		Vaults:     []config.VaultCluster{{Name: "primary", Address: server.URL, CACert: file}},
		Kubernetes: []config.KubernetesCluster{{Name: "prod", Kubeconfig: kubeconfig(t, server.URL, ca), Context: "prod"}},
	}
	set := New(cfg)
	if acting {
		set = NewActing(cfg)
	}
	t.Cleanup(set.Close)
	return set, file, &count
}

// Each change is kept back without a permit, by reading and acting sets alike, and
// with one is sent once: a system that fails and asks to be asked again is not.
func TestAChangeIsSentOnceAndOnlyWithAPermit(t *testing.T) {
	const canary = "CANARY-of-a-change"
	value := estate.NewSecret(`{"password":"` + canary + `"}`)
	type made func(ctx context.Context, t *testing.T, s *Set, ca, address string) error
	services := func(t *testing.T, s *Set) *AWSServices {
		a, err := s.AWS("main")
		if err != nil {
			t.Fatal(err)
		}
		all, err := a.Services(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	vault := func(s *Set) *Vault { v, _ := s.Vault("primary"); return v }
	cluster := func(t *testing.T, s *Set) *KubernetesClients {
		k, err := s.Kubernetes("prod")
		if err != nil {
			t.Fatal(err)
		}
		all, err := k.Clients()
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for want, call := range map[string]made{
		"aws:main secretsmanager:PutSecretValue": func(ctx context.Context, t *testing.T, s *Set, _, _ string) error {
			_, err := services(t, s).SecretsManager.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: aws.String("db"), SecretString: aws.String(value.Reveal())})
			return err
		},
		"aws:main secretsmanager:UpdateSecretVersionStage": func(ctx context.Context, t *testing.T, s *Set, _, _ string) error {
			_, err := services(t, s).SecretsManager.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{SecretId: aws.String("db"), VersionStage: aws.String("AWSCURRENT")})
			return err
		},
		"aws:main secretsmanager:CancelRotateSecret": func(ctx context.Context, t *testing.T, s *Set, _, _ string) error {
			_, err := services(t, s).SecretsManager.CancelRotateSecret(ctx, &secretsmanager.CancelRotateSecretInput{SecretId: aws.String("db")})
			return err
		},
		"aws:main acm:ImportCertificate": func(ctx context.Context, t *testing.T, s *Set, _, _ string) error {
			_, err := services(t, s).ACM.ImportCertificate(ctx, &acm.ImportCertificateInput{Certificate: []byte("x"), PrivateKey: []byte(canary)})
			return err
		},
		"aws:main lambda:Invoke": func(ctx context.Context, t *testing.T, s *Set, _, _ string) error {
			_, err := services(t, s).Lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f")})
			return err
		},
		"vault:primary PUT secret/data/db": func(ctx context.Context, _ *testing.T, s *Set, _, _ string) error {
			_, err := vault(s).WriteKV(ctx, "secret", "db", value, 1)
			return err
		},
		"vault:primary PUT database/rotate-role/app": func(ctx context.Context, _ *testing.T, s *Set, _, _ string) error {
			return vault(s).Write(ctx, "database/rotate-role/app", nil, nil)
		},
		"vault:primary PUT secret/metadata/db": func(ctx context.Context, _ *testing.T, s *Set, _, _ string) error {
			return vault(s).WriteKVMetadata(ctx, "secret", "db", map[string]string{"holder": "x"})
		},
		"vault:primary DELETE secret/metadata/db": func(ctx context.Context, _ *testing.T, s *Set, _, _ string) error {
			return vault(s).RemoveKV(ctx, "secret", "db")
		},
		"vault:primary GET database/creds/app": func(ctx context.Context, _ *testing.T, s *Set, _, _ string) error {
			return vault(s).Read(ctx, VaultNamespace, "database/creds/app", &struct{}{})
		},
		"kubernetes:prod PATCH prod/deployments/user-service": func(ctx context.Context, t *testing.T, s *Set, _, _ string) error {
			_, err := cluster(t, s).Typed.AppsV1().Deployments("prod").Patch(ctx, "user-service", types.StrategicMergePatchType, []byte("{}"), metav1.PatchOptions{})
			return err
		},
		"kubernetes:prod PUT prod/secrets/db": func(ctx context.Context, t *testing.T, s *Set, _, _ string) error {
			_, err := cluster(t, s).Typed.CoreV1().Secrets("prod").Update(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "db"}, Data: map[string][]byte{"p": []byte(canary)}}, metav1.UpdateOptions{})
			return err
		},
		"kubernetes:prod DELETE prod/pods/x": func(ctx context.Context, t *testing.T, s *Set, _, _ string) error {
			return cluster(t, s).Typed.CoreV1().Pods("prod").Delete(ctx, "x", metav1.DeleteOptions{})
		},
		"http:ADDRESS POST /keys": func(ctx context.Context, _ *testing.T, s *Set, ca, address string) error {
			a, err := s.HTTP(ca).Do(ctx, HTTPRequest{Method: http.MethodPost, URL: address + "/keys", Header: map[string]estate.Secret{"Authorization": estate.NewSecret("Bearer " + canary)}, Body: value})
			if err == nil && a.Code >= 500 {
				err = fmt.Errorf("HTTP %d: %s", a.Code, a.Text(string(a.Body), 100))
			}
			return err
		},
		"http:ADDRESS DELETE /keys/1": func(ctx context.Context, _ *testing.T, s *Set, ca, address string) error {
			a, err := s.HTTP(ca).Do(ctx, HTTPRequest{Method: http.MethodDelete, URL: address + "/keys/1"})
			if err == nil && a.Code >= 500 {
				err = fmt.Errorf("HTTP %d", a.Code)
			}
			return err
		},
	} {
		t.Run(want, func(t *testing.T) {
			for _, acting := range []bool{false, true} {
				set, ca, count := everything(t, acting)
				address := "https://" + strings.TrimPrefix(set.cfg.Vaults[0].Address, "https://")
				err := call(t.Context(), t, set, ca, address)
				var kept *NotPermitted
				if !errors.As(err, &kept) {
					t.Fatalf("acting %v, without a permit: %v", acting, err)
				}
				var f *estate.Failure
				if !errors.As(err, &f) || f.Kind != estate.Denied {
					t.Errorf("what was kept back is classified as %v", f)
				}
				if n := count.Load(); n != 0 {
					t.Fatalf("acting %v, without a permit: %d requests were sent", acting, n)
				}
				b := &book{}
				err = call(WithPermit(t.Context(), b), t, set, ca, address)
				if err == nil {
					t.Error("a system that fails gives no error")
				}
				if n := count.Load(); n != 1 {
					t.Errorf("acting %v, with a permit: %d requests were sent, want 1", acting, n)
				}
				name := strings.Replace(want, "ADDRESS", strings.TrimPrefix(address, "https://"), 1)
				if got := b.changes(); len(got) != 1 || got[0] != name {
					t.Errorf("the permit saw %q, want %q", got, name)
				}
				if text := fmt.Sprint(err, b.calls); strings.Contains(text, "CANARY") {
					t.Errorf("a value is in %s", text)
				}
			}
		})
	}
}

// answered is an error that stands for an answer.
type answer struct {
	code int
	body string
}

func (a answer) Error() string { return "as answered" }
func (a answer) Response(req *http.Request) *http.Response {
	return &http.Response{StatusCode: a.code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(a.body)), Request: req, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}

// A permit can put an answer in the place of the system's, and an error, before the
// call and after it.
func TestAPermitBreaksCalls(t *testing.T) {
	set, ca, count := everything(t, true)
	v, _ := set.Vault("primary")
	account, _ := set.AWS("main")
	with := func(f func(Call, func() error) error) context.Context {
		return WithPermit(t.Context(), &book{around: f})
	}
	refuse := func(a answer) context.Context { return with(func(Call, func() error) error { return a }) }
	f := set.Failure(v.Write(refuse(answer{403, `{"errors":["permission denied"]}`}), "secret/data/x", nil, nil), "")
	if f.Kind != estate.Denied {
		t.Errorf("Vault: %v", f)
	}
	if f := set.Failure(v.Write(refuse(answer{429, `{"errors":["slow"]}`}), "secret/data/x", nil, nil), ""); f.Kind != estate.Throttled {
		t.Errorf("Vault throttles: %v", f)
	}
	services, err := account.Services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	put := func(ctx context.Context) error {
		_, err := services.SecretsManager.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: aws.String("db"), SecretString: aws.String("x")})
		return err
	}
	if f := account.Failure(put(refuse(answer{400, `{"__type":"ThrottlingException","message":"slow"}`})), ""); f.Kind != estate.Throttled {
		t.Errorf("AWS throttles: %v", f)
	}
	if f := account.Failure(put(with(func(Call, func() error) error { return context.DeadlineExceeded })), ""); f.Kind != estate.Silent {
		t.Errorf("AWS, a timeout before: %v", f)
	}
	if n := count.Load(); n != 0 {
		t.Fatalf("%d requests were sent", n)
	}
	if f := account.Failure(put(with(func(_ Call, do func() error) error { _ = do(); return context.DeadlineExceeded })), ""); f.Kind != estate.Silent {
		t.Errorf("AWS, a timeout after: %v", f)
	}
	if n := count.Load(); n != 1 {
		t.Errorf("%d requests were sent, want 1", n)
	}
	a, err := set.HTTP(ca).Do(refuse(answer{200, `{"id":"7"}`}), HTTPRequest{Method: http.MethodPost, URL: "https://127.0.0.1:1/keys"})
	if err != nil || a.Code != 200 || string(a.Body) != `{"id":"7"}` {
		t.Errorf("HTTP: %+v, %v", a, err)
	}
	if err := put(with(func(Call, func() error) error { return nil })); !errors.Is(err, errUnsent) {
		t.Errorf("a permit that does nothing: %v", err)
	}
}

func TestWhichRequestsChangeSomething(t *testing.T) {
	v := &Vault{cluster: config.VaultCluster{Name: "v"}}
	k := &Kubernetes{cluster: config.KubernetesCluster{Name: "k"}}
	for _, one := range []struct {
		call         func(*http.Request) Call
		method, path string
		want         string
		changes      bool
	}{
		{v.call, "GET", "/v1/sys/health", "GET sys/health", false},
		{v.call, "LIST", "/v1/secret/metadata/prod", "LIST secret/metadata/prod", false},
		{v.call, "PUT", "/v1/sys/capabilities-self", "PUT sys/capabilities-self", false},
		{v.call, "POST", "/v1/auth/token/lookup-self", "POST auth/token/lookup-self", false},
		{v.call, "POST", "/v1/auth/token/renew-self", "POST auth/token/renew-self", true},
		{v.call, "PUT", "/v1/sys/unseal", "PUT sys/unseal", true},
		{v.call, "PATCH", "/v1/secret/data/x", "PATCH secret/data/x", true},
		{v.call, "GET", "/v1/team/aws/creds/deploy", "GET team/aws/creds/deploy", true},
		{v.call, "GET", "/v1/secret/data/creds/x", "GET secret/data/creds/x", false},
		{v.call, "GET", "/v1/database/static-creds/app", "GET database/static-creds/app", false},
		{k.call, "GET", "/api/v1/namespaces/prod/pods/x", "GET prod/pods/x", false},
		{k.call, "GET", "/api/v1/nodes", "GET nodes", false},
		{k.call, "GET", "/api/v1/namespaces/prod", "GET namespaces/prod", false},
		{k.call, "PATCH", "/apis/apps/v1/namespaces/prod/deployments/x/scale", "PATCH prod/deployments/x/scale", true},
		{k.call, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "POST selfsubjectaccessreviews", false},
		{k.call, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "POST selfsubjectreviews", false},
		{k.call, "POST", "/api/v1/namespaces/prod/serviceaccounts/x/token", "POST prod/serviceaccounts/x/token", true},
		{k.call, "POST", "/api/v1/namespaces/prod/selfsubjectreviews/x", "POST prod/selfsubjectreviews/x", true},
		{k.call, "GET", "/api/v1/namespaces/prod/pods/x/exec", "GET prod/pods/x/exec", true},
		{k.call, "POST", "/apis/batch/v1/namespaces/prod/jobs", "POST prod/jobs", true},
		{webCall, "HEAD", "/x", "HEAD /x", false},
		{webCall, "TRACE", "/x", "TRACE /x", true},
		{webCall, "POST", "/x", "POST /x", true},
	} {
		req := httptest.NewRequest(one.method, "https://h.example"+one.path, nil)
		if got := one.call(req); got.Name != one.want || got.Changes != one.changes {
			t.Errorf("%s %s: %+v, want %q, %v", one.method, one.path, got, one.want, one.changes)
		}
	}
	if c := webCall(httptest.NewRequest("POST", "/probe", nil).WithContext(onlyReads(t.Context()))); c.Changes {
		t.Error("a request that was said to read counts as a change")
	}
}
