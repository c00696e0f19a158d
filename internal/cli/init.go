package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"warroom/internal/discover"
)

// certbotDir is where certbot keeps what it renews.
const certbotDir = "/etc/letsencrypt/live"

// newInitCommand is warroom init.
func newInitCommand() *cobra.Command {
	var output string
	look := discover.Options{CertDirs: []string{certbotDir}}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Look around and write a warroom.yaml to edit",
		Long: "Look around and write a commented warroom.yaml: secrets of AWS and what rotates them, Vault, Kubernetes workloads that consume secrets, certificates.\n" +
			"It goes by the environment as each system's own tools do (AWS_PROFILE, AWS_REGION, VAULT_ADDR, KUBECONFIG …), changes nothing and reads no secret.\n" +
			"It asks nothing, and never overwrites a file. It ends with 0 when the file was written, 1 when nothing was found or the file is there already.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := noConfig(cmd, "init writes a file and reads none; name it with --output"); err != nil {
				return err
			}
			return initialize(cmd.Context(), look, output, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&output, "output", "o", "warroom.yaml", "the file to write; - prints it")
	flags.StringVar(&look.Environment, "environment", "production", "what the file calls the estate")
	flags.StringSliceVar(&look.Profiles, "profile", nil, "profiles of AWS; without it the default credential chain")
	flags.StringSliceVar(&look.Regions, "region", nil, "regions of AWS; without it that of the environment")
	flags.StringSliceVar(&look.Contexts, "context", nil, "contexts of the kubeconfig; without it the current one")
	flags.StringSliceVar(&look.Endpoints, "endpoint", nil, "TLS endpoints to watch, each host:port")
	flags.DurationVar(&look.Timeout, "timeout", 20*time.Second, "how long the look at one system may take")
	return cmd
}

// initialize looks around and writes what was found. A file that is there is
// refused before anything is asked, and again when it is written.
func initialize(ctx context.Context, look discover.Options, output string, out, progress io.Writer) error {
	taken := func() error {
		return failed(fmt.Errorf("init: %s exists and is left as it is; name another file with --output, or print with --output -", output))
	}
	if output != "-" {
		if _, err := os.Lstat(output); err == nil {
			return taken()
		}
	}
	if file, ok := progress.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		look.Progress = func(what string) { fmt.Fprintln(progress, "looking at", line(what)) }
	}
	found, err := discover.Look(ctx, look)
	if err != nil {
		return failed(fmt.Errorf("init: interrupted: %w", context.Cause(ctx)))
	}
	for _, n := range found.Notes {
		fmt.Fprintf(progress, "not looked at: %s: %s\n", line(n.What), line(n.Why))
	}
	if found.Empty() {
		return failed(errors.New("init: nothing was found to watch; set AWS_PROFILE, VAULT_ADDR or KUBECONFIG for what there is, or start from the example: warroom config example > warroom.yaml"))
	}
	text, err := found.Render(output)
	if err != nil {
		return failed(fmt.Errorf("init: %w", err))
	}
	if output == "-" {
		return printAll(out, text)
	}
	file, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return taken()
	case err != nil:
		return failed(fmt.Errorf("init: write %s: %w", output, err))
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		_ = os.Remove(output) // half a file would be taken for a whole one
		return failed(fmt.Errorf("init: write %s: %w", output, err))
	}
	fmt.Fprintf(out, "%s written. Look at its comments, then: warroom check --config %s\n", output, output)
	return nil
}
