package panes

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"warroom/internal/estate"
)

// text is what rows say.
func text(rows []string) string { return ansi.Strip(strings.Join(rows, "\n")) }

// everything draws every pane and the detail of every component.
func everything(f Frame, r *estate.Readings) []string {
	rows := Strip(f, r, nil)
	for _, p := range estate.Planes {
		rows = append(rows, Plane(f, r, PlaneView{Plane: p})...)
	}
	for _, c := range r.Snapshot.Topology.Components {
		d, _ := Detail(f, r, c.ID, 0)
		rows = append(rows, d...)
	}
	return rows
}

// At every size each component is on screen, or the frame says how many are
// not.
func TestNoComponentIsHiddenSilently(t *testing.T) {
	r := guide()
	th := themeOf(t, "default")
	for _, w := range []int{40, 50, 80, 100} {
		for h := 3; h <= 40; h++ {
			for _, p := range estate.Planes {
				for _, sel := range append(PlaneOrder(r, p, ""), "") {
					s := text(Plane(Frame{Width: w, Height: h, Theme: th, Now: now}, r, PlaneView{Plane: p, Focused: true, Selected: sel}))
					shown, said := 0, 0
					for _, id := range PlaneOrder(r, p, "") {
						c, _ := r.Snapshot.Topology.Component(id)
						if strings.Contains(s, " "+c.Name) {
							shown++
						} else if id == sel {
							t.Fatalf("%v at %d×%d: %s is selected and out of sight:\n%s", p, w, h, id, s)
						}
					}
					for _, part := range strings.Split(s, "+")[1:] {
						n := 0
						if _, err := fmt.Sscanf(part, "%d more", &n); err == nil {
							said += n
						}
					}
					if all := len(PlaneOrder(r, p, "")); shown+said != all {
						t.Fatalf("%v at %d×%d: %d in sight and %d announced of %d:\n%s", p, w, h, shown, said, all, s)
					}
				}
			}
		}
	}
}

func TestHiddenFailuresAreAnnounced(t *testing.T) {
	f := Frame{Width: 40, Height: 4, Theme: themeOf(t, "default"), Now: now}
	rows := Plane(f, guide(), PlaneView{Plane: estate.State, Focused: true, Selected: "vault-primary"})
	if last := ansi.Strip(rows[3]); !strings.Contains(last, "+4 more ↓ ✗ FAIL") {
		t.Errorf("the frame says %q, want the four below with their worst", last)
	}
}

// At the design sizes the guide's figures are on screen.
func TestGuideFiguresAreShown(t *testing.T) {
	r := guide()
	th := themeOf(t, "default")
	for _, c := range []struct {
		w, h int
		all  bool
	}{{80, 20, true}, {98, 28, true}} {
		for _, p := range estate.Planes {
			s := text(Plane(Frame{Width: c.w, Height: c.h, Theme: th, Now: now}, r, PlaneView{Plane: p}))
			for _, id := range PlaneOrder(r, p, "") {
				one, _ := r.Of(id)
				if silent(&one) {
					continue
				}
				for _, h := range one.Headlines() {
					if want := h.Name + ": " + h.Value; !strings.Contains(s, want) {
						t.Errorf("%d×%d: %s does not show %q:\n%s", c.w, c.h, id, want, s)
					}
				}
			}
		}
	}
	// In a quarter of 80×24 each has its status and its state word.
	for _, p := range estate.Planes {
		s := text(Plane(Frame{Width: 40, Height: 10, Theme: th, Now: now}, r, PlaneView{Plane: p}))
		for _, id := range PlaneOrder(r, p, "") {
			one, _ := r.Of(id)
			comp, _ := r.Snapshot.Topology.Component(id)
			word := one.Word
			if len(word) > 7 {
				word = word[:7]
			}
			found := false
			for row := range strings.SplitSeq(s, "\n") {
				if strings.Contains(row, one.Status.String()) && strings.Contains(row, comp.Name) && strings.Contains(row, word) {
					found = true
				}
			}
			if !found {
				t.Errorf("40×10: no row says that %s is %v %s:\n%s", id, one.Status, one.Word, s)
			}
		}
	}
}

func TestPlaneOrderFilters(t *testing.T) {
	r := guide()
	for _, c := range []struct {
		filter string
		want   []estate.ID
	}{
		{"", []estate.ID{"secrets-manager", "rotation-lambda", "key-management", "user-service", "payment-service", "analytics-service"}},
		{"LAMBDA", []estate.ID{"rotation-lambda"}},
		{"user expired", []estate.ID{"user-service"}},
		{"warn", []estate.ID{"analytics-service"}},
		{"application", []estate.ID{"user-service", "payment-service", "analytics-service"}},
		{"application fail", []estate.ID{"user-service"}},
		{"prod/db/postgres", []estate.ID{"secrets-manager", "rotation-lambda", "user-service"}}, // stores, rotates, uses
		{"retry attempts", []estate.ID{"analytics-service"}},                                    // the name of a figure
		{"db connection timeout", []estate.ID{"rotation-lambda"}},                               // a value
		{"began and did not end", []estate.ID{"secrets-manager"}},                               // a note
		{"before the current one", []estate.ID{"analytics-service"}},                            // a reason
		{"function:rotate-db", []estate.ID{"rotation-lambda"}},                                  // a target
		{"platform", []estate.ID{"secrets-manager", "rotation-lambda", "key-management", "user-service", "payment-service", "analytics-service"}},
		{"nothing of this name", nil},
	} {
		if got := PlaneOrder(r, estate.Service, c.filter); !slices.Equal(got, c.want) {
			t.Errorf("filter %q lets through %v, want %v", c.filter, got, c.want)
		}
	}
	f := Frame{Width: 40, Height: 8, Theme: themeOf(t, "default"), Now: now}
	if s := text(Plane(f, r, PlaneView{Plane: estate.Service, Filter: "nope"})); !strings.Contains(s, "nothing here matches /nope") {
		t.Errorf("a filter that lets nothing through says:\n%s", s)
	}
}

// Groups that the topology interleaves are drawn together.
func TestGroupsStandTogether(t *testing.T) {
	top := (&estate.Topology{Components: []estate.Component{
		{ID: "a", Name: "A", Plane: estate.State, Group: "One"}, {ID: "b", Name: "B", Plane: estate.State, Group: "Two"}, {ID: "c", Name: "C", Plane: estate.State, Group: "One"},
	}}).Index()
	r := readingsOf(top, nil)
	if got := PlaneOrder(r, estate.State, ""); !slices.Equal(got, []estate.ID{"a", "c", "b"}) {
		t.Errorf("order is %v", got)
	}
	s := text(Plane(Frame{Width: 40, Height: 12, Theme: themeOf(t, "default"), Now: now}, r, PlaneView{Plane: estate.State}))
	if strings.Count(s, "One") != 1 || strings.Count(s, "Two") != 1 {
		t.Errorf("a group is headed more than once:\n%s", s)
	}
}

// What has the focus and what is selected must be told apart with no colour.
func TestFocusAndSelectionNeedNoColour(t *testing.T) {
	r := guide()
	for _, name := range []string{"no-color", "ascii"} {
		f := Frame{Width: 60, Height: 12, Theme: themeOf(t, name), Now: now}
		with := text(Plane(f, r, PlaneView{Plane: estate.Edge, Focused: true, Selected: "load-balancer"}))
		without := text(Plane(f, r, PlaneView{Plane: estate.Edge, Selected: "load-balancer"}))
		if strings.SplitN(with, "\n", 2)[0] == strings.SplitN(without, "\n", 2)[0] {
			t.Errorf("%s: a pane looks the same with and without the focus", name)
		}
		mark := f.Theme.Glyphs.Select
		for row := range strings.SplitSeq(with, "\n") {
			if strings.Contains(row, "Load Balancer") && !strings.Contains(row, mark) {
				t.Errorf("%s: the selected row has no mark: %q", name, row)
			}
			if strings.Contains(row, "API Gateway") && strings.Contains(row, mark) {
				t.Errorf("%s: a row that is not selected has a mark: %q", name, row)
			}
		}
	}
}

// Unknown is as loud as a warning, and a stale value says how old it is.
func TestUnknownAndStale(t *testing.T) {
	s := text(Plane(Frame{Width: 100, Height: 28, Theme: themeOf(t, "default"), Now: now}, guide(), PlaneView{Plane: estate.State}))
	for _, want := range []string{"? UNKNOWN  Vault Secondary", "Replication lag: 45s ~ 4m", "? UNKNOWN  Secret Store", "no check reads audit devices"} {
		if !strings.Contains(strings.Join(strings.Fields(s), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("the state plane does not say %q:\n%s", want, s)
		}
	}
}

func TestStripSaysTheWorst(t *testing.T) {
	f := Frame{Width: 120, Height: 2, Theme: themeOf(t, "default"), Now: now}
	s := text(Strip(f, guide(), nil))
	for _, want := range []string{"✗ FAIL  PostgreSQL Primary BLOCKED – the current password of app_user is refused", "✗ FAIL 6  ? UNKNOWN 2  ! WARN 5  ✓ OK 4"} {
		if !strings.Contains(s, want) {
			t.Errorf("the strip does not say %q:\n%s", want, s)
		}
	}
	given := guideReadings()
	for id, one := range given {
		one.Status = estate.OK
		given[id] = one
	}
	if s := text(Strip(f, readingsOf(topology(), given), nil)); !strings.Contains(s, "every component that could be read is well") || strings.Contains(s, "FAIL") {
		t.Errorf("a healthy estate reads:\n%s", s)
	}
	one := given["vault-primary"]
	one.Status, one.Reason = estate.Unknown, "no answer"
	given["vault-primary"] = one
	if s := text(Strip(f, readingsOf(topology(), given), nil)); !strings.Contains(s, "? UNKNOWN  Vault Primary UNSEALED – no answer") || strings.Contains(s, "well") {
		t.Errorf("an estate with one component unread reads:\n%s", s)
	}
}

func TestSplitGivesEachPlaneItsRows(t *testing.T) {
	r := guide()
	for rows := range 80 {
		for _, p := range [][2]estate.Plane{{estate.Edge, estate.State}, {estate.Service, estate.Control}, {estate.State, estate.Edge}} {
			up, low := Split(r, p[0], p[1], rows)
			if up+low != rows || up < 0 || low < 0 || rows >= 6 && (up < 3 || low < 3) {
				t.Fatalf("%d rows of %v are split into %d and %d", rows, p, up, low)
			}
		}
	}
	if up, low := Split(r, estate.Edge, estate.State, 20); up != 6 || low != 14 {
		t.Errorf("20 rows are split into %d and %d, want 6 for two components and 14 for six", up, low)
	}
	if up, low := Split(nil, estate.Edge, estate.State, 20); up+low != 20 {
		t.Errorf("with no readings 20 rows are split into %d and %d", up, low)
	}
}
