package decode

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	yaml "go.yaml.in/yaml/v4"
)

func (d *decoder) text(n *yaml.Node, at Position, p *path, v reflect.Value, f *Field) {
	tag := tagOf(n)
	switch {
	case n.Kind != yaml.ScalarNode:
		d.problem(at, p, found(n)+"; expected text", "")
		return
	case tag == nullTag:
		d.problem(at, p, "has no value; expected "+expected(f), `write "" for an empty text, or leave the key out`)
		return
	case tag != "!!str" && tag != "!!timestamp":
		d.problem(at, p, found(n)+"; expected text", "write it in quotes: "+strconv.Quote(clip(n.Value, 40)))
		return
	case hasControl(n.Value, f != nil && f.Multiline):
		d.problem(at, p, "holds control characters; expected one line of text", "")
		return
	case f != nil && f.Required && strings.TrimSpace(n.Value) == "":
		d.problem(at, p, "is empty; expected "+expected(f), "")
		return
	case f != nil && len(f.Enum) > 0 && !slices.Contains(f.Enum, n.Value):
		d.problem(at, p, found(n)+"; expected "+List(f.Enum), DidYouMean(n.Value, f.Enum))
		return
	}
	v.SetString(n.Value)
}

// decimal is how whole numbers are written: YAML's own octal and hexadecimal
// forms turn a port 010 into 8.
var decimal = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)$`)

func (d *decoder) number(n *yaml.Node, at Position, p *path, v reflect.Value, f *Field) {
	what := "a whole number"
	if v.CanFloat() {
		what = "a number"
	}
	if f != nil && len(f.Enum) > 0 {
		what = List(f.Enum)
	}
	wrong := func() { d.problem(at, p, found(n)+"; expected "+what, "") }
	tag := tagOf(n)
	if n.Kind != yaml.ScalarNode || tag != "!!int" && !(tag == "!!float" && v.CanFloat()) ||
		tag == "!!int" && !decimal.MatchString(n.Value) || f != nil && len(f.Enum) > 0 && !slices.Contains(f.Enum, n.Value) {
		wrong()
		return
	}
	size, err := strconv.ParseFloat(n.Value, 64)
	if err != nil || math.IsNaN(size) || math.IsInf(size, 0) {
		wrong()
		return
	}
	if !d.within(size, n, at, p, f) {
		return
	}
	switch {
	case v.CanFloat():
		v.SetFloat(size)
	case v.CanUint():
		u, err := strconv.ParseUint(strings.TrimPrefix(n.Value, "+"), 10, v.Type().Bits())
		if err != nil {
			wrong()
			return
		}
		v.SetUint(u)
	default:
		i, err := strconv.ParseInt(n.Value, 10, v.Type().Bits())
		if err != nil {
			wrong()
			return
		}
		v.SetInt(i)
	}
}

func (d *decoder) duration(n *yaml.Node, at Position, p *path, v reflect.Value, f *Field) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.problem(at, p, found(n)+"; "+errDuration.Error(), "")
		return
	}
	got, err := ParseDuration(n.Value)
	if err != nil {
		hint := ""
		if tagOf(n) == "!!int" {
			hint = fmt.Sprintf("write the unit: %ss", clip(n.Value, 20))
		}
		d.problem(at, p, found(n)+"; "+err.Error(), hint)
		return
	}
	if d.within(float64(got), n, at, p, f) {
		v.SetInt(int64(got))
	}
}

// within reports a number or duration out of its bounds.
func (d *decoder) within(got float64, n *yaml.Node, at Position, p *path, f *Field) bool {
	switch {
	case f == nil:
	case f.Min != "" && got < f.min:
		d.problem(at, p, found(n)+"; expected "+bounds(f), "")
		return false
	case f.Max != "" && got > f.max:
		d.problem(at, p, found(n)+"; expected "+bounds(f), "")
		return false
	}
	return true
}

func bounds(f *Field) string {
	switch {
	case f.Max == "":
		return "at least " + f.Min
	case f.Min == "":
		return "at most " + f.Max
	}
	return f.Min + " to " + f.Max
}

// expected says in words what a field takes.
func expected(f *Field) string {
	switch {
	case f == nil:
		return "text"
	case len(f.Enum) > 0:
		return List(f.Enum)
	case f.Doc != "":
		return f.Doc
	}
	return "a value"
}

// found quotes a scalar, where one of few words or a number was expected.
func found(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return "found " + kindOf(n)
	}
	switch tagOf(n) {
	case nullTag:
		return "found no value"
	case "!!int", "!!float", "!!bool":
		return "found " + clip(n.Value, 40)
	}
	return "found " + strconv.Quote(clip(n.Value, 40))
}

// kindOf names a node without what it holds.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a block of keys"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch tagOf(n) {
	case nullTag:
		return "no value"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	}
	return "text"
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && tagOf(n) == nullTag }

// hasControl reports characters that would disturb the line or the terminal the
// text is drawn on.
func hasControl(s string, multiline bool) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		if multiline && (r == '\n' || r == '\t') {
			return false
		}
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
	})
}
