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

	Now       string // before the step that is being worked on
	Open      string // not settled yet
	Doing     string // someone is at it
	Ready     string // its evidence says that it can be settled
	RuledOut  string // ruled out, or skipped
	Regressed string // settled, and its evidence has turned
	For       string // evidence that speaks for something
	Against   string // and against it
	Killer    string // skipping it has ended badly
	Sensed    string // it is read, not said by a person
	Leader    string // between a text and its figure
	Block     string // what big digits are made of
	HalfUp    string // the upper and the lower half of such a block
	HalfDown  string // empty where there are none

	Frame   Frame // of what has no focus
	Focus   Frame // of the pane or dialog with the focus
	Current Frame // of the one step that is being worked on

	ToRight, ToBelow string // the heads of arrows between two frames
	Fork, Tee        string // where a line leaves an arrow downwards, and that line to the right
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

	Now: "►", Open: "○", Doing: "»", Ready: "●", RuledOut: "⊘", Regressed: "↻", For: "◆", Against: "◇",
	Killer: "★", Sensed: "◎", Leader: ".", Block: "█", HalfUp: "▀", HalfDown: "▄",
	Current: Frame{"┏", "┓", "┗", "┛", "━", "┃"},
	ToRight: "►", ToBelow: "▼", Fork: "┬", Tee: "├",
}

var asciiGlyphs = Glyphs{
	ASCIIOnly: true,
	OK:        "+", Warn: "!", Fail: "x", Unknown: "?", NA: "-", Stale: "~",
	Select: ">", Out: ">", In: "<", Up: "^", Down: "v", Dot: "|", Ellipsis: "...", Dash: "-", Bar: "|", Cursor: "_", Mark: ">",
	Frame: Frame{"+", "+", "+", "+", "-", "|"},
	Focus: Frame{"+", "+", "+", "+", "=", "|"},

	Now: ">", Open: "o", Doing: "=", Ready: "@", RuledOut: "/", Regressed: "%", For: "#", Against: "o",
	Killer: "*", Sensed: "o", Leader: ".", Block: "#",
	Current: Frame{"#", "#", "#", "#", "#", "#"},
	ToRight: ">", ToBelow: "v", Fork: "+", Tee: "+",
}
