package decode

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Field is one key of a struct, as its tags describe it.
type Field struct {
	Key       string
	Doc       string
	Required  bool
	Kind      bool // one of the fields of which exactly one must be there
	Inherited bool // absent means that of something else
	Multiline bool
	FileName  bool
	Enum      []string
	Default   string // as written in the tag; empty for none
	Min, Max  string // as written in the tags; empty for none
	Type      reflect.Type
	Index     []int // for reflect.Value.FieldByIndex

	preset   reflect.Value // the parsed Default
	min, max float64       // the parsed bounds, valid when Min and Max are set
}

var durationType = reflect.TypeFor[time.Duration]()

var fieldCache sync.Map // reflect.Type to *structInfo

type structInfo struct {
	fields []Field
	byKey  map[string]int
	keys   []string
	kinds  []string
}

// Fields lists the keys of the struct type t in the order of its fields, inlined
// structs flattened. It panics when a tag or type cannot be used: that is a
// mistake in the program, not in a file.
func Fields(t reflect.Type) []Field { return infoOf(t).fields }

func infoOf(t reflect.Type) *structInfo {
	if got, ok := fieldCache.Load(t); ok {
		return got.(*structInfo)
	}
	s := &structInfo{byKey: map[string]int{}}
	collect(t, nil, false, s)
	for i, f := range s.fields {
		if _, twice := s.byKey[f.Key]; twice {
			panic(fmt.Sprintf("decode: %s has the key %q twice", t, f.Key))
		}
		s.byKey[f.Key] = i
		s.keys = append(s.keys, f.Key)
		if f.Kind {
			s.kinds = append(s.kinds, f.Key)
		}
	}
	got, _ := fieldCache.LoadOrStore(t, s)
	return got.(*structInfo)
}

func collect(t reflect.Type, index []int, inherited bool, s *structInfo) {
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, ok := sf.Tag.Lookup("yaml")
		if !ok || tag == "-" {
			continue
		}
		at := append(slices.Clone(index), i)
		name, opts, _ := strings.Cut(tag, ",")
		if opts == "inline" {
			collect(sf.Type, at, inherited || sf.Tag.Get("inherit") == "true", s)
			continue
		}
		f := Field{
			Key: name, Doc: sf.Tag.Get("doc"), Required: sf.Tag.Get("req") == "true",
			Kind: sf.Tag.Get("kind") == "true", Multiline: sf.Tag.Get("multiline") == "true",
			FileName: sf.Tag.Get("path") == "true", Inherited: inherited, Default: sf.Tag.Get("default"),
			Min: sf.Tag.Get("min"), Max: sf.Tag.Get("max"), Type: sf.Type, Index: at,
		}
		if e := sf.Tag.Get("enum"); e != "" {
			f.Enum = strings.Split(e, ",")
		}
		f.prepare(t)
		s.fields = append(s.fields, f)
	}
}

// prepare parses the default and the bounds once.
func (f *Field) prepare(owner reflect.Type) {
	fail := func(what string, err error) {
		panic(fmt.Sprintf("decode: %s.%s: %s: %v", owner, f.Key, what, err))
	}
	bound := func(s string) float64 {
		if s == "" {
			return 0
		}
		if f.Type == durationType {
			d, err := ParseDuration(s)
			if err != nil {
				fail("bound "+s, err)
			}
			return float64(d)
		}
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			fail("bound "+s, err)
		}
		return n
	}
	f.min, f.max = bound(f.Min), bound(f.Max)
	if f.Default == "" {
		return
	}
	v := reflect.New(f.Type).Elem()
	switch {
	case f.Type == durationType:
		d, err := ParseDuration(f.Default)
		if err != nil {
			fail("default", err)
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.String:
		v.SetString(f.Default)
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(f.Default)
		if err != nil {
			fail("default", err)
		}
		v.SetBool(b)
	case v.CanInt():
		n, err := strconv.ParseInt(f.Default, 10, 64)
		if err != nil {
			fail("default", err)
		}
		v.SetInt(n)
	case v.CanUint():
		n, err := strconv.ParseUint(f.Default, 10, 64)
		if err != nil {
			fail("default", err)
		}
		v.SetUint(n)
	case v.CanFloat():
		n, err := strconv.ParseFloat(f.Default, 64)
		if err != nil {
			fail("default", err)
		}
		v.SetFloat(n)
	default:
		fail("default", fmt.Errorf("a %s cannot have one", f.Type))
	}
	f.preset = v
}

// IsDuration reports whether the field is a time.Duration.
func (f Field) IsDuration() bool { return f.Type == durationType }

// Struct returns the struct type behind the field: its own, that of its pointer,
// of its list's items or of its map's values; nil when there is none.
func (f Field) Struct() reflect.Type {
	t := f.Type
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() == reflect.Struct {
		return t
	}
	return nil
}
