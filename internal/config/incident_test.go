package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestIncident(t *testing.T) {
	c, err := Parse("/etc/warroom/w.yaml", []byte(small+`
incident:
  operator: ic-1
  runbook: runbook.yaml
  signing_key: keys/id.pub
  updates:
    - {severity: SEV1, every: 10m}
    - {severity: SEV3, first: 20m, scoped: 30m, every: 1h, relax_after: 2h}
  webhooks:
    - {name: bridge, url_env: BRIDGE_URL}
    - {name: security, url_file: hook.url, format: json, security: true}
`))
	if err != nil {
		t.Fatal(err)
	}
	in := c.Incident
	if in.Operator != "ic-1" || in.Runbook != "/etc/warroom/runbook.yaml" || in.SigningKey != "/etc/warroom/keys/id.pub" {
		t.Errorf("got %+v", in)
	}
	if want := (Cadence{Severity: "SEV1", Every: 10 * time.Minute}); len(in.Updates) != 2 || in.Updates[0] != want {
		t.Errorf("got %+v", in.Updates)
	}
	if want := (Webhook{Name: "bridge", URLEnv: "BRIDGE_URL", Format: "slack"}); len(in.Webhooks) != 2 || in.Webhooks[0] != want {
		t.Errorf("got %+v", in.Webhooks)
	}
	if want := (Webhook{Name: "security", URLFile: "/etc/warroom/hook.url", Format: "json", Security: true}); in.Webhooks[1] != want {
		t.Errorf("got %+v", in.Webhooks[1])
	}
	if c, err = Parse("w.yaml", []byte(small)); err != nil || c.Incident.Operator != "" || c.Incident.Runbook != "" || len(c.Incident.Webhooks) != 0 {
		t.Errorf("left out: %+v, %v", c.Incident, err)
	}
}

func TestIncidentMistakes(t *testing.T) {
	const hook = "https://hooks.example.com/services/T0/canary"
	const secret = "the URL of a webhook is a secret and never stands in this file"
	lines := strings.Count(small, "\n") + 1
	for name, c := range map[string]struct {
		text string
		line int // counted from incident:
		want []string
	}{
		"a URL in the file":          {"  webhooks:\n    - {name: a, url: '" + hook + "'}\n", 2, []string{"incident.webhooks[0].url: unknown key", secret, "url_env or url_file", "make a new one"}},
		"a URL for a variable":       {"  webhooks:\n    - {name: a, url_env: '" + hook + "'}\n", 2, []string{"incident.webhooks[0].url_env: is not the name of an environment variable", secret}},
		"a URL for a file":           {"  webhooks:\n    - {name: a, url_file: '" + hook + "'}\n", 2, []string{"incident.webhooks[0].url_file: is a URL", secret}},
		"both":                       {"  webhooks:\n    - {name: a, url_env: A, url_file: b}\n", 2, []string{"incident.webhooks[0]: has url_env and url_file; expected exactly one"}},
		"neither":                    {"  webhooks:\n    - {name: a}\n", 2, []string{"incident.webhooks[0]: does not say where its URL is; expected url_env or url_file"}},
		"a name twice":               {"  webhooks:\n    - {name: a, url_env: A}\n    - {name: a, url_env: B}\n", 3, []string{`incident.webhooks[1].name: "a" is the name of another webhook, in line`}},
		"no name":                    {"  webhooks:\n    - {url_env: A}\n", 2, []string{"name"}},
		"an unknown format":          {"  webhooks:\n    - {name: a, url_env: A, format: teams}\n", 2, []string{"incident.webhooks[0].format", "slack or json"}},
		"a severity twice":           {"  updates:\n    - {severity: SEV1, every: 5m}\n    - {severity: SEV1, every: 6m}\n", 3, []string{"incident.updates[1].severity: SEV1 has intervals already, in line"}},
		"a severity alone":           {"  updates:\n    - {severity: SEV1}\n", 2, []string{"incident.updates[0]: says no interval"}},
		"an unknown severity":        {"  updates:\n    - {severity: SEV5, every: 5m}\n", 2, []string{"incident.updates[0].severity"}},
		"an interval of a second":    {"  updates:\n    - {severity: SEV1, every: 1s}\n", 2, []string{"incident.updates[0].every", "1m"}},
		"an operator with an edge":   {"  operator: ' ic-1'\n", 1, []string{"incident.operator: found"}},
		"an operator without an end": {"  operator: " + strings.Repeat("x", 65) + "\n", 1, []string{"incident.operator: found", "64"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("w.yaml", []byte(small+"incident:\n"+c.text))
			var typed *Error
			if !errors.As(err, &typed) || len(typed.Problems) != 1 {
				t.Fatalf("got %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant %q in it", err, want)
				}
			}
			if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "hooks.example") {
				t.Errorf("the URL is in %v", err)
			}
			if got := typed.Problems[0].Line - lines; got != c.line {
				t.Errorf("line %d after incident:, want %d", got, c.line)
			}
		})
	}
}

func TestKnownReaders(t *testing.T) {
	parse := func(list string) error {
		_, err := Parse("w.yaml", []byte(strings.Replace(small, "        - id: prod/db\n", "        - id: prod/db\n          known_readers: "+list+"\n", 1)))
		return err
	}
	if err := parse("[app, app@x, 'arn:aws:iam::123456789012:role/svc-*', 'arn:*:sts::*:assumed-role/a/?', 10.20.0.0/16, 10.1.2.3, '2001:db8::/32']"); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"role/app", "10.20.0.0/99", "a b", "'arn:aws:iam'", "''", "'*'", "[app, app]"} {
		if !strings.HasPrefix(bad, "[") {
			bad = "[" + bad + "]"
		}
		if err := parse(bad); err == nil || !strings.Contains(err.Error(), "secrets[0].known_readers[") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for text, want := range map[string]string{"10.20.30.40/16": "10.20.0.0/16", "10.1.2.3": "10.1.2.3/32", "::1": "::1/128", "app": "", "fe80::1%eth0": ""} {
		got, ok := ReaderRange(text)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s: %v %v", text, got, ok)
		}
	}
}
