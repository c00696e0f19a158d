//go:build linux

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// figure is one line of the table. It passes when measured is not above bar.
type figure struct {
	name     string
	measured float64
	bar      float64
	unit     string
	note     string // how it spreads, and what it was measured on
}

func (f figure) passed() bool { return f.measured <= f.bar && !math.IsNaN(f.measured) }

func missed(table []figure) int {
	n := 0
	for _, f := range table {
		if !f.passed() {
			n++
		}
	}
	return n
}

// render draws the table.
func render(table []figure) string {
	lines := [][]string{{"figure", "measured", "bar", "", "note"}}
	for _, f := range table {
		verdict := "pass"
		if !f.passed() {
			verdict = "FAIL"
		}
		lines = append(lines, []string{f.name, number(f.measured) + " " + f.unit, "≤ " + number(f.bar) + " " + f.unit, verdict, f.note})
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		var row strings.Builder
		for i, cell := range line {
			row.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		b.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	return b.String()
}

// number shows three significant digits, whole from a hundred up.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "none"
	case math.Abs(v) >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// quantile is the smallest value that a share q of the values does not exceed
// (nearest rank); NaN for no values.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[max(1, min(rank, len(sorted)))-1]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
