package apikey

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"warroom/actions"
	"warroom/actions/store"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// way is how a rotation gets its new key, and how patient it is.
type way int

const (
	byMaking   way = iota // made at the provider, or typed where it has no call for that
	byRetrying            // the same, tried again until it goes
	byBackup              // the sealed emergency key
)

// rotation puts a new key into the store, so that consumers get it.
type rotation struct {
	*family
	way way
}

// Facts of a run. Those of a member have its name behind the colon.
const (
	factName   = "name"       // of the key at the provider
	factClaim  = "claim"      // of the pending versions
	factFrom   = "from:"      // the version that is current before
	factToken  = "token:"     // the version of the new value
	factKeyID  = "key_id"     // the provider's id of the new key
	factServed = "served"     // the new key was handed out to consumers
	factLeft   = "left_alive" // the new key was not ended by the roll-back, and why
)

// Warnings and inputs of plans.
const (
	warnUnproved = "unproved"
	warnOrphan   = "possible-orphan"
	warnBackup   = "backup-key"
	inputKey     = "key"
	inputID      = "key_id"
)

// About describes the procedure.
func (p *rotation) About() plan.About {
	target := "stored secret"
	replace := plan.Option{Name: "pending", Words: []string{"keep", "replace"}, Default: "keep", Summary: "what to do with a pending value that somebody left: keep it and refuse, or take its place"}
	switch p.way {
	case byBackup:
		return plan.About{
			Name: "use-backup-key", Title: "Use the emergency backup key", Target: target, Changes: true, Options: []plan.Option{replace},
			Summary: "Hands out the sealed backup key in place of one that no longer works; it never ends a key, and it is a temporary measure with an end.",
		}
	case byRetrying:
		return plan.About{
			Name: "retry-api-key", Title: "Retry the rotation of an API key", Target: target, Changes: true,
			Summary: "Rotates an API key and tries again, ever more slowly, while its provider is limiting, in trouble or silent; it never ends the old key.",
			Options: []plan.Option{
				{Name: "attempts", Summary: "how often each call to the provider is tried", Words: []string{"3", "5", "8", "12", "20"}, Default: "8"},
				{Name: "first", Summary: "the wait after the first attempt; it doubles each time, up to 15 minutes", Words: []string{"10s", "30s", "1m", "5m"}, Default: "30s"},
				replace,
			},
		}
	}
	return plan.About{
		Name: "rotate-api-key", Title: "Rotate an API key", Target: target, Changes: true, Options: []plan.Option{replace},
		Summary: "Makes a second key, tries it, and has the store hand it out; the old key works on until revoke-api-key ends it.",
	}
}

// Targets are the stored secrets with an API key.
func (p *rotation) Targets() []plan.Target {
	return p.targets(func(rule *config.APIKeyRotation) (string, bool) {
		switch {
		case p.way == byBackup && rule.Backup == nil:
			return "no backup key is configured", false
		case p.way == byBackup:
			return "backup key in " + rule.Backup.Secret, true
		case rule.Create == nil && p.way == byRetrying:
			return "there is no call that makes a key: the key is typed", false
		case rule.Create == nil:
			return "the new key comes from the provider's console", true
		case len(rule.Dependents) > 0:
			return "with " + strings.Join(rule.Dependents, ", "), true
		}
		return "", true
	})
}

// work is one rotation under way: what its steps share.
type work struct {
	*subject
	way   way
	facts map[string]string // of the plan
	tries patience
	// unproved is whether the person accepts a typed key that could not be tried.
	unproved bool
	retaken  bool // an earlier attempt at the first step may have made a key
	served   bool // the run that is taken up may have handed the new key out
}

// Prepare makes the plan.
func (p *rotation) Prepare(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	s, err := p.subject(ask.Target)
	if err != nil {
		return nil, err
	}
	if p.way == byBackup && s.rule.Backup == nil {
		return nil, &estate.Failure{Kind: estate.Misconfigure, Doing: "use the backup key of " + ask.Target, Detail: "warroom.yaml names none", Next: "plan ask-provider or rotate-api-key"}
	}
	w := &work{subject: s, way: p.way, tries: patienceOf(p.way, ask.Options)}
	if ask.Past != nil {
		return w.again(ctx, ask)
	}
	return w.first(ctx, ask)
}

// typed reports whether a person types the new key.
func (w *work) typed() bool { return w.way != byBackup && w.rule.Create == nil }

// again prepares a run that is taken up: everything follows from its facts.
func (w *work) again(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	w.facts = maps.Clone(ask.Past.Facts)
	if ask.Past.Plan == nil || w.facts[factFrom+w.target] == "" || w.facts[factToken+w.target] == "" {
		return nil, &actions.Refusal{What: "taking up the rotation of " + w.target, Why: "its journal does not say which versions it is about", Next: "abandon it and plan again"}
	}
	if ask.Mode == plan.Back {
		if err := w.since(ctx); err != nil {
			return nil, err
		}
	}
	switch ask.Past.Steps[stepPromote] {
	case "", plan.Waiting:
	default:
		w.served = true
	}
	out := plan.Plan{Title: ask.Past.Plan.Title, Why: ask.Past.Plan.Why, Facts: w.facts, Affected: ask.Past.Plan.Affected, Measures: ask.Past.Plan.Measures, NeedsReason: ask.Past.Plan.NeedsReason}
	settled := ask.Past.Steps[stepKey] == plan.Done || ask.Past.Steps[stepKey] == plan.Skipped
	w.retaken = !settled && ask.Past.Steps[stepKey] != "" && ask.Past.Steps[stepKey] != plan.Waiting
	for _, warning := range ask.Past.Plan.Warnings {
		if warning.ID == warnUnproved {
			w.unproved = true
		}
		if warning.Accept && ask.Mode == plan.Resume {
			out.Warnings = append(out.Warnings, warning)
		}
	}
	if ask.Mode == plan.Resume && !settled {
		if w.typed() {
			out.Inputs = w.inputs()
		}
		if w.retaken && w.blind() {
			out.Warnings = append(out.Warnings, plan.Warning{ID: warnOrphan, Accept: true, Text: w.orphanText() + "."})
		}
	}
	return w.prepared(out), nil
}

// since refuses to take a run back once somebody has rotated the key after it: the older
// one may be ended by now.
func (w *work) since(ctx context.Context) error {
	states, err := w.looks(ctx)
	if err != nil {
		return err
	}
	for i, m := range w.members {
		if states[i].Current == w.facts[factToken+m.name] {
			continue
		}
		back, err := m.place.Restored(ctx, states[i], w.facts[factFrom+m.name])
		if err != nil {
			return err
		}
		if !back {
			return &actions.Refusal{
				What: "taking back the rotation of " + m.name, Why: "version " + store.Short(states[i].Current) + " is current, which is neither that of before nor that of this run: somebody has rotated it since",
				Next: "see that the current key works (validate), and abandon this run; a key of it that is left is ended by revoke-api-key with key=ID",
			}
		}
	}
	return nil
}

// blind reports whether a key that a lost call made can neither be had again nor be
// found.
func (w *work) blind() bool {
	return w.way != byBackup && w.rule.Create != nil && !w.rule.Create.Again && (w.rule.List == nil || w.rule.Revoke == nil)
}

func (w *work) orphanText() string {
	return fmt.Sprintf("%s may have made a key named %s whose value is lost: %s cannot list its keys and end one for us. Look for it in its console and end it there before you go on",
		w.rule.Provider, w.facts[factName], w.rule.Provider)
}

func (w *work) inputs() []plan.Input {
	return []plan.Input{
		{ID: inputKey, Label: "New key from the console of " + w.rule.Provider},
		{ID: inputID, Label: "Its id there, where it has one", Optional: true},
	}
}

// first plans a new run.
func (w *work) first(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	states, err := w.looks(ctx)
	if err != nil {
		return nil, err
	}
	now := w.family.now()
	w.facts = map[string]string{factName: rotationName(now), factClaim: store.NewClaim()}
	out := plan.Plan{Facts: w.facts, Title: w.title(), Why: ""}
	for i, m := range w.members {
		if states[i].Pending != "" && ask.Options["pending"] != "replace" {
			return nil, stuck(m.name, states[i])
		}
		w.facts[factFrom+m.name], w.facts[factToken+m.name] = states[i].Current, m.place.Token(states[i])
		if states[i].Schedule.On {
			out.Warnings = append(out.Warnings, plan.Warning{ID: "schedule:" + m.name,
				Text: fmt.Sprintf("%s is also rotated by its platform, next %s. Contain it first where that is soon.", m.name, when(states[i].Schedule.Next))})
		}
	}
	current, err := w.read(ctx, w.members[0], states[0].Current)
	var empty *store.Empty
	if err != nil && !errors.As(err, &empty) {
		return nil, err
	}
	if err == nil {
		_, err = current.value.With(map[string]estate.Secret{w.rule.Field: estate.NewSecret("x")})
	}
	if err != nil {
		return nil, fmt.Errorf("put a key into %s: %w", w.target, err)
	}
	observed, err := w.observe(ctx)
	if err != nil {
		return nil, err
	}
	out.Observed = observed
	state := w.now(ctx, current)
	out.Observed = append(out.Observed, state)
	out.Why = fmt.Sprintf("The current key of %s %s.", w.target, state.Value)
	if err := w.cause(ctx, &out, current, state); err != nil {
		return nil, err
	}
	how := "goes on with the key it has, which works on, until it is restarted"
	if !strings.HasPrefix(state.Value, string(works)) {
		how = "gets the new key when it is restarted; the one it has is not known to work"
	}
	out.Affected = affected(w.consumers(ctx, states), how)
	for _, m := range w.members[1:] {
		out.Affected = append(out.Affected, plan.Affected{Name: m.name, How: "gets the same new key, in the same step", Critical: m.secret.Criticality == string(estate.Critical)})
	}
	if err := w.lookCopies(ctx, &out); err != nil {
		return nil, err
	}
	ready := w.prepared(out)
	ready.Observe = func(ctx context.Context) ([]plan.Observed, error) {
		again, err := w.observe(ctx)
		return append(again, state), err
	}
	return ready, nil
}

func (w *work) title() string {
	switch {
	case w.way == byBackup:
		return fmt.Sprintf("Use the backup key of %s (%s)", w.rule.Provider, w.target)
	case w.way == byRetrying:
		return fmt.Sprintf("Retry the rotation of the API key of %s (%s)", w.rule.Provider, w.target)
	}
	return fmt.Sprintf("Rotate the API key of %s (%s)", w.rule.Provider, w.target)
}

// stuck refuses to take a pending value's place unasked.
func stuck(name string, s store.State) error {
	who, next := "nobody says who put it there", "see who is rotating it; to take its place, plan with pending=replace"
	if s.Holder != "" {
		who, next = "it is rotated by "+s.Holder, "speak to them, or resume or roll back that run; to take its place, plan with pending=replace"
	}
	return &actions.Refusal{What: "the rotation of " + name, Why: fmt.Sprintf("version %s is pending there: %s", store.Short(s.Pending), who), Next: next}
}

func when(at time.Time) string {
	if at.IsZero() {
		return "at a time that is not known"
	}
	return at.UTC().Format("2006-01-02 15:04Z")
}

// observe reads what the plan rests on, but for how the current key is answered.
func (w *work) observe(ctx context.Context) ([]plan.Observed, error) {
	states, err := w.looks(ctx)
	if err != nil {
		return nil, err
	}
	var out []plan.Observed
	for i, m := range w.members {
		out = append(out, plan.Observed{Name: "current version of " + m.name, Value: states[i].Current},
			plan.Observed{Name: "pending version of " + m.name, Value: orNone(states[i].Pending)})
	}
	if w.way == byBackup {
		place, _, err := store.Open(w.systems, w.rule.Backup.Secret)
		if err != nil {
			return nil, err
		}
		s, err := place.Look(ctx)
		if err != nil {
			return nil, err
		}
		return append(out, plan.Observed{Name: "current version of " + w.rule.Backup.Secret, Value: s.Current}), nil
	}
	if w.rule.Create == nil || w.rule.List == nil {
		return out, nil
	}
	keys, got, err := w.list(ctx)
	switch {
	case err != nil:
		return nil, err
	case got.verdict != works && w.way == byRetrying && got.temporary():
		return append(out, plan.Observed{Name: "keys at " + w.rule.Provider, Value: "not known: the list " + got.String(), Live: true}), nil
	case got.verdict != works:
		return nil, w.failed("list the keys", got)
	case len(keys) >= w.rule.Most:
		return nil, &actions.Refusal{
			What: "a second key at " + w.rule.Provider, Why: fmt.Sprintf("it has %d of at most %d keys: %s", len(keys), w.rule.Most, w.describe(keys)),
			Next: "end one that nobody uses first: plan revoke-api-key with key=ID",
		}
	}
	return append(out, plan.Observed{Name: "keys at " + w.rule.Provider, Value: fmt.Sprintf("%d of at most %d", len(keys), w.rule.Most), Live: w.way == byRetrying}), nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// describe lists keys by name and id.
func (s *subject) describe(keys []listed) string {
	texts := make([]string, 0, len(keys))
	for _, k := range keys[:min(len(keys), 10)] {
		texts = append(texts, strings.TrimSpace(k.name+" "+k.id))
	}
	return s.systems.Read.Text(strings.Join(texts, ", "), 1000)
}

// now is how the current key is answered, for the plan to tell. It may change without
// harm.
func (w *work) now(ctx context.Context, current held) plan.Observed {
	out := plan.Observed{Name: "current key of " + w.target, Live: true}
	if current.trouble != nil {
		out.Value = "is no key: " + w.systems.Read.Failure(current.trouble, "").Detail
		return out
	}
	got, err := w.probe(ctx, current.key, current.id)
	if err != nil {
		out.Value = "could not be tried: " + err.Error()
		return out
	}
	out.Value = got.String()
	return out
}

// cause adds what depends on where the new key comes from.
func (w *work) cause(ctx context.Context, out *plan.Plan, current held, state plan.Observed) error {
	switch {
	case w.way == byBackup:
		return w.backup(ctx, out, current)
	case w.typed():
		out.Inputs = w.inputs()
		if strings.HasPrefix(state.Value, "cannot be judged") || strings.HasPrefix(state.Value, "could not") {
			w.unproved = true
			out.Warnings = append(out.Warnings, plan.Warning{ID: warnUnproved, Accept: true,
				Text: fmt.Sprintf("%s gives no answer by which a key can be judged. A key that you type is then stored without having been tried.", w.rule.Provider)})
		}
	case w.blind():
		out.Warnings = append(out.Warnings, plan.Warning{ID: "blind", Text: fmt.Sprintf("If we are interrupted between the creation of the key and its storing, the key named %s stays at %s and must be ended in its console.", w.facts[factName], w.rule.Provider)})
	}
	return nil
}

// backup judges the sealed key, and says what using it means.
func (w *work) backup(ctx context.Context, out *plan.Plan, current held) error {
	sealed, err := w.sealed(ctx)
	if err != nil {
		return err
	}
	if err := Guard(sealed.value, current.key); err != nil {
		return &actions.Refusal{What: "the backup key in " + w.rule.Backup.Secret, Why: err.Error(), Next: "plan rotate-api-key, retry-api-key or ask-provider"}
	}
	got, err := w.probe(ctx, sealed.value, sealed.id)
	if err != nil {
		return err
	}
	if got.verdict != works {
		return &actions.Refusal{What: "the backup key in " + w.rule.Backup.Secret, Why: "it " + got.String(), Next: "plan rotate-api-key, retry-api-key or ask-provider"}
	}
	until := w.family.now().Add(w.rule.Backup.For)
	out.NeedsReason = "an emergency key is put to everyday use"
	out.Warnings = append(out.Warnings, plan.Warning{ID: warnBackup, Accept: true,
		Text: fmt.Sprintf("High risk: every consumer of %s gets the emergency key, and no sealed key is left behind it. It must be gone by %s.", w.target, when(until))})
	out.Measures = append(out.Measures, plan.Measure{Step: stepPromote, Kind: string(incident.MeasureBackupKey),
		What: fmt.Sprintf("%s hands out the backup key in %s: by %s rotate %s to a key of its own, then end the backup key and seal a new one", w.target, w.rule.Backup.Secret, when(until), w.target)})
	return nil
}

// sealed reads the emergency key.
func (w *work) sealed(ctx context.Context) (made, error) {
	place, _, err := store.Open(w.systems, w.rule.Backup.Secret)
	if err != nil {
		return made{}, err
	}
	s, err := place.Look(ctx)
	if err != nil {
		return made{}, err
	}
	h, err := w.read(ctx, member{name: w.rule.Backup.Secret, place: place, field: w.rule.Backup.Field, idField: w.rule.IDField}, s.Current)
	if err == nil {
		err = h.trouble
	}
	return made{value: h.key, id: h.id}, err
}

// patience is how often, and how slowly, a call to a provider is tried again.
type patience struct {
	tries       int
	first, most time.Duration
}

func patienceOf(way way, options map[string]string) patience {
	if way != byRetrying {
		return patience{tries: 3, first: 2 * time.Second, most: 10 * time.Second}
	}
	p := patience{tries: 8, first: 30 * time.Second, most: 15 * time.Minute}
	if n, err := strconv.Atoi(options["attempts"]); err == nil {
		p.tries = min(max(n, 1), 50)
	}
	if d, err := time.ParseDuration(options["first"]); err == nil {
		p.first = min(max(d, time.Second), p.most)
	}
	return p
}

// longest is how long a call may be tried, for the limit of its step.
func (p patience) longest() time.Duration {
	total := 5 * time.Minute
	for n := 1; n < p.tries; n++ {
		total += p.most
	}
	return total
}

// wait is how long after the n-th attempt, from 1, the next one is made: it doubles,
// and half of it is left to chance, so that consoles do not knock together. asked is
// what the provider wants at least.
func (p patience) wait(n int, chance float64, asked time.Duration) time.Duration {
	d := p.first
	for range n - 1 {
		if d = 2 * d; d >= p.most {
			d = p.most
			break
		}
	}
	return max(d/2+time.Duration(chance*float64(d/2)), asked)
}

func (w *work) prepared(out plan.Plan) *actions.Prepared {
	steps := w.steps()
	ready := &actions.Prepared{Systems: w.systemsOf()}
	for _, s := range steps {
		out.Steps, ready.Steps = append(out.Steps, s.plan), append(ready.Steps, s.step)
	}
	out.Steps = slices.Clip(out.Steps)
	ready.Plan = out
	return ready
}
