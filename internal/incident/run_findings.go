package incident

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
)

// ValidatedFact begins the names of the facts that a run leaves of what it tried with
// current values: "validated prod/db/postgres" is "works: …", "refused: …", "not
// known: …" or "told: …".
const ValidatedFact = "validated "

const (
	// validatedSense asks whether every secret works with its current value.
	validatedSense = "secrets.validated"
	// validationHolds is how long what a run tried counts. Live checks count for
	// three of their intervals; nothing repeats a run.
	validationHolds = 15 * time.Minute
)

// withRuns adds to live findings what runs of recovery procedures have found out,
// where no live evidence says either: what is seen now stands above what was tried a
// while ago, and neither ticks anything.
func withRuns(f diagnosis.Findings, s *State, now time.Time) diagnosis.Findings {
	if s == nil {
		return f
	}
	live := f[validatedSense]
	if live.Stance == diagnosis.For || live.Stance == diagnosis.Against {
		return f
	}
	for i := len(s.Runs) - 1; i >= 0; i-- {
		r := &s.Runs[i]
		if r.Ended.IsZero() || now.Sub(r.Ended) > validationHolds || now.Before(r.Ended) {
			continue
		}
		found, any := validationOf(r)
		if !any {
			continue
		}
		out := maps.Clone(f)
		if out == nil {
			out = diagnosis.Findings{}
		}
		out[validatedSense] = found
		return out
	}
	return f
}

// validationOf is what a run has tried; false when it tried nothing.
func validationOf(r *Run) (diagnosis.Finding, bool) {
	counts := map[string]int{}
	var bad []string
	source := fmt.Sprintf("run %s of %s, ended %s", r.ID, r.Plan.Procedure, stamp(r.Ended))
	var facts []diagnosis.Fact
	for _, name := range slices.Sorted(maps.Keys(r.Facts)) {
		_, what, is := strings.Cut("/"+name, "/"+ValidatedFact) // a part of a larger plan has its prefix before it
		if !is {
			continue
		}
		verdict, _, _ := strings.Cut(r.Facts[name], ":")
		counts[verdict]++
		status := estate.OK
		switch verdict {
		case "works", "told":
		case "refused":
			status = estate.Fail
			bad = append(bad, what)
		default:
			status = estate.Unknown
		}
		facts = append(facts, diagnosis.Fact{Name: what, Value: r.Facts[name], Status: status, Source: source, At: r.Ended})
	}
	tried := counts["works"] + counts["refused"] + counts["not known"]
	if tried == 0 {
		return diagnosis.Finding{}, false
	}
	// The most telling first, at most eight: what is refused, then what is not known.
	telling := make([]diagnosis.Fact, 0, len(facts))
	for _, status := range []estate.Status{estate.Fail, estate.Unknown, estate.OK} {
		for _, one := range facts {
			if one.Status == status && len(telling) < 8 {
				telling = append(telling, one)
			}
		}
	}
	out := diagnosis.Finding{Stance: diagnosis.For, Facts: telling}
	out.Value = fmt.Sprintf("0 of %d refused, as validate tried at %s", tried, r.Ended.UTC().Format("15:04:05Z"))
	switch {
	case len(bad) > 0:
		out.Stance = diagnosis.Against
		out.Value = fmt.Sprintf("%d of %d refused, as validate tried at %s: %s", len(bad), tried, r.Ended.UTC().Format("15:04:05Z"), short(strings.Join(bad, ", "), maxText))
	case counts["not known"] > 0:
		out.Stance = diagnosis.Unread
		out.Value = fmt.Sprintf("of %d validate could not tell %d, at %s", tried, counts["not known"], r.Ended.UTC().Format("15:04:05Z"))
	}
	return out, true
}
