package unseal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// Names of the plan's facts.
const (
	factNodes     = "nodes"     // addresses of those that are to be unsealed, by spaces
	factThreshold = "threshold" // shares that open one
	factSeal      = "seal"      // its type
)

// seen is how a node was when the plan was made.
type seen struct {
	node
	status clients.VaultSealStatus
	err    error
}

// Prepare looks at every node and makes the plan.
func (p *Procedure) Prepare(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	c, err := p.component(ask.Target)
	if err != nil {
		return nil, err
	}
	cluster := c.Vault.Cluster
	if ask.Past != nil {
		return p.again(ctx, c, ask.Past)
	}
	addresses, from, err := p.addresses(ctx, cluster)
	if err != nil {
		return nil, err
	}
	all, err := p.look(ctx, cluster, addresses)
	if err != nil {
		return nil, err
	}
	var sealed []seen
	var silent []string
	for _, n := range all {
		switch {
		case n.err != nil:
			silent = append(silent, n.address+": "+n.err.Error())
		case !n.status.Initialized && !n.status.Shamir():
			// A node that a key service unseals joins by itself.
		case !n.status.Initialized:
			silent = append(silent, n.address+" has not joined its cluster yet: it is not initialised")
		case n.status.Sealed:
			sealed = append(sealed, n)
		}
	}
	if len(sealed) == 0 {
		return nil, p.nothing(c, all, silent)
	}
	m := p.maker(c, sealed[0].status)
	for _, n := range sealed {
		m.nodes = append(m.nodes, n.node)
	}
	out := m.prepared()
	for _, n := range all {
		out.Plan.Observed = append(out.Plan.Observed, observed(n))
	}
	out.Observe = func(ctx context.Context) ([]plan.Observed, error) {
		now, err := p.look(ctx, cluster, addresses)
		if err != nil {
			return nil, err
		}
		list := make([]plan.Observed, 0, len(now))
		for _, n := range now {
			list = append(list, observed(n))
		}
		return list, nil
	}
	for i, text := range silent {
		out.Plan.Warnings = append(out.Plan.Warnings, plan.Warning{ID: fmt.Sprintf("node-%d-left-out", i+1), Text: "left out: " + text})
	}
	if from != "warroom.yaml" && len(addresses) == 1 {
		out.Plan.Warnings = append(out.Plan.Warnings, plan.Warning{
			ID:   "one-address",
			Text: "only the node behind " + addresses[0] + " is unsealed: a sealed cluster does not tell of its other nodes; list them under nodes in warroom.yaml",
		})
	}
	if !m.shamir {
		p.blame(ctx, m, &out.Plan)
	}
	return out, nil
}

// again makes the steps of an earlier plan anew, whatever the nodes say by now. A
// journal is a file that others may have written: shares go to no address because it
// says so.
func (p *Procedure) again(ctx context.Context, c *config.Component, past *actions.Past) (*actions.Prepared, error) {
	known, err := p.known(ctx, c.Vault.Cluster)
	if err != nil {
		return nil, err
	}
	var threshold int
	_, _ = fmt.Sscan(past.Facts[factThreshold], &threshold)
	m := p.maker(c, clients.VaultSealStatus{Type: past.Facts[factSeal], Threshold: threshold})
	for address := range strings.FieldsSeq(past.Facts[factNodes]) {
		if !slices.Contains(known, address) {
			return nil, &actions.Refusal{
				What: "taking up the unsealing of " + c.ID, Why: "neither warroom.yaml nor the cluster itself names " + p.systems.Read.Text(address, 120) + " as a node, as the journal does",
				Next: "abandon that run, and plan unseal again: shares that a node has taken still count there",
			}
		}
		n, err := p.at(c.Vault.Cluster, address)
		if err != nil {
			return nil, err
		}
		m.nodes = append(m.nodes, n)
	}
	return m.prepared(), nil
}

// known are the addresses to which shares may go: those of addresses, and the one that
// everybody uses.
func (p *Procedure) known(ctx context.Context, cluster string) ([]string, error) {
	out, _, err := p.addresses(ctx, cluster)
	if err != nil {
		return nil, err
	}
	vault, err := p.systems.Read.Vault(cluster)
	if err != nil {
		return nil, err
	}
	client, err := vault.Client()
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(out), client.Address()), nil
}

// look asks every node how it is sealed.
func (p *Procedure) look(ctx context.Context, cluster string, addresses []string) ([]seen, error) {
	out := make([]seen, 0, len(addresses))
	for _, address := range addresses {
		n, err := p.at(cluster, address)
		if err != nil {
			return nil, err
		}
		one := seen{node: n}
		one.status, one.err = n.read.SealStatus(ctx)
		out = append(out, one)
	}
	return out, nil
}

// observed is a node in words. It may change under way: shares come from elsewhere.
func observed(n seen) plan.Observed {
	o := plan.Observed{Name: "seal of " + n.address, Live: true}
	switch {
	case n.err != nil:
		o.Value = "not read: " + n.err.Error()
	default:
		o.Value = words(n.status)
	}
	return o
}

// words is a status in a few words.
func words(s clients.VaultSealStatus) string {
	switch {
	case !s.Initialized:
		return "not initialised"
	case !s.Sealed:
		return "unsealed"
	case s.Shamir():
		return fmt.Sprintf("sealed, %d of %d shares given", s.Progress, s.Threshold)
	}
	return "sealed; it unseals itself by " + s.Type
}

// nothing says why there is nothing to unseal.
func (p *Procedure) nothing(c *config.Component, all []seen, silent []string) error {
	r := &actions.Refusal{What: "unseal " + c.ID, Why: "no node of it is sealed", Next: "see its health in the console; check access with: warroom plan access all"}
	if len(silent) > 0 && len(silent) == len(all) {
		r.Why = "no node of it can be unsealed now: " + strings.Join(silent, "; ")
		r.Next = "start the nodes, or correct their addresses under nodes in warroom.yaml"
		for _, n := range all {
			if f, ok := n.err.(*estate.Failure); ok && len(all) == 1 { //nolint:errorlint // SealStatus returns it bare
				return f
			}
		}
	} else if len(silent) > 0 {
		r.Why += " that can be asked; " + strings.Join(silent, "; ")
	}
	return r
}
