package contain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"warroom/actions"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// Names of the procedures.
const (
	Name       = "contain"
	ResumeName = "resume-rotations"
)

// Procedures are both.
func Procedures(systems actions.Systems) []actions.Procedure {
	return []actions.Procedure{&together{systems: systems}, &together{systems: systems, on: true}}
}

// together cancels or resumes the scheduled rotations of one mechanism.
type together struct {
	systems actions.Systems
	on      bool
}

// optionWithin is how far ahead it is looked.
const (
	optionWithin = "within"
	within       = 24 * time.Hour
)

// The one step of each procedure.
const (
	stepCancel = "cancel"
	stepResume = "resume"
)

// factSecrets are the secrets that a run works on, one a line.
const factSecrets = "secrets"

// factFailing says by what it is seen that the function fails; it is missing where
// nothing tells that.
const factFailing = "failing"

// Failing reports whether a plan of Name saw that its function fails: a version that is
// stuck, or a rotation that is overdue. One that fails may not have come to either yet.
func Failing(p *plan.Plan) bool { return p.Facts[factFailing] != "" }

// failing is by what it is seen that a function fails; empty where nothing tells.
func failing(all []rotated, now time.Time) string {
	for _, r := range all {
		if r.on && (r.stuck || !r.next.IsZero() && r.next.Before(now)) {
			return r.name + " is " + r.when(now)
		}
	}
	return ""
}

func (p *together) About() plan.About {
	if p.on {
		return plan.About{
			Name: ResumeName, Title: "Resume cancelled rotations", Target: "rotation function", Changes: true,
			Summary: "Puts the secrets of one rotation function whose schedule warroom has cancelled back on it, without rotating now.",
		}
	}
	return plan.About{
		Name: Name, Title: "Contain a failing rotation", Target: "rotation function", Changes: true,
		Summary: "Finds the secrets that the failing function rotates next, and cancels their scheduled rotations together, before they break too.",
		Options: []plan.Option{{Name: optionWithin, Summary: "how far ahead a rotation counts as due, for example 24h", Default: "24h"}},
	}
}

// Targets are the rotation functions of the configuration.
func (p *together) Targets() []plan.Target {
	var out []plan.Target
	for _, c := range functions(p.systems.Config) {
		t := plan.Target{ID: c.RotationFunction.Function, Title: c.Name + " in account " + c.RotationFunction.Account, Ready: true, Note: p.note(c)}
		if t.Note != "" && !p.on {
			t.Due = p.due(c.RotationFunction.Function)
		}
		out = append(out, t)
	}
	return out
}

// due says of a function that fails what it would break next; empty where it has
// nothing on its schedule.
func (p *together) due(function string) string {
	readings := p.systems.Readings()
	if readings == nil {
		return ""
	}
	switch n := readings.RotatedBy(function, within); n {
	case 0:
		return ""
	case 1:
		return "it fails now, and 1 rotation is due within a day"
	default:
		return fmt.Sprintf("it fails now, and %d rotations are due within a day", n)
	}
}

// note says of a function how it stands.
func (p *together) note(c *config.Component) string {
	if c == nil || p.systems.Readings == nil {
		return ""
	}
	readings := p.systems.Readings()
	if readings == nil {
		return ""
	}
	if r, ok := readings.Of(estate.ID(c.ID)); ok && r.Status == estate.Fail {
		return "it fails now"
	}
	return ""
}

func functions(cfg *config.Config) []*config.Component {
	var out []*config.Component
	for i := range cfg.Components {
		if cfg.Components[i].RotationFunction != nil {
			out = append(out, &cfg.Components[i])
		}
	}
	return out
}

// component is the rotation function of a target; nil where there is none.
func (p *together) component(target string) *config.Component {
	for _, c := range functions(p.systems.Config) {
		if c.RotationFunction.Function == target || c.ID == target {
			return c
		}
	}
	return nil
}

// of finds the mechanism of a target.
func (p *together) of(target string) (*mechanism, error) {
	if c := p.component(target); c != nil {
		return &mechanism{systems: p.systems, account: c.RotationFunction.Account, function: c.RotationFunction.Function}, nil
	}
	return nil, &estate.Failure{Kind: estate.Misconfigure, Doing: "contain " + target, Detail: "warroom.yaml has no rotation_function of that name", Next: "name one of those that warroom plan contain lists"}
}

func (p *together) Prepare(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	m, err := p.of(ask.Target)
	if err != nil {
		return nil, err
	}
	ahead := within
	if text := ask.Options[optionWithin]; text != "" {
		if ahead, err = time.ParseDuration(text); err != nil || ahead <= 0 {
			return nil, &actions.Refusal{What: "containing " + ask.Target, Why: fmt.Sprintf("%q is no length of time", text), Next: "give within as 24h or 90m"}
		}
	}
	all, err := m.all(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	var chosen []rotated
	if ask.Past != nil {
		for name := range strings.Lines(ask.Past.Facts[factSecrets]) {
			name = strings.TrimSuffix(name, "\n")
			one := rotated{name: name}
			if i := slices.IndexFunc(all, func(r rotated) bool { return r.name == name }); i >= 0 {
				one = all[i]
			}
			chosen = append(chosen, one)
		}
	} else {
		for _, r := range all {
			if p.on && r.tagged && !r.on || !p.on && r.due(now, ahead) {
				chosen = append(chosen, r)
			}
		}
	}
	if len(chosen) == 0 {
		return nil, p.nothing(ask.Target, all, now, ahead)
	}
	if p.on && ask.Past == nil {
		if i := slices.IndexFunc(chosen, func(r rotated) bool { return r.stuck }); i >= 0 {
			return nil, &actions.Refusal{
				What: "resuming the rotations of " + ask.Target, Why: "a version of " + chosen[i].name + " is still stuck as pending, and would be tried again at once",
				Next: "plan recover-pending " + chosen[i].name,
			}
		}
	}
	return p.prepared(m, ask.Target, all, chosen, now, ahead), nil
}

// nothing says why there is nothing to do, and what comes next all the same.
func (p *together) nothing(target string, all []rotated, now time.Time, ahead time.Duration) error {
	if p.on {
		return &actions.Refusal{What: "resuming the rotations of " + target, Why: "warroom has cancelled none that is still off", Next: "resume others one by one: plan resume-rotation"}
	}
	why := fmt.Sprintf("none of the %d secrets that it rotates is due within %s", len(all), ahead)
	for _, r := range all {
		if r.on && !r.next.IsZero() {
			why += fmt.Sprintf("; the next is %s, %s", r.name, r.when(now))
			break
		}
	}
	return &actions.Refusal{What: "containing " + target, Why: why, Next: "look further ahead (within), or mend the function"}
}

func (p *together) prepared(m *mechanism, target string, all, chosen []rotated, now time.Time, ahead time.Duration) *actions.Prepared {
	names := make([]string, len(chosen))
	for i, r := range chosen {
		names[i] = r.name
	}
	out := &actions.Prepared{Systems: []string{m.system()}}
	out.Plan = plan.Plan{Facts: map[string]string{factSecrets: strings.Join(names, "\n")}}
	one := plan.Step{ID: stepCancel, Title: fmt.Sprintf("Cancel %d scheduled rotations", len(names)), Where: m.system(), Change: true, Limit: 5 * time.Minute,
		Before: "each is still on", Verify: "DescribeSecret of each says RotationEnabled false", Undo: "each is put back on the schedule that it had, without rotating now; one with a stuck version stays off, as an open measure: Secrets Manager refuses to turn it on"}
	verb := "secretsmanager:CancelRotateSecret"
	if p.on {
		one.ID, one.Title, one.Verify = stepResume, fmt.Sprintf("Resume %d scheduled rotations", len(names)), "DescribeSecret of each says RotationEnabled true"
		one.Before, one.Undo = "nothing of them is stuck", "each is cancelled again"
		verb = "secretsmanager:RotateSecret RotateImmediately=false"
	}
	for _, r := range chosen {
		one.Calls = append(one.Calls, verb+" "+r.name)
		out.Plan.Affected = append(out.Plan.Affected, plan.Affected{Name: r.name, How: r.when(now), Critical: p.critical(r.name)})
		out.Plan.Measures = append(out.Plan.Measures, plan.Measure{Step: one.ID, Kind: string(incident.MeasureCancelled), What: measureOf(r.name), End: p.on})
	}
	if p.on {
		out.Plan.Title = fmt.Sprintf("Resume %d rotations of %s", len(names), target)
		out.Plan.Why = "Their schedules go on; none is rotated now."
	} else {
		out.Plan.Title = fmt.Sprintf("Take %d secrets of %s off their schedules", len(names), target)
		out.Plan.Why = fmt.Sprintf("They are rotated by the same function and due within %s. %s", ahead, p.nextBreak(chosen, now))
		if seen := failing(all, now); seen != "" {
			out.Plan.Facts[factFailing] = seen
		} else if p.note(p.component(target)) == "" {
			out.Plan.Warnings = append(out.Plan.Warnings, plan.Warning{ID: "no-sign", Text: fmt.Sprintf("Nothing tells that %s fails: none of its %d secrets is stuck or overdue. See its log before you take them off their schedules.", target, len(all))})
		}
		out.Plan.Warnings = append(out.Plan.Warnings, plan.Warning{ID: "schedule", Text: "Nothing rotates them until they are resumed (resume-rotations " + target + "): a password that ends with its period still ends then."})
	}
	out.Plan.Steps = []plan.Step{one}
	out.Plan.Observed = observed(all, names)
	out.Observe = func(ctx context.Context) ([]plan.Observed, error) {
		now, err := m.all(ctx)
		return observed(now, names), err
	}
	out.Steps = []actions.Step{{
		Do: func(ctx context.Context, run *actions.Run) error { return m.set(ctx, run, names, p.on) },
		Probe: func(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) {
			return m.look(ctx, names, p.on)
		},
		Verify: func(ctx context.Context, _ *actions.Run) (string, error) { return m.verify(ctx, names, p.on) },
		Undo:   func(ctx context.Context, run *actions.Run) error { return m.undo(ctx, run, names, p.on) },
		VerifyUndo: func(ctx context.Context, run *actions.Run) (string, error) {
			return m.verifyUndo(ctx, run, names, p.on)
		},
	}}
	return out
}

// nextBreak says how long there is until the next one breaks.
func (p *together) nextBreak(chosen []rotated, now time.Time) string {
	for _, r := range chosen {
		if !r.stuck && r.next.After(now) {
			return fmt.Sprintf("The next to break is %s, in %s.", r.name, r.next.Sub(now).Round(time.Minute))
		}
	}
	return "All of them are overdue or stuck already."
}

// critical reports whether much depends on a secret.
func (p *together) critical(name string) bool {
	for i := range p.systems.Config.Components {
		if c := p.systems.Config.Components[i].SecretsManager; c != nil {
			for _, s := range c.Secrets {
				if s.ID == name {
					return cmp.Or(s.Criticality, p.systems.Config.Components[i].Criticality) == "critical"
				}
			}
		}
	}
	return false
}

// observed is how the chosen secrets stand.
func observed(all []rotated, names []string) []plan.Observed {
	var out []plan.Observed
	for _, name := range names {
		value := "not rotated by this function any more"
		if i := slices.IndexFunc(all, func(r rotated) bool { return r.name == name }); i >= 0 {
			value = "off"
			if all[i].on {
				value = "on"
			}
			if all[i].stuck {
				value += ", stuck"
			}
		}
		out = append(out, plan.Observed{Name: "scheduled rotation of " + name, Value: value})
	}
	return out
}

// set turns the rotations of all secrets on or off.
func (m *mechanism) set(ctx context.Context, run *actions.Run, names []string, on bool) error {
	return forEach(ctx, names, func(ctx context.Context, _ int, name string) error {
		run.Part(plan.Part{Name: name, State: plan.Running})
		do, done := m.turnOff, "off"
		if on {
			do, done = m.turnOn, "on"
		}
		if err := do(ctx, name); err != nil {
			run.Part(plan.Part{Name: name, State: plan.Failed, Detail: err.Error()})
			return err
		}
		run.Part(plan.Part{Name: name, State: plan.Done, Detail: "rotation is " + done})
		return nil
	})
}

// measureOf is how the register of temporary measures calls the rotation of a secret.
func measureOf(name string) string { return "the scheduled rotation of " + name }

// barred are those of the secrets that cannot be put back on their schedule: Secrets
// Manager turns no rotation on while a version is pending.
func (m *mechanism) barred(ctx context.Context, names []string) (map[string]bool, error) {
	stuck := make([]bool, len(names))
	err := forEach(ctx, names, func(ctx context.Context, i int, name string) error {
		r, err := m.describe(ctx, name)
		stuck[i] = r.stuck && !r.on
		return err
	})
	out := map[string]bool{}
	for i, name := range names {
		if stuck[i] {
			out[name] = true
		}
	}
	return out, err
}

// undo takes back what was set, where that can be: what stays off keeps its tag, so that
// it is resumed with the others another day.
func (m *mechanism) undo(ctx context.Context, run *actions.Run, names []string, on bool) error {
	if on {
		return m.set(ctx, run, names, false)
	}
	barred, err := m.barred(ctx, names)
	if err != nil {
		return err
	}
	for name := range barred {
		run.Part(plan.Part{Name: name, State: plan.Skipped, Detail: "stays off: a version is stuck"})
	}
	return m.set(ctx, run, without(names, barred), true)
}

func without(names []string, some map[string]bool) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return some[name] })
}

func (m *mechanism) verifyUndo(ctx context.Context, run *actions.Run, names []string, on bool) (string, error) {
	if on {
		return m.verify(ctx, names, false)
	}
	barred, err := m.barred(ctx, names)
	if err != nil {
		return "", err
	}
	found, err := m.verify(ctx, without(names, barred), true)
	for _, name := range names {
		if barred[name] {
			run.Stays(measureOf(name))
			found += "; " + name + " stays off while a version is stuck: recover-pending " + name + " first, then resume-rotation " + name
		}
	}
	return found, err
}

// count is how many secrets are as they should be, and one that is not. What the
// function no longer rotates counts as it should.
func (m *mechanism) count(ctx context.Context, names []string, on bool) (right int, other string, err error) {
	is := make([]bool, len(names))
	err = forEach(ctx, names, func(ctx context.Context, i int, name string) error {
		r, err := m.describe(ctx, name)
		// A tag that is left at one that is on would resume it another day.
		is[i] = err == nil && (r.name == "" || r.on == on && (!on || !r.tagged))
		return err
	})
	for i, ok := range is {
		if ok {
			right++
		} else if other == "" {
			other = names[i]
		}
	}
	return right, other, err
}

func (m *mechanism) look(ctx context.Context, names []string, on bool) (plan.Effect, string, error) {
	right, _, err := m.count(ctx, names, on)
	found := fmt.Sprintf("%d of %d are as they should be", right, len(names))
	switch {
	case err != nil:
		return plan.Unclear, found, err
	case right == len(names):
		return plan.Took, found, nil
	case right > 0:
		return plan.Partly, found, nil
	}
	// A tag that was set, or is left, is part of it too.
	before, _, err := m.count(ctx, names, !on)
	switch {
	case err != nil:
		return plan.Unclear, found, err
	case before == len(names):
		return plan.NotDone, found, nil
	}
	return plan.Partly, found + "; others are on their way", nil
}

func (m *mechanism) verify(ctx context.Context, names []string, on bool) (string, error) {
	right, other, err := m.count(ctx, names, on)
	word := "off"
	if on {
		word = "on"
	}
	if err == nil && other != "" {
		err = fmt.Errorf("turn scheduled rotations %s: that of %s is not; see who else changes it, then resume the run", word, other)
	}
	return fmt.Sprintf("%d of %d are %s", right, len(names), word), err
}
