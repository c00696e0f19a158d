package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"warroom/internal/archive"
	"warroom/internal/config"
	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// newChecklistCommand is warroom checklist: it needs no estate, no configuration
// and no network.
func newChecklistCommand() *cobra.Command {
	var look looks
	var plain bool
	cmd := &cobra.Command{
		Use:   "checklist [INCIDENT]",
		Short: "Tick off an incident's checklist, on any day, with no estate at all",
		Long: "Open the checklist of an incident: the latest one with open items, or the one that is named. Nothing is connected to.\n" +
			"With --plain it prints what is due instead, with owners and dates, what is overdue first.",
		Args: func(cmd *cobra.Command, args []string) error { return usage(cobra.MaximumNArgs(1)(cmd, args)) },
		RunE: func(cmd *cobra.Command, args []string) error {
			id, declared, err := forChecklist(cmd.Context(), args)
			if err != nil {
				return err
			}
			if plain {
				return printDue(cmd.Context(), cmd.OutOrStdout(), id)
			}
			cfg := settings(cmd, cmd.ErrOrStderr())
			look.desk = look.desk.with(cfg)
			look.resume, look.checklist, look.notices = id, true, cmd.ErrOrStderr()
			return openDesk(cmd.Context(), look, declared)
		},
	}
	look.flags(cmd)
	cmd.Flags().BoolVar(&plain, "plain", false, "print what is due with owners and dates, what is overdue first")
	return cmd
}

// forChecklist is the incident whose checklist is meant.
func forChecklist(ctx context.Context, args []string) (string, incident.Declared, error) {
	if len(args) == 1 {
		return declaration(ctx, args[0])
	}
	store, err := openStore(archive.Options{})
	if err != nil {
		return "", incident.Declared{}, err
	}
	id, err := latestOpen(ctx, store)
	if err != nil {
		return "", incident.Declared{}, err
	}
	return declaration(ctx, id)
}

// settings is the configuration, for what it says of incidents. One that cannot be
// used is said and passed over: a checklist works without.
func settings(cmd *cobra.Command, notices io.Writer) *config.Config {
	if path, err := cmd.Flags().GetString("config"); err == nil && path == "" {
		if _, err := config.Find(); err != nil {
			return nil // there is none
		}
	}
	cfg, err := load(cmd)
	if err != nil {
		notice(notices, "what the configuration says of incidents is passed over, because it cannot be used: %v", err)
		return nil
	}
	return cfg
}

// due is one open item, or a temporary measure that is still in force.
type due struct {
	phase, what, state, owner string
	at                        time.Time // zero when it has no date
	overdue                   bool
}

// openItems are the items that are not settled and the measures that are not
// ended: what is overdue first, then by date, what has none last.
func openItems(s *incident.State, rb *runbook.Runbook, now time.Time) []due {
	board := incident.NewBoard(s, rb, nil, now)
	var out []due
	for _, list := range board.List {
		for i := range list.Items {
			item := &list.Items[i]
			if item.Status.Settled() || item.Call {
				continue
			}
			out = append(out, due{list.Phase.Title, item.Item.Text, item.Status.String(), item.Owner, item.Due, item.Overdue})
		}
	}
	for _, m := range s.Open() {
		out = append(out, due{"Temporary measure", fmt.Sprintf("%s %s: %s", m.ID, m.Kind, m.What), "in force", m.Who, m.Until, !m.Until.IsZero() && m.Until.Before(now)})
	}
	slices.SortStableFunc(out, func(a, b due) int {
		if a.at.IsZero() != b.at.IsZero() {
			if a.at.IsZero() {
				return 1
			}
			return -1
		}
		return cmp.Or(a.at.Compare(b.at))
	})
	return out
}

// printDue prints what is due of an incident.
func printDue(ctx context.Context, out io.Writer, id string) error {
	session, err := followed(ctx, id)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	return writeDue(out, id, session.Case(), session.Runbook(), time.Now())
}

// writeDue prints an incident's open items at a time.
func writeDue(out io.Writer, id string, c *incident.Case, rb *runbook.Runbook, now time.Time) error {
	var text bytes.Buffer
	s := c.State
	fmt.Fprintf(&text, "%s  %s  %s", id, line(string(s.Severity)), line(s.Declared.Summary))
	switch {
	case !s.Closed.IsZero():
		fmt.Fprintf(&text, "  (closed %s)", minute(s.Closed))
	case !s.Recovered.IsZero():
		fmt.Fprintf(&text, "  (recovered %s)", minute(s.Recovered))
	}
	fmt.Fprintln(&text)
	if c.Trouble != "" {
		fmt.Fprintln(&text, line(c.Trouble))
	}
	items := openItems(s, rb, now)
	if len(items) == 0 {
		fmt.Fprintln(&text, "nothing is open")
		return printText(out, text.String())
	}
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DUE (UTC)\tOWNER\tSTATE\tPHASE\tWHAT")
	for _, d := range items {
		at := minute(d.at)
		if d.overdue {
			at += " OVERDUE"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", at, orDash(line(d.owner)), d.state, line(d.phase), line(d.what))
	}
	_ = table.Flush() // into memory
	return printText(out, text.String())
}
