package incident

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"warroom/internal/plan"
)

// anyRunEvent draws an event of a recovery run, sensible or not.
func anyRunEvent(t *rapid.T) Data {
	run := rapid.SampledFrom([]string{"r1", "r2", "r3", "r4", ""})
	step := rapid.SampledFrom([]string{"a", "b", "gone", ""})
	facts := map[string]string{rapid.SampledFrom([]string{"x", "y", ""}).Draw(t, "fact"): rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value")}
	switch rapid.IntRange(0, 5).Draw(t, "run event") {
	case 0:
		return Armed{On: rapid.Bool().Draw(t, "on"), Why: "w"}
	case 1:
		return ConsoleMoved{Act: "resumed", PID: 2}
	case 2:
		return Granted{Host: "h", Plan: plan.Plan{ID: run.Draw(t, "run"), Of: run.Draw(t, "of"), Mode: plan.Resume, Facts: facts, Steps: []plan.Step{{ID: "a"}, {ID: "b"}}}}
	case 3:
		return Intent{Run: run.Draw(t, "run"), Step: step.Draw(t, "step"), Undo: rapid.Bool().Draw(t, "undo"), Facts: facts}
	case 4:
		state := rapid.SampledFrom([]plan.StepState{plan.Done, plan.Failed, plan.Broken, plan.Undone, plan.UndoError, plan.Waiting, "danced"}).Draw(t, "state")
		return Outcome{Run: run.Draw(t, "run"), Step: step.Draw(t, "step"), State: state, Facts: facts}
	}
	state := rapid.SampledFrom([]plan.RunState{plan.RunDone, plan.RunFailed, plan.RunStopped, plan.RunRolledBack, plan.RunAbandoned, plan.RunActive, "danced"}).Draw(t, "end")
	return RunEnded{Run: run.Draw(t, "run"), State: state}
}

// TestAnyRunFolds checks what holds of the runs of every journal.
func TestAnyRunFolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var fold Fold
		fold.Apply(declaredAt())
		was := fold.State()
		wasText := text(t, was)
		for i := range rapid.IntRange(0, 30).Draw(t, "events") {
			data := anyRunEvent(t)
			e := at(i+1, ic, data)
			before := fold.State()
			fold.Apply(e)
			if text(t, was) != wasText {
				t.Fatalf("%T changed a state that was given out", data)
			}
			was = fold.State()
			wasText = text(t, was)
			seen := map[string]bool{}
			for j := range was.Runs {
				r := &was.Runs[j]
				ended := !r.Ended.IsZero()
				switch {
				case seen[r.ID] || r.ID == "":
					t.Fatalf("run %q is there twice, or has no id", r.ID)
				case r.State == plan.RunActive && ended:
					t.Fatalf("%s is active and ended", r.ID)
				case r.State != plan.RunActive && r.State != plan.RunInterrupted && !ended:
					t.Fatalf("%s is %s and has no end", r.ID, r.State)
				}
				seen[r.ID] = true
				for id, s := range r.Steps {
					if _, known := r.Plan.Step(id); !known {
						t.Fatalf("%s has a step %q that its plan has not", r.ID, id)
					}
					if r.State != plan.RunActive && (s.State == plan.Running || s.State == plan.Undoing) {
						t.Fatalf("%s is %s and its step %s is %s", r.ID, r.State, id, s.State)
					}
				}
			}
			if _, moved := data.(ConsoleMoved); moved {
				if was.Armed.On || was.ArmedBy != "" {
					t.Fatal("armed by a console that is gone")
				}
				for j := range was.Runs {
					if was.Runs[j].State == plan.RunActive {
						t.Fatalf("%s is active without its console", was.Runs[j].ID)
					}
				}
			}
			if d, ok := data.(Armed); ok && (was.Armed.On != d.On || (was.ArmedBy != "") != d.On) {
				t.Fatalf("%+v: armed %v by %q", d, was.Armed.On, was.ArmedBy)
			}
			if len(was.Runs) < len(before.Runs) {
				t.Fatal("a run is gone")
			}
		}
	})
}

func grant(minute int, id, of string, mode plan.Mode) Event {
	return at(minute, ic, Granted{Host: "h", PID: minute, Plan: plan.Plan{ID: id, Of: of, Mode: mode, Procedure: "p", Target: "t", Facts: map[string]string{id: "1"},
		Steps: []plan.Step{{ID: "a", Change: true}, {ID: "b", Change: true}}}})
}

func TestWhatTakesARunUpIsFoldedIntoIt(t *testing.T) {
	events := []Event{declaredAt(), grant(1, "r1", "", plan.Forward), at(2, ic, Intent{Run: "r1", Step: "a"}), at(3, ic, Outcome{Run: "r1", Step: "a", State: plan.Done, Facts: map[string]string{"v": "1"}}),
		at(4, ic, Intent{Run: "r1", Step: "b", Facts: map[string]string{"w": "1"}})}
	s := folded(events...)
	if r := s.Runs[0]; r.State != plan.RunActive || r.Steps["b"].State != plan.Running || r.Facts["v"] != "1" || r.Facts["w"] != "1" || r.Facts["r1"] != "1" {
		t.Fatalf("%+v", r)
	}
	events = append(events, at(5, ic, ConsoleMoved{Act: "resumed"}))
	if r := folded(events...).Runs[0]; r.State != plan.RunInterrupted || r.Steps["b"].State != plan.Broken || r.Steps["a"].State != plan.Done || !r.State.Open() {
		t.Fatalf("%+v", r)
	}
	resumed := append(events, grant(6, "r2", "r1", plan.Resume), at(7, ic, Intent{Run: "r2", Step: "b"}))
	if r := folded(resumed...).Runs[0]; r.State != plan.RunActive || r.PID != 6 || r.Steps["b"].State != plan.Running {
		t.Fatalf("%+v", r)
	}
	done := append(resumed, at(8, ic, Outcome{Run: "r2", Step: "b", State: plan.Done}), at(9, ic, RunEnded{Run: "r2", State: plan.RunDone}))
	for i, r := range folded(done...).Runs {
		if r.State != plan.RunDone || r.Steps["b"].State != plan.Done || r.Ended.IsZero() || i == 0 && (!r.IsRoot() || r.Steps["a"].State != plan.Done) {
			t.Errorf("%+v", r)
		}
	}
	// A roll-back of the resumption is one of the run that it resumed.
	back := append(resumed, at(8, ic, RunEnded{Run: "r2", State: plan.RunFailed, Detail: "d"}), grant(9, "r3", "r2", plan.Back),
		at(10, ic, Intent{Run: "r3", Step: "b", Undo: true}), at(11, ic, Outcome{Run: "r3", Step: "b", State: plan.Undone}),
		at(12, ic, Intent{Run: "r3", Step: "a", Undo: true}))
	if r := folded(append(back, at(13, ic, ConsoleMoved{Act: "left"}))...).Runs[0]; r.State != plan.RunInterrupted || r.Steps["b"].State != plan.Undone || r.Steps["a"].State != plan.Broken || !r.Steps["a"].Undo {
		t.Fatalf("%+v", r)
	}
	back = append(back, at(13, ic, Outcome{Run: "r3", Step: "a", State: plan.Undone}), at(14, ic, RunEnded{Run: "r3", State: plan.RunRolledBack}))
	if s := folded(back...); s.Runs[0].State != plan.RunRolledBack || s.Runs[0].Detail != "" || s.Runs[1].State != plan.RunFailed || s.Runs[1].Steps["a"].State != "" {
		t.Fatalf("%+v", s.Runs)
	}
}

func TestWhatMakesNoSenseOfARunChangesNothing(t *testing.T) {
	begun := []Event{declaredAt(), grant(1, "r1", "", plan.Forward)}
	ended := append(begun[:2:2], at(2, ic, RunEnded{Run: "r1", State: plan.RunStopped}))
	for name, test := range map[string]struct {
		before []Event
		data   Data
	}{
		"a grant again":              {ended, grant(3, "r1", "", plan.Forward).Data},
		"a grant of nothing":         {begun, Granted{}},
		"an intent of no run":        {begun, Intent{Run: "gone", Step: "a"}},
		"an intent of no step":       {begun, Intent{Run: "r1", Step: "gone"}},
		"an outcome of no state":     {begun, Outcome{Run: "r1", Step: "a", State: plan.Waiting}},
		"an end that is none":        {begun, RunEnded{Run: "r1", State: plan.RunActive}},
		"an end of nothing":          {begun, RunEnded{Run: "gone", State: plan.RunDone}},
		"an end of what has its end": {ended, RunEnded{Run: "r1", State: plan.RunDone}},
	} {
		was, is := folded(test.before...), folded(append(test.before[:len(test.before):len(test.before)], at(4, ic, test.data))...)
		if !reflect.DeepEqual(was.Runs, is.Runs) && !(len(was.Runs) == 1 && fmt.Sprint(was.Runs) == fmt.Sprint(is.Runs)) {
			t.Errorf("%s: %+v\nwas %+v", name, is.Runs, was.Runs)
		}
	}
}

func TestOnlyTheLatestRunsAreKept(t *testing.T) {
	events := []Event{declaredAt()}
	for i := range 3 * maxRuns {
		events = append(events, grant(1, fmt.Sprint("r", i), "", plan.Forward), at(1, ic, Intent{Run: fmt.Sprint("r", i), Step: "a", Facts: map[string]string{fmt.Sprint(i): "x"}}))
	}
	for i := range 2 * maxFacts {
		events = append(events, at(2, ic, Intent{Run: fmt.Sprint("r", 3*maxRuns-1), Step: "a", Facts: map[string]string{fmt.Sprint("f", i): "x"}}))
	}
	s := folded(events...)
	if len(s.Runs) != maxRuns || s.Runs[0].ID != fmt.Sprint("r", 2*maxRuns) || len(s.Runs[maxRuns-1].Facts) != maxFacts {
		t.Errorf("%d runs, the first %s, %d facts", len(s.Runs), s.Runs[0].ID, len(s.Runs[maxRuns-1].Facts))
	}
	// One that takes up a run that is not kept any more is a run all the same.
	if s := folded(append(events, grant(3, "late", "r0", plan.Back), at(4, ic, RunEnded{Run: "late", State: plan.RunRolledBack}))...); s.Runs[maxRuns-1].State != plan.RunRolledBack {
		t.Errorf("%+v", s.Runs[maxRuns-1])
	}
}
