package clients

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"

	"warroom/internal/config"
	"warroom/internal/estate"
)

func kubeconfig(t *testing.T, server string, ca []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: other
clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: u, user: {token: CANARY-bearer-token}}]
contexts:
- {name: prod, context: {cluster: c, user: u}}
- {name: other, context: {cluster: none, user: u}}
`, server, base64.StdEncoding.EncodeToString(ca))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func kubernetesOf(t *testing.T, c config.KubernetesCluster) *Kubernetes {
	t.Helper()
	c.Name = "main"
	set := New(&config.Config{Kubernetes: []config.KubernetesCluster{c}})
	t.Cleanup(set.Close)
	k, err := set.Kubernetes("main")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKubernetesClient(t *testing.T) {
	var agent, authorization string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, authorization = r.Header.Get("User-Agent"), r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Warning", `299 - "this would spoil the screen"`)
		_, _ = io.WriteString(w, `{"kind":"DeploymentList","apiVersion":"apps/v1","items":[{"metadata":{"name":"api"}}]}`)
	}))
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	k := kubernetesOf(t, config.KubernetesCluster{Kubeconfig: kubeconfig(t, server.URL, ca), Context: "prod"})
	cfg, err := k.Config()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.QPS != kubernetesQPS || cfg.Burst != kubernetesBurst || cfg.Timeout != 0 {
		t.Errorf("QPS %v, burst %d, timeout %s", cfg.QPS, cfg.Burst, cfg.Timeout)
	}
	quiet := stderr(t, func() {
		client, err := k.Client()
		if err != nil {
			t.Fatal(err)
		}
		list, err := client.AppsV1().Deployments("default").List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != 1 || list.Items[0].Name != "api" {
			t.Fatalf("got %+v, %v", list, err)
		}
		klog.Error("CANARY this would spoil the screen")
	})
	if quiet != "" {
		t.Errorf("written to the terminal: %q", quiet)
	}
	if !strings.HasPrefix(agent, "warroom/") || authorization != "Bearer CANARY-bearer-token" {
		t.Errorf("user agent %q, authorization %q", agent, authorization)
	}
	if got := k.set.Text("bad token CANARY-bearer-token", 100); strings.Contains(got, "CANARY") {
		t.Errorf("the token stays in %q", got)
	}
}

// stderr is what is written to the standard error while f runs.
// What is asked of a cluster at once, by whichever of its clients, takes one
// handshake and not one each.
func TestKubernetesClientsShareAConnection(t *testing.T) {
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","items":[]}`)
	}))
	server.EnableHTTP2 = true
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	all, err := kubernetesOf(t, config.KubernetesCluster{Kubeconfig: kubeconfig(t, server.URL, ca), Context: "prod"}).Clients()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, plural := range []string{"pods", "secrets", "events", "configmaps", "services", "endpoints", "nodes", "namespaces"} {
		wg.Go(func() {
			if _, err := all.Metadata.Resource(schema.GroupVersionResource{Version: "v1", Resource: plural}).Namespace("prod").List(t.Context(), metav1.ListOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// One that comes in the moment between the connection's being made and its
	// being shared may begin one of its own.
	if n := connections.Load(); n > 3 {
		t.Errorf("8 requests made %d connections", n)
	}
}

func stderr(t *testing.T, f func()) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stderr
	os.Stderr = file
	defer func() { os.Stderr = old }()
	f()
	klog.Flush()
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestKubernetesConfigurationThatIsWrong(t *testing.T) {
	good := kubeconfig(t, "http://127.0.0.1:1", nil)
	for name, c := range map[string]config.KubernetesCluster{
		"no file":    {Kubeconfig: filepath.Join(t.TempDir(), "absent")},
		"no context": {Kubeconfig: good, Context: "staging"},
		"no cluster": {Kubeconfig: good, Context: "other"},
	} {
		t.Run(name, func(t *testing.T) {
			var f *estate.Failure
			if _, err := kubernetesOf(t, c).Client(); !errors.As(err, &f) || f.Kind != estate.Misconfigure {
				t.Errorf("got %v", err)
			}
		})
	}
}
