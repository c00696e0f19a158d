// Package access looks whether recovery is possible at all: whether Vault can be
// reached, is unsealed and takes our tokens, whether AWS knows us and its Secrets
// Manager answers, and what those as whom we act may do.
//
// Its rules: it only reads. One system that is gone does not keep it from looking at
// the others. What could not be asked is said as that, never as good. When no store of
// secrets can be used, it says so plainly, with what can still be done by hand.
package access

import (
	"context"
	"fmt"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/plan"
)

// Name is the procedure's, as on the command line.
const Name = "access"

// Everything is the one target: every account and cluster of warroom.yaml.
const Everything = "all"

// How a system was found, as the fact STATE of "vault:primary", "aws:main" and
// "kubernetes:prod" says.
const (
	Usable  = "usable"  // reading and acting
	Limited = "limited" // it answers, but something that recovery needs is missing
	Gone    = "gone"    // not reachable, sealed, or it does not know us
)

// limit bounds what is asked of one system.
const limit = time.Minute

// Procedure is access. Its zero value is of no use: see New.
type Procedure struct{ systems actions.Systems }

// New makes the procedure for an estate.
func New(systems actions.Systems) *Procedure { return &Procedure{systems: systems} }

// About describes it.
func (p *Procedure) About() plan.About {
	return plan.About{
		Name: Name, Title: "Check access to Vault and AWS", Target: "what to look at", Changes: false,
		Summary: "Says whether Vault and AWS can be used, as whom, and what may be changed there; and what is left to do by hand when they cannot. It only reads.",
	}
}

// Targets is the whole estate.
func (p *Procedure) Targets() []plan.Target {
	return []plan.Target{{ID: Everything, Title: "every account and cluster of warroom.yaml", Ready: true}}
}

// look is how one system is asked; it returns what was found, and how it stands.
type look func(ctx context.Context, r *actions.Run) (found string, state string)

// Prepare makes one step for each system, and the verdict.
func (p *Procedure) Prepare(_ context.Context, ask actions.Ask) (*actions.Prepared, error) {
	if ask.Target != Everything {
		return nil, &actions.Refusal{What: "check access to " + ask.Target, Why: "the target of this procedure is " + Everything, Next: "choose that one"}
	}
	out := &actions.Prepared{Plan: plan.Plan{
		Procedure: Name, Target: Everything, Title: "Check access to Vault and AWS",
		Why: "before anything is changed: which of the systems can be used at all, and as whom",
	}}
	cfg := p.systems.Config
	for _, c := range cfg.Vaults {
		p.add(out, "vault:"+c.Name, "Vault cluster "+c.Name, p.vault(c), vaultCalls(cfg, c))
	}
	for _, a := range cfg.AWS {
		p.add(out, "aws:"+a.Name, "AWS account "+a.Name, p.aws(a), awsCalls(cfg, a))
	}
	for _, c := range cfg.Kubernetes {
		p.add(out, "kubernetes:"+c.Name, "Kubernetes cluster "+c.Name, p.kubernetes(c), kubernetesCalls(cfg, c))
	}
	out.Plan.Steps = append(out.Plan.Steps, plan.Step{
		ID: "verdict", Title: "Say whether recovery is possible", Limit: limit,
		Verify: "a store of secrets can be used; where none can, what is left to do by hand is listed",
	})
	out.Steps = append(out.Steps, actions.Step{Verify: func(_ context.Context, r *actions.Run) (string, error) { return p.verdict(r) }})
	return out, nil
}

// add is the step that asks one system. It is done when the system was asked: what
// was found is its detail, and the verdict's to judge.
func (p *Procedure) add(out *actions.Prepared, id, title string, f look, calls []string) {
	out.Plan.Steps = append(out.Plan.Steps, plan.Step{
		ID: id, Title: "Ask " + title, Where: id, Calls: calls, Limit: limit, Verify: "what it answers is said, whatever it is",
	})
	out.Steps = append(out.Steps, actions.Step{Verify: func(ctx context.Context, r *actions.Run) (string, error) {
		found, state := f(ctx, r)
		r.Note(id, state)
		mark := map[string]string{Usable: "ok", Limited: "warn", Gone: "fail"}[state]
		r.Say(mark, title+": "+found)
		return found, nil
	}})
}

// identities are as whom a system is used: to read, and to act where that is somebody
// else.
type identity struct {
	role string
	set  *clients.Set
}

func (p *Procedure) identities(acting bool) []identity {
	out := []identity{{"reading", p.systems.Read}}
	if acting && p.systems.Act != nil {
		return append(out, identity{"acting", p.systems.Act})
	}
	out[0].role = "reading and acting"
	return out
}

// ByHand is what can still be done without Vault, AWS or this console, one line each,
// numbered: which databases can be opened by whom, and whom to call.
func ByHand(cfg *config.Config) []string {
	var out []string
	line := func(format string, args ...any) {
		out = append(out, fmt.Sprintf("%d. ", len(out)+1)+fmt.Sprintf(format, args...))
	}
	holders := stored(cfg)
	for i := range cfg.Components {
		c := &cfg.Components[i]
		if c.Postgres == nil || c.Postgres.Role != "primary" {
			continue
		}
		at := fmt.Sprintf("%s at %s:%d, database %s", c.Name, c.Postgres.Host, c.Postgres.Port, c.Postgres.Database)
		s := holders[c.Postgres.Secret]
		switch {
		case s != nil && s.Rotation != nil && s.Rotation.Database != nil && s.Rotation.Database.Emergency != "":
			emergency := s.Rotation.Database.Emergency
			line("%s can be opened with the superuser of %s: whoever keeps a copy outside the store (%s) logs in with psql and sets a password for the applications with \\password", at, emergency, whom(holders[emergency], c.Owner, c.Contact))
		default:
			line("%s: a superuser on the server itself (psql as the postgres user of that host) can set a password with \\password: %s", at, reach(c.Owner, c.Contact))
		}
	}
	for _, c := range cfg.Vaults {
		line("Vault cluster %s: its key shares and recovery keys are with their holders; they are called by %s", c.Name, vaultOwner(cfg, c.Name))
	}
	for _, a := range cfg.AWS {
		line("AWS account %s: an administrator logs in at the AWS console, or renews the credentials of this machine (aws sso login%s)", a.Name, profile(a))
	}
	seen := map[string]bool{}
	for i := range cfg.Components {
		c := &cfg.Components[i]
		if c.Application == nil || c.Fallback == "" || seen[c.ID] {
			continue
		}
		seen[c.ID] = true
		line("%s can go on without: %s (%s)", c.Name, c.Fallback, reach(c.Owner, c.Contact))
	}
	return out
}

func profile(a config.AWSAccount) string {
	if a.Profile == "" {
		return ""
	}
	return " --profile " + a.Profile
}

// stored are the stored secrets of the estate by how it calls them.
func stored(cfg *config.Config) map[string]*config.StoredSecret {
	out := map[string]*config.StoredSecret{}
	for i := range cfg.Components {
		c := &cfg.Components[i]
		var list []config.StoredSecret
		switch {
		case c.SecretsManager != nil:
			list = c.SecretsManager.Secrets
		case c.Vault != nil:
			list = c.Vault.Secrets
		}
		for j := range list {
			out[list[j].Called()] = &list[j]
		}
	}
	return out
}

func whom(s *config.StoredSecret, owner, contact string) string {
	if s != nil && (s.Owner != "" || s.Contact != "") {
		return reach(s.Owner, s.Contact)
	}
	return reach(owner, contact)
}

// reach is who answers for something, and how to reach them.
func reach(owner, contact string) string {
	switch {
	case owner == "" && contact == "":
		return "warroom.yaml names nobody"
	case contact == "":
		return owner
	case owner == "":
		return contact
	}
	return owner + ", " + contact
}

// vaultOwner is who answers for a cluster.
func vaultOwner(cfg *config.Config, cluster string) string {
	for i := range cfg.Components {
		if c := &cfg.Components[i]; c.Vault != nil && c.Vault.Cluster == cluster {
			return reach(c.Owner, c.Contact)
		}
	}
	return reach("", "")
}

// Procedures are all of this package.
func Procedures(systems actions.Systems) []actions.Procedure {
	return []actions.Procedure{New(systems)}
}
