package estate

import (
	"maps"
	"sort"
	"time"
)

// Key names one read: which component it belongs to, which check makes it, and
// of what (a secret and staging label, an address, a key id), where a check
// reads several things.
type Key struct {
	Component ID
	Check     string
	Item      string
}

// Data is what one read brought. Every type of data is declared in this package.
type Data interface{ data() }

// Observation is what one read saw at one time: either Data or a Failure.
type Observation struct {
	Key      Key
	Source   string        // which call or statement, at which endpoint
	At       time.Time     // when the answer was complete
	Took     time.Duration // how long the read took
	Interval time.Duration // when to expect the next one; three of these make it stale
	Data     Data          // nil when Failure is set
	Failure  *Failure      // nil when Data is set
}

// Slot holds what is known of one read: its last attempt and its last success.
type Slot struct {
	Last Observation
	Good *Observation // nil until the first success
}

// Expectation announces a read before it is made, so that what was never read
// is visible as such.
type Expectation struct {
	Key      Key
	Source   string
	Interval time.Duration
}

// Snapshot is everything seen so far, at one version. It is immutable: With
// returns a new one.
type Snapshot struct {
	Topology *Topology
	Version  uint64
	slots    map[Key]Slot
	byOwner  map[ID][]Key // keys in a stable order
	changed  map[ID]uint64
}

// NewSnapshot is an estate of which nothing was read yet.
func NewSnapshot(t *Topology, expected []Expectation) *Snapshot {
	s := &Snapshot{
		Topology: t,
		Version:  1,
		slots:    make(map[Key]Slot, len(expected)),
		byOwner:  map[ID][]Key{},
		changed:  map[ID]uint64{},
	}
	for _, e := range expected {
		if _, dup := s.slots[e.Key]; dup {
			continue
		}
		s.slots[e.Key] = Slot{Last: Observation{
			Key: e.Key, Source: e.Source, Interval: e.Interval,
			Failure: &Failure{Kind: NotYetRead, Doing: e.Source},
		}}
		s.byOwner[e.Key.Component] = append(s.byOwner[e.Key.Component], e.Key)
	}
	for id := range s.byOwner {
		sortKeys(s.byOwner[id])
	}
	return s
}

// With returns a snapshot that also knows the observations. Of several for one
// key the latest by At wins; one older than what is known is dropped.
func (s *Snapshot) With(batch ...Observation) *Snapshot {
	n := &Snapshot{
		Topology: s.Topology,
		Version:  s.Version + 1,
		slots:    maps.Clone(s.slots),
		byOwner:  s.byOwner,
		changed:  maps.Clone(s.changed),
	}
	for _, o := range batch {
		slot, known := n.slots[o.Key]
		if known && o.At.Before(slot.Last.At) {
			continue
		}
		slot.Last = o
		if o.Failure == nil {
			good := o
			slot.Good = &good
		}
		n.slots[o.Key] = slot
		n.changed[o.Key.Component] = n.Version
		if !known {
			n.byOwner = maps.Clone(n.byOwner)
			keys := append(append([]Key(nil), n.byOwner[o.Key.Component]...), o.Key)
			sortKeys(keys)
			n.byOwner[o.Key.Component] = keys
		}
	}
	return n
}

// Changed is the version at which an observation of id last came in, or 0.
func (s *Snapshot) Changed(id ID) uint64 { return s.changed[id] }

// Slot returns what is known under k.
func (s *Snapshot) Slot(k Key) (Slot, bool) {
	slot, ok := s.slots[k]
	return slot, ok
}

// Slots lists what is known of a component in a stable order.
func (s *Snapshot) Slots(id ID) []Slot {
	keys := s.byOwner[id]
	out := make([]Slot, len(keys))
	for i, k := range keys {
		out[i] = s.slots[k]
	}
	return out
}

func sortKeys(keys []Key) {
	sort.Slice(keys, func(i, j int) bool {
		if keys[i].Check != keys[j].Check {
			return keys[i].Check < keys[j].Check
		}
		return keys[i].Item < keys[j].Item
	})
}
