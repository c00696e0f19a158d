package incident

import (
	"maps"
	"slices"
	"time"

	"warroom/internal/plan"
)

// What a state keeps of runs at most.
const (
	maxRuns  = 200 // the latest
	maxFacts = 500 // of one run
)

// runEnds are the states in which a run can end.
var runEnds = [...]plan.RunState{plan.RunDone, plan.RunFailed, plan.RunStopped, plan.RunInterrupted, plan.RunRolledBack, plan.RunAbandoned}

// stepEnds are the states that an outcome can tell of.
var stepEnds = [...]plan.StepState{plan.Done, plan.Skipped, plan.Failed, plan.Broken, plan.Undone, plan.UndoError}

func (f *Fold) armed(e Event, d Armed) {
	f.state.Armed, f.state.ArmedBy = d, ""
	if d.On {
		f.state.ArmedBy = e.By
	}
}

// granted begins a run. One that takes up an earlier run makes that active again.
func (f *Fold) granted(e Event, d Granted) {
	s := &f.state
	if d.Plan.ID == "" || f.runAt(d.Plan.ID) >= 0 {
		return
	}
	if !f.own.runs || len(s.Runs) >= maxRuns {
		s.Runs, f.own.runs = slices.Clone(s.Runs[max(0, len(s.Runs)-maxRuns+1):]), true
	}
	s.Runs = append(s.Runs, Run{
		ID: d.Plan.ID, Plan: d.Plan, By: e.By, Reason: d.Reason, Signer: d.Signer, Started: e.At, State: plan.RunActive, Host: d.Host, PID: d.PID,
	})
	f.runs(d.Plan.ID, func(r *Run) {
		r.State, r.Ended, r.Detail, r.Next, r.Host, r.PID = plan.RunActive, time.Time{}, "", "", d.Host, d.PID
		r.note(d.Plan.Facts)
	})
}

func (f *Fold) intent(e Event, d Intent) {
	state := plan.Running
	if d.Undo {
		state = plan.Undoing
	}
	f.runs(d.Run, func(r *Run) {
		if !r.Ended.IsZero() {
			return
		}
		if r.State == plan.RunInterrupted { // its console took the incident up again
			r.State = plan.RunActive
		}
		r.step(d.Step, RunStep{State: state, At: e.At, Undo: d.Undo})
		r.note(d.Facts)
	})
}

func (f *Fold) outcome(e Event, d Outcome) {
	if !slices.Contains(stepEnds[:], d.State) {
		return
	}
	f.runs(d.Run, func(r *Run) {
		if !r.Ended.IsZero() {
			return
		}
		undo := d.State == plan.Undone || d.State == plan.UndoError || d.State == plan.Broken && r.Steps[d.Step].Undo
		r.step(d.Step, RunStep{State: d.State, At: e.At, Detail: d.Detail, Undo: undo})
		r.note(d.Facts)
	})
}

func (f *Fold) runEnded(e Event, d RunEnded) {
	at := f.runAt(d.Run)
	if at < 0 || !slices.Contains(runEnds[:], d.State) || !f.state.Runs[at].Ended.IsZero() {
		return
	}
	f.runs(d.Run, func(r *Run) {
		r.lose()
		r.Ended, r.State, r.Detail, r.Next = e.At, d.State, d.Detail, d.Next
	})
}

// console is another writer, or none: the runs of the one before are interrupted,
// and what it armed is armed no more.
func (f *Fold) console() {
	s := &f.state
	if s.Armed.On {
		s.Armed, s.ArmedBy = Armed{Why: "the console that armed has ended"}, ""
	}
	for i := range s.Runs {
		if s.Runs[i].State == plan.RunActive {
			r := f.mineAt(i)
			r.State = plan.RunInterrupted
			r.lose()
		}
	}
}

// runs applies a change to a run and to the one that it takes up, if it does.
func (f *Fold) runs(id string, change func(*Run)) {
	at := f.runAt(id)
	if at < 0 {
		return
	}
	change(f.mineAt(at))
	if root := f.rootAt(at); root >= 0 && root != at {
		change(f.mineAt(root))
	}
}

func (f *Fold) runAt(id string) int {
	// What is told of is nearly always among the last ones.
	for i := len(f.state.Runs) - 1; i >= 0; i-- {
		if f.state.Runs[i].ID == id {
			return i
		}
	}
	return -1
}

// rootAt is the run that the one at a place takes up, directly or through others; -1
// when it is not kept any more.
func (f *Fold) rootAt(at int) int {
	for range maxRuns {
		of := f.state.Runs[at].Plan.Of
		if of == "" {
			return at
		}
		up := f.runAt(of)
		if up < 0 || up >= at { // a run takes up an earlier one
			return -1
		}
		at = up
	}
	return -1
}

// mineAt is a run of the state that may be written, with its maps.
func (f *Fold) mineAt(at int) *Run {
	if !f.own.runs {
		f.state.Runs, f.own.runs = slices.Clone(f.state.Runs), true
	}
	r := &f.state.Runs[at]
	if !f.own.run[r.ID] {
		r.Steps, r.Facts = maps.Clone(r.Steps), maps.Clone(r.Facts)
		if r.Steps == nil {
			r.Steps = map[string]RunStep{}
		}
		if r.Facts == nil {
			r.Facts = map[string]string{}
		}
		if f.own.run == nil {
			f.own.run = map[string]bool{}
		}
		f.own.run[r.ID] = true
	}
	return r
}

// step says how a step of the plan stands; one that the plan does not have is none.
func (r *Run) step(id string, now RunStep) {
	if _, known := r.Plan.Step(id); known {
		r.Steps[id] = now
	}
}

// note keeps facts, within their bound.
func (r *Run) note(facts map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		if _, known := r.Facts[name]; known || len(r.Facts) < maxFacts {
			r.Facts[name] = facts[name]
		}
	}
}

// lose says of each step that was begun and of which nothing more was told that it
// is not known what came of it.
func (r *Run) lose() {
	for id, s := range r.Steps {
		if s.State == plan.Running || s.State == plan.Undoing {
			s.State = plan.Broken
			r.Steps[id] = s
		}
	}
}

// IsRoot reports whether the run is one of its own, and none that takes up another.
func (r *Run) IsRoot() bool { return r.Plan.Of == "" }
