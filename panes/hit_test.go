package panes

import (
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
	"warroom/internal/estate/estatetest"
	"warroom/internal/theme"
)

// hitEstate is one database, who uses it and what else shares its secret.
func hitEstate() *estate.Readings {
	c := func(id estate.ID, name string, p estate.Plane, kind estate.Kind, fallback string, secrets ...string) estate.Component {
		return estate.Component{ID: id, Name: name, Plane: p, Kind: kind, Secrets: secrets,
			Policy: estate.Policy{Owner: "database team", Contact: "#dba-oncall, pager dba", Fallback: fallback}}
	}
	top := (&estate.Topology{Environment: "production", Drill: "db-rotation",
		Components: []estate.Component{
			c("primary", "PostgreSQL Primary", estate.State, estate.KindPostgres, "", "prod/db/postgres"),
			c("users", "User Service", estate.Service, estate.KindApplication, "", "prod/db/postgres"),
			c("reports", "Reports", estate.Service, estate.KindApplication, "yesterday's figures", "prod/db/postgres"),
			c("payments", "Payments", estate.Service, estate.KindApplication, "", "prod/api/payment"),
			c("vault", "Vault", estate.State, estate.KindVault, ""),
		},
		Flows: []estate.Flow{
			{From: "users", To: "primary", Kind: estate.FlowAccess},
			{From: "users", To: "vault", Kind: estate.FlowAccess},
		},
	}).Index()
	one := func(s estate.Status, word string, facts ...estate.Fact) estate.Reading {
		return estate.Reading{Status: s, Word: word, Reason: word + " it is", Facts: facts, At: ago(2 * time.Second)}
	}
	return readingsOf(top, map[estate.ID]estate.Reading{
		"primary": one(fail, "EXPIRED", fig("Password", "EXPIRED", fail), fig("User", "app_user", estate.NA)),
		"users":   one(fail, "FAILED", fig("Connection", "FAILED", fail)), "reports": one(okay, "HEALTHY", fig("Connection", "HEALTHY", okay)),
		"payments": one(fail, "FAILED", fig("Connection", "FAILED", fail)), "vault": one(unk, "UNCHECKED"),
	})
}

func TestDetailSaysWhoIsHitAndWhomToPage(t *testing.T) {
	r := hitEstate()
	f := Frame{Width: 100, Height: 60, Theme: themeOf(t, theme.Default), Now: now}
	rows, _ := Detail(f, r, "primary", 0)
	s := flat(rows)
	for _, want := range []string{
		"owner database team · page #dba-oncall, pager dba",
		"Hit: User Service (uses prod/db/postgres) ✗ FAIL, no fallback",
		"Used by: Reports (uses prod/db/postgres) ✓ OK, fallback: yesterday's figures",
		"← ✗ FAIL User Service FAILED connects to it", "← ✓ OK Reports HEALTHY uses prod/db/postgres",
		"Fallback none written in warroom.yaml", "Expiry no rule written",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("the detail does not say %q:\n%s", want, text(rows))
		}
	}
	if strings.Contains(s, "Payments") || strings.Contains(s, "– User app_user") || strings.Contains(s, "N/A") {
		t.Errorf("the detail says what is not so:\n%s", text(rows))
	}
	if at := slices.IndexFunc(rows, func(row string) bool { return strings.Contains(row, "owner database team") }); at != 2 {
		t.Errorf("whom to page stands in row %d", at)
	}
	rows, _ = Detail(f, r, "vault", 0)
	if s := flat(rows); !strings.Contains(s, "User Service FAILED reads its secrets here") {
		t.Errorf("the detail of a store reads:\n%s", text(rows))
	}
	box := text(Plane(Frame{Width: 60, Height: 20, Theme: f.Theme, Now: now}, r, PlaneView{Plane: estate.State}))
	if !strings.Contains(box, "Hit: ✗ User Service ") || strings.Contains(box, "Reports") {
		t.Errorf("the box reads:\n%s", box)
	}
	f.Height = 2
	if s := text(Strip(f, r, nil)); !strings.Contains(s, "owner database team · page #dba-oncall") {
		t.Errorf("the strip reads:\n%s", s)
	}
}

func TestCopyIsPlainText(t *testing.T) {
	r := hitEstate()
	f := Frame{Theme: themeOf(t, theme.Default), Now: now}
	want := `[DRILL db-rotation] production · PostgreSQL Primary: FAIL EXPIRED · 2026-03-14 03:12 UTC
owner database team · page #dba-oncall, pager dba
reason: EXPIRED it is
hit: User Service (uses prod/db/postgres) FAIL, no fallback
used by: Reports (uses prod/db/postgres) OK, fallback: yesterday's figures

- Password: EXPIRED (FAIL), read 10s ago, source: DescribeSecret at secretsmanager.eu-west-1.amazonaws.com
- User: app_user, read 10s ago, source: DescribeSecret at secretsmanager.eu-west-1.amazonaws.com
`
	if got := Copy(f, r, "primary"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	f.Share = true
	if got := Copy(f, r, "primary"); strings.Contains(got, "amazonaws") || !strings.Contains(got, "DescribeSecret at [host]") {
		t.Errorf("in share mode the copy reads\n%s", got)
	}
	if got := Copy(f, r, "absent"); got != "nothing is known of absent\n" {
		t.Errorf("of nothing the copy reads %q", got)
	}
}

// The value of before an outage does not look like the outage.
func TestAValueOfBeforeAFailureIsNotTheFailure(t *testing.T) {
	r := hitEstate()
	old := fig("Status", "HEALTHY", fail)
	old.Failed, old.Note, old.At = true, "refused: connection refused", ago(2*time.Minute)
	r.All[0] = estate.Reading{ID: "primary", Status: fail, Word: "FAILED", Reason: "Status: HEALTHY (refused: connection refused)", Facts: []estate.Fact{old}, At: old.At}
	f := Frame{Width: 80, Height: 30, Theme: themeOf(t, theme.Default), Now: now}
	for what, rows := range map[string][]string{
		"box":    Plane(f, r, PlaneView{Plane: estate.State}),
		"detail": func() []string { rows, _ := Detail(f, r, "primary", 0); return rows }(),
		"strip":  Strip(f, r, nil),
	} {
		s := flat(rows)
		if strings.Contains(strings.Join(rows, ""), f.Theme.SGR(theme.Fail)+"HEALTHY") {
			t.Errorf("%s: the old value has the colour of the failure", what)
		}
		if !strings.Contains(s, "now: refused: connection refused") || strings.Contains(s, "HEALTHY (refused") {
			t.Errorf("%s does not say what is now:\n%s", what, text(rows))
		}
		if what != "strip" && (!strings.Contains(s, "HEALTHY") || !strings.Contains(s, "~ 2m")) {
			t.Errorf("%s does not show the last good value with its age:\n%s", what, text(rows))
		}
	}
}

// On a screen of 100×30, whose body has 27 rows, every headline figure of the
// guide's boxes is on screen, if not as a figure then as the state word.
func TestTheGuidesFiguresFitTheDesignSize(t *testing.T) {
	r := estate.Derive(estatetest.Crisis(), now)
	for _, pair := range [][2]estate.Plane{{estate.Edge, estate.State}, {estate.Service, estate.Control}} {
		up, low := Split(r, pair[0], pair[1], 27)
		for i, rows := range []int{up, low} {
			s := text(Plane(Frame{Width: 50, Height: rows, Theme: themeOf(t, theme.Default), Now: now}, r, PlaneView{Plane: pair[i]}))
			for _, id := range PlaneOrder(r, pair[i], "") {
				one, _ := r.Of(id)
				if c, _ := r.Snapshot.Topology.Component(id); c.Unread == "" && len(one.Headlines()) == 0 {
					t.Errorf("%s has no headline, so that this test says nothing of it", id)
				}
				for _, h := range one.Headlines() {
					if want := h.Name + ": " + h.Value; !strings.Contains(s, want) && h.Value != one.Word {
						t.Errorf("%s does not show %q:\n%s", id, want, s)
					}
				}
			}
		}
	}
}

// A component that nothing reads takes no row from figures, and what a
// component does takes none either.
func TestFiguresComeBeforeWhatIsNotChecked(t *testing.T) {
	top := (&estate.Topology{Components: []estate.Component{
		{ID: "a", Name: "Alpha", Plane: estate.State, Unread: "no check reads it"}, {ID: "b", Name: "Beta", Plane: estate.State, Subtitle: "reports"},
		{ID: "c", Name: "Gamma", Plane: estate.Edge},
	}}).Index()
	r := readingsOf(top, map[estate.ID]estate.Reading{
		"a": {Status: unk, Word: "UNCHECKED", Reason: "no check reads it"},
		"b": {Status: warn, Word: "STALE", Reason: "why", Facts: []estate.Fact{fig("First figure", "of some width", warn), fig("Second figure", "of some width", okay)}},
	})
	f := Frame{Width: 48, Height: 6, Theme: themeOf(t, theme.Default), Now: now}
	s := text(Plane(f, r, PlaneView{Plane: estate.State}))
	if !strings.Contains(s, "First figure: of some width") || !strings.Contains(s, "Second figure: of some width") || strings.Contains(s, "no check reads it") {
		t.Errorf("in four rows:\n%s", s)
	}
	f.Width, f.Height = 60, 12
	if s := text(Plane(f, r, PlaneView{Plane: estate.State})); !strings.Contains(s, "no check reads it") || !strings.Contains(s, "Beta (reports)  STALE") {
		t.Errorf("in ten rows:\n%s", s)
	}
	if up, low := Split(r, estate.Edge, estate.State, 12); up != 5 || low != 7 {
		t.Errorf("twelve rows are split into %d and %d, want 5 for one that is read and 7 for two of which one is", up, low)
	}
}
