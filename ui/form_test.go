package ui

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"pgregory.net/rapid"

	"warroom/internal/incident"
)

func TestKeysBeforeAFormWasDrawnConfirmNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		// Typed blind, as fast as keys come.
		l.press("I", "enter", "enter", "enter", "enter", "tab", "tab", "right", "enter", "enter")
		if len(r.shelf.events()) != 0 || l.m.form == nil || l.m.form.selected != 0 {
			t.Fatalf("keys before the form was drawn did something: %+v", l.m.form)
		}
		l.press("esc")
		if l.m.mode != modePlanes {
			t.Errorf("one esc leaves: %s", l.m.mode)
		}
		l.declare()
		l.press("m")
		for _, c := range "typed ahead" { // text counts at once, because it changes nothing
			l.send(tea.KeyPressMsg{Code: c, Text: string(c)})
		}
		l.press("enter")
		l.toldNot("typed ahead")
		l.sees("typed ahead")
		l.rest()
		l.press("enter")
		l.told("typed ahead")
	})
}

func TestAFormKeepsWhatWasTyped(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		l.press("d")
		l.rest()
		l.typed("fail over")
		for _, s := range [][2]int{{80, 24}, {20, 5}, {200, 60}, {100, 30}} {
			l.send(tea.WindowSizeMsg{Width: s[0], Height: s[1]})
		}
		h := l.m.book.(*handle)
		if err := h.Record(t.Context(), incident.New("", incident.Noted{Text: "from elsewhere"})); err != nil {
			t.Fatal(err)
		}
		l.settle()
		l.pass(5 * time.Second)
		l.sees("Decision", "fail over")
		l.send(tea.PasteMsg{Content: " to\x1b[31m日本語\r\nnow\x07"})
		l.sees("fail over to日本語 now")
		l.press("tab")
		l.typed("why not")
		l.press("enter")
		l.told("fail over to日本語 now: why not")
	})
}

func TestEditingWithinAField(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		l.press("m")
		l.rest()
		l.send(tea.PasteMsg{Content: "nai\u0308f 日本 end"})
		l.press("home", "right", "right", "right") // n, a, and i with its mark
		l.press("backspace")
		if got := string(l.m.form.fields[0].value); got != "naf 日本 end" {
			t.Errorf("a letter goes with its marks: %q", got)
		}
		l.press("delete", "ctrl+e", "ctrl+w", "left", "backspace", "home")
		if got := string(l.m.form.fields[0].value); got != "na 日 " {
			t.Errorf("%q", got)
		}
		l.press("end", "ctrl+u")
		l.send(tea.PasteMsg{Content: strings.Repeat("é", 10*mostText)})
		if n := len(l.m.form.fields[0].value); n != mostText {
			t.Errorf("%d runes", n)
		}
		l.press("home", "ctrl+k", "enter")
		l.sees("a note says something")
		l.press("esc")
		l.toldNot("é")
	})
}

func TestClosingNeedsMoreThanOneKey(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		l.press(":")
		l.typed("close the inc")
		l.press("enter")
		l.rest()
		l.typed("over")
		l.press("enter", "enter") // the first goes to Cancel, which is what the second presses
		l.toldNot("incident closed")
		if l.m.mode != modePlanes {
			t.Errorf("still in %s", l.m.mode)
		}
	})
}

func TestUpdateIsEditedSentAndRecorded(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t, func(o *Options) { o.Scrub = scrubCanary })
		l.declare()
		l.press("U", "e")
		l.sees("Status update", "Tab leaves the text")
		l.rest()
		l.send(tea.PasteMsg{Content: "We are at it.\nMore at noon. " + canary})
		l.press("tab", "tab", "enter")
		l.sees("as you changed it", "More at noon.")
		l.seesNot(canary)
		// What was changed survives leaving the view, and is asked about on the way out.
		l.press("1", "q")
		l.sees("has not gone out")
		l.press("esc", "U")
		l.sees("More at noon.")
		l.press("r")
		l.sees("What was changed in it is lost")
		l.rest()
		l.press("enter")
		l.sees("More at noon.")

		r.sent.fails = errors.New("post to the webhook: connection refused")
		l.press("w")
		l.rest()
		l.press("enter", "right", "enter")
		l.sees("NOT SENT to bridge", "connection refused")
		l.told("update did NOT reach bridge")
		l.rest()
		l.press("enter")
		r.sent.fails = nil
		l.press("w")
		l.rest()
		l.press("enter", "right", "enter")
		if got := r.sent.all(); len(got) != 1 || strings.Contains(got[0], canary) || !strings.Contains(got[0], "\nMore at noon. [redacted]") {
			t.Errorf("sent %q", got)
		}
		l.told("update to bridge")
		if l.m.view == modeUpdate || l.m.draft.text != "" {
			t.Error("the draft stays after it went out")
		}
		// By hand.
		l.press("U", "y")
		l.sees("Copied. Was it posted?")
		l.rest()
		l.press("tab", "enter")
		l.told("update to clipboard")
		l.press("q")
		if !l.quit {
			t.Error("it does not quit")
		}
	})
}

func TestAnUpdateThatCannotBeRecordedIsNotSent(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		l.press("U")
		l.m.change(strings.Repeat("too long ", 1000))
		l.press("w")
		l.rest()
		l.press("enter", "right", "enter")
		l.sees("NOT DONE")
		if got := r.sent.all(); len(got) != 0 {
			t.Errorf("sent %q", got)
		}
	})
}

func TestSeverityRolesAndRecoveryFromTheMenu(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		menu := func(n int) {
			l.press("I")
			l.rest()
			for range n {
				l.press("tab")
			}
			l.press("enter")
			l.rest()
		}
		menu(1)
		l.press("left", "enter", "enter")
		l.told("severity SEV2 → SEV1")
		l.sees("SEV1")
		menu(2)
		l.press("right", "enter")
		l.typed("ops-2")
		l.press("enter")
		l.told("deputy: ops-2")
		menu(3)
		l.typed("logins work")
		l.press("enter", "right", "enter")
		l.told("service is back: logins work")
		menu(5)
		l.typed("seen to")
		l.press("enter", "right", "enter")
		l.told("incident closed: seen to")
		menu(1)
		l.typed("it fails again")
		l.press("enter")
		l.told("incident opened again: it fails again")
	})
}

func TestTimesAsTheyAreTyped(t *testing.T) {
	now := time.Date(2026, 3, 14, 3, 12, 45, 0, time.UTC)
	for in, want := range map[string]string{
		"": "2026-03-14T03:12:45Z", "now": "2026-03-14T03:12:45Z", "12m ago": "2026-03-14T03:00:45Z", "1h30m": "2026-03-14T01:42:45Z",
		"03:04": "2026-03-14T03:04:00Z", "23:10": "2026-03-13T23:10:00Z", "23:10 UTC": "2026-03-13T23:10:00Z",
		"2026-03-13T22:00:00+01:00": "2026-03-13T21:00:00Z", "2026-03-13 22:00": "2026-03-13T22:00:00Z",
	} {
		if got, err := past(in, now); err != nil || stamp(got) != want {
			t.Errorf("past %q is %s, %v; want %s", in, stamp(got), err, want)
		}
	}
	for in, want := range map[string]string{
		"2h": "2026-03-14T05:12:45Z", "in 3d": "2026-03-17T03:12:45Z", "05:00": "2026-03-14T05:00:00Z", "03:00": "2026-03-15T03:00:00Z",
		"2026-03-20": "2026-03-20T23:59:00Z", "2026-03-14T06:00Z": "2026-03-14T06:00:00Z",
	} {
		if got, err := future(in, now); err != nil || stamp(got) != want {
			t.Errorf("future %q is %s, %v; want %s", in, stamp(got), err, want)
		}
	}
	for _, bad := range []string{"soon", "25:00", "2026-13-01", "2027-01-01T00:00Z", "-", "5x", "99999999999d"} {
		if got, err := past(bad, now); err == nil {
			t.Errorf("past %q is %s", bad, stamp(got))
		}
	}
	for _, bad := range []string{"", "now", "later", "2020-01-01", "0m"} {
		if got, err := future(bad, now); err == nil {
			t.Errorf("future %q is %s", bad, stamp(got))
		}
	}
}

// TestAnyKeysRecordNothingUndeclared presses random keys in a console without an
// incident, and in one with: nothing panics, nothing is recorded that was not
// declared, every frame is exact.
func TestAnyKeysRecordNothingUndeclared(t *testing.T) {
	var names []string
	for i := range keymap {
		names = append(names, keymap[i].keys...)
	}
	names = append(names, "é", "日", "1", "9")
	for _, declared := range []bool{false, true} {
		t.Run(fmt.Sprintf("declared %v", declared), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				bubble(t, func(t *testing.T, r *room) {
					r.read()
					l := r.start(t, func(o *Options) {
						o.Scrub = scrubCanary
						if !declared {
							o.Casebook = nil
						}
					})
					if declared {
						l.declare()
					}
					for range rapid.IntRange(1, 60).Draw(rt, "steps") {
						switch rapid.IntRange(0, 11).Draw(rt, "kind") {
						case 0:
							l.send(tea.WindowSizeMsg{Width: rapid.IntRange(1, 220).Draw(rt, "w"), Height: rapid.IntRange(1, 60).Draw(rt, "h")})
						case 1:
							l.send(tea.PasteMsg{Content: rapid.String().Draw(rt, "paste")})
						case 2, 3:
							l.rest()
						case 4:
							l.arrives()
						default:
							l.press(rapid.SampledFrom(names).Draw(rt, "key"))
						}
						m := l.m
						if m.mode >= modes || !m.view.view() || m.mode.view() && m.mode != m.view {
							rt.Fatalf("mode %d over view %d", m.mode, m.view)
						}
						if (m.mode == modePalette) != (m.palette != nil) || (m.mode == modeDialog) != (m.dialog != nil) || (m.mode == modeForm) != (m.form != nil) {
							rt.Fatalf("mode %s with palette %v, dialog %v and form %v", m.mode, m.palette != nil, m.dialog != nil, m.form != nil)
						}
						if f := m.form; f != nil {
							for _, one := range f.fields {
								if one.cursor < 0 || one.cursor > len(one.value) || one.options == nil && len(one.value) > one.most {
									rt.Fatalf("field %q: cursor %d in %d runes of %d", one.label, one.cursor, len(one.value), one.most)
								}
							}
						}
						exact(rt, m.mode.String(), m)
					}
					if n := len(r.shelf.events()); !declared && n != 0 {
						rt.Fatalf("%d events without an incident", n)
					}
					if declared && r.shelf.events()[0].Kind != "declared" {
						rt.Fatal("the first event is no declaration")
					}
				})
			})
		})
	}
}
