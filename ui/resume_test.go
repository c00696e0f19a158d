package ui

import (
	"strings"
	"testing"
	"time"

	"warroom/internal/incident"
)

// second makes a console that of another operator.
func second(r *room) func(*Options) {
	return func(o *Options) {
		o.Operator, o.Casebook = "ops-2", lent{r.shelf, "ops-2@laptop (process 12)"}
	}
}

func TestResumeIsOffered(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		l.step()
		l.end()
		book := l.m.book
		l.pass(time.Minute)
		_ = book.Close()

		again := r.start(t)
		again.sees("Incident 2026-03-14-1 is open", "orders fail for everyone", "Resume", "Not now")
		again.rest()
		again.press("enter")
		again.sees("SEV2", "you were at the step Rotation status")
		again.press("5")
		again.sees("you were at the step Rotation status")
		if again.r.shelf.acks() != 0 {
			t.Error("a reminder was answered before anyone acted")
		}
		again.rest()
		again.note("back")
		again.told("back")
		if again.r.shelf.acks() != 1 {
			t.Error("that the reminder was read is not recorded")
		}
		again.seesNot("you were at")
	})
}

// acks is how many reminders were answered.
func (s *shelf) acks() int {
	n := 0
	for _, e := range s.events() {
		if e.Kind == incident.KindAck {
			n++
		}
	}
	return n
}

func TestResumeCanWait(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		_ = l.m.book.Close()
		again := r.start(t)
		again.rest()
		again.press("tab", "enter")
		again.seesNot("SEV2")
		again.press(":")
		again.typed("resume inc")
		again.sees("Resume incident 2026-03-14-1")
		again.press("enter")
		again.sees("SEV2")
	})
}

func TestASecondConsoleFollowsAndRecordsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		two := r.start(t, second(r))
		two.sees("writes it: this console would only follow", "Follow")
		two.rest()
		two.press("enter")
		two.sees("SEV2", "read-only")
		for _, k := range []string{"m", "d", "n", "5"} {
			two.rest()
			two.press(k)
			if k != "5" {
				two.sees(k + ": not now, ic-1@bridge (process 4711) writes this incident; this console follows")
			}
		}
		for _, k := range []string{"space", "s", "N", "u", "o", "a"} {
			two.press(k)
			two.sees("not now, ic-1@bridge")
		}
		// It follows live.
		l.note("the bridge is up")
		two.settle()
		two.press("7")
		two.sees("the bridge is up")
		two.press("U", "y")
		two.sees("copied the update")
		two.press("w")
		two.sees("w: not now, ic-1@bridge")
		// What changes is told by the one that writes, once.
		n := len(r.shelf.events())
		two.pass(time.Minute)
		two.arrives()
		if got := len(r.shelf.events()); got != n {
			t.Errorf("the follower recorded %d events", got-n)
		}

		// Once the writer has left, I takes over.
		_ = l.m.book.Close()
		l.end()
		two.note("cannot")
		two.toldNot("cannot")
		two.press("I")
		two.settle()
		two.seesNot("follows")
		two.rest()
		two.note("taken over")
		two.told("taken over")
	})
}

func TestReminderAfterAnInterruption(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		l.step()
		l.press("2")
		l.seesNot("you were at")
		l.pass(idleFor + time.Second)
		l.sees("you were at the step Rotation status")
		l.press("j") // looking is no answer
		l.sees("you were at the step Rotation status")
		l.press("esc", "n")
		l.told("Rotation status: done")
		l.seesNot("you were at")
		if n := r.shelf.acks(); n != 1 {
			t.Errorf("%d answers were recorded", n)
		}

		// Another view, and back: a glance is no interruption.
		l.press("5", "1")
		l.pass(time.Second)
		l.press("5")
		l.seesNot("you were at")
		l.press("1")
		l.pass(awayFor + time.Second)
		l.press("5")
		l.sees("you were at 1 of Immediate response")
		l.press("s")
		l.rest()
		l.typed("not ours")
		l.press("enter", "right", "enter")
		l.told("skipped")
		l.seesNot("you were at")
	})
}

func TestTimelinePages(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		h := l.m.book.(*handle)
		for i := range 250 {
			if err := h.Record(t.Context(), incident.New("ic-1", incident.Noted{Text: strings.Repeat("x", i%7) + " note " + stamp(r.now()) + " " + string(rune('a'+i%26))})); err != nil {
				t.Fatal(err)
			}
		}
		l.settle()
		l.press("7")
		total := len(r.shelf.events())
		if n := len(l.m.line.page.Events); n != pageSize || l.m.line.page.Events[n-1].Seq != uint64(total) {
			t.Fatalf("the newest page has %d events of %d", n, total)
		}
		// Back to the first event, page by page, and forward again.
		for range 40 {
			l.press("pgup")
		}
		if first := l.m.line.page.Events[0].Seq; first != 1 {
			t.Errorf("it goes back to event %d", first)
		}
		l.sees("orders fail for everyone")
		for range 40 {
			l.press("pgdown")
		}
		events := l.m.line.page.Events
		if last := events[len(events)-1].Seq; last != uint64(total) {
			t.Errorf("it goes forward to event %d of %d", last, total)
		}
		if !l.m.line.following() {
			t.Error("at the end it does not follow")
		}
		l.press("home")
		if l.m.line.page.Events[0].Seq != 1 {
			t.Errorf("home goes to event %d", l.m.line.page.Events[0].Seq)
		}
		// While an old page is read, news do not move it.
		at := l.m.line.page.Events[0].Seq
		l.note("new")
		if l.m.line.page.Events[0].Seq != at {
			t.Error("the page moved")
		}
		l.press("end")
		l.sees("new")
		l.press("/")
		l.typed("orders")
		l.press("enter")
		if n := len(l.m.line.page.Events); n != 1 {
			t.Errorf("%d events hold what was searched for", n)
		}
		l.press("esc")
		l.press("f", "f")
		for _, e := range l.m.line.page.Events {
			if e.Kind != incident.KindNote && e.Kind != incident.KindDecision {
				t.Fatalf("a %s among notes and decisions", e.Kind)
			}
		}
	})
}
