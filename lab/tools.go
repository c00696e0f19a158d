package lab

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
)

// awsPackage is what pip installs.
const awsPackage = "awscli==1.46.3"

// tools are the command lines with which people reach the same systems: tests
// drive warroom's simulated ones with them. They are no servers, but a peer like
// any other: what is missing is installed, and where it lies is described.
type tools struct{ psql, aws, openssl string }

func (*tools) Name() string { return "command-line tools" }
func (*tools) Key() string  { return "tools" }

func (*tools) Missing(ctx context.Context) []Requirement {
	var lacking []Requirement
	if psqlTool(ctx) == "" {
		lacking = append(lacking, Requirement{
			What: "psql", Packages: []string{"postgresql-client"},
			How: "install it with: make lab-setup, or apt-get install postgresql-client",
		})
	}
	if opensslTool(ctx) == "" {
		lacking = append(lacking, Requirement{
			What: "openssl", Packages: []string{"openssl"},
			How: "install it with: make lab-setup, or apt-get install openssl",
		})
	}
	if awsTool(ctx) == "" {
		lacking = append(lacking, Requirement{
			What: "the aws command line", Packages: missingPython(ctx),
			Install: func(ctx context.Context, log io.Writer) error {
				return installPython(ctx, log, "awscli", awsPackage, func() bool { return awsTool(ctx) != "" })
			},
			How: "install it with: make lab-setup, or python3 -m pip install '" + awsPackage + "'",
		})
	}
	return lacking
}

func (t *tools) Start(ctx context.Context, _ *Site) error {
	t.psql, t.aws, t.openssl = psqlTool(ctx), awsTool(ctx), opensslTool(ctx)
	return nil
}

func (t *tools) Describe(d *Description) { d.PSQL, d.AWS, d.OpenSSL = t.psql, t.aws, t.openssl }

func (*tools) Stop() error { return nil }

// psqlTool is the path of a psql that runs, empty for none.
func psqlTool(ctx context.Context) string {
	return firstThatRuns(ctx, "psql (PostgreSQL)", "psql", filepath.Join(postgresBin(), "psql"))
}

// awsTool is the path of an aws that runs, empty for none: the user's own, or
// that of our virtual environment.
func awsTool(ctx context.Context) string {
	candidates := []string{"aws"}
	if dir, err := environment("awscli"); err == nil {
		candidates = append(candidates, filepath.Join(dir, "bin", "aws"))
	}
	return firstThatRuns(ctx, "aws-cli/", candidates...)
}

// opensslTool is the path of openssl, empty for none. It has no --version.
func opensslTool(ctx context.Context) string {
	path, err := exec.LookPath("openssl")
	if err != nil || exec.CommandContext(ctx, path, "version").Run() != nil {
		return ""
	}
	return path
}

// firstThatRuns is the path of the first program that answers --version as it
// should: one on PATH may be a version manager's name for what is not installed.
func firstThatRuns(ctx context.Context, says string, candidates ...string) string {
	for _, name := range candidates {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput(); err == nil && strings.HasPrefix(string(out), says) {
			return path
		}
	}
	return ""
}
