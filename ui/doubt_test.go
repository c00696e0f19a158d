package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/incident"
)

var errUnsure = fmt.Errorf("write the head: %w: input/output error", incident.ErrUnsure)

// count is how many events of people say exactly a text.
func (l *loop) count(text string) int {
	n := 0
	for _, s := range l.r.shelf.told() {
		if s == text {
			n++
		}
	}
	return n
}

func TestWhatMayBeRecordedIsLookedUpBeforeItIsDoneAgain(t *testing.T) {
	for _, written := range []bool{true, false} {
		bubble(t, func(t *testing.T, r *room) {
			l := r.start(t)
			l.arrives()
			l.declare()
			r.shelf.set(func(s *shelf) { s.records, s.written = errUnsure, written })
			l.note("first")
			l.sees("NOT KNOWN whether it was recorded: note", "Look in the timeline")
			l.seesNot("None of this has happened", "Try again", "Record it again")
			r.shelf.set(func(s *shelf) { s.records, s.written = nil, false })
			l.rest()
			l.press("tab", "enter")
			if written {
				l.sees("recorded all the same: note")
			} else {
				l.sees("it is not in it", "Record it again")
				l.rest()
				l.press("tab", "tab", "enter")
				l.sees("recorded: note")
			}
			l.settle()
			if n := l.count("first"); n != 1 {
				t.Errorf("written %v: it is recorded %d times:\n%s", written, n, l.screen())
			}
		})
	}
}

func TestWhatWaitedBehindADoubtIsOfferedOnceThatIsSettled(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		block := make(chan struct{})
		r.shelf.set(func(s *shelf) { s.blocked, s.records, s.written = block, errUnsure, true })
		l.note("first")
		l.note("second")
		r.shelf.set(func(s *shelf) { s.blocked = nil })
		close(block)
		l.settle()
		r.shelf.set(func(s *shelf) { s.records, s.written = nil, false })
		l.sees("NOT KNOWN whether it was recorded: note", "not recorded: note")
		l.rest()
		l.press("tab", "enter")
		l.sees("What came before it was recorded all the same", "Try again")
		l.rest()
		l.press("tab", "enter")
		if l.count("first") != 1 || l.count("second") != 1 {
			t.Errorf("recorded as %q", r.shelf.told())
		}
	})
}

func TestADeclarationThatMayBeRecordedIsNotMadeTwice(t *testing.T) {
	for _, written := range []bool{true, false} {
		bubble(t, func(t *testing.T, r *room) {
			l := r.start(t)
			r.shelf.set(func(s *shelf) { s.records, s.written = errUnsure, true })
			l.press("I")
			l.rest()
			l.press("enter")
			l.typed("orders fail")
			l.press("enter", "enter", "enter", "enter", "enter", "enter")
			l.sees("NOT KNOWN whether it was recorded: declaring the incident")
			l.seesNot("Nothing was recorded")
			r.shelf.set(func(s *shelf) {
				s.records, s.written = nil, false
				if !written {
					s.journals = nil
				} else {
					s.journals[0].writer = nil
				}
			})
			l.rest()
			l.press("enter") // leave it
			l.press("I")     // looks before anything else
			if written {
				l.sees("Incident 2026-03-14-1 is open", "Resume")
			} else {
				l.sees("it was not declared")
				l.declare()
			}
			if n := len(r.shelf.journals); n != 1 {
				t.Errorf("%d incidents", n)
			}
		})
	}
}

// slowSender lets a Send wait until it is let go.
type slowSender struct {
	*outbox
	let chan error
}

func (s *slowSender) Send(ctx context.Context, place, text string) error {
	select {
	case err := <-s.let:
		if err != nil {
			return err
		}
		return s.outbox.Send(ctx, place, text)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// arrived fails unless an update is recorded to have arrived at a place.
func (l *loop) arrived(place string) {
	l.t.Helper()
	for _, e := range l.r.shelf.events() {
		if u, ok := e.Data.(incident.Updated); ok && u.To == place && u.Arrived() {
			return
		}
	}
	l.t.Fatalf("no update arrived at %s: %q", place, l.r.shelf.told())
}

// posts is a console whose draft is being sent.
func (r *room) posts(t *testing.T) (*loop, *slowSender) {
	t.Helper()
	slow := &slowSender{r.sent, make(chan error, 1)}
	l := r.start(t, func(o *Options) { o.Sender = slow })
	l.arrives()
	l.declare()
	l.press("U", "w")
	l.rest()
	l.press("enter", "right", "enter")
	l.told("sending an update to bridge")
	return l, slow
}

func TestQuitWaitsForAnUpdateThatIsBeingSent(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l, slow := r.posts(t)
		l.press("q")
		l.sees("Not recorded yet: what becomes of the update that is being sent to")
		l.pass(5 * time.Second)
		if l.quit {
			t.Fatal("it quit while the update was being sent")
		}
		slow.let <- nil
		l.settle()
		l.arrived("bridge")
		if !l.quit || l.m.book.Case().State.Updates != 1 {
			t.Errorf("quit %v, %d updates", l.quit, l.m.book.Case().State.Updates)
		}
	})
}

func TestAnUnclearSendDoesNotCount(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l, slow := r.posts(t)
		slow.let <- fmt.Errorf("no answer in time: %w", ErrUnclear)
		l.settle()
		l.sees("NOT KNOWN WHETHER IT REACHED bridge", "Look there before it is sent again")
		l.told("NOT KNOWN whether an update reached bridge")
		if n := l.m.book.Case().State.Updates; n != 0 {
			t.Errorf("%d updates count", n)
		}
	})
}

func TestAnIntentThatIsNotRecordedSendsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		r.shelf.set(func(s *shelf) { s.records = errors.New("no space left on device") })
		l.press("U", "w")
		l.rest()
		l.press("enter", "right", "enter")
		l.sees("NOT RECORDED", "not sent: the update to bridge")
		l.seesNot("Try again")
		if got := r.sent.all(); len(got) != 0 {
			t.Errorf("sent %q", got)
		}
		r.shelf.set(func(s *shelf) { s.records = nil })
		l.rest()
		l.press("enter", "w")
		l.rest()
		l.press("enter", "right", "enter")
		l.arrived("bridge")
	})
}

func TestTheOutcomeGoesToTheBookThatItBelongsTo(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l, slow := r.posts(t)
		first := l.m.book
		// Nothing by keys takes its place meanwhile.
		for _, why := range []string{cannotDeclare(l.m), cannotTakeOver(l.m), l.m.pending()} {
			if why == "" {
				t.Error("another incident may take its place")
			}
		}
		other, err := lent{r.shelf, "ic-1"}.Declare(t.Context(), incident.New("ic-1", incident.Declared{Severity: "SEV2", Summary: "another", Started: r.now(), Roles: map[incident.Role]string{incident.Commander: "ic-1"}}))
		if err != nil {
			t.Fatal(err)
		}
		l.m.attend(other, other.Case())
		slow.let <- nil
		l.settle()
		if a, b := first.Case().State.Updates, other.Case().State.Updates; a != 1 || b != 0 {
			t.Errorf("%d updates where it belongs, %d in the other", a, b)
		}
	})
}

func TestOnTheWayOutWhatWaitsIsRecorded(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		block := make(chan struct{})
		r.shelf.set(func(s *shelf) { s.blocked = block })
		l.note("first")
		l.note("second")
		l.toldNot("first")
		if l.m.pending() == "" {
			t.Error("another incident may take its place")
		}
		l.end() // as a signal does
		go func() {
			time.Sleep(time.Second)
			r.shelf.set(func(s *shelf) { s.blocked = nil })
			close(block)
		}()
		if lost := l.m.wrapUp(stopWait); len(lost) != 0 {
			t.Errorf("not recorded: %q", lost)
		}
		all := r.shelf.told()
		if !slices.Equal(all[len(all)-2:], []string{"first", "second"}) {
			t.Errorf("recorded as %q", all)
		}
	})
	bubble(t, func(t *testing.T, r *room) { // the disk does not answer, and then is full
		l := r.start(t)
		l.arrives()
		l.declare()
		block := make(chan struct{})
		defer close(block)
		r.shelf.set(func(s *shelf) { s.blocked = block })
		l.note("first")
		l.note("second")
		r.shelf.set(func(s *shelf) { s.blocked, s.records = nil, errors.New("no space left on device") })
		l.end()
		began := time.Now()
		lost := l.m.wrapUp(stopWait)
		if took := time.Since(began); took > stopWait+time.Second {
			t.Errorf("it took %v", took)
		}
		if len(lost) != 2 || !strings.HasPrefix(lost[0], "NOT KNOWN whether it was recorded") || !strings.Contains(lost[0], "“first”") ||
			!strings.HasPrefix(lost[1], "NOT RECORDED: note: “second”") {
			t.Errorf("%q", lost)
		}
	})
}

func TestOnTheWayOutAnUpdateKeepsItsOutcome(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l, slow := r.posts(t)
		l.end()
		go func() { time.Sleep(time.Second); slow.let <- nil }()
		if lost := l.m.wrapUp(stopWait); len(lost) != 0 {
			t.Errorf("%q", lost)
		}
		l.arrived("bridge")
	})
	bubble(t, func(t *testing.T, r *room) { // no answer in time
		l, _ := r.posts(t)
		l.end()
		lost := l.m.wrapUp(stopWait)
		if len(lost) != 1 || !strings.Contains(lost[0], "NOT KNOWN whether the update reached bridge") {
			t.Errorf("%q", lost)
		}
		l.told("NOT KNOWN whether an update reached bridge")
	})
}
