package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// stopGrace is how long a command may take to end after it was told to.
const stopGrace = 10 * time.Second

// Command is what runs beside the peers.
type Command struct {
	Args           []string
	Dir            string // working folder; empty for ours
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Run starts the peers, runs the command with the description's path in its
// environment, stops the peers whatever happened, and returns the code to exit
// with: the command's own, 128 and the signal's number when a signal ended it,
// 1 when the lab itself failed.
//
// Signals are passed on to the command. One that comes before it runs ends the
// start; so does the end of ctx.
func Run(ctx context.Context, peers []Peer, command Command, signals <-chan os.Signal, log io.Writer) (int, error) {
	starting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	started := make(chan struct{})
	watched := make(chan struct{})
	var early os.Signal
	go func() {
		defer close(watched)
		select {
		case early = <-signals:
			cancel(fmt.Errorf("got the signal %q", early))
		case <-started:
		}
	}()
	l, err := Start(starting, peers, log)
	close(started)
	<-watched
	if early != nil {
		// It may have come when the last peer had just become ready.
		if l != nil {
			err = errors.Join(context.Cause(starting), l.Stop())
		}
		return signalCode(early), err
	}
	if err != nil {
		return 1, err
	}
	code, err := l.run(ctx, command, signals)
	if stopErr := l.Stop(); stopErr != nil {
		err = errors.Join(err, stopErr)
		if code == 0 {
			code = 1
		}
	}
	return code, err
}

func (l *Lab) run(ctx context.Context, command Command, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(command.Args[0], command.Args[1:]...)
	cmd.Dir = command.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = command.Stdin, command.Stdout, command.Stderr
	cmd.Env = append(os.Environ(), Variable+"="+l.File)
	if err := cmd.Start(); err != nil {
		return 127, fmt.Errorf("run %s beside the lab: %w", command.Args[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var deadline <-chan time.Time
	gone := ctx.Done()
	for {
		select {
		case err := <-ended:
			return exitCode(err)
		case s := <-signals:
			// It may have ended meanwhile, which is seen above.
			_ = cmd.Process.Signal(s)
			deadline = time.After(stopGrace)
		case <-gone:
			_ = cmd.Process.Signal(syscall.SIGTERM)
			deadline, gone = time.After(stopGrace), nil
		case <-deadline:
			l.site.Logf("%s did not end within %v of the signal: killing it", command.Args[0], stopGrace)
			_ = cmd.Process.Kill()
			deadline = nil
		}
	}
}

// exitCode is the code a shell would show for how a command ended.
func exitCode(err error) (int, error) {
	if err == nil {
		return 0, nil
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return 1, fmt.Errorf("wait for the command: %w", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return signalCode(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

func signalCode(s os.Signal) int {
	if number, ok := s.(syscall.Signal); ok {
		return 128 + int(number)
	}
	return 1
}
