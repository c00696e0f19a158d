package journal

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Recovery is what was found and done when a journal was opened.
type Recovery struct {
	Torn    int      // bytes of an unfinished record that were cut off
	Kept    string   // the file beside that holds them; empty when none does
	Unacked int      // records that were written but not acknowledged before a crash, and are kept
	Faults  []Fault  // damage: with any, verify fails
	Lines   []string // what to tell, one line each; none when all was well
}

func (r *Recovery) tell(format string, args ...any) {
	r.Lines = append(r.Lines, fmt.Sprintf(format, args...))
}

// Create begins a journal in dir, which is made when it is missing, and takes its
// lock. It is durable when Create returns. ErrExists when there is one already.
func Create(dir string, o Options) (*Writer, error) {
	w, err := begin(dir, o, true)
	if err != nil {
		return nil, fmt.Errorf("beginning a journal in %s: %w", dir, err)
	}
	if err := w.create(); err != nil {
		return nil, errors.Join(fmt.Errorf("beginning a journal in %s: %w", dir, err), w.Close())
	}
	return w, nil
}

// begin checks the folder and takes the lock.
func begin(dir string, o Options, create bool) (*Writer, error) {
	w := &Writer{files: o.files, dir: filepath.Clean(dir), signer: o.Signer}
	if w.files == nil {
		w.files = system{}
	}
	if w.signer != nil || o.Key == nil { // else it is asked for later
		if err := w.useSigner(); err != nil {
			return nil, err
		}
	}
	if create {
		if err := w.files.MkdirAll(w.dir); err != nil {
			return nil, err
		}
	}
	if err := own(w.files, w.dir, true); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNone
		}
		return nil, err
	}
	var err error
	if w.lock, err = takeLock(w.files, w.dir, o.Owner); err != nil {
		return nil, err
	}
	if w.signer == nil {
		if w.signer, err = o.Key(); err == nil {
			err = w.useSigner()
		}
	}
	if err == nil {
		err = w.tidy()
	}
	if err != nil {
		noteHolder(w.files, w.dir, "")
		return nil, errors.Join(err, w.lock.Close())
	}
	return w, nil
}

// tidy checks that every file of the journal is the operator's own, and removes
// those that a crash kept from getting their names.
func (w *Writer) tidy() error {
	names, err := w.files.List(w.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		plain := strings.TrimSuffix(name, temporarySuffix)
		if _, ok := segmentNumber(plain); !ok && plain != headName && name != lockName && name != holderName {
			continue
		}
		path := filepath.Join(w.dir, name)
		if err := own(w.files, path, false); err != nil {
			return err
		}
		if plain != name {
			if err := w.files.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// create writes the first segment and the head. The head is there first, so that
// a segment without a head is always a fault.
func (w *Writer) create() error {
	names, err := w.files.List(w.dir)
	if err != nil {
		return err
	}
	m, _, _, err := readMark(w.files, w.dir)
	if err != nil {
		return err
	}
	if len(segmentNumbers(names)) > 0 || m != nil && m.head.Seq > 0 {
		return ErrExists
	}
	if _, err := rand.Read(w.id[:]); err != nil {
		return err
	}
	text, tip, err := w.header(1, nil)
	if err != nil {
		return err
	}
	w.number, w.tip, w.size, w.exact = 1, tip, int64(len(text)), true
	if err := w.writeHead(mark{w.id, 0, Head{0, tip.tip.hash}, 1, w.size}); err != nil {
		return err
	}
	name := filepath.Join(w.dir, segmentName(1))
	if _, err := place(w.files, name, text); err != nil {
		return err
	}
	if err := w.files.SyncDir(filepath.Dir(w.dir)); err != nil { // the folder may be new itself
		return err
	}
	w.seg, err = w.files.Open(name, os.O_RDWR)
	return err
}

// Open takes a journal up to go on with it. The chain is followed wholly and the
// last signature checked. A torn end is cut off, and its bytes kept beside.
// Damage does not keep a journal from being used: the next record begins a segment
// that tells of it, Trouble says it, and verify fails. *Held when another process
// writes it, ErrNone when there is none, *NewerError when a newer version wrote it.
func Open(dir string, o Options) (*Writer, *Recovery, error) {
	w, err := begin(dir, o, false)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the journal in %s: %w", dir, err)
	}
	r := &Recovery{}
	if err := w.open(r); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("opening the journal in %s: %w", dir, err), w.Close())
	}
	return w, r, nil
}

func (w *Writer) open(r *Recovery) error {
	m, why, damaged, err := readMark(w.files, w.dir)
	if err != nil {
		return err
	}
	c := newChain(w.files, w.dir)
	if err := c.scan(m, true); err != nil {
		return err
	}
	if c.unacked > 0 || m != nil && c.beyond(m) {
		if err := w.renew(c, m); err != nil {
			// What is behind the head may not be durable and cannot be made so: the next
			// segment goes on from the head.
			r.tell("%d records after %s were written and not acknowledged before the last console ended, and do not count: syncing them failed: %v", c.unacked, m.head, err)
			w.broken = fmt.Sprintf("syncing what was not acknowledged failed: %s: %v", segmentName(c.number), err)
			c = newChain(w.files, w.dir)
			if err := c.scan(m, false); err != nil {
				return err
			}
			c.torn = 0 // left where it lies
		}
	}
	if m == nil {
		if err := w.writeAgain(segmentName(c.number), 0, c.at); err != nil {
			r.tell("how far the records are durable is not known without a head, and writing the last segment again failed: %v", err)
		}
		c.fault(Fault{Segment: headName, Seq: c.seq, What: why + ": whether records are missing at the end cannot be known"})
	}
	if damaged != "" {
		r.tell("%s", damaged)
	}
	if err := w.adopt(c, m); err != nil {
		return err
	}
	w.repair(c, r)
	w.report(c, r)
	if w.broken == "" {
		if w.seg, err = w.files.Open(filepath.Join(w.dir, segmentName(w.number)), os.O_RDWR); err != nil {
			return err
		}
	}
	if err := w.raise(c, m); err != nil {
		return err
	}
	if m != nil && len(c.faults) == 0 && w.broken == "" {
		w.scanned = c
	}
	return nil
}

// beyond says whether the chain stands behind the mark.
func (c *chain) beyond(m *mark) bool { return c.number > m.segment || c.at > m.size }

// adopt goes on from where the chain stands, with the session's key.
func (w *Writer) adopt(c *chain, m *mark) error {
	w.introduce = c.keyText != w.tip.keyText
	key, text := w.tip.key, w.tip.keyText
	w.tip = c.state
	w.tip.key, w.tip.keyText = key, text
	w.id, w.number, w.size = c.id, c.number, c.at
	if m != nil {
		w.head = *m
		if !c.tooFar(m.head.Seq) && !c.tooFar(m.head.Seq+1) {
			w.tip.next = max(w.tip.next, m.head.Seq+1) // a number that was acknowledged is never given again
		} else {
			w.head.head = Head{c.seq, c.tip.hash} // nothing that was acknowledged has that number
		}
		w.number = max(w.number, m.segment)
	}
	f, size, err := openSegment(w.files, filepath.Join(w.dir, segmentName(c.number)))
	if err != nil {
		return err
	}
	defer f.Close()
	w.exact = stated(f, c.at, size, hex.EncodeToString(c.tip.hash[:])) == c.at
	return nil
}

// raise opens the head's file, and has the head tell of records behind it.
func (w *Writer) raise(c *chain, m *mark) error {
	if m == nil {
		return nil // made with the next segment
	}
	var err error
	if w.slot, err = w.files.Open(filepath.Join(w.dir, headName), os.O_RDWR); err != nil {
		return err
	}
	if len(w.faults) > 0 || !c.beyond(m) {
		return nil
	}
	return w.writeHead(mark{w.id, m.generation + 1, Head{c.seq, c.tip.hash}, c.number, c.at})
}
