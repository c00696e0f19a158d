package discover

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"warroom/internal/config"
)

// cluster is what was found in one Kubernetes cluster.
type cluster struct {
	config.KubernetesCluster
	workloads []workload
	more      int      // workloads that consume secrets and are not listed
	jobs      []string // namespace/name of CronJobs that look as if they rotate secrets
	hosts     []string
}

// maxJobs bounds the CronJobs that are listed.
const maxJobs = 20

// rotates are the words in a CronJob's name by which it is taken for one that
// rotates secrets.
var rotates = regexp.MustCompile(`(?i)rotat|renew|refresh|credential|secret`)

// job takes a CronJob that is called as if it rotated secrets.
func (c *cluster) job(namespace, name string) {
	if rotates.MatchString(name) && !slices.Contains(systemNamespaces, namespace) && len(c.jobs) < maxJobs {
		c.jobs = append(c.jobs, namespace+"/"+name)
	}
}

// workload is one that consumes Secrets.
type workload struct {
	namespace, kind, name string
	secrets               []string // Kubernetes Secrets
	stored                []string // names in a secret store from which an ExternalSecret makes them
}

// pageSize bounds one answer of a listing.
const pageSize = 250

// systemNamespaces run the cluster itself.
var systemNamespaces = []string{"kube-system", "kube-public", "kube-node-lease"}

func (l *looker) kubernetes(ctx context.Context, cfg config.KubernetesCluster) {
	what := "Kubernetes context " + cfg.Context
	if cfg.Context == "" {
		what = "the current Kubernetes context"
	}
	l.Progress(what)
	conn, err := l.set.Kubernetes(cfg.Name)
	if err != nil {
		l.note(what, err)
		return
	}
	rest, err := conn.Config()
	if err != nil {
		l.note(what, err)
		return
	}
	client, err := conn.Client()
	if err != nil {
		l.note(what, err)
		return
	}
	c := cluster{KubernetesCluster: cfg}
	home := conn.Namespace()
	sources := map[string][]string{} // names in a store, by namespace/Secret
	if external, err := dynamic.NewForConfig(rest); err == nil {
		sources = externalSecrets(ctx, external, home)
	}
	take := func(namespace, kind, name string, spec core.PodSpec) {
		used := consumed(spec)
		if len(used) == 0 || slices.Contains(systemNamespaces, namespace) {
			return
		}
		if len(c.workloads) == maxWorkloads {
			c.more++
			return
		}
		w := workload{namespace: namespace, kind: kind, name: name, secrets: used}
		for _, s := range used {
			w.stored = append(w.stored, sources[namespace+"/"+s]...)
		}
		slices.Sort(w.stored)
		w.stored = slices.Compact(w.stored)
		c.workloads = append(c.workloads, w)
	}
	for _, list := range []struct {
		what string
		read func(namespace string) error
	}{
		{"Deployments", func(in string) error {
			return each(ctx, client.AppsV1().Deployments(in).List, func(x *apps.DeploymentList) (string, int) {
				for i := range x.Items {
					take(x.Items[i].Namespace, "deployment", x.Items[i].Name, x.Items[i].Spec.Template.Spec)
				}
				return x.Continue, len(x.Items)
			})
		}},
		{"StatefulSets", func(in string) error {
			return each(ctx, client.AppsV1().StatefulSets(in).List, func(x *apps.StatefulSetList) (string, int) {
				for i := range x.Items {
					take(x.Items[i].Namespace, "statefulset", x.Items[i].Name, x.Items[i].Spec.Template.Spec)
				}
				return x.Continue, len(x.Items)
			})
		}},
		{"DaemonSets", func(in string) error {
			return each(ctx, client.AppsV1().DaemonSets(in).List, func(x *apps.DaemonSetList) (string, int) {
				for i := range x.Items {
					take(x.Items[i].Namespace, "daemonset", x.Items[i].Name, x.Items[i].Spec.Template.Spec)
				}
				return x.Continue, len(x.Items)
			})
		}},
		{"CronJobs", func(in string) error {
			return each(ctx, client.BatchV1().CronJobs(in).List, func(x *batch.CronJobList) (string, int) {
				for i := range x.Items {
					c.job(x.Items[i].Namespace, x.Items[i].Name)
				}
				return x.Continue, len(x.Items)
			})
		}},
		{"Ingresses", func(in string) error { return l.ingresses(ctx, client, in, &c) }},
	} {
		err := list.read(meta.NamespaceAll)
		if apierrors.IsForbidden(err) && home != "" {
			// Who may not look at all of it may look at home.
			err = list.read(home)
		}
		if err != nil {
			l.note(list.what+" of "+what, conn.Failure(err, "list the "+list.what))
			if ctx.Err() != nil {
				break
			}
		}
	}
	l.add(func(f *Found) { f.clusters = append(f.clusters, c) })
}

// each reads a listing page by page.
func each[L any](ctx context.Context, list func(context.Context, meta.ListOptions) (L, error), take func(L) (string, int)) error {
	o := meta.ListOptions{Limit: pageSize}
	for range listingPages {
		page, err := list(ctx, o)
		if err != nil {
			return err
		}
		next, n := take(page)
		if next == "" || n == 0 {
			return nil
		}
		o.Continue = next
	}
	return fmt.Errorf("there are more than one look reads")
}

func (l *looker) ingresses(ctx context.Context, client kubernetes.Interface, namespace string, c *cluster) error {
	err := each(ctx, client.NetworkingV1().Ingresses(namespace).List, func(x *networking.IngressList) (string, int) {
		for i := range x.Items {
			for _, t := range x.Items[i].Spec.TLS {
				for _, h := range t.Hosts {
					if !strings.Contains(h, "*") && len(c.hosts) < maxHosts {
						c.hosts = append(c.hosts, h)
					}
				}
			}
		}
		return x.Continue, len(x.Items)
	})
	slices.Sort(c.hosts)
	c.hosts = slices.Compact(c.hosts)
	return err
}

// externalSecrets maps namespace/Secret to the names in a store from which the
// External Secrets Operator makes it. Without the operator there are none.
func externalSecrets(ctx context.Context, client dynamic.Interface, home string) map[string][]string {
	out := map[string][]string{}
	for _, version := range []string{"v1", "v1beta1"} {
		resource := schema.GroupVersionResource{Group: "external-secrets.io", Version: version, Resource: "externalsecrets"}
		take := func(x *unstructured.UnstructuredList) (string, int) {
			for i := range x.Items {
				o := &x.Items[i]
				target, _, _ := unstructured.NestedString(o.Object, "spec", "target", "name")
				if target == "" {
					target = o.GetName()
				}
				at := o.GetNamespace() + "/" + target
				out[at] = append(out[at], remoteKeys(o.Object)...)
			}
			return x.GetContinue(), len(x.Items)
		}
		err := each(ctx, client.Resource(resource).List, take)
		if apierrors.IsForbidden(err) && home != "" {
			err = each(ctx, client.Resource(resource).Namespace(home).List, take)
		}
		if err == nil {
			return out
		}
	}
	return out
}

// remoteKeys are the names in the store that an ExternalSecret reads.
func remoteKeys(object map[string]any) []string {
	var out []string
	for _, list := range []struct{ field, ref string }{{"data", "remoteRef"}, {"dataFrom", "extract"}} {
		items, _, _ := unstructured.NestedSlice(object, "spec", list.field)
		for _, item := range items {
			if m, ok := item.(map[string]any); ok {
				if key, _, _ := unstructured.NestedString(m, list.ref, "key"); key != "" {
					out = append(out, key)
				}
			}
		}
	}
	return out
}

// consumed are the Secrets that a pod reads.
func consumed(spec core.PodSpec) []string {
	var out []string
	add := func(name string) {
		if name != "" {
			out = append(out, name)
		}
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				add(e.ValueFrom.SecretKeyRef.Name)
			}
		}
		for _, e := range c.EnvFrom {
			if e.SecretRef != nil {
				add(e.SecretRef.Name)
			}
		}
	}
	for _, v := range spec.Volumes {
		if v.Secret != nil {
			add(v.Secret.SecretName)
		}
		if v.Projected != nil {
			for _, s := range v.Projected.Sources {
				if s.Secret != nil {
					add(s.Secret.Name)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
