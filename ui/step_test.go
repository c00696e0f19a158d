package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
)

// read makes the reads of every component end now.
func (r *room) read() {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	for _, c := range r.w.snap.Topology.Components {
		r.w.snap = r.w.snap.With(estate.Observation{Key: estate.Key{Component: c.ID, Check: "test"}, At: r.now(), Interval: 30 * time.Second})
	}
}

// arrives brings what was read.
func (l *loop) arrives() {
	l.r.read()
	l.m.pump.snaps <- l.r.w.snapshot()
	l.settle()
}

func old(r *room) time.Time { return r.now().Add(-10 * time.Minute) }

func TestNextReadsWhatIsOldAndSettlesWhatSaysTheSame(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		l.press("n")
		l.told("Rotation alert: done") // nothing reads it
		r.senses.at(old(r))
		l.arrives()
		l.rest()
		l.press("n")
		l.sees("checking Rotation status")
		if got := r.w.checks(); got != fmt.Sprint([][]estate.ID{{"secrets-manager"}}) {
			t.Errorf("checked %s", got)
		}
		l.toldNot("Rotation status: done")
		l.press("n")
		l.sees("n: not now, its evidence is being read")
		l.pass(2 * time.Second)
		l.toldNot("Rotation status: done")
		r.senses.at(time.Time{})
		l.arrives()
		l.told("Rotation status: done")
		l.sees("recorded: the step Rotation status")
	})
}

func TestNextShowsWhatHasChangedBeforeItIsSettled(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		l.press("n")
		r.senses.at(old(r))
		l.arrives()
		l.rest()
		l.press("n")
		l.pass(time.Second)
		r.senses.set("rotation.status", finding(diagnosis.Against, "14 of 14 worked", r.now()))
		l.arrives()
		l.sees("read again: against, 14 of 14 worked; n settles it")
		l.toldNot("Rotation status: done")
		l.rest()
		l.press("n")
		l.told("Rotation status: done: 14 of 14 worked")
	})
}

func TestNextNeverSettlesWhatIsNotRead(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		l.press("n")
		r.senses.set("rotation.status", diagnosis.Finding{Stance: diagnosis.Unread, Value: "CloudWatch does not answer"})
		l.arrives()
		l.rest()
		l.press("n")
		if got := r.w.checks(); got != "[[]]" {
			t.Errorf("nothing says what it rests on, so everything is checked: %s", got)
		}
		l.pass(answerWait + time.Second)
		l.sees("Rotation status is not read", "CloudWatch does not answer", "v marks it")
		l.toldNot("Rotation status: done")
		// A person's word.
		l.press("2", "v")
		l.sees("Mark: Rotation status", "Not read: CloudWatch")
		l.rest()
		l.press("enter", "enter")
		l.typed("seen in the AWS console")
		l.press("enter")
		l.told("Rotation status: done", "seen in the AWS console")
	})
}

func TestAKeyHeldDownSettlesOneStep(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		l.press("2")
		for range 50 {
			l.press("n")
			l.pass(30 * time.Millisecond)
		}
		if n := strings.Count(strings.Join(r.shelf.told(), "\n"), ": done"); n != 1 {
			t.Errorf("a key held down settled %d steps", n)
		}
		l.sees("look, then press again")
		l.seesNot("n next step")
		l.rest()
		l.sees("n next step")
		l.press("n")
		if n := strings.Count(strings.Join(r.shelf.told(), "\n"), ": done"); n != 2 {
			t.Errorf("after a rest, n settled %d steps in all", n)
		}
	})
}

func TestCompromisedOffersToTellSecurity(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.senses.set("credential.fate", finding(diagnosis.NoSensor, "", r.now()))
		l := r.start(t)
		l.arrives()
		l.declare()
		for l.m.newest.Node != "fate" {
			l.press("n")
			l.rest()
		}
		l.press("n")
		l.sees("Security impact", "not told yet")
		l.rest()
		l.press("enter", "right", "enter")
		l.sees("choose one")
		l.press("left", "enter") // compromised is the last one
		l.press("right", "enter")
		l.told("Security impact: done: compromised")
		l.sees("COMPROMISED: tell security now?")
		l.rest()
		l.press("tab", "enter")
		l.sees("Status update", "for security")
		l.press("w")
		l.sees("Send this update?", "security-desk (security)")
		l.rest()
		l.press("enter", "right", "enter")
		if got := r.sent.all(); len(got) != 1 || !strings.HasPrefix(got[0], "security-desk: ") {
			t.Errorf("sent %q", got)
		}
		l.told("update to security-desk")
	})
}

func TestFlowByTheCursor(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		l.press("n")
		l.rest()
		l.press("2", "j", "j")
		node := l.m.flowNode()
		if node == l.m.board.Node || node == "" {
			t.Fatalf("the cursor stands on %q", node)
		}
		l.press("enter")
		if l.m.view != modeNode || l.m.flow.detail != node {
			t.Fatalf("the detail of %q in %s", l.m.flow.detail, l.m.view)
		}
		l.press("t")
		if l.m.newest.Node != node {
			t.Errorf("t took %q, not %q", l.m.newest.Node, node)
		}
		l.press("esc", "esc", "esc")
		if l.m.view != modePlanes {
			t.Errorf("esc leads to %s", l.m.view)
		}
		l.press("2", "tab")
		l.sees("ROOT CAUSE")
	})
}
