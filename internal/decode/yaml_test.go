package decode_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"warroom/internal/decode"
)

type common struct {
	Owner string        `yaml:"owner"`
	Level string        `yaml:"level" enum:"high,medium,low" default:"medium"`
	Grace time.Duration `yaml:"grace" min:"0s" max:"30d"`
}

type server struct {
	Host string `yaml:"host" req:"true" doc:"host name"`
	Port int    `yaml:"port" default:"5432" min:"1" max:"65535"`
}

type cache struct {
	Size uint16 `yaml:"size" default:"7"`
}

type item struct {
	ID     string `yaml:"id" req:"true" doc:"short name"`
	common `yaml:",inline"`
	Server *server `yaml:"server" kind:"true"`
	Cache  *cache  `yaml:"cache" kind:"true"`
}

type file struct {
	Version int               `yaml:"version" req:"true" enum:"1" doc:"version"`
	Name    string            `yaml:"name"`
	On      bool              `yaml:"on"`
	Share   float64           `yaml:"share" default:"0.5" min:"0" max:"1"`
	Every   time.Duration     `yaml:"every" default:"1d12h"`
	Text    string            `yaml:"text" multiline:"true"`
	Words   []string          `yaml:"words"`
	Matrix  [][]int           `yaml:"matrix"`
	Labels  map[string]string `yaml:"labels"`
	Items   []item            `yaml:"items"`
	Local   server            `yaml:"local"`
	Extra   *common           `yaml:"extra"`
	Free    common            `yaml:"free" inherit:"true"`
	Skipped string            `yaml:"-"`
	Loose   struct {
		common `yaml:",inline" inherit:"true"`
	} `yaml:"loose"`
}

func ptr[T any](v T) *T { return &v }

func TestEveryType(t *testing.T) {
	var got file
	doc := decode.YAML("f.yaml", []byte(`version: 1
name: "a b"
on: true
share: 1
every: 7d
text: |
  one
  	two
words: [x, 'y']
matrix: [[1, -2], []]
labels: {"a.b": c, d: ''}
items:
  - {id: one, server: {host: h, port: 1}, level: high, grace: 1d12h}
  - id: two
    cache:
loose: {owner: me}
`), &got)
	if doc.Problems() != nil {
		t.Fatal(doc.Problems())
	}
	want := file{
		Version: 1, Name: "a b", On: true, Share: 1, Every: 7 * 24 * time.Hour, Text: "one\n\ttwo\n",
		Words: []string{"x", "y"}, Matrix: [][]int{{1, -2}, {}}, Labels: map[string]string{"a.b": "c", "d": ""},
		Items: []item{
			{ID: "one", common: common{Level: "high", Grace: 36 * time.Hour}, Server: &server{"h", 1}},
			{ID: "two", common: common{Level: "medium"}, Cache: &cache{7}},
		},
		Local: server{Port: 5432}, Free: common{Level: "medium"},
	}
	want.Loose.Owner = "me"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestWhatIsWrittenIsKept(t *testing.T) {
	var got file
	doc := decode.YAML("f.yaml", []byte("version: 1\nshare: 0\nevery: 0s\nname: ''\nextra: {}\nlocal: {host: x}\n"), &got)
	if doc.Problems() != nil {
		t.Fatal(doc.Problems())
	}
	if got.Share != 0 || got.Every != 0 || got.Extra == nil || got.Extra.Level != "medium" || got.Local.Port != 5432 {
		t.Errorf("got %+v", got)
	}
	got = file{}
	decode.YAML("f.yaml", []byte("version: 1\n"), &got)
	if got.Share != 0.5 || got.Every != 36*time.Hour || got.Extra != nil || got.Loose.Level != "" {
		t.Errorf("got %+v", got)
	}
}

func TestProblems(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"unknown key":     {"version: 1\nnmae: x", `f.yaml:2:1: nmae: unknown key; expected one of version, name, on, share, every, text, words, matrix, labels, items, local, extra, free, loose; did you mean "name"?`},
		"unknown deep":    {"version: 1\nitems:\n  - id: a\n    serer: {host: x}\n", `f.yaml:4:5: items[0].serer: unknown key; expected one of id, owner, level, grace, server, cache; did you mean "server"?`},
		"hinted key":      {"version: 1\npassword: x", `f.yaml:2:1: password: unknown key; expected one of version, name, on, share, every, text, words, matrix, labels, items, local, extra, free, loose; name it instead`},
		"odd key":         {"version: 1\n\"a\\eb c\": x", `f.yaml:2:1: ["a·b c"]: unknown key; expected one of version, name, on, share, every, text, words, matrix, labels, items, local, extra, free, loose`},
		"twice":           {"version: 1\nname: a\nname: b", `f.yaml:3:1: name: written twice; it is in line 2 already`},
		"twice in a map":  {"version: 1\nlabels:\n  a: b\n  a: c", `f.yaml:4:3: labels.a: written twice; it is in line 3 already`},
		"missing":         {"name: x", `f.yaml:1:1: version: missing; expected 1`},
		"missing deep":    {"version: 1\nitems:\n- id: a\n  server:\n    port: 1\n", `f.yaml:4:3: items[0].server.host: missing; expected host name`},
		"empty required":  {"version: 1\nitems:\n- id: ' '\n  cache: {}\n", `f.yaml:3:7: items[0].id: is empty; expected short name`},
		"no value":        {"version: 1\nname:\n", `f.yaml:2:1: name: has no value; expected a value; write "" for an empty text, or leave the key out`},
		"number for text": {"version: 1\nname: 5", `f.yaml:2:7: name: found 5; expected text; write it in quotes: "5"`},
		"list for text":   {"version: 1\nname: [5]", `f.yaml:2:1: name: found a list; expected text`},
		"text for number": {"version: 1\nlocal: {host: x, port: abc}", `f.yaml:2:24: local.port: found "abc"; expected a whole number`},
		"fraction":        {"version: 1\nlocal: {host: x, port: 1.5}", `f.yaml:2:24: local.port: found 1.5; expected a whole number`},
		"octal":           {"version: 1\nlocal: {host: x, port: 010}", `f.yaml:2:24: local.port: found 010; expected a whole number`},
		"too large":       {"version: 1\nlocal: {host: x, port: 70000}", `f.yaml:2:24: local.port: found 70000; expected 1 to 65535`},
		"overflow":        {"version: 1\nitems: [{id: a, cache: {size: 70000}}]", `f.yaml:2:31: items[0].cache.size: found 70000; expected a whole number`},
		"not a number":    {"version: 1\nshare: .nan", `f.yaml:2:8: share: found .nan; expected a number`},
		"version":         {"version: 2", `f.yaml:1:10: version: found 2; expected 1`},
		"bool":            {"version: 1\non: maybe", `f.yaml:2:5: on: found "maybe"; expected true or false`},
		"word":            {"version: 1\nitems: [{id: a, cache: {}, level: hihg}]", `f.yaml:2:35: items[0].level: found "hihg"; expected high, medium or low; did you mean "high"?`},
		"duration":        {"version: 1\nevery: 5 minutes", `f.yaml:2:8: every: found "5 minutes"; expected a duration like 30s, 5m, 1h30m or 7d`},
		"bare duration":   {"version: 1\nevery: 15", `f.yaml:2:8: every: found 15; expected a duration like 30s, 5m, 1h30m or 7d; write the unit: 15s`},
		"long duration":   {"version: 1\nevery: 999999999999d", `f.yaml:2:8: every: found "999999999999d"; longer than can be counted`},
		"duration bounds": {"version: 1\nextra: {grace: 31d}", `f.yaml:2:16: extra.grace: found "31d"; expected 0s to 30d`},
		"text for list":   {"version: 1\nwords: hush", `f.yaml:2:8: words: found text; expected a list; write each item in a line of its own after "- "`},
		"text for block":  {"version: 1\nlocal: hush", `f.yaml:2:8: local: found text; expected a block of keys: host or port`},
		"list for map":    {"version: 1\nlabels: [a]", `f.yaml:2:1: labels: found a list; expected keys and values`},
		"null item":       {"version: 1\nwords:\n  - a\n  -\n", `f.yaml:4:4: words[1]: has no value; expected a value; write "" for an empty text, or leave the key out`},
		"no kind":         {"version: 1\nitems:\n  - id: a", `f.yaml:3:5: items[0]: no block says what it is; expected exactly one of server or cache`},
		"two kinds":       {"version: 1\nitems:\n  - id: a\n    cache: {}\n    server: {host: x}", `f.yaml:5:5: items[0].server: a second kind of block beside "cache"; expected exactly one of server or cache`},
		"control":         {"version: 1\nname: \"a\\eb\"", `f.yaml:2:7: name: holds control characters; expected one line of text`},
		"two lines":       {"version: 1\nname: |\n  a\n  b\n", `f.yaml:2:7: name: holds control characters; expected one line of text`},
		"right to left":   {"version: 1\nname: \"a\\u202eb\"", `f.yaml:2:7: name: holds control characters; expected one line of text`},
		"tag":             {"version: 1\nname: !secret x", `f.yaml:2:7: name: the tag !secret is not supported; expected a plain value`},
		"binary tag":      {"version: 1\nname: !!binary aGk=", `f.yaml:2:7: name: the tag !!binary is not supported; expected a plain value`},
		"block as key":    {"version: 1\n? [a]\n: b", `f.yaml:2:3: found a list as a key; expected version, name, on, share, every, text, words, matrix, labels, items, local, extra, free or loose`},
		"bad merge":       {"version: 1\nlocal:\n  <<: 1\n  host: x", `f.yaml:3:3: local["<<"]: expected an alias of a block of keys, or a list of them`},
		"a list":          {"- a", `f.yaml:1:1: found a list; expected keys and values`},
		"a word":          {"hush", `f.yaml:1:1: found text; expected keys and values`},
		"empty":           {"", `f.yaml:1:1: the file is empty; expected a YAML file of settings`},
		"comments only":   {"# a\n\n", `f.yaml:1:1: the file is empty; expected a YAML file of settings`},
		"marker only":     {"---\n", `f.yaml:1:1: the file is empty; expected a YAML file of settings`},
		"two documents":   {"version: 1\n---\nname: x\n", `f.yaml:3:1: a second YAML document begins here; expected one document; remove the --- line before it`},
		"second is bad":   {"version: 1\n---\nname: [\n", `f.yaml:4:1: not valid YAML: did not find expected node content while parsing a flow node`},
		"tab":             {"version: 1\nlocal:\n\thost: x\n", `f.yaml:3:1: not valid YAML: found character that cannot start any token while scanning for the next token; the line is indented with a tab; YAML is indented with spaces`},
		"unclosed":        {"version: 1\nwords: [a, b\nname: x\n", `f.yaml:3:5: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence that begins in line 2`},
		"indentation":     {"version: 1\n name: x\n", `f.yaml:2:6: not valid YAML: mapping values are not allowed in this context`},
		"no such anchor":  {"version: 1\nname: *x\n", `f.yaml:2:7: not valid YAML: unknown anchor 'x' referenced`},
		"binary":          {"version: 1\nna\x00me: x", `f.yaml:2:3: found the control character 0x00; expected text; is it the right file?`},
		"latin-1":         {"version: 1\nname: caf\xe9\n", `f.yaml:2:10: found the byte 0xe9, which is not UTF-8; expected text; is it the right file?`},
		"utf-16":          {"\xff\xfev\x00", `f.yaml:1:1: the file is UTF-16; expected UTF-8; save it as UTF-8`},
		"huge":            {strings.Repeat("# 345678901234567890123456789012\n", 160_000), `f.yaml:1:1: the file is larger than 4 MiB; expected a YAML file of settings; is it the right file?`},
	} {
		t.Run(name, func(t *testing.T) {
			var dst file
			hint := decode.KeyHint(func(key string) string {
				if key == "password" {
					return "name it instead"
				}
				return ""
			})
			if got := decode.YAML("f.yaml", []byte(c.in), &dst, hint).Problems().Error(); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestAllMistakesAreReportedInOrder(t *testing.T) {
	var dst file
	got := decode.YAML("f.yaml", []byte(`version: 3
shar: 1
every: soon
items:
  - server: {port: 0}
  - id: b
    level: top
    cache: {size: -1}
`), &dst).Problems().Error()
	want := `f.yaml:1:10: version: found 3; expected 1
f.yaml:2:1: shar: unknown key; expected one of version, name, on, share, every, text, words, matrix, labels, items, local, extra, free, loose; did you mean "share"?
f.yaml:3:8: every: found "soon"; expected a duration like 30s, 5m, 1h30m or 7d
f.yaml:5:5: items[0].server.host: missing; expected host name
f.yaml:5:5: items[0].id: missing; expected short name
f.yaml:5:20: items[0].server.port: found 0; expected 1 to 65535
f.yaml:7:12: items[1].level: found "top"; expected high, medium or low
f.yaml:8:19: items[1].cache.size: found -1; expected a whole number`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMisplacedValuesAreNotQuoted(t *testing.T) {
	const canary = "hunter2-canary"
	for _, in := range []string{
		"version: 1\npassword: " + canary, "version: 1\nlocal: " + canary, "version: 1\nwords: " + canary,
		"version: 1\nlabels: " + canary, "version: 1\nitems: [" + canary + "]", canary, "- " + canary,
		"version: 1\nname: {password: " + canary + "}", "version: 1\nlocal: {host: x, pasword: " + canary + "}",
		"version: 1\nname: \"" + canary + "\\e\"", "version: 1\nname: '" + canary, "version: 1\nname: !x " + canary,
	} {
		var dst file
		got := decode.YAML("f.yaml", []byte(in), &dst).Problems()
		if len(got) == 0 || strings.Contains(got.Error(), canary) {
			t.Errorf("%q gives %q", in, got.Error())
		}
	}
}

func TestAliases(t *testing.T) {
	var got file
	doc := decode.YAML("f.yaml", []byte(`version: 1
items:
  - &one
    id: one
    owner: me
    server: &s {host: h, port: 9}
  - <<: *one
    id: two
  - {id: three, server: *s}
local: {<<: [*s, *s], port: 10}
`), &got)
	if doc.Problems() != nil {
		t.Fatal(doc.Problems())
	}
	if len(got.Items) != 3 || got.Items[1].ID != "two" || got.Items[1].Owner != "me" || got.Items[2].Server.Port != 9 || got.Local != (server{"h", 10}) {
		t.Errorf("got %+v", got)
	}
	if at := doc.At("items[1].owner"); at.Line != 5 {
		t.Errorf("a merged key stands in line %d, want 5", at.Line)
	}
}

type tree struct {
	Name string          `yaml:"name"`
	Sub  []tree          `yaml:"sub"`
	Next *tree           `yaml:"next"`
	Map  map[string]tree `yaml:"map"`
}

func TestHostileFilesEnd(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString("sub:\n- &l0 {name: ha}\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&laughs, "- &l%d {sub: [*l%d, *l%d, *l%d, *l%d]}\n", i, i-1, i-1, i-1, i-1)
	}
	var wide strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&wide, "k%d: v\n", i)
	}
	for name, in := range map[string]string{
		"billion laughs":  laughs.String(),
		"self alias":      "next: &a {next: *a}\n",
		"self merge":      "next: &a {<<: *a, name: x}\n",
		"merge laughs":    "next: &a {name: x, next: &b {<<: [*a, *a]}}\n",
		"deep flow":       strings.Repeat("[", 3<<20),
		"deep map":        strings.Repeat("{next: ", 100_000),
		"deep dashes":     "sub: " + strings.Repeat("- ", 100_000),
		"deep block":      deepBlock(300),
		"many keys":       wide.String(),
		"many items":      "sub: [" + strings.Repeat("1,", 1<<18) + "]",
		"many tags":       "name: " + strings.Repeat("! ", 1<<18),
		"many anchors":    "name: " + strings.Repeat("&a ", 1<<18),
		"many documents":  strings.Repeat("---\n", 1<<18),
		"long line":       "name: " + strings.Repeat("x", 3<<20) + ": y",
		"long key":        strings.Repeat("x", 3<<20) + ": y",
		"open quote":      "name: \"" + strings.Repeat("x\n", 1<<18),
		"many duplicates": strings.Repeat("name: x\n", 60_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dst tree
			doc := decode.YAML("f.yaml", []byte(in), &dst)
			problems := doc.Problems()
			if name != "self merge" && name != "merge laughs" && len(problems) == 0 {
				t.Error("no problem was found")
			}
			if len(problems) > 101 || len(problems.Error()) > 100_000 {
				t.Errorf("%d problems, %d bytes", len(problems), len(problems.Error()))
			}
		})
	}
}

func deepBlock(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "next:\n")
	}
	return b.String()
}

func TestManyProblemsAreCounted(t *testing.T) {
	var dst file
	got := decode.YAML("f.yaml", []byte("version: 1\n"+strings.Repeat("zzzzzz: 1\n", 250)), &dst).Problems()
	if last := got[len(got)-1]; len(got) != 101 || last.Message != "and 150 more problems" || last.Line == 0 {
		t.Errorf("%d problems, the last %v", len(got), last)
	}
}

func TestLaterProblemsFindTheirLine(t *testing.T) {
	var dst file
	doc := decode.YAML("f.yaml", []byte("\ufeffversion: 1\nitems:\n  - id: a\n    cache: {}\nlabels:\n  x.y: 1a\nname: 7\n"), &dst)
	doc.Add("items[0].id", "is taken", "")
	doc.Add("items[0].server.host", "is missing", "")
	doc.Add("items[4]", "is not there", "")
	doc.Add(decode.Join("labels", "x.y"), "is odd", "")
	doc.Add("name", "is a consequence", "")
	got := doc.Problems().Error()
	want := `f.yaml:2:1: items[4]: is not there
f.yaml:3:5: items[0].server.host: is missing
f.yaml:3:9: items[0].id: is taken
f.yaml:6:8: labels["x.y"]: is odd
f.yaml:7:7: name: found 7; expected text; write it in quotes: "7"`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !doc.Has("items[0].cache") || doc.Has("items[0].server") || !doc.Failed("name") || doc.Broken() {
		t.Error("Has, Failed or Broken is wrong")
	}
	if keys := doc.Keys("items[0]"); !reflect.DeepEqual(keys, []string{"id", "cache"}) {
		t.Errorf("keys %v", keys)
	}
}

func TestTagsThatCannotBeUsedPanicAtOnce(t *testing.T) {
	for name, dst := range map[string]any{
		"default": &struct {
			A int `yaml:"a" default:"x"`
		}{},
		"bound": &struct {
			A time.Duration `yaml:"a" min:"x"`
		}{},
		"twice": &struct {
			A int `yaml:"a"`
			B int `yaml:"a"`
		}{},
		"no struct": ptr(1),
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			decode.YAML("f.yaml", []byte("a: 1"), dst)
		})
	}
}

func FuzzYAML(f *testing.F) {
	for _, s := range []string{
		"", "a", "version: 1\nitems: [{id: x, cache: {}}]", "&a [*a]", "? a\n: b", "<<: *x", "name: \"\\x00\"", "--- !!map {}\n...\n---", "a: |\n  b\n c",
		"next: &a {next: *a}", "version: 1\nlabels: {? [a] : b}", "{", "\t", "\ufeff", "%YAML 1.2\n---\nname: x", "every: 1.5h", "share: 1e309", "local: {port: 0x10}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 64<<10 {
			t.Skip("larger inputs only take longer")
		}
		lines := strings.Count(string(in), "\n") + 1
		for _, dst := range []any{&file{}, &tree{}} {
			doc := decode.YAML("f.yaml", in, dst)
			doc.Add("items[0].server.port", "x", "")
			for _, p := range doc.Problems() {
				if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Message == "" {
					t.Errorf("%d lines, problem %+v", lines, p)
				}
				if strings.ContainsFunc(p.String(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
					t.Errorf("control characters in %q", p.String())
				}
			}
		}
	})
}
