package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"warroom/internal/incident"
	"warroom/internal/plan"
)

// newIncidentRollBackCommand is warroom incident roll-back.
func newIncidentRollBackCommand() *cobra.Command {
	var take takeUp
	cmd := &cobra.Command{
		Use:   "roll-back ID --confirm TARGET",
		Short: "Undo what an interrupted or failed recovery run has done",
		Long: "Undo what a run of a recovery procedure has done, its last step first, each undoing verified. The live systems are probed first.\n" +
			"A run that has done what cannot be undone is refused: `warroom incident resume` goes on with it.",
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error { return take.up(cmd, args[0], plan.Back) },
	}
	take.flags(cmd)
	take.consent.look.flags(cmd)
	return cmd
}

// takeUp is what the command line says of a run that has no good end.
type takeUp struct {
	consent consent
	run     string
}

func (t *takeUp) flags(cmd *cobra.Command) {
	t.consent.flags(cmd)
	_ = cmd.Flags().MarkHidden("incident") // it is the argument
	_ = cmd.Flags().MarkHidden("severity") // of an incident that there is already
	cmd.Flags().StringVar(&t.run, "run", "", "the `RUN`, where the incident has several that are open")
}

// wanted reports whether the command line names a run, or consents to taking one up.
func (t *takeUp) wanted() bool { return t.run != "" || t.consent.confirm != "" }

// up takes up the run of an incident.
func (t *takeUp) up(cmd *cobra.Command, id string, mode plan.Mode) error {
	cfg, err := load(cmd)
	if err != nil {
		return err
	}
	of, err := openRun(cmd.Context(), id, t.run)
	if err != nil {
		return err
	}
	t.consent.named = id
	return t.consent.act(cmd, cfg, plan.Request{Procedure: of.Plan.Procedure, Target: of.Plan.Target, Options: of.Plan.Options, Mode: mode, Of: of.ID})
}

// openRun is the run of an incident that has no good end: the one that is named, or
// the only one.
func openRun(ctx context.Context, name, run string) (incident.Run, error) {
	session, err := followed(ctx, name)
	if err != nil {
		return incident.Run{}, err
	}
	state, damage := session.Case().State, ""
	if what := session.Case().Damage; what != "" {
		damage = "; but its journal is not whole, and may lack one: " + what
	}
	_ = session.Close() // it was only read
	if !state.IsDeclared() {
		return incident.Run{}, failed(fmt.Errorf("incident %s holds no declaration", session.ID()))
	}
	var open []incident.Run
	for _, r := range state.Runs {
		if r.Plan.Of == "" && (r.State.Open() || r.State == plan.RunActive) {
			open = append(open, r)
		}
	}
	if run != "" {
		i := slices.IndexFunc(open, func(r incident.Run) bool { return r.ID == run })
		if i < 0 {
			return incident.Run{}, failed(fmt.Errorf("incident %s has no run %q that is open%s", session.ID(), run, damage))
		}
		return open[i], nil
	}
	switch len(open) {
	case 0:
		return incident.Run{}, failed(fmt.Errorf("incident %s has no run that was interrupted, failed or stopped%s", session.ID(), damage))
	case 1:
		return open[0], nil
	}
	lines := []string{fmt.Sprintf("incident %s has several; say which with --run:", session.ID())}
	for _, r := range open {
		lines = append(lines, fmt.Sprintf("  %s  %s %s, %s since %s", r.ID, r.Plan.Procedure, r.Plan.Target, r.State, r.Started.UTC().Format("15:04:05Z")))
	}
	return incident.Run{}, usage(errors.New(strings.Join(lines, "\n")))
}
