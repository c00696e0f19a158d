package ui

import (
	"fmt"
	"strings"
	"testing"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

func TestChangesOverAnyViewAndBack(t *testing.T) {
	th, _ := theme.Choose("", false)
	m := viewOf(crisis(), 100, 30, th, []string{"c"})
	if s := screen(m); !strings.Contains(s, "Recent changes of the last 24h") || !strings.Contains(s, "PutSecretValue prod/db/postgres") {
		t.Fatalf("c does not show the changes:\n%s", s)
	}
	// The filter is the sheet's own.
	keys(m, "/", "p", "o", "l", "i", "c", "y")
	if s := screen(m); strings.Contains(s, "PutSecretValue") || !strings.Contains(s, "PutRolePolicy") || !strings.Contains(s, "/policy") {
		t.Errorf("filtered:\n%s", s)
	}
	keys(m, "enter")
	if m.mode != modeChanges || m.filter != "" || m.sheetFilter != "policy" {
		t.Errorf("after enter: %s, %q, %q", m.mode, m.filter, m.sheetFilter)
	}
	keys(m, "esc")
	if m.mode != modeChanges || m.sheetFilter != "" {
		t.Errorf("the first esc clears the filter: %s, %q", m.mode, m.sheetFilter)
	}
	keys(m, "esc")
	if m.mode != modePlanes {
		t.Errorf("the second esc leads back: %s", m.mode)
	}
	// From a detail it leads back to that detail, also by way of the glossary.
	keys(m, "enter", "c", "x", "c", "esc")
	if m.mode != modeDetail || m.detail == "" {
		t.Errorf("from a detail: %s", m.mode)
	}
	// A filter of the planes is not touched.
	keys(m, "esc", "/", "v", "a", "u", "l", "t", "enter", "c")
	if s := screen(m); m.filter != "vault" || !strings.Contains(s, "PutSecretValue") {
		t.Errorf("%q:\n%s", m.filter, s)
	}
	keys(m, "1")
	if m.mode != modePlanes {
		t.Errorf("1 leads to %s", m.mode)
	}
}

func TestGlossaryBeginsWithWhatIsLookedAt(t *testing.T) {
	th, _ := theme.Choose("", false)
	m := viewOf(crisis(), 100, 30, th, nil)
	m.show("rotation-monitor")
	keys(m, "x")
	if s := screen(m); !strings.Contains(s, "Figures of Rotation Monitor") || !strings.Contains(s, "Success rate") {
		t.Errorf("from its detail:\n%s", s)
	}
	keys(m, "G")
	if s := screen(m); !strings.Contains(s, "windows.changes") {
		t.Errorf("its end:\n%s", s)
	}
	keys(m, "down", "pgdown")
	at := m.sheetScroll
	keys(m, "up")
	if m.sheetScroll != at-1 {
		t.Errorf("it scrolled beyond its end: %d, then %d", at, m.sheetScroll)
	}
	keys(m, "home")
	if m.sheetScroll != 0 {
		t.Errorf("home scrolls to %d", m.sheetScroll)
	}
	m = viewOf(crisis(), 100, 30, th, []string{"x"})
	if s := screen(m); strings.Contains(s, "Figures of") || !strings.Contains(s, "OK, WARN, FAIL, UNKNOWN, N/A") {
		t.Errorf("from the planes:\n%s", s)
	}
}

func TestChangesAreReadAgainAndCopied(t *testing.T) {
	w := crisis()
	th, _ := theme.Choose("", false)
	m := viewOf(w, 100, 30, th, []string{"c"})
	cmd := m.key(press("r"))
	if cmd == nil {
		t.Fatal("r makes no check")
	}
	cmd()
	if got := w.checks(); got != fmt.Sprint([][]estate.ID{{"user-service", "payment-service", "analytics-service", "rotation-monitor"}}) {
		t.Errorf("checked %s", got)
	}
	if m.key(press("y")) == nil || !strings.Contains(m.message, "copied the recent changes") {
		t.Errorf("y: %q", m.message)
	}
	// Where nothing tells of changes, r says so.
	m = viewOf(newWorld(), 100, 30, th, []string{"c", "r"})
	if s := screen(m); !strings.Contains(s, "r: not now, nothing in warroom.yaml says where to read changes") || !strings.Contains(s, "UNKNOWN recent changes") {
		t.Errorf("with no source:\n%s", s)
	}
}

// New changes show as they come in, unless the frame is frozen.
func TestChangesAreLive(t *testing.T) {
	w := crisis()
	th, _ := theme.Choose("", false)
	m := viewOf(w, 100, 30, th, []string{"c"})
	w.mu.Lock()
	w.snap = w.snap.With(estate.Observation{
		Key: estate.Key{Component: "rotation-monitor", Check: estate.CheckChanges, Item: "main"}, At: at, Data: estate.Changes{
			Account: "main", Changes: []estate.Change{{At: at, What: "StopLogging", Target: "organisation", Where: "main"}}},
	})
	w.mu.Unlock()
	keys(m, "z")
	m.Update(fresh(m, w, at))
	if s := screen(m); strings.Contains(s, "StopLogging") {
		t.Errorf("a frozen frame moved:\n%s", s)
	}
	keys(m, "z")
	if s := screen(m); !strings.Contains(s, "StopLogging organisation") {
		t.Errorf("a new change is not shown:\n%s", s)
	}
}
