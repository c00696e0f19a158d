package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"warroom/internal/archive"
	"warroom/internal/journal"
	"warroom/internal/report"
	"warroom/internal/runbook"
)

// reportFormats are what --format takes.
var reportFormats = []string{"md", "html", "json"}

func newIncidentReportCommand() *cobra.Command {
	var format, output string
	var lessons []string
	cmd := &cobra.Command{
		Use:   "report ID",
		Short: "Write the post-mortem report of an incident",
		Long: "Write the report of an incident from its journal: times, budgets, updates held against their promises, the timeline, the checklist with its\n" +
			"evidence, decisions, temporary measures, what is open and whose, and prevention measures proposed from past incidents like it.\n" +
			"The journal is verified first, and the report says what came of it; of one that is not whole it is written all the same, and the command ends\n" +
			"with 1. --format html is one file with the timeline as a picture, json the document " + report.IncidentSchema + ".",
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(reportFormats, format) {
				return usage(fmt.Errorf("--format %s: there is no such format: use %s", format, strings.Join(reportFormats, ", ")))
			}
			made, bad, err := makeReport(cmd.Context(), args[0], lessons, time.Now())
			if err != nil {
				return err
			}
			var text bytes.Buffer
			write := map[string]func(io.Writer) error{"md": made.Markdown, "html": made.HTML, "json": made.JSON}[format]
			if err := write(&text); err != nil {
				return failed(err)
			}
			if format == "json" {
				text = *bytes.NewBufferString(safeJSON(text.String()))
			}
			if output == "-" {
				err = printAll(cmd.OutOrStdout(), text.Bytes())
			} else {
				err = writeNew(output, text.Bytes())
			}
			if err == nil && bad != nil {
				err = failed(fmt.Errorf("the report is written, but the journal that it rests on is NOT whole, and it says so: %w", bad))
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&format, "format", "md", "md, html or json")
	flags.StringVarP(&output, "output", "o", "-", "the file to write, which must not exist; - prints it")
	flags.StringSliceVar(&lessons, "lesson", nil, "propose the prevention measures of this lesson of the runbook too, by its `ID`")
	return cmd
}

// makeReport reads and verifies the incident that is named. bad is what is wrong
// with its journal.
func makeReport(ctx context.Context, name string, lessons []string, now time.Time) (made *report.Incident, bad, err error) {
	session, err := followed(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, failed(session.Close())) }()
	in := report.IncidentInput{Events: session.Events, Runbook: session.Runbook(), Trouble: session.Case().Trouble, Now: now}
	for _, id := range lessons {
		if !slices.ContainsFunc(in.Runbook.Lessons, func(l runbook.Lesson) bool { return l.ID == id }) {
			return nil, nil, usage(fmt.Errorf("--lesson %s: the incident's runbook has no such lesson: it has %s", id, orDash(lessonIDs(in.Runbook))))
		}
		in.Lessons = append(in.Lessons, report.IncidentLesson{ID: id, Why: "it was asked for when this report was made"})
	}
	in.Journal, bad = verified(session)
	made, err = report.NewIncident(in)
	return made, bad, failed(err)
}

func lessonIDs(rb *runbook.Runbook) string {
	var ids []string
	for i := range rb.Lessons {
		ids = append(ids, rb.Lessons[i].ID)
	}
	return strings.Join(ids, ", ")
}

// verified is what the verification of an incident's journal says, and what is
// wrong with it.
func verified(session *archive.Session) (report.IncidentJournal, error) {
	found, bad := journal.Verify(session.Case().Folder, journal.VerifyOptions{})
	out := report.IncidentJournal{Verified: found != nil && bad == nil}
	if bad != nil {
		out.Problem = bad.Error()
	}
	if found == nil {
		return out, bad
	}
	out.Head, out.Records, out.Files, out.Notes = found.Head.String(), found.Records, found.Segments, found.Notes
	for _, s := range found.Signers {
		out.Signers = append(out.Signers, report.IncidentSigner{Fingerprint: s.Fingerprint, Records: s.Records})
	}
	return out, bad
}

// writeNew writes a file that only its owner can read: a report tells of systems
// and of people. One that is there is left as it is.
func writeNew(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return failed(fmt.Errorf("write the report: %s exists and is left as it is; name another file with --output", path))
	}
	if err != nil {
		return failed(fmt.Errorf("write the report: %w", err))
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return failed(fmt.Errorf("write the report to %s, which may be there in part: %w", path, err))
	}
	return nil
}
