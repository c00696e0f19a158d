package cli

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"warroom/internal/archive"
	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// The examples of docs/incident.md have the keys that the commands write, no more
// and no fewer.
func TestTheDocumentsAreAsDescribed(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "incident.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string]any{}
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		var doc map[string]any
		if err := json.Unmarshal([]byte(block[1]), &doc); err != nil {
			t.Fatalf("an example is no JSON: %v\n%s", err, block[1])
		}
		examples[doc["schema"].(string)] = doc
	}
	if len(examples) != 3 {
		t.Fatalf("the page has the examples %v", slices.Sorted(maps.Keys(examples)))
	}
	store := ownState(t)
	id := declare(t, store, "production", "db-rotation", incident.New("ic-1", incident.Noted{Text: "the payments team sees 503"}),
		incident.New("ic-1", incident.NodeMoved{Node: runbook.Guide().Flow[0].Nodes[0].ID, Act: incident.NodeDone, Verdict: "expired"}),
		incident.New("ic-1", incident.MeasureMoved{ID: "M1", Act: "opened", Kind: incident.MeasureBackupKey, What: "old key", Who: "ops-2"}))
	folder, err := store.Folder(id)
	if err != nil {
		t.Fatal(err)
	}
	segment := filepath.Join(folder, "journal-000001.log")
	whole, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segment, []byte(strings.Replace(string(whole), "payments", "Payments", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	writer, err := archive.New(store.Root(), archive.Options{Operator: "ic-1"}).Open(t.Context(), id) // so that somebody writes it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = writer.Close() }()
	for schema, args := range map[string][]string{
		incidentListSchema: {"incident", "list"}, incidentSchema: {"incident", "show", id, "--kind", "decision,measure,node,declared"}, incidentVerifySchema: {"incident", "verify", id},
	} {
		out, _ := run(t, append(args, "--json")...)
		out, _, _ = strings.Cut(out, "\nwarroom:")
		var doc any
		if err := json.Unmarshal([]byte(out), &doc); err != nil {
			t.Errorf("%s: %v\n%s", schema, err, out)
			continue
		}
		got, want := keysOf("", doc), keysOf("", examples[schema])
		if !slices.Equal(got, want) {
			t.Errorf("%s has the keys\n%v\nand the page says\n%v", schema, got, want)
		}
	}
	for _, word := range []string{"warroom/keys", "--signing-key", "verify --head", "--alert-time", "--plain"} {
		if !strings.Contains(string(page), word) {
			t.Errorf("the page says nothing of %s", word)
		}
	}
}

// keysOf are the paths of all keys of a document, each once; what an event's data
// and the roles hold is their own.
func keysOf(at string, doc any) []string {
	seen := map[string]bool{}
	var walk func(string, any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, inner := range v {
				path := at + "." + key
				seen[path] = true
				if key != "data" && key != "roles" {
					walk(path, inner)
				}
			}
		case []any:
			for _, inner := range v {
				walk(at+"[]", inner)
			}
		}
	}
	walk(at, doc)
	return slices.Sorted(maps.Keys(seen))
}
