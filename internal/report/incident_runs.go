package report

import (
	"fmt"

	"warroom/internal/incident"
	"warroom/internal/plan"
)

// runDoc is one run of a recovery procedure, or of what took an earlier one up.
type runDoc struct {
	when
	ID        string       `json:"id"`
	Of        string       `json:"of,omitempty"` // the run that it resumed, rolled back or abandoned
	Mode      string       `json:"mode"`
	Procedure string       `json:"procedure"`
	Target    string       `json:"target"`
	Title     string       `json:"title"`
	By        string       `json:"by,omitempty"`
	Reason    string       `json:"reason,omitempty"`
	Signer    string       `json:"signer,omitempty"` // the other operator who signed the plan
	Ended     moment       `json:"ended"`
	Took      *span        `json:"took"` // seconds; null while it has no end
	State     string       `json:"state"`
	Detail    string       `json:"detail,omitempty"`
	Steps     []runStepDoc `json:"steps"`
	Limit     string       `json:"irreversible,omitempty"` // what could not be undone
}

// runStepDoc is how one step of it stands at the end.
type runStepDoc struct {
	Title  string `json:"title"`
	State  string `json:"state"`
	At     moment `json:"at"`
	Detail string `json:"detail,omitempty"`
}

// runs are the recovery runs of the incident.
func (r *reading) runs(s *incident.State) []runDoc {
	out := []runDoc{}
	for i := range s.Runs {
		run := &s.Runs[i]
		one := runDoc{
			when: r.at(run.Started), ID: run.ID, Of: run.Plan.Of, Mode: string(run.Plan.Mode), Procedure: run.Plan.Procedure, Target: run.Plan.Target,
			Title: run.Plan.Title, By: run.By, Reason: run.Reason, Signer: run.Signer, Ended: moment{run.Ended}, State: string(run.State), Detail: run.Detail,
			Limit: run.Plan.Irreversible, Steps: []runStepDoc{},
		}
		if !run.Ended.IsZero() {
			one.Took = some(max(0, run.Ended.Sub(run.Started)))
		}
		if run.State == plan.RunActive && !s.Closed.IsZero() {
			one.State = string(plan.RunInterrupted) // nobody is at it any more
		}
		for _, step := range run.Plan.Steps {
			now, ok := run.Steps[step.ID]
			if !ok {
				now.State = plan.Waiting
			}
			one.Steps = append(one.Steps, runStepDoc{step.Title, string(now.State), moment{now.At}, now.Detail})
		}
		out = append(out, one)
	}
	return out
}

// openRuns are those that have no good end: they are open items.
func openRuns(s *incident.State) (out []openDoc) {
	for i := range s.Runs {
		if run := &s.Runs[i]; run.IsRoot() && (run.State.Open() || run.State == plan.RunActive) {
			out = append(out, openDoc{What: run.Plan.Title, Of: "recovery run " + run.ID, State: string(run.State), Owner: run.By})
		}
	}
	return out
}

func (d *incidentDoc) runsSection() section {
	s := section{ID: "runs", Title: "Recovery procedures", Empty: "No recovery procedure was run."}
	open := 0
	for i := range d.Runs {
		run := &d.Runs[i]
		switch plan.RunState(run.State) {
		case plan.RunDone, plan.RunRolledBack, plan.RunAbandoned:
		default:
			open++
		}
		what := join(" ", run.Mode, run.Procedure, run.Target)
		if run.Of != "" {
			what += ", of run " + run.Of
		}
		signed := ""
		if run.Signer != "" {
			signed = "signed by " + run.Signer
		}
		s.Rows = append(s.Rows, []string{
			run.At.String(), run.T.T(), run.ID, run.Title, what, run.By, join("; ", run.Reason, signed), run.Ended.String(), run.Took.orDash(), join(": ", run.State, run.Detail),
		})
		p := section{ID: fmt.Sprintf("run-%d", i+1), Title: fmt.Sprintf("Steps of run %s", run.ID), Head: []string{"Step", "State", "When", "Seen"}, Empty: "It had no steps."}
		if run.Limit != "" {
			p.Text = append(p.Text, "Could not be undone: "+run.Limit)
		}
		for _, step := range run.Steps {
			p.Rows = append(p.Rows, []string{step.Title, step.State, step.At.String(), step.Detail})
		}
		if len(p.Rows) == 0 {
			p.Head = nil
		}
		s.Parts = append(s.Parts, p)
	}
	if len(s.Rows) > 0 {
		s.Head = []string{"Begun", "T+", "Run", "What", "Plan", "By", "Reason", "Ended", "Took", "Result"}
	}
	if open > 0 {
		s.Loud = true
		s.Text = []string{fmt.Sprintf("%s without a good end.", count(open, "run"))}
	}
	return s
}
