package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"warroom/internal/decode"
)

// incident checks how incidents are led.
func (v *validator) incident() {
	in := &v.c.Incident
	const webhooks = "incident.webhooks"
	if strings.TrimSpace(in.Operator) != in.Operator || len([]rune(in.Operator)) > nameLength {
		v.add("incident.operator", "", "found %q; expected at most %d letters without space around them", brief(in.Operator), nameLength)
	}
	var severities names
	for i, c := range in.Updates {
		at := decode.Join(decode.Index("incident.updates", i), "severity")
		if first, twice := severities.declare(c.Severity, at); twice && c.Severity != "" {
			v.add(at, "", "%s has intervals already, in line %d; expected each severity once", c.Severity, v.doc.At(first).Line)
		}
		one := decode.Index("incident.updates", i)
		written := func(key string) bool { return v.doc.Has(decode.Join(one, key)) }
		if !slices.ContainsFunc([]string{"first", "scoped", "every", "relax_after"}, written) && !v.doc.Failed(one) {
			v.add(one, "", "says no interval; expected first, scoped, every or relax_after")
		}
	}
	var places names
	for i, w := range in.Webhooks {
		at := decode.Index(webhooks, i)
		name := decode.Join(at, "name")
		if first, twice := places.declare(w.Name, name); twice && w.Name != "" {
			v.add(name, "", "%q is the name of another webhook, in line %d; expected a name of its own", brief(w.Name), v.doc.At(first).Line)
		}
		switch {
		case v.doc.Has(decode.Join(at, "url")): // told already, with what to do
		case w.URLEnv != "" && w.URLFile != "":
			v.add(at, "", "has url_env and url_file; expected exactly one of them")
		case w.URLEnv == "" && w.URLFile == "":
			v.add(at, "", "does not say where its URL is; expected url_env or url_file")
		case w.URLEnv != "" && !variable.MatchString(w.URLEnv):
			// It is not quoted: it may be the URL itself.
			v.add(decode.Join(at, "url_env"), urlHint, "is not the name of an environment variable; expected letters, digits and underscores")
		case strings.Contains(w.URLFile, "://"):
			v.add(decode.Join(at, "url_file"), urlHint, "is a URL; expected the name of a file that holds it")
		}
	}
}

// nameLength is how long the name of a person may be.
const nameLength = 64

var (
	variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// readerName is a role's name, of at most 64 of IAM's letters.
	readerName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,64}$`)
	// readerARN is an ARN with * for any letters and ? for any one.
	readerARN = regexp.MustCompile(`^arn:[a-z*?-]+:[^:\s]*:[^:\s]*:[^:\s]*:\S+$`)
)

// readers checks who may read a secret.
func (v *validator) readers(at string, list []string) {
	v.unique(at, list)
	for i, one := range list {
		if one == "" {
			continue // told already
		}
		_, ranged := ReaderRange(one)
		switch {
		case ranged || readerARN.MatchString(one):
		case strings.Contains(one, "/") || !readerName.MatchString(one):
			v.add(decode.Index(at, i), "", "found %q; expected the name of a role, an ARN (with * and ?) or an address range, for example 10.20.0.0/16", brief(one))
		}
	}
}

// ReaderRange is the address range that a known reader stands for; not ok when it
// is an ARN or a name. A single address is a range of one.
func ReaderRange(reader string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(reader); err == nil {
		return p.Masked(), true
	}
	if a, err := netip.ParseAddr(reader); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}
