package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Options says how a journal is written.
type Options struct {
	Signer Signer // signs every record
	// Key gives the signer once the lock is held, so that no key is asked for, or made,
	// for a journal that another process writes. Used when Signer is nil; one of the
	// two is required.
	Key   func() (Signer, error)
	Owner string // who writes, for the message of the lock: operator@host

	files fileSystem // the system's own when nil
}

// Writer appends to a journal, which it holds alone until Close. It is safe for
// concurrent use.
type Writer struct {
	mu     sync.Mutex
	files  fileSystem
	dir    string
	signer Signer
	lock   io.Closer
	closed bool

	id        identity
	tip       state // where the chain stands: the last line, the next number, the key of this session
	introduce bool  // the key of this session is not in the chain yet

	number int     // of the segment that is written
	seg    file    // nil when it must not be written
	size   int64   // where the next line goes
	exact  bool    // the last line ends at size
	broken string  // why the segment must not be gone on with; the next record begins another
	faults []Fault // to be told by its header

	head mark // as it was written last
	slot file // the head file; nil when it must be made anew

	scanned *chain // as it was followed when the journal was opened, for Reader; nil when it is not what is read

	lasting string // trouble until the journal is closed
	passing string // trouble until a record is written
}

// Head names the last record that is durable.
func (w *Writer) Head() Head {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.head.head
}

// Trouble is what is wrong with the journal and what to do, one line; empty when
// nothing is.
func (w *Writer) Trouble() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.passing != "" {
		return w.passing
	}
	return w.lasting
}

// Reader reads the journal that is written. Called once after Open, it does not
// follow the whole chain a second time.
func (w *Writer) Reader() (*Reader, error) {
	w.mu.Lock()
	c, m := w.scanned, w.head
	w.scanned = nil
	w.mu.Unlock()
	if c == nil {
		return read(w.files, w.dir)
	}
	r := &Reader{chain: c, mark: &m}
	if err := r.load(); err != nil {
		return nil, err
	}
	return r, nil
}

// Close gives the journal up. What was acknowledged is durable already.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	w.dropSegment()
	w.dropSlot()
	noteHolder(w.files, w.dir, "")
	return w.lock.Close()
}

// Append records payloads in order, as one group, and returns when all of them and
// the head are durable. An error that is ErrUnknown: they may be in the journal or
// not, and whether they are shows when it is read later. Any other error: nothing
// was recorded, and the journal can be used on. A group is no transaction: a crash
// before Append returns can leave the first of its records and not the others.
func (w *Writer) Append(payloads ...[]byte) (Head, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return Head{}, fmt.Errorf("recording in %s: %w", w.dir, ErrClosed)
	}
	for _, p := range payloads {
		if len(p) > MaxPayload {
			return Head{}, fmt.Errorf("recording in %s: %w: it has %d bytes, and at most %d can be", w.dir, ErrPayload, len(p), MaxPayload)
		}
		if bytes.IndexByte(p, '\n') >= 0 {
			return Head{}, fmt.Errorf("recording in %s: %w: there is a line feed in it", w.dir, ErrPayload)
		}
	}
	if len(payloads) == 0 {
		return w.head.head, nil
	}
	written, err := w.extend(payloads)
	if errors.Is(err, errBroken) {
		err = w.moveOn(payloads, written)
	}
	if err != nil {
		err = fmt.Errorf("recording in %s: %w", w.dir, err)
		w.passing = "NOT RECORDED: " + err.Error()
		return Head{}, err
	}
	w.passing = ""
	return w.head.head, nil
}

// errBroken says that a record has to go to another segment.
var errBroken = errors.New("this segment is not gone on with")

// extend writes a group to the segment. written says that something of it may be
// there although there is an error.
func (w *Writer) extend(payloads [][]byte) (written bool, err error) {
	if w.broken != "" {
		return false, errBroken
	}
	text, tip, err := w.group(nil, w.tip, payloads)
	if err != nil {
		return false, err
	}
	n, err := w.seg.WriteAt(text, w.size)
	if err == nil && n < len(text) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return w.takeBack(err)
	}
	if err := w.seg.Sync(); err != nil {
		return true, w.breakSegment("syncing it", err)
	}
	w.tip, w.size, w.exact, w.introduce = tip, w.size+int64(len(text)), true, false
	return true, w.acknowledge()
}

// takeBack cuts off what a failed write left, so that nothing of it can be taken
// for a record.
func (w *Writer) takeBack(cause error) (written bool, err error) {
	if err := w.seg.Truncate(w.size); err != nil {
		return true, w.breakSegment("writing to it", cause)
	}
	if err := w.seg.Sync(); err != nil {
		return true, w.breakSegment("writing to it", cause)
	}
	if !full(cause) {
		return false, w.breakSegment("writing to it", cause)
	}
	return false, fmt.Errorf("nothing was recorded: %w; make space, then record it again", cause)
}

// full says whether a write failed for want of space, which can come back.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// breakSegment gives the segment up for good: what a failed sync left in the
// system's cache is not known, and another sync would succeed without writing it.
func (w *Writer) breakSegment(doing string, err error) error {
	w.dropSegment()
	w.broken = fmt.Sprintf("%s failed: %s: %v", doing, segmentName(w.number), err)
	return errBroken
}

func (w *Writer) dropSegment() {
	if w.seg != nil {
		_ = w.seg.Close() // what counts was synced, and what was not does not count
		w.seg = nil
	}
}

// group writes payloads as lines that follow from.
func (w *Writer) group(text []byte, from state, payloads [][]byte) ([]byte, state, error) {
	var err error
	if w.introduce && len(text) == 0 {
		intro, errJSON := json.Marshal(newKey{Key: w.tip.keyText})
		if errJSON != nil {
			return nil, state{}, errJSON
		}
		if text, from, err = w.line(text, from, keyLabel, intro); err != nil {
			return nil, state{}, err
		}
	}
	for _, p := range payloads {
		if text, from, err = w.line(text, from, strconv.FormatUint(from.next, 10), p); err != nil {
			return nil, state{}, err
		}
		from.seq, from.next = from.next, from.next+1
	}
	return text, from, nil
}

// line adds one signed line.
func (w *Writer) line(text []byte, from state, label string, payload []byte) ([]byte, state, error) {
	l := line{label: []byte(label), payload: payload}
	l.hash = sum(w.id, from.tip, l.label, payload)
	var err error
	if l.sig, err = sign(w.signer, from.key, l.hash); err != nil {
		return nil, state{}, fmt.Errorf("nothing was recorded: %w", err)
	}
	from.tip = link{l.hash, l.sig}
	return appendLine(text, l), from, nil
}

// moveOn begins the next segment with a group. written says that something of the
// group may be in this one.
func (w *Writer) moveOn(payloads [][]byte, written bool) error {
	text, tip, err := w.header(w.number+1, newSpot(w.tip.seq, w.tip.tip.hash, w.size, w.exact))
	if err != nil {
		return err
	}
	if text, tip, err = w.group(text, tip, payloads); err != nil {
		return err
	}
	name := filepath.Join(w.dir, segmentName(w.number+1))
	if placed, err := place(w.files, name, text); err != nil {
		if !placed && !written {
			return fmt.Errorf("nothing was recorded: beginning %s failed: %w (%s); note it elsewhere, and record it again when this disk can be written", name, err, w.broken)
		}
		return fmt.Errorf("%w: beginning %s failed: %w (%s); note it elsewhere, and record it again when this disk can be written", ErrUnknown, name, err, w.broken)
	}
	w.lasting = fmt.Sprintf("the journal goes on in %s, because %s: look at this disk, and copy the incident's folder to another", segmentName(w.number+1), w.broken)
	if len(w.faults) > 0 {
		w.lasting = damage(w.faults)
	}
	w.number, w.tip, w.size, w.exact, w.introduce = w.number+1, tip, int64(len(text)), true, false
	w.broken, w.faults = "", nil
	if w.seg, err = w.files.Open(name, os.O_RDWR); err != nil {
		_ = w.breakSegment("opening it again", err) // for the record after this one
	}
	return w.acknowledge()
}

// header writes the first line of a segment.
func (w *Writer) header(number int, after *spot) ([]byte, state, error) {
	if number > mostSegments {
		return nil, state{}, fmt.Errorf("nothing was recorded: there are %d segments already: begin another incident", w.number)
	}
	h := header{Format: Format, Journal: fmt.Sprintf("%x", w.id), Segment: number, First: w.tip.next, After: after,
		Why: w.broken, Faults: w.faults[:min(len(w.faults), mostFaults)], Key: w.tip.keyText}
	payload, err := json.Marshal(h)
	if err != nil {
		return nil, state{}, err
	}
	return w.line(nil, w.tip, headerLabel, payload)
}

// acknowledge writes the head for what is durable in the segments.
func (w *Writer) acknowledge() error {
	m := mark{w.id, w.head.generation + 1, Head{w.tip.seq, w.tip.tip.hash}, w.number, w.size}
	if err := w.writeHead(m); err != nil {
		// The records stay: what the head's file holds is not known now, and only with
		// them it fits in both cases. The next record acknowledges them too.
		return fmt.Errorf("%w: the records are written, and writing the head failed: %w", ErrUnknown, err)
	}
	return nil
}

// writeHead writes the head to the slot that is older, or to a new file when the
// one there is cannot be trusted any more.
func (w *Writer) writeHead(m mark) error {
	var cause error
	if w.slot != nil {
		_, cause = w.slot.WriteAt(m.slot(), slotAt(m.generation))
		if cause == nil {
			cause = w.slot.Sync()
		}
		if cause == nil {
			w.head = m
			return nil
		}
		w.dropSlot()
		m.generation++ // above what the old file may hold
		w.head.generation = m.generation
		w.lasting = fmt.Sprintf("the journal's head was moved to a new file, because writing it failed: %v: look at this disk, and copy the incident's folder to another", cause)
	}
	name := filepath.Join(w.dir, headName)
	content, m := headFile(m)
	if _, err := place(w.files, name, content); err != nil {
		return errors.Join(cause, err)
	}
	w.head = m
	var err error
	if w.slot, err = w.files.Open(name, os.O_RDWR); err != nil {
		w.slot = nil // made anew for the next
	}
	return nil
}

func (w *Writer) dropSlot() {
	if w.slot != nil {
		_ = w.slot.Close() // as for the segment
		w.slot = nil
	}
}

// useSigner has the session's key sign.
func (w *Writer) useSigner() error {
	if w.signer == nil {
		return errors.New("a journal is written with a key that signs: name one")
	}
	key, text, err := parseKey(w.signer.Public())
	if err != nil {
		return fmt.Errorf("the key that is to sign the journal: %w", err)
	}
	w.tip = state{next: 1, key: key, keyText: text}
	return nil
}
