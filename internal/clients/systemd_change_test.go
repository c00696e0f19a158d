package clients

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
	"warroom/internal/labtest"
)

// Without a permit nothing is sent to a manager, and with one the call is seen once.
func TestARestartNeedsAPermit(t *testing.T) {
	fakeManager(t, true)
	set := newSet()
	t.Cleanup(set.Close)
	manager := set.Systemd(UserBus)
	var kept *NotPermitted
	for verb, reload := range map[string]bool{"RestartUnit": false, "ReloadOrRestartUnit": true} {
		if err := manager.ReloadOrRestart(t.Context(), "web.service", reload); !errors.As(err, &kept) || kept.Call.Name != verb+" web.service" {
			t.Errorf("%s without a permit: %v", verb, err)
		}
		b := &book{}
		// The manager's answer is empty, which names no job.
		if err := manager.ReloadOrRestart(WithPermit(t.Context(), b), "web.service", reload); err == nil {
			t.Errorf("%s: an empty answer is taken for a job", verb)
		}
		if got := b.changes(); len(got) != 1 || got[0] != "systemd:user "+verb+" web.service" {
			t.Errorf("the permit saw %q", got)
		}
	}
}

// Units of a real manager: one that stays up, one that cannot be reloaded, one whose
// start fails, and none.
func TestRealReloadOrRestart(t *testing.T) {
	u := labtest.UserManager(t)
	suffix := strconv.Itoa(os.Getpid())
	systemctl := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("systemctl", append([]string{"--user"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("systemctl %v: %v: %s", args, err, out)
		}
	}
	name := func(kind string) string { return "act-" + kind + "-" + suffix + ".service" }
	for kind, service := range map[string]string{
		"up":     "ExecStart=/bin/sleep 300\nExecReload=/bin/true",
		"reload": "ExecStart=/bin/sleep 300\nExecReload=/bin/false",
		"fails":  "Type=oneshot\nExecStart=/bin/false",
	} {
		path := filepath.Join(u.UnitDir, name(kind))
		if err := os.WriteFile(path, []byte("[Service]\n"+service+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = exec.Command("systemctl", "--user", "stop", name(kind)).Run()
			_ = os.Remove(path)
		})
	}
	systemctl("daemon-reload")
	systemctl("start", name("up"), name("reload"))
	set := newSet()
	t.Cleanup(set.Close)
	manager := set.Systemd(UserBus)
	ctx, cancel := context.WithTimeout(WithPermit(t.Context(), &book{}), 30*time.Second)
	defer cancel()
	before, err := manager.State(ctx, name("up"))
	if err != nil || before.Active != "active" || before.MainPID == 0 || before.Invocation == "" {
		t.Fatalf("%+v, %v", before, err)
	}
	if err := manager.ReloadOrRestart(ctx, name("up"), true); err != nil {
		t.Errorf("reload: %v", err)
	}
	if after, err := manager.State(ctx, name("up")); err != nil || after.Invocation != before.Invocation {
		t.Errorf("a reload started it anew: %+v, %v", after, err)
	}
	if err := manager.ReloadOrRestart(ctx, name("up"), false); err != nil {
		t.Errorf("restart: %v", err)
	}
	if after, err := manager.State(ctx, name("up")); err != nil || after.Invocation == before.Invocation {
		t.Errorf("a restart did not start it anew: %+v, %v", after, err)
	}
	for kind, want := range map[string]string{"fails": "failed", "gone": "", "reload": ""} {
		err := manager.ReloadOrRestart(ctx, name(kind), kind == "reload")
		var f *estate.Failure
		switch {
		case !errors.As(err, &f):
			t.Errorf("%s: %v", kind, err)
		case kind == "gone" && f.Kind != estate.Missing:
			t.Errorf("gone: %v", err)
		case !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %s", kind, err, want)
		}
	}
}
