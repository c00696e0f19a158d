package checks

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// unitSecrets bounds the credentials and environment files looked at of a unit.
const unitSecrets = 32

// systemdProbes reads the units of applications and the timers of rotation jobs
// on this host.
func systemdProbes(cfg *config.Config, set *clients.Set) []Probe {
	var out []Probe
	add := func(id, check, name, bus string, read func(context.Context, *unitReader) (estate.Data, error)) {
		out = append(out, Probe{
			Key:    estate.Key{Component: estate.ID(id), Check: check},
			Source: "systemd " + name + " on the " + bus + " bus", System: "systemd:" + bus,
			Interval: cfg.Checks.Interval, Timeout: cfg.Checks.Timeout,
			Read: func(ctx context.Context) Result {
				manager := set.Systemd(bus)
				units, err := manager.Units(ctx)
				if err != nil {
					return Result{Err: err}
				}
				data, err := read(ctx, &unitReader{units: units, text: manager.Text, now: time.Now, uptime: machineUptime})
				if err != nil {
					return Result{Err: manager.Failure(err, "read "+name)}
				}
				return Result{Data: data}
			},
		})
	}
	for i := range cfg.Components {
		c := &cfg.Components[i]
		if a := c.Application; a != nil && a.Unit != "" {
			add(c.ID, estate.CheckUnit, a.Unit, a.Bus, func(ctx context.Context, r *unitReader) (estate.Data, error) { return r.unit(ctx, a.Unit) })
		}
		if j := c.ScheduledJob; j != nil && j.Timer != "" {
			add(c.ID, estate.CheckJob, j.Timer, j.Bus, func(ctx context.Context, r *unitReader) (estate.Data, error) { return r.timer(ctx, j.Timer) })
		}
	}
	return out
}

// unitReader reads properties of units.
type unitReader struct {
	units  *clients.UnitReads
	text   func(string, int) string
	now    func() time.Time
	uptime func() time.Duration // of the machine; 0 if not known
}

// machineUptime is how long this machine has been up, by the clock that systemd
// counts timers with.
func machineUptime() time.Duration {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// properties are those of one interface of a unit.
type properties struct {
	all  map[string]any
	text func(string, int) string
}

func (r *unitReader) properties(ctx context.Context, unit, kind string) (p properties, err error) {
	p.text = r.text
	if kind == "" {
		p.all, err = r.units.Properties(ctx, unit, "")
	} else {
		p.all, err = r.units.Properties(ctx, unit, kind)
	}
	return p, err
}

func (p properties) word(key string) string {
	s, _ := p.all[key].(string)
	return p.text(s, nameLimit)
}

func (p properties) number(key string) int {
	switch n := p.all[key].(type) {
	case int32:
		return int(n)
	case uint32:
		return int(n)
	}
	return 0
}

// at is a time in microseconds since 1970; systemd says 0, or the largest number,
// for never.
func (p properties) at(key string) time.Time {
	us, _ := p.all[key].(uint64)
	if us == 0 || us > 1<<62 {
		return time.Time{}
	}
	return time.UnixMicro(int64(us)).UTC()
}

// loaded is what is known of every unit. One that does not exist is a failure.
func (r *unitReader) loaded(ctx context.Context, name string) (estate.Unit, error) {
	p, err := r.properties(ctx, name, "")
	if err != nil {
		return estate.Unit{}, err
	}
	u := estate.Unit{
		Name: r.text(name, nameLimit), Load: p.word("LoadState"), Active: p.word("ActiveState"), Sub: p.word("SubState"),
		Changed: p.at("StateChangeTimestamp"), Described: p.word("Description"),
	}
	switch u.Load {
	case "":
		return u, hollow("the unit's load state")
	case "not-found":
		return u, &estate.Failure{Kind: estate.Missing, Detail: "systemd has no such unit", Next: "correct the name of the unit in warroom.yaml, and on which bus it is"}
	}
	return u, nil
}

func (r *unitReader) unit(ctx context.Context, name string) (estate.Data, error) {
	if !strings.Contains(name, ".") {
		name += ".service" // as systemctl does
	}
	u, err := r.loaded(ctx, name)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(name, ".service") {
		return u, nil // sockets, targets and the like have no process
	}
	p, err := r.properties(ctx, name, "Service")
	if err != nil {
		return nil, err
	}
	u.Result, u.ExitCode, u.Restarts = p.word("Result"), p.number("ExecMainStatus"), p.number("NRestarts")
	u.Started = p.at("ExecMainStartTimestamp")
	u.Secrets = p.secrets()
	return u, nil
}

// secrets are the credentials and environment files that the unit reads when it
// starts. Of a file only its time is looked at.
func (p properties) secrets() []estate.UnitSecret {
	var out []estate.UnitSecret
	add := func(how, name, path string, optional bool) {
		if len(out) == unitSecrets {
			return
		}
		one := estate.UnitSecret{Name: p.text(name, nameLimit), How: how}
		if filepath.IsAbs(path) && !strings.ContainsAny(path, "*?[") {
			info, err := os.Stat(path)
			switch {
			case err == nil:
				one.Changed = info.ModTime().UTC()
			case errors.Is(err, fs.ErrNotExist) && optional:
				return // it does without
			case errors.Is(err, fs.ErrNotExist):
				one.Missing = true
			}
		}
		out = append(out, one)
	}
	for _, how := range []string{"LoadCredential", "LoadCredentialEncrypted"} {
		pairs, _ := p.all[how].([][]any)
		for _, pair := range pairs {
			if len(pair) == 2 {
				id, _ := pair[0].(string)
				path, _ := pair[1].(string)
				add(how, id, path, false)
			}
		}
	}
	files, _ := p.all["EnvironmentFiles"].([][]any)
	for _, file := range files {
		if len(file) == 2 {
			path, _ := file[0].(string)
			optional, _ := file[1].(bool)
			add("EnvironmentFile", path, path, optional)
		}
	}
	return out
}

// timer reads a timer and the last run of what it starts.
func (r *unitReader) timer(ctx context.Context, name string) (estate.Data, error) {
	u, err := r.loaded(ctx, name)
	if err != nil {
		return nil, err
	}
	p, err := r.properties(ctx, name, "Timer")
	if err != nil {
		return nil, err
	}
	j := estate.Job{
		Name: u.Name, Suspended: u.Active != "active", Last: p.at("LastTriggerUSec"), Next: p.at("NextElapseUSecRealtime"), Schedule: p.schedule(),
	}
	started := p.word("Unit")
	if started == "" {
		return nil, hollow("the unit that the timer starts")
	}
	run, err := r.properties(ctx, started, "")
	if err != nil {
		return nil, err
	}
	service, err := r.properties(ctx, started, "Service")
	if err != nil {
		return nil, err
	}
	if !j.Next.IsZero() && j.Next.After(j.Last) && !j.Last.IsZero() {
		j.Period = j.Next.Sub(j.Last) // a schedule need not be even; this is its present step
	}
	result, ended := service.word("Result"), service.at("ExecMainExitTimestamp")
	if begun := service.at("ExecMainStartTimestamp"); begun.After(j.Last) {
		j.Last = begun // by hand, after the timer's last turn
	}
	if j.Next.IsZero() {
		j.Next = p.monotonic("NextElapseUSecMonotonic", r.now(), r.uptime())
	}
	// systemd passes over a unit whose conditions do not hold, and calls that a
	// success.
	skipped := run.at("ConditionTimestamp")
	if held, told := run.all["ConditionResult"].(bool); !told || held || skipped.Before(service.at("ExecMainStartTimestamp")) {
		skipped = time.Time{}
	}
	switch active := run.word("ActiveState"); {
	case active == "activating" || active == "active" && run.word("SubState") != "exited":
		j.Running, j.LastResult = 1, "running"
	case j.Last.IsZero():
	case !skipped.IsZero():
		j.LastResult, j.Reason = "skipped", started+": a condition of the unit did not hold"
	case result == "success" && ended.IsZero():
		// The service has not run since it was loaded: nothing is known of how it went.
	case result == "success":
		j.LastResult, j.LastSuccess = "succeeded", ended
	default:
		j.LastResult, j.Failures = "failed", 1
		j.Reason = started + ": " + result
		if code := service.number("ExecMainStatus"); code != 0 {
			j.Reason += " " + strconv.Itoa(code)
		}
	}
	return j, nil
}

// monotonic is a time that systemd counts from the start of the machine, as one of
// our clock; zero where it is never.
func (p properties) monotonic(key string, now time.Time, uptime time.Duration) time.Time {
	us, _ := p.all[key].(uint64)
	if us == 0 || us > 1<<62 || uptime <= 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(us)*time.Microsecond - uptime).UTC().Truncate(time.Second)
}

// schedule is when the timer elapses, as its unit file says.
func (p properties) schedule() string {
	var parts []string
	for _, key := range []string{"TimersCalendar", "TimersMonotonic"} {
		list, _ := p.all[key].([][]any)
		for _, one := range list {
			if len(one) < 2 {
				continue
			}
			base, _ := one[0].(string)
			switch spec := one[1].(type) {
			case string:
				parts = append(parts, spec)
			case uint64:
				parts = append(parts, strings.TrimSuffix(base, "USec")+" "+(time.Duration(spec)*time.Microsecond).String())
			}
		}
	}
	return p.text(strings.Join(parts, ", "), nameLimit)
}
