package journal

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// damaged is a journal in memory, of some records in two segments and by two keys,
// to be spoilt.
func damaged(t testing.TB) (*disk, Options) {
	t.Helper()
	return twoSegments(t, 4, 5, 9)
}

// twoSegments is a journal by one key up to a record, by another in the same
// segment up to a second, and up to a third in the next segment.
func twoSegments(t testing.TB, first, second, third uint64) (*disk, Options) {
	t.Helper()
	d := newDisk(1)
	o := Options{Signer: key(t), files: d}
	w, err := Create(diskDir, o)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w, first)
	closed(t, w)
	o.Signer = key(t)
	if w, _, err = Open(diskDir, o); err != nil {
		t.Fatal(err)
	}
	fill(t, w, second)
	once := true
	d.fail = func(op, _ string) error {
		if op == "sync" && once {
			once = false
			return errors.New("the disk")
		}
		return nil
	}
	fill(t, w, second+1)
	d.fail = nil
	if w.Trouble() == "" {
		t.Fatal("a failed sync is no trouble")
	}
	fill(t, w, third)
	closed(t, w)
	for _, name := range []string{lockName, holderName} {
		delete(d.names, filepath.Join(diskDir, name))
	}
	return d, o
}

func (d *disk) content(name string) []byte { return d.names[filepath.Join(diskDir, name)].data }

func (d *disk) set(name string, content []byte) {
	d.names[filepath.Join(diskDir, name)] = &node{data: content, synced: slices.Clone(content)}
}

// kept says that no record is read otherwise than it was written, and gives how
// many are read.
func kept(t testing.TB, what string, d *disk) int {
	t.Helper()
	r, err := read(d, diskDir)
	if err != nil {
		return -1
	}
	good, last := 0, uint64(0)
	err = r.Each(func(record Record) error {
		if record.Seq <= last {
			t.Errorf("%s: record %d comes after %d", what, record.Seq, last)
		}
		last = record.Seq
		if record.Bad == "" {
			good++
			if !bytes.Equal(record.Payload, payload(record.Seq)) {
				t.Errorf("%s: record %d was read as %q", what, record.Seq, record.Payload)
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	return good
}

// goesOn says that a damaged journal can be used: it opens with trouble, takes a
// record, tells of the damage for ever, and does so once.
func goesOn(t testing.TB, what string, d *disk, o Options) {
	t.Helper()
	o.files = d
	w, recovery, err := Open(diskDir, o)
	if err != nil {
		t.Errorf("%s: opening: %v", what, err)
		return
	}
	if len(recovery.Faults) == 0 || len(recovery.Lines) == 0 || w.Trouble() == "" {
		t.Errorf("%s: it opened as if nothing were: %+v, trouble %q", what, recovery, w.Trouble())
	}
	head, err := w.Append(payload(w.tip.next))
	if err != nil || head.Seq < 10 && !strings.HasPrefix(what, "first") {
		t.Errorf("%s: recording: %v, %v", what, head, err)
	}
	if w.Trouble() == "" {
		t.Errorf("%s: the trouble is gone", what)
	}
	closed(t, w)
	first := fmt.Sprint(recovery.Faults[0])
	if v, err := verifyAll(d, diskDir, VerifyOptions{Head: &head}); err == nil || !slices.ContainsFunc(v.Faults, func(f Fault) bool { return fmt.Sprint(f) == first }) {
		t.Errorf("%s: %s was found, and then verify says %v of %+v", what, first, err, v)
	}
	r, err := read(d, diskDir)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if list, err := r.Records(head.Seq, 1); err != nil || len(list) != 1 || list[0].Bad != "" {
		t.Errorf("%s: the record after the damage: %v, %v", what, list, err)
	}
	segments := r.chain.number
	if w, _, err = Open(diskDir, o); err != nil {
		t.Errorf("%s: opening again: %v", what, err)
		return
	}
	if w.Trouble() == "" {
		t.Errorf("%s: the next console says nothing", what)
	}
	if _, err := w.Append(payload(w.tip.next)); err != nil || w.number != segments {
		t.Errorf("%s: opening again: %v, segment %d after %d", what, err, w.number, segments)
	}
	closed(t, w)
}

// Every byte of every file is changed in several ways. Verify says so, where it can
// be known; no record is ever read otherwise than it was written.
func TestEveryFlippedByte(t *testing.T) {
	t.Parallel()
	d, _ := damaged(t)
	holdsBefore := kept(t, "before", d)
	if _, err := verifyAll(d, diskDir, VerifyOptions{}); holdsBefore != 9 || err != nil {
		t.Fatalf("before: %d records, %v", holdsBefore, err)
	}
	masks := []byte{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff}
	flips := 0
	for _, name := range []string{segmentName(1), segmentName(2), headName} {
		original := d.content(name)
		left := int64(len(original))
		if name == segmentName(1) {
			left = leftAt(t, d) // what the failed sync left does not count
		}
		for at := 0; at < len(original); at += steps(11, 1, 1) {
			if name == headName && at >= slotSize+8 && at < slotStride-8 {
				continue // between the two copies is nothing
			}
			for i, mask := range masks {
				if effort() < everyOne && i != at%len(masks) {
					continue
				}
				changed := slices.Clone(original)
				changed[at] ^= mask
				d.set(name, changed)
				flips++
				what := fmt.Sprintf("%s, byte %d ^ %02x", name, at, mask)
				good := kept(t, what, d)
				v, err := verifyAll(d, diskDir, VerifyOptions{})
				switch {
				case name == headName:
					// One of two copies: the other one is used, and what is behind it counts as
					// not acknowledged. Between the copies is nothing.
					used := at < slotSize || at >= slotStride
					if err != nil || good < 8 || used && len(v.Notes) < 2 {
						t.Errorf("%s: %v, %d records, notes %q", what, err, good, v.Notes)
					}
				case int64(at) >= left:
					if err != nil || good != 9 {
						t.Errorf("%s does not count: %v, %d records", what, err, good)
					}
				case err == nil:
					t.Errorf("%s: verify did not see it", what)
				case good >= 0 && good < 6:
					t.Errorf("%s: only %d records are left to read", what, good)
				case v != nil && !near(v.Faults[0], name, at, original):
					t.Errorf("%s: verify names %v", what, v.Faults[0])
				}
			}
		}
		d.set(name, original)
	}
	t.Logf("%d flips", flips)
}

// leftAt is where the first segment ends, as the second says.
func leftAt(t testing.TB, d *disk) int64 {
	t.Helper()
	c := newChain(d, diskDir)
	if err := c.scan(nil, false); err != nil {
		t.Fatal(err)
	}
	h := c.nextHeader(2)
	if size := int64(len(d.content(segmentName(1)))); h == nil || h.After.Size >= size {
		t.Fatalf("the second segment goes on from %+v, and the first has %d bytes", h, size)
	}
	return h.After.Size
}

// near says whether a fault names the line that was changed. A signature that was
// changed shows in that line and in the hash of the next.
func near(f Fault, name string, at int, original []byte) bool {
	begin := bytes.LastIndexByte(original[:at], '\n') + 1
	return f.Segment == name && f.Offset == int64(begin)
}

// A changed byte does not keep a journal from being used.
func TestFlippedBytesAndOn(t *testing.T) {
	t.Parallel()
	d, o := damaged(t)
	step := steps(97, 13, 1)
	for _, name := range []string{segmentName(1), segmentName(2)} {
		original := d.content(name)
		left := len(original)
		if name == segmentName(1) {
			left = int(leftAt(t, d))
		}
		for at := 0; at < left; at += step {
			spoilt := d.clone()
			changed := slices.Clone(original)
			changed[at] ^= 0x04
			spoilt.set(name, changed)
			var newer *NewerError
			if _, err := read(spoilt, diskDir); errors.As(err, &newer) {
				continue // the version itself was changed: nothing is written to what is not understood
			}
			goesOn(t, fmt.Sprintf("%s, byte %d", name, at), spoilt, o)
		}
	}
}

// A journal is cut at every byte: records that were acknowledged are missing, it
// is said which, and it can be used all the same.
func TestTruncationAtEveryByte(t *testing.T) {
	t.Parallel()
	d, o := damaged(t)
	for number := 1; number <= 2; number++ {
		name := segmentName(number)
		original := d.content(name)
		left := len(original)
		if number == 1 {
			left = int(leftAt(t, d))
		}
		for at := 0; at < left; at += steps(13, 1, 1) {
			what := fmt.Sprintf("%s cut at %d", name, at)
			spoilt := d.clone()
			spoilt.set(name, slices.Clone(original[:at]))
			good := kept(t, what, spoilt)
			v, err := verifyAll(spoilt, diskDir, VerifyOptions{})
			if err == nil {
				t.Errorf("%s: verify did not see it", what)
				continue
			}
			if want := 5 + bytes.Count(original[:at], []byte{'\n'}) - 1; number == 2 && good < max(want, 5) {
				t.Errorf("%s: %d records are left, want %d", what, good, want)
			}
			if v != nil && (v.Faults[0].Segment != name || v.Faults[0].Offset > int64(at)) {
				t.Errorf("%s: verify names %v", what, v.Faults[0])
			}
			if number == 1 && bytes.Count(original[:at], []byte{'\n'}) == 0 {
				continue // without its first line it cannot be read; a copy can
			}
			if at%5 == 0 || effort() == everyOne {
				goesOn(t, what, spoilt, o)
			}
		}
	}
}

// The same without the head's knowledge of it: what was written and never
// acknowledged is cut off at any byte, which is no damage.
func TestTornAtEveryByte(t *testing.T) {
	t.Parallel()
	d := newDisk(1)
	o := Options{Signer: key(t), files: d}
	w, err := Create(diskDir, o)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w, 2)
	head := slices.Clone(d.content(headName))
	size := len(d.content(segmentName(1)))
	if _, err := w.Append(payload(3), payload(4)); err != nil {
		t.Fatal(err)
	}
	closed(t, w)
	d.set(headName, head)
	original := d.content(segmentName(1))
	for at := size; at <= len(original); at++ {
		torn := d.clone()
		torn.set(segmentName(1), slices.Clone(original[:at]))
		o.files = torn
		w, recovery, err := Open(diskDir, o)
		if err != nil {
			t.Fatalf("torn at %d: %v", at, err)
		}
		lines := bytes.Count(original[size:at], []byte{'\n'})
		rest := at - size - len(bytes.Join(bytes.SplitAfter(original[size:at], []byte{'\n'})[:lines], nil))
		if recovery.Unacked != lines || recovery.Torn != rest || len(recovery.Faults) > 0 || w.Trouble() != "" ||
			(len(recovery.Lines) == 0) != (at == size) {
			t.Fatalf("torn at %d: %+v, want %d records kept and %d bytes cut; trouble %q", at, recovery, lines, rest, w.Trouble())
		}
		if rest > 0 {
			if beside := torn.content(filepath.Base(recovery.Kept)); !bytes.Equal(beside, original[at-rest:at]) {
				t.Fatalf("torn at %d: beside lies %q", at, beside)
			}
		}
		fill(t, w, 5)
		closed(t, w)
		if good := kept(t, fmt.Sprint("torn at ", at), torn); good != 5 {
			t.Fatalf("torn at %d: %d records", at, good)
		}
		if v, err := verifyAll(torn, diskDir, VerifyOptions{}); err != nil || v.Segments != 1 {
			t.Fatalf("torn at %d: %v", at, err)
		}
	}
}
