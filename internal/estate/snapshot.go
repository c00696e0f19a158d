package estate

import (
	"maps"
	"slices"
	"time"
)

// Key names one read: which component it belongs to, which check makes it, and
// of what (a secret, a staging label, an address, a key id), where a check
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
	At       time.Time     // when what it says was read
	Tried    time.Time     // when the attempt ended, where that is later than At: a remembered answer
	Took     time.Duration // how long the read took
	Interval time.Duration // when to expect the next one; three of these make it stale
	Data     Data          // nil when Failure is set
	Failure  *Failure      // nil when Data is set
}

// tried is the time that orders observations of one key.
func (o *Observation) tried() time.Time {
	if o.Tried.After(o.At) {
		return o.Tried
	}
	return o.At
}

// After reports whether o is of a later attempt than p, or of the same time.
func (o *Observation) After(p *Observation) bool { return !o.tried().Before(p.tried()) }

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
// returns a new one that shares what did not change, so that a batch costs what
// it brings and not what the estate holds.
type Snapshot struct {
	Topology *Topology
	Version  uint64

	place  map[Key]place // shared between versions until a new key appears
	owners map[ID]*owned
}

type place struct {
	owner ID
	index int
}

// owned is what is known of one component.
type owned struct {
	changed uint64
	slots   []*Slot
}

// NewSnapshot is an estate of which nothing was read yet.
func NewSnapshot(t *Topology, expected []Expectation) *Snapshot {
	s := &Snapshot{
		Topology: t,
		Version:  1,
		place:    make(map[Key]place, len(expected)),
		owners:   make(map[ID]*owned, len(t.Components)),
	}
	for _, e := range expected {
		if _, twice := s.place[e.Key]; twice {
			continue
		}
		s.add(e.Key, &Slot{Last: Observation{
			Key: e.Key, Source: e.Source, Interval: e.Interval,
			Failure: &Failure{Kind: NotYetRead},
		}})
	}
	return s
}

func (s *Snapshot) add(k Key, slot *Slot) {
	o := s.owners[k.Component]
	if o == nil {
		o = &owned{}
		s.owners[k.Component] = o
	}
	s.place[k] = place{k.Component, len(o.slots)}
	o.slots = append(o.slots, slot)
}

// With returns a snapshot that also knows the observations. Of several for one
// key the latest attempt wins; one older than what is known is dropped.
func (s *Snapshot) With(batch ...Observation) *Snapshot {
	n := &Snapshot{
		Topology: s.Topology,
		Version:  s.Version + 1,
		place:    s.place,
		owners:   maps.Clone(s.owners),
	}
	grown := false
	copied := map[ID]bool{}
	for _, o := range batch {
		if !copied[o.Key.Component] {
			copied[o.Key.Component] = true
			n.owners[o.Key.Component] = n.owners[o.Key.Component].clone()
		}
		owner := n.owners[o.Key.Component]
		at, known := n.place[o.Key]
		if !known {
			if !grown {
				n.place, grown = maps.Clone(n.place), true
			}
			n.add(o.Key, &Slot{Last: Observation{Key: o.Key}})
			at = n.place[o.Key]
		}
		old := owner.slots[at.index]
		if !o.After(&old.Last) {
			continue
		}
		slot := &Slot{Last: o, Good: old.Good}
		if o.Failure == nil && o.Data != nil {
			slot.Good = &slot.Last
		}
		owner.slots[at.index] = slot
		owner.changed = n.Version
	}
	return n
}

func (o *owned) clone() *owned {
	if o == nil {
		return &owned{}
	}
	return &owned{changed: o.changed, slots: slices.Clone(o.slots)}
}

// Changed is the version at which an observation of id last came in, or 0.
func (s *Snapshot) Changed(id ID) uint64 {
	if o := s.owners[id]; o != nil {
		return o.changed
	}
	return 0
}

// Slot returns what is known under k.
func (s *Snapshot) Slot(k Key) (Slot, bool) {
	slot := s.slot(k)
	if slot == nil {
		return Slot{}, false
	}
	return *slot, true
}

func (s *Snapshot) slot(k Key) *Slot {
	at, ok := s.place[k]
	if !ok {
		return nil
	}
	return s.owners[at.owner].slots[at.index]
}

// Slots lists what is known of a component, in the order in which its reads
// were announced. The slots are shared and must not be changed.
func (s *Snapshot) Slots(id ID) []*Slot {
	if o := s.owners[id]; o != nil {
		return o.slots
	}
	return nil
}
