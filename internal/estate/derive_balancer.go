package estate

import (
	"fmt"
	"strings"
	"time"
)

// balancer: the nearest expiry of what it serves, who renews it, and whether
// every address serves what it should.
func (d *deriver) balancer() {
	all := seeAll[Endpoint](d.derivation, d.c.ID, CheckTLS)
	if len(all) == 0 {
		return
	}
	nearest := time.Time{}
	served, read, good, skipped := 0, 0, 0, 0
	lead := all[0]
	status := OK
	var lines []Fact
	for _, v := range all {
		if !v.ok {
			f := v.fact(v.slot.Last.Key.Item, "?", Unknown, "")
			lines = append(lines, f)
			served++
			status = Worst(status, f.Status)
			if nearest.IsZero() {
				lead = v
			}
			continue
		}
		for _, one := range v.data.Addresses {
			if one.Failure != nil && one.Failure.Kind == NoCheck {
				// This machine cannot reach the address at all (IPv6 without a
				// route): that says nothing about the endpoint.
				skipped++
				lines = append(lines, v.fact(one.Address+" "+v.data.ServerName, "NOT TRIED", NA, one.Failure.brief()))
				continue
			}
			served++
			f := d.servedBy(v, one)
			lines = append(lines, f)
			status = Worst(status, f.Status)
			if one.Leaf != nil {
				read++
			}
			if f.Status == OK || f.Status == Warn {
				good++
			}
			if one.Leaf != nil && (nearest.IsZero() || one.Leaf.NotAfter.Before(nearest)) {
				nearest, lead = one.Leaf.NotAfter, v
			}
		}
		lines = append(lines, d.onDisk(v)...)
	}
	text, note := fmt.Sprintf("%d of %d good", good, served), ""
	if read == 0 {
		text = fmt.Sprintf("0 of %d read", served)
	}
	if skipped > 0 {
		note = fmt.Sprintf("%d not tried from here", skipped)
	}
	d.add(true, lead.fact("SSL certificates", text, statusIf(good < served, status), note))
	renewal := Fact{Name: "Rotation", Value: "AUTOMATIC", Status: NA, Source: "renewal in warroom.yaml"}
	if d.c.Renewal == RenewalManual {
		renewal.Value, renewal.Note = "MANUAL", "nothing renews these certificates"
		if status == Warn {
			renewal.Status = Warn
		}
	}
	d.add(true, renewal)
	next, nextStatus, note := "?", Unknown, "no certificate was seen"
	if !nearest.IsZero() {
		next, note = Span(nearest.Sub(d.now)), ""
		nextStatus = d.certStatus(lead.data, nearest)
		if !nearest.After(d.now) {
			next = "EXPIRED"
			note = Ago(d.now, nearest)
		}
	}
	f := lead.fact("Next expiry", next, nextStatus, note)
	f.Formula = "the earliest notAfter of every leaf served at every address"
	d.add(true, f)
	for _, l := range lines {
		d.add(false, l)
		if l.Status == Unknown {
			d.say(Unknown, "NOT READ", l.Name+": "+l.Note)
		}
	}
	if nextStatus == Warn && renewal.Value == "MANUAL" {
		d.say(Warn, "MANUAL", "expires in "+next+" and nothing renews it")
	}
	d.say(OK, "VALID", "")
}

// certStatus finds the leaf that ends at end and judges its remaining life.
func (d *deriver) certStatus(e Endpoint, end time.Time) Status {
	for _, one := range e.Addresses {
		if one.Leaf != nil && one.Leaf.NotAfter.Equal(end) {
			s, _ := d.life(*one.Leaf)
			return s
		}
	}
	return Unknown
}

// life judges what is left of a certificate: by days and as a share of its
// whole life, since lifetimes differ from a day to years. The time at which it
// fails is the configured one, but no more than a tenth of its life.
func (d *deriver) life(c Certificate) (Status, string) {
	left := c.NotAfter.Sub(d.now)
	whole := c.NotAfter.Sub(c.NotBefore)
	share := 0.0
	if whole > 0 {
		share = float64(left) / float64(whole)
	}
	switch {
	case left <= 0:
		return Fail, "expired " + Ago(d.now, c.NotAfter)
	case d.now.Before(c.NotBefore):
		return Fail, "not valid before " + c.NotBefore.UTC().Format("2006-01-02 15:04 UTC")
	case left < min(d.t.Rules.CertFail, whole/10):
		return Fail, fmt.Sprintf("%s left, %s of its life", Span(left), percent(share))
	case share < d.t.Rules.CertWarnFraction:
		return Warn, fmt.Sprintf("%s left, %s of its life", Span(left), percent(share))
	}
	return OK, fmt.Sprintf("%s left, %s of its life", Span(left), percent(share))
}

// servedBy judges what one address presented.
func (d *deriver) servedBy(v seen[Endpoint], one Served) Fact {
	name := one.Address + " " + v.data.ServerName
	if one.Leaf == nil {
		f := v.fact(name, "NO CERTIFICATE", Unknown, "")
		if one.Failure != nil && v.sure() {
			f.Value, f.Status, f.Note = one.Failure.Kind.word(), one.Failure.Kind.Status(), one.Failure.brief()
		}
		if f.Status == Fail {
			d.say(Fail, f.Value, one.Address+": "+f.Note)
		}
		return f
	}
	status, left := d.life(*one.Leaf)
	word := "VALID"
	notes := []string{left}
	fault := func(s Status, w, note string) {
		status = Worst(status, s)
		if s == Fail && word != "EXPIRED" {
			word = w
		}
		notes = append(notes, note)
	}
	if !one.Leaf.NotAfter.After(d.now) {
		word = "EXPIRED"
	} else if status > OK {
		word = "EXPIRING"
	}
	if one.ChainError != "" {
		fault(Fail, "UNTRUSTED", one.ChainError)
	}
	if one.NameError != "" {
		fault(Fail, "WRONG NAME", one.NameError)
	}
	if disk := v.data.Disk; disk != nil && disk.SHA256 != one.Leaf.SHA256 {
		fault(Fail, "NOT RELOADED", "serves serial "+one.Leaf.Serial+", on disk is "+disk.Serial)
	} else if disk != nil {
		notes = append(notes, "serves what is on disk")
	}
	leaf := one.Leaf
	notes = append(notes, "serial "+leaf.Serial, "for "+strings.Join(leaf.Names, ", "), "by "+leaf.Issuer)
	if status == Fail {
		d.say(Fail, word, one.Address+": "+strings.Join(notes, "; "))
	} else if status == Warn && d.c.Renewal != RenewalManual {
		d.say(Warn, word, one.Address+": "+left)
	}
	return v.fact(name, word, status, strings.Join(notes, "; "))
}

// onDisk judges the certificate and key files of an endpoint.
func (d *deriver) onDisk(v seen[Endpoint]) []Fact {
	e := v.data
	var out []Fact
	switch {
	case e.DiskError != "":
		out = append(out, file(v.fact("Certificate file", "?", Unknown, e.DiskError)))
	case e.Disk != nil:
		status, left := d.life(*e.Disk)
		out = append(out, file(v.fact("Certificate file", "serial "+e.Disk.Serial, status, left)))
	}
	switch {
	case e.KeyError != "":
		out = append(out, file(v.fact("Key file", "?", Unknown, e.KeyError)))
	case e.KeyMatches != nil && !*e.KeyMatches:
		d.say(Fail, "KEY MISMATCH", "the key on disk is not the certificate's")
		out = append(out, file(v.fact("Key file", "MISMATCH", Fail, "the key on disk is not the certificate's: a reload would fail")))
	case e.KeyMatches != nil:
		out = append(out, file(v.fact("Key file", "matches", OK, "")))
	}
	return out
}

// file says that a figure was read from a file and not from the endpoint.
func file(f Fact) Fact {
	f.Source = "the file that warroom.yaml names for this endpoint"
	return f
}
