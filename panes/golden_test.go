package panes

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
	"warroom/internal/estate/estatetest"
	"warroom/internal/theme"
)

var update = flag.Bool("update", false, "write the golden frames anew")

var goldenBands = map[string]BandInfo{
	"band of a drill": {Environment: "simulated", Drill: "db-rotation", Mode: "READ-ONLY"},
	"band, armed":     {Environment: "production", Mode: "ARMED", Armed: 14*minute + 20*time.Second, Share: true, Frozen: now},
}

var goldenKeys = []KeyHint{
	{Key: "enter", Does: "detail"}, {Key: "tab", Does: "next pane"}, {Key: "/", Does: "filter"}, {Key: "r", Does: "check now"}, {Key: "?", Does: "help"},
	{Key: ":", Does: "palette"}, {Key: "y", Does: "copy", Disabled: "the terminal takes no clipboard"}, {Key: "z", Does: "freeze"}, {Key: "S", Does: "share"}, {Key: "q", Does: "quit"},
}

var goldenHelp = []HelpGroup{
	{Title: "Move", Keys: goldenKeys[:2]}, {Title: "Look", Keys: goldenKeys[2:9]}, {Title: "Leave", Keys: goldenKeys[9:]},
}

var goldenChoices = []Choice{
	{Label: "Freeze the frame", Detail: "the picture holds, reading goes on", Key: "z"},
	{Label: "Filter", Detail: "only what matches", Key: "/"},
	{Label: "Follow the replica", Detail: "", Key: "n", Disabled: "no incident is open"},
}

// Golden frames of every renderer, of what is derived from the crisis, at the sizes that the design sizes of the
// screen come down to. An escape is written ␛, so that a difference reads.
func TestGolden(t *testing.T) {
	r := estate.Derive(estatetest.Crisis(), estatetest.At)
	for _, size := range [][2]int{{80, 24}, {100, 30}, {160, 45}, {200, 60}} {
		for _, name := range []string{theme.Default, theme.NoColor, theme.Light} {
			w, h := size[0], size[1]
			var b bytes.Buffer
			add := func(title string, rows []string) {
				fmt.Fprintf(&b, "# %s\n", title)
				for _, row := range rows {
					fmt.Fprintf(&b, "%s\n", strings.ReplaceAll(row, "\x1b", "␛"))
				}
			}
			full := Frame{Width: w, Height: h, Theme: themeOf(t, name), Now: estatetest.At}
			of := func(w, h int) Frame {
				f := full
				f.Width, f.Height = w, h
				return f
			}
			for _, k := range []string{"band of a drill", "band, armed"} {
				add(k, Band(of(w, 1), goldenBands[k]))
			}
			add("strip", Strip(of(w, 2), r, nil))
			add("strip in one row", Strip(of(w, 1), r, nil))
			body := h - 4
			for _, column := range [][2]estate.Plane{{estate.Edge, estate.State}, {estate.Service, estate.Control}} {
				up, low := Split(r, column[0], column[1], body)
				for i, rows := range []int{up, low} {
					p := column[i]
					add(p.String(), Plane(of(w/2, rows), r, PlaneView{Plane: p, Focused: p == estate.Service, Selected: "rotation-lambda"}))
				}
			}
			add("state, filtered", Plane(of(w/2, 8), r, PlaneView{Plane: estate.State, Focused: true, Selected: "postgres-primary", Filter: "postgres"}))
			add("state, scrolled", Plane(of(w/2, 5), r, PlaneView{Plane: estate.State, Focused: true, Selected: "postgres-primary"}))
			rows, total := Detail(of(w, body), r, "postgres-primary", 0)
			add(fmt.Sprintf("detail, of %d rows", total), rows)
			rows, _ = Detail(of(w, body), r, "rotation-lambda", 1<<20)
			add("detail at its end", rows)
			add("footer", Footer(of(w, 1), goldenKeys, ""))
			add("footer with a message", Footer(of(w, 1), goldenKeys, "copied postgres-primary"))
			rows, _ = Help(full, "Keys: Planes", goldenHelp, 0)
			add("help", rows)
			add("palette", Palette(full, "fr", goldenChoices, 1))
			add("dialog", Dialog(full, "Quit warroom?", []string{"Two checks are running. What was read is read again at the next start.", "", "No incident is open."}, []string{"Cancel", "Quit"}, 0))

			path := filepath.Join("testdata", fmt.Sprintf("%dx%d-%s.golden", w, h, name))
			if *update {
				if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, b.Bytes()) {
				t.Errorf("%s differs; judge it by eye, then go test ./panes -run Golden -update:\n%s", path, difference(string(want), b.String()))
			}
		}
	}
}

// difference shows the first rows that differ.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	title := ""
	for i := range max(len(w), len(g)) {
		var a, b string
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if strings.HasPrefix(a, "# ") {
			title = a
		}
		if a != b {
			return fmt.Sprintf("%s, line %d\nwant %s\ngot  %s", title, i+1, a, b)
		}
	}
	return "only in length"
}
