package clients

import (
	"context"
	"errors"
	"fmt"

	systemd "github.com/coreos/go-systemd/v22/dbus"

	"warroom/internal/estate"
)

// UnitState is how a unit stands, in systemd's words.
type UnitState struct {
	Load   string // loaded, not-found, masked …
	Active string // active, reloading, inactive, failed, activating, deactivating
	Sub    string
	Result string // of a service: success, exit-code, timeout …
	// Invocation is another after each start; MainPID is 0 where nothing runs.
	Invocation string
	MainPID    uint32
}

// jobResults say what came of a job, in systemd's words and ours.
var jobResults = map[string]string{
	"failed":     "it failed; see its log: journalctl -u UNIT",
	"timeout":    "it did not end within the unit's own timeout",
	"dependency": "a unit that it depends on failed",
	"canceled":   "another job for the unit took its place",
	"skipped":    "it was skipped: the unit was not running, or a condition of it does not hold",
}

func (s *Systemd) call(name string, changes bool) Call {
	return Call{System: "systemd:" + s.bus, Name: name, Changes: changes}
}

// ReloadOrRestart has a unit read its configuration and secrets again and waits until
// the job has ended: with reload it is reloaded where it can be and restarted where
// not, without it is restarted. A unit that is not running is started by a restart.
//
// It is nil when the job ended as done and the unit is active after it. The error is
// an *estate.Failure, a *NotPermitted where nothing was sent, or the context's own
// where it ended first: then the job may still be under way.
func (s *Systemd) ReloadOrRestart(ctx context.Context, unit string, reload bool) error {
	verb, what := "RestartUnit", "restart "
	if reload {
		verb, what = "ReloadOrRestartUnit", "reload or restart "
	}
	doing := what + Strip(unit, 255)
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	var result string
	err = Around(ctx, s.call(verb+" "+Strip(unit, 255), true), func() error {
		// Room for the one result, so that the library never waits for us.
		ended := make(chan string, 1)
		begin := conn.RestartUnitContext
		if reload {
			begin = conn.ReloadOrRestartUnitContext
		}
		if _, err := begin(ctx, unit, "replace", ended); err != nil {
			return err
		}
		select {
		case result = <-ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		var kept *NotPermitted
		if errors.As(err, &kept) {
			return kept
		}
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			return context.Canceled
		}
		f := s.Failure(err, doing)
		if f.Kind == estate.Silent {
			f.Next = "see whether the job still runs: systemctl list-jobs"
		}
		return f
	}
	if result != "done" {
		f := &estate.Failure{Kind: estate.ServerError, Doing: doing, Detail: "the job ended as " + s.Text(result, 40)}
		if why, known := jobResults[result]; known {
			f.Detail += ": " + why
		}
		return f
	}
	state, err := s.State(ctx, unit)
	if err != nil {
		return err
	}
	if state.Active != "active" {
		return &estate.Failure{
			Kind: estate.ServerError, Doing: doing, Detail: fmt.Sprintf("the job is done and the unit is %s (%s, %s)", state.Active, state.Sub, state.Result),
			Next: "see why it does not stay up: journalctl -u " + Strip(unit, 255),
		}
	}
	return nil
}

// State reads how a unit stands. Its error is an *estate.Failure, of kind Missing
// where there is no such unit.
func (s *Systemd) State(ctx context.Context, unit string) (UnitState, error) {
	doing := "read unit " + Strip(unit, 255)
	conn, err := s.connect(ctx)
	if err != nil {
		return UnitState{}, err
	}
	var all map[string]any
	err = Around(ctx, s.call("read "+Strip(unit, 255), false), func() error {
		var err error
		all, err = conn.GetAllPropertiesContext(ctx, unit)
		return err
	})
	if err != nil {
		return UnitState{}, s.Failure(err, doing)
	}
	text := func(key string) string {
		value, _ := all[key].(string)
		return s.Text(value, 64)
	}
	state := UnitState{Load: text("LoadState"), Active: text("ActiveState"), Sub: text("SubState"), Result: text("Result")}
	state.MainPID, _ = all["MainPID"].(uint32)
	if id, ok := all["InvocationID"].([]byte); ok {
		state.Invocation = fmt.Sprintf("%x", id)
	}
	if state.Load == "not-found" {
		return state, &estate.Failure{Kind: estate.Missing, Doing: doing, Detail: "systemd knows no such unit", Next: "correct the name of the unit in warroom.yaml"}
	}
	return state, nil
}

// UnitReads reads properties of units, and can do nothing else to them.
type UnitReads struct {
	manager *Systemd
	conn    *systemd.Conn
}

// Units connects to the manager for reading. Its errors are *estate.Failure: of kind
// NotSupported where this host has no such bus.
func (s *Systemd) Units(ctx context.Context) (*UnitReads, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	return &UnitReads{manager: s, conn: conn}, nil
}

// Properties are those of a unit that belong to one interface of it, such as Service;
// with an empty kind those that all units have. The error is the library's.
func (r *UnitReads) Properties(ctx context.Context, unit, kind string) (map[string]any, error) {
	var all map[string]any
	err := Around(ctx, r.manager.call("read "+Strip(unit, 255), false), func() error {
		var err error
		if kind == "" {
			all, err = r.conn.GetUnitPropertiesContext(ctx, unit)
		} else {
			all, err = r.conn.GetUnitTypePropertiesContext(ctx, unit, kind)
		}
		return err
	})
	return all, err
}
