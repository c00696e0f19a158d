package actions

import (
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"warroom/internal/clients"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// Grant is the consent to carry out one plan. Only the engine makes one, from what a
// person gave for that very plan; it is good for one run, which must begin before the
// plan expires. The zero Grant is good for nothing.
type Grant struct {
	plan        string // its ID
	fingerprint string
	until       time.Time
	most        time.Duration // until, as the engine's age
	used        atomic.Bool
	live        atomic.Bool // its run is under way: the gate asks

	typed, reason     string
	accepted          []string
	signer, signerKey string
	inputs            map[string]estate.Secret
}

// redeem begins the one run of a grant, on the plan that it was given for.
func (g *Grant) redeem(p *prepared, now time.Time, age time.Duration) error {
	refuse := func(why string) error {
		return &Refusal{What: "the run of plan " + p.plan.ID, Why: why, Next: "plan again, read the plan and consent to it"}
	}
	switch {
	case g == nil || g.plan == "" || g.plan != p.plan.ID || g.fingerprint != p.fingerprint || p.plan.Fingerprint() != g.fingerprint:
		return refuse("the consent was given for another plan")
	case !now.Before(g.until) || age >= g.most:
		return refuse("the consent has expired")
	case g.used.Swap(true):
		return refuse("the consent was used already")
	}
	g.live.Store(true)
	return nil
}

// end makes a grant worth nothing.
func (g *Grant) end() { g.live.Store(false) }

// How much a person may give.
const (
	maxReason = 2000     // runes
	maxInput  = 64 << 10 // bytes of one value
)

// grant checks what a person gave for a plan. The target must be typed where
// something cannot be undone, and wherever a reason is asked for; else the consent
// itself is enough. Its error is a *Refusal that says what is missing.
func (e *Engine) grant(p *prepared, given *plan.Consent) (*Grant, error) {
	q := p.plan
	refuse := func(why, next string) (*Grant, error) {
		return nil, &Refusal{What: "the run of " + q.Procedure + " on " + q.Target, Why: why, Next: next}
	}
	now := e.now()
	reason := strings.TrimSpace(clients.Strip(e.o.Scrub(given.Reason), 4*maxReason))
	switch {
	case e.expired(p):
		return refuse("the plan expired at "+q.Expires.Format("15:04:05Z")+", and what it rests on may have changed", "plan again")
	case subtle.ConstantTimeCompare([]byte(given.Fingerprint), []byte(p.fingerprint)) != 1:
		return refuse("the consent was given for another plan than this one", "read the plan again")
	case q.NeedsTyped() && given.Typed == "":
		return refuse("the target must be typed, because "+whyType(q), "type "+q.Target)
	case given.Typed != "" && given.Typed != q.Target:
		return refuse("what was typed is not the target", "type "+q.Target)
	case q.NeedsReason != "" && reason == "":
		return refuse("a reason is missing: "+q.NeedsReason, "give one")
	case len([]rune(reason)) > maxReason:
		return refuse(fmt.Sprintf("the reason is longer than %d characters", maxReason), "give a shorter one")
	}
	for _, w := range q.Warnings {
		if w.Accept && !slices.Contains(given.Accepted, w.ID) {
			return refuse("a warning was not accepted: "+w.Text, "accept "+w.ID+", or leave it")
		}
	}
	g := &Grant{plan: q.ID, fingerprint: p.fingerprint, until: q.Expires, most: p.most, typed: given.Typed, reason: reason, inputs: map[string]estate.Secret{}}
	for _, id := range given.Accepted {
		if slices.ContainsFunc(q.Warnings, func(w plan.Warning) bool { return w.ID == id }) && !slices.Contains(g.accepted, id) {
			g.accepted = append(g.accepted, id)
		}
	}
	for _, in := range q.Inputs {
		value := given.Inputs[in.ID]
		switch {
		case value.Empty() && !in.Optional:
			return refuse(in.Label+" is missing", "enter it")
		case len(value.Reveal()) > maxInput:
			return refuse(fmt.Sprintf("%s is longer than %d bytes", in.Label, maxInput), "enter the value alone")
		case !value.Empty():
			g.inputs[in.ID] = value
			for _, set := range []*clients.Set{e.o.Systems.Read, e.o.Systems.Act} {
				if set != nil {
					set.Net().Register(value.Reveal())
				}
			}
		}
	}
	for id := range given.Inputs {
		if !slices.ContainsFunc(q.Inputs, func(in plan.Input) bool { return in.ID == id }) {
			return refuse("a value was given that the plan does not ask for", "plan again")
		}
	}
	if q.Second {
		who, key, err := e.second(q, given.Signature, now)
		if err != nil {
			return nil, err
		}
		g.signer, g.signerKey = who, key
	}
	return g, nil
}

func whyType(p *plan.Plan) string {
	if p.Irreversible != "" {
		return "this cannot be undone: " + p.Irreversible
	}
	return p.NeedsReason
}
