package panes

import (
	"testing"
	"time"

	"warroom/internal/estate"
)

func BenchmarkPlane(b *testing.B) {
	r := guide()
	for _, c := range []struct {
		name  string
		w, h  int
		share bool
	}{{"40x14", 40, 14, false}, {"80x28", 80, 28, false}, {"80x28-share", 80, 28, true}, {"100x39", 100, 39, false}} {
		f := Frame{Width: c.w, Height: c.h, Theme: themeOf(b, "default"), Now: now, Share: c.share}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Plane(f, r, PlaneView{Plane: estate.State, Focused: true, Selected: "postgres-primary"})
			}
		})
	}
}

func BenchmarkBeside(b *testing.B) {
	r := guide()
	f := Frame{Width: 80, Height: 41, Theme: themeOf(b, "default"), Now: now}
	left, right := Plane(f, r, PlaneView{Plane: estate.Service}), Plane(f, r, PlaneView{Plane: estate.State})
	b.ReportAllocs()
	for b.Loop() {
		Beside(left, right)
	}
}

func BenchmarkDetail(b *testing.B) {
	r := guide()
	f := Frame{Width: 160, Height: 41, Theme: themeOf(b, "default"), Now: now}
	for b.Loop() {
		Detail(f, r, "postgres-primary", 0)
	}
}

func BenchmarkStrip(b *testing.B) {
	r := guide()
	f := Frame{Width: 160, Height: 2, Theme: themeOf(b, "default"), Now: now}
	for b.Loop() {
		Strip(f, r, nil)
	}
}

// A plane is drawn between two frames of the screen: what it costs has a bar.
// It is checked with room to spare for a loaded machine; the benchmarks say
// what it is.
func TestAPlaneIsCheapToDraw(t *testing.T) {
	r := guide()
	f := Frame{Width: 100, Height: 39, Theme: themeOf(t, "default"), Now: now}
	best := time.Hour
	for range 50 {
		begun := time.Now()
		Plane(f, r, PlaneView{Plane: estate.State, Focused: true})
		best = min(best, time.Since(begun))
	}
	if best > 5*200*time.Microsecond {
		t.Errorf("the best of 50 draws took %v, far above 200µs", best)
	}
}
