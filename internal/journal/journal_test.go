package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// How much the tests that try everything try. Full is asked for by name, and is
// what docs/journal.md promises; the race detector makes all of it ten times slower.
const (
	short = iota
	usual
	everyOne
)

func effort() int {
	switch {
	case os.Getenv("WARROOM_JOURNAL") == "full":
		return everyOne
	case testing.Short() || racing:
		return short
	}
	return usual
}

// steps is one of three by effort.
func steps(list ...int) int { return list[effort()] }

// begun is a new journal in a folder of its own.
func begun(t testing.TB) (string, *Writer, Options) {
	t.Helper()
	o := Options{Signer: key(t), Owner: "ic-1@console"}
	dir := filepath.Join(t.TempDir(), "2026-11-23-1")
	w, err := Create(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return dir, w, o
}

func key(t testing.TB) Signer {
	t.Helper()
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func payload(n uint64) []byte { return fmt.Appendf(nil, `{"v":1,"kind":"note","n":%d}`, n) }

// fill appends records up to the number, as the writer counts them.
func fill(t testing.TB, w *Writer, to uint64) {
	t.Helper()
	for seq := w.Head().Seq + 1; seq <= to; seq++ {
		head, err := w.Append(payload(seq))
		if err != nil {
			t.Fatal(err)
		}
		if head.Seq != seq {
			t.Fatalf("record %d was acknowledged as %d", seq, head.Seq)
		}
	}
}

// all are the records of a journal.
func all(t testing.TB, dir string) []Record {
	t.Helper()
	r, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return everything(t, r)
}

func everything(t testing.TB, r *Reader) []Record {
	t.Helper()
	var out []Record
	if err := r.Each(func(record Record) error { out = append(out, record); return nil }); err != nil {
		t.Fatal(err)
	}
	if uint64(len(out)) != r.Len() {
		t.Fatalf("%d records were read, and Len is %d", len(out), r.Len())
	}
	return out
}

// holds says that records are those of fill, from 1 to to.
func holds(t testing.TB, records []Record, to uint64) {
	t.Helper()
	if uint64(len(records)) != to {
		t.Fatalf("there are %d records, want %d: %v", len(records), to, records)
	}
	for i, r := range records {
		if r.Bad != "" || r.Seq != uint64(i+1) || string(r.Payload) != string(payload(r.Seq)) {
			t.Fatalf("record %d is %d %q (%s)", i+1, r.Seq, r.Payload, r.Bad)
		}
	}
}

// whole says that a journal verifies.
func whole(t testing.TB, dir string) *Verification {
	t.Helper()
	v, err := Verify(dir, VerifyOptions{})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	return v
}

func reopened(t testing.TB, dir string, o Options) (*Writer, *Recovery) {
	t.Helper()
	w, r, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w, r
}

func closed(t testing.TB, w *Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRecordsComeBack(t *testing.T) {
	dir, w, o := begun(t)
	fill(t, w, 3)
	head, err := w.Append(payload(4), payload(5), payload(6))
	if err != nil || head.Seq != 6 {
		t.Fatalf("a group: %v, %v", head, err)
	}
	closed(t, w)
	holds(t, all(t, dir), 6)
	v := whole(t, dir)
	if v.Head != head || v.Records != 6 || v.Segments != 1 || len(v.Signers) != 1 || v.Signers[0].Records != 6 || len(v.Notes) != 0 {
		t.Errorf("verified: %+v", v)
	}

	w, recovery := reopened(t, dir, o)
	if len(recovery.Lines) != 0 || w.Trouble() != "" || w.Head() != head {
		t.Errorf("reopened: %+v, trouble %q, head %v", recovery, w.Trouble(), w.Head())
	}
	fill(t, w, 8)
	holds(t, all(t, dir), 8)
	if v := whole(t, dir); v.Segments != 1 {
		t.Errorf("opening it again began segment %d", v.Segments)
	}
}

func TestReaderFollows(t *testing.T) {
	dir, w, _ := begun(t)
	r, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if grew, err := r.Refresh(); grew || err != nil || r.Len() != 0 {
		t.Fatalf("an empty journal: grew %v, %v, %d records", grew, err, r.Len())
	}
	for seq := uint64(1); seq <= 20; seq++ {
		fill(t, w, seq)
		if grew, err := r.Refresh(); !grew || err != nil {
			t.Fatalf("record %d: grew %v, %v", seq, grew, err)
		}
		if r.Head() != w.Head() || r.Len() != seq {
			t.Fatalf("record %d: the reader is at %v with %d", seq, r.Head(), r.Len())
		}
	}
	holds(t, everything(t, r), 20)
	some, err := r.Records(7, 3)
	if err != nil || len(some) != 3 || some[0].Seq != 7 || string(some[2].Payload) != string(payload(9)) {
		t.Errorf("records 7 to 9: %v, %v", some, err)
	}
	for _, none := range []func() ([]Record, error){
		func() ([]Record, error) { return r.Records(21, 5) },
		func() ([]Record, error) { return r.Records(3, 0) },
		func() ([]Record, error) { return r.Records(3, -1) },
	} {
		if list, err := none(); err != nil || len(list) != 0 {
			t.Errorf("want none: %v, %v", list, err)
		}
	}
	stop := errors.New("enough")
	if err := r.Each(func(Record) error { return stop }); err != stop {
		t.Errorf("Each ended with %v", err)
	}
}

func TestAnotherOperator(t *testing.T) {
	dir, w, first := begun(t)
	fill(t, w, 3)
	closed(t, w)
	second := Options{Signer: key(t), Owner: "ic-2@console"}
	w, _ = reopened(t, dir, second)
	fill(t, w, 5)
	closed(t, w)
	w, _ = reopened(t, dir, first)
	fill(t, w, 6)

	v := whole(t, dir)
	if len(v.Signers) != 2 || v.Signers[0].Records != 4 || v.Signers[1].Records != 2 || v.Signers[1].First != 4 || v.Signers[1].Last != 5 {
		t.Errorf("signers: %+v", v.Signers)
	}
	if v.Head != w.Head() {
		t.Errorf("head %v, want %v", v.Head, w.Head())
	}
	holds(t, all(t, dir), 6)
	both := []string{first.Signer.Public(), second.Signer.Public() + " ic-2's"}
	if _, err := Verify(dir, VerifyOptions{Keys: both}); err != nil {
		t.Errorf("both keys allowed: %v", err)
	}
	_, err := Verify(dir, VerifyOptions{Keys: both[:1]})
	if f := (*Fault)(nil); !errors.As(err, &f) || !strings.Contains(f.What, "not among the keys") {
		t.Errorf("a key that is not allowed: %v", err)
	}
	if _, err := Verify(dir, VerifyOptions{Keys: []string{"no key"}}); err == nil {
		t.Error("a key that is none was taken")
	}
}

func TestHeadNotedElsewhere(t *testing.T) {
	dir, w, _ := begun(t)
	var heads []Head
	heads = append(heads, w.Head())
	for seq := uint64(1); seq <= 4; seq++ {
		fill(t, w, seq)
		heads = append(heads, w.Head())
	}
	for _, h := range heads {
		parsed, err := ParseHead(" " + h.String() + "\n")
		if err != nil || parsed != h {
			t.Fatalf("%v was read as %v, %v", h, parsed, err)
		}
		if _, err := Verify(dir, VerifyOptions{Head: &parsed}); err != nil {
			t.Errorf("head %v: %v", h, err)
		}
	}
	// The hash alone names its record as well.
	for _, h := range heads {
		bare, err := ParseHead(fmt.Sprintf(" %x\n", h.Hash))
		if err != nil || bare.Seq != 0 || bare.Hash != h.Hash {
			t.Fatalf("the hash of %v was read as %v, %v", h, bare, err)
		}
		if _, err := Verify(dir, VerifyOptions{Head: &bare}); err != nil {
			t.Errorf("the hash of %v: %v", h, err)
		}
	}
	stranger := Head{Hash: [32]byte{1}}
	if _, err := Verify(dir, VerifyOptions{Head: &stranger}); err == nil || !strings.Contains(err.Error(), "no record has the hash 01") {
		t.Errorf("a hash that no record has: %v", err)
	}
	for what, h := range map[string]Head{
		"another hash":   {3, heads[2].Hash},
		"a later record": {5, heads[4].Hash},
	} {
		v, err := Verify(dir, VerifyOptions{Head: &h})
		if f := (*Fault)(nil); !errors.As(err, &f) || f.Seq != h.Seq || v == nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, text := range []string{"", "4", ":", "4:zz", "-1:" + strings.Repeat("a", 64), "4:" + strings.Repeat("a", 63), heads[1].String() + "0", strings.Repeat("a", 63), strings.Repeat("a", 65), strings.Repeat("g", 64)} {
		if h, err := ParseHead(text); err == nil {
			t.Errorf("%q was read as %v", text, h)
		}
	}
}

func TestWhatCannotBeRecorded(t *testing.T) {
	dir, w, _ := begun(t)
	for what, p := range map[string][]byte{"a line feed": []byte("a\nb"), "too long": make([]byte, MaxPayload+1)} {
		if _, err := w.Append(payload(1), p); !errors.Is(err, ErrPayload) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if head, err := w.Append(); err != nil || head.Seq != 0 {
		t.Errorf("nothing: %v, %v", head, err)
	}
	longest := []byte(strings.Repeat("x", MaxPayload))
	odd := []byte("\x00\xff\r control \x1b[31m")
	if _, err := w.Append(longest, nil, odd); err != nil {
		t.Fatal(err)
	}
	closed(t, w)
	if _, err := w.Append(payload(4)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	records := all(t, dir)
	if len(records) != 3 || string(records[0].Payload) != string(longest) || len(records[1].Payload) != 0 || string(records[2].Payload) != string(odd) {
		t.Errorf("%d records came back otherwise", len(records))
	}
	whole(t, dir)
}

func TestThereIsOneOrNone(t *testing.T) {
	dir, w, o := begun(t)
	closed(t, w)
	if _, err := Create(dir, o); !errors.Is(err, ErrExists) {
		t.Errorf("a second one: %v", err)
	}
	empty := t.TempDir()
	if err := os.Chmod(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, none := range []string{empty, filepath.Join(empty, "gone")} {
		if _, _, err := Open(none, o); !errors.Is(err, ErrNone) {
			t.Errorf("Open %s: %v", none, err)
		}
		if _, err := Read(none); !errors.Is(err, ErrNone) {
			t.Errorf("Read %s: %v", none, err)
		}
		if _, err := Verify(none, VerifyOptions{}); !errors.Is(err, ErrNone) {
			t.Errorf("Verify %s: %v", none, err)
		}
	}
	if _, err := Create(empty, Options{}); err == nil {
		t.Error("a journal without a key was begun")
	}
	if w, err := Create(empty, o); err != nil {
		t.Errorf("in a folder that exists: %v", err)
	} else {
		closed(t, w)
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, n := range names {
		list = append(list, n.Name())
		if info, err := n.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", n.Name(), info.Mode(), err)
		}
	}
	if want := []string{"head", "holder", "journal-000001.log", "lock"}; !slices.Equal(list, want) {
		t.Errorf("the folder has %q, want %q", list, want)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
}
