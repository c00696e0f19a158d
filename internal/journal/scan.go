package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"slices"

	"golang.org/x/crypto/ssh"
)

// chain is a journal as far as it was scanned. A scan follows the chain, finds
// every record and what is wrong, and goes on behind what is: a record whose hash
// does not fit is bad, and the chain goes on from the hash that it states, so that
// one change makes one bad record and not a lost rest.
type chain struct {
	files fileSystem
	dir   string

	id      identity
	known   bool // id is
	number  int  // of the segment in which the scan stands; 0 before the first
	at      int64
	state   // where the chain stands
	entries []entry
	faults  []Fault

	declared   map[location]bool // the faults that headers tell of
	manyBefore int               // what is wrong before this segment is more than its header could tell
	skipped    []string          // what does not count though it lies there, for notes
	unacked    int               // records behind the mark
	torn       int64             // bytes behind at in the last segment that are no record; 0 for none
	met        bool              // the mark was come by
	before     *undo             // before the first of the bad lines that the scan just passed

	each func(signed) // told of every line whose hash fits; may be nil
	last signed       // the last of them
}

// state is where a chain stands.
type state struct {
	tip     link
	seq     uint64 // number of the last record, 0 before the first
	next    uint64 // the number to follow
	key     ssh.PublicKey
	keyText string
}

// mostGap is by how much a number may be greater than that of the record before.
// Numbers are missing where records are, and an incident has far fewer: a greater
// one is nothing that was ever written here.
const mostGap = 1 << 20

// tooFar says whether a number is too great to follow.
func (s *state) tooFar(seq uint64) bool { return seq > s.seq && seq-s.seq > mostGap }

// undo is a state to go back to.
type undo struct {
	state
	at              int64
	entries, faults int
}

// entry is where a record lies: 16 bytes for each.
type entry struct {
	seq uint64
	pos uint64 // segment << 48 | bad << 47 | offset
}

const (
	badBit     = 1 << 47
	offsetMask = badBit - 1
)

func newEntry(seq uint64, segment int, at int64, bad bool) entry {
	e := entry{seq, uint64(segment)<<48 | uint64(at)&offsetMask}
	if bad {
		e.pos |= badBit
	}
	return e
}

func (e entry) segment() int { return int(e.pos >> 48) }
func (e entry) at() int64    { return int64(e.pos & offsetMask) }
func (e entry) bad() bool    { return e.pos&badBit != 0 }

// mostSegments bounds the number of a segment, so that it fits an entry.
const mostSegments = math.MaxUint16

// location names a fault among others.
type location struct {
	segment string
	offset  int64
	seq     uint64
}

// signed is a line with what its signature is checked by.
type signed struct {
	segment int
	at      int64
	seq     uint64 // of the record, or of the one before for a line of the journal's own
	record  bool
	key     ssh.PublicKey
	keyText string
	hash    [32]byte
	sig     []byte // valid until the next line
}

func newChain(files fileSystem, dir string) *chain {
	return &chain{files: files, dir: dir, state: state{next: 1}, declared: map[location]bool{}}
}

// scan goes on from where the chain stands: to the mark, or when all is set to the
// end of the files, where what is behind the mark counts as far as it is whole.
// Without a mark it goes to the last line that is whole. Errors are those of
// reading, ErrNone and *NewerError; what is wrong with the journal is in faults.
func (c *chain) scan(m *mark, all bool) error {
	c.met, c.torn = false, 0
	names, err := c.files.List(c.dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w in %s", ErrNone, c.dir)
		}
		return fmt.Errorf("listing the journal's files: %w", err)
	}
	numbers := segmentNumbers(names)
	if m != nil && !c.known {
		c.id, c.known = m.id, true // the head tells it too, should the first header be unreadable
	}
	if len(numbers) == 0 {
		if m == nil || m.head.Seq == 0 {
			return fmt.Errorf("%w in %s", ErrNone, c.dir)
		}
		return fmt.Errorf("the journal in %s is gone: its head names %d records, and no file %s is there; look for a copy", c.dir, m.head.Seq, segmentName(1))
	}
	if numbers[len(numbers)-1] > mostSegments {
		return fmt.Errorf("the journal in %s has a segment numbered %d, more than any that is written", c.dir, numbers[len(numbers)-1])
	}
	for i, number := range numbers {
		if number < c.number {
			continue
		}
		if m != nil && !all && number > m.segment {
			break
		}
		if number > c.number {
			for gone := c.number + 1; gone < number; gone++ {
				c.fault(Fault{Segment: segmentName(gone), What: "the file is missing"})
			}
			c.number, c.at, c.before = number, 0, nil
		}
		following := 0
		if i+1 < len(numbers) {
			following = numbers[i+1]
		}
		if err := c.segment(m, all, following); err != nil {
			return err
		}
	}
	c.checkMark(m)
	c.checkLast()
	return nil
}

// segment scans one segment from where the chain stands in it. following is the
// number of the next one, 0 when there is none.
func (c *chain) segment(m *mark, all bool, following int) error {
	name := filepath.Join(c.dir, segmentName(c.number))
	f, size, err := openSegment(c.files, name)
	if err != nil {
		return err
	}
	defer f.Close()
	end, last, left := size, following == 0, int64(-1)
	if m != nil && !all && c.number == m.segment {
		end, last = min(size, m.size), true
	} else if following > 0 {
		if left = c.leftAt(f, size, following); left >= 0 {
			end = min(size, left)
			if size > left {
				c.skipped = append(c.skipped, fmt.Sprintf("%s has %d bytes behind the place from which %s goes on: they were never acknowledged and do not count", segmentName(c.number), size-left, segmentName(following)))
			}
		}
	}
	acked := func(at int64) bool {
		return m == nil || c.number < m.segment || c.number == m.segment && at < m.size
	}
	r := newLines(f, c.at, end)
	for {
		c.at = r.at
		c.meet(m)
		raw, err := r.next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errUnfinished):
			c.finish(m, last, size)
			if c.at < left {
				c.fault(Fault{Segment: segmentName(c.number), Seq: c.seq + 1, Offset: c.at, What: fmt.Sprintf("the end was cut off: %s goes on from byte %d", segmentName(following), left)})
			}
			return nil
		case errors.Is(err, errLong):
			raw = nil
		case err != nil:
			return fmt.Errorf("reading %s at byte %d: %w", name, r.at, err)
		}
		// A segment got its name when it was whole: a first line that is not is damage.
		if last && !acked(c.at) && c.at > 0 && !c.whole(raw) {
			c.finish(m, last, size)
			return nil
		}
		if err := c.take(raw, acked(c.at)); err != nil {
			return err
		}
	}
}

// finish ends the scan of a segment: what follows in the last one is no record.
func (c *chain) finish(m *mark, last bool, size int64) {
	if !last {
		return
	}
	if m == nil && c.before != nil {
		// Nothing tells how far it was acknowledged: bad lines at the end are taken for
		// what a crash left, as a missing head is a fault already.
		c.state, c.at = c.before.state, c.before.at
		// Clipped, because readers may still go through the longer ones.
		c.entries, c.faults = slices.Clip(c.entries[:c.before.entries]), slices.Clip(c.faults[:c.before.faults])
		c.before = nil
	}
	c.torn = size - c.at
}

// meet holds the chain against the mark when it comes by it.
func (c *chain) meet(m *mark) {
	if m == nil || c.met || c.number != m.segment || c.at != m.size {
		return
	}
	c.met = true
	if c.tip.hash != m.head.Hash || c.seq != m.head.Seq {
		c.fault(Fault{Segment: headName, Seq: m.head.Seq, What: fmt.Sprintf("the head does not fit: it names %s where the journal has %s", m.head, Head{c.seq, c.tip.hash})})
	}
}

// checkMark tells what of the acknowledged records is not there.
func (c *chain) checkMark(m *mark) {
	if m == nil || c.met {
		return
	}
	c.met = true
	for gone := c.number + 1; gone <= m.segment; gone++ {
		c.fault(Fault{Segment: segmentName(gone), What: "the file is missing"})
	}
	switch {
	case c.number > m.segment || c.number == m.segment && c.at > m.size:
		c.fault(Fault{Segment: headName, Seq: m.head.Seq, What: "the head names a place at which no line of the journal ends"})
	case c.seq < m.head.Seq:
		c.fault(Fault{Segment: segmentName(c.number), Seq: c.seq + 1, Offset: c.at, What: fmt.Sprintf(
			"the end was cut off: %s acknowledged (head %s) and missing now", span(c.seq+1, m.head.Seq), m.head)})
	default:
		c.fault(Fault{Segment: segmentName(c.number), Offset: c.at, What: fmt.Sprintf("the end was cut off: the head names %s at byte %d of %s", m.head, m.size, segmentName(m.segment))})
	}
}

// mostKept is how many faults are kept. More help nobody.
const mostKept = 1000

// span names records by their numbers, with the verb that goes with them.
func span(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("record %d was", from)
	}
	return fmt.Sprintf("records %d to %d were", from, to)
}

// fault adds a fault unless it is known.
func (c *chain) fault(f Fault) {
	if len(c.faults) >= mostKept {
		return
	}
	f = f.plain()
	same := func(g Fault) bool { return g.Segment == f.Segment && g.Offset == f.Offset && g.Seq == f.Seq }
	if !slices.ContainsFunc(c.faults, same) {
		c.faults = append(c.faults, f)
	}
}

// plain is a fault whose texts may be shown: they can come from a file.
func (f Fault) plain() Fault {
	f.Segment, f.What = plain(f.Segment, mostName), plain(f.What, mostText)
	return f
}

// undeclared are the faults that no header tells of yet.
func (c *chain) undeclared() []Fault {
	return slices.DeleteFunc(slices.Clone(c.faults), func(f Fault) bool {
		number, ok := segmentNumber(f.Segment)
		return c.declared[location{f.Segment, f.Offset, f.Seq}] || ok && number < c.manyBefore
	})
}
