package panes

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

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
		"REGRESSED ▸ 4 Test current secret validity", "✗ 1 of 3 refused: app_user at PostgreSQL Primary (28P01)", "read 10s ago · SCRAM login at db.company.com:5432",
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

func head(s string) string { return s[:min(len(s), 8)] }

// Several side nodes hang off one line, and each is drawn once.
func TestSideNodesShareALine(t *testing.T) {
	b := goldenBoards()["mid"]
	nodeOf(b, "logs").Node.Beside, nodeOf(b, "emergency").Node.Beside = "failed", "failed"
	rows, _ := Flow(frameAt(t, 160, 41), b, FlowView{})
	s := text(rows)
	for _, want := range []string{"──┬─►", "  ├─►", "  └─►"} {
		if strings.Count(s, want) != 1 {
			t.Errorf("%q is not drawn once:\n%s", want, s)
		}
	}
	for _, id := range []string{"logs", "dependencies", "emergency"} {
		if strings.Count(s, nodeOf(b, id).Node.Title) != 1 {
			t.Errorf("%s is not drawn once:\n%s", id, s)
		}
	}
	// A side node whose main node is not there is not lost.
	nodeOf(b, "logs").Node.Beside = "gone"
	rows, _ = Flow(frameAt(t, 160, 41), b, FlowView{})
	if s := text(rows); strings.Count(s, "Review rotation logs") != 1 {
		t.Errorf("a side node of nothing is lost:\n%s", s)
	}
}

// The current step says what is left of its phase for it, where there is room.
func TestTheCurrentStepSaysItsShareOfTheBudget(t *testing.T) {
	b := goldenBoards()["over"]
	phase := -1
	for i := range b.Flow {
		for j := range b.Flow[i].Nodes {
			n := &b.Flow[i].Nodes[j]
			n.Budget = 0
			if n.Node.ID == b.Node {
				phase, n.Budget = i, 43*time.Second
			}
		}
	}
	if phase < 0 {
		t.Fatal("the board has no current node")
	}
	for _, width := range []int{100, 160} {
		rows, _ := Flow(frameAt(t, width, 30), b, FlowView{Phase: phase})
		if s := strings.Join(visible(rows), "\n"); strings.Count(s, "0:43") != 1 {
			t.Errorf("%d cells:\n%s", width, s)
		}
	}
}

// Wherever the cursor is, the current node says what is asked, what was read, from
// where, and how old that is.
func TestTheCurrentNodeSaysItAllWhereverTheCursorIs(t *testing.T) {
	b := goldenBoards()["mid"]
	v, phase := findNode(b, b.Node)
	for _, n := range b.Flow[phase].Nodes {
		rows, _ := Flow(frameAt(t, 100, 26), b, FlowView{Phase: phase, Selected: n.Node.ID})
		s := flat(rows)
		from := strings.Fields(frameAt(t, 100, 26).provenance(&v.Finding))
		for _, want := range []string{v.Node.Text[:20], v.Finding.Value[:20], strings.Join(from[:3], " ")} {
			if !strings.Contains(s, want) {
				t.Errorf("with the cursor on %s the current node does not say %q:\n%s", n.Node.ID, want, text(rows))
			}
		}
	}
}
