package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"warroom/internal/archive"
	"warroom/internal/incident"
)

// Schemas of the documents about incidents; docs/incident.md describes them.
const (
	incidentListSchema   = "warroom.incident-list/v1"
	incidentSchema       = "warroom.incident/v1"
	incidentVerifySchema = "warroom.incident-verify/v1"
)

// newIncidentCommand is warroom incident. Nothing of it needs the estate or its
// configuration, but for resume and roll-back.
func newIncidentCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "incident",
		Short: "List, show, verify, report, resume or roll back incidents",
		Long: "Work with the incidents that the console recorded. They lie below the XDG state folder, one folder each.\n" +
			"ID is an incident's id, a beginning that only one has, or latest. Only resume and roll-back need the configuration of the estate.",
		Args: subcommandOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newIncidentListCommand(), newIncidentShowCommand(), newIncidentVerifyCommand(), newIncidentReportCommand(),
		newIncidentResumeCommand(), newIncidentRollBackCommand())
	return cmd
}

// openStore is the store in its usual place. What it reads needs no operator.
func openStore(o archive.Options) (*archive.Store, error) {
	root, err := archive.DefaultRoot()
	if err != nil {
		return nil, failed(err)
	}
	return archive.New(root, o), nil
}

// followed opens the incident that is named, to read it.
func followed(ctx context.Context, name string) (*archive.Session, error) {
	store, err := openStore(archive.Options{})
	if err != nil {
		return nil, err
	}
	id, err := store.Resolve(ctx, name)
	if err != nil {
		return nil, failed(err)
	}
	session, err := store.Follow(ctx, id)
	return session, failed(err)
}

func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage(fmt.Errorf("%s takes one %s; `warroom incident list` names them", cmd.CommandPath(), what))
		}
		return nil
	}
}

func newIncidentListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the incidents that were recorded here, the newest first",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := openStore(archive.Options{})
			if err != nil {
				return err
			}
			listed, err := store.List(cmd.Context())
			if err != nil {
				return failed(err)
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), listDocument(store.Root(), listed))
			}
			return writeList(cmd.OutOrStdout(), store.Root(), listed)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the document "+incidentListSchema)
	return cmd
}

// writeList prints a line an incident.
func writeList(out io.Writer, root string, listed []incident.Listed) error {
	var text bytes.Buffer
	if len(listed) == 0 {
		fmt.Fprintf(&text, "no incident in %s\n", root)
	} else {
		table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tSEVERITY\tSTATE\tSTARTED (UTC)\tLAST EVENT (UTC)\tENVIRONMENT\tSUMMARY")
		for i := range listed {
			l := &listed[i]
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, orDash(line(l.Severity)), incidentState(l), minute(l.Started), minute(l.LastAt),
				orDash(place(l.Environment, l.Drill)), orDash(line(l.Summary)))
		}
		_ = table.Flush() // into memory
		for i := range listed {
			if l := &listed[i]; l.Trouble != "" {
				fmt.Fprintf(&text, "%s: %s\n", l.ID, line(l.Trouble))
			}
		}
	}
	return printText(out, text.String())
}

// incidentState is how an incident stands, in a few words.
func incidentState(l *incident.Listed) string {
	state := "open"
	switch {
	case l.Started.IsZero():
		return "unreadable"
	case !l.Closed.IsZero():
		state = "closed"
	case !l.Recovered.IsZero():
		state = "recovered"
	}
	if l.Writer != "" {
		state += ", written by " + line(l.Writer)
	}
	if l.Trouble != "" {
		state += ", DAMAGED"
	}
	return state
}

// place is an environment, or the drill in its place.
func place(environment, drill string) string {
	if drill != "" {
		return "DRILL " + line(drill)
	}
	return line(environment)
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func minute(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// line makes one line without control sequences of a text that people or systems
// wrote.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.C, r):
			return -1
		}
		return r
	}, ansi.Strip(strings.ToValidUTF8(s, "?")))
	return strings.Join(strings.Fields(s), " ")
}

// listDocument is the document of warroom incident list --json.
func listDocument(root string, listed []incident.Listed) any {
	type one struct {
		ID          string     `json:"id"`
		Severity    string     `json:"severity,omitempty"`
		Summary     string     `json:"summary,omitempty"`
		Environment string     `json:"environment,omitempty"`
		Drill       string     `json:"drill,omitempty"`
		Open        bool       `json:"open"`
		Started     *time.Time `json:"started"`
		Recovered   *time.Time `json:"recovered"`
		Closed      *time.Time `json:"closed"`
		Last        *time.Time `json:"last_event"`
		Writer      string     `json:"writer,omitempty"`
		Trouble     string     `json:"trouble,omitempty"`
	}
	doc := struct {
		Schema    string `json:"schema"`
		Folder    string `json:"folder"`
		Incidents []one  `json:"incidents"`
	}{incidentListSchema, root, []one{}}
	for i := range listed {
		l := &listed[i]
		doc.Incidents = append(doc.Incidents, one{
			ID: l.ID, Severity: l.Severity, Summary: l.Summary, Environment: l.Environment, Drill: l.Drill,
			Open: !l.Started.IsZero() && l.Closed.IsZero(), Started: timeOrNull(l.Started), Recovered: timeOrNull(l.Recovered),
			Closed: timeOrNull(l.Closed), Last: timeOrNull(l.LastAt), Writer: l.Writer, Trouble: l.Trouble,
		})
	}
	return doc
}

// timeOrNull is null in JSON for a time that never was.
func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// writeJSON prints a document.
func writeJSON(out io.Writer, doc any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return failed(fmt.Errorf("write the document, which is a fault of warroom: %w", err))
	}
	return printJSON(out, text.String())
}
