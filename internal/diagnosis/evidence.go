package diagnosis

import (
	"slices"
	"time"

	"warroom/internal/estate"
)

// senses is one run of Sense: the readings, and what several sensors need of them.
type senses struct {
	r   *estate.Readings
	s   *estate.Snapshot
	t   *estate.Topology
	now time.Time

	byCheck map[string][]*estate.Slot // in the topology's order
	secrets []estate.Standing
	byID    map[string]int // of secrets
	failing *failing
	focus   []*estate.Standing // the secrets that a question is about
	focal   map[string]bool    // by id
	tries   []trial
	changes []estate.RecentChange
	unread  []estate.UnreadChanges // of changes
	faults  []fault

	answers map[string]Finding // of the sensors that were asked already

	changedBy map[string]time.Time // when the sources of changes were read, by source

	faultReads *evidence // on which faults rest
}

func newSenses(r *estate.Readings, now time.Time) *senses {
	x := &senses{r: r, s: r.Snapshot, t: r.Snapshot.Topology, now: now, byCheck: map[string][]*estate.Slot{}, answers: make(map[string]Finding, len(table))}
	for i := range x.t.Components {
		c := &x.t.Components[i]
		for _, slot := range x.s.Slots(c.ID) {
			check := slot.Last.Key.Check
			x.byCheck[check] = append(x.byCheck[check], slot)
		}
	}
	x.secrets = estate.Standings(x.s, now)
	x.findChanges()
	x.byID = make(map[string]int, len(x.secrets))
	for i := range x.secrets {
		x.byID[x.secrets[i].Secret.ID] = i
	}
	x.failing = x.findFailing()
	x.findFocus()
	x.tries = x.findTrials()
	x.findFaults()
	return x
}

// seen is what is known of one read.
type seen struct {
	slot  *estate.Slot // never nil
	ok    bool         // data is there, however old
	stale bool
}

// sure reports that the data is there, fresh, and from the last attempt: only that
// speaks for or against anything.
func (v seen) sure() bool { return v.ok && !v.stale && v.slot.Last.Failure == nil }

func (v seen) owner() estate.ID { return v.slot.Last.Key.Component }

// absent reports that the system has no such feature: there is nothing to read.
func (v seen) absent() bool { return v.kind() == estate.NotSupported }

// kind is why the last attempt brought nothing; empty when it brought something.
func (v seen) kind() estate.FailureKind {
	if f := v.slot.Last.Failure; f != nil {
		return f.Kind
	}
	return ""
}

// of is seen with what was read.
type of[T estate.Data] struct {
	seen
	data T
}

func typed[T estate.Data](x *senses, slot *estate.Slot) of[T] {
	v := of[T]{seen: seen{slot: slot}}
	if slot.Good != nil {
		v.data, v.ok = slot.Good.Data.(T)
		v.stale = slot.IsStale(x.now)
	}
	return v
}

// every lists all reads of one check, in the topology's order, but for those that
// their system does not have.
func every[T estate.Data](x *senses, check string) []of[T] {
	slots := x.byCheck[check]
	out := make([]of[T], 0, len(slots))
	for _, slot := range slots {
		if v := typed[T](x, slot); !v.absent() {
			out = append(out, v)
		}
	}
	return out
}

// one looks up a single read; planned is false when no check makes it, or its
// system does not have it.
func one[T estate.Data](x *senses, id estate.ID, check, item string) (v of[T], planned bool) {
	for _, slot := range x.s.Slots(id) {
		if k := slot.Last.Key; k.Check == check && k.Item == item {
			v = typed[T](x, slot)
			return v, !v.absent()
		}
	}
	return of[T]{seen: seen{slot: &estate.Slot{}}}, false
}

// recent reports that the last attempt is within its time, whatever it brought.
func (x *senses) recent(slot *estate.Slot) bool {
	at := slot.TriedAt()
	return !at.IsZero() && (slot.Last.Interval <= 0 || x.now.Sub(at) <= estate.StaleAfter*slot.Last.Interval)
}

// name is what a component is called.
func (x *senses) name(id estate.ID) string {
	if c, ok := x.t.Component(id); ok && c.Name != "" {
		return c.Name
	}
	return string(id)
}

// why says in a few words why a read cannot be used: whose it is and what is the
// matter with it.
func (x *senses) why(v seen) string {
	name := x.name(v.owner())
	if item := v.slot.Last.Key.Item; item != "" {
		name += " (" + item + ")"
	}
	switch f := v.slot.Last.Failure; {
	case f != nil && f.Detail != "":
		return name + ": " + string(f.Kind) + ", " + cut(f.Detail, 70)
	case f != nil:
		return name + ": " + string(f.Kind)
	case v.stale:
		return name + ": last good answer " + estate.Ago(x.now, v.slot.Good.At)
	}
	return name + ": an answer of another kind than expected"
}

// fact states what a read brought; Unknown when it cannot be used.
func (x *senses) fact(v seen, name, value string, status estate.Status) Fact {
	f := Fact{Component: v.owner(), Name: name, Value: value, Status: status, Source: v.slot.Last.Source, Stale: v.stale}
	if g := v.slot.Good; g != nil {
		f.At, f.Source = g.At, g.Source
	}
	if !v.sure() {
		f.Status = estate.Unknown
		if value == "" {
			f.Value = x.why(v)
		}
	}
	return f
}

// lost states a read that brought nothing, with the failure as its value: the
// failure itself is what was seen.
func (x *senses) lost(v seen, name string) Fact {
	f := Fact{Component: v.owner(), Name: name, Value: string(v.kind()), Status: estate.Unknown, Source: v.slot.Last.Source, At: v.slot.TriedAt()}
	if fail := v.slot.Last.Failure; fail != nil {
		f.Status = fail.Kind.Status()
		if fail.Detail != "" {
			f.Value += ": " + cut(fail.Detail, 100)
		}
	}
	return f
}

// How many facts a finding holds at the most, and among how many they are chosen.
const (
	factsKept  = 8
	proofsKept = 64
)

// evidence gathers what a finding rests on.
type evidence struct {
	x      *senses
	hits   []string // what was found, in words
	proofs []Fact   // of the hits
	once   map[string]bool
	facts  []Fact   // the others
	blind  []string // why something could not be read
	gaps   []Fact   // of the blind
	looks  int      // reads that could tell
	read   []seen   // the first of the reads that can be used
	vain   []string // changes that were refused
}

func (x *senses) gather() *evidence { return &evidence{x: x} }

// look counts a read that could tell, and reports whether it can be used.
func (e *evidence) look(v seen) bool {
	e.looks++
	if v.sure() {
		if len(e.read) < factsKept {
			e.read = append(e.read, v)
		}
		return true
	}
	e.miss(e.x.why(v))
	if len(e.gaps) < factsKept {
		f := e.x.fact(v, string(v.slot.Last.Key.Check), "", estate.Unknown)
		e.gaps = append(e.gaps, f)
	}
	return false
}

// miss notes something that would have to be read and was not.
func (e *evidence) miss(why string) { e.blind = append(e.blind, why) }

// hit notes what answers the question.
func (e *evidence) hit(words string, f ...Fact) {
	if e.once == nil {
		e.once = map[string]bool{}
	}
	if !e.once[words] {
		e.once[words] = true
		e.hits = append(e.hits, words)
	}
	if len(e.proofs) < proofsKept {
		e.proofs = append(e.proofs, f...)
	}
}

// note keeps a fact that was read and is no hit.
func (e *evidence) note(f ...Fact) {
	if len(e.facts) < factsKept {
		e.facts = append(e.facts, f...)
	}
}

// told are the facts of the finding, the most telling first.
func (e *evidence) told() []Fact {
	all := slices.Concat(e.proofs, e.gaps, e.facts)
	if !slices.ContainsFunc(all, func(f Fact) bool { return !f.At.IsZero() }) {
		// What found nothing rests on what was looked at all the same.
		for _, v := range e.read {
			all = append(all, e.x.fact(v, v.slot.Last.Key.Check, "read, nothing of the kind", estate.NA))
		}
	}
	all = slices.Clip(all[:min(len(all), factsKept)])
	for i := range all {
		all[i].Name, all[i].Value = cut(all[i].Name, factKept), cut(all[i].Value, factKept)
	}
	return all
}

// finding states a stance with the facts.
func (e *evidence) finding(s Stance, value string) Finding {
	return Finding{Stance: s, Value: value, Facts: e.told()}
}

// unreadable is the finding where something is missing that would decide.
func (e *evidence) unreadable() Finding { return e.finding(Unread, few(e.blind, 2)) }

// any answers whether there is any such thing: For with what was found, Against
// with none when all that could tell was read and says nothing of the kind; nothing
// is said when nothing in this estate could tell.
func (e *evidence) any(none, nothing string) Finding {
	switch {
	case len(e.hits) > 0:
		return e.finding(For, few(e.hits, 2))
	case len(e.blind) > 0:
		return e.unreadable()
	case e.looks == 0:
		return Finding{Value: nothing}
	}
	return e.finding(Against, none)
}

// all answers whether everything is so, the hits being what is not: one of them is
// enough, and For needs every read.
func (e *evidence) all(so, nothing string) Finding {
	f := e.any(so, nothing)
	switch f.Stance {
	case For:
		f.Stance = Against
	case Against:
		f.Stance = For
	}
	return f
}
