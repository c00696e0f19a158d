package panes

import (
	"strings"
	"testing"
	"time"

	"warroom/internal/incident"
	"warroom/internal/theme"
)

// That service was said to be back, and that a temporary measure is past its end,
// stand in the band at every width.
func TestBandSaysThatServiceIsBackAndWhatIsOverdue(t *testing.T) {
	b := BandInfo{
		Environment: "production", Drill: "db-rotation", Mode: "READ-ONLY", Incident: "2026-03-14-1", Severity: "SEV1", Elapsed: 80 * time.Minute,
		Phase:     incident.PhaseClock{ID: "recovery", Title: "Recovery", Number: 3, Of: "checklist", To: 3 * time.Hour, Elapsed: 80 * time.Minute, Running: true},
		Update:    incident.UpdateClock{Due: now.Add(time.Minute), Left: time.Minute},
		Recovered: now.Add(-time.Hour), Measures: 2, Measure: "M1", Overdue: 74 * time.Second,
	}
	back := now.Add(-time.Hour).UTC().Format("15:04")
	for n, want := range map[int][]string{80: {"BACK " + back, "M1 "}, 100: {"BACK " + back, "M1 "}, 200: {"SERVICE BACK " + back, "M1 overdue 1:14 +1"}} {
		got := text(Band(Frame{Width: n, Height: 1, Theme: themeOf(t, theme.Default), Now: now}, b))
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%d cells: the band lacks %q: %s", n, w, got)
			}
		}
	}
	b.Recovered, b.Measures = time.Time{}, 0
	if got := text(Band(Frame{Width: 200, Height: 1, Theme: themeOf(t, theme.Default), Now: now}, b)); strings.Contains(got, "BACK") || strings.Contains(got, "overdue") {
		t.Errorf("%s", got)
	}
}
