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

// step takes a step that nothing reads, by a person's word.
func (l *loop) step() {
	l.t.Helper()
	l.press("n")
	l.sees("What you saw")
	l.rest()
	l.typed("seen on the pager")
	l.press("enter")
}

func old(r *room) time.Time { return r.now().Add(-10 * time.Minute) }

func TestNextReadsWhatIsOldAndSettlesWhatSaysTheSame(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		l.step()
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
		l.sees("n: not now, its evidence is being read: reading 0/1", "reading 0/1")
		l.pass(2 * time.Second)
		if n := strings.Count(l.screen(), "reading 0/1"); n == 0 {
			t.Errorf("nothing says that it is being read:\n%s", l.screen())
		}
		l.seesNot("n settles it")
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
		l.step()
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

// What does not answer in time is named, and nothing is settled without it.
func TestNextGivesUpAndSaysWhatIsMissing(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		l.step()
		r.senses.at(old(r))
		l.arrives()
		l.rest()
		l.press("n")
		l.pass(stepWait - time.Second)
		l.sees("reading 0/1")
		l.pass(2 * time.Second)
		l.sees("Rotation status is not settled, no answer from Secrets Manager; n reads again")
		l.seesNot("reading 0/1")
		l.toldNot("Rotation status: done")
		l.press("n")
		l.sees("reading 0/1")
		r.senses.at(time.Time{})
		l.arrives()
		l.told("Rotation status: done")
	})
}

func TestNextNeverSettlesWhatIsNotRead(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		l.step()
		r.senses.set("rotation.status", diagnosis.Finding{Stance: diagnosis.Unread, Value: "CloudWatch does not answer"})
		l.arrives()
		l.rest()
		l.press("n")
		if got := r.w.checks(); got != "[[]]" {
			t.Errorf("nothing says what it rests on, so everything is checked: %s", got)
		}
		l.pass(stepWait + time.Second)
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
		l.step()
		l.rest()
		for range 50 {
			l.press("n")
			l.pass(30 * time.Millisecond)
		}
		if n := strings.Count(strings.Join(r.shelf.told(), "\n"), ": done"); n != 2 {
			t.Errorf("a key held down settled %d steps", n)
		}
		l.sees("look, then press again")
		l.seesNot("n next step")
		l.rest()
		l.sees("n next step")
		l.press("n")
		if n := strings.Count(strings.Join(r.shelf.told(), "\n"), ": done"); n != 3 {
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
		l.step()
		l.rest()
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
		l.step()
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

func TestAStepThatNothingReadsAsksWhatWasSeen(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t, func(o *Options) { o.Alert = r.now().Add(-4 * time.Minute) })
		l.arrives()
		l.declare()
		l.sees("n asks what you saw")
		l.press("n")
		l.sees("the alert was raised at")
		l.toldNot("Rotation alert: done")
		l.rest()
		l.press("ctrl+u", "enter")
		l.sees("say what you saw")
		l.typed("paged by the gateway")
		l.press("enter")
		l.told("Rotation alert: done: paged by the gateway")
	})
}

// The mark of a settled node begins with how it stands, and a verdict that is
// chosen is never thrown away.
func TestAMarkKeepsWhatWasMarked(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		l.press("2")
		l.m.flow = flowPlace{moved: true, node: "status"}
		l.press("v")
		l.seesNot("Verdict")
		l.press("esc")
		l.m.flow = flowPlace{moved: true, node: "fate"}
		l.press("v")
		l.rest()
		l.press("right", "enter", "left") // ruled out, and then a verdict: compromised is the last
		if l.m.form.fields[0].chosen != 0 {
			t.Error("a verdict does not say that it is done")
		}
		l.press("enter")
		l.typed("read from elsewhere")
		l.press("enter")
		l.told("Security impact: done: compromised")
		l.rest()
		l.press("enter")
		l.rest()
		l.m.flow = flowPlace{moved: true, node: "fate"}
		l.press("v")
		l.sees("[done]", "[as it is]", "A person marked it COMPROMISED")
		l.rest()
		l.press("enter", "right", "up", "right", "right", "enter", "enter") // a verdict with open again
		l.typed("no more")
		l.press("enter")
		l.sees("a verdict goes with done")
		l.press("esc")
		// A step over it does not replace it, whatever the evidence says.
		r.senses.set("credential.fate", finding(diagnosis.For, "past its time", r.now()))
		l.arrives()
		l.m.flow = flowPlace{moved: true, node: "fate"}
		l.press("t")
		l.rest()
		l.press("n")
		if s := l.m.kase.State; s.Verdict != "compromised" || !s.Marked {
			t.Errorf("verdict %q, marked %v", s.Verdict, s.Marked)
		}
	})
}
