package recovery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"warroom/actions"
	"warroom/internal/config"
	"warroom/internal/plan"
)

// stub is a procedure whose plan is given.
type stub struct {
	name string
	plan plan.Plan
	err  error
}

func (s *stub) About() plan.About      { return plan.About{Name: s.name, Changes: true} }
func (s *stub) Targets() []plan.Target { return []plan.Target{{ID: "api.example", Ready: true}} }
func (s *stub) Prepare(context.Context, actions.Ask) (*actions.Prepared, error) {
	if s.err != nil {
		return nil, s.err
	}
	p := s.plan
	p.Steps = []plan.Step{{ID: "install", Title: "Install", Change: true}}
	seen := func(_ context.Context, r *actions.Run) (string, error) { return "token " + r.Fact("token"), nil }
	return &actions.Prepared{Plan: p, Steps: []actions.Step{{Do: func(context.Context, *actions.Run) error { return nil }, Verify: seen}}}, nil
}

// What a person must decide about is named and left; everything else is part of the plan.
func TestWhatNeedsAPersonIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		plan   plan.Plan
		second []string
		err    error
		want   string // why it is left; empty for a part
		gone   bool   // neither part nor left: it is in order
	}{
		"nothing to decide":    {},
		"a warning to read":    {plan: plan.Plan{Warnings: []plan.Warning{{ID: "a", Text: "mind it"}}}},
		"a warning to accept":  {plan: plan.Plan{Warnings: []plan.Warning{{ID: "a", Text: "it hurts", Accept: true}}}, want: "to be accepted: it hurts"},
		"a value to type":      {plan: plan.Plan{Inputs: []plan.Input{{ID: "i", Label: "the key", Optional: true}}}, want: "values must be typed: the key"},
		"a reason to give":     {plan: plan.Plan{NeedsReason: "break-glass"}, want: "a reason must be given: break-glass"},
		"no way back":          {plan: plan.Plan{Irreversible: "it is gone"}, want: "it cannot be undone: it is gone"},
		"a second person":      {second: []string{nameCertificate}, want: "a second person must sign it"},
		"refused, as in order": {err: &actions.Refusal{What: "renew", Why: "it is not near its end"}, gone: true},
		"could not be planned": {err: errors.New("no answer"), want: "it could not be planned now: no answer"},
	} {
		cfg := &config.Config{}
		cfg.Recovery.SecondFor = c.second
		whole := Procedure(actions.Systems{Config: cfg}, []actions.Procedure{&piece{name: nameAccess}, &stub{name: nameCertificate, plan: c.plan, err: c.err}})
		ready, err := whole.Prepare(t.Context(), actions.Ask{Request: plan.Request{Procedure: Name, Target: Everything}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		part := slices.ContainsFunc(ready.Plan.Steps, func(s plan.Step) bool { return strings.HasSuffix(s.ID, "-rotate-certificate-api.example/install") })
		last := ready.Plan.Steps[len(ready.Plan.Steps)-1]
		if part != (c.want == "" && !c.gone) || (last.ID == "stop") != (c.want != "") || c.want != "" && !strings.Contains(last.Calls[0], "warroom plan rotate-certificate api.example ("+c.want) {
			t.Errorf("%s: part %v, last step %+v", name, part, last)
		}
		if c.want == "" {
			continue
		}
		// Its last step ends the run on purpose, and says what to plan.
		_, err = whole.Prepare(t.Context(), actions.Ask{Request: plan.Request{Procedure: Name, Target: "prod/db/postgres"}})
		if _, ok := errors.AsType[*actions.Refusal](err); !ok {
			t.Errorf("one secret is taken for everything: %v", err)
		}
	}
}

// Two parts of one kind keep their facts apart, and their warnings and measures.
func TestPartsKeepApart(t *testing.T) {
	one := &stub{name: "rotate-database", plan: plan.Plan{
		Facts: map[string]string{"token": "t1"}, Warnings: []plan.Warning{{ID: "w", Text: "mind"}}, Measures: []plan.Measure{{Step: "install", Kind: "k", What: "w"}},
	}}
	out := &actions.Prepared{Plan: plan.Plan{Facts: map[string]string{}}}
	for i, target := range []string{"prod/db/a", "prod/db/b"} {
		ready, err := one.Prepare(t.Context(), actions.Ask{})
		if err != nil {
			t.Fatal(err)
		}
		p := &part{procedure: one, ready: ready, request: plan.Request{Procedure: one.name, Target: target}, prefix: prefixOf(i, one.name, target)}
		p.embed(out)
	}
	for _, prefix := range []string{"1-rotate-database-prod.db.a/", "2-rotate-database-prod.db.b/"} {
		if out.Plan.Facts[prefix+"token"] != "t1" {
			t.Errorf("facts %v lack %stoken", out.Plan.Facts, prefix)
		}
		if _, ok := out.Plan.Step(prefix + "install"); !ok {
			t.Errorf("no step %sinstall", prefix)
		}
		if !slices.ContainsFunc(out.Plan.Measures, func(m plan.Measure) bool { return m.Step == prefix+"install" }) || !slices.ContainsFunc(out.Plan.Warnings, func(w plan.Warning) bool { return w.ID == prefix+"w" }) {
			t.Errorf("the measures or warnings of %s are missing", prefix)
		}
	}
	if title := out.Plan.Steps[1].Title; title != "prod/db/b: Install" {
		t.Errorf("title %q", title)
	}
}
