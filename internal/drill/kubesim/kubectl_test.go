package kubesim

import (
	"context"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"warroom/internal/labtest"
)

// TestKubectl runs the commands that people run in a crisis, with the real
// kubectl.
func TestKubectl(t *testing.T) {
	bin := labtest.Tool(t, "kubectl")
	b := deployed(t, 2)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	b.must(os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.server.Certificate().Raw}), 0o600))
	config := filepath.Join(dir, "config")
	b.must(os.WriteFile(config, fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c","cluster":{"server":%q,"certificate-authority":%q}}],"users":[{"name":"u","user":{"token":"admin-token"}}],"contexts":[{"name":"c","context":{"cluster":"c","user":"u","namespace":"prod"}}]}`, b.server.URL, ca), 0o600))
	manifest := filepath.Join(dir, "app.yaml")
	b.must(os.WriteFile(manifest, []byte(`apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api, image: "api:1"}]}
`), 0o600))
	// The clock runs by itself, ten times as fast: kubectl waits for pods.
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				b.pass(500 * time.Millisecond)
			}
		}
	}()
	for _, test := range []struct {
		command string
		want    []string
	}{
		{"version", []string{"Server Version: v1.37.2"}},
		{"get deployments", []string{"NAME", "READY", "UP-TO-DATE", "web", "2/2"}},
		{"get pods -o wide", []string{"Running", "NODE", "node-"}},
		{"get all", []string{"pod/web-", "deployment.apps/web", "replicaset.apps/web-"}},
		{"get deployment web -o jsonpath={.status.readyReplicas}", []string{"2"}},
		{"get deployment web -o yaml", []string{"kind: Deployment", "apiVersion: apps/v1"}},
		{"get pods -o name -l app=web --field-selector status.phase=Running", []string{"pod/web-"}},
		{"get events", []string{"ScalingReplicaSet", "deployment/web", "Successfully assigned prod/web-"}},
		{"get secrets", []string{"db", "Opaque"}},
		{"describe deployment web", []string{"NewReplicaSet:", "Scaled up replica set", "MinimumReplicasAvailable"}},
		{"describe pods", []string{"<set to the key 'password' in secret 'db'>"}},
		{"rollout restart deployment/web", []string{"restarted"}},
		{"rollout status deployment/web --timeout=20s", []string{"successfully rolled out"}},
		{"rollout history deployment/web", []string{"REVISION", "2"}},
		{"rollout undo deployment/web", []string{"rolled back"}},
		{"rollout status deployment/web --timeout=20s", []string{"successfully rolled out"}},
		{"rollout pause deployment/web", []string{"paused"}},
		{"rollout resume deployment/web", []string{"resumed"}},
		{"scale deployment/web --replicas=3", []string{"scaled"}},
		{"annotate deployment web note=x", []string{"annotated"}},
		{"patch deployment web -p {\"spec\":{\"minReadySeconds\":1}}", []string{"patched"}},
		{"apply -f " + manifest, []string{"deployment.apps/api created"}},
		{"apply -f " + manifest, []string{"deployment.apps/api unchanged"}},
		{"apply --server-side --force-conflicts -f " + manifest, []string{"serverside-applied"}},
		{"wait --for=condition=Available deployment/api --timeout=20s", []string{"condition met"}},
		{"delete deployment api", []string{"deleted"}},
		{"create configmap c --from-literal=a=b", []string{"created"}},
		{"auth can-i create deployments", []string{"yes"}},
		{"auth can-i --list", []string{"*.*"}},
		{"api-resources", []string{"externalsecrets", "deployments"}},
		{"logs deployment/web", []string{"started"}},
		{"get --raw /readyz", []string{"ok"}},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		cmd := exec.CommandContext(ctx, bin, strings.Fields(test.command)...)
		cmd.Env = []string{"KUBECONFIG=" + config, "HOME=" + dir, "PATH=/usr/bin:/bin"}
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			t.Errorf("kubectl %s: %v\n%s", test.command, err, out)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("kubectl %s does not say %q:\n%s", test.command, want, out)
			}
		}
		if strings.Contains(string(out), canary) {
			t.Errorf("kubectl %s shows a value", test.command)
		}
	}
	// What the clients sent in between must not have left a watch behind.
	eventually(t, "every watch is closed", func() bool { return b.Watches() == 0 })
}
