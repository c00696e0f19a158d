package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/adrg/xdg"
)

// asProgram makes the test binary the program itself.
const asProgram = "WARROOM_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		breakCalls(os.Getenv(breakAt))
		os.Exit(Main("test"))
	}
	// What was refused is remembered for other runs of the same user: those of the
	// tests are to be nobody's.
	state, err := os.MkdirTemp("", "warroom-test-state-")
	if err == nil {
		err = os.Setenv("XDG_STATE_HOME", state)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	xdg.Reload()
	code := m.Run()
	_ = os.RemoveAll(state)
	os.Exit(code)
}

// processLimit ends a program that a test has lost. It is long because such a
// program may wait for several screens, each for as long as the driver waits.
const processLimit = 10 * time.Minute

// program is the command that runs the whole program in a process of its own,
// with its temporary files in temp.
func program(t *testing.T, temp string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), processLimit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+temp, "XDG_STATE_HOME="+t.TempDir())
	return cmd
}

// served is a drill that runs in a process of its own.
type served struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	env    []string // as printed
	path   string   // of the configuration, as printed
	config string   // as printed
}

// serveProcess runs warroom drill --serve until it has printed everything.
func serveProcess(t *testing.T, temp string, wrap ...string) *served {
	t.Helper()
	s := &served{cmd: program(t, temp, "drill", "--serve")}
	if len(wrap) > 0 {
		path, err := exec.LookPath(wrap[0])
		if err != nil {
			t.Fatalf("%v: it is in the coreutils of every system that this test runs on", err)
		}
		s.cmd.Args = append(slices.Clone(wrap), s.cmd.Args...)
		s.cmd.Args[len(wrap)] = s.cmd.Path
		s.cmd.Path = path
	}
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		if pair, ok := strings.CutPrefix(line, "export "); ok {
			name, value, _ := strings.Cut(pair, "=")
			s.env = append(s.env, name+"="+strings.ReplaceAll(strings.Trim(value, "'"), `'\''`, "'"))
		}
		if path, ok := strings.CutPrefix(line, "# The configuration, "); ok {
			s.path = strings.TrimSuffix(path, ":")
			break
		}
	}
	if s.path == "" {
		_ = s.cmd.Wait()
		t.Fatalf("it never printed its configuration: %v\n%s", lines.Err(), s.stderr.String())
	}
	text, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	s.config = string(text)
	// The rest of what it prints is the configuration once more.
	printed := make([]byte, 0, len(text))
	for len(printed) < len(text) && lines.Scan() {
		printed = append(append(printed, lines.Bytes()...), '\n')
	}
	if string(printed) != s.config {
		t.Errorf("it printed another configuration than it wrote:\n%s", printed)
	}
	return s
}

// end sends a signal and returns the exit code.
func (s *served) end(t *testing.T, signal os.Signal) int {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	err := s.cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return s.cmd.ProcessState.ExitCode()
}

func assertEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s was left behind", e.Name())
	}
}

// A drill's folder holds private keys: it goes whatever asks the program to end.
func TestAServedDrillLeavesNothingBehind(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"SIGHUP": syscall.SIGHUP, "SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			temp := t.TempDir()
			s := serveProcess(t, temp)
			if code := s.end(t, signal); code != 0 {
				t.Errorf("it ended with %d:\n%s", code, s.stderr.String())
			}
			assertEmpty(t, temp)
		})
	}
}

// nohup asks for a program that outlives its terminal.
func TestAServedDrillUnderNohupOutlivesItsTerminal(t *testing.T) {
	temp := t.TempDir()
	s := serveProcess(t, temp, "nohup")
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if out, code := checkProcess(t, s.path); code != 2 {
		t.Errorf("after SIGHUP the drill does not answer: %d %s", code, out)
	}
	if code := s.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("it ended with %d:\n%s", code, s.stderr.String())
	}
	assertEmpty(t, temp)
}

// What a drill that was killed could not remove, the next one does; it leaves
// alone what belongs to a drill that runs.
func TestADrillRemovesWhatAKilledOneLeft(t *testing.T) {
	temp := t.TempDir()
	killed, alive := serveProcess(t, temp), serveProcess(t, temp)
	killed.end(t, syscall.SIGKILL)
	left := filepath.Dir(killed.path)
	if _, err := os.Stat(left); err != nil {
		t.Fatalf("the test rests on a killed drill leaving its folder: %v", err)
	}
	next := serveProcess(t, temp)
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of the killed drill is still there: %v", err)
	}
	for _, s := range []*served{alive, next} {
		if out, code := checkProcess(t, s.path); code != 2 {
			t.Errorf("a running drill does not answer any more: %d %s", code, out)
		}
		if code := s.end(t, syscall.SIGTERM); code != 0 {
			t.Errorf("it ended with %d:\n%s", code, s.stderr.String())
		}
	}
	assertEmpty(t, temp)
}

// A reader that goes away early is no reason to leave anything behind, or to
// complain.
func TestOutputThatNobodyReadsEndsInOrder(t *testing.T) {
	for _, args := range [][]string{{"drill", "--serve"}, {"check", "--drill", defaultScenario}, {"config", "example"}, {"drill", "--list"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			temp := t.TempDir()
			cmd := program(t, temp, args...)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			_ = r.Close()
			defer func() { _ = w.Close() }()
			var stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = w, &stderr
			err = cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != exitFailed || stderr.Len() > 0 {
				t.Errorf("it ended with %d, %v, and said %q", code, err, stderr.String())
			}
			assertEmpty(t, temp)
		})
	}
}

// checkProcess runs warroom check --json on a configuration.
func checkProcess(t *testing.T, path string) (string, int) {
	t.Helper()
	cmd := program(t, t.TempDir(), "check", "--json", "--config", path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return string(out) + stderr.String(), cmd.ProcessState.ExitCode()
}
