package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"warroom/internal/incident"
	"warroom/internal/journal"
)

// entry is what one call of Record wants written, together.
type entry struct {
	events   []incident.Event
	payloads [][]byte
	taken    bool // it is being written: too late to take it back
	done     chan error
}

// write makes the session the writer of a journal that it has read, or that is
// new.
func (s *Session) write(ctx context.Context, writer *journal.Writer, recovery *journal.Recovery) error {
	reader, err := writer.Reader()
	if err != nil {
		return fmt.Errorf("read the journal of incident %s: %w", s.id, err)
	}
	s.reader, s.writer = reader, writer
	if wrap := s.store.wrap; wrap != nil {
		s.writer = wrap(writer)
	}
	look := s.store.options.look
	if look == nil {
		look = looks(s.store.options.Clock)
	}
	s.stamper = newStamper(look)
	if recovery != nil {
		s.repaired = recovery.Lines
	}
	written := s.lasts(ctx)
	s.store.start(written, "recording an incident", func() { s.commit(written) })
	return nil
}

// resume takes an incident up as its writer, and records that.
func (s *Session) resume(ctx context.Context, writer *journal.Writer, recovery *journal.Recovery) error {
	if err := s.write(ctx, writer, recovery); err != nil {
		_ = writer.Close()
		return err
	}
	err := s.load(ctx, func(c *incident.Case) { c.Writing, c.Head = true, headOf(writer.Head()) })
	if err != nil {
		_ = s.end("")
		return err
	}
	s.mu.Lock()
	s.stamper.resume(s.fold.State().LastAt)
	s.mu.Unlock()
	events := []incident.Event{s.moved("resumed")}
	for _, line := range recovery.Lines {
		events = append(events, incident.New("", incident.JournalMoved{What: line}))
	}
	if err := s.Record(ctx, events...); err != nil && ctx.Err() != nil {
		_ = s.end("")
		return err
	}
	// A journal that takes nothing can be read, which is worth more than nothing at
	// all: its Trouble says so.
	return nil
}

// Record makes events durable, in order and together, and returns when they are:
// the Case that Next returns then holds them. Their Seq and At are given here.
// After an error none of them is recorded, but for one that is incident.ErrUnsure:
// then the timeline shows later whether they are.
func (s *Session) Record(ctx context.Context, events ...incident.Event) error {
	if len(events) == 0 {
		return nil
	}
	wanted, err := s.enqueue(events)
	if err != nil {
		return err
	}
	select {
	case err := <-wanted.done:
		return err
	case <-s.ended:
		return s.lost(wanted)
	case <-ctx.Done():
	}
	s.mu.Lock()
	if !wanted.taken {
		s.queue = slices.DeleteFunc(s.queue, func(e *entry) bool { return e == wanted })
		s.mu.Unlock()
		return fmt.Errorf("record in incident %s: %w: nothing of it was written", s.id, ctx.Err())
	}
	s.mu.Unlock()
	limit := time.NewTimer(closeWait)
	defer limit.Stop()
	select {
	case err := <-wanted.done:
		return err
	case <-s.ended: // while it was being written
		return s.lost(wanted)
	case <-limit.C:
		return fmt.Errorf("record in incident %s: %w: its disk does not answer: the timeline will show", s.id, incident.ErrUnsure)
	}
}

// lost is what became of an entry when nothing writes any more. Its answer may be
// there all the same.
func (s *Session) lost(wanted *entry) error {
	select {
	case err := <-wanted.done:
		return err
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !wanted.taken {
		return fmt.Errorf("record in incident %s: %w: nothing of it was written", s.id, ErrClosed)
	}
	return fmt.Errorf("record in incident %s: %w: what writes it has ended: the timeline will show", s.id, incident.ErrUnsure)
}

// unsure is a journal's error of which it is not known whether anything was
// recorded, in a form that those can ask for who know nothing of journals.
type unsure struct{ cause error }

// Error is the cause's text, which says it.
func (e *unsure) Error() string { return e.cause.Error() }

// Unwrap has errors.Is hold for incident.ErrUnsure and for what the cause is.
func (e *unsure) Unwrap() []error { return []error{e.cause, incident.ErrUnsure} }

// enqueue stamps and encodes events and puts them in line. The order in line is
// the order of the journal.
func (s *Session) enqueue(events []incident.Event) (*entry, error) {
	clean := make([]incident.Event, len(events))
	for i, e := range events {
		clean[i] = scrubbed(e, s.store.options.Scrub)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.writer == nil:
		return nil, &ReadOnly{ID: s.id, Who: s.current.Writer, Why: s.standing}
	case s.closed:
		return nil, fmt.Errorf("record in incident %s: %w", s.id, ErrClosed)
	}
	at, set := s.stamper.stamp()
	if set != 0 {
		clean = slices.Insert(clean, 0, incident.New("", incident.ClockSet{By: set}))
	}
	wanted := &entry{done: make(chan error, 1)}
	for _, e := range clean {
		if err := wanted.add(e, at); err != nil {
			return nil, fmt.Errorf("record in incident %s: %w", s.id, err)
		}
	}
	s.queue = append(s.queue, wanted)
	s.rouse()
	return wanted, nil
}

// add encodes an event. What is folded later is what the bytes say.
func (w *entry) add(e incident.Event, at time.Time) error {
	e.Seq, e.At = 0, at
	payload, err := incident.Encode(e)
	if err != nil {
		return err
	}
	if len(payload) > journal.MaxPayload {
		return fmt.Errorf("the event %q has %d bytes, and at most %d can be recorded: shorten it", e.Kind, len(payload), journal.MaxPayload)
	}
	read, err := incident.Decode(0, payload)
	if err != nil {
		return fmt.Errorf("the event %q cannot be read back, which is a fault of warroom: %w", e.Kind, err)
	}
	w.payloads = append(w.payloads, payload)
	w.events = append(w.events, read)
	return nil
}

// rouse wakes the goroutine that writes.
func (s *Session) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// commit writes what is in line until the session ends: everything that came
// while the disk was busy goes with the next sync.
func (s *Session) commit(ctx context.Context) {
	defer close(s.ended)
	for {
		if group := s.group(); len(group) > 0 {
			s.settle(group)
			continue
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			if group := s.group(); len(group) > 0 {
				s.settle(group)
			}
			return
		}
	}
}

// group is everything in line.
func (s *Session) group() []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	group := s.queue
	s.queue = nil
	for _, e := range group {
		e.taken = true
	}
	return group
}

// settle writes a group, publishes what it made of the incident, and only then
// says that it is recorded.
func (s *Session) settle(group []*entry) {
	s.mu.Lock()
	writer := s.writer
	s.mu.Unlock()
	before := writer.Trouble()
	var payloads [][]byte
	for _, e := range group {
		payloads = append(payloads, e.payloads...)
	}
	head, err := writer.Append(payloads...)
	if err != nil {
		err = fmt.Errorf("record in incident %s: %w", s.id, err)
		if errors.Is(err, journal.ErrUnknown) {
			err = &unsure{err}
		}
	} else if !s.takeGroup(group, head.Seq-uint64(len(payloads))) {
		s.catchUp()
	}
	s.mu.Lock()
	s.publish(func(c *incident.Case) { c.Writing, c.Head = true, headOf(writer.Head()) })
	s.mu.Unlock()
	for _, e := range group {
		e.done <- err
	}
	if now := writer.Trouble(); err == nil && now != before && now != "" {
		s.tellTrouble(now)
	}
}

// takeGroup folds what was written after the record before. It reports whether
// that is the last one folded: it is not when records of which nobody knew whether
// they were written turn out to be.
func (s *Session) takeGroup(group []*entry, before uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.index.last() != before {
		return false
	}
	for _, e := range group {
		for _, event := range e.events {
			before++
			event.Seq = before
			s.take(event)
		}
	}
	return true
}

// catchUp folds from the journal what is in it and was not folded.
func (s *Session) catchUp() {
	s.reading.Lock()
	_, err := s.reader.Refresh()
	s.reading.Unlock()
	if err == nil {
		err = s.load(s.base, func(*incident.Case) {})
	}
	if err != nil {
		s.mu.Lock()
		s.standing = join(s.standing, "the screen is behind the journal, open the incident again: "+err.Error())
		s.mu.Unlock()
	}
}

// tellTrouble puts what became of the journal into the journal, where that still
// takes something.
func (s *Session) tellTrouble(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, _ := s.stamper.stamp()
	note := &entry{done: make(chan error, 1)}
	if note.add(incident.New("", incident.JournalMoved{What: what}), at) == nil {
		s.queue = append(s.queue, note)
		s.rouse()
	}
}
