package apikey

import (
	"context"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
)

// Tried is what a provider said of a key.
type Tried struct {
	Works, Refused bool   // both false: the answer says nothing of the key
	Text           string // for people
}

// Try asks the provider of a key once whether the stored value works. Its error is of
// what kept it from being asked.
func Try(ctx context.Context, systems actions.Systems, rule *config.APIKeyRotation, value clients.Value) (Tried, error) {
	key, err := value.Field(rule.Field)
	if err != nil {
		return Tried{}, err
	}
	id := ""
	if at, err := value.Field(rule.IDField); err == nil { // not every provider gives one
		id = at.Reveal()
	}
	p := &provider{rule: rule, sys: systems, clock: time.Now}
	p.learn(key)
	got, err := p.probe(ctx, key, id)
	if err != nil {
		return Tried{}, err
	}
	return Tried{Works: got.verdict == works, Refused: got.verdict == refused || got.verdict == forbidden, Text: got.String()}, nil
}
