package checks

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// What is held of a large cluster: 89 Deployments, 890 ReplicaSets, 267 pods, 500
// events and 200 Secrets, each as large as they are in practice.
func TestALargeClusterTakesLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes a large cluster")
	}
	c := newFakeCluster(t)
	padding := make([]corev1.EnvVar, 40)
	for i := range padding {
		padding[i] = corev1.EnvVar{Name: fmt.Sprintf("SETTING_NUMBER_%d", i), Value: "some value of a setting that is as long as they are"}
	}
	managed := metav1.ManagedFieldsEntry{Manager: "kube-controller-manager", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:` + strings.Repeat("x", 300) + `":{}}}`)}
	var components []config.Component
	for i := range 89 {
		name := fmt.Sprintf("service-%02d", i)
		d := deployment(name)
		d.Spec.Template.Spec.Containers[0].Env = append(d.Spec.Template.Spec.Containers[0].Env, padding...)
		c.put("deployments", d)
		for j := range 10 {
			r := replicaSet(name, fmt.Sprintf("hash%d", j), fmt.Sprint(j), fmt.Sprintf("app:%d", j), 0)
			r.Spec.Template.Spec.Containers[0].Env, r.ManagedFields = append(r.Spec.Template.Spec.Containers[0].Env, padding...), []metav1.ManagedFieldsEntry{managed, managed}
			c.put("replicasets", r)
		}
		for j := range 3 {
			p := pod(name, "hash9", fmt.Sprintf("p%d", j), time.Hour)
			p.Spec.Containers[0].Env, p.ManagedFields = append(p.Spec.Containers[0].Env, padding...), []metav1.ManagedFieldsEntry{managed, managed}
			c.put("pods", p)
		}
		components = append(components, config.Component{ID: name, Application: &config.Application{Cluster: "main", Workload: "prod/deployment/" + name}})
	}
	for i := range 500 {
		c.put("events", warning("Pod", fmt.Sprintf("service-%02d-hash9-p%d", i%89, i), "BackOff", time.Minute))
	}
	c.put("secrets", storedSecret("db", 0), storedSecret("tls", 0))
	for i := range 200 {
		c.put("secrets", storedSecret(fmt.Sprintf("unused-%d", i), 0))
	}
	cfg := c.config(components...)
	held := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	began := time.Now()
	l := watchLive(t, cfg)
	l.mu.Lock()
	l.all = nil
	l.mu.Unlock()
	for _, one := range components {
		for _, check := range []string{estate.CheckWorkload, estate.CheckWorkloadPods, estate.CheckWorkloadSecrets, estate.CheckWorkloadEvents, estate.CheckRevisions} {
			l.await(estate.ID(one.ID), check, "read", fine)
		}
	}
	took := time.Since(began)
	l.mu.Lock()
	l.all = nil
	l.mu.Unlock()
	after := held()
	t.Logf("%d KiB held, %s to read all", (int64(after)-int64(before))>>10, took.Round(time.Millisecond))
	if after > before+8<<20 {
		t.Errorf("%d MiB are held, want at most 8", (after-before)>>20)
	}
}
