package plan

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// steps are three: one that looks, one that can be undone, one more; each in a state.
func steps(look, store, set StepState) []StepNow {
	return []StepNow{
		{ID: "look", Title: "Look", State: look, Undoable: false},
		{ID: "store", Title: "Store", State: store, Change: true, Undoable: true},
		{ID: "set", Title: "Set", State: set, Change: true, Undoable: true},
	}
}

func TestTheBetterWay(t *testing.T) {
	undone := steps(Done, Done, Broken)
	undone[2].Undo = true
	revoked := steps(Done, Done, Done)
	revoked[2].Undoable = false
	for name, test := range map[string]struct {
		s      Situation
		better Mode
		back   bool // whether a roll-back is possible
		reason string
	}{
		"nothing was begun":               {Situation{State: RunInterrupted, Steps: steps(Waiting, Waiting, Waiting)}, Abandon, false, "changed nothing"},
		"it only looked":                  {Situation{State: RunStopped, Steps: steps(Done, Waiting, Waiting)}, Abandon, false, "changed nothing"},
		"what it rests on has changed":    {Situation{State: RunFailed, Detail: "current was old", Steps: steps(Done, Waiting, Waiting)}, Abandon, false, "current was old"},
		"the first change was refused":    {Situation{State: RunFailed, Detail: "denied", Steps: steps(Done, Failed, Waiting), Effect: NotDone}, Abandon, false, "denied"},
		"killed before the first change":  {Situation{State: RunInterrupted, Steps: steps(Done, Broken, Waiting), Effect: NotDone}, Resume, false, "did not take effect: it is done again"},
		"killed after a change":           {Situation{State: RunInterrupted, Steps: steps(Done, Broken, Waiting), Effect: Took}, Resume, true, "Store took effect"},
		"killed between two steps":        {Situation{State: RunInterrupted, Steps: steps(Done, Done, Waiting)}, Resume, true, "2 of 3 steps"},
		"stopped between two steps":       {Situation{State: RunStopped, Steps: steps(Done, Done, Waiting)}, Resume, true, "2 of 3 steps"},
		"a check said no between two":     {Situation{State: RunFailed, Detail: "no room", Steps: steps(Done, Done, Waiting)}, Resume, true, "no room"},
		"killed in the middle of one":     {Situation{State: RunInterrupted, Steps: steps(Done, Done, Broken), Effect: Partly}, Resume, true, "in part"},
		"it cannot be told":               {Situation{State: RunInterrupted, Steps: steps(Done, Done, Broken), Effect: Unclear}, Resume, true, "cannot be told"},
		"it failed, nothing of it done":   {Situation{State: RunFailed, Detail: "denied", Steps: steps(Done, Done, Failed), Effect: NotDone}, Back, true, "denied"},
		"it failed, part of it done":      {Situation{State: RunFailed, Detail: "denied", Steps: steps(Done, Done, Failed), Effect: Partly}, Back, true, "in part and failed"},
		"it failed, all of it done":       {Situation{State: RunFailed, Detail: "slow", Steps: steps(Done, Done, Failed), Effect: Took}, Resume, true, "Set took effect"},
		"killed while it was rolled back": {Situation{State: RunInterrupted, Steps: undone, Effect: NotDone}, Back, true, "rolled back"},
		"only its end is missing":         {Situation{State: RunInterrupted, Steps: steps(Done, Done, Done)}, Resume, true, "only its end"},
		"it cannot be undone":             {Situation{State: RunFailed, Steps: revoked, Irreversible: "the old key is revoked"}, Resume, false, "only its end"},
		"everything is undone":            {Situation{State: RunStopped, Steps: []StepNow{{ID: "a", State: Undone, Undo: true, Change: true}}}, Abandon, false, "Everything that it did is undone"},
		"it only looks, and says no": {Situation{State: RunFailed, Detail: "slow", Effect: NotDone, Steps: []StepNow{{ID: "a", State: Done, Change: true, Undoable: true}, {ID: "b", Title: "Wait", State: Failed}}},
			Resume, true, "Wait changes nothing"},
		"nothing can be prepared": {Situation{State: RunInterrupted, Steps: steps(Done, Broken, Waiting), Trouble: "Vault is sealed"}, Abandon, false, "Vault is sealed"},
	} {
		a := Decide(test.s)
		if a.Recommended != test.better || !strings.Contains(a.Reason, test.reason) || slices.Contains(a.Possible, Back) != test.back {
			t.Errorf("%s: %s of %v because %q; want %s because %q, roll-back %v", name, a.Recommended, a.Possible, a.Reason, test.better, test.reason, test.back)
		}
	}
}

func TestTheInterruptedStepIsTold(t *testing.T) {
	a := Decide(Situation{Run: "r", Procedure: "p", Target: "t", State: RunInterrupted, Steps: steps(Done, Done, Broken), Effect: Took, Found: "seen"})
	if a.Run != "r" || a.Procedure != "p" || a.Target != "t" || a.State != RunInterrupted || a.Step != "set" || a.StepTitle != "Set" || a.Effect != Took || a.Found != "seen" {
		t.Errorf("%+v", a)
	}
	irreversible := steps(Done, Done, Broken)
	irreversible[2].Undoable = false
	for effect, possible := range map[Effect]bool{NotDone: true, Took: false, Unclear: false, Partly: false} {
		a := Decide(Situation{State: RunInterrupted, Steps: irreversible, Irreversible: "it is revoked", Effect: effect})
		if slices.Contains(a.Possible, Back) != possible || !possible && !strings.Contains(a.Impossible[Back], "it is revoked") {
			t.Errorf("%s: %+v", effect, a)
		}
	}
}

// TestAnyAdviceIsSound checks what holds of every advice.
func TestAnyAdviceIsSound(t *testing.T) {
	states := []StepState{Waiting, Running, Done, Skipped, Failed, Broken, Undoing, Undone, UndoError}
	rapid.Check(t, func(t *rapid.T) {
		s := Situation{
			State: rapid.SampledFrom([]RunState{RunFailed, RunStopped, RunInterrupted}).Draw(t, "state"), Effect: rapid.SampledFrom([]Effect{"", Took, NotDone, Partly, Unclear}).Draw(t, "effect"),
			Irreversible: rapid.SampledFrom([]string{"", "x"}).Draw(t, "irreversible"), Trouble: rapid.SampledFrom([]string{"", "", "", "x"}).Draw(t, "trouble"),
		}
		for range rapid.IntRange(0, 6).Draw(t, "steps") {
			s.Steps = append(s.Steps, StepNow{ID: "i", Title: "T", State: rapid.SampledFrom(states).Draw(t, "step"), Change: rapid.Bool().Draw(t, "change"),
				Undoable: rapid.Bool().Draw(t, "undoable"), Undo: rapid.Bool().Draw(t, "undo")})
		}
		a := Decide(s)
		if !slices.Contains(a.Possible, a.Recommended) || a.Reason == "" || !slices.Contains(a.Possible, Abandon) {
			t.Fatalf("%+v", a)
		}
		for _, mode := range []Mode{Resume, Back} {
			why, not := a.Impossible[mode]
			if not == slices.Contains(a.Possible, mode) || not && why == "" {
				t.Fatalf("%s: %+v", mode, a)
			}
		}
	})
}
