// Command lab runs real servers for warroom's tests.
//
//	lab setup [-only PEERS]
//	                      install or build what the servers need and this machine
//	                      lacks
//	lab run [-only PEERS] [-C DIR] -- CMD ARGS…
//	                      start them, run CMD with WARROOM_LAB set to the file
//	                      that describes them, stop them, exit with CMD's code
//	lab up [-only PEERS]  start them, print how to reach them, and keep them
//	                      until a signal comes
//
// PEERS are keys, separated by commas, or "quick"; without them all peers run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"warroom/lab"
)

const usage = `usage:
  lab setup [-only PEERS]                       install or build what the servers need and this machine lacks
  lab run [-only PEERS] [-C DIR] -- CMD ARGS…   start them, run CMD beside them, stop them
  lab up [-only PEERS]                          start them and keep them until a signal comes
PEERS are keys, separated by commas, or "quick"; without them all peers run.
`

// exitUsage is the exit code of wrong use.
const exitUsage = 64

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) == 0 {
		return wrongUse(errors.New("a command is needed"))
	}
	// All are caught before anything starts, so that nothing is left running.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go watchParent(ctx, os.Getppid(), cancel)

	flags := flag.NewFlagSet("lab "+args[0], flag.ContinueOnError)
	flags.Usage = func() {}
	flags.SetOutput(io.Discard) // wrongUse says it
	only := flags.String("only", "", "the peers to run")
	dir := new(string)
	if args[0] == "run" {
		dir = flags.String("C", "", "the command's working folder")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return wrongUse(err)
	}
	if (args[0] == "run") != (flags.NArg() > 0) {
		return wrongUse(fmt.Errorf("lab %s with the arguments %q: only lab run takes a command, after --, and needs one", args[0], flags.Args()))
	}
	peers, err := lab.Select(*only)
	if err != nil {
		return wrongUse(err)
	}
	switch args[0] {
	case "setup":
		return setup(ctx, peers, signals)
	case "run":
		return start(ctx, peers, lab.Command{
			Args: flags.Args(), Dir: *dir,
			Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		}, signals)
	case "up":
		return up(ctx, peers, signals)
	default:
		return wrongUse(fmt.Errorf("unknown command %q", args[0]))
	}
}

func wrongUse(err error) int {
	fmt.Fprintf(os.Stderr, "lab: %v\n%s", err, usage)
	return exitUsage
}

func start(ctx context.Context, peers []lab.Peer, command lab.Command, signals <-chan os.Signal) int {
	code, err := lab.Run(ctx, peers, command, signals, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
	}
	return code
}

func up(ctx context.Context, peers []lab.Peer, signals <-chan os.Signal) int {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		cancel(fmt.Errorf("got the signal %q", <-signals))
	}()
	l, err := lab.Start(ctx, peers, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	_, err = fmt.Print(l.Howto())
	if err == nil {
		<-ctx.Done()
	}
	if err := errors.Join(err, l.Stop()); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	return 0
}

func setup(ctx context.Context, peers []lab.Peer, signals <-chan os.Signal) int {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		cancel(fmt.Errorf("got the signal %q", <-signals))
	}()
	if err := lab.Setup(ctx, peers, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	return 0
}

// watchParent ends everything when the process that started us dies, as when
// "go run" is killed: we would otherwise run on with nobody to stop us.
func watchParent(ctx context.Context, parent int, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if os.Getppid() != parent {
				cancel(errors.New("the process that started the lab has died"))
				return
			}
		}
	}
}
