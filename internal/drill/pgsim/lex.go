package pgsim

import (
	"strings"
	"unicode/utf8"
)

// tokenKind is what a token is.
type tokenKind uint8

const (
	word   tokenKind = iota // a keyword or name, in lower case
	quoted                  // a name in double quotes
	text                    // a string
	number
	param  // $1
	symbol // an operator or bracket
)

// token is one token of a statement.
type token struct {
	kind tokenKind
	s    string
	raw  string // as written
	pos  int    // in characters, from 1, as errors give it
}

// is reports whether t is this keyword or symbol.
func (t token) is(s string) bool { return (t.kind == word || t.kind == symbol) && t.s == s }

// name reports whether t can be a name.
func (t token) name() bool { return t.kind == word || t.kind == quoted }

// maxTokens bounds what is made of one message.
const maxTokens = 20_000

// lex splits a message into statements of tokens; empty statements are left out.
func lex(sql string) ([][]token, *failure) {
	var out [][]token
	var now []token
	count := 0
	for i := 0; i < len(sql); {
		if count++; count > maxTokens {
			return nil, problem("54000", "statement is too complex for this drill server")
		}
		c := sql[i]
		rest := sql[i:]
		t := token{pos: utf8.RuneCountInString(sql[:min(i, 1<<16)]) + 1}
		n := 1
		switch {
		case strings.IndexByte(" \t\r\n\f\v", c) >= 0:
			i++
			continue
		case strings.HasPrefix(rest, "--"):
			n = strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			i += n
			continue
		case strings.HasPrefix(rest, "/*"):
			n = strings.Index(rest, "*/")
			if n < 0 {
				return nil, problem("42601", "unterminated /* comment at or near %q", bounded(rest)).at(t.pos)
			}
			i += n + 2
			continue
		case c == ';':
			if len(now) > 0 {
				out, now = append(out, now), nil
			}
			i++
			continue
		case c == '\'' || c == '"':
			body, size, ok := quotedText(rest)
			if !ok {
				what := "string"
				if c == '"' {
					what = "identifier"
				}
				return nil, problem("42601", "unterminated quoted %s at or near %q", what, bounded(rest)).at(t.pos)
			}
			n, t.s, t.kind = size, body, text
			if c == '"' {
				t.kind = quoted
			}
		case c == '$' && len(rest) > 1 && digit(rest[1]):
			for n < len(rest) && digit(rest[n]) {
				n++
			}
			t.kind, t.s = param, rest[1:n]
		case digit(c):
			for n < len(rest) && (digit(rest[n]) || rest[n] == '.') {
				n++
			}
			t.kind, t.s = number, rest[:n]
		case letter(c):
			for n < len(rest) && (letter(rest[n]) || digit(rest[n]) || rest[n] == '$') {
				n++
			}
			t.kind, t.s = word, strings.ToLower(rest[:n])
		default:
			for _, two := range []string{"::", "<>", "!=", "<=", ">=", "||", "->"} {
				if strings.HasPrefix(rest, two) {
					n = 2
				}
			}
			t.kind, t.s = symbol, rest[:n]
		}
		t.raw = rest[:n]
		i += n
		now = append(now, t)
	}
	if len(now) > 0 {
		out = append(out, now)
	}
	return out, nil
}

// quotedText reads a quoted token, in which the quote is written twice.
func quotedText(s string) (body string, size int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != s[0] {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == s[0] {
			b.WriteByte(s[0])
			i++
			continue
		}
		return b.String(), i + 1, true
	}
	return "", 0, false
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func letter(c byte) bool { return c == '_' || c >= 0x80 || (c|0x20 >= 'a' && c|0x20 <= 'z') }

// bounded keeps an error's text short.
func bounded(s string) string {
	const limit = 60
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit])
}

// normal is a statement with its white space, comments and letter case taken
// out, so that known statements are recognised however they are laid out.
func normal(tokens []token) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 {
			b.WriteByte(' ')
		}
		if t.kind == word {
			b.WriteString(t.s)
		} else {
			b.WriteString(t.raw)
		}
	}
	return b.String()
}
