package checks

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
	"warroom/internal/labtest"
)

// These tests run on the lab's user manager alone. They have no twin: the drill has
// no systemd, and no simulated D-Bus, because its applications run in a cluster.

// userUnits are units of this test's, beside those that the lab has.
type userUnits struct {
	*labtest.Systemd
	suffix string
}

func (u userUnits) name(kind string) string { return "twin-" + u.suffix + "." + kind }

// write makes unit files, and has the manager read them.
func (u userUnits) write(t *testing.T, files map[string]string) {
	t.Helper()
	for kind, text := range files {
		path := filepath.Join(u.UnitDir, u.name(kind))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(path) })
	}
	u.systemctl(t, "daemon-reload")
}

func (u userUnits) systemctl(t *testing.T, args ...string) {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command("systemctl", append([]string{"--user"}, args...)...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil && args[0] != "start" {
		t.Fatalf("systemctl %v: %v: %s", args, err, said.String())
	}
}

func TestRealUnits(t *testing.T) {
	u := userUnits{labtest.UserManager(t), fmt.Sprint(os.Getpid())}
	dir := t.TempDir()
	file, gone := filepath.Join(dir, "db.env"), filepath.Join(dir, "gone")
	if err := os.WriteFile(file, []byte("PASSWORD=canary-of-a-unit\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Hour)
	if err := os.Chtimes(file, before, before); err != nil {
		t.Fatal(err)
	}
	u.write(t, map[string]string{
		"service": fmt.Sprintf("[Unit]\nDescription=A twin\n[Service]\nSlice=twin.slice\nEnvironmentFile=%s\nEnvironmentFile=-%s\nExecStart=/bin/sleep infinity\n", file, gone),
	})
	u.systemctl(t, "start", u.name("service"))
	t.Cleanup(func() { u.systemctl(t, "stop", u.name("service")) })

	text := "checks: {interval: 15s, timeout: 5s}\ncomponents:\n"
	for id, unit := range map[string]string{"good": u.GoodUnit, "failed": u.FailedUnit, "absent": "twin-nobody.service", "own": u.name("service")} {
		text += fmt.Sprintf("- {id: %s, name: %[1]s, plane: service, application: {unit: %s, bus: user}}\n", id, unit)
	}
	for id, timer := range map[string]string{"rotated": u.Timer, "unrotated": u.FailedTimer, "untimed": "twin-nobody.timer"} {
		text += fmt.Sprintf("- {id: %s, name: %[1]s, plane: service, scheduled_job: {timer: %s, bus: user}}\n", id, timer)
	}
	cfg := twinConfig(t, text)
	r := twinCheck(t, cfg)

	good := twinData[estate.Unit](t, r, "good", estate.CheckUnit)
	if good.Load != "loaded" || good.Active != "active" || good.Sub != "running" || good.Result != "success" || good.Started.IsZero() || good.Changed.IsZero() {
		t.Errorf("the good unit %+v", good)
	}
	reads(t, r, "good", estate.OK, "HEALTHY")
	bad := twinData[estate.Unit](t, r, "failed", estate.CheckUnit)
	if bad.Active != "failed" || bad.Result != "exit-code" || bad.ExitCode != 3 {
		t.Errorf("the failed unit %+v", bad)
	}
	if one := mustReading(t, r, "failed"); one.Status != estate.Fail {
		t.Errorf("the failed unit reads %s %s", one.Status, one.Word)
	}
	for id, check := range map[estate.ID]string{"absent": estate.CheckUnit, "untimed": estate.CheckJob} {
		if f := twinSlot(t, r, id, check).Failure; f == nil || f.Kind != estate.Missing {
			t.Errorf("%s: %v", id, f)
		}
		if one := mustReading(t, r, id); one.Status != estate.Fail {
			t.Errorf("%s reads %s %s", id, one.Status, one.Word)
		}
	}
	rotated := twinData[estate.Job](t, r, "rotated", estate.CheckJob)
	if rotated.LastResult != "succeeded" || rotated.LastSuccess.IsZero() || rotated.Next.IsZero() || rotated.Suspended || !strings.Contains(rotated.Schedule, "03:00:00") {
		t.Errorf("the timer whose job succeeded %+v", rotated)
	}
	unrotated := twinData[estate.Job](t, r, "unrotated", estate.CheckJob)
	if unrotated.LastResult != "failed" || unrotated.Failures != 1 || !strings.Contains(unrotated.Reason, "exit-code 4") {
		t.Errorf("the timer whose job failed %+v", unrotated)
	}

	// What it reads when it starts is older than it, and then newer.
	own := twinData[estate.Unit](t, r, "own", estate.CheckUnit)
	if len(own.Secrets) != 1 || own.Secrets[0].Name != file || !own.Secrets[0].Changed.Before(own.Started) || own.Secrets[0].Missing {
		t.Errorf("the unit with files %+v", own)
	}
	reads(t, r, "own", estate.OK, "HEALTHY")
	if err := os.Chtimes(file, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	r = twinCheck(t, cfg)
	own = twinData[estate.Unit](t, r, "own", estate.CheckUnit)
	if !own.Secrets[0].Changed.After(own.Started) {
		t.Errorf("the file is newer than the unit: %+v", own)
	}
	if one := mustReading(t, r, "own"); one.Status != estate.Warn {
		t.Errorf("a unit that is older than its file reads %s %s (%s)", one.Status, one.Word, one.Reason)
	}
	u.systemctl(t, "restart", u.name("service"))
	r = twinCheck(t, cfg)
	reads(t, r, "own", estate.OK, "HEALTHY")
	if again := twinData[estate.Unit](t, r, "own", estate.CheckUnit); !again.Started.After(own.Started) {
		t.Errorf("started %s after a restart, %s before", again.Started, own.Started)
	}
}

// A bus that nobody serves is no fault of the unit's.
func TestRealBusAway(t *testing.T) {
	labtest.UserManager(t)
	away := t.TempDir()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(away, "nobody"))
	t.Setenv("XDG_RUNTIME_DIR", away)
	cfg := twinConfig(t, "checks: {interval: 15s, timeout: 5s}\ncomponents:\n- {id: a, name: a, plane: service, application: {unit: a.service, bus: user}}\n")
	r := twinCheck(t, cfg)
	f := twinSlot(t, r, "a", estate.CheckUnit).Failure
	if f == nil || f.Kind.Status() != estate.Unknown {
		t.Errorf("a bus that nobody serves: %v", f)
	}
}
