package panes

import (
	"strings"
	"time"

	"warroom/internal/estate"
)

type PlaneView struct {
	Plane    estate.Plane
	Focused  bool
	Selected estate.ID
	Filter   string
}
type BandInfo struct {
	Environment, Drill, Mode                     string
	Incident, Severity, Clock, Phase, NextUpdate string
	Frozen                                       time.Time
	Share                                        bool
	Viewers                                      string
	Status                                       estate.Status
}
type KeyHint struct{ Key, Does, Disabled string }
type HelpGroup struct {
	Title string
	Keys  []KeyHint
}
type Choice struct{ Label, Detail, Key, Disabled string }

func blankRows(f Frame, n int) []string {
	out := make([]string, max(n, 0))
	for i := range out {
		out[i] = strings.Repeat(" ", max(f.Width, 0))
	}
	return out
}
func Plane(f Frame, r *estate.Readings, v PlaneView) []string { return blankRows(f, f.Height) }
func PlaneOrder(r *estate.Readings, p estate.Plane, filter string) (out []estate.ID) {
	for _, c := range r.Snapshot.Topology.Components {
		if c.Plane == p {
			out = append(out, c.ID)
		}
	}
	return out
}
func Strip(f Frame, r *estate.Readings) []string { return blankRows(f, 1) }
func Detail(f Frame, r *estate.Readings, id estate.ID, scroll int) (rows []string, total int) {
	return blankRows(f, f.Height), 0
}
func Band(f Frame, b BandInfo) []string                       { return blankRows(f, 1) }
func Footer(f Frame, keys []KeyHint, message string) []string { return blankRows(f, 1) }
func Help(f Frame, title string, groups []HelpGroup, scroll int) (rows []string, total int) {
	return blankRows(f, f.Height), 0
}
func Palette(f Frame, query string, choices []Choice, selected int) []string {
	return blankRows(f, f.Height)
}
func Dialog(f Frame, title string, body []string, buttons []string, selected int) []string {
	return blankRows(f, f.Height)
}
func Overlay(base []string, box []string, x, y int) []string { return base }
func Beside(left, right []string) []string {
	out := make([]string, len(left))
	for i := range left {
		out[i] = left[i] + right[i]
	}
	return out
}
