package kubesim

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"

	authnv1 "k8s.io/api/authentication/v1"
	authzv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// User is somebody who may ask. Members of system:masters may do everything.
type User struct {
	Name   string
	Groups []string
	Rules  []Rule
}

// Rule allows verbs on resources, as RBAC's rules do. A star stands for all;
// Resources may name a subresource as in pods/log. No Namespaces is the whole
// cluster, no Names are all of them.
type Rule struct {
	Verbs, Groups, Resources, Names, Namespaces []string
}

// AddUser lets somebody in by name, as the common name of a client certificate,
// and by token, unless that is empty.
func (s *Sim) AddUser(u User, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[u.Name] = &u
	if token != "" {
		s.tokens[sha256.Sum256([]byte(token))] = u.Name
	}
}

// Deny takes a verb on a resource ("" and * are all) from everybody but
// system:masters, or gives it back.
func (s *Sim) Deny(verb, group, resource string, denied bool) {
	name := "deny " + verb + " " + group + "/" + resource
	if !denied {
		s.SetFault(name, nil)
		return
	}
	s.SetFault(name, &Fault{Verb: verb, Group: group, Resource: resource, deny: true})
}

// Groups everybody belongs to who is known, or not.
const (
	groupMasters = "system:masters"
	groupKnown   = "system:authenticated"
	anonymous    = "system:anonymous"
)

// who tells the user of a request; nil is refused as unknown.
func (s *Sim) who(r *http.Request) *User {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		subject := r.TLS.PeerCertificates[0].Subject
		u := User{Name: subject.CommonName, Groups: append(slices.Clone(subject.Organization), groupKnown)}
		if known := s.users[u.Name]; known != nil {
			u.Rules = known.Rules
			u.Groups = append(u.Groups, known.Groups...)
		}
		return &u
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if scheme == "" {
		return &User{Name: anonymous, Groups: []string{"system:unauthenticated"}}
	}
	if !strings.EqualFold(scheme, "bearer") {
		return nil
	}
	known := s.users[s.tokens[sha256.Sum256([]byte(strings.TrimSpace(token)))]]
	if known == nil {
		return nil
	}
	u := *known
	u.Groups = append(slices.Clone(u.Groups), groupKnown)
	return &u
}

// attributes are what is asked for, as RBAC sees it.
type attributes struct {
	verb, group, resource, sub, namespace, name string
}

func (a attributes) full() string {
	if a.sub == "" {
		return a.resource
	}
	return a.resource + "/" + a.sub
}

func has(list []string, v string) bool { return slices.Contains(list, v) || slices.Contains(list, "*") }

func (r Rule) allows(a attributes) bool {
	return has(r.Verbs, a.verb) && has(r.Groups, a.group) && has(r.Resources, a.full()) &&
		(len(r.Namespaces) == 0 || a.namespace != "" && has(r.Namespaces, a.namespace)) &&
		(len(r.Names) == 0 || slices.Contains(r.Names, a.name))
}

// allowed judges a request for a resource.
func (s *Sim) allowed(u *User, a attributes) bool {
	if slices.Contains(u.Groups, groupMasters) {
		return true
	}
	for _, f := range s.faults {
		if f.deny && f.matches(a) {
			return false
		}
	}
	// Everybody who is known may ask who they are and what they may do.
	if (a.group == "authorization.k8s.io" || a.group == "authentication.k8s.io") && a.verb == "create" && slices.Contains(u.Groups, groupKnown) {
		return true
	}
	return slices.ContainsFunc(u.Rules, func(r Rule) bool { return r.allows(a) })
}

// refusal words a refusal as the API server does.
func refusal(u *User, a attributes) string {
	what := a.resource
	if a.group != "" {
		what += "." + a.group
	}
	if a.name != "" {
		what += fmt.Sprintf(" %q", a.name)
	}
	where := "at the cluster scope"
	if a.namespace != "" {
		where = fmt.Sprintf("in the namespace %q", a.namespace)
	}
	return fmt.Sprintf("%s is forbidden: User %q cannot %s resource %q in API group %q %s", what, u.Name, a.verb, a.full(), a.group, where)
}

// review answers a SelfSubjectReview, SelfSubjectAccessReview or
// SelfSubjectRulesReview.
func (s *Sim) review(u *User, o Object) {
	switch r := o.(type) {
	case *authnv1.SelfSubjectReview:
		r.Status.UserInfo = authnv1.UserInfo{Username: u.Name, Groups: slices.Clone(u.Groups)}
	case *authzv1.SelfSubjectAccessReview:
		if n := r.Spec.NonResourceAttributes; n != nil {
			r.Status.Allowed = slices.Contains(u.Groups, groupMasters) || n.Verb == "get" && openPath(n.Path, u)
			return
		}
		if x := r.Spec.ResourceAttributes; x != nil {
			a := attributes{x.Verb, x.Group, x.Resource, x.Subresource, x.Namespace, x.Name}
			if r.Status.Allowed = s.allowed(u, a); r.Status.Allowed {
				r.Status.Reason = "RBAC: allowed by ClusterRoleBinding \"" + u.Name + "\" of ClusterRole \"" + u.Name + "\" to User \"" + u.Name + "\""
			}
		}
	case *authzv1.SelfSubjectRulesReview:
		rules := append([]Rule{{Verbs: []string{"create"}, Groups: []string{"authorization.k8s.io"}, Resources: []string{"selfsubjectaccessreviews", "selfsubjectrulesreviews"}}, {Verbs: []string{"create"}, Groups: []string{"authentication.k8s.io"}, Resources: []string{"selfsubjectreviews"}}}, u.Rules...)
		if slices.Contains(u.Groups, groupMasters) {
			rules = append(rules, Rule{Verbs: []string{"*"}, Groups: []string{"*"}, Resources: []string{"*"}})
		}
		for _, rule := range rules {
			if len(rule.Namespaces) > 0 && !has(rule.Namespaces, r.Spec.Namespace) {
				continue
			}
			r.Status.ResourceRules = append(r.Status.ResourceRules, authzv1.ResourceRule{Verbs: rule.Verbs, APIGroups: rule.Groups, Resources: rule.Resources, ResourceNames: rule.Names})
		}
		r.Status.NonResourceRules = []authzv1.NonResourceRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"}}}
	}
	o.SetManagedFields([]metav1.ManagedFieldsEntry{})
}

// openPath reports whether a path that is no resource may be read: health and
// version by anybody, discovery by everybody who is known.
func openPath(p string, u *User) bool {
	switch {
	case slices.Contains([]string{"/healthz", "/livez", "/readyz", "/version", "/version/"}, p):
		return true
	case p == "/api", p == "/apis", strings.HasPrefix(p, "/api/"), strings.HasPrefix(p, "/apis/"), strings.HasPrefix(p, "/openapi"):
		return slices.Contains(u.Groups, groupKnown)
	}
	return slices.Contains(u.Groups, groupMasters)
}
