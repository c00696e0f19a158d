package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"warroom/internal/incident"
	"warroom/internal/journal"
	"warroom/internal/runbook"
)

// gate is a journal whose disk a test holds up, or breaks.
type gate struct {
	recorder
	mu      sync.Mutex
	entered chan struct{} // gets one for every group that reaches the disk
	pass    chan error    // what becomes of it; nil: it is written
	trouble string
	groups  []int
}

func (g *gate) Append(payloads ...[]byte) (journal.Head, error) {
	g.mu.Lock()
	g.groups = append(g.groups, len(payloads))
	g.mu.Unlock()
	g.entered <- struct{}{}
	if err := <-g.pass; err != nil {
		return journal.Head{}, err
	}
	return g.recorder.Append(payloads...)
}

func (g *gate) Trouble() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.trouble != "" {
		return g.trouble
	}
	return g.recorder.Trouble()
}

func (g *gate) say(trouble string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.trouble = trouble
}

// gated puts a gate before a session's journal. Nothing may be recorded meanwhile.
func gated(s *Session) *gate {
	g := &gate{recorder: s.writer, entered: make(chan struct{}, 100), pass: make(chan error, 100)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writer = g
	return g
}

// later records in a goroutine of its own, and returns once it is in line.
func later(t *testing.T, s *Session, events ...incident.Event) chan error {
	t.Helper()
	entry, err := s.enqueue(events)
	if err != nil {
		t.Fatal(err)
	}
	return entry.done
}

func TestWhatComesDuringASyncGoesWithTheNext(t *testing.T) {
	session := create(t, store(t, Options{}))
	g := gated(session)
	done := []chan error{later(t, session, note("0"))}
	<-g.entered // the disk has it
	for i := range 20 {
		done = append(done, later(t, session, note(fmt.Sprint(i+1)), note("more")))
	}
	if got := session.Case().State.Counts[incident.KindNote]; got != 0 {
		t.Errorf("%d notes are told that are not durable", got)
	}
	for range 3 {
		g.pass <- nil
	}
	for _, d := range done {
		if err := <-d; err != nil {
			t.Fatal(err)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Equal(g.groups, []int{1, 40}) {
		t.Errorf("the disk was given groups of %v", g.groups)
	}
	if c := session.Case(); c.State.Counts[incident.KindNote] != 41 || c.State.Head != 43 {
		t.Errorf("the state is %+v", c.State)
	}
}

func TestRecordThatIsGivenUp(t *testing.T) {
	session := create(t, store(t, Options{}))
	g := gated(session)
	first := later(t, session, note("first"))
	<-g.entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := session.Record(ctx, note("never"))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "nothing of it was written") {
		t.Errorf("given up in line: %v", err)
	}
	g.pass <- nil
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if got := notes(t, session); !slices.Equal(got, []string{"first"}) {
		t.Errorf("recorded %q", got)
	}
	g.pass <- nil // of leaving
}

func TestADiskThatTakesNothing(t *testing.T) {
	session := create(t, store(t, Options{}))
	head := session.Case().Head
	g := gated(session)
	g.say("NOT RECORDED: disk full")
	g.pass <- errors.New("disk full")
	if err := session.Record(t.Context(), note("lost")); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("recording: %v", err)
	}
	if c := session.Case(); !strings.Contains(c.Trouble, "NOT RECORDED") || c.State.Counts[incident.KindNote] != 0 || c.Head != head {
		t.Errorf("the case is %+v", c)
	}
	// The journal went on in another file: that is told on screen and recorded.
	g.say("the journal goes on in another file")
	g.pass <- nil
	if err := session.Record(t.Context(), note("there")); err != nil {
		t.Fatal(err)
	}
	if c := session.Case(); !strings.Contains(c.Trouble, "goes on") {
		t.Errorf("the trouble is %q", c.Trouble)
	}
	g.say("the journal goes on in a third file")
	g.pass <- errors.New("disk full")
	_ = session.Record(t.Context(), note("lost"))
	g.say("")
	for range 4 {
		g.pass <- nil
	}
	record(t, session, note("again"))
	if c := session.Case(); c.Trouble != "" || c.State.Counts[incident.KindNote] != 2 {
		t.Errorf("the case is %+v", c)
	}
}

// What a journal moved to is recorded in it.
func TestAJournalThatMovedIsRecorded(t *testing.T) {
	session := create(t, store(t, Options{}))
	g := &moving{recorder: session.writer}
	session.mu.Lock()
	session.writer = g
	session.mu.Unlock()
	record(t, session, note("one"))
	await(t, session, "the journal's own event", func(c *incident.Case) bool { return c.State.Counts[incident.KindJournal] == 1 })
	var told []string
	if err := session.Events(func(e incident.Event) error {
		if j, ok := e.Data.(incident.JournalMoved); ok {
			told = append(told, j.What)
		}
		return nil
	}); err != nil || !slices.Equal(told, []string{"moved"}) {
		t.Errorf("told %q, %v", told, err)
	}
}

// moving is a journal that has moved once it took something.
type moving struct {
	recorder
	mu    sync.Mutex
	moved bool
}

func (m *moving) Append(payloads ...[]byte) (journal.Head, error) {
	m.mu.Lock()
	m.moved = true
	m.mu.Unlock()
	return m.recorder.Append(payloads...)
}

func (m *moving) Trouble() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.moved {
		return "moved"
	}
	return ""
}

// Records of which nobody knew whether they are written are folded when they are.
func TestRecordsThatTurnOutToBeWritten(t *testing.T) {
	session := create(t, store(t, Options{}))
	session.mu.Lock()
	session.writer = &unknowing{recorder: session.writer}
	session.mu.Unlock()
	err := session.Record(t.Context(), note("unsure"))
	if !errors.Is(err, incident.ErrUnsure) || !errors.Is(err, journal.ErrUnknown) || strings.Count(err.Error(), "not known") != 1 {
		t.Fatalf("recording: %v", err)
	}
	if got := session.Case().State.Counts[incident.KindNote]; got != 0 {
		t.Errorf("%d notes are told that may not be durable", got)
	}
	record(t, session, note("sure"))
	if c := session.Case(); c.State.Counts[incident.KindNote] != 2 || c.State.Head != 4 {
		t.Errorf("the state is %+v", c.State)
	}
	page, err := session.Page(t.Context(), incident.Query{Limit: 10, Kinds: []incident.Kind{incident.KindNote}})
	if err != nil || len(page.Events) != 2 || page.Total != 4 {
		t.Errorf("the page is %+v, %v", page, err)
	}
}

// unknowing writes the first group and cannot tell.
type unknowing struct {
	recorder
	once sync.Once
}

func (u *unknowing) Append(payloads ...[]byte) (head journal.Head, err error) {
	head, err = u.recorder.Append(payloads...)
	u.once.Do(func() { head, err = journal.Head{}, journal.ErrUnknown })
	return head, err
}

func TestNextGathersWhatCameMeanwhile(t *testing.T) {
	session := create(t, store(t, Options{}))
	if _, err := session.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		record(t, session, note(fmt.Sprint(i)))
	}
	c, err := session.Next(t.Context())
	if err != nil || c.State.Counts[incident.KindNote] != 10 {
		t.Fatalf("next is %+v, %v", c, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := session.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with nothing new: %v", err)
	}
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := session.Next(t.Context()); err != nil { // that it was left
		t.Errorf("after the end, what was not told: %v", err)
	}
	if _, err := session.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	if err := session.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func TestAnEventThatIsTooLarge(t *testing.T) {
	session := create(t, store(t, Options{}))
	err := session.Record(t.Context(), note(strings.Repeat("x", journal.MaxPayload)))
	if err == nil || !strings.Contains(err.Error(), "shorten") {
		t.Errorf("recording it: %v", err)
	}
	record(t, session, note("short"))
	if c := session.Case(); c.Trouble != "" || c.State.Counts[incident.KindNote] != 1 {
		t.Errorf("the case is %+v", c)
	}
}

func TestARunbookThatCannotBeUsedAnyMore(t *testing.T) {
	s := store(t, Options{})
	session := create(t, s)
	_ = session.Close()
	for name, content := range map[string]string{"broken": "version: 9\n", "other": strings.Replace(string(runbook.Guide().Source), "version: 1", "version: 1 ", 1), "gone": ""} {
		path := filepath.Join(session.folder, runbookFile)
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if content != "" {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		again := open(t, s, session.ID())
		if c := again.Case(); !strings.Contains(c.Trouble, "runbook") || !c.Writing {
			t.Errorf("%s: the case is %+v", name, c)
		}
		if rb := again.Runbook(); rb == nil || len(rb.Checklist) == 0 {
			t.Errorf("%s: there is no runbook", name)
		}
		_ = again.Close()
	}
}

// A declaration of which nobody knows whether it is recorded keeps its folder, and
// says so.
func TestADeclarationThatMayBeRecordedIsKept(t *testing.T) {
	s := store(t, Options{})
	s.wrap = func(w recorder) recorder { return &unknowing{recorder: w} }
	_, err := s.Create(t.Context(), declaration(), runbook.Guide())
	if !errors.Is(err, incident.ErrUnsure) {
		t.Fatalf("declaring: %v", err)
	}
	ids, _ := s.ids()
	if len(ids) != 1 {
		t.Fatalf("there are %v", ids)
	}
	folder, _ := s.Folder(ids[0])
	if !strings.Contains(err.Error(), folder) || !strings.Contains(err.Error(), "incident show "+ids[0]) {
		t.Errorf("the error does not tell of the folder: %v", err)
	}
	s.wrap = nil
	if c := open(t, s, ids[0]).Case(); !c.State.IsDeclared() {
		t.Errorf("it was written, and opens as %+v", c)
	}
}
