package awssim

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// parsePattern reads a filter pattern of CloudWatch Logs for unstructured
// lines. Terms are case-sensitive. Plain terms must all be in the line, -terms
// must not, and of ?terms one is enough; AWS ignores ?terms beside others. A
// term of other characters than letters, digits and underscore must be quoted;
// %…% is a regular expression. JSON ({ }) and column ([ ]) patterns are not
// simulated and are refused, because ignoring them would match everything.
func parsePattern(pattern string) (func(string) bool, *apiError) {
	if len(pattern) > 1024 {
		return nil, invalidParameter("1 validation error detected: Value at 'filterPattern' failed to satisfy constraint: Member must have length less than or equal to 1024")
	}
	p := strings.TrimSpace(pattern)
	if p == "" || p == `""` || p == `" "` {
		return func(string) bool { return true }, nil
	}
	if p[0] == '{' || p[0] == '[' {
		return nil, invalidParameter("Invalid filter pattern")
	}
	var all, none, any []func(string) bool
	for p != "" {
		into := &all
		switch p[0] {
		case '-':
			into, p = &none, p[1:]
		case '?':
			into, p = &any, p[1:]
		}
		term, rest, err := nextTerm(p)
		if err != nil {
			return nil, err
		}
		*into = append(*into, term)
		p = strings.TrimLeft(rest, " \t\r\n")
	}
	hit := func(line string) func(func(string) bool) bool {
		return func(f func(string) bool) bool { return f(line) }
	}
	return func(line string) bool {
		if slices.ContainsFunc(none, hit(line)) {
			return false
		}
		for _, f := range all {
			if !f(line) {
				return false
			}
		}
		return len(all)+len(none) > 0 || slices.ContainsFunc(any, hit(line))
	}, nil
}

var plainTerm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\pL\pN_]+$`) })

// nextTerm reads one term: quoted, a regular expression, or plain.
func nextTerm(p string) (func(string) bool, string, *apiError) {
	if p == "" {
		return nil, "", invalidParameter("Invalid filter pattern")
	}
	switch p[0] {
	case '"':
		var b strings.Builder
		for i := 1; i < len(p); i++ {
			switch {
			case p[i] == '\\' && i+1 < len(p):
				i++
				b.WriteByte(p[i])
			case p[i] == '"':
				text := b.String()
				return func(line string) bool { return strings.Contains(line, text) }, p[i+1:], nil
			default:
				b.WriteByte(p[i])
			}
		}
		return nil, "", invalidParameter("Unterminated quoted term in the filter pattern")
	case '%':
		body, rest, ok := strings.Cut(p[1:], "%")
		if !ok {
			return nil, "", invalidParameter("Unterminated regular expression in the filter pattern")
		}
		re, err := regexp.Compile(body)
		if err != nil {
			return nil, "", invalidParameter("Invalid regular expression in the filter pattern")
		}
		return re.MatchString, rest, nil
	}
	text, rest := p, ""
	if i := strings.IndexAny(p, " \t\r\n"); i >= 0 {
		text, rest = p[:i], p[i:]
	}
	if !plainTerm().MatchString(text) {
		return nil, "", invalidParameter("Invalid character(s) in term '%s'", clip(text, 80))
	}
	return func(line string) bool { return strings.Contains(line, text) }, rest, nil
}
