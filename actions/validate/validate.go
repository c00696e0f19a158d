package validate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"warroom/actions"
	"warroom/actions/postgres"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// Name is the procedure's name on the command line.
const Name = "validate"

// Everything is the target that stands for the whole estate.
const Everything = "everything"

// FactPrefix begins the names of the facts that a run leaves: what was tried follows,
// as the parts of its step are named. The value begins with one of the Verdict words
// and a colon.
const FactPrefix = incident.ValidatedFact

// Verdict is what came of trying one thing.
type Verdict string

// Verdicts. Only Works is yes.
const (
	Works   Verdict = "works"
	Refused Verdict = "refused"   // the system itself says no
	Unknown Verdict = "not known" // nothing answered, or we may not ask
	Info    Verdict = "told"      // nothing that can be right or wrong
)

// atOnce is how many things are tried at a time.
const atOnce = 8

// Procedure validates an estate. It is safe for concurrent use.
type Procedure struct {
	s    actions.Systems
	topo *estate.Topology
	book *postgres.Book
	keys keyBook
	now  func() time.Time
}

// New makes the procedure for an estate.
func New(s actions.Systems) *Procedure {
	return &Procedure{s: s, topo: s.Config.Topology(), book: &postgres.Book{}, now: time.Now}
}

// About describes it.
func (p *Procedure) About() plan.About {
	return plan.About{
		Name: Name, Title: "Validate that everything works", Target: "stored secret, or " + Everything,
		Summary: "Tries every database, API, TLS and health endpoint once with the current values, and tells whether authentication failures fall; it changes nothing and ticks nothing.",
	}
}

// Targets are the whole estate, and each stored secret that something can be asked
// with.
func (p *Procedure) Targets() []plan.Target {
	out := []plan.Target{{ID: Everything, Title: "the whole estate", Ready: true}}
	for _, s := range p.topo.Secrets {
		t := plan.Target{ID: s.ID, Title: string(s.Type), Ready: len(p.trials(s.ID)) > 0}
		if !t.Ready {
			t.Note = "warroom.yaml names nothing that could be asked with it"
		}
		out = append(out, t)
	}
	return out
}

// trial is one thing that is tried.
type trial struct {
	name string // of its part, unique
	call string
	try  func(ctx context.Context) (Verdict, string)
}

// Prepare plans one step that tries everything. It asks no system.
func (p *Procedure) Prepare(_ context.Context, ask actions.Ask) (*actions.Prepared, error) {
	secret := ask.Target
	if secret == Everything {
		secret = ""
	} else if _, ok := p.topo.Secret(secret); !ok {
		return nil, &actions.Refusal{What: "validating " + ask.Target, Why: "warroom.yaml has no stored secret of that name", Next: "name one, or " + Everything}
	}
	all := p.trials(secret)
	if len(all) == 0 {
		return nil, &actions.Refusal{What: "validating " + ask.Target, Why: "warroom.yaml names nothing that could be asked", Next: "name the databases, APIs and endpoints that use it"}
	}
	step := plan.Step{
		ID: "try-everything", Title: fmt.Sprintf("Try %d databases, APIs and endpoints with the current values", len(all)),
		Before: "what a system refused with the same version within five minutes is not presented again",
		Verify: "every database and API takes the current value, every endpoint answers as it should",
		Limit:  time.Duration((len(all)+atOnce-1)/atOnce)*3*p.limit() + time.Minute,
	}
	var systems []string
	for _, t := range all {
		step.Calls = append(step.Calls, t.call)
	}
	before := p.rates()
	out := &actions.Prepared{Systems: systems}
	out.Plan = plan.Plan{Title: "Validate " + ask.Target, Steps: []plan.Step{step}}
	out.Steps = []actions.Step{{Verify: func(ctx context.Context, r *actions.Run) (string, error) { return p.verify(ctx, r, all, before) }}}
	return out, nil
}

// teller hears what was found.
type teller interface {
	Say(mark, text string)
	Part(plan.Part)
	Note(name, value string)
}

// verify tries everything, and says what is not as it should be.
func (p *Procedure) verify(ctx context.Context, r teller, all []trial, before map[string]rate) (string, error) {
	verdicts, details := make([]Verdict, len(all)), make([]string, len(all))
	for _, t := range all {
		r.Part(plan.Part{Name: t.name, State: plan.Waiting})
	}
	turns := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, t := range all {
		wg.Go(func() {
			select {
			case turns <- struct{}{}:
				defer func() { <-turns }()
			case <-ctx.Done():
				verdicts[i], details[i] = Unknown, "it was not tried: the run was ended"
				return
			}
			r.Part(plan.Part{Name: t.name, State: plan.Running})
			bounded, cancel := context.WithTimeout(ctx, 3*p.limit())
			defer cancel()
			verdicts[i], details[i] = t.try(bounded)
			p.tell(r, t.name, verdicts[i], details[i])
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	for _, told := range p.falling(before) {
		p.tell(r, told.name, Info, told.text)
	}
	return summary(all, verdicts, details)
}

// tell makes a verdict known: as a part, a line and a fact.
func (p *Procedure) tell(r teller, name string, v Verdict, detail string) {
	state, mark := plan.Done, "ok"
	switch v {
	case Refused:
		state, mark = plan.Failed, "fail"
	case Unknown:
		state, mark = plan.Broken, "warn"
	case Info:
		state, mark = plan.Skipped, "info"
	}
	text := string(v)
	if detail != "" {
		text += ": " + detail
	}
	r.Part(plan.Part{Name: name, State: state, Detail: text})
	r.Say(mark, name+" "+text)
	r.Note(FactPrefix+name, text)
}

// summary is what came of everything; the error says what did not work.
func summary(all []trial, verdicts []Verdict, details []string) (string, error) {
	count := map[Verdict]int{}
	var bad []string
	for i, v := range verdicts {
		count[v]++
		if v == Refused {
			bad = append(bad, all[i].name+": "+details[i])
		}
	}
	for i, v := range verdicts {
		if v == Unknown {
			bad = append(bad, all[i].name+" (not known): "+details[i])
		}
	}
	text := fmt.Sprintf("%d of %d work", count[Works], len(all))
	if len(bad) == 0 {
		return text, nil
	}
	if count[Refused] > 0 {
		text += fmt.Sprintf(", %d do not", count[Refused])
	}
	if count[Unknown] > 0 {
		text += fmt.Sprintf(", %d are not known", count[Unknown])
	}
	shown := bad[:min(len(bad), 6)]
	detail := text + ": " + strings.Join(shown, "; ")
	if more := len(bad) - len(shown); more > 0 {
		detail += fmt.Sprintf("; and %d more", more)
	}
	kind := estate.BadAnswer
	if count[Refused] == 0 {
		kind = estate.Silent
	}
	return "", &estate.Failure{Kind: kind, Doing: "validate", Detail: detail, Next: "mend what does not work, then validate again"}
}

// limit is how long one call may take.
func (p *Procedure) limit() time.Duration {
	if t := p.s.Config.Checks.Timeout; t > 0 {
		return t
	}
	return 5 * time.Second
}

// trials are what is tried for a secret, or for all of them for "".
func (p *Procedure) trials(secret string) []trial {
	var out []trial
	add := func(t trial) {
		if !slices.ContainsFunc(out, func(o trial) bool { return o.name == t.name }) {
			out = append(out, t)
		}
	}
	for _, t := range p.databases(secret) {
		add(t)
	}
	for _, t := range p.interfaces(secret) {
		add(t)
	}
	for _, t := range p.endpoints(secret) {
		add(t)
	}
	return out
}

// failed sorts an error: what the target itself says no to is refused, the rest is not
// known.
func failed(err error) (Verdict, string) {
	var f *estate.Failure
	if errors.As(err, &f) && f.Kind.Status() == estate.Fail {
		return Refused, err.Error()
	}
	return Unknown, err.Error()
}
