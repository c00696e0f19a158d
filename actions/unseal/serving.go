package unseal

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// state is what a node says of itself and of who leads.
type state struct {
	sealed, standby, active bool
	ha                      bool
	leader                  string
}

// ask reads the state of a node.
func (n node) ask(ctx context.Context) (state, error) {
	var s state
	const health, leader = "sys/health", "sys/leader"
	a, err := n.read.Ask(ctx, health)
	if err != nil {
		return s, err
	}
	var h struct {
		Sealed  *bool
		Standby bool
	}
	if json.Unmarshal(a.Body, &h) != nil || h.Sealed == nil {
		return s, n.read.Refusal(ctx, a, health)
	}
	s.sealed, s.standby = *h.Sealed, h.Standby
	if s.sealed {
		return s, nil
	}
	if a, err = n.read.Ask(ctx, leader); err != nil {
		return s, err
	}
	var l struct {
		HA      bool   `json:"ha_enabled"`
		Self    bool   `json:"is_self"`
		Address string `json:"leader_address"`
	}
	if a.Code != http.StatusOK || json.Unmarshal(a.Body, &l) != nil {
		return s, n.read.Refusal(ctx, a, leader)
	}
	s.ha, s.leader = l.HA, n.read.Text(l.Address, 200)
	s.active = l.Self || !l.HA && !s.standby
	return s, nil
}

// serving waits until every node is unsealed and one of them is active.
func (m *maker) serving(ctx context.Context, r *actions.Run) (string, error) {
	tick := time.NewTicker(m.p.every)
	defer tick.Stop()
	for {
		active, trouble := "", []string{}
		ha := false
		for _, n := range m.nodes {
			s, err := n.ask(ctx)
			part := plan.Part{Name: n.address, State: plan.Running}
			switch {
			case err != nil:
				trouble = append(trouble, err.Error())
				part.Detail = "does not answer"
			case s.sealed:
				trouble = append(trouble, n.address+" is sealed")
				part.Detail = "sealed"
			case s.active:
				active = n.address
				part.State, part.Detail = plan.Done, "active"
			case s.ha && s.leader == "":
				trouble = append(trouble, n.address+" knows no active node")
				part.Detail = "standby without an active node"
			default:
				active = s.leader
				part.State, part.Detail = plan.Done, "standby of "+s.leader
			}
			ha = ha || s.ha
			r.Part(part)
		}
		switch {
		case len(trouble) == 0 && active != "" && ha:
			return fmt.Sprintf("every node is unsealed; %s is active", active), nil
		case len(trouble) == 0 && active != "":
			return active + " is unsealed and serves; its storage has no standbys", nil
		case active == "" && len(trouble) == 0:
			trouble = []string{"no node is active"}
		}
		select {
		case <-ctx.Done():
			return "", &estate.Failure{
				Kind: estate.ServerError, Doing: "see that " + m.component.Name + " serves", Detail: strings.Join(trouble, "; "),
				Next: "a cluster needs more than half of its nodes: unseal those that are still sealed, and see the log of Vault",
			}
		case <-tick.C:
		}
	}
}

// byService waits for a key service: there is nothing that a person could enter.
func (m *maker) byService(out *actions.Prepared) {
	out.Plan.Title = "Wait until " + m.component.Name + " unseals itself"
	m.add(out, plan.Step{
		ID: "key-service", Title: "Look at the key service", Where: m.component.ID, Limit: time.Minute,
		Calls: []string{"GET sys/seal-backend-status of each node"}, Verify: "the seal type and what is known of its fault are said",
	}, actions.Step{Verify: func(ctx context.Context, r *actions.Run) (string, error) {
		faults := m.p.faults(ctx, m)
		for _, text := range faults {
			r.Say("warn", text)
		}
		return "sealed by " + m.seal + ": " + strings.Join(faults, "; "), nil
	}})
	for i, n := range m.nodes {
		m.add(out, plan.Step{
			ID: fmt.Sprintf("node-%d", i+1), Title: "Wait for " + n.address, Where: m.component.ID, Limit: patience,
			Calls: []string{"GET sys/seal-status at " + n.address + ", every second"}, Verify: "the node says that it is not sealed",
		}, actions.Step{Verify: func(ctx context.Context, r *actions.Run) (string, error) { return m.wait(ctx, r, n) }})
	}
}

// wait looks until a node has unsealed itself.
func (m *maker) wait(ctx context.Context, r *actions.Run, n node) (string, error) {
	tick := time.NewTicker(m.p.every)
	defer tick.Stop()
	for {
		s, err := n.read.SealStatus(ctx)
		switch {
		case err == nil && !s.Sealed:
			r.Part(plan.Part{Name: n.address, State: plan.Done, Detail: "unsealed"})
			return n.address + " has unsealed itself", nil
		case err != nil:
			r.Part(plan.Part{Name: n.address, State: plan.Running, Detail: "does not answer"})
		default:
			r.Part(plan.Part{Name: n.address, State: plan.Running, Detail: words(s)})
		}
		select {
		case <-ctx.Done():
			return "", &estate.Failure{
				Kind: estate.Sealed, Doing: "wait until " + n.address + " unseals itself", Detail: strings.Join(m.p.faults(context.WithoutCancel(ctx), m), "; "),
				Next: "mend the key service; Vault tries again by itself every few seconds, else restart it",
			}
		case <-tick.C:
		}
	}
}

// blame writes into a plan why a Vault does not unseal itself.
func (p *Procedure) blame(ctx context.Context, m *maker, to *plan.Plan) {
	to.Why = "It unseals itself by " + m.seal + ": there are no shares to enter, and what must be mended is the key service. " + strings.Join(p.faults(ctx, m), "; ")
}

// faults are what is known to be wrong with the key service of a cluster: by Vault's
// own word, and by the key services that the estate has.
func (p *Procedure) faults(ctx context.Context, m *maker) []string {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var out []string
	for _, n := range m.nodes {
		all, err := n.read.SealBackends(ctx)
		if err != nil {
			continue // an older Vault does not tell; one that does not answer is said elsewhere
		}
		for _, b := range all {
			if !b.Healthy {
				out = append(out, fmt.Sprintf("%s: its key service %s is unhealthy%s", n.address, b.Name, since(b.Since)))
			}
		}
	}
	switch m.seal {
	case "awskms":
		out = append(out, p.kms(ctx)...)
	case "transit":
		out = append(out, p.transit(ctx, m.cluster)...)
	}
	if len(out) == 0 {
		out = []string{"nothing of it can be seen from here: see the log of Vault, which names the key and the error"}
	}
	return out
}

func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " since " + t.UTC().Format("2006-01-02 15:04:05Z")
}

// transit says which other Vault clusters of the estate are sealed themselves.
func (p *Procedure) transit(ctx context.Context, but string) []string {
	var out []string
	for _, c := range p.systems.Config.Vaults {
		if c.Name == but {
			continue
		}
		vault, err := p.systems.Read.Vault(c.Name)
		if err != nil {
			continue
		}
		var s clients.VaultSealStatus
		if s, err = vault.SealStatus(ctx); err != nil {
			out = append(out, "Vault "+c.Name+", which may hold its key, does not answer: "+err.Error())
		} else if s.Sealed {
			out = append(out, "Vault "+c.Name+", which may hold its key, is sealed itself: unseal it first")
		}
	}
	return out
}
