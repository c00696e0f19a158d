// Package diagnosis says what an estate's readings mean for the questions that a
// runbook asks: is this item settled, does this node's evidence speak for or
// against it, which fate has the credential met.
//
// Its rules: it is pure; it never guesses. What was not read, or is stale, is
// Unread with the reason, and what nothing can read is NoSensor: neither ever
// counts for or against. Every finding names what was read, where and when.
package diagnosis

import (
	"time"

	"warroom/internal/estate"
)

// Stance is what a finding says to the question of its sensor.
type Stance uint8

// Stances. The zero value claims nothing.
const (
	NoSensor Stance = iota // nothing reads it
	Unread                 // it would be read, but was not, or is stale
	Against                // what was read speaks against it
	For                    // what was read speaks for it
)

// String is the stance's word on screen and in a journal.
func (s Stance) String() string { return [...]string{"no sensor", "unread", "against", "for"}[s&3] }

// MarshalText makes Stance its word in JSON.
func (s Stance) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is the answer of one sensor at one time. The zero value is NoSensor.
type Finding struct {
	Stance Stance
	Value  string // the observed value in one line, never "checked": "0 of 14 on the old version"; why, when Unread
	Word   string // the verdict where the sensor gives one: expired, stuck, compromised, or a mechanism's name
	Facts  []Fact // what was read, the most telling first, at most eight
}

// Fact is one thing that was read.
type Fact struct {
	Component estate.ID // of which component; empty for the whole estate
	Name      string
	Value     string
	Status    estate.Status
	Source    string    // which call, at which endpoint
	At        time.Time // when it was read; zero if never
	Stale     bool
}

// At is when the oldest of what the finding rests on was read; zero when nothing
// was.
func (f *Finding) At() time.Time {
	var oldest time.Time
	for i := range f.Facts {
		if at := f.Facts[i].At; !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	return oldest
}

// Sensor is one question that can be asked of an estate.
type Sensor struct {
	Name string // as runbooks name it, for example secrets.failed
	Asks string // the question, one line, for the docs
	When string // when its stance is For, one line, for the docs
}

// Findings are the answers of all sensors at one time, by name. A name that is
// not there has no sensor.
type Findings map[string]Finding
