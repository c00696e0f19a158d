package panes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

func themeOf(t testing.TB, name string) *theme.Theme {
	t.Helper()
	th, err := theme.Choose(name, false)
	if err != nil {
		t.Fatal(err)
	}
	return th
}

// exact fails unless every row is w cells wide by both ways of counting, holds
// no control character but those of its styles, and resets what it sets.
func exact(t *testing.T, what string, rows []string, w int) {
	t.Helper()
	for i, row := range rows {
		if n := ansi.StringWidth(row); n != w {
			t.Fatalf("%s: row %d is %d cells wide, want %d: %q", what, i, n, w, ansi.Strip(row))
		}
		if n := ansi.StringWidthWc(row); n != w {
			t.Fatalf("%s: row %d is %d cells wide counted by rune, want %d: %q", what, i, n, w, ansi.Strip(row))
		}
		plain := ansi.Strip(row)
		for _, r := range plain {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x202e || r == '\ufffd' {
				t.Fatalf("%s: row %d holds %U: %q", what, i, r, plain)
			}
		}
		if strings.Contains(row, "\x1b") && !strings.HasSuffix(row, theme.Reset) {
			t.Fatalf("%s: row %d leaves its style on: %q", what, i, row)
		}
	}
}

// hostile is an estate whose every text tries to break the frame.
func hostile() *estate.Readings {
	top := topology()
	nasty := []string{
		"\x1b[31mred\x1b[0m\x1b]0;title\x07", "two\nlines\tand a tab", "日本語の名前がとても長いサービス", "e\u0301e\u0301e\u0301 combining", "\u202eright to left", "👩\u200d👩\u200d👧 family ⚡\ufe0f", strings.Repeat("long", 400), "", "\u009b31m c1", "\xff\xfe broken \x00 utf-8",
	}
	given := map[estate.ID]estate.Reading{}
	for i := range top.Components {
		c := &top.Components[i]
		c.Name = nasty[i%len(nasty)]
		c.Group = nasty[(i/3+1)%len(nasty)]
		c.Subtitle, c.Owner, c.Contact, c.Fallback, c.Target = nasty[(i+2)%len(nasty)], nasty[(i+3)%len(nasty)], nasty[(i+4)%len(nasty)], nasty[(i+5)%len(nasty)], nasty[(i+6)%len(nasty)]
		var facts []estate.Fact
		for j := range 5 {
			facts = append(facts, estate.Fact{Name: nasty[(i+j)%len(nasty)], Value: nasty[(i+j+1)%len(nasty)], Note: nasty[(i+j+2)%len(nasty)], Source: nasty[(i+j+3)%len(nasty)], Formula: nasty[(i+j+4)%len(nasty)],
				Status: estate.Status((i + j) % 7), Headline: j < 3, Stale: j%2 == 0, At: now.Add(-time.Duration(j) * time.Hour)})
		}
		given[c.ID] = estate.Reading{Status: estate.Status(i % 7), Word: nasty[(i+1)%len(nasty)], Reason: nasty[(i+2)%len(nasty)], Facts: facts, At: now.Add(time.Minute)}
	}
	for i := range top.Flows {
		top.Flows[i].Label, top.Flows[i].Kind = nasty[i%len(nasty)], estate.FlowKind(nasty[(i+1)%len(nasty)])
	}
	return readingsOf(top, given, estate.Observation{
		Key: estate.Key{Component: "postgres-primary", Check: "x"}, Source: nasty[0], At: now,
		Failure: &estate.Failure{Kind: estate.FailureKind(nasty[1]), Doing: nasty[6], Detail: nasty[2], Next: nasty[5]},
	})
}

func TestEveryRowIsExactlyAsWideAsItsFrame(t *testing.T) {
	empty := readingsOf((&estate.Topology{}).Index(), nil)
	estates := map[string]*estate.Readings{"guide": guide(), "hostile": hostile(), "empty": empty, "none": nil}
	band := BandInfo{Environment: "production", Mode: "ARMED", Share: true, Frozen: now}
	keys := []KeyHint{{"enter", "detail", ""}, {"tab", "日本", ""}, {"n", "next step", "no incident is open"}, {"q", "quit", ""}}
	groups := []HelpGroup{{"Move", keys}, {"日本語", keys}}
	choices := []Choice{{"Planes", "the four live panes", "1", ""}, {"Freeze the frame", strings.Repeat("wide ", 30), "z", "not now"}, {"\x1b[1m日本", "x", "ctrl+shift+alt+x", ""}}
	for _, name := range []string{theme.Default, theme.ASCII, theme.NoColor} {
		th := themeOf(t, name)
		for w := range 221 {
			if w > 12 && w < 40 && w%5 != 0 {
				continue
			}
			// Every width meets three heights, every height a third of the widths.
			heights := []int{1, 2, 3, 5, 8, 11, 17, 26, 60}
			for i := range 3 {
				h := heights[(w+3*i)%len(heights)]
				if name != theme.Default && i > 0 {
					continue
				}
				f := Frame{Width: w, Height: h, Theme: th, Now: now, Share: w%2 == 0}
				for what, r := range estates {
					if i > 0 && what != "guide" {
						continue
					}
					at := func(s string) string { return fmt.Sprintf("%s of %s, %s, %d×%d", s, what, name, w, h) }
					for _, p := range estate.Planes {
						sel := estate.ID("postgres-replica")
						rows := Plane(f, r, PlaneView{Plane: p, Focused: w%3 == 0, Selected: sel, Filter: []string{"", "", "e", "nothing at all"}[w%4]})
						if len(rows) != h {
							t.Fatalf("%s: %d rows", at(p.String()), len(rows))
						}
						exact(t, at(p.String()), rows, w)
					}
					for _, id := range []estate.ID{"postgres-primary", "absent"} {
						rows, total := Detail(f, r, id, w%7)
						if len(rows) != h || total < 1 {
							t.Fatalf("%s: %d rows of %d", at("detail"), len(rows), total)
						}
						exact(t, at("detail"), rows, w)
					}
					rows := Strip(f, r, nil)
					if want := min(h, 2); len(rows) != want {
						t.Fatalf("%s: %d rows", at("strip"), len(rows))
					}
					exact(t, at("strip"), rows, w)
				}
				at := fmt.Sprintf("%s, %d×%d", name, w, h)
				rows := Band(f, band)
				if len(rows) > min(h, 2) {
					t.Fatalf("band, %s: %d rows", at, len(rows))
				}
				exact(t, "band, "+at, rows, w)
				exact(t, "footer, "+at, Footer(f, keys, "copied \x1b[1m日本"), w)
				box, total := Help(f, "Keys", groups, w%5)
				boxed(t, "help, "+at, f, box)
				if total < len(keys)*2 {
					t.Fatalf("help, %s: %d rows for %d keys", at, total, len(keys)*2)
				}
				boxed(t, "palette, "+at, f, Palette(f, "fre日", choices, w%3))
				boxed(t, "palette, "+at, f, Palette(f, "", nil, 0))
				boxed(t, "dialog, "+at, f, Dialog(f, "Quit?", []string{strings.Repeat("why not ", 20), "", "日本\x1b[1m"}, []string{"Cancel", "Quit 日本"}, 1))
			}
		}
	}
}

// boxed fails unless rows are a box that fits the frame.
func boxed(t *testing.T, what string, f Frame, rows []string) {
	t.Helper()
	if len(rows) > f.Height || len(rows) == 0 {
		t.Fatalf("%s: %d rows in %d", what, len(rows), f.Height)
	}
	w := ansi.StringWidth(rows[0])
	if w > f.Width {
		t.Fatalf("%s: %d cells in %d", what, w, f.Width)
	}
	exact(t, what, rows, w)
}

func TestASCIIThemeDrawsASCII(t *testing.T) {
	f := Frame{Width: 100, Height: 30, Theme: themeOf(t, theme.ASCII), Now: now}
	for _, r := range []*estate.Readings{guide(), hostile()} {
		var rows []string
		for _, p := range estate.Planes {
			rows = append(rows, Plane(f, r, PlaneView{Plane: p, Focused: true, Selected: "user-service"})...)
		}
		det, _ := Detail(f, r, "postgres-primary", 0)
		rows = append(append(append(rows, det...), Strip(f, r, nil)...), Band(f, BandInfo{Environment: "préprod", Drill: "日本", Mode: "READ-ONLY"})...)
		for _, row := range rows {
			if s := ansi.Strip(row); !plain(s) {
				t.Fatalf("not ASCII: %q", s)
			}
		}
	}
}

func TestOverlayAndBesideKeepWidths(t *testing.T) {
	f := Frame{Width: 60, Height: 12, Theme: themeOf(t, theme.Default), Now: now}
	base := Plane(f, guide(), PlaneView{Plane: estate.State, Focused: true})
	base[3] = ansi.Truncate("日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語", 60, "")
	g := f
	g.Width, g.Height = 31, 7
	box := Dialog(g, "Quit?", []string{"Sure? 日本"}, []string{"Cancel", "Quit"}, 0)
	for x := -40; x < 70; x++ {
		for _, y := range []int{-3, 0, 2, 9, 20} {
			rows := Overlay(base, box, x, y)
			if len(rows) != len(base) {
				t.Fatalf("%d rows", len(rows))
			}
			for i, row := range rows {
				if n := ansi.StringWidth(row); n != 60 {
					t.Fatalf("at %d,%d row %d is %d cells wide: %q", x, y, i, n, row)
				}
			}
		}
	}
	rows := Overlay(base, box, 10, 2)
	for i, want := range box {
		if got := ansi.Strip(ansi.Cut(rows[2+i], 10, 10+ansi.StringWidth(want))); got != ansi.Strip(want) {
			t.Errorf("row %d of the box reads %q, want %q", i, got, ansi.Strip(want))
		}
	}
	if got := ansi.Strip(ansi.Cut(rows[2], 0, 10)); got != ansi.Strip(ansi.Cut(base[2], 0, 10)) {
		t.Errorf("beside the box stands %q", got)
	}
	exact(t, "beside", Beside(base, base), 120)
}
