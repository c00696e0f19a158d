package estate

// Worst is the index, in the topology's order, of the component to look at
// first: the worst status, then the most critical, then what others connect to
// before what connects, what stores and rotates, and what only watches and so
// repeats what others suffer; then what most depends on. It is -1 when there is
// no component.
func (r *Readings) Worst() int {
	best := -1
	var bestRank [4]int
	for i := range r.All {
		if rank := r.rank(i); best < 0 || greater(rank, bestRank) {
			best, bestRank = i, rank
		}
	}
	return best
}

// rank is what Worst compares, the most important first.
func (r *Readings) rank(i int) [4]int {
	t := r.Snapshot.Topology
	c := &t.Components[i]
	return [4]int{int(r.All[i].Status), c.Criticality.weight(), c.urgency(), len(t.in[c.ID])}
}

func greater(a, b [4]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] > b[i]
		}
	}
	return false
}

// weight orders criticalities, the highest first; what nobody rated is medium.
func (c Criticality) weight() int {
	switch c {
	case Critical:
		return 4
	case High:
		return 3
	case Low:
		return 1
	}
	return 2
}

// urgency puts what fails users by itself before what fails because of it.
func (c *Component) urgency() int {
	switch c.Kind {
	case KindPostgres, KindVault, KindExternalAPI, KindGateway, KindBalancer:
		return 3
	case KindApplication:
		return 2
	}
	if c.Plane == Control {
		return 0
	}
	return 1
}
