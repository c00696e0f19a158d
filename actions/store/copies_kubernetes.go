package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	for key, value := range s.Data {
		// A user is no secret: were it kept out of what is journalled, a run could not be
		// taken up.
		if field := cmp.Or(c.keys[key], key); field == "username" || field == "user" {
			continue
		}
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
