package theme

// Token names what a piece of text means, and so how it looks.
type Token uint8

// The tokens. Those from Text to Message carry live figures and are drawn at
// 7:1 or more; Edge to Control are the accents of the planes, for borders;
// the others are furniture.
const (
	// Plain returns to the terminal's own colours and attributes. It is for
	// blank cells and nothing else.
	Plain Token = iota

	Text    // figures and prose
	Strong  // names and values that matter
	Muted   // labels, ages, sources: quieter than Text, still 7:1
	Fail    // the status words and the values that have that status
	Warn    //
	OK      //
	Unknown //
	NA      //
	Stale   // a value past its time, and its age

	FailBadge    // the same statuses as a filled label, for the one thing
	WarnBadge    // that matters most in its part of the screen
	OKBadge      //
	UnknownBadge //
	NABadge      //

	Selection // the name under the cursor
	Match     // the letters of a result that a query matched
	Key       // a key that works
	KeyText   // what it does
	Disabled  // a key that does not work now, and why
	Message   // what the console has to say about the last key

	Band         // the permanent band
	BandStrong   // its figures that matter
	BandMuted    // its labels
	BandReadOnly // READ-ONLY
	BandArmed    // ARMED
	BandDrill    // DRILL
	BandNotice   // FROZEN, SHARE

	Button       // a button of a dialog
	ButtonChosen // the one that enter presses

	Edge    // accents of the planes
	Service //
	State   //
	Control //

	EdgeTitle    // titles of the planes, filled, for the pane with the focus
	ServiceTitle //
	StateTitle   //
	ControlTitle //

	Group  // rules beside group headings
	Border // frames of dialogs

	tokens // how many there are
)
