package cli

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"warroom/internal/archive"
	"warroom/internal/incident"
	"warroom/ui/driver"
)

// randomBytes is one thing that reaches a console by its terminal: a key, keys at once,
// a paste, the mouse, or what a terminal answers that was never asked.
func randomBytes(r *rand.Rand, armed bool) string {
	one := func(all ...string) string { return all[r.IntN(len(all))] }
	towards := []string{"\r", "\r", "\r", "4", "4", "n", "X", " ", "\x1b[27u", "1", "2", "3", "5", "y", "Y", "r", "g", "/", "?", ":"}
	if !armed {
		// In an armed console only these move from Cancel to the button.
		towards = append(towards, "\t", "\x1b[Z", "\x1b[A", "\x1b[B", "\x1b[B", "\x1b[C", "\x1b[D")
	}
	switch n := r.IntN(20); {
	case n < 12:
		return one(towards...)
	case n == 12:
		return strings.Repeat(one("\r", "y", "4\r", "\r4"), 1+r.IntN(30)) // held down, or typed ahead
	case n == 13:
		return "\x1b[200~" + one("prod/db/postgres", "prod/api/payment\r", "\r\r\r\r", "y\r", "load-balancer\n\n", strings.Repeat("x", 5000)) + "\x1b[201~"
	case n == 14:
		return one("\x1b[<0;10;10M", "\x1b[<0;60;20M\x1b[<0;60;20m", "\x1b[M !!", "\x1b[<64;5;5M", "\x1b[I", "\x1b[O")
	case n == 15:
		return one("\x1b[13;1:2u", "\x1b[13;1:3u", "\x1b[13;5u", "\x1b[9999u", "\x1b]52;c;eQ==\x07", "\x1bP1$r\x1b\\", "\x1b[?2026;1$y", "\x9b", "\xff\xfe", "\x00")
	default:
		for { // any other key; in the end the console is left by the test
			key := string(rune(1 + r.IntN(126)))
			if strings.Contains("!q\x03\x04\x1a\x1b\x1c", key) || armed && strings.Contains("\thjkl\x0e\x10", key) {
				continue
			}
			return key
		}
	}
}

// No keys change anything in a console that nobody armed; and none in one that is
// armed, but for those that move to a confirmation's button, which are left out here.
// The console is the program on a terminal, with its own engine, on a world that can
// be changed.
func TestRandomKeysOnATerminalChangeNothing(t *testing.T) {
	keys := 120
	if os.Getenv("WARROOM_CRASH") == "full" {
		keys = 1000
	}
	if testing.Short() {
		keys = 30
	}
	for _, armed := range []bool{false, true} {
		name := "read-only"
		if armed {
			name = "armed"
		}
		t.Run(name, func(t *testing.T) {
			s := setStage(t, crashCase{})
			before := s.standing()
			p := &play{t: t, state: s.state, size: driver.Size{Width: 120, Height: 40}}
			p.cmd = p.command("--config", s.path)
			p.cmd.Env = append(p.cmd.Env, "TERM=xterm-256color")
			d := driver.Start(t, p.size.Width, p.size.Height, driver.Process(p.cmd))
			p.Terminal = d
			d.WaitText("READ-ONLY")
			if armed {
				d.Press("!")
				p.fill("Declare an incident", "Declare", "Summary", "logins fail")
				p.answer("Arm this console?", "Arm")
				d.WaitText("ARMED")
				d.WaitText("Stay armed") // as whom we act
				p.patiently("the console behind", "", func(string) { d.Press("esc") }, func(screen string) bool { return !strings.Contains(screen, "Stay armed") })
			}
			const seed = 5
			r := rand.New(rand.NewPCG(seed, uint64(keys)))
			for range keys {
				switch r.IntN(25) {
				case 0:
					d.Resize(20+r.IntN(150), 5+r.IntN(50))
				case 1:
					for range 20 { // a window that is dragged
						d.Resize(60+r.IntN(80), 20+r.IntN(30))
					}
				case 2: // long enough for a confirmation to listen
					quiet(d)
				default:
					d.Send(randomBytes(r, armed))
				}
			}
			quiet(d)
			if err := p.cmd.Process.Kill(); err != nil {
				t.Fatalf("with seed %d the console had ended: %v\n%s", seed, err, d.Screen())
			}
			_ = d.WaitEnd() // it was killed
			if after := s.standing(); after != before {
				t.Errorf("with seed %d something changed:\n%s\nbefore\n%s", seed, after, before)
			}
			if screen := d.Raw(); strings.Contains(screen, "goroutine ") || strings.Contains(screen, "panic:") {
				t.Errorf("with seed %d it panicked:\n%s", seed, d.Screen())
			}
			store := archive.New(filepath.Join(s.state, "warroom", "incidents"), archive.Options{Operator: "reader"})
			all, err := store.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			was := false
			for _, one := range all { // keys may have declared any number
				session, err := store.Follow(t.Context(), one.ID)
				if err != nil {
					t.Fatal(err)
				}
				state := session.Case().State
				_ = session.Close() // it was only read
				was = was || state.Counts[incident.KindArmed] > 0
				for _, run := range state.Runs {
					if run.Plan.Changes() {
						t.Errorf("with seed %d a run was granted: %s %s", seed, run.Plan.Procedure, run.Plan.Target)
					}
				}
			}
			if was != armed {
				t.Errorf("with seed %d it was armed: %v", seed, was)
			}
			t.Logf("%d deeds, %s; %d incidents; plans were on the screen: %v, confirmations: %v", keys, name, len(all), strings.Contains(d.Raw(), "NOTHING IS CHANGED YET"), strings.Contains(d.Raw(), "CONFIRM"))
		})
	}
}

// quiet waits for longer than a confirmation is deaf.
func quiet(d *driver.Terminal) {
	d.Resize(120, 40) // in which a clock ticks
	from := time.Now()
	d.WaitFor("a moment without a key", func(string) bool { return time.Since(from) > 1200*time.Millisecond })
}
