package database

import (
	"context"
	"fmt"
	"time"

	"warroom/actions"
	"warroom/actions/store"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// request asks the platform to rotate, and watches whether it does.
type request struct {
	systems actions.Systems
	every   time.Duration // between two looks; 2 seconds when 0
}

// requestLimit is how long a platform may take.
const requestLimit = 5 * time.Minute

func (p *request) About() plan.About {
	return plan.About{
		Name: RequestName, Title: "Ask the platform to rotate", Target: "stored secret", Changes: true,
		Summary: "Has Secrets Manager, or Vault's database engine, rotate the secret itself, and watches until it has or has not.",
	}
}

func (p *request) Targets() []plan.Target {
	var out []plan.Target
	for _, s := range store.Secrets(p.systems.Config) {
		t := plan.Target{ID: s.Called(), Title: s.Type, Ready: true}
		place, _, err := store.Open(p.systems, s.Called())
		switch {
		case role(&s) != nil:
			t.Title, t.Note = "static role "+role(&s).Role+" of Vault "+role(&s).Cluster, "Vault rotates it"
		case err != nil || !store.Scheduled(place):
			t.Ready, t.Note = false, "no platform rotates it"
		}
		out = append(out, t)
	}
	return out
}

// role is the static role of Vault that rotates a secret; nil for none.
func role(s *config.StoredSecret) *config.StaticRole {
	if s.Rotation == nil || s.Rotation.Database == nil {
		return nil
	}
	return s.Rotation.Database.Static
}

func (p *request) Prepare(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	place, stored, err := store.Open(p.systems, ask.Target)
	if err != nil {
		return nil, err
	}
	if static := role(stored); static != nil {
		return p.vault(ctx, ask, static)
	}
	return p.aws(ctx, ask, place)
}

// stepRequest is the one step.
const stepRequest = "request"

func (p *request) aws(ctx context.Context, ask actions.Ask, place store.Place) (*actions.Prepared, error) {
	s, err := place.Look(ctx)
	if err != nil {
		return nil, err
	}
	base, version := s.Current, place.Token(s)
	what := "asking for a rotation of " + place.Name()
	switch {
	case ask.Past != nil:
		base, version = ask.Past.Facts[factBase], ask.Past.Facts[factToken]
	case s.Schedule.Function == "":
		return nil, &actions.Refusal{What: what, Why: "no rotation function is configured for it at Secrets Manager", Next: "plan rotate-database " + place.Name()}
	case s.Pending != "":
		return nil, &actions.Refusal{
			What: what, Why: fmt.Sprintf("an earlier rotation is stuck with version %s%s, and Secrets Manager would only try that one again", store.Short(s.Pending), heldBy(s)),
			Next: "plan recover-pending " + place.Name(),
		}
	}
	out := p.plan(ask, place.System(), fmt.Sprintf("Ask Secrets Manager to rotate %s", place.Name()), place.Calls("rotate", s, version))
	out.Plan.Facts = map[string]string{factBase: base, factToken: version}
	out.Plan.Observed = observed(place.Name(), s, nil)
	out.Plan.Irreversible = "what the rotation function does cannot be taken back by this plan; the earlier value stays in the store as AWSPREVIOUS"
	if !s.Schedule.On {
		out.Plan.Warnings = append(out.Plan.Warnings, plan.Warning{ID: "schedule", Text: "The scheduled rotation is off. Asking for a rotation turns it on again."})
	}
	out.Observe = func(ctx context.Context) ([]plan.Observed, error) {
		now, err := place.Look(ctx)
		return observed(place.Name(), now, nil), err
	}
	look := func(ctx context.Context) (plan.Effect, string, error) {
		now, err := place.Look(ctx)
		switch {
		case err != nil:
			return plan.Unclear, "", err
		case now.Current == version:
			return plan.Took, "version " + store.Short(version) + " is current", nil
		case now.Stages[version] != nil:
			return plan.Partly, "version " + store.Short(version) + " is pending: the function has not finished", nil
		}
		return plan.NotDone, "Secrets Manager has no version " + store.Short(version), nil
	}
	out.Steps = []actions.Step{{
		Do: func(ctx context.Context, run *actions.Run) error {
			effect, _, err := look(ctx)
			if err != nil {
				return err
			}
			if effect == plan.NotDone {
				if err := store.AskRotation(ctx, place, version); err != nil {
					return err
				}
			}
			run.Say("info", "asked Secrets Manager to rotate "+place.Name()+" to version "+store.Short(version))
			return p.watch(ctx, run, place.Name(), look)
		},
		Probe: func(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) { return look(ctx) },
		Verify: func(ctx context.Context, _ *actions.Run) (string, error) {
			effect, found, err := look(ctx)
			if err == nil && effect != plan.Took {
				err = fmt.Errorf("rotate %s by its platform: %s; read the rotation function's log, then plan recover-pending %s", place.Name(), found, place.Name())
			}
			return found, err
		},
	}}
	return out, nil
}

// watch looks until the platform is done, or the step's time is up.
func (p *request) watch(ctx context.Context, run *actions.Run, name string, look func(context.Context) (plan.Effect, string, error)) error {
	every := p.every
	if every <= 0 {
		every = 2 * time.Second
	}
	limit, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	last := ""
	for {
		effect, found, err := look(limit)
		if err == nil && effect == plan.Took {
			return nil
		}
		if err == nil && found != last {
			last = found
			run.Say("info", name+": "+found)
		}
		select {
		case <-ticker.C:
		case <-limit.Done():
			return ctx.Err() // the verification says how it stands
		}
	}
}

// plan is the plan of one step.
func (p *request) plan(ask actions.Ask, where, title string, calls []string) *actions.Prepared {
	return &actions.Prepared{
		Plan: plan.Plan{
			Title: title, Why: "The platform does it by its own rules, and goes on by its schedule.",
			Affected: Affected(p.systems.Config, ask.Target, "its open connections stay; a new one needs the new password"),
			Steps: []plan.Step{{
				ID: stepRequest, Title: "Ask, and watch until it is done", Where: where, Change: true, Limit: requestLimit + time.Minute, Calls: calls,
				Before: "no rotation is stuck", Verify: "the version that was asked for is current",
			}},
		},
		Systems: []string{where},
	}
}

// vault asks Vault's database engine.
func (p *request) vault(ctx context.Context, ask actions.Ask, static *config.StaticRole) (*actions.Prepared, error) {
	read, err := p.systems.Read.Vault(static.Cluster)
	if err != nil {
		return nil, err
	}
	path := static.Mount + "/rotate-role/" + static.Role
	last := func(ctx context.Context) (time.Time, error) { return lastRotation(ctx, read, static) }
	before, err := last(ctx)
	if err != nil {
		return nil, err
	}
	if ask.Past != nil {
		if before, err = time.Parse(time.RFC3339Nano, ask.Past.Facts["last_rotation"]); err != nil {
			return nil, &actions.Refusal{What: "taking up the earlier run on " + ask.Target, Why: "its facts are not complete", Next: "abandon it"}
		}
	}
	system := "vault:" + static.Cluster
	out := p.plan(ask, system, fmt.Sprintf("Ask Vault to rotate static role %s (%s)", static.Role, ask.Target), []string{"PUT " + path})
	out.Plan.Facts = map[string]string{"last_rotation": before.Format(time.RFC3339Nano)}
	out.Plan.Irreversible = "Vault keeps no earlier password of a static role"
	rest := func(ctx context.Context) ([]plan.Observed, error) {
		at, err := last(ctx)
		return []plan.Observed{{Name: "last rotation of " + static.Role, Value: at.UTC().Format(time.RFC3339Nano)}}, err
	}
	if out.Plan.Observed, err = rest(ctx); err != nil {
		return nil, err
	}
	out.Observe = rest
	look := func(ctx context.Context) (plan.Effect, string, error) {
		at, err := last(ctx)
		if err != nil {
			return plan.Unclear, "", err
		}
		return effect(at.After(before)), "Vault rotated it last at " + at.UTC().Format("2006-01-02 15:04:05Z"), nil
	}
	out.Steps = []actions.Step{{
		Do: func(ctx context.Context, run *actions.Run) error {
			if done, _, err := look(ctx); err != nil || done == plan.Took {
				return err
			}
			act, err := p.systems.Act.Vault(static.Cluster)
			if err != nil {
				return err
			}
			if err := act.Write(ctx, path, map[string]any{}, nil); err != nil {
				return err
			}
			return p.watch(ctx, run, static.Role, look)
		},
		Probe: func(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) { return look(ctx) },
		Verify: func(ctx context.Context, _ *actions.Run) (string, error) {
			done, found, err := look(ctx)
			if err == nil && done != plan.Took {
				err = fmt.Errorf("rotate static role %s by Vault: %s, before it was asked; see Vault's log, it tries again by itself", static.Role, found)
			}
			return found, err
		},
	}}
	out.Plan.Steps[0].Verify = "last_vault_rotation of the role is newer"
	return out, nil
}

// lastRotation is when Vault rotated a static role last. The password that it answers
// with is not looked at.
func lastRotation(ctx context.Context, v *clients.Vault, static *config.StaticRole) (time.Time, error) {
	var out struct {
		Last time.Time `json:"last_vault_rotation"`
	}
	path := static.Mount + "/static-creds/" + static.Role
	if err := v.Read(ctx, clients.VaultNamespace, path, &out); err != nil {
		return time.Time{}, err
	}
	if out.Last.IsZero() {
		return out.Last, &estate.Failure{Kind: estate.BadAnswer, Doing: "read " + path, Detail: "it does not say when it was rotated", Next: "check that it is a static role"}
	}
	return out.Last, nil
}

// schedule cancels or resumes the scheduled rotation of one secret.
type schedule struct {
	systems actions.Systems
	on      bool
}

func (p *schedule) About() plan.About {
	if p.on {
		return plan.About{
			Name: ResumeName, Title: "Resume a scheduled rotation", Target: "stored secret", Changes: true,
			Summary: "Has Secrets Manager rotate the secret by its schedule again, without rotating now.",
		}
	}
	return plan.About{
		Name: CancelName, Title: "Cancel a scheduled rotation", Target: "stored secret", Changes: true,
		Summary: "Has Secrets Manager no longer rotate the secret by its schedule, nor try a stuck rotation again.",
	}
}

func (p *schedule) Targets() []plan.Target {
	var out []plan.Target
	for _, s := range store.Secrets(p.systems.Config) {
		if place, _, err := store.Open(p.systems, s.Called()); err == nil && store.Scheduled(place) {
			out = append(out, plan.Target{ID: s.Called(), Title: s.Type, Ready: true})
		}
	}
	return out
}

func (p *schedule) Prepare(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	place, _, err := store.Open(p.systems, ask.Target)
	if err != nil {
		return nil, err
	}
	s, err := place.Look(ctx)
	if err != nil {
		return nil, err
	}
	what, title := "cancelling the scheduled rotation of "+place.Name(), "Cancel the scheduled rotation of "+place.Name()
	if p.on {
		what, title = "resuming the scheduled rotation of "+place.Name(), "Resume the scheduled rotation of "+place.Name()
	}
	switch {
	case ask.Past != nil:
	case s.Schedule.On == p.on:
		return nil, &actions.Refusal{What: what, Why: onOff(p.on) + " already"}
	case p.on && s.Pending != "":
		return nil, &actions.Refusal{What: what, Why: "version " + store.Short(s.Pending) + " is stuck as pending" + heldBy(s) + ", and would be tried again at once", Next: "plan recover-pending " + place.Name()}
	case p.on && s.Schedule.Function == "":
		return nil, &actions.Refusal{What: what, Why: "no rotation function is configured for it at Secrets Manager"}
	}
	one := switched(place, s, p.on)
	measure := plan.Measure{Step: one.ID, Kind: measureKind, What: measureOf(place), End: p.on}
	out := &actions.Prepared{
		Plan: plan.Plan{
			Title: title, Why: "Its next rotation is " + nextOf(s) + ".", Observed: observed(place.Name(), s, nil), Measures: []plan.Measure{measure},
			Affected: Affected(p.systems.Config, ask.Target, "nothing happens to it now"),
		},
		Systems: []string{place.System()},
		Observe: func(ctx context.Context) ([]plan.Observed, error) {
			now, err := place.Look(ctx)
			return observed(place.Name(), now, nil), err
		},
	}
	out.Plan.Steps, out.Steps = []plan.Step{one.Step}, []actions.Step{one.do}
	if !p.on {
		out.Plan.Warnings = []plan.Warning{{ID: "schedule", Text: "Nothing rotates " + place.Name() + " until it is resumed (resume-rotation " + place.Name() + ")."}}
	}
	return out, nil
}

func nextOf(s store.State) string {
	if s.Schedule.Next.IsZero() {
		return "not set"
	}
	return "due " + s.Schedule.Next.UTC().Format("2006-01-02 15:04Z")
}
