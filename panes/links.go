package panes

import (
	"strings"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// link is a component at the other end of a flow or of a shared secret.
type link struct {
	id   estate.ID
	verb string
}

// outward lists what the component depends on, changes or watches.
func (d *detail) outward() []link {
	t := d.r.Snapshot.Topology
	var out []link
	for _, x := range t.Out(d.c.ID) {
		out = append(out, link{x.To, labelled(verb(t, x, true), x.Label)})
	}
	return out
}

// inward lists what depends on the component, changes or watches it: by a flow,
// or by a secret that runs through it.
func (d *detail) inward() []link {
	t := d.r.Snapshot.Topology
	var out []link
	for _, x := range t.In(d.c.ID) {
		out = append(out, link{x.From, labelled(verb(t, x, false), x.Label)})
	}
	for _, one := range consumers(d.r, d.c.ID) {
		out = append(out, link{one.c.ID, "uses " + strings.Join(one.secrets, ", ")})
	}
	return out
}

func labelled(verb, label string) string {
	if label == "" {
		return verb
	}
	return verb + " (" + label + ")"
}

func (d *detail) links(title string, list []link, arrow string) {
	if len(list) == 0 {
		return
	}
	f := d.f
	d.heading(title)
	type end struct {
		verdict, name, word string
		status              estate.Status
	}
	ends := make([]end, len(list))
	verdict, name := 0, 0
	for i, x := range list {
		e := end{name: f.say(string(x.id)), status: estate.Unknown}
		if c, ok := d.r.Snapshot.Topology.Component(x.id); ok {
			e.name = f.say(c.Name)
		}
		if r, ok := d.r.Of(x.id); ok {
			e.status, e.word = r.Status, f.say(r.Word)
		}
		e.verdict = f.verdict(e.status)
		verdict, name = max(verdict, width(e.verdict)), max(name, width(e.name))
		ends[i] = e
	}
	name = min(name, max(d.n/2, 10))
	for i, x := range list {
		e, verb := ends[i], f.say(x.verb)
		n := f.cut(e.name, name)
		s := spans{{theme.Muted, arrow + " "}, {token(e.status), e.verdict}, gapTo(width(e.verdict), verdict+2),
			{theme.Strong, n}, gapTo(width(n), name+2)}
		if e.word != "" && s.width()+width(e.word)+2+width(verb) <= d.n {
			s = append(s, span{figureToken(e.status), e.word}, span{theme.Plain, "  "})
		}
		d.row(append(s, span{theme.Muted, verb})...)
	}
}

// verb says what a flow means, seen from where it begins (outward) or from where
// it ends. An application gets its secrets from a store; to any other system it
// connects.
func verb(t *estate.Topology, x estate.Flow, outward bool) string {
	say := func(out, in string) string {
		if outward {
			return out
		}
		return in
	}
	switch x.Kind {
	case estate.FlowSecret:
		return say("relies on", "relies on it")
	case estate.FlowTarget:
		return say("changes", "changes it")
	case estate.FlowMonitoring:
		return say("watches", "watches it")
	case estate.FlowAccess:
		to, _ := t.Component(x.To)
		switch to.Kind {
		case estate.KindVault, estate.KindSecretsManager, estate.KindSecretStore:
			return say("reads its secrets from", "reads its secrets here")
		case estate.KindPostgres:
			return say("connects to", "connects to it")
		case estate.KindExternalAPI, estate.KindGateway, estate.KindBalancer:
			return say("calls", "calls it")
		case estate.KindKeys:
			return say("decrypts with", "decrypts with it")
		}
		return say("uses", "uses it")
	}
	return string(x.Kind)
}
