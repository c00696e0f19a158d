//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	kwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// watcher follows a namespace from outside of what is measured: how many pods of each
// Deployment are away, and in which order Secrets changed and pods were made. The
// order is that of the cluster's own revisions.
type watcher struct {
	mu      sync.Mutex
	of      map[string]*crew // by the Deployment's name, which is the label app of its pods
	secrets map[string]*told // by name
	err     error

	stop func()
	done sync.WaitGroup
}

// crew is the pods of one Deployment.
type crew struct {
	desired int
	away    int // how many may be
	ready   map[types.UID]bool
	made    map[types.UID]int64 // revision of pods that are there
	worst   int                 // the most that were away
	fresh   int                 // pods made since it is watched
}

// told is a Secret.
type told struct {
	digest   [32]byte // of its password
	revision int64    // since when it holds that
}

// allowed is how many replicas of a Deployment a rollout may have away.
func allowed(d *appsv1.Deployment) (int, error) {
	desired := 1
	if d.Spec.Replicas != nil {
		desired = int(*d.Spec.Replicas)
	}
	r := d.Spec.Strategy.RollingUpdate
	if r == nil || r.MaxUnavailable == nil || r.MaxSurge == nil {
		return 0, fmt.Errorf("the Deployment %s is not rolled", d.Name)
	}
	away, err := intstr.GetScaledValueFromIntOrPercent(r.MaxUnavailable, desired, false)
	if err != nil {
		return 0, err
	}
	surge, err := intstr.GetScaledValueFromIntOrPercent(r.MaxSurge, desired, true)
	if err != nil {
		return 0, err
	}
	if away == 0 && surge == 0 {
		away = 1 // as the controller has it
	}
	return away, nil
}

// pod takes the news of one pod.
func (c *crew) pod(p *corev1.Pod, gone bool) error {
	revision, err := strconv.ParseInt(p.ResourceVersion, 10, 64)
	if err != nil {
		return fmt.Errorf("pod %s has revision %q: %w", p.Name, p.ResourceVersion, err)
	}
	if _, known := c.made[p.UID]; !known && !gone {
		c.made[p.UID] = revision
		c.fresh++
	}
	if gone {
		delete(c.made, p.UID)
	}
	ready := !gone && p.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(s corev1.PodCondition) bool {
		return s.Type == corev1.PodReady && s.Status == corev1.ConditionTrue
	})
	if delete(c.ready, p.UID); ready {
		c.ready[p.UID] = true
	}
	c.worst = max(c.worst, c.desired-len(c.ready))
	return nil
}

// startWatcher begins with the namespace as it is, which must be well.
func startWatcher(ctx context.Context, api kubernetes.Interface, namespace string) (*watcher, error) {
	w := &watcher{of: map[string]*crew{}, secrets: map[string]*told{}}
	ctx, w.stop = context.WithCancel(ctx)
	deployments, err := api.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("watch the rollouts: %w", err)
	}
	for i := range deployments.Items {
		d := &deployments.Items[i]
		away, err := allowed(d)
		if err != nil {
			return nil, fmt.Errorf("watch the rollouts: %w", err)
		}
		w.of[d.Name] = &crew{desired: int(*d.Spec.Replicas), away: away, ready: map[types.UID]bool{}, made: map[types.UID]int64{}}
	}
	pods, err := api.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("watch the rollouts: %w", err)
	}
	for i := range pods.Items {
		if err := w.pod(&pods.Items[i], false); err != nil {
			return nil, err
		}
	}
	for name, c := range w.of {
		if len(c.ready) != c.desired {
			return nil, fmt.Errorf("watch the rollouts: %d of %d pods of %s are ready before anything was done", len(c.ready), c.desired, name)
		}
		c.worst, c.fresh = 0, 0
	}
	secrets, err := api.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("watch the Secrets: %w", err)
	}
	for i := range secrets.Items {
		if err := w.secret(&secrets.Items[i]); err != nil {
			return nil, err
		}
	}
	podNews, err := api.CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: pods.ResourceVersion})
	if err != nil {
		return nil, fmt.Errorf("watch the rollouts: %w", err)
	}
	secretNews, err := api.CoreV1().Secrets(namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: secrets.ResourceVersion})
	if err != nil {
		return nil, fmt.Errorf("watch the Secrets: %w", err)
	}
	w.done.Go(func() { w.follow(ctx, podNews) })
	w.done.Go(func() { w.follow(ctx, secretNews) })
	return w, nil
}

// follow takes news until the watch is stopped. One that ends before has missed
// something, and is an error.
func (w *watcher) follow(ctx context.Context, news kwatch.Interface) {
	defer news.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-news.ResultChan():
			if ctx.Err() != nil {
				return
			}
			err := error(nil)
			switch o := e.Object.(type) {
			case *corev1.Pod:
				err = w.pod(o, e.Type == kwatch.Deleted)
			case *corev1.Secret:
				err = w.secret(o)
			default:
				if !ok {
					err = errors.New("a watch of the cluster ended before what it watched")
				} else {
					err = fmt.Errorf("a watch of the cluster said %s", e.Type)
				}
			}
			if err != nil {
				w.mu.Lock()
				w.err = errors.Join(w.err, err)
				w.mu.Unlock()
				return
			}
		}
	}
}

func (w *watcher) pod(p *corev1.Pod, gone bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.of[p.Labels["app"]]
	if c == nil {
		return fmt.Errorf("pod %s belongs to no Deployment that is watched", p.Name)
	}
	return c.pod(p, gone)
}

func (w *watcher) secret(s *corev1.Secret) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	revision, err := strconv.ParseInt(s.ResourceVersion, 10, 64)
	if err != nil {
		return fmt.Errorf("the Secret %s has revision %q: %w", s.Name, s.ResourceVersion, err)
	}
	digest := sha256.Sum256(s.Data["password"])
	if old := w.secrets[s.Name]; old == nil || old.digest != digest {
		w.secrets[s.Name] = &told{digest, revision}
	}
	return nil
}

// end stops watching, once everything up to a revision of the cluster was seen.
func (w *watcher) end() error {
	w.stop()
	w.done.Wait()
	return w.err
}

// onNew is how many Deployments have only pods that were made after their Secrets held
// what they hold now, and as many as they should have.
func (w *watcher) onNew(uses map[string][]string) int {
	n := 0
	for name, c := range w.of {
		since := int64(0)
		for _, secret := range uses[name] {
			since = max(since, w.secrets[secret].revision)
		}
		young := len(c.ready) == c.desired && len(c.made) == c.desired && c.fresh > 0
		for _, made := range c.made {
			young = young && made > since
		}
		if young {
			n++
		}
	}
	return n
}

// beyond is by how many replicas the worst Deployment was below what its rollout
// allows, and how many were away there; 0 when none was.
func (w *watcher) beyond() (most, away int) {
	for _, c := range w.of {
		away = max(away, c.worst)
		most = max(most, c.worst-c.away)
	}
	return most, away
}
