package estate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// lives is what is known of when secrets end.
type lives struct {
	gathered
	total, watched, listed, certificates, roles int
	expired, near, grace, overdue               int
	endless, unknown                            int
	critical                                    int // of those expired or near their end, how many are critical
	certain                                     struct{ expired, near, grace int }
	worst                                       []life
}

// life is one secret that has ended, ends soon or is late.
type life struct {
	name        string
	word        string
	status      Status
	criticality Criticality
	owner       string
	ends        time.Time
	note        string
	from        basis // the read that says so
}

// secretMonitor: which secrets have expired, end soon, or should have rotated.
func (d *deriver) secretMonitor() {
	x := &lives{}
	d.watchedLives(x)
	d.listedLives(x)
	d.certificateLives(x)
	d.roleLives(x)
	if x.reads == 0 {
		return
	}

	// What was never read counts as blind, what is not sure as partial.
	word, status, note := "ACTIVE", OK, fmt.Sprintf("%s: %s watched, %s in inventories, %s served, %s of Vault",
		some(x.total, "secret"), thousands(x.watched), thousands(x.listed), some(x.certificates, "certificate"), some(x.roles, "role"))
	switch {
	case x.none == x.reads:
		word, status = "BLIND", Unknown
	case x.unsure > 0 || x.unknown > 0:
		word, status = "PARTIAL", Unknown
	}
	if x.unknown > 0 {
		note += fmt.Sprintf("; when %d of them end is not known", x.unknown)
	}
	if x.endless > 0 {
		note += fmt.Sprintf("; %s have no end", thousands(x.endless))
	}
	f := x.fact("Expiry tracking", word, status, note)
	f.Value = word
	f.Formula = "ACTIVE when every store, inventory, certificate and role that is watched was read, and the end of every secret that has one is known; PARTIAL when not; BLIND when none was read"
	d.add(true, f)
	warn := Span(d.t.Rules.ExpiryWarn)
	d.add(true, x.figure("Near-expiry", x.near, x.certain.near, Warn, fmt.Sprintf("secrets whose end is less than %s away (thresholds.expiry_warn), of watched ones no more than a quarter of their life, and have not ended, each once; dates of the next rotation do not count: see Overdue", warn)))
	d.add(true, x.figure("Expired", x.expired, x.certain.expired, Fail, "secrets whose end has passed, of watched ones with their grace: by their policy (VALID UNTIL, notAfter, tag or rotation), of others by their tag; and certificates past notAfter, each once"))
	if x.grace > 0 {
		d.add(false, x.figure("In grace", x.grace, x.certain.grace, Warn, "watched secrets whose end has passed and whose grace has not"))
	}
	d.add(false, x.figure("Overdue", x.overdue, x.overdue, Warn, "secrets whose NextRotationDate has passed or whose rotation is stuck, and static roles of Vault that are due and did not rotate; one that has expired too counts in both"))
	f = x.figure("Critical", x.critical, min(x.critical, x.certain.expired), Fail, "those of Expired and Near-expiry whose criticality is critical")
	if x.critical > 0 && f.Status == OK {
		f.Status = Warn
	}
	d.add(false, f)
	d.worstLives(x)
	switch {
	case x.expired > 0:
		d.say(Fail, "EXPIRED", d.leading(x))
	case x.near+x.grace+x.overdue > 0:
		d.say(Warn, "EXPIRING", d.leading(x))
	}
	if x.known() {
		d.say(OK, "ACTIVE", "")
	}
}

// figure states a count of secrets, of which some are certain: those that were
// read in time.
func (x *lives) figure(name string, n, certain int, bad Status, formula string) Fact {
	f := x.tally(name, n, strings.TrimPrefix(some(n, "secret"), thousands(n)), statusIf(certain > 0, bad), "")
	f.Formula = formula
	return f
}

// take notes a secret that is not well.
func (x *lives) take(l life) {
	sure := 0
	if l.status == Fail || l.status == Warn {
		sure = 1
	}
	switch l.word {
	case "EXPIRED":
		x.expired, x.certain.expired = x.expired+1, x.certain.expired+sure
	case "EXPIRING":
		x.near, x.certain.near = x.near+1, x.certain.near+sure
	case "IN GRACE":
		x.grace, x.certain.grace = x.grace+1, x.certain.grace+sure
	}
	if l.criticality == Critical && (l.word == "EXPIRED" || l.word == "EXPIRING") {
		x.critical++
	}
	x.worst = append(x.worst, l)
}

// watchedLives takes the secrets of warroom.yaml, each as its policy judges it.
func (d *deriver) watchedLives(x *lives) {
	for i := range d.t.Secrets {
		item := &d.t.Secrets[i]
		if !d.c.watches(item.Store) {
			continue
		}
		s := d.secret(item.ID)
		x.add(s.seen.basis)
		x.total, x.watched = x.total+1, x.watched+1
		if !s.seen.ok {
			x.unknown++
			continue
		}
		if s.end.planned {
			x.add(s.end)
		}
		switch {
		case s.lost:
			x.unknown++
		case s.ends.IsZero():
			x.endless++
		}
		late := s.rotation.word == "OVERDUE" || s.rotation.word == "FAILED"
		if late {
			x.overdue++
		}
		if late || s.word == "EXPIRED" || s.word == "EXPIRING" || s.word == "IN GRACE" {
			x.take(life{name: item.ID, word: s.word, status: s.status, criticality: item.Criticality, owner: item.Owner, ends: s.ends, note: s.note, from: s.seen.basis})
		}
	}
}

// listedLives takes what inventories list besides the watched secrets. An account
// that two components list counts once.
func (d *deriver) listedLives(x *lives) {
	done := map[string]bool{}
	for i := range d.t.Components {
		c := &d.t.Components[i]
		if c.Kind != KindSecretsManager || !d.c.watches(c.ID) {
			continue
		}
		for _, v := range seeAll[SecretInventory](d.derivation, c.ID, CheckInventory) {
			x.add(v.basis)
			if !v.ok {
				continue
			}
			account := v.data.Account + " " + v.data.Region
			if account != " " && done[account] {
				continue
			}
			done[account] = true
			watched := d.watchedIn(c)
			others := max(v.data.Total-len(watched), 0)
			x.total, x.listed, x.endless = x.total+others, x.listed+others, x.endless+others
			for i := range v.data.Lives {
				l := &v.data.Lives[i]
				if watched[named(l.Name)] {
					continue
				}
				if l.Tag {
					x.endless--
				}
				switch past := !d.now.Before(l.Ends); {
				case l.Tag && past:
					x.take(life{name: l.Name, word: "EXPIRED", status: v.proven(Fail), ends: l.Ends, note: "by its tag", from: v.basis})
				case l.Tag && l.Ends.Sub(d.now) < d.t.Rules.ExpiryWarn:
					x.take(life{name: l.Name, word: "EXPIRING", status: v.proven(Warn), ends: l.Ends, note: "by its tag", from: v.basis})
				case !l.Tag && past:
					x.overdue++
					x.take(life{name: l.Name, word: "OVERDUE", status: v.proven(Warn), ends: l.Ends, note: "its rotation was due", from: v.basis})
				}
			}
		}
	}
	x.endless = max(x.endless, 0)
}

// watchedIn are the names of the watched secrets of the account that a component
// lists.
func (d *derivation) watchedIn(c *Component) map[string]bool {
	names := make(map[string]bool, len(d.t.Secrets))
	for i := range d.t.Secrets {
		s := &d.t.Secrets[i]
		if s.Store == c.ID || c.System != "" && d.t.systemOf(s.Store) == c.System {
			names[named(cmp.Or(s.Name, s.ID))] = true
		}
	}
	return names
}

// certificateLives takes the certificates that balancers serve, but for those
// whose stored secret is watched, which counts already.
func (d *deriver) certificateLives(x *lives) {
	done := map[string]bool{}
	take := func(b basis, name, id string, notBefore, notAfter time.Time, c *Component) {
		if done[id] {
			return
		}
		done[id] = true
		x.total, x.certificates = x.total+1, x.certificates+1
		status, note := (&deriver{derivation: d.derivation}).life(Certificate{NotBefore: notBefore, NotAfter: notAfter})
		one := life{name: name, status: status, criticality: c.Criticality, owner: c.Owner, ends: notAfter, note: "certificate of " + c.Name + ", " + note, from: b}
		switch {
		case !notAfter.After(d.now):
			one.word, one.status = "EXPIRED", b.proven(Fail)
			x.take(one)
		case status == Warn || status == Fail && !d.now.Before(notBefore):
			one.word, one.status = "EXPIRING", b.proven(Warn)
			x.take(one)
		}
	}
	for i := range d.t.Components {
		c := &d.t.Components[i]
		if c.Kind != KindBalancer || !d.c.watches(c.ID) || d.certificateWatched(c) {
			continue
		}
		for _, v := range seeAll[Endpoint](d.derivation, c.ID, CheckTLS) {
			x.add(v.basis)
			for _, one := range v.data.Addresses {
				if l := one.Leaf; l != nil {
					take(v.basis, cmp.Or(first(l.Names), l.Subject, v.data.Name), strings.ToLower(strings.TrimLeft(l.Serial, "0")), l.NotBefore, l.NotAfter, c)
				}
			}
		}
		for _, v := range seeAll[Listeners](d.derivation, c.ID, CheckListeners) {
			x.add(v.basis)
			for _, listener := range v.data.Listeners {
				for _, l := range listener.Certificates {
					if !l.NotAfter.IsZero() {
						take(v.basis, cmp.Or(l.Domain, l.ARN), strings.ToLower(strings.TrimLeft(strings.ReplaceAll(cmp.Or(l.Serial, l.ARN), ":", ""), "0")), l.NotBefore, l.NotAfter, c)
					}
				}
			}
		}
	}
}

func (d *derivation) certificateWatched(c *Component) bool {
	return slices.ContainsFunc(c.Secrets, func(id string) bool {
		s, ok := d.t.Secret(id)
		return ok && s.Expiry == ExpiryCert
	})
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// roleLives takes the static roles of the watched Vault clusters.
func (d *deriver) roleLives(x *lives) {
	for c, v := range d.watchedRoles() {
		x.add(v.basis)
		for i := range v.data.Roles {
			role := &v.data.Roles[i]
			x.total, x.roles = x.total+1, x.roles+1
			switch {
			case role.Failure != "":
				x.unknown++
			case role.stuck(d.readAt(c, v.basis)):
				x.overdue++
				x.take(life{name: c.Name + " " + strings.Trim(role.Mount, "/") + "/" + role.Name, word: "OVERDUE", status: v.proven(Warn), criticality: c.Criticality, owner: c.Owner,
					ends: role.Due, note: "last rotated " + Ago(d.now, role.LastRotation), from: v.basis})
			}
		}
	}
}

// before orders secrets by how much they need a look: what has expired, then by
// criticality, then by what ended first.
func (l *life) before(o *life) int {
	return cmp.Or(
		cmp.Compare(o.rank(), l.rank()),
		cmp.Compare(o.criticality.weight(), l.criticality.weight()),
		l.ends.Compare(o.ends),
		cmp.Compare(l.name, o.name),
	)
}

func (l *life) rank() int {
	switch l.word {
	case "EXPIRED":
		return 3
	case "IN GRACE":
		return 2
	case "EXPIRING":
		return 1
	}
	return 0
}

// worstLives lists the worst of them by name, critical ones first.
func (d *deriver) worstLives(x *lives) {
	slices.SortStableFunc(x.worst, func(a, b life) int {
		ac, bc := a.criticality == Critical, b.criticality == Critical
		switch {
		case ac && !bc:
			return -1
		case bc && !ac:
			return 1
		}
		return a.before(&b)
	})
	for i, l := range x.worst {
		if i == namesListed {
			d.add(false, x.fact("More secrets", fmt.Sprintf("%s not listed", thousands(len(x.worst)-i)), NA, "the worst are listed"))
			return
		}
		parts := present(string(l.criticality), l.note)
		if l.owner != "" {
			parts = append(parts, "owner "+l.owner)
		}
		value := l.word
		if !l.ends.IsZero() {
			value += " " + Ago(d.now, l.ends)
		}
		judged := l.status
		if judged == Fail && l.from.failure() != nil && (l.word == "EXPIRING" || l.word == "IN GRACE") {
			judged = Unknown // it is the read that failed
		}
		d.add(false, l.from.told(l.name, value, judged, strings.Join(parts, "; ")))
	}
}

// leading says how many there are and names the worst.
func (d *deriver) leading(x *lives) string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{x.expired, "expired"}, {x.near, "near expiry"}, {x.grace, "in grace"}, {x.overdue, "overdue"}} {
		if p.n > 0 {
			parts = append(parts, thousands(p.n)+" "+p.what)
		}
	}
	text := strings.Join(parts, ", ")
	if len(x.worst) > 0 {
		text += "; first " + x.worst[0].name
	}
	return text
}
