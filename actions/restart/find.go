package restart

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"warroom/internal/estate"
)

// member is one that may have to be restarted: a workload of a cluster, or a unit.
type member struct {
	Component string   `json:"component,omitempty"` // in warroom.yaml, where it is one there
	Cluster   string   `json:"cluster,omitempty"`
	Namespace string   `json:"namespace,omitempty"`
	Kind      string   `json:"kind,omitempty"`
	Name      string   `json:"name,omitempty"`
	Unit      string   `json:"unit,omitempty"`
	Bus       string   `json:"bus,omitempty"`
	Copies    []string `json:"copies,omitempty"` // places of the duplicates that it takes the value from
	Fixed     bool     `json:"fixed,omitempty"`  // it keeps the value that it started with

	why []string
	at  *workload // as it was when it was found; nil for a unit
}

// String is how people call it.
func (m *member) String() string {
	if m.Unit != "" {
		return m.Unit
	}
	return m.Cluster + ":" + m.Namespace + "/" + m.Kind + "/" + m.Name
}

// system is that on which it runs.
func (m *member) system() string {
	if m.Unit != "" {
		return "systemd:" + m.Bus
	}
	return "kubernetes:" + m.Cluster
}

// found is what a search brought.
type found struct {
	members []*member
	copies  []*duplicate
	pods    map[string][]corev1.Pod // by cluster and namespace
	unread  []string                // what could not be looked at
	byHand  []string                // who must be restarted by hand, with how
}

// used are the copies from which some member takes its value: another one that is behind
// holds nobody back.
func (f *found) used() []*duplicate {
	var out []*duplicate
	for _, d := range f.copies {
		if slices.ContainsFunc(f.members, func(m *member) bool { return slices.Contains(m.Copies, d.place()) }) {
			out = append(out, d)
		}
	}
	return out
}

// search looks for the consumers of secrets. Where only is not empty, no other
// component is taken, and what is not a component is not looked for.
func (p *Procedure) search(ctx context.Context, secrets []string, only estate.ID) (*found, error) {
	f := &found{pods: map[string][]corev1.Pod{}}
	p.configured(f, secrets, only)
	for _, secret := range secrets {
		p.copies(f, secret)
	}
	for i := range p.s.Config.Kubernetes {
		name := p.s.Config.Kubernetes[i].Name
		if only != "" && !slices.ContainsFunc(f.members, func(m *member) bool { return m.Cluster == name }) {
			continue
		}
		if err := p.lookAround(ctx, f, name, secrets, only); err != nil {
			if slices.ContainsFunc(f.members, func(m *member) bool { return m.Cluster == name }) {
				return nil, err
			}
			f.unread = append(f.unread, fmt.Sprintf("cluster %s: %v", name, err))
		}
	}
	for _, m := range f.members {
		if m.Unit == "" && m.at == nil {
			c, err := open(p.s.Read, m.Cluster)
			if err == nil {
				_, err = c.workload(ctx, m.Namespace, m.Kind, m.Name)
			}
			if err == nil {
				err = &estate.Failure{Kind: estate.Missing, Doing: "read " + m.String(), Detail: "there is no such workload"}
			}
			return nil, err
		}
	}
	return f, nil
}

// configured finds the applications that warroom.yaml says use the secrets.
func (p *Procedure) configured(f *found, secrets []string, only estate.ID) {
	for i := range p.s.Config.Components {
		c := &p.s.Config.Components[i]
		a := c.Application
		if a == nil || only != "" && estate.ID(c.ID) != only {
			continue
		}
		used := slices.DeleteFunc(slices.Clone(a.Secrets), func(s string) bool { return !slices.Contains(secrets, s) })
		if len(used) == 0 && only == "" {
			continue
		}
		m := &member{Component: c.ID}
		if len(used) > 0 {
			m.why = []string{"warroom.yaml says that it uses " + strings.Join(used, " and ")}
		} else {
			m.why = []string{"it was named"}
		}
		namespace, kind, name, ok := split(a.Workload)
		switch {
		case ok:
			m.Cluster, m.Namespace, m.Kind, m.Name = a.Cluster, namespace, kind, name
		case a.Unit != "":
			m.Unit, m.Bus, m.Fixed = a.Unit, cmp.Or(a.Bus, "system"), true
		default:
			f.byHand = append(f.byHand, c.Name+": warroom.yaml names neither a workload nor a unit of it")
			continue
		}
		f.members = append(f.members, m)
	}
}

// copies are those that warroom.yaml names. Of an ExternalSecret only its name is
// known yet.
func (p *Procedure) copies(f *found, secret string) {
	at, ok := p.stored[secret]
	if !ok || at.Rotation == nil {
		return
	}
	for _, c := range at.Rotation.Copies {
		namespace, name, ok := strings.Cut(c.Object, "/")
		if c.Kubernetes == "" || !ok {
			continue
		}
		d := &duplicate{Secret: secret, Cluster: c.Kubernetes, Namespace: namespace, Name: name, Keys: c.Keys, By: "it is a copy by warroom.yaml"}
		if c.External {
			d.External, d.Name = name, ""
		}
		f.copies = append(f.copies, d)
	}
}

// lookAround reads one cluster: which Secrets are copies, and who consumes them.
func (p *Procedure) lookAround(ctx context.Context, f *found, name string, secrets []string, only estate.ID) error {
	c, err := open(p.s.Read, name)
	if err != nil {
		return err
	}
	known := p.namespaces(f, c)
	external, err := listed(known, func(namespace string) ([]unstructured.Unstructured, error) {
		return c.custom(ctx, externalSecrets, namespace)
	})
	if err != nil {
		f.unread = append(f.unread, fmt.Sprintf("ExternalSecrets of cluster %s: %v", name, c.failure(err, "list ExternalSecrets")))
	}
	for i := range external {
		p.external(f, name, &external[i], secrets)
	}
	f.copies = slices.DeleteFunc(f.copies, func(d *duplicate) bool {
		if d.Cluster == name && d.Name == "" {
			f.unread = append(f.unread, fmt.Sprintf("ExternalSecret %s/%s of cluster %s, which warroom.yaml names, was not found", d.Namespace, d.External, name))
			return true
		}
		return false
	})
	classes, err := listed(known, func(namespace string) ([]unstructured.Unstructured, error) {
		return c.custom(ctx, providerClasses, namespace)
	})
	if err != nil && !denied(err) { // who has none need not grant it
		f.unread = append(f.unread, fmt.Sprintf("SecretProviderClasses of cluster %s: %v", name, c.failure(err, "list SecretProviderClasses")))
	}
	mounted := map[string]string{} // namespace/name of a class to the stored secret
	for i := range classes {
		if secret := p.provided(&classes[i], secrets); secret != "" {
			mounted[classes[i].GetNamespace()+"/"+classes[i].GetName()] = secret
			for _, s := range synced(&classes[i]) {
				f.copies = append(f.copies, &duplicate{Secret: secret, Cluster: name, Namespace: classes[i].GetNamespace(), Name: s.name, Keys: s.keys, By: "SecretProviderClass " + classes[i].GetName() + " writes it"})
			}
		}
	}
	var all []*workload
	for _, kind := range kinds {
		whole, err := everywhere(known, func(namespace string) error {
			some, err := c.workloads(ctx, kind, namespace, "")
			all = append(all, some...)
			return err
		})
		if err != nil {
			return err
		}
		if !whole && kind == deployment {
			f.unread = append(f.unread, fmt.Sprintf("cluster %s outside the namespaces %s, which we may not list", name, list(known, 6)))
		}
	}
	for _, w := range all {
		p.match(f, name, w, mounted, only)
	}
	return p.look(ctx, f, c, all, only)
}

// namespaces are those of a cluster that warroom.yaml or the kubeconfig name.
func (p *Procedure) namespaces(f *found, c *cluster) []string {
	var out []string
	for i := range p.s.Config.Components {
		if a := p.s.Config.Components[i].Application; a != nil && a.Cluster == c.name {
			if namespace, _, _, ok := split(a.Workload); ok {
				out = append(out, namespace)
			}
		}
	}
	for _, d := range f.copies {
		if d.Cluster == c.name {
			out = append(out, d.Namespace)
		}
	}
	if own := c.Namespace(); own != "" && own != "default" {
		out = append(out, own)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// listed collects a list of all namespaces, or of those that are known.
func listed[T any](known []string, read func(namespace string) ([]T, error)) (out []T, err error) {
	_, err = everywhere(known, func(namespace string) error {
		some, err := read(namespace)
		out = append(out, some...)
		return err
	})
	return out, err
}

// match makes a workload a member where it consumes a copy or a class.
func (p *Procedure) match(f *found, cluster string, w *workload, mounted map[string]string, only estate.ID) {
	var why, places []string
	fixed := false
	for _, u := range w.uses {
		how := strings.Join(u.how, ", ")
		if u.class {
			if secret, ok := mounted[w.namespace+"/"+u.name]; ok {
				why, fixed = append(why, fmt.Sprintf("it mounts SecretProviderClass %s, which brings %s", u.name, secret)), true
			}
			continue
		}
		for _, d := range f.copies {
			if d.Cluster == cluster && d.Namespace == w.namespace && d.Name == u.name {
				why = append(why, fmt.Sprintf("it uses Secret %s (%s); %s", u.name, how, d.By))
				places, fixed = append(places, d.place()), fixed || u.fixed
			}
		}
	}
	i := slices.IndexFunc(f.members, func(m *member) bool {
		return m.Cluster == cluster && m.Namespace == w.namespace && m.Kind == w.kind && m.Name == w.name
	})
	if i < 0 {
		if len(why) == 0 || only != "" {
			return
		}
		f.members = append(f.members, &member{Cluster: cluster, Namespace: w.namespace, Kind: w.kind, Name: w.name})
		i = len(f.members) - 1
	}
	m := f.members[i]
	m.at, m.Copies, m.Fixed = w, places, fixed
	m.why = append(m.why, why...)
}

// look reads the pods of the namespaces in which there are members, and finds those
// that nobody would restart.
func (p *Procedure) look(ctx context.Context, f *found, c *cluster, all []*workload, only estate.ID) error {
	for _, m := range f.members {
		if m.Cluster != c.name {
			continue
		}
		key := c.name + "/" + m.Namespace
		if _, read := f.pods[key]; read {
			continue
		}
		pods, err := c.pods(ctx, m.Namespace, nil)
		if err != nil {
			return err
		}
		f.pods[key] = pods
		if only != "" {
			continue
		}
		for i := range pods {
			if len(pods[i].OwnerReferences) > 0 {
				continue
			}
			for _, u := range usesOf(&pods[i].Spec) {
				if slices.ContainsFunc(f.copies, func(d *duplicate) bool {
					return d.Cluster == c.name && d.Namespace == m.Namespace && d.Name == u.name && !u.class
				}) {
					f.byHand = append(f.byHand, fmt.Sprintf("pod %s/%s uses Secret %s and belongs to no workload: kubectl -n %s delete pod %s, and make it anew", m.Namespace, pods[i].Name, u.name, m.Namespace, pods[i].Name))
				}
			}
		}
	}
	return nil
}
