package apikey

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"warroom/actions/store"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// standing is which key a consumer uses.
type standing string

const (
	onNew   standing = "on the new key"
	onOld   standing = "on the old key"
	unknown standing = "not known"
)

// consumer is a service that uses the key.
type consumer struct {
	id       estate.ID
	name     string
	critical bool
	standing standing
	why      string // from what it was told
}

// String says it to a person.
func (c consumer) String() string { return c.name + " (" + c.why + ")" }

// consumers finds who uses the key, and tells of each whether it has loaded the
// version that is current now. Health endpoints are asked here and now; what has none
// is judged by when it started, as it was read last.
func (s *subject) consumers(ctx context.Context, states []store.State) []consumer {
	var out []consumer
	for i := range s.systems.Config.Components {
		c := &s.systems.Config.Components[i]
		if c.Application == nil {
			continue
		}
		var used []int // members that it uses
		for j, m := range s.members {
			if slices.Contains(c.Application.Secrets, m.name) {
				used = append(used, j)
			}
		}
		if len(used) == 0 {
			continue
		}
		one := consumer{id: estate.ID(c.ID), name: c.Name, critical: c.Criticality == string(estate.Critical)}
		if one.name == "" {
			one.name = c.ID
		}
		one.standing, one.why = s.byHealth(ctx, c.Application, states, used)
		if one.standing == unknown {
			if standing, why := s.byStart(estate.ID(c.ID), states, used); standing != unknown || c.Application.Health == nil {
				one.standing, one.why = standing, why
			}
		}
		out = append(out, one)
	}
	return out
}

// byHealth goes by the version that a health endpoint tells.
func (s *subject) byHealth(ctx context.Context, a *config.Application, states []store.State, used []int) (standing, string) {
	if a.Health == nil {
		return unknown, "it has no health endpoint"
	}
	answered, err := s.systems.Read.HTTP(a.Health.CACert).Do(ctx, clients.HTTPRequest{Method: http.MethodGet, URL: a.Health.URL})
	if err != nil {
		return unknown, "its health endpoint: " + s.systems.Read.Failure(err, "ask it").Detail
	}
	document, err := parse(answered)
	if err != nil {
		return unknown, "its health endpoint answers no JSON"
	}
	version := answered.Text(text(document, a.Health.Version), 64)
	if version == "" {
		return unknown, "its health endpoint does not tell the version of its secret"
	}
	for _, j := range used {
		if version == states[j].Current {
			return onNew, "it reports version " + store.Short(version)
		}
	}
	for _, j := range used {
		if _, known := states[j].Stages[version]; known {
			return onOld, "it reports version " + store.Short(version)
		}
	}
	if len(a.Secrets) == 1 {
		return onOld, "it reports version " + store.Short(version) + ", which is not the current one"
	}
	return unknown, "it reports version " + store.Short(version) + ", which is none of this secret"
}

// byStart goes by when its pods or its unit started: what started after the store
// handed out the new key has loaded it.
func (s *subject) byStart(id estate.ID, states []store.State, used []int) (standing, string) {
	var readings *estate.Readings
	if s.systems.Readings != nil {
		readings = s.systems.Readings()
	}
	if readings == nil || readings.Snapshot == nil {
		return unknown, "nothing tells when it started"
	}
	var changed time.Time
	for _, j := range used {
		if states[j].Changed.After(changed) {
			changed = states[j].Changed
		}
	}
	var oldest time.Time
	for _, slot := range readings.Snapshot.Slots(id) {
		if slot.Good == nil || slot.Last.Failure != nil || readings.At.Sub(slot.Good.At) > 3*max(slot.Good.Interval, time.Minute) {
			continue
		}
		var at time.Time
		switch data := slot.Good.Data.(type) {
		case estate.WorkloadPods:
			at = data.Oldest
		case estate.Unit:
			if data.Active == "active" {
				at = data.Started
			}
		}
		if !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	switch {
	case oldest.IsZero() || changed.IsZero():
		return unknown, "nothing tells when it started"
	case oldest.After(changed):
		return onNew, "started " + oldest.UTC().Format("15:04:05Z") + ", after the change"
	}
	return onOld, "started " + oldest.UTC().Format("2006-01-02 15:04:05Z") + ", before the change"
}

// not are those of which it is not known that they are on the new key.
func not(all []consumer) (old, unsure []consumer) {
	for _, c := range all {
		switch c.standing {
		case onOld:
			old = append(old, c)
		case unknown:
			unsure = append(unsure, c)
		}
	}
	return old, unsure
}

// names lists consumers, with why.
func names(all []consumer) string {
	texts := make([]string, len(all))
	for i, c := range all {
		texts[i] = c.String()
	}
	return strings.Join(texts, ", ")
}

// affected is what a plan says of consumers.
func affected(all []consumer, how string) []plan.Affected {
	var out []plan.Affected
	for _, c := range all {
		out = append(out, plan.Affected{Component: c.id, Name: c.name, How: how, Critical: c.critical})
	}
	return out
}

// looks reads how every member stands.
func (s *subject) looks(ctx context.Context) ([]store.State, error) {
	out := make([]store.State, len(s.members))
	for i, m := range s.members {
		var err error
		if out[i], err = m.place.Look(ctx); err != nil {
			return nil, err
		}
	}
	return out, nil
}
