package journal

import (
	"encoding/json"
	"errors"
	"fmt"
)

// whole says whether the next line, not the first of its segment, is all right in
// itself: it chains, has the number that follows, and its signature verifies. Only
// such lines count behind the mark.
func (c *chain) whole(raw []byte) bool {
	l, err := parseLine(raw)
	if err != nil {
		return false
	}
	key := c.key
	seq, numbered := l.number()
	if numbered && (seq <= c.seq || c.tooFar(seq) || seq != c.next && c.before == nil) || !numbered && !l.own() {
		return false
	}
	switch string(l.label) {
	case headerLabel:
		return false // only a first line is one
	case keyLabel:
		var n newKey
		if err := json.Unmarshal(l.payload, &n); err != nil {
			return false
		}
		if key, _, err = parseKey(n.Key); err != nil {
			return false
		}
	}
	return sum(c.id, c.tip, l.label, l.payload) == l.hash && key != nil && verify(key, l.hash, l.sig) == nil
}

// take goes on by the line at c.at; raw is nil for one that was too long. acked
// says whether it lies before the mark. The error is a *NewerError, or that of a
// journal that cannot be told from another.
func (c *chain) take(raw []byte, acked bool) error {
	l, err := parseLine(raw)
	if err != nil {
		c.wrong(c.seq+1, "it is not a line of a journal")
		if c.at == 0 && !c.known {
			return fmt.Errorf("%s cannot be read: %w", segmentName(c.number), errHeader)
		}
		return nil
	}
	if c.at == 0 || string(l.label) == headerLabel {
		return c.takeHeader(l)
	}
	seq, numbered := l.number()
	if sum(c.id, c.tip, l.label, l.payload) != l.hash {
		c.takeBad(l, seq, numbered)
		return nil
	}
	switch {
	case numbered && seq <= c.seq, !numbered && !l.own():
		c.wrong(c.seq+1, fmt.Sprintf("it is signed as %.40q and cannot follow record %d", l.label, c.seq))
		c.follow(l)
		return nil
	case numbered && c.tooFar(seq):
		c.wrong(c.next, fmt.Sprintf("it has the number %d, and the record before it is %d: no journal leaves out so many", seq, c.seq))
		c.follow(l)
		return nil
	case numbered:
		if seq != c.next && c.before == nil {
			c.fault(Fault{Segment: segmentName(c.number), Seq: seq, Offset: c.at, What: span(c.next, seq-1) + " written before it and cannot be found"})
		}
		c.seq, c.next = seq, seq+1
		c.entries = append(c.entries, newEntry(seq, c.number, c.at, false))
		if !acked {
			c.unacked++
		}
	case string(l.label) == keyLabel:
		var n newKey
		err := json.Unmarshal(l.payload, &n)
		if err == nil {
			err = c.useKey(n.Key)
		}
		if err != nil {
			c.fault(Fault{Segment: segmentName(c.number), Offset: c.at, What: "it should introduce a key: " + err.Error()})
		}
	} // other lines of the journal's own are those of a later minor version
	c.right(l, numbered)
	return nil
}

// takeHeader goes on by the first line of a segment.
func (c *chain) takeHeader(l line) error {
	name := segmentName(c.number)
	h, id, err := parseHeader(name, l)
	if newer := (*NewerError)(nil); errors.As(err, &newer) {
		return err
	}
	switch {
	case err != nil && c.at > 0:
		c.wrong(0, "it is the header of a segment within one")
		return nil
	case err != nil:
		c.wrong(0, err.Error())
		c.follow(l)
		if !c.known {
			return fmt.Errorf("%s cannot be read: %w", name, errHeader)
		}
		return nil
	case !c.known || c.number == 1 && c.at == 0 && sum(id, c.tip, l.label, l.payload) == l.hash:
		if c.known && id != c.id {
			c.fault(Fault{Segment: headName, What: "the head is that of another journal"})
		}
		c.id, c.known = id, true
	}
	fits := id == c.id && h.Segment == c.number && c.at == 0 && sum(id, c.tip, l.label, l.payload) == l.hash
	if !fits {
		c.wrong(0, "the header of this segment was changed, or does not follow what is before it")
	}
	if fits && c.tooFar(h.First) {
		c.fault(Fault{Segment: name, What: fmt.Sprintf("its header says that record %d follows, and the one before it is %d: no journal leaves out so many", h.First, c.seq)})
	} else if h.First > c.next && fits && len(h.Faults) == 0 {
		c.fault(Fault{Segment: name, What: span(c.next, h.First-1) + " written before this segment and cannot be found"})
	}
	if id == c.id && c.at == 0 {
		if fits && !c.tooFar(h.First) {
			c.next = max(c.next, h.First)
		}
		if err := c.useKey(h.Key); err != nil {
			c.fault(Fault{Segment: name, Offset: c.at, What: err.Error()})
		}
	}
	if !fits {
		c.follow(l)
		return nil
	}
	for _, f := range h.Faults {
		c.declared[location{f.Segment, f.Offset, f.Seq}] = true
		c.fault(f)
	}
	if len(h.Faults) >= mostFaults {
		c.manyBefore = c.number
	}
	if h.Why != "" {
		c.skipped = append(c.skipped, fmt.Sprintf("%s was begun because %s", name, h.Why))
	}
	c.right(l, false)
	return nil
}

// takeBad goes on by a line whose hash does not fit.
func (c *chain) takeBad(l line, seq uint64, numbered bool) {
	switch {
	case numbered && seq <= c.seq:
		// A repeated or moved record: the chain goes on from where it stood.
		c.wrong(seq, fmt.Sprintf("it is repeated, or not where it was written: record %d was before it", c.seq))
		return
	case l.own():
		c.wrong(0, "a line of the journal's own was changed: its hash does not fit")
		c.follow(l)
		return
	case numbered && seq > c.next && c.before == nil:
		c.wrong(c.next, fmt.Sprintf("record %d is not here but %d: records were removed or moved", c.next, seq))
	case c.before != nil:
		c.wrong(c.next, "it cannot be checked, because what is before it was changed")
	default:
		c.wrong(c.next, "it was changed: its hash does not fit")
	}
	c.entries = append(c.entries, newEntry(c.next, c.number, c.at, true))
	c.seq, c.next = c.next, c.next+1
	c.follow(l)
}

// wrong notes a fault of the line at c.at. It must be called before the state
// changes: the state before the first of several bad lines is kept.
func (c *chain) wrong(seq uint64, what string) {
	if c.before == nil {
		before := c.state
		before.tip.sig = append([]byte(nil), before.tip.sig...) // the other is written over
		c.last.sig = before.tip.sig
		c.before = &undo{before, c.at, len(c.entries), len(c.faults)}
	}
	c.fault(Fault{Segment: segmentName(c.number), Seq: seq, Offset: c.at, What: what})
}

// right notes a line that fits.
func (c *chain) right(l line, record bool) {
	c.before = nil
	c.follow(l)
	c.last = signed{c.number, c.at, c.seq, record, c.key, c.keyText, l.hash, c.tip.sig}
	if c.each != nil {
		c.each(c.last)
	}
}

// follow has the chain go on from what a line states.
func (c *chain) follow(l line) {
	c.tip.hash = l.hash
	c.tip.sig = append(c.tip.sig[:0], l.sig...)
}

// useKey has a key sign from here on.
func (c *chain) useKey(text string) error {
	key, plain, err := parseKey(text)
	if err != nil {
		c.key, c.keyText = nil, ""
		return fmt.Errorf("the key of what follows cannot be read: %w", err)
	}
	c.key, c.keyText = key, plain
	return nil
}

// checkLast verifies the signature of the last line that fits.
func (c *chain) checkLast() {
	if c.last.segment == 0 {
		return
	}
	if f := c.last.check(); f != nil {
		c.fault(*f)
	}
}

// check verifies the signature of a line.
func (s signed) check() *Fault {
	what := "it is signed by a key that cannot be read"
	if s.key != nil {
		err := verify(s.key, s.hash, s.sig)
		if err == nil {
			return nil
		}
		what = err.Error()
	}
	f := &Fault{Segment: segmentName(s.segment), Offset: s.at, What: what}
	if s.record {
		f.Seq = s.seq
	}
	return f
}
