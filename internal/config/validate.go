package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"warroom/internal/decode"
)

// validator checks what a file means, after its shape is known to be right.
// Each problem goes to the line that causes it.
type validator struct {
	doc        *decode.Document
	c          *Config
	components names             // ids
	apps       names             // ids of applications
	secrets    names             // ids of stored secrets
	kinds      map[string]string // what each of those unlocks
	accounts   names
	vaults     names
	clusters   names
}

// names are declared names, in their order and with the path of each.
type names struct {
	list []string
	at   map[string]string
}

// declare adds a name. It returns the path of the first of that name, and
// whether there was one.
func (n *names) declare(name, path string) (first string, twice bool) {
	if first, twice = n.at[name]; twice {
		return first, true
	}
	if n.at == nil {
		n.at = map[string]string{}
	}
	n.at[name] = path
	n.list = append(n.list, name)
	return "", false
}

func validate(c *Config, doc *decode.Document) {
	v := &validator{doc: doc, c: c}
	v.numbers()
	v.systems()
	v.collect()
	for i := range c.Components {
		v.component(&c.Components[i], decode.Index("components", i))
	}
	v.flows()
	v.incident()
	v.recovery()
}

func (v *validator) add(path, hint, format string, args ...any) {
	v.doc.Add(path, fmt.Sprintf(format, args...), hint)
}

// numbers checks figures that bound each other.
func (v *validator) numbers() {
	c := v.c.Checks
	for _, one := range []struct {
		key   string
		every time.Duration
	}{{"interval", c.Interval}, {"slow_interval", c.SlowEvery}, {"login_interval", c.LoginEvery}} {
		if c.Timeout > one.every && one.every > 0 {
			at := "checks.timeout"
			if !v.doc.Has(at) {
				at = "checks." + one.key
			}
			v.add(at, "", "the timeout of %s is longer than %s, %s; expected at most that", decode.FormatDuration(c.Timeout), one.key, decode.FormatDuration(one.every))
		}
	}
	t := v.c.Thresholds
	if t.RotationFail > t.RotationWarn && !v.doc.Failed("thresholds.rotation_success_warn") && !v.doc.Failed("thresholds.rotation_success_fail") {
		at := "thresholds.rotation_success_warn"
		if !v.doc.Has(at) {
			at = "thresholds.rotation_success_fail"
		}
		v.add(at, "", "it would fail (below %s) before it warns (below %s); expected fail at most warn", number(t.RotationFail), number(t.RotationWarn))
	}
	if t.VaultLagWarn > t.VaultLagFail {
		at := "thresholds.vault_lag_warn"
		if !v.doc.Has(at) {
			at = "thresholds.vault_lag_fail"
		}
		v.add(at, "", "it would fail (%s) before it warns (%s); expected warn at most fail", decode.FormatDuration(t.VaultLagFail), decode.FormatDuration(t.VaultLagWarn))
	}
	for _, one := range []struct {
		key        string
		warn, fail float64
	}{
		{"auth_failures", t.AuthFailuresWarn, t.AuthFailuresFail},
		{"connections", t.ConnectionsWarn, t.ConnectionsFail},
		{"replay_lag", float64(t.ReplayLagWarn), float64(t.ReplayLagFail)},
	} {
		warn, fail := "thresholds."+one.key+"_warn", "thresholds."+one.key+"_fail"
		if one.key == "replay_lag" {
			warn, fail = warn+"_bytes", fail+"_bytes"
		}
		if one.warn <= one.fail || v.doc.Failed(warn) || v.doc.Failed(fail) {
			continue
		}
		at := warn
		if !v.doc.Has(at) {
			at = fail
		}
		v.add(at, "", "it would fail (%s) before it warns (%s); expected warn at most fail", number(one.fail), number(one.warn))
	}
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// systems checks the accounts and clusters that components refer to.
func (v *validator) systems() {
	named := func(list *names, path, name string) {
		at := decode.Join(path, "name")
		if name == "" {
			return
		}
		if first, twice := list.declare(name, at); twice {
			v.add(at, "", "%q is the name of another one, in line %d; expected a name of its own", brief(name), v.doc.At(first).Line)
		}
	}
	for i, a := range v.c.AWS {
		at := decode.Index("aws", i)
		named(&v.accounts, at, a.Name)
		v.url(decode.Join(at, "endpoint"), a.Endpoint)
	}
	for i, a := range v.c.Vaults {
		at := decode.Index("vaults", i)
		named(&v.vaults, at, a.Name)
		v.vaultAddress(decode.Join(at, "address"), a.Address)
		for j, node := range a.Nodes {
			v.vaultAddress(decode.Index(decode.Join(at, "nodes"), j), node)
		}
	}
	for i, a := range v.c.Kubernetes {
		named(&v.clusters, decode.Index("kubernetes", i), a.Name)
	}
}

// vaultAddress is where a token or a key share is sent.
func (v *validator) vaultAddress(at, address string) {
	v.url(at, address)
	if u, err := url.Parse(address); err == nil && u.Scheme == "http" && u.Hostname() != "" && !loopback(u.Hostname()) {
		v.add(at, "", "is http to another machine, where the token would travel in clear; expected https://")
	}
}

var idSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// collect gathers the ids that others refer to, and checks that each is used
// once.
func (v *validator) collect() {
	for i := range v.c.Components {
		c := &v.c.Components[i]
		path := decode.Index("components", i)
		at := decode.Join(path, "id")
		if c.ID != "" {
			if first, twice := v.components.declare(c.ID, at); twice {
				v.add(at, "", "%q is the id of another component, in line %d; expected an id of its own", brief(c.ID), v.doc.At(first).Line)
			} else if !idSyntax.MatchString(c.ID) {
				v.add(at, "", "found %q; expected at most 64 letters, digits, dots, dashes and underscores, the first a letter or digit", brief(c.ID))
			}
		}
		if c.Application != nil && c.ID != "" {
			v.apps.declare(c.ID, at)
		}
		block, kept := c.kept()
		for j, s := range kept {
			at := decode.Join(decode.Index(decode.Join(decode.Join(path, block), "secrets"), j), "id")
			if s.ID == "" {
				continue
			}
			if s.As != "" {
				at = strings.TrimSuffix(at, "id") + "as"
			}
			if v.kinds == nil {
				v.kinds = map[string]string{}
			}
			v.kinds[s.Called()] = s.Type
			if first, twice := v.secrets.declare(s.Called(), at); twice {
				v.add(at, "where two stores have one of that name, give it another one with as", "%q is declared already, in line %d; expected each secret once", brief(s.Called()), v.doc.At(first).Line)
			}
		}
	}
}

func (v *validator) flows() {
	var seen names
	for i, f := range v.c.Flows {
		at := decode.Index("flows", i)
		v.reference(decode.Join(at, "from"), f.From, v.components, "component")
		v.reference(decode.Join(at, "to"), f.To, v.components, "component")
		if f.From == "" || f.To == "" {
			continue
		}
		if f.From == f.To {
			v.add(decode.Join(at, "to"), "", "the flow leads from %q to itself; expected another component", brief(f.To))
		}
		if first, twice := seen.declare(f.From+" "+f.To+" "+f.Kind, at); twice {
			v.add(at, "", "the same flow is in line %d already", v.doc.At(first).Line)
		}
	}
}

// reference checks that name is one of those declared.
func (v *validator) reference(path, name string, declared names, what string) {
	if _, known := declared.at[name]; known || name == "" {
		return
	}
	hint := ""
	if !v.doc.Full() {
		hint = decode.DidYouMean(name, declared.list)
	}
	switch {
	case hint != "":
	case len(declared.list) == 0:
		hint = "none is declared"
	case len(declared.list) <= 12:
		hint = "declared are " + strings.Join(declared.list, ", ")
	}
	v.add(path, hint, "no %s is called %q", what, brief(name))
}

// url checks an http or https URL that holds no credentials. It never quotes
// the URL: what is wrong with it may be that it holds one.
func (v *validator) url(path, text string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	const rotate = "secrets are named, not written; if this was a real one, rotate it"
	switch {
	case err != nil:
		v.add(path, "", "is not a URL; expected http:// or https:// and a host")
	case u.Scheme != "http" && u.Scheme != "https":
		v.add(path, "", "is not an http or https URL; expected http:// or https:// and a host")
	case u.Hostname() == "":
		v.add(path, "", "the URL names no host")
	case u.User != nil:
		v.add(path, rotate, "the URL holds a user or password before its host; expected a URL without")
	case u.Port() != "" && !validPort(u.Port()):
		v.add(path, "", "found the port %s; expected 1 to 65535", u.Port())
	default:
		for key := range u.Query() {
			if secretParameters[strings.ToLower(key)] {
				v.add(path, rotate, "the URL holds a credential in its parameter %s; expected a URL without", brief(key))
				return
			}
		}
	}
}

var secretParameters = map[string]bool{"password": true, "passwd": true, "pwd": true, "token": true, "access_token": true, "auth": true,
	"api_key": true, "apikey": true, "api-key": true, "client_secret": true, "secret": true, "sig": true, "signature": true}

// loopback reports whether a host is this machine, by its name or its number.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// address checks host:port.
func (v *validator) address(path, text string) {
	if text == "" {
		return
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || !validPort(port) || !validHost(host) {
		v.add(path, "", "%s; expected host:port, for example www.example.com:443", quoted(text))
	}
}

func validPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 1 && n <= 65535
}

// quoted says what was found, unless it may hold a password before an @.
func quoted(text string) string {
	if strings.Contains(text, "@") {
		return "found a user before the host"
	}
	return "found " + strconv.Quote(brief(text))
}

func validHost(s string) bool { return s != "" && !strings.ContainsAny(s, " \t/@?#\\") }

// brief shortens text for a message.
func brief(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
