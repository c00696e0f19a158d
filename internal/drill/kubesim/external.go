package kubesim

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Reasons and words of External Secrets Operator.
const (
	externalSource = "external-secrets"
	reasonSynced   = "SecretSynced"
	reasonError    = "SecretSyncedError"
	wordsSynced    = "secret synced"
	wordsStore     = "could not get store reference"
	wordsData      = "could not get secret data from provider"
	wordsOwner     = "could not update secret"

	hashAnnotation = "reconcile.external-secrets.io/data-hash"
	managedLabel   = "reconcile.external-secrets.io/managed"

	retryFirst = time.Second // after a failure, doubling up to retryMost
	retryMost  = 17 * time.Minute
)

// remote is one entry of spec.data.
type remote struct {
	SecretKey string `json:"secretKey"`
	RemoteRef struct {
		Key, Property, Version string
	} `json:"remoteRef"`
}

// externalSecretController is External Secrets Operator for one ExternalSecret.
func (s *Sim) externalSecretController(namespace, name string) {
	old, ok := get[*unstructured.Unstructured](s, s.r.externalSecrets, namespace, name)
	if !ok || old.GetDeletionTimestamp() != nil {
		return
	}
	k := key{s.r.externalSecrets, namespace, name}
	every, err := time.ParseDuration(nested(old, "spec", "refreshInterval"))
	if err != nil {
		every = 0
	}
	refreshed, _ := time.Parse(time.RFC3339, nested(old, "status", "refreshTime")) // never, if it says none
	target := orText(nested(old, "spec", "target", "name"), name)
	secret, have := get[*corev1.Secret](s, s.r.secrets, namespace, target)
	status, _ := readyOf(old)
	// Spec, labels and annotations count: force-sync is an annotation.
	want := externalVersion(old)
	same := nested(old, "status", "syncedResourceVersion") == want
	whole := have && secret.Annotations[hashAnnotation] == dataHash(secret.Data)
	// Without an interval, what was synced once is never refreshed again, whatever
	// changes; OnChange waits for a change.
	policy := nested(old, "spec", "refreshPolicy")
	frozen := every <= 0 || policy == "CreatedOnce"
	onChange := policy == "OnChange" && same
	failed := s.retries[k]
	switch {
	case status == "True" && whole && (frozen || onChange || same && s.at.Before(refreshed.Add(every))):
		if !frozen && !onChange {
			s.after(k, refreshed.Add(s.stride(every)))
		}
		return
	case status == "False" && failed.version == want && s.at.Before(failed.again):
		s.after(k, failed.again)
		return
	}
	s.sync(k, old, want, target, every)
}

// stride is when an ExternalSecret is looked at again: after its interval; in a
// story, and over a long time that passes at once, more seldom.
func (s *Sim) stride(every time.Duration) time.Duration {
	if s.past != nil {
		return max(every, s.gap)
	}
	return max(every, s.gap/8)
}

// backoff is what is known of an ExternalSecret that failed.
type backoff struct {
	count   int
	again   time.Time // when it is tried again
	version string    // of the ExternalSecret that failed
}

// externalVersion is what of an ExternalSecret asks for a sync when it changes.
func externalVersion(o *unstructured.Unstructured) string {
	raw, _ := json.Marshal([]any{o.GetLabels(), o.GetAnnotations()}) // maps of texts
	return fmt.Sprintf("%d-%x", o.GetGeneration(), sha256.Sum256(raw))[:40]
}

func dataHash(data map[string][]byte) string {
	raw, _ := json.Marshal(data) // bytes
	return fmt.Sprintf("%x", sha256.Sum224(raw))
}

// sync fetches the data and writes the Secret.
func (s *Sim) sync(k key, old *unstructured.Unstructured, version, target string, every time.Duration) {
	c := old.DeepCopy()
	fail := func(words string, err error) {
		s.event(s.r.externalSecrets, c, corev1.EventTypeWarning, "UpdateFailed", externalSource, err.Error())
		s.externalStatus(c, "False", reasonError, words)
		s.putStatus(s.r.externalSecrets, c)
		b := s.retries[k]
		b.version = version
		b.again = s.at.Add(max(min(retryFirst<<min(b.count, 12), retryMost), s.gap/64))
		b.count++
		s.retries[k] = b
		s.after(k, b.again)
	}
	store, kind := nested(c, "spec", "secretStoreRef", "name"), nested(c, "spec", "secretStoreRef", "kind")
	res, ns := s.r.secretStores, c.GetNamespace()
	if kind == "ClusterSecretStore" {
		res, ns = s.r.clusterStores, ""
	}
	if _, ok := get[Object](s, res, ns, store); !ok {
		fail(wordsStore, fmt.Errorf("could not get %s %q, %s.%s %q not found", kind, store, res.plural, res.group, store))
		return
	}
	data := map[string][]byte{}
	items, _, _ := unstructured.NestedSlice(c.Object, "spec", "data") // no list is an empty one
	for i, item := range items {
		var r remote
		raw, _ := json.Marshal(item) // it came from the wire
		_ = json.Unmarshal(raw, &r)  // what does not fit is empty, and not found
		var value []byte
		err := fmt.Errorf("there is no provider")
		if s.fetch != nil {
			value, err = s.fetch(s.at, store, r.RemoteRef.Key, r.RemoteRef.Property, r.RemoteRef.Version)
		}
		if err != nil {
			fail(wordsData, fmt.Errorf("error processing spec.data[%d] (key: %s), err: %w", i, r.RemoteRef.Key, err))
			return
		}
		data[r.SecretKey] = value
	}
	if err := s.writeTarget(c, target, data); err != nil {
		fail(wordsOwner, err)
		return
	}
	delete(s.retries, k)
	s.externalStatus(c, "True", reasonSynced, wordsSynced)
	st := c.Object["status"].(map[string]any)
	st["refreshTime"] = s.stamp().UTC().Format(time.RFC3339)
	st["syncedResourceVersion"] = version
	st["binding"] = map[string]any{"name": target}
	s.putStatus(s.r.externalSecrets, c)
	if every > 0 {
		s.after(k, s.at.Add(s.stride(every)))
	}
}

// writeTarget writes the Secret if its data is not what it should be.
func (s *Sim) writeTarget(c *unstructured.Unstructured, target string, data map[string][]byte) error {
	ns := c.GetNamespace()
	secret, ok := get[*corev1.Secret](s, s.r.secrets, ns, target)
	next := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: target, Namespace: ns}, Type: corev1.SecretTypeOpaque}
	if ok {
		next = secret.DeepCopy()
	} else if nested(c, "spec", "target", "creationPolicy") == "Merge" {
		return fmt.Errorf("the desired secret %s was not found. With creationPolicy=Merge the secret won't be created", target)
	}
	if owner := metav1.GetControllerOf(next); owner != nil && owner.UID != c.GetUID() {
		return fmt.Errorf("target is owned by another ExternalSecret")
	}
	if next.Immutable != nil && *next.Immutable && !sameData(next.Data, data) {
		return fmt.Errorf("update Secret %q: it is invalid: data: Forbidden: field is immutable when `immutable` is set", target)
	}
	next.Data = data
	next.OwnerReferences = ownerOf(s.r.externalSecrets, c)
	metav1.SetMetaDataLabel(&next.ObjectMeta, managedLabel, "true")
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, hashAnnotation, dataHash(data))
	if ok && sameData(secret.Data, data) && maps.Equal(secret.Annotations, next.Annotations) && maps.Equal(secret.Labels, next.Labels) {
		return nil
	}
	var before Object
	what := "Created"
	if ok {
		before, what = secret, "Updated"
	}
	s.own(s.r.secrets, before, next, "externalsecrets.external-secrets.io/"+c.GetName(), metav1.ManagedFieldsOperationUpdate, "")
	s.put(s.r.secrets, next)
	s.event(s.r.externalSecrets, c, corev1.EventTypeNormal, what, externalSource, "secret "+lower(what))
	return nil
}

func lower(s string) string {
	if s == "Created" {
		return "created"
	}
	return "updated"
}

// externalStatus writes the Ready condition.
func (s *Sim) externalStatus(c *unstructured.Unstructured, status, reason, message string) {
	st, ok := c.Object["status"].(map[string]any)
	if !ok {
		st = map[string]any{}
		c.Object["status"] = st
	}
	since := s.stamp().UTC().Format(time.RFC3339)
	if was, _ := readyOf(c); was == status {
		if conditions, _, _ := unstructured.NestedSlice(c.Object, "status", "conditions"); len(conditions) > 0 {
			if m, ok := conditions[0].(map[string]any); ok {
				if t, ok := m["lastTransitionTime"].(string); ok {
					since = t
				}
			}
		}
	}
	st["conditions"] = []any{map[string]any{"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": since}}
}
