package driver

import (
	"context"
	"errors"
	"io"
	"os/exec"

	"github.com/creack/pty"
)

// Process makes a program for Start of a command: it runs on a real
// pseudo-terminal whose screen is the virtual one.
func Process(cmd *exec.Cmd) func(context.Context, IO) error {
	return func(ctx context.Context, t IO) error {
		size := func(w, h int) *pty.Winsize { return &pty.Winsize{Cols: uint16(w), Rows: uint16(h)} }
		f, err := pty.StartWithSize(cmd, size(t.Size.Width, t.Size.Height))
		if err != nil {
			return err
		}
		defer f.Close()
		// Here line ends are the terminal settings' business again.
		_, _ = io.WriteString(t.Out, "\x1b[20l")
		stop := context.AfterFunc(ctx, func() {
			_ = cmd.Process.Kill()
			_ = f.Close() // whoever else holds the terminal gets a hangup
		})
		defer stop()
		t.OnResize(func(w, h int) { _ = pty.Setsize(f, size(w, h)) })
		go func() { _, _ = io.Copy(f, t.In) }() // ends when the test closes the input
		_, _ = io.Copy(t.Out, f)                // ends with an error once nobody has the terminal open
		err = cmd.Wait()
		if ctx.Err() != nil {
			return nil
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit
		}
		return err
	}
}
