package kubesim

import (
	"mime"
	"slices"
	"strings"

	apidiscovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// discover answers /api, /apis, what is below them, and /openapi; it reports
// whether there is such a path.
func (q *request) discover(p string) bool {
	r := q.sim.r
	p = strings.TrimSuffix(p, "/")
	switch parts := strings.Split(strings.TrimPrefix(p, "/"), "/"); {
	case p == "/api" || p == "/apis":
		if q.aggregated(p == "/api") {
			return true
		}
		if p == "/api" {
			q.json(metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}})
			return true
		}
		list := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
		for _, name := range r.groups() {
			list.Groups = append(list.Groups, r.group(name))
		}
		q.json(list)
	case parts[0] == "apis" && len(parts) == 2 && r.hasGroup(parts[1], "") && parts[1] != "":
		g := r.group(parts[1])
		g.TypeMeta = metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}
		q.json(g)
	case parts[0] == "api" && len(parts) == 2 && parts[1] == "v1":
		q.json(r.listing("", "v1"))
	case parts[0] == "apis" && len(parts) == 3 && parts[1] != "" && r.hasGroup(parts[1], parts[2]):
		q.json(r.listing(parts[1], parts[2]))
	case parts[0] == "openapi":
		return q.openapi(parts[1:])
	default:
		return false
	}
	return true
}

// groups are the names of the groups but the core's, in order.
func (r *resources) groups() (out []string) {
	for _, res := range r.all {
		if res.group != "" && !slices.Contains(out, res.group) {
			out = append(out, res.group)
		}
	}
	return out
}

func (r *resources) group(name string) metav1.APIGroup {
	v := metav1.GroupVersionForDiscovery{GroupVersion: name + "/v1", Version: "v1"}
	return metav1.APIGroup{Name: name, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v}
}

// subs are the subresources of a resource, with their kinds and verbs.
func (r *resource) subs() (out []metav1.APIResource) {
	if r.status {
		out = append(out, metav1.APIResource{Name: "status", Kind: r.kind, Verbs: metav1.Verbs{"get", "patch", "update"}})
	}
	if r.scale {
		out = append(out, metav1.APIResource{Name: "scale", Kind: "Scale", Group: "autoscaling", Version: "v1", Verbs: metav1.Verbs{"get", "patch", "update"}})
	}
	if r.kind == "Pod" {
		out = append(out, metav1.APIResource{Name: "log", Kind: "Pod", Verbs: metav1.Verbs{"get"}},
			metav1.APIResource{Name: "eviction", Kind: "Eviction", Group: "policy", Version: "v1", Verbs: metav1.Verbs{"create"}})
	}
	return out
}

// categories are those a resource is part of for kubectl get all.
func (r *resource) categories() []string {
	switch r.plural {
	case "pods", "services", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs":
		return []string{"all"}
	case "externalsecrets", "secretstores", "clustersecretstores":
		return []string{"external-secrets"}
	}
	return nil
}

func (r *resources) listing(group, version string) metav1.APIResourceList {
	out := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: strings.TrimPrefix(group+"/"+version, "/")}
	for _, res := range r.all {
		if res.group != group || res.version != version {
			continue
		}
		out.APIResources = append(out.APIResources, metav1.APIResource{
			Name: res.plural, SingularName: res.singular, Namespaced: res.namespaced, Kind: res.kind, Verbs: res.verbs(), ShortNames: res.short, Categories: res.categories(),
		})
		for _, sub := range res.subs() {
			sub.Name, sub.Namespaced = res.plural+"/"+sub.Name, res.namespaced
			out.APIResources = append(out.APIResources, sub)
		}
	}
	return out
}

// aggregated answers with everything at once, where that is asked for.
func (q *request) aggregated(core bool) bool {
	wanted := false
	for clause := range strings.SplitSeq(q.http.Header.Get("Accept"), ",") {
		kind, params, err := mime.ParseMediaType(clause)
		wanted = wanted || err == nil && kind == jsonType && params["as"] == "APIGroupDiscoveryList" && params["v"] == "v2" && params["g"] == apidiscovery.GroupName
	}
	if !wanted {
		return false
	}
	out := apidiscovery.APIGroupDiscoveryList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupDiscoveryList", APIVersion: "apidiscovery.k8s.io/v2"}}
	groups := q.sim.r.groups()
	if core {
		groups = []string{""}
	}
	for _, name := range groups {
		v := apidiscovery.APIVersionDiscovery{Version: "v1", Freshness: apidiscovery.DiscoveryFreshnessCurrent}
		for _, res := range q.sim.r.all {
			if res.group != name {
				continue
			}
			scope := apidiscovery.ScopeCluster
			if res.namespaced {
				scope = apidiscovery.ScopeNamespace
			}
			gvk := res.gvk()
			d := apidiscovery.APIResourceDiscovery{
				Resource: res.plural, SingularResource: res.singular, Scope: scope, Verbs: res.verbs(), ShortNames: res.short, Categories: res.categories(),
				ResponseKind: &metav1.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind},
			}
			for _, sub := range res.subs() {
				kind := &metav1.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: sub.Kind}
				if sub.Group != "" {
					kind.Group, kind.Version = sub.Group, sub.Version
				}
				d.Subresources = append(d.Subresources, apidiscovery.APISubresourceDiscovery{Subresource: sub.Name, ResponseKind: kind, Verbs: sub.Verbs})
			}
			v.Resources = append(v.Resources, d)
		}
		g := apidiscovery.APIGroupDiscovery{Versions: []apidiscovery.APIVersionDiscovery{v}}
		g.Name = name
		out.Items = append(out.Items, g)
	}
	q.jsonAs(jsonType+";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", out)
	return true
}

// openapi answers with as much of a description as kubectl needs to know that
// the server checks fields itself: no schemas.
func (q *request) openapi(parts []string) bool {
	r := q.sim.r
	if len(parts) == 0 || parts[0] != "v3" {
		return false
	}
	if len(parts) == 1 {
		paths := map[string]any{"api/v1": map[string]string{"serverRelativeURL": "/openapi/v3/api/v1"}}
		for _, g := range r.groups() {
			paths["apis/"+g+"/v1"] = map[string]string{"serverRelativeURL": "/openapi/v3/apis/" + g + "/v1"}
		}
		q.json(map[string]any{"paths": paths})
		return true
	}
	group := ""
	switch {
	case len(parts) == 3 && parts[1] == "api" && parts[2] == "v1":
	case len(parts) == 4 && parts[1] == "apis" && parts[3] == "v1" && r.hasGroup(parts[2], "v1"):
		group = parts[2]
	default:
		return false
	}
	paths := map[string]any{}
	for _, res := range r.all {
		if res.group != group || res.virtual || res.readOnly {
			continue
		}
		p := "/" + strings.Join(parts[1:], "/")
		if res.namespaced {
			p += "/namespaces/{namespace}"
		}
		query := func(name string) map[string]any {
			return map[string]any{"name": name, "in": "query", "schema": map[string]any{"type": "string", "uniqueItems": true}}
		}
		operation := map[string]any{
			"operationId": "patch" + res.kind, "x-kubernetes-group-version-kind": map[string]string{"group": res.group, "version": res.version, "kind": res.kind},
			"parameters": []any{query("dryRun"), query("fieldManager"), query("fieldValidation")},
			"responses":  map[string]any{"200": map[string]any{"description": "OK"}},
		}
		paths[p+"/"+res.plural+"/{name}"] = map[string]any{"patch": operation}
	}
	q.json(map[string]any{"openapi": "3.0.0", "info": map[string]string{"title": "Kubernetes", "version": q.sim.o.Version}, "paths": paths, "components": map[string]any{"schemas": map[string]any{}}})
	return true
}
