package database

import (
	"context"
	"fmt"
	"slices"
	"time"

	"warroom/actions"
	"warroom/actions/postgres"
	"warroom/actions/store"
	"warroom/internal/config"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// Names of the procedures.
const (
	RotateName  = "rotate-database"
	RecoverName = "recover-pending"
	RequestName = "request-rotation"
	CancelName  = "cancel-rotation"
	ResumeName  = "resume-rotation"
)

// Procedures are all of this package. They share what is remembered of logins.
func Procedures(systems actions.Systems) []actions.Procedure {
	book := &postgres.Book{}
	return []actions.Procedure{
		&rotate{systems, book}, &recoverPending{systems, book}, &request{systems: systems}, &schedule{systems: systems, on: false}, &schedule{systems: systems, on: true},
	}
}

// rotate is a whole rotation.
type rotate struct {
	systems actions.Systems
	book    *postgres.Book
}

func (p *rotate) About() plan.About {
	return plan.About{
		Name: RotateName, Title: "Rotate a database password", Target: "stored secret", Changes: true,
		Summary: "Stores a new password as pending, sets it at PostgreSQL by a verifier, logs in everywhere, then makes it current; the only copy is never in memory.",
		Options: []plan.Option{
			{Name: optionBlocked, Summary: "of several secrets (prod/db/*), what to do about one that must be planned by itself: refuse the plan, or leave that one", Words: []string{"refuse", leave}, Default: "refuse"},
		},
	}
}

func (p *rotate) Targets() []plan.Target {
	all := databases(p.systems.Config)
	return append(all, folders(p.systems.Config, all)...)
}

// databases are the stored secrets of databases, and why one cannot be rotated.
func databases(cfg *config.Config) []plan.Target {
	var out []plan.Target
	for _, s := range store.Secrets(cfg) {
		if s.Type != "database" && (s.Rotation == nil || s.Rotation.Database == nil) {
			continue
		}
		t := plan.Target{ID: s.Called(), Title: "database password", Ready: true}
		primary, replicas := postgres.Targets(cfg, s.Called())
		switch {
		case s.Rotation == nil || s.Rotation.Database == nil:
			t.Ready, t.Note = false, "warroom.yaml has no rotation.database for it"
		case primary == nil:
			t.Ready, t.Note = false, "no primary in warroom.yaml uses it"
		default:
			t.Title = "database password at " + primary.Name
			if len(replicas) > 0 {
				t.Title += " and " + store.Counted(len(replicas), "replica", "replicas")
			}
		}
		out = append(out, t)
	}
	return out
}

func (p *rotate) Prepare(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	if _, all := several(ask.Target); all {
		return p.many(ctx, ask)
	}
	e, err := targetsOf(p.systems, p.book, ask.Target)
	if err != nil {
		return nil, err
	}
	s, err := e.look(ctx)
	if err != nil {
		return nil, err
	}
	if ask.Past != nil {
		return e.again(ctx, s, ask)
	}
	if err := store.Replicated(e.place.Name(), s.state); err != nil {
		return nil, err
	}
	switch {
	case s.state.Done != "" && (s.state.Claim != "" || s.state.Holder != ""):
		return nil, &actions.Refusal{
			What: "a new rotation of " + e.place.Name(), Why: "an earlier one has made its version current and has not come to its end" + heldBy(s.state),
			Next: "wait for its end; if its console is gone, resume that run, or plan recover-pending " + e.place.Name(),
		}
	case s.state.Pending != "" && (s.state.Claim != "" || s.state.Holder != ""):
		return nil, &store.Taken{Secret: e.place.Name(), Holder: s.state.Holder}
	case s.state.Pending != "":
		return nil, &actions.Refusal{
			What: "a new rotation of " + e.place.Name(), Why: "an earlier one is stuck: version " + store.Short(s.state.Pending) + " is pending",
			Next: "plan recover-pending " + e.place.Name(),
		}
	}
	f := &facts{
		base: s.state.Current, previous: s.state.Previous, token: e.place.Token(s.state), claim: store.NewClaim(),
		old: s.base.User, user: s.base.User, fill: true, cancel: s.state.Schedule.On,
	}
	if e.db.Strategy == "alternating" {
		if f.user, err = s.alternate(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.who(ctx, f); err != nil {
		return nil, err
	}
	if !f.same() {
		f.create = !s.role.Exists
		if !s.known {
			return nil, &actions.Refusal{What: "alternating users for " + e.place.Name(), Why: "whether role " + f.user + " exists could not be read", Next: "give the administrator, or the monitoring role, a login that works"}
		}
		s.warn = append(s.warn, plan.Warning{ID: "owner", Text: "What " + f.user + " makes belongs to " + f.user + " and not to " + f.old + ". Rotations of the two must not run at once."})
	}
	s.lookAtReplicas(ctx, f)
	if err := s.lookAtCopies(ctx, f); err != nil {
		return nil, err
	}
	title := fmt.Sprintf("Rotate the password of %s (%s)", f.user, e.place.Name())
	why := "The current password is let in; nothing stops working before the new one is stored."
	if !s.base.done || !s.base.Works() {
		why = "AWSCURRENT is not let in by the primary: " + e.systems.Read.Text(s.base.words(), 200)
	}
	if !f.same() {
		why = f.old + " goes on to work until the next rotation: nobody is locked out while services take up " + f.user + "."
	}
	return e.prepared(s, f, title, why), nil
}

// again makes the steps of an earlier run from its facts alone.
func (e *estateOf) again(ctx context.Context, s *survey, ask actions.Ask) (*actions.Prepared, error) {
	past := ask.Past
	f := load(past.Facts, len(e.copied))
	if f.token == "" && !f.drop || f.base == "" {
		return nil, &actions.Refusal{What: "taking up the earlier run on " + e.place.Name(), Why: "its facts are not complete", Next: "abandon it, and plan recover-pending"}
	}
	s.warn, s.reason = past.Plan.Warnings, past.Plan.NeedsReason
	if err := s.recalled(ctx, f); err != nil {
		return nil, err
	}
	for _, c := range e.copied {
		_, _ = c.Look(ctx) // for what its calls are now; its step looks again, and says what is wrong
	}
	f.promoted = mayHavePromoted(past)
	if ask.Mode == plan.Back {
		if err := (&rotation{estateOf: e, facts: f}).ours(ctx); err != nil {
			return nil, err
		}
	}
	ready := e.prepared(s, f, past.Plan.Title, past.Plan.Why)
	// The state before the run is what its steps are told by.
	return ready, ctx.Err()
}

// prepared is the plan with what carries it out.
func (e *estateOf) prepared(s *survey, f *facts, title, why string) *actions.Prepared {
	r := &rotation{estateOf: e, facts: f, now: time.Now}
	before := s.state
	before.Current = f.base
	out := &actions.Prepared{
		Plan: plan.Plan{
			Title: title, Why: why, Facts: f.save(), Affected: e.affected(f), NeedsReason: s.reason, Warnings: slices.Clone(s.warn),
		},
		Close: r.close,
	}
	p := &out.Plan
	if f.cancel {
		p.Measures = append(p.Measures, plan.Measure{Step: stepCancel, Kind: measureKind, What: measureOf(e.place)})
		p.Warnings = warned(p.Warnings, plan.Warning{ID: "schedule", Text: "The scheduled rotation is cancelled, so that it does not rotate at the same time. Resuming it (resume-rotation " + e.place.Name() + ") stays open."})
	}
	for _, i := range f.out {
		if !f.drop && i < len(e.copied) {
			p.Measures = append(p.Measures, plan.Measure{Step: stepPromote, Kind: string(incident.MeasureOther), What: e.copied[i].Name() + " is behind: give it the current value of " + e.place.Name()})
		}
	}
	if e.db.PlainText != "" && !f.drop && f.form != formA {
		p.Warnings = warned(p.Warnings, plan.Warning{ID: "plain-text", Accept: true, Text: "The server is sent the password itself and not a verifier, and may log it: " + e.db.PlainText})
	}
	for _, one := range r.steps(before) {
		p.Steps, out.Steps = append(p.Steps, one.Step), append(out.Steps, one.do)
	}
	systems := []string{e.place.System()}
	for _, t := range e.all() {
		systems = append(systems, t.System())
	}
	for _, c := range e.copied {
		systems = append(systems, c.System())
	}
	slices.Sort(systems)
	out.Systems = slices.Compact(systems)
	live := slices.Clone(s.live)
	p.Observed = observed(e.place.Name(), s.state, live)
	out.Observe = func(ctx context.Context) ([]plan.Observed, error) {
		now, err := e.place.Look(ctx)
		return observed(e.place.Name(), now, live), err
	}
	return out
}

// warned adds a warning that is not there yet.
func warned(all []plan.Warning, w plan.Warning) []plan.Warning {
	if slices.ContainsFunc(all, func(have plan.Warning) bool { return have.ID == w.ID }) {
		return all
	}
	return append(all, w)
}

// observed is on what a plan rests, the labels first.
func observed(name string, s store.State, live []plan.Observed) []plan.Observed {
	none := func(text string) string {
		if text == "" {
			return "none"
		}
		return text
	}
	out := []plan.Observed{
		{Name: "AWSCURRENT of " + name, Value: none(s.Current)},
		{Name: "AWSPENDING of " + name, Value: none(s.Pending)},
		{Name: "Who rotates " + name, Value: none(s.Holder)},
		{Name: "Scheduled rotation of " + name, Value: onOff(s.Schedule.On)},
	}
	return append(out, live...)
}

// affected is who uses the secret.
func (e *estateOf) affected(f *facts) []plan.Affected {
	out := Affected(e.systems.Config, e.place.Name(), "its open connections stay; a new one needs the new password: it must take it up, by a restart where it does not by itself")
	for _, p := range e.poolers {
		out = append(out, plan.Affected{Name: "pooler " + p.Name, How: "reads its users again, and connects anew as connections come free"})
	}
	for i, c := range e.copied {
		how := "gets the new password"
		if slices.Contains(f.out, i) {
			how = "keeps the earlier password: it cannot be looked at"
		}
		out = append(out, plan.Affected{Name: c.Name(), How: how})
	}
	return out
}
