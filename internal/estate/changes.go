package estate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// changesKept is how many recent changes are listed at the most.
const changesKept = 500

// RecentChange is one write to something on which secrets depend, or one revision
// of a workload, with what of the estate it touches.
type RecentChange struct {
	Change
	Source     string   // which call or watch brought it
	Components []ID     // what it touches, in the topology's order: what was changed, and what its secrets run through
	Secrets    []string // ids of the stored secrets that were changed
}

// UnreadChanges is a source of changes of which something is missing, so that an
// empty list is not taken for quiet.
type UnreadChanges struct {
	What   string    // the account, or the component
	Why    string    // what is missing, and why
	Status Status    // Unknown or Fail where nothing or only old answers are there, Warn where older changes are missing
	At     time.Time // of the last good answer; zero if there was none
}

// RecentChanges lists, newest first and each once, what CloudTrail recorded in
// every account and how every workload was rolled out within Rules.ChangesWindow,
// and what of that could not be read. It is pure.
func RecentChanges(s *Snapshot, now time.Time) ([]RecentChange, []UnreadChanges) {
	x := &changeReader{s: s, d: &derivation{s: s, t: s.Topology, now: now}}
	if w := s.Topology.Rules.ChangesWindow; w > 0 {
		x.since = now.Add(-w)
	}
	for i := range s.Topology.Components {
		c := &s.Topology.Components[i]
		for _, slot := range s.Slots(c.ID) {
			switch slot.Last.Key.Check {
			case CheckChanges:
				x.account(c, slot)
			case CheckRevisions:
				x.workload(c, slot)
			}
		}
	}
	if x.sources == 0 {
		x.unread = append(x.unread, UnreadChanges{What: "recent changes", Why: "nothing in warroom.yaml says where to read them", Status: Unknown})
	}
	slices.SortStableFunc(x.all, func(a, b RecentChange) int { return b.At.Compare(a.At) })
	slices.SortStableFunc(x.unread, func(a, b UnreadChanges) int { return cmp.Compare(b.Status, a.Status) })
	if len(x.all) > changesKept {
		x.unread = append(x.unread, UnreadChanges{What: "recent changes", Status: Warn,
			Why: fmt.Sprintf("only the newest %d of %s are listed", changesKept, thousands(len(x.all)))})
		x.all = x.all[:changesKept]
	}
	return x.all, x.unread
}

// changeReader gathers changes and what they touch.
type changeReader struct {
	s       *Snapshot
	d       *derivation
	since   time.Time
	sources int
	all     []RecentChange
	unread  []UnreadChanges
	seen    map[changeID]bool
	names   map[string][]touched // what a name stands for; made when it is first needed
	through map[string][]ID      // by secret
}

// changeID tells changes apart: two accounts of warroom.yaml may be one account
// of AWS.
type changeID struct {
	at               int64
	what, target, by string
}

// touched is one thing that a name stands for.
type touched struct {
	component ID
	secret    string
	system    string // the account it is in; empty when that is not known
}

// whole reports of a source whether what it brought may be used, and notes what
// is missing of it.
func (x *changeReader) whole(b basis, what string) bool {
	x.sources++
	fail := b.failure()
	if fail != nil && fail.Kind == NotSupported {
		return false
	}
	if b.sure() {
		return true
	}
	f := b.fact("", "", OK, "")
	u := UnreadChanges{What: what, Why: f.Note, Status: max(f.Status, Unknown)}
	if b.ok {
		u.At = b.slot.Good.At
	}
	x.unread = append(x.unread, u)
	return b.ok
}

func (x *changeReader) account(c *Component, slot *Slot) {
	v := typed[Changes](slot, x.d.now)
	name := cmp.Or(slot.Last.Key.Item, v.data.Account)
	if !x.whole(v.basis, "account "+name) {
		return
	}
	if v.data.Partial {
		x.unread = append(x.unread, UnreadChanges{What: "account " + name, Status: Warn, At: slot.Good.At,
			Why: "there were more events than one read may look at: older changes are missing"})
	}
	for _, one := range v.data.Changes {
		if one.At.Before(x.since) {
			continue
		}
		one.Where = cmp.Or(one.Where, name)
		r := RecentChange{Change: one, Source: slot.Good.Source}
		x.touch(&r)
		x.add(r)
	}
}

func (x *changeReader) workload(c *Component, slot *Slot) {
	v := typed[Revisions](slot, x.d.now)
	if !x.whole(v.basis, "revisions of "+c.Name) {
		return
	}
	for _, one := range v.data.Revisions {
		if one.At.Before(x.since) {
			continue
		}
		x.add(RecentChange{
			Change: Change{At: one.At, What: fmt.Sprintf("rollout %d", one.Number), Target: cmp.Or(c.Workload, one.Name), Where: c.System, Detail: one.Note},
			Source: slot.Good.Source, Components: []ID{c.ID},
		})
	}
}

func (x *changeReader) add(r RecentChange) {
	id := changeID{r.At.Unix(), r.What, r.Target, r.By}
	if x.seen == nil {
		x.seen = map[changeID]bool{}
	}
	if !x.seen[id] {
		x.seen[id] = true
		x.all = append(x.all, r)
	}
}

// touch says what of the estate a change of an account touches.
func (x *changeReader) touch(r *RecentChange) {
	if x.names == nil {
		x.index()
	}
	hit := map[ID]bool{}
	for _, t := range x.meant(r.Target) {
		if t.system != "" && r.Where != "" && t.system != r.Where {
			continue
		}
		if t.secret == "" {
			hit[t.component] = true
			continue
		}
		if !slices.Contains(r.Secrets, t.secret) {
			r.Secrets = append(r.Secrets, t.secret)
		}
		for _, id := range x.runsThrough(t.secret) {
			hit[id] = true
		}
	}
	for id := range hit {
		r.Components = append(r.Components, id)
	}
	byID := x.s.Topology.byID
	slices.SortFunc(r.Components, func(a, b ID) int { return cmp.Compare(byID[a], byID[b]) })
}

// meant is what a target stands for. A role is told as "role NAME", and a thing of a
// function, such as its security group, as "… of function NAME".
func (x *changeReader) meant(target string) []touched {
	if role, ok := strings.CutPrefix(target, "role "); ok {
		return x.names[plainName(role)]
	}
	if _, function, ok := strings.Cut(target, " of function "); ok {
		return x.names[plainName(function)]
	}
	return x.names[plainName(target)]
}

// plainName is what a target is called, however it was named: by ARN, by path or
// by name.
func plainName(target string) string {
	if i := strings.LastIndexByte(target, '/'); strings.Contains(target, ":role/") {
		return target[i+1:] // a role's path is no part of its name
	}
	return strings.TrimPrefix(named(strings.TrimSpace(target)), "alias/")
}

func (x *changeReader) runsThrough(secret string) []ID {
	if out, done := x.through[secret]; done {
		return out
	}
	var out []ID
	t := x.s.Topology
	for i := range t.Components {
		if t.Through(t.Components[i].ID, secret) {
			out = append(out, t.Components[i].ID)
		}
	}
	x.through[secret] = out
	return out
}

// index notes by which names the estate's things are changed: secrets, functions
// and their roles, keys and balancers.
func (x *changeReader) index() {
	x.names, x.through = map[string][]touched{}, map[string][]ID{}
	t := x.s.Topology
	for i := range t.Secrets {
		s := &t.Secrets[i]
		x.call(cmp.Or(s.Name, s.ID), touched{secret: s.ID, system: t.systemOf(s.Store)})
	}
	for i := range t.Components {
		c := &t.Components[i]
		it := touched{component: c.ID, system: c.System}
		switch c.Kind {
		case KindRotationFunction:
			x.call(c.Target, it)
			f := see[FunctionConfig](x.d, c.ID, CheckFunction, "")
			x.call(f.data.Name, it)
			x.call(f.data.Role, it)
			p := see[Permissions](x.d, c.ID, CheckPermissions, "")
			x.call(p.data.Role, it)
		case KindKeys:
			for _, v := range seeAll[KeyState](x.d, c.ID, CheckKey) {
				x.call(v.slot.Last.Key.Item, it)
				x.call(v.data.KeyID, it)
			}
		case KindBalancer:
			for _, v := range seeAll[Listeners](x.d, c.ID, CheckListeners) {
				x.call(v.data.Balancer, it)
				x.call(v.data.Name, it)
			}
		}
	}
}

func (x *changeReader) call(name string, it touched) {
	name = plainName(name)
	if name == "" {
		return
	}
	for _, have := range x.names[name] {
		if have == it {
			return
		}
	}
	x.names[name] = append(x.names[name], it)
}

// Routine reports whether rotation itself made the change, on its schedule, and
// nobody by hand.
func (r *RecentChange) Routine() bool {
	switch RotationOutcome(r.What) {
	case RotationStarted, RotationSucceeded, RotationFailed, RotationAbandoned:
		return true
	}
	return false
}

// Touches reports whether a change concerns a component.
func (r *RecentChange) Touches(id ID) bool { return slices.Contains(r.Components, id) }

// TellsChanges reports whether anything is configured to tell of changes.
func (s *Snapshot) TellsChanges() bool {
	for i := range s.Topology.Components {
		for _, slot := range s.Slots(s.Topology.Components[i].ID) {
			if slot.Last.Key.Check == CheckChanges || slot.Last.Key.Check == CheckRevisions {
				return true
			}
		}
	}
	return false
}
