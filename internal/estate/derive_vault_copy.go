package estate

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// vaultWALWarn is how many entries of the primary's log a secondary may lack, where
// only entries can be counted. A busy primary is always a few ahead, and the two are
// not read at one moment.
const vaultWALWarn = 1000

// vaultLag is how far a secondary is behind, or what a primary replicates to; the
// rest is for the detail.
func (d *deriver) vaultLag(v vaultReads) (Fact, []Fact) {
	name := "Replication lag"
	if !d.c.Standby {
		name = "Replication"
	}
	none := func(status Status, note string) Fact {
		f := v.repl.fact(name, "N/A", status, note)
		if status != NA && f.Value == "N/A" {
			f.Value = "NONE"
		}
		return f
	}
	if !v.repl.ok {
		return v.repl.fact(name, "?", Unknown, ""), nil
	}
	if !v.repl.data.Licensed {
		return none(NA, "Community Edition does not replicate"), nil
	}
	var mine []VaultReplicationSet
	role := ""
	for _, set := range v.repl.data.Sets {
		if set.Mode != "" && set.Mode != "disabled" {
			mine = append(mine, set)
		}
		// Performance comes first: what serves is more than what stands by.
		if role == "" && (set.Mode == "primary" || set.Mode == "secondary") {
			role = set.Mode
		}
	}
	want := map[bool]string{true: "secondary", false: "primary"}[d.c.Standby]
	var lead *VaultReplicationSet
	for i := range mine {
		if mine[i].Mode == want || mine[i].Mode == "bootstrapping" {
			lead = &mine[i]
			break
		}
	}
	var rest []Fact
	for i := range mine {
		if &mine[i] != lead {
			rest = append(rest, d.vaultSet("Replication ("+mine[i].Kind+")", v, mine[i]))
		}
	}
	switch {
	case len(mine) == 0 && d.c.Standby && !v.pair.planned:
		return none(Warn, "configured as a secondary, and replication is not enabled"), rest
	case len(mine) == 0:
		return none(NA, "replication is not enabled"), rest
	case lead == nil:
		f := v.repl.fact(name, "WRONG ROLE", Fail, fmt.Sprintf("configured as %s, and it is %s", want, role))
		d.say(Fail, "WRONG ROLE", f.Note)
		return f, rest
	}
	if !d.c.Standby {
		for _, s := range lead.Secondaries {
			word, status := s.Connection, OK
			if s.CanaryKnown {
				word, status = vaultAge(s.CanaryAge)+" behind", d.vaultLagHere(s.CanaryAge)
			}
			note := lead.Kind
			if s.Connection == "disconnected" {
				word, status = "DISCONNECTED", Warn // what fails is the secondary
			}
			rest = append(rest, v.repl.fact("Secondary "+s.ID, word, status, note))
		}
	}
	return d.vaultSet(name, v, *lead), rest
}

// vaultLagHere judges at a primary how far a secondary is behind: not at all where
// the secondary is a component of its own, whose reading it is.
func (d *deriver) vaultLagHere(age time.Duration) Status {
	for _, c := range d.t.Components {
		if c.Kind == KindVault && c.Standby {
			return OK
		}
	}
	return min(d.vaultLagStatus(age), Warn)
}

// vaultSet is one kind of replication as one cluster sees it.
func (d *deriver) vaultSet(name string, v vaultReads, set VaultReplicationSet) Fact {
	if set.Mode == "primary" {
		status, note := OK, fmt.Sprintf("%s, state %s, log entry %d", set.Kind, set.State, set.LastWAL)
		for _, s := range set.Secondaries {
			if s.Connection == "disconnected" {
				status = Warn
				note = "secondary " + s.ID + " is disconnected; " + note
			}
			if s.CanaryKnown && d.vaultLagStatus(s.CanaryAge) > OK {
				status = Worst(status, d.vaultLagHere(s.CanaryAge))
				note = "secondary " + s.ID + " is " + vaultAge(s.CanaryAge) + " behind; " + note
			}
		}
		return v.repl.fact(name, "to "+count(len(set.Secondaries), "secondary cluster"), status, note)
	}
	word, status, formula := "?", Unknown, ""
	notes := []string{set.Kind}
	var rests []basis
	switch behind, from, known := d.vaultWAL(set); {
	case set.CanaryKnown:
		word, status = vaultAge(set.CanaryAge), d.vaultLagStatus(set.CanaryAge)
		formula = "age of the primary's canary, a record of the time that it writes every second, when it arrives here; the skew between the two clocks is in it"
	case known:
		word, status = thousands(behind)+" entries", statusIf(behind > vaultWALWarn, Warn)
		notes = append(notes, "the age of the canary is not told")
		formula = fmt.Sprintf("last log entry of the primary less the last taken over; above %s it warns", thousands(vaultWALWarn))
		rests = append(rests, from)
	default:
		notes = append(notes, "neither the age of the canary nor the primary's log is known")
	}
	worse := func(s Status, note string) {
		status = Worst(status, s)
		notes = append(notes, note)
	}
	switch set.State {
	case "stream-wals":
	case "idle":
		worse(Fail, "state idle: nothing is taken over")
	default:
		worse(Warn, "state "+set.State)
	}
	if set.Mode == "bootstrapping" {
		worse(Warn, "it is being set up")
	}
	switch set.Connection {
	case "", "ready", "connected":
	case "disconnected", "transient_failure", "shutdown":
		worse(Fail, "connection to the primary "+set.Connection)
	default:
		worse(Warn, "connection to the primary "+set.Connection)
	}
	f := v.repl.fact(name, word, status, strings.Join(notes, ", ")).on(rests...)
	f.Formula = formula
	return f
}

// vaultWAL is how many log entries a secondary lacks, by what the one primary of the
// estate says of its own log.
func (d *deriver) vaultWAL(set VaultReplicationSet) (behind int, from basis, known bool) {
	for i := range d.t.Components {
		c := &d.t.Components[i]
		if c.Kind != KindVault || c.ID == d.c.ID {
			continue
		}
		other := see[VaultReplication](d.derivation, c.ID, CheckVaultReplication, "")
		if !other.ok || other.stale {
			continue
		}
		for _, theirs := range other.data.Sets {
			if theirs.Kind != set.Kind || theirs.Mode != "primary" {
				continue
			}
			if known {
				return 0, basis{}, false // of which of them it is a secondary is not said
			}
			known, from = true, other.basis
			if theirs.LastWAL > set.RemoteWAL {
				behind = int(min(theirs.LastWAL-set.RemoteWAL, 1<<40))
			}
		}
	}
	return behind, from, known
}

// vaultCopy is how far a copy made by a script is behind, by comparison of metadata.
func (d *deriver) vaultCopy(v seen[VaultPair]) Fact {
	p := v.data
	word, status := "in step", OK
	var parts []string
	if p.Behind > 0 {
		parts = append(parts, thousands(p.Behind)+" behind")
	}
	if p.Missing > 0 {
		parts = append(parts, thousands(p.Missing)+" missing")
	}
	note := "of " + p.With + ", " + count(p.Compared, "secret") + " compared"
	if !p.Complete {
		note += ", a sample"
	}
	if p.Extra > 0 {
		note += ", " + thousands(p.Extra) + " only here"
	}
	switch late := d.now.Sub(p.Oldest); {
	case len(parts) == 0 && p.Compared == 0 && !p.Complete:
		word, status = "?", Unknown
	case len(parts) == 0:
	case p.Oldest.IsZero():
		status = Warn // version 1 keeps no times
	default:
		parts = append(parts, "oldest "+Span(late))
		status = d.vaultLagStatus(late)
	}
	if len(parts) > 0 {
		word = strings.Join(parts, ", ")
	}
	f := v.fact("Copy", word, status, note)
	f.Formula = "secrets of which the metadata here is of another version and older than there, and those that are not here; the age is that of the oldest such change there"
	return f
}

func (d *deriver) vaultLagStatus(lag time.Duration) Status {
	switch {
	case lag > d.t.Rules.VaultLagFail:
		return Fail
	case lag > d.t.Rules.VaultLagWarn:
		return Warn
	}
	return OK
}

// vaultAge words a lag more finely than Span: seconds count.
func vaultAge(d time.Duration) string {
	switch {
	case d < time.Second:
		return "under 1s"
	case d < 2*time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	}
	return Span(d)
}
