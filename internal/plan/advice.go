package plan

import (
	"fmt"
	"slices"
)

// Situation is what is known of a run that has no good end.
type Situation struct {
	Run, Procedure, Target string
	State                  RunState
	Detail                 string // why it ended, as it said
	Steps                  []StepNow
	Effect                 Effect // what the probe of the interrupted step found; empty when there is none
	Found                  string // what it saw
	Irreversible           string // as its plan says
	Trouble                string // why nothing can be prepared to take it up; empty when it can
}

// StepNow is how one step of it stands.
type StepNow struct {
	ID, Title string
	State     StepState
	Undo      bool // the last thing that was done was to undo it
	Change    bool // it changes something
	Undoable  bool // the plan says how it is undone, or that nothing need be
}

// Interrupted is the place of the step where the run stopped: the first of which it
// is not settled what came of it. It is -1 when all are.
func (s *Situation) Interrupted() int {
	return slices.IndexFunc(s.Steps, func(n StepNow) bool {
		switch n.State {
		case Running, Failed, Broken, Undoing, UndoError:
			return true
		}
		return false
	})
}

// Decide says what can be done about a run, and why one way is the better. It is a
// function of the situation alone.
func Decide(s Situation) Advice {
	a := Advice{Run: s.Run, Procedure: s.Procedure, Target: s.Target, State: s.State, Effect: s.Effect, Found: s.Found, Impossible: map[Mode]string{}}
	at := s.Interrupted()
	if at >= 0 {
		a.Step, a.StepTitle = s.Steps[at].ID, s.Steps[at].Title
	}
	done, changed, left, undoing := 0, 0, 0, false
	stuck := "" // the first step that cannot be undone
	for i, n := range s.Steps {
		maybe := n.State == Done
		switch n.State {
		case Done, Skipped:
			done++
		case Waiting, Undone:
			left++
		default:
			left++
			maybe = i != at || s.Effect != NotDone
		}
		undoing = undoing || n.Undo
		if !n.Change || !maybe {
			continue
		}
		changed++
		if stuck == "" && !n.Undoable && s.Irreversible != "" {
			stuck = n.Title
		}
	}
	switch {
	case s.Trouble != "":
		a.Impossible[Resume], a.Impossible[Back] = s.Trouble, s.Trouble
	case changed == 0:
		a.Impossible[Back] = "nothing that it did is left to undo"
	case stuck != "":
		a.Impossible[Back] = stuck + " cannot be undone: " + s.Irreversible
	}
	for _, mode := range []Mode{Resume, Back, Abandon} {
		if _, not := a.Impossible[mode]; !not {
			a.Possible = append(a.Possible, mode)
		}
	}
	a.Recommended, a.Reason = s.better(a, done, changed, left, undoing)
	return a
}

// better is the recommended mode, with its reason.
func (s *Situation) better(a Advice, done, changed, left int, undoing bool) (Mode, string) {
	can := func(m Mode) bool { return slices.Contains(a.Possible, m) }
	why := func(text string) string {
		if s.Detail != "" && s.State == RunFailed {
			return text + " It failed because: " + s.Detail
		}
		return text
	}
	step := a.StepTitle
	switch {
	case s.Trouble != "":
		return Abandon, "It cannot be taken up now: " + s.Trouble + ". Mend that and ask again; abandon it only to go on by hand."
	case changed == 0 && undoing:
		return Abandon, "Everything that it did is undone: nothing is left of it."
	case changed == 0 && s.Effect == "":
		return Abandon, why("It changed nothing. Plan anew when it is wanted.")
	case changed == 0 && s.State == RunFailed:
		return Abandon, why(fmt.Sprintf("%s did not take effect and nothing before it changed anything. See to the cause and plan anew.", step))
	case undoing && can(Back):
		return Back, "It was being rolled back: finish that, so that everything is as it was before."
	case left == 0:
		return Resume, "Every step is done and verified: only its end is missing."
	case a.Step != "" && !s.Steps[s.Interrupted()].Change:
		return Resume, why(fmt.Sprintf("%s changes nothing: it is only looked at again. When it says no again and the cause cannot be mended, roll back.", step))
	case s.Effect == Took:
		return Resume, why(fmt.Sprintf("%s took effect: it is verified, and what follows is done.", step))
	case s.Effect == NotDone && s.State == RunFailed && can(Back):
		return Back, why(fmt.Sprintf("%s did not take effect, and would fail again while its cause is there. What was done before can be undone.", step))
	case s.Effect == NotDone:
		return Resume, why(fmt.Sprintf("%s did not take effect: it is done again, which is safe.", step))
	case s.Effect == Partly && s.State == RunFailed && can(Back):
		return Back, why(fmt.Sprintf("%s took effect in part and failed. All that was done can be undone.", step))
	case s.Effect == Partly:
		return Resume, why(fmt.Sprintf("%s took effect in part: doing it again completes it, and what is there already is left.", step))
	case s.Effect == Unclear:
		return Resume, why(fmt.Sprintf("Whether %s took effect cannot be told. Doing it again is safe either way, and it is verified; undoing could take away what is in use.", step))
	case s.State == RunFailed:
		return Resume, why(fmt.Sprintf("%d of %d steps are done and verified, and the next one was not begun. See to the cause, then go on.", done, done+left))
	}
	return Resume, fmt.Sprintf("%d of %d steps are done and verified: what is left is done.", done, done+left)
}
