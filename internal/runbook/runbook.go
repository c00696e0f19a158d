// Package runbook is the team's procedure as data: the phases of the debugging
// flow with their nodes, the phases of the checklist with their items, the
// intervals of status updates and the lessons of past incidents. The embedded
// runbook is the guide's; a team replaces it by a YAML file of its own.
//
// Its rules: it only describes. What a node or item senses is a name that
// package diagnosis gives a meaning to; what was done with it is told by package
// incident. A mistake in a file is reported with its line, all mistakes together,
// and a runbook with a mistake is not used at all. Texts are one line of verb,
// object and expected value.
package runbook

import "time"

// Runbook is one procedure, complete and valid.
type Runbook struct {
	Version   int         `yaml:"version" req:"true" enum:"1" doc:"version of this format"`
	Name      string      `yaml:"name" req:"true" doc:"what the procedure is called"`
	Updates   []Cadence   `yaml:"updates" req:"true" doc:"how often the bridge is told, by severity"`
	Flow      []FlowPhase `yaml:"flow" req:"true" doc:"the phases of the debugging flow"`
	Checklist []ListPhase `yaml:"checklist" req:"true" doc:"the phases of the recovery checklist"`
	Lessons   []Lesson    `yaml:"lessons" doc:"past incidents, whose prevention is proposed after one like them"`

	// Digest is the SHA-256 of the file's bytes in lower-case hexadecimal: by it
	// an incident names the runbook that it follows.
	Digest string `yaml:"-"`
	// Source is the file as it was read, so that an incident can keep it.
	Source []byte `yaml:"-"`
}

// Severity is how bad an incident is, SEV1 being the worst.
type Severity string

// Severities from worst to least.
const (
	SEV1 Severity = "SEV1"
	SEV2 Severity = "SEV2"
	SEV3 Severity = "SEV3"
	SEV4 Severity = "SEV4"
)

// Severities lists the severities from worst to least.
var Severities = [...]Severity{SEV1, SEV2, SEV3, SEV4}

// Cadence is how often an incident of a severity is told about.
type Cadence struct {
	Severity Severity      `yaml:"severity" req:"true" enum:"SEV1,SEV2,SEV3,SEV4" doc:"of which severity"`
	First    time.Duration `yaml:"first" req:"true" min:"1m" max:"24h" doc:"from the declaration to the first update"`
	Scoped   time.Duration `yaml:"scoped" min:"0s" max:"24h" doc:"from the first update to the second, which tells the scope; absent means every"`
	Every    time.Duration `yaml:"every" req:"true" min:"1m" max:"24h" doc:"between two updates from then on"`
	Relax    time.Duration `yaml:"relax_after" min:"0s" max:"168h" doc:"after how long updates may come half as often; absent means never"`
}

// FlowPhase is one phase of the debugging flow.
type FlowPhase struct {
	ID    string        `yaml:"id" req:"true" doc:"unique within the runbook"`
	Title string        `yaml:"title" req:"true" doc:"what the phase is called, for example Assess"`
	From  time.Duration `yaml:"from" max:"365d" doc:"when it begins, counted from T0"`
	To    time.Duration `yaml:"to" req:"true" min:"1s" max:"365d" doc:"when it should have ended, counted from T0"`
	Leave string        `yaml:"leave" doc:"the condition for leaving it"`
	Nodes []Node        `yaml:"nodes" req:"true" doc:"its nodes: the main line in order, and the side nodes"`
}

// Node is one box of the flow.
type Node struct {
	ID     string `yaml:"id" req:"true" doc:"unique within the runbook"`
	Title  string `yaml:"title" req:"true" doc:"what it is called"`
	Text   string `yaml:"text" doc:"what is asked or done, one line"`
	Sense  string `yaml:"sense" doc:"the sensor that gives its evidence; absent means a person's word"`
	Beside string `yaml:"beside" doc:"the main-line node that this side node hangs off; absent means the main line"`
	Urgent bool   `yaml:"urgent" doc:"whether the guide marks it urgent"`
	// Group is the column of a matrix that the node is a row of. Nodes with a
	// group are drawn as a matrix instead of a line.
	Group string `yaml:"group" doc:"the column of a matrix in which it stands"`
	Leads string `yaml:"leads_to" doc:"the matrix node of the next column that it most often leads to"`
	Lines []Line `yaml:"lines" doc:"what can be at fault within it, each with its own evidence"`
}

// Line is one possibility within a matrix node.
type Line struct {
	ID    string `yaml:"id" req:"true" doc:"unique within the runbook"`
	Text  string `yaml:"text" req:"true" doc:"what may be at fault"`
	Sense string `yaml:"sense" doc:"the sensor that speaks for or against it; absent means there is none"`
}

// Mode is how a list is worked.
type Mode string

// Modes of a list.
const (
	ReadDo    Mode = "read-do"    // read an item, do it, tick it
	DoConfirm Mode = "do-confirm" // do the work, then confirm item by item
)

// ListPhase is one phase of the checklist.
type ListPhase struct {
	ID    string        `yaml:"id" req:"true" doc:"unique within the runbook"`
	Title string        `yaml:"title" req:"true" doc:"what the phase is called, for example Immediate response"`
	From  time.Duration `yaml:"from" max:"365d" doc:"when it begins, counted from T0"`
	To    time.Duration `yaml:"to" req:"true" min:"1s" max:"365d" doc:"when it should have ended, counted from T0"`
	Mode  Mode          `yaml:"mode" req:"true" enum:"read-do,do-confirm" doc:"how it is worked"`
	Leave string        `yaml:"leave" doc:"the condition for leaving it"`
	// Owned is whether its items carry an owner and a due date.
	Owned    bool   `yaml:"owned" doc:"whether its items carry an owner and a due date"`
	Items    []Item `yaml:"items" req:"true" doc:"at most nine, the most important first"`
	Complete string `yaml:"complete" req:"true" doc:"what is called when everything above is settled, for example IMMEDIATE COMPLETE"`
}

// CompleteID is the id of the item that ends the phase: its completion call.
func (p *ListPhase) CompleteID() string { return p.ID + ".complete" }

// Item is one line of the checklist.
type Item struct {
	ID     string        `yaml:"id" req:"true" doc:"unique within the runbook"`
	Text   string        `yaml:"text" req:"true" doc:"verb and object, at most 60 cells"`
	Expect string        `yaml:"expect" doc:"the value that settles it, at most 40 cells"`
	Killer bool          `yaml:"killer" doc:"whether skipping it has ended badly: first in its phase, marked, and its value is typed"`
	Sense  string        `yaml:"sense" doc:"the sensor that makes it ready; absent means a person's word"`
	Due    time.Duration `yaml:"due" max:"365d" doc:"default due date of an owned item, counted from recovery"`
	// Forward lists verdicts of the flow that bring the item to the top of the
	// list, whatever phase it is in.
	Forward []string `yaml:"forward_when" doc:"verdicts (expired, stuck, compromised) that bring it to the top of the list"`
}

// Lesson is a past incident and what would have prevented it.
type Lesson struct {
	ID      string   `yaml:"id" req:"true" doc:"unique within the runbook"`
	Title   string   `yaml:"title" req:"true" doc:"what happened, and when"`
	Summary string   `yaml:"summary" doc:"its cause and length"`
	Sense   []string `yaml:"sense" doc:"sensors that speak for an incident of this kind"`
	Prevent []string `yaml:"prevent" req:"true" doc:"measures, one line each"`
}
