package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
)

// Reader reads a journal, also while it is written. It sees what was acknowledged
// and nothing else; where the head cannot be read, it sees every whole record. It
// keeps 16 bytes a record in memory and no file open, and is safe for concurrent
// use.
type Reader struct {
	mu    sync.Mutex
	chain *chain
	mark  *mark  // up to which the chain was scanned; nil when the head cannot be read
	seen  []byte // the head's file of that mark
}

// Read opens a journal for reading: the whole chain is followed and the last
// signature checked. Damage is no error: see Faults. ErrNone when there is none,
// *NewerError when a newer version wrote it.
func Read(dir string) (*Reader, error) { return read(system{}, dir) }

func read(files fileSystem, dir string) (*Reader, error) {
	r := &Reader{chain: newChain(files, filepath.Clean(dir))}
	if err := r.load(); err != nil {
		return nil, err
	}
	return r, nil
}

// load scans on to the head as it is now. A head that is what it was at the last
// scan is all that is read: whoever follows looks several times a second.
func (r *Reader) load() error {
	raw, err := readHead(r.chain.files, r.chain.dir)
	if err != nil {
		return err
	}
	if r.mark != nil && bytes.Equal(raw, r.seen) {
		return nil
	}
	m, why, _ := markOf(raw)
	if r.chain.number > 0 && !r.goesOn(m) {
		r.chain = newChain(r.chain.files, r.chain.dir)
	}
	if err := r.chain.scan(m, false); err != nil {
		r.chain = newChain(r.chain.files, r.chain.dir) // half a scan is none
		r.mark = nil
		return err
	}
	if m == nil {
		r.chain.fault(Fault{Segment: headName, Seq: r.chain.seq, What: why})
	}
	r.mark, r.seen = m, raw
	return nil
}

// goesOn says whether the scan can go on to m from where it stands.
func (r *Reader) goesOn(m *mark) bool {
	return r.mark != nil && m != nil && m.id == r.mark.id && m.generation >= r.mark.generation &&
		(m.segment > r.mark.segment || m.segment == r.mark.segment && m.size >= r.mark.size)
}

// Refresh looks for what was acknowledged since. grew says whether something was.
// While the head is what it was, nothing else is read: what happens to the records
// before it shows when they are read, or the journal is opened again.
func (r *Reader) Refresh() (grew bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.chain.entries)
	if err := r.load(); err != nil {
		return false, err
	}
	return len(r.chain.entries) != before, nil
}

// Len is how many records can be asked for, bad ones included.
func (r *Reader) Len() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return uint64(len(r.chain.entries))
}

// Head names the last record that was acknowledged, as far as it is there.
func (r *Reader) Head() Head {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mark != nil && r.mark.head.Seq == r.chain.seq {
		return r.mark.head
	}
	return Head{r.chain.seq, r.chain.tip.hash}
}

// Faults are what is wrong with the journal as far as reading it shows: all but
// signatures before the last.
func (r *Reader) Faults() []Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.chain.faults)
}

// Records are at most n records whose number is from or greater, ascending. A
// record that is not what it was when the chain was followed is an error.
func (r *Reader) Records(from uint64, n int) ([]Record, error) {
	r.mu.Lock()
	entries := r.chain.entries
	files, dir := r.chain.files, r.chain.dir
	faults := r.chain.faults
	r.mu.Unlock()
	i, _ := slices.BinarySearchFunc(entries, from, func(e entry, seq uint64) int {
		switch {
		case e.seq < seq:
			return -1
		case e.seq > seq:
			return 1
		}
		return 0
	})
	entries = entries[i:]
	entries = entries[:min(len(entries), max(n, 0))]
	out := make([]Record, 0, len(entries))
	for len(entries) > 0 {
		same := 1
		for same < len(entries) && entries[same].segment() == entries[0].segment() {
			same++
		}
		var err error
		if out, err = records(files, dir, entries[:same], faults, out); err != nil {
			return nil, err
		}
		entries = entries[same:]
	}
	return out, nil
}

// records reads entries of one segment.
func records(files fileSystem, dir string, entries []entry, faults []Fault, out []Record) ([]Record, error) {
	name := segmentName(entries[0].segment())
	f, size, err := openSegment(files, filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("reading records of the journal: %w", err)
	}
	defer f.Close()
	r := newLines(f, entries[0].at(), size)
	for _, e := range entries {
		if e.bad() {
			out = append(out, Record{Seq: e.seq, Bad: badness(faults, name, e.at())})
			continue
		}
		for r.at < e.at() { // over lines of the journal's own, and bad ones
			if _, err := r.next(); err != nil && !errors.Is(err, errLong) {
				return nil, fmt.Errorf("reading record %d at byte %d of %s: %w", e.seq, e.at(), name, changed(err))
			}
		}
		raw, err := r.next()
		if err != nil {
			return nil, fmt.Errorf("reading record %d at byte %d of %s: %w", e.seq, e.at(), name, changed(err))
		}
		l, err := parseLine(raw)
		if err == nil {
			if seq, _ := l.number(); seq != e.seq {
				err = errLine
			}
		}
		if err != nil {
			return nil, fmt.Errorf("reading record %d at byte %d of %s: %w", e.seq, e.at(), name, changed(err))
		}
		out = append(out, Record{Seq: e.seq, Payload: slices.Clone(l.payload)})
	}
	return out, nil
}

// errChanged is the error of a file that is not what it was.
var errChanged = errors.New("the file was changed since it was opened: verify the journal")

func changed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, errUnfinished) || errors.Is(err, errLine) || errors.Is(err, errLong) {
		return errChanged
	}
	return err
}

// badness is what is known to be wrong at a place.
func badness(faults []Fault, segment string, at int64) string {
	for _, f := range faults {
		if f.Segment == segment && f.Offset == at {
			return f.What
		}
	}
	return "it cannot be read"
}

// eachStep is how many records are in memory at once while all are gone through.
const eachStep = 256

// Each calls do with every record in order, bad ones included, until it fails.
// Records that Refresh finds meanwhile are among them.
func (r *Reader) Each(do func(Record) error) error {
	for from := uint64(1); ; {
		list, err := r.Records(from, eachStep)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, record := range list {
			if err := do(record); err != nil {
				return err
			}
		}
		from = list[len(list)-1].Seq + 1
	}
}
