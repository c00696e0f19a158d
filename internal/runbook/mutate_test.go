package runbook

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// words are what stands behind keys in small, and what comes near to it.
var words = []string{"first", "second", "aside", "net", "hand", "How", "Where", "now", "later", "now.complete", "try", "''", "true", "false",
	"0s", "3m", "5m", "10m", "1d", "7d", "read-do", "SEV1", "SEV4", "secrets.tested", "[stuck, expired]", `"\u200b"`, strings.Repeat("w", 30), strings.Repeat("w", 61)}

// Whatever lines of a good runbook are dropped, repeated, swapped or given other
// values: what is accepted keeps every promise.
func TestMutationsKeepThePromises(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		lines := strings.Split(strings.TrimSuffix(small, "\n"), "\n")
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			i := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
			switch rapid.IntRange(0, 4).Draw(t, "how") {
			case 0:
				lines = slices.Delete(lines, i, i+1)
			case 1:
				lines = slices.Insert(lines, i, lines[i])
			case 2:
				j := rapid.IntRange(0, len(lines)-1).Draw(t, "other")
				lines[i], lines[j] = lines[j], lines[i]
			default:
				if key, _, ok := strings.Cut(lines[i], ": "); ok {
					lines[i] = key + ": " + rapid.SampledFrom(words).Draw(t, "word")
				}
			}
		}
		text := strings.Join(lines, "\n")
		r, err := Parse("r.yaml", []byte(text), known)
		if err != nil {
			refused++
			return
		}
		accepted++
		if broken := promises(r, known); broken != nil {
			t.Errorf("%s\n%s", strings.Join(broken, "\n"), text)
		}
	})
	if accepted == 0 || refused == 0 {
		t.Errorf("%d accepted, %d refused: the mutations do not try anything", accepted, refused)
	}
}
