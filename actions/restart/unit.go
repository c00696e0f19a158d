package restart

import (
	"context"
	"fmt"
	"strings"
	"time"

	"warroom/internal/estate"
	"warroom/internal/plan"
)

// unitState is a systemd unit at one time.
type unitState struct {
	load, active, sub, result string
	restarts                  uint32
	started                   time.Time // of its main process
}

// running reports whether the unit does its work.
func (u unitState) running() bool { return u.active == "active" }

// String is its state in words.
func (u unitState) String() string {
	text := fmt.Sprintf("%s (%s)", u.active, u.sub)
	if u.result != "" && u.result != "success" {
		text += ", " + u.result
	}
	return text
}

// serviceName is a unit's full name, as systemctl completes it.
func serviceName(unit string) string {
	if strings.Contains(unit, ".") {
		return unit
	}
	return unit + ".service"
}

// unit reads a unit.
func (p *Procedure) unit(ctx context.Context, m *member) (unitState, error) {
	manager := p.s.Read.Systemd(m.Bus)
	name := serviceName(m.Unit)
	doing := "read unit " + name + " on the " + m.Bus + " bus"
	var out unitState
	ctx, cancel := context.WithTimeout(ctx, p.limit())
	defer cancel()
	reads, err := manager.Units(ctx)
	if err != nil {
		return out, err
	}
	var service map[string]any
	all, err := reads.Properties(ctx, name, "")
	if err == nil {
		service, err = reads.Properties(ctx, name, "Service")
	}
	if err != nil {
		return out, manager.Failure(err, doing)
	}
	word := func(of map[string]any, key string) string {
		text, _ := of[key].(string)
		return manager.Text(text, 64)
	}
	out = unitState{load: word(all, "LoadState"), active: word(all, "ActiveState"), sub: word(all, "SubState"), result: word(service, "Result")}
	out.restarts, _ = service["NRestarts"].(uint32)
	if us, _ := service["ExecMainStartTimestamp"].(uint64); us > 0 && us < 1<<62 {
		out.started = time.UnixMicro(int64(us)).UTC()
	}
	switch out.load {
	case "loaded":
		return out, nil
	case "not-found":
		return out, &estate.Failure{Kind: estate.Missing, Doing: doing, Detail: "systemd has no such unit", Next: "correct the name of the unit in warroom.yaml, and on which bus it is"}
	case "masked":
		return out, &estate.Failure{Kind: estate.Missing, Doing: doing, Detail: "the unit is masked", Next: "find out who masked it and why, then: systemctl unmask " + name}
	}
	return out, &estate.Failure{Kind: estate.BadAnswer, Doing: doing, Detail: "its load state is " + out.load, Next: "systemctl status " + name + " tells more"}
}

// bound is the time after which a unit must have started to run on the new value: that
// of the plan, or of the value where it changed later.
func (j *job) bound(v values) time.Time {
	if v.stored.After(j.Since) {
		return v.stored
	}
	return j.Since
}

// unitOnNew reports whether a unit already runs on the new value, which only its health
// endpoint can tell: when its files were written is not known here.
func (j *job) unitOnNew(ctx context.Context, m *member, v values) (bool, string) {
	h := j.p.healthOf(m.Component)
	if h == nil || len(v.versions) == 0 {
		return false, ""
	}
	now, err := j.p.ask(ctx, h)
	if err != nil || now.code != 200 || now.version == "" || !isCurrent(now.version, v.versions) {
		return false, ""
	}
	return true, "its health endpoint says that it uses the current version"
}

// restartUnit restarts one unit and watches it. One that started since the plan was
// made is only watched.
func (j *job) restartUnit(ctx context.Context, t teller, m *member, v values) (detail string, skipped bool, err error) {
	now, err := j.p.unit(ctx, m)
	if err != nil {
		return "", false, err
	}
	name := serviceName(m.Unit)
	if !now.started.After(j.bound(v)) {
		if !j.All {
			if ok, why := j.unitOnNew(ctx, m, v); ok {
				return why, true, nil
			}
		}
		t.Part(plan.Part{Name: m.String(), State: plan.Running, Detail: "asked to restart; it was " + now.String()})
		bounded, cancel := context.WithTimeout(ctx, j.p.deadline())
		err := j.p.s.Act.Systemd(m.Bus).ReloadOrRestart(bounded, name, false)
		cancel()
		if err != nil {
			// It may have taken effect all the same.
			after, again := j.p.unit(ctx, m)
			if again != nil || !after.started.After(j.bound(v)) {
				return "", false, err
			}
		}
	}
	return j.settleUnit(ctx, t, m, v)
}

// settleUnit waits until a restarted unit is active and its health endpoint well, and
// then that both stay so for the soak.
func (j *job) settleUnit(ctx context.Context, t teller, m *member, v values) (string, bool, error) {
	begun, end := time.Now(), time.Now().Add(j.p.deadline())
	soak := j.p.s.Config.Recovery.Soak
	fail := func(why string) (string, bool, error) {
		return "", false, &estate.Failure{
			Kind: estate.BadAnswer, Doing: "restart unit " + m.Unit + " on the " + m.Bus + " bus", Detail: why,
			Next: "systemctl status and journalctl -u " + serviceName(m.Unit) + " tell why; then resume, which only watches it",
		}
	}
	var until time.Time
	var first unitState
	bad, health := 0, ""
	for {
		now, err := j.p.unit(ctx, m)
		if ctx.Err() != nil {
			return "", false, context.Cause(ctx)
		}
		why := ""
		switch {
		case err != nil:
			why = err.Error()
		case now.active == "failed":
			return fail("it is " + now.String())
		case !now.running():
			why = "it is " + now.String()
		default:
			var ok bool
			if ok, health = j.p.well(ctx, m.Component, v.versions); !ok {
				why = health
			}
		}
		switch {
		case until.IsZero() && why == "":
			first, until = now, time.Now().Add(soak)
			t.Part(plan.Part{Name: m.String(), State: plan.Running, Detail: fmt.Sprintf("active; must stay well for %s", soak)})
		case until.IsZero():
			t.Part(plan.Part{Name: m.String(), State: plan.Running, Detail: why})
			if !time.Now().Before(end) {
				return fail(fmt.Sprintf("it was not well after %s: %s", j.p.deadline(), why))
			}
		case err == nil && (now.restarts > first.restarts || now.started.After(first.started)):
			return fail(fmt.Sprintf("systemd started it again during the soak (NRestarts %d): it does not stay up", now.restarts))
		case why != "":
			if bad++; bad > 2 {
				return fail("it did not stay well: " + why)
			}
		default:
			bad = 0
		}
		if !until.IsZero() && bad == 0 && !time.Now().Before(until) {
			j.soaked(m)
			return joined(fmt.Sprintf("%s since %s", now, now.started.Format("15:04:05Z")), health), false, nil
		}
		if err := pause(ctx, j.p.interval(begun)); err != nil {
			return "", false, err
		}
	}
}
