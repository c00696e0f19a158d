package estate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// vaultReads is what is known of one Vault cluster.
type vaultReads struct {
	health seen[VaultHealth]
	seal   seen[VaultSeal]
	nodes  seen[VaultNodes]
	raft   seen[VaultRaft]
	repl   seen[VaultReplication]
	pair   seen[VaultPair]
	count  seen[VaultCount]
	roles  seen[VaultStaticRoles]
}

// vault: how a Vault cluster stands: whether it is unsealed and serves, what it
// holds, how far a secondary is behind, and whether it still rotates.
func (d *deriver) vault() {
	v := vaultReads{
		health: see[VaultHealth](d.derivation, d.c.ID, CheckVaultHealth, ""),
		seal:   see[VaultSeal](d.derivation, d.c.ID, CheckVaultSeal, ""),
		nodes:  see[VaultNodes](d.derivation, d.c.ID, CheckVaultNodes, ""),
		raft:   see[VaultRaft](d.derivation, d.c.ID, CheckVaultRaft, ""),
		repl:   see[VaultReplication](d.derivation, d.c.ID, CheckVaultReplication, ""),
		pair:   see[VaultPair](d.derivation, d.c.ID, CheckVaultPair, ""),
		count:  see[VaultCount](d.derivation, d.c.ID, CheckVaultCount, ""),
		roles:  see[VaultStaticRoles](d.derivation, d.c.ID, CheckVaultStaticRoles, ""),
	}
	if !v.health.planned && !v.seal.planned {
		return
	}
	d.vaultSeal(v)
	secrets := d.vaultSecrets(v.count)
	lag, rest := d.vaultLag(v)
	d.add(!d.c.Standby, secrets)
	if d.c.Standby {
		d.add(true, lag)
	}
	var copied []Fact
	if v.pair.planned {
		copied = append(copied, d.vaultCopy(v.pair))
		d.add(d.c.Standby, copied[0])
	}
	cluster := d.vaultCluster(v)
	d.add(true, d.vaultHealth(v, append(append(cluster, lag), copied...)))

	d.vaultNode(v)
	for _, f := range cluster {
		d.add(false, f)
	}
	if !d.c.Standby {
		d.add(false, lag)
	}
	for _, f := range rest {
		d.add(false, f)
	}
	d.vaultRoles(v)
	d.vaultStored()
	d.vaultEngines()
	d.vaultAudit()
	d.vaultToken()
	d.say(OK, "HEALTHY", "")
}

// bySeal reports which of the two reads that say whether the cluster is sealed
// counts: where they differ the newer, of two as old the worse; where they agree
// that of the seal, which says more, unless it is less sure.
func (v *vaultReads) bySeal() (seal, differ bool) {
	if !v.seal.ok || !v.health.ok {
		return !v.health.ok || v.seal.ok, false
	}
	s, h := v.seal.data, v.health.data
	if s.Sealed == h.Sealed && s.Initialized == h.Initialized {
		return v.seal.sure() || !v.health.sure(), false
	}
	switch v.seal.slot.Good.tried().Compare(v.health.slot.Good.tried()) {
	case 1:
		return true, true
	case -1:
		return false, true
	}
	return !s.Initialized || s.Sealed && h.Initialized, true
}

// vaultSeal says whether the master key is in memory.
func (d *deriver) vaultSeal(v vaultReads) {
	s := v.seal.data
	seal, _ := v.bySeal()
	if !seal {
		h := v.health.data
		s = VaultSeal{Initialized: h.Initialized, Sealed: h.Sealed}
	}
	word, status, note := "UNSEALED", OK, ""
	switch {
	case !s.Initialized:
		word, status, note = "UNINITIALISED", Fail, "this Vault was never initialised: it holds nothing"
	case s.Sealed:
		word, status, note = "SEALED", Fail, "nothing can be read or rotated"
		if s.Threshold > 0 {
			note += fmt.Sprintf("; %d of %d key shares given", s.Progress, s.Threshold)
		}
		if s.Recovery {
			note += "; it unseals by itself with " + s.Type
		}
	case s.Migration:
		note = "its seal is being migrated"
	}
	f := v.seal.fact("Seal status", word, status, note)
	if !seal {
		f = v.health.fact("Seal status", word, status, note)
	}
	d.add(true, f)
	if f.Value == word && f.Status == Fail && status == Fail { // not one that answers nothing
		d.say(Fail, word, note)
	}
}

// vaultSecrets is how many secrets there are, as far as they were counted.
func (d *deriver) vaultSecrets(v seen[VaultCount]) Fact {
	c := v.data
	word, status, note := thousands(c.Secrets), OK, "in "+count(c.Mounts, "KV mount")
	switch {
	case c.Running:
		word += " so far"
		note = fmt.Sprintf("the count goes on: %s listed", count(c.Folders, "folder"))
	case !c.Complete && c.Estimate > c.Secrets:
		word = "about " + thousands(roughly(c.Estimate))
		note = fmt.Sprintf("%s seen in %s; a count lists at most %s", thousands(c.Secrets), count(c.Folders, "folder"), thousands(c.Limit))
	case !c.Complete || c.Usable:
		word = "at least " + word
	}
	if c.Usable {
		note += " that the token may use"
	}
	if n := c.Denied; n > 0 {
		status = Unknown
		note += fmt.Sprintf("; %s may not be listed: it needs list on the mount's metadata", count(n, "folder"))
	}
	if n := c.Unlisted; n > 0 {
		status = Unknown
		note += fmt.Sprintf("; %s could not be listed", count(n, "folder"))
	}
	f := v.fact("Secrets", word, status, note)
	f.Formula = "names listed under every KV mount of the namespace; a folder that was not listed counts as the mean of those of its depth that were"
	return f
}

// roughly keeps two digits of an estimate.
func roughly(n int) int {
	unit := 1
	for n/unit >= 100 {
		unit *= 10
	}
	return (n + unit/2) / unit * unit
}

// thousands writes a number with separators: 2,847.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// vaultHealth sums up whether the cluster serves as it should.
func (d *deriver) vaultHealth(v vaultReads, parts []Fact) Fact {
	h, read := v.health.data, v.health.basis
	word, status, note := "HEALTHY", OK, ""
	seal, differ := v.bySeal()
	if seal && differ {
		// The read of the seal is newer: what health said before does not hold.
		read = v.seal.basis
		h.Initialized, h.Sealed = v.seal.data.Initialized, v.seal.data.Sealed
	}
	switch {
	case seal && differ && h.Initialized && !h.Sealed:
		word, status, note = "STARTING", Warn, "unsealed since its health was read"
	case !h.Initialized:
		word, status = "UNINITIALISED", Fail
	case h.Removed:
		word, status, note = "REMOVED", Fail, "this node was removed from its raft cluster"
	case h.Sealed:
		word, status = "SEALED", Fail
	case h.NoActive || h.Code == 474:
		word, status, note = "NO ACTIVE NODE", Fail, "this standby cannot reach the active node"
	case h.Code == 472:
		note = "a secondary for disaster recovery: it serves nobody"
	case h.PerfStandby:
		note = "this node is a performance standby"
	case h.Standby:
		note = "this node is a standby"
	}
	if read.ok && status == Fail {
		d.say(Fail, word, note)
	}
	f := read.fact("Health", word, status, note)
	if read.ok && status == OK {
		for _, part := range parts {
			if part.Status != Warn && part.Status != Fail || part.Status <= status {
				continue
			}
			status = part.Status
			f.Value = map[Status]string{Warn: "DEGRADED", Fail: "UNHEALTHY"}[status]
			f.Status = Worst(f.Status, status)
			f.Note = strings.TrimPrefix(note+"; "+part.Name+" "+part.Value, "; ")
			if part.Note != "" {
				f.Note += " (" + part.Note + ")"
			}
			if part.Source != "" && !strings.Contains(f.Source, part.Source) {
				f.Source += "; " + part.Source
			}
		}
	}
	f.Formula = "the worst of the node's state, raft, the other nodes, and replication or copy"
	if fail := v.health.failure(); fail != nil && fail.Kind.Status() == Fail {
		d.say(Fail, fail.Kind.word(), fail.brief()) // whatever it said before
	} else if f.Status == Warn || f.Status == Fail {
		d.say(f.Status, f.Value, f.Note)
	}
	return f
}

// vaultNode is which Vault answered.
func (d *deriver) vaultNode(v vaultReads) {
	h, s := v.health, v.seal
	word, status := "active", OK
	switch {
	case d.r.Word == "SEALED", !h.data.Initialized, h.data.Sealed:
		word, status = "serves nothing", NA
	case h.data.PerfStandby:
		word = "performance standby"
	case h.data.Standby:
		word = "standby"
	}
	d.add(false, h.fact("This node", word, status, ""))
	version := h.data.Version
	if version == "" {
		version = "not told"
	}
	edition := "Community Edition"
	if h.data.Enterprise {
		edition = "Enterprise"
	}
	d.add(false, h.fact("Version", version, NA, edition))
	if h.ok && h.data.ClusterName != "" {
		d.add(false, h.fact("Cluster", h.data.ClusterName, NA, h.data.ClusterID))
	}
	if s.ok {
		note := "seal " + s.data.Type
		if s.data.Shares > 0 { // none before it is initialised
			note += fmt.Sprintf(", %d of %d key shares", s.data.Threshold, s.data.Shares)
		}
		d.add(false, s.fact("Storage", s.data.Storage, NA, note))
	}
	if h.ok {
		skew, status, word := h.data.ClockSkew.Abs(), OK, "none"
		if skew > d.t.Rules.ClockSkewWarn {
			status = Warn
		}
		if skew >= 2*time.Second {
			word = Span(skew) + map[bool]string{true: " ahead of us", false: " behind us"}[h.data.ClockSkew > 0]
		}
		d.add(false, h.fact("Clock skew", word, status, ""))
		if status == Warn {
			d.say(Warn, "CLOCK SKEW", "its clock is "+word)
		}
	}
}

// vaultCluster are the facts on the other nodes and on raft.
func (d *deriver) vaultCluster(v vaultReads) []Fact {
	var out []Fact
	if v.nodes.planned {
		out = append(out, d.vaultNodes(v))
	}
	if v.raft.planned {
		out = append(out, d.vaultRaft(v))
	}
	return out
}

// vaultEcho is how long a standby may be silent; it reports every 5 seconds.
const vaultEcho = 30 * time.Second

func (d *deriver) vaultNodes(v vaultReads) Fact {
	all := v.nodes.data.Nodes
	active, silent := 0, []string{}
	for _, n := range all {
		if n.Active {
			active++
		} else if at := v.nodes.slot.Good; at != nil && at.At.Add(v.health.data.ClockSkew).Sub(n.LastEcho) > vaultEcho {
			silent = append(silent, n.Host+" last heard of "+Ago(at.At.Add(v.health.data.ClockSkew), n.LastEcho))
		}
	}
	status, note := OK, count(active, "active node")
	switch {
	case len(silent) > 0:
		status, note = Warn, strings.Join(silent[:min(len(silent), 3)], ", ")
	case active != 1:
		status, note = Fail, fmt.Sprintf("%d of them active", active)
	}
	return v.nodes.fact("Nodes", strconv.Itoa(len(all)), status, note)
}

func (d *deriver) vaultRaft(v vaultReads) Fact {
	r := v.raft.data
	if fail := v.raft.failure(); fail != nil && fail.Kind == NotSupported && v.seal.ok {
		if v.seal.data.Storage != "raft" {
			return Fact{Name: "Raft", Value: "N/A", Status: NA, Note: "the storage is " + v.seal.data.Storage, Source: v.raft.slot.Last.Source, At: v.raft.slot.Last.At}
		}
		return Fact{Name: "Raft", Value: "?", Status: Unknown, Note: "its autopilot does not answer", Source: v.raft.slot.Last.Source, At: v.raft.slot.Last.At}
	}
	var bad []string
	for _, s := range r.Servers {
		if !s.Healthy {
			bad = append(bad, s.ID+" last heard of "+Span(s.LastContact)+" ago")
		}
	}
	word, status := "healthy", OK
	note := fmt.Sprintf("%s, of which %d may fail", count(len(r.Servers), "server"), r.FailureTolerance)
	switch {
	case !r.Healthy || len(bad) > 0:
		word, status = "UNHEALTHY", Warn
		note = strings.Join(append([]string{note}, bad[:min(len(bad), 3)]...), "; ")
	case r.FailureTolerance == 0 && len(r.Servers) > 2:
		word, status = "NO SPARE", Warn
	}
	return v.raft.fact("Raft", word, status, note)
}

// vaultEngines are what is mounted.
func (d *deriver) vaultEngines() {
	for _, m := range []struct{ check, name string }{{CheckVaultMounts, "Secrets engines"}, {CheckVaultAuth, "Auth methods"}} {
		v := see[VaultMounts](d.derivation, d.c.ID, m.check, "")
		if !v.planned {
			continue
		}
		kinds := map[string]int{}
		for _, one := range v.data.Mounts {
			kinds[strings.TrimRight(one.Type+" "+one.Version, " ")]++
		}
		var words []string
		for kind, n := range kinds {
			words = append(words, fmt.Sprintf("%d %s", n, kind))
		}
		slices.Sort(words)
		d.add(false, v.fact(m.name, strconv.Itoa(len(v.data.Mounts)), OK, strings.Join(words[:min(len(words), 12)], ", ")))
	}
}

func (d *deriver) vaultAudit() {
	v := see[VaultAudit](d.derivation, d.c.ID, CheckVaultAudit, "")
	if !v.planned {
		return
	}
	var words []string
	for _, one := range v.data.Devices {
		words = append(words, strings.Join(present(one.Path, one.Type, one.Target), " "))
	}
	note := strings.Join(words[:min(len(words), 6)], ", ")
	if len(words) > 0 {
		d.add(false, v.fact("Audit devices", strconv.Itoa(len(words)), OK, note))
		return
	}
	d.add(false, v.fact("Audit devices", "NONE", Warn, "nothing records who reads and changes what"))
	if v.ok {
		d.say(Warn, "NOT AUDITED", "no audit device is enabled")
	}
}

// vaultTokenWarn is the remaining life below which the token that we read with warns.
const vaultTokenWarn = 15 * time.Minute

func (d *deriver) vaultToken() {
	v := see[VaultToken](d.derivation, d.c.ID, CheckVaultToken, "")
	if !v.planned {
		return
	}
	x := v.data
	now := d.now
	status, note := OK, "policies "+strings.Join(x.Policies[:min(len(x.Policies), 6)], ", ")
	life := "does not expire"
	if !x.Expires.IsZero() {
		life = "expires " + Ago(now, x.Expires)
		if x.Renewable {
			note += "; can be renewed"
		}
	}
	switch {
	case x.Root:
		status, note = Warn, "a root token may do everything: read with one that may only read"
		d.say(Warn, "ROOT TOKEN", "warroom reads with a root token")
	case x.Expires.IsZero():
	case !now.Before(x.Expires):
		status, life = Unknown, "expired "+Ago(now, x.Expires)
	case x.Expires.Sub(now) < vaultTokenWarn:
		status = Warn
		d.say(Warn, "TOKEN ENDS", "the token that we read with "+life)
	}
	if name := x.Name; name != "" {
		note = name + ": " + note
	}
	d.add(false, v.fact("Token", life, status, note))
}
