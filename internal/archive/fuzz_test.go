package archive

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"warroom/internal/incident"
	"warroom/internal/journal"
	"warroom/internal/runbook"
)

// What is kept of a record is as much as a record is, however great its number.
func TestAnIndexOfNumbersThatLeap(t *testing.T) {
	var x index
	leaps := []uint64{1, 3_000_000_000, math.MaxUint64 - 1, math.MaxUint64}
	for _, seq := range leaps {
		x.add(seq, incident.KindNote)
	}
	if !slices.Equal(x.seqs, leaps) || len(x.codes) != len(leaps) || x.last() != math.MaxUint64 {
		t.Fatalf("the index is %v", x)
	}
	read := sourceOf(leaps)
	for _, q := range []incident.Query{{Limit: 2}, {Limit: 9, Text: "note"}, {Limit: 9, After: 1}, {Limit: 9, Before: 3_000_000_001}, {Limit: 9, Kinds: []incident.Kind{incident.KindClosed}}} {
		page, err := x.page(t.Context(), read, runbook.Guide(), q)
		want := 0
		switch {
		case q.Limit == 2, q.Before > 0:
			want = 2
		case q.Text != "":
			want = 4
		case q.After > 0:
			want = 3
		}
		if err != nil || len(page.Events) != want || page.Total != 4 {
			t.Errorf("%+v: %v of %d, %v; want %d events", q, numbers(page), page.Total, err, want)
		}
	}
}

// sourceOf has a note with each of the numbers.
func sourceOf(numbers []uint64) source {
	return func(from uint64, n int) ([]journal.Record, error) {
		at, _ := slices.BinarySearch(numbers, from)
		var out []journal.Record
		for _, seq := range numbers[at:min(len(numbers), at+n)] {
			payload, err := incident.Encode(note(fmt.Sprintf("note %d", seq)))
			if err != nil {
				return nil, err
			}
			out = append(out, journal.Record{Seq: seq, Payload: payload})
		}
		return out, nil
	}
}

// Whatever numbers come, pages are those that a walk over all of them makes.
func FuzzPage(f *testing.F) {
	f.Add(binary.BigEndian.AppendUint64(nil, 3_000_000_000), uint64(5), uint64(0), 3, "")
	f.Add(slices.Repeat([]byte{0, 0, 0, 0, 0, 0, 0, 1}, 40), uint64(0), uint64(7), 5, "note 1")
	f.Add(binary.BigEndian.AppendUint64([]byte{0, 0, 0, 0, 0, 0, 0, 1}, math.MaxUint64-1), uint64(math.MaxUint64), uint64(0), 3, "")
	f.Fuzz(func(t *testing.T, steps []byte, before, after uint64, limit int, text string) {
		var all []uint64
		var x index
		for last := uint64(0); len(steps) >= 8 && len(all) < 600; steps = steps[8:] {
			step := binary.BigEndian.Uint64(steps)
			x.add(last+step, incident.KindNote)
			if last+step > last {
				last += step
				all = append(all, last)
			}
		}
		if !slices.Equal(x.seqs, all) {
			t.Fatalf("the index has %v, want %v", x.seqs, all)
		}
		read := sourceOf(all)
		records, err := read(0, len(all))
		if err != nil {
			t.Fatal(err)
		}
		q := incident.Query{Limit: limit, Text: text, Before: before, After: after}
		want := expected(decodeAll(records), &Session{rb: runbook.Guide()}, q)
		got, err := x.page(t.Context(), read, runbook.Guide(), q)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(numbers(got), numbers(want)) || got.Earlier != want.Earlier || got.Later != want.Later || got.Total != want.Total {
			t.Fatalf("%+v: %v %t %t, want %v %t %t", q, numbers(got), got.Earlier, got.Later, numbers(want), want.Earlier, want.Later)
		}
	})
}

// Whatever lies in an incident's folder, and whatever signed records hold: to
// open it, follow it, page through it and list it ends, without a panic.
func FuzzFolder(f *testing.F) {
	s := New(filepath.Join(f.TempDir(), "incidents"), Options{Operator: "ic-1"})
	session, err := s.Create(f.Context(), declaration(), runbook.Guide())
	if err == nil {
		err = session.Record(f.Context(), note("one"))
	}
	if err == nil {
		err = session.Close()
	}
	if err != nil {
		f.Fatal(err)
	}
	content := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(session.folder, name))
		if err != nil {
			f.Fatal(err)
		}
		return data
	}
	segment, head := content("journal-000001.log"), content("head")
	declared, err := incident.Encode(declaration())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(segment, head, []byte(nil), declared)
	f.Add(segment[:len(segment)-9], head, []byte("version: 9\n"), []byte(`{"v":1,"kind":"item","data":{}}`))
	f.Add(bytes.Replace(segment, []byte("\n2 "), []byte("\n3000000000 "), 1), []byte(nil), []byte(nil), []byte(`{"v":99,"kind":"\u001b[2J"}`))
	f.Add([]byte(nil), head, runbook.Guide().Source, []byte("\xff\x00"))
	f.Fuzz(func(t *testing.T, segment, head, book, payload []byte) {
		s := New(filepath.Join(t.TempDir(), "incidents"), Options{Operator: "ic-1"})
		for id, files := range map[string]map[string][]byte{
			"2026-03-21-1": {"journal-000001.log": segment, "head": head, runbookFile: book},
			"2026-03-21-2": {runbookFile: book},
		} {
			folder, err := s.Folder(id)
			if err == nil {
				err = os.MkdirAll(folder, 0o700)
			}
			for name, data := range files {
				if len(data) > 0 && err == nil {
					err = os.WriteFile(filepath.Join(folder, name), data, 0o600)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		folder, _ := s.Folder("2026-03-21-2")
		key, err := journal.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		w, err := journal.Create(folder, journal.Options{Signer: key})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Append(declared, bytes.ReplaceAll(payload, []byte("\n"), nil), declared)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"2026-03-21-1", "2026-03-21-2"} {
			for _, open := range []func() (*Session, error){
				func() (*Session, error) { return s.Follow(t.Context(), id) },
				func() (*Session, error) { return s.Open(t.Context(), id) },
			} {
				session, err := open()
				if err != nil {
					if id == "2026-03-21-2" {
						t.Fatalf("signed records cannot be opened: %v", err)
					}
					continue
				}
				n := 0
				if err := session.Events(func(incident.Event) error { n++; return nil }); err != nil {
					t.Fatal(err)
				}
				page, err := session.Page(t.Context(), incident.Query{Limit: 1000, Text: "e"})
				if err != nil || page.Total < n-1 || page.Total > n {
					t.Fatalf("a page of %d, and %d events: %v", page.Total, n, err)
				}
				if board := incident.NewBoard(session.Case().State, session.Runbook(), nil, t0); board == nil {
					t.Fatal("it has no board")
				}
				_ = session.Close()
			}
		}
		if listed, err := s.List(t.Context()); err != nil || len(listed) != 2 {
			t.Fatalf("listed %v, %v", listed, err)
		}
	})
}
