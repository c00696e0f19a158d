package panes

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"warroom/internal/incident"
	"warroom/internal/runbook"
	"warroom/internal/theme"
)

var situations = []string{"no incident", "mid", "over", "regressed", "compromised", "done"}

// bandOf is what the band says of a board.
func bandOf(b *incident.Board) BandInfo {
	info := BandInfo{Environment: "production", Drill: "db-rotation", Mode: "READ-ONLY"}
	if b.State != nil {
		info.Incident, info.Severity, info.Elapsed = b.State.Declared.ID, string(b.State.Severity), b.Elapsed
		info.Phase, info.Update, info.Closed = b.Phase, b.Update, !b.State.Closed.IsZero()
	}
	return info
}

// events are one event of every kind, in the order of a journal.
func events(b *incident.Board) []incident.Event {
	t0 := now.Add(-12 * minute)
	if b != nil && b.State != nil {
		t0 = b.State.Declared.Started
	}
	proof := incident.Evidence{Stance: "for", Value: "3 failed: prod/db/postgres, prod/db/analytics, prod/api/external", Source: "DescribeSecret at secretsmanager.eu-west-1.amazonaws.com", Read: t0.Add(minute)}
	data := []incident.Data{
		incident.Declared{ID: "2026-11-23-1", Severity: runbook.SEV2, Summary: "Logins to PostgreSQL fail after a rotation", Started: t0, Environment: "production", Roles: map[incident.Role]string{incident.Commander: "ic-1"}, Runbook: "guide"},
		incident.ConsoleMoved{Act: "opened", Host: "bastion-1", PID: 4121},
		incident.RoleAssigned{Role: incident.Scribe, To: "ops-2"},
		incident.ReadingChanged{Component: "user-service", Name: "User Service", From: warn, To: fail, Word: "DOWN", Reason: "its login is refused"},
		incident.NodeMoved{Node: "status", Act: incident.NodeEntered},
		incident.NodeMoved{Node: "status", Act: incident.NodeDone, Evidence: proof},
		incident.Sensed{Item: "identify", Ready: true, Evidence: proof},
		incident.ItemMoved{Item: "identify", Act: incident.ItemTicked, Evidence: proof},
		incident.ItemMoved{Item: "expiry", Act: incident.ItemSkipped, Reason: "no grace is configured for database secrets"},
		incident.SeverityChanged{From: runbook.SEV2, To: runbook.SEV1, Reason: "payments are hit"},
		incident.Overrun{Phase: "assess", Budget: 5 * minute},
		incident.MeasureMoved{ID: "M1", Act: "opened", Kind: incident.MeasureAccess, What: "break-glass login to PostgreSQL Primary", Who: "ops-2", Reason: "the app role is locked out", Until: now.Add(hour)},
		incident.Sensed{Item: "tested", Regressed: true, Evidence: proof},
		incident.Assigned{Item: "automation", Owner: "team-platform", Due: now.Add(72 * hour)},
		incident.Noted{Text: "the last change to the function was on Tuesday"},
		incident.JournalMoved{What: "a torn tail of 41 bytes was cut off and kept beside"},
		incident.ClockSet{By: -90 * time.Second},
		incident.Acked{What: "You were at item 2"},
		incident.Unreadable{Kind: "action", Version: 7, Raw: []byte(`{"x":1}`)},
		incident.Updated{Text: "Logins fail.\n\nImpact: 1 service down.\nNext update at 03:20 UTC.", To: "bridge", Next: now.Add(10 * minute), Fail: "the webhook answered 503"},
		incident.Decided{Text: "We rotate prod/db/postgres by hand and leave the analytics password until payments are well", Reason: "no strong objection; payments first"},
	}
	var out []incident.Event
	for i, d := range data {
		e := incident.New("ic-1", d)
		switch e.Kind {
		case incident.KindSensed, incident.KindReading, incident.KindOverrun, incident.KindConsole, incident.KindClock, incident.KindJournal:
			e.By = ""
		}
		e.Seq, e.At = uint64(i+1), t0.Add(time.Duration(i*31)*time.Second)
		out = append(out, e)
	}
	return out
}

func goldenForm() FormView {
	return FormView{
		Title: "Declare an incident", Body: []string{"The clocks count from T0. Nothing is told to anyone by this."},
		Fields: []FormField{
			{Label: "Severity", Options: []string{"SEV1", "SEV2", "SEV3", "SEV4"}, Chosen: 1},
			{Label: "Summary", Value: "Logins to PostgreSQL fail", Cursor: 6},
			{Label: "T0", Value: "25:00", Cursor: 5, Problem: "no time of day: write it as 15:04 or 2026-11-23 15:04, in UTC"},
			{Label: "Commander", Hint: "who decides"},
			{Label: "Notes", Value: "first line\nsecond line", Cursor: 10, Multiline: true},
		},
		Selected: 1, Buttons: []string{"Cancel", "Declare"},
	}
}

// drawn are the frames of one board that matter: by name, in order.
func drawn(f Frame, b *incident.Board, add func(string, []string)) {
	of := func(h int) Frame { g := f; g.Height = h; return g }
	add("band", Band(of(1), bandOf(b)))
	add("strip", Strip(of(2), guide(), b))
	add("strip in one row", Strip(of(1), guide(), b))
	body := of(f.Height - 4)
	for i := range b.Flow {
		rows, total := Flow(body, b, FlowView{Phase: i})
		add(fmt.Sprintf("flow %d of %d rows", i+1, total), rows)
	}
	for i := range b.List {
		if i > 0 && i < len(b.List)-1 && !hasItem(&b.List[i], b.Item) {
			continue // the first, the last and that of the current item
		}
		reminder := ""
		if b.State != nil && i == 0 && !b.List[0].Clock.Done {
			reminder = "You were at item 2 of 7 of Immediate response, waiting on ops-2 since 03:12"
		}
		rows, total := Checklist(body, b, ListView{Phase: i, Reminder: reminder})
		add(fmt.Sprintf("checklist %d of %d rows", i+1, total), rows)
	}
	add("brief", Brief(of(20), b, guide())) // too low for the summary, whose text is not of this package
}

func hasItem(l *incident.ListView, id string) bool {
	for i := range l.Items {
		if l.Items[i].Item.ID == id {
			return true
		}
	}
	return false
}

// Golden frames of an incident in six situations, at the sizes that count. They
// are kept as text, for a difference to read; one situation is kept with its
// colours.
func TestGoldenIncident(t *testing.T) {
	boards := goldenBoards()
	golden := func(name string, draw func(add func(string, []string))) {
		var b bytes.Buffer
		draw(func(title string, rows []string) {
			fmt.Fprintf(&b, "# %s\n", title)
			for _, row := range rows {
				fmt.Fprintf(&b, "%s\n", row)
			}
		})
		compare(t, filepath.Join("testdata", name+".golden"), b.Bytes())
	}
	for _, size := range [][2]int{{80, 24}, {100, 30}, {160, 45}} {
		f := Frame{Width: size[0], Height: size[1], Theme: themeOf(t, theme.Default), Now: now}
		for _, name := range situations {
			if size[0] > 100 && name != "mid" && name != "regressed" {
				continue
			}
			golden(fmt.Sprintf("incident-%dx%d-%s", size[0], size[1], dashed(name)), func(add func(string, []string)) {
				drawn(f, boards[name], plainly(add))
			})
		}
		golden(fmt.Sprintf("incident-%dx%d-parts", size[0], size[1]), func(add func(string, []string)) {
			add = plainly(add)
			b := boards["compromised"]
			body := f
			body.Height -= 4
			list := events(b)
			page := incident.Page{Events: list, Earlier: true, Total: 412}
			add("timeline", Timeline(body, b, TimelineView{Page: page}))
			add("timeline, the seventh", Timeline(body, b, TimelineView{Page: page, Selected: 8, Filter: "failed", Kinds: "checklist, sensed"}))
			add("timeline, nothing", Timeline(body, b, TimelineView{Filter: "nothing", Page: incident.Page{Total: 412}}))
			add("timeline, loading", Timeline(body, b, TimelineView{Loading: true}))
			rows, _ := Measures(body, b, "M2", 0)
			add("measures", rows)
			rows, _ = Measures(body, boards["mid"], "", 0)
			add("no measures", rows)
			for _, id := range []string{"validity", "failure.network"} {
				rows, total := NodeDetail(body, boards["regressed"], id, 0)
				add(fmt.Sprintf("node %s of %d rows", id, total), rows)
			}
			add("form", Form(f, goldenForm()))
			info := bandOf(b)
			info.Reading, info.Writer, info.Trouble = true, "ops-2@bastion-1, process 4121", "the disk is full: nothing is recorded any more"
			two := f
			two.Height = 2
			add("band of a second console with a journal in trouble", Band(two, info))
		})
	}
	for _, name := range []string{theme.Default, theme.ASCII, theme.NoColor} {
		f := Frame{Width: 80, Height: 24, Theme: themeOf(t, name), Now: now}
		golden("incident-80x24-regressed-"+name, func(add func(string, []string)) {
			drawn(f, boards["regressed"], func(title string, rows []string) { add(title, visible(rows)) })
		})
	}
}

// plainly strips the styles of what is added.
func plainly(add func(string, []string)) func(string, []string) {
	return func(title string, rows []string) {
		out := make([]string, len(rows))
		for i := range rows {
			out[i] = ansi.Strip(rows[i])
		}
		add(title, out)
	}
}

func visible(rows []string) []string {
	out := make([]string, len(rows))
	for i := range rows {
		out[i] = string(bytes.ReplaceAll([]byte(rows[i]), []byte{0x1b}, []byte("␛")))
	}
	return out
}

func dashed(s string) string { return string(bytes.ReplaceAll([]byte(s), []byte(" "), []byte("-"))) }

// compare holds a golden file against what was drawn, or writes it anew.
func compare(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s differs; judge it by eye, then go test ./panes -run Golden -update:\n%s", path, difference(string(want), string(got)))
	}
}
