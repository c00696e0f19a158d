package archive

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// index knows the number and the kind of every record, nine bytes each, so that a
// timeline of one kind is found without reading the others. Numbers come from the
// file and may be any: what is held and walked through is as much as there are
// records, however far apart their numbers are.
type index struct {
	seqs  []uint64 // ascending
	codes []byte   // the kind of each
}

// coded are the kinds by code, the first being code 1. Others share the code
// behind them.
var coded = [...]incident.Kind{
	incident.KindDeclared, incident.KindSeverity, incident.KindRole, incident.KindRecovered, incident.KindClosed, incident.KindReopened,
	incident.KindNode, incident.KindItem, incident.KindSensed, incident.KindAssigned, incident.KindNote, incident.KindDecision,
	incident.KindUpdate, incident.KindMeasure, incident.KindReading, incident.KindOverrun, incident.KindConsole, incident.KindJournal,
	incident.KindClock, incident.KindAck, incident.KindUnreadable, incident.KindCorrected,
	incident.KindArmed, incident.KindGrant, incident.KindIntent, incident.KindOutcome, incident.KindRun,
}

// codeOf is the byte that stands for a kind, never 0.
func codeOf(kind incident.Kind) byte {
	at := slices.Index(coded[:], kind)
	if at < 0 {
		at = len(coded)
	}
	return byte(at + 1)
}

// add remembers a record. Numbers come in ascending order.
func (x *index) add(seq uint64, kind incident.Kind) {
	if seq <= x.last() {
		return
	}
	x.seqs, x.codes = append(x.seqs, seq), append(x.codes, codeOf(kind))
}

// last is the highest number, 0 when there is none.
func (x *index) last() uint64 {
	if len(x.seqs) == 0 {
		return 0
	}
	return x.seqs[len(x.seqs)-1]
}

// upTo is how many records have that number or a smaller one: the place of the
// first one behind it.
func (x *index) upTo(seq uint64) int {
	at, found := slices.BinarySearch(x.seqs, seq)
	if found {
		at++
	}
	return at
}

// Page is a part of the timeline. Searching for a text reads the journal, as far
// as it must; ctx ends that.
func (s *Session) Page(ctx context.Context, q incident.Query) (incident.Page, error) {
	s.mu.Lock()
	known := s.index // what is appended later is beyond its length
	s.mu.Unlock()
	if err := s.readTo(known.last()); err != nil {
		return incident.Page{}, err
	}
	page, err := known.page(ctx, s.records, s.rb, q)
	if err != nil {
		return incident.Page{}, fmt.Errorf("read the timeline of incident %s: %w", s.id, err)
	}
	return page, nil
}

// page finds a part of the timeline of which x is the index and read gives the
// records.
func (x index) page(ctx context.Context, read source, rb *runbook.Runbook, q incident.Query) (page incident.Page, err error) {
	search := &search{ctx: ctx, index: x, read: read, rb: rb, lower: strings.ToLower(q.Text), all: len(q.Kinds) == 0}
	for _, k := range q.Kinds {
		search.kinds[codeOf(k)] = true
	}
	limit := min(max(q.Limit, 1), 1000)
	all := len(x.seqs)
	page.Total = all
	if q.After > 0 {
		from := x.upTo(q.After)
		if page.Events, page.Later, err = search.forward(from, all, limit); err == nil {
			page.Earlier, err = search.any(0, from)
		}
		return page, err
	}
	end := all
	if q.Before > 0 {
		end = x.upTo(q.Before - 1)
	}
	if page.Events, page.Earlier, err = search.backward(0, end, limit); err == nil {
		page.Later, err = search.any(end, all)
	}
	return page, err
}

// readTo reads the journal on where it was not read so far yet: what this session
// wrote is read from the disk like everything else.
func (s *Session) readTo(seq uint64) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.reader.Head().Seq >= seq {
		return nil
	}
	if _, err := s.reader.Refresh(); err != nil {
		return fmt.Errorf("read the timeline of incident %s: %w", s.id, err)
	}
	return nil
}

// search looks for events. It goes by places in the index and not by numbers:
// there are as many as there are records.
type search struct {
	index
	ctx   context.Context
	read  source
	rb    *runbook.Runbook
	kinds [256]bool
	all   bool   // whatever the kind
	lower string // the text in lower case; empty for any
}

// wants reports whether the record at a place may match, by its kind.
func (f *search) wants(at int) bool { return f.all || f.kinds[f.codes[at]] }

// enough is how many candidates are read at once. A text is in few of them: then
// as many as go at once, or a search would open the file for every few.
func (f *search) enough(limit int) int {
	if f.lower != "" {
		return chunk
	}
	return limit
}

// backward finds the last events from the place first up to before last that
// match, at most limit of them, in order, and whether there are more before them.
func (f *search) backward(first, last, limit int) (events []incident.Event, more bool, err error) {
	for end := last; end > first; {
		from, wanted := end, 0
		for from > first && wanted <= f.enough(limit) && end-from < chunk { // a stretch that holds a few candidates
			if from--; f.wants(from) {
				wanted++
			}
		}
		if wanted > 0 {
			found, err := f.matches(from, end)
			if err != nil {
				return nil, false, err
			}
			events = append(found, events...)
			if over := len(events) - limit; over > 0 {
				return slices.Clone(events[over:]), true, nil
			}
		}
		end = from
	}
	return events, false, nil
}

// forward finds the first events from the place first up to before last that
// match, at most limit of them, and whether there are more behind them.
func (f *search) forward(first, last, limit int) (events []incident.Event, more bool, err error) {
	for from := first; from < last; {
		end, wanted := from, 0
		for end < last && wanted <= f.enough(limit) && end-from < chunk {
			if f.wants(end) {
				wanted++
			}
			end++
		}
		if wanted > 0 {
			found, err := f.matches(from, end)
			if err != nil {
				return nil, false, err
			}
			events = append(events, found...)
			if len(events) > limit {
				return slices.Clone(events[:limit]), true, nil
			}
		}
		from = end
	}
	return events, false, nil
}

// any reports whether an event from the place first up to before last matches.
func (f *search) any(first, last int) (bool, error) {
	if f.lower != "" {
		events, _, err := f.backward(first, last, 1)
		return len(events) > 0, err
	}
	for at := first; at < last; at++ {
		if f.wants(at) {
			return true, nil
		}
	}
	return false, nil
}

// matches reads the events from the place first up to before last and keeps those
// that match.
func (f *search) matches(first, last int) ([]incident.Event, error) {
	var out []incident.Event
	for at := first; at < last; {
		if err := f.ctx.Err(); err != nil {
			return nil, err
		}
		records, err := f.read(f.seqs[at], last-at)
		if err != nil {
			return nil, err
		}
		if len(records) == 0 {
			break
		}
		for _, r := range records {
			for at < last && f.seqs[at] < r.Seq {
				at++
			}
			if at == last {
				break
			}
			if f.seqs[at] != r.Seq { // a bad record, which is no event
				continue
			}
			if at++; r.Bad != "" || !f.wants(at-1) {
				continue
			}
			if e := decoded(r); f.lower == "" || holds(&e, f.rb, f.lower) {
				out = append(out, e)
			}
		}
	}
	return out, nil
}
