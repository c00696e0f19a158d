package runbook

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"warroom/internal/decode"
)

var update = flag.Bool("update", false, "write the keys of docs/runbook.md anew")

const docs = "../../docs/runbook.md"

// The keys stand between these lines; everything else is written by hand.
const (
	keysBegin = "<!-- keys: go test ./internal/runbook -update writes this section -->\n"
	keysEnd   = "<!-- /keys -->\n"
)

func TestReferenceIsFresh(t *testing.T) {
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := bytes.Cut(text, []byte(keysBegin))
	got, tail, ended := bytes.Cut(rest, []byte(keysEnd))
	if !ok || !ended {
		t.Fatalf("%s has no section of keys", docs)
	}
	want := reference()
	if *update {
		whole := slices.Concat(head, []byte(keysBegin), want, []byte(keysEnd), tail)
		if err := os.WriteFile(docs, whole, 0o644); err != nil {
			t.Fatal(err)
		}
		got = want
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale; go test ./internal/runbook -update writes it anew. Got:\n%s", docs, got)
	}
}

func TestDocsExampleIsValid(t *testing.T) {
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllSubmatch(text, -1)
	if len(blocks) == 0 {
		t.Fatal("there is no example")
	}
	for _, b := range blocks {
		r, err := Parse("example.yaml", b[1], known)
		if err != nil {
			t.Fatal(err)
		}
		if broken := promises(r, known); broken != nil {
			t.Error(broken)
		}
	}
}

// What the docs say of the embedded runbook is so.
func TestDocsTellTheGuide(t *testing.T) {
	raw, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	var killers []string
	for _, p := range Guide().Checklist {
		for _, i := range p.Items {
			if i.Killer {
				killers = append(killers, i.ID)
			}
		}
	}
	var told []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z]+\\.[a-z]+)` \\| [A-Z]").FindAllStringSubmatch(text[:strings.Index(text, "**Forward.**")], -1) {
		told = append(told, row[1])
	}
	if !slices.Equal(killers, told) {
		t.Errorf("killers %v, told %v", killers, told)
	}
	short := func(s string) string { return regexp.MustCompile(`([0-9])([a-z])`).ReplaceAllString(s, "$1 $2") }
	for _, c := range Guide().Updates {
		scoped, relax := "–", "never"
		if c.Scoped > 0 {
			scoped = short(decode.FormatDuration(c.Scoped))
		}
		if c.Relax > 0 {
			relax = short(decode.FormatDuration(c.Relax))
		}
		row := fmt.Sprintf(" | %s | %s | %s | %s |", short(decode.FormatDuration(c.First)), scoped, short(decode.FormatDuration(c.Every)), relax)
		if !regexp.MustCompile(`(?m)^\| [^|]*` + string(c.Severity) + `[^|]*` + regexp.QuoteMeta(row)).MatchString(text) {
			t.Errorf("no row %s%s", c.Severity, row)
		}
	}
	counts := fmt.Sprintf("At most %d phases of the flow and %[1]d of the checklist, %d nodes in a main line or a column, %d columns, %d lines in a node, %d items in a phase, %d lessons, %d measures in each. An id is at most %d small letters",
		maxPhases, maxMain, maxColumns, maxLines, maxItems, maxLessons, maxPrevents, longID)
	if maxRows != maxMain || maxSides != 3 || !strings.Contains(strings.ReplaceAll(text, "\n", " "), counts) {
		t.Errorf("does not say: %s", counts)
	}
	for _, limit := range []string{
		fmt.Sprintf("title of a lesson | %d |", wideName), fmt.Sprintf("text of a line | %d |", wideLine), fmt.Sprintf("group | %d |", wideNode),
		fmt.Sprintf("`leave` | %d |", wideLeave), fmt.Sprintf("measure of a lesson | %d |", widePrevent), fmt.Sprintf("summary of a lesson | %d |", wideSummary),
	} {
		if !strings.Contains(text, limit) {
			t.Errorf("no row %s", limit)
		}
	}
}

// reference are the tables of keys, made of the tags that the decoder goes by.
func reference() []byte {
	var b bytes.Buffer
	under := map[reflect.Type][]string{}
	queue := []reflect.Type{reflect.TypeFor[Runbook]()}
	for i := 0; i < len(queue); i++ {
		for _, f := range decode.Fields(queue[i]) {
			s := f.Struct()
			if s == nil {
				continue
			}
			if under[s] == nil {
				queue = append(queue, s)
			}
			if name := "`" + f.Key + "`"; !slices.Contains(under[s], name) {
				under[s] = append(under[s], name)
			}
		}
	}
	for i, t := range queue {
		heading := "The file"
		if i > 0 {
			heading = strings.Join(under[t], ", ") + " (" + titles[t] + ")"
		}
		fmt.Fprintf(&b, "\n### %s\n\n| key | value | meaning |\n|---|---|---|\n", heading)
		for _, f := range decode.Fields(t) {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Key, valueOf(f), strings.ReplaceAll(f.Doc, "|", "\\|"))
		}
	}
	b.WriteString("\n")
	return b.Bytes()
}

// titles tell the blocks apart that stand under keys of the same kind.
var titles = map[reflect.Type]string{
	reflect.TypeFor[Cadence]():   "one of each severity",
	reflect.TypeFor[FlowPhase](): "a phase of the flow",
	reflect.TypeFor[ListPhase](): "a phase of the checklist",
	reflect.TypeFor[Lesson]():    "a past incident",
	reflect.TypeFor[Node]():      "a node of the flow",
	reflect.TypeFor[Line]():      "a possibility within a node of a matrix",
	reflect.TypeFor[Item]():      "an item of the checklist",
}

func valueOf(f decode.Field) string {
	what := "text"
	switch {
	case len(f.Enum) > 0:
		what = "`" + strings.Join(f.Enum, "`, `") + "`"
	case f.IsDuration():
		what = "duration"
	case f.Struct() != nil:
		what = "list of blocks"
	case f.Type.Kind() == reflect.Slice:
		what = "list of texts"
	case f.Type.Kind() == reflect.Bool:
		what = "true or false"
	}
	switch {
	case f.Min != "" && f.Min != "0s" && f.Max != "":
		what += ", " + f.Min + " to " + f.Max
	case f.Max != "":
		what += ", at most " + f.Max
	}
	if f.Required {
		what += ", required"
	}
	return what
}
