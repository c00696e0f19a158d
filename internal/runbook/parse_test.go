package runbook

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"warroom/internal/decode"
)

// small is a whole runbook in few lines.
const small = `version: 1
name: Small
updates:
  - {severity: SEV1, first: 5m, every: 20m}
  - {severity: SEV2, first: 5m, every: 20m}
  - {severity: SEV3, first: 5m, every: 20m}
  - {severity: SEV4, first: 5m, every: 20m}
flow:
  - id: look
    title: Look
    to: 5m
    nodes:
      - {id: first, title: First, sense: secrets.failed}
      - {id: second, title: Second}
      - {id: aside, title: Aside, beside: second}
  - id: why
    title: Why
    from: 5m
    to: 15m
    nodes:
      - {id: hand, title: By hand, group: How, leads_to: net}
      - {id: clock, title: By clock, group: How, leads_to: net}
      - id: net
        title: Network
        group: Where
        lines:
          - {id: dns, text: a name, sense: network.dns}
checklist:
  - id: now
    title: Now
    to: 10m
    mode: read-do
    complete: NOW COMPLETE
    items:
      - id: try
        text: Try it
        expect: 0 untried
        killer: true
        sense: secrets.tested
      - id: call
        text: Call security
        forward_when: [compromised]
  - id: later
    title: Later
    from: 1d
    to: 7d
    mode: do-confirm
    owned: true
    complete: LATER COMPLETE
    items:
      - id: meet
        text: Meet
        due: 3d
lessons:
  - id: once
    title: It happened once
    sense: [lesson.seal]
    prevent: [Do otherwise]
`

func TestSmallIsValid(t *testing.T) {
	r, err := Parse("small.yaml", []byte(small), known)
	if err != nil {
		t.Fatal(err)
	}
	if broken := promises(r, known); broken != nil {
		t.Error(broken)
	}
}

func TestMistakesAreFoundAtTheirLine(t *testing.T) {
	wide := strings.Repeat("w", 200)
	tests := []struct {
		name     string
		old, new string // the mistake
		want     string // "path: message", as far as it tells
		near     string // what the line of the problem holds
	}{
		{"unknown key", "title: Look\n", "titel: Look\n", `flow[0].titel: unknown key`, "titel:"},
		{"the meant key", "mode: read-do", "mode: readdo", `did you mean "read-do"?`, "readdo"},
		{"wrong version", "version: 1", "version: 2", "version: found 2; expected 1", "version: 2"},
		{"no name", "name: Small\n", "", "name: missing", ""},
		{"no phases", small[strings.Index(small, "flow:"):strings.Index(small, "checklist:")], "flow: []\n", "flow: is empty", "flow:"},
		{"no nodes", small[strings.Index(small, "nodes:\n      - {id: first"):strings.Index(small, "  - id: why")], "nodes: []\n", "flow[0].nodes: is empty", "nodes: []"},
		{"no items", small[strings.Index(small, "items:\n      - id: meet"):strings.Index(small, "lessons:")], "items: []\n", "checklist[1].items: is empty", "items: []"},
		{"no measures", "[Do otherwise]", "[]", "lessons[0].prevent: is empty", "prevent:"},
		{"missing severity", "  - {severity: SEV3, first: 5m, every: 20m}\n", "", "updates: SEV3 is missing; expected each of SEV1, SEV2, SEV3, SEV4 once", "updates:"},
		{"severity twice", "SEV3", "SEV2", "updates[2].severity: SEV2 is in updates[1] already", "SEV2"},
		{"no such severity", "SEV3", "SEV5", `updates[2].severity: found "SEV5"`, "SEV5"},
		{"told all the time", "SEV3, first: 5m, every: 20m", "SEV3, first: 5m, every: 20s", "updates[2].every: found", "20s"},
		{"no completion call", "    complete: NOW COMPLETE\n", "", "checklist[0].complete: missing", "id: now"},
		{"empty completion call", "NOW COMPLETE", "''", "checklist[0].complete: is empty", "complete: ''"},
		{"id twice", "id: second", "id: first", `flow[0].nodes[1].id: "first" is the id of flow[0].nodes[0].id already (line 13)`, "Second"},
		{"id twice across parts", "id: meet", "id: dns", `checklist[1].items[0].id: "dns" is the id of flow[1].nodes[2].lines[0].id already (line 27)`, "- id: dns"},
		{"id of the call before", "id: meet", "id: now.complete", `"now.complete" is the id of checklist[0].complete already`, "now.complete"},
		{"id of the call after", "id: try", "id: later.complete", `checklist[0].items[0].id: "later.complete" is the id of the phase's completion call`, "later.complete"},
		{"id with spaces", "id: meet", "id: to meet", "checklist[1].items[0].id: is not an id", "to meet"},
		{"id too long", "id: meet", "id: " + wide, "checklist[1].items[0].id: is not an id", "id: www"},
		{"beside nothing", "beside: second", "beside: secnod", `flow[0].nodes[2].beside: there is no main-line node of this id in the phase; expected first or second; did you mean "second"?`, "secnod"},
		{"beside itself", "beside: second", "beside: aside", "flow[0].nodes[2].beside: there is no main-line node", "beside: aside"},
		{"beside a node of another phase", "beside: second", "beside: net", "flow[0].nodes[2].beside: there is no main-line node", "beside: net"},
		{"four side nodes", "      - {id: aside, title: Aside, beside: second}\n", many("      - {id: x%d, title: X, beside: second}\n", 4), "flow[0].nodes[5].beside: 3 nodes stand beside it already", "id: x3"},
		{"beside in a matrix", "group: How, leads_to: net}", "group: How, leads_to: net, beside: clock}", "flow[1].nodes[0].beside: is for the nodes of a main line", "By hand"},
		{"leads to nothing", "title: By clock, group: How, leads_to: net", "title: By clock, group: How, leads_to: nat", `flow[1].nodes[1].leads_to: there is no node of this id in the next group; expected net; did you mean "net"?`, "nat"},
		{"leads to its own group", "title: By clock, group: How, leads_to: net", "title: By clock, group: How, leads_to: hand", "flow[1].nodes[1].leads_to: there is no node of this id in the next group", "By clock"},
		{"leads on from the last group", "group: Where\n", "group: Where\n        leads_to: hand\n", "flow[1].nodes[2].leads_to: stands in the last group", "leads_to: hand"},
		{"leads to in a line", "sense: secrets.failed}", "sense: secrets.failed, leads_to: second}", "flow[0].nodes[0].leads_to: is for the nodes of a matrix", "First"},
		{"lines in a line", "{id: second, title: Second}", "{id: second, title: Second, lines: [{id: l, text: L}]}", "flow[0].nodes[1].lines: are for the nodes of a matrix", "Second"},
		{"group in a line", "title: Second", "title: Second, group: How", "flow[0].nodes[1].group: stands in a phase whose first node has no group", "Second"},
		{"no group in a matrix", "{id: clock, title: By clock, group: How, leads_to: net}", "{id: clock, title: By clock}", "flow[1].nodes[1]: has no group", "By clock"},
		{"six columns", "      - id: net\n", many("      - {id: x%d, title: X, group: G%[1]d}\n", 4) + "      - id: net\n", "flow[1].nodes: has 6 groups; expected at most 4", "nodes:"},
		{"ten nodes", "      - {id: second, title: Second}\n", many("      - {id: x%d, title: X}\n", 8) + "      - {id: second, title: Second}\n", "flow[0].nodes: has 10 nodes in its main line; expected at most 9", "nodes:"},
		{"ten rows", "      - {id: clock, title: By clock, group: How, leads_to: net}\n", many("      - {id: x%d, title: X, group: How}\n", 9), "flow[1].nodes: has 10 nodes in one group; expected at most 9", "nodes:"},
		{"ten lines", "          - {id: dns, text: a name, sense: network.dns}\n", many("          - {id: x%d, text: X}\n", 10), "flow[1].nodes[2].lines: has 10 lines; expected at most 9", "lines:"},
		{"ten items", "      - id: call\n", many("      - {id: x%d, text: X}\n", 8) + "      - id: call\n", "checklist[0].items: has 10 items; expected at most 9", "items:"},
		{"ten phases", "  - id: why\n", many("  - {id: p%d, title: P, to: 1m, nodes: [{id: n%[1]d, title: N}]}\n", 8) + "  - id: why\n", "flow: has 10 phases; expected at most 9", "flow:"},
		{"ten measures", "[Do otherwise]", "[a, b, c, d, e, f, g, h, i, j]", "lessons[0].prevent: has 10 measures; expected at most 9", "prevent:"},
		{"phase backwards", "    from: 5m\n    to: 15m\n", "    from: 15m\n    to: 5m\n", "flow[1].to: the phase ends at 5m, and begins at 15m", "to: 5m"},
		{"phase of no length", "    from: 5m\n    to: 15m\n", "    from: 5m\n    to: 5m\n", "flow[1].to: the phase ends at 5m, and begins at 5m", "to: 5m"},
		{"phases overlap", "    from: 5m\n", "    from: 4m\n", "flow[1].from: the phase begins at 4m, before the one above it ends at 5m", "from: 4m"},
		{"phases overlap from zero", "    from: 5m\n", "", "flow[1].to: the phase begins at 0s, before the one above it ends at 5m", "to: 15m"},
		{"lists overlap", "    from: 1d\n", "    from: 9m\n", "checklist[1].from: the phase begins at 9m, before the one above it ends at 10m", "from: 9m"},
		{"no end", "    to: 15m\n", "", "flow[1].to: missing", "id: why"},
		{"bare number", "to: 15m", "to: 15", "flow[1].to: found 15", "to: 15"},
		{"value as a number", "        due: 3d\n", "        due: 3d\n      - {id: k, text: K, expect: 0, killer: true}\n", "checklist[1].items[1].expect: found 0; expected text", "id: k"},
		{"killer behind", "        due: 3d\n", "        due: 3d\n      - {id: k, text: K, expect: 0 left, killer: true}\n", "checklist[1].items[1].killer: comes after checklist[1].items[0], which is none", "id: k"},
		{"killer without a value", "        expect: 0 untried\n", "", "checklist[0].items[0].expect: missing; expected the value", "id: try"},
		{"due without owners", "    owned: true\n", "", "checklist[1].items[0].due: is for phases that are owned", "due: 3d"},
		{"no such verdict", "[compromised]", "[comprimised]", `checklist[0].items[1].forward_when[0]: is no verdict of the flow; expected expired, stuck or compromised; did you mean "compromised"?`, "comprimised"},
		{"verdict twice", "[compromised]", "[stuck, stuck]", "checklist[0].items[1].forward_when[1]: stuck is named twice", "stuck"},
		{"no such sensor of a node", "secrets.failed", "secret.failed", `flow[0].nodes[0].sense: there is no sensor of this name; did you mean "secrets.failed"?`, "secret.failed"},
		{"no such sensor of a line", "network.dns", "network.dsn", `flow[1].nodes[2].lines[0].sense: there is no sensor of this name; did you mean "network.dns"?`, "network.dsn"},
		{"no such sensor of an item", "secrets.tested", "frobnicated", `checklist[0].items[0].sense: there is no sensor of this name; warroom runbook sensors`, "frobnicated"},
		{"no such sensor of a lesson", "lesson.seal", "lesson.seel", `lessons[0].sense[0]: there is no sensor of this name; did you mean "lesson.seal"?`, "lesson.seel"},
		{"name too wide", "name: Small", "name: " + wide, "name: is 200 cells wide; expected at most 60", "name:"},
		{"title too wide", "title: Look", "title: " + wide, "flow[0].title: is 200 cells wide; expected at most 40", "title:"},
		{"node too wide", "title: Network", "title: " + wide, "flow[1].nodes[2].title: is 200 cells wide; expected at most 26", "title:"},
		{"text too wide", "text: Try it", "text: " + wide[:61], "checklist[0].items[0].text: is 61 cells wide; expected at most 60", "text:"},
		{"text too wide in few letters", "text: Try it", "text: " + strings.Repeat("密", 31), "checklist[0].items[0].text: is 62 cells wide; expected at most 60", "text:"},
		{"value too wide", "expect: 0 untried", "expect: " + wide[:41], "checklist[0].items[0].expect: is 41 cells wide; expected at most 40", "expect:"},
		{"measure too wide", "Do otherwise", wide, "lessons[0].prevent[0]: is 200 cells wide; expected at most 100", "prevent:"},
		{"control character", "text: Try it", `text: "Try\eit"`, "checklist[0].items[0].text: holds control characters", "text:"},
		{"line break", "text: Try it", `text: "Try\nit"`, "checklist[0].items[0].text: holds control characters", "text:"},
		{"turned writing", "text: Try it", `text: "Try\u202eit"`, "checklist[0].items[0].text: holds control characters", "text:"},
		{"hidden character", "text: Try it", `text: "Try\u200bit"`, "checklist[0].items[0].text: holds characters that are not drawn", "text:"},
		{"nothing to see", "text: Try it", `text: "\u0301"`, "checklist[0].items[0].text: shows nothing", "text:"},
		{"space at the end", "text: Try it", `text: "Try it "`, "checklist[0].items[0].text: begins or ends with a space", "text:"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(small, test.old, test.new, 1)
			if text == small {
				t.Fatal("nothing was replaced")
			}
			r, err := Parse("r.yaml", []byte(text), known)
			e, ok := errors.AsType[*Error](err)
			if !ok || r != nil {
				t.Fatalf("%v, %v; want an *Error", r, err)
			}
			at := slices.IndexFunc(e.Problems, func(p decode.Problem) bool { return strings.Contains(p.String(), test.want) })
			if at < 0 {
				t.Fatalf("got  %v\nwant %s", err, test.want)
			}
			if line := strings.Split(text, "\n")[e.Problems[at].Line-1]; !strings.Contains(line, test.near) {
				t.Errorf("%s: the line is %q, want one with %q", e.Problems[at], line, test.near)
			}
			if e.File != "r.yaml" || e.Problems[at].File != "r.yaml" {
				t.Errorf("the problem is of %q", e.File)
			}
		})
	}
}

// many is line, repeated n times with a number in it.
func many(line string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, line, i)
	}
	return b.String()
}

func TestAllMistakesAreReportedTogether(t *testing.T) {
	text := small
	for old, new := range map[string]string{
		"name: Small":                  "name: Small\ncolour: red",
		"{severity: SEV3":              "{severity: SEV1",
		"sense: secrets.failed":        "sense: secrets.faild",
		"beside: second":               "beside: seconds",
		"leads_to: net}":               "leads_to: nett}",
		"    from: 5m\n":               "    from: 3m\n",
		"    complete: NOW COMPLETE\n": "",
		"        expect: 0 untried\n":  "",
		"id: meet":                     "id: call",
		"[Do otherwise]":               "[]",
	} {
		text = strings.Replace(text, old, new, 1)
	}
	_, err := Parse("r.yaml", []byte(text), known)
	want := `r.yaml:3:1: colour: unknown key; expected one of version, name, updates, flow, checklist, lessons
r.yaml:4:1: updates: SEV3 is missing; expected each of SEV1, SEV2, SEV3, SEV4 once
r.yaml:7:16: updates[2].severity: SEV1 is in updates[0] already; expected each severity once
r.yaml:14:42: flow[0].nodes[0].sense: there is no sensor of this name; did you mean "secrets.failed"?
r.yaml:16:43: flow[0].nodes[2].beside: there is no main-line node of this id in the phase; expected first or second; did you mean "second"?
r.yaml:19:11: flow[1].from: the phase begins at 3m, before the one above it ends at 5m; expected one after the other
r.yaml:22:58: flow[1].nodes[0].leads_to: there is no node of this id in the next group; expected net; did you mean "net"?
r.yaml:30:5: checklist[0].complete: missing; expected what is called when everything above is settled, for example IMMEDIATE COMPLETE
r.yaml:35:9: checklist[0].items[0].expect: missing; expected the value that is typed to settle a killer item, for example 0 untested
r.yaml:50:13: checklist[1].items[0].id: "call" is the id of checklist[0].items[1].id already (line 39); expected one that is unique within the runbook
r.yaml:57:5: lessons[0].prevent: is empty; expected measures, one line each`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestSensorsAreNotCheckedWithoutAList(t *testing.T) {
	text := strings.Replace(small, "secrets.failed", "our.own", 1)
	if _, err := Parse("r.yaml", []byte(text), nil); err != nil {
		t.Error(err)
	}
	if _, err := Parse("r.yaml", []byte(text), []string{}); err == nil || strings.Count(err.Error(), "no sensor of this name") != 4 {
		t.Errorf("with an empty list: %v", err)
	}
}

func TestSourceIsACopy(t *testing.T) {
	data := []byte(small)
	r, err := Parse("r.yaml", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if string(r.Source) != small {
		t.Error("the source changed with the bytes that were parsed")
	}
}

func TestWhatIsNoRunbook(t *testing.T) {
	for _, text := range []string{"", "- a", "version", "\x00", "version: 1", "a: [", "flow: &a [*a]", "checklist:\n  - <<: *x\n"} {
		if r, err := Parse("r.yaml", []byte(text), nil); err == nil || r != nil {
			t.Errorf("%q: %v", text, r)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(guide)
	f.Add([]byte(small))
	f.Add([]byte(strings.Replace(small, "killer: true", "killer: false", 1)))
	f.Add([]byte(strings.Replace(small, "    from: 5m\n", "", 1)))
	f.Add([]byte(strings.Replace(small, "{id: second, title: Second}", "&n {id: second, title: Second}\n      - {<<: *n, id: third, beside: second}", 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Parse("r.yaml", data, known)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || len(e.Problems) == 0 || r != nil {
				t.Fatalf("%v, %v", r, err)
			}
			return
		}
		if broken := promises(r, known); broken != nil {
			t.Fatal(strings.Join(broken, "\n"))
		}
		if string(r.Source) != string(data) {
			t.Fatal("the source is not what was read")
		}
	})
}

// The embedded runbook is parsed once a start, before the first frame that shows
// it.
func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("guide.yaml", guide, known); err != nil {
			b.Fatal(err)
		}
	}
}
