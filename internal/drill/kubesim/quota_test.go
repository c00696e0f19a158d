package kubesim

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A quota of pods holds a rollout back as the real one does: the ReplicaSet and its
// Deployment say so, and go on when there is room.
func TestQuota(t *testing.T) {
	b := deployed(t, 2)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "pods", Namespace: "prod"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: apiresource.MustParse("2")}}}
	made, err := b.client("admin-token").CoreV1().ResourceQuotas("prod").Create(t.Context(), quota, metav1.CreateOptions{})
	b.must(err)
	got, err := b.client("admin-token").CoreV1().ResourceQuotas("prod").Get(t.Context(), "pods", metav1.GetOptions{})
	b.must(err)
	if used := got.Status.Used[corev1.ResourcePods]; used.Value() != 2 || got.Status.Hard.Pods().Value() != 2 {
		t.Errorf("%+v", got.Status)
	}
	failed := func() string {
		for _, c := range b.deployment().Status.Conditions {
			if c.Type == appsv1.DeploymentReplicaFailure {
				return c.Message
			}
		}
		return ""
	}
	b.pass(time.Second)
	b.restart() // maxSurge 1, maxUnavailable 0 of 2
	b.pass(time.Minute)
	if d := b.deployment(); d.Status.UpdatedReplicas != 0 || d.Status.AvailableReplicas != 2 || !strings.Contains(failed(), `exceeded quota: pods, requested: pods=1, used: pods=2, limited: pods=2`) {
		t.Errorf("%+v, %q", d.Status, failed())
	}
	made.Spec.Hard[corev1.ResourcePods] = apiresource.MustParse("3")
	made.ResourceVersion = ""
	_, err = b.client("admin-token").CoreV1().ResourceQuotas("prod").Update(t.Context(), made, metav1.UpdateOptions{})
	b.must(err)
	b.pass(time.Minute)
	if d := b.deployment(); d.Status.UpdatedReplicas != 2 || d.Status.AvailableReplicas != 2 || failed() != "" {
		t.Errorf("%+v, %q", d.Status, failed())
	}
}
