package decode

import (
	"strconv"
	"strings"
)

// maxCompared bounds how many valid words are looked at.
const maxCompared = 5_000

// Nearest returns the valid word most like word, or "" when none is near enough
// to be what was meant: at most a quarter of its letters differ, swapped neighbours
// counting once, or word is its beginning or end.
func Nearest(word string, valid []string) string {
	if len(word) > 64 {
		return ""
	}
	valid = valid[:min(len(valid), maxCompared)]
	w := strings.ToLower(word)
	var rows [3][]int
	best, bestAt := "", 1<<30
	for _, v := range valid {
		lower := strings.ToLower(v)
		if len(v) > 128 {
			continue
		}
		limit := max(1, max(len(w), len(lower))/4)
		d := distance(w, lower, limit, &rows)
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
// bytes between a and b (optimal string alignment); limit+1 when it is more than
// limit. rows is room to work in, kept between calls.
func distance(a, b string, limit int, rows *[3][]int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	for i := range rows {
		if cap(rows[i]) <= len(b) {
			rows[i] = make([]int, len(b)+1, 2*len(b)+16)
		}
		rows[i] = rows[i][:len(b)+1]
	}
	before, last, row := rows[0], rows[1], rows[2]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least, leastBefore := i, last[0]
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least, leastBefore = min(least, row[j]), min(leastBefore, last[j])
		}
		if least > limit && leastBefore > limit { // a swap reaches two rows back
			return limit + 1
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit+1)
}
