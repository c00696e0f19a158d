package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"warroom/internal/decode"
	"warroom/internal/diagnosis"
	"warroom/internal/runbook"
)

// newRunbookCommand is warroom runbook: validate, example and sensors.
func newRunbookCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runbook",
		Short: "Check a runbook of your own, or print the embedded one",
		Long: "The runbook is the procedure that the console steps through: the phases of the flow and of the checklist, with their budgets.\n" +
			"The embedded one can be replaced by a file of your own, named in warroom.yaml under incident.runbook.",
		Args: subcommandOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "validate FILE",
			Short: "Report every mistake of a runbook with its line",
			Long: "Report every mistake of a runbook, each with file, line, what was expected and the nearest valid word.\n" +
				"It ends with 0 when the file is valid, else with 64. Nothing is connected to.",
			Args: func(cmd *cobra.Command, args []string) error { return usage(cobra.ExactArgs(1)(cmd, args)) },
			RunE: func(cmd *cobra.Command, args []string) error { return validateRunbook(cmd.OutOrStdout(), args[0]) },
		},
		&cobra.Command{
			Use:   "example",
			Short: "Print the embedded runbook, to start from",
			Args:  noArgs,
			RunE:  func(cmd *cobra.Command, _ []string) error { return printAll(cmd.OutOrStdout(), runbook.Guide().Source) },
		},
		&cobra.Command{
			Use:   "sensors",
			Short: "List what may stand under sense in a runbook",
			Long: "List the sensors that a runbook may name under sense, each with the question that it asks of the estate and when its answer is yes.\n" +
				"Nothing is connected to.",
			Args: noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return printSensors(cmd.OutOrStdout()) },
		},
	)
	return cmd
}

// validateRunbook checks the file at path and prints what it holds.
func validateRunbook(out io.Writer, path string) error {
	r, err := readRunbook(path, diagnosis.Names())
	if err != nil {
		return usage(err)
	}
	nodes, items := 0, 0
	for i := range r.Flow {
		nodes += len(r.Flow[i].Nodes)
	}
	for i := range r.Checklist {
		items += len(r.Checklist[i].Items)
	}
	_, err = fmt.Fprintf(out, "%s: valid: %s of the flow with %s, %s of the checklist with %s, %s\n", path,
		count(len(r.Flow), "phase"), count(nodes, "node"), count(len(r.Checklist), "phase"), count(items, "item"), count(len(r.Lessons), "lesson"))
	return failed(err)
}

// printSensors lists the sensors, three lines each: what is asked reads better
// whole than cut to a column.
func printSensors(out io.Writer) error {
	var b bytes.Buffer
	for _, s := range diagnosis.Sensors() {
		fmt.Fprintf(&b, "%s\n    %s\n    yes when: %s\n", s.Name, s.Asks, s.When)
	}
	return printText(out, b.String())
}

// readRunbook reads and validates the runbook at path. sensors are the names that
// may stand in it; nil: any.
func readRunbook(path string, sensors []string) (*runbook.Runbook, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadableRunbook(path, err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("reading the runbook %s: it is a folder; name the file in it", path)
	}
	// One byte more than is allowed tells too large from just large enough.
	data, err := io.ReadAll(io.LimitReader(file, decode.MaxSize+1))
	if err != nil {
		return nil, unreadableRunbook(path, err)
	}
	return runbook.Parse(path, data, sensors)
}

func unreadableRunbook(path string, err error) error {
	var reason *os.PathError
	if errors.As(err, &reason) {
		err = reason.Err
	}
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("reading the runbook %s: %w; write one with: warroom runbook example > runbook.yaml", path, err)
	}
	return fmt.Errorf("reading the runbook %s: %w", path, err)
}
