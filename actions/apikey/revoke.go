package apikey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"warroom/actions"
	"warroom/actions/store"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// revocation ends the old key, once nobody uses it any more.
type revocation struct{ *family }

const (
	stepRevoke = "revoke"
	stepByHand = "by-hand"

	warnForced = "forced"

	factOldVersion = "old_version" // that holds the key to end; empty where none is known to
	factOldID      = "old_id"      // the provider's id of the key to end
	factNewVersion = "new_version" // that is current
)

// About describes the procedure.
func (p *revocation) About() plan.About {
	return plan.About{
		Name: "revoke-api-key", Title: "End the old API key", Target: "stored secret", Changes: true,
		Summary: "Ends the key before the current one at its provider, only while every consumer is known to be on the new one; it cannot be undone.",
		Options: []plan.Option{
			{Name: "key", Summary: "the provider's id of another key to end, in place of the one before the current"},
			{Name: "force", Summary: "end it although a consumer is on it, or may be", Words: []string{"no", "yes"}, Default: "no"},
			{Name: "measure", Summary: "with force: what helps those who lose access"},
		},
	}
}

// Targets are the API keys whose old key can be ended.
func (p *revocation) Targets() []plan.Target {
	return p.targets(func(rule *config.APIKeyRotation) (string, bool) {
		if rule.Revoke == nil {
			return "it is ended by hand at the provider, and looked at here", true
		}
		return "", true
	})
}

// ending is one key that is to be ended.
type ending struct {
	*subject
	states []store.State
	new    held
	old    held   // its value may be unknown
	oldID  string // may be unknown
	force  bool
}

// Prepare makes the plan.
func (p *revocation) Prepare(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	s, err := p.subject(ask.Target)
	if err != nil {
		return nil, err
	}
	e := &ending{subject: s, force: ask.Options["force"] == "yes"}
	measure := strings.TrimSpace(ask.Options["measure"])
	if e.force && measure == "" {
		return nil, e.refuse("forcing it needs a measure for those who lose access", "name it: measure=…")
	}
	facts, err := e.find(ctx, ask)
	if err != nil {
		return nil, err
	}
	all := e.consumers(ctx, e.states)
	out := plan.Plan{
		Title: fmt.Sprintf("End the old key of %s at %s", e.target, e.rule.Provider), Facts: facts,
		Why:          fmt.Sprintf("The new key has been handed out since version %s; the old one should not outlive its use.", store.Short(e.states[0].Current)),
		Irreversible: fmt.Sprintf("from step %s on, key%s works for nobody, and %s cannot bring it back", stepRevoke, withID(e.oldID), e.rule.Provider),
	}
	for _, c := range all {
		how := "keeps working: it is on the new key"
		if c.standing != onNew {
			how = "loses access, if it is still on the old key: " + c.why
		}
		out.Affected = append(out.Affected, plan.Affected{Component: c.id, Name: c.name, How: how, Critical: c.critical})
	}
	if ask.Past == nil {
		against, err := e.against(ctx, all)
		switch {
		case err != nil:
			return nil, err
		case len(against) > 0 && !e.force:
			return nil, e.refuse(strings.Join(against, "; "), "restart those consumers (plan restart) and wait until the old key is quiet, or force it with a reason")
		case len(against) > 0:
			out.NeedsReason = "the old key is ended although it is in use, or may be"
			out.Warnings = append(out.Warnings, plan.Warning{ID: warnForced, Accept: true,
				Text: fmt.Sprintf("Forced: %s. Whoever is on the old key loses access at once. Measure for them: %s.", strings.Join(against, "; "), e.systems.Read.Text(measure, 300))})
			out.Measures = append(out.Measures, plan.Measure{Step: e.stepID(), Kind: string(incident.MeasureOverride), What: e.systems.Read.Text(fmt.Sprintf("the old key of %s was ended by force; for those who lost access: %s", e.target, measure), 300)})
		default:
			e.force = false // nothing speaks against it
		}
		if out.Observed, err = e.observe(ctx); err != nil {
			return nil, err
		}
	} else {
		// Consent to force was given once, for what was so then.
		e.force = e.force && slices.ContainsFunc(ask.Past.Plan.Warnings, func(w plan.Warning) bool { return w.ID == warnForced })
		out.NeedsReason, out.Measures = ask.Past.Plan.NeedsReason, ask.Past.Plan.Measures
		for _, w := range ask.Past.Plan.Warnings {
			if w.Accept {
				out.Warnings = append(out.Warnings, w)
			}
		}
	}
	one := e.step()
	out.Steps = []plan.Step{one.plan}
	return &actions.Prepared{Plan: out, Steps: []actions.Step{one.step}, Systems: s.systemsOf()[:1], Observe: e.observe}, nil
}

func (e *ending) stepID() string {
	if e.rule.Revoke == nil {
		return stepByHand
	}
	return stepRevoke
}

func (e *ending) refuse(why, next string) error {
	return &actions.Refusal{What: "ending the old key of " + e.target, Why: why, Next: next}
}

// find tells which key is to be ended, and which one stays.
func (e *ending) find(ctx context.Context, ask actions.Ask) (map[string]string, error) {
	var err error
	if e.states, err = e.looks(ctx); err != nil {
		return nil, err
	}
	m, s := e.members[0], e.states[0]
	if s.Pending != "" && s.Claim != "" {
		return nil, e.refuse("a rotation of it is under way: "+orNone(s.Holder), "finish or roll back that run first")
	}
	if e.new, err = e.read(ctx, m, s.Current); err != nil {
		return nil, err
	}
	if e.new.trouble != nil {
		return nil, e.refuse("the current value holds no key", "plan rotate-api-key first")
	}
	version, id := s.Previous, ask.Options["key"]
	if ask.Past != nil {
		version, id = ask.Past.Facts[factOldVersion], ask.Past.Facts[factOldID]
	} else if id != "" {
		version = ""
		if s.Previous != "" {
			if h, err := e.read(ctx, m, s.Previous); err == nil && h.id == id {
				version = s.Previous
			}
		}
	}
	e.oldID = id
	if version != "" {
		e.old, err = e.read(ctx, m, version)
		var empty *store.Empty
		switch {
		case errors.As(err, &empty):
			version = ""
		case err != nil:
			return nil, err
		case e.oldID == "":
			e.oldID = e.old.id
		}
	}
	if version == "" && e.oldID == "" {
		return nil, e.refuse("no version before the current one holds a key", "name the key: key=ID")
	}
	if e.oldID == "" && e.rule.List != nil && e.new.id != "" {
		// Where there are two keys, it is the other one.
		keys, got, err := e.list(ctx)
		if err != nil {
			return nil, err
		}
		if got.verdict == works && len(keys) == 2 {
			for i, k := range keys {
				if k.id == e.new.id && e.systems.Read.Text(keys[1-i].id, idLimit) == keys[1-i].id {
					e.oldID = keys[1-i].id
				}
			}
		}
	}
	if err := e.spare(ctx); err != nil {
		return nil, err
	}
	return map[string]string{factOldVersion: version, factOldID: e.oldID, factNewVersion: s.Current}, nil
}

// spare refuses to end a key that some stored secret still hands out.
func (e *ending) spare(ctx context.Context) error {
	if e.oldID != "" && e.oldID == e.new.id || !e.old.key.Empty() && e.old.key.Reveal() == e.new.key.Reveal() {
		return e.refuse("it is the key that is handed out now", "plan rotate-api-key first")
	}
	others := slices.Clone(e.members[1:])
	if b := e.rule.Backup; b != nil {
		place, secret, err := store.Open(e.systems, b.Secret)
		if err != nil {
			return err
		}
		others = append(others, member{name: b.Secret, place: place, secret: secret, field: b.Field, idField: e.rule.IDField})
	}
	for _, m := range others {
		s, err := m.place.Look(ctx)
		if err != nil {
			return err
		}
		h, err := e.read(ctx, m, s.Current)
		if err != nil {
			return err
		}
		if h.id != "" && h.id == e.oldID || !h.key.Empty() && h.key.Reveal() == e.old.key.Reveal() {
			return e.refuse(m.name+" still hands it out", "plan rotate-api-key, which updates the secrets that depend on "+e.target)
		}
	}
	return nil
}

// against is what speaks against ending the old key now: consumers that are on it or
// of which that is not known, a use that the provider saw lately, or that nothing at
// all can tell. The new key must work in any case. The old one is not tried: that would
// count as a use of it.
func (e *ending) against(ctx context.Context, all []consumer) ([]string, error) {
	got, err := e.probe(ctx, e.new.key, e.new.id)
	if err != nil {
		return nil, err
	}
	if got.verdict != works {
		return nil, e.refuse("the key that is handed out "+got.String(), "see that the new key works first")
	}
	var out []string
	old, unsure := not(all)
	if len(old) > 0 {
		out = append(out, "still on the old key: "+names(old))
	}
	if len(unsure) > 0 {
		out = append(out, "not known which key they use: "+names(unsure))
	}
	if e.rule.LastUsed == nil {
		if len(all) == 0 {
			out = append(out, "nothing tells who uses it: warroom.yaml names no consumer and no last_used call")
		}
		return out, nil
	}
	if e.oldID == "" && strings.Contains(e.rule.LastUsed.URL, "${key_id}") {
		return append(out, "the provider's id of the old key is not known, so it cannot be asked when it was used"), nil
	}
	at, got, err := e.lastUsed(ctx, e.old.key, e.oldID)
	var failure *estate.Failure
	switch {
	case errors.As(err, &failure):
		out = append(out, "when it was used last cannot be told: "+failure.Detail)
	case err != nil:
		return nil, err
	case got.code == 404:
		// The provider knows no such key any more.
	case got.verdict != works:
		out = append(out, "when it was used last cannot be told: that call "+got.String())
	case !at.IsZero() && e.family.now().Sub(at) < e.rule.Quiet:
		out = append(out, fmt.Sprintf("it was used at %s, less than %s ago", at.Format("15:04:05Z"), e.rule.Quiet))
	}
	return out, nil
}

// observe reads what the plan rests on.
func (e *ending) observe(ctx context.Context) ([]plan.Observed, error) {
	states, err := e.looks(ctx)
	if err != nil {
		return nil, err
	}
	var out []plan.Observed
	for i, m := range e.members {
		out = append(out, plan.Observed{Name: "current version of " + m.name, Value: states[i].Current}, plan.Observed{Name: "previous version of " + m.name, Value: orNone(states[i].Previous)})
	}
	old, unsure := not(e.consumers(ctx, states))
	return append(out, plan.Observed{Name: "consumers not on the new key", Value: orNone(names(slices.Concat(old, unsure))), Live: true}), nil
}

func (e *ending) step() step {
	before := "every consumer is on the new key, the provider did not see the old one used within " + e.rule.Quiet.String() + ", and the new one works"
	if e.force {
		before = "the new key works; what else speaks against it is overridden"
	}
	verify := "the old key is refused and the new one works"
	if e.rule.Revoke == nil {
		return step{
			plan.Step{ID: stepByHand, Title: fmt.Sprintf("See that the old key%s was ended in the console of %s", withID(e.oldID), e.rule.Provider), Where: e.rule.Provider,
				Calls: []string{call(e.rule.Probe, "with the old key, and with the new one")}, Before: before, Verify: verify},
			actions.Step{Check: e.check, Verify: e.ended},
		}
	}
	return step{
		plan.Step{ID: stepRevoke, Title: fmt.Sprintf("End the old key%s at %s", withID(e.oldID), e.rule.Provider), Where: e.rule.Provider,
			Calls: []string{call(e.rule.Revoke, "key id "+orNone(e.oldID))}, Before: before, Verify: verify, Change: true},
		actions.Step{
			Check: e.check,
			Do: func(ctx context.Context, r *actions.Run) error {
				got, err := e.revoke(ctx, e.old.key, e.oldID)
				if err != nil {
					return err
				}
				if got.verdict != works {
					return e.failed("end the old key", got)
				}
				return nil
			},
			Probe:  e.effect,
			Verify: e.ended,
		},
	}
}

// check looks once more, right before, whether anything speaks against it.
func (e *ending) check(ctx context.Context, _ *actions.Run) error {
	states, err := e.looks(ctx)
	if err != nil {
		return err
	}
	e.states = states
	if err := e.spare(ctx); err != nil {
		return err
	}
	against, err := e.against(ctx, e.consumers(ctx, states))
	if err != nil {
		return err
	}
	if len(against) > 0 && !e.force {
		return e.refuse(strings.Join(against, "; "), "restart those consumers and wait until the old key is quiet, then plan again")
	}
	return nil
}

// effect tells by looking whether the old key is ended.
func (e *ending) effect(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) {
	if e.rule.List != nil && e.oldID != "" {
		keys, got, err := e.list(ctx)
		switch {
		case err != nil:
			return plan.Unclear, "", err
		case got.verdict != works:
			return plan.Unclear, "the list of keys " + got.String(), nil
		case slices.ContainsFunc(keys, func(k listed) bool { return k.id == e.oldID }):
			return plan.NotDone, e.rule.Provider + " still lists the old key", nil
		}
		return plan.Took, e.rule.Provider + " no longer lists the old key", nil
	}
	if e.old.key.Empty() {
		return plan.Unclear, "its value is not known, and the provider cannot list its keys", nil
	}
	got, err := e.probe(ctx, e.old.key, e.oldID)
	switch {
	case err != nil:
		return plan.Unclear, "", err
	case got.verdict == refused || got.verdict == forbidden:
		return plan.Took, "the old key " + got.String(), nil
	case got.verdict == works:
		return plan.NotDone, "the old key " + got.String(), nil
	}
	return plan.Unclear, "the old key " + got.String(), nil
}

// endTries and endWait are how long a provider gets to forget a key everywhere: a
// minute and a half, in ever longer waits.
const (
	endTries = 5
	endWait  = 6 * time.Second
)

// ended says by looking that the old key is ended and the new one works.
func (e *ending) ended(ctx context.Context, r *actions.Run) (string, error) {
	fresh, err := e.probe(ctx, e.new.key, e.new.id)
	if err != nil {
		return "", err
	}
	if fresh.verdict != works {
		f := e.failed("try the new key", fresh)
		f.Next = "the old key may be gone: plan use-backup-key or rotate-api-key at once if the new one stays refused"
		return "", f
	}
	for n := 1; ; n++ {
		text, gone := "", false
		if !e.old.key.Empty() {
			got, err := e.probe(ctx, e.old.key, e.oldID)
			if err != nil {
				return "", err
			}
			text, gone = "the old key "+got.String(), got.verdict == refused || got.verdict == forbidden
		} else {
			effect, found, err := e.effect(ctx, r)
			if err != nil {
				return "", err
			}
			text, gone = found, effect == plan.Took
		}
		if gone {
			return text + "; the new one " + fresh.String(), nil
		}
		if n == endTries || e.rule.Revoke == nil {
			next := "resume to look again, or end it in the provider's console"
			if e.rule.Revoke == nil {
				next = fmt.Sprintf("end the key%s in the console of %s, then resume", withID(e.oldID), e.rule.Provider)
			}
			return "", &estate.Failure{Kind: estate.BadAnswer, Doing: "see that the old key is ended", Detail: text, Next: next}
		}
		if err := e.idle(ctx, r, time.Duration(n)*endWait); err != nil {
			return "", err
		}
	}
}
