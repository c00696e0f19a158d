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
		if s.raw != nil && !s.found[i] && s.raw[i].SameTexts(&raw[i]) {
			continue
		}
		s.found[i] = r.All[i].Texts(s.scrub)
	}
	s.raw = raw
	return r
}
