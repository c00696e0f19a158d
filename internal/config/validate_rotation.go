package config

import (
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"

	"warroom/internal/decode"
)

// apiKey checks how a key of somebody else's API is rotated.
func (v *validator) apiKey(k *APIKeyRotation, at, own string) {
	key := func(name string) string { return decode.Join(at, name) }
	for name, call := range map[string]*ProviderCall{"create": k.Create, "probe": k.Probe, "list": k.List, "last_used": k.LastUsed, "revoke": k.Revoke} {
		if call != nil {
			v.call(call, key(name))
		}
	}
	if c := k.Create; c != nil && (c.Value == "" || c.ID == "") {
		v.add(key("create"), "", "does not say where the new key is; expected value and id, the JSON fields of the answer that hold the key and its id")
	}
	if c := k.List; c != nil && (c.Items == "" || c.ID == "") {
		v.add(key("list"), "", "does not say where the keys are; expected items and id, the JSON fields of the answer that hold the list and the id in each")
	}
	if c := k.LastUsed; c != nil && c.Time == "" {
		v.add(key("last_used"), "", "does not say where the time is; expected time, the JSON field of the answer")
	}
	if k.Field != "" && k.Field == k.IDField {
		v.add(key("id_field"), "", "is the field of the key as well; expected another one")
	}
	for i, id := range k.Dependents {
		v.secretOf(decode.Index(key("dependents"), i), id, own, "api_key", "token")
	}
	v.unique(key("dependents"), k.Dependents)
	if b := k.Backup; b != nil {
		v.secretOf(decode.Join(key("backup"), "secret"), b.Secret, own, "api_key", "token")
	}
	if h := k.Help; h != nil {
		v.url(decode.Join(key("help"), "ticket"), h.Ticket)
	}
}

var (
	placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)
	// telling are the headers that carry a credential.
	telling = regexp.MustCompile(`(?i)^(authorization|proxy-authorization|cookie)$|api-?key|token|secret|password`)
)

// call checks one request to a provider. It never quotes headers or body: what is
// wrong with them may be that they hold a value.
func (v *validator) call(c *ProviderCall, at string) {
	to := decode.Join(at, "url")
	v.placeholders(to, c.URL, false)
	plain := placeholder.ReplaceAllString(c.URL, "x")
	v.url(to, plain)
	if plainHTTP(plain) {
		v.add(to, "", "is http to another machine, where the key would travel in clear; expected https://")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		header := decode.Join(decode.Join(at, "headers"), name)
		v.placeholders(header, c.Headers[name], true)
		switch {
		case !headerName.MatchString(name):
			v.add(header, "", "found %q; expected the name of an HTTP header", brief(name))
		case telling.MatchString(name) && !strings.Contains(c.Headers[name], "${"):
			v.add(header, "if this was a real one, rotate it", "holds a value; expected ${key} or ${secret:ID:FIELD} in its place: secrets are named, not written")
		}
	}
	v.placeholders(decode.Join(at, "body"), c.Body, true)
	for i, code := range c.OK {
		if code < 100 || code > 599 {
			v.add(decode.Index(decode.Join(at, "ok"), i), "", "found %d; expected an HTTP status, 100 to 599", code)
		}
	}
}

// placeholders checks what stands for something in a template; values may stand in
// headers and body alone, because URLs are logged by everybody on the way.
func (v *validator) placeholders(at, text string, values bool) {
	if strings.Count(text, "${") != len(placeholder.FindAllString(text, -1)) {
		v.add(at, "", "has a ${ that does not end; expected }")
		return
	}
	for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
		name := found[1]
		rest, secret := strings.CutPrefix(name, "secret:")
		switch {
		case name == "key_id" || name == "name":
		case (name == "key" || secret) && !values:
			v.add(at, "put it into a header", "has the value %s in a URL, which everybody on the way logs; expected ${key_id} or ${name} alone", "${"+brief(name)+"}")
		case name == "key":
		case secret:
			cut := strings.LastIndex(rest, ":")
			if cut <= 0 || cut == len(rest)-1 {
				v.add(at, "", "has a ${secret:…} without a field; expected ${secret:ID:FIELD}")
				continue
			}
			v.reference(at, rest[:cut], v.secrets, "stored secret")
		default:
			known := []string{"key", "key_id", "name"}
			if values {
				known = append(known, "secret:ID:FIELD")
			}
			v.add(at, decode.DidYouMean(name, known), "has the unknown %s; expected ${key_id} or ${name}, and in headers and body ${key} or ${secret:ID:FIELD}", "${"+brief(name)+"}")
		}
	}
}

var (
	acmARN  = regexp.MustCompile(`^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/\S+$`)
	dnsName = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)
)

// certificate checks how the certificate of an endpoint is renewed.
func (v *validator) certificate(e *TLSEndpoint, at string) {
	if v.doc.Failed(at) {
		return
	}
	r := e.Renew
	key := func(name string) string { return decode.Join(at, name) }
	issuers := 0
	for _, set := range []bool{r.Vault != nil, r.ACME != nil, r.SelfSigned} {
		if set {
			issuers++
		}
	}
	if issuers != 1 {
		v.add(at, "", "expected exactly one of vault, acme and self_signed")
	}
	if r.Vault != nil {
		v.reference(decode.Join(key("vault"), "cluster"), r.Vault.Cluster, v.vaults, "Vault cluster")
	}
	if r.ACME != nil {
		v.acme(r.ACME, key("acme"))
	}
	for i, name := range r.Names {
		if net.ParseIP(name) == nil && !dnsName.MatchString(name) && name != "" {
			v.add(decode.Index(key("names"), i), "", "found %q; expected a DNS name or an address", brief(name))
		}
	}
	v.unique(key("names"), r.Names)
	v.words(key("test"), r.Test)
	v.words(key("reload"), r.Reload)
	v.unit(key("reload_unit"), r.Unit)
	if len(r.Reload) > 0 && r.Unit != "" {
		v.add(key("reload_unit"), "", "there are two ways to reload, reload and reload_unit; expected one")
	}
	v.reference(key("cluster"), r.Cluster, v.clusters, "Kubernetes cluster")
	v.reference(key("account"), r.Account, v.accounts, "AWS account")
	switch {
	case r.Object != "" && !jobSyntax.MatchString(r.Object):
		v.add(key("object"), "", "found %q; expected namespace/name of a kubernetes.io/tls Secret", brief(r.Object))
	case r.Object != "" && r.Cluster == "":
		v.add(key("object"), "", "says no cluster; expected cluster beside it")
	case r.Object == "" && r.Cluster != "":
		v.add(key("cluster"), "", "says no object; expected object beside it")
	}
	switch {
	case r.ACM != "" && !acmARN.MatchString(r.ACM):
		v.add(key("acm"), "", "found %q; expected the ARN of an ACM certificate", brief(r.ACM))
	case r.ACM != "" && r.Account == "":
		v.add(key("acm"), "", "says no account; expected account beside it")
	case r.ACM == "" && r.Account != "":
		v.add(key("account"), "", "says no certificate of it; expected acm beside it")
	}
	files := r.Combined != "" || e.Certificate != "" && e.Key != ""
	switch {
	case files || r.Object != "" || r.ACM != "":
	case e.Certificate != "":
		v.add(at, "", "the new private key has no file; expected key beside certificate of the endpoint, or combined")
	default:
		v.add(at, "", "the new certificate has no place; expected certificate and key of the endpoint, combined, object or acm")
	}
	if !files && (len(r.Test) > 0 || len(r.Reload) > 0 || r.Unit != "") {
		v.add(at, "", "has a server tested or reloaded of which no file changes; expected certificate and key of the endpoint, or combined")
	}
}

func (v *validator) acme(a *ACMEIssuer, at string) {
	v.url(decode.Join(at, "directory"), a.Directory)
	if (a.Webroot == "") == (a.Listen == "") && !v.doc.Failed(at) {
		v.add(at, "", "expected exactly one of webroot and listen, to answer the challenge")
	}
	if host, port, err := net.SplitHostPort(a.Listen); a.Listen != "" && (err != nil || !validPort(port) || host != "" && !validHost(host)) {
		v.add(decode.Join(at, "listen"), "", "%s; expected an address to listen at, for example :80", quoted(a.Listen))
	}
	if a.Email != "" && (!strings.Contains(a.Email, "@") || strings.ContainsAny(a.Email, " \t<>")) {
		v.add(decode.Join(at, "email"), "", "is not an address; expected name@host")
	}
}

// words checks a command that is run without a shell.
func (v *validator) words(at string, list []string) {
	for i, word := range list {
		one := decode.Index(at, i)
		switch {
		case strings.TrimSpace(word) == "":
			v.add(one, "", "is an empty word; expected the command and its arguments, a word each")
		case strings.ContainsRune(word, 0):
			v.add(one, "", "holds a character that no argument can")
		case i == 0 && strings.ContainsAny(word, " \t\n|&;<>"):
			v.add(one, `for example [nginx, -t]`, "found %q; expected the command alone, its arguments as words of their own: it is run without a shell", brief(word))
		}
	}
}
