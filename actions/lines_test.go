package actions

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"warroom/internal/plan"
)

// logLine is how a line of the plain-text log is written.
var logLine = regexp.MustCompile(`^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ\] [✓✗!·] \S`)

// checkLog checks a plain-text log of so many lines.
func checkLog(t *testing.T, path string, lines int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if !logLine.MatchString(line) || strings.Contains(line, "new-value") {
			t.Errorf("line %d is %q", n, line)
		}
	}
	if n != lines || !strings.Contains(string(text), "✓ The run is done") {
		t.Errorf("%d lines, want %d:\n%s", n, lines, text)
	}
}

func TestALogThatCannotBeWrittenStopsNothing(t *testing.T) {
	folder := t.TempDir()
	link := filepath.Join(folder, "link")
	target := filepath.Join(folder, "target")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip("there are no symbolic links: ", err)
	}
	for name, path := range map[string]string{"a folder": folder, "no folder": filepath.Join(folder, "gone", "log"), "a link": link} {
		k := newDesk(t)
		k.Attach(k.log, path)
		k.arms()
		got := k.does(k.plans(plan.Forward, ""))
		said := 0
		for _, l := range got.Log {
			if strings.Contains(l.Text, "plain-text log cannot be written") {
				said++
			}
		}
		if got.State != plan.RunDone || said != 1 {
			t.Errorf("%s: %s, said %d times", name, got.State, said)
		}
	}
	if text, _ := os.ReadFile(target); len(text) > 0 {
		t.Errorf("it went through the link: %s", text)
	}
}

func TestALogEndsAtItsBound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := newLineLog(path, func(s string) string { return s })
	l.add(plan.Line{N: 1, At: t0, Mark: "ok", Text: "first"})
	if trouble := l.flush(true); trouble != "" {
		t.Fatal(trouble)
	}
	l.size = maxLog
	l.add(plan.Line{N: 2, At: t0, Mark: "fail", Text: "second"})
	if l.flush(true) == "" || l.flush(true) != "" {
		t.Error("its end is not said once")
	}
	l.close()
	if text, err := os.ReadFile(path); err != nil || string(text) != "[2026-11-23 03:00:00Z] ✓ first\n" {
		t.Errorf("%q, %v", text, err)
	}
}
