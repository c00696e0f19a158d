package clients

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestStrip(t *testing.T) {
	tests := map[string]struct {
		in    string
		limit int
		want  string
	}{
		"plain":                      {"all is well", 100, "all is well"},
		"colour":                     {"\x1b[31mred\x1b[0m", 100, "red"},
		"title":                      {"a\x1b]0;owned\x07b", 100, "ab"},
		"title ended by ST":          {"a\x1b]0;owned\x1b\\b", 100, "ab"},
		"clipboard":                  {"a\x1b]52;c;aGk=\x07b", 100, "ab"},
		"C1 CSI":                     {"a\u009b2Jb", 100, "ab"},
		"C1 OSC":                     {"a\u009d0;owned\u009cb", 100, "ab"},
		"OSC without end keeps text": {"a\x1b]ERROR no disk", 100, "aERROR no disk"},
		"charset":                    {"a\x1b(0b", 100, "ab"},
		"reset":                      {"a\x1bcb", 100, "ab"},
		"lone escape":                {"a\x1b", 100, "a"},
		"bidi override":              {"a\u202eb\u2066c\u2069", 100, "abc"},
		"zero width":                 {"a\u200bb\ufeffc", 100, "abc"},
		"line separator":             {"a\u2028b", 100, "a b"},
		"white space":                {"  a \t\r\n b  ", 100, "a b"},
		"backspace":                  {"a\bb\x00c\x7fd", 100, "abcd"},
		"bad UTF-8":                  {"a\xffb", 100, "a\ufffdb"},
		"exactly":                    {"abcde", 5, "abcde"},
		"cut":                        {"abcdef", 5, "abcd…"},
		"cut at a blank":             {"abc def", 5, "abc…"},
		"cut in wide text":           {"日本語テキスト", 4, "日本語…"},
		"none":                       {"abc", 0, ""},
		"one":                        {"abc", 1, "…"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Strip(test.in, test.limit); got != test.want {
				t.Errorf("Strip(%q, %d) = %q, want %q", test.in, test.limit, got, test.want)
			}
		})
	}
}

func FuzzStrip(f *testing.F) {
	f.Add("a\x1b]0;x\x1b\\\x1b[3;1mb\u009b", 10)
	f.Add("\x1b\x1b]\x1b[", 3)
	f.Fuzz(func(t *testing.T, in string, limit int) {
		limit = min(limit, 1000)
		got := Strip(in, limit)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > max(limit, 0) {
			t.Fatalf("Strip(%q, %d) = %q", in, limit, got)
		}
		for _, r := range got {
			if unicode.Is(unicode.C, r) || r != ' ' && unicode.IsSpace(r) {
				t.Fatalf("Strip(%q, %d) = %q keeps %U", in, limit, got, r)
			}
		}
		if strings.TrimSpace(got) != got || strings.Contains(got, "  ") {
			t.Fatalf("Strip(%q, %d) = %q has loose blanks", in, limit, got)
		}
		if again := Strip(got, limit); again != got {
			t.Fatalf("Strip(%q) = %q, is not stable", got, again)
		}
	})
}
