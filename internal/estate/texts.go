package estate

import "slices"

// Texts passes every text of the reading that was, or may have been, read from a
// system through f, keeps what f returns, and reports whether that changed any.
// The facts are copied where it did, because readings may share them.
func (r *Reading) Texts(f func(string) string) (changed bool) {
	pass := func(text *string) bool {
		out := f(*text)
		if out == *text {
			return false
		}
		*text = out
		return true
	}
	changed = pass(&r.Word)
	changed = pass(&r.Reason) || changed
	facts := slices.Clone(r.Facts)
	rewritten := false
	for i := range facts {
		for _, text := range facts[i].texts() {
			rewritten = pass(text) || rewritten
		}
	}
	if rewritten {
		r.Facts = facts
	}
	return changed || rewritten
}

// SameTexts reports whether two readings consist of the same texts.
func (r *Reading) SameTexts(o *Reading) bool {
	if r.Word != o.Word || r.Reason != o.Reason || len(r.Facts) != len(o.Facts) {
		return false
	}
	for i := range r.Facts {
		a, b := r.Facts[i].texts(), o.Facts[i].texts()
		for j := range a {
			if *a[j] != *b[j] {
				return false
			}
		}
	}
	return true
}

// texts are what a fact says in words.
func (f *Fact) texts() [5]*string {
	return [5]*string{&f.Name, &f.Value, &f.Note, &f.Source, &f.Formula}
}

// Texts returns the readings with every text passed through f. The readings
// themselves stay as they are.
func (r *Readings) Texts(f func(string) string) *Readings {
	out := *r
	out.All = slices.Clone(r.All)
	for i := range out.All {
		out.All[i].Texts(f)
	}
	return &out
}

// Summary is the worst status of all components.
func (r *Readings) Summary() Status {
	worst := NA
	for i := range r.All {
		worst = Worst(worst, r.All[i].Status)
	}
	return worst
}
