package actions

import (
	"maps"
	"strings"
	"sync"

	"warroom/internal/estate"
	"warroom/internal/plan"
)

// Run is what the steps of one run share: facts that outlive a crash, values that
// people typed, and how it is told what happens. It is safe for concurrent use.
type Run struct {
	plan   *plan.Plan
	inputs map[string]estate.Secret
	tell   teller

	mu    sync.Mutex
	facts map[string]string
	stays map[string]bool // temporary measures, by What

	parent *Run   // of a part of a larger plan
	prefix string // of the part's facts and inputs
}

// teller is who hears of a run.
type teller interface {
	line(mark, text string)
	part(p plan.Part)
	hold(h plan.Held, on bool)
}

// Plan is what is being carried out. It must not be changed.
func (r *Run) Plan() *plan.Plan { return r.plan }

// Input is a value that was typed for this run; empty when none was, also after a
// crash.
func (r *Run) Input(id string) estate.Secret {
	if r.parent != nil {
		return r.parent.Input(r.prefix + id)
	}
	return r.inputs[id]
}

// Within is the run as the steps of another procedure see it whose plan is part of
// this one: their facts and inputs are kept under the prefix, so that two parts do
// not meet.
func (r *Run) Within(prefix string, part *plan.Plan) *Run {
	own := *part
	own.ID, own.Of, own.Mode = r.plan.ID, r.plan.Of, r.plan.Mode // it is the run of the whole
	return &Run{plan: &own, tell: r.tell, parent: r, prefix: prefix}
}

// Fact is something that the plan or an earlier step noted; empty when it is not
// known.
func (r *Run) Fact(name string) string {
	if r.parent != nil {
		return r.parent.Fact(r.prefix + name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.facts[name]
}

// Note keeps a fact for the steps after this one. It is durable with the outcome of
// the step that noted it. A value of a secret must never be one.
func (r *Run) Note(name, value string) {
	if r.parent != nil {
		r.parent.Note(r.prefix+name, value)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.facts[name] = value
}

// Facts are all facts, as they stand.
func (r *Run) Facts() map[string]string {
	if r.parent == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		return maps.Clone(r.facts)
	}
	own := map[string]string{}
	for name, value := range r.parent.Facts() {
		if rest, ok := strings.CutPrefix(name, r.prefix); ok {
			own[rest] = value
		}
	}
	return own
}

// Stays says of a temporary measure, by its What, that it cannot be taken back now: where
// the step that opened it is undone all the same, it stays open.
func (r *Run) Stays(what string) {
	if r.parent != nil {
		r.parent.Stays(what)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stays == nil {
		r.stays = map[string]bool{}
	}
	r.stays[what] = true
}

func (r *Run) staying(what string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stays[what]
}

// Say tells what happens, as one line of the log: mark is ok, fail, warn or info.
func (r *Run) Say(mark, text string) { r.tell.line(mark, text) }

// Part tells how one of the many stands that the step works on.
func (r *Run) Part(p plan.Part) { r.tell.part(p) }

// Hold tells that something is kept, or with on false no longer, until the run ends.
func (r *Run) Hold(h plan.Held, on bool) { r.tell.hold(h, on) }

// Stopping reports whether the run was asked to stop before its next step: a step that
// is only waiting ends then.
func (r *Run) Stopping() bool {
	asked, ok := r.tell.(interface{ stopAsked() bool })
	return ok && asked.stopAsked()
}
