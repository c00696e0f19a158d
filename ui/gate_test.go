package ui

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"pgregory.net/rapid"

	"warroom/internal/incident"
	"warroom/internal/plan"
	"warroom/internal/runbook"
)

// What this test holds the console to, by what a person could have seen and done
// alone: no sequence of keys begins a run unless its confirmation was on the screen,
// whole, for a moment in which no key came; unless the button was moved to by one key
// and pressed by another; unless the name was typed where it has to be. The console's
// own reckoning is not asked.

// deed is one thing that happens to a console: a key, or time, or a size.
type deed struct {
	key    string
	held   bool // a terminal tells that the key is held down
	pass   time.Duration
	width  int
	height int
	paste  string
	change string // expire, disarm, end
}

func deeds(names []string) *rapid.Generator[deed] {
	// Most keys lead somewhere in recovery: otherwise nothing would ever begin.
	towards := []string{"enter", "enter", "enter", "tab", "right", "down", "down", "4", "n", "!", "X", "esc", "space", "left", "shift+tab"}
	letters := []string{"p", "r", "o", "d", "/", "a", "i", "y", "m", "e", "n", "t"}
	return rapid.Custom(func(t *rapid.T) deed {
		switch rapid.IntRange(0, 24).Draw(t, "kind") {
		case 0:
			return deed{width: rapid.SampledFrom([]int{40, 79, 80, 100, 160}).Draw(t, "w"), height: rapid.SampledFrom([]int{8, 23, 24, 30, 45}).Draw(t, "h")}
		case 1:
			return deed{paste: rapid.SampledFrom([]string{"prod/api/payment", canary, "\r\r\t\r", armored}).Draw(t, "paste")}
		case 2, 3, 4, 5, 6:
			return deed{pass: rapid.SampledFrom([]time.Duration{50 * time.Millisecond, 300 * time.Millisecond, 900 * time.Millisecond, 1100 * time.Millisecond, 3 * time.Second}).Draw(t, "pass")}
		case 7:
			return deed{change: rapid.SampledFrom([]string{"expire", "disarm", "end", "end", "arm", "arm"}).Draw(t, "change")}
		case 8:
			return deed{key: rapid.SampledFrom(names).Draw(t, "any key")}
		case 9:
			return deed{key: rapid.SampledFrom(letters).Draw(t, "letter")}
		case 10:
			return deed{key: rapid.SampledFrom([]string{"name", "way", "skip"}).Draw(t, "on purpose")} // letter by letter, as one confirms
		case 11:
			return deed{key: rapid.SampledFrom(towards).Draw(t, "held"), held: true}
		default:
			return deed{key: rapid.SampledFrom(towards).Draw(t, "key")}
		}
	})
}

// witness sees what a person sees, and remembers what was pressed.
type witness struct {
	l      *loop
	h      *healer
	frame  string // on the screen when the key was pressed
	since  time.Time
	last   time.Time // of the last key
	heard  bool      // a moment without a key passed while this question stood there
	key    string    // that is being pressed
	before string    // the one before it
	held   bool
	typed  int // letters since the question came
	errs   []string
	starts int
	off    time.Time // when being armed ended by itself
	arms   int
}

const question = "CONFIRM"

// press presses one key on what is on the screen now.
func (w *witness) press(k string, held bool) {
	now := w.l.r.now()
	w.frame = screen(w.l.m)
	w.look(now)
	if w.asked(w.frame) && now.Sub(w.since) >= time.Second && now.Sub(w.last) >= time.Second && !held {
		w.heard = true
	}
	w.before, w.key, w.held, w.last = w.key, k, held, now
	if len(k) == 1 {
		w.typed++
	}
	msg := press(k)
	msg.IsRepeat = held
	w.l.send(msg)
	w.look(w.l.r.now())
}

func (w *witness) asked(frame string) bool { return strings.Contains(frame, question) }

// look takes note of a question that came, went, or changed its size.
func (w *witness) look(now time.Time) {
	if !w.asked(screen(w.l.m)) {
		w.since, w.heard, w.typed = time.Time{}, false, 0
	} else if w.since.IsZero() {
		w.since, w.heard, w.typed = now, false, 0
	}
}

func (w *witness) fault(format string, args ...any) {
	w.errs = append(w.errs, fmt.Sprintf(format, args...)+"\n"+w.frame)
}

// began judges a run that begins.
func (w *witness) began(give plan.Consent) {
	w.starts++
	p := w.h.plans[give.Plan] // the healer's lock is held
	flat := strings.Join(strings.Fields(strings.NewReplacer("║", " ", "│", " ").Replace(w.frame)), " ")
	switch {
	case w.key != "enter" || w.held:
		w.fault("a run began by %q, held %v", w.key, w.held)
	case w.before == "enter":
		w.fault("a run began by enter pressed twice")
	case !w.asked(w.frame):
		w.fault("a run began without its question on the screen")
	case !w.heard:
		w.fault("a run began by a key that nobody can have meant: there was no quiet moment since the question was drawn")
	case !strings.Contains(w.frame, "▸[ Run ]") && !strings.Contains(w.frame, "▸[ Resume ]") && !strings.Contains(w.frame, "▸[ Roll back ]") && !strings.Contains(w.frame, "▸[ Abandon ]"):
		w.fault("a run began while the button was not chosen")
	case p == nil || p.Fingerprint() != give.Fingerprint:
		w.fault("consent to no plan that was made: %s", give.Plan)
	case !strings.Contains(flat, p.Procedure+" "+p.Target):
		w.fault("the plan %s was not the one on the screen", give.Plan)
	case !w.h.clock().Before(p.Expires):
		w.fault("a plan began that had expired")
	case p.Changes() && !w.h.arming.On && w.h.clock().Sub(w.off) > 2*pollEvery:
		// What ended by itself a moment ago is refused by who runs it.
		w.fault("a run began while READ-ONLY")
	case p.NeedsTyped() && (give.Typed != p.Target || w.typed < len(p.Target) || !strings.Contains(flat, p.Target+" to confirm:")):
		w.fault("what cannot be undone began with %q typed in %d letters", give.Typed, w.typed)
	}
}

// armed judges an arming.
func (w *witness) armed() {
	w.arms++
	if w.key != "enter" || w.held || !strings.Contains(w.frame, "Arm this console?") || !strings.Contains(w.frame, "▸[ Arm ]") {
		w.fault("it was armed by %q without its question", w.key)
	}
}

// TestNoKeysBeginARunWithoutItsConfirmation plays random keys. WARROOM_KEYS is how
// many at least; else a few thousand.
func TestNoKeysBeginARunWithoutItsConfirmation(t *testing.T) {
	const length = 120
	total := 6000
	if s := os.Getenv("WARROOM_KEYS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		total = n
	}
	var names []string
	for i := range keymap {
		names = append(names, keymap[i].keys...)
	}
	pressed, starts, arms := 0, 0, 0
	draw := rapid.SliceOfN(deeds(names), length, length)
	for seed := 0; pressed < total; seed++ {
		all := draw.Example(seed)
		w := &witness{}
		n := 0
		synctest.Test(t, func(t *testing.T) { n = w.play(t, all) })
		pressed, starts, arms = pressed+n, starts+w.starts, arms+w.arms
		if len(w.errs) > 0 {
			t.Fatalf("seed %d: %s", seed, w.errs[0])
		}
	}
	t.Logf("%d keys, %d runs began, armed %d times", pressed, starts, arms)
	if starts < total/1000 {
		t.Errorf("of %d keys only %d runs began: this test says little", pressed, starts)
	}
}

// play does all to a console that stands in the middle of recovery, and returns how
// many keys were pressed.
func (w *witness) play(t *testing.T, all []deed) (pressed int) {
	r := newRoom()
	began := time.Now()
	r.now = func() time.Time { return at.Add(time.Since(began)) }
	r.shelf.clock = r.now
	d, err := incident.Declare("ic-1", incident.Declared{Severity: runbook.SEV2, Summary: "orders fail", Environment: "production",
		Roles: map[incident.Role]string{incident.Commander: "ic-1"}}, r.now())
	if err != nil {
		t.Fatal(err)
	}
	book, err := lent{r.shelf, "ic-1"}.Declare(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	h := newHealer(r.now)
	h.shape = func(p *plan.Plan) {
		p.Inputs, p.Second = nil, false // the form is another test's
		if p.Procedure == "rotate-database" {
			p.Irreversible = ""
		}
	}
	w.h = h
	h.judge, h.judgeArm = w.began, w.armed
	if all[0].height%2 == 0 {
		h.arming = plan.Arming{On: true, Until: r.now().Add(15 * time.Minute)}
	}
	l := r.start(t, func(o *Options) { o.Recovery, o.Book = h, book })
	w.l = l
	l.pass(time.Second)
	l.press("4")
	l.send(deedPlan(l.m, h, len(all[0].key)))
	l.settle()
	for _, one := range all {
		switch {
		case one.key == "name":
			pressed += w.name()
		case one.key == "way":
			pressed += w.way(true)
		case one.key == "skip":
			pressed += w.way(false)
		case one.key != "":
			w.press(one.key, one.held)
			pressed++
		case one.pass > 0:
			l.pass(one.pass)
			w.look(r.now())
		case one.width > 0:
			same := one.width == l.m.width && one.height == l.m.height
			l.send(tea.WindowSizeMsg{Width: one.width, Height: one.height})
			if same {
				continue
			}
			w.since, w.heard = time.Time{}, false // another frame: it has to be looked at anew
			if w.asked(screen(l.m)) {
				w.since = r.now()
			}
		case one.paste != "":
			w.frame, w.key = screen(l.m), "paste"
			l.send(tea.PasteMsg{Content: one.paste})
		case one.change != "":
			w.change(one.change)
			l.settle()
		}
		w.look(r.now())
	}
	return pressed
}

// name types the name of the target that cannot be undone.
func (w *witness) name() int {
	const name = "prod/api/payment"
	for _, c := range name {
		w.press(string(c), false)
	}
	return len(name)
}

// way does what leads on to a run from what is on the screen: random keys alone would
// hardly ever begin one. Without the name it leaves that out.
func (w *witness) way(named bool) (pressed int) {
	frame := screen(w.l.m)
	if !w.asked(frame) {
		w.l.pass(time.Second)
		w.press("enter", false)
		return 1
	}
	w.l.pass(2 * time.Second)
	w.press("tab", false)
	if strings.Contains(frame, "to confirm:") {
		if named {
			pressed += w.name()
		}
		w.press("tab", false)
		pressed++
	}
	w.press("enter", false)
	return pressed + 2
}

// deedPlan is a plan that was asked for and arrives.
func deedPlan(m *Model, h *healer, which int) tea.Msg {
	ask := plan.Request{Procedure: []string{"rotate-database", "rotate-api-key"}[which%2], Target: []string{"prod/db/postgres", "prod/api/payment"}[which%2]}
	p, _ := h.Plan(m.pump.ctx, ask)
	a := &asking{request: ask, stop: func() {}}
	m.recovery.asking = a
	return plannedMsg{of: a, plan: p}
}

// change is what happens by itself.
func (w *witness) change(what string) {
	h := w.h
	if what == "expire" {
		time.Sleep(6 * time.Minute) // in the bubble
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch what {
	case "disarm":
		if h.arming.On {
			w.off = h.clock()
		}
		h.arming = plan.Arming{Why: "no key for 15 minutes"}
	case "arm":
		h.arming = plan.Arming{On: true, Until: h.clock().Add(15 * time.Minute)}
	case "end":
		for _, run := range h.runs {
			if run.State == plan.RunActive {
				run.State, run.Ended = plan.RunDone, h.clock()
				h.tell(run)
			}
		}
	}
}
