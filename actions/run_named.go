package actions

import "warroom/internal/plan"

// Named is the run as the steps see it that work on one of several things at once:
// what they tell is told of the one that is called name. Its facts are the run's.
func (r *Run) Named(name string) *Run {
	return &Run{plan: r.plan, tell: &named{name, r.tell}, parent: r}
}

// named tells a run of one of several things.
type named struct {
	name string
	teller
}

func (n *named) line(mark, text string) { n.teller.line(mark, n.name+": "+text) }

// part is a part of a part: while it is told of, the whole is under way.
func (n *named) part(p plan.Part) {
	state := p.State
	if state != plan.Failed {
		state = plan.Running
	}
	detail := p.Name
	if p.Detail != "" {
		detail += ": " + p.Detail
	}
	n.teller.part(plan.Part{Name: n.name, State: state, Detail: detail})
}

func (n *named) stopAsked() bool {
	asked, ok := n.teller.(interface{ stopAsked() bool })
	return ok && asked.stopAsked()
}
