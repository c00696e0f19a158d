package checks

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// kubeKind is a kind of object that is watched, by its plural.
type kubeKind string

// The kinds that are watched.
const (
	deployments         kubeKind = "deployments"
	statefulSets        kubeKind = "statefulsets"
	daemonSets          kubeKind = "daemonsets"
	replicaSets         kubeKind = "replicasets"
	controllerRevisions kubeKind = "controllerrevisions"
	pods                kubeKind = "pods"
	events              kubeKind = "events"
	secrets             kubeKind = "secrets"
	externalSecrets     kubeKind = "externalsecrets"
	cronJobs            kubeKind = "cronjobs"
	jobs                kubeKind = "jobs"
)

var kubeGroups = map[kubeKind]schema.GroupVersion{
	deployments: {Group: "apps", Version: "v1"}, statefulSets: {Group: "apps", Version: "v1"}, daemonSets: {Group: "apps", Version: "v1"},
	replicaSets: {Group: "apps", Version: "v1"}, controllerRevisions: {Group: "apps", Version: "v1"},
	pods: {Version: "v1"}, events: {Version: "v1"}, secrets: {Version: "v1"},
	cronJobs: {Group: "batch", Version: "v1"}, jobs: {Group: "batch", Version: "v1"},
}

// lister and watcher ask the cluster for the objects of one kind and namespace.
type (
	lister  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watcher func(context.Context, metav1.ListOptions) (watch.Interface, error)
)

// source is where the objects of one kind and namespace come from.
type source struct {
	resource schema.GroupVersionResource
	list     lister
	watch    watcher
}

// source finds out how a kind is read. It asks the cluster for kinds that are not
// built in, and for no other.
func (k kubeKind) source(ctx context.Context, c *clients.KubernetesClients, namespace string) (source, error) {
	s := source{resource: kubeGroups[k].WithResource(string(k))}
	apps, batch, core := c.Typed.AppsV1(), c.Typed.BatchV1(), c.Typed.CoreV1()
	switch k {
	case deployments:
		s.list, s.watch = listOf(apps.Deployments(namespace).List), apps.Deployments(namespace).Watch
	case statefulSets:
		s.list, s.watch = listOf(apps.StatefulSets(namespace).List), apps.StatefulSets(namespace).Watch
	case daemonSets:
		s.list, s.watch = listOf(apps.DaemonSets(namespace).List), apps.DaemonSets(namespace).Watch
	case replicaSets:
		s.list, s.watch = listOf(apps.ReplicaSets(namespace).List), apps.ReplicaSets(namespace).Watch
	case controllerRevisions:
		s.list, s.watch = listOf(apps.ControllerRevisions(namespace).List), apps.ControllerRevisions(namespace).Watch
	case pods:
		s.list, s.watch = listOf(core.Pods(namespace).List), core.Pods(namespace).Watch
	case events:
		s.list, s.watch = listOf(core.Events(namespace).List), core.Events(namespace).Watch
	case cronJobs:
		s.list, s.watch = listOf(batch.CronJobs(namespace).List), batch.CronJobs(namespace).Watch
	case jobs:
		s.list, s.watch = listOf(batch.Jobs(namespace).List), batch.Jobs(namespace).Watch
	case secrets:
		// Metadata only: a Secret's values are never asked for.
		bare := c.Metadata.Resource(s.resource).Namespace(namespace)
		s.list, s.watch = listOf(bare.List), bare.Watch
	case externalSecrets:
		version, err := served(ctx, c)
		if err != nil {
			return s, err
		}
		s.resource = schema.GroupVersionResource{Group: externalGroup, Version: version, Resource: string(k)}
		all := c.Dynamic.Resource(s.resource).Namespace(namespace)
		s.list, s.watch = listOf(all.List), all.Watch
	default:
		return s, fmt.Errorf("no source for %s", k)
	}
	return s, nil
}

// served is the version in which the cluster serves External Secrets. Discovery
// tells it apart from what we may not read: an API server refuses reading before
// it looks whether there is such a kind.
func served(ctx context.Context, c *clients.KubernetesClients) (string, error) {
	var group metav1.APIGroup
	err := c.Typed.Discovery().RESTClient().Get().AbsPath("/apis/" + externalGroup).Do(ctx).Into(&group)
	if err != nil {
		return "", err
	}
	for _, want := range []string{"v1", "v1beta1"} {
		for _, v := range group.Versions {
			if v.Version == want {
				return want, nil
			}
		}
	}
	return "", &estate.Failure{Kind: estate.NotSupported, Detail: "the cluster serves External Secrets in no version that warroom reads (v1, v1beta1)"}
}

// listOf drops the type of a list.
func listOf[L runtime.Object](list func(context.Context, metav1.ListOptions) (L, error)) lister {
	return func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		l, err := list(ctx, o)
		if err != nil {
			return nil, err
		}
		return l, nil
	}
}

// stripped is a list with each object stripped, which makes one page all that is
// ever held of the cluster's own objects.
func (w words) stripped(list runtime.Object, keep func(*item) bool) (runtime.Object, error) {
	m, err := meta.ListAccessor(list)
	if err != nil {
		return nil, err
	}
	out := &items{ListMeta: metav1.ListMeta{ResourceVersion: m.GetResourceVersion(), Continue: m.GetContinue(), RemainingItemCount: m.GetRemainingItemCount()}}
	err = meta.EachListItem(list, func(obj runtime.Object) error {
		if i := w.strip(obj); i != nil && i.what != nil && keep(i) {
			out.Items = append(out.Items, i)
		}
		return nil
	})
	return out, err
}
