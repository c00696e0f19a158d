package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"warroom/internal/decode"
	"warroom/internal/estate"
)

// Every key that the glossary names is one of warroom.yaml.
func TestGlossaryNamesKeys(t *testing.T) {
	var keys []string
	for under, of := range map[string]reflect.Type{
		"thresholds": reflect.TypeFor[Thresholds](), "windows": reflect.TypeFor[Windows](),
		"checks": reflect.TypeFor[Checks](), "components": reflect.TypeFor[Component](),
	} {
		for _, f := range decode.Fields(of) {
			keys = append(keys, under+"."+f.Key)
		}
	}
	named := 0
	for _, term := range estate.Glossary() {
		for _, key := range term.Keys {
			named++
			if !slices.Contains(keys, key) {
				t.Errorf("%s names %s", term.Name, key)
			}
		}
		for _, word := range strings.FieldsFunc(term.Formula+" "+term.Window+" "+term.Means, func(r rune) bool { return strings.ContainsRune(" ,;:()", r) }) {
			word = strings.TrimRight(word, ".")
			if (strings.HasPrefix(word, "thresholds.") || strings.HasPrefix(word, "windows.")) && !slices.Contains(keys, word) {
				t.Errorf("%s speaks of %s", term.Name, word)
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d keys are named", named)
	}
}
