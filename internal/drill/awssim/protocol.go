package awssim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// protocol is how a request was written, and so how it is answered.
type protocol int

const (
	jsonRPC protocol = iota // X-Amz-Target, JSON 1.0 or 1.1
	restJSON
	query
	cborRPC
)

// maxDepth bounds the nesting of a request.
const maxDepth = 32

func parseJSON(body []byte) (map[string]any, *apiError) {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errf("SerializationException", "Unable to parse the request body as JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errf("SerializationException", "Unexpected content after the end of the request body")
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errf("SerializationException", "Start of structure or map found where not expected")
	}
	return m, nil
}

func parseCBOR(body []byte) (m map[string]any, err *apiError) {
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	v, e := cbor.Decode(body)
	if e != nil {
		return nil, errf("SerializationException", "Unable to parse the request body as CBOR")
	}
	t, ok := fromCBOR(v, 0)
	m, isMap := t.(map[string]any)
	if !ok || !isMap {
		return nil, errf("SerializationException", "The request body is not a map")
	}
	return m, nil
}

func fromCBOR(v cbor.Value, depth int) (any, bool) {
	if depth > maxDepth {
		return nil, false
	}
	switch v := v.(type) {
	case cbor.Uint:
		return uint64(v), true
	case cbor.NegInt:
		return -float64(uint64(v)), true
	case cbor.Float32:
		return float64(v), true
	case cbor.Float64:
		return float64(v), true
	case cbor.String:
		return string(v), true
	case cbor.Slice:
		return []byte(v), true
	case cbor.Bool:
		return bool(v), true
	case *cbor.Nil, *cbor.Undefined:
		return nil, true
	case *cbor.Tag:
		if v.ID != 1 {
			return nil, false
		}
		n, ok := fromCBOR(v.Value, depth+1)
		if !ok {
			return nil, false
		}
		return toTime(n)
	case cbor.List:
		out := make([]any, len(v))
		for i, x := range v {
			y, ok := fromCBOR(x, depth+1)
			if !ok {
				return nil, false
			}
			out[i] = y
		}
		return out, true
	case cbor.Map:
		out := make(map[string]any, len(v))
		for k, x := range v {
			y, ok := fromCBOR(x, depth+1)
			if !ok {
				return nil, false
			}
			out[k] = y
		}
		return out, true
	}
	return nil, false
}

func toCBOR(v any) cbor.Value {
	switch v := v.(type) {
	case string:
		return cbor.String(v)
	case bool:
		return cbor.Bool(v)
	case float64:
		return cbor.Float64(v)
	case []byte:
		return cbor.Slice(v)
	case time.Time:
		return &cbor.Tag{ID: 1, Value: cbor.Float64(float64(v.UnixMilli()) / 1e3)}
	case int64:
		if v < 0 {
			return cbor.NegInt(uint64(-v))
		}
		return cbor.Uint(uint64(v))
	case []any:
		out := make(cbor.List, len(v))
		for i, x := range v {
			out[i] = toCBOR(x)
		}
		return out
	case map[string]any:
		out := make(cbor.Map, len(v))
		for k, x := range v {
			out[k] = toCBOR(x)
		}
		return out
	}
	return &cbor.Nil{}
}

// parseQuery reads A.B.member.1.C=v into nested maps.
func parseQuery(form url.Values) (map[string]any, *apiError) {
	root := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(form)) {
		parts := strings.Split(key, ".")
		if len(parts) > maxDepth {
			return nil, errf("MalformedInput", "The parameter %.80q is nested too deeply", key)
		}
		at := root
		for _, p := range parts[:len(parts)-1] {
			next, ok := at[p].(map[string]any)
			if !ok {
				if _, taken := at[p]; taken {
					return nil, errf("MalformedInput", "The parameter %.80q contradicts another", key)
				}
				next = map[string]any{}
				at[p] = next
			}
			at = next
		}
		last := parts[len(parts)-1]
		if _, taken := at[last]; taken {
			return nil, errf("MalformedInput", "The parameter %.80q contradicts another", key)
		}
		at[last] = queryText(form[key][0])
	}
	return root, nil
}

// writeXML writes a tree's members inside an element that is already open.
func writeXML(b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			b.WriteString("<" + k + ">")
			writeXML(b, v[k])
			b.WriteString("</" + k + ">")
		}
	case []any:
		for _, x := range v {
			b.WriteString("<member>")
			writeXML(b, x)
			b.WriteString("</member>")
		}
	case string:
		_ = xml.EscapeText(b, []byte(v))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	case []byte:
		b.WriteString(base64.StdEncoding.EncodeToString(v))
	case time.Time:
		b.WriteString(v.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
}
