package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Requirement is something a machine lacks, and how it comes by it.
type Requirement struct {
	What     string
	Packages []string // Debian packages that bring it, or that Install needs
	// Install brings it once the packages are there; nil when they are enough.
	Install func(ctx context.Context, log io.Writer) error
	// How says what a person would do, in words that follow "…is missing; ".
	How string
}

// Setup installs what the peers lack: Debian packages where we may, the rest
// below the user's cache folder. What is there is left alone.
func Setup(ctx context.Context, peers []Peer, log io.Writer) error {
	peers = fit(ctx, peers, log)
	var lacking []Requirement
	for _, p := range peers {
		lacking = append(lacking, p.Missing(ctx)...)
	}
	if len(lacking) == 0 {
		return nil
	}
	var errs []error
	if packages := packagesOf(lacking); len(packages) > 0 {
		// When it fails, what is missing is named below with how to install it.
		if err := installPackages(ctx, packages, log); err != nil {
			errs = append(errs, err)
		}
	}
	for _, r := range lacking {
		if r.Install == nil {
			continue
		}
		if err := r.Install(ctx, log); err != nil {
			errs = append(errs, err)
		}
	}
	if err := missing(ctx, peers); err != nil {
		return errors.Join(append(errs, err)...)
	}
	return nil
}

// particular is a peer that not every machine, or not every user, can run.
type particular interface {
	// Unfit says why it cannot run here whatever is installed, and is empty when
	// it can.
	Unfit(ctx context.Context) string
}

// fit are the peers that can run here; of the others it says why not. They are no
// part of the run then, as if they had not been asked for.
func fit(ctx context.Context, peers []Peer, log io.Writer) []Peer {
	return slices.DeleteFunc(slices.Clone(peers), func(p Peer) bool {
		one, ok := p.(particular)
		if !ok {
			return false
		}
		why := one.Unfit(ctx)
		if why != "" {
			_, _ = fmt.Fprintf(log, "lab: %s is left out: %s\n", p.Name(), why)
		}
		return why != ""
	})
}

// packagesOf are the Debian packages of all requirements, each once.
func packagesOf(lacking []Requirement) []string {
	var packages []string
	for _, r := range lacking {
		packages = append(packages, r.Packages...)
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

// installPackages installs Debian packages as root, or through sudo when it
// asks for no password.
func installPackages(ctx context.Context, packages []string, log io.Writer) error {
	what := "install " + strings.Join(packages, " ")
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return fmt.Errorf("%s: this machine has no apt-get", what)
	}
	command := []string{"env", "DEBIAN_FRONTEND=noninteractive", apt}
	if os.Geteuid() != 0 {
		sudo, err := exec.LookPath("sudo")
		if err != nil {
			return fmt.Errorf("%s: we are not root, and there is no sudo", what)
		}
		if err := exec.CommandContext(ctx, sudo, "-n", "true").Run(); err != nil {
			return fmt.Errorf("%s: we are not root, and sudo asks for a password", what)
		}
		command = append([]string{sudo, "-n"}, command...)
	}
	install := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	for _, args := range [][]string{{"update"}, install} {
		if err := loud(ctx, log, append(slices.Clone(command), args...)...); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

// loud runs a command with its output in the log.
func loud(ctx context.Context, log io.Writer, command ...string) error {
	_, _ = fmt.Fprintln(log, "lab: running", strings.Join(command, " "))
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s: %w", strings.Join(command, " "), err)
	}
	return nil
}
