package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// repair cuts a torn end off.
func (w *Writer) repair(c *chain, r *Recovery) {
	if c.torn <= 0 || w.broken != "" || len(c.undeclared()) > 0 {
		return // left where it lies: the next segment tells from where it goes on
	}
	r.Torn = int(c.torn)
	kept, err := w.keepTorn(c)
	if err == nil {
		err = w.cut(c)
	}
	if err != nil {
		r.tell("an unfinished record of %d bytes lies at the end of %s and does not count; it could not be set aside: %v", c.torn, segmentName(c.number), err)
		w.broken = fmt.Sprintf("cutting off an unfinished record failed: %s: %v", segmentName(c.number), err)
		return
	}
	r.Kept = kept
	r.tell("an unfinished record of %d bytes was cut off the end of %s, as a crash leaves one; it was never acknowledged, and lies in %s", c.torn, segmentName(c.number), filepath.Base(kept))
}

// mostTorn is how much of a torn end is set aside: far more than one group of
// records has.
const mostTorn = 64 << 20

// keepTorn copies a torn end to a file beside.
func (w *Writer) keepTorn(c *chain) (string, error) {
	if c.torn > mostTorn {
		return "", fmt.Errorf("it has %d bytes, and at most %d are copied", c.torn, mostTorn)
	}
	name := filepath.Join(w.dir, segmentName(c.number))
	f, _, err := openSegment(w.files, name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text := make([]byte, c.torn)
	if _, err := f.ReadAt(text, c.at); err != nil {
		return "", err
	}
	for i := 1; ; i++ {
		kept := fmt.Sprintf("%s.torn-%d", name, i)
		if _, err := w.files.Lstat(kept); errors.Is(err, fs.ErrNotExist) {
			_, err := place(w.files, kept, text)
			return kept, err
		} else if err != nil {
			return "", err
		}
	}
}

// cut shortens a segment to what counts.
func (w *Writer) cut(c *chain) error {
	f, err := w.files.Open(filepath.Join(w.dir, segmentName(c.number)), os.O_RDWR)
	if err != nil {
		return err
	}
	err = f.Truncate(c.at)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// report tells of damage, and has it told by the next segment unless one does.
func (w *Writer) report(c *chain, r *Recovery) {
	if c.unacked > 0 {
		r.Unacked = c.unacked
		r.tell("%d records after %s were written and not acknowledged before the last console ended; they are kept", c.unacked, w.head.head)
	}
	if len(c.faults) == 0 {
		return
	}
	r.Faults = c.faults
	w.lasting = damage(c.faults)
	r.tell("%s", w.lasting)
	if w.faults = c.undeclared(); len(w.faults) > 0 {
		if w.broken == "" {
			w.broken = "damage was found when the journal was opened"
		}
		r.tell("the next record begins %s, which tells of it", segmentName(w.number+1))
	}
}

// damage is the trouble of a journal with faults.
func damage(faults []Fault) string {
	more := ""
	if len(faults) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(faults)-1)
	}
	return fmt.Sprintf("THE JOURNAL IS DAMAGED: %s%s: what is recorded now is safe; keep a copy of the folder, and verify it", faults[0].Error(), more)
}

// renew makes what lies behind the mark durable, up to where the chain stands, by
// writing the same bytes again. To sync it only would not do: should a sync have
// failed before its console died, the system holds it for written.
func (w *Writer) renew(c *chain, m *mark) error {
	for number := m.segment; number <= c.number; number++ {
		from, to := int64(0), int64(-1)
		if number == m.segment {
			from = m.size
		}
		if number == c.number {
			to = c.at
		}
		if err := w.writeAgain(segmentName(number), from, to); err != nil {
			return err
		}
	}
	return w.files.SyncDir(w.dir)
}

// writeAgain writes a part of a segment over itself and syncs it; to is negative
// for the end of the file.
func (w *Writer) writeAgain(name string, from, to int64) error {
	f, err := w.files.Open(filepath.Join(w.dir, name), os.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close()
	if to < 0 {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		to = info.Size()
	}
	for piece := make([]byte, MaxLine); from < to; {
		n, err := f.ReadAt(piece[:min(to-from, MaxLine)], from)
		if n == 0 && err != nil {
			return err
		}
		if _, err := f.WriteAt(piece[:n], from); err != nil {
			return err
		}
		from += int64(n)
	}
	return f.Sync()
}
