// Package unseal opens a sealed Vault with the shares of its key, which their holders
// enter here or on machines of their own, node by node.
//
// Its rules: a share is sent to the nodes that the plan names and nowhere else; it is
// in no journal, log, error or argument. Nobody can tell which of several shares is
// wrong, so it is never said; what Vault says of all together is. A Vault that a key
// service unseals takes no shares: the service and its fault are named, and nothing is
// asked for. Unsealing is not undone.
package unseal

import (
	"context"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// Name is the procedure's, as on the command line.
const Name = "unseal"

const (
	// watchEvery is how often a node is asked how far its unsealing is.
	watchEvery = time.Second
	// patience is how long holders may take to enter their shares at one node, and a
	// key service to come back.
	patience = 30 * time.Minute
	// electIn is how long the unsealed nodes may take to agree on an active one.
	electIn = 2 * time.Minute
)

// Procedure is unseal. Its zero value is of no use: see New.
type Procedure struct {
	systems actions.Systems
	every   time.Duration
}

// New makes the procedure for the Vault clusters of an estate.
func New(systems actions.Systems) *Procedure {
	return &Procedure{systems: systems, every: watchEvery}
}

// About describes it.
func (p *Procedure) About() plan.About {
	return plan.About{
		Name: Name, Title: "Unseal Vault", Target: "Vault component", Changes: true,
		Summary: "Takes key shares here or watches their holders enter them, node by node, until Vault serves again. Shares are never stored or recorded.",
	}
}

// Targets are the components that are Vault clusters.
func (p *Procedure) Targets() []plan.Target {
	var out []plan.Target
	for i := range p.systems.Config.Components {
		c := &p.systems.Config.Components[i]
		if c.Vault == nil {
			continue
		}
		t := plan.Target{ID: c.ID, Title: c.Name + ", cluster " + c.Vault.Cluster, Ready: true}
		if p.systems.Readings != nil {
			if all := p.systems.Readings(); all != nil {
				if r, ok := all.Of(estate.ID(c.ID)); ok && r.Status == estate.Fail && r.Word == "SEALED" {
					t.Due = r.Reason
				}
			}
		}
		out = append(out, t)
	}
	return out
}

// component is the Vault component of that id.
func (p *Procedure) component(id string) (*config.Component, error) {
	for i := range p.systems.Config.Components {
		if c := &p.systems.Config.Components[i]; c.ID == id && c.Vault != nil {
			return c, nil
		}
	}
	return nil, &actions.Refusal{What: "unseal " + id, Why: "warroom.yaml has no Vault component of that id", Next: "choose one of the targets"}
}

// node is one node of the cluster, by two identities: as who looks, and as who gives
// shares. Neither shows a token.
type node struct {
	address   string
	read, act *clients.Vault
}

// at is the node of a cluster at an address.
func (p *Procedure) at(cluster, address string) (node, error) {
	n := node{address: address}
	read, err := p.systems.Read.Vault(cluster)
	if err != nil {
		return n, err
	}
	act, err := p.systems.Act.Vault(cluster)
	if err != nil {
		return n, err
	}
	if n.read, err = read.At(address); err != nil {
		return n, err
	}
	n.act, err = act.At(address)
	return n, err
}

// addresses are those of the cluster's nodes, and where they are known from: as
// configured, as the cluster tells while it can, or the one that everybody uses.
func (p *Procedure) addresses(ctx context.Context, cluster string) ([]string, string, error) {
	for _, c := range p.systems.Config.Vaults {
		if c.Name == cluster && len(c.Nodes) > 0 {
			return c.Nodes, "warroom.yaml", nil
		}
	}
	vault, err := p.systems.Read.Vault(cluster)
	if err != nil {
		return nil, "", err
	}
	var body struct {
		Nodes []struct {
			Address string `json:"api_address"`
		}
	}
	if vault.Read(ctx, clients.VaultRoot, "sys/ha-status", &body) == nil {
		var out []string
		for _, n := range body.Nodes[:min(len(body.Nodes), mostNodes)] {
			if n.Address != "" {
				out = append(out, n.Address)
			}
		}
		if len(out) > 0 {
			return out, "sys/ha-status", nil
		}
	}
	client, err := vault.Client()
	if err != nil {
		return nil, "", err
	}
	return []string{client.Address()}, "the cluster's own address", nil
}

// mostNodes bounds how many nodes of one cluster are looked after.
const mostNodes = 50

// Procedures are all of this package.
func Procedures(systems actions.Systems) []actions.Procedure {
	return []actions.Procedure{New(systems)}
}
