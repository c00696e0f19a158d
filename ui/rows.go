package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"warroom/internal/estate"
	"warroom/panes"
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

// copyWidth is how wide a copied reading is, in cells: chat windows wrap at
// about this.
const copyWidth = 100

// readingText is the detail of a component as plain text. It is made from the
// rows of the detail view, so that what is masked there is masked here.
func readingText(f panes.Frame, r *estate.Readings, id estate.ID) string {
	f.Width, f.Height = copyWidth, 200
	rows, total := panes.Detail(f, r, id, 0)
	if total > f.Height {
		f.Height = total
		rows, _ = panes.Detail(f, r, id, 0)
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = strings.TrimRight(ansi.Strip(row), " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n") + "\n"
}
