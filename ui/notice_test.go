package ui

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
	"warroom/internal/incident"
)

// said are all events in words.
func (l *loop) said() []string {
	var out []string
	for _, e := range l.r.shelf.events() {
		out = append(out, incident.Tell(&e, l.r.shelf.rb))
	}
	return out
}

func (l *loop) saidTimes(text string) int {
	n := 0
	for _, s := range l.said() {
		if strings.Contains(s, text) {
			n++
		}
	}
	return n
}

func TestADeclarationSaysHowThingsStood(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		l.pass(2 * time.Second)
		for _, want := range []string{"at the declaration: PostgreSQL Primary FAIL BLOCKED", "at the declaration: Load Balancer WARN MANUAL"} {
			if n := l.saidTimes(want); n != 1 {
				t.Errorf("%q is told %d times:\n%s", want, n, strings.Join(l.said(), "\n"))
			}
		}
		if l.saidTimes("at the declaration: External API") > 0 {
			t.Error("what was well is told")
		}
	})
}

func TestAChangeWhileTheConsoleWasDeadIsRecorded(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		l.pass(2 * time.Second)
		l.end()
		_ = l.m.book.Close()
		r.w.set("postgres-primary", func(one *estate.Reading) { one.Status, one.Word = estate.OK, "HEALTHY" })
		book, err := lent{r.shelf, "ic-1"}.Open(t.Context(), "2026-03-14-1")
		if err != nil {
			t.Fatal(err)
		}
		l2 := r.start(t, func(o *Options) { o.Book = book })
		l2.pass(2 * time.Second)
		if n := l2.saidTimes("PostgreSQL Primary: FAIL → OK"); n != 1 {
			t.Errorf("told %d times:\n%s", n, strings.Join(l2.said(), "\n"))
		}
		if n := l2.saidTimes("API Gateway"); n != 1 {
			t.Errorf("what did not change is told %d times", n)
		}
	})
}

func TestChangesThatWereGivenUpAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		l.pass(2 * time.Second)
		r.shelf.set(func(s *shelf) { s.records = errors.New("no space left on device") })
		for i := range mostChanges + 12 {
			status := estate.OK
			if i%2 == 1 {
				status = estate.Fail
			}
			r.w.set("user-service", func(one *estate.Reading) { one.Status = status })
			l.arrives()
		}
		r.shelf.set(func(s *shelf) { s.records = nil })
		l.pass(retryAfter + 2*time.Second)
		if n := l.saidTimes("12 status changes were not recorded: the journal did not take them"); n != 1 {
			t.Errorf("told %d times: %q", n, slices.DeleteFunc(l.said(), func(s string) bool { return !strings.HasPrefix(s, "journal") }))
		}
		if n := l.saidTimes("User Service: "); n != mostChanges {
			t.Errorf("%d changes are recorded, want %d", n, mostChanges)
		}
	})
}

// A batch of which it is not known whether it was recorded is not told twice.
func TestChangesThatMayBeRecordedAreNotToldTwice(t *testing.T) {
	for _, written := range []bool{true, false} {
		bubble(t, func(t *testing.T, r *room) {
			r.read()
			l := r.start(t)
			l.declare()
			l.pass(2 * time.Second)
			r.shelf.set(func(s *shelf) {
				s.records, s.written = fmt.Errorf("the head: %w", incident.ErrUnsure), written
			})
			r.w.set("user-service", func(one *estate.Reading) { one.Status = estate.OK })
			l.arrives()
			r.shelf.set(func(s *shelf) { s.records, s.written = nil, false })
			l.pass(retryAfter + 3*time.Second)
			if n := l.saidTimes("User Service: FAIL → OK"); n != 1 {
				t.Errorf("written %v: told %d times", written, n)
			}
		})
	}
}
