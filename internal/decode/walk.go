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

// decoder walks one document's nodes into a struct.
type decoder struct {
	doc     *Document
	left    int // values that may still be visited
	depth   int
	keyHint func(key string) string
}

func (d *decoder) problem(at Position, p *path, message, hint string) {
	d.doc.add(at, p.String(), message, hint)
}

// spent reports, once, that the file expands to more than is read.
func (d *decoder) spent(n, key *yaml.Node, p *path) bool {
	d.left--
	if d.left == 0 {
		d.problem(position(n, key), p, fmt.Sprintf("the file holds more than %d values", maxValues), "does an alias repeat too much?")
	}
	return d.left <= 0
}

// value decodes n into v. key is the node of its key, nil for list items; f has
// the tags that apply to it.
func (d *decoder) value(n, key *yaml.Node, p *path, v reflect.Value, f *Field) {
	if d.spent(n, key, p) {
		return
	}
	at := position(n, key)
	n = follow(n)
	if d.depth++; d.depth > maxDepth {
		d.problem(at, p, "nested too deeply", "does an alias stand for something that contains it?")
		d.depth--
		return
	}
	defer func() { d.depth-- }()
	if n.Style&yaml.TaggedStyle != 0 && !slices.Contains(coreTags, tagOf(n)) {
		d.problem(at, p, "the tag "+clip(tagOf(n), 40)+" is not supported; expected a plain value", "")
		return
	}
	switch {
	case v.Type() == durationType:
		d.duration(n, at, p, v, f)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, key, p, v.Elem(), f)
	case v.Kind() == reflect.Struct:
		d.structure(n, key, p, v)
	case v.Kind() == reflect.Slice:
		d.list(n, key, at, p, v, f)
	case v.Kind() == reflect.Map:
		d.mapping(n, key, at, p, v, f)
	case v.Kind() == reflect.String:
		d.text(n, at, p, v, f)
	case v.Kind() == reflect.Bool:
		if n.Kind != yaml.ScalarNode || tagOf(n) != "!!bool" {
			d.problem(at, p, found(n)+"; expected true or false", "")
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case v.CanInt(), v.CanUint(), v.CanFloat():
		d.number(n, at, p, v, f)
	default:
		panic(fmt.Sprintf("decode: %s: a %s cannot be read from YAML", p, v.Type()))
	}
}

var coreTags = []string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!!timestamp"}

// structure decodes a block of keys, applies defaults and looks for what is
// missing.
func (d *decoder) structure(n, key *yaml.Node, p *path, v reflect.Value) {
	info := infoOf(v.Type())
	if n.Kind != yaml.MappingNode && !isNull(n) {
		d.problem(position(n, key), p, "found "+kindOf(n)+"; expected a block of keys: "+List(info.keys), "")
		d.defaults(v, nil)
		return
	}
	if n.Kind == yaml.MappingNode {
		d.merges(n, p)
	}
	var meant map[string]bool             // keys that an unknown one seems to mean
	seen := make([]int, len(info.fields)) // the line of each key that was written
	kind := ""
	for _, e := range d.doc.entries(n) {
		at := Position{max(1, e.key.Line), max(1, e.key.Column)}
		if e.key.Kind != yaml.ScalarNode {
			d.problem(at, p, "found "+kindOf(e.key)+" as a key; expected "+List(info.keys), "")
			continue
		}
		name := e.key.Value
		i, known := info.byKey[name]
		if !known {
			if d.spent(e.key, nil, p) {
				return
			}
			if d.doc.Full() {
				d.doc.dropped++
				continue
			}
			if meant == nil {
				meant = map[string]bool{}
			}
			meant[Nearest(name, info.keys)] = true
			hint := DidYouMean(name, info.keys)
			if d.keyHint != nil {
				if own := d.keyHint(name); own != "" {
					hint = own
				}
			}
			d.problem(at, p.child(name), "unknown key; expected one of "+strings.Join(info.keys, ", "), hint)
			continue
		}
		if seen[i] > 0 {
			d.problem(at, p.child(name), fmt.Sprintf("written twice; it is in line %d already", seen[i]), "")
			continue
		}
		seen[i] = at.Line
		f := &info.fields[i]
		if f.Kind {
			if kind != "" {
				d.problem(at, p.child(name), fmt.Sprintf("a second kind of block beside %q; expected exactly one of %s", kind, List(info.kinds)), "")
			} else {
				kind = name
			}
		}
		d.value(e.value, e.key, p.child(name), v.FieldByIndex(f.Index), f)
	}
	d.missing(n, key, p, info, seen, meant, kind)
	d.defaults(v, seen)
}

func (d *decoder) missing(n, key *yaml.Node, p *path, info *structInfo, seen []int, meant map[string]bool, kind string) {
	for i := range info.fields {
		f := &info.fields[i]
		if f.Required && seen[i] == 0 && !meant[f.Key] {
			d.doc.add(position(n, key), p.child(f.Key).String(), "missing; expected "+expected(f), "")
		}
	}
	if len(info.kinds) > 0 && kind == "" && !slices.ContainsFunc(info.kinds, func(k string) bool { return meant[k] }) {
		d.problem(position(n, key), p, "no block says what it is; expected exactly one of "+List(info.kinds), "")
	}
}

// duplicates reports keys that a mapping has twice.
func (d *decoder) duplicates(n *yaml.Node, p *path) {
	first := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode || tagOf(k) == mergeTag {
			continue
		}
		if line, twice := first[k.Value]; twice {
			d.problem(position(k, nil), p.child(k.Value), fmt.Sprintf("written twice; it is in line %d already", line), "")
			continue
		}
		first[k.Value] = k.Line
	}
}

// merges reports "<<" keys that merge something else than blocks.
func (d *decoder) merges(n *yaml.Node, p *path) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if tagOf(n.Content[i]) == mergeTag && !mergeable(n.Content[i+1]) {
			d.problem(position(n.Content[i], nil), p.child("<<"), "expected an alias of a block of keys, or a list of them", "")
		}
	}
}

func mergeable(n *yaml.Node) bool {
	n = follow(n)
	if n.Kind == yaml.SequenceNode {
		return !slices.ContainsFunc(n.Content, func(one *yaml.Node) bool { return follow(one).Kind != yaml.MappingNode })
	}
	return n.Kind == yaml.MappingNode
}

// defaults fills in what was not written: seen has the lines of the keys that
// were, nil for none.
func (d *decoder) defaults(v reflect.Value, seen []int) {
	info := infoOf(v.Type())
	for i := range info.fields {
		f := &info.fields[i]
		if f.Inherited || seen != nil && seen[i] > 0 {
			continue
		}
		switch field := v.FieldByIndex(f.Index); {
		case f.preset.IsValid():
			field.Set(f.preset)
		case field.Kind() == reflect.Struct:
			d.defaults(field, nil)
		}
	}
}

func (d *decoder) list(n, key *yaml.Node, at Position, p *path, v reflect.Value, f *Field) {
	if n.Kind != yaml.SequenceNode && !isNull(n) {
		d.problem(at, p, "found "+kindOf(n)+"; expected a list", `write each item in a line of its own after "- "`)
		return
	}
	if f != nil && f.Required && len(n.Content) == 0 {
		d.problem(at, p, "is empty; expected "+expected(f), "")
	}
	size := min(len(n.Content), d.left)
	v.Set(reflect.MakeSlice(v.Type(), size, size))
	var inner *Field
	if f != nil {
		inner = &Field{Doc: f.Doc, Enum: f.Enum, Multiline: f.Multiline, Type: v.Type().Elem()}
		inner.Required = inner.Type.Kind() == reflect.String // an empty word names nothing
	}
	for i := range size {
		d.value(n.Content[i], nil, p.item(i), v.Index(i), inner)
	}
}

func (d *decoder) mapping(n, key *yaml.Node, at Position, p *path, v reflect.Value, f *Field) {
	if v.Type().Key().Kind() != reflect.String {
		panic(fmt.Sprintf("decode: %s: a %s cannot be read from YAML", p, v.Type()))
	}
	if n.Kind != yaml.MappingNode && !isNull(n) {
		d.problem(at, p, "found "+kindOf(n)+"; expected keys and values", "")
		return
	}
	if f != nil && f.Required && len(n.Content) == 0 {
		d.problem(at, p, "is empty; expected "+expected(f), "")
	}
	d.duplicates(n, p)
	d.merges(n, p)
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range d.doc.entries(n) {
		if e.key.Kind != yaml.ScalarNode || e.key.Value == "" || hasControl(e.key.Value, false) {
			d.problem(position(e.key, nil), p, "found a key that is not plain text", "")
			continue
		}
		one := reflect.New(v.Type().Elem()).Elem()
		d.value(e.value, e.key, p.child(e.key.Value), one, nil)
		v.SetMapIndex(reflect.ValueOf(e.key.Value).Convert(v.Type().Key()), one)
	}
}

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
