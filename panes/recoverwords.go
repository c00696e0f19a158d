package panes

import (
	"fmt"
	"time"

	"warroom/internal/plan"
	"warroom/internal/theme"
)

// runState is how a state is always drawn: glyph, word and colour.
type runState struct {
	glyph, word string
	look        theme.Token
	loud        theme.Token // the same as a filled label
}

func (s runState) text() string { return s.glyph + " " + s.word }

// stepSign is how a step of a run stands.
func (f Frame) stepSign(s plan.StepState) runState {
	g := &f.Theme.Glyphs
	switch s {
	case plan.Waiting, "":
		return runState{g.Open, "waiting", theme.Muted, theme.NABadge}
	case plan.Running:
		return runState{g.Doing, "RUNNING", theme.Strong, theme.OKBadge}
	case plan.Done:
		return runState{g.OK, "done", theme.OK, theme.OKBadge}
	case plan.Skipped:
		return runState{g.RuledOut, "nothing to do", theme.Muted, theme.NABadge}
	case plan.Failed:
		return runState{g.Fail, "FAILED", theme.Fail, theme.FailBadge}
	case plan.Broken:
		return runState{g.Unknown, "NOT KNOWN", theme.Unknown, theme.UnknownBadge}
	case plan.Undoing:
		return runState{g.Doing, "UNDOING", theme.Strong, theme.WarnBadge}
	case plan.Undone:
		return runState{g.Regressed, "undone", theme.Warn, theme.WarnBadge}
	case plan.UndoError:
		return runState{g.Fail, "UNDO FAILED", theme.Fail, theme.FailBadge}
	}
	return runState{g.Unknown, f.say(string(s)), theme.Unknown, theme.UnknownBadge}
}

// runSign is how a run stands.
func (f Frame) runSign(s plan.RunState) runState {
	g := &f.Theme.Glyphs
	switch s {
	case plan.RunActive:
		return runState{g.Doing, "RUNNING", theme.Strong, theme.OKBadge}
	case plan.RunDone:
		return runState{g.OK, "DONE", theme.OK, theme.OKBadge}
	case plan.RunFailed:
		return runState{g.Fail, "FAILED", theme.Fail, theme.FailBadge}
	case plan.RunStopped:
		return runState{g.Warn, "STOPPED", theme.Warn, theme.WarnBadge}
	case plan.RunInterrupted:
		return runState{g.Unknown, "INTERRUPTED", theme.Unknown, theme.UnknownBadge}
	case plan.RunRolledBack:
		return runState{g.Regressed, "ROLLED BACK", theme.OK, theme.OKBadge}
	case plan.RunAbandoned:
		return runState{g.RuledOut, "ABANDONED", theme.Warn, theme.WarnBadge}
	}
	return runState{g.Unknown, f.say(string(s)), theme.Unknown, theme.UnknownBadge}
}

// ModeWord is what a plan of a mode does with a run, as a person says it.
func ModeWord(m plan.Mode) string {
	switch m {
	case plan.Resume:
		return "Resume"
	case plan.Back:
		return "Roll back"
	case plan.Abandon:
		return "Abandon"
	}
	return "Run"
}

// modeMeans says what a way out of an open run comes to.
func modeMeans(m plan.Mode) string {
	switch m {
	case plan.Resume:
		return "goes on from the step where it stopped"
	case plan.Back:
		return "undoes what was done, the last step first"
	case plan.Abandon:
		return "leaves everything as it is, and changes nothing"
	}
	return ""
}

// runTitle is what a run is about.
func (f Frame) runTitle(p *plan.Progress) string {
	if p.Plan == nil {
		return f.say(p.Run)
	}
	if t := f.say(p.Plan.Title); t != "" {
		return t
	}
	return f.say(p.Plan.Procedure + " " + p.Plan.Target)
}

// runShort names a run in few words.
func (f Frame) runShort(p *plan.Progress) string {
	if p.Plan == nil {
		return f.say(p.Run)
	}
	s := f.say(p.Plan.Procedure + " " + p.Plan.Target)
	if p.Plan.Mode != "" && p.Plan.Mode != plan.Forward {
		s = f.say(string(p.Plan.Mode)) + " of " + s
	}
	return s
}

// RunCount is how far a run is: steps that are settled, and steps there are.
func RunCount(p *plan.Progress) (settled, of int) {
	for i := range p.Steps {
		switch p.Steps[i].State {
		case plan.Done, plan.Skipped, plan.Undone:
			settled++
		}
	}
	return settled, len(p.Steps)
}

// currentStep is the step that a run is at: the one that is worked on, else the
// first that did not end well, else the next that waits; -1 when all are settled.
func currentStep(p *plan.Progress) int {
	wait, bad := -1, -1
	for i := range p.Steps {
		switch p.Steps[i].State {
		case plan.Running, plan.Undoing:
			return i
		case plan.Failed, plan.Broken, plan.UndoError:
			if bad < 0 {
				bad = i
			}
		case plan.Waiting, "":
			if wait < 0 {
				wait = i
			}
		}
	}
	if bad >= 0 {
		return bad
	}
	return wait
}

// stepTitle is what a step of a run does.
func (f Frame) stepTitle(p *plan.Progress, i int) string {
	if p.Plan != nil {
		if s, ok := p.Plan.Step(p.Steps[i].ID); ok && s.Title != "" {
			return f.say(s.Title)
		}
	}
	return f.say(p.Steps[i].ID)
}

// runTime is how long a run has been going on, or took; of one that broke off, when
// it began: nobody knows when it ended.
func runTime(p *plan.Progress, now time.Time) string {
	if p.State != plan.RunActive && p.Ended.IsZero() {
		return "began " + stamp(p.Started, now)
	}
	return runFor(p.Started, p.Ended, now)
}

// stepTime is how long a step has been going on, or took; empty where that is not
// known.
func stepTime(s *plan.StepProgress, now time.Time) string {
	switch s.State {
	case plan.Waiting, "":
		return ""
	case plan.Running, plan.Undoing:
		return runFor(s.Started, time.Time{}, now)
	}
	if s.Ended.IsZero() {
		return ""
	}
	return runFor(s.Started, s.Ended, now)
}

// runFor is how long something has been going on, or took.
func runFor(began, ended, now time.Time) string {
	if began.IsZero() {
		return ""
	}
	if ended.IsZero() {
		ended = now
	}
	return clock(ended.Sub(began))
}

// PartCount is how the parts of a step stand.
func PartCount(parts []plan.Part) (done, running, failed int) {
	for i := range parts {
		switch parts[i].State {
		case plan.Done, plan.Skipped, plan.Undone:
			done++
		case plan.Running, plan.Undoing:
			running++
		case plan.Failed, plan.Broken, plan.UndoError:
			failed++
		}
	}
	return done, running, failed
}

// partsSaid is how many of the parts of a step are settled.
func partsSaid(parts []plan.Part) string {
	done, running, failed := PartCount(parts)
	s := fmt.Sprintf("%d of %d", done, len(parts))
	if running > 0 {
		s += fmt.Sprintf(", %d running", running)
	}
	if failed > 0 {
		s += fmt.Sprintf(", %d FAILED", failed)
	}
	return s
}

// leftOf is how long something still holds, for a person who must act before.
func leftOf(until, now time.Time) string { return clock(until.Sub(now)) }

// plural counts things.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// stepCount says at which step a run is.
func stepCount(p *plan.Progress, at int) string {
	return fmt.Sprintf("%d/%d", at+1, len(p.Steps))
}

// targetCount says how many targets a procedure can be done to now; the heading above
// says what is counted. What it cannot be done to is told with the procedure.
func targetCount(v *RecoverView, ready int) span {
	switch {
	case !v.Loaded:
		return span{theme.Muted, ""}
	case ready == 0:
		return span{theme.Muted, "none"}
	}
	return span{theme.Muted, fmt.Sprint(ready)}
}
