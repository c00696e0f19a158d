package journal

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// told is what the callers of a journal were told.
type told struct {
	acked   map[uint64]string // number to payload: must be there
	offered map[string]bool   // payloads that may be there, once or more often
	refused map[string]bool   // payloads of which it was said that nothing was recorded
	count   int
}

func newTold() *told {
	return &told{acked: map[uint64]string{}, offered: map[string]bool{}, refused: map[string]bool{}}
}

// record appends a group of n records.
func (o *told) record(w *Writer, n int) error {
	var group [][]byte
	for range n {
		o.count++
		group = append(group, fmt.Appendf(nil, "%d %s", o.count, strings.Repeat("x", o.count%90)))
		o.offered[string(group[len(group)-1])] = true
	}
	head, err := w.Append(group...)
	for i, p := range group {
		switch {
		case err == nil:
			o.acked[head.Seq-uint64(n-1-i)] = string(p)
		case !errors.Is(err, ErrUnknown):
			o.refused[string(p)] = true
		}
	}
	return err
}

// fatal is what testing and rapid have in common.
type fatal interface {
	Helper()
	Fatalf(format string, args ...any)
}

// check holds a disk against what was told: readers see everything that was
// acknowledged and nothing that was not offered, in order, and it verifies.
func (o *told) check(t fatal, d *disk) {
	t.Helper()
	r, err := read(d, diskDir)
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	seen := map[uint64]string{}
	last := uint64(0)
	err = r.Each(func(record Record) error {
		if record.Bad != "" || record.Seq <= last || !o.offered[string(record.Payload)] || o.refused[string(record.Payload)] {
			t.Fatalf("record %d after %d: %q, bad %q, refused %v", record.Seq, last, record.Payload, record.Bad, o.refused[string(record.Payload)])
		}
		last = record.Seq
		seen[record.Seq] = string(record.Payload)
		return nil
	})
	if err != nil {
		t.Fatalf("reading records: %v", err)
	}
	for seq, p := range o.acked {
		if seen[seq] != p {
			t.Fatalf("record %d was acknowledged as %q and is %q", seq, p, seen[seq])
		}
	}
	if v, err := verifyAll(d, diskDir, VerifyOptions{}); err != nil {
		t.Fatalf("verify: %v\nnotes: %v", err, v)
	}
}

// all takes everything that readers see for acknowledged, as whoever reads it does.
func (o *told) all(t fatal, d *disk) {
	t.Helper()
	r, err := read(d, diskDir)
	if err == nil {
		err = r.Each(func(record Record) error { o.acked[record.Seq] = string(record.Payload); return nil })
	}
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
}

// session is what a console does with a journal between two crashes.
func session(d *disk, o Options, told *told, groups []int) error {
	o.files = d
	w, _, err := Open(diskDir, o)
	if errors.Is(err, ErrNone) {
		w, err = Create(diskDir, o)
	}
	if err != nil {
		return err
	}
	for _, n := range groups {
		_ = told.record(w, n)
	}
	return w.Close()
}

// The power fails at every single operation of a session, and again at every one
// of the session after, and what was not synced is lost in several ways: what was
// acknowledged is there, and no damage is seen where there was only a crash.
func TestPowerFailsAtEveryOperation(t *testing.T) {
	t.Parallel()
	signer := Options{Signer: key(t)}
	groups := []int{1, 1, 3, 1, 2}
	whole := newDisk(1)
	if err := session(whole, signer, newTold(), groups); err != nil {
		t.Fatal(err)
	}
	ways := uint64(steps(3, 6, 30))
	tries := 0
	for cut := 1; cut <= whole.ops; cut++ {
		for way := range ways {
			d, told := newDisk(way), newTold()
			d.cut = cut
			_ = session(d, signer, told, groups)
			// Or the process is killed there: what it wrote is in the cache still, the
			// next one finds it, acknowledges it, and only then the power fails.
			if way%3 == 2 {
				d = d.killed()
				if err := session(d, signer, told, nil); err != nil {
					t.Fatalf("killed at %d, way %d: %v", cut, way, err)
				}
				told.all(t, d)
			}
			after := d.crashed(way)
			// The second session is cut too, at an operation that moves with the first.
			after.cut = 1 + (cut*7+int(way)*3)%40
			_ = session(after, signer, told, groups[:2])
			after = after.crashed(way + 100)
			if err := session(after, signer, told, groups[:3]); err != nil {
				t.Fatalf("cut at %d (%v), way %d: %v", cut, d.trace[len(d.trace)-1], way, err)
			}
			told.check(t, after)
			tries++
		}
	}
	t.Logf("%d operations, %d crashes", whole.ops, 2*tries)
}

// Any sequence of records, failing operations, full disks, kills and crashes: what
// was acknowledged is there, what was refused is not, and the journal verifies.
func TestAcknowledgedIsNeverLost(t *testing.T) {
	t.Parallel()
	signers := []Options{{Signer: key(t)}, {Signer: key(t)}}
	rapid.Check(t, func(t *rapid.T) {
		d, told := newDisk(rapid.Uint64().Draw(t, "seed")), newTold()
		if err := session(d, signers[0], told, nil); err != nil {
			t.Fatalf("%v", err)
		}
		for range rapid.IntRange(1, 6).Draw(t, "sessions") {
			o := rapid.SampledFrom(signers).Draw(t, "signer")
			o.files = d
			w, _, err := Open(diskDir, o)
			if err != nil {
				t.Fatalf("opening: %v", err)
			}
			for range rapid.IntRange(0, 8).Draw(t, "groups") {
				d.fail, d.space, d.short = nil, -1, false
				switch rapid.IntRange(0, 4).Draw(t, "fault") {
				case 0:
					op := rapid.SampledFrom([]string{"write", "sync", "truncate", "rename", "syncdir", "create"}).Draw(t, "op")
					left := rapid.IntRange(1, 4).Draw(t, "times")
					what := rapid.SampledFrom([]error{syscall.EIO, syscall.ENOSPC}).Draw(t, "error")
					skip := rapid.IntRange(0, 2).Draw(t, "skip")
					d.short = rapid.Bool().Draw(t, "short")
					d.fail = func(o, _ string) error {
						if o != op || left == 0 {
							return nil
						}
						if skip > 0 {
							skip--
							return nil
						}
						left--
						return what
					}
				case 1:
					d.space = rapid.IntRange(0, 900).Draw(t, "space")
				}
				n := rapid.IntRange(1, 4).Draw(t, "n")
				before := d.fail == nil && d.space < 0
				if err := told.record(w, n); err != nil && before {
					t.Fatalf("nothing failed, and yet: %v", err)
				}
			}
			d.fail, d.space, d.short = nil, -1, false
			switch rapid.IntRange(0, 2).Draw(t, "end") {
			case 0:
				if err := w.Close(); err != nil {
					t.Fatalf("%v", err)
				}
			case 1:
				d = d.killed()
			case 2:
				d = d.crashed(rapid.Uint64().Draw(t, "crash"))
			}
			told.check(t, d)
		}
	})
}
