package panes

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"warroom/internal/incident"
	"warroom/internal/theme"
)

// sizes of the body of a view on the smallest screens that count.
var bodies = [][2]int{{80, 20}, {100, 26}, {160, 41}}

func frameAt(t testing.TB, w, h int) Frame {
	return Frame{Width: w, Height: h, Theme: themeOf(t, theme.Default), Now: now}
}

// The whole of phase 1 is in sight on the smallest screen, with the current node
// in the only heavy frame, and so is the whole matrix.
// On a screen too low for a phase the selected node is in sight all the same, with
// the phase and its clock.
// Exactly one item has a frame, all are in sight on the design size, and the
// completion call is the last.
// A list as long as a runbook may make it needs no scrolling either.
func TestTheTimelineTellsEveryKind(t *testing.T) {
	b := goldenBoards()["mid"]
	list := events(b)
	f := frameAt(t, 160, 41)
	s := text(Timeline(f, b, TimelineView{Page: incident.Page{Events: list, Total: 21}}))
	for i := range list {
		word := KindWord(list[i].Kind)
		if !strings.Contains(s, " "+word+" ") {
			t.Errorf("no row is of the kind %q:\n%s", word, s)
		}
	}
	kinds := map[incident.Kind]bool{}
	for i := range list {
		kinds[list[i].Kind] = true
		one := flat(Timeline(f, b, TimelineView{Page: incident.Page{Events: list[i : i+1]}, Selected: list[i].Seq}))
		if want := fmt.Sprintf("record %d ·", list[i].Seq); !strings.Contains(one, want) {
			t.Errorf("the expansion of a %s does not say %q: %s", list[i].Kind, want, one)
		}
	}
	for _, k := range []incident.Kind{incident.KindDeclared, incident.KindNode, incident.KindItem, incident.KindSensed, incident.KindMeasure, incident.KindUnreadable, incident.KindClock, incident.KindUpdate} {
		if !kinds[k] {
			t.Errorf("no event of the kind %s is drawn, so that this test says little", k)
		}
	}
	last := flat(Timeline(frameAt(t, 80, 20), b, TimelineView{Page: incident.Page{Events: list, Total: 21}}))
	if !strings.Contains(last, "We rotate prod/db/postgres by hand and leave the analytics password until payments are well") || !strings.Contains(last, "no strong objection; payments first") {
		t.Errorf("the newest is not expanded at the bottom: %s", last)
	}
	update := flat(Timeline(f, b, TimelineView{Page: incident.Page{Events: list}, Selected: 20}))
	for _, want := range []string{"Logins fail. ", "Impact: 1 service down. ", "NOT SENT the webhook answered 503"} {
		if !strings.Contains(update+" ", want) {
			t.Errorf("the update does not say %q: %s", want, update)
		}
	}
	none := flat(Timeline(f, nil, TimelineView{}))
	if !strings.Contains(none, "no incident is declared: nothing is recorded") {
		t.Errorf("without an incident the timeline says %s", none)
	}
	if s := flat(Timeline(f, b, TimelineView{Page: incident.Page{Total: 9}, Filter: "x", Kinds: "notes"})); !strings.Contains(s, "0 shown of 9 · only notes · with x") || !strings.Contains(s, "none of the 9 events is like that") {
		t.Errorf("a filter without a hit says %s", s)
	}
}

// Whichever event is selected, its row and its whole expansion are in sight.
func TestTheSelectedEventIsInSight(t *testing.T) {
	b := goldenBoards()["mid"]
	list := events(b)
	for i := range list {
		s := text(Timeline(frameAt(t, 100, 20), b, TimelineView{Page: incident.Page{Events: list, Earlier: true, Later: true}, Selected: list[i].Seq}))
		if !strings.Contains(s, "▸ "+list[i].At.UTC().Format("15:04:05")) || !strings.Contains(s, fmt.Sprintf("record %d ·", list[i].Seq)) {
			t.Errorf("event %d is out of sight:\n%s", list[i].Seq, s)
		}
	}
}

func TestTheBriefIsBig(t *testing.T) {
	b := goldenBoards()["over"]
	for _, size := range bodies {
		rows := Brief(frameAt(t, size[0], size[1]), b, guide())
		s := text(rows)
		if n := strings.Count(s, "██████"); n < 10 {
			t.Errorf("%v: there is no big type:\n%s", size, s)
		}
		for _, want := range []string{"SEVERITY", "T+ SINCE THE ALERT", "! ASSESS IS OVER BY", "! UPDATE OVERDUE BY", "PostgreSQL Primary BLOCKED", "NEXT", "Identify failed secrets", "ic-1"} {
			if !strings.Contains(s, want) {
				t.Errorf("%v: the brief does not say %q:\n%s", size, want, s)
			}
		}
	}
	if s := text(Brief(frameAt(t, 160, 41), b, guide())); !strings.Contains(s, "In a minute") || !strings.Contains(s, "Impact: ") {
		t.Errorf("with room the brief has no summary:\n%s", s)
	}
	f := frameAt(t, 80, 20)
	f.Theme = themeOf(t, theme.ASCII)
	if s := text(Brief(f, b, guide())); strings.Count(s, "######") < 10 {
		t.Errorf("in ASCII there is no big type:\n%s", s)
	}
	if s := text(Brief(frameAt(t, 80, 20), goldenBoards()["no incident"], guide())); !strings.Contains(s, "no incident is declared: the clocks wait; I declares one") {
		t.Errorf("without an incident the brief says:\n%s", s)
	}
	// Every letter is as wide in each of its rows.
	for r, d := range dots {
		for _, row := range d {
			if len(row) != len(d[0]) {
				t.Errorf("the rows of %q differ in width", r)
			}
		}
	}
	for _, d := range []time.Duration{0, 59 * time.Second, 12*minute + 41*time.Second, 3*hour + 4*minute, 50 * hour, -minute} {
		for _, size := range []bigSize{bigFull, bigHalf} {
			for _, s := range []string{tplus(d), clock(d), "SEV1", "SEV4"} {
				for _, row := range frameAt(t, 80, 24).big(theme.Strong, s, size) {
					if row.width() != bigWidth(s, size) {
						t.Errorf("%q is %d cells wide in size %d, said to be %d", s, row.width(), size, bigWidth(s, size))
					}
				}
			}
		}
	}
}

func TestTheBandKeepsWhatMattersMost(t *testing.T) {
	over := bandOf(goldenBoards()["over"])
	over.Environment = "an environment with a rather long name"
	viewing := over
	viewing.Reading, viewing.Writer, viewing.Trouble = true, "ops-2@bastion-1 process 4121", "the disk is full"
	for w := 80; w <= 220; w++ {
		s := text(Band(frameAt(t, w, 1), over))
		for _, want := range []string{"DRILL", "READ-ONLY", "SEV1", "T+ 0:12:41", "OVER 7:41", "LATE 1:10"} {
			if !strings.Contains(strings.Replace(s, "OVERDUE 1:10", "LATE 1:10", 1), want) {
				t.Fatalf("at %d the band does not say %q: %q", w, want, s)
			}
		}
		s = text(Band(frameAt(t, w, 2), viewing))
		for _, want := range []string{"VIEWING", "READ-ONLY", "SEV1", "T+ 0:12:41", "OVER 7:41", "✗ JOURNAL: the disk is full"} {
			if !strings.Contains(s, want) {
				t.Fatalf("at %d the band does not say %q: %q", w, want, s)
			}
		}
	}
	s := text(Band(frameAt(t, 260, 1), viewing))
	for _, want := range []string{"DRILL db-rotation", "an environment with a rather long name", "VIEWING (written by ops-2@bastion-1 process 4121)", "✗ JOURNAL: the disk is full", "SEV1 T+ 0:12:41"} {
		if !strings.Contains(s, want) {
			t.Errorf("the band does not say %q: %q", want, s)
		}
	}
	mid := bandOf(goldenBoards()["mid"])
	mid.Drill = ""
	if s := text(Band(frameAt(t, 160, 1), mid)); !strings.Contains(s, "2026-11-23-1 │ SEV1 T+ 0:03:12 │ PHASE 1 ASSESS 3:12 / 5:00 │ update in 4:10") || !strings.Contains(s, "03:12:45 UTC") {
		t.Errorf("the band reads %q", s)
	}
	mid.Closed = true
	if s := text(Band(frameAt(t, 160, 1), mid)); !strings.Contains(s, "CLOSED") || strings.Contains(s, "PHASE") {
		t.Errorf("of a closed incident the band reads %q", s)
	}
	if BandHeight(mid) != 1 || BandHeight(viewing) != 2 {
		t.Error("the band asks for the wrong height")
	}
}

func TestTheStripSaysWhatTheNextKeyDoes(t *testing.T) {
	row := func(b *incident.Board, w int) string {
		return strings.TrimSpace(ansi.Strip(Strip(frameAt(t, w, 2), guide(), b)[1]))
	}
	boards := goldenBoards()
	if s := row(boards["mid"], 100); !strings.HasPrefix(s, "► 3/7 Identify failed secrets  ✗ 3 failed") || !strings.HasSuffix(s, "n settles it, then Test current secret validity") {
		t.Errorf("the strip reads %q", s)
	}
	b := boards["mid"]
	b.Node = "emergency"
	if s := row(b, 160); !strings.Contains(s, "4/7 Emergency access options") || !strings.Contains(s, "n waits: it is not read (no emergency role is configured): v marks it") {
		t.Errorf("of an unread node the strip reads %q", s)
	}
	b = boards["regressed"]
	b.Regressed = []string{"tested", "validity"}
	if s := row(b, 180); !strings.HasPrefix(s, "↻ 2 REGRESSED  Test current secrets at their targets") {
		t.Errorf("of a regression the strip reads %q", s)
	}
	if s := row(boards["done"], 140); !strings.HasPrefix(s, "the flow is through; on the list: ► ○ open Improve rotation automation") {
		t.Errorf("after the flow the strip reads %q", s)
	}
	for _, w := range []int{90, 120, 160} {
		one := strings.TrimSpace(ansi.Strip(Strip(frameAt(t, w, 1), guide(), boards["over"])[0]))
		if !strings.HasPrefix(one, "✗ FAIL  PostgreSQL Primary") || !strings.Contains(one, "│ ► 3/7 Identify failed secrets  ") || !strings.Contains(one, " n settles it, then") {
			t.Errorf("in one row of %d the strip reads %q", w, one)
		}
	}
	if s := row(boards["no incident"], 140); strings.Contains(s, "► ") {
		t.Errorf("without an incident the strip reads %q", s)
	}
}

func TestMeasuresAreLoudWhenOverdue(t *testing.T) {
	b := goldenBoards()["compromised"]
	rows, _ := Measures(frameAt(t, 100, 26), b, "M2", 0)
	s := flat(rows)
	for _, want := range []string{"3 open 1 OVERDUE", "M1 emergency access ✗ OVERDUE 6m was until 03:06:45", "who: ops-2, opened T-0:25:58 02:32:45", "▸ M2 backup key ○ open until 04:04:45, in 52m", "M4 manual override ! open, no end was given", "Ended", "M3 cancelled rotation ✓ ended", "end: rotated by hand"} {
		if !strings.Contains(s, want) {
			t.Errorf("the register does not say %q:\n%s", want, text(rows))
		}
	}
	if got := MeasureOrder(b); !slices.Equal(got, []string{"M1", "M2", "M4", "M3"}) {
		t.Errorf("they are in the order %v", got)
	}
}

func TestClocks(t *testing.T) {
	for _, c := range []struct {
		d       time.Duration
		a, b, l string
	}{
		{0, "0:00", "0:00:00", "0s"}, {3*minute + 12*time.Second, "3:12", "0:03:12", "3m"}, {hour + 2*minute + 3*time.Second, "1:02:03", "1:02:03", "1h 2m"},
		{51*hour + 7*minute, "2d 03:07", "2d 03:07", "2d 3h"}, {-hour, "0:00", "0:00:00", "0s"}, {26 * hour, "26:00:00", "26:00:00", "1d 2h"},
	} {
		if clock(c.d) != c.a || tplus(c.d) != c.b || late(c.d) != c.l {
			t.Errorf("%v reads %s, %s and %s, want %s, %s and %s", c.d, clock(c.d), tplus(c.d), late(c.d), c.a, c.b, c.l)
		}
	}
	phase := incident.PhaseClock{ID: "x", To: 5 * minute, Elapsed: 3 * minute}
	for _, c := range []struct {
		change   func(*incident.PhaseClock)
		declared bool
		want     string
		alarm    bool
	}{
		{func(*incident.PhaseClock) {}, true, "3:00 / 5:00", false},
		{func(*incident.PhaseClock) {}, false, "budget 0:00 to 5:00", false},
		{func(p *incident.PhaseClock) { p.From = 4 * minute }, true, "from 4:00 to 5:00", false},
		{func(p *incident.PhaseClock) { p.Over = 42 * time.Second }, true, "OVER 0:42", true},
		{func(p *incident.PhaseClock) { p.Done = true }, true, "done at 3:00", false},
		{func(p *incident.PhaseClock) { p.Done, p.Elapsed, p.Over = true, 6*minute, minute }, true, "done at 6:00, 1:00 over", false},
		{func(p *incident.PhaseClock) { p.To = 168 * hour }, true, "3:00 / 7d", false},
	} {
		p := phase
		c.change(&p)
		if s, alarm := counting(p, c.declared); s != c.want || alarm != c.alarm {
			t.Errorf("a phase reads %q (%v), want %q (%v)", s, alarm, c.want, c.alarm)
		}
	}
}

func TestStepsNobodyHeardOfAreUnknown(t *testing.T) {
	f := frameAt(t, 80, 24)
	for _, s := range []sign{f.nodeSign(77), f.itemSign(77)} {
		if s.word != "UNKNOWN" || s.glyph != "?" {
			t.Errorf("it is drawn as %s %s", s.glyph, s.word)
		}
	}
	if s := f.stanceSign(77); s.word != "unread" {
		t.Errorf("evidence nobody heard of is drawn as %s", s.word)
	}
}

// head is the beginning of a text, which is left when it is cut.
