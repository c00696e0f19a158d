// Package recovery is the whole recovery as one plan: access, containment, passwords,
// keys and certificates that need it, restarts and the validation, in that order, made
// of the plans of the other procedures.
//
// Its rules: a part is what its own procedure prepared, with its checks, verifications
// and undoing unchanged; only its step ids, facts and inputs get a prefix. What needs a
// person is never part of it: a plan with something to accept, to type, to give a
// reason for or to sign, and one that cannot be undone, is named as what to plan next,
// and the run stops there. What is in order is left alone. Nothing is done that the
// plan does not name.
package recovery

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"warroom/actions"
	"warroom/actions/unseal"
	"warroom/internal/plan"
)

// Name is the procedure's, as on the command line.
const Name = "recover"

// Everything is the one target.
const Everything = "all"

// How much goes into one plan: the rest is left for the next.
const (
	mostSteps   = 300
	mostChanges = 20 // parts that change something
)

// whole is the procedure.
type whole struct {
	systems actions.Systems
	others  map[string]actions.Procedure
	needs   needs
}

// Procedure makes the whole recovery out of the other procedures, by their names.
// One that is missing is left out.
func Procedure(systems actions.Systems, others []actions.Procedure) actions.Procedure {
	w := &whole{systems: systems, others: map[string]actions.Procedure{}}
	for _, p := range others {
		w.others[p.About().Name] = p
	}
	w.needs = &live{systems: systems}
	return w
}

// About describes it.
func (w *whole) About() plan.About {
	return plan.About{
		Name: Name, Title: "Recover, everything in order", Target: "what to recover", Changes: true,
		Summary: "Does in one go what is clear and can be undone, in the right order, and stops where a person must decide, with what to plan next.",
	}
}

// Targets is the whole estate, called for as soon as one of its parts is.
func (w *whole) Targets() []plan.Target {
	out := plan.Target{ID: Everything, Title: "every secret of warroom.yaml", Ready: true}
	due := 0
	for _, name := range []string{nameContain, unseal.Name, nameRecover, nameCertificate} {
		if p, ok := w.others[name]; ok {
			for _, t := range p.Targets() {
				if t.Ready && t.Due != "" {
					due++
				}
			}
		}
	}
	switch {
	case due == 1:
		out.Due = "what is called for here, with all that belongs to it"
	case due > 1:
		out.Due = fmt.Sprintf("these %d in one plan, as far as nobody must decide", due)
	}
	return []plan.Target{out}
}

// Prepare looks at everything and makes the plan.
func (w *whole) Prepare(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	if ask.Target != Everything {
		return nil, &actions.Refusal{What: "recover " + ask.Target, Why: "the target of this procedure is " + Everything, Next: "for one secret, plan its own procedure"}
	}
	if ask.Past != nil {
		return w.again(ctx, ask)
	}
	s := &survey{whole: w}
	if err := s.look(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s.compose()
}

// factParts and factLeft hold what the plan is made of, for when it is taken up.
const (
	factParts = "parts"
	factLeft  = "left"
)

// again makes the steps of an earlier plan anew, from its facts.
func (w *whole) again(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	past := ask.Past
	s := &survey{whole: w}
	var requests []described
	if err := json.Unmarshal([]byte(past.Facts[factParts]), &requests); err != nil {
		return nil, &actions.Refusal{What: "taking up the earlier run", Why: "its facts are not complete", Next: "abandon it, and make a new plan"}
	}
	if err := json.Unmarshal([]byte(past.Facts[factLeft]), &s.left); err != nil {
		return nil, &actions.Refusal{What: "taking up the earlier run", Why: "its facts are not complete", Next: "abandon it, and make a new plan"}
	}
	for i, d := range requests {
		p, ok := w.others[d.Procedure]
		if !ok {
			s.close()
			return nil, &actions.Refusal{What: "taking up the earlier run", Why: "there is no procedure " + d.Procedure + " here", Next: "take it up with the warroom that began it"}
		}
		one := &part{procedure: p, prefix: prefixOf(i, d.Procedure, d.Target), request: plan.Request{Procedure: d.Procedure, Target: d.Target, Options: d.Options}}
		own := one.pastOf(past)
		again := one.request
		again.Mode, again.Of = ask.Mode, ask.Of
		ready, err := p.Prepare(ctx, actions.Ask{Request: again, Past: own})
		if err != nil {
			s.close()
			return nil, fmt.Errorf("take up %s %s: %w", d.Procedure, d.Target, err)
		}
		one.ready = ready
		s.parts = append(s.parts, one)
	}
	return s.compose()
}

// described is a part as a fact keeps it.
type described struct {
	Procedure string            `json:"procedure"`
	Target    string            `json:"target"`
	Options   map[string]string `json:"options,omitempty"`
}

// open is a plan that a person must make, and why.
type open struct {
	Procedure string            `json:"procedure"`
	Target    string            `json:"target"`
	Options   map[string]string `json:"options,omitempty"`
	Why       string            `json:"why"`
}

// words is the command line that makes the plan, with the reason.
func (o open) words() string {
	text := "warroom plan " + o.Procedure + " " + o.Target
	return text + " (" + o.Why + ")"
}

// stop is the last step of a plan that leaves something open.
func stop(left []open) (plan.Step, actions.Step) {
	lines := make([]string, len(left))
	for i, o := range left {
		lines[i] = fmt.Sprintf("%d. %s", i+1, o.words())
	}
	h := &actions.Halt{
		Why:  fmt.Sprintf("what could be done in one go is done; %d things are for a person to decide", len(left)),
		Next: "plan next: " + strings.Join(lines, " "),
	}
	if len(left) == 1 {
		h.Why = "what could be done in one go is done; one thing is for a person to decide"
	}
	return plan.Step{
			ID: "stop", Title: "Stops here: a person decides what comes next", Calls: lines, Limit: time.Minute,
			Verify: "the plans that come next are named",
		}, actions.Step{Verify: func(_ context.Context, r *actions.Run) (string, error) {
			for _, line := range lines {
				r.Say("warn", line)
			}
			return "", h
		}}
}
