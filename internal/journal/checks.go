package journal

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
)

// firsts keeps the first faults by where they are, in whatever order they come, so
// that the first bad record is named however many there are.
type firsts struct{ list []Fault }

func (f *firsts) add(fault Fault) {
	if f.list = append(f.list, fault); len(f.list) >= 4*mostKept {
		f.cut()
	}
}

// cut gives the faults in the order of the files, one for each place and record,
// and at most mostKept.
func (f *firsts) cut() []Fault {
	slices.SortStableFunc(f.list, func(a, b Fault) int {
		// By file, the head's last: its name is before those of the segments.
		return cmp.Or(compareBool(a.Segment == headName, b.Segment == headName), cmp.Compare(a.Segment, b.Segment), cmp.Compare(a.Offset, b.Offset))
	})
	seen := make(map[location]bool, len(f.list))
	f.list = slices.DeleteFunc(f.list, func(g Fault) bool {
		at := location{g.Segment, g.Offset, g.Seq}
		known := seen[at]
		seen[at] = true
		return known
	})
	f.list = f.list[:min(len(f.list), mostKept)]
	return f.list
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// checks verifies signatures on all cores while the chain is followed.
type checks struct {
	batch  []signed
	jobs   chan []signed
	faults firsts
	mu     sync.Mutex
	group  sync.WaitGroup
}

// batchSize is how many signatures are handed over at once.
const batchSize = 64

func newChecks() *checks {
	c := &checks{jobs: make(chan []signed, 4)}
	for range runtime.GOMAXPROCS(0) {
		c.group.Go(func() {
			for batch := range c.jobs {
				for _, s := range batch {
					if f := s.check(); f != nil {
						c.fault(*f)
					}
				}
			}
		})
	}
	return c
}

func (c *checks) fault(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults.add(f)
}

func (c *checks) add(s signed) {
	s.sig = slices.Clone(s.sig)
	if c.batch = append(c.batch, s); len(c.batch) == batchSize {
		c.jobs <- c.batch
		c.batch = make([]signed, 0, batchSize)
	}
}

// wait gives the first faults when all are checked.
func (c *checks) wait() []Fault {
	if len(c.batch) > 0 {
		c.jobs <- c.batch
	}
	close(c.jobs)
	c.group.Wait()
	return c.faults.cut()
}
