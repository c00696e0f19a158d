package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

const (
	// MaxSize is the largest file that is read, in bytes.
	MaxSize = 4 << 20
	// maxDepth is how deep blocks and lists may nest.
	maxDepth = 100
	// maxValues is how many values one file may hold, those repeated through
	// aliases counted each time.
	maxValues = 1_000_000

	mergeTag = "!!merge"
	nullTag  = "!!null"
)

// Option changes how a file is decoded.
type Option func(*decoder)

// KeyHint gives an unknown key a hint of its own, in place of the nearest valid
// key, when hint returns a text for it.
func KeyHint(hint func(key string) string) Option {
	return func(d *decoder) { d.keyHint = hint }
}

// YAML decodes data into dst, a pointer to a struct, and fills in its defaults.
// What is wrong is in the document's Problems; dst then holds what was right.
// file is the name that problems carry.
func YAML(file string, data []byte, dst any, options ...Option) *Document {
	doc := &Document{file: file, lines: 1 + bytes.Count(data, []byte("\n"))}
	d := &decoder{doc: doc, left: maxValues}
	for _, o := range options {
		o(d)
	}
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("decode: %T is not a pointer to a struct", dst))
	}
	root := doc.load(data)
	if root == nil {
		d.defaults(v.Elem(), nil)
		return doc
	}
	doc.root = root
	d.structure(root, nil, nil, v.Elem())
	return doc
}

// load reads the one document of data. It returns nil after reporting why there
// is none.
func (d *Document) load(data []byte) (root *yaml.Node) {
	if len(data) > MaxSize {
		d.add(Position{}, "", fmt.Sprintf("the file is larger than %d MiB; expected a YAML file of settings", MaxSize>>20), "is it the right file?")
		return nil
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !d.readable(data) {
		return nil
	}
	defer func() {
		// The parser is a library; whatever a file makes it do must not take
		// the console down.
		if r := recover(); r != nil {
			d.add(Position{}, "", "the file cannot be read as YAML", "")
			root = nil
		}
	}()
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		d.syntax(err, data)
		return nil
	}
	var first, second yaml.Node
	switch err := loader.Load(&first); {
	case errors.Is(err, io.EOF), err == nil && (len(first.Content) == 0 || isNull(first.Content[0])):
		d.add(Position{}, "", "the file is empty; expected a YAML file of settings", "")
		return nil
	case err != nil:
		d.syntax(err, data)
		return nil
	}
	switch err := loader.Load(&second); {
	case err == nil:
		at := position(&second, nil)
		if len(second.Content) > 0 {
			at = position(second.Content[0], nil)
		}
		d.add(at, "", "a second YAML document begins here; expected one document", "remove the --- line before it")
		return nil
	case !errors.Is(err, io.EOF):
		d.syntax(err, data)
		return nil
	}
	root = first.Content[0]
	if root.Kind != yaml.MappingNode {
		d.add(position(root, nil), "", "found "+kindOf(root)+"; expected keys and values", "")
		return nil
	}
	return root
}

// readable reports binary data and other encodings in words of their own: the
// parser's would not help.
func (d *Document) readable(data []byte) bool {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		d.add(Position{}, "", "the file is UTF-16; expected UTF-8", "save it as UTF-8")
		return false
	}
	line, start := 1, 0
	for i := 0; i < len(data); {
		c := data[i]
		if c < utf8.RuneSelf {
			if c == '\n' {
				line, start = line+1, i+1
			} else if c < ' ' && c != '\t' && c != '\r' || c == 0x7f {
				d.add(Position{line, 1 + utf8.RuneCount(data[start:i])}, "", fmt.Sprintf("found the control character %#02x; expected text", c), "is it the right file?")
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			d.add(Position{line, 1 + utf8.RuneCount(data[start:i])}, "", fmt.Sprintf("found the byte %#02x, which is not UTF-8; expected text", c), "is it the right file?")
			return false
		}
		i += size
	}
	return true
}

// syntax reports what the parser says.
func (d *Document) syntax(err error, data []byte) {
	at, message := Position{}, err.Error()
	if le, ok := errors.AsType[*yaml.LoadError](err); ok {
		at, message = Position{le.Mark.Line, le.Mark.Column}, le.Message
		if at.Line == 0 {
			at = Position{le.ContextMark.Line, le.ContextMark.Column}
		}
		if le.ContextMsg != "" {
			message += " " + le.ContextMsg
			if le.ContextMark.Line > 0 && le.ContextMark.Line != le.Mark.Line {
				message += fmt.Sprintf(" that begins in line %d", le.ContextMark.Line)
			}
		}
	}
	lines := bytes.Split(data, []byte("\n"))
	at.Line = min(max(1, at.Line), len(lines))
	hint := ""
	indent := lines[at.Line-1]
	indent = indent[:len(indent)-len(bytes.TrimLeft(indent, " \t"))]
	if bytes.ContainsRune(indent, '\t') {
		hint = "the line is indented with a tab; YAML is indented with spaces"
	}
	d.add(at, "", "not valid YAML: "+clip(message, 200), hint)
}
