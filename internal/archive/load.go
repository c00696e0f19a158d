package archive

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"warroom/internal/incident"
	"warroom/internal/journal"
)

const (
	// chunk is how many records are read and decoded at once.
	chunk = 512
	// decoders bounds how many chunks are decoded side by side: decoding is nearly
	// all of what opening costs, and a console shares its machine.
	decoders = 4
)

// load reads what the journal holds beyond what is folded, and publishes it.
func (s *Session) load(ctx context.Context, edit func(*incident.Case)) error {
	s.mu.Lock()
	from := s.index.last() + 1
	s.mu.Unlock()
	var taken []incident.Event
	err := s.decodeFrom(ctx, s.records, from, func(e incident.Event) error {
		if taken = append(taken, e); len(taken) == chunk {
			s.takeAll(taken)
			taken = taken[:0]
		}
		return nil
	})
	s.takeAll(taken)
	if err != nil {
		return fmt.Errorf("read the journal of incident %s: %w", s.id, err)
	}
	s.reading.Lock()
	faults, head := s.reader.Faults(), s.reader.Head()
	s.reading.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.damage = damageOf(s.id, faults)
	s.holdRunbook()
	s.publish(func(c *incident.Case) {
		c.Head = headOf(head)
		edit(c)
	})
	return nil
}

// holdRunbook holds the runbook in the folder against the one that the incident
// was declared with. s.mu is held.
func (s *Session) holdRunbook() {
	if want := s.fold.State().Declared.Digest; s.doubt == "" && want != "" && s.rb.Digest != want {
		s.doubt = "its runbook.yaml is not the one that it was declared with: it was changed since"
	}
}

func (s *Session) takeAll(events []incident.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		s.take(e)
	}
}

// damageOf says that a journal is damaged, and where first.
func damageOf(id string, faults []journal.Fault) string {
	if len(faults) == 0 {
		return ""
	}
	return fmt.Sprintf("DAMAGED: %v: `warroom incident verify %s` tells all", &faults[0], id)
}

// headOf is a head as it is noted elsewhere; empty of a journal without records.
func headOf(h journal.Head) string {
	if h.Seq == 0 {
		return ""
	}
	return h.String()
}

// source reads at most n records whose number is from or greater.
type source func(from uint64, n int) ([]journal.Record, error)

// part is one chunk of records on its way to being events.
type part struct {
	records []journal.Record
	events  chan []incident.Event
}

// decodeFrom calls do with every event from a number on, in order. Records that
// cannot be read are left out: the journal tells of them. The chunks are decoded
// side by side, because that is what takes the time.
func (s *Session) decodeFrom(ctx context.Context, r source, from uint64, do func(incident.Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := min(decoders, runtime.GOMAXPROCS(0))
	line := make(chan part, workers) // what is under way, in order
	work := make(chan part)
	for range workers {
		s.store.start(ctx, "decoding an incident", func() {
			whole := false
			defer func() {
				if !whole { // a panic that is caught: nobody must wait for what it was at
					cancel()
				}
			}()
			for p := range work {
				p.events <- decodeAll(p.records)
			}
			whole = true
		})
	}
	read := make(chan error, 1)
	s.store.start(ctx, "reading an incident", func() {
		defer close(line)
		defer close(work)
		err := errStopped // unless it comes to its end
		defer func() { read <- err }()
		err = readChunks(ctx, r, from, func(p part) bool {
			for _, to := range []chan part{line, work} {
				select {
				case to <- p:
				case <-ctx.Done():
					return false
				}
			}
			return true
		})
	})
	for p := range line {
		var events []incident.Event
		select {
		case events = <-p.events:
		case <-ctx.Done():
			return ctx.Err()
		}
		for _, e := range events {
			if err := do(e); err != nil {
				return err
			}
		}
	}
	if err := <-read; err != nil {
		return err
	}
	return ctx.Err()
}

// errStopped is the error of a journal of which reading did not come to its end.
var errStopped = errors.New("reading it stopped because of a fault of warroom")

// readChunks hands on what a journal holds from a number on, until send refuses.
func readChunks(ctx context.Context, r source, from uint64, send func(part) bool) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		records, err := r(from, chunk)
		if err != nil {
			return err
		}
		if len(records) == 0 || !send(part{records, make(chan []incident.Event, 1)}) {
			return nil
		}
		from = records[len(records)-1].Seq + 1
	}
}

func decodeAll(records []journal.Record) []incident.Event {
	events := make([]incident.Event, 0, len(records))
	for _, r := range records {
		if r.Bad == "" {
			events = append(events, decoded(r))
		}
	}
	return events
}

// decoded is the event of a record. One that this program did not write is kept
// as it is.
func decoded(r journal.Record) incident.Event {
	e, err := incident.Decode(r.Seq, r.Payload)
	if err != nil {
		return incident.Event{Seq: r.Seq, Kind: incident.KindUnreadable, Data: incident.Unreadable{Kind: "?", Raw: []byte(strings.ToValidUTF8(string(r.Payload), "?"))}}
	}
	return e
}

// Events calls do with every event of the incident, in order, until it fails.
func (s *Session) Events(do func(incident.Event) error) error {
	s.reading.Lock()
	_, err := s.reader.Refresh()
	s.reading.Unlock()
	if err == nil {
		err = s.decodeFrom(context.WithoutCancel(s.base), s.records, 1, do)
	}
	if err != nil {
		return fmt.Errorf("read the events of incident %s: %w", s.id, err)
	}
	return nil
}

// records reads from the journal, as far as that was read.
func (s *Session) records(from uint64, n int) ([]journal.Record, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	return s.reader.Records(from, n)
}
