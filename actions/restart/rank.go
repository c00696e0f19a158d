package restart

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"warroom/internal/estate"
	"warroom/internal/plan"
)

// teller hears how the members of a rank stand.
type teller interface {
	Say(mark, text string)
	Part(plan.Part)
}

// outcome is what came of one member.
type outcome struct {
	state  plan.StepState
	detail string
	err    error
}

// do restarts the members of one rank, so many at once as warroom.yaml allows. After
// the first failure no further one is started, and those under way are watched to
// their end.
func (j *job) do(ctx context.Context, t teller, members []*member) error {
	v, err := j.values(ctx)
	if err != nil {
		return err
	}
	for _, m := range members {
		t.Part(plan.Part{Name: m.String(), State: plan.Waiting})
	}
	j.lens.crowd(members)
	var (
		mu     sync.Mutex
		next   int
		failed bool
		wg     sync.WaitGroup
	)
	results := make([]outcome, len(members))
	quotas := &quotas{p: j.p}
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if failed || ctx.Err() != nil || next == len(members) {
			return 0, false
		}
		next++
		return next - 1, true
	}
	for range min(max(j.p.s.Config.Recovery.Concurrency, 1), len(members)) {
		wg.Go(func() {
			for {
				i, ok := take()
				if !ok {
					return
				}
				o := j.restart(ctx, t, members[i], v, quotas)
				t.Part(plan.Part{Name: members[i].String(), State: o.state, Detail: o.detail})
				mu.Lock()
				results[i] = o
				failed = failed || o.err != nil
				mu.Unlock()
				switch {
				case o.err != nil:
					t.Say("fail", members[i].String()+": "+o.detail)
				default:
					t.Say("ok", members[i].String()+": "+o.detail)
				}
			}
		})
	}
	wg.Wait()
	return summary(ctx, members, results, next)
}

// summary is nil where every member is as it should be, else what failed and what was
// not started.
func summary(ctx context.Context, members []*member, results []outcome, started int) error {
	var bad []string
	var first error
	for i, o := range results {
		if o.err != nil {
			bad = append(bad, members[i].String()+": "+o.err.Error())
			if first == nil {
				first = o.err
			}
		}
	}
	left := len(members) - started
	if first == nil && left == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil && first == nil {
		return fmt.Errorf("restart %d services: %w; %d were not started", len(members), context.Cause(ctx), left)
	}
	if len(members) == 1 {
		return first
	}
	f := &estate.Failure{
		Kind:   estate.BadAnswer,
		Doing:  fmt.Sprintf("restart %d services", len(members)),
		Detail: strings.Join(bad, ". "),
		Next:   "mend what failed, then resume: what is restarted is not restarted again",
	}
	var kind *estate.Failure
	if errors.As(first, &kind) {
		f.Kind = kind.Kind
	}
	if left > 0 {
		f.Detail += fmt.Sprintf(". %d were not started: %s", left, list(names(members[started:]), 8))
	}
	return f
}

func names(members []*member) []string {
	var out []string
	for _, m := range members {
		out = append(out, m.String())
	}
	return out
}

// restart restarts one member, and watches it until it is well.
func (j *job) restart(ctx context.Context, t teller, m *member, v values, q *quotas) outcome {
	var detail string
	var skipped bool
	var err error
	if m.Unit != "" {
		detail, skipped, err = j.restartUnit(ctx, t, m, v)
	} else {
		detail, skipped, err = j.restartWorkload(ctx, t, m, v, q)
	}
	switch {
	case err != nil:
		j.note(m, err.Error())
		return outcome{plan.Failed, err.Error(), err}
	case skipped:
		return outcome{plan.Skipped, detail, nil}
	}
	return outcome{plan.Done, detail, nil}
}

// standing is how far a member is, by looking.
type standing struct {
	ours   bool // it was restarted by this run
	rolled bool // and is through
	fine   bool // it needs no restart
	text   string
}

// look sees how far a member is.
func (j *job) look(ctx context.Context, m *member, v values, since time.Time) (standing, error) {
	if m.Unit != "" {
		now, err := j.p.unit(ctx, m)
		if err != nil {
			return standing{}, err
		}
		s := standing{ours: now.started.After(j.bound(v)), rolled: now.running(), text: now.String()}
		if !s.ours && !j.All {
			s.fine, s.text = j.unitOnNew(ctx, m, v)
		}
		return s, nil
	}
	c, err := open(j.p.s.Read, m.Cluster)
	if err != nil {
		return standing{}, err
	}
	w, err := j.lens.workload(ctx, c, m, since)
	if err != nil {
		return standing{}, err
	}
	s := standing{ours: w.mark == j.Token}
	s.rolled, s.text = w.rolled()
	if !s.ours && (!j.All || w.desired == 0) {
		pods, err := j.lens.pods(ctx, c, m, w, since)
		if err != nil {
			return standing{}, err
		}
		if ok, why := j.onNew(ctx, m, w, pods, v); ok {
			s.fine, s.text = true, why
		}
	}
	return s, nil
}

// lookAll looks at members, a few at once.
func (j *job) lookAll(ctx context.Context, members []*member, v values) ([]standing, []error) {
	out, errs := make([]standing, len(members)), make([]error, len(members))
	j.lens.crowd(members)
	since := time.Now()
	turns := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			out[i], errs[i] = j.look(ctx, m, v, since)
		})
	}
	wg.Wait()
	return out, errs
}

// probe looks whether a rank was restarted. What is restarted and not through yet
// counts as a part: the step, done again, watches it.
func (j *job) probe(ctx context.Context, members []*member) (plan.Effect, string, error) {
	v, err := j.values(ctx)
	if err != nil {
		return plan.Unclear, "", err
	}
	all, errs := j.lookAll(ctx, members, v)
	ours, rolled, fine := 0, 0, 0
	for i, s := range all {
		if errs[i] != nil {
			return plan.Unclear, "", errs[i]
		}
		switch {
		case s.ours && s.rolled:
			ours++
			// What went through and did not stay well is not done.
			if _, why := j.noted(members[i]); why == "" {
				rolled++
			}
		case s.ours:
			ours++
		case s.fine:
			fine++
		}
	}
	text := fmt.Sprintf("%d of %d were restarted by this run, %d of these are through", ours, len(members), rolled)
	if fine > 0 {
		text += fmt.Sprintf("; %d need no restart", fine)
	}
	switch {
	case rolled+fine == len(members):
		return plan.Took, text, nil
	case ours == 0 && fine == 0:
		return plan.NotDone, text, nil
	}
	return plan.Partly, text, nil
}

// verify looks at every member of a rank once more. One that nobody of this process has
// seen stay well for the soak must do so now.
func (j *job) verify(ctx context.Context, t teller, members []*member) (string, error) {
	v, err := j.values(ctx)
	if err != nil {
		return "", err
	}
	all, errs := j.lookAll(ctx, members, v)
	var wg sync.WaitGroup
	for i, m := range members {
		if errs[i] != nil {
			continue
		}
		s := &all[i]
		seen, why := j.noted(m)
		switch {
		case s.ours && why != "":
			errs[i] = errors.New(why)
		case s.ours && !s.rolled:
			errs[i] = errors.New(s.text)
		case s.ours && !seen:
			wg.Go(func() { s.text, errs[i] = j.stays(ctx, t, m, v) })
		case s.ours:
			ok, why := j.p.well(ctx, m.Component, v.versions)
			if s.text = joined(s.text, why); !ok {
				errs[i] = errors.New(why)
			}
		case !s.fine:
			errs[i] = errors.New("it was not restarted by this run, or somebody has changed it since")
		}
	}
	wg.Wait()
	var bad []string
	done, fine := 0, 0
	for i, m := range members {
		switch {
		case errs[i] != nil:
			bad = append(bad, m.String()+": "+errs[i].Error())
			t.Part(plan.Part{Name: m.String(), State: plan.Failed, Detail: errs[i].Error()})
		case all[i].ours:
			done++
			t.Part(plan.Part{Name: m.String(), State: plan.Done, Detail: all[i].text})
		default:
			fine++
			t.Part(plan.Part{Name: m.String(), State: plan.Skipped, Detail: all[i].text})
		}
	}
	if len(bad) > 0 {
		return "", &estate.Failure{
			Kind: estate.BadAnswer, Doing: fmt.Sprintf("look at %d services after their restart", len(members)),
			Detail: fmt.Sprintf("%d are not as they should be: %s", len(bad), list(bad, 5)), Next: "mend them, then resume: what is restarted is not restarted again",
		}
	}
	text := fmt.Sprintf("%d of %d restarted and well", done, len(members))
	if len(j.Secrets) > 0 {
		text += " on the current value"
	}
	if fine > 0 {
		text += fmt.Sprintf(", %d needed no restart", fine)
	}
	return text, nil
}

// stays sees that a member stays well for the soak.
func (j *job) stays(ctx context.Context, t teller, m *member, v values) (string, error) {
	if m.Unit != "" {
		text, _, err := j.settleUnit(ctx, t, m, v)
		return text, err
	}
	c, err := open(j.p.s.Read, m.Cluster)
	if err != nil {
		return "", err
	}
	return j.settle(ctx, t, c, m, v, time.Now().Add(j.p.deadline()))
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
