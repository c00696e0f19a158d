package ui

import (
	"fmt"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/estate"
)

// bigWorld has 3,000 components.
func bigWorld() *world {
	var extra []box
	for i := range 3000 - len(boxes) {
		extra = append(extra, box{
			id: fmt.Sprintf("c%04d", i), name: fmt.Sprintf("Component %04d", i), group: fmt.Sprintf("Group %d", i%7),
			word: "HEALTHY", plane: estate.Plane(i % 4), status: estate.OK,
			facts: []string{"Password", "CURRENT", "Connections", "12 of 100", "Replay lag", "0 B"},
		})
	}
	return newWorld(extra...)
}

func benchModel(b *testing.B, w *world) *Model {
	m := alone(w.options())
	m.Update(tea.WindowSizeMsg{Width: 160, Height: 45})
	m.View()
	return m
}

func BenchmarkViewNothingDirty(b *testing.B) {
	m := benchModel(b, bigWorld())
	for b.Loop() {
		m.View()
	}
}

func BenchmarkViewCursorMoves(b *testing.B) {
	m := benchModel(b, newWorld())
	down, up := press("j"), press("k")
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 {
			m.Update(down)
		} else {
			m.Update(up)
		}
		m.View()
	}
}

func BenchmarkViewEverythingDirty(b *testing.B) {
	m := benchModel(b, newWorld())
	for i := 0; b.Loop(); i++ {
		m.share = i%2 == 0
		m.View()
	}
}

func BenchmarkViewEverythingDirty3000(b *testing.B) {
	m := benchModel(b, bigWorld())
	for i := 0; b.Loop(); i++ {
		m.share = i%2 == 0
		m.View()
	}
}

// BenchmarkUpdatePicture3000 is what the loop does for each batch of readings of
// 3,000 components, drawing included.
func BenchmarkUpdatePicture3000(b *testing.B) {
	w := bigWorld()
	m := benchModel(b, w)
	var pictures [2]pictureMsg
	for i := range pictures {
		w.set("user-service", func(r *estate.Reading) { r.Word = fmt.Sprint("N", i) })
		pictures[i] = fresh(m, w, at)
	}
	for i := 0; b.Loop(); i++ {
		p := pictures[i%2]
		p.planes[estate.Service] += uint64(i)
		p.all += uint64(i)
		m.Update(p)
		m.View()
	}
}

// BenchmarkDerivePicture3000 is what the pump's goroutine does for the same.
func BenchmarkDerivePicture3000(b *testing.B) {
	w := bigWorld()
	m := benchModel(b, w)
	now := at
	for b.Loop() {
		now = now.Add(time.Second)
		fresh(m, w, now)
	}
}

func BenchmarkPaletteLetter3000(b *testing.B) {
	m := benchModel(b, bigWorld())
	keys(m, ":")
	for b.Loop() {
		keys(m, "c", "backspace")
	}
}
