package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Records are edited, removed, moved, repeated, put in; files go missing or are
// put back from before. Verify names the first record that is wrong, every time.
func TestTampering(t *testing.T) {
	first, second := segmentName(1), segmentName(2)
	// lines of the first segment: 0 header, 1-4 records, 5 key, 6 record 5; of the
	// second: 0 header, 1-4 records 6 to 9.
	line := func(d *disk, name string, i int) []byte { return bytes.SplitAfter(d.content(name), []byte{'\n'})[i] }
	change := func(name string, do func(lines [][]byte) [][]byte) func(*disk) {
		return func(d *disk) {
			lines := bytes.SplitAfter(slices.Clone(d.content(name)), []byte{'\n'})
			d.set(name, bytes.Join(do(lines), nil))
		}
	}
	tests := []struct {
		what    string
		spoil   func(*disk)
		segment string
		seq     uint64
		says    string
	}{
		{"an edited record", change(first, func(l [][]byte) [][]byte {
			l[3] = bytes.Replace(l[3], []byte(`"note"`), []byte(`"tick"`), 1)
			return l
		}), first, 3, "was changed"},
		{"an edited record with its hash made to fit", func(d *disk) {
			c := newChain(d, diskDir)
			m, _, _, _ := readMark(d, diskDir)
			var before, at link
			c.each = func(s signed) {
				if s.seq == 8 && s.record {
					before = link{at.hash, slices.Clone(at.sig)}
				}
				at = link{s.hash, slices.Clone(s.sig)}
			}
			if err := c.scan(m, false); err != nil {
				t.Fatal(err)
			}
			change(second, func(l [][]byte) [][]byte {
				parsed, err := parseLine(bytes.TrimSuffix(l[3], []byte{'\n'}))
				if err != nil {
					t.Fatal(err)
				}
				parsed.payload = []byte(`{"v":1,"kind":"tick","n":8}`)
				parsed.hash = sum(c.id, before, parsed.label, parsed.payload)
				l[3] = appendLine(nil, parsed)
				return l
			})(d)
		}, second, 8, "signature does not verify"},
		{"a removed record", change(first, func(l [][]byte) [][]byte { return slices.Delete(l, 2, 3) }), first, 2, "removed or moved"},
		{"the first record removed", change(first, func(l [][]byte) [][]byte { return slices.Delete(l, 1, 2) }), first, 1, "removed or moved"},
		{"the last record of a segment removed", change(first, func(l [][]byte) [][]byte { return slices.Delete(l, 6, 7) }), first, 5, "removed or moved"},
		{"the last record removed", change(second, func(l [][]byte) [][]byte { return slices.Delete(l, 4, 5) }), second, 9, "record 9 was acknowledged"},
		{"the last records removed", change(second, func(l [][]byte) [][]byte { return slices.Delete(l, 2, 5) }), second, 7, "records 7 to 9 were acknowledged"},
		{"two records that changed places", change(first, func(l [][]byte) [][]byte { l[2], l[3] = l[3], l[2]; return l }), first, 2, "removed or moved"},
		{"a repeated record", change(first, func(l [][]byte) [][]byte { return slices.Insert(l, 3, l[2]) }), first, 2, "repeated"},
		{"a removed key", change(first, func(l [][]byte) [][]byte { return slices.Delete(l, 5, 6) }), first, 5, "was changed"},
		{"a removed header", change(second, func(l [][]byte) [][]byte { return slices.Delete(l, 0, 1) }), second, 0, "not the header"},
		{"a line put in", change(first, func(l [][]byte) [][]byte { return slices.Insert(l, 2, []byte("hello\n")) }), first, 2, "not a line"},
		{"a very long line put in", change(first, func(l [][]byte) [][]byte {
			return slices.Insert(l, 2, append(bytes.Repeat([]byte("x "), MaxLine), '\n'))
		}), first, 2, "not a line"},
		{"a second header put in", change(first, func(l [][]byte) [][]byte { return slices.Insert(l, 2, l[0]) }), first, 0, "changed"},
		{"a record of the other segment put in", func(d *disk) {
			change(first, func(l [][]byte) [][]byte { return slices.Insert(l, 6, line(d, second, 2)) })(d)
		}, first, 5, "removed or moved"},
		{"a missing first segment", func(d *disk) { delete(d.names, filepath.Join(diskDir, first)) }, first, 0, "missing"},
		{"a missing last segment", func(d *disk) { delete(d.names, filepath.Join(diskDir, second)) }, first, 7, "records 7 to 9 were acknowledged"},
		{"a missing head", func(d *disk) { delete(d.names, filepath.Join(diskDir, headName)) }, headName, 9, "missing"},
		{"an empty head", func(d *disk) { d.set(headName, nil) }, headName, 9, "neither of its two copies"},
		{"the head of another journal", func(d *disk) {
			other, _ := damaged(t)
			d.set(headName, other.content(headName))
		}, headName, 0, "another journal"},
		{"records behind the head", change(second, func(l [][]byte) [][]byte { return append(l, []byte("10 more\n")) }), "", 0, ""},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			d, o := damaged(t)
			test.spoil(d)
			forged := strings.HasSuffix(test.what, "made to fit") // only all signatures show that
			if !forged {
				kept(t, test.what, d)
			}
			v, err := verifyAll(d, diskDir, VerifyOptions{})
			if test.segment == "" {
				if err != nil || !strings.Contains(strings.Join(v.Notes, "\n"), "behind the last acknowledged record") {
					t.Errorf("%v, %q", err, v.Notes)
				}
				return
			}
			f := (*Fault)(nil)
			if !errors.As(err, &f) || f.Segment != test.segment || f.Seq != test.seq || !strings.Contains(f.What, test.says) {
				t.Errorf("verify says %v, want %s, record %d, %q", err, test.segment, test.seq, test.says)
			}
			if !forged {
				goesOn(t, test.what, d, o)
			}
		})
	}
}

// A journal that was wholly put back to an earlier state verifies: that is what a
// head noted elsewhere is for.
func TestPutBackWhole(t *testing.T) {
	d := newDisk(1)
	o := Options{Signer: key(t), files: d}
	w, err := Create(diskDir, o)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w, 3)
	before := d.clone()
	fill(t, w, 5)
	noted := w.Head()
	if _, err := verifyAll(before, diskDir, VerifyOptions{}); err != nil {
		t.Errorf("the earlier state: %v", err)
	}
	_, err = verifyAll(before, diskDir, VerifyOptions{Head: &noted})
	if f := (*Fault)(nil); !errors.As(err, &f) || f.Seq != 5 || !strings.Contains(f.What, "cut off") {
		t.Errorf("against the head noted elsewhere: %v", err)
	}
	// Written anew by whoever has a key: chain and head fit, the note does not.
	anew := newDisk(2)
	if w, err = Create(diskDir, Options{Signer: o.Signer, files: anew}); err != nil {
		t.Fatal(err)
	}
	fill(t, w, 5)
	if _, err := verifyAll(anew, diskDir, VerifyOptions{}); err != nil {
		t.Errorf("written anew: %v", err)
	}
	_, err = verifyAll(anew, diskDir, VerifyOptions{Head: &noted})
	if f := (*Fault)(nil); !errors.As(err, &f) || !strings.Contains(f.What, "written anew") {
		t.Errorf("written anew, against the head noted elsewhere: %v", err)
	}
}

// rewritten changes the header of a journal of one segment without records, and
// signs it again.
func rewritten(t *testing.T, change func(string) string) (string, Options) {
	t.Helper()
	dir, w, o := begun(t)
	name := filepath.Join(dir, segmentName(1))
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	l, err := parseLine(bytes.TrimSuffix(raw, []byte{'\n'}))
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := w.line(nil, state{key: w.tip.key}, headerLabel, []byte(change(string(l.payload))))
	if err != nil {
		t.Fatal(err)
	}
	if l, err = parseLine(bytes.TrimSuffix(text, []byte{'\n'})); err != nil {
		t.Fatal(err)
	}
	if err := w.writeHead(mark{w.id, w.head.generation + 1, Head{0, l.hash}, 1, int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	closed(t, w)
	return dir, o
}

func TestVersions(t *testing.T) {
	dir, o := rewritten(t, func(s string) string { return strings.Replace(s, `"format":"1.0"`, `"format":"2.0","new":{}`, 1) })
	for what, err := range map[string]error{
		"read":   func() error { _, err := Read(dir); return err }(),
		"open":   func() error { _, _, err := Open(dir, o); return err }(),
		"verify": func() error { _, err := Verify(dir, VerifyOptions{}); return err }(),
	} {
		newer := (*NewerError)(nil)
		if !errors.As(err, &newer) || newer.Format != "2.0" || !strings.Contains(err.Error(), "2.0") || !strings.Contains(err.Error(), Format) {
			t.Errorf("%s: %v", what, err)
		}
	}
	dir, o = rewritten(t, func(s string) string {
		return strings.Replace(s, `"format":"1.0"`, `"format":"1.7","later":{"a":[1]}`, 1)
	})
	w, recovery := reopened(t, dir, o)
	if len(recovery.Lines) > 0 {
		t.Errorf("a later minor version: %q", recovery.Lines)
	}
	fill(t, w, 2)
	whole(t, dir)
	// A line of its own that this version does not know is part of the chain.
	text, next, err := w.line(nil, w.tip, "#later", []byte(`{"x":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.seg.WriteAt(text, w.size); err != nil {
		t.Fatal(err)
	}
	w.tip, w.size = next, w.size+int64(len(text))
	fill(t, w, 4)
	closed(t, w)
	whole(t, dir)
	holds(t, all(t, dir), 4)
	if w, _ := reopened(t, dir, o); w.Trouble() != "" {
		t.Errorf("trouble: %s", w.Trouble())
	}
	holds(t, all(t, dir), 4)
}

// A reader that comes while a line is being written takes it for none, whatever
// part of it is there.
func TestReaderOfAGrowingFile(t *testing.T) {
	dir, w, _ := begun(t)
	fill(t, w, 3)
	text, _, err := w.line(nil, w.tip, strconv.Itoa(4), payload(4))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for at := 1; at <= len(text); at++ {
		if _, err := w.seg.WriteAt(text[:at], w.size); err != nil {
			t.Fatal(err)
		}
		if grew, err := r.Refresh(); grew || err != nil || len(r.Faults()) > 0 {
			t.Fatalf("%d bytes of a line: grew %v, %v, %v", at, grew, err, r.Faults())
		}
		if v, err := Verify(dir, VerifyOptions{}); err != nil || v.Records != 3 || len(v.Notes) != 1 {
			t.Fatalf("%d bytes of a line: %v, %+v", at, err, v)
		}
	}
	fill(t, w, 4)
	if grew, err := r.Refresh(); !grew || err != nil {
		t.Fatalf("grew %v, %v", grew, err)
	}
	holds(t, everything(t, r), 4)
}
