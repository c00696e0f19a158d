package ui

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"warroom/ui/driver"
)

// onTerminal runs the console as a process on a real pseudo-terminal and lets
// the shell that started it say how the terminal was left.
func onTerminal(t *testing.T, how string, width, height int) *driver.Terminal {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("pseudo-terminals and their settings are a matter of Unix")
	}
	cmd := exec.Command("sh", "-c", `stty -a >/dev/null; "$0"; stty -a; echo "left"`, os.Args[0])
	// Nothing of the terminal that the tests run on, if any.
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "SSH_TTY=") || strings.HasPrefix(v, "TERM_PROGRAM=") || strings.HasPrefix(v, "NO_COLOR=")
	})
	cmd.Env = append(env, childMode+"="+how, "TERM=xterm-256color", "COLORTERM=truecolor")
	return driver.Start(t, width, height, driver.Process(cmd))
}

// cooked reports whether the settings that stty printed are those of a terminal
// that a person can type on.
func cooked(screen string) bool {
	words := " " + strings.Join(strings.FieldsFunc(screen, func(r rune) bool { return r == ' ' || r == ';' || r == '\n' }), " ") + " "
	return strings.Contains(words, " icanon ") && strings.Contains(words, " echo ") && strings.Contains(words, " isig ")
}

// TestTerminalIsRestored covers every way out.
func TestTerminalIsRestored(t *testing.T) {
	for how, says := range map[string]string{
		"plain": "ended: <nil>",
		"hup":   "ended: the console was ended by a signal: hangup",
		"term":  "ended: the console was ended by a signal: terminated",
		"int":   "ended: the console was ended by a signal: interrupt",
		"panic": "fault: testing a panic the floor is lava",
		"view":  "fault: drawing the view is lava",
		"cmd":   "fault: reading the estate the reading is lava",
		"start": "ended: start the drill: no loopback",
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			d := onTerminal(t, how, 100, 40)
			if how == "plain" {
				d.WaitText("READ-ONLY", "Edge Plane", "quit")
				d.Press("q")
			}
			screen := d.WaitText("left", "icanon")
			if !strings.Contains(screen, says) {
				t.Errorf("how it ended is not %q:\n%s", says, screen)
			}
			if !cooked(screen) {
				t.Errorf("the terminal was left raw:\n%s", screen)
			}
			if !d.Restored() {
				t.Error("the alternate screen was left on or the cursor hidden")
			}
		})
	}
}

func TestKeysOnARealTerminal(t *testing.T) {
	t.Parallel()
	d := onTerminal(t, "plain", 80, 24)
	d.WaitText("Edge Plane", "quit")
	d.Resize(120, 40)
	d.WaitFor("the wider screen", func(s string) bool {
		first, _, _ := strings.Cut(s, "\n")
		return len([]rune(first)) > 100
	})
	d.Press("enter")
	d.WaitText("esc back")
	d.Send("\x1b")
	d.WaitText("Control Plane")
	d.Press("ctrl+c")
	d.WaitText("left", "ended: <nil>")
}

func TestNoTerminal(t *testing.T) {
	// Under go test, standard output is not a terminal.
	if HasTerminal() {
		t.Skip("this test needs an output that is no terminal")
	}
	err := Run(context.Background(), newWorld().options())
	if err == nil || !strings.Contains(err.Error(), "warroom check") {
		t.Errorf("without a terminal: %v", err)
	}
}
