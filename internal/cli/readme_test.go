package cli

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the README's picture")

const readme = "../../README.md"

var frame = regexp.MustCompile("(?s)(<!-- frame -->\n```text\n)(.*?)(```\n<!-- /frame -->)")

// The picture in the README is what the drill shows, but for the time and ages.
func TestTheREADMEsPictureIsTrue(t *testing.T) {
	d := console(t, 100, 30, drillConsole)
	got := d.WaitText("67% in 5m", "OLD_VERSION", "Retry attempts: 45", "VALID UNTIL passed", "Next: 7 days", "DB connection timeout", "Rate limit: RESET", "12 days", "2,847", "Replication lag: 45s", "23% in 24h", "45 secrets", "12 secrets", "2,347", "COMPLETE", "Anomaly detection: ON", "✗ FAIL 9  ! WARN 3")
	d.Press("q")
	if err := d.WaitEnd(); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		text = frame.ReplaceAll(text, []byte("${1}"+strings.ReplaceAll(got, "$", "$$")+"\n${3}"))
		if err := os.WriteFile(readme, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	block := frame.FindSubmatch(text)
	if block == nil {
		t.Fatal("the README has no frame")
	}
	if want := timeless(string(block[2])); timeless(got) != want {
		t.Errorf("the README's picture differs from the drill; with -update it is redrawn\n--- drill\n%s\n--- README\n%s", timeless(got), want)
	}
}

// timeless drops the clock, the ages and the blanks that they moved.
func timeless(screen string) string {
	screen = regexp.MustCompile(`(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d? \w{3} \d\d:\d\d:\d\d UTC`).ReplaceAllString(screen, "")
	screen = regexp.MustCompile(`(<?\d+s|\d+m|~ \S+)? *([║│])`).ReplaceAllString(screen, "$2")
	return strings.TrimSpace(regexp.MustCompile(`[ ─═]+`).ReplaceAllString(screen, " "))
}
