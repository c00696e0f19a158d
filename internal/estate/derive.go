package estate

import (
	"strings"
	"time"
)

// Readings is what a snapshot means at one time: a reading of every component,
// in the topology's order.
type Readings struct {
	Snapshot *Snapshot
	At       time.Time
	All      []Reading
}

// Of returns the reading of a component.
func (r *Readings) Of(id ID) (Reading, bool) {
	i, ok := r.Snapshot.Topology.byID[id]
	if !ok {
		return Reading{}, false
	}
	return r.All[i], true
}

// Status is the summary of a plane: the worst of its components.
func (r *Readings) Status(p Plane) Status {
	worst := NA
	for i, c := range r.Snapshot.Topology.Components {
		if c.Plane == p {
			worst = Worst(worst, r.All[i].Status)
		}
	}
	return worst
}

// Count is how many components have each status, indexed by Status.
func (r *Readings) Count() [5]int {
	var n [5]int
	for _, one := range r.All {
		n[one.Status]++
	}
	return n
}

// Derive reads a snapshot at a time. It is pure.
func Derive(s *Snapshot, now time.Time) *Readings {
	r := &Readings{Snapshot: s, At: now, All: make([]Reading, len(s.Topology.Components))}
	d := &derivation{s: s, t: s.Topology, now: now, secrets: make(map[string]*secretState, len(s.Topology.Secrets))}
	for i := range s.Topology.Components {
		r.All[i] = d.reading(&s.Topology.Components[i])
	}
	return r
}

// derivation is one run of Derive, with what it worked out so far.
type derivation struct {
	s       *Snapshot
	t       *Topology
	now     time.Time
	secrets map[string]*secretState

	// Of the reads on which the reading under way rests, its own or not: whether
	// one is still to be tried, and whether one was tried and brought nothing.
	awaited, refused bool
}

// looked notes how a read stands for the reading under way.
func (d *derivation) looked(slot *Slot) {
	switch {
	case slot.Last.tried().IsZero():
		d.awaited = true
	case slot.Last.Failure != nil:
		d.refused = true
	}
}

// deriver works out the reading of one component.
type deriver struct {
	*derivation
	c    *Component
	r    Reading
	said Status // for which the reading's word was chosen
}

func (all *derivation) reading(c *Component) Reading {
	d := &deriver{derivation: all, c: c, r: Reading{ID: c.ID}}
	d.awaited, d.refused = false, false
	switch c.Kind {
	case KindGateway:
		d.gateway()
	case KindBalancer:
		d.balancer()
	case KindSecretsManager:
		d.secretsManager()
	case KindRotationFunction:
		d.rotationFunction()
	case KindKeys:
		d.keys()
	case KindPostgres:
		d.postgres()
	case KindExternalAPI:
		d.externalAPI()
	case KindApplication:
		d.application()
	case KindScheduledJob:
		d.scheduledJob()
	case KindVault:
		d.vault()
	case KindSecretStore:
		d.secretStore()
	case KindRotationMonitor:
		d.rotationMonitor()
	case KindSecretMonitor:
		d.secretMonitor()
	case KindAccessMonitor:
		d.accessMonitor()
	}
	d.finish()
	return d.r
}

// finish sums the facts up.
func (d *deriver) finish() {
	r := &d.r
	for _, slot := range d.s.Slots(d.c.ID) {
		if tried := slot.Last.tried(); tried.After(r.Tried) {
			r.Tried = tried
		}
		r.Took = max(r.Took, slot.Last.Took)
	}
	if len(r.Facts) == 0 {
		r.Status, r.Word, r.Reason = Unknown, "UNCHECKED", d.c.Unread
		if r.Reason == "" {
			r.Reason = "no check reads this"
		}
		return
	}
	var worst *Fact
	for i := range r.Facts {
		f := &r.Facts[i]
		r.Status = Worst(r.Status, f.Status)
		if worst == nil || f.Status > worst.Status {
			worst = f
		}
		if f.Headline && !f.At.IsZero() && (r.At.IsZero() || f.At.Before(r.At)) {
			r.At = f.At
		}
	}
	// A word that was chosen for a better status than the summary would hide what
	// made the summary worse.
	if r.Word == "" || r.Status > d.said {
		r.Word, r.Reason = d.plainWord(r.Status), ""
	}
	if r.Reason == "" && r.Status != OK && r.Status != NA {
		r.Reason = worst.Name + ": " + worst.Value
		if worst.Note != "" {
			r.Reason += " (" + worst.Note + ")"
		}
	}
}

// plainWord words a status for which no kind of component found a better word.
func (d *deriver) plainWord(s Status) string {
	switch s {
	case OK:
		return "HEALTHY"
	case Warn:
		return "DEGRADED"
	case Fail:
		return "FAILED"
	case Unknown:
		// Some rest on the reads of others alone: those were tried too.
		if d.r.Tried.IsZero() && d.awaited && !d.refused {
			return "READING"
		}
		return "NOT READ"
	}
	return "N/A"
}

// add appends a fact; headline facts are drawn in the component's box.
func (d *deriver) add(headline bool, f Fact) {
	f.Headline = headline
	d.r.Facts = append(d.r.Facts, f)
}

// say sets the component's own state word, the status for which it stands and
// the reason, unless a worse one was said before.
func (d *deriver) say(status Status, word, reason string) {
	if d.r.Word == "" || status > d.said {
		d.said, d.r.Word, d.r.Reason = status, word, reason
	}
}

// seen is what is known of one read, typed.
type seen[T Data] struct {
	basis
	data T
}

// basis is what a figure rests on: one read, whatever it brought.
type basis struct {
	planned bool // some check reads it
	ok      bool // data is there, however old
	stale   bool
	slot    *Slot // never nil
	now     time.Time
}

// unplanned stands for a read that no check makes.
var unplanned Slot

// see looks one read up. Data of another type than T counts as none.
func see[T Data](d *derivation, owner ID, check, item string) seen[T] {
	slot := d.s.slot(Key{owner, check, item})
	if slot == nil {
		return seen[T]{basis: basis{now: d.now, slot: &unplanned}}
	}
	d.looked(slot)
	return typed[T](slot, d.now)
}

// seeAll looks up every read of one check of a component.
func seeAll[T Data](d *derivation, owner ID, check string) []seen[T] {
	var out []seen[T]
	for _, slot := range d.s.Slots(owner) {
		if slot.Last.Key.Check == check {
			d.looked(slot)
			out = append(out, typed[T](slot, d.now))
		}
	}
	return out
}

func typed[T Data](slot *Slot, now time.Time) seen[T] {
	v := seen[T]{basis: basis{planned: true, slot: slot, now: now}}
	if slot.Good != nil {
		v.data, v.ok = slot.Good.Data.(T)
		v.stale = slot.Good.Interval > 0 && now.Sub(slot.Good.tried()) > StaleAfter*slot.Good.Interval
	}
	return v
}

// failure is why the last attempt brought nothing, or nil.
func (v basis) failure() *Failure { return v.slot.Last.Failure }

// sure reports that the data is there, fresh, and from the last attempt.
func (v basis) sure() bool { return v.ok && !v.stale && v.slot.Last.Failure == nil }

// fact states a figure taken from this read. What was never read, is stale or
// failed at the last attempt overrides value or status: unknown is never OK.
func (v basis) fact(name, value string, status Status, note string) Fact {
	f := Fact{Name: name, Value: value, Status: status, Note: note, Source: v.slot.Last.Source}
	if g := v.slot.Good; g != nil {
		f.At, f.Took, f.Source = g.At, g.Took, g.Source
	}
	fail := v.failure()
	switch {
	case !v.planned:
		f.Value, f.Status, f.Note = "?", Unknown, "nothing in warroom.yaml says how to read it"
	case !v.ok && fail != nil:
		f.Value, f.Status, f.Note = "?", fail.Kind.Status(), fail.brief()
		if f.Status == Fail {
			f.Value = fail.Kind.word()
		}
	case !v.ok:
		f.Value, f.Status, f.Note = "?", Unknown, "the answer was of another kind than expected"
	case v.stale:
		f.Stale, f.Status = true, Unknown
		f.Note = "last good answer " + Ago(v.now, v.slot.Good.At)
		if fail != nil {
			f.Failed = true
			f.Note = fail.brief() + "; " + f.Note
		}
	case fail != nil:
		f.Failed = true
		f.Status = Worst(f.Status, fail.Kind.Status())
		f.Note = fail.brief()
	}
	return f
}

// on adds reads on which the figure rests besides its own: it is as old as the
// oldest, and as sure as the least sure. Reads that brought nothing are left out:
// the figure does not rest on them.
func (f Fact) on(others ...basis) Fact {
	for _, b := range others {
		if !b.ok {
			continue
		}
		if g := b.slot.Good; g != nil {
			if !strings.Contains(f.Source, g.Source) {
				f.Source = strings.TrimPrefix(f.Source+"; "+g.Source, "; ")
			}
			if f.At.IsZero() || g.At.Before(f.At) {
				f.At = g.At
			}
			f.Took = max(f.Took, g.Took)
		}
		if b.sure() {
			continue
		}
		part := b.fact("", "", OK, "")
		if f.Status != Fail || part.Stale {
			f.Status = Worst(f.Status, part.Status)
		}
		if part.Stale {
			f.Status = Unknown
		}
		f.Stale, f.Failed = f.Stale || part.Stale, f.Failed || part.Failed
		if !strings.Contains(f.Note, part.Note) {
			f.Note = strings.TrimPrefix(f.Note+"; "+part.Note, "; ")
		}
	}
	return f
}

// brief is the failure in one line, without what was being done, which its
// fact's source says, and without what to do next, which the detail says once.
func (f *Failure) brief() string {
	s := string(f.Kind)
	if f.Detail != "" {
		s += ": " + f.Detail
	}
	return s
}

// word is a failure of the target itself as a state.
func (k FailureKind) word() string {
	switch k {
	case Refused:
		return "NO CONNECTION"
	case ServerError:
		return "SERVER ERROR"
	case BadAnswer:
		return "BAD ANSWER"
	case Missing:
		return "MISSING"
	case BadSecret:
		return "UNUSABLE"
	}
	return "?"
}
