package ui

import (
	"context"
	"fmt"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// benchIncident is a console in the middle of an incident, with its evidence.
func benchIncident(b *testing.B) (*Model, *handle, *room) {
	b.Helper()
	r := newRoom()
	d, err := incident.Declare("ic-1", incident.Declared{
		Severity: runbook.SEV2, Summary: "orders fail", Roles: map[incident.Role]string{incident.Commander: "ic-1"},
	}, at)
	if err != nil {
		b.Fatal(err)
	}
	book, err := lent{r.shelf, "ic-1"}.Declare(context.Background(), d)
	if err != nil {
		b.Fatal(err)
	}
	o := r.options()
	o.Book = book
	found := r.senses.sense(nil, at)
	o.Sense = func(*estate.Readings, time.Time) diagnosis.Findings { return found }
	m := alone(o)
	m.Update(tea.WindowSizeMsg{Width: 160, Height: 45})
	m.View()
	return m, book.(*handle), r
}

// BenchmarkUpdateOfAnEvent is what a new event costs the loop in each view:
// taking the case, the board, and the frame.
func BenchmarkUpdateOfAnEvent(b *testing.B) {
	for _, v := range []mode{modePlanes, modeFlow, modeChecklist, modeBrief} {
		b.Run(v.String(), func(b *testing.B) {
			m, book, _ := benchIncident(b)
			m.showView(v)
			events := make([]*incident.Case, 64)
			for i := range events {
				if err := book.Record(context.Background(), incident.New("ic-1", incident.Noted{Text: fmt.Sprint("note ", i)})); err != nil {
					b.Fatal(err)
				}
				events[i] = book.Case()
			}
			for i := 0; b.Loop(); i++ {
				m.kase = nil
				m.Update(caseMsg{book: book, kase: events[i%len(events)]})
				m.View()
			}
		})
	}
}

// BenchmarkUpdateOfAKey is what a key that records costs the loop.
func BenchmarkUpdateOfAKey(b *testing.B) {
	m, _, _ := benchIncident(b)
	n := press("n")
	for b.Loop() {
		m.rec, m.hold = recorder{}, hold{}
		m.Update(n)
		m.View()
	}
	if len(m.rec.queue) == 0 {
		b.Fatal("nothing was recorded")
	}
}
