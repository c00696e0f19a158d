package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/runbook"
	"warroom/internal/theme"
)

func TestAFrozenFrameSettlesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		l.press("5", "z")
		l.rest()
		for _, k := range []string{"space", "s", "N", "n", "a", "o"} {
			l.press(k)
			l.sees(k + ": not now, the frame is frozen")
		}
		before := l.m.board
		l.note("written while frozen") // looks at no evidence
		l.told("written while frozen")
		l.pass(5 * time.Second)
		if l.m.board != before {
			t.Error("the frozen board moved")
		}
		l.press("z", "a")
		l.told("started")
	})
}

func TestBeginsOnTheChecklistWithNoEstate(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		empty := estate.NewSnapshot((&estate.Topology{Environment: "production"}).Index(), nil)
		d, err := incident.Declare("ic-1", incident.Declared{
			Severity: runbook.SEV3, Summary: "orders fail", Roles: map[incident.Role]string{incident.Commander: "ic-1"},
		}, r.now())
		if err != nil {
			t.Fatal(err)
		}
		book, err := lent{r.shelf, "ic-1"}.Declare(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		l := r.start(t, func(o *Options) {
			o.Snapshot, o.Feed, o.Checker, o.Derive, o.Sense = empty, nil, nil, nil, nil
			o.Casebook, o.Book, o.Checklist = nil, book, true
		})
		l.sees("IMMEDIATE RESPONSE", "SEV3", "you were at")
		l.rest()
		l.press("tab", "tab", "tab", "o") // an item of the days after
		l.sees("Owner: ", "Due")
		l.rest()
		l.typed("ops-2")
		l.press("enter")
		l.typed("soon")
		l.press("enter")
		l.sees("type 2h, 3d")
		l.press("ctrl+u")
		l.typed("3d")
		l.press("enter")
		l.told("assigned: ", "ops-2; due 2026-03-17")
		for _, k := range []string{"2", "1", "8", "7", "M", "U", "c", "x", "5", "r", "n"} {
			l.press(k)
			exact(t, k, l.m)
		}
	})
}

// TestIncidentViewsAreMasked looks for what share mode hides in every view.
func TestIncidentViewsAreMasked(t *testing.T) {
	th, _ := theme.Choose("", false)
	for _, v := range incidentViews {
		m := midway(t, th, 160, 45)
		m.share = true
		perform(m, v.keys...)
		s := screen(m)
		for _, hidden := range []string{"111122223333", "company.com", "arn:aws", "amazonaws"} {
			if strings.Contains(s, hidden) {
				t.Errorf("%s shows %q:\n%s", v.name, hidden, s)
			}
		}
	}
}

// TestHostileJournal draws every view of an incident whose texts are hostile.
func TestHostileJournal(t *testing.T) {
	th, _ := theme.Choose("", false)
	r := newRoom()
	r.w = hostileWorld()
	r.senses.given = diagnosis.Findings{}
	for _, n := range r.shelf.rb.Flow[0].Nodes {
		r.senses.given[n.Sense] = diagnosis.Finding{Stance: diagnosis.For, Value: hostile, Word: hostile, Facts: []diagnosis.Fact{{Component: "hostile", Name: hostile, Value: hostile, Source: hostile, At: at}}}
	}
	for _, p := range r.shelf.rb.Checklist {
		for _, i := range p.Items {
			r.senses.given[i.Sense] = diagnosis.Finding{Stance: diagnosis.Against, Value: hostile, Facts: []diagnosis.Fact{{Component: "hostile", Name: hostile, Value: hostile, Source: hostile, At: at}}}
		}
	}
	book, err := lent{r.shelf, hostile}.Declare(t.Context(), incident.New(hostile, incident.Declared{
		Severity: runbook.SEV1, Summary: hostile, Started: at.Add(-time.Minute), Environment: hostile, Drill: hostile,
		Roles: map[incident.Role]string{incident.Commander: hostile},
	}))
	if err != nil {
		t.Fatal(err)
	}
	node, item := r.shelf.rb.Flow[0].Nodes[1].ID, r.shelf.rb.Checklist[0].Items[0].ID
	seen := incident.Evidence{Stance: hostile, Value: hostile, Source: hostile, Typed: hostile, Note: hostile, Link: hostile, With: hostile}
	err = book.Record(t.Context(),
		incident.New(hostile, incident.Noted{Text: hostile}), incident.New(hostile, incident.Decided{Text: hostile, Reason: hostile}),
		incident.New(hostile, incident.NodeMoved{Node: node, Act: incident.NodeDone, Reason: hostile, Evidence: seen}),
		incident.New(hostile, incident.ItemMoved{Item: item, Act: incident.ItemOverridden, Reason: hostile, Evidence: seen}),
		incident.New(hostile, incident.MeasureMoved{ID: "M1", Act: incident.MeasureOpened, Kind: incident.MeasureOther, What: hostile, Who: hostile, Reason: hostile}),
		incident.New(hostile, incident.Updated{Text: hostile, To: hostile, Fail: hostile}), incident.New("", incident.JournalMoved{What: hostile}),
	)
	if err != nil {
		t.Fatal(err)
	}
	other, err := lent{r.shelf, "ops-2"}.Open(t.Context(), book.Case().State.Declared.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []Book{book, other} {
		for _, v := range incidentViews {
			o := r.options()
			o.Theme, o.Book, o.Scrub = th, b, scrubCanary
			m := alone(o)
			m.Update(tea.WindowSizeMsg{Width: 100, Height: 30})
			perform(m, v.keys...)
			for _, s := range [][2]int{{100, 30}, {80, 24}, {43, 11}, {160, 45}} {
				m.Update(tea.WindowSizeMsg{Width: s[0], Height: s[1]})
				exact(t, fmt.Sprintf("%s at %d×%d", v.name, s[0], s[1]), m)
			}
		}
	}
}
