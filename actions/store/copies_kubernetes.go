package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/estate"
)

// manager is who Kubernetes says has changed a field.
const manager = "warroom"

// kubernetesCopy is a copy in a Secret of Kubernetes.
type kubernetesCopy struct {
	systems                    actions.Systems
	cluster, namespace, object string
	keys                       map[string]string
}

func (c *kubernetesCopy) Name() string {
	return fmt.Sprintf("Secret %s/%s in cluster %s", c.namespace, c.object, c.cluster)
}
func (c *kubernetesCopy) System() string { return "kubernetes:" + c.cluster }
func (c *kubernetesCopy) Follows() bool  { return false }
func (c *kubernetesCopy) Calls() []string {
	return []string{fmt.Sprintf("PATCH %s/secrets/%s%s (cluster %s)", c.namespace, c.object, named(c.keys), c.cluster)}
}

// clients are the cluster's as whoever acts: who reads may list Secrets, and need not
// see what is in them.
func (c *kubernetesCopy) clients() (*clients.Kubernetes, *clients.KubernetesClients, error) {
	k, err := c.systems.Act.Kubernetes(c.cluster)
	if err != nil {
		return nil, nil, err
	}
	all, err := k.Clients()
	return k, all, err
}

// read reads the Secret called name.
func (c *kubernetesCopy) read(ctx context.Context, name string) (*corev1.Secret, error) {
	k, all, err := c.clients()
	if err != nil {
		return nil, err
	}
	s, err := all.Typed.CoreV1().Secrets(c.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, context.Canceled
		}
		return nil, k.Failure(err, fmt.Sprintf("read Secret %s/%s in cluster %s", c.namespace, name, c.cluster))
	}
	for _, value := range s.Data {
		Know(c.systems, estate.NewSecret(string(value)))
	}
	return s, nil
}

func holds(s *corev1.Secret, keys map[string]estate.Secret) bool {
	for key, want := range keys {
		if have, ok := s.Data[key]; !ok || string(have) != want.Reveal() {
			return false
		}
	}
	return true
}

func (c *kubernetesCopy) Look(ctx context.Context) (string, error) {
	s, err := c.read(ctx, c.object)
	if err != nil {
		return "", err
	}
	if s.Immutable != nil && *s.Immutable {
		return "", &actions.Refusal{What: "a change of " + c.Name(), Why: "it is immutable", Next: "replace it by a new Secret, and have its users name that one"}
	}
	return s.ResourceVersion, nil
}

func (c *kubernetesCopy) Same(ctx context.Context, f Fields) (bool, error) {
	s, err := c.read(ctx, c.object)
	return err == nil && holds(s, keysOf(c.keys, f)), err
}

func (c *kubernetesCopy) Put(ctx context.Context, _ string, f Fields) error {
	s, err := c.read(ctx, c.object)
	if err != nil {
		return err
	}
	keys := keysOf(c.keys, f)
	if holds(s, keys) {
		return nil
	}
	data := map[string][]byte{}
	for key, value := range keys {
		data[key] = []byte(value.Reveal())
	}
	// The version that was read is named, so that nobody else's change is lost.
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": s.ResourceVersion}, "data": data})
	if err != nil {
		return &estate.Failure{Kind: estate.Broken, Doing: "update " + c.Name(), Detail: "the change is no JSON"}
	}
	k, all, err := c.clients()
	if err != nil {
		return err
	}
	_, err = all.Typed.CoreV1().Secrets(c.namespace).Patch(ctx, c.object, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: manager})
	if err != nil {
		return c.failed(ctx, k, err, "update "+c.Name())
	}
	return nil
}

func (c *kubernetesCopy) failed(ctx context.Context, k *clients.Kubernetes, err error, doing string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Canceled
	}
	return k.Failure(err, doing)
}

func (c *kubernetesCopy) Back(ctx context.Context, _ string, f Fields) error {
	return c.Put(ctx, "", f)
}

// externalCopy is a Secret that External Secrets Operator makes from the primary
// store.
type externalCopy struct{ kubernetesCopy }

func (c *externalCopy) Name() string {
	return fmt.Sprintf("ExternalSecret %s/%s in cluster %s", c.namespace, c.object, c.cluster)
}
func (c *externalCopy) Follows() bool { return true }
func (c *externalCopy) Calls() []string {
	return []string{fmt.Sprintf("PATCH %s/externalsecrets/%s annotation force-sync (cluster %s)", c.namespace, c.object, c.cluster)}
}

// external are the versions of the kind, the newest first.
var external = []schema.GroupVersionResource{
	{Group: "external-secrets.io", Version: "v1", Resource: "externalsecrets"},
	{Group: "external-secrets.io", Version: "v1beta1", Resource: "externalsecrets"},
}

// object reads the ExternalSecret in the version that the cluster knows.
func (c *externalCopy) get(ctx context.Context) (*unstructured.Unstructured, schema.GroupVersionResource, error) {
	k, all, err := c.clients()
	if err != nil {
		return nil, external[0], err
	}
	for i, kind := range external {
		var o *unstructured.Unstructured
		o, err = all.Dynamic.Resource(kind).Namespace(c.namespace).Get(ctx, c.object, metav1.GetOptions{})
		if err == nil {
			return o, kind, nil
		}
		if !apierrors.IsNotFound(err) || i == len(external)-1 {
			break
		}
	}
	return nil, external[0], c.failed(ctx, k, err, "read "+c.Name())
}

func text(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...) // what is not there is empty
	return s
}

// target is the Secret that it makes.
func (c *externalCopy) target(o *unstructured.Unstructured) string {
	if name := text(o, "spec", "target", "name"); name != "" {
		return name
	}
	return c.object
}

func (c *externalCopy) Look(ctx context.Context) (string, error) {
	o, _, err := c.get(ctx)
	if err != nil {
		return "", err
	}
	if policy := text(o, "spec", "refreshPolicy"); policy == "CreatedOnce" {
		return "", &actions.Refusal{What: "a sync of " + c.Name(), Why: "its refreshPolicy is CreatedOnce: it never takes a new value", Next: "change the policy, or leave the copy out"}
	}
	return text(o, "status", "syncedResourceVersion"), nil
}

func (c *externalCopy) Same(ctx context.Context, f Fields) (bool, error) {
	o, _, err := c.get(ctx)
	if err != nil {
		return false, err
	}
	s, err := c.read(ctx, c.target(o))
	return err == nil && holds(s, keysOf(c.keys, f)), err
}

// syncEvery is how often it is looked whether a sync has happened.
const syncEvery = 250 * time.Millisecond

// Put tells the operator to sync and waits until it has: until the status is of the
// object that was told, and the Secret has the value.
func (c *externalCopy) Put(ctx context.Context, token string, f Fields) error {
	if ok, err := c.Same(ctx, f); err != nil || ok {
		return err
	}
	k, all, err := c.clients()
	if err != nil {
		return err
	}
	before, kind, err := c.get(ctx)
	if err != nil {
		return err
	}
	was, refreshed := text(before, "status", "syncedResourceVersion"), text(before, "status", "refreshTime")
	// A word that it has not had makes it sync; the time is the operator's own custom.
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{
		"force-sync": fmt.Sprintf("%s-%d", token, time.Now().UnixNano()),
	}}})
	if err != nil {
		return &estate.Failure{Kind: estate.Broken, Doing: "sync " + c.Name(), Detail: "the change is no JSON"}
	}
	_, err = all.Dynamic.Resource(kind).Namespace(c.namespace).Patch(ctx, c.object, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: manager})
	if err != nil {
		return c.failed(ctx, k, err, "tell "+c.Name()+" to sync")
	}
	ticker := time.NewTicker(syncEvery)
	defer ticker.Stop()
	state := "it has not synced"
	for {
		o, _, err := c.get(ctx)
		if err == nil {
			state = c.state(o)
			if text(o, "status", "syncedResourceVersion") != was || text(o, "status", "refreshTime") != refreshed {
				if ok, err := c.Same(ctx, f); err == nil && ok {
					return nil
				}
				state = "it has synced, and its Secret does not have the new value: " + state
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return &estate.Failure{
				Kind: estate.Silent, Doing: "wait for " + c.Name(), Detail: c.systems.Read.Text(state, clients.DetailLimit),
				Next: "see its status and its store (a refreshInterval of 0 syncs once only), then resume the run",
			}
		}
	}
}

// state is what it says of itself.
func (c *externalCopy) state(o *unstructured.Unstructured) string {
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions") // none is an empty one
	for _, item := range list {
		if m, ok := item.(map[string]any); ok && m["type"] == "Ready" {
			return fmt.Sprintf("Ready is %v (%v): %v", m["status"], m["reason"], m["message"])
		}
	}
	return "it has no Ready condition"
}

func (c *externalCopy) Back(ctx context.Context, _ string, f Fields) error {
	return c.Put(ctx, "back", f)
}
