package ui

// mode is what the keys mean now. There is exactly one.
type mode uint8

// The modes. Those up to modeUpdate are views; the others lie over a view,
// swallow every key, and return to it.
const (
	modePlanes mode = iota
	modeDetail
	modeChanges
	modeGlossary
	modeFlow
	modeNode
	modeChecklist
	modeTimeline
	modeBrief
	modeMeasures
	modeRecover
	modePlan
	modeRun
	modeUpdate
	modeFilter
	modeHelp
	modePalette
	modeDialog
	modeForm
	modeConfirm
	modes // how many there are
)

var modeNames = [modes]string{
	"Planes", "Detail", "Recent changes", "Glossary", "Flow", "Step", "Checklist", "Timeline", "Brief", "Temporary measures",
	"Recover", "Plan", "Run", "Status update", "Filter", "Help", "Palette", "Dialog", "Form", "Confirmation",
}

func (m mode) String() string { return modeNames[m] }

// view reports whether a mode is a view rather than something that lies over
// one.
func (m mode) view() bool { return m <= modeUpdate }

// sheet reports whether a mode is a view of a list that is not of components.
func (m mode) sheet() bool { return m == modeChanges || m == modeGlossary }

// modeSet is a set of modes.
type modeSet uint32

func in(all ...mode) (s modeSet) {
	for _, m := range all {
		s |= 1 << m
	}
	return s
}

// everyView is all views, and but all of them without some.
const everyView = modeSet(1<<(modeUpdate+1) - 1)

func but(some ...mode) modeSet { return everyView &^ in(some...) }

func (s modeSet) has(m mode) bool { return s&(1<<m) != 0 }

// showView makes a view what is shown, with nothing over it.
func (m *Model) showView(v mode) {
	if v != m.view {
		m.turned(m.view, v)
	}
	if m.dialog != nil && m.dialog.leaves {
		m.leaving, m.recovery.leaving = false, false
	}
	m.forget()
	m.mode, m.view = v, v
	m.palette, m.dialog, m.form = nil, nil, nil
	wanted := m.evidenced()
	m.pump.wanted.Store(wanted)
	if m.opt.Sense != nil && wanted && (m.live.Findings == nil || m.shown.Findings == nil) {
		m.rebuild()
	}
}

// open lays a mode over the view, in place of what lay over it.
func (m *Model) open(over mode) {
	m.showView(m.view)
	m.mode = over
}

// close returns to the view.
func (m *Model) close() { m.showView(m.view) }
