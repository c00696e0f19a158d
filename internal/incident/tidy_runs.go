package incident

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"warroom/internal/estate"
	"warroom/internal/plan"
)

// What a state keeps of one plan at most.
const (
	maxSteps = 500
	maxList  = 500 // of each of its lists
	maxCalls = 100 // of one step
	maxFact  = 16_000
)

// FactFits reports whether a fact of a run is kept as it is: it has a short name of
// one line, and at most 16,000 runes of text without control characters but for line
// ends. Any other is dropped when the journal is read, because one that was cut or
// cleaned would be a wrong one.
func FactFits(name, value string) bool {
	return name != "" && fine(name, maxID) && utf8.ValidString(value) && utf8.RuneCountInString(value) <= maxFact &&
		!strings.ContainsFunc(value, func(r rune) bool { return unicode.Is(unicode.C, r) && r != '\n' })
}

// run is an event of a recovery run as a state keeps it; ok is false for any other.
func (t *tidier) run(d Data) (_ Data, ok bool) {
	switch d := d.(type) {
	case Armed:
		t.text(&d.Why, maxText)
		d.Identities = tidied(t, d.Identities, maxList, t.identity)
		return d, true
	case Granted:
		t.plan(&d.Plan)
		t.text(&d.Fingerprint, maxID)
		t.text(&d.Typed, maxID)
		t.text(&d.Reason, maxText)
		d.Accepted = tidied(t, d.Accepted, maxList, func(id *string) { t.text(id, maxID) })
		t.text(&d.Signer, maxID)
		t.text(&d.SignerKey, maxID)
		t.text(&d.Host, maxID)
		return d, true
	case Intent:
		t.text(&d.Run, maxID)
		t.text(&d.Step, maxID)
		t.facts(&d.Facts)
		return d, true
	case Outcome:
		t.text(&d.Run, maxID)
		t.text(&d.Step, maxID)
		t.text((*string)(&d.State), maxName)
		t.text(&d.Detail, maxText)
		t.text(&d.Next, maxText)
		t.facts(&d.Facts)
		return d, true
	case RunEnded:
		t.text(&d.Run, maxID)
		t.text((*string)(&d.State), maxName)
		t.text(&d.Detail, maxText)
		t.text(&d.Next, maxText)
		return d, true
	}
	return nil, false
}

// tidied is a list, each of which was cleaned, within a bound. The list that is given
// is not written.
func tidied[T any](t *tidier, list []T, most int, clean func(*T)) []T {
	if len(list) > most {
		list, t.changed = list[:most], true
	}
	list = slices.Clone(list)
	for i := range list {
		clean(&list[i])
	}
	return list
}

func (t *tidier) identity(who *plan.Identity) {
	t.text(&who.System, maxID)
	t.text(&who.Name, maxText)
	t.text(&who.Trouble, maxText)
}

func (t *tidier) plan(p *plan.Plan) {
	for _, id := range []*string{&p.ID, &p.Procedure, &p.Target, (*string)(&p.Mode), &p.Of, &p.Environment, &p.Drill} {
		t.text(id, maxID)
	}
	for _, text := range []*string{&p.Title, &p.Why, &p.NeedsReason, &p.Irreversible} {
		t.text(text, maxText)
	}
	t.reasonsIn(&p.Options)
	t.facts(&p.Facts)
	p.Observed = tidied(t, p.Observed, maxList, func(o *plan.Observed) { t.text(&o.Name, maxText); t.text(&o.Value, maxText) })
	p.Affected = tidied(t, p.Affected, maxList, func(a *plan.Affected) {
		component := string(a.Component)
		t.text(&component, maxID)
		a.Component = estate.ID(component)
		t.text(&a.Name, maxText)
		t.text(&a.How, maxText)
	})
	p.Identities = tidied(t, p.Identities, maxList, t.identity)
	p.Warnings = tidied(t, p.Warnings, maxList, func(w *plan.Warning) { t.text(&w.ID, maxID); t.text(&w.Text, maxText) })
	p.Inputs = tidied(t, p.Inputs, maxList, func(in *plan.Input) { t.text(&in.ID, maxID); t.text(&in.Label, maxText) })
	p.Measures = tidied(t, p.Measures, maxList, func(m *plan.Measure) { t.text(&m.Step, maxID); t.text(&m.Kind, maxName); t.text(&m.What, maxText) })
	p.Steps = tidied(t, p.Steps, maxSteps, func(s *plan.Step) {
		t.text(&s.ID, maxID)
		for _, text := range []*string{&s.Title, &s.Where, &s.Before, &s.Verify, &s.Undo} {
			t.text(text, maxText)
		}
		s.Calls = tidied(t, s.Calls, maxCalls, func(c *string) { t.text(c, maxText) })
	})
}

// reasonsIn cleans a map of texts that may be absent.
func (t *tidier) reasonsIn(all *map[string]string) {
	if *all != nil {
		t.reasons(all)
	}
}

// facts drops those that do not fit.
func (t *tidier) facts(all *map[string]string) {
	bad := func(name, value string) bool { return !FactFits(name, value) }
	for name, value := range *all {
		if bad(name, value) {
			*all, t.changed = maps.Clone(*all), true
			maps.DeleteFunc(*all, bad)
			return
		}
	}
}
