package lab

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// manifests are the cluster's contents: nodes, namespaces, the reader's role, the
// kind ExternalSecret, and the workloads with what they consume.
//
//go:embed manifests/objects.yaml
var manifests string

// externalSecrets are objects of the kind that manifests define.
//
//go:embed manifests/external_secrets.yaml
var externalSecrets string

// stages say how KWOK plays the kubelets.
//
//go:embed manifests/stages.yaml
var stages string

// fill makes the contents, and returns when the workloads are as described.
func (k *kubernetes) fill(ctx context.Context) error {
	if err := k.apply(ctx, manifests); err != nil {
		return err
	}
	// A kind is served a moment after it was defined.
	if err := poll(ctx, k.server, func(ctx context.Context) error {
		return k.api.call(ctx, http.MethodGet, "/apis/external-secrets.io/v1/externalsecrets", nil, nil)
	}); err != nil {
		return err
	}
	if err := k.apply(ctx, externalSecrets); err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Second)
	for _, one := range []struct{ path, status string }{
		{"/apis/external-secrets.io/v1/namespaces/shop/externalsecrets/db-credentials", externalSecretStatus(now, "True", "SecretSynced", "secret synced")},
		{"/apis/external-secrets.io/v1/namespaces/shop/externalsecrets/payment-key", externalSecretStatus(now, "False", "SecretSyncedError", "could not get secret data from provider")},
	} {
		if err := k.patchStatus(ctx, one.path, one.status); err != nil {
			return err
		}
	}
	for _, job := range []string{"rotate-postgres", "rotate-api-keys"} {
		if err := k.runCronJob(ctx, job); err != nil {
			return err
		}
	}
	return poll(ctx, k.server, func(ctx context.Context) error {
		for name, p := range map[string]*process{"kwok": k.kwok, "kube-scheduler": k.planner, "kube-controller-manager": k.manager} {
			select {
			case <-p.done:
				return fmt.Errorf("%s %w (%v)\n%s", name, errEnded, p.err, p.tail())
			default:
			}
		}
		return k.asDescribed(ctx)
	})
}

// apply makes the objects of a manifest.
func (k *kubernetes) apply(ctx context.Context, manifest string) error {
	_, err := runTool(ctx, nil, k.toolEnv(), manifest, k.kubectl, "--kubeconfig="+k.admin, "create", "--validate=ignore", "-f", "-")
	return err
}

// toolEnv keeps kubectl from the caller's own folders.
func (k *kubernetes) toolEnv() []string { return []string{"HOME=" + k.dir, "PATH=/usr/bin:/bin"} }

// patchStatus says what an operator that does not run here would say.
func (k *kubernetes) patchStatus(ctx context.Context, path, status string) error {
	patch := k.api.with("Accept", "application/json")
	code, answer, err := patch.send(ctx, http.MethodPatch, path+"/status", "application/merge-patch+json", strings.NewReader(status))
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("patch %s: %d: %.300s", path, code, answer)
	}
	return err
}

func externalSecretStatus(now time.Time, ready, reason, message string) string {
	at := now.Format(time.RFC3339)
	text, err := json.Marshal(map[string]any{"status": map[string]any{
		"refreshTime": at, "syncedResourceVersion": "1-0123456789abcdef",
		"conditions": []any{map[string]string{"type": "Ready", "status": ready, "reason": reason, "message": message, "lastTransitionTime": at}},
	}})
	if err != nil {
		panic(err) // strings and maps always encode
	}
	return string(text)
}

// runCronJob starts a job of a CronJob at once and notes it as its last
// schedule, as its controller does at the hour that it is set to.
func (k *kubernetes) runCronJob(ctx context.Context, name string) error {
	if _, err := runTool(ctx, nil, k.toolEnv(), "", k.kubectl, "--kubeconfig="+k.admin, "--namespace=ops", "create", "job", name+"-lab", "--from=cronjob/"+name); err != nil {
		return err
	}
	at := time.Now().UTC().Format(time.RFC3339)
	return k.patchStatus(ctx, "/apis/batch/v1/namespaces/ops/cronjobs/"+name, `{"status":{"lastScheduleTime":"`+at+`"}}`)
}

// workload is what asDescribed reads of any kind.
type workload struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Status struct {
		ReadyReplicas int    `json:"readyReplicas"`
		NumberReady   int    `json:"numberReady"`
		Succeeded     int    `json:"succeeded"`
		LastSuccess   string `json:"lastSuccessfulTime"`
		Conditions    []struct {
			Type, Status, Reason string
		} `json:"conditions"`
	} `json:"status"`
}

func (w workload) condition(kind string) (status, reason string) {
	for _, c := range w.Status.Conditions {
		if c.Type == kind {
			return c.Status, c.Reason
		}
	}
	return "", ""
}

// asDescribed is nil once every workload is what Describe says of it.
func (k *kubernetes) asDescribed(ctx context.Context) error {
	for _, one := range []struct {
		path string
		is   func(w workload) bool
	}{
		{"apps/v1/namespaces/shop/deployments/user-service", func(w workload) bool { return w.Status.ReadyReplicas == 3 }},
		{"apps/v1/namespaces/shop/statefulsets/ledger", func(w workload) bool { return w.Status.ReadyReplicas == 2 }},
		{"apps/v1/namespaces/ops/daemonsets/node-agent", func(w workload) bool { return w.Status.NumberReady == 2 }},
		{"apps/v1/namespaces/shop/deployments/payment-service", func(w workload) bool {
			status, reason := w.condition("Progressing")
			return status == "False" && reason == "ProgressDeadlineExceeded"
		}},
		{"batch/v1/namespaces/ops/jobs/rotate-postgres-lab", func(w workload) bool { return w.Status.Succeeded == 1 }},
		{"batch/v1/namespaces/ops/cronjobs/rotate-postgres", func(w workload) bool { return w.Status.LastSuccess != "" }},
		{"batch/v1/namespaces/ops/jobs/rotate-api-keys-lab", func(w workload) bool { status, _ := w.condition("Failed"); return status == "True" }},
	} {
		var w workload
		if err := k.api.call(ctx, http.MethodGet, "/apis/"+one.path, nil, &w); err != nil {
			return err
		}
		if !one.is(w) {
			return fmt.Errorf("%s is not as described yet: %+v", one.path, w.Status)
		}
	}
	return nil
}
