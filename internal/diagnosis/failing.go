package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"warroom/internal/estate"
)

// failing are the secrets whose rotation fails, the most critical first, with what
// of the reads that would tell is missing.
type failing struct {
	evidence
	all     []failedSecret
	told    map[string]int // where a name stands in all
	watched int            // watched secrets that were read
}

// failedSecret is one secret whose rotation fails.
type failedSecret struct {
	name  string
	item  *estate.StoredSecret // nil when warroom.yaml does not list it
	stand *estate.Standing     // nil when item is
	how   string               // AWSPENDING stuck …, was due …, its last rotation failed
	error string               // of the last failed run, where one is told
	times int                  // failed runs by CloudTrail
	last  time.Time
	fact  Fact
}

// called is the secret with what it is: "prod/db/postgres (database, critical)".
func (f *failedSecret) called() string {
	if f.item == nil {
		return f.name
	}
	var parts []string
	if f.item.Type != "" {
		parts = append(parts, strings.ReplaceAll(string(f.item.Type), "_", " "))
	}
	if f.item.Criticality != "" {
		parts = append(parts, string(f.item.Criticality))
	}
	if len(parts) == 0 {
		return f.name
	}
	return f.name + " (" + strings.Join(parts, ", ") + ")"
}

// findFailing goes through everything that tells of rotations: descriptions,
// events, inventories, static roles, jobs and managed renewals.
func (x *senses) findFailing() *failing {
	f := &failing{evidence: evidence{x: x}, told: map[string]int{}}
	f.described()
	f.recorded()
	f.listed()
	f.roles()
	f.jobs()
	slices.SortStableFunc(f.all, func(a, b failedSecret) int {
		return cmp.Or(cmp.Compare(b.rank(), a.rank()), cmp.Compare(b.times, a.times), b.last.Compare(a.last), cmp.Compare(a.name, b.name))
	})
	for i := range f.all {
		f.told[f.all[i].name] = i
	}
	return f
}

// rank puts what is watched first, and among that what is critical.
func (f *failedSecret) rank() int {
	if f.item == nil {
		return 0
	}
	return weight(f.item.Criticality)
}

// add takes a secret, or more of one that is known.
func (f *failing) add(one failedSecret) *failedSecret {
	if i, known := f.told[one.name]; known {
		return &f.all[i]
	}
	f.told[one.name] = len(f.all)
	f.all = append(f.all, one)
	return &f.all[len(f.all)-1]
}

func (f *failing) described() {
	x := f.x
	for i := range x.secrets {
		s := &x.secrets[i]
		if s.Slot == nil {
			continue // what is in no store that describes it, a Vault's say
		}
		v := x.seenOf(s.Slot)
		if v.absent() {
			continue
		}
		if !f.look(v) {
			continue
		}
		f.watched++
		if s.RotationStatus == estate.Fail {
			f.add(failedSecret{name: s.Secret.ID, item: s.Secret, stand: s, how: s.RotationNote,
				fact: x.fact(v, s.Secret.ID, s.Rotation+": "+s.RotationNote, estate.Fail)})
		}
	}
}

// recorded takes the secrets whose newest end of a rotation is a failure.
func (f *failing) recorded() {
	x := f.x
	if len(x.byCheck[estate.CheckRotationEvents]) == 0 {
		return
	}
	watched := map[string]*estate.Standing{}
	for i := range x.secrets {
		s := &x.secrets[i]
		watched[s.Secret.ID], watched[estate.PlainName(s.Secret.Name)] = s, s
	}
	for _, v := range every[estate.RotationEvents](x, estate.CheckRotationEvents) {
		if !f.look(v.seen) {
			continue
		}
		if v.data.Partial {
			f.miss(fmt.Sprintf("account %s: only the newest rotation events were read", cmp.Or(v.data.Account, v.slot.Last.Key.Item)))
		}
		ended := map[string]bool{}
		for _, e := range v.data.Events {
			name := estate.PlainName(e.Secret)
			switch {
			case e.What == estate.RotationFailed && !ended[name]:
				ended[name] = true
				s := watched[name]
				one := failedSecret{name: name, how: "its last rotation failed", last: e.At}
				if s != nil {
					one.name = s.Secret.ID
					if !e.At.After(s.Described.LastRotated) {
						continue
					}
					one.item, one.stand = s.Secret, s
				}
				one.fact = x.fact(v.seen, one.name, strings.TrimSuffix(string(e.What)+" "+estate.Ago(x.now, e.At)+": "+cut(e.Error, 80), ": "), estate.Fail)
				got := f.add(one)
				got.error, got.last = cmp.Or(got.error, e.Error), e.At
			case e.What == estate.RotationSucceeded:
				ended[name] = true
			}
			if e.What == estate.RotationFailed {
				if s := watched[name]; s != nil {
					name = s.Secret.ID
				}
				if i, known := f.told[name]; known {
					f.all[i].times++
				}
			}
		}
	}
}

// listed takes what an inventory lists as overdue and nothing else tells of.
func (f *failing) listed() {
	x := f.x
	if len(x.byCheck[estate.CheckInventory]) == 0 {
		return
	}
	watched := map[string]bool{}
	for i := range x.secrets {
		s := x.secrets[i].Secret
		watched[s.ID], watched[estate.PlainName(s.Name)] = true, true
	}
	for _, v := range every[estate.SecretInventory](x, estate.CheckInventory) {
		if !f.look(v.seen) {
			continue
		}
		for _, l := range v.data.Lives {
			if name := estate.PlainName(l.Name); !l.Tag && l.Ends.Before(x.now) && !watched[name] {
				f.add(failedSecret{name: name, how: "was due " + estate.Ago(x.now, l.Ends), fact: x.fact(v.seen, name, "rotation was due "+estate.Ago(x.now, l.Ends), estate.Warn)})
			}
		}
	}
}

func (f *failing) roles() {
	x := f.x
	for _, v := range every[estate.VaultStaticRoles](x, estate.CheckVaultStaticRoles) {
		if c, ok := x.t.Component(v.owner()); !ok || c.Standby || !f.look(v.seen) {
			continue // a secondary repeats its primary's
		}
		for i := range v.data.Roles {
			role := &v.data.Roles[i]
			name := x.name(v.owner()) + " " + strings.Trim(role.Mount, "/") + "/" + role.Name
			switch {
			case role.Failure != "":
				f.miss(name + ": " + cut(role.Failure, 70))
			case role.Stuck(x.readAt(v.seen)):
				how := "Vault last rotated it " + estate.Ago(x.now, role.LastRotation) + ", due " + estate.Ago(x.now, role.Due)
				f.add(failedSecret{name: name, how: how, fact: x.fact(v.seen, name, how, estate.Fail)})
			}
		}
	}
}

// readAt is when a Vault was read, by its own clock.
func (x *senses) readAt(v seen) time.Time {
	skew := time.Duration(0)
	if h, ok := one[estate.VaultHealth](x, v.owner(), estate.CheckVaultHealth, ""); ok {
		skew = h.data.ClockSkew
	}
	return v.slot.Good.At.Add(skew)
}

func (f *failing) jobs() {
	x := f.x
	for _, v := range every[estate.Job](x, estate.CheckJob) {
		if !f.look(v.seen) || v.data.LastResult != "failed" {
			continue
		}
		c, _ := x.t.Component(v.owner())
		how := "job " + x.name(c.ID) + " failed " + estate.Ago(x.now, v.data.Last)
		fact := x.fact(v.seen, "Last run", strings.TrimSuffix("failed "+estate.Ago(x.now, v.data.Last)+": "+cut(v.data.Reason, 80), ": "), estate.Fail)
		ids := c.Secrets
		if len(ids) == 0 {
			ids = []string{x.name(c.ID)}
		}
		for _, id := range ids {
			one := failedSecret{name: id, how: how, error: v.data.Reason, last: v.data.Last, fact: fact}
			if s := x.standing(id); s != nil {
				one.item, one.stand = s.Secret, s
			}
			f.add(one)
		}
	}
}

// findFocus sets which watched secrets a question is about: those that fail, and
// all of them when none does.
func (x *senses) findFocus() {
	for i := range x.failing.all {
		if s := x.failing.all[i].stand; s != nil {
			x.focus = append(x.focus, s)
		}
	}
	if len(x.focus) == 0 {
		for i := range x.secrets {
			x.focus = append(x.focus, &x.secrets[i])
		}
	}
	x.focal = make(map[string]bool, len(x.focus))
	for _, s := range x.focus {
		x.focal[s.Secret.ID] = true
	}
}

// proofsOf are the facts of the failed secrets, up to so many.
func (f *failing) proofsOf(n int) []Fact {
	var out []Fact
	for i := range f.all[:min(n, len(f.all))] {
		out = append(out, f.all[i].fact)
	}
	return out
}

// named lists the failed secrets, those that are watched with what they are.
func (f *failing) named(n int) string {
	var list []string
	for i := range f.all {
		list = append(list, f.all[i].called())
	}
	return names(list, n)
}

// unwatched counts the failed secrets that warroom.yaml does not list.
func (f *failing) unwatched() int {
	n := 0
	for i := range f.all {
		if f.all[i].item == nil {
			n++
		}
	}
	return n
}
