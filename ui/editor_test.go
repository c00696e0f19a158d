package ui

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"warroom/ui/driver"
)

// TestTheDraftIsEditedInTheEditor runs a console with an incident as a process on
// a real pseudo-terminal, which it gives to $EDITOR and takes back.
func TestTheDraftIsEditedInTheEditor(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the editor of this test is a shell script")
	}
	dir := t.TempDir()
	script, seen := filepath.Join(dir, "edit.sh"), filepath.Join(dir, "seen")
	// It notes which file it was given and how that is protected, and changes it.
	err := os.WriteFile(script, []byte(`set -e
ls -ld "$1" > `+seen+`
ls -ld "$(dirname "$1")" >> `+seen+`
env >> `+seen+`
echo "editing: press enter"
read answer
echo "Edited by hand." >> "$1"
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"=incident", "TERM=xterm-256color", "EDITOR=sh "+script, "VISUAL=", "TMPDIR="+dir)
	for _, name := range append(credentials, "BRIDGE_WEBHOOK") {
		cmd.Env = append(cmd.Env, name+"="+canary)
	}
	cmd.Env = append(cmd.Env, "EDITOR_STYLE=kept")
	d := driver.Start(t, 100, 30, driver.Process(cmd))
	d.WaitText("SEV2", "Edge Plane")
	d.Press("U")
	d.WaitText("Status update, drafted from the evidence")
	d.Press("e")
	d.WaitText("editing: press enter")
	d.Press("enter")
	d.WaitText("as you changed it", "Edited by hand.")
	d.Press("q")
	d.WaitText("has not gone out")
	d.Press("esc")
	d.WaitGone("has not gone out")

	listed, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"-rw-------", "drwx------"} {
		if line := strings.Split(string(listed), "\n")[i]; !strings.HasPrefix(line, want) {
			t.Errorf("the draft lay as %q, want %s", line, want)
		}
	}
	for _, one := range strings.Split(string(listed), "\n") {
		if strings.Contains(one, canary) {
			t.Errorf("the editor inherits %s", one)
		}
	}
	if !strings.Contains(string(listed), "EDITOR_STYLE=kept") {
		t.Error("the editor inherits nothing")
	}
	left, err := filepath.Glob(filepath.Join(dir, "warroom-update-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("the editor's file is left behind: %v, %v", left, err)
	}
}
