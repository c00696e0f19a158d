package decode

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

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
