package estate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// deliveredWithin is how old the last delivery of a trail may be: CloudTrail
// delivers every few minutes while anything happens, and our own reads happen.
const deliveredWithin = 6 * time.Hour

// secretStore: whether what is stored is encrypted, and whether every access and
// every change leaves a trace.
func (d *deriver) secretStore() {
	trails := seeAll[Trails](d.derivation, d.c.ID, CheckTrails)
	vaults := d.vaultsOf()
	secrets := d.accountSecrets()
	if len(trails)+len(vaults)+len(secrets) == 0 {
		return
	}
	d.encrypted(secrets, vaults)
	d.accessLogs(trails, vaults)
	d.auditTrail(trails, vaults)
	for _, v := range trails {
		d.trails(v)
	}
	for _, c := range vaults {
		if v := see[VaultAudit](d.derivation, c.ID, CheckVaultAudit, ""); v.planned {
			var names []string
			for _, one := range v.data.Devices {
				names = append(names, strings.Trim(one.Path, "/")+" ("+one.Type+")")
			}
			note := strings.Join(names, ", ")
			if len(names) == 1 {
				note += "; the only one: if it cannot be written, Vault answers nothing"
			}
			d.add(false, v.told("Audit devices of "+c.Name, fmt.Sprint(len(names)), statusIf(v.ok && len(names) == 0, Fail), note))
		}
	}
	d.say(OK, "PROTECTED", "")
}

// systemOf is the account or cluster of a component.
func (t *Topology) systemOf(id ID) string {
	if i, ok := t.byID[id]; ok {
		return t.Components[i].System
	}
	return ""
}

// vaultsOf are the Vault components that stand for the clusters of a store.
func (d *deriver) vaultsOf() []*Component {
	var out []*Component
	for i := range d.t.Components {
		c := &d.t.Components[i]
		if c.Kind == KindVault && c.System != "" && slices.Contains(d.c.Sources, c.System) {
			out = append(out, c)
		}
	}
	return out
}

// uncovered are the accounts and clusters of the store that nothing reads.
func (d *deriver) uncovered(trails []seen[Trails], vaults []*Component) []string {
	var out []string
	for _, name := range d.c.Sources {
		if !slices.ContainsFunc(trails, func(v seen[Trails]) bool { return v.slot.Last.Key.Item == name }) &&
			!slices.ContainsFunc(vaults, func(c *Component) bool { return c.System == name }) {
			out = append(out, name)
		}
	}
	return out
}

// accountSecrets are the watched secrets that the store's accounts hold.
func (d *deriver) accountSecrets() []*StoredSecret {
	var out []*StoredSecret
	for i := range d.t.Secrets {
		s := &d.t.Secrets[i]
		if system := d.t.systemOf(s.Store); system != "" && slices.Contains(d.c.Sources, system) {
			out = append(out, s)
		}
	}
	return out
}

// encrypted: Secrets Manager encrypts whatever it stores, under a key that must be
// usable; Vault behind its barrier once it is initialised.
func (d *deriver) encrypted(secrets []*StoredSecret, vaults []*Component) {
	var x gathered
	word, status := "YES", OK
	var notes []string
	managed, others := 0, 0
	byKey := map[string]int{}
	var keys []string
	for _, s := range secrets {
		v := &d.secret(s.ID).seen
		x.add(v.basis)
		switch ref := v.data.KMSKey; {
		case !v.ok:
		case ref == "" || strings.HasSuffix(ref, "alias/aws/secretsmanager"):
			managed++
		default:
			if byKey[ref] == 0 {
				keys = append(keys, ref)
			}
			byKey[ref]++
		}
	}
	if managed > 0 {
		notes = append(notes, some(managed, "secret")+" by the AWS managed key")
	}
	for _, ref := range keys {
		state, name := d.keyState(ref)
		if state == nil {
			others += byKey[ref]
			continue
		}
		x.add(state.basis)
		note := some(byKey[ref], "secret") + " by " + name
		if state.ok && state.data.State != "Enabled" {
			word, status = "KEY UNUSABLE", state.proven(Fail)
			note += ", which is " + strings.ToUpper(state.data.State)
		}
		notes = append(notes, note)
	}
	if others > 0 {
		notes = append(notes, some(others, "secret")+" by keys that no component watches")
	}
	for _, c := range vaults {
		v := see[VaultSeal](d.derivation, c.ID, CheckVaultSeal, "")
		x.add(v.basis)
		switch {
		case !v.ok:
		case !v.data.Initialized:
			word, status = "NOT INITIALISED", v.proven(Fail)
			notes = append(notes, c.Name+" is not initialised")
		default:
			notes = append(notes, fmt.Sprintf("%s: barrier, seal %s, storage %s", c.Name, v.data.Type, v.data.Storage))
		}
	}
	f := x.rate("Encrypted at rest", word, status, strings.Join(notes, "; "))
	f.Formula = "YES when the KMS key of every watched secret (DescribeSecret; none named is the AWS managed key) is Enabled where a component watches it, and every Vault cluster is initialised, whose barrier encrypts all it stores"
	d.add(true, f)
	if f.Status == Fail {
		d.say(Fail, f.Value, f.Note)
	}
}

// keyState finds what is known of a KMS key by its id, ARN or alias.
func (d *derivation) keyState(ref string) (*seen[KeyState], string) {
	for i := range d.t.Components {
		c := &d.t.Components[i]
		if c.Kind != KindKeys {
			continue
		}
		for _, v := range seeAll[KeyState](d, c.ID, CheckKey) {
			item := v.slot.Last.Key.Item
			if named(item) == named(ref) || strings.HasSuffix(ref, ":"+item) || v.ok && named(v.data.KeyID) == named(ref) {
				return &v, item
			}
		}
	}
	return nil, ""
}

// accessLogs: whether it is recorded who reads secrets, in every account and
// cluster of the store.
func (d *deriver) accessLogs(trails []seen[Trails], vaults []*Component) {
	var x gathered
	with := 0
	var without []string
	for _, v := range trails {
		x.add(v.basis)
		switch {
		case !v.ok:
		case slices.ContainsFunc(v.data.Trails, Trail.reads):
			with++
		default:
			without = append(without, v.slot.Last.Key.Item+": no trail records reads")
		}
	}
	for _, c := range vaults {
		v := see[VaultAudit](d.derivation, c.ID, CheckVaultAudit, "")
		x.add(v.basis)
		switch {
		case !v.ok:
		case len(v.data.Devices) > 0:
			with++
		default:
			without = append(without, c.Name+": no audit device")
		}
	}
	missing := 0
	for _, name := range d.uncovered(trails, vaults) {
		missing++
		x.add(basis{slot: &unplanned})
		without = append(without, name+": no check reads it")
	}
	word, status := "ENABLED", OK
	switch {
	case len(without) > missing && with > 0:
		word, status = "PARTIAL", Fail
	case len(without) > missing:
		word, status = "DISABLED", Fail
	case missing > 0:
		word = "PARTIAL"
	}
	f := x.rate("Access logs", word, status, strings.Join(without, "; "))
	f.Formula = "ENABLED when every account has a trail that is logging and records management events that read, and every Vault cluster has an audit device; PARTIAL when some have, DISABLED when none"
	d.add(true, f)
	if f.Status == Fail {
		d.say(Fail, "NOT LOGGED", f.Note)
	}
}

// gaps lists what a trail lacks for a complete record.
func (t *Trail) gaps(now time.Time) []string {
	var out []string
	say := func(missing bool, what string) {
		if missing {
			out = append(out, what)
		}
	}
	say(!t.Logging, "is not logging")
	say(t.Management != "all", "records "+t.Management+" of the management events")
	say(!t.Validated, "its files are not validated")
	say(t.Delivered.IsZero(), "never delivered")
	say(!t.Delivered.IsZero() && now.Sub(t.Delivered) > deliveredWithin, "delivered last "+Ago(now, t.Delivered))
	say(t.Error != "", "delivery fails: "+t.Error)
	return out
}

// auditTrail: whether one trail of every account is whole.
func (d *deriver) auditTrail(trails []seen[Trails], vaults []*Component) {
	var x gathered
	var gaps []string
	for _, v := range trails {
		x.add(v.basis)
		if !v.ok {
			continue
		}
		account := v.slot.Last.Key.Item
		best := []string{"no trail"}
		for i := range v.data.Trails {
			t := &v.data.Trails[i]
			lacks := t.gaps(d.now)
			if best[0] == "no trail" || len(lacks) < len(best) {
				best = lacks
				for j := range best {
					best[j] = t.Name + " " + best[j]
				}
			}
			if len(best) == 0 {
				break
			}
		}
		for _, one := range best {
			gaps = append(gaps, account+": "+one)
		}
	}
	for _, c := range vaults {
		v := see[VaultAudit](d.derivation, c.ID, CheckVaultAudit, "")
		x.add(v.basis)
		if v.ok && len(v.data.Devices) == 0 {
			gaps = append(gaps, c.Name+": no audit device")
		}
	}
	for _, name := range d.uncovered(trails, vaults) {
		x.add(basis{slot: &unplanned})
		gaps = append(gaps, name+": no check reads it")
	}
	word, status := "COMPLETE", OK
	if len(gaps) > 0 {
		word, status = "GAPS", Warn
		if slices.ContainsFunc(gaps, func(g string) bool {
			return strings.HasSuffix(g, "no trail") || strings.HasSuffix(g, "no audit device") || strings.HasSuffix(g, "is not logging")
		}) {
			status = Fail
		}
	}
	f := x.rate("Audit trail", word, status, strings.Join(gaps, "; "))
	f.Formula = "COMPLETE when one trail of every account, of this region or all, is logging, records all management events, validates its files, delivered within " + Span(deliveredWithin) + " and its last delivery did not fail, and every Vault cluster has an audit device; else GAPS"
	d.add(true, f)
	if f.Status == Fail || f.Status == Warn {
		d.say(f.Status, "GAPS", f.Note)
	}
}

// trails lists the trails of an account.
func (d *deriver) trails(v seen[Trails]) {
	account := v.slot.Last.Key.Item
	if v.ok && len(v.data.Trails) == 0 {
		d.add(false, v.told("Trails of "+account, "none", Fail, "nothing records what is done in this account and region"))
	}
	if !v.ok {
		d.add(false, v.told("Trails of "+account, "?", Unknown, ""))
	}
	for i := range v.data.Trails {
		t := &v.data.Trails[i]
		where := "one region"
		if t.MultiRegion {
			where = "every region"
		}
		word, status := "LOGGING", NA
		if !t.Logging {
			word = "STOPPED"
		}
		note := strings.Join(append([]string{where, "management events: " + t.Management, "delivered " + Ago(d.now, t.Delivered)}, t.gaps(d.now)...), "; ")
		d.add(false, v.told("Trail "+t.Name+" of "+account, word, status, note))
	}
}
