package incident

import (
	"time"

	"warroom/internal/runbook"
)

// clock is the budget of one phase. It counts from T0 until the phase is settled
// or the incident closed.
func (b *Board) clock(of string, number int, id, title string, from, to time.Duration, done bool, settled time.Time) PhaseClock {
	c := PhaseClock{ID: id, Title: title, Number: number, Of: of, From: from, To: to}
	if b.State == nil {
		return c
	}
	c.Elapsed, c.Done = b.Elapsed, done
	if done && !settled.IsZero() {
		c.Elapsed = max(0, settled.Sub(b.State.Declared.Started))
	}
	c.Over = max(0, c.Elapsed-to)
	return c
}

// budgets gives the current node its share of what is left of its phase's time.
func (b *Board) budgets() {
	v := b.node(b.Node)
	if v == nil || !b.open() {
		return
	}
	for i := range b.Flow {
		p := &b.Flow[i]
		here, open := false, 0
		for j := range p.Nodes {
			n := &p.Nodes[j]
			here = here || n == v
			if n.Node.Beside == "" && !n.Done.IsSettled() {
				open++
			}
		}
		if left := p.Clock.To - b.Elapsed; here && left > 0 {
			v.Budget = left / time.Duration(max(open, 1))
		}
	}
}

// running starts the clocks: of each list the earliest phase that is not done, and
// those whose time has come.
func (b *Board) running() {
	if !b.open() {
		return
	}
	first := true
	start := func(c *PhaseClock) {
		c.Running = !c.Done && (first || c.Elapsed >= c.From)
		first = first && c.Done
	}
	for i := range b.Flow {
		start(&b.Flow[i].Clock)
	}
	first = true
	for i := range b.List {
		start(&b.List[i].Clock)
	}
}

// bandPhase is the clock of the earliest phase of the flow that is not done, until
// the flow is through or over its time, and then that of the checklist.
func (b *Board) bandPhase() PhaseClock {
	var last PhaseClock
	if n := len(b.Flow); n > 0 && b.Elapsed <= b.Flow[n-1].Clock.To {
		for i := range b.Flow {
			last = b.Flow[i].Clock
			if !last.Done {
				return last
			}
		}
	}
	for i := range b.List {
		last = b.List[i].Clock
		if !last.Done {
			return last
		}
	}
	return last
}

// updateClock says when the bridge is told next. What was promised counts; without
// a promise the runbook's interval of the severity does.
func (b *Board) updateClock() UpdateClock {
	if !b.open() {
		return UpdateClock{}
	}
	s := b.State
	base := s.At
	if s.Updates > 0 {
		base = s.LastUpdate
	}
	interval, ok := b.interval(s.Updates, base)
	due := base.Add(interval)
	regraded := s.Regraded.After(base)
	if ok && regraded {
		// Another severity is no reason to be late at once: there is at least the time
		// that a new incident of it would have.
		fresh, _ := b.interval(0, s.Regraded)
		if least := s.Regraded.Add(min(fresh, interval)); due.Before(least) {
			due = least
		}
	}
	switch promised := s.NextUpdate; {
	case promised.IsZero():
		if !ok {
			return UpdateClock{}
		}
	case !ok || !regraded || promised.Before(due):
		due = promised
	}
	u := UpdateClock{Due: due, Left: max(0, due.Sub(b.Now)), Overdue: max(0, b.Now.Sub(due))}
	return u
}

// interval is the time from the update that was sent when sent others had been,
// at a time, to the next one; from the declaration when none was. It is false when
// the runbook has no cadence for the severity.
func (b *Board) interval(sent int, at time.Time) (time.Duration, bool) {
	c, ok := cadence(b.Runbook, b.State.Severity)
	switch {
	case !ok:
		return 0, false
	case sent == 0:
		return c.First, true
	case sent == 1 && c.Scoped > 0:
		return c.Scoped, true
	case c.Relax > 0 && at.Sub(b.State.At) >= c.Relax:
		return 2 * c.Every, true
	}
	return c.Every, true
}

// promise is when the next update comes if one goes out now; zero when the runbook
// has no cadence for the severity, or the incident is closed.
func (b *Board) promise() time.Time {
	if !b.open() {
		return time.Time{}
	}
	interval, ok := b.interval(b.State.Updates+1, b.Now)
	if !ok {
		return time.Time{}
	}
	return b.Now.Add(interval)
}

func cadence(rb *runbook.Runbook, s runbook.Severity) (runbook.Cadence, bool) {
	for _, c := range rb.Updates {
		if c.Severity == s {
			return c, true
		}
	}
	return runbook.Cadence{}, false
}
