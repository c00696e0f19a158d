// Package estatetest is the guide's story as a snapshot, for tests of what draws
// and words readings: the 17 components of its architecture diagram, and what
// the checks would have seen of them at one moment of the crisis.
//
// Its rules: it holds observations and never readings, so that what a test shows
// is what the derivation makes of them; and every value is fixed.
package estatetest
