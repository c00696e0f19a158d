package access

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// need is what a procedure needs of one path of Vault: any one of the capabilities.
type need struct {
	path string
	any  []string
	what string // for which it is needed
}

// vaultNeeds are the paths that the procedures of this estate change in a cluster.
func vaultNeeds(cfg *config.Config, cluster string) []need {
	var out []need
	kv := func(path, what string) {
		mount, rest, ok := strings.Cut(strings.Trim(path, "/"), "/")
		if !ok {
			return
		}
		out = append(out,
			need{mount + "/data/" + rest, []string{"update"}, what},
			need{mount + "/data/" + rest + ".warroom-pending", []string{"create"}, what},
			need{mount + "/metadata/" + rest + ".warroom-pending", []string{"update", "create"}, what})
	}
	secret := func(s *config.StoredSecret) {
		if s.Rotation == nil {
			return
		}
		for _, c := range s.Rotation.Copies {
			if c.Cluster == cluster {
				kv(c.Path, "the copy of "+s.Called())
			}
		}
		if d := s.Rotation.Database; d != nil && d.Static != nil && d.Static.Cluster == cluster {
			out = append(out, need{d.Static.Mount + "/rotate-role/" + d.Static.Role, []string{"update"}, "its rotation of " + s.Called()})
		}
	}
	for i := range cfg.Components {
		c := &cfg.Components[i]
		switch {
		case c.SecretsManager != nil:
			for j := range c.SecretsManager.Secrets {
				secret(&c.SecretsManager.Secrets[j])
			}
		case c.Vault != nil:
			for j := range c.Vault.Secrets {
				s := &c.Vault.Secrets[j]
				secret(s)
				if c.Vault.Cluster == cluster && s.Rotation != nil {
					kv(s.ID, s.Called())
				}
			}
		case c.Balancer != nil:
			for _, e := range c.Balancer.Endpoints {
				if e.Renew != nil && e.Renew.Vault != nil && e.Renew.Vault.Cluster == cluster {
					out = append(out, need{e.Renew.Vault.Mount + "/sign/" + e.Renew.Vault.Role, []string{"update"}, "the certificate of " + e.Address})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b need) int { return strings.Compare(a.path, b.path) })
	return slices.CompactFunc(out, func(a, b need) bool { return a.path == b.path })
}

func vaultCalls(cfg *config.Config, c config.VaultCluster) []string {
	calls := []string{"GET sys/health", "GET auth/token/lookup-self as whom we read" + alsoAct(c.Act != nil)}
	if n := len(vaultNeeds(cfg, c.Name)); n > 0 {
		calls = append(calls, fmt.Sprintf("POST sys/capabilities-self for %d paths, as whom we act", n))
	}
	return calls
}

func alsoAct(apart bool) string {
	if apart {
		return " and as whom we act"
	}
	return ""
}

// vault asks a cluster: reachable, unsealed, tokens valid, capabilities.
func (p *Procedure) vault(c config.VaultCluster) look {
	return func(ctx context.Context, r *actions.Run) (string, string) {
		gone := func(err error) (string, string) {
			r.Part(plan.Part{Name: "reachable and unsealed", State: plan.Failed, Detail: err.Error()})
			return err.Error(), Gone
		}
		read, err := p.systems.Read.Vault(c.Name)
		if err != nil {
			return gone(err)
		}
		a, err := read.Ask(ctx, "sys/health")
		if err != nil {
			return gone(err)
		}
		var health struct {
			Initialized, Sealed *bool
			Standby             bool
			Version             string
		}
		switch {
		case json.Unmarshal(a.Body, &health) != nil || health.Sealed == nil || health.Initialized == nil:
			return gone(read.Refusal(ctx, a, "sys/health"))
		case !*health.Initialized:
			return gone(&estate.Failure{Kind: estate.Uninitialised, Doing: "ask Vault cluster " + c.Name, Next: "see whether this is the cluster meant, and whether its storage was lost"})
		case *health.Sealed:
			return gone(&estate.Failure{Kind: estate.Sealed, Doing: "ask Vault cluster " + c.Name, Next: "plan unseal for it: warroom plan unseal " + vaultComponent(p.systems.Config, c.Name)})
		}
		r.Part(plan.Part{Name: "reachable and unsealed", State: plan.Done, Detail: "version " + read.Text(health.Version, 40)})
		words, state := []string{"reachable and unsealed"}, Usable
		for _, who := range p.identities(c.Act != nil) {
			text, known := identify(ctx, who, "vault:"+c.Name)
			if !known {
				state = Limited
				if strings.HasPrefix(who.role, "reading") {
					state = Gone
				}
			}
			words = append(words, text)
			r.Part(plan.Part{Name: "token for " + who.role, State: done(known), Detail: text})
		}
		if state == Usable {
			text, all := p.capabilities(ctx, c.Name)
			if !all {
				state = Limited
			}
			if text != "" {
				words = append(words, text)
				r.Part(plan.Part{Name: "may change what procedures change", State: done(all), Detail: text})
			}
		}
		return strings.Join(words, "; "), state
	}
}

func done(ok bool) plan.StepState {
	if ok {
		return plan.Done
	}
	return plan.Failed
}

// vaultComponent is the component of a cluster, to plan with; the cluster's name where
// none has it.
func vaultComponent(cfg *config.Config, cluster string) string {
	for i := range cfg.Components {
		if c := &cfg.Components[i]; c.Vault != nil && c.Vault.Cluster == cluster {
			return c.ID
		}
	}
	return cluster
}

// identify says as whom a system knows us, and whether it does.
func identify(ctx context.Context, who identity, system string) (string, bool) {
	id := who.set.Identity(ctx, system)
	if id.Err != nil {
		return who.role + ": " + id.Err.Error(), false
	}
	text := who.role + " as " + id.Name
	if !id.Expires.IsZero() {
		text += " until " + id.Expires.UTC().Format("2006-01-02 15:04Z")
	}
	return text, true
}

// capabilities says whether those as whom we act may do what the procedures do.
func (p *Procedure) capabilities(ctx context.Context, cluster string) (string, bool) {
	needs := vaultNeeds(p.systems.Config, cluster)
	if len(needs) == 0 {
		return "", true
	}
	v, err := p.act().Vault(cluster)
	if err != nil {
		return err.Error(), false
	}
	paths := make([]string, len(needs))
	for i, n := range needs {
		paths[i] = n.path
	}
	had := map[string][]string{}
	if err := v.Write(ctx, "sys/capabilities-self", map[string]any{"paths": paths}, &had); err != nil {
		return "what it may change could not be asked: " + err.Error(), false
	}
	var missing []string
	for _, n := range needs {
		if !slices.ContainsFunc(had[n.path], func(c string) bool { return c == "root" || slices.Contains(n.any, c) }) {
			missing = append(missing, fmt.Sprintf("%s on %s (%s)", strings.Join(n.any, " or "), n.path, n.what))
		}
	}
	if len(missing) > 0 {
		return "its policies lack " + strings.Join(missing, "; "), false
	}
	return fmt.Sprintf("may change the %d paths that procedures change", len(needs)), true
}

// act is as whom we change things.
func (p *Procedure) act() *clients.Set {
	if p.systems.Act != nil {
		return p.systems.Act
	}
	return p.systems.Read
}
