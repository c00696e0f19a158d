package ui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"warroom/internal/theme"
)

var update = flag.Bool("update", false, "write the golden frames anew")

// TestGolden compares whole frames with the ones that were looked at, styles
// included, in a form that reads in a diff.
func TestGolden(t *testing.T) {
	for _, th := range []string{theme.Default, theme.NoColor, theme.Light} {
		for _, size := range [][2]int{{80, 24}, {100, 30}, {160, 45}, {200, 60}} {
			for _, v := range views {
				name := fmt.Sprintf("%s-%dx%d-%s", v.name, size[0], size[1], th)
				t.Run(name, func(t *testing.T) {
					chosen, err := theme.Choose(th, false)
					if err != nil {
						t.Fatal(err)
					}
					m := viewOf(crisis(), size[0], size[1], chosen, v.keys)
					exact(t, name, m)
					golden(t, name, readable(m.View().Content, th == theme.Default))
				})
			}
		}
	}
}

// readable writes escape sequences as text, after the plain screen as one sees
// it where that is asked for.
func readable(content string, plain bool) string {
	styled := strings.ReplaceAll(content, "\x1b", "␛") + "\n"
	if plain {
		return ansi.Strip(content) + "\n\n" + styled
	}
	return styled
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	a, b := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			t.Fatalf("differs from %s at line %d (write it anew with -update after looking)\nwant %q\ngot  %q", path, i+1, at2(a, i), at2(b, i))
		}
	}
}

func at2(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}
