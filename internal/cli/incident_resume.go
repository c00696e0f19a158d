package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"warroom/internal/archive"
	"warroom/internal/config"
	"warroom/internal/drill"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

func newIncidentResumeCommand() *cobra.Command {
	var look looks
	var take takeUp
	cmd := &cobra.Command{
		Use:   "resume ID",
		Short: "Open the console on an incident again",
		Long: "Open the console on an incident, where it was left. A drill is opened on its scenario, every other one on the configuration.\n" +
			"Where that cannot be used, the incident is opened without the estate. While another console writes it, it is opened read-only and followed live.\n" +
			"With --confirm TARGET it opens no console: it finishes a recovery run that was interrupted, failed or stopped, from the step\n" +
			"where it stopped, which is probed on the live system first.",
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if take.wanted() {
				take.consent.look = look.desk
				return take.up(cmd, args[0], plan.Resume)
			}
			id, declared, err := declaration(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			look.resume, look.notices = id, cmd.ErrOrStderr()
			if declared.Drill != "" {
				if err := noConfig(cmd, "incident "+id+" is a drill, which brings its own configuration"); err != nil {
					return err
				}
				return onDrill(declared.Drill, func(cfg *config.Config, world *drill.World) error {
					return openConsole(cmd.Context(), cfg, look, func(ctx context.Context, end func(error)) error { return serving(ctx, world, end) })
				})
			}
			cfg, err := load(cmd)
			if err != nil {
				notice(cmd.ErrOrStderr(), "the estate is left out, because its configuration cannot be used: %v", err)
				return openDesk(cmd.Context(), look, declared)
			}
			if cfg.Environment != declared.Environment {
				return usage(fmt.Errorf("incident %s is of environment %q, and %s describes %q: name the right one with --config", id, declared.Environment, cfg.Path, cfg.Environment))
			}
			return openConsole(cmd.Context(), cfg, look, nil)
		},
	}
	look.flags(cmd)
	take.flags(cmd)
	return cmd
}

// declaration is the id and the declaration of the incident that is named.
func declaration(ctx context.Context, name string) (string, incident.Declared, error) {
	session, err := followed(ctx, name)
	if err != nil {
		return "", incident.Declared{}, err
	}
	state := session.Case().State
	_ = session.Close() // it was only read
	if !state.IsDeclared() {
		return "", incident.Declared{}, failed(fmt.Errorf("incident %s holds no declaration: `warroom incident verify %s` tells what is wrong with it", session.ID(), session.ID()))
	}
	return session.ID(), state.Declared, nil
}

// latestOpen is the newest incident that is of use for a checklist: one with items
// that are not settled.
func latestOpen(ctx context.Context, store *archive.Store) (string, error) {
	listed, err := store.List(ctx)
	if err != nil {
		return "", failed(err)
	}
	for _, l := range listed {
		if l.Started.IsZero() {
			continue
		}
		session, err := store.Follow(ctx, l.ID)
		if err != nil {
			continue // listed with its trouble
		}
		left := len(openItems(session.Case().State, session.Runbook(), time.Now()))
		_ = session.Close()
		if left > 0 {
			return l.ID, nil
		}
	}
	if len(listed) == 0 {
		return "", failed(&archive.NotFound{Name: archive.Latest, Root: store.Root()})
	}
	return "", failed(fmt.Errorf("no incident in %s has an open item: name one to see its checklist; `warroom incident list` names them", store.Root()))
}
