package actions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// play draws a sequence of calls of the engine, sensible or not, and says what was
// wrong: a change of the world without a grant that is worth it. ungated takes the gate
// out.
func play(t *rapid.T, ungated bool) (granted int, wrong string) {
	w := newWorld()
	if call := rapid.SampledFrom([]string{"", "set pending", "set database", "set current"}).Draw(t, "fails"); call != "" {
		after := rapid.Bool().Draw(t, "after it took effect")
		w.fail[call] = func(do func() error) error {
			if after {
				return errors.Join(do(), errors.New("no answer"))
			}
			return errors.New("refused")
		}
	}
	now := t0
	proc := &rotate{w: w, name: "rotate"}
	// A procedure that tries to change things from everywhere.
	rogue := rapid.Bool().Draw(t, "rogue")
	proc.change = func(p *Prepared) {
		p.Plan.NeedsReason = "it is dangerous"
		p.Plan.Warnings = []plan.Warning{{ID: "w", Text: "w", Accept: true}}
		p.Plan.Inputs = []plan.Input{{ID: "key", Label: "the key"}}
		if !rogue {
			return
		}
		verify, observe := p.Steps[0].Verify, p.Observe
		p.Steps[0].Verify = func(ctx context.Context, r *Run) (string, error) {
			_ = w.set(ctx, "stray", "verify") // a fault that the gate keeps back
			return verify(ctx, r)
		}
		p.Observe = func(ctx context.Context) ([]plan.Observed, error) {
			_ = w.set(ctx, "stray", "observe")
			return observe(ctx)
		}
	}
	o := options(w, proc)
	o.Clock = func() time.Time { return now }
	// Everything runs at once, so that each call is followed by all that it begins.
	o.Go = func(_ context.Context, _ string, f func()) { f() }
	e := New(o)
	e.ungated = ungated
	defer e.Close()
	d := &disk{}
	log := d.openQuiet(w)
	e.Attach(log, "")
	var plans []*plan.Plan
	for range rapid.IntRange(1, 25).Draw(t, "calls") {
		before := w.changes()
		runs := len(log.Case().State.Runs)
		act := rapid.IntRange(0, 9).Draw(t, "call")
		valid := false
		switch act {
		case 0:
			_, _ = e.Arm(context.Background())
		case 1:
			_ = e.Disarm(context.Background(), "by key")
		case 2, 3:
			ask := plan.Request{Procedure: rapid.SampledFrom([]string{"rotate", "rotate", "gone"}).Draw(t, "procedure"), Target: rapid.SampledFrom([]string{"thing", "thing", "other", "gone"}).Draw(t, "target")}
			if open := e.openRuns(); len(open) > 0 && rapid.Bool().Draw(t, "take up") {
				ask = plan.Request{Mode: rapid.SampledFrom([]plan.Mode{plan.Resume, plan.Back, plan.Abandon}).Draw(t, "mode"), Of: open[0].ID}
			}
			if p, err := e.Plan(context.Background(), ask); err == nil {
				plans = append(plans, p)
			}
		case 4, 5, 6:
			var p *plan.Plan
			if len(plans) > 0 {
				p = rapid.SampledFrom(plans).Draw(t, "plan")
			}
			given, whole := anyConsent(t, p)
			armed := e.Arming().On
			valid = whole && armed && p != nil && now.Before(p.Expires)
			if err := e.Start(context.Background(), given); err == nil && p.Changes() && !valid {
				return granted, fmt.Sprintf("%+v was taken: armed %v, at %v", given, armed, now)
			}
			if valid {
				granted++
			}
		case 7:
			now = now.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "minutes")) * time.Minute)
		case 8:
			e.Touch()
		case 9:
			if len(plans) > 0 {
				e.Stop(plans[0].ID)
			}
			_, _ = e.Advise(context.Background())
		}
		if n := w.changes(); n > before && !valid {
			return granted, fmt.Sprintf("call %d changed the world %d times, and nothing was granted", act, n-before)
		}
		if n := len(log.Case().State.Runs); n > runs+1 {
			return granted, fmt.Sprintf("call %d began %d runs", act, n-runs)
		}
		if stray, there := w.look()["stray"]; there {
			return granted, "something was changed in " + stray
		}
	}
	if granted == 0 && !maps.Equal(w.look(), untouched) {
		return granted, fmt.Sprintf("nothing was granted, and the world is %v", w.look())
	}
	return granted, ""
}

// anyConsent is what a person might give for a plan; whole is whether it is all that
// the plan asks for.
func anyConsent(t *rapid.T, p *plan.Plan) (c plan.Consent, whole bool) {
	if p == nil {
		return plan.Consent{Plan: "none"}, false
	}
	c, whole = consent(p), true
	// Each is left out or wrong now and then.
	if rapid.IntRange(0, 2).Draw(t, "whole") == 0 {
		return c, true
	}
	switch rapid.IntRange(0, 5).Draw(t, "wrong") {
	case 0:
		c.Fingerprint, whole = strings.Repeat("0", 64), false
	case 1:
		c.Typed = rapid.SampledFrom([]string{"", "thin"}).Draw(t, "typed")
		whole = c.Typed == "" && !p.NeedsTyped()
	case 2:
		c.Reason, whole = "", p.NeedsReason == ""
	case 3:
		c.Accepted = nil
		whole = !slices.ContainsFunc(p.Warnings, func(w plan.Warning) bool { return w.Accept })
	case 4:
		c.Inputs = nil
		whole = len(p.Inputs) == 0
	case 5:
		c.Inputs["stray"], whole = estate.NewSecret("x"), false
	}
	return c, whole
}

// openQuiet is open for what has no test to fail.
func (d *disk) openQuiet(w *world) *session {
	s := &session{w: w, disk: d}
	s.state.Writing = true
	declared := incident.Declared{ID: "2026-11-23-1", Severity: "SEV1", Summary: "s", Started: t0, Environment: "test", Roles: map[incident.Role]string{incident.Commander: "ic-1"}}
	if err := s.put(incident.New("ic-1", declared)); err != nil {
		panic(err)
	}
	return s
}

// TestNothingChangesWithoutAGrant plays any sequence of calls.
func TestNothingChangesWithoutAGrant(t *testing.T) {
	done, grants := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		granted, wrong := play(t, false)
		if wrong != "" {
			t.Fatal(wrong)
		}
		done++
		grants += granted
	})
	t.Logf("%d sequences, %d grants", done, grants)
	if grants == 0 {
		t.Error("nothing was ever granted: the property proves nothing")
	}
}

// TestThePropertyNoticesThatTheGateIsGone takes the gate out: the same sequences must
// then find a change without a grant.
func TestThePropertyNoticesThatTheGateIsGone(t *testing.T) {
	found := ""
	for range 20 { // a hundred random sequences do not always hold one that would
		rapid.Check(t, func(t *rapid.T) {
			if found == "" {
				_, found = play(t, true)
			}
		})
	}
	if found == "" {
		t.Fatal("nothing was noticed: the property proves nothing")
	}
	t.Log(found)
}
