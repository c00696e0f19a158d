package ui

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
	"warroom/internal/incident"
)

func (l *loop) note(text string) {
	l.press("m")
	l.rest()
	l.typed(text)
	l.press("enter")
}

func TestWhatIsNotRecordedSaysSoUntilAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		r.shelf.set(func(s *shelf) { s.records = errors.New("write journal-000001.log: no space left on device") })
		l.note("first")
		l.sees("NOT RECORDED", "no space left", "None of this has happened")
		l.pass(time.Minute)
		l.sees("NOT RECORDED")
		l.toldNot("first")
		r.shelf.set(func(s *shelf) { s.records = nil })
		l.press("tab", "enter")
		l.sees("recorded: note")
		l.told("first")

		// Left as it is, it stays unrecorded.
		r.shelf.set(func(s *shelf) { s.records = errors.New("no space left on device") })
		l.note("second")
		l.sees("NOT RECORDED")
		l.rest()
		l.press("enter")
		r.shelf.set(func(s *shelf) { s.records = nil })
		l.pass(time.Minute)
		l.seesNot("NOT RECORDED")
		l.toldNot("second")
	})
}

func TestKeysAreRecordedInTheirOrder(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		block := make(chan struct{})
		r.shelf.set(func(s *shelf) { s.blocked = block })
		l.note("first")
		l.sees("recording: note")
		l.pass(5 * time.Second)
		l.sees("not recorded yet")
		l.note("second")
		l.note("third")
		l.press("2", "n")
		l.sees("n: not now, the last key is still being recorded")
		l.toldNot("first", "second")
		if n := r.shelf.waiting(); n != 1 {
			t.Errorf("%d batches were handed over at once", n)
		}
		r.shelf.set(func(s *shelf) { s.blocked = nil })
		close(block)
		l.settle()
		all := r.shelf.told()
		if !slices.Equal(all[len(all)-3:], []string{"first", "second", "third"}) {
			t.Errorf("recorded as %q", all)
		}
	})
}

// waiting is how many Records wait.
func (s *shelf) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.under
}

// What is queued behind something that was not recorded was pressed in the belief
// that it was.
func TestWhatWasQueuedBehindAFailureIsNotRecordedEither(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		block := make(chan struct{})
		r.shelf.set(func(s *shelf) { s.blocked, s.records = block, errors.New("fsync: input/output error") })
		l.note("first")
		l.note("second")
		r.shelf.set(func(s *shelf) { s.blocked = nil })
		close(block)
		l.settle()
		l.sees("NOT RECORDED", "input/output error")
		if n := strings.Count(l.screen(), "not recorded: note"); n != 2 {
			t.Errorf("%d of 2 are named:\n%s", n, l.screen())
		}
		r.shelf.set(func(s *shelf) { s.records = nil })
		l.rest()
		l.press("tab", "enter")
		l.told("first", "second")
	})
}

func TestAFormIsNotInterruptedByWhatFails(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		block := make(chan struct{})
		r.shelf.set(func(s *shelf) { s.blocked, s.records = block, errors.New("fsync: input/output error") })
		l.note("first")
		l.press("d")
		l.rest()
		l.typed("fail over")
		r.shelf.set(func(s *shelf) { s.blocked = nil })
		close(block)
		l.settle()
		l.sees("Decision", "fail over")
		l.seesNot("NOT RECORDED")
		l.press("esc")
		l.sees("NOT RECORDED")
	})
}

func TestQuitWaitsForTheRecord(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		block := make(chan struct{})
		r.shelf.set(func(s *shelf) { s.blocked = block })
		l.note("first")
		l.press("q")
		l.sees("Not recorded yet: note", "ends as soon as it is")
		l.pass(10 * time.Second)
		if l.quit {
			t.Fatal("it quit before the note was recorded")
		}
		r.shelf.set(func(s *shelf) { s.blocked = nil })
		close(block)
		l.settle()
		l.told("first")
		if !l.quit {
			t.Error("it did not quit once the note was recorded")
		}
	})
	bubble(t, func(t *testing.T, r *room) { // staying
		l := r.start(t)
		l.arrives()
		l.declare()
		block := make(chan struct{})
		r.shelf.set(func(s *shelf) { s.blocked = block })
		l.note("first")
		l.press("q")
		l.rest()
		l.press("enter")
		r.shelf.set(func(s *shelf) { s.blocked = nil })
		close(block)
		l.settle()
		if l.quit {
			t.Error("it quit though it was told to stay")
		}
	})
	bubble(t, func(t *testing.T, r *room) { // failing meanwhile
		l := r.start(t)
		l.arrives()
		l.declare()
		block := make(chan struct{})
		r.shelf.set(func(s *shelf) { s.blocked, s.records = block, errors.New("fsync: input/output error") })
		l.note("first")
		l.press("ctrl+c")
		close(block)
		l.settle()
		l.sees("NOT RECORDED")
		if l.quit {
			t.Error("it quit though nothing was recorded")
		}
	})
}

func TestADeclarationThatFailsSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.shelf.fails = errors.New("create the folder of the incident: read-only file system")
		l := r.start(t)
		l.press("I")
		l.rest()
		l.press("enter")
		l.typed("orders fail")
		l.press("enter", "enter", "enter", "enter", "enter", "enter")
		l.sees("Not done: declaring the incident", "read-only file system", "Nothing was recorded")
		l.rest()
		l.press("enter")
		l.press("m")
		l.sees("m: not now, I declares an incident first")
	})
}

func TestQuitWaitsForTheDeclaration(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		block := make(chan struct{})
		r.shelf.set(func(s *shelf) { s.blocked = block })
		l.press("I")
		l.rest()
		l.press("enter")
		l.typed("orders fail")
		l.press("enter", "enter", "enter", "enter", "enter", "enter", "q")
		l.sees("Not recorded yet: declaring the incident")
		l.pass(time.Minute)
		if l.quit {
			t.Fatal("it quit before the incident was declared")
		}
		close(block)
		l.settle()
		if !l.quit || len(r.shelf.told()) != 1 {
			t.Errorf("quit %v after %q", l.quit, r.shelf.told())
		}
	})
}

func TestTheWriterTellsWhatChanges(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		if n := len(r.shelf.told()); n != 1 {
			t.Fatalf("%d events of people", n)
		}
		ready := 0
		for _, e := range r.shelf.events() {
			if e.Kind == incident.KindSensed {
				ready++
			}
		}
		if ready == 0 {
			t.Error("nothing turned ready")
		}
		r.w.set("user-service", func(one *estate.Reading) { one.Status = estate.OK })
		l.arrives()
		changes := 0
		for _, e := range r.shelf.events() {
			if d, ok := e.Data.(incident.ReadingChanged); ok && d.Component == "user-service" && d.To == estate.OK {
				changes++
			}
		}
		if changes != 1 {
			t.Errorf("the change was told %d times", changes)
		}
		before := len(r.shelf.events())
		l.pass(time.Minute)
		if n := len(r.shelf.events()); n != before {
			t.Errorf("%d events while nothing happened", n-before)
		}

		// While the journal does not record, the band says so, and what changed is
		// told later.
		r.shelf.set(func(s *shelf) { s.records = errors.New("no space left on device") })
		r.w.set("user-service", func(one *estate.Reading) { one.Status = estate.Fail })
		l.arrives()
		l.sees("does not record", "no space left")
		r.shelf.set(func(s *shelf) { s.records = nil })
		l.pass(retryAfter + 2*time.Second)
		l.seesNot("does not record")
		all := r.shelf.events()
		if d, ok := all[len(all)-1].Data.(incident.ReadingChanged); !ok || d.To != estate.Fail {
			t.Errorf("the last event is %v", all[len(all)-1])
		}
	})
}
