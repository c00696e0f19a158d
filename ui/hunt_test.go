package ui

import (
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// unread makes of w an estate of which nothing was read yet.
func unread(w *world) {
	for id := range w.readings {
		w.set(id, func(r *estate.Reading) { *r = estate.Reading{ID: id, Status: estate.Unknown, Word: "UNCHECKED"} })
	}
}

func TestTheCursorFollowsTheWorstUntilTheFirstKey(t *testing.T) {
	w := newWorld()
	unread(w)
	m := ready(t, w, 60, 20)
	if got := m.subject(); got != "api-gateway" {
		t.Fatalf("with nothing read the cursor is on %q", got)
	}
	fail := func(id estate.ID) {
		w.set(id, func(r *estate.Reading) { r.Status, r.At = estate.Fail, at })
		m.Update(fresh(m, w, at))
	}
	fail("postgres-replica")
	if got := m.subject(); got != "postgres-replica" || !strings.Contains(screen(m), "State Plane") {
		t.Fatalf("the cursor is on %q:\n%s", got, screen(m))
	}
	fail("rotation-lambda") // more depends on it
	if got := m.subject(); got != "rotation-lambda" {
		t.Fatalf("the cursor is on %q, not on the worst", got)
	}
	keys(m, "j", "k")
	w.set("rotation-lambda", func(r *estate.Reading) { r.Status = estate.OK })
	fail("postgres-primary")
	if got := m.subject(); got != "rotation-lambda" {
		t.Errorf("the cursor left the operator's place for %q", got)
	}
}

func TestHuntGoesThroughWhatIsNotWell(t *testing.T) {
	w := newWorld()
	for id := range w.readings {
		w.set(id, func(r *estate.Reading) { r.Status = estate.OK })
	}
	m := ready(t, w, 100, 30)
	if keys(m, "w"); !strings.Contains(m.message, "w: not now, nothing fails") {
		t.Errorf("with all well w says %q", m.message)
	}
	w.set("user-service", func(r *estate.Reading) { r.Status = estate.Fail })
	w.set("access-monitor", func(r *estate.Reading) { r.Status = estate.Unknown })
	w.set("load-balancer", func(r *estate.Reading) { r.Status = estate.Warn })
	m.Update(fresh(m, w, at))
	for _, want := range []estate.ID{"user-service", "access-monitor", "load-balancer", "user-service", "access-monitor"} {
		if keys(m, "w"); m.subject() != want {
			t.Fatalf("w goes to %q, want %q", m.subject(), want)
		}
	}
	// From elsewhere it begins with the worst again.
	keys(m, "tab", "w")
	if m.subject() != "user-service" {
		t.Errorf("from elsewhere w goes to %q", m.subject())
	}
	// In the detail it shows the next one's.
	if keys(m, "enter", "w"); m.view != modeDetail || m.detail != "access-monitor" {
		t.Errorf("in the detail w shows %q in %s", m.detail, m.view)
	}
	// A filter holds it to what matches.
	if keys(m, "esc", "/", "b", "a", "l", "a", "n", "c", "e", "r", "enter", "w"); m.subject() != "load-balancer" {
		t.Errorf("under a filter w goes to %q", m.subject())
	}
}

func TestAFilterLeavesTheCursorOnAMatch(t *testing.T) {
	m := ready(t, newWorld(), 100, 30)
	keys(m, "shift+tab") // Edge
	keys(m, "/", "u", "s", "e", "r", "space", "s", "e", "r", "v", "i", "c", "e", "enter")
	if got := m.subject(); got != "user-service" {
		t.Errorf("the cursor is on %q", got)
	}
	// A name before a figure: the vaults are called so.
	keys(m, "esc", "shift+tab", "/", "V", "a", "u", "l", "t", "enter")
	if got := m.subject(); got != "vault-primary" {
		t.Errorf("the cursor is on %q", got)
	}
	keys(m, "/", "ctrl+u", "z", "z", "z", "enter")
	if !strings.Contains(screen(m), "nothing matches /zzz") {
		t.Errorf("nothing matches and nothing says so:\n%s", screen(m))
	}
	for _, k := range []string{"enter", "r", "y"} {
		if keys(m, k); !strings.Contains(m.message, "not now, no component of this pane matches the filter") {
			t.Errorf("%s on an empty pane says %q", k, m.message)
		}
	}
}

// What a check brought is said when it has come, and no sooner.
func TestTheResultOfACheckIsSaid(t *testing.T) {
	w := newWorld()
	seen := func(check string, when time.Time) {
		w.snap = w.snap.With(estate.Observation{Key: estate.Key{Component: "rotation-lambda", Check: check}, At: when, Failure: &estate.Failure{Kind: estate.Refused}})
	}
	seen("a", at.Add(-time.Minute))
	seen("b", at.Add(-time.Minute))
	clock := &testClock{now: at}
	o := w.options()
	o.Clock = clock.Now
	m := alone(o)
	m.Update(tea.WindowSizeMsg{Width: 160, Height: 45})
	keys(m, "r")
	seen("a", at.Add(time.Second))
	m.Update(fresh(m, w, at.Add(time.Second)))
	if !strings.Contains(m.message, "checking Rotation Lambda") {
		t.Errorf("with one of two reads in it says %q", m.message)
	}
	seen("b", at.Add(2*time.Second))
	m.Update(fresh(m, w, at.Add(2*time.Second)))
	if !strings.Contains(screen(m), "Rotation Lambda checked: FAIL ERROR") {
		t.Errorf("with both in it says %q", m.message)
	}
	// One that does not answer is not waited for for ever.
	clock.pass(3 * time.Second)
	keys(m, "r")
	seen("a", at.Add(4*time.Second))
	m.Update(fresh(m, w, at.Add(3*time.Second+answerWait)))
	if want := "Rotation Lambda checked, 1 of 2 reads answered so far: FAIL ERROR"; m.message != want {
		t.Errorf("got %q, want %q", m.message, want)
	}
}

func TestWhatNothingReadsCannotBeChecked(t *testing.T) {
	w := newWorld()
	for i := range w.snap.Topology.Components {
		w.snap.Topology.Components[i].Unread = "no check reads this kind yet"
	}
	m := ready(t, w, 160, 45)
	if keys(m, "r"); m.message != "r: not now, no check reads this kind yet" || w.checks() != "[]" {
		t.Errorf("r says %q and checked %s", m.message, w.checks())
	}
}

// A status is drawn wherever a flow or a secret leads to it, and changes there
// too.
func TestTheOtherEndOfAFlowIsDrawnAnew(t *testing.T) {
	w := newWorld()
	m := ready(t, w, 200, 60)
	before := screen(m)
	if !strings.Contains(before, "→ ✗ Secrets Manager") {
		t.Fatalf("the flow from API Gateway is not drawn:\n%s", before)
	}
	w.set("secrets-manager", func(r *estate.Reading) { r.Status = estate.OK })
	m.Update(fresh(m, w, at))
	if s := screen(m); !strings.Contains(s, "→ ✓ Secrets Manager") {
		t.Errorf("the flow from API Gateway still shows the old status:\n%s", s)
	}
	// By a shared secret as well, across planes and with no flow between them.
	for i := range w.snap.Topology.Components {
		switch c := &w.snap.Topology.Components[i]; c.ID {
		case "user-service":
			c.Kind, c.Secrets = estate.KindApplication, []string{"prod/db/postgres"}
		case "postgres-primary":
			c.Kind, c.Secrets = estate.KindPostgres, []string{"prod/db/postgres"}
		}
	}
	m = ready(t, w, 200, 60)
	if !strings.Contains(screen(m), "Hit: ✗ User Service") {
		t.Fatalf("PostgreSQL Primary does not say who is hit:\n%s", screen(m))
	}
	w.set("user-service", func(r *estate.Reading) { r.Status = estate.OK })
	m.Update(fresh(m, w, at))
	if !strings.Contains(screen(m), "Used by: ✓ User Service") {
		t.Errorf("PostgreSQL Primary still shows User Service as it was:\n%s", screen(m))
	}
}

func TestFooterOfAFrozenFrameSaysHowToGoOn(t *testing.T) {
	m := ready(t, newWorld(), 160, 45)
	if keys(m, "z"); !strings.Contains(screen(m), "z live") {
		t.Errorf("frozen:\n%s", screen(m))
	}
	if keys(m, "z"); !strings.Contains(screen(m), "z freeze") {
		t.Errorf("live:\n%s", screen(m))
	}
}

func TestHelpSaysHowToLeaveAndWhatTheSignsMean(t *testing.T) {
	m := ready(t, newWorld(), 100, 30)
	keys(m, "?")
	if s := screen(m); !strings.Contains(s, "ctrl+c") {
		t.Errorf("how to leave is below the fold:\n%s", s)
	}
	m = ready(t, newWorld(), 160, 70)
	keys(m, "?")
	s := strings.Join(strings.Fields(screen(m)), " ")
	for _, want := range []string{"Signs", "✗ FAIL the system itself", "? UNKNOWN could not be read", "~ 2m the last good value", "→ relies on", "← is relied on", "10s read 10 to 30 seconds ago", "+2 2 more"} {
		if !strings.Contains(s, want) {
			t.Errorf("the help does not say %q:\n%s", want, screen(m))
		}
	}
}

func TestThePaletteListsThemesTogether(t *testing.T) {
	m := ready(t, newWorld(), 100, 30)
	keys(m, ":", "t", "h", "e", "m", "e")
	for i, name := range theme.Names() {
		if got := m.palette.drawn[i].Label; got != "Theme: "+name {
			t.Errorf("choice %d is %q, want the theme %s", i, got, name)
		}
	}
}

func TestTheDetailKeepsTheWorstInSight(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {160, 45}} {
		m := ready(t, newWorld(), size[0], size[1])
		keys(m, "shift+tab", "enter")
		if s := screen(m); m.view != modeDetail || !strings.Contains(lines(s)[1], "✗ FAIL  Rotation Lambda") {
			t.Errorf("%v: the detail of %s has no strip:\n%s", size, m.detail, s)
		}
	}
}

// Share mode masks what the console itself puts together as well.
func TestShareModeMasksTitlePaletteAndMessages(t *testing.T) {
	w := newWorld(box{id: "db", name: "db7.leak.example.com", group: "grp.leak.example.com", word: "at w.leak.example.com", plane: estate.Edge, status: estate.Fail, target: "10.9.8.7:5432"})
	w.snap.Topology.Environment = "env.leak.example.com"
	m := ready(t, w, 160, 45)
	keys(m, "S", "shift+tab", "G")
	if m.subject() != "db" {
		t.Fatalf("the cursor is on %q", m.subject())
	}
	check := func(what string) {
		v := m.View()
		for _, s := range []string{v.Content, v.WindowTitle} {
			if strings.Contains(s, "leak.example") || strings.Contains(s, "10.9.8.7") {
				t.Errorf("%s shows a host:\n%s", what, s)
			}
		}
	}
	for _, k := range []string{"r", "R", "y", "w", ":", "d", "b", "esc", "?", "esc", "/", "l", "e", "a", "k", "enter", "enter", "esc", "esc", "z"} {
		keys(m, k)
		check("after " + k)
	}
}
