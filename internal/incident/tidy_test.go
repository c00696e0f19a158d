package incident

import (
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"warroom/internal/estate"
	"warroom/internal/plan"
	"warroom/internal/runbook"
)

// foul is a text as a hostile journal holds it: too long, of several lines, with
// control sequences and characters that turn the direction of what follows.
var foul = "x\x1b[31m\u202ered\u2066\u200b\n\x00\x9b2J" + strings.Repeat("long ", 2000)

// everyText calls f with every text that a value holds.
func everyText(v reflect.Value, path string, f func(path, s string)) {
	switch v.Kind() {
	case reflect.String:
		f(path, v.String())
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			everyText(v.Elem(), path, f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				everyText(v.Field(i), path+"."+v.Type().Field(i).Name, f)
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			everyText(it.Key(), path+"[key]", f)
			everyText(it.Value(), path+"[]", f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			everyText(v.Index(i), path+"[]", f)
		}
	}
}

// foulPlan is a plan whose every text is foul, but for its id, and whose lists have no
// end.
func foulPlan() plan.Plan {
	p := plan.Plan{
		ID: "r", Procedure: foul, Target: foul, Mode: plan.Mode(foul), Options: map[string]string{foul: foul}, Title: foul, Why: foul, Environment: foul, Drill: foul,
		Facts: map[string]string{foul: foul}, Observed: []plan.Observed{{Name: foul, Value: foul}}, Affected: []plan.Affected{{Component: estate.ID(foul), Name: foul, How: foul}},
		Identities: []plan.Identity{{System: foul, Name: foul, Trouble: foul}}, Warnings: []plan.Warning{{ID: foul, Text: foul}}, Inputs: []plan.Input{{ID: foul, Label: foul}},
		Steps:       []plan.Step{{ID: "s", Title: foul, Where: foul, Calls: []string{foul}, Before: foul, Verify: foul, Undo: foul}},
		NeedsReason: foul, Irreversible: foul, Measures: []plan.Measure{{Step: foul, Kind: foul, What: foul}},
	}
	for range maxSteps {
		p.Steps = append(p.Steps, plan.Step{ID: foul})
	}
	return p
}

func TestAStateHoldsNothingFoul(t *testing.T) {
	seen := Evidence{Stance: foul, Value: foul, Source: foul, Typed: foul, Note: foul, Link: foul, With: foul}
	var fold Fold
	fold.Apply(Event{At: t0, By: foul, Kind: KindDeclared, Data: Declared{
		ID: foul, Severity: runbook.Severity(foul), Summary: foul, Started: t0, Environment: foul, Drill: foul, Runbook: foul, Digest: foul,
		Roles: map[Role]string{Commander: foul, Role(foul): foul},
	}})
	if s := fold.State(); s.Severity != "" || s.Declared.Severity != "" || s.Roles[Commander] == "" || len(s.Declared.Roles) != 1 {
		t.Errorf("%q %q %d roles", s.Severity, s.Declared.Severity, len(s.Declared.Roles))
	}
	all := []Data{
		SeverityChanged{To: runbook.Severity(foul), Reason: foul}, RoleAssigned{Role: Deputy, From: foul, To: foul}, Recovered{Note: foul},
		NodeMoved{Node: foul, Act: NodeDone, Reason: foul, Verdict: foul, Evidence: seen}, ItemMoved{Item: foul, Act: ItemTicked, Reason: foul, Evidence: seen},
		ItemMoved{Item: "i", Act: ItemAct(foul)}, Sensed{Item: foul, Node: foul, Lesson: foul, Ready: true, Evidence: seen}, Assigned{Item: foul, Owner: foul},
		Noted{Text: foul}, Decided{Text: foul, Reason: foul}, Updated{Text: foul, To: foul, State: UpdateSending}, Updated{Text: foul, To: "y", Fail: foul, State: foul},
		MeasureMoved{ID: foul, Act: MeasureOpened, Kind: MeasureKind(foul), What: foul, Who: foul, Reason: foul},
		ReadingChanged{Component: estate.ID(foul), Name: foul, Word: foul, Reason: foul}, Overrun{Phase: foul},
		Armed{On: true, Why: foul, Identities: []plan.Identity{{System: foul, Name: foul, Trouble: foul}}},
		Granted{Plan: foulPlan(), Fingerprint: foul, Typed: foul, Reason: foul, Accepted: []string{foul}, Signer: foul, SignerKey: foul, Host: foul},
		Intent{Run: "r", Step: "s", Facts: map[string]string{foul: foul, "foul": foul, "well": "a\nb"}}, Intent{Run: foul, Step: foul},
		Outcome{Run: "r", Step: "s", State: plan.Failed, Detail: foul, Next: foul, Facts: map[string]string{"x": foul}}, Outcome{Run: "r", Step: "s", State: plan.StepState(foul)},
		RunEnded{Run: "r", State: plan.RunFailed, Detail: foul, Next: foul}, RunEnded{Run: "r", State: plan.RunState(foul)},
		Closed{Reason: foul, Open: map[string]string{foul: foul}}, Reopened{Reason: foul},
	}
	for _, d := range all {
		fold.Apply(Event{At: t0, By: foul, Kind: d.kind(), Data: d})
		s := fold.State()
		if s.Verdict != "" {
			t.Errorf("the verdict is %q", s.Verdict)
		}
		everyText(reflect.ValueOf(s), string(d.kind()), func(path, text string) {
			most := maxText
			if strings.Contains(path, ".Facts[") {
				most = maxFact
			}
			bad := strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.C, r) && r != '\n' })
			if n := utf8.RuneCountInString(text); n > most || bad {
				t.Errorf("%s: %d runes, %.40q", path, n, text)
			}
		})
	}
	if r := fold.State().Runs; len(r) != 1 || r[0].Facts["well"] != "a\nb" || len(r[0].Facts) != 1 || len(r[0].Plan.Steps) != maxSteps || r[0].State != plan.RunFailed {
		t.Errorf("%d runs, %+v", len(r), r[0].Facts)
	}
	b := NewBoard(fold.State(), small(), nil, t0)
	if got := b.Draft(nil); !strings.HasPrefix(got, "DRILL ? ") {
		t.Errorf("the draft begins %.40q", got)
	}
}
