package ui

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
)

// loop runs a console as Bubble Tea does, commands in goroutines of their own and
// messages one after another, inside a bubble of testing/synctest: time passes
// only when a test lets it, and everything that can happen has happened before
// the next key.
type loop struct {
	t    *testing.T
	r    *room
	m    *Model
	msgs chan tea.Msg
	end  context.CancelFunc
	quit bool
}

// bubble is a room whose clock is that of the bubble, beginning at the time of
// the tests.
func bubble(t *testing.T, f func(*testing.T, *room)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom()
		began := time.Now()
		r.now = func() time.Time { return at.Add(time.Since(began)) }
		r.shelf.clock = r.now
		f(t, r)
	})
}

// start runs a console of the room until the test ends.
func (r *room) start(t *testing.T, change ...func(*Options)) *loop {
	t.Helper()
	o := r.options()
	o.Clock = r.now
	for _, c := range change {
		c(&o)
	}
	ctx, end := context.WithCancel(context.Background())
	l := &loop{t: t, r: r, m: newModel(ctx, o, newGuard(nil, nil)), msgs: make(chan tea.Msg, 1000), end: end}
	l.m.opt.Feed = nil                                                 // pictures come with the seconds
	t.Cleanup(func() { end(); l.m.giveUp(); time.Sleep(time.Minute) }) // every timer of the console has run out
	l.run(l.m.Init())
	l.send(tea.WindowSizeMsg{Width: 100, Height: 30})
	return l
}

func (l *loop) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() {
		switch msg := cmd().(type) {
		case nil:
		case tea.BatchMsg:
			for _, one := range msg {
				l.run(one)
			}
		default:
			l.msgs <- msg
		}
	}()
}

// settle takes messages until nothing more can happen without time passing.
func (l *loop) settle() {
	for {
		synctest.Wait()
		select {
		case msg := <-l.msgs:
			if _, ok := msg.(tea.QuitMsg); ok {
				l.quit = true
				continue
			}
			_, cmd := l.m.Update(msg)
			l.m.View()
			l.run(cmd)
		default:
			return
		}
	}
}

func (l *loop) send(msg tea.Msg) {
	_, cmd := l.m.Update(msg)
	l.m.View()
	l.run(cmd)
	l.settle()
}

// pass lets time pass, second by second, with what happens in each.
func (l *loop) pass(d time.Duration) {
	for d > 0 {
		step := min(d, time.Second)
		time.Sleep(step)
		l.settle()
		d -= step
	}
}

// rest lets what was just drawn begin to listen.
func (l *loop) rest() { l.pass(2 * settle) }

// press presses keys, with what each of them brings about.
func (l *loop) press(names ...string) {
	for _, k := range names {
		l.send(press(k))
	}
}

func (l *loop) typed(text string) {
	for _, c := range text {
		k := string(c)
		if c == ' ' {
			k = "space"
		}
		l.send(press(k))
	}
}

func (l *loop) screen() string { return screen(l.m) }

// sees fails unless every text is on the screen.
func (l *loop) sees(texts ...string) {
	l.t.Helper()
	s := l.screen()
	for _, want := range texts {
		if !strings.Contains(s, want) {
			l.t.Fatalf("the screen lacks %q:\n%s", want, s)
		}
	}
}

func (l *loop) seesNot(texts ...string) {
	l.t.Helper()
	s := l.screen()
	for _, no := range texts {
		if strings.Contains(s, no) {
			l.t.Fatalf("the screen shows %q:\n%s", no, s)
		}
	}
}

// told fails unless the journal's events of people hold a text, in words.
func (l *loop) told(texts ...string) {
	l.t.Helper()
	all := l.r.shelf.told()
	for _, want := range texts {
		if !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, want) }) {
			l.t.Fatalf("the journal lacks %q:\n%s", want, strings.Join(all, "\n"))
		}
	}
}

func (l *loop) toldNot(texts ...string) {
	l.t.Helper()
	for _, s := range l.r.shelf.told() {
		for _, no := range texts {
			if strings.Contains(s, no) {
				l.t.Fatalf("the journal says %q", s)
			}
		}
	}
}

// declare declares an incident by keys.
func (l *loop) declare() {
	l.t.Helper()
	l.press("I")
	l.rest()
	l.press("enter")
	l.typed("orders fail for everyone")
	l.press("enter", "enter", "enter", "enter", "enter", "enter")
	l.sees("declared: incident 2026-03-14-1")
	l.rest()
}
