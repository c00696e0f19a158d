package ui

import (
	"fmt"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/estate"
)

// TestPictureVersions: a plane's number changes when what it shows does, and at
// no other time.
func TestPictureVersions(t *testing.T) {
	id := estate.ID("postgres-primary")
	for name, c := range map[string]struct {
		change func(*estate.Reading)
		after  time.Duration
		state  uint64
	}{
		"nothing":     {func(*estate.Reading) {}, 0, 1},
		"read again":  {func(r *estate.Reading) { r.At, r.Took = r.At.Add(time.Second), 9*time.Second }, 0, 1},
		"age step":    {func(*estate.Reading) {}, time.Minute, 2},
		"within step": {func(*estate.Reading) {}, 2 * time.Second, 1},
		"status":      {func(r *estate.Reading) { r.Status = estate.OK }, 0, 2},
		"word":        {func(r *estate.Reading) { r.Word = "OPEN" }, 0, 2},
		"reason":      {func(r *estate.Reading) { r.Reason = "" }, 0, 2},
		"figure":      {func(r *estate.Reading) { r.Facts = []estate.Fact{{Name: "User", Value: "other"}} }, 0, 2},
		"figure stale": {func(r *estate.Reading) {
			f := r.Facts[0]
			f.Stale = true
			r.Facts = append([]estate.Fact{f}, r.Facts[1:]...)
		}, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			first := firstPicture(w.derive(w.snapshot(), at), at)
			w.set(id, c.change)
			now := at.Add(c.after)
			next := first.next(w.derive(w.snapshot(), now), now)
			if got := next.planes[estate.State]; got != c.state {
				t.Errorf("the plane's number is %d, want %d", got, c.state)
			}
			if c.after == 0 && next.planes[estate.Edge] != 1 {
				t.Errorf("another plane's number is %d", next.planes[estate.Edge])
			}
		})
	}
}

// TestNothingIsDrawnTwice counts how often the screen is put together.
func TestNothingIsDrawnTwice(t *testing.T) {
	w := newWorld()
	m := ready(t, w, 100, 30)
	n := m.cache.redrawn
	for range 10 {
		m.Update(fresh(m, w, m.live.Now)) // the same readings at the same second
		m.Update(tea.WindowSizeMsg{Width: 100, Height: 30})
		m.View()
	}
	if m.cache.redrawn != n {
		t.Errorf("drawn %d times although nothing changed", m.cache.redrawn-n)
	}
	for i := range 3 {
		edge := m.cache.panes[estate.Edge].version
		w.set("postgres-primary", func(r *estate.Reading) { r.Word = fmt.Sprint("W", i) })
		m.Update(fresh(m, w, m.live.Now))
		m.View()
		if m.cache.panes[estate.Edge].version != edge {
			t.Error("a pane was drawn anew because another changed")
		}
	}
	if m.cache.redrawn != n+3 {
		t.Errorf("three changes were drawn %d times", m.cache.redrawn-n)
	}
}

func TestLayoutsFillTheScreen(t *testing.T) {
	halves := func(_, _ estate.Plane, rows int) (int, int) { return rows / 2, rows - rows/2 }
	for _, s := range [][2]int{{1, 1}, {20, 5}, {79, 24}, {80, 23}, {80, 24}, {101, 31}, {160, 45}, {281, 60}, {500, 200}} {
		for _, focus := range estate.Planes {
			l := arrange(s[0], s[1], 1, focus, modePlanes, false, halves)
			if got := l.band + l.body.h + l.strip + l.footer; got != s[1] {
				t.Errorf("%v: %d rows in all", s, got)
			}
			cells := 0
			for _, p := range l.panes {
				if p.w > 0 && p.h > 0 && (p.x < 0 || p.y < l.body.y || p.x+p.w > s[0] || p.y+p.h > l.body.y+l.body.h) {
					t.Errorf("%v: pane %v lies outside the body %v", s, p, l.body)
				}
				cells += p.w * p.h
			}
			if cells != l.body.w*l.body.h {
				t.Errorf("%v: panes cover %d of %d cells", s, cells, l.body.w*l.body.h)
			}
		}
	}
}

func TestNeighbours(t *testing.T) {
	for _, c := range []struct {
		in     arrangement
		from   estate.Plane
		dx, dy int
		to     estate.Plane
		ok     bool
	}{
		{square, estate.Edge, 1, 0, estate.Service, true},
		{square, estate.Edge, 0, 1, estate.State, true},
		{square, estate.Edge, -1, 0, estate.Edge, false},
		{square, estate.Service, 1, 0, estate.Service, false},
		{square, estate.Control, 0, -1, estate.Service, true},
		{columns, estate.Service, 1, 0, estate.State, true},
		{columns, estate.Service, 0, 1, estate.Service, false},
		{single, estate.Control, -1, 0, estate.State, true},
		{single, estate.Control, 1, 0, estate.Control, false},
	} {
		got, ok := layout{arrangement: c.in}.neighbour(c.from, c.dx, c.dy)
		if ok != c.ok || ok && got != c.to {
			t.Errorf("from %s by (%d, %d) in arrangement %d: %s, %v", c.from, c.dx, c.dy, c.in, got, ok)
		}
	}
}

// TestScrubber: values are found before text is wrapped, and shared facts are
// not written to.
func TestScrubber(t *testing.T) {
	w := newWorld()
	shared := []estate.Fact{{Name: "Error", Value: "was " + canary, Source: canary}}
	w.set("user-service", func(r *estate.Reading) { r.Reason, r.Facts = "password "+canary, shared })
	calls := 0
	s := scrubber{scrub: func(text string) string { calls++; return scrubCanary(text) }}
	for range 3 {
		r, _ := s.clean(w.derive(w.snapshot(), at)).Of("user-service")
		if r.Reason != "password [redacted]" || r.Facts[0].Value != "was [redacted]" || r.Facts[0].Source != "[redacted]" {
			t.Fatalf("not scrubbed: %+v", r)
		}
	}
	if shared[0].Value != "was "+canary {
		t.Error("a shared fact was written to")
	}
	before := calls
	s.clean(w.derive(w.snapshot(), at))
	if calls-before > 10 {
		t.Errorf("%d texts were scrubbed again although only one component had anything", calls-before)
	}
}
