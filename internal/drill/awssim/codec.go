package awssim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The protocols differ in how they write the same trees: requests become a
// tree of map[string]any, []any and leaves, which fill puts into the
// operation's input; outputs become such a tree, which each protocol writes.

// queryText is a leaf of a query request, where everything is text.
type queryText string

// fieldOf is the member's name on the wire and whether its zero value is kept.
// The tag `aws:"name,keep"` overrides the Go name.
func fieldOf(f reflect.StructField) (name string, keep bool) {
	name, opts, _ := strings.Cut(f.Tag.Get("aws"), ",")
	if name == "" {
		name = f.Name
	}
	return name, opts == "keep"
}

var timeType = reflect.TypeFor[time.Time]()

func mismatch(path string, src any, want string) *apiError {
	kind := "STRUCTURE_VALUE"
	switch src.(type) {
	case string, queryText, []byte:
		kind = "STRING_VALUE"
	case json.Number, int64, uint64, float64:
		kind = "NUMBER_VALUE"
	case bool:
		kind = "BOOLEAN_VALUE"
	case []any:
		kind = "LIST_VALUE"
	}
	return errf("SerializationException", "%s can not be converted to %s (%s)", kind, want, path)
}

// fill puts a request tree into an input structure. Members that the input
// does not have are ignored, as AWS does.
func fill(dst reflect.Value, src any, path string) *apiError {
	if src == nil {
		return nil
	}
	if dst.Type() == timeType {
		t, ok := toTime(src)
		if !ok {
			return mismatch(path, src, "Timestamp")
		}
		dst.Set(reflect.ValueOf(t))
		return nil
	}
	switch dst.Kind() {
	case reflect.Pointer:
		p := reflect.New(dst.Type().Elem())
		if err := fill(p.Elem(), src, path); err != nil {
			return err
		}
		dst.Set(p)
	case reflect.Struct:
		m, ok := src.(map[string]any)
		if !ok {
			return mismatch(path, src, "a structure")
		}
		for i := range dst.NumField() {
			name, _ := fieldOf(dst.Type().Field(i))
			if v, ok := m[name]; ok {
				if err := fill(dst.Field(i), v, path+"/"+name); err != nil {
					return err
				}
			}
		}
	case reflect.Slice:
		if dst.Type().Elem().Kind() == reflect.Uint8 {
			return fillBytes(dst, src, path)
		}
		list, ok := toList(src)
		if !ok {
			return mismatch(path, src, "a list")
		}
		out := reflect.MakeSlice(dst.Type(), len(list), len(list))
		for i, v := range list {
			if err := fill(out.Index(i), v, path+"/"+strconv.Itoa(i+1)); err != nil {
				return err
			}
		}
		dst.Set(out)
	default:
		return fillLeaf(dst, src, path)
	}
	return nil
}

func fillBytes(dst reflect.Value, src any, path string) *apiError {
	switch v := src.(type) {
	case []byte:
		dst.SetBytes(v)
	case string:
		b, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			return mismatch(path, src, "a blob")
		}
		dst.SetBytes(b)
	default:
		return mismatch(path, src, "a blob")
	}
	return nil
}

func fillLeaf(dst reflect.Value, src any, path string) *apiError {
	q, isQuery := src.(queryText)
	switch dst.Kind() {
	case reflect.String:
		if v, ok := src.(string); ok {
			dst.SetString(v)
		} else if isQuery {
			dst.SetString(string(q))
		} else {
			return mismatch(path, src, "a String")
		}
	case reflect.Bool:
		v, ok := src.(bool)
		if isQuery {
			b, err := strconv.ParseBool(string(q))
			v, ok = b, err == nil
		}
		if !ok {
			return mismatch(path, src, "a Boolean")
		}
		dst.SetBool(v)
	case reflect.Int, reflect.Int64:
		f, ok := toNumber(src)
		if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return mismatch(path, src, "a Long")
		}
		dst.SetInt(int64(f))
	case reflect.Float64:
		f, ok := toNumber(src)
		if !ok {
			return mismatch(path, src, "a Double")
		}
		dst.SetFloat(f)
	default:
		return mismatch(path, src, dst.Type().String())
	}
	return nil
}

func toNumber(src any) (float64, bool) {
	switch v := src.(type) {
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	case queryText:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// toTime reads seconds since the epoch, or the ISO form of query requests.
func toTime(src any) (time.Time, bool) {
	switch v := src.(type) {
	case time.Time:
		return v.UTC(), true
	case queryText:
		t, err := time.Parse(time.RFC3339Nano, string(v))
		return t.UTC(), err == nil
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		return t.UTC(), err == nil
	}
	f, ok := toNumber(src)
	if !ok || math.IsNaN(f) || math.Abs(f) > 1e11 {
		return time.Time{}, false
	}
	sec, frac := math.Modf(f)
	return time.Unix(int64(sec), int64(math.Round(frac*1e3))*1e6).UTC(), true
}

// toList reads a list, also in the form X.member.1, X.member.2 of query
// requests.
func toList(src any) ([]any, bool) {
	switch v := src.(type) {
	case []any:
		return v, true
	case queryText:
		return nil, v == "" // an empty list
	case map[string]any:
		inner, ok := v["member"].(map[string]any)
		if !ok {
			return nil, false
		}
		at := make([]int, 0, len(inner))
		for k := range inner {
			n, err := strconv.Atoi(k)
			if err != nil || n < 1 {
				return nil, false
			}
			at = append(at, n)
		}
		slices.Sort(at)
		out := make([]any, len(at))
		for i, n := range at {
			out[i] = inner[strconv.Itoa(n)]
		}
		return out, true
	}
	return nil, false
}

// tree turns an output structure into what the protocols write: maps, lists,
// string, int64, float64, bool, []byte and time.Time. Zero members are left
// out unless tagged keep.
func tree(v reflect.Value) any {
	if v.Type() == timeType {
		return v.Interface().(time.Time)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return tree(v.Elem())
	case reflect.Struct:
		m := make(map[string]any, v.NumField())
		for i := range v.NumField() {
			name, keep := fieldOf(v.Type().Field(i))
			if f := v.Field(i); keep || !f.IsZero() {
				m[name] = tree(f)
			}
		}
		return m
	case reflect.Map:
		m := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			m[it.Key().String()] = tree(it.Value())
		}
		return m
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Bytes()
		}
		out := make([]any, v.Len())
		for i := range v.Len() {
			out[i] = tree(v.Index(i))
		}
		return out
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int64:
		return v.Int()
	case reflect.Float64:
		return v.Float()
	}
	panic(fmt.Sprintf("awssim: an output holds a %s, which no protocol can write", v.Type()))
}

// jsonValue makes a tree fit for encoding/json, in place: times become seconds
// since the epoch, to the millisecond.
func jsonValue(v any) any {
	switch v := v.(type) {
	case time.Time:
		return json.Number(strconv.FormatFloat(float64(v.UnixMilli())/1e3, 'f', -1, 64))
	case float64:
		// A double is written as one, so that every client reads it as one.
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if v == math.Trunc(v) && !strings.ContainsAny(text, "e.") {
			text += ".0"
		}
		return json.Number(text)
	case map[string]any:
		for k, x := range v {
			v[k] = jsonValue(x)
		}
	case []any:
		for i, x := range v {
			v[i] = jsonValue(x)
		}
	}
	return v
}
