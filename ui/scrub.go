package ui

import (
	"slices"

	"warroom/internal/estate"
)

// scrubber takes known secret values out of readings before they are laid out:
// a value that was wrapped over two rows could no longer be found. It looks at a
// component again only when what it says has changed, or when something was
// found in it before.
type scrubber struct {
	scrub func(string) string
	raw   []estate.Reading // as derived last, before scrubbing
	found []bool
}

// clean scrubs the readings in place; their facts are copied where that changes
// them, because they may be shared.
func (s *scrubber) clean(r *estate.Readings) *estate.Readings {
	if s.scrub == nil {
		return r
	}
	raw := slices.Clone(r.All)
	if len(s.found) != len(raw) {
		s.raw, s.found = nil, make([]bool, len(raw))
	}
	for i := range r.All {
		if s.raw != nil && !s.found[i] && sameText(&s.raw[i], &raw[i]) {
			continue
		}
		s.found[i] = s.reading(&r.All[i])
	}
	s.raw = raw
	return r
}

func (s *scrubber) reading(r *estate.Reading) bool {
	found := s.text(&r.Word)
	found = s.text(&r.Reason) || found
	facts := slices.Clone(r.Facts)
	changed := false
	for i := range facts {
		for _, t := range texts(&facts[i]) {
			changed = s.text(t) || changed
		}
	}
	if changed {
		r.Facts = facts
	}
	return found || changed
}

func (s *scrubber) text(t *string) bool {
	clean := s.scrub(*t)
	if clean == *t {
		return false
	}
	*t = clean
	return true
}

// texts are what a fact says in words.
func texts(f *estate.Fact) [5]*string {
	return [5]*string{&f.Name, &f.Value, &f.Note, &f.Source, &f.Formula}
}

// sameText reports whether two readings consist of the same words.
func sameText(a, b *estate.Reading) bool {
	if a.Word != b.Word || a.Reason != b.Reason || len(a.Facts) != len(b.Facts) {
		return false
	}
	for i := range a.Facts {
		x, y := texts(&a.Facts[i]), texts(&b.Facts[i])
		for j := range x {
			if *x[j] != *y[j] {
				return false
			}
		}
	}
	return true
}
