package incident

import "warroom/internal/estate"

// Notices are the events that nobody made: items that turned ready or regressed,
// nodes that regressed, phases that went over their budget. They are computed
// from the board alone, each once, because State remembers that it was told.
func (b *Board) Notices() []Event { panic("not built yet") }

// Changes are the components whose status differs between two readings of one
// estate, as events. before may be nil: then nothing has changed. A component that
// was never read before has not changed either.
func Changes(before, after *estate.Readings) []Event { panic("not built yet") }
