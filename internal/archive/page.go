package archive

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"warroom/internal/incident"
)

// index knows the kind of every record, a byte each, so that a timeline of one
// kind is found without reading the others.
type index struct {
	codes []byte // codes[seq-1]; 0 where no record of that number is
	count int
}

// coded are the kinds by code, the first being code 1. Others share the code
// behind them.
var coded = [...]incident.Kind{
	incident.KindDeclared, incident.KindSeverity, incident.KindRole, incident.KindRecovered, incident.KindClosed, incident.KindReopened,
	incident.KindNode, incident.KindItem, incident.KindSensed, incident.KindAssigned, incident.KindNote, incident.KindDecision,
	incident.KindUpdate, incident.KindMeasure, incident.KindReading, incident.KindOverrun, incident.KindConsole, incident.KindJournal,
	incident.KindClock, incident.KindAck, incident.KindUnreadable,
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
	for x.last()+1 < seq { // numbers are missing where records are
		x.codes = append(x.codes, 0)
	}
	x.codes = append(x.codes, codeOf(kind))
	x.count++
}

// last is the highest number.
func (x *index) last() uint64 { return uint64(len(x.codes)) }

// Page is a part of the timeline. Searching for a text reads the journal, as far
// as it must; ctx ends that.
func (s *Session) Page(ctx context.Context, q incident.Query) (incident.Page, error) {
	s.mu.Lock()
	known := s.index // what is appended later is beyond its length
	s.mu.Unlock()
	if err := s.readTo(known.last()); err != nil {
		return incident.Page{}, err
	}
	search := &search{ctx: ctx, session: s, codes: known.codes, lower: strings.ToLower(q.Text)}
	for _, k := range q.Kinds {
		search.kinds[codeOf(k)] = true
	}
	search.all = len(q.Kinds) == 0
	limit := min(max(q.Limit, 1), 1000)
	page := incident.Page{Total: known.count}
	last := known.last()
	var err error
	if q.After > 0 {
		page.Events, page.Later, err = search.forward(q.After+1, last, limit)
		if err == nil {
			page.Earlier, err = search.any(1, min(q.After, last))
		}
	} else {
		end := last
		if q.Before > 0 {
			end = min(last, q.Before-1)
		}
		page.Events, page.Earlier, err = search.backward(1, end, limit)
		if err == nil && end < last {
			page.Later, err = search.any(end+1, last)
		}
	}
	if err != nil {
		return incident.Page{}, fmt.Errorf("read the timeline of incident %s: %w", s.id, err)
	}
	return page, nil
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

// search looks for events.
type search struct {
	ctx     context.Context
	session *Session
	codes   []byte
	kinds   [256]bool
	all     bool   // whatever the kind
	lower   string // the text in lower case; empty for any
}

// wants reports whether the record of a number may match, by its kind.
func (f *search) wants(seq uint64) bool {
	code := f.codes[seq-1]
	return code != 0 && (f.all || f.kinds[code])
}

// backward finds the last events from first to last that match, at most limit of
// them, in order, and whether there are more before them.
func (f *search) backward(first, last uint64, limit int) (events []incident.Event, more bool, err error) {
	for end := last; end >= first && end > 0; {
		var from uint64
		var wanted int
		for from = end; ; from-- { // a stretch that holds a few candidates
			if f.wants(from) {
				wanted++
			}
			if from == first || wanted > limit || end-from+1 >= chunk {
				break
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
		end = from - 1
	}
	return events, false, nil
}

// forward finds the first events from first to last that match, at most limit of
// them, and whether there are more behind them.
func (f *search) forward(first, last uint64, limit int) (events []incident.Event, more bool, err error) {
	for from := first; from <= last; {
		var end uint64
		var wanted int
		for end = from; ; end++ {
			if f.wants(end) {
				wanted++
			}
			if end == last || wanted > limit || end-from+1 >= chunk {
				break
			}
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
		from = end + 1
	}
	return events, false, nil
}

// any reports whether an event from first to last matches.
func (f *search) any(first, last uint64) (bool, error) {
	if f.lower != "" {
		events, _, err := f.backward(first, last, 1)
		return len(events) > 0, err
	}
	for seq := first; seq <= last; seq++ {
		if f.wants(seq) {
			return true, nil
		}
	}
	return false, nil
}

// matches reads the events from first to last and keeps those that match.
func (f *search) matches(first, last uint64) ([]incident.Event, error) {
	var out []incident.Event
	for from := first; from <= last; {
		if err := f.ctx.Err(); err != nil {
			return nil, err
		}
		records, err := f.session.records(from, int(last-from+1))
		if err != nil {
			return nil, err
		}
		if len(records) == 0 {
			break
		}
		for _, r := range records {
			if r.Seq > last {
				return out, nil
			}
			if from = r.Seq + 1; r.Bad != "" || !f.wants(r.Seq) {
				continue
			}
			if e := decoded(r); f.lower == "" || holds(&e, f.session.rb, f.lower) {
				out = append(out, e)
			}
		}
	}
	return out, nil
}
