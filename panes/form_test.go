package panes

import (
	"strings"
	"testing"

	"warroom/internal/incident"
	"warroom/internal/theme"
)

func TestTheFormKeepsItsFieldAndButtonsInSight(t *testing.T) {
	v := goldenForm()
	for _, size := range [][2]int{{80, 24}, {60, 12}, {40, 8}, {30, 6}} {
		for sel := range len(v.Fields) + 2 {
			v.Selected = sel
			s := text(Form(frameAt(t, size[0], size[1]), v))
			if !strings.Contains(s, "[ Cancel ]") || !strings.Contains(s, "[ Declare ]") {
				t.Errorf("%v: the buttons are out of sight:\n%s", size, s)
			}
			if strings.Count(s, "▸") != 1 {
				t.Errorf("%v: with %d chosen there are %d marks:\n%s", size, sel, strings.Count(s, "▸"), s)
			}
		}
	}
	v.Selected = 0
	if s := text(Form(frameAt(t, 80, 24), v)); !strings.Contains(s, "SEV1 [SEV2] SEV3  SEV4") || !strings.Contains(s, "✗ no time of day: write it as 15:04") || !strings.Contains(s, "who decides") || strings.Contains(s, "█") {
		t.Errorf("the form reads:\n%s", s)
	}
	v.Selected = 1
	if s := text(Form(frameAt(t, 80, 24), v)); !strings.Contains(s, "Logins█ to PostgreSQL fail") {
		t.Errorf("the cursor is not where it is:\n%s", s)
	}
	v.Selected = 4
	v.Fields[4].Value = strings.Repeat("a line of a long note\n", 40)
	v.Fields[4].Cursor = len(v.Fields[4].Value) / 2
	if s := text(Form(frameAt(t, 80, 24), v)); strings.Count(s, "█") != 1 || strings.Count(s, "a line of a long note") > fieldRows+1 {
		t.Errorf("a long note reads:\n%s", s)
	}
}

func BenchmarkIncidentPanes(b *testing.B) {
	board := goldenBoards()["regressed"]
	list := events(board)
	for len(list) < 200 {
		list = append(list, list[:min(len(list), 200-len(list))]...)
	}
	f := Frame{Width: 160, Height: 41, Theme: themeOf(b, theme.Default), Now: now}
	small := Frame{Width: 80, Height: 20, Theme: themeOf(b, theme.Default), Now: now}
	for _, c := range []struct {
		name string
		draw func()
	}{
		{"flow", func() { Flow(f, board, FlowView{Phase: 0}) }}, {"flow-80x20", func() { Flow(small, board, FlowView{Phase: 0}) }}, {"matrix", func() { Flow(f, board, FlowView{Phase: 1}) }},
		{"node", func() { NodeDetail(f, board, "failure.network", 0) }}, {"checklist", func() { Checklist(f, board, ListView{}) }}, {"checklist-80x20", func() { Checklist(small, board, ListView{}) }},
		{"timeline-200", func() { Timeline(f, board, TimelineView{Page: incident.Page{Events: list}}) }}, {"brief", func() { Brief(f, board, guide()) }}, {"measures", func() { Measures(f, board, "M2", 0) }},
		{"band", func() { Band(f, bandOf(board)) }}, {"strip", func() { Strip(small, guide(), board) }}, {"form", func() { Form(f, goldenForm()) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.draw()
			}
		})
	}
}
