package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"warroom/internal/archive"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
	"warroom/internal/runbook"
)

// consent is what the command line says in place of the dialogs of the console.
type consent struct {
	confirm   string
	reason    string
	accept    []string
	inputs    []string // ID=FILE
	signature string   // file
	named     string   // incident
	severity  string
	look      desk
}

func (c *consent) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.confirm, "confirm", "", "the `TARGET` once more: without it nothing is changed")
	cmd.Flags().StringVar(&c.reason, "reason", "", "why, where the plan asks for a reason")
	cmd.Flags().StringArrayVar(&c.accept, "accept", nil, "accept the warning with this `ID`; may be given several times")
	cmd.Flags().StringArrayVar(&c.inputs, "input", nil, "read a secret value that the plan asks for from a file, as `ID=FILE`; else it is asked for without echo")
	cmd.Flags().StringVar(&c.signature, "signature", "", "`FILE` with the second person's signature; it is waited for until the plan expires")
	cmd.Flags().StringVar(&c.named, "incident", "", "record in this incident (default: the open one of the estate; where none is open, one is declared)")
	cmd.Flags().StringVar(&c.severity, "severity", string(runbook.Severities[1]), "severity of an incident that is declared for it")
}

// newActCommand is warroom act.
func newActCommand() *cobra.Command {
	var c consent
	var options []string
	cmd := &cobra.Command{
		Use:   "act PROCEDURE TARGET --confirm TARGET",
		Short: "Carry out a recovery procedure without the console",
		Long: "Make the plan of a recovery procedure, print it, and carry it out once everything it asks for is there: the target once more,\n" +
			"a reason, accepted warnings, values that are typed without echo, a second person's signature.\n" +
			"It is journalled as in the console, in the open incident of the estate; where none is open, one is declared.\n" +
			"ctrl+c stops it before its next step. It ends with 0 when the run is done and verified, and with 1 otherwise.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage(errors.New("act takes a procedure and a target; `warroom plan` lists them"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			set, err := parseOptions(options)
			if err != nil {
				return err
			}
			return c.act(cmd, cfg, plan.Request{Procedure: args[0], Target: args[1], Options: set})
		},
	}
	c.flags(cmd)
	c.look.flags(cmd)
	cmd.Flags().StringArrayVarP(&options, "option", "o", nil, "an option of the procedure, as `NAME=VALUE`; may be given several times")
	return cmd
}

// act plans a request, and carries it out with what the command line gives.
func (c *consent) act(cmd *cobra.Command, cfg *config.Config, ask plan.Request) (err error) {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	c.look = c.look.with(cfg)
	read := clients.New(cfg)
	defer read.Close()
	r := newEngine(cfg, read, c.look, nil, nil)
	defer r.end()
	if err := known(r, ask.Procedure); err != nil {
		return err
	}
	keep := newKeeper()
	store, err := c.look.store(r.scrub, keep)
	if err != nil {
		return err
	}
	var session *archive.Session
	if ask.Of != "" { // the run of another day is told by its incident
		if session, err = openIncident(ctx, store, cfg.Environment, cfg.Drill, c.named); err != nil {
			return failed(err)
		}
		defer func() { err = errors.Join(err, failed(session.Close())) }()
		if err := r.lead(session, store); err != nil {
			return failed(err)
		}
	}
	p, err := r.Plan(ctx, ask)
	if err != nil {
		return failed(err)
	}
	if err := printText(out, strings.Join(plan.Text(p, planWidth), "\n")+"\n\n"); err != nil {
		return err
	}
	given, err := c.complete(ctx, cmd, p)
	if err != nil {
		return err
	}
	if session == nil {
		if session, err = c.incident(ctx, cmd, cfg, store, p); err != nil {
			return failed(err)
		}
		defer func() { err = errors.Join(err, failed(session.Close())) }()
		if err := r.lead(session, store); err != nil {
			return failed(err)
		}
	}
	if p.Changes() {
		arming, err := r.Arm(ctx)
		if err != nil {
			return failed(err)
		}
		for _, who := range arming.Identities {
			name := who.Name
			if who.Trouble != "" {
				name = "? " + who.Trouble
			}
			if err := printText(out, fmt.Sprintf("acting on %s as %s\n", who.System, name)); err != nil {
				return err
			}
		}
	}
	if err := r.Start(ctx, given); err != nil {
		return failed(err)
	}
	return r.report(ctx, out, p.ID)
}

// incident is the open one of the estate, or a new one.
func (c *consent) incident(ctx context.Context, cmd *cobra.Command, cfg *config.Config, store *archive.Store, p *plan.Plan) (*archive.Session, error) {
	s, err := openIncident(ctx, store, cfg.Environment, cfg.Drill, c.named)
	if !errors.Is(err, errNoIncident) {
		return s, err
	}
	severity := runbook.Severity(c.severity)
	if !slices.Contains(runbook.Severities[:], severity) {
		return nil, usage(fmt.Errorf("--severity %q is none of %v", c.severity, runbook.Severities))
	}
	rb, err := c.look.procedure()
	if err != nil {
		return nil, err
	}
	s, err = declareFor(ctx, store, rb, cfg.Environment, cfg.Drill, c.look.operator, p.Title, severity)
	if err == nil {
		notice(cmd.ErrOrStderr(), "declared incident %s, because none was open", s.ID())
	}
	return s, err
}

// complete collects what a plan asks for. What is missing ends the command before
// anything is opened.
func (c *consent) complete(ctx context.Context, cmd *cobra.Command, p *plan.Plan) (plan.Consent, error) {
	given := plan.Consent{Plan: p.ID, Fingerprint: p.Fingerprint(), Typed: c.confirm, Reason: c.reason, Accepted: c.accept}
	if p.Changes() && c.confirm != p.Target {
		if c.confirm == "" {
			return given, usage(fmt.Errorf("nothing was changed: to do it, add --confirm %s", shellWord(p.Target)))
		}
		return given, usage(fmt.Errorf("nothing was changed: --confirm %s is not the target %s", shellWord(c.confirm), shellWord(p.Target)))
	}
	if p.NeedsReason != "" && c.reason == "" {
		return given, usage(fmt.Errorf("nothing was changed: %s; add --reason", p.NeedsReason))
	}
	for _, w := range p.Warnings {
		if w.Accept && !slices.Contains(c.accept, w.ID) {
			return given, usage(fmt.Errorf("nothing was changed: this must be accepted with --accept %s: %s", w.ID, w.Text))
		}
	}
	var err error
	if given.Inputs, err = c.values(cmd, p); err != nil {
		return given, err
	}
	if p.Second {
		given.Signature, err = c.signed(ctx, cmd, p)
	}
	return given, err
}

// mostValue bounds a typed value and a signature, in bytes.
const mostValue = 64 << 10

// values reads the secret values that a plan asks for.
func (c *consent) values(cmd *cobra.Command, p *plan.Plan) (map[string]estate.Secret, error) {
	files := map[string]string{}
	for _, one := range c.inputs {
		id, path, ok := strings.Cut(one, "=")
		if !ok || !slices.ContainsFunc(p.Inputs, func(in plan.Input) bool { return in.ID == id }) {
			return nil, usage(fmt.Errorf("--input %q is not asked for: it is written as ID=FILE, with an ID of the plan", one))
		}
		files[id] = path
	}
	out := map[string]estate.Secret{}
	for _, in := range p.Inputs {
		var raw []byte
		var err error
		path, named := files[in.ID]
		switch {
		case named:
			raw, err = readBounded(path)
		case term.IsTerminal(int(os.Stdin.Fd())):
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: ", safeLine(in.Label))
			raw, err = term.ReadPassword(int(os.Stdin.Fd()))
			fmt.Fprintln(cmd.ErrOrStderr())
		case !in.Optional:
			err = fmt.Errorf("there is no terminal to ask at: give it with --input %s=FILE", in.ID)
		}
		if err != nil {
			return nil, usage(fmt.Errorf("read %s: %w", in.Label, err))
		}
		if text := strings.TrimRight(string(raw), "\r\n"); text != "" {
			out[in.ID] = estate.NewSecret(text)
		}
	}
	return out, nil
}

// readBounded reads a small file.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	raw, err := io.ReadAll(io.LimitReader(bufio.NewReader(f), mostValue+1))
	if err == nil && len(raw) > mostValue {
		err = fmt.Errorf("%s is larger than %d bytes", path, mostValue)
	}
	return raw, err
}

// signed waits for the second person's signature.
func (c *consent) signed(ctx context.Context, cmd *cobra.Command, p *plan.Plan) (string, error) {
	if c.signature == "" {
		return "", usage(errors.New("nothing was changed: another operator must sign this plan; name the file in which the signature will be with --signature FILE"))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Another operator must sign exactly these lines:\n\n%s\n"+
		"They save them as plan.txt, run\n\n    ssh-keygen -Y sign -f THEIR_KEY -n %s plan.txt\n\nand send plan.txt.sig, which is awaited as %s until %s.\n",
		safeText(p.Statement()), plan.SignatureNamespace, safeLine(c.signature), p.Expires.UTC().Format("15:04:05 UTC"))
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		raw, err := readBounded(c.signature)
		if err == nil && strings.Contains(string(raw), "-----END SSH SIGNATURE-----") {
			return string(raw), nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", failed(fmt.Errorf("read the signature: %w", err))
		}
		if !time.Now().Before(p.Expires) {
			return "", failed(fmt.Errorf("nothing was changed: the plan expired at %s without a signature in %s", p.Expires.UTC().Format("15:04:05 UTC"), c.signature))
		}
		select {
		case <-ctx.Done():
			return "", failed(fmt.Errorf("nothing was changed: interrupted while waiting for a signature: %w", context.Cause(ctx)))
		case <-tick.C:
		}
	}
}

// report prints a run line by line until it ends, and returns how it ended. When ctx
// ends, the run stops before its next step.
func (r *engine) report(ctx context.Context, out io.Writer, run string) error {
	ending := context.AfterFunc(ctx, func() { r.Stop(run) })
	defer ending()
	watching := context.WithoutCancel(ctx) // what is under way is watched to its end
	printed := 0
	for {
		all, err := r.Next(watching)
		if err != nil {
			return failed(fmt.Errorf("watch the run: %w", err))
		}
		i := slices.IndexFunc(all, func(p plan.Progress) bool { return p.Run == run })
		if i < 0 {
			continue
		}
		p := all[i]
		var text strings.Builder
		for _, line := range p.Log {
			if line.N > printed {
				fmt.Fprintf(&text, "[%s] %s %s\n", line.At.UTC().Format("15:04:05Z"), markOf(line.Mark), line.Text)
				printed = line.N
			}
		}
		if err := printText(out, text.String()); err != nil {
			return err
		}
		if !p.Ended.IsZero() {
			return ended(out, p)
		}
	}
}

// markOf is how a line of a run is marked in plain text.
func markOf(mark string) string {
	switch mark {
	case "ok":
		return "✓"
	case "fail":
		return "✗"
	case "warn":
		return "!"
	}
	return "·"
}

// ended says how a run ended, and what to do about it.
func ended(out io.Writer, p plan.Progress) error {
	text := fmt.Sprintf("\nThe run %s is %s.\n", p.Run, p.State)
	if p.LogPath != "" {
		text += "Recovery log: " + p.LogPath + "\n"
	}
	if err := printText(out, text); err != nil {
		return err
	}
	switch p.State {
	case plan.RunDone, plan.RunRolledBack, plan.RunAbandoned:
		return nil
	}
	why := p.Trouble
	if p.Next != "" {
		why += "; " + p.Next
	}
	return failed(fmt.Errorf("%s %s is %s: %s", p.Plan.Procedure, p.Plan.Target, p.State, why))
}
