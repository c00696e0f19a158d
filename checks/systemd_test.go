package checks

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
)

func plainText(s string, limit int) string { return s[:min(len(s), limit)] }

func TestUnitSecrets(t *testing.T) {
	dir := t.TempDir()
	file, gone := filepath.Join(dir, "db.env"), filepath.Join(dir, "gone")
	if err := os.WriteFile(file, []byte("PASSWORD=canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
	p := properties{text: plainText, all: map[string]any{
		"LoadCredential":          [][]any{{"db", file}, {"key", gone}, {"relative", "db"}, {"short"}, {1, 2}},
		"LoadCredentialEncrypted": "of another type",
		"EnvironmentFiles":        [][]any{{file, false}, {gone, true}, {filepath.Join(dir, "*.env"), false}},
	}}
	want := []estate.UnitSecret{
		{Name: "db", How: "LoadCredential", Changed: at},
		{Name: "key", How: "LoadCredential", Missing: true},
		{Name: "relative", How: "LoadCredential"},
		{How: "LoadCredential"},
		{Name: file, How: "EnvironmentFile", Changed: at},
		{Name: filepath.Join(dir, "*.env"), How: "EnvironmentFile"},
	}
	if got := p.secrets(); !slices.Equal(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	many := make([][]any, 1000)
	for i := range many {
		many[i] = []any{strings.Repeat("x", 10_000), "y"}
	}
	p.all = map[string]any{"LoadCredential": many}
	if got := p.secrets(); len(got) != unitSecrets || len(got[0].Name) > nameLimit {
		t.Errorf("%d secrets, the first with a name of %d bytes", len(got), len(got[0].Name))
	}
}

func TestUnitProperties(t *testing.T) {
	p := properties{text: plainText, all: map[string]any{
		"Int": int32(-3), "Uint": uint32(7), "Text": "active", "Odd": []any{1},
		"Never": uint64(0), "Infinite": ^uint64(0), "At": uint64(1_767_323_045_000_000),
		"TimersCalendar":  [][]any{{"OnCalendar", "*-*-* 03:00:00", uint64(5)}, {"OnCalendar"}},
		"TimersMonotonic": [][]any{{"OnBootUSec", uint64(90_000_000), uint64(0)}, {1, 2}},
	}}
	if p.number("Int") != -3 || p.number("Uint") != 7 || p.number("Text") != 0 || p.number("None") != 0 {
		t.Error("numbers")
	}
	if p.word("Text") != "active" || p.word("Odd") != "" {
		t.Error("words")
	}
	if !p.at("Never").IsZero() || !p.at("Infinite").IsZero() || !p.at("Text").IsZero() || !p.at("At").Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("times: %v", p.at("At"))
	}
	if got, want := p.schedule(), "*-*-* 03:00:00, OnBoot 1m30s"; got != want {
		t.Errorf("schedule %q, want %q", got, want)
	}
}
