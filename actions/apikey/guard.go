package apikey

import (
	"regexp"
	"strings"
	"unicode"

	"warroom/internal/estate"
)

// leastKey is how short a key may be: what is shorter can be guessed, and the nets
// that keep values out of every output do not take it.
const leastKey = 8

// Unfit says why a value is no key. It never holds the value.
type Unfit struct{ Why string }

// Error says why.
func (u *Unfit) Error() string { return "the value is not taken for a key: " + u.Why }

var (
	// dummy are words that no random key holds by chance: seven letters and more,
	// wherever they stand.
	dummy = regexp.MustCompile(`(?i)replace|change[-_. ]?(me|it|this)|placeholder|your[-_. ]?(api[-_. ]?)?(key|token|secret)|insert[-_. ]?(key|here)|dummykey|example[-_. ]?key`)
	// dummyWord are shorter ones, which count only where they stand by themselves.
	dummyWord = regexp.MustCompile(`(?i)(^|[^a-z0-9])(todo|fixme|tbd|dummy|example|none|null|undefined|redacted|x{3,})([^a-z0-9]|$)`)
	// masked is a value that somebody or something has blotted out.
	masked = regexp.MustCompile(`(?i)x{6,}|\*{3,}|\.{3,}|…|•{3,}`)
	// template is a value that some program should have filled in.
	template = regexp.MustCompile(`<[^<>]*>|\$\{[^}]*\}|\{\{.*\}\}|^%[A-Za-z_]+%$`)
)

// Guard refuses what cannot be a key: a placeholder, the current key again, or half of
// one. current may be empty where it is not known. Its error is an *Unfit.
func Guard(candidate, current estate.Secret) error {
	value := candidate.Reveal()
	bare := strings.TrimSpace(value)
	why := ""
	switch {
	case bare == "":
		why = "it is empty"
	case bare != value || strings.ContainsFunc(value, unicode.IsSpace):
		why = "it has white space or a line break in it"
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) && !masked.MatchString(value):
		why = "it has characters that a header cannot carry"
	case template.MatchString(value):
		why = "it is a place to be filled in, not a value"
	case dummy.MatchString(value) || dummyWord.MatchString(value):
		why = "it is a placeholder"
	case masked.MatchString(value):
		why = "it is blotted out"
	case uniform(value):
		why = "it is one character again and again"
	case value == current.Reveal():
		why = "it is the current key"
	case len(value) < leastKey:
		why = "it is shorter than any key"
	case 2*len(value) < len(current.Reveal()):
		why = "it is shorter than half of the current key"
	}
	if why == "" {
		return nil
	}
	return &Unfit{Why: why}
}

// uniform reports a value that has fewer than three different characters.
func uniform(value string) bool {
	seen := map[rune]bool{}
	for _, r := range value {
		seen[r] = true
	}
	return len(seen) < 3
}
