package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"warroom/internal/estate"
)

// The three fates of a credential, worst first.
const (
	compromised = "compromised"
	stuck       = "stuck"
	expired     = "expired"
)

// fate is one sign of what became of a credential.
type fate struct {
	word  string
	text  string
	crit  int
	proof []Fact
}

// credentialFate tells expired, stuck and compromised apart. Several may hold: a
// credential that strangers have read is compromised whatever else it is, and one
// that is stuck half way is so even when it has expired meanwhile, because a new
// end alone does not mend it. Compromised rests on reads alone.
func (x *senses) credentialFate() Finding {
	e := x.gather()
	var all []fate
	add := func(word, text string, of *estate.StoredSecret, proof ...Fact) {
		crit := weight("")
		if of != nil {
			crit = weight(of.Criticality)
		}
		all = append(all, fate{word, text, crit, proof})
	}
	x.stuckFates(e, add)
	x.expiredFates(e, add)
	watch := x.readFates(e, add)

	rank := map[string]int{compromised: 0, stuck: 1, expired: 2}
	slices.SortStableFunc(all, func(a, b fate) int { return cmp.Or(rank[a.word]-rank[b.word], b.crit-a.crit) })
	texts := map[string][]string{}
	for _, f := range all {
		if !slices.Contains(texts[f.word], f.text) {
			texts[f.word] = append(texts[f.word], f.text)
		}
	}
	// Each fate that is claimed shows its first proof before any shows its second.
	for i := range len(all) {
		f := &all[i]
		if i > 0 && all[i-1].word == f.word {
			continue
		}
		e.proofs = append(e.proofs, f.proof...)
	}
	for i := 1; i < len(all); i++ {
		if all[i-1].word == all[i].word {
			e.proofs = append(e.proofs, all[i].proof...)
		}
	}
	var parts []string
	for _, word := range [...]string{compromised, stuck, expired} {
		if len(texts[word]) > 0 {
			text := texts[word][0]
			if n := len(texts[word]) - 1; n > 0 {
				text += " and " + thousands(n) + " more"
			}
			parts = append(parts, word+": "+text)
		}
	}
	switch {
	case len(all) > 0:
		f := e.finding(For, strings.Join(append(parts, watch), "; "))
		f.Word = all[0].word
		return f
	case len(e.blind) > 0:
		return e.unreadable()
	case e.looks == 0:
		return Finding{Value: noStore}
	}
	return e.finding(Against, "neither expired nor stuck; "+watch)
}

type addFate func(word, text string, of *estate.StoredSecret, proof ...Fact)

// stuckFates: a version waits under AWSPENDING, a target takes another version than
// the store hands out, or Vault did not rotate a role.
func (x *senses) stuckFates(e *evidence, add addFate) {
	for i := range x.secrets {
		s := &x.secrets[i]
		if s.Slot == nil {
			continue
		}
		v := x.seenOf(s.Slot)
		if v.absent() || !e.look(v) {
			continue
		}
		if s.Rotation == "FAILED" {
			text := s.Secret.ID + ", " + s.RotationNote
			if one := x.failing.find(s.Secret.ID); one != nil && one.error != "" {
				text += " (" + cut(one.error, 40) + ")"
			}
			add(stuck, text, s.Secret, x.fact(v, s.Secret.ID, s.Rotation+": "+s.RotationNote, estate.Fail))
		}
	}
	for i := range x.tries {
		t := &x.tries[i]
		if t.stage != estate.StageCurrent || !t.refused {
			continue
		}
		for _, stage := range [...]estate.Stage{estate.StagePending, estate.StagePrevious} {
			for _, o := range x.triesOf(t.secret, stage) {
				if o.owner() != t.owner() || !o.accepted {
					continue
				}
				var of *estate.StoredSecret
				if s := x.standing(t.secret); s != nil {
					of = s.Secret
				}
				add(stuck, fmt.Sprintf("%s: AWSCURRENT refused by %s, %s accepted", t.secret, x.name(t.owner()), stage), of, t.fact(x), o.fact(x))
			}
		}
	}
	for i := range x.failing.all {
		if f := &x.failing.all[i]; f.item == nil && f.fact.Status == estate.Fail && f.times == 0 {
			add(stuck, f.name+", "+f.how, nil, f.fact)
		}
	}
}

// expiredFates: the end of a credential has passed, by the role, the certificate or
// its tag; or its rotation is overdue and its target refuses it.
func (x *senses) expiredFates(e *evidence, add addFate) {
	for i := range x.secrets {
		s := &x.secrets[i]
		if s.Slot == nil {
			continue
		}
		v := x.seenOf(s.Slot)
		if v.absent() || !v.sure() {
			continue // told already
		}
		if s.Lost {
			e.miss(s.Secret.ID + ": " + cut(s.Note, 80))
			continue
		}
		source := v
		if s.EndSlot != nil {
			source = x.seenOf(s.EndSlot)
			if !e.look(source) {
				continue
			}
		}
		if s.Ends.IsZero() || s.Ends.After(x.now) {
			continue
		}
		by := s.Secret.ID + " ended " + estate.Ago(x.now, s.Ends)
		switch s.Secret.Expiry {
		case estate.ExpiryRole:
			by = "VALID UNTIL of " + s.Secret.ID + " passed " + estate.Ago(x.now, s.Ends) + " on " + x.name(source.owner())
		case estate.ExpiryCert:
			by = "certificate of " + s.Secret.ID + " ended " + estate.Ago(x.now, s.Ends)
		case estate.ExpiryTag:
			by = s.Secret.ID + " ended " + estate.Ago(x.now, s.Ends) + " by its tag " + s.Secret.ExpiryTag
		case estate.ExpiryRotation:
			// A date that was missed ends nothing by itself.
			if !slices.ContainsFunc(x.triesOf(s.Secret.ID, estate.StageCurrent), func(t *trial) bool { return t.refused }) {
				continue
			}
			by = s.Secret.ID + " was due " + estate.Ago(x.now, s.Ends) + " and is refused by its target"
		}
		add(expired, by, s.Secret, x.fact(source, "End of "+s.Secret.ID, s.Ends.UTC().Format("2006-01-02 15:04 UTC"), estate.Fail))
	}
	for _, c := range x.certificates(e) {
		if c.ended {
			add(expired, "certificate "+c.name+" "+c.trouble, nil, c.fact)
		}
	}
}

// readFates: somebody got the value who is none of its known readers. It returns
// what is known of reads, for the end of the finding's value.
func (x *senses) readFates(e *evidence, add addFate) (watch string) {
	reads := every[estate.SecretReads](x, estate.CheckSecretReads)
	if len(reads) == 0 {
		return "compromised: no sensor, nothing here tells who reads secrets"
	}
	judged, strangers, dark := 0, 0, 0
	var window string
	for _, v := range reads {
		if !e.look(v.seen) {
			dark++
			continue
		}
		d := &v.data
		window = estate.Span(d.Window)
		id := v.slot.Last.Key.Item
		if !d.Judged() {
			e.note(x.fact(v.seen, "Readers of "+id, fmt.Sprintf("%s in %s; nobody said who may read", count(len(d.Readers)+d.Others, "reader"), window), estate.NA))
			continue
		}
		judged++
		unknown := d.Unknown()
		if len(unknown) == 0 {
			if d.Partial {
				dark++
				e.miss("reads of " + id + ": there were more than one read may look at")
			}
			e.note(x.fact(v.seen, "Readers of "+id, fmt.Sprintf("%s, all known, in %s", count(len(d.Readers)+d.Others, "reader"), window), estate.OK))
			continue
		}
		strangers += len(unknown)
		one := &unknown[0]
		from := ""
		if len(one.From) > 0 {
			from = " from " + one.From[0]
		}
		text := fmt.Sprintf("%s read %s %s%s, last %s", who(one.Who), id, times(one.Reads), from, estate.Ago(x.now, one.Last))
		if one.Why != "" {
			text += " (" + cut(one.Why, 50) + ")"
		}
		if n := len(unknown) - 1; n > 0 {
			text += fmt.Sprintf(" and %s more", thousands(n))
		}
		var of *estate.StoredSecret
		if s := x.standing(id); s != nil {
			of = s.Secret
		}
		add(compromised, text, of, x.fact(v.seen, "Unknown readers of "+id, text, estate.Fail))
	}
	switch {
	case strangers > 0:
		return fmt.Sprintf("reads of %s compared with the known readers", count(judged, "secret"))
	case dark > 0:
		return fmt.Sprintf("compromised: not known, reads of %s were not read", count(dark, "secret"))
	case judged == 0:
		return "compromised: not known, warroom.yaml names no known readers"
	case judged < len(reads):
		return fmt.Sprintf("compromised: no sign as far as is judged, 0 unknown readers of %s in %s, %s name no known readers", count(judged, "secret"), window, thousands(len(reads)-judged))
	}
	return fmt.Sprintf("compromised: no sign, 0 unknown readers of %s in %s", count(judged, "secret"), window)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return thousands(n) + " times"
}

// find is a failed secret by name; nil when it does not fail.
func (f *failing) find(name string) *failedSecret {
	if i, ok := f.told[name]; ok {
		return &f.all[i]
	}
	return nil
}
