package plan

import "time"

// StepState is how a step of a run stands.
type StepState string

// States of a step.
const (
	Waiting   StepState = "waiting"
	Running   StepState = "running"
	Done      StepState = "done"    // and verified
	Skipped   StepState = "skipped" // nothing was left to do, as its probe found
	Failed    StepState = "failed"  // its verification, or the call, said no
	Broken    StepState = "broken"  // intent without outcome: what came of it is not known
	Undoing   StepState = "undoing" //
	Undone    StepState = "undone"  // and verified
	UndoError StepState = "undo failed"
)

// RunState is how a run stands.
type RunState string

// States of a run.
const (
	RunActive      RunState = "running"
	RunDone        RunState = "done"
	RunFailed      RunState = "failed"      // a step failed; it can be resumed, or rolled back where declared
	RunStopped     RunState = "stopped"     // cancelled before its next step
	RunInterrupted RunState = "interrupted" // nobody runs it and it has no end: a crash
	RunRolledBack  RunState = "rolled back"
	RunAbandoned   RunState = "abandoned"
)

// Open reports whether something is left to decide about the run.
func (s RunState) Open() bool {
	return s == RunFailed || s == RunStopped || s == RunInterrupted
}

// Progress is how one run stands, for whoever watches it live.
type Progress struct {
	Run      string // the plan's ID
	Plan     *Plan
	State    RunState
	Started  time.Time
	Ended    time.Time // zero while it runs
	Stopping bool      // it was cancelled and stops before its next step
	Steps    []StepProgress
	Held     []Held
	Log      []Line // the latest, oldest first; at most MaxLines
	Trouble  string // why it failed, in a sentence
	Next     string // what to do about it
	LogPath  string // of the text log
}

// MaxLines bounds the log lines of a Progress.
const MaxLines = 500

// StepProgress is how one step stands.
type StepProgress struct {
	ID      string
	State   StepState
	Started time.Time
	Ended   time.Time
	Detail  string // what its verification saw, or why it failed
	Parts   []Part // of a step that does the same to many
}

// Part is one of the many that a step works on.
type Part struct {
	Name   string
	State  StepState
	Detail string // for example 2 of 3 replicas on the new value
}

// Held is something that the run keeps for somebody until it ends.
type Held struct {
	What string // for example advisory lock on app_user at db:5432
	For  string // for whom or why
}

// Line is one line of the log of a run.
type Line struct {
	N    int // from 1, within its run
	At   time.Time
	Mark string // one of ok, fail, warn, info
	Text string
}

// Advice is what can be done about a run that did not end well, and why one way is
// the better.
type Advice struct {
	Run         string
	Procedure   string
	Target      string
	State       RunState
	Step        string // the step where it stopped; empty when all are settled
	StepTitle   string
	Effect      Effect
	Found       string // what the probe of that step saw
	Recommended Mode
	Reason      string // why
	// Possible are the modes that can be planned; the others are missing with a
	// reason.
	Possible   []Mode
	Impossible map[Mode]string
}
