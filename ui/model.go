package ui

import (
	"context"
	"strings"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// messageStays is how long the footer shows a message.
const messageStays = 6 * time.Second

// longestInput bounds what is typed into the filter or the palette, in runes.
const longestInput = 64

// Model is the console.
type Model struct {
	opt   Options
	guard *guard
	pump  *pump

	// lasting outlives what ends the console: what is being recorded goes on, until
	// giveUp.
	lasting context.Context
	giveUp  context.CancelFunc

	theme      *theme.Theme
	themeGiven bool // do not follow the terminal's background
	width      int
	height     int

	live   Picture   // the newest
	shown  Picture   // what is drawn: live, or what it was when frozen
	frozen time.Time // zero when live

	mode mode
	view mode // the view under mode

	settled  bool      // the cursor is the operator's: it no longer follows the worst
	hunted   estate.ID // where the last search for the worst ended
	awaited  *await
	focus    estate.Plane
	selected [len(estate.Planes)]estate.ID // what the cursor was put on
	orders   [len(estate.Planes)]order
	filter   string

	detail       estate.ID
	detailScroll int
	helpScroll   int
	back         mode   // the view from which a sheet was opened
	sheetFilter  string // of the sheet that is shown
	sheetScroll  int
	palette      *palette
	dialog       *dialog
	form         *form
	desk         // what there is of an incident
	recovery     recovery

	message   string
	messageAt time.Time
	share     bool

	laidOut  layoutKey
	arranged layout // for laidOut
	cache    cache
}

func newModel(ctx context.Context, o Options, g *guard) *Model {
	o = o.withDefaults()
	pump := newPump(ctx, o)
	m := &Model{
		opt: o, guard: g, pump: pump, theme: o.Theme, themeGiven: o.Theme != nil, share: o.Share,
		width: o.Terminal.Width, height: o.Terminal.Height,
		live: pump.last, shown: pump.last,
	}
	m.lasting, m.giveUp = context.WithCancel(context.WithoutCancel(ctx))
	if m.theme == nil {
		m.setTheme(theme.Default)
	}
	m.cache.prose = scrubbed(o.scrub)
	m.followWorst()
	if o.Checklist {
		m.mode, m.view = modeChecklist, modeChecklist
	}
	if o.Book != nil {
		m.attend(o.Book, o.Book.Case())
	} else {
		m.rebuild()
	}
	return m
}

func (m *Model) setTheme(name string) {
	if t, err := theme.Choose(name, m.opt.NoColor); err == nil {
		m.theme = t
	}
}

// Init starts what goes on beside the keys: the feed and the clock.
func (m *Model) Init() tea.Cmd {
	if m.opt.Feed != nil {
		m.guard.start("the feed of readings", m.pump.read)
	}
	cmds := []tea.Cmd{m.nextPicture(), m.startDesk(), m.startRecovery()}
	if !m.themeGiven && !m.opt.NoColor {
		cmds = append(cmds, tea.RequestBackgroundColor)
	}
	return tea.Batch(cmds...)
}

func (m *Model) nextPicture() tea.Cmd {
	return m.guard.command("reading the estate", m.pump.next)
}

// Update takes one message. What waits to be asked is asked as soon as nothing
// else lies over the view.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.update(msg)
	m.askWaiting()
	if load := m.loadTimeline(); load != nil {
		cmd = tea.Batch(cmd, load)
	}
	if calm := m.calm(); calm != nil {
		cmd = tea.Batch(cmd, calm)
	}
	return m, cmd
}

func (m *Model) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case pictureMsg:
		m.take(Picture(msg))
		return tea.Batch(m.nextPicture(), m.arrive(), m.tell(), m.pollArming(), m.needProcedures())
	case feedErrMsg:
		m.say("no new readings: " + plain(msg.err.Error()))
		return m.nextPicture()
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		here := m.present()
		return tea.Batch(m.key(msg), here)
	case tea.PasteMsg:
		// Text may be pasted where text is typed, and nowhere else: a paste is
		// never a series of commands.
		here := m.present()
		m.typed(msg.Content)
		return here
	case tea.BackgroundColorMsg:
		if !m.themeGiven && msg.Color != nil && !msg.IsDark() {
			m.setTheme(theme.Light)
		}
	default:
		cmd, ok := m.desked(msg)
		if !ok {
			cmd, _ = m.recovered(msg)
		}
		return cmd
	}
	return nil
}

// take makes p the newest picture, and shows it unless the frame is frozen.
func (m *Model) take(p Picture) {
	m.live = p
	if m.frozen.IsZero() {
		m.shown = p
	}
	if !m.settled {
		m.followWorst()
	}
	m.hear()
	m.notice()
	m.idle()
	m.rebuild()
	if m.message != "" && p.Now.Sub(m.messageAt) >= messageStays {
		m.message = ""
	}
}

// say shows a message in the footer until the next key or for a while.
func (m *Model) say(text string) {
	m.message, m.messageAt = text, m.opt.Clock()
	if m.live.Now.After(m.messageAt) {
		m.messageAt = m.live.Now
	}
}

// name is what a component is called.
func (m *Model) name(id estate.ID) string {
	if c, ok := m.shown.Readings.Snapshot.Topology.Component(id); ok {
		return plain(c.Name)
	}
	return plain(string(id))
}

// plain strips escape sequences and control characters, so that text from
// outside is text wherever it ends up.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, ansi.Strip(s))
}
