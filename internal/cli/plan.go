package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill"
	"warroom/internal/plan"
)

// planSchema is the document that warroom plan --json prints; docs/recovery.md
// describes it.
const planSchema = "warroom.plan/v1"

// planWidth is how wide a plan is printed.
const planWidth = 100

// newPlanCommand is warroom plan.
func newPlanCommand() *cobra.Command {
	var asJSON bool
	var scenario string
	var options []string
	cmd := &cobra.Command{
		Use:   "plan [PROCEDURE [TARGET]]",
		Short: "Print what a recovery procedure would do, and change nothing",
		Long: "Print the plan of a recovery procedure: every call it would make, what depends on its target, what is checked first, how each\n" +
			"step is verified and undone. The systems are read for it and nothing is changed.\n" +
			"Without a target it lists the targets of the procedure, and without a procedure the procedures.",
		Args: func(cmd *cobra.Command, args []string) error { return usage(cobra.MaximumNArgs(2)(cmd, args)) },
		RunE: func(cmd *cobra.Command, args []string) error {
			return withEngine(cmd, scenario, func(ctx context.Context, cfg *config.Config, r *engine) error {
				out := cmd.OutOrStdout()
				switch len(args) {
				case 0:
					return printProcedures(out, r.Procedures())
				case 1:
					if err := known(r, args[0]); err != nil {
						return err
					}
					return printTargets(out, args[0], r.Targets(args[0]))
				}
				p, err := planned(ctx, r, args[0], args[1], options)
				if err != nil {
					return err
				}
				if asJSON {
					return printPlanJSON(out, p)
				}
				text := strings.Join(plan.Text(p, planWidth), "\n") + "\n"
				if p.Changes() {
					text += fmt.Sprintf("\nNothing was changed. To do it:\n\n    %s\n", actLine(p, options))
				}
				return printText(out, text)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the document "+planSchema)
	cmd.Flags().StringVar(&scenario, "drill", "", "plan on the simulated estate of a drill scenario in place of a real one")
	cmd.Flags().StringArrayVarP(&options, "option", "o", nil, "an option of the procedure, as `NAME=VALUE`; may be given several times")
	return cmd
}

// withEngine runs do with the procedures of the configured estate, or of a drill's.
func withEngine(cmd *cobra.Command, scenario string, do func(context.Context, *config.Config, *engine) error) error {
	begin := func(ctx context.Context, cfg *config.Config) error {
		read := clients.New(cfg)
		defer read.Close()
		r := newEngine(cfg, read, desk{}.with(cfg), nil, nil)
		defer r.end()
		return do(ctx, cfg, r)
	}
	if scenario != "" {
		if err := noConfig(cmd, "--drill brings its own configuration"); err != nil {
			return err
		}
		return onDrill(scenario, func(cfg *config.Config, world *drill.World) error {
			ctx, end := context.WithCancelCause(cmd.Context())
			defer end(nil)
			if err := serving(ctx, world, end); err != nil {
				return failed(err)
			}
			return begin(ctx, cfg)
		})
	}
	cfg, err := load(cmd)
	if err != nil {
		return err
	}
	return begin(cmd.Context(), cfg)
}

// planned makes the plan of a procedure as it was asked for on the command line.
func planned(ctx context.Context, r *engine, procedure, target string, options []string) (*plan.Plan, error) {
	if err := known(r, procedure); err != nil {
		return nil, err
	}
	set, err := parseOptions(options)
	if err != nil {
		return nil, err
	}
	p, err := r.Plan(ctx, plan.Request{Procedure: procedure, Target: target, Options: set})
	return p, failed(err)
}

// known refuses the name of a procedure that is none.
func known(r *engine, procedure string) error {
	all := r.Procedures()
	if slices.ContainsFunc(all, func(a plan.About) bool { return a.Name == procedure }) {
		return nil
	}
	var names []string
	for _, a := range all {
		names = append(names, a.Name)
	}
	return usage(fmt.Errorf("no procedure is called %q; there are: %s", procedure, strings.Join(names, ", ")))
}

// parseOptions reads NAME=VALUE of the command line.
func parseOptions(all []string) (map[string]string, error) {
	set := map[string]string{}
	for _, one := range all {
		name, value, ok := strings.Cut(one, "=")
		if !ok || name == "" {
			return nil, usage(fmt.Errorf("--option %q is none: it is written as NAME=VALUE", one))
		}
		if _, twice := set[name]; twice {
			return nil, usage(fmt.Errorf("--option %s is given twice", name))
		}
		set[name] = value
	}
	return set, nil
}

// actLine is the command that carries a plan out.
func actLine(p *plan.Plan, options []string) string {
	line := []string{"warroom act", p.Procedure, shellWord(p.Target)}
	for _, o := range options {
		line = append(line, "-o", shellWord(o))
	}
	line = append(line, "--confirm", shellWord(p.Target))
	if p.NeedsReason != "" {
		line = append(line, "--reason '…'")
	}
	for _, w := range p.Warnings {
		if w.Accept {
			line = append(line, "--accept", w.ID)
		}
	}
	return strings.Join(line, " ")
}

// shellWord quotes a word where a shell would take it apart.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@=,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// printProcedures lists what can be done.
func printProcedures(out io.Writer, all []plan.About) error {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, a := range all {
		kind := "reads only"
		if a.Changes {
			kind = "changes"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", a.Name, kind, a.Title)
	}
	if err := table.Flush(); err != nil {
		return failed(err)
	}
	text.WriteString("\nIts targets:  warroom plan PROCEDURE\nIts plan:     warroom plan PROCEDURE TARGET\n")
	return printText(out, text.String())
}

// printTargets lists what a procedure can be done to.
func printTargets(out io.Writer, procedure string, all []plan.Target) error {
	if len(all) == 0 {
		return failed(fmt.Errorf("%s has no target here: the configuration names none that it could be done to", procedure))
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, t := range all {
		note := t.Note
		switch {
		case t.Ready && t.Due != "":
			note = "CALLED FOR: " + t.Due
		case !t.Ready:
			note = "NOT POSSIBLE: " + note
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", t.ID, t.Title, note)
	}
	if err := table.Flush(); err != nil {
		return failed(err)
	}
	return printText(out, text.String())
}

// printPlanJSON prints the document of a plan.
func printPlanJSON(out io.Writer, p *plan.Plan) error {
	doc, err := json.MarshalIndent(struct {
		Schema      string     `json:"schema"`
		Fingerprint string     `json:"fingerprint"`
		Statement   string     `json:"statement"` // what a second person signs
		Plan        *plan.Plan `json:"plan"`
	}{planSchema, p.Fingerprint(), p.Statement(), p}, "", "  ")
	if err != nil {
		return failed(err)
	}
	return printJSON(out, string(doc)+"\n")
}
