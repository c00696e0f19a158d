package estate

import (
	"fmt"
	"strings"
	"time"
)

// readersNamed is how many unknown readers a line names.
const readersNamed = 3

// readsFormula is how readers are told apart.
const readsFormula = "principals with a GetSecretValue in CloudTrail that was not refused and that fits none of the secret's known_readers (of names and ranges it must fit one of each), by all principals that read, each once a secret; ours are left out, and the roles of rotation functions and of warroom are known; delivered up to 15 minutes late"

// readers is who reads the secrets that components use, over those of which
// somebody said who may. It is nil when nothing tells.
func (d *deriver) readers() *Fact {
	var x gathered
	unknown, readers, judged := 0, 0, 0
	short, long := time.Duration(0), time.Duration(0)
	partial := false
	var strange, without []string
	for i := range d.t.Components {
		c := &d.t.Components[i]
		if c.Kind != KindSecretsManager {
			continue
		}
		for _, v := range seeAll[SecretReads](d.derivation, c.ID, CheckSecretReads) {
			x.add(v.basis)
			if !v.ok {
				continue
			}
			s, id := &v.data, v.slot.Last.Key.Item
			if short == 0 || s.Window < short {
				short = s.Window
			}
			long, partial = max(long, s.Window), partial || s.Partial
			if !s.Judged() {
				without = append(without, id)
				readers += s.gotIt()
				continue
			}
			judged++
			readers += s.gotIt()
			for _, r := range s.Unknown() {
				unknown++
				strange = append(strange, id+": "+r.line())
			}
		}
	}
	if x.reads == 0 {
		return nil
	}
	window := Span(long)
	if short != long {
		window = Span(short) + " to " + Span(long)
	}
	var notes []string
	status, value := OK, fmt.Sprintf("%d of %s in %s", unknown, count(readers, "reader"), window)
	if unknown > 0 {
		status = Fail
		notes = append(notes, fewOf(strange, readersNamed))
	}
	switch {
	case judged == 0 && x.none < x.reads:
		// Nobody said who may read: nothing can be called unknown.
		status, value = NA, count(readers, "reader")+" in "+window
		notes = append(notes, "nobody said who may read: no secret has known_readers")
	case len(without) > 0:
		notes = append(notes, "nobody said who may read "+fewOf(without, readersNamed))
	}
	if partial {
		notes = append(notes, "there were more reads than are looked at; older ones are missing")
	}
	f := x.fact("Unknown readers", value, status, strings.Join(notes, "; "))
	if unknown == 0 && x.none > 0 {
		f.Value = "?" // the one that was not read may have one
	}
	f.Formula = readsFormula
	if f.Status == Fail {
		d.say(Fail, "UNKNOWN READER", strange[0])
	}
	return &f
}

// readersOf is who read one secret. It is nil where that is not known for sure:
// the secret is none the worse for it, and the access monitor says so.
func (d *deriver) readersOf(id string) *Fact {
	v := see[SecretReads](d.derivation, d.c.ID, CheckSecretReads, id)
	if !v.planned || !v.sure() {
		return nil
	}
	s := &v.data
	all, strange := count(s.gotIt(), "reader")+" in "+Span(s.Window), s.Unknown()
	value, status := "0 unknown of "+all, OK
	var notes []string
	switch {
	case !s.Judged():
		value, status = all, NA
		notes = append(notes, "nobody said who may read it: it has no known_readers")
	case len(strange) > 0:
		value, status = fmt.Sprintf("%d unknown of %s", len(strange), all), Fail
		var lines []string
		for i := range strange {
			lines = append(lines, strange[i].line())
		}
		notes = append(notes, fewOf(lines, readersNamed))
		d.say(Fail, "UNKNOWN READER", id+": "+lines[0])
	}
	if s.Refused > 0 {
		notes = append(notes, count(s.Refused, "request")+" refused")
	}
	if s.Ours > 0 {
		notes = append(notes, thousands(s.Ours)+" of our own left out")
	}
	if s.Partial {
		notes = append(notes, "older ones are missing")
	}
	f := v.fact("Readers of "+id, value, status, strings.Join(notes, "; ")).by(readsFormula)
	return &f
}

// gotIt is how many readers got the value.
func (s *SecretReads) gotIt() int {
	n := s.Others
	for i := range s.Readers {
		if s.Readers[i].Reads > 0 {
			n++
		}
	}
	return n
}

// line is a reader in one line.
func (r *SecretReader) line() string {
	out := r.Who
	if len(r.From) > 0 {
		out += " from " + fewOf(r.From, readersNamed)
	}
	return out + ", " + count(r.Reads, "read") + ", the last at " + r.Last.UTC().Format("15:04:05 UTC") + " (" + r.Why + ")"
}
