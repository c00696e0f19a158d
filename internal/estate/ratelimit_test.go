package estate

import "testing"

// What our own questions use up of a limit does not change the word for it.
func TestRateLimitWords(t *testing.T) {
	tests := []struct {
		limit, left int
		word        string
		status      Status
	}{
		{5000, 5000, "RESET", OK},
		{5000, 4760, "RESET", OK}, // an hour of asking every 15 s
		{5000, 4749, "4749 of 5000 left", OK},
		{5000, 500, "500 of 5000 left", OK},
		{5000, 499, "499 of 5000 left", Warn},
		{20, 19, "RESET", OK},
		{20, 18, "18 of 20 left", OK},
		{0, 7, "7 left", OK},
		{0, 0, "0 left", Warn},
		{-1, -1, "NOT STATED", NA},
	}
	for _, test := range tests {
		d := &deriver{}
		if word, status, _ := d.rateLimit(APIProbe{Code: 200, RateLimit: test.limit, RateRemaining: test.left}); word != test.word || status != test.status {
			t.Errorf("%d of %d: %s %v", test.left, test.limit, word, status)
		}
	}
}
