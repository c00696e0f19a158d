package redact

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Forms are the encodings in which a value is looked for: as it is; escaped as
// in a URL's query and path (hexadecimal in either case), in JSON (once and
// within a JSON string, with and without the escapes for HTML and slash), in XML
// and HTML and as a Go string; hexadecimal; and base64 in both alphabets at each
// of the three offsets at which it can begin within a longer encoded text. Forms
// shorter than Least are left out.
func Forms(value string) []string {
	forms := map[string]struct{}{}
	add := func(list ...string) {
		for _, f := range list {
			if fit(f) {
				forms[f] = struct{}{}
			}
		}
	}
	raw := []byte(value)
	add(value)

	query, path := url.QueryEscape(value), url.PathEscape(value)
	add(query, path, lowerHex(query), lowerHex(path))
	add(strings.ReplaceAll(query, "+", "%20"), lowerHex(strings.ReplaceAll(query, "+", "%20")))

	for _, once := range jsonForms(value) {
		add(once)
		add(jsonForms(once)...)
	}
	quoted := strconv.Quote(value)
	add(quoted[1 : len(quoted)-1])
	quoted = strconv.QuoteToASCII(value)
	add(quoted[1 : len(quoted)-1])

	add(html.EscapeString(value))
	var buffer bytes.Buffer
	if xml.EscapeText(&buffer, raw) == nil {
		add(buffer.String())
	}

	add(hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)))
	for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			add(base64At(alphabet, raw, offset))
		}
	}
	return byLength(forms)
}

// jsonForms are the ways in which encoders write a string into JSON.
func jsonForms(value string) []string {
	var forms []string
	for _, escapeHTML := range []bool{true, false} {
		var buffer bytes.Buffer
		enc := json.NewEncoder(&buffer)
		enc.SetEscapeHTML(escapeHTML)
		if enc.Encode(value) != nil {
			continue
		}
		text := strings.TrimSuffix(buffer.String(), "\n")
		text = text[1 : len(text)-1]
		forms = append(forms, text, strings.ReplaceAll(text, "/", `\/`), ascii(text))
	}
	return forms
}

// ascii writes what is not ASCII as \u escapes, as Python's json does.
func ascii(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r < 0x80:
			out.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			out.WriteString(unicodeEscape(0xd800 + r>>10))
			out.WriteString(unicodeEscape(0xdc00 + r&0x3ff))
		default:
			out.WriteString(unicodeEscape(r))
		}
	}
	return out.String()
}

func unicodeEscape(r rune) string {
	s := strconv.FormatInt(int64(r), 16)
	return `\u` + strings.Repeat("0", 4-len(s)) + s
}

// base64At is what every base64 text has in common that holds raw at an offset
// of so many bytes, modulo three: the characters made of raw's bits alone.
func base64At(alphabet *base64.Encoding, raw []byte, offset int) string {
	text := alphabet.EncodeToString(append(make([]byte, offset), raw...))
	first := (offset*8 + 5) / 6         // the first character without a bit of what stands before
	last := (offset + len(raw)) * 8 / 6 // the first one with a bit of what stands behind
	return text[first:max(first, last)]
}

// lowerHex writes the hexadecimal digits of percent escapes in lower case.
func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], bytes.ToLower(b[i+1:i+3]))
			i += 2
		}
	}
	return string(b)
}

// byLength sorts the longest first, and those of one length by their bytes.
func byLength(set map[string]struct{}) []string {
	list := make([]string, 0, len(set))
	for f := range set {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	return list
}
