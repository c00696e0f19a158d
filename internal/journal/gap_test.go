package journal

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// leaping is a journal of which every line is signed and chained, and whose record
// numbers leap: after n whole records those given.
func leaping(t testing.TB, n uint64, numbers ...uint64) (*disk, Options) {
	t.Helper()
	d, w, o := onDisk(t, n)
	for _, seq := range numbers {
		w.tip.next = seq
		if _, err := w.Append(payload(seq)); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, w)
	return d, o
}

// A number that is far beyond the last is a bad line, however well it is signed:
// nobody who reads has to do as many things as it says.
func TestANumberFarBeyondTheLast(t *testing.T) {
	for _, far := range []uint64{2 + mostGap + 1, 3_000_000_000, math.MaxUint64 - 1, math.MaxUint64} {
		d, o := leaping(t, 2, far)
		v, err := verifyAll(d, diskDir, VerifyOptions{})
		f, ok := errors.AsType[*Fault](err)
		if !ok || f.Segment != segmentName(1) || f.Seq != 3 || f.Offset == 0 || !strings.Contains(f.What, "leaves out so many") {
			t.Errorf("%d: verify says %v", far, err)
		}
		if v == nil || v.Records != 2 {
			t.Errorf("%d: %+v", far, v)
		}
		r, err := read(d, diskDir)
		if err != nil {
			t.Fatal(err)
		}
		holds(t, everything(t, r), 2)
		// It is used on, with the number that follows the last that counts.
		o.files = d
		w, _, err := Open(diskDir, o)
		if err != nil {
			t.Fatalf("%d: %v", far, err)
		}
		fill(t, w, 5)
		closed(t, w)
		if r, err = read(d, diskDir); err != nil || r.Head().Seq != 5 {
			t.Fatalf("%d: head %v, %v", far, r.Head(), err)
		}
		holds(t, everything(t, r), 5)
	}
}

// A header that has the next record far beyond the last is a fault, and the
// numbers do not follow it.
func TestAHeaderFarBeyondTheLast(t *testing.T) {
	d, w, _ := onDisk(t, 2)
	w.tip.next = 3_000_000_000
	_ = w.breakSegment("a test", errors.New("told"))
	if _, err := w.Append(payload(3)); err != nil {
		t.Fatal(err)
	}
	closed(t, w)
	_, err := verifyAll(d, diskDir, VerifyOptions{})
	if f, ok := errors.AsType[*Fault](err); !ok || f.Segment != segmentName(2) || !strings.Contains(f.What, "leaves out so many") {
		t.Errorf("verify says %v", err)
	}
	r, err := read(d, diskDir)
	if err != nil || r.Len() != 2 {
		t.Fatalf("%d records: %v", r.Len(), err)
	}
}

// Numbers that are missing where so many records can be are told and no more.
func TestAGapThatCanBe(t *testing.T) {
	d, _ := leaping(t, 2, 2+mostGap)
	_, err := verifyAll(d, diskDir, VerifyOptions{})
	if err == nil || !strings.Contains(err.Error(), "cannot be found") {
		t.Errorf("verify says %v", err)
	}
	r, err := read(d, diskDir)
	if err != nil || r.Len() != 3 || r.Head().Seq != 2+mostGap {
		t.Errorf("%d records, head %v: %v", r.Len(), r.Head(), err)
	}
}

// A head that names a number far beyond gives no number to the next record.
func TestAHeadFarBeyondTheLast(t *testing.T) {
	for _, far := range []uint64{3_000_000_000, math.MaxUint64} {
		d, o := leaping(t, 2)
		m, _, _, err := readMark(d, diskDir)
		if err != nil {
			t.Fatal(err)
		}
		m.head.Seq = far
		content, _ := headFile(*m)
		d.set(headName, content)
		o.files = d
		w, _, err := Open(diskDir, o)
		if err != nil {
			t.Fatal(err)
		}
		if head, err := w.Append(payload(3)); err != nil || head.Seq != 3 {
			t.Errorf("head %d: the next record is %v, %v", far, head, err)
		}
		closed(t, w)
	}
}
