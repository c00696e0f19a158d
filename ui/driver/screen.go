package driver

import (
	"slices"
	"strings"
)

// Screen is the plain text of the screen: one line a row, without styles and
// without the blanks at the ends of rows.
func (d *Terminal) Screen() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text()
}

// Rows is the plain text of every row, blanks included.
func (d *Terminal) Rows() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rows()
}

// Styled is the screen with its styles as escape sequences.
func (d *Terminal) Styled() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.emu.Render()
}

// Raw is every byte that the program has written so far.
func (d *Terminal) Raw() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.raw.String()
}

// Written is how many bytes the program has written so far.
func (d *Terminal) Written() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.raw.Len()
}

// Title is the window's title.
func (d *Terminal) Title() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.title
}

// Restored reports whether the terminal is as the program found it: the main
// screen, a visible cursor.
func (d *Terminal) Restored() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.emu.IsAltScreen() && d.cursor
}

func (d *Terminal) text() string {
	rows := d.rows()
	for i := range rows {
		rows[i] = strings.TrimRight(rows[i], " ")
	}
	return strings.Join(rows, "\n")
}

func (d *Terminal) rows() []string {
	rows := make([]string, 0, d.size.Height)
	var b strings.Builder
	for y := range d.emu.Height() {
		b.Reset()
		for x := 0; x < d.emu.Width(); {
			cell := d.emu.CellAt(x, y)
			if cell == nil || cell.Content == "" {
				b.WriteByte(' ')
				x++
				continue
			}
			b.WriteString(cell.Content)
			x += max(1, cell.Width)
		}
		rows = append(rows, b.String())
	}
	return slices.Clip(rows)
}
