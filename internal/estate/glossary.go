package estate

import (
	"slices"
	"strings"
)

// Term is one entry of the glossary: what a word or a figure of the screen means,
// exactly.
type Term struct {
	Name    string   // as the guide and the screen write it
	Figures []string // figures that it explains, by name; one that ends in a blank or an opening sign stands for all that begin so. Name itself counts when Figure is set
	Kinds   []Kind   // of components whose figures these are; none stands for all
	Means   string   // in one or two sentences
	Formula string   // how it is computed; empty for what is read as it is and for words
	Window  string   // over what time; empty for what is as of the read
	Source  string   // which call or statement brings it
	Keys    []string // keys of warroom.yaml that decide it, as thresholds.expiry_warn
}

// Glossary lists every term, by theme, words before the figures that use them.
// The list is shared and must not be changed.
func Glossary() []Term { return glossary }

// glossary is every term in its order.
var glossary = slices.Concat(wordTerms, secretTerms, serviceTerms, stateTerms, controlTerms)

// Explain finds the term that explains a figure of a kind of component.
func Explain(kind Kind, figure string) (Term, bool) {
	for i := range glossary {
		t := &glossary[i]
		if len(t.Kinds) > 0 && !slices.Contains(t.Kinds, kind) {
			continue
		}
		for _, name := range t.Figures {
			if name == figure || (strings.HasSuffix(name, " ") || strings.HasSuffix(name, "(")) && strings.HasPrefix(figure, name) {
				return *t, true
			}
		}
	}
	return Term{}, false
}
