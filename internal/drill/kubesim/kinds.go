package kubesim

import (
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	authnv1 "k8s.io/api/authentication/v1"
	authzv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// resource is one kind of object and how it is served.
type resource struct {
	group, version, plural, singular, kind string

	short      []string
	namespaced bool
	status     bool // has a status of its own, written through /status
	scale      bool
	generation bool // counts changes of its spec
	custom     bool // defined by a CustomResourceDefinition: JSON only
	virtual    bool // only asked, never stored
	readOnly   bool
	shadows    *resource           // what is stored is that one's
	convert    func(Object) Object // from it

	make      func() Object
	defaults  func(*Sim, Object)
	fields    func(Object) fields.Set
	columns   []metav1.TableColumnDefinition
	row       func(*Sim, Object) []any
	reconcile func(s *Sim, namespace, name string)
}

func (r *resource) gvk() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: r.group, Version: r.version, Kind: r.kind}
}

func (r *resource) gr() schema.GroupResource {
	return schema.GroupResource{Group: r.group, Resource: r.plural}
}

// stored is the resource under which its objects are kept.
func (r *resource) stored() *resource {
	if r.shadows != nil {
		return r.shadows
	}
	return r
}

func (r *resource) verbs() []string {
	switch {
	case r.virtual:
		return []string{"create"}
	case r.readOnly:
		return []string{"get", "list", "watch"}
	}
	return []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
}

// resources are all kinds of a cluster.
type resources struct {
	namespaces, nodes, pods, events, newEvents, secrets, configMaps, accounts, services, endpoints, slices *resource
	deployments, replicaSets, statefulSets, daemonSets, revisions                                          *resource
	quotas, budgets, cronJobs, jobs, leases, accessReviews, rulesReviews, whoReviews                       *resource
	externalSecrets, secretStores, clusterStores                                                           *resource

	all    []*resource
	byKind map[string]*resource
}

const externalGroup = "external-secrets.io"

func newResources() *resources {
	r := &resources{byKind: map[string]*resource{}}
	custom := func(kind string) func() Object {
		return func() Object {
			u := &unstructured.Unstructured{Object: map[string]any{}}
			u.SetGroupVersionKind(schema.GroupVersionKind{Group: externalGroup, Version: "v1", Kind: kind})
			return u
		}
	}
	r.namespaces = &resource{version: "v1", plural: "namespaces", singular: "namespace", kind: "Namespace", short: []string{"ns"}, status: true,
		make: func() Object { return &corev1.Namespace{} }, defaults: defaultNamespace}
	r.nodes = &resource{version: "v1", plural: "nodes", singular: "node", kind: "Node", short: []string{"no"}, status: true,
		make: func() Object { return &corev1.Node{} }, fields: nodeFields}
	r.pods = &resource{version: "v1", plural: "pods", singular: "pod", kind: "Pod", short: []string{"po"}, namespaced: true, status: true, generation: true,
		make: func() Object { return &corev1.Pod{} }, defaults: defaultPod, fields: podFields, reconcile: (*Sim).kubelet}
	r.events = &resource{version: "v1", plural: "events", singular: "event", kind: "Event", short: []string{"ev"}, namespaced: true,
		make: func() Object { return &corev1.Event{} }, fields: eventFields}
	r.secrets = &resource{version: "v1", plural: "secrets", singular: "secret", kind: "Secret", namespaced: true,
		make: func() Object { return &corev1.Secret{} }, defaults: defaultSecret, fields: secretFields}
	r.configMaps = &resource{version: "v1", plural: "configmaps", singular: "configmap", kind: "ConfigMap", short: []string{"cm"}, namespaced: true,
		make: func() Object { return &corev1.ConfigMap{} }}
	r.accounts = &resource{version: "v1", plural: "serviceaccounts", singular: "serviceaccount", kind: "ServiceAccount", short: []string{"sa"}, namespaced: true,
		make: func() Object { return &corev1.ServiceAccount{} }}
	r.services = &resource{version: "v1", plural: "services", singular: "service", kind: "Service", short: []string{"svc"}, namespaced: true, status: true,
		make: func() Object { return &corev1.Service{} }, defaults: defaultService, reconcile: (*Sim).endpointController}
	r.endpoints = &resource{version: "v1", plural: "endpoints", singular: "endpoints", kind: "Endpoints", short: []string{"ep"}, namespaced: true,
		make: newEndpoints}
	r.slices = &resource{group: "discovery.k8s.io", version: "v1", plural: "endpointslices", singular: "endpointslice", kind: "EndpointSlice", namespaced: true,
		make: func() Object { return &discoveryv1.EndpointSlice{} }}
	r.deployments = &resource{group: "apps", version: "v1", plural: "deployments", singular: "deployment", kind: "Deployment", short: []string{"deploy"}, namespaced: true, status: true, scale: true, generation: true,
		make: func() Object { return &appsv1.Deployment{} }, defaults: defaultDeployment, reconcile: (*Sim).deploymentController}
	r.replicaSets = &resource{group: "apps", version: "v1", plural: "replicasets", singular: "replicaset", kind: "ReplicaSet", short: []string{"rs"}, namespaced: true, status: true, scale: true, generation: true,
		make: func() Object { return &appsv1.ReplicaSet{} }, defaults: defaultReplicaSet, reconcile: (*Sim).replicaSetController}
	r.statefulSets = &resource{group: "apps", version: "v1", plural: "statefulsets", singular: "statefulset", kind: "StatefulSet", short: []string{"sts"}, namespaced: true, status: true, scale: true, generation: true,
		make: func() Object { return &appsv1.StatefulSet{} }, defaults: defaultStatefulSet, reconcile: (*Sim).statefulSetController}
	r.daemonSets = &resource{group: "apps", version: "v1", plural: "daemonsets", singular: "daemonset", kind: "DaemonSet", short: []string{"ds"}, namespaced: true, status: true, generation: true,
		make: func() Object { return &appsv1.DaemonSet{} }, defaults: defaultDaemonSet, reconcile: (*Sim).daemonSetController}
	r.revisions = &resource{group: "apps", version: "v1", plural: "controllerrevisions", singular: "controllerrevision", kind: "ControllerRevision", namespaced: true,
		make: func() Object { return &appsv1.ControllerRevision{} }}
	r.cronJobs = &resource{group: "batch", version: "v1", plural: "cronjobs", singular: "cronjob", kind: "CronJob", short: []string{"cj"}, namespaced: true, status: true, generation: true,
		make: func() Object { return &batchv1.CronJob{} }, defaults: defaultCronJob, reconcile: (*Sim).cronJobController}
	r.jobs = &resource{group: "batch", version: "v1", plural: "jobs", singular: "job", kind: "Job", namespaced: true, status: true, generation: true,
		make: func() Object { return &batchv1.Job{} }, defaults: defaultJob, fields: jobFields, reconcile: (*Sim).jobController}
	r.budgets = &resource{group: "policy", version: "v1", plural: "poddisruptionbudgets", singular: "poddisruptionbudget", kind: "PodDisruptionBudget", short: []string{"pdb"}, namespaced: true, status: true, generation: true,
		make: func() Object { return &policyv1.PodDisruptionBudget{} }, reconcile: (*Sim).budgetController}
	r.quotas = &resource{version: "v1", plural: "resourcequotas", singular: "resourcequota", kind: "ResourceQuota", short: []string{"quota"}, namespaced: true, status: true,
		make: func() Object { return &corev1.ResourceQuota{} }, reconcile: (*Sim).quotaController}
	r.leases = &resource{group: "coordination.k8s.io", version: "v1", plural: "leases", singular: "lease", kind: "Lease", namespaced: true,
		make: func() Object { return &coordv1.Lease{} }}
	r.newEvents = &resource{group: "events.k8s.io", version: "v1", plural: "events", singular: "event", kind: "Event", short: []string{"ev"}, namespaced: true, readOnly: true, shadows: r.events, convert: toNewEvent,
		make: func() Object { return &eventsv1.Event{} }, fields: newEventFields}
	r.accessReviews = &resource{group: "authorization.k8s.io", version: "v1", plural: "selfsubjectaccessreviews", singular: "selfsubjectaccessreview", kind: "SelfSubjectAccessReview", virtual: true,
		make: func() Object { return &authzv1.SelfSubjectAccessReview{} }}
	r.rulesReviews = &resource{group: "authorization.k8s.io", version: "v1", plural: "selfsubjectrulesreviews", singular: "selfsubjectrulesreview", kind: "SelfSubjectRulesReview", virtual: true,
		make: func() Object { return &authzv1.SelfSubjectRulesReview{} }}
	r.whoReviews = &resource{group: "authentication.k8s.io", version: "v1", plural: "selfsubjectreviews", singular: "selfsubjectreview", kind: "SelfSubjectReview", virtual: true,
		make: func() Object { return &authnv1.SelfSubjectReview{} }}
	r.externalSecrets = &resource{group: externalGroup, version: "v1", plural: "externalsecrets", singular: "externalsecret", kind: "ExternalSecret", short: []string{"es"}, namespaced: true, status: true, generation: true, custom: true,
		make: custom("ExternalSecret"), defaults: defaultExternalSecret, reconcile: (*Sim).externalSecretController}
	r.secretStores = &resource{group: externalGroup, version: "v1", plural: "secretstores", singular: "secretstore", kind: "SecretStore", short: []string{"ss"}, namespaced: true, status: true, generation: true, custom: true,
		make: custom("SecretStore")}
	r.clusterStores = &resource{group: externalGroup, version: "v1", plural: "clustersecretstores", singular: "clustersecretstore", kind: "ClusterSecretStore", short: []string{"css"}, status: true, generation: true, custom: true,
		make: custom("ClusterSecretStore")}
	r.all = []*resource{
		r.namespaces, r.nodes, r.pods, r.events, r.secrets, r.configMaps, r.accounts, r.services, r.endpoints,
		r.deployments, r.replicaSets, r.statefulSets, r.daemonSets, r.revisions, r.cronJobs, r.jobs, r.quotas, r.budgets, r.slices, r.leases,
		r.newEvents, r.accessReviews, r.rulesReviews, r.whoReviews, r.externalSecrets, r.secretStores, r.clusterStores,
	}
	for _, res := range r.all {
		if res.shadows == nil {
			r.byKind[res.kind] = res
		}
	}
	r.addTables()
	return r
}

// find is the resource of a path.
func (r *resources) find(group, version, plural string) *resource {
	i := slices.IndexFunc(r.all, func(res *resource) bool {
		return res.group == group && res.version == version && res.plural == plural
	})
	if i < 0 {
		return nil
	}
	return r.all[i]
}

// hasGroup reports whether a group is served in a version, or at all for "".
func (r *resources) hasGroup(group, version string) bool {
	return slices.ContainsFunc(r.all, func(res *resource) bool { return res.group == group && (version == "" || res.version == version) })
}

// sameSpec reports whether two states of an object want the same.
func sameSpec(a, b Object) bool {
	if ua, ok := a.(*unstructured.Unstructured); ok {
		return apiequality.Semantic.DeepEqual(ua.Object["spec"], b.(*unstructured.Unstructured).Object["spec"])
	}
	x, y := reflect.ValueOf(a).Elem().FieldByName("Spec"), reflect.ValueOf(b).Elem().FieldByName("Spec")
	return !x.IsValid() || apiequality.Semantic.DeepEqual(x.Interface(), y.Interface())
}

// takeStatus gives an object the status of another one.
func takeStatus(to, from Object) {
	if u, ok := to.(*unstructured.Unstructured); ok {
		if status, ok := from.(*unstructured.Unstructured).Object["status"]; ok {
			u.Object["status"] = runtime.DeepCopyJSONValue(status)
		} else {
			delete(u.Object, "status")
		}
		return
	}
	dst, src := reflect.ValueOf(to).Elem().FieldByName("Status"), reflect.ValueOf(copyOf(from)).Elem().FieldByName("Status")
	if dst.IsValid() {
		dst.Set(src)
	}
}

// typed is a shallow copy that says its kind, as objects on the wire do.
func (r *resource) typed(o Object) Object {
	if r.convert != nil {
		o = r.convert(o)
	}
	if r.custom {
		return o // its kind is in its content
	}
	v := reflect.New(reflect.TypeOf(o).Elem())
	v.Elem().Set(reflect.ValueOf(o).Elem())
	c := v.Interface().(Object)
	c.GetObjectKind().SetGroupVersionKind(r.gvk())
	return c
}

// plain is an object as lists of built-in kinds hold it, without its kind.
func (r *resource) plain(o Object) Object {
	if r.convert != nil {
		o = r.convert(o)
	}
	return o
}

func (r *resource) fieldSet(o Object) fields.Set {
	set := fields.Set{}
	if r.fields != nil {
		set = r.fields(r.plain(o))
	}
	set["metadata.name"] = o.GetName()
	if r.namespaced {
		set["metadata.namespace"] = o.GetNamespace()
	}
	return set
}
