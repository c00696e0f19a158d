package discover

import (
	"slices"
	"strconv"
	"strings"
)

// names makes ids, each once.
type names struct{ taken map[string]bool }

// id is a short name made of text: letters, digits, dots, dashes and underscores.
func (n *names) id(text string) string {
	if n.taken == nil {
		n.taken = map[string]bool{}
	}
	base := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, text), "-._")
	base = strings.TrimRight(base[:min(len(base), 56)], "-._")
	if base == "" {
		base = "system"
	}
	id := base
	for i := 2; n.taken[id]; i++ {
		id = base + "-" + strconv.Itoa(i)
	}
	n.taken[id] = true
	return id
}

// typeWords are parts of a secret's name from which its type is guessed, those
// that say most first.
var typeWords = []struct {
	kind  string
	words []string
}{
	{"certificate", []string{"cert", "tls", "x509"}},
	{"token", []string{"token", "jwt", "bearer"}},
	{"database", []string{"postgres", "mysql", "mariadb", "oracle", "mongo", "redshift", "database", "rds", "db", "sql"}},
	{"api_key", []string{"api", "key", "stripe", "webhook", "client"}},
}

// guessType says what a secret unlocks, by its name; false where nothing in it
// tells.
func guessType(name string) (string, bool) {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !(r >= 'a' && r <= 'z') })
	for _, t := range typeWords {
		for _, w := range t.words {
			if slices.ContainsFunc(words, func(word string) bool { return word == w || len(w) > 3 && strings.Contains(word, w) }) {
				return t.kind, true
			}
		}
	}
	return "api_key", false
}

// plainWords would be read as something else than text.
var plainWords = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"}

// quote writes text as a YAML scalar.
func quote(text string) string {
	plain := text != "" && !slices.Contains(plainWords, strings.ToLower(text)) &&
		strings.IndexFunc(text, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._/- ", r))
		}) < 0 && strings.TrimSpace(text) == text
	if first := text + " "; plain && (first[0] >= 'a' && first[0] <= 'z' || first[0] >= 'A' && first[0] <= 'Z') {
		return text
	}
	return strconv.Quote(strings.ToValidUTF8(text, "�"))
}
