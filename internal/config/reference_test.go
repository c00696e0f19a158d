package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	yaml "go.yaml.in/yaml/v4"

	"warroom/internal/decode"
	"warroom/internal/estate"
)

var update = flag.Bool("update", false, "write golden files and docs/config.md anew")

// golden compares got with a file, or writes it with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale; go test ./internal/config -update writes it anew. Got:\n%s", path, got)
	}
}

func TestExampleIsTheGuidesDiagram(t *testing.T) {
	c, err := Parse("example.yaml", Example())
	if err != nil {
		t.Fatal(err)
	}
	top := c.Topology()
	planes := map[estate.Plane][]string{}
	for _, one := range top.Components {
		planes[one.Plane] = append(planes[one.Plane], one.Name)
		if one.Owner == "" || one.Contact == "" || one.Criticality == "" {
			t.Errorf("%s has no owner, contact or criticality", one.ID)
		}
	}
	want := map[estate.Plane][]string{
		estate.Edge: {"API Gateway", "Load Balancer"},
		estate.Service: {"Secrets Manager", "Rotation Lambda", "Key Management",
			"User Service", "Payment Service", "Analytics Service"},
		estate.State: {"Vault Primary", "Vault Secondary", "Secret Store",
			"PostgreSQL Primary", "PostgreSQL Replica", "External API"},
		estate.Control: {"Rotation Monitor", "Secret Monitor", "Access Monitor"},
	}
	if !reflect.DeepEqual(planes, want) {
		t.Errorf("got %v\nwant %v", planes, want)
	}
	var arrows []string
	for _, f := range top.Flows {
		arrows = append(arrows, strings.TrimSpace(fmt.Sprintf("%s %s>%s %s", f.Kind, f.From, f.To, f.Label)))
	}
	wantArrows := []string{
		"secret api-gateway>secrets-manager", "secret load-balancer>key-management", "secret secrets-manager>rotation-lambda",
		"secret rotation-lambda>vault-primary", "secret vault-primary>vault-secondary",
		"access user-service>vault-primary", "access payment-service>vault-primary", "access analytics-service>vault-secondary",
		"target rotation-lambda>postgres-primary", "target rotation-lambda>postgres-replica", "target rotation-lambda>external-api",
		"monitoring rotation-monitor>rotation-lambda monitors", "monitoring secret-monitor>vault-primary tracks", "monitoring access-monitor>user-service audits",
	}
	if !reflect.DeepEqual(arrows, wantArrows) {
		t.Errorf("got %q\nwant %q", arrows, wantArrows)
	}
	for _, s := range top.Secrets {
		if s.Owner == "" || s.Contact == "" {
			t.Errorf("%s has no owner or contact", s.ID)
		}
	}
	if replica, _ := top.Component("postgres-replica"); !replica.Standby {
		t.Error("the replica is not a standby")
	}
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("warroom.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("warroom.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// valid checks YAML against the schema.
func valid(t *testing.T, schema *jsonschema.Schema, text []byte) error {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(instance)
}

func TestSchemaAgreesWithParse(t *testing.T) {
	schema := compiledSchema(t)
	for name, text := range map[string][]byte{"example": Example(), "small": []byte(small)} {
		if err := valid(t, schema, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Each replaces one thing of a valid file; the schema and Parse must both
	// refuse it, or both take it.
	for name, c := range map[string]struct {
		old, new string
		refused  bool
	}{
		"unknown key":       {"name: SM\n", "name: SM\n    colour: red\n", true},
		"unknown top key":   {"aws:\n", "awss: []\naws:\n", true},
		"wrong type":        {"name: SM\n", "name: 5\n", true},
		"wrong word":        {"plane: edge", "plane: border", true},
		"wrong version":     {"version: 1", "version: 2", true},
		"missing name":      {"    name: SM\n", "", true},
		"missing host":      {"      host: db.example.com\n", "", true},
		"no kind":           {"    vault: {cluster: v1}\n", "", true},
		"two kinds":         {"    vault: {cluster: v1}\n", "    vault: {cluster: v1}\n    secret_store: {account: main}\n", true},
		"port too large":    {"host: db.example.com\n", "host: db.example.com\n      port: 70000\n", true},
		"port as text":      {"host: db.example.com\n", "host: db.example.com\n      port: '5432'\n", true},
		"share too large":   {"aws:\n", "thresholds: {connections_warn: 1.5}\naws:\n", true},
		"duration":          {"aws:\n", "checks: {interval: 20s}\naws:\n", false},
		"duration in days":  {"aws:\n", "thresholds: {expiry_warn: 1d12h}\naws:\n", false},
		"duration zero":     {"aws:\n", "thresholds: {expiry_warn: 0}\naws:\n", false},
		"bare duration":     {"aws:\n", "checks: {interval: 20}\naws:\n", true},
		"worded duration":   {"aws:\n", "checks: {interval: 20 seconds}\naws:\n", true},
		"no secrets":        {"secrets: [prod/db]", "secrets: []", false},
		"empty id":          {"id: ext\n", "id: ''\n", true},
		"empty list":        {"flows:\n  - {from: app, to: db, kind: access}\n", "flows:\n", false},
		"dimension numbers": {"url: https://api.example.com\n", "url: https://api.example.com\n      account: main\n      failures: {dimensions: {ApiId: 5}}\n", true},
		"dimensions":        {"url: https://api.example.com\n", "url: https://api.example.com\n      account: main\n      failures: {dimensions: {ApiId: a5}}\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(small, c.old, c.new, 1)
			if text == small {
				t.Fatal("nothing was replaced")
			}
			_, err := Parse("s.yaml", []byte(text))
			if (err != nil) != c.refused {
				t.Errorf("Parse: %v", err)
			}
			if err := valid(t, schema, []byte(text)); (err != nil) != c.refused {
				t.Errorf("schema: %v", err)
			}
		})
	}
}

func TestReferenceIsFresh(t *testing.T) {
	golden(t, "../../docs/config.md", reference())
}

// reference is docs/config.md, made from the same tags as the schema.
func reference() []byte {
	var b bytes.Buffer
	b.WriteString(referenceHead)
	queue, done := []reflect.Type{reflect.TypeFor[Config]()}, map[reflect.Type]bool{}
	for len(queue) > 0 {
		t := queue[0]
		queue = queue[1:]
		if done[t] {
			continue
		}
		done[t] = true
		fmt.Fprintf(&b, "\n## %s\n\n| key | value | default | meaning |\n|---|---|---|---|\n", heading(t))
		kinds := 0
		for _, f := range decode.Fields(t) {
			if f.Kind {
				kinds++
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Key, valueOf(f), defaultOf(f), f.Doc)
			if s := f.Struct(); s != nil {
				queue = append(queue, s)
			}
		}
		if kinds > 0 {
			fmt.Fprintf(&b, "\nOf the last %d keys exactly one must be there: it says what the component is.\n", kinds)
		}
	}
	return b.Bytes()
}

const referenceHead = `# warroom.yaml

The estate that warroom watches: its systems, the components of its architecture in four planes, and the flows between
them. Start from ` + "`warroom config example > warroom.yaml`" + ` and check it with ` + "`warroom config validate`" + `, which reports every
mistake with its line; ` + "`warroom config schema`" + ` prints a JSON Schema for editors.

It is looked for in this order: ` + "`--config FILE`, `$WARROOM_CONFIG`, `./warroom.yaml`" + `, and ` + "`warroom/warroom.yaml`" + ` in the XDG
configuration directories (` + "`~/.config`" + ` on Linux).

- Unknown keys are mistakes, and so is a key written twice.
- No secret is written in it. Secrets are named, and read from their store. A key like ` + "`password`" + ` is refused, and so is a URL
  that holds a user, a password or a token.
- Durations are written as ` + "`30s`, `5m`, `1h30m` or `7d`" + `; a day is 24 hours.
- File names are relative to the folder of warroom.yaml; ` + "`~/`" + ` is the home directory.
- What is left out has its default. What is written, even ` + "`0` or `''`" + `, is kept.
- Anchors, aliases and ` + "`<<`" + ` work; a file larger than 4 MiB or with a second document is refused.

` + "`expiry`" + ` says from what the end of life of a credential is computed: ` + "`valid_until`" + ` is VALID UNTIL of the database role,
` + "`not_after`" + ` that of the certificate, ` + "`rotation`" + ` the last rotation plus its period, and ` + "`tag:KEY`" + ` the date (RFC 3339 or
YYYY-MM-DD) in that tag of the stored secret. Left out, the credential does not expire.

A stored secret has the criticality, owner, contact, fallback, grace and expiry of the component that stores it, unless it
has its own; ` + "`''`" + ` is how it says that it has none.
`

// heading names a block by the keys under which it stands.
func heading(t reflect.Type) string {
	if t == reflect.TypeFor[Config]() {
		return "The file"
	}
	var under []string
	var walk func(reflect.Type, map[reflect.Type]bool)
	walk = func(in reflect.Type, seen map[reflect.Type]bool) {
		if seen[in] {
			return
		}
		seen[in] = true
		for _, f := range decode.Fields(in) {
			if s := f.Struct(); s == t {
				under = append(under, "`"+f.Key+"`")
			} else if s != nil {
				walk(s, seen)
			}
		}
	}
	walk(reflect.TypeFor[Config](), map[reflect.Type]bool{})
	return strings.Join(under, ", ")
}

func valueOf(f decode.Field) string {
	var what string
	switch t := f.Type; {
	case len(f.Enum) > 0:
		what = "`" + strings.Join(f.Enum, "`, `") + "`"
	case f.IsDuration():
		what = "duration" + bounds(f)
	case t.Kind() == reflect.Slice && f.Struct() != nil:
		what = "list of blocks"
	case t.Kind() == reflect.Slice:
		what = "list of texts"
	case t.Kind() == reflect.Map:
		what = "keys and values"
	case f.Struct() != nil:
		what = "block"
	case t.Kind() == reflect.String:
		what = "text"
	case t.Kind() == reflect.Bool:
		what = "`true`, `false`"
	case t.Kind() == reflect.Float64:
		what = "number" + bounds(f)
	default:
		what = "whole number" + bounds(f)
	}
	if f.FileName {
		what = strings.Replace(what, "text", "file name", 1)
	}
	if f.Required {
		what += ", required"
	}
	return what
}

func bounds(f decode.Field) string {
	switch {
	case f.Min != "" && f.Max != "":
		return ", " + f.Min + " to " + f.Max
	case f.Min != "" && f.Min != "0s":
		return ", at least " + f.Min
	case f.Max != "":
		return ", at most " + f.Max
	}
	return ""
}

func defaultOf(f decode.Field) string {
	switch {
	case f.Inherited:
		return "the component's"
	case f.Default != "":
		return "`" + f.Default + "`"
	}
	return ""
}
