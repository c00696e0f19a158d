package estate

import "testing"

// While a read brought nothing, a share is not known and a count is a lower bound.
func TestFiguresOfAPart(t *testing.T) {
	all := gathered{reads: 2}
	part := gathered{reads: 2, unsure: 1, none: 1, note: "denied"}
	nothing := gathered{reads: 2, unsure: 2, none: 2, note: "denied"}
	for name, c := range map[string]struct {
		got    Fact
		value  string
		status Status
	}{
		"count":                  {all.tally("n", 1200, " in 1h", Warn, ""), "1,200 in 1h", Warn},
		"count of a part":        {part.tally("n", 1200, " in 1h", Warn, ""), "1,200+ in 1h", Unknown},
		"none in a part":         {part.tally("n", 0, " in 1h", OK, ""), "?", Unknown},
		"bad in a part is bad":   {part.tally("n", 12, " secrets", Fail, ""), "12+ secrets", Fail},
		"count of nothing":       {nothing.tally("n", 0, " in 1h", OK, ""), "?", Unknown},
		"share":                  {all.rate("n", "100% in 24h", OK, ""), "100% in 24h", OK},
		"share of a part":        {part.rate("n", "100% in 24h", OK, ""), "?", Unknown},
		"share of nothing known": {nothing.rate("n", "100% in 24h", OK, ""), "?", Unknown},
	} {
		if c.got.Value != c.value || c.got.Status != c.status {
			t.Errorf("%s: %s %s, want %s %s", name, c.got.Status, c.got.Value, c.status, c.value)
		}
	}
}
