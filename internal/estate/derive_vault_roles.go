package estate

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// vaultRoleSlack is how long after its time a rotation may come: Vault looks for due
// roles every 5 seconds and tries a failed one again after 10.
const vaultRoleSlack = 2 * time.Minute

// vaultRoles: the database roles whose passwords Vault rotates. One whose time has
// passed has stopped rotating.
func (d *deriver) vaultRoles(reads vaultReads) {
	v := reads.roles
	if !v.planned {
		return
	}
	roles := v.data.Roles
	if v.ok && len(roles) == 0 {
		d.add(false, v.fact("Static roles", "none", NA, map[bool]string{false: "no database mount has any", true: "no database mount that the token may use has any"}[v.data.Usable]))
		return
	}
	at := d.now
	if good := v.slot.Good; good != nil {
		at = good.At // a rotation that came due since may have been made since
	}
	at = at.Add(reads.health.data.ClockSkew) // Vault goes by its own clock
	var stuck []string
	unread := 0
	var lines []Fact
	for _, r := range roles {
		name := strings.TrimSuffix(r.Mount, "/") + "/" + r.Name
		f := d.vaultRole(v, r, at)
		f.Name = "Static role " + name
		switch f.Status {
		case Fail:
			stuck = append(stuck, name)
		case Unknown:
			unread++
		}
		if f.Status > OK || len(roles) <= listed {
			lines = append(lines, f)
		}
	}
	word, status, note := strconv.Itoa(len(roles)), OK, "all rotate in time"
	switch {
	case len(stuck) > 0:
		word, status = fmt.Sprintf("%d of %d stuck", len(stuck), len(roles)), Fail
		note = strings.Join(stuck[:min(len(stuck), 5)], ", ")
		if more := len(stuck) - 5; more > 0 {
			note += fmt.Sprintf(" and %d more", more)
		}
	case unread > 0:
		status, note = Unknown, fmt.Sprintf("%d of them could not be read", unread)
	}
	if v.data.Usable {
		note += "; only those of mounts that the token may use"
	}
	if v.data.Partial {
		note += "; there are more than are read"
		status = Worst(status, Unknown)
	}
	f := v.fact("Static roles", word, status, note)
	f.Formula = "stuck: the last rotation plus its period, or the next time of its schedule, passed more than " + Span(vaultRoleSlack) + " ago"
	d.add(false, f)
	if len(stuck) > 0 {
		d.say(Fail, "STATIC ROLES STUCK", note)
	}
	for _, line := range lines[:min(len(lines), listed)] {
		d.add(false, line)
	}
}

// vaultRole is one of them as it was when it was read, by Vault's clock.
func (d *deriver) vaultRole(v seen[VaultStaticRoles], r VaultStaticRole, at time.Time) Fact {
	every := ""
	switch {
	case r.Period > 0 && r.Period < time.Minute:
		every = "every " + r.Period.String()
	case r.Period > 0:
		every = "every " + Span(r.Period)
	case r.Schedule != "":
		every = "at " + r.Schedule
	}
	last := "last rotated " + Ago(at, r.LastRotation)
	notes := present(last, every, r.User)
	switch {
	case r.Failure != "":
		return v.fact("", "?", Unknown, r.Failure)
	case r.LastRotation.IsZero():
		return v.fact("", "NOT YET ROTATED", NA, strings.Join(present("Vault has not rotated it since it was taken over", every, r.User), ", "))
	case r.Due.IsZero():
		return v.fact("", "?", Unknown, "it has neither period nor schedule")
	case at.Sub(r.Due) > vaultRoleSlack:
		notes = append([]string{"due " + Ago(at, r.Due)}, notes...)
		return v.fact("", "STUCK", Fail, strings.Join(notes, ", "))
	case !at.Before(r.Due):
		return v.fact("", "due now", OK, strings.Join(notes, ", "))
	}
	return v.fact("", "in "+Span(r.Due.Sub(at)), OK, strings.Join(notes, ", "))
}
