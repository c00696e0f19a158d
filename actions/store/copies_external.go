package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/estate"
)

// externalCopy is a Secret that External Secrets Operator makes from the primary
// store.
type externalCopy struct {
	kubernetesCopy
	frozen atomic.Bool // as it was seen last: it syncs once, and never again
}

// An ExternalSecret whose refreshInterval is 0 syncs once and never again, whatever it is
// told. It is given an interval for as long as a sync takes. What it had is written at
// it, in the same change, so that it is put back also after a crash, by any console.
const (
	intervalMark = "warroom/refresh-interval"
	intervalFor  = "1m"
)

// isFrozen reports whether an ExternalSecret does not sync when it is told to.
func isFrozen(o *unstructured.Unstructured) bool {
	if policy := text(o, "spec", "refreshPolicy"); policy != "" && policy != "Periodic" {
		return false // OnChange: an annotation is a change
	}
	every, err := time.ParseDuration(text(o, "spec", "refreshInterval"))
	return err == nil && every <= 0
}

// interval is what an ExternalSecret had before it was given another for a sync.
func interval(o *unstructured.Unstructured) (was string, raised bool) {
	was, raised = o.GetAnnotations()[intervalMark]
	return was, raised
}

func (c *externalCopy) Name() string {
	return fmt.Sprintf("ExternalSecret %s/%s in cluster %s", c.namespace, c.object, c.cluster)
}
func (c *externalCopy) Follows() bool { return true }
func (c *externalCopy) Calls() []string {
	patch := fmt.Sprintf("PATCH %s/externalsecrets/%s ", c.namespace, c.object)
	where := fmt.Sprintf(" (cluster %s)", c.cluster)
	if !c.frozen.Load() {
		return []string{patch + "annotation force-sync" + where}
	}
	return []string{patch + "refreshInterval " + intervalFor + ", annotations force-sync and " + intervalMark + where, patch + "refreshInterval as it was, once it has synced" + where}
}

// Caution is what people should know of the sync; empty for nothing. Look comes first.
func (c *externalCopy) Caution() string {
	if !c.frozen.Load() {
		return ""
	}
	return c.Name() + " has refreshInterval 0: it syncs once and never again. It is given " + intervalFor + " for as long as the sync takes, and 0 again after it. " +
		"What else keeps it as it is (Argo CD, Flux) can undo that sooner: have it wait."
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
	_, raised := interval(o)
	c.frozen.Store(raised || isFrozen(o))
	return text(o, "status", "syncedResourceVersion"), nil
}

func (c *externalCopy) Same(ctx context.Context, f Fields) (bool, error) {
	o, _, err := c.get(ctx)
	if err != nil {
		return false, err
	}
	if _, raised := interval(o); raised { // it is not left as it was
		return false, nil
	}
	return c.synced(ctx, o, f)
}

// synced reports whether its Secret has the values.
func (c *externalCopy) synced(ctx context.Context, o *unstructured.Unstructured, f Fields) (bool, error) {
	s, err := c.read(ctx, c.target(o))
	return err == nil && holds(s, keysOf(c.mapping(o), f)), err
}

// mapping is which key of its Secret has which field of the stored value: as configured,
// or else as it says itself; nil where it does not say.
func (c *externalCopy) mapping(o *unstructured.Unstructured) map[string]string {
	if len(c.keys) > 0 {
		return c.keys
	}
	out := map[string]string{}
	data, _, _ := unstructured.NestedSlice(o.Object, "spec", "data") // none is an empty one
	for _, item := range data {
		one, _ := item.(map[string]any)
		ref, _ := one["remoteRef"].(map[string]any)
		key, _ := one["secretKey"].(string)
		field, _ := ref["property"].(string)
		version, _ := ref["version"].(string)
		if key != "" && field != "" && (version == "" || version == current) {
			out[key] = field
		}
	}
	return out
}

// syncEvery is how often it is looked whether a sync has happened.
const syncEvery = 250 * time.Millisecond

// Put tells the operator to sync and waits until it has: until the status is of the
// object that was told, and the Secret has the value.
func (c *externalCopy) Put(ctx context.Context, token string, f Fields) error {
	before, kind, err := c.get(ctx)
	if err != nil {
		return err
	}
	_, raised := interval(before)
	done, err := c.synced(ctx, before, f)
	if err != nil || done && !raised {
		return err
	}
	if !done {
		if raised, err = c.tell(ctx, before, kind, token); err != nil {
			return err
		}
		if err := c.wait(ctx, before, f, raised); err != nil {
			return err
		}
	}
	if raised {
		return c.settle(ctx, kind)
	}
	return nil
}

// tell gives it a word that it has not had, which makes it sync; and an interval, where
// it would not without one. raised reports whether it must get back its own.
func (c *externalCopy) tell(ctx context.Context, before *unstructured.Unstructured, kind schema.GroupVersionResource, token string) (raised bool, err error) {
	// The time is the operator's own custom.
	annotations := map[string]any{"force-sync": fmt.Sprintf("%s-%d", token, time.Now().UnixNano())}
	change := map[string]any{"metadata": map[string]any{"annotations": annotations}}
	_, raised = interval(before)
	if isFrozen(before) {
		if !raised {
			annotations[intervalMark] = text(before, "spec", "refreshInterval")
		}
		change["spec"] = map[string]any{"refreshInterval": intervalFor}
		raised = true
	}
	return raised, c.patch(ctx, kind, change, "tell "+c.Name()+" to sync")
}

// settle gives it back its own interval.
func (c *externalCopy) settle(ctx context.Context, kind schema.GroupVersionResource) error {
	now, _, err := c.get(ctx)
	if err != nil {
		return err
	}
	was, raised := interval(now)
	if !raised {
		return nil
	}
	return c.patch(ctx, kind, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{intervalMark: nil}},
		"spec":     map[string]any{"refreshInterval": was},
	}, "give "+c.Name()+" its refreshInterval back")
}

func (c *externalCopy) patch(ctx context.Context, kind schema.GroupVersionResource, change map[string]any, doing string) error {
	patch, err := json.Marshal(change)
	if err != nil {
		return &estate.Failure{Kind: estate.Broken, Doing: doing, Detail: "the change is no JSON"}
	}
	k, all, err := c.clients()
	if err != nil {
		return err
	}
	_, err = all.Dynamic.Resource(kind).Namespace(c.namespace).Patch(ctx, c.object, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: manager})
	if err != nil {
		return c.failed(ctx, k, err, doing)
	}
	return nil
}

// wait looks until it has synced.
func (c *externalCopy) wait(ctx context.Context, before *unstructured.Unstructured, f Fields, raised bool) error {
	was, refreshed := text(before, "status", "syncedResourceVersion"), text(before, "status", "refreshTime")
	ticker := time.NewTicker(syncEvery)
	defer ticker.Stop()
	state := "it has not synced"
	for {
		o, _, err := c.get(ctx)
		if err == nil {
			state = c.state(o)
			if text(o, "status", "syncedResourceVersion") != was || text(o, "status", "refreshTime") != refreshed {
				if ok, err := c.synced(ctx, o, f); err == nil && ok {
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
			next := "see its status and its store, then resume the run"
			if raised {
				next += "; its refreshInterval is " + intervalFor + " until then, and what it had stands in its annotation " + intervalMark
			}
			return &estate.Failure{Kind: estate.Silent, Doing: "wait for " + c.Name(), Detail: c.systems.Read.Text(state, clients.DetailLimit), Next: next}
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
