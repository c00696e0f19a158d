package cli

import (
	"context"
	"errors"

	"warroom/internal/config"
	"warroom/internal/notify"
	"warroom/ui"
)

// sender gives the console the webhooks of a configuration. What it sends was
// scrubbed of known secret values.
type sender struct {
	to    *notify.Sender
	scrub func(string) string
}

// newSender is the sender of some webhooks; nil when there are none.
func newSender(webhooks []config.Webhook, scrub func(string) string) ui.Sender {
	if len(webhooks) == 0 {
		return nil
	}
	var places []notify.Place
	for _, w := range webhooks {
		places = append(places, notify.Place{Name: w.Name, Env: w.URLEnv, File: w.URLFile, Format: notify.Format(w.Format), Security: w.Security})
	}
	return &sender{notify.New(places), scrub}
}

// Places lists where updates can go.
func (s *sender) Places() []ui.Place {
	var out []ui.Place
	for _, p := range s.to.Places() {
		out = append(out, ui.Place{Name: p.Name, Security: p.Security})
	}
	return out
}

// Send sends a text to one of the places.
func (s *sender) Send(ctx context.Context, place, text string) error {
	if s.scrub != nil {
		text = s.scrub(text)
	}
	err := s.to.Send(ctx, place, text)
	if e, ok := errors.AsType[*notify.Error](err); ok && e.Kind == notify.Unclear {
		return &unclear{err}
	}
	return err
}

// unclear is the error of a text of which it is not known whether it arrived.
type unclear struct{ error }

// Unwrap has errors.Is hold for ui.ErrUnclear.
func (u *unclear) Unwrap() []error { return []error{u.error, ui.ErrUnclear} }
