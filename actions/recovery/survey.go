package recovery

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"warroom/actions"
	"warroom/actions/contain"
	"warroom/actions/unseal"
	"warroom/internal/clients"
	"warroom/internal/plan"
)

// Names of the procedures that the whole is made of.
const (
	nameAccess      = "access"
	nameContain     = "contain"
	nameRotate      = "rotate-database"
	nameRecover     = "recover-pending"
	nameAPIKey      = "rotate-api-key"
	nameCertificate = "rotate-certificate"
	nameRestart     = "restart"
	nameValidate    = "validate"
)

// survey is what there is to do.
type survey struct {
	*whole
	parts   []*part
	left    []open
	notes   []string // what is in order, or could not be looked at
	steps   int
	changes int
	rotated []string // stored secrets whose values the plan changes
	blocked []string // stored secrets that need a new value and do not get one
}

func (s *survey) close() {
	for _, p := range s.parts {
		p.close()
	}
}

// look goes through the script's main, in the order in which it is safe.
func (s *survey) look(ctx context.Context) error {
	if err := s.add(ctx, nameAccess, Everything, nil, false); err != nil {
		return err
	}
	s.contain(ctx)
	s.vaults(ctx)
	s.secrets(ctx)
	s.certificates(ctx)
	s.restarts(ctx)
	if err := s.add(ctx, nameValidate, s.only(nameValidate), nil, true); err != nil {
		s.note("validate", "", err)
	}
	return ctx.Err()
}

// only is the one target of a procedure that has one.
func (s *survey) only(name string) string {
	if p, ok := s.others[name]; ok {
		if all := p.Targets(); len(all) > 0 {
			return all[0].ID
		}
	}
	return Everything
}

// errMissing says that a procedure is not there.
var errMissing = errors.New("there is no such procedure here")

// add prepares a plan and takes it in if nobody has to decide anything about it; else
// it is left open.
func (s *survey) add(ctx context.Context, name, target string, options map[string]string, late bool) error {
	p, ok := s.others[name]
	if !ok {
		return errMissing
	}
	request := plan.Request{Procedure: name, Target: target, Options: options, Mode: plan.Forward}
	ready, err := p.Prepare(ctx, actions.Ask{Request: request})
	if err != nil {
		return err
	}
	why := s.judgement(name, ready)
	if why == "" && name == nameContain && !contain.Failing(&ready.Plan) {
		why = "nothing tells that it fails: whether its rotations are to be cancelled is for a person to decide"
	}
	if why == "" && ready.Plan.Changes() && s.changes >= mostChanges || s.steps+len(ready.Plan.Steps) > mostSteps {
		why = "this plan is full"
	}
	if why != "" {
		if ready.Close != nil {
			ready.Close()
		}
		s.left = append(s.left, open{name, target, options, why})
		return nil
	}
	if ready.Plan.Changes() {
		s.changes++
	}
	s.steps += len(ready.Plan.Steps)
	s.parts = append(s.parts, &part{procedure: p, request: request, ready: ready, late: late, prefix: prefixOf(len(s.parts), name, target)})
	return nil
}

// judgement is why a person must decide about a plan by itself; empty when none must.
func (s *survey) judgement(name string, ready *actions.Prepared) string {
	p := &ready.Plan
	var why []string
	if p.NeedsReason != "" {
		why = append(why, "a reason must be given: "+p.NeedsReason)
	}
	for _, w := range p.Warnings {
		if w.Accept {
			why = append(why, "to be accepted: "+w.Text)
		}
	}
	if len(p.Inputs) > 0 {
		why = append(why, "values must be typed: "+p.Inputs[0].Label)
	}
	if p.Irreversible != "" && name != nameRestart { // whose end is said of the whole
		why = append(why, "it cannot be undone: "+p.Irreversible)
	}
	if p.Changes() && slices.Contains(s.systems.Config.Recovery.SecondFor, name) {
		why = append(why, "a second person must sign it")
	}
	return s.text(strings.Join(why, "; "))
}

// text makes words fit for a fact.
func (s *survey) text(text string) string { return clients.Strip(text, 400) }

// note keeps why something is not part of the plan. A refusal may mean that all is
// well; a failure does not, and is left open.
func (s *survey) note(name, target string, err error) {
	if refusal, ok := errors.AsType[*actions.Refusal](err); ok {
		s.notes = append(s.notes, strings.TrimSpace(name+" "+target)+": "+s.text(refusal.Why))
		return
	}
	if errors.Is(err, errMissing) {
		return
	}
	s.left = append(s.left, open{Procedure: name, Target: target, Why: s.text("it could not be planned now: " + err.Error())})
}

// contain cancels what would fail next.
func (s *survey) contain(ctx context.Context) {
	p, ok := s.others[nameContain]
	if !ok {
		return
	}
	for _, t := range p.Targets() {
		if !t.Ready {
			continue
		}
		if err := s.add(ctx, nameContain, t.ID, nil, false); err != nil {
			s.note(nameContain, t.ID, err)
		}
	}
}

// vaults finds those that are sealed. Their shares are with people.
func (s *survey) vaults(ctx context.Context) {
	p, ok := s.others[unseal.Name]
	if !ok {
		return
	}
	for _, t := range p.Targets() {
		if err := s.add(ctx, unseal.Name, t.ID, nil, false); err != nil {
			s.note(unseal.Name, t.ID, err)
		}
	}
}

// secrets rotates what does not work.
func (s *survey) secrets(ctx context.Context) {
	found := s.needs.find(ctx, s.named(nameRotate), s.targets(nameAPIKey))
	slices.SortStableFunc(found, func(a, b need) int { return cmp.Compare(a.kind, b.kind) })
	for _, n := range found {
		switch {
		case n.err != nil:
			s.note(n.procedure, n.secret, n.err)
			s.blocked = append(s.blocked, n.secret)
		case n.procedure == "":
			s.notes = append(s.notes, n.secret+": "+n.why)
		default:
			before := len(s.parts)
			if err := s.add(ctx, n.procedure, n.secret, nil, false); err != nil {
				s.left = append(s.left, open{n.procedure, n.secret, nil, s.text(n.why + "; its plan was refused: " + err.Error())})
			}
			if len(s.parts) > before {
				s.rotated = append(s.rotated, n.secret)
			} else {
				s.blocked = append(s.blocked, n.secret)
			}
		}
	}
}

// named are all secrets that a procedure names, also those that it cannot be done to:
// one that does not work must not be passed over because nothing says how it is rotated.
func (s *survey) named(name string) []string {
	p, ok := s.others[name]
	if !ok {
		return nil
	}
	var out []string
	for _, t := range p.Targets() {
		if !strings.HasSuffix(t.ID, "*") {
			out = append(out, t.ID)
		}
	}
	return out
}

// targets are the secrets that a procedure can be done to.
func (s *survey) targets(name string) []string {
	p, ok := s.others[name]
	if !ok {
		return nil
	}
	var out []string
	for _, t := range p.Targets() {
		if t.Ready && !strings.HasSuffix(t.ID, "*") { // one that stands for several has each of them beside it
			out = append(out, t.ID)
		}
	}
	return out
}

// certificates renews those that are near their end: the procedure itself refuses
// those that are in order.
func (s *survey) certificates(ctx context.Context) {
	for _, target := range s.targets(nameCertificate) {
		if err := s.add(ctx, nameCertificate, target, nil, false); err != nil {
			s.note(nameCertificate, target, err)
		}
	}
}

// restarts has services take up new values. Those of a secret that still waits for its
// new value would only take up what does not work.
func (s *survey) restarts(ctx context.Context) {
	if _, ok := s.others[nameRestart]; !ok {
		return
	}
	used := map[string]bool{}
	for i := range s.systems.Config.Components {
		if a := s.systems.Config.Components[i].Application; a != nil {
			for _, secret := range a.Secrets {
				used[secret] = true
			}
		}
	}
	looked := 0
	for _, target := range s.targets(nameRestart) {
		rotated, blocked := slices.Contains(s.rotated, target), slices.Contains(s.blocked, target)
		if !used[target] && !rotated && !blocked {
			continue
		}
		if looked++; looked > mostRestarts {
			s.left = append(s.left, open{Procedure: Name, Target: Everything, Why: fmt.Sprintf("more than %d secrets have consumers that may have to restart: plan it again after this", mostRestarts)})
			return
		}
		var options map[string]string
		switch {
		case blocked:
			s.left = append(s.left, open{Procedure: nameRestart, Target: target, Why: "its new value must be there first"})
			continue
		case rotated:
			options = map[string]string{"value": "later"} // it is rotated before by this very plan
		}
		if err := s.add(ctx, nameRestart, target, options, false); err != nil {
			s.note(nameRestart, target, err)
		}
	}
}

// mostRestarts is for how many secrets consumers are looked for in one plan.
const mostRestarts = 100

// compose makes one plan of the parts.
func (s *survey) compose() (*actions.Prepared, error) {
	out := &actions.Prepared{Plan: plan.Plan{Title: "Recover: everything that is clear, in order", Facts: map[string]string{}}}
	var requests []described
	for _, p := range s.parts {
		p.told = p.request.Procedure == nameValidate && len(s.left) > 0
		p.embed(out)
		if p.request.Procedure == nameRestart && p.ready.Plan.Changes() {
			out.Plan.Irreversible = "Services that were restarted hold the new values: from the first restart on nothing is rolled back. Until then all of it can be."
		}
		requests = append(requests, described{p.request.Procedure, p.request.Target, p.request.Options})
	}
	out.Plan.Why = fmt.Sprintf("%d plans are part of it; %d are left for a person to decide.", len(s.parts), len(s.left))
	if len(s.notes) > 0 {
		out.Plan.Why += " Left alone: " + clients.Strip(strings.Join(s.notes, "; "), 2000) + "."
	}
	for name, v := range map[string]any{factParts: requests, factLeft: s.left} {
		text, err := json.Marshal(v)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("keep what the plan is made of: %w", err)
		}
		out.Plan.Facts[name] = string(text)
	}
	if len(s.left) > 0 {
		step, do := stop(s.left)
		out.Plan.Steps, out.Steps = append(out.Plan.Steps, step), append(out.Steps, do)
	}
	seen := map[string]bool{}
	out.Plan.Affected = slices.DeleteFunc(out.Plan.Affected, func(a plan.Affected) bool {
		key := string(a.Component) + "\x00" + a.Name + "\x00" + a.How
		defer func() { seen[key] = true }()
		return seen[key]
	})
	slices.Sort(out.Systems)
	out.Systems = slices.Compact(out.Systems)
	parts := s.parts
	out.Observe = func(ctx context.Context) ([]plan.Observed, error) {
		var all []plan.Observed
		for _, p := range parts {
			now, err := p.observe(ctx)
			if err != nil {
				return nil, err
			}
			all = append(all, now...)
		}
		return all, nil
	}
	out.Close = s.close
	return out, nil
}
