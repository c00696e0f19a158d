package access

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorization "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"warroom/actions"
	"warroom/internal/config"
	"warroom/internal/plan"
)

// allowance is something that a procedure does to an object of a cluster.
type allowance struct{ verb, group, resource, namespace, name string }

func (a allowance) String() string {
	return fmt.Sprintf("%s %s %s/%s", a.verb, a.resource, a.namespace, a.name)
}

// allowances are what the procedures of this estate do in a cluster.
func allowances(cfg *config.Config, cluster string) []allowance {
	var out []allowance
	for i := range cfg.Components {
		c := &cfg.Components[i]
		if a := c.Application; a != nil && a.Cluster == cluster {
			// namespace/kind/name
			if parts := strings.Split(a.Workload, "/"); len(parts) == 3 {
				out = append(out, allowance{"patch", "apps", parts[1] + "s", parts[0], parts[2]})
			}
		}
		var secrets []config.StoredSecret
		switch {
		case c.SecretsManager != nil:
			secrets = c.SecretsManager.Secrets
		case c.Vault != nil:
			secrets = c.Vault.Secrets
		}
		for j := range secrets {
			if secrets[j].Rotation == nil {
				continue
			}
			for _, one := range secrets[j].Rotation.Copies {
				namespace, name, ok := strings.Cut(one.Object, "/")
				if one.Kubernetes != cluster || !ok {
					continue
				}
				if one.External {
					out = append(out, allowance{"patch", "external-secrets.io", "externalsecrets", namespace, name})
				} else {
					out = append(out, allowance{"patch", "", "secrets", namespace, name})
				}
			}
		}
		if c.Balancer != nil {
			for _, e := range c.Balancer.Endpoints {
				if e.Renew == nil || e.Renew.Cluster != cluster {
					continue
				}
				if namespace, name, ok := strings.Cut(e.Renew.Object, "/"); ok {
					out = append(out, allowance{"patch", "", "secrets", namespace, name})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b allowance) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(out)
}

// mostAllowances bounds what is asked of one cluster: an estate may have thousands of
// workloads.
const mostAllowances = 100

func kubernetesCalls(cfg *config.Config, c config.KubernetesCluster) []string {
	calls := []string{"POST selfsubjectreviews as whom we read" + alsoAct(c.Act != nil)}
	if n := min(len(allowances(cfg, c.Name)), mostAllowances); n > 0 {
		calls = append(calls, fmt.Sprintf("POST selfsubjectaccessreviews for %s, as whom we act", count(n, "object")))
	}
	return calls
}

// kubernetes asks a cluster who we are, and what the acting identity may do.
func (p *Procedure) kubernetes(c config.KubernetesCluster) look {
	return func(ctx context.Context, r *actions.Run) (string, string) {
		var words []string
		state := Usable
		for _, who := range p.identities(c.Act != nil) {
			text, known := identify(ctx, who, "kubernetes:"+c.Name)
			if !known && strings.HasPrefix(who.role, "reading") {
				state = Gone
			} else if !known && state != Gone {
				state = Limited
			}
			words = append(words, text)
			r.Part(plan.Part{Name: "identity for " + who.role, State: done(known), Detail: text})
		}
		if state == Usable {
			text, all := p.reviews(ctx, c.Name)
			if !all {
				state = Limited
			}
			if text != "" {
				words = append(words, text)
				r.Part(plan.Part{Name: "may restart services and write Secrets", State: done(all), Detail: text})
			}
		}
		return strings.Join(words, "; "), state
	}
}

// reviews has the cluster say what the acting identity may do.
func (p *Procedure) reviews(ctx context.Context, cluster string) (string, bool) {
	all := allowances(p.systems.Config, cluster)
	if len(all) == 0 {
		return "", true
	}
	all = all[:min(len(all), mostAllowances)]
	k, err := p.act().Kubernetes(cluster)
	if err != nil {
		return err.Error(), false
	}
	client, err := k.Client()
	if err != nil {
		return err.Error(), false
	}
	var refused []string
	for _, a := range all {
		review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorization.SelfSubjectAccessReview{
			Spec: authorization.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorization.ResourceAttributes{
				Verb: a.verb, Group: a.group, Resource: a.resource, Namespace: a.namespace, Name: a.name,
			}},
		}, metav1.CreateOptions{})
		if err != nil {
			return "what it may change could not be asked: " + k.Failure(err, "ask cluster "+cluster+" what we may do").Error(), false
		}
		if !review.Status.Allowed {
			refused = append(refused, a.String())
		}
	}
	if len(refused) == 0 {
		return fmt.Sprintf("may change %s", count(len(all), "object")), true
	}
	more := ""
	if n := len(refused) - mostRefused; n > 0 {
		refused, more = refused[:mostRefused], fmt.Sprintf(" and %d more", n)
	}
	return "its role lacks " + strings.Join(refused, ", ") + more, false
}
