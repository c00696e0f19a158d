package estate

import (
	"fmt"
	"strings"
)

// listeners is what a balancer's listeners have in ACM.
type listeners struct {
	seen[Listeners]
	certificates []listened // of every listener
}

// listened is one certificate of one listener.
type listened struct {
	ManagedCertificate
	port     int
	protocol string
}

// renews reports that ACM renews the certificate by itself.
func (c listened) renews() bool { return c.Eligible && c.Type != "IMPORTED" && c.Failure == "" }

// called is how people call the certificate.
func (c listened) called() string {
	if c.Domain != "" {
		return c.Domain
	}
	return c.ARN[strings.LastIndexByte(c.ARN, '/')+1:]
}

// covers reports whether the certificate is for a server name.
func (c listened) covers(name string) bool {
	for _, one := range append([]string{c.Domain}, c.Names...) {
		if strings.EqualFold(one, name) {
			return true
		}
		if rest, ok := strings.CutPrefix(one, "*."); ok {
			if _, domain, _ := strings.Cut(name, "."); strings.EqualFold(domain, rest) {
				return true
			}
		}
	}
	return false
}

func (d *deriver) listenersOf() listeners {
	l := listeners{seen: see[Listeners](d.derivation, d.c.ID, CheckListeners, "")}
	for _, one := range l.data.Listeners {
		for _, c := range one.Certificates {
			l.certificates = append(l.certificates, listened{c, one.Port, one.Protocol})
		}
	}
	return l
}

// bySerial finds the certificate that a handshake showed.
func (l *listeners) bySerial(serial string) (listened, bool) {
	serial = strings.TrimLeft(serial, "0")
	for _, c := range l.certificates {
		if serial != "" && c.Serial == serial {
			return c, true
		}
	}
	return listened{}, false
}

// other is the serial that the listener of an address has in ACM for a server
// name; empty when there is none, or it is not known.
func (l *listeners) other(address, name string) string {
	port := address[strings.LastIndexByte(address, ':')+1:]
	for _, c := range l.certificates {
		if fmt.Sprint(c.port) == port && c.covers(name) && c.Serial != "" {
			return c.Serial
		}
	}
	return ""
}

// acmRenews is how long before its end ACM has renewed a certificate as a rule: it
// begins 60 days before. Less is left only when something keeps it from it.
const acmRenews = 30 * day

// managedLife judges what is left of a certificate of ACM. One that ACM renews by
// itself is not about to expire before ACM should have renewed it.
func (d *deriver) managedLife(c listened) (Status, string) {
	life := Certificate{NotBefore: c.NotBefore, NotAfter: c.NotAfter}
	status, left := d.life(life)
	if status == Warn && c.renews() && c.NotAfter.Sub(d.now) > min(acmRenews, c.NotAfter.Sub(c.NotBefore)/8) {
		status, left = OK, left+"; ACM renews it"
	}
	return status, left
}

// weighListeners judges what ACM says of the certificates of a balancer. It adds a
// line for each and for the balancer itself, and sums them up.
func (d *deriver) weighListeners(b *balance) (text string, status Status) {
	l := b.listeners
	if !l.planned {
		return "", NA
	}
	if b.lead.slot == nil || !b.lead.ok && l.ok {
		b.lead = l.basis
	}
	if !l.ok {
		f := l.fact("Listeners", "?", Unknown, "")
		if f.Status == Fail {
			d.say(Fail, f.Value, "its listeners: "+f.Note)
		}
		b.lines = append(b.lines, f)
		return f.Value, f.Status
	}
	word, status, note := strings.ToUpper(l.data.State), OK, l.data.DNSName
	switch l.data.State {
	case "active", "":
	case "failed":
		status = Fail
		d.say(Fail, "FAILED", "the load balancer could not be set up")
	default: // provisioning, active_impaired
		status = Warn
	}
	b.lines = append(b.lines, l.fact("Load balancer "+l.data.Name, strings.ReplaceAll(word, "_", " "), status, note))
	if len(l.certificates) == 0 {
		b.lines = append(b.lines, l.fact("Listeners", "NO TLS", Warn, "no listener serves a certificate"))
		return "none", Worst(status, Warn)
	}
	good := 0
	for _, c := range l.certificates {
		f := d.managed(b, c)
		if f.Status == OK || f.Status == Warn {
			good++
		}
		status = Worst(status, f.Status)
		b.lines = append(b.lines, f)
	}
	return fmt.Sprintf("%d of %d good", good, len(l.certificates)), status
}

// managed judges one certificate of a listener.
func (d *deriver) managed(b *balance, c listened) Fact {
	name := fmt.Sprintf("%s %d %s", c.protocol, c.port, c.called())
	if c.Failure != "" {
		f := b.fact(name, "?", Unknown, c.Failure)
		if strings.Contains(c.ARN, ":server-certificate/") {
			f.Value = "IN IAM"
		}
		return f
	}
	word, status, notes := d.issued(c)
	renewal, rNote := d.renewing(c)
	status = Worst(status, renewal)
	if rNote != "" {
		notes = append([]string{rNote}, notes...)
	}
	why := c.called() + ": " + strings.Join(notes, "; ")
	if !c.NotAfter.IsZero() {
		life, _ := d.managedLife(c)
		b.ends(c.NotAfter, Worst(life, renewal), c.called()+" in ACM", c.renews(), b.listeners.basis)
	}
	if renewal > OK && word == "VALID" {
		word = "RENEWAL FAILED"
		if c.Renewal == "PENDING_VALIDATION" {
			word = "NOT VALIDATED"
		}
	}
	notes = append(notes, "serial "+c.Serial, c.ARN)
	if c.Default {
		notes = append(notes, "the default")
	}
	if status == Fail {
		d.say(Fail, word, why)
	} else if status == Warn && (d.c.Renewal != RenewalManual || c.renews()) {
		d.say(Warn, word, why)
	}
	return b.fact(name, word, status, strings.Join(notes, "; "))
}

// issued judges the state in which ACM has a certificate.
func (d *deriver) issued(c listened) (word string, status Status, notes []string) {
	plain := strings.ReplaceAll(c.Status, "_", " ")
	switch c.Status {
	case "ISSUED":
		status, left := d.managedLife(c)
		switch {
		case !c.NotAfter.After(d.now):
			return "EXPIRED", Fail, []string{left}
		case status > OK:
			return "EXPIRING", status, []string{left}
		}
		return "VALID", OK, []string{left}
	case "EXPIRED":
		return "EXPIRED", Fail, []string{"expired " + Ago(d.now, c.NotAfter)}
	case "REVOKED", "FAILED", "VALIDATION_TIMED_OUT", "INACTIVE":
		return plain, Fail, present("ACM says so", c.RenewalNote)
	case "PENDING_VALIDATION":
		return plain, Warn, []string{"ACM waits for a record in DNS, or an answer to its mail"}
	}
	return "?", Unknown, []string{"not a state of ACM that warroom knows: " + c.Status}
}

// renewalLate is how near the end of a certificate the failure of its renewal is
// no longer a warning.
const renewalLate = 14 * day

// renewing judges how ACM's own renewal of a certificate goes.
func (d *deriver) renewing(c listened) (Status, string) {
	left := c.NotAfter.Sub(d.now)
	note := strings.ToLower(strings.ReplaceAll(c.RenewalNote, "_", " "))
	switch c.Renewal {
	case "FAILED":
		return max(Warn, statusIf(left < renewalLate, Fail)), strings.TrimSuffix("ACM could not renew it: "+note, ": ")
	case "PENDING_VALIDATION":
		return max(Warn, statusIf(left < min(d.t.Rules.CertFail, renewalLate), Fail)), "ACM cannot renew it before its domain is validated anew: see its record in DNS"
	}
	return OK, ""
}
