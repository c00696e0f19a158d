package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// userManager is systemd as a user's manager, with a session bus and units of its
// own and none of the machine's. The machine need not have been booted with
// systemd.
type userManager struct {
	dir       string
	systemctl string
	manager   *process
}

func (*userManager) Name() string { return "systemd" }
func (*userManager) Key() string  { return "systemd" }

func (*userManager) Missing(context.Context) []Requirement {
	var packages []string
	if systemdPath() == "" {
		packages = append(packages, "systemd")
	}
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		packages = append(packages, "dbus-daemon", "dbus-session-bus-common")
	}
	if packages == nil {
		return nil
	}
	return []Requirement{{
		What: "systemd with a D-Bus daemon", Packages: packages,
		How: "install it with: apt-get install " + strings.Join(packages, " "),
	}}
}

// Unfit: the manager needs a mount of its own, and control groups that it may
// divide. Root has both outside of containers that forbid it; another user has
// them where a systemd has handed a control group over.
func (m *userManager) Unfit(ctx context.Context) string {
	try := []string{"--mount", "true"}
	if os.Geteuid() != 0 {
		try = append([]string{"--user", "--map-current-user", "--keep-caps"}, try...)
	}
	if err := exec.CommandContext(ctx, "unshare", try...).Run(); err != nil {
		return fmt.Sprintf("this user may not have mounts of its own here (unshare %s: %v)", strings.Join(try, " "), err)
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return fmt.Sprintf("its control group is not known: %v", err)
	}
	for _, dir := range controlGroups(string(groups)) {
		const write = 2
		if syscall.Access(dir, write) == nil {
			return ""
		}
	}
	return "this user may not divide its control group; root may, or a shell from: systemd-run --user --scope -p Delegate=yes"
}

// controlGroups are the folders where systemd would divide the group that
// /proc/self/cgroup tells of.
func controlGroups(text string) []string {
	var dirs []string
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		switch {
		case fields[1] == "name=systemd":
			dirs = append(dirs, filepath.Join("/sys/fs/cgroup/systemd", fields[2]))
		case fields[0] == "0" && fields[1] == "":
			dirs = append(dirs, filepath.Join("/sys/fs/cgroup", fields[2]), filepath.Join("/sys/fs/cgroup/unified", fields[2]))
		}
	}
	return dirs
}

// systemdPath is the manager's program, empty for none.
func systemdPath() string {
	for _, path := range []string{"/lib/systemd/systemd", "/usr/lib/systemd/systemd"} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// systemdScript runs the manager ($1) where /run is its own: it insists on a
// folder in /run that only a machine booted with systemd has, and nothing of the
// machine's is to be touched. As another user than root this takes a namespace of
// users, and the signal of our death has to be asked for anew after it.
const systemdScript = `mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/systemd/system && exec "$@"`

// command is the manager's command line.
func (m *userManager) command() []string {
	manager := []string{systemdPath(), "--user", "--log-target=console", "--log-level=notice"}
	if os.Geteuid() == 0 {
		return slices.Concat([]string{"unshare", "--mount", "sh", "-c", systemdScript, "sh"}, manager)
	}
	return slices.Concat([]string{"unshare", "--user", "--map-current-user", "--keep-caps", "--mount",
		"setpriv", "--pdeathsig", "TERM", "sh", "-c", systemdScript, "sh"}, manager)
}

func (m *userManager) Start(ctx context.Context, s *Site) error {
	m.dir = filepath.Join(s.Dir, "systemd")
	if err := os.Mkdir(m.dir, 0o700); err != nil {
		return fmt.Errorf("make systemd's folder: %w", err)
	}
	if err := errors.Join(os.Mkdir(m.runtimeDir(), 0o700), os.Mkdir(m.unitDir(), 0o700)); err != nil {
		return fmt.Errorf("make systemd's folders: %w", err)
	}
	for name, text := range units("lab" + strings.ToLower(rand.Text()[:12])) {
		if err := os.WriteFile(filepath.Join(m.unitDir(), name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write the unit %s: %w", name, err)
		}
	}
	log := filepath.Join(s.Dir, "systemd.log")
	var err error
	command := m.command()
	manager := exec.Command(command[0], command[1:]...)
	manager.Dir, manager.Env = m.dir, m.env()
	// SIGTERM has it stop its units first; nothing of them is left behind.
	if m.manager, err = launch(manager, nil, log, syscall.SIGTERM); err != nil {
		return err
	}
	if m.systemctl, err = exec.LookPath("systemctl"); err != nil {
		return fmt.Errorf("find systemctl: %w", err)
	}
	if err := poll(ctx, m.manager, func(ctx context.Context) error {
		_, err := m.ctl(ctx, "show", "--property=Version")
		return err
	}); err != nil {
		return err
	}
	// Through the bus from here on, as everybody else comes.
	if _, err := m.ctl(ctx, "start", "dbus.service"); err != nil {
		return err
	}
	if err := poll(ctx, m.manager, func(ctx context.Context) error {
		_, err := runTool(ctx, nil, m.env(), "", "busctl", "--user", "--no-pager", "get-property",
			"org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "Version")
		return err
	}); err != nil {
		return err
	}
	// The one that fails makes this call fail; what became of it is looked at below.
	_, _ = m.ctl(ctx, "start", goodUnit, failedUnit, goodTimer, failedTimer)
	return poll(ctx, m.manager, m.asDescribed)
}

// asDescribed is nil once every unit is what Describe says of it.
func (m *userManager) asDescribed(ctx context.Context) error {
	for _, one := range []struct{ unit, property, want string }{
		{goodUnit, "SubState", "running"},
		{failedUnit, "ActiveState", "failed"},
		{goodTimer, "ActiveState", "active"},
		{failedTimer, "ActiveState", "active"},
		{strings.TrimSuffix(goodTimer, ".timer") + ".service", "ActiveState", "inactive"},
		{strings.TrimSuffix(goodTimer, ".timer") + ".service", "ExecMainStatus", "0"},
		{strings.TrimSuffix(failedTimer, ".timer") + ".service", "ExecMainStatus", "4"},
	} {
		out, err := m.ctl(ctx, "show", "--property="+one.property, "--value", one.unit)
		if err != nil {
			return err
		}
		if got := strings.TrimSpace(out); got != one.want {
			return fmt.Errorf("%s of %s is %q, want %q", one.property, one.unit, got, one.want)
		}
	}
	out, err := m.ctl(ctx, "show", "--property=LastTriggerUSec", "--value", goodTimer, failedTimer)
	if err != nil {
		return err
	}
	if strings.Contains(out, "n/a") || len(strings.Fields(out)) < 2 {
		return errors.New("a timer has not run its job yet")
	}
	return nil
}

// ctl asks the manager through its own command line.
func (m *userManager) ctl(ctx context.Context, args ...string) (string, error) {
	return runTool(ctx, nil, m.env(), "", m.systemctl, append([]string{"--user", "--no-pager"}, args...)...)
}

func (m *userManager) runtimeDir() string { return filepath.Join(m.dir, "run") }
func (m *userManager) unitDir() string    { return filepath.Join(m.dir, "units") }
func (m *userManager) busAddress() string { return "unix:path=" + filepath.Join(m.runtimeDir(), "bus") }

// env is what the bus, the manager and its command line have in common. None of
// the machine's units or generators are among it.
func (m *userManager) env() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "XDG_") || strings.HasPrefix(v, "DBUS_") || strings.HasPrefix(v, "SYSTEMD_") || strings.HasPrefix(v, "NOTIFY_SOCKET=")
	})
	return append(env, "XDG_RUNTIME_DIR="+m.runtimeDir(), "DBUS_SESSION_BUS_ADDRESS="+m.busAddress(), "XDG_CONFIG_HOME="+m.dir, "XDG_DATA_HOME="+m.dir,
		"SYSTEMD_UNIT_PATH="+m.unitDir(), "SYSTEMD_GENERATOR_PATH="+m.dir, "SYSTEMD_ENVIRONMENT_GENERATOR_PATH="+m.dir)
}

func (m *userManager) Describe(d *Description) {
	d.Systemd = &SystemdURL{
		BusAddress: m.busAddress(), RuntimeDir: m.runtimeDir(), UnitDir: m.unitDir(),
		GoodUnit: goodUnit, FailedUnit: failedUnit, Timer: goodTimer, FailedTimer: failedTimer,
	}
}

func (m *userManager) Stop() error { return m.manager.stop() }
