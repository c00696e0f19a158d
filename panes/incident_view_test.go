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
func TestTheFlowIsInSightWithItsCurrentNodeInAFrame(t *testing.T) {
	for _, size := range bodies {
		for _, name := range situations {
			b := goldenBoards()[name]
			for phase := range b.Flow {
				rows, _ := Flow(frameAt(t, size[0], size[1]), b, FlowView{Phase: phase})
				s := text(rows)
				for i := range b.Flow[phase].Nodes {
					n := &b.Flow[phase].Nodes[i]
					if got := strings.Count(s, head(n.Node.Title)); got == 0 {
						t.Errorf("%v, %s: phase %d does not show %q:\n%s", size, name, phase+1, n.Node.Title, s)
					}
					for _, l := range n.Lines {
						if !strings.Contains(s, head(l.Line.Text)) {
							t.Errorf("%v, %s: phase %d does not show the line %q:\n%s", size, name, phase+1, l.Line.Text, s)
						}
					}
				}
				here := 0
				if d := frameAt(t, size[0], size[1]).flow(b, FlowView{Phase: phase}); d.find(b.Node) >= 0 {
					here = 1
				}
				if got := strings.Count(s, "┏") + strings.Count(s, "━━ ►"); got < here || here == 0 && got > 0 {
					t.Errorf("%v, %s: phase %d has %d heavy frames, want %d:\n%s", size, name, phase+1, got, here, s)
				}
				if strings.Contains(s, "more ↓") || strings.Contains(s, "more ↑") {
					t.Errorf("%v, %s: phase %d has to be scrolled:\n%s", size, name, phase+1, s)
				}
			}
		}
	}
}

// On a screen too low for a phase the selected node is in sight all the same, with
// the phase and its clock.
func TestTheSelectedNodeIsInSightHoweverLowTheScreen(t *testing.T) {
	b := goldenBoards()["over"]
	for h := 6; h < 20; h++ {
		for phase := range b.Flow {
			for i := range b.Flow[phase].Nodes {
				n := b.Flow[phase].Nodes[i].Node
				rows, _ := Flow(frameAt(t, 80, h), b, FlowView{Phase: phase, Selected: n.ID})
				s := text(rows)
				if !strings.Contains(s, head(n.Title)) {
					t.Errorf("%d rows: %q is out of sight:\n%s", h, n.Title, s)
				}
				if want := []string{"PHASE 1 ASSESS  OVER 7:41", "PHASE 2 ROOT CAUSE 12:41 / 15:00"}[phase]; !strings.Contains(s, want) {
					t.Errorf("%d rows: the title does not say %q:\n%s", h, want, s)
				}
			}
		}
	}
}

func TestTheFlowSaysWhatEachNodeRestsOn(t *testing.T) {
	b := goldenBoards()["regressed"]
	rows, _ := Flow(frameAt(t, 160, 41), b, FlowView{Phase: 0, Selected: "validity"})
	s := flat(rows)
	for _, want := range []string{
		"↻ REGRESSED 4 Test current secret validity", "✗ 1 of 3 refused: app_user at PostgreSQL Primary (28P01)", "read 10s ago · SCRAM login at db.company.com:5432",
		"⊘ ruled out Emergency access options", "? unread: no emergency role is configured", "done at 4:50", "verdict EXPIRED", "1 Assess ✓ 6/7 ↻ 1",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("the flow does not say %q:\n%s", want, text(rows))
		}
	}
	rows, _ = Flow(frameAt(t, 160, 41), b, FlowView{Phase: 1})
	s = flat(rows)
	for _, want := range []string{"◆ Connection timeouts for: 15 in 1 h", "? Firewall blocks unread: security groups: access denied", "– Cron jobs no sensor", "◇ DNS resolution against: 3 of 3 names resolve", "~ for: 8 of 12 copies agree", "leave when: one mechanism and one failure point stand"} {
		if !strings.Contains(s, want) {
			t.Errorf("the matrix does not say %q:\n%s", want, text(rows))
		}
	}
	if n := strings.Count(s, "────►"); n != 4 {
		t.Errorf("%d arrows lead from mechanism to failure point, want 4:\n%s", n, text(rows))
	}
	b.State.Verdict, b.State.Marked = "compromised", true
	rows, _ = Flow(frameAt(t, 160, 41), b, FlowView{Phase: 0})
	if s := flat(rows); !strings.Contains(s, "verdict COMPROMISED a person's mark") {
		t.Errorf("the verdict is not told:\n%s", text(rows))
	}
}

func TestTheCursorReachesEveryNode(t *testing.T) {
	b := goldenBoards()["mid"]
	for phase := range b.Flow {
		first := FlowMove(b, phase, "", 0, 0)
		reached := map[string]bool{first: true}
		queue := []string{first}
		for len(queue) > 0 {
			at := queue[0]
			queue = queue[1:]
			for _, d := range [][2]int{{0, 1}, {0, -1}, {1, 0}, {-1, 0}} {
				if to := FlowMove(b, phase, at, d[0], d[1]); !reached[to] {
					reached[to] = true
					queue = append(queue, to)
				}
			}
		}
		if len(reached) != len(b.Flow[phase].Nodes) {
			t.Errorf("phase %d: the cursor reaches %d of %d nodes", phase+1, len(reached), len(b.Flow[phase].Nodes))
		}
	}
	for _, c := range []struct {
		phase    int
		from, to string
		dx, dy   int
	}{
		{0, "status", "logs", 1, 0}, {0, "logs", "status", -1, 0}, {0, "fate", "emergency", 1, 0}, {0, "alert", "alert", 0, -1}, {0, "alert", "status", 0, 1}, {0, "fate", "fate", 0, 1},
		{1, "mechanism.manual", "failure.permission", 1, 0}, {1, "failure.state", "failure.state", 1, 0}, {1, "failure.state", "failure.target", 0, -1},
	} {
		if got := FlowMove(b, c.phase, c.from, c.dx, c.dy); got != c.to {
			t.Errorf("from %s by %d,%d the cursor goes to %s, want %s", c.from, c.dx, c.dy, got, c.to)
		}
	}
	if FlowMove(nil, 0, "x", 0, 1) != "" || FlowMove(b, 7, "x", 0, 1) != "" {
		t.Error("a phase that is not there has a node")
	}
}

// Exactly one item has a frame, all are in sight on the design size, and the
// completion call is the last.
func TestTheChecklistFitsWithOneCurrentItem(t *testing.T) {
	for _, size := range bodies {
		for _, name := range situations {
			b := goldenBoards()[name]
			for phase := range b.List {
				rows, _ := Checklist(frameAt(t, size[0], size[1]), b, ListView{Phase: phase})
				s := text(rows)
				boxes := 0
				order := ListOrder(b, phase)
				if slices.Contains(order, b.Item) {
					boxes = 1
				}
				if got := strings.Count(s, "┏"); got != boxes {
					t.Errorf("%v, %s: phase %d has %d frames, want %d:\n%s", size, name, phase+1, got, boxes, s)
				}
				if strings.Contains(s, "more ↓") || strings.Contains(s, "more ↑") {
					t.Errorf("%v, %s: phase %d has to be scrolled:\n%s", size, name, phase+1, s)
				}
				at := -1
				for _, id := range order {
					v := findItem(b, id)
					start := v.Item.Text[:min(len(v.Item.Text), 20)]
					to := strings.Index(s, start)
					if to < 0 || to < at {
						t.Errorf("%v, %s: phase %d does not show %q where ListOrder has it:\n%s", size, name, phase+1, start, s)
					}
					at = to
				}
				if last := order[len(order)-1]; !findItem(b, last).Call {
					t.Errorf("the last item of phase %d is %s", phase+1, last)
				}
			}
		}
	}
}

func TestTheChecklistSaysHowEachItemWasSettled(t *testing.T) {
	b := goldenBoards()["mid"]
	rows, _ := Checklist(frameAt(t, 100, 26), b, ListView{Reminder: "You were at item 2"})
	s := flat(rows)
	for _, want := range []string{
		"► You were at item 2", "IMMEDIATE RESPONSE 3:12 / 10:00", "READ-DO", "leave when: impact is known and security is told",
		"1 Immediate 2/6", "2 Investigation 0/6", "★ (◎) ✓ done Identify each secret", "ic-1 T+0:01:30 03:11:03",
		"⊘ skipped Check expiry", "no grace is configured for database secrets", "» doing Assess impact", "(?) ○ open Enable emergency access", "? unread: no emergency role is configured",
		"[ ] ○ open Notify security and compliance", "expect: who was told, when", "● READY Test current secrets at their targets", "✗ 3 of 3 tried, 1 refused",
		"expect: every target tried", "read 10s ago · SCRAM login at db.company.com:5432", "waits IMMEDIATE COMPLETE", "4 of 6 still open",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("the checklist does not say %q:\n%s", want, text(rows))
		}
	}
	if strings.Contains(strings.ToLower(s), "checked") {
		t.Errorf("a response says nothing but checked:\n%s", text(rows))
	}
	rows, _ = Checklist(frameAt(t, 100, 26), goldenBoards()["regressed"], ListView{})
	if s := flat(rows); !strings.Contains(s, "↻ REGRESSED Test current secrets") || !strings.Contains(s, "its evidence has turned 10s ago; was: 3 of 3 log in") {
		t.Errorf("a regression is not told:\n%s", text(rows))
	}
	rows, _ = Checklist(frameAt(t, 100, 26), goldenBoards()["compromised"], ListView{})
	if s := flat(rows); !strings.Contains(s, "★ (◎) ○ open Rotate every failed secret") || !strings.Contains(s, "BROUGHT FORWARD from Recovery") {
		t.Errorf("what was brought forward is not told:\n%s", text(rows))
	}
	done := goldenBoards()["done"]
	rows, _ = Checklist(frameAt(t, 100, 26), done, ListView{Phase: 3})
	if s := flat(rows); !strings.Contains(s, "owner team-platform OVERDUE 10h 0m was due Fri 13 Mar 17:12") || !strings.Contains(s, "owner ! nobody · due Sat 14 Mar 23:12") || !strings.Contains(s, "DO-CONFIRM") {
		t.Errorf("owners and dates are not told:\n%s", text(rows))
	}
	rows, _ = Checklist(frameAt(t, 100, 26), done, ListView{Phase: 1})
	if s := flat(rows); !strings.Contains(s, "! overridden Review recent changes") || !strings.Contains(s, "5 done, 1 overridden") {
		t.Errorf("an override is not told:\n%s", text(rows))
	}
}

// A list as long as a runbook may make it needs no scrolling either.
func TestAListOfNineFitsTheDesignSize(t *testing.T) {
	b := goldenBoards()["regressed"]
	p := &b.List[0]
	for i := range 3 {
		one := p.Items[i+1]
		item := *one.Item
		item.ID += fmt.Sprint(i)
		one.Item = &item
		p.Items = slices.Insert(p.Items, 3, one)
	}
	rows, _ := Checklist(frameAt(t, 100, 26), b, ListView{Reminder: "You were at item 2"})
	if s := text(rows); strings.Contains(s, "more ↓") || !strings.Contains(s, "IMMEDIATE COMPLETE") {
		t.Errorf("nine items do not fit:\n%s", s)
	}
}

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

func TestTheFormKeepsItsFieldAndButtonsInSight(t *testing.T) {
	v := goldenForm()
	for _, size := range [][2]int{{80, 24}, {60, 12}, {40, 8}, {30, 6}} {
		for sel := range len(v.Fields) + 2 {
			v.Selected = sel
			s := text(Form(frameAt(t, size[0], size[1]), v))
			if !strings.Contains(s, "[ Cancel ]") || !strings.Contains(s, "[ Declare ]") {
				t.Errorf("%v: the buttons are out of sight:\n%s", size, s)
			}
			if strings.Count(s, "▸") != 1 {
				t.Errorf("%v: with %d chosen there are %d marks:\n%s", size, sel, strings.Count(s, "▸"), s)
			}
		}
	}
	v.Selected = 0
	if s := text(Form(frameAt(t, 80, 24), v)); !strings.Contains(s, "SEV1 [SEV2] SEV3  SEV4") || !strings.Contains(s, "✗ no time of day: write it as 15:04") || !strings.Contains(s, "who decides") || strings.Contains(s, "█") {
		t.Errorf("the form reads:\n%s", s)
	}
	v.Selected = 1
	if s := text(Form(frameAt(t, 80, 24), v)); !strings.Contains(s, "Logins█ to PostgreSQL fail") {
		t.Errorf("the cursor is not where it is:\n%s", s)
	}
	v.Selected = 4
	v.Fields[4].Value = strings.Repeat("a line of a long note\n", 40)
	v.Fields[4].Cursor = len(v.Fields[4].Value) / 2
	if s := text(Form(frameAt(t, 80, 24), v)); strings.Count(s, "█") != 1 || strings.Count(s, "a line of a long note") > fieldRows+1 {
		t.Errorf("a long note reads:\n%s", s)
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

func BenchmarkIncidentPanes(b *testing.B) {
	board := goldenBoards()["regressed"]
	list := events(board)
	for len(list) < 200 {
		list = append(list, list[:min(len(list), 200-len(list))]...)
	}
	f := Frame{Width: 160, Height: 41, Theme: themeOf(b, theme.Default), Now: now}
	small := Frame{Width: 80, Height: 20, Theme: themeOf(b, theme.Default), Now: now}
	for _, c := range []struct {
		name string
		draw func()
	}{
		{"flow", func() { Flow(f, board, FlowView{Phase: 0}) }}, {"flow-80x20", func() { Flow(small, board, FlowView{Phase: 0}) }}, {"matrix", func() { Flow(f, board, FlowView{Phase: 1}) }},
		{"node", func() { NodeDetail(f, board, "failure.network", 0) }}, {"checklist", func() { Checklist(f, board, ListView{}) }}, {"checklist-80x20", func() { Checklist(small, board, ListView{}) }},
		{"timeline-200", func() { Timeline(f, board, TimelineView{Page: incident.Page{Events: list}}) }}, {"brief", func() { Brief(f, board, guide()) }}, {"measures", func() { Measures(f, board, "M2", 0) }},
		{"band", func() { Band(f, bandOf(board)) }}, {"strip", func() { Strip(small, guide(), board) }}, {"form", func() { Form(f, goldenForm()) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.draw()
			}
		})
	}
}

// head is the beginning of a text, which is left when it is cut.
func head(s string) string { return s[:min(len(s), 8)] }
