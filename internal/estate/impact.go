package estate

import "slices"

// Through reports whether a stored secret runs through a component: the
// component uses it to do its work, stores it or, being a rotation function,
// rotates it. What only lets us read a component, its monitoring secret, does
// not.
func (t *Topology) Through(id ID, secret string) bool {
	i, ok := t.byID[id]
	if !ok {
		return false
	}
	c := &t.Components[i]
	if secret != c.Monitor && slices.Contains(c.Secrets, secret) {
		return true
	}
	at, ok := t.bySecret[secret]
	return ok && (t.Secrets[at].Store == id || c.Kind == KindRotationFunction && t.rotates(id, &t.Secrets[at]))
}

// SecretsOf lists the stored secrets that run through a component: those that
// are declared in the topology's order, then what it uses and nothing declares.
func (t *Topology) SecretsOf(id ID) []string {
	var out []string
	for i := range t.Secrets {
		if s := t.Secrets[i].ID; t.Through(id, s) {
			out = append(out, s)
		}
	}
	c, _ := t.Component(id)
	for _, s := range c.Secrets {
		if _, declared := t.bySecret[s]; !declared && s != c.Monitor {
			out = append(out, s)
		}
	}
	return out
}

// rotates reports whether a rotation function changes a secret: it is joined to
// the secret's store by a flow, and one of the systems that it changes uses the
// secret. A function with no such system rotates what its stores hold.
func (t *Topology) rotates(id ID, s *StoredSecret) bool {
	joined := slices.ContainsFunc(t.In(id), func(f Flow) bool { return f.From == s.Store }) ||
		slices.ContainsFunc(t.Out(id), func(f Flow) bool { return f.To == s.Store })
	if !joined {
		return false
	}
	targets := false
	for _, f := range t.Out(id) {
		if f.Kind != FlowTarget {
			continue
		}
		targets = true
		if c, ok := t.Component(f.To); ok && slices.Contains(c.Secrets, s.ID) && s.ID != c.Monitor {
			return true
		}
	}
	return !targets
}

// Consumers lists who is hit when a component fails, as far as stored secrets
// join them: the applications, gateways and APIs that use a secret which the
// component uses, stores or rotates, in the topology's order. Only what is
// opened by a secret, keeps it or changes it has consumers: two applications
// that share a secret do not depend on one another.
func (t *Topology) Consumers(id ID) []ID {
	c, ok := t.Component(id)
	if !ok || c.Kind.consumes() && c.Kind != KindExternalAPI {
		return nil
	}
	var out []ID
	for i := range t.Components {
		one := &t.Components[i]
		if one.ID == id || !one.Kind.consumes() {
			continue
		}
		if slices.ContainsFunc(one.Secrets, func(s string) bool { return s != one.Monitor && t.Through(id, s) }) {
			out = append(out, one.ID)
		}
	}
	return out
}

// consumes reports whether a kind of component uses stored secrets to serve
// others.
func (k Kind) consumes() bool {
	switch k {
	case KindApplication, KindGateway, KindBalancer, KindExternalAPI:
		return true
	}
	return false
}

// WorstFirst lists, by their index in the topology's order, the components that
// are not well, the one to look at first being first. It begins with Worst.
func (r *Readings) WorstFirst() []int {
	var out []int
	for i := range r.All {
		if r.All[i].Status > OK {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int {
		x, y := r.rank(a), r.rank(b)
		switch {
		case greater(x, y):
			return -1
		case greater(y, x):
			return 1
		}
		return 0
	})
	return out
}
