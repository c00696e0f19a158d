package ui

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"warroom/internal/estate"
	"warroom/internal/theme"
	"warroom/ui/driver"
)

// console runs the console on a virtual terminal.
func console(t *testing.T, w *world, width, height int, change ...func(*Options)) *driver.Terminal {
	t.Helper()
	o := w.options()
	o.Theme, _ = theme.Choose(theme.Default, false)
	for _, c := range change {
		c(&o)
	}
	d := driver.Start(t, width, height, func(ctx context.Context, io driver.IO) error {
		o.Terminal = Terminal{
			In: io.In, Out: io.Out, Environ: io.Environ,
			Width: io.Size.Width, Height: io.Size.Height, OnResize: io.OnResize,
		}
		return Run(ctx, o)
	})
	d.WaitText("quit")
	return d
}

// cursorOn reports whether the cursor is drawn on the component called name.
func cursorOn(name string) func(string) bool {
	return func(screen string) bool {
		for line := range strings.Lines(screen) {
			if i := strings.Index(line, "▸"); i >= 0 {
				for _, part := range strings.Split(line, "▸")[1:] {
					if before, _, ok := strings.Cut(part, name); ok && len(strings.Fields(before)) <= 2 && !strings.Contains(before, "│") {
						return true
					}
				}
			}
		}
		return false
	}
}

func TestFlow(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {100, 30}, {160, 45}} {
		t.Run(fmt.Sprintf("%dx%d", size.w, size.h), func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			d := console(t, w, size.w, size.h)
			d.WaitText("Edge Plane", "Service Plane", "State Plane", "Control Plane", "DRILL db-rotation", "production", "API Gateway")
			// It starts on the worst, and w goes through what is not well.
			d.WaitFor("the cursor on the worst", cursorOn("Rotation Lambda"))
			d.Press("w")
			d.WaitText("2 of 14 that are not well")
			d.Press("tab", "w", "shift+tab")
			d.WaitFor("the cursor on API Gateway", cursorOn("API Gateway"))

			// Move: within a pane, across its lower edge, to the side, by tab.
			d.Press("j")
			d.WaitFor("the cursor on Load Balancer", cursorOn("Load Balancer"))
			d.Press("down")
			d.WaitFor("the cursor below the edge", cursorOn("Vault Primary"))
			d.Press("l")
			d.WaitFor("the cursor to the right", cursorOn("Rotation Monitor"))
			d.Press("tab")
			d.WaitFor("the first pane again", cursorOn("Load Balancer"))
			d.Press("shift+tab", "shift+tab", "G")
			d.WaitFor("the last of State", cursorOn("External API"))

			// Detail, and back with the cursor where it was.
			d.Press("k", "k", "enter")
			d.WaitText("PostgreSQL Primary", "28P01", "DescribeSecret", "esc back")
			d.Press("esc")
			d.WaitFor("back on the planes", cursorOn("PostgreSQL Primary"))

			// Filter: as typed, kept, cleared.
			d.Press("/")
			d.Type("vault")
			d.WaitFor("only what matches", func(s string) bool {
				return strings.Contains(s, "Vault Primary") && !strings.Contains(s, "PostgreSQL Replica") && strings.Contains(s, "/vault")
			})
			d.Press("enter")
			d.WaitText("/vault")
			d.Press("esc")
			d.WaitText("PostgreSQL Replica")
			d.WaitGone("/vault")

			// Palette: a component by a few letters, then an action.
			d.Press(":")
			d.Type("pays")
			d.WaitText("Payment Service", "Application Services")
			d.Press("enter")
			d.WaitText("ROTATED", "esc back")
			d.Press(":")
			d.Type("planes")
			d.Press("enter")
			d.WaitText("Edge Plane", "Control Plane")

			// Help closes by the key that opened it.
			d.Press("?")
			d.WaitText("Keys of Planes", "Quit from anywhere")
			d.Press("?")
			d.WaitText("Edge Plane")

			// Freeze: data goes on arriving beneath.
			d.Press("z")
			d.WaitText("FROZEN 03:12:45")
			w.set("payment-service", func(r *estate.Reading) { r.Word = "BEYOND" })
			d.Press("r")
			d.WaitText("not now", "frozen")
			if strings.Contains(d.Screen(), "BEYOND") {
				t.Errorf("a frozen frame changed:\n%s", d.Screen())
			}
			d.Press("z")
			d.WaitText("BEYOND")
			d.WaitGone("FROZEN")

			// Share mode.
			d.Press("S")
			d.WaitText("SHARE")
			d.Press("S")
			d.WaitText("share mode is off")

			// A key of a later view says so and does nothing.
			d.Press("3")
			d.WaitText("no key 3 here")
			d.Press("7")
			d.WaitText("7: not now, I declares an incident first")

			if got := d.Title(); got != "warroom production DRILL" {
				t.Errorf("window title %q", got)
			}
			d.Press("q")
			if err := d.WaitEnd(); err != nil {
				t.Errorf("quit: %v", err)
			}
			if !d.Restored() {
				t.Error("the terminal was not restored")
			}
		})
	}
}

func TestCheckNowActsOnWhatIsUnderTheCursor(t *testing.T) {
	t.Parallel()
	w := newWorld()
	d := console(t, w, 100, 30)
	d.Press("shift+tab", "j", "r")
	d.WaitText("checking Load Balancer")
	d.Press("enter", "r")
	d.WaitText("checking Load Balancer", "back")
	d.Press("R")
	d.WaitText("checking every component")
	d.WaitFor("three checks", func(string) bool { return w.checks() == "[[load-balancer] [load-balancer] []]" })
}

func TestCopyIsMaskedInShareMode(t *testing.T) {
	t.Parallel()
	d := console(t, newWorld(), 100, 30)
	d.Press("shift+tab", "y")
	text := d.WaitClipboard("the reading", func(s string) bool { return strings.Contains(s, "API Gateway") })
	for _, want := range []string{"EXPIRED", "67%", "the token of prod/api/external expired", "api.company.com"} {
		if !strings.Contains(text, want) {
			t.Errorf("the copy lacks %q:\n%s", want, text)
		}
	}
	if strings.ContainsAny(text, "\x1b") {
		t.Errorf("the copy holds escape sequences: %q", text)
	}
	d.Press("S", "y")
	text = d.WaitClipboard("masks", func(s string) bool { return !strings.Contains(s, "api.company.com") })
	if !strings.Contains(text, "API Gateway") || strings.Contains(text, "eu-west-1.amazonaws") {
		t.Errorf("the copy in share mode:\n%s", text)
	}
}

func TestShareModeMasksEveryView(t *testing.T) {
	t.Parallel()
	w := newWorld()
	d := console(t, w, 160, 45, func(o *Options) { o.Share = true })
	d.WaitText("SHARE")
	for range 3 { // every component's detail of every pane
		for range 6 {
			d.Press("enter")
			d.WaitText("esc back")
			d.Press("esc")
			d.WaitText("Edge Plane")
			d.Press("j")
		}
		d.Press("tab")
	}
	d.Press("q")
	if err := d.WaitEnd(); err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"111122223333", "db.company.com", "arn:aws", "10.0.4.17"} {
		if strings.Contains(d.Raw(), hidden) {
			t.Errorf("share mode showed %q", hidden)
		}
	}
}

func TestThemeFromThePalette(t *testing.T) {
	t.Parallel()
	d := console(t, newWorld(), 100, 30)
	before := d.Styled()
	d.Press(":")
	d.Type("theme light")
	d.WaitText("Theme: light")
	d.Press("enter")
	d.WaitFor("other colours", func(s string) bool { return strings.Contains(s, "Edge Plane") && d.Styled() != before })
	d.Press(":")
	d.Type("theme ascii")
	d.Press("enter")
	d.WaitFor("nothing but ASCII", func(s string) bool {
		return strings.Contains(s, "Edge Plane") && strings.IndexFunc(s, func(r rune) bool { return r > 126 }) < 0
	})
}

func TestQuitAsksWhileSomethingRuns(t *testing.T) {
	t.Parallel()
	clock := &testClock{now: at}
	d := console(t, newWorld(), 80, 24, func(o *Options) {
		o.Running = func() string { return "rotating prod/db/postgres, step 3 of 7" }
		o.Clock = clock.Now
	})
	d.Press("q")
	d.WaitText("Quit while something runs?", "step 3 of 7", "Stay", "Quit")
	clock.pass(settle * 2)
	d.Press("z", "S", "enter") // Stay is chosen at first; other keys do nothing
	d.WaitGone("Quit while something runs?")
	if s := d.Screen(); strings.Contains(s, "FROZEN") || strings.Contains(s, "SHARE") {
		t.Errorf("a key went through the dialog:\n%s", s)
	}
	d.Press("q")
	d.WaitText("step 3 of 7")
	clock.pass(settle * 2)
	d.Press("tab", "enter")
	if err := d.WaitEnd(); err != nil {
		t.Errorf("quit: %v", err)
	}
	if !d.Restored() {
		t.Error("the terminal was not restored")
	}
}

func TestLoneEscape(t *testing.T) {
	t.Parallel()
	d := console(t, newWorld(), 80, 24)
	d.Press("enter")
	d.WaitText("esc back")
	d.Send("\x1b")
	d.WaitText("Edge Plane", "Control Plane")
}

func TestPasteIsNeverCommands(t *testing.T) {
	t.Parallel()
	d := console(t, newWorld(), 80, 24)
	d.Paste("zSq")
	d.Press("/")
	d.Paste("vau\x1b[31mlt\r\n")
	d.WaitText("/vau")
	if s := d.Screen(); strings.Contains(s, "FROZEN") || strings.Contains(s, "SHARE") {
		t.Errorf("a paste was taken for keys:\n%s", s)
	}
}

func TestResizeWhileDrawing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	d := console(t, w, 100, 30)
	for i, s := range [][2]int{{20, 5}, {500, 200}, {80, 24}, {1, 1}, {79, 24}, {160, 45}, {3, 2}, {280, 40}, {20, 5}} {
		d.Resize(s[0], s[1])
		w.set("user-service", func(r *estate.Reading) { r.Word = fmt.Sprintf("TURN%d", i) })
		d.Press("tab")
	}
	d.WaitText("FAIL", "q quit")
	d.Resize(160, 45)
	d.WaitText("TURN8", "Edge Plane", "Control Plane")
}

func TestSmallScreen(t *testing.T) {
	t.Parallel()
	d := console(t, newWorld(), 20, 5)
	d.WaitText("FAIL", "q quit")
	d.Resize(60, 20)
	d.WaitText("Service Plane", "2 of 4 panes · tab") // where the worst is
	d.Press("tab")
	d.WaitText("State Plane", "3 of 4 panes · tab")
	d.WaitGone("Service Plane")
	d.Press("right")
	d.WaitText("Control Plane")
}
