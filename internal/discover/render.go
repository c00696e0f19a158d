package discover

import (
	"fmt"
	"slices"
	"strings"

	"warroom/internal/config"
)

// Render writes a commented warroom.yaml of what was found, and checks it as
// loading does. file is the name under which it will be stored: relative file
// names in it are taken as loading takes them.
func (f *Found) Render(file string) ([]byte, error) {
	w := &writer{found: f, stored: map[string]string{}, called: map[string]bool{}}
	w.head()
	w.systems()
	w.line(0, "components:")
	w.edge()
	w.service()
	w.state()
	w.control()
	w.flows()
	text := []byte(w.b.String())
	if _, err := config.Parse(file, text); err != nil {
		return nil, fmt.Errorf("what was found does not make a valid configuration; this is a fault of warroom init: %w", err)
	}
	return text, nil
}

// writer writes one file.
type writer struct {
	found *Found
	b     strings.Builder
	ids   names
	// What the flows connect.
	managers  []string          // ids of secrets_manager components, one an account
	rotators  []string          // ids of rotation functions
	consumers []string          // ids of applications
	links     []string          // flows as lines
	stored    map[string]string // how the file calls a stored secret, by account name and its name
	called    map[string]bool   // names of stored secrets that are taken
}

func (w *writer) line(indent int, format string, args ...any) {
	if format != "" {
		w.b.WriteString(strings.Repeat("  ", indent))
		fmt.Fprintf(&w.b, format, args...)
	}
	w.b.WriteByte('\n')
}

func (w *writer) head() {
	environment := w.found.environment
	if environment == "" {
		environment = "production"
	}
	w.line(0, "# Written by warroom init from what it found; nothing was changed and no secret was read.")
	w.line(0, "# Look at the comments, add what it could not know (databases, external APIs, health")
	w.line(0, "# endpoints, owners and contacts), and check it: warroom config validate; warroom check")
	w.line(0, "# Every key is explained in docs/config.md and by: warroom config schema")
	if len(w.found.Notes) > 0 {
		w.line(0, "#")
		w.line(0, "# Not looked at, so nothing of it stands here:")
		for _, n := range w.found.Notes {
			w.line(0, "# - %s: %s", oneLine(n.What), oneLine(n.Why))
		}
	}
	w.line(0, "")
	w.line(0, "version: 1")
	w.line(0, "environment: %s", quote(environment))
	w.line(0, "")
}

func (w *writer) systems() {
	if len(w.found.accounts) > 0 {
		w.line(0, "aws:")
		for _, a := range w.found.accounts {
			w.line(1, "- name: %s%s", quote(a.Name), comment("account "+a.number, a.number != ""))
			w.line(2, "region: %s", quote(a.Region))
			if a.Profile != "" {
				w.line(2, "profile: %s", quote(a.Profile))
			}
		}
		w.line(0, "")
	}
	if len(w.found.vaults) > 0 {
		w.line(0, "vaults:")
		for _, v := range w.found.vaults {
			w.line(1, "- name: %s%s", quote(v.Name), comment("Vault "+v.version+" "+v.cluster, true))
			w.line(2, "address: %s", quote(v.Address))
			if v.Namespace != "" {
				w.line(2, "namespace: %s", quote(v.Namespace))
			}
			if v.CACert != "" {
				w.line(2, "ca_cert: %s", quote(v.CACert))
			}
			w.line(2, "# The token is that of VAULT_TOKEN or ~/.vault-token; or name a file that holds it:")
			w.line(2, "# token_file: /run/warroom/vault-token")
		}
		w.line(0, "")
	}
	listed := false
	for _, k := range w.found.clusters {
		if len(k.workloads)+len(k.jobs) == 0 {
			continue
		}
		if !listed {
			w.line(0, "kubernetes:")
			listed = true
		}
		w.line(1, "- name: %s", quote(k.Name))
		if k.Context != "" {
			w.line(2, "context: %s", quote(k.Context))
		}
	}
	if listed {
		w.line(0, "")
	}
}

// comment is a remark at the end of a line.
func comment(text string, really bool) string {
	if !really {
		return ""
	}
	return "  # " + strings.TrimSpace(oneLine(text))
}

// component opens a component and returns its id.
func (w *writer) component(id, name, plane, group string) string {
	id = w.ids.id(id)
	w.line(1, "- id: %s", quote(id))
	w.line(2, "name: %s", quote(name))
	w.line(2, "plane: %s", plane)
	if group != "" {
		w.line(2, "group: %s", group)
	}
	return id
}

func (w *writer) flow(from, to, kind, label string) {
	w.links = append(w.links, fmt.Sprintf("- {from: %s, to: %s, kind: %s, label: %s}", quote(from), quote(to), kind, label))
}

func (w *writer) flows() {
	if len(w.links) == 0 {
		return
	}
	slices.Sort(w.links)
	w.line(0, "flows:")
	for _, l := range slices.Compact(w.links) {
		w.line(1, "%s", l)
	}
}

// of is a name that tells systems of one kind apart where there are several.
func of(name, system string, several bool) string {
	if several {
		return name + " " + system
	}
	return name
}
