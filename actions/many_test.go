package actions

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"warroom/internal/plan"
)

// TestManyAtOnce has people, watchers and runs call the engine at the same time.
func TestManyAtOnce(t *testing.T) {
	w := newWorld()
	var procedures []Procedure
	const targets = 3
	for i := range targets {
		procedures = append(procedures, &rotate{w: newWorld(), name: fmt.Sprint("rotate-", i)})
	}
	k := onDisk(t, w, &disk{}, func(o *Options) { o.Procedures, o.Around = procedures, nil })
	k.arms()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var watchers, workers sync.WaitGroup
	watchers.Go(func() {
		last := map[string]plan.Progress{}
		for {
			all, err := k.Next(ctx)
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				return
			}
			for _, p := range all {
				was := last[p.Run]
				if len(p.Log) < len(was.Log) || !was.Ended.IsZero() && p.Ended.IsZero() {
					t.Errorf("run %s went back", p.Run)
				}
				for i := range p.Steps { // what is given out is ours to write
					p.Steps[i].Detail, p.Steps[i].Parts = "x", append(p.Steps[i].Parts, plan.Part{})
				}
				last[p.Run] = p
			}
		}
	})
	watchers.Go(func() {
		for ctx.Err() == nil {
			k.Touch()
			_ = k.Arming()
			if _, err := k.Advise(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	for i := range targets {
		workers.Go(func() {
			ask := plan.Request{Procedure: fmt.Sprint("rotate-", i), Target: "thing"}
			for range 10 {
				p, err := k.Plan(ctx, ask)
				if err != nil {
					t.Error(err)
					return
				}
				var no *Refusal
				var changed *Changed
				if err := k.Start(ctx, consent(p)); errors.As(err, &no) || errors.As(err, &changed) {
					continue // another one is at the thing, or has been
				} else if err != nil {
					t.Error(err)
					return
				}
				k.Stop(p.ID)
				got, err := k.Wait(ctx, p.ID)
				if err != nil || got.Steps[0].Detail == "x" {
					t.Errorf("%+v, %v", got, err)
				}
			}
		})
	}
	workers.Wait()
	cancel()
	watchers.Wait()
	for _, r := range k.log.Case().State.Runs {
		if r.Ended.IsZero() {
			t.Errorf("%+v", r)
		}
	}
}
