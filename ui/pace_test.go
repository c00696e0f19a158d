package ui

import "testing"

// When this fails, Bubble Tea was updated: see whether it can draw on demand by
// now, and if not, where its ticker is.
func TestTheRenderersTickerIsWhereItWas(t *testing.T) {
	if tickerField == nil {
		t.Error("tea.Program has no field ticker *time.Ticker: the console falls back to a steady rate, which misses its bars")
	}
}
