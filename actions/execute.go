package actions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"warroom/internal/incident"
	"warroom/internal/plan"
)

// ending is how a run, or what is done of it, ends.
type ending struct {
	state  plan.RunState
	detail string
	next   string
	mute   bool // it is not journalled: the console is being closed, or the journal cannot be written
}

// execute carries out a run that has begun, to its end.
func (e *Engine) execute(r *running) {
	end := ending{state: plan.RunFailed, detail: errFault.Error(), next: nextTakeUp}
	defer func() {
		if recover() != nil { // of the engine itself: what it says is not repeated
			end = ending{state: plan.RunFailed, detail: errFault.Error(), next: nextTakeUp}
		}
		e.finished(r, end)
	}()
	end = r.all()
}

// nextTakeUp is what can be done about a run that has no good end.
const nextTakeUp = "look at it with the advice for the run: it can be resumed or rolled back once the cause is gone"

// all does every step in order.
func (r *running) all() ending {
	q := r.p.plan
	r.line("info", fmt.Sprintf("%s. Plan %s, %s %s, fingerprint %.16s.", q.Title, q.ID, q.Procedure, q.Target, r.p.fingerprint))
	for i := range r.p.work {
		if end, ok := r.one(i); !ok {
			return end
		}
	}
	switch q.Mode {
	case plan.Back:
		return ending{state: plan.RunRolledBack, detail: "everything that it did is undone and verified"}
	case plan.Abandon:
		return ending{state: plan.RunAbandoned, detail: r.grant.reason}
	}
	return ending{state: plan.RunDone, detail: "every step is done and verified"}
}

// one does one step: look, journal the intent, do, verify, journal the outcome. ok is
// false when the run ends here.
func (r *running) one(i int) (end ending, ok bool) {
	w := &r.p.work[i]
	if end, ok := r.mayGoOn(); !ok {
		return end, false
	}
	r.enter(i, w)
	changes := w.step.Do != nil
	if w.undo {
		changes = w.step.Undo != nil
	}
	skip, note := r.already(w)
	if !skip && !w.undo && w.step.Check != nil {
		if err := r.look(w, func(ctx context.Context) error { return w.step.Check(ctx, r.run) }); err != nil {
			return r.refused(i, w, err), false
		}
	}
	if changes && !skip {
		// What the plan rests on was observed when the run began. If steps came before the
		// first change, that is a while ago.
		if w.change && !r.changed && i > 0 {
			if err := r.e.unchanged(r.ctx, r.p); err != nil {
				return r.refused(i, w, err), false
			}
		}
		if end, ok := r.mayGoOn(); !ok { // what was looked at may have taken a while
			r.leave(i, plan.Waiting, "")
			return end, false
		}
		if err := r.intent(w); err != nil {
			return r.unwritten(i, w, err, false), false
		}
		r.changed = r.changed || w.change
		if end, ok := r.do(i, w, &note); !ok {
			return end, false
		}
	}
	return r.verify(i, w, note)
}

// mayGoOn reports whether another step may be begun.
func (r *running) mayGoOn() (ending, bool) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	switch {
	case r.ctx.Err() != nil:
		return ending{state: plan.RunInterrupted, detail: "the console was closed", next: nextTakeUp, mute: true}, false
	case r.stopping:
		return ending{state: plan.RunStopped, detail: "it was stopped before its next step", next: "resume it, roll it back or abandon it"}, false
	}
	return ending{}, true
}

// already probes a step that an earlier run may have done, or undone: if it was, it
// is only verified.
func (r *running) already(w *work) (skip bool, note string) {
	if !w.unsure || w.step.Probe == nil {
		return false, ""
	}
	effect, found := r.e.probe(r.ctx, w, r.run)
	r.line("info", fmt.Sprintf("%s: the earlier run left it, and it %s%s.", w.title, effect, tail(found)))
	switch {
	case w.undo && effect == plan.NotDone:
		return true, "nothing of it was left"
	case !w.undo && effect == plan.Took:
		return true, "it took effect in the earlier run"
	}
	return false, ""
}

// look calls a function of a step that changes nothing.
func (r *running) look(w *work, f func(context.Context) error) error {
	ctx, end := r.e.reading(r.ctx)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, w.limit)
	defer cancel()
	return limited(ctx, w, guarded(func() error { return f(ctx) }))
}

// limited says of an error that came with the end of its time that this was why.
func limited(ctx context.Context, w *work, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("it did not end within %s: %w", w.limit, err)
	}
	return err
}

// do makes the change of a step, or takes it back, under the permit of that step. When
// the call fails it is looked at what came of it: what took effect all the same is
// verified like anything else.
func (r *running) do(i int, w *work, note *string) (ending, bool) {
	f := w.step.Do
	if w.undo {
		f = w.step.Undo
	}
	ctx, end := r.e.under(r.ctx, func() bool { return w.change && r.grant.live.Load() })
	ctx, cancel := context.WithTimeout(ctx, w.limit)
	err := limited(ctx, w, guarded(func() error { return f(ctx, r.run) }))
	cancel()
	if landed := end(); !landed {
		return r.failed(i, w, plan.Broken, errors.New("a call that it made did not return: what came of it is not known"), ""), false
	}
	switch {
	case err == nil:
		return ending{}, true
	case r.ctx.Err() != nil:
		return r.failed(i, w, plan.Broken, errors.New("the console was closed while it was done"), ""), false
	}
	if halt, ok := errors.AsType[*Halt](err); ok {
		return r.halted(i, w, halt), false
	}
	what, _ := r.e.words(err)
	if w.undo {
		// Looking that it is undone decides.
		*note = "the call said: " + what
		r.line("warn", fmt.Sprintf("%s: the call failed: %s. Looking what came of it.", w.title, what))
		return ending{}, true
	}
	if !w.change {
		return r.failed(i, w, plan.Failed, err, ""), false
	}
	effect, found := r.e.probe(r.ctx, w, r.run)
	switch {
	case effect == plan.Took && !errors.Is(err, errFault):
		*note = "the call failed (" + what + "), and it took effect all the same"
		r.line("warn", fmt.Sprintf("%s: the call failed: %s. It took effect all the same%s.", w.title, what, tail(found)))
		return ending{}, true
	case effect == plan.NotDone:
		return r.failed(i, w, plan.Failed, err, "it did not take effect"+tail(found)), false
	case effect == plan.Partly:
		return r.failed(i, w, plan.Failed, err, "it took effect in part"+tail(found)), false
	case effect == plan.Took:
		return r.failed(i, w, plan.Broken, err, "it took effect"+tail(found)), false
	}
	return r.failed(i, w, plan.Broken, err, "whether it took effect cannot be told"+tail(found)), false
}

// verify says of a step by looking whether it is done, or undone, and journals that.
func (r *running) verify(i int, w *work, note string) (ending, bool) {
	f, good, bad := w.step.Verify, plan.Done, plan.Failed
	if w.undo {
		f, good, bad = w.step.VerifyUndo, plan.Undone, plan.UndoError
	}
	var seen string
	if f != nil {
		err := r.look(w, func(ctx context.Context) (err error) { seen, err = f(ctx, r.run); return err })
		if halt, ok := errors.AsType[*Halt](err); ok {
			return r.halted(i, w, halt), false
		}
		switch {
		case err != nil && r.ctx.Err() != nil:
			return r.failed(i, w, plan.Broken, errors.New("the console was closed while it was verified"), ""), false
		case err != nil && note != "":
			return r.failed(i, w, bad, fmt.Errorf("its verification says no: %w", err), note), false
		case err != nil:
			return r.failed(i, w, bad, fmt.Errorf("its verification says no: %w", err), ""), false
		}
	}
	detail := r.e.text(join("; ", seen, note))
	if err := r.outcome(i, w, good, detail, ""); err != nil {
		return r.unwritten(i, w, err, true), false
	}
	return ending{}, true
}

// halted ends a run on purpose. The step is done, so that who resumes goes on behind
// it; but one that ended because it was told to stop is done again then.
func (r *running) halted(i int, w *work, halt *Halt) ending {
	why, next := r.e.text(halt.Why), r.e.text(halt.Next)
	state := plan.Done
	if r.stopAsked() || w.undo {
		state = plan.Broken
		if effect, _ := r.e.probe(r.ctx, w, r.run); effect == plan.NotDone && !w.undo {
			state = plan.Failed
		}
	}
	if err := r.outcome(i, w, state, why, next); err != nil {
		return r.unwritten(i, w, err, true)
	}
	return ending{state: plan.RunStopped, detail: why, next: next}
}

// failed ends a run with a step that failed, or of which it is not known what came of
// it. more is what was found beside the error.
func (r *running) failed(i int, w *work, state plan.StepState, err error, more string) ending {
	if w.undo && state == plan.Failed {
		state = plan.UndoError
	}
	what, next := r.e.words(err)
	what = r.e.text(join("; ", what, more))
	if errOut := r.outcome(i, w, state, what, next); errOut != nil {
		end := r.unwritten(i, w, errOut, true)
		end.detail = what + "; and " + end.detail
		return end
	}
	if r.ctx.Err() != nil {
		return ending{state: plan.RunInterrupted, detail: w.title + ": " + what, next: nextTakeUp, mute: true}
	}
	return ending{state: plan.RunFailed, detail: w.title + ": " + what, next: orElse(next, nextTakeUp)}
}

// refused ends a run before a step was begun.
func (r *running) refused(i int, w *work, err error) ending {
	what, next := r.e.words(err)
	state := plan.RunFailed
	if halt, ok := errors.AsType[*Halt](err); ok {
		what, next, state = r.e.text(halt.Why), r.e.text(halt.Next), plan.RunStopped
	}
	r.leave(i, plan.Failed, "not begun: "+what)
	return ending{state: state, detail: w.title + " was not begun: " + what, next: orElse(next, nextTakeUp)}
}

// unwritten ends a run whose journal cannot be written.
func (r *running) unwritten(i int, w *work, err error, done bool) ending {
	what, _ := r.e.words(err)
	detail := w.title + " was not begun, because it cannot be journalled: " + what
	state := plan.Failed
	if done {
		detail, state = "what came of "+w.title+" cannot be journalled: "+what, plan.Broken
	}
	r.leave(i, state, detail)
	return ending{state: plan.RunFailed, detail: detail, next: "see to the disk of the journal; then open the incident again and take up the run"}
}

// intent journals that a step is about to be done.
func (r *running) intent(w *work) error {
	facts, fresh := r.fresh()
	return r.record(facts, incident.Intent{Run: r.p.plan.ID, Step: w.id, Undo: w.undo, Facts: fresh})
}

// outcome journals what came of a step, with the temporary measures that it opened or
// ended, and shows it.
func (r *running) outcome(i int, w *work, state plan.StepState, detail, next string) error {
	r.e.mu.Lock()
	took := r.e.now().Sub(r.steps[i].Started)
	r.e.mu.Unlock()
	facts, fresh := r.fresh()
	data := incident.Outcome{Run: r.p.plan.ID, Step: w.id, State: state, Detail: detail, Next: next, Took: max(0, took), Facts: fresh}
	if err := r.record(facts, append([]incident.Data{data}, r.measures(w, state)...)...); err != nil {
		return err
	}
	r.leave(i, state, detail)
	return nil
}

// record journals events of the run, which tell of all facts up to those given.
func (r *running) record(facts map[string]string, events ...incident.Data) error {
	r.e.mu.Lock()
	attached := r.e.log == r.log
	r.e.mu.Unlock()
	if !attached {
		return errClosed
	}
	for name, value := range facts {
		if !incident.FactFits(name, value) {
			return fmt.Errorf("%w: it noted a fact that no journal keeps", errFault)
		}
	}
	if err := r.e.record(r.log, events...); err != nil {
		return err
	}
	r.facts = facts
	return nil
}

// fresh are all facts, and those of them that the journal does not know yet.
func (r *running) fresh() (all, fresh map[string]string) {
	all = r.run.Facts()
	for name, value := range all {
		if old, known := r.facts[name]; !known || old != value {
			if fresh == nil {
				fresh = map[string]string{}
			}
			fresh[name] = value
		}
	}
	return all, fresh
}

// enter shows that a step is begun.
func (r *running) enter(i int, w *work) {
	r.e.mu.Lock()
	s := &r.steps[i]
	s.State, s.Started, r.at = plan.Running, r.e.now(), i
	if w.undo {
		s.State = plan.Undoing
	}
	r.say("info", fmt.Sprintf("Step %d of %d: %s", i+1, len(r.steps), r.p.plan.Steps[i].Title))
	r.e.news()
	r.e.mu.Unlock()
	r.flush(false)
}

// leave shows how a step stands that is no longer under way.
func (r *running) leave(i int, state plan.StepState, detail string) {
	r.e.mu.Lock()
	s := &r.steps[i]
	s.State, s.Detail, s.Ended, r.at = state, r.e.text(detail), r.e.now(), -1
	mark := "fail"
	switch state {
	case plan.Done, plan.Skipped, plan.Undone:
		mark = "ok"
	case plan.Waiting:
		mark = "info"
	}
	r.say(mark, fmt.Sprintf("%s: %s%s", r.p.plan.Steps[i].Title, state, tail(s.Detail)))
	r.e.news()
	r.e.mu.Unlock()
	r.flush(true)
}

// finished journals the end of a run, and gives its place back.
func (e *Engine) finished(r *running, end ending) {
	r.grant.end()
	if !end.mute {
		err := r.record(r.facts, incident.RunEnded{Run: r.p.plan.ID, State: end.state, Detail: end.detail, Next: end.next})
		if err != nil {
			what, _ := e.words(err)
			end.next = join("; ", end.next, "the end of the run cannot be journalled ("+what+")")
		}
	}
	mark := "ok"
	switch end.state {
	case plan.RunFailed, plan.RunInterrupted:
		mark = "fail"
	case plan.RunStopped:
		mark = "warn"
	}
	r.line(mark, fmt.Sprintf("The run is %s%s.", end.state, tail(join("; ", end.detail, end.next))))
	r.flush(true)
	r.p.close()
	r.cancel()
	e.mu.Lock()
	defer e.mu.Unlock()
	r.active, r.state, r.ended, r.held, r.at = false, end.state, later(e.now(), r.started), nil, -1
	if mark != "ok" {
		r.trouble = end.detail
	}
	r.next = end.next
	delete(e.busy, r.p.plan.Target)
	if e.arm.on {
		e.touch() // the idle clock starts now
	}
	e.news()
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func join(by string, parts ...string) string {
	out := ""
	for _, p := range parts {
		if p != "" && out != "" {
			out += by
		}
		out += p
	}
	return out
}
