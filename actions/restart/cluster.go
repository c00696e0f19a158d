package restart

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// pageSize bounds one page of a list, and mostObjects all of them.
const (
	pageSize    = 500
	mostObjects = 20_000
)

// errTooMany says that a list was given up.
var errTooMany = errors.New("the list has more objects than an estate can have")

// cluster reads one cluster. Objects are asked for by lists, with a field selector
// where one is meant: whoever may watch the estate may list.
type cluster struct {
	name string
	*clients.Kubernetes
	*clients.KubernetesClients
}

// cluster returns the clients of a cluster of a set.
func open(set *clients.Set, name string) (*cluster, error) {
	k, err := set.Kubernetes(name)
	if err != nil {
		return nil, err
	}
	all, err := k.Clients()
	if err != nil {
		return nil, err
	}
	return &cluster{name: name, Kubernetes: k, KubernetesClients: all}, nil
}

// pages walks the pages of a list. name narrows it to one object.
func pages[L metav1.ListInterface](ctx context.Context, c *cluster, name string, list func(context.Context, metav1.ListOptions) (L, error), each func(L)) error {
	o := metav1.ListOptions{Limit: pageSize}
	if name != "" {
		o.FieldSelector = "metadata.name=" + name
	}
	for seen := 0; seen < mostObjects; seen += pageSize {
		bounded, cancel := context.WithTimeout(ctx, c.Limit())
		page, err := list(bounded, o)
		cancel()
		if err != nil {
			return err
		}
		each(page)
		if o.Continue = page.GetContinue(); o.Continue == "" {
			return nil
		}
	}
	return errTooMany
}

// workloads lists the workloads of a kind in a namespace, or in all for "".
func (c *cluster) workloads(ctx context.Context, kind, namespace, name string) ([]*workload, error) {
	var out []*workload
	apps := c.Typed.AppsV1()
	var err error
	switch kind {
	case deployment:
		err = pages(ctx, c, name, apps.Deployments(namespace).List, func(l *appsv1.DeploymentList) {
			for i := range l.Items {
				out = append(out, ofDeployment(&l.Items[i]))
			}
		})
	case statefulSet:
		err = pages(ctx, c, name, apps.StatefulSets(namespace).List, func(l *appsv1.StatefulSetList) {
			for i := range l.Items {
				out = append(out, ofStatefulSet(&l.Items[i]))
			}
		})
	case daemonSet:
		err = pages(ctx, c, name, apps.DaemonSets(namespace).List, func(l *appsv1.DaemonSetList) {
			for i := range l.Items {
				out = append(out, ofDaemonSet(&l.Items[i]))
			}
		})
	default:
		err = &estate.Failure{Kind: estate.Misconfigure, Detail: "a " + kind + " is no kind of workload that can be restarted"}
	}
	if err != nil {
		return nil, c.failure(err, fmt.Sprintf("list %s %sof cluster %s", resource(kind), named(namespace, name), c.name))
	}
	return out, nil
}

func named(namespace, name string) string {
	switch {
	case name != "":
		return namespace + "/" + name + " "
	case namespace != "":
		return "in namespace " + namespace + " "
	}
	return ""
}

// workload reads one workload.
func (c *cluster) workload(ctx context.Context, namespace, kind, name string) (*workload, error) {
	all, err := c.workloads(ctx, kind, namespace, name)
	if err != nil {
		return nil, err
	}
	for _, w := range all {
		if w.name == name && w.namespace == namespace {
			return w, nil
		}
	}
	return nil, &estate.Failure{
		Kind: estate.Missing, Doing: fmt.Sprintf("read %s/%s/%s in cluster %s", namespace, kind, name, c.name),
		Detail: "there is no such workload", Next: "correct it in warroom.yaml, or find out who deleted it",
	}
}

// pods lists the pods of a namespace, of one workload where w is not nil.
func (c *cluster) pods(ctx context.Context, namespace string, w *workload) ([]corev1.Pod, error) {
	list := func(ctx context.Context, o metav1.ListOptions) (*corev1.PodList, error) {
		if w != nil {
			o.LabelSelector = w.selector.String()
		}
		return c.Typed.CoreV1().Pods(namespace).List(ctx, o)
	}
	var out []corev1.Pod
	err := pages(ctx, c, "", list, func(l *corev1.PodList) { out = append(out, l.Items...) })
	if err != nil {
		return nil, c.failure(err, fmt.Sprintf("list the pods in namespace %s of cluster %s", namespace, c.name))
	}
	return out, nil
}

// secret reads one Secret with its data; nil where there is none.
func (c *cluster) secret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	var found *corev1.Secret
	err := pages(ctx, c, name, c.Typed.CoreV1().Secrets(namespace).List, func(l *corev1.SecretList) {
		for i := range l.Items {
			if l.Items[i].Name == name {
				found = &l.Items[i]
			}
		}
	})
	if apierrors.IsForbidden(err) {
		bounded, cancel := context.WithTimeout(ctx, c.Limit())
		defer cancel()
		if one, again := c.Typed.CoreV1().Secrets(namespace).Get(bounded, name, metav1.GetOptions{}); again == nil {
			return one, nil
		} else if apierrors.IsNotFound(again) {
			return nil, nil
		}
	}
	if err != nil {
		return nil, c.failure(err, fmt.Sprintf("read Secret %s/%s of cluster %s", namespace, name, c.name))
	}
	return found, nil
}

// budgets lists the PodDisruptionBudgets of a namespace.
func (c *cluster) budgets(ctx context.Context, namespace string) ([]policyv1.PodDisruptionBudget, error) {
	var out []policyv1.PodDisruptionBudget
	err := pages(ctx, c, "", c.Typed.PolicyV1().PodDisruptionBudgets(namespace).List, func(l *policyv1.PodDisruptionBudgetList) { out = append(out, l.Items...) })
	return out, err
}

// quotas lists the ResourceQuotas of a namespace.
func (c *cluster) quotas(ctx context.Context, namespace string) ([]corev1.ResourceQuota, error) {
	var out []corev1.ResourceQuota
	err := pages(ctx, c, "", c.Typed.CoreV1().ResourceQuotas(namespace).List, func(l *corev1.ResourceQuotaList) { out = append(out, l.Items...) })
	return out, err
}

// Kinds that are not built in.
var (
	externalSecrets = schema.GroupVersionResource{Group: "external-secrets.io", Version: "v1", Resource: "externalsecrets"}
	providerClasses = schema.GroupVersionResource{Group: "secrets-store.csi.x-k8s.io", Version: "v1", Resource: "secretproviderclasses"}
)

// custom lists the objects of a kind that is not built in; none where the cluster
// does not have it. An External Secrets Operator before 0.17 has v1beta1 alone.
func (c *cluster) custom(ctx context.Context, kind schema.GroupVersionResource, namespace string) ([]unstructured.Unstructured, error) {
	var out []unstructured.Unstructured
	err := pages(ctx, c, "", c.Dynamic.Resource(kind).Namespace(namespace).List, func(l *unstructured.UnstructuredList) { out = append(out, l.Items...) })
	if apierrors.IsNotFound(err) && kind == externalSecrets {
		kind.Version = "v1beta1"
		return c.custom(ctx, kind, namespace)
	}
	if apierrors.IsNotFound(err) || runtime.IsNotRegisteredError(err) {
		return nil, nil
	}
	return out, err
}

// everywhere calls read for all namespaces at once, or, where that is forbidden, for
// each of those that are known by name. It reports whether it saw all.
func everywhere(known []string, read func(namespace string) error) (all bool, err error) {
	err = read("")
	if err == nil || !denied(err) {
		return err == nil, err
	}
	if len(known) == 0 {
		return false, err
	}
	for _, namespace := range known {
		if err := read(namespace); err != nil {
			return false, err
		}
	}
	return false, nil
}

// denied reports whether an answer was that we may not.
func denied(err error) bool {
	var f *estate.Failure
	return apierrors.IsForbidden(err) || errors.As(err, &f) && f.Kind == estate.Denied
}

// failure is Kubernetes.Failure, which keeps what is one already.
func (c *cluster) failure(err error, doing string) error {
	var f *estate.Failure
	if errors.As(err, &f) && f.Doing != "" {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	return c.Failure(err, doing)
}

// dataChanged is when the data of a Secret was last written, as its managed fields
// say; zero where they do not.
func dataChanged(s *corev1.Secret) time.Time {
	var last time.Time
	for _, f := range s.ManagedFields {
		if f.Time == nil || f.FieldsV1 == nil || f.Subresource != "" {
			continue
		}
		if ownsData(f.FieldsV1.GetRawBytes()) && f.Time.After(last) {
			last = f.Time.UTC()
		}
	}
	return last
}

// current drops the pods that have ended or are ending.
func current(pods []corev1.Pod) []corev1.Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool {
		return p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	})
}
