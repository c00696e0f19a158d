package journal

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// onDisk is a new journal in memory with some records.
func onDisk(t testing.TB, records uint64) (*disk, *Writer, Options) {
	t.Helper()
	d := newDisk(1)
	o := Options{Signer: key(t), files: d}
	w, err := Create(diskDir, o)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w, records)
	return d, w, o
}

// failing makes operations of a kind on a file fail, a number of times.
func (d *disk) failing(op, name string, times int, err error) {
	d.fail = func(o, n string) error {
		if o != op || times == 0 || !strings.HasPrefix(n, name) {
			return nil
		}
		times--
		return err
	}
}

func verified(t testing.TB, d *disk) *Verification {
	t.Helper()
	v, err := verifyAll(d, diskDir, VerifyOptions{})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	return v
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	for space := range 500 { // a record has 250 bytes: from nothing to a whole one and half
		d, w, o := onDisk(t, 3)
		size := len(d.content(segmentName(1)))
		d.space = space
		head, err := w.Append(payload(4), payload(5))
		if err == nil {
			if head.Seq != 5 || space < 400 {
				t.Fatalf("%d bytes: %v", space, head)
			}
			continue
		}
		if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "nothing was recorded") || !strings.Contains(err.Error(), "make space") {
			t.Fatalf("%d bytes: %v", space, err)
		}
		if trouble := w.Trouble(); !strings.Contains(trouble, "NOT RECORDED") {
			t.Fatalf("%d bytes: trouble %q", space, trouble)
		}
		if got := len(d.content(segmentName(1))); got != size || w.Head().Seq != 3 {
			t.Fatalf("%d bytes: the segment has %d bytes after %d, head %v", space, got, size, w.Head())
		}
		d.space = -1
		fill(t, w, 6)
		if w.Trouble() != "" {
			t.Fatalf("%d bytes: trouble is left: %s", space, w.Trouble())
		}
		closed(t, w)
		if v := verified(t, d); v.Segments != 1 || v.Records != 6 || len(v.Notes) > 0 {
			t.Fatalf("%d bytes: %+v", space, v)
		}
		o.files = d
	}
}

// On a full disk a journal opens, and reads; what was torn is cut off even where
// no copy of it can be made.
func TestFullDiskWhenOpened(t *testing.T) {
	d, w, o := onDisk(t, 3)
	closed(t, w)
	d.set(segmentName(1), append(d.content(segmentName(1)), "4 half a record"...))
	d.space = 0
	w, recovery, err := Open(diskDir, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(recovery.Lines) != 1 || !strings.Contains(recovery.Lines[0], "could not be set aside") {
		t.Errorf("recovery: %q", recovery.Lines)
	}
	if _, err := w.Append(payload(4)); !errors.Is(err, syscall.ENOSPC) || errors.Is(err, ErrUnknown) {
		t.Errorf("recording: %v", err)
	}
	d.space = -1
	fill(t, w, 5)
	closed(t, w)
	if v := verified(t, d); v.Segments != 2 || v.Records != 5 || len(v.Notes) != 2 {
		t.Errorf("%+v", v)
	}
	if good := kept(t, "full", d); good != 5 {
		t.Errorf("%d records", good)
	}
}

// What fails is never tried again in the same file. What was acknowledged is there,
// the screen is told, and the journal goes on.
func TestFailingOperations(t *testing.T) {
	t.Parallel()
	eio := fmt.Errorf("at sector 7: %w", syscall.EIO)
	first, second := segmentName(1), segmentName(2)
	tests := []struct {
		what, op, name string
		times          int
		short          bool
		unknown        bool   // the first record after it is not acknowledged
		refused        bool   // nothing of it was recorded
		trouble        string // what is said then
		segments       int    // in the end
	}{
		{what: "a sync of the segment", op: "sync", name: first, times: 1, trouble: "goes on in " + second + ", because syncing it failed", segments: 2},
		{what: "a write to the segment", op: "write", name: first, times: 1, trouble: "because writing to it failed", segments: 2},
		{what: "a short write to the segment", op: "write", name: first, times: 1, short: true, trouble: "because writing to it failed", segments: 2},
		{what: "every sync of segments", op: "sync", name: "journal-", times: -1, unknown: true, trouble: "NOT RECORDED", segments: 2},
		{what: "every write to segments", op: "write", name: "journal-", times: -1, refused: true, trouble: "NOT RECORDED", segments: 2},
		{what: "a sync of the head", op: "sync", name: headName, times: 1, trouble: "head was moved to a new file", segments: 1},
		{what: "a write of the head", op: "write", name: headName, times: 1, trouble: "head was moved to a new file", segments: 1},
		{what: "a short write of the head", op: "write", name: headName, times: 1, short: true, trouble: "head was moved to a new file", segments: 1},
		{what: "every sync of the head", op: "sync", name: headName, times: -1, unknown: true, trouble: "NOT RECORDED", segments: 1},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			d, w, o := onDisk(t, 3)
			told := newTold()
			for seq := uint64(1); seq <= 3; seq++ {
				told.acked[seq] = string(payload(seq))
				told.offered[string(payload(seq))] = true
			}
			d.failing(test.op, test.name, test.times, eio)
			d.short = test.short
			err := told.record(w, 2)
			switch {
			case test.unknown:
				if !errors.Is(err, ErrUnknown) || !errors.Is(err, syscall.EIO) {
					t.Errorf("recording: %v", err)
				}
			case test.refused:
				if err == nil || errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "nothing was recorded") {
					t.Errorf("recording: %v", err)
				}
			case err != nil:
				t.Errorf("recording: %v", err)
			}
			if !strings.Contains(w.Trouble(), test.trouble) {
				t.Errorf("trouble %q, want %q", w.Trouble(), test.trouble)
			}
			told.check(t, d)
			d.fail, d.short = nil, false
			for range 3 {
				if err := told.record(w, 1); err != nil {
					t.Errorf("when it works again: %v", err)
				}
			}
			if w.Trouble() == "" {
				t.Error("the disk failed, and the trouble is gone")
			}
			told.check(t, d)
			for way := range uint64(12) {
				after := d.crashed(way)
				o.files = after
				if w, _, err := Open(diskDir, o); err != nil {
					t.Errorf("after a crash: %v", err)
				} else {
					closed(t, w)
				}
				told.check(t, after)
			}
			if v := verified(t, d); v.Segments != test.segments {
				t.Errorf("%d segments, want %d", v.Segments, test.segments)
			}
		})
	}
}

// A folder whose names cannot be made durable keeps a new journal from being
// taken for begun.
func TestFailingSyncOfTheFolder(t *testing.T) {
	d := newDisk(1)
	o := Options{Signer: key(t), files: d}
	d.failing("syncdir", "", 1, syscall.EIO)
	if _, err := Create(diskDir, o); !errors.Is(err, syscall.EIO) {
		t.Errorf("beginning a journal: %v", err)
	}
	w, err := Create(diskDir, o)
	if err != nil {
		t.Fatalf("again: %v", err)
	}
	fill(t, w, 2)
	// When it fails as the second segment gets its name, that one is not known to
	// last, and nothing is acknowledged on it.
	synced := 0
	d.fail = func(op, name string) error {
		if op == "sync" && name == segmentName(1) || op == "syncdir" {
			synced++
			return syscall.EIO
		}
		return nil
	}
	if _, err := w.Append(payload(3)); !errors.Is(err, ErrUnknown) || synced != 2 || w.Head().Seq != 2 {
		t.Errorf("recording: %v, head %v, %d failures", err, w.Head(), synced)
	}
	d.fail = nil
	fill(t, w, 4)
	if v := verified(t, d); v.Records != 4 || v.Segments != 2 {
		t.Errorf("%+v", v)
	}
}

// A file that cannot be read is told as that, and never taken for one that ends:
// nothing is cut off.
func TestReadErrors(t *testing.T) {
	d, w, o := onDisk(t, 3)
	closed(t, w)
	before := d.clone()
	for _, name := range []string{headName, segmentName(1)} {
		d.failing("read", name, -1, syscall.EIO)
		for what, err := range map[string]error{
			"reading":   func() error { _, err := read(d, diskDir); return err }(),
			"opening":   func() error { _, _, err := Open(diskDir, o); return err }(),
			"verifying": func() error { _, err := verifyAll(d, diskDir, VerifyOptions{}); return err }(),
		} {
			if f := (*Fault)(nil); !errors.Is(err, syscall.EIO) || errors.As(err, &f) {
				t.Errorf("%s when %s cannot be read: %v", what, name, err)
			}
		}
		d.fail = nil
	}
	for _, name := range []string{headName, segmentName(1)} {
		if !slices.Equal(d.content(name), before.content(name)) {
			t.Errorf("%s was changed", name)
		}
	}
	r, err := read(d, diskDir)
	if err != nil {
		t.Fatal(err)
	}
	d.failing("read", segmentName(1), 1, syscall.EIO)
	if _, err := r.Records(1, 3); !errors.Is(err, syscall.EIO) {
		t.Errorf("records: %v", err)
	}
	d.failing("read", headName, 1, syscall.EIO)
	if _, err := r.Refresh(); !errors.Is(err, syscall.EIO) {
		t.Errorf("refreshing: %v", err)
	}
	holds(t, everything(t, r), 3)
	if grew, err := r.Refresh(); grew || err != nil {
		t.Errorf("refreshing again: %v, %v", grew, err)
	}
	// A journal that was cut after it was opened for reading.
	d.set(segmentName(1), d.content(segmentName(1))[:600])
	if _, err := r.Records(1, 3); err == nil || !strings.Contains(err.Error(), "changed since it was opened") {
		t.Errorf("records that are gone: %v", err)
	}
}

// A journal is written only where nobody else can put things, and nothing is
// followed out of its folder.
func TestOddFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes and links of this kind")
	}
	type spoil func(t *testing.T, dir string)
	mode := func(name string, mode os.FileMode) spoil {
		return func(t *testing.T, dir string) {
			if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(name string) spoil {
		return func(t *testing.T, dir string) {
			from, to := filepath.Join(dir, name), filepath.Join(t.TempDir(), "elsewhere")
			if err := errors.Join(os.Rename(from, to), os.Symlink(to, from)); err != nil {
				t.Fatal(err)
			}
		}
	}
	folder := func(name string) spoil {
		return func(t *testing.T, dir string) {
			if err := errors.Join(os.Remove(filepath.Join(dir, name)), os.Mkdir(filepath.Join(dir, name), 0o700)); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		what  string
		spoil spoil
		open  string // what Open says
		read  string // what Read says; empty when it reads
	}{
		{"a folder that others can read", mode("", 0o755), "chmod 700", ""},
		{"a folder that others can write", mode("", 0o720), "chmod 700", ""},
		{"a segment that others can read", mode(segmentName(1), 0o644), "chmod 600", ""},
		{"a head that others can write", mode(headName, 0o602), "chmod 600", ""},
		{"a lock that others can take", mode(lockName, 0o666), "chmod 600", ""},
		{"a segment that is a link", link(segmentName(1)), "symbolic link", "no regular file"},
		{"a head that is a link", link(headName), "symbolic link", "no regular file"},
		{"a lock that is a link", link(lockName), "symbolic link", ""},
		{"a holder that is a link", link(holderName), "symbolic link", ""},
		{"a segment that is a folder", folder(segmentName(1)), "no regular file", "no regular file"},
		{"a head that is a folder", folder(headName), "no regular file", "no regular file"},
		{"a segment that is a socket", func(t *testing.T, dir string) {
			name := filepath.Join(dir, segmentName(1))
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
			t.Chdir(dir) // the whole name may be too long for a socket
			l, err := net.Listen("unix", segmentName(1))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}, "no regular file", "no regular file"},
		{"a folder that is a file", func(t *testing.T, dir string) {
			if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}, "no folder", "not a directory"},
		{"a folder that is a link", func(t *testing.T, dir string) {
			to := filepath.Join(t.TempDir(), "elsewhere")
			if err := errors.Join(os.Rename(dir, to), os.Symlink(to, dir)); err != nil {
				t.Fatal(err)
			}
		}, "symbolic link", ""},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			dir, w, o := begun(t)
			fill(t, w, 2)
			closed(t, w)
			test.spoil(t, dir)
			_, _, err := Open(dir, o)
			if err == nil || !strings.Contains(err.Error(), test.open) {
				t.Errorf("Open: %v, want %q", err, test.open)
			}
			for what, err := range map[string]error{
				"Read":   func() error { _, err := Read(dir); return err }(),
				"Verify": func() error { _, err := Verify(dir, VerifyOptions{}); return err }(),
			} {
				if (err == nil) != (test.read == "") || err != nil && !strings.Contains(err.Error(), test.read) {
					t.Errorf("%s: %v, want %q", what, err, test.read)
				}
			}
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(file, Options{Signer: key(t)}); err == nil {
		t.Error("a journal was begun in a file")
	}
}

// Files that a crash kept from getting their names are removed, and nothing else
// that lies in the folder is touched.
func TestLeftovers(t *testing.T) {
	dir, w, o := begun(t)
	fill(t, w, 2)
	closed(t, w)
	for name, stays := range map[string]bool{segmentName(2) + temporarySuffix: false, headName + temporarySuffix: false, "runbook.yaml": true, "notes.new": true} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		w, recovery := reopened(t, dir, o)
		if len(recovery.Lines) > 0 {
			t.Errorf("%s: %q", name, recovery.Lines)
		}
		closed(t, w)
		if _, err := os.Stat(path); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
	holds(t, all(t, dir), 2)
}
