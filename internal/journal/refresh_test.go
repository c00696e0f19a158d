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
