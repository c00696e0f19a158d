package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// cells is how wide a row is on the screen.
func cells(row string) int { return ansi.StringWidth(row) }

// rowsOf makes rows exactly h rows: what is missing is blank.
func rowsOf(rows []string, w, h int) []string {
	if len(rows) >= h {
		return rows[:h]
	}
	blank := strings.Repeat(" ", w)
	for len(rows) < h {
		rows = append(rows, blank)
	}
	return rows
}

// scrubbed applies scrub to a row and keeps its width where that changed it.
func scrubbed(scrub func(string) string) func(string) string {
	return func(row string) string {
		clean := scrub(row)
		if clean == row {
			return row
		}
		w := cells(row)
		clean = ansi.Truncate(clean, w, "")
		return clean + strings.Repeat(" ", max(0, w-cells(clean)))
	}
}
