package redact

import "strings"

// ellipsis marks where a text was cut for length.
const ellipsis = "…"

// beginning is how much of a form must stand before an ellipsis to be taken for
// the beginning of a value: a text that was cut before the value was known ends
// in part of it.
const beginning = 4

// byBeginning finds forms by their first bytes.
func byBeginning(forms map[string]struct{}) map[string][]string {
	index := make(map[string][]string, len(forms))
	for f := range forms {
		index[f[:beginning]] = append(index[f[:beginning]], f)
	}
	return index
}

// scrubCut masks what stands before an ellipsis and begins a known form.
func (f *finder) scrubCut(text string) string {
	if !strings.Contains(text, ellipsis) {
		return text
	}
	parts := strings.Split(text, ellipsis)
	for i, part := range parts[:len(parts)-1] {
		if at := f.cutAt(part); at >= 0 {
			parts[i] = part[:at] + Mask
		}
	}
	return strings.Join(parts, ellipsis)
}

// cutAt is where in text the beginning of a form starts that runs to its end, or
// -1.
func (f *finder) cutAt(text string) int {
	for at := max(0, len(text)-f.longest); at+beginning <= len(text); at++ {
		for _, form := range f.beginnings[text[at:at+beginning]] {
			if strings.HasPrefix(form, text[at:]) {
				return at
			}
		}
	}
	return -1
}
