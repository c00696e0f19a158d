package panes

import (
	"time"

	"warroom/internal/theme"
)

// Frame is what every renderer is told: the size to fill in cells, how it looks
// and what time it is.
type Frame struct {
	Width, Height int
	Theme         *theme.Theme
	Now           time.Time // for ages and the clock
	Share         bool      // mask hosts, account ids and ARNs
}
