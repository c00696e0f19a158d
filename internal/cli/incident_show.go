package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"warroom/internal/archive"
	"warroom/internal/incident"
)

func newIncidentShowCommand() *cobra.Command {
	var asJSON bool
	var kinds []string
	var text string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Print an incident and its timeline",
		Long: "Print an incident and its timeline, oldest first. --kind and --text choose events: both have to match.\n" +
			"Kinds are " + strings.Join(kindNames(), ", ") + ".",
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			query, err := queryOf(kinds, text)
			if err != nil {
				return err
			}
			session, err := followed(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer func() { _ = session.Close() }()
			events, err := timeline(cmd, session, query)
			if err != nil {
				return failed(err)
			}
			if asJSON {
				doc, err := showDocument(session, events)
				if err != nil {
					return failed(err)
				}
				return writeJSON(cmd.OutOrStdout(), doc)
			}
			return writeShow(cmd.OutOrStdout(), session, events)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the document "+incidentSchema)
	cmd.Flags().StringSliceVar(&kinds, "kind", nil, "only events of these kinds, separated by commas")
	cmd.Flags().StringVar(&text, "text", "", "only events that hold this text, whatever the case")
	return cmd
}

func kindNames() []string {
	var names []string
	for _, k := range incident.Kinds {
		names = append(names, string(k))
	}
	return names
}

func queryOf(kinds []string, text string) (incident.Query, error) {
	q := incident.Query{Limit: 1000, Text: text}
	for _, name := range kinds {
		kind := incident.Kind(strings.TrimSpace(name))
		if !slices.Contains(incident.Kinds[:], kind) {
			return q, usage(fmt.Errorf("--kind %s: there is no such kind of event: use %s", name, strings.Join(kindNames(), ", ")))
		}
		q.Kinds = append(q.Kinds, kind)
	}
	return q, nil
}

// timeline reads everything that a query asks for.
func timeline(cmd *cobra.Command, session *archive.Session, q incident.Query) ([]incident.Event, error) {
	var pages [][]incident.Event
	for {
		page, err := session.Page(cmd.Context(), q)
		if err != nil {
			return nil, err
		}
		pages = append(pages, page.Events)
		if !page.Earlier || len(page.Events) == 0 {
			break
		}
		q.Before = page.Events[0].Seq
	}
	slices.Reverse(pages)
	return slices.Concat(pages...), nil
}

// writeShow prints an incident's head and its timeline.
func writeShow(out io.Writer, session *archive.Session, events []incident.Event) error {
	c := session.Case()
	s := c.State
	var text bytes.Buffer
	head := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%-11s %s\n", name, value)
		}
	}
	head("Incident", session.ID())
	head("Trouble", line(c.Trouble))
	head("Summary", line(s.Declared.Summary))
	head("Severity", line(string(s.Severity)))
	head("Environment", place(s.Declared.Environment, s.Declared.Drill))
	head("T0", second(s.Declared.Started))
	head("Declared", second(s.At))
	head("Recovered", second(s.Recovered))
	head("Closed", second(s.Closed))
	for _, role := range incident.Roles {
		head(strings.ToUpper(string(role[:1]))+string(role[1:]), line(s.Roles[role]))
	}
	head("Verdict", line(s.Verdict))
	head("Runbook", line(session.Runbook().Name))
	head("Written by", line(c.Writer))
	head("Folder", c.Folder)
	head("Head", c.Head)
	if len(events) > 0 {
		fmt.Fprintln(&text)
	}
	for i := range events {
		e := &events[i]
		by := ""
		if e.By != "" {
			by = line(e.By) + ": "
		}
		fmt.Fprintf(&text, "%s  T%-10s #%-5d %-10s %s%s\n", e.At.UTC().Format("2006-01-02 15:04:05Z"), sinceStart(s, e.At), e.Seq, e.Kind, by,
			incident.Tell(e, session.Runbook()))
	}
	return printText(out, text.String())
}

func second(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// sinceStart is T+ of a time, as +0:03:12; before T0 it is negative.
func sinceStart(s *incident.State, at time.Time) string {
	if s.Declared.Started.IsZero() {
		return "?"
	}
	d, sign := at.Sub(s.Declared.Started).Truncate(time.Second), "+"
	if d < 0 {
		d, sign = -d, "-"
	}
	return fmt.Sprintf("%s%d:%02d:%02d", sign, int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}

// shownEvent is one event in the document. Data is as in the journal.
type shownEvent struct {
	Seq  uint64          `json:"seq"`
	At   time.Time       `json:"at"`
	By   string          `json:"by,omitempty"`
	Kind incident.Kind   `json:"kind"`
	Text string          `json:"text"`
	Data json.RawMessage `json:"data,omitempty"`
}

// showDocument is the document of warroom incident show --json.
func showDocument(session *archive.Session, events []incident.Event) (any, error) {
	type measure struct {
		ID     string     `json:"id"`
		Kind   string     `json:"kind"`
		What   string     `json:"what"`
		Who    string     `json:"who"`
		Opened time.Time  `json:"opened"`
		Until  *time.Time `json:"until"`
		Ended  *time.Time `json:"ended"`
	}
	c := session.Case()
	s := c.State
	doc := struct {
		Schema      string                   `json:"schema"`
		ID          string                   `json:"id"`
		Severity    string                   `json:"severity"`
		Summary     string                   `json:"summary"`
		Environment string                   `json:"environment,omitempty"`
		Drill       string                   `json:"drill,omitempty"`
		Started     *time.Time               `json:"started"`
		Declared    *time.Time               `json:"declared"`
		Recovered   *time.Time               `json:"recovered"`
		Closed      *time.Time               `json:"closed"`
		Roles       map[incident.Role]string `json:"roles"`
		Verdict     string                   `json:"verdict,omitempty"`
		Measures    []measure                `json:"measures"`
		Runbook     string                   `json:"runbook"`
		Digest      string                   `json:"runbook_sha256"`
		Writer      string                   `json:"writer,omitempty"`
		Trouble     string                   `json:"trouble,omitempty"`
		Folder      string                   `json:"folder"`
		Head        string                   `json:"head"`
		Events      []shownEvent             `json:"events"`
	}{
		Schema: incidentSchema, ID: session.ID(), Severity: string(s.Severity), Summary: s.Declared.Summary,
		Environment: s.Declared.Environment, Drill: s.Declared.Drill, Started: timeOrNull(s.Declared.Started), Declared: timeOrNull(s.At),
		Recovered: timeOrNull(s.Recovered), Closed: timeOrNull(s.Closed), Roles: s.Roles, Verdict: s.Verdict, Measures: []measure{},
		Runbook: s.Declared.Runbook, Digest: s.Declared.Digest, Writer: c.Writer, Trouble: c.Trouble, Folder: c.Folder, Head: c.Head,
		Events: []shownEvent{},
	}
	for _, m := range s.Measures {
		doc.Measures = append(doc.Measures, measure{m.ID, string(m.Kind), m.What, m.Who, m.Opened, timeOrNull(m.Until), timeOrNull(m.Ended)})
	}
	for i := range events {
		shown, err := shownOf(&events[i], session)
		if err != nil {
			return nil, err
		}
		doc.Events = append(doc.Events, shown)
	}
	return doc, nil
}

// shownOf is one event as the document shows it.
func shownOf(e *incident.Event, session *archive.Session) (shownEvent, error) {
	shown := shownEvent{Seq: e.Seq, At: e.At.UTC(), By: e.By, Kind: e.Kind, Text: incident.Tell(e, session.Runbook())}
	if _, kept := e.Data.(incident.Unreadable); kept {
		return shown, nil // of a newer version: `warroom incident verify` names the file that holds it
	}
	data, err := json.Marshal(e.Data)
	if err != nil {
		return shown, fmt.Errorf("write event %d, which is a fault of warroom: %w", e.Seq, err)
	}
	shown.Data = data
	return shown, nil
}
