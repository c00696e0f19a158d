package cli

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the pictures in the documents")

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
	framed(t, readme, got)
}

// The picture in docs/recovery.md is what view 4 of the drill shows.
func TestThePictureOfTheRecoveryIsTrue(t *testing.T) {
	d := console(t, 100, 30, drillConsole)
	d.WaitText("DB connection timeout", "12 days", "✗ FAIL 9  ! WARN 3", "VALID UNTIL passed")
	d.Press("4")
	got := d.WaitText("Called for by the readings", "rotate-postgres: it fails", "prod/db/postgres: AWSPENDING", "load-balancer: 12 days", "all: these 3")
	d.Press("q")
	if err := d.WaitEnd(); err != nil {
		t.Error(err)
	}
	framed(t, "../../docs/recovery.md", got)
}

// framed holds the picture in a document against what was seen.
func framed(t *testing.T, path, got string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		text = frame.ReplaceAll(text, []byte("${1}"+strings.ReplaceAll(got, "$", "$$")+"\n${3}"))
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	block := frame.FindSubmatch(text)
	if block == nil {
		t.Fatalf("%s has no frame", path)
	}
	if want := timeless(string(block[2])); timeless(got) != want {
		t.Errorf("the picture in %s differs from the drill; with -update it is redrawn\n--- drill\n%s\n--- document\n%s", path, timeless(got), want)
	}
}

// timeless drops the clock, the ages and the blanks that they moved.
func timeless(screen string) string {
	screen = regexp.MustCompile(`(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d? \w{3} \d\d:\d\d:\d\d UTC`).ReplaceAllString(screen, "")
	screen = regexp.MustCompile(`(<?\d+s|\d+m|~ \S+)? *([║│])`).ReplaceAllString(screen, "$2")
	return strings.TrimSpace(regexp.MustCompile(`[ ─═]+`).ReplaceAllString(screen, " "))
}
