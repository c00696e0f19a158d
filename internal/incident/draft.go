package incident

import "warroom/internal/estate"

// Draft is a status update written from evidence only: impact, what is known,
// what is being done, and when the next update comes. What is not known is said as
// such. It is plain text, to be edited before it is sent.
func (b *Board) Draft(r *estate.Readings) string { panic("not built yet") }

// Summary is the incident in at most 12 lines for someone who joins late: impact,
// decisions, what is under way, what is due next.
func (b *Board) Summary(r *estate.Readings) []string { panic("not built yet") }
