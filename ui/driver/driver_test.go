package driver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// echo is a program that shows each key it reads, without any toolkit.
func echo(ctx context.Context, t IO) error {
	fmt.Fprintf(t.Out, "\x1b[?1049h\x1b[?25l\x1b]2;echo\x07size %d×%d\n", t.Size.Width, t.Size.Height)
	t.OnResize(func(w, h int) { fmt.Fprintf(t.Out, "now %d×%d\n", w, h) })
	in := bufio.NewReader(t.In)
	for {
		b, err := in.ReadByte()
		switch {
		case err != nil:
			return err
		case b == 'q':
			fmt.Fprint(t.Out, "\x1b[?25h\x1b[?1049l")
			return errors.New("left")
		case b == 'c':
			fmt.Fprint(t.Out, "\x1b]52;c;aGVsbG8=\x07")
		case b == 's':
			// A synchronized update is one step for whoever waits.
			fmt.Fprint(t.Out, "\x1b[?2026h")
			fmt.Fprint(t.Out, "half ")
			fmt.Fprint(t.Out, "whole\n")
			fmt.Fprint(t.Out, "\x1b[?2026l")
		case b == 'm': // no letter of the answer, which it reads as keys
			fmt.Fprint(t.Out, "\x1b[?2026$p")
		default:
			fmt.Fprintf(t.Out, "%q\n", b)
		}
	}
}

func TestTerminal(t *testing.T) {
	d := Start(t, 40, 10, echo)
	d.WaitText("size 40×10")
	if d.Restored() || d.Title() != "echo" {
		t.Errorf("restored %v, title %q", d.Restored(), d.Title())
	}
	d.Press("a", "enter")
	d.WaitText(`'a'`, `'\r'`)
	if rows := d.Rows(); len(rows) != 10 || !strings.HasPrefix(rows[1], `'a'`) || len([]rune(rows[1])) != 40 {
		t.Errorf("rows %q", rows)
	}
	d.Press("c")
	if got := d.WaitClipboard("hello", func(s string) bool { return s != "" }); got != "hello" {
		t.Errorf("clipboard %q", got)
	}
	d.Press("s")
	screen := d.WaitText("half")
	if !strings.Contains(screen, "half whole") {
		t.Errorf("a wait ended in the middle of an update:\n%s", screen)
	}
	d.Press("m") // the terminal answers: mode 2026 is known and reset
	d.WaitText(`'2'`, `'$'`, `'y'`)
	d.Resize(30, 5)
	d.WaitText("now 30×5")
	if rows := d.Rows(); len(rows) != 5 || len([]rune(rows[0])) != 30 {
		t.Errorf("after a resize the rows are %q", rows)
	}
	d.Press("q")
	if err := d.WaitEnd(); err == nil || err.Error() != "left" {
		t.Errorf("the program's error: %v", err)
	}
	if !d.Restored() || !strings.Contains(d.Raw(), "whole") || d.Written() != len(d.Raw()) {
		t.Errorf("restored %v, %d bytes", d.Restored(), d.Written())
	}
}

func TestResizeBeforeTheProgramListens(t *testing.T) {
	listen := make(chan struct{})
	d := Start(t, 40, 10, func(ctx context.Context, io IO) error {
		<-listen
		return echo(ctx, io)
	})
	d.Resize(20, 4)
	close(listen)
	d.WaitText("now 20×4")
}

func TestProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no pseudo-terminals")
	}
	d := Start(t, 60, 5, Process(exec.Command("sh", "-c", `stty size; read line; stty size; echo "got $line"; exit 3`)))
	d.WaitText("5 60")
	d.Resize(70, 8)
	d.Type("hello")
	d.Press("enter")
	d.WaitText("8 70", "got hello")
	var exit *exec.ExitError
	if err := d.WaitEnd(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("the process ended with %v", err)
	}
}
