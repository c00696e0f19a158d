package estate

import (
	"fmt"
	"strings"
	"time"
)

// balancer: the nearest expiry of what it serves, who renews it, and whether
// every address serves what it should. What its listeners have in ACM counts
// beside what a handshake shows, or alone where no endpoint is configured.
func (d *deriver) balancer() {
	all := seeAll[Endpoint](d.derivation, d.c.ID, CheckTLS)
	l := d.listenersOf()
	if len(all) == 0 && !l.planned {
		return
	}
	b := balance{listeners: l}
	for _, v := range all {
		d.weighEndpoint(&b, v)
	}
	text, note := fmt.Sprintf("%d of %d good", b.good, b.served), ""
	if b.read == 0 {
		text = fmt.Sprintf("0 of %d read", b.served)
	}
	if b.skipped > 0 {
		note = fmt.Sprintf("%d not tried from here", b.skipped)
	}
	status := statusIf(b.good < b.served, b.status)
	inACM, acmStatus := d.weighListeners(&b)
	switch {
	case len(all) == 0:
		text, status = inACM, acmStatus
	case l.ok:
		note = strings.TrimPrefix(note+"; ACM: "+inACM, "; ")
		status = Worst(status, statusIf(acmStatus > Warn, acmStatus))
	}
	d.add(true, b.lead.fact("SSL certificates", text, status, note).on(l.basis))
	renewal := d.renewal(&b)
	d.add(true, renewal)
	next, nextStatus, note := "?", Unknown, "no certificate was seen"
	switch {
	case len(all) == 0 && l.ok && len(l.certificates) == 0:
		next, nextStatus, note = "none", NA, ""
	case !b.nearest.IsZero():
		next, nextStatus, note = Span(b.nearest.Sub(d.now)), b.nearestStatus, b.nearestOf
		if !b.nearest.After(d.now) {
			next, note = "EXPIRED", Ago(d.now, b.nearest)
		}
	}
	f := b.lead.fact("Next expiry", next, nextStatus, note)
	f.Formula = "the earliest notAfter of every leaf served at every address"
	if l.planned {
		f.Formula += ", and of every certificate of its listeners in ACM"
	}
	d.add(true, f)
	for _, l := range b.lines {
		d.add(false, l)
		if l.Status == Unknown {
			d.say(Unknown, "NOT READ", l.Name+": "+l.Note)
		}
	}
	if nextStatus == Warn && renewal.Value == "MANUAL" && !b.nearestRenewed {
		d.say(Warn, "MANUAL", "expires in "+next+" and nothing renews it")
	}
	d.say(OK, "VALID", "")
}

// balance is what one balancer's certificates come to.
type balance struct {
	listeners
	served, read, good, skipped int
	status                      Status // the worst of what endpoints serve
	lines                       []Fact

	nearest        time.Time // zero: no certificate was seen
	nearestStatus  Status
	nearestOf      string // the certificate, where ACM told of it
	nearestRenewed bool   // ACM renews it
	lead           basis  // the read that told of it; before that, any
	unmanaged      bool   // an endpoint serves what is not ACM's
}

// ends takes a certificate's end into account.
func (b *balance) ends(at time.Time, status Status, of string, renewed bool, from basis) {
	if b.nearest.IsZero() || at.Before(b.nearest) {
		b.nearest, b.nearestStatus, b.nearestOf, b.nearestRenewed, b.lead = at, status, of, renewed, from
	}
}

// weighEndpoint judges what the addresses of one endpoint present.
func (d *deriver) weighEndpoint(b *balance, v seen[Endpoint]) {
	if b.lead.slot == nil {
		b.lead = v.basis
	}
	if !v.ok {
		f := v.fact(v.slot.Last.Key.Item, "?", Unknown, "")
		b.lines = append(b.lines, f)
		b.served++
		b.status = Worst(b.status, f.Status)
		if b.nearest.IsZero() {
			b.lead = v.basis
		}
		return
	}
	for _, one := range v.data.Addresses {
		if one.Failure != nil && one.Failure.Kind == NoCheck {
			// This machine cannot reach the address at all (IPv6 without a
			// route): that says nothing about the endpoint.
			b.skipped++
			b.lines = append(b.lines, v.fact(one.Address+" "+v.data.ServerName, "NOT TRIED", NA, one.Failure.brief()))
			continue
		}
		b.served++
		f := d.servedBy(v, one, b)
		b.lines = append(b.lines, f)
		b.status = Worst(b.status, f.Status)
		if f.Status == OK || f.Status == Warn {
			b.good++
		}
		if one.Leaf == nil {
			continue
		}
		b.read++
		status, _ := d.life(*one.Leaf)
		in, known := b.bySerial(one.Leaf.Serial)
		if known && in.renews() {
			status, _ = d.managedLife(in)
		}
		b.unmanaged = b.unmanaged || !known
		b.ends(one.Leaf.NotAfter, status, "", known && in.renews(), v.basis)
	}
	b.lines = append(b.lines, d.onDisk(v)...)
}

// renewal is who renews the certificates: what warroom.yaml says, except for those
// that ACM renews by itself.
func (d *deriver) renewal(b *balance) Fact {
	f := Fact{Name: "Rotation", Value: "AUTOMATIC", Status: NA, Source: "renewal in warroom.yaml"}
	var manual []string
	for _, c := range b.certificates {
		if !c.renews() {
			manual = append(manual, c.called())
		}
	}
	switch {
	case b.ok && len(b.certificates) > 0 && len(manual) == 0 && !b.unmanaged:
		f = b.fact("Rotation", "AUTOMATIC", NA, "ACM renews "+count(len(b.certificates), "certificate"))
	case d.c.Renewal == RenewalManual:
		f.Value, f.Note = "MANUAL", "nothing renews these certificates"
		if len(manual) > 0 {
			f = b.fact(f.Name, f.Value, NA, "nothing renews "+fewOf(manual, 3)+": imported, or not eligible for renewal by ACM")
			f.Source += "; renewal in warroom.yaml"
		}
		if f.Status != Unknown && (b.status == Warn || b.nearestStatus == Warn && !b.nearestRenewed) {
			f.Status = Worst(f.Status, Warn)
		}
	}
	return f
}

// fewOf are the first few of a list in words.
func fewOf(list []string, most int) string {
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
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
func (d *deriver) servedBy(v seen[Endpoint], one Served, b *balance) Fact {
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
	managed, known := b.bySerial(one.Leaf.Serial)
	if known && managed.renews() {
		status, left = d.managedLife(managed)
	}
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
	if known {
		notes = append(notes, "as its listener has it in ACM")
	} else if other := b.other(one.Address, v.data.ServerName); other != "" {
		fault(Warn, "", "its listener has serial "+other+" in ACM for this name: something else answers here, or the change has not arrived")
		if word == "VALID" {
			word = "ANOTHER"
		}
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
