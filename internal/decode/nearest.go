package decode

import (
	"strconv"
	"strings"
)

// maxCompared bounds how many valid words are looked at.
const maxCompared = 10_000

// Nearest returns the valid word most like word, or "" when none is near enough
// to be what was meant: at most a quarter of its letters differ, swapped neighbours
// counting once, or word is its beginning or end.
func Nearest(word string, valid []string) string {
	if len(word) > 64 {
		return ""
	}
	valid = valid[:min(len(valid), maxCompared)]
	w := strings.ToLower(word)
	best, bestAt := "", 1<<30
	for _, v := range valid {
		lower := strings.ToLower(v)
		if len(v) > 128 {
			continue
		}
		d := distance(w, lower)
		limit := max(1, max(len(w), len(lower))/4)
		if len(w) >= 3 && (strings.HasPrefix(lower, w) || strings.HasSuffix(lower, w)) {
			d = min(d, limit)
		}
		if d <= limit && d < bestAt && d < max(len(w), len(lower)) {
			best, bestAt = v, d
		}
	}
	return best
}

// DidYouMean is the hint that names the valid word nearest to word; empty when
// none is near.
func DidYouMean(word string, valid []string) string {
	if n := Nearest(word, valid); n != "" {
		return "did you mean " + strconv.Quote(n) + "?"
	}
	return ""
}

// distance is the number of inserted, deleted, replaced or swapped neighbouring
// bytes between a and b (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
