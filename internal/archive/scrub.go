package archive

import (
	"reflect"
	"strings"
	"time"

	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// scrubbed is an event whose every text went through scrub: what is written never
// holds a value that the net knows. scrub may be nil.
func scrubbed(e incident.Event, scrub func(string) string) incident.Event {
	if scrub == nil {
		return e
	}
	e.By = scrub(e.By)
	if e.Data == nil {
		return e
	}
	e.Data = rewritten(reflect.ValueOf(e.Data), scrub).Interface().(incident.Data)
	return e
}

var timeType = reflect.TypeFor[time.Time]()

// rewritten is a copy of v in which every text is what write makes of it. Keys of
// maps are texts too. What cannot hold text is kept as it is.
func rewritten(v reflect.Value, write func(string) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch {
	case v.Kind() == reflect.String:
		out.SetString(write(v.String()))
	case v.Type() == timeType:
		return v
	case v.Kind() == reflect.Struct:
		out.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(rewritten(v.Field(i), write))
			}
		}
	case v.Kind() == reflect.Map && !v.IsNil():
		out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for _, key := range v.MapKeys() {
			out.SetMapIndex(rewritten(key, write), rewritten(v.MapIndex(key), write))
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		out.SetBytes([]byte(write(string(v.Bytes()))))
	case v.Kind() == reflect.Slice && !v.IsNil():
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(rewritten(v.Index(i), write))
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(rewritten(v.Elem(), write))
	default:
		return v
	}
	return out
}

// holds reports whether an event, as it is told or in any of its texts, holds what
// is looked for, which is in lower case.
func holds(e *incident.Event, rb *runbook.Runbook, lower string) bool {
	if contains(e.By, lower) || contains(string(e.Kind), lower) || contains(incident.Tell(e, rb), lower) {
		return true
	}
	return e.Data != nil && anyText(reflect.ValueOf(e.Data), func(text string) bool { return contains(text, lower) })
}

func contains(text, lower string) bool { return strings.Contains(strings.ToLower(text), lower) }

// anyText reports whether is holds for a text within v.
func anyText(v reflect.Value, is func(string) bool) bool {
	switch v.Kind() {
	case reflect.String:
		return is(v.String())
	case reflect.Struct:
		if v.Type() == timeType {
			return false
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && anyText(v.Field(i), is) {
				return true
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if anyText(key, is) || anyText(v.MapIndex(key), is) {
				return true
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return is(string(v.Bytes()))
		}
		for i := range v.Len() {
			if anyText(v.Index(i), is) {
				return true
			}
		}
	case reflect.Pointer, reflect.Interface:
		return !v.IsNil() && anyText(v.Elem(), is)
	}
	return false
}
