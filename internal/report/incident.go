package report

import (
	"errors"
	"fmt"
	"time"

	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// IncidentSchema names the JSON document of an incident report.
const IncidentSchema = "warroom.incident-report/v1"

// IncidentInput is what a report of an incident is made from.
type IncidentInput struct {
	// Events calls a function with every event of the journal, in order, each time it
	// is called: first for the start from which every clock counts, which may have
	// been corrected late. The report folds them itself, so that its state and its
	// timeline cannot disagree. An
	// error after the declaration does not prevent the report: it says that what
	// follows is missing.
	Events  func(func(incident.Event) error) error
	Runbook *runbook.Runbook // the one that the incident followed; nil leaves ids without their words
	Trouble string           // what who keeps the incident says is wrong with it, one line; empty when nothing is
	Journal IncidentJournal
	Lessons []IncidentLesson // proposed by who asks for the report, beside those that the journal speaks for
	Now     time.Time
}

// IncidentJournal is what the verification of the journal said.
type IncidentJournal struct {
	Verified bool   // every record, link and signature was checked and nothing is wrong
	Problem  string // what is wrong, or why nothing was verified; empty when it is whole
	Head     string // number and hash of the last record
	Records  uint64
	Files    int
	Signers  []IncidentSigner // in the order in which they came
	Notes    []string         // what is no fault and still to be known
}

// IncidentSigner is a key and how many records it signed.
type IncidentSigner struct {
	Fingerprint string
	Records     uint64
}

// IncidentLesson is a lesson of the runbook that someone or something proposes.
type IncidentLesson struct {
	ID  string
	Why string // what speaks for it, one line
}

// Incident is the report of one incident: one model that Markdown, HTML and JSON
// are renderings of.
type Incident struct{ doc incidentDoc }

// NewIncident reads all events once and makes the report of them. It is an error
// when they hold no declaration.
func NewIncident(in IncidentInput) (*Incident, error) {
	if in.Events == nil {
		return nil, errors.New("make the report of an incident: it was given no events")
	}
	if in.Runbook == nil {
		in.Runbook = &runbook.Runbook{}
	}
	in.Now = in.Now.Round(0).UTC()
	r := newReading(in.Runbook)
	r.corrected = correctedStart(in.Events)
	err := in.Events(func(e incident.Event) error {
		r.take(e)
		return nil
	})
	state := r.fold.State()
	switch {
	case !state.IsDeclared() && err != nil:
		return nil, fmt.Errorf("make the report of an incident: %w", err)
	case !state.IsDeclared():
		return nil, fmt.Errorf("make the report of an incident: none of its %d events declares it", r.count)
	case err != nil:
		r.broken = err.Error()
	}
	out := &Incident{doc: r.document(in, state)}
	tidyAll(&out.doc)
	return out, nil
}

// correctedStart is the start as it was corrected last; zero when it never was.
func correctedStart(events func(func(incident.Event) error) error) (start time.Time) {
	// What cannot be read is told by the reading that makes the report.
	_ = events(func(e incident.Event) error {
		if c, ok := e.Data.(incident.Corrected); ok && !c.Started.IsZero() {
			start = c.Started
		}
		return nil
	})
	return start
}
