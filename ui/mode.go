package ui

// mode is what the keys mean now. There is exactly one.
type mode uint8

// The modes. The first four are views; the others lie over a view, swallow every
// key, and return to it.
const (
	modePlanes mode = iota
	modeDetail
	modeChanges
	modeGlossary
	modeFilter
	modeHelp
	modePalette
	modeDialog
	modes // how many there are
)

var modeNames = [modes]string{"Planes", "Detail", "Recent changes", "Glossary", "Filter", "Help", "Palette", "Dialog"}

func (m mode) String() string { return modeNames[m] }

// view reports whether a mode is a view rather than something that lies over
// one.
func (m mode) view() bool { return m <= modeGlossary }

// sheet reports whether a mode is a view of a list that is not of components.
func (m mode) sheet() bool { return m == modeChanges || m == modeGlossary }

// modeSet is a set of modes.
type modeSet uint16

func in(all ...mode) (s modeSet) {
	for _, m := range all {
		s |= 1 << m
	}
	return s
}

func (s modeSet) has(m mode) bool { return s&(1<<m) != 0 }

// showView makes a view what is shown, with nothing over it.
func (m *Model) showView(v mode) {
	m.mode, m.view = v, v
	m.palette, m.dialog = nil, nil
}

// open lays a mode over the view, in place of what lay over it.
func (m *Model) open(over mode) {
	m.showView(m.view)
	m.mode = over
}

// close returns to the view.
func (m *Model) close() { m.showView(m.view) }
