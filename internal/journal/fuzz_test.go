package journal

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"
)

// Whatever lies in the files: reading and verifying end without a panic, records
// ascend, those that verify are those that were written, and where a journal can
// be opened it can be gone on with.
func FuzzReader(f *testing.F) {
	d, o := twoSegments(f, 1, 2, 3) // short, so that much can be tried
	first, second, head := d.content(segmentName(1)), d.content(segmentName(2)), d.content(headName)
	f.Add(first, second, head)
	f.Add(first, []byte{}, head)
	f.Add(first[:len(first)-7], second, []byte{})
	f.Add(slices.Concat(first, second), second, head[:slotSize])
	f.Add([]byte("1 hello\n"), bytes.Repeat([]byte("x"), 70), head)
	f.Add(bytes.Replace(first, []byte(`"1.0"`), []byte(`"2.0"`), 1), second, head)
	f.Add(bytes.Replace(first, []byte("\n2 "), []byte("\n18446744073709551615 "), 1), second, head)
	for _, far := range []uint64{2 + mostGap, 3_000_000_000, math.MaxUint64} {
		leaps, _ := leaping(f, 2, far)
		f.Add(leaps.content(segmentName(1)), []byte{}, leaps.content(headName))
	}
	f.Fuzz(func(t *testing.T, first, second, head []byte) {
		d := newDisk(1)
		d.set(segmentName(1), first)
		if len(second) > 0 {
			d.set(segmentName(2), second)
		}
		if len(head) > 0 {
			d.set(headName, head)
		}
		v, err := verifyAll(d, diskDir, VerifyOptions{})
		if fault := (*Fault)(nil); errors.As(err, &fault) == (v == nil) && err != nil {
			t.Fatalf("verify: %v beside %v", err, v)
		}
		if v != nil {
			shown(t, v)
		}
		if err != nil {
			steers(t, err.Error())
		}
		if r, err := read(d, diskDir); err == nil {
			last, n := uint64(0), uint64(0)
			err := r.Each(func(record Record) error {
				if record.Seq <= last || record.Bad != "" && record.Payload != nil {
					t.Fatalf("record %d after %d: %q, %s", record.Seq, last, record.Payload, record.Bad)
				}
				if record.Seq-last > mostGap {
					t.Fatalf("record %d after %d", record.Seq, last)
				}
				last = record.Seq
				n++
				if v != nil && len(v.Faults) == 0 && !bytes.Equal(record.Payload, payload(record.Seq)) {
					t.Fatalf("it verifies with record %d as %q", record.Seq, record.Payload)
				}
				return nil
			})
			if err != nil || n != r.Len() {
				t.Fatalf("%d of %d records: %v", n, r.Len(), err)
			}
		} else if v != nil {
			t.Fatalf("it was verified and cannot be read: %v", err)
		}
		o.files = d
		w, _, err := Open(diskDir, o)
		if err != nil {
			return
		}
		got, err := w.Append([]byte("more"))
		if err != nil {
			t.Fatalf("it was opened and takes no record: %v", err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := read(d, diskDir)
		if err != nil || r.Head() != got {
			t.Fatalf("record %v: %v", got, err)
		}
		if list, err := r.Records(got.Seq, 1); err != nil || len(list) != 1 || string(list[0].Payload) != "more" {
			t.Fatalf("record %v was read as %v, %v", got, list, err)
		}
	})
}

// A line has one way to be written.
func FuzzLine(f *testing.F) {
	d, _ := damaged(f)
	for _, raw := range bytes.Split(d.content(segmentName(1)), []byte{'\n'}) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := parseLine(raw)
		if err != nil {
			return
		}
		if again := appendLine(nil, l); !bytes.Equal(again, append(slices.Clone(raw), '\n')) {
			t.Fatalf("%q is written again as %q", raw, again)
		}
		if blob, err := decodeSignature(l.sig); err == nil && !bytes.Equal(encodeSignature(blob), l.sig) {
			t.Fatalf("the signature %q is written again as %q", l.sig, encodeSignature(blob))
		}
	})
}
