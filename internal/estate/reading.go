package estate

import "time"

// Fact is one figure of a component with where it comes from.
type Fact struct {
	Name     string // as in the guide where the guide has it: "Last rotation"
	Value    string // the value as drawn: "15 days ago"; the last good one when Stale or failed; "?" when there never was one
	Status   Status
	Note     string        // why it has this status, when that is not obvious
	Source   string        // which call or statement, at which endpoint
	At       time.Time     // when it was read; zero if never
	Took     time.Duration // how long the read took
	Stale    bool          // older than three of its intervals
	Failed   bool          // Value is the last good one: the latest read failed; Note says how
	Headline bool          // drawn in the component's box; the rest in its detail
	Formula  string        // how it is computed, with its window, where it is not read as it is
}

// Reading is what the observations of one component mean at one time.
type Reading struct {
	ID     ID
	Status Status
	Word   string // the component's own state: EXPIRED, BLOCKED, MANUAL …
	Reason string // one line: why it is not OK, or what makes it so
	Facts  []Fact
	At     time.Time     // when the oldest of its headline figures was read; zero if none was
	Tried  time.Time     // when its newest read ended, whatever it brought; zero if none did
	Took   time.Duration // the longest of its reads
}

// Headlines lists the facts drawn in the component's box.
func (r Reading) Headlines() []Fact {
	var out []Fact
	for _, f := range r.Facts {
		if f.Headline {
			out = append(out, f)
		}
	}
	return out
}

// StaleAfter is how many of its intervals make an observation stale.
const StaleAfter = 3
