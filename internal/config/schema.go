package config

import (
	"encoding/json"
	"reflect"
	"strconv"

	"warroom/internal/decode"
)

// schema is the part of JSON Schema 2020-12 that is needed, in the order in
// which it reads best.
type schema struct {
	Version     string             `json:"$schema,omitempty"`
	ID          string             `json:"$id,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Ref         string             `json:"$ref,omitempty"`
	Type        any                `json:"type,omitempty"`
	Enum        []any              `json:"enum,omitempty"`
	Default     any                `json:"default,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	MinLength   int                `json:"minLength,omitempty"`
	Minimum     *float64           `json:"minimum,omitempty"`
	Maximum     *float64           `json:"maximum,omitempty"`
	MinItems    int                `json:"minItems,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	Properties  properties         `json:"properties,omitempty"`
	Additional  any                `json:"additionalProperties,omitempty"`
	Required    []string           `json:"required,omitempty"`
	OneOf       []*schema          `json:"oneOf,omitempty"`
	Defs        map[string]*schema `json:"$defs,omitempty"`
}

// properties keeps the order of the struct's fields, which is the order in which
// they are documented.
type properties []property

type property struct {
	key   string
	value *schema
}

// MarshalJSON satisfies json.Marshaler.
func (p properties) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, one := range p {
		if i > 0 {
			out = append(out, ',')
		}
		value, err := json.Marshal(one.value)
		if err != nil {
			return nil, err
		}
		out = append(strconv.AppendQuote(out, one.key), ':')
		out = append(out, value...)
	}
	return append(out, '}'), nil
}

// Schema is the JSON Schema (2020-12) of warroom.yaml, for editors. It checks
// the shape; that names refer to something declared only Parse checks.
func Schema() []byte {
	defs := map[string]*schema{}
	root := structSchema(reflect.TypeFor[Config](), defs)
	root.Version = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "warroom.yaml"
	root.Description = "the estate that warroom watches"
	root.Defs = defs
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // only a type that JSON cannot hold, which the test would show
	}
	return append(out, '\n')
}

func structSchema(t reflect.Type, defs map[string]*schema) *schema {
	s := &schema{Type: "object", Additional: false}
	for _, f := range decode.Fields(t) {
		one := typeSchema(f.Type, &f, defs)
		one.Description = f.Doc
		s.Properties = append(s.Properties, property{f.Key, one})
		if f.Required {
			s.Required = append(s.Required, f.Key)
		}
		if f.Kind {
			s.OneOf = append(s.OneOf, &schema{Required: []string{f.Key}})
		}
	}
	return s
}

// typeSchema is the schema of a value; f has the tags that apply to it, nil for
// the values of a map.
func typeSchema(t reflect.Type, f *decode.Field, defs map[string]*schema) *schema {
	s := &schema{}
	required := f != nil && f.Required
	switch {
	case f != nil && f.IsDuration():
		s.Type, s.Pattern = []string{"string", "integer"}, decode.DurationPattern
		// A number is a duration only when it is 0, which needs no unit.
		zero := 0.0
		s.Minimum, s.Maximum = &zero, &zero
		if f.Default != "" && !f.Inherited {
			s.Default = f.Default
		}
		return s
	case t.Kind() == reflect.Pointer:
		return typeSchema(t.Elem(), f, defs)
	case t.Kind() == reflect.Struct:
		if _, known := defs[t.Name()]; !known {
			defs[t.Name()] = nil // ends a type that contains itself
			def := structSchema(t, defs)
			if len(def.Required) == 0 && len(def.OneOf) == 0 {
				def.Type = []string{"object", "null"} // "key:" alone is an empty block
			}
			defs[t.Name()] = def
		}
		s.Ref = "#/$defs/" + t.Name()
		return s
	case t.Kind() == reflect.Slice:
		s.Type = []string{"array", "null"}
		if required {
			s.Type, s.MinItems = "array", 1
		}
		s.Items = typeSchema(t.Elem(), nil, defs)
		if t.Elem().Kind() == reflect.String {
			s.Items.MinLength = 1
		}
		return s
	case t.Kind() == reflect.Map:
		s.Type = []string{"object", "null"}
		s.Additional = typeSchema(t.Elem(), nil, defs)
		return s
	case t.Kind() == reflect.String:
		s.Type = "string"
		if required {
			s.MinLength = 1
		}
	case t.Kind() == reflect.Bool:
		s.Type = "boolean"
	case t.Kind() == reflect.Float32, t.Kind() == reflect.Float64:
		s.Type = "number"
	default:
		s.Type = "integer"
	}
	if f == nil {
		return s
	}
	for _, word := range f.Enum {
		s.Enum = append(s.Enum, literal(t, word))
	}
	if f.Default != "" && !f.Inherited {
		s.Default = literal(t, f.Default)
	}
	s.Minimum, s.Maximum = bound(f.Min), bound(f.Max)
	return s
}

func bound(text string) *float64 {
	if text == "" {
		return nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil
	}
	return &n
}

// literal is text as the JSON value of type t.
func literal(t reflect.Type, text string) any {
	if t.Kind() == reflect.String {
		return text
	}
	return json.RawMessage(text)
}
