package apikey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"warroom/actions"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// help has the provider's own people put it right: it tells how they are reached, and
// watches until the key works. It changes nothing anywhere.
type help struct{ *family }

const (
	stepTicket = "ticket"
	stepWait   = "wait"

	// probeEvery is how long a key that was refused is left alone: more often would
	// look like somebody guessing, and some providers lock accounts for that.
	probeEvery = 5 * time.Minute
	// storeEvery is how often it is looked whether somebody stored another value.
	storeEvery = 15 * time.Second
	// longestHelp bounds the wait.
	longestHelp = 24 * time.Hour

	factAsked = "asked" // when the provider was told, RFC 3339
)

// About describes the procedure.
func (p *help) About() plan.About {
	return plan.About{
		Name: "ask-provider", Title: "Ask the provider for help", Target: "stored secret",
		Summary: "Tells whom to call and where the ticket is opened, counts their time down, and watches until the key works; it changes nothing.",
		Options: []plan.Option{{Name: "ticket", Summary: "number of the ticket, for the log"}},
	}
}

// Targets are the API keys whose provider can be reached.
func (p *help) Targets() []plan.Target {
	return p.targets(func(rule *config.APIKeyRotation) (string, bool) {
		if rule.Help == nil {
			return "warroom.yaml does not say how " + rule.Provider + " is reached", false
		}
		return rule.Help.Contact, true
	})
}

// Prepare makes the plan.
func (p *help) Prepare(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	s, err := p.subject(ask.Target)
	if err != nil {
		return nil, err
	}
	h := s.rule.Help
	if h == nil {
		return nil, &estate.Failure{Kind: estate.Misconfigure, Doing: "ask " + s.rule.Provider + " for help", Detail: "warroom.yaml does not say how it is reached", Next: "add rotation.api_key.help, or call them"}
	}
	began := p.now()
	if ask.Past != nil {
		if at, err := time.Parse(time.RFC3339, ask.Past.Facts[factAsked]); err == nil {
			began = at
		}
	}
	out := plan.Plan{
		Title: fmt.Sprintf("Ask %s for help with %s", s.rule.Provider, ask.Target),
		Why:   fmt.Sprintf("%s usually needs %s.", s.rule.Provider, short(h.ETA)),
		Facts: map[string]string{factAsked: began.UTC().Format(time.RFC3339)},
		Steps: []plan.Step{
			{ID: stepTicket, Title: "Tell the provider", Where: s.rule.Provider, Calls: reach(h), Verify: "a person does it: call, and open the ticket"},
			{
				ID: stepWait, Title: fmt.Sprintf("Wait until the key works, %s as they say", short(h.ETA)), Where: ask.Target, Calls: []string{call(s.rule.Probe, "with the current key, at most every 5 minutes while it is refused")},
				Verify: "the provider takes the key that the store hands out", Limit: longestHelp,
			},
		},
	}
	return &actions.Prepared{
		Plan: out, Systems: s.systemsOf()[:1],
		Steps: []actions.Step{
			{Verify: func(_ context.Context, r *actions.Run) (string, error) {
				for _, line := range reach(h) {
					r.Say("info", line)
				}
				text := "contact " + h.Contact
				if number := ask.Options["ticket"]; number != "" {
					text += ", ticket " + number
				}
				return text + ", expected by " + began.Add(h.ETA).UTC().Format("15:04Z"), nil
			}},
			{Verify: func(ctx context.Context, r *actions.Run) (string, error) { return s.await(ctx, r, began.Add(h.ETA)) }},
		},
	}, nil
}

// reach says how a provider is told.
func reach(h *config.ProviderHelp) []string {
	out := []string{"Call or write to " + h.Contact}
	if h.Ticket != "" {
		out = append(out, "Open an urgent ticket at "+h.Ticket)
	}
	return out
}

// short writes a duration in hours and minutes.
func short(d time.Duration) string {
	d = d.Round(time.Minute)
	switch h, m := d/time.Hour, d%time.Hour/time.Minute; {
	case h == 0:
		return fmt.Sprintf("%dm", m)
	case m == 0:
		return fmt.Sprintf("%dh", h)
	default:
		return fmt.Sprintf("%dh%dm", h, m)
	}
}

// await watches until the key that the store hands out works.
func (s *subject) await(ctx context.Context, r *actions.Run, due time.Time) (string, error) {
	var tried string // the version that was probed last
	var next time.Time
	last, late := "not tried yet", false
	for {
		now := s.family.now()
		left, state := due.Sub(now), plan.Running
		eta := short(left) + " left of their time"
		if left < 0 {
			eta = short(-left) + " over their time"
			if !late {
				late = true
				r.Say("warn", s.rule.Provider+" is over the time that it named: call again, and think of use-backup-key")
			}
		}
		r.Part(plan.Part{Name: "ETA", State: state, Detail: eta})
		version, text, again, works, err := s.watch(ctx, tried, !now.Before(next))
		switch {
		case err != nil && ctx.Err() != nil:
			return "", err
		case err != nil:
			last = s.systems.Read.Failure(err, "").Detail
		case works:
			r.Part(plan.Part{Name: "the key", State: plan.Done, Detail: text})
			return "the key in version " + version + " " + text, nil
		case text != "":
			if text != last {
				r.Say("info", "the key "+text)
			}
			tried, last, next = version, text, now.Add(again)
		}
		r.Part(plan.Part{Name: "the key", State: plan.Waiting, Detail: last})
		if err := s.idle(ctx, r, storeEvery); err != nil {
			if errors.Is(err, errStopped) {
				return "", &actions.Halt{Why: "it was stopped; the key " + last, Next: "plan ask-provider again to go on watching"}
			}
			return "", err
		}
	}
}

// watch looks at the value that is handed out, and probes its key when it is another
// one than was probed last, or when it is time. text is empty where it was not probed.
func (s *subject) watch(ctx context.Context, tried string, due bool) (version, text string, again time.Duration, ok bool, err error) {
	m := s.members[0]
	state, err := m.place.Look(ctx)
	if err != nil {
		return "", "", 0, false, err
	}
	if state.Current == tried && !due {
		return tried, "", 0, false, nil
	}
	h, err := s.read(ctx, m, state.Current)
	if err == nil {
		err = h.trouble
	}
	if err != nil {
		return state.Current, "", 0, false, err
	}
	got, err := s.probe(ctx, h.key, h.id)
	if err != nil {
		return state.Current, "", 0, false, err
	}
	again = probeEvery
	if got.temporary() { // no login failed
		again = max(time.Minute, got.after)
	}
	return state.Current, got.String(), again, got.verdict == works, nil
}
