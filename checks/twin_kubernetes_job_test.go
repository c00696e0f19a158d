package checks

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"warroom/internal/estate"
)

// cronJob makes a CronJob whose jobs are over after a second, one way or the other.
func (w *twinKube) cronJob(t *testing.T, name string, fails bool) *batchv1.CronJob {
	t.Helper()
	c := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: batchv1.CronJobSpec{
		Schedule: "0 3 29 2 *", ConcurrencyPolicy: batchv1.ForbidConcurrent, FailedJobsHistoryLimit: new(int32(3)), // by itself it does not run during a test
		JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "rotate", Image: "twin.test/rotate:1"}},
		}}}},
	}}
	if fails {
		spec, zero, one := &c.Spec.JobTemplate.Spec, int32(0), int64(1)
		spec.BackoffLimit, spec.ActiveDeadlineSeconds = &zero, &one
		nowhere(&spec.Template.Spec) // its pod finds no node within the deadline
	}
	return must[*batchv1.CronJob](t, "make "+name)(w.api.BatchV1().CronJobs(w.namespace).Create(t.Context(), c, metav1.CreateOptions{}))
}

// run starts a job of a CronJob at once, as kubectl create job --from does.
func (w *twinKube) run(t *testing.T, c *batchv1.CronJob, name string) {
	t.Helper()
	yes := true
	must[*batchv1.Job](t, "run "+name)(w.api.BatchV1().Jobs(w.namespace).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{"cronjob.kubernetes.io/instantiate": "manual"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "CronJob", Name: c.Name, UID: c.UID, Controller: &yes}}},
		Spec: *c.Spec.JobTemplate.Spec.DeepCopy(),
	}, metav1.CreateOptions{}))
}

// TestTwinKubernetesJobs has a CronJob that never ran, one whose job succeeded, one
// whose jobs fail, and one that is suspended.
func TestTwinKubernetesJobs(t *testing.T) {
	kubeTwins(t, func(t *testing.T, w *twinKube, s *story) {
		w.cronJob(t, "idle", false)
		good, bad, held := w.cronJob(t, "good", false), w.cronJob(t, "bad", true), w.cronJob(t, "held", false)
		l := liveOn(t, w.config(t, kubeCanary, "job/idle", "job/good", "job/bad", "job/held"))
		is := func(id estate.ID, want func(j estate.Job) bool) func(*estate.Readings) bool {
			return func(r *estate.Readings) bool {
				j, ok := slotOf[estate.Job](r, id, estate.CheckJob)
				return ok && want(j)
			}
		}
		r := l.await("read", func(r *estate.Readings) bool {
			return all(r, "idle") && all(r, "good") && all(r, "bad") && all(r, "held")
		})
		s.tellAll("never ran", r, "idle")

		w.run(t, good, "good-1")
		w.run(t, bad, "bad-1")
		r = l.await("one each", func(r *estate.Readings) bool {
			return is("good", func(j estate.Job) bool {
				return j.LastResult == "succeeded" && !j.LastSuccess.IsZero() && j.Running == 0
			})(r) &&
				is("bad", func(j estate.Job) bool { return j.LastResult == "failed" && j.Running == 0 })(r)
		})
		s.tellAll("succeeded", r, "good")
		s.tellAll("failed", r, "bad")
		second(t)
		w.run(t, bad, "bad-2")
		r = l.await("failed twice", is("bad", func(j estate.Job) bool { return j.Failures == 2 && j.Running == 0 }))
		s.tellAll("failed twice", r, "bad")

		must[*batchv1.CronJob](t, "suspend")(w.api.BatchV1().CronJobs(w.namespace).Patch(t.Context(), held.Name, types.MergePatchType, []byte(`{"spec":{"suspend":true}}`), metav1.PatchOptions{}))
		r = l.await("suspended", is("held", func(j estate.Job) bool { return j.Suspended }))
		s.tellAll("suspended", r, "held")
		if err := w.api.BatchV1().CronJobs(w.namespace).Delete(t.Context(), "idle", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		s.tellAll("deleted", l.await("deleted", failsSo("idle", map[string]estate.FailureKind{estate.CheckJob: estate.Missing})), "idle")
	})
}

// TestTwinKubernetesExternalSecrets has ExternalSecrets that are synced and that are
// not. The operator runs in neither world: the drill plays it, and in the real
// cluster the test writes the status that it would, in its words.
func TestTwinKubernetesExternalSecrets(t *testing.T) {
	kubeTwins(t, func(t *testing.T, w *twinKube, s *story) {
		s.short = slices.Concat(kubeHash, regexps{{regexp.MustCompile(`the last write of [^ ,]+,`), "the last write of its WRITER,"}})
		w.write(t, "files", "one")
		second(t)
		stores, of := schema.GroupVersionResource{Group: externalGroup, Version: "v1", Resource: "clustersecretstores"}, schema.GroupVersionResource{Group: externalGroup, Version: "v1", Resource: "externalsecrets"}
		if w.sim != nil {
			must[*unstructured.Unstructured](t, "make the store")(w.dynamic.Resource(stores).Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": externalGroup + "/v1", "kind": "ClusterSecretStore", "metadata": map[string]any{"name": "twin"},
				"spec": map[string]any{"provider": map[string]any{"aws": map[string]any{"service": "SecretsManager", "region": "us-east-1"}}},
			}}, metav1.CreateOptions{}))
		}
		ask := func(name, target, key, every string) {
			must[*unstructured.Unstructured](t, "make "+name)(w.dynamic.Resource(of).Namespace(w.namespace).Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": externalGroup + "/v1", "kind": "ExternalSecret", "metadata": map[string]any{"name": name},
				"spec": map[string]any{"refreshInterval": every, "secretStoreRef": map[string]any{"kind": "ClusterSecretStore", "name": "twin"},
					"target": map[string]any{"name": target}, "data": []any{map[string]any{"secretKey": "password", "remoteRef": map[string]any{"key": key}}}},
			}}, metav1.CreateOptions{}))
		}
		ask("synced", "db", "present", "1h")
		ask("broken", "files", "absent", "30m")
		ask("another", "unused", "present", "1h") // of no workload here
		if w.sim == nil {
			w.write(t, "db", "of-a-provider")
			w.externalStatus(t, of, "synced", "True", "SecretSynced", "secret synced")
			w.externalStatus(t, of, "broken", "False", "SecretSyncedError", "could not get secret data from provider")
		}
		w.deploy(t, "web", 1, nil)
		l := liveOn(t, w.config(t, kubeCanary, "deployment/web"))
		r := l.await("told", func(r *estate.Readings) bool {
			e, ok := slotOf[estate.ExternalSecrets](r, "web", estate.CheckExternalSecrets)
			return ok && len(e.Secrets) == 2 && e.Secrets[0].Reason != "" && e.Secrets[1].Reason != "" && podsAre(r, "web", 1, 0) && all(r, "web") && olderPods(r, "web", "db") == 0 &&
				workloadIs("web", func(x estate.Workload) bool {
					return x.Ready == 1 && x.Available == 1 && x.Progress == "NewReplicaSetAvailable"
				})(r)
		})
		s.tellSlot("of a workload", twinSlot(t, r, "web", estate.CheckExternalSecrets))
		s.tellReading("of a workload", readLater(r, time.Minute), "web")
	})
}

func (w *twinKube) externalStatus(t *testing.T, of schema.GroupVersionResource, name, ready, reason, message string) {
	t.Helper()
	at := time.Now().UTC().Format(time.RFC3339)
	refreshed := ""
	if ready == "True" {
		refreshed = fmt.Sprintf("%q: %q,", "refreshTime", at)
	}
	patch := fmt.Sprintf(`{"status":{%s"conditions":[{"type":"Ready","status":%q,"reason":%q,"message":%q,"lastTransitionTime":%q}]}}`, refreshed, ready, reason, message, at)
	must[*unstructured.Unstructured](t, "status of "+name)(w.dynamic.Resource(of).Namespace(w.namespace).Patch(context.Background(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status"))
}
