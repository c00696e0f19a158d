package journal

import (
	"slices"
	"strings"
	"testing"
)

// A look at a journal without news opens the head, and nothing else.
func TestALookWithoutNews(t *testing.T) {
	d, w, _ := onDisk(t, 3)
	r, err := read(d, diskDir)
	if err != nil {
		t.Fatal(err)
	}
	opened := &opens{fileSystem: d}
	r.chain.files = opened
	for range 3 {
		if grew, err := r.Refresh(); err != nil || grew {
			t.Fatal(grew, err)
		}
	}
	if !slices.Equal(opened.names, []string{headName, headName, headName}) {
		t.Errorf("opened were %q", opened.names)
	}
	fill(t, w, 4)
	if grew, err := r.Refresh(); err != nil || !grew {
		t.Fatal(grew, err)
	}
	if !slices.Contains(opened.names, segmentName(1)) || r.Head().Seq != 4 {
		t.Errorf("opened were %q, the head is %v", opened.names, r.Head())
	}
	holds(t, everything(t, r), 4)
}

// opens notes which files are opened.
type opens struct {
	fileSystem
	names []string
}

func (o *opens) Open(name string, flag int) (file, error) {
	o.names = append(o.names, name[strings.LastIndexByte(name, '/')+1:])
	return o.fileSystem.Open(name, flag)
}

// What a writer hands out reads the same as one that follows the chain by itself,
// whatever was repaired when it was opened, and without following it again.
func TestAWritersReader(t *testing.T) {
	for what, spoil := range map[string]func(*disk){
		"whole": func(*disk) {},
		"torn":  func(d *disk) { d.set(segmentName(1), append(slices.Clone(d.content(segmentName(1))), "6 torn"...)) },
		"damaged": func(d *disk) {
			d.set(segmentName(1), []byte(strings.Replace(string(d.content(segmentName(1))), `"n":2`, `"n":7`, 1)))
		},
		"no head": func(d *disk) { delete(d.names, diskDir+"/"+headName) },
	} {
		d, first, o := onDisk(t, 5)
		closed(t, first)
		spoil(d)
		opened := &opens{fileSystem: d}
		o.files = opened
		w, _, err := Open(diskDir, o)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		opened.names = nil
		r, err := w.Reader()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if what == "whole" && len(opened.names) > 2 { // the head, and where the segment goes on
			t.Errorf("%s: opened were %q", what, opened.names)
		}
		if _, err := w.Append(payload(6)); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if grew, err := r.Refresh(); err != nil || !grew {
			t.Errorf("%s: grew %t, %v", what, grew, err)
		}
		other, err := read(d, diskDir)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got, want := everything(t, r), everything(t, other); !slices.EqualFunc(got, want, equal) || r.Head() != other.Head() || len(r.Faults()) != len(other.Faults()) {
			t.Errorf("%s: it reads %d records, head %v, %v; want %d, %v, %v", what, len(got), r.Head(), r.Faults(), len(want), other.Head(), other.Faults())
		}
		closed(t, w)
	}
}

func equal(a, b Record) bool {
	return a.Seq == b.Seq && a.Bad == b.Bad && string(a.Payload) == string(b.Payload)
}
