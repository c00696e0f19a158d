package diagnosis

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"warroom/internal/estate"
)

// certificate is one that is served or that a listener has.
type certificate struct {
	name    string
	trouble string // ended 3h ago, REVOKED, renewal FAILED; empty when all is well
	ended   bool
	fact    Fact
}

// certificates lists what every endpoint serves and every listener has, each once.
func (x *senses) certificates(e *evidence) []certificate {
	var out []certificate
	seenOf := map[string]bool{}
	add := func(v seen, name, serial, trouble string, ends time.Time) {
		if serial = strings.ToLower(strings.TrimLeft(strings.ReplaceAll(serial, ":", ""), "0")); seenOf[serial] && trouble == "" {
			return
		}
		seenOf[serial] = true
		c := certificate{name: name, trouble: trouble}
		if !ends.IsZero() && !ends.After(x.now) {
			c.ended = true
			c.trouble = cmp.Or(c.trouble, passed(x.now, ends))
		}
		c.fact = x.fact(v, "Certificate "+name, cmp.Or(c.trouble, passed(x.now, ends)), bad(c.trouble != "", estate.Fail))
		if i := slices.IndexFunc(out, func(o certificate) bool { return o.name == name && o.trouble == c.trouble }); i < 0 {
			out = append(out, c)
		}
	}
	for _, v := range every[estate.Endpoint](x, estate.CheckTLS) {
		if !e.look(v.seen) {
			continue
		}
		for _, one := range v.data.Addresses {
			if l := one.Leaf; l != nil {
				add(v.seen, cmp.Or(v.data.ServerName, l.Subject), l.Serial, "", l.NotAfter)
			}
		}
	}
	for _, v := range every[estate.Listeners](x, estate.CheckListeners) {
		if !e.look(v.seen) {
			continue
		}
		for _, listener := range v.data.Listeners {
			for _, c := range listener.Certificates {
				trouble := ""
				switch {
				case c.Failure != "":
					e.miss(x.name(v.owner()) + ": " + cut(c.Failure, 70))
				case c.Status == "REVOKED" || c.Status == "FAILED":
					trouble = c.Status
				case c.Renewal == "FAILED":
					trouble = strings.TrimSuffix("renewal FAILED: "+cut(c.RenewalNote, 60), ": ")
				}
				add(v.seen, cmp.Or(c.Domain, estate.PlainName(c.ARN)), cmp.Or(c.Serial, c.ARN), trouble, c.NotAfter)
			}
		}
	}
	return out
}

// lessonRevocation: is this an incident of certificates that ended, were revoked or
// are not renewed?
func (x *senses) lessonRevocation() Finding {
	e := x.gather()
	all := x.certificates(e)
	for _, c := range all {
		if c.trouble != "" {
			e.hit(c.name+" "+c.trouble, c.fact)
		} else {
			e.note(c.fact)
		}
	}
	return e.any(count(len(all), "certificate")+" served: none ended, revoked or failing to renew", "no certificate is read")
}

// lessonSeal: is this an incident of a Vault that is sealed?
func (x *senses) lessonSeal() Finding {
	e := x.gather()
	for _, v := range every[estate.VaultSeal](x, estate.CheckVaultSeal) {
		if !e.look(v.seen) {
			continue
		}
		f := x.fact(v.seen, "Seal status", map[bool]string{true: "SEALED", false: "UNSEALED"}[v.data.Sealed], bad(v.data.Sealed, estate.Fail))
		if v.data.Sealed {
			e.hit(x.name(v.owner())+" is sealed", f)
			continue
		}
		e.note(f)
	}
	for _, v := range every[estate.VaultHealth](x, estate.CheckVaultHealth) {
		if e.look(v.seen) && v.data.Sealed {
			e.hit(x.name(v.owner())+" is sealed", x.fact(v.seen, "Seal status", "SEALED", estate.Fail))
		}
	}
	return e.any("no Vault is sealed", "no Vault is configured")
}

// lessonRotation: is this an incident of a rotation function that fails against a
// database?
func (x *senses) lessonRotation() Finding {
	e := x.gather()
	x.described(e, func(s *estate.Standing, v seen) {
		arn := s.Described.RotationFunctionARN
		if s.Secret.Type != estate.TypeDatabase || arn == "" {
			return
		}
		m, ok := x.runsOf(arn)
		if !ok {
			if s.RotationStatus == estate.Fail {
				e.hit(function(arn)+" left "+s.Secret.ID+" "+s.Rotation, x.fact(v, s.Secret.ID, s.Rotation+": "+s.RotationNote, estate.Fail))
			}
			return
		}
		if e.look(m.seen) && m.data.LastErrors > 0 && s.RotationStatus == estate.Fail {
			e.hit(s.Secret.ID+" by "+function(arn)+x.lastRun(arn), append(x.runs(arn), x.fact(v, s.Secret.ID, s.Rotation+": "+s.RotationNote, estate.Fail))...)
		}
	})
	return e.any("no rotation function fails on a database's secret", noStore)
}
