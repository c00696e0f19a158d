package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server that runs: in a process group of its own, so that a
// Ctrl-C at the terminal reaches only the lab, which then stops it.
type process struct {
	done chan struct{} // closed when it has ended
	err  error         // how it ended; set before done is closed

	cmd    *exec.Cmd
	log    string
	signal syscall.Signal
}

// launch starts cmd with its output going to the file log. Stopping it sends
// signal; so does the kernel when the lab dies.
func launch(cmd *exec.Cmd, as *account, log string, signal syscall.Signal) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", cmd.Path, err)
	}
	defer func() { _ = file.Close() }() // the child has its own copy
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = attributes(as, signal)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run %s: %w", cmd.Path, err)
	}
	p := &process{done: make(chan struct{}), cmd: cmd, log: log, signal: signal}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop ends p, by force after five seconds, with everything it started.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	select {
	case <-p.done:
		return fmt.Errorf("it had ended by itself (%v)\n%s", p.err, p.tail())
	default:
	}
	err := p.cmd.Process.Signal(p.signal)
	select {
	case <-p.done:
		err = nil
	case <-time.After(5 * time.Second):
		err = errors.Join(errors.New("it did not end within 5 s and was killed"), err)
	}
	// What it left behind in its group goes too; mostly there is nothing.
	if killErr := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); killErr != nil && !errors.Is(killErr, syscall.ESRCH) {
		err = errors.Join(err, killErr)
	}
	<-p.done
	return err
}

// tail is the end of the log, for an error.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return fmt.Sprintf("(its log cannot be read: %v)", err)
	}
	return lastLines(text, 20)
}

func lastLines(text []byte, n int) string {
	text = bytes.TrimRight(text, "\n")
	at := len(text)
	for range n {
		i := bytes.LastIndexByte(text[:at], '\n')
		if i < 0 {
			return string(text)
		}
		at = i
	}
	return string(text[at+1:])
}

// runTool runs a program to its end in the environment env and returns what it
// printed.
func runTool(ctx context.Context, as *account, env []string, stdin, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = attributes(as, syscall.SIGKILL)
	cmd.Env = env
	cmd.Dir = "/"
	cmd.Stdin = strings.NewReader(stdin)
	// What it started goes with it, and holds nobody up: pg_basebackup's second
	// process would otherwise keep our pipe open for good.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("run %s: %w\n%s", name, err, lastLines(out, 20))
	}
	return string(out), nil
}

// account is the user a peer runs as, nil for ourselves.
type account struct {
	name     string
	uid, gid int
}

// unprivileged is the account for a server that refuses to run as root: nil
// when we are not root anyway.
func unprivileged(name string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("find the user %s to run as: %w", name, err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, fmt.Errorf("read the id of user %s: %w", name, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, fmt.Errorf("read the group of user %s: %w", name, err)
	}
	return &account{name: name, uid: uid, gid: gid}, nil
}

// own hands files over to a.
func (a *account) own(paths ...string) error {
	if a == nil {
		return nil
	}
	for _, path := range paths {
		if err := os.Chown(path, a.uid, a.gid); err != nil {
			return fmt.Errorf("hand %s over to %s: %w", path, a.name, err)
		}
	}
	return nil
}

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
}
