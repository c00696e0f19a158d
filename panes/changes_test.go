package panes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
	"warroom/internal/estate/estatetest"
	"warroom/internal/theme"
)

func TestChangesSayWhatWasNotReadFirst(t *testing.T) {
	s := estatetest.Crisis().With(estate.Observation{
		Key: estate.Key{Component: "rotation-monitor", Check: estate.CheckChanges, Item: "dr"}, At: now,
		Failure: &estate.Failure{Kind: estate.Denied, Detail: "cloudtrail:LookupEvents"},
	})
	r := estate.Derive(s, now)
	f := Frame{Width: 100, Height: 30, Theme: themeOf(t, theme.Default), Now: now}
	rows, _ := Changes(f, r, "", 0)
	if s := text(rows[1:2]); !strings.Contains(s, "? UNKNOWN account dr: not permitted: cloudtrail:LookupEvents") {
		t.Errorf("first stands %q", s)
	}
	s2 := text(rows)
	for _, want := range []string{"25m PutSecretValue prod/db/postgres REFUSED: AccessDeniedException", "by deploy/oncall", "touches", "User Service", "touches nothing that warroom.yaml names"} {
		if !strings.Contains(s2, want) {
			t.Errorf("nothing says %q:\n%s", want, s2)
		}
	}
	// A filter does not hide what was not read.
	rows, _ = Changes(f, r, "nosuch thing", 0)
	if s := text(rows); !strings.Contains(s, "UNKNOWN account dr") || !strings.Contains(s, "nothing here matches /nosuch thing") {
		t.Errorf("filtered:\n%s", s)
	}
	rows, _ = Changes(f, r, "REFUSED postgres", 0)
	if s := text(rows); !strings.Contains(s, "PutSecretValue") || strings.Contains(s, "PutRolePolicy") {
		t.Errorf("filtered:\n%s", s)
	}
	rows, _ = Detail(Frame{Width: 100, Height: 200, Theme: f.Theme, Now: now}, r, "rotation-lambda", 0)
	if s := text(rows); !strings.Contains(s, "Recent changes") || !strings.Contains(s, "PutRolePolicy") || strings.Contains(s, "RevokeSecurityGroupEgress") || !strings.Contains(s, "UNKNOWN account dr") {
		t.Errorf("detail of what was changed:\n%s", s)
	}
	rows, _ = Detail(Frame{Width: 100, Height: 200, Theme: f.Theme, Now: now}, r, "rotation-monitor", 0)
	if s := text(rows); !strings.Contains(s, "RevokeSecurityGroupEgress") {
		t.Errorf("detail of the monitor:\n%s", s)
	}
	f.Share = true
	rows, _ = Changes(f, r, "", 0)
	if s := text(rows) + CopyChanges(f, r, ""); strings.Contains(s, "198.51.100.7") {
		t.Errorf("share mode shows an address:\n%s", s)
	}
	f.Share = false
	copied := CopyChanges(f, r, "postgres")
	for _, want := range []string{"UNKNOWN account dr: not permitted", "- PutSecretValue prod/db/postgres REFUSED: AccessDeniedException, by deploy/oncall", "14 Mar 02:47 UTC"} {
		if !strings.Contains(copied, want) {
			t.Errorf("the copy lacks %q:\n%s", want, copied)
		}
	}
}

func TestQuietIsSaid(t *testing.T) {
	top := (&estate.Topology{Components: []estate.Component{{ID: "m", Name: "Monitor", Plane: estate.Control, Kind: estate.KindRotationMonitor}}}).Index()
	f := Frame{Width: 80, Height: 12, Theme: themeOf(t, theme.Default), Now: now}
	nothing := estate.Derive(estate.NewSnapshot(top, nil), now)
	rows, _ := Changes(f, nothing, "", 0)
	if s := text(rows); !strings.Contains(s, "UNKNOWN recent changes: nothing in warroom.yaml") || !strings.Contains(s, "no change was read") {
		t.Errorf("with no source:\n%s", s)
	}
	quiet := estate.Derive(estate.NewSnapshot(top, nil).With(estate.Observation{Key: estate.Key{Component: "m", Check: estate.CheckChanges, Item: "a"}, At: now, Interval: time.Minute, Data: estate.Changes{Account: "a"}}), now)
	rows, _ = Changes(f, quiet, "", 0)
	if s := text(rows); !strings.Contains(s, "nothing was changed") || strings.Contains(s, "UNKNOWN") {
		t.Errorf("quiet:\n%s", s)
	}
	if rows, _ = Changes(f, nil, "", 0); !strings.Contains(text(rows), "nothing was read yet") {
		t.Error("before anything was derived")
	}
}

func TestGlossaryExplainsWhatIsShown(t *testing.T) {
	r := estate.Derive(estatetest.Crisis(), now)
	f := Frame{Width: 100, Height: 40, Theme: themeOf(t, theme.Default), Now: now}
	rows, total := Glossary(f, r, "access-monitor", "", 0)
	if s := text(rows); !strings.Contains(s, "Figures of Access Monitor") || !strings.Contains(s, "Failed auths") || !strings.Contains(s, "thresholds.anomaly_factor") || total < 200 {
		t.Errorf("%d rows:\n%s", total, s)
	}
	rows, total = Glossary(f, r, "", "anomaly quartile", 0)
	if s := text(rows); !strings.Contains(s, "Anomaly detection") || strings.Contains(s, "Seal status") || total > 12 {
		t.Errorf("%d rows:\n%s", total, s)
	}
	rows, _ = Glossary(f, r, "", "no such word", 0)
	if s := text(rows); !strings.Contains(s, "nothing here matches") {
		t.Error(s)
	}
}

// A headline that is computed and read by no eye from one answer alone has a
// formula in the detail, its own or the glossary's; each is explained by a term.
func TestEveryHeadlineOfTheDiagramIsExplained(t *testing.T) {
	r := estate.Derive(estatetest.Crisis(), now)
	n := 0
	for _, one := range r.All {
		c, _ := r.Snapshot.Topology.Component(one.ID)
		for _, h := range one.Headlines() {
			n++
			if _, ok := estate.Explain(c.Kind, h.Name); !ok {
				t.Errorf("no term explains %q of %s", h.Name, one.ID)
			}
		}
	}
	if n < 45 {
		t.Errorf("the diagram has %d headlines", n)
	}
}

func TestSheetsOfEverySizeAreExact(t *testing.T) {
	r := estate.Derive(estatetest.Crisis(), now)
	for _, w := range []int{1, 7, 20, 41, 80, 133} {
		for _, h := range []int{1, 2, 3, 10, 24} {
			f := Frame{Width: w, Height: h, Theme: themeOf(t, theme.Default), Now: now}
			for _, scroll := range []int{0, 3, 1 << 20} {
				a, _ := Changes(f, r, "", scroll)
				b, _ := Glossary(f, r, "rotation-monitor", "", scroll)
				for what, rows := range map[string][]string{"changes": a, "glossary": b} {
					if len(rows) != h {
						t.Errorf("%s at %d×%d: %d rows", what, w, h, len(rows))
					}
					for i, row := range rows {
						if got := width(row); got != w {
							t.Fatalf("%s at %d×%d: row %d is %d cells: %s", what, w, h, i, got, fmt.Sprintf("%q", row))
						}
					}
				}
			}
		}
	}
}
