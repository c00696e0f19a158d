package cli

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"warroom/internal/archive"
	"warroom/internal/incident"
	"warroom/ui/driver"
)

// drillProcess runs warroom drill in a process of its own, on a terminal.
func drillProcess(t *testing.T, store *archive.Store, args ...string) (*driver.Terminal, *exec.Cmd) {
	t.Helper()
	cmd := program(t, t.TempDir(), args...)
	cmd.Env = append(cmd.Env, "XDG_STATE_HOME="+strings.TrimSuffix(store.Root(), "/warroom/incidents"), "USER=ic-1", "TERM=xterm-256color")
	return driver.Start(t, 100, 30, driver.Process(cmd)), cmd
}

var incidentID = regexp.MustCompile(`\d{4}-\d{2}-\d{2}-\d+`)

// A console that is killed has lost nothing that it had said was recorded: the
// next one offers the incident, and goes on. One that is ended says how to resume.
func TestAKilledConsoleIsResumed(t *testing.T) {
	store := ownState(t)
	d, cmd := drillProcess(t, store, "drill")
	d.WaitText("DRILL db-rotation", "67%")
	d.Press("I")
	d.WaitText("Declare an incident")
	d.WaitText("enter")
	d.Press("tab")
	d.Type("logins fail for everyone")
	d.WaitText("logins fail for everyone")
	again(d, "the declaration", "enter", func(s string) bool { return strings.Contains(s, "declared: incident") })
	id := incidentID.FindString(d.Screen()[strings.Index(d.Screen(), "declared: incident"):])
	d.Press("m")
	d.WaitText("Note", "enter")
	d.Type("the bridge is up")
	d.WaitText("the bridge is up")
	again(d, "the note", "enter", func(s string) bool { return strings.Contains(s, "recorded: note") })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = d.WaitEnd()
	assertNoted(t, store, id)

	// The drill offers it; nothing else does.
	other := &casebook{store: store, environment: "production"}
	if listed, err := other.List(t.Context()); err != nil || len(listed) != 0 {
		t.Errorf("the estate itself is offered %v, %v", listed, err)
	}
	d, cmd = drillProcess(t, store, "drill")
	d.WaitText("Incident "+id+" is open", "logins fail for everyone")
	again(d, "resuming", "enter", func(s string) bool { return strings.Contains(s, "T+") && !strings.Contains(s, "is open") })
	d.Press("7")
	d.WaitText("the bridge is up", "resumed")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = d.WaitEnd()
	if said := d.Raw(); !strings.Contains(said, "warroom incident resume "+id) || !d.Restored() {
		t.Errorf("ended by a signal it said %q", said[max(0, len(said)-400):])
	}

	// resume opens a drill on its scenario.
	d, _ = drillProcess(t, store, "incident", "resume", "latest")
	d.WaitText("DRILL", "T+", "PHASE 1")
	d.Press("7")
	d.WaitText("the bridge is up")
	d.Press("q")
	if err := d.WaitEnd(); err != nil {
		t.Errorf("leaving: %v", err)
	}
	all := assertNoted(t, store, id)
	if last, ok := all[len(all)-1].Data.(incident.ConsoleMoved); !ok || last.Act != "left" {
		t.Errorf("the journal ends with %+v", all[len(all)-1])
	}
	if out, code := run(t, "incident", "verify", id); code != 0 {
		t.Errorf("verify: %d\n%s", code, out)
	}
}

func assertNoted(t *testing.T, store *archive.Store, id string) []incident.Event {
	t.Helper()
	all := events(t, store, id)
	var text bytes.Buffer
	for i := range all {
		text.WriteString(incident.Tell(&all[i], nil) + "\n")
	}
	if got := text.String(); !strings.Contains(got, "logins fail for everyone") || !strings.Contains(got, "the bridge is up") {
		t.Fatalf("incident %s holds\n%s", id, got)
	}
	return all
}
