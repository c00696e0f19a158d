package diagnosis

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write the sensors of docs/runbook.md anew")

const docs = "../../docs/runbook.md"

// The sensors stand between these lines; everything else is written by hand.
const (
	sensorsBegin = "<!-- sensors -->\n"
	sensorsEnd   = "<!-- /sensors -->\n"
)

func TestTheDocsListEverySensor(t *testing.T) {
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := bytes.Cut(text, []byte(sensorsBegin))
	got, tail, ended := bytes.Cut(rest, []byte(sensorsEnd))
	if !ok || !ended {
		t.Fatalf("%s has no section of sensors", docs)
	}
	var want bytes.Buffer
	want.WriteString("| sensor | asks | speaks for it when |\n|---|---|---|\n")
	for _, s := range Sensors() {
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", s.Name, s.Asks, s.When)
	}
	if *update {
		whole := slices.Concat(head, []byte(sensorsBegin), want.Bytes(), []byte(sensorsEnd), tail)
		if err := os.WriteFile(docs, whole, 0o644); err != nil {
			t.Fatal(err)
		}
		got = want.Bytes()
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is stale; go test ./internal/diagnosis -update writes it anew. Got:\n%s", docs, got)
	}
}
