package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"warroom/internal/decode"
)

// procedureName is how procedures are called on the command line.
var procedureName = regexp.MustCompile(`^[a-z][a-z0-9-]{1,63}$`)

// recovery checks how recovery procedures are run, as whom, and in which order.
func (v *validator) recovery() {
	r := &v.c.Recovery
	for i, name := range r.SecondFor {
		if !procedureName.MatchString(name) && name != "" {
			v.add(decode.Index("recovery.second_person_for", i), "for example rotate-database", "found %q; expected the name of a procedure", brief(name))
		}
	}
	v.unique("recovery.second_person_for", r.SecondFor)
	if len(r.SecondFor) > 0 && r.Signers == "" {
		v.add("recovery.second_person_for", "", "nobody may sign: signers is missing; expected an OpenSSH allowed_signers file")
	}
	for i, a := range v.c.AWS {
		if act := a.Act; act != nil {
			at := decode.Join(decode.Index("aws", i), "act")
			switch {
			case v.doc.Failed(at):
			case act.Profile == "" && act.RoleARN == "" && len(act.SharedFiles) == 0:
				v.add(at, "", "names no identity; expected profile, shared_files or role_arn")
			case act.RoleARN != "" && !roleARN.MatchString(act.RoleARN):
				v.add(decode.Join(at, "role_arn"), "", "found %q; expected the ARN of a role, for example arn:aws:iam::123456789012:role/warroom-act", brief(act.RoleARN))
			}
		}
	}
	for i, k := range v.c.Kubernetes {
		if at := decode.Join(decode.Index("kubernetes", i), "act"); k.Act != nil && k.Act.Context == "" && k.Act.Kubeconfig == "" && !v.doc.Failed(at) {
			v.add(at, "", "names no identity; expected context or kubeconfig")
		}
	}
	v.cycles()
}

var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+$`)

// cycles reports applications that are to be restarted after themselves.
func (v *validator) cycles() {
	after, at := map[string][]string{}, map[string]string{}
	var order []string
	for i := range v.c.Components {
		c := &v.c.Components[i]
		if c.Application == nil || c.ID == "" || after[c.ID] != nil {
			continue
		}
		order = append(order, c.ID)
		after[c.ID] = append([]string{}, c.Application.After...)
		at[c.ID] = decode.Join(decode.Join(decode.Index("components", i), "application"), "restart_after")
	}
	done := map[string]bool{}
	var visit func(id string, path []string)
	visit = func(id string, path []string) {
		if from := slices.Index(path, id); from >= 0 {
			v.add(at[id], "", "leads round in a circle: %s; expected an order that has a first one", strings.Join(append(path[from:], id), " after "))
			return
		}
		if done[id] {
			return
		}
		for _, next := range after[id] {
			visit(next, append(path[:len(path):len(path)], id))
		}
		done[id] = true
	}
	for _, id := range order {
		visit(id, nil)
	}
}

// pendingSuffix ends the paths that warroom itself keeps beside secrets of Vault.
const pendingSuffix = ".warroom-pending"

// kvPath checks MOUNT/PATH.
func (v *validator) kvPath(path, text string) {
	mount, rest, ok := strings.Cut(text, "/")
	switch {
	case text == "":
	case !ok || mount == "" || rest == "" || strings.HasPrefix(rest, "/") || strings.HasSuffix(rest, "/") || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == '?' || r == '#' || r == '%' }):
		v.add(path, "", "found %q; expected MOUNT/PATH of a KV version 2 secret, for example secret/prod/db", brief(text))
	case strings.HasPrefix(rest, "data/") || strings.HasPrefix(rest, "metadata/"):
		v.add(path, "", "found %q; expected MOUNT/PATH as people write it, without data/ or metadata/", brief(text))
	case strings.HasSuffix(rest, pendingSuffix):
		v.add(path, "", "found %q; expected the secret itself: what ends in %s is kept there while it is rotated", brief(text), pendingSuffix)
	}
}

// kvSecrets checks the ids of the secrets that a Vault component keeps.
func (v *validator) kvSecrets(list []StoredSecret, at string) {
	for i, s := range list {
		v.kvPath(decode.Join(decode.Index(at, i), "id"), s.ID)
	}
}

// stored checks one stored secret of a component.
func (v *validator) stored(s *StoredSecret, at string, keeper *Component) {
	v.expiry(decode.Join(at, "expiry"), s.Expiry)
	v.readers(decode.Join(at, "known_readers"), s.Readers)
	r := s.Rotation
	if r == nil {
		return
	}
	at = decode.Join(at, "rotation")
	switch {
	case v.doc.Failed(at):
	case r.Database != nil && r.APIKey != nil:
		v.add(at, "", "has database and api_key; expected one of them")
	case r.Database == nil && r.APIKey == nil && len(r.Copies) == 0:
		v.add(at, "", "says nothing; expected database or api_key, or copies")
	}
	if r.Database != nil {
		v.kindFor(decode.Join(at, "database"), s, "database")
		v.database(r.Database, decode.Join(at, "database"), s.Called())
	}
	if r.APIKey != nil {
		v.kindFor(decode.Join(at, "api_key"), s, "api_key", "token")
		v.apiKey(r.APIKey, decode.Join(at, "api_key"), s.Called())
	}
	v.copies(r.Copies, decode.Join(at, "copies"), s, keeper)
}

// kindFor checks that a rotation fits what the secret unlocks.
func (v *validator) kindFor(at string, s *StoredSecret, kinds ...string) {
	if s.Type != "" && !slices.Contains(kinds, s.Type) {
		v.add(at, "", "the secret's type is %s; expected %s", s.Type, strings.Join(kinds, " or "))
	}
}

// secretOf checks a reference to another stored secret of certain kinds.
func (v *validator) secretOf(at, id, own string, kinds ...string) {
	v.reference(at, id, v.secrets, "stored secret")
	kind, known := v.kinds[id]
	switch {
	case id == "":
	case id == own:
		v.add(at, "", "is the secret itself; expected another one")
	case known && kind != "" && len(kinds) > 0 && !slices.Contains(kinds, kind):
		v.add(at, "", "%q is of type %s; expected one of type %s", brief(id), kind, strings.Join(kinds, " or "))
	}
}

// database checks how a password of PostgreSQL is rotated.
func (v *validator) database(d *DatabaseRotation, at, own string) {
	key := func(name string) string { return decode.Join(at, name) }
	v.secretOf(key("admin"), d.Admin, own, "database")
	v.secretOf(key("emergency"), d.Emergency, own, "database")
	switch {
	case v.doc.Failed(key("strategy")):
	case d.Strategy == "alternating" && d.Admin == "":
		v.add(at, "", "admin is missing; expected the id of a stored secret of a role that may change the user's password, which the alternating strategy needs")
	case d.Strategy != "alternating" && d.Clone != "":
		v.add(key("clone"), "", "is for the alternating strategy alone; expected strategy: alternating, or no clone")
	}
	if d.Username != "" && d.Username == d.Password {
		v.add(key("password_field"), "", "is the field of the user as well; expected another one")
	}
	if !v.served(own) {
		v.add(at, "", "no postgres component uses %q; expected one whose secret or monitor it is, on which the password is changed", brief(own))
	}
	var pools names
	for i, p := range d.Poolers {
		one := decode.Index(key("poolers"), i)
		if first, twice := pools.declare(p.Name, decode.Join(one, "name")); twice && p.Name != "" {
			v.add(decode.Join(one, "name"), "", "%q is the name of another pooler, in line %d; expected a name of its own", brief(p.Name), v.doc.At(first).Line)
		}
		if p.Host != "" && !strings.HasPrefix(p.Host, "/") && !validHost(p.Host) {
			v.add(decode.Join(one, "host"), "", "is not a host; expected a host name or address")
		}
		v.secretOf(decode.Join(one, "secret"), p.Secret, "", "database")
	}
	if d.Static != nil {
		v.reference(decode.Join(key("vault_role"), "cluster"), d.Static.Cluster, v.vaults, "Vault cluster")
	}
}

// served reports whether a database takes the credentials of a secret.
func (v *validator) served(secret string) bool {
	return slices.ContainsFunc(v.c.Components, func(c Component) bool {
		return c.Postgres != nil && c.Postgres.LogsIn(secret)
	})
}

// copies checks where else a value is kept.
func (v *validator) copies(list []Copy, at string, s *StoredSecret, keeper *Component) {
	var seen names
	for i, c := range list {
		one := decode.Index(at, i)
		if v.doc.Failed(one) {
			continue
		}
		key := func(name string) string { return decode.Join(one, name) }
		v.reference(key("account"), c.Account, v.accounts, "AWS account")
		v.reference(key("cluster"), c.Cluster, v.vaults, "Vault cluster")
		v.reference(key("kubernetes"), c.Kubernetes, v.clusters, "Kubernetes cluster")
		v.kvPath(key("path"), c.Path)
		if c.Object != "" && !jobSyntax.MatchString(c.Object) {
			v.add(key("object"), "", "found %q; expected namespace/name", brief(c.Object))
		}
		places := 0
		for _, set := range []bool{c.Account != "", c.Cluster != "", c.Kubernetes != ""} {
			if set {
				places++
			}
		}
		if places != 1 {
			v.add(one, "", "expected exactly one of account, cluster and kubernetes")
			continue
		}
		v.belongs(one, c)
		name := c.Secret
		if name == "" {
			name = s.ID
		}
		if c.Account != "" && keeper.SecretsManager != nil && c.Account == keeper.SecretsManager.Account && name == s.ID ||
			c.Cluster != "" && keeper.Vault != nil && c.Cluster == keeper.Vault.Cluster && c.Path == s.ID {
			v.add(one, "", "is the secret itself; expected another place")
		}
		if first, twice := seen.declare(strings.Join([]string{c.Account, c.Cluster, c.Kubernetes, name, c.Path, c.Object}, "\n"), one); twice {
			v.add(one, "", "the same place is in line %d already", v.doc.At(first).Line)
		}
	}
}

// belongs checks that what a copy says beside its place belongs to such a place.
func (v *validator) belongs(at string, c Copy) {
	for _, one := range []struct {
		key, with string
		set, fits bool
		needed    bool
	}{
		{"secret", "account", c.Secret != "", c.Account != "", false},
		{"path", "cluster", c.Path != "", c.Cluster != "", true},
		{"object", "kubernetes", c.Object != "", c.Kubernetes != "", true},
		{"keys", "kubernetes", len(c.Keys) > 0, c.Kubernetes != "" && !c.External, false},
		{"external_secret", "kubernetes", c.External, c.Kubernetes != "", false},
	} {
		switch {
		case one.set && !one.fits && one.key == "keys" && c.External:
			v.add(decode.Join(at, one.key), "", "is for a Secret that is written; an ExternalSecret says itself which keys it makes")
		case one.set && !one.fits:
			v.add(decode.Join(at, one.key), "", "belongs to a copy with %s; expected that, or no %s", one.with, one.key)
		case one.needed && one.fits && !one.set && !v.doc.Failed(decode.Join(at, one.key)):
			v.add(at, "", "%s is missing, which a copy with %s needs", one.key, one.with)
		}
	}
}

// plainHTTP reports whether a URL would show what is sent to everybody on the way.
func plainHTTP(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "http" && u.Hostname() != "" && !loopback(u.Hostname())
}
