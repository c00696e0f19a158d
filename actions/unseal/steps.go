package unseal

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// maker makes plan and steps for the nodes of one cluster.
type maker struct {
	p         *Procedure
	component *config.Component
	cluster   string
	seal      string
	shamir    bool
	threshold int
	nodes     []node
}

func (p *Procedure) maker(c *config.Component, s clients.VaultSealStatus) *maker {
	return &maker{p: p, component: c, cluster: c.Vault.Cluster, seal: s.Type, shamir: s.Shamir(), threshold: s.Threshold}
}

func (m *maker) prepared() *actions.Prepared {
	var addresses []string
	for _, n := range m.nodes {
		addresses = append(addresses, n.address)
	}
	out := &actions.Prepared{Plan: plan.Plan{
		Procedure: Name, Target: m.component.ID, Title: "Unseal " + m.component.Name,
		Facts: map[string]string{factNodes: strings.Join(addresses, " "), factThreshold: fmt.Sprint(m.threshold), factSeal: m.seal},
	}}
	if m.shamir {
		m.byShares(out)
	} else {
		m.byService(out)
	}
	m.add(out, plan.Step{
		ID: "serving", Title: "See that Vault serves", Where: m.component.ID, Limit: electIn,
		Calls: []string{"GET sys/health and sys/leader of each node"}, Verify: "every node is unsealed, and one of them is active and known to all",
	}, actions.Step{Verify: m.serving})
	return out
}

func (m *maker) add(out *actions.Prepared, s plan.Step, do actions.Step) {
	out.Plan.Steps = append(out.Plan.Steps, s)
	out.Steps = append(out.Steps, do)
}

// byShares takes shares, node by node.
func (m *maker) byShares(out *actions.Prepared) {
	out.Plan.Why = fmt.Sprintf("%d of its key shares open each node. Holders enter theirs here, unseen, or from machines of their own with: vault operator unseal", m.threshold)
	out.Plan.Irreversible = "Unsealing is not taken back by warroom. Whoever must close Vault again seals it by hand, with: vault operator seal"
	for i := range m.threshold {
		out.Plan.Inputs = append(out.Plan.Inputs, plan.Input{
			ID: inputID(i), Label: fmt.Sprintf("key share %d of %d (empty: its holder enters one elsewhere)", i+1, m.threshold), Optional: true,
		})
	}
	for i, n := range m.nodes {
		m.add(out, plan.Step{
			ID: fmt.Sprintf("node-%d", i+1), Title: "Unseal " + n.address, Where: m.component.ID, Change: true, Limit: patience,
			Calls: []string{
				"PUT sys/unseal at " + n.address + ", once for each share that was typed here",
				"GET sys/seal-status at " + n.address + ", every second until it is unsealed",
			},
			Before: "each share that was typed has the form of one, and no two are the same",
			Verify: "the node says that it is not sealed",
		}, actions.Step{
			Check: func(_ context.Context, r *actions.Run) error {
				_, err := shares(r, m.threshold)
				return err
			},
			Do: func(ctx context.Context, r *actions.Run) error { return m.open(ctx, r, n) },
			Probe: func(ctx context.Context, r *actions.Run) (plan.Effect, string, error) {
				s, err := n.read.SealStatus(ctx)
				switch {
				case err != nil:
					return plan.Unclear, "", err
				case !s.Sealed:
					return plan.Took, n.address + " is unsealed", nil
				case s.Progress > 0:
					return plan.Partly, n.address + " is " + words(s), nil
				}
				return plan.NotDone, n.address + " is " + words(s), nil
			},
			Verify: func(ctx context.Context, r *actions.Run) (string, error) {
				s, err := n.read.SealStatus(ctx)
				if err != nil {
					return "", err
				}
				if s.Sealed {
					return "", &estate.Failure{Kind: estate.Sealed, Doing: "unseal " + n.address, Detail: words(s), Next: "make the plan again, and have holders enter the shares that are missing"}
				}
				return n.address + " is unsealed", nil
			},
		})
	}
}

func inputID(i int) string { return fmt.Sprintf("share-%d", i+1) }

// shares are those that were typed, each of which has the form of one.
func shares(r *actions.Run, threshold int) ([]typed, error) {
	var out []typed
	var raw [][]byte
	for i := range threshold {
		value := r.Input(inputID(i))
		text := strings.TrimSpace(value.Reveal())
		if text == "" {
			continue
		}
		bytes, ok := decode(text)
		if !ok {
			return nil, &estate.Failure{
				Kind: estate.BadSecret, Doing: fmt.Sprintf("take key share %d", i+1), Detail: "what was typed is no key share: one is hexadecimal or base64, of 16 to 33 bytes. None was sent",
				Next: "make the plan again, and enter it anew",
			}
		}
		for j, other := range raw {
			if slices.Equal(other, bytes) {
				return nil, &estate.Failure{
					Kind: estate.BadSecret, Doing: fmt.Sprintf("take key share %d", i+1), Detail: fmt.Sprintf("it is the same as share %d. None was sent", out[j].number),
					Next: "make the plan again, and enter different shares",
				}
			}
		}
		raw = append(raw, bytes)
		out = append(out, typed{number: i + 1, share: estate.NewSecret(text)})
	}
	return out, nil
}

// typed is a share that was typed here.
type typed struct {
	number int
	share  estate.Secret
}

// decode reads a share in either of the forms that Vault takes.
func decode(text string) ([]byte, bool) {
	b, err := hex.DecodeString(text)
	if err != nil {
		b, err = base64.StdEncoding.DecodeString(text)
	}
	return b, err == nil && len(b) >= 16 && len(b) <= 33
}

// open gives the typed shares to a node and waits for those that are entered
// elsewhere, until it is unsealed.
func (m *maker) open(ctx context.Context, r *actions.Run, n node) error {
	given, err := shares(r, m.threshold)
	if err != nil {
		return err
	}
	for _, t := range given {
		m.p.systems.Read.Net().Register(t.share.Reveal())
	}
	tick := time.NewTicker(m.p.every)
	defer tick.Stop()
	last, again := "", 0
	mine := ""    // the nonce of the unsealing that has our shares
	told := false // that others are waited for
	for {
		s, err := n.read.SealStatus(ctx)
		if err != nil {
			return err
		}
		if s.Sealed && len(given) > 0 && (s.Nonce != mine || s.Nonce == "") {
			if mine != "" {
				if again++; again > mostAgain {
					return m.wrong(n, "the shares were dropped again and again: somebody resets the unsealing, or enters a wrong share")
				}
				r.Say("warn", n.address+" dropped the shares that it had, because of a reset or a wrong share from elsewhere: those typed here are given again")
			}
			if s, mine, err = m.give(ctx, r, n, given); err != nil {
				return err
			}
		}
		if !s.Sealed {
			r.Part(plan.Part{Name: n.address, State: plan.Done, Detail: "unsealed"})
			return nil
		}
		if text := words(s); text != last {
			last = text
			r.Part(plan.Part{Name: n.address, State: plan.Running, Detail: fmt.Sprintf("%d of %d shares given", s.Progress, s.Threshold)})
			if !told || s.Progress > 0 {
				told = true
				r.Say("info", fmt.Sprintf("%s: %d of %d shares given; holders can enter theirs from their own machines with: VAULT_ADDR=%s vault operator unseal", n.address, s.Progress, s.Threshold, n.address))
			}
		}
		select {
		case <-ctx.Done():
			return &estate.Failure{
				Kind: estate.Sealed, Doing: "unseal " + n.address, Detail: fmt.Sprintf("%d of %d shares were given before the time was over", s.Progress, s.Threshold),
				Next: "make the plan again when the holders are there; to drop the shares given so far: vault operator unseal -reset",
			}
		case <-tick.C:
		}
	}
}

// mostAgain is how often shares that were dropped are given anew.
const mostAgain = 5

// give gives every typed share to a node, until it is unsealed. nonce is that of the
// unsealing which got the first of them: where the node has another one by now, that
// share is lost.
func (m *maker) give(ctx context.Context, r *actions.Run, n node, given []typed) (s clients.VaultSealStatus, nonce string, err error) {
	for i, t := range given {
		if s, err = n.act.Unseal(ctx, t.share); err != nil {
			var f *estate.Failure
			if errors.As(err, &f) && f.Kind == estate.BadSecret {
				return s, "", m.wrong(n, f.Detail)
			}
			return s, "", err
		}
		if i == 0 {
			nonce = s.Nonce
		}
		r.Say("ok", fmt.Sprintf("key share %d was given to %s", t.number, n.address))
		r.Part(plan.Part{Name: n.address, State: plan.Running, Detail: fmt.Sprintf("%d of %d shares given", s.Progress, s.Threshold)})
		if !s.Sealed {
			return s, nonce, nil
		}
	}
	return s, nonce, nil
}

// wrong is what is known of shares that do not open a node.
func (m *maker) wrong(n node, said string) error {
	return &estate.Failure{
		Kind: estate.BadSecret, Doing: "unseal " + n.address,
		Detail: fmt.Sprintf("the %d shares do not open it together: at least one of them is wrong or of another cluster, which one nobody can tell. Vault has dropped them all (it said: %s)", m.threshold, said),
		Next:   "make the plan again and enter each share anew; where only some were given and one is in doubt, drop them first with: vault operator unseal -reset",
	}
}
