package theme

// Glyphs are the signs of a theme. Each is one cell wide, except Ellipsis.
type Glyphs struct {
	// ASCIIOnly says that what comes from outside has to be brought down to
	// ASCII too.
	ASCIIOnly bool

	OK, Warn, Fail, Unknown, NA, Stale string

	Select   string // before what is selected
	Out, In  string // what it depends on, and what depends on it
	Up, Down string // there is more this way
	Dot      string // between two figures of a row
	Ellipsis string // where text was cut
	Dash     string // between a name and what is said of it
	Bar      string // between the parts of the band
	Cursor   string // of an input line
	Mark     string // in the title of the pane with the focus

	Frame Frame // of what has no focus
	Focus Frame // of the pane or dialog with the focus
}

// Frame is the set of lines that draw a box.
type Frame struct {
	TopLeft, TopRight, BottomLeft, BottomRight, Across, Down string
}

// Unicode are the glyphs of text that is printed and not drawn.
func Unicode() *Glyphs { return &unicodeGlyphs }

var unicodeGlyphs = Glyphs{
	OK: "✓", Warn: "!", Fail: "✗", Unknown: "?", NA: "–", Stale: "~",
	Select: "▸", Out: "→", In: "←", Up: "↑", Down: "↓", Dot: "·", Ellipsis: "…", Dash: "–", Bar: "│", Cursor: "█", Mark: "▸",
	Frame: Frame{"┌", "┐", "└", "┘", "─", "│"},
	Focus: Frame{"╔", "╗", "╚", "╝", "═", "║"},
}

var asciiGlyphs = Glyphs{
	ASCIIOnly: true,
	OK:        "+", Warn: "!", Fail: "x", Unknown: "?", NA: "-", Stale: "~",
	Select: ">", Out: ">", In: "<", Up: "^", Down: "v", Dot: "|", Ellipsis: "...", Dash: "-", Bar: "|", Cursor: "_", Mark: ">",
	Frame: Frame{"+", "+", "+", "+", "-", "|"},
	Focus: Frame{"+", "+", "+", "+", "=", "|"},
}
