package panes

import (
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// flat is what rows say with every run of blanks and frames as one blank.
func flat(rows []string) string {
	return strings.Join(strings.FieldsFunc(text(rows), func(r rune) bool { return strings.ContainsRune(" \n║═╔╗╚╝│", r) }), " ")
}

func TestDetailSaysEverything(t *testing.T) {
	f := Frame{Width: 110, Height: 90, Theme: themeOf(t, theme.Default), Now: now}
	rows, total := Detail(f, guide(), "postgres-primary", 0)
	s := flat(rows)
	for _, want := range []string{
		"PostgreSQL Primary · State Plane", "✗ FAIL BLOCKED", "the current password of app_user is refused (28P01)", "read 10s ago, the longest read took 130ms",
		"What could not be read", "? UNKNOWN read replication lag of PostgreSQL Primary: not permitted: permission denied for view pg_stat_replication",
		"do next: grant pg_monitor to the role warroom reads with", "source: SELECT from pg_stat_replication at db.company.com:5432", "never answered",
		"✗ FAIL Password EXPIRED 10s, took 41ms", "! WARN Slots 97 of 100 30s, took 130ms", "formula: sessions / max_connections − reserved",
		"why: 28P01 stands for six causes", "source: SCRAM login at db.company.com:5432",
		"← ✗ FAIL Rotation Lambda ERROR changes it",
		"Criticality critical", "Owner platform", "Contact at night +44 20 7946 0000", "Fallback read-only from the replica", "Grace 24h",
		"Expiry VALID UNTIL of the database role", "Target db.company.com:5432", "Kind, id postgres, postgres-primary",
		"Secrets it uses", "prod/db/postgres", "database, critical, owner platform, grace 24h",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("the detail does not say %q:\n%s", want, text(rows))
		}
	}
	if total > 88 {
		t.Fatalf("%d rows do not fit, so that this test misses some", total)
	}
	rows, _ = Detail(f, guide(), "rotation-lambda", 0)
	s = flat(rows)
	for _, want := range []string{
		"→ ✓ OK Vault Primary UNSEALED relies on", "→ ✗ FAIL PostgreSQL Primary BLOCKED changes", "→ ✓ OK External API HEALTHY changes",
		"← ✗ FAIL Secrets Manager FAILED relies on it", "← ✗ FAIL Rotation Monitor CRITICAL watches it (monitors)",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("the detail does not say %q:\n%s", want, text(rows))
		}
	}
	rows, _ = Detail(f, guide(), "vault-secondary", 0)
	if s := flat(rows); !strings.Contains(s, "? UNKNOWN Replication lag 45s ~ 4m") {
		t.Errorf("the detail does not mark what is stale:\n%s", text(rows))
	}
}

func TestDetailScrollsToItsEndAndNoFurther(t *testing.T) {
	f := Frame{Width: 80, Height: 12, Theme: themeOf(t, theme.Default), Now: now}
	_, total := Detail(f, guide(), "postgres-primary", 0)
	last := MaxScroll(f, total)
	end, _ := Detail(f, guide(), "postgres-primary", last)
	beyond, _ := Detail(f, guide(), "postgres-primary", last+50)
	before, _ := Detail(f, guide(), "postgres-primary", -3)
	first, _ := Detail(f, guide(), "postgres-primary", 0)
	if !slices.Equal(end, beyond) || !slices.Equal(first, before) {
		t.Error("a scroll beyond an end does not show that end")
	}
	if s := text(end); !strings.Contains(s, "more ↑") || strings.Contains(s, "more ↓") {
		t.Errorf("at its end the detail says:\n%s", s)
	}
	seen := map[string]bool{}
	for at := range last + 1 {
		rows, _ := Detail(f, guide(), "postgres-primary", at)
		for _, row := range rows[1 : len(rows)-1] {
			seen[row] = true
		}
	}
	f.Height = total + 2
	whole, _ := Detail(f, guide(), "postgres-primary", 0)
	for _, row := range whole[1 : len(whole)-1] {
		if !seen[row] {
			t.Errorf("no scroll shows %q", ansi.Strip(row))
		}
	}
}

func TestBandAlwaysSaysWhatCanBeChanged(t *testing.T) {
	b := goldenBands["band, armed"]
	for _, mode := range []string{"ARMED", "READ-ONLY"} {
		b.Mode = mode
		for w := 40; w <= 220; w++ {
			for h := 1; h <= 2; h++ {
				s := text(Band(Frame{Width: w, Height: h, Theme: themeOf(t, theme.Default), Now: now}, b))
				if !strings.Contains(s, "production") || !strings.Contains(s, mode) {
					t.Fatalf("%d×%d: the band says %q", w, h, s)
				}
			}
		}
	}
	wide := text(Band(Frame{Width: 200, Height: 1, Theme: themeOf(t, theme.Default), Now: now}, b))
	for _, want := range []string{"FROZEN 03:12:45", "SHARE", "READ-ONLY", "03:12:45 UTC"} {
		if !strings.Contains(wide, want) {
			t.Errorf("the band does not say %q: %q", want, wide)
		}
	}
	drill := text(Band(Frame{Width: 40, Height: 1, Theme: themeOf(t, theme.Default), Now: now}, BandInfo{Environment: "simulated", Drill: "db-rotation", Mode: "READ-ONLY"}))
	if !strings.Contains(drill, "DRILL") {
		t.Errorf("a drill reads %q", drill)
	}
}

func TestFooterCutsByWholeKeys(t *testing.T) {
	for w := 1; w <= 220; w++ {
		s := text(Footer(Frame{Width: w, Height: 1, Theme: themeOf(t, theme.Default), Now: now}, goldenKeys, ""))
		var whole []string
		for _, k := range goldenKeys {
			h := k.Key + " " + k.Does
			if k.Disabled != "" {
				h += " (" + k.Disabled + ")"
			}
			whole = append(whole, h)
		}
		rest := strings.TrimSpace(s)
		for i := 0; rest != ""; i++ {
			if i >= len(whole) || !strings.HasPrefix(rest, whole[i]) {
				t.Fatalf("at %d: %q is not made of whole keys, the first first", w, s)
			}
			rest = strings.TrimSpace(strings.TrimPrefix(rest, whole[i]))
		}
	}
	s := text(Footer(Frame{Width: 60, Height: 1, Theme: themeOf(t, theme.Default), Now: now}, goldenKeys, "copied postgres-primary"))
	if !strings.HasPrefix(s, " copied postgres-primary   enter detail") {
		t.Errorf("a message reads %q", s)
	}
}

func TestDialogKeepsItsButtonsInSight(t *testing.T) {
	long := []string{strings.Repeat("what this changes, and for whom. ", 60)}
	for _, size := range [][2]int{{20, 5}, {40, 8}, {80, 24}} {
		f := Frame{Width: size[0], Height: size[1], Theme: themeOf(t, theme.NoColor), Now: now}
		rows := Dialog(f, "Quit?", long, []string{"Cancel", "Quit"}, 0)
		s := text(rows)
		if !strings.Contains(s, "▸[ Cancel ]") || !strings.Contains(s, " [ Quit ]") {
			t.Errorf("%v: the buttons are not in sight:\n%s", size, s)
		}
		if !strings.Contains(s, "more ↓") {
			t.Errorf("%v: the text is cut and does not say so:\n%s", size, s)
		}
	}
}

func TestFuzzyPutsTheBestFirst(t *testing.T) {
	list := []Choice{{Label: "Filter"}, {Label: "Freeze the frame", Key: "z"}, {Label: "Check now", Detail: "read everything freshly"}, {Label: "Planes"}, {Label: "Theme: high contrast"}}
	for _, c := range []struct {
		query string
		want  []int
	}{
		{"", []int{0, 1, 2, 3, 4}},
		{"fr", []int{1, 0, 2}},
		{"THC", []int{4}},
		{"check", []int{2}},
		{"zzz", nil},
		{"freshly", []int{2}},
	} {
		got := Fuzzy(c.query, list)
		if !slices.Equal(got, c.want) {
			t.Errorf("%q gives %v, want %v", c.query, got, c.want)
		}
	}
	f := Frame{Width: 60, Height: 12, Theme: themeOf(t, theme.NoColor), Now: now}
	var many []Choice
	for i := range 30 {
		many = append(many, Choice{Label: "Choice " + string(rune('A'+i%26)), Key: "k"})
	}
	for sel := range many {
		rows := text(Palette(f, "", many, sel))
		if strings.Count(rows, "▸ ") != 1 {
			t.Fatalf("with choice %d selected:\n%s", sel, rows)
		}
	}
	if s := text(Palette(f, "nope", nil, 0)); !strings.Contains(s, "nothing is called that") {
		t.Errorf("no result reads:\n%s", s)
	}
}

func TestHelpGivesTheReasonOfWhatDoesNotWork(t *testing.T) {
	f := Frame{Width: 80, Height: 24, Theme: themeOf(t, theme.Default), Now: now}
	rows, _ := Help(f, "Keys: Planes", goldenHelp, 0)
	if s := flat(rows); !strings.Contains(s, "y copy (the terminal takes no clipboard)") || !strings.Contains(s, "Leave q quit") {
		t.Errorf("the help reads:\n%s", text(rows))
	}
	f.Height = 7
	rows, total := Help(f, "Keys: Planes", goldenHelp, 0)
	if len(rows) != 7 || !strings.Contains(text(rows), "more ↓") || total < 12 {
		t.Errorf("in seven rows the help of %d rows reads:\n%s", total, text(rows))
	}
}

func TestStatusesNobodyHeardOfAreUnknown(t *testing.T) {
	top := (&estate.Topology{Components: []estate.Component{{ID: "a", Name: "Alpha", Plane: estate.Edge}}}).Index()
	r := readingsOf(top, map[estate.ID]estate.Reading{"a": {Status: 77}})
	s := text(Plane(Frame{Width: 60, Height: 6, Theme: themeOf(t, theme.Default), Now: now}, r, PlaneView{Plane: estate.Edge}))
	if !strings.Contains(s, "? UNKNOWN") {
		t.Errorf("status 77 is drawn as:\n%s", s)
	}
}
