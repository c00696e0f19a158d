package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/adrg/xdg"

	"warroom/internal/estate"
)

// small is a valid file with one component of most kinds, for tests that change
// one thing.
const small = `version: 1
environment: test
aws:
  - name: main
vaults:
  - name: v1
kubernetes:
  - name: apps
components:
  - id: sm
    name: SM
    plane: service
    owner: security
    grace: 2h
    expiry: rotation
    secrets_manager:
      account: main
      secrets:
        - id: prod/db
        - id: prod/key
          type: api_key
          owner: ''
          grace: 0s
  - id: db
    name: DB
    plane: state
    postgres:
      host: db.example.com
      secret: prod/db
  - id: app
    name: App
    plane: service
    application:
      secrets: [prod/db]
      cluster: apps
      workload: default/deployment/app
  - id: lb
    name: LB
    plane: edge
    balancer:
      endpoints:
        - address: www.example.com:443
  - id: gw
    name: GW
    plane: edge
    gateway:
      url: https://api.example.com
  - id: ext
    name: Ext
    plane: state
    external_api:
      url: https://ext.example.com
      secret: prod/key
  - id: vault
    name: Vault
    plane: state
    vault: {cluster: v1}
  - id: watch
    name: Watch
    plane: control
    access_monitor:
flows:
  - {from: app, to: db, kind: access}
`

func TestSmallIsValid(t *testing.T) {
	if _, err := Parse("small.yaml", []byte(small)); err != nil {
		t.Fatal(err)
	}
}

func TestMeaning(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"id twice": {"id: db\n", "id: sm\n", `sm | components[1].id: "sm" is the id of another component, in line 10; expected an id of its own
db, kind: access} | flows[0].to: no component is called "db"; did you mean "lb"?`},
		"id syntax":          {"id: ext\n", "id: ex t\n", `ex t | components[5].id: found "ex t"; expected at most 64 letters, digits, dots, dashes and underscores, the first a letter or digit`},
		"no kind":            {"    vault: {cluster: v1}\n", "", `id: vault | components[6]: no block says what it is; expected exactly one of gateway, balancer, secrets_manager, rotation_function, keys, postgres, external_api, application, scheduled_job, vault, secret_store, rotation_monitor, secret_monitor or access_monitor`},
		"two kinds":          {"    vault: {cluster: v1}\n", "    vault: {cluster: v1}\n    secret_store: {account: main}\n", `secret_store: {account: main} | components[6].secret_store: a second kind of block beside "vault"; expected exactly one of gateway, balancer, secrets_manager, rotation_function, keys, postgres, external_api, application, scheduled_job, vault, secret_store, rotation_monitor, secret_monitor or access_monitor`},
		"unknown kind":       {"    vault: {cluster: v1}\n", "    valt: {cluster: v1}\n", `valt: {cluster: v1} | components[6].valt: unknown key; expected one of id, name, plane, group, subtitle, criticality, owner, contact, fallback, grace, expiry, gateway, balancer, secrets_manager, rotation_function, keys, postgres, external_api, application, scheduled_job, vault, secret_store, rotation_monitor, secret_monitor, access_monitor; did you mean "vault"?`},
		"account":            {"account: main", "account: mian", `mian | components[0].secrets_manager.account: no AWS account is called "mian"; did you mean "main"?`},
		"no account":         {"aws:\n  - name: main\n", "aws:\n\n", `main | components[0].secrets_manager.account: no AWS account is called "main"; none is declared`},
		"vault":              {"{cluster: v1}", "{cluster: zz}", `zz} | components[6].vault.cluster: no Vault cluster is called "zz"; declared are v1`},
		"kubernetes":         {"cluster: apps", "cluster: app", `app | components[2].application.cluster: no Kubernetes cluster is called "app"; did you mean "apps"?`},
		"account twice":      {"aws:\n  - name: main\n", "aws: [{name: main},\n {name: main}]\n", `main}] | aws[1].name: "main" is the name of another one, in line 3; expected a name of its own`},
		"flow from":          {"from: app,", "from: ap,", `ap, to: db, kind: access} | flows[0].from: no component is called "ap"; did you mean "app"?`},
		"flow to":            {"to: db,", "to: postgres-primary,", `postgres-primary, kind: access} | flows[0].to: no component is called "postgres-primary"; declared are sm, db, app, lb, gw, ext, vault, watch`},
		"flow to itself":     {"to: db,", "to: app,", `app, kind: access} | flows[0].to: the flow leads from "app" to itself; expected another component`},
		"flow twice":         {"kind: access}\n", "kind: access}\n  - {from: app, to: db, kind: access}\n", `{from: app, to: db, kind: access} | flows[1]: the same flow is in line 63 already`},
		"postgres secret":    {"secret: prod/db\n", "secret: prod/bd\n", `prod/bd | components[1].postgres.secret: no stored secret is called "prod/bd"; did you mean "prod/db"?`},
		"postgres monitor":   {"secret: prod/db\n", "secret: prod/db\n      monitor: x\n", `x | components[1].postgres.monitor: no stored secret is called "x"; declared are prod/db, prod/key`},
		"two monitors":       {"secret: prod/db\n", "secret: prod/db\n      monitor: prod/db\n      service: x\n", `x | components[1].postgres.service: there are two monitoring logins, monitor and service; expected one`},
		"host with port":     {"host: db.example.com", "host: db.example.com:5432", `db.example.com:5432 | components[1].postgres.host: found "db.example.com:5432"; expected a host name or address alone; write the port under port`},
		"host with user":     {"host: db.example.com", "host: u:canary@db", `u:canary@db | components[1].postgres.host: found a user before the host; expected a host name or address alone; write the port under port`},
		"address with user":  {"address: www.example.com:443", "address: u:canary@www:443", `u:canary@www:443 | components[3].balancer.endpoints[0].address: found a user before the host; expected host:port, for example www.example.com:443`},
		"host is a URL":      {"host: db.example.com", "host: postgres://u:canary@db", `postgres://u:canary@db | components[1].postgres.host: is not a host; expected a host name or address`},
		"application secret": {"secrets: [prod/db]", "secrets: [prod/bd]", `prod/bd] | components[2].application.secrets[0]: no stored secret is called "prod/bd"; did you mean "prod/db"?`},
		"listed twice":       {"secrets: [prod/db]", "secrets: [prod/db, prod/db]", `prod/db] | components[2].application.secrets[1]: "prod/db" is listed already`},
		"api secret":         {"secret: prod/key", "secret: prod/kye", `prod/kye | components[5].external_api.secret: no stored secret is called "prod/kye"; did you mean "prod/key"?`},
		"gateway token":      {"url: https://api.example.com\n", "url: https://api.example.com\n      token: {secret: prod/tok}\n", `prod/tok} | components[4].gateway.token.secret: no stored secret is called "prod/tok"; declared are prod/db, prod/key`},
		"watches":            {"    access_monitor:\n", "    access_monitor: {watches: [gw, dd]}\n", `dd]} | components[7].access_monitor.watches[1]: no component is called "dd"; did you mean "db"?`},
		"secret twice": {"- id: prod/key", "- id: prod/db", `prod/db | components[0].secrets_manager.secrets[1].id: "prod/db" is declared already, in line 19; expected each secret once; where two stores have one of that name, give it another one with as
prod/key | components[5].external_api.secret: no stored secret is called "prod/key"; declared are prod/db`},
		"expiry":              {"expiry: rotation", "expiry: rotaton", `rotaton | components[0].expiry: found "rotaton"; expected valid_until, not_after, rotation or tag:KEY; did you mean "rotation"?`},
		"expiry tag":          {"expiry: rotation", "expiry: 'tag:'", `'tag:' | components[0].expiry: found "tag:"; expected valid_until, not_after, rotation or tag:KEY; did you mean "tag:"?`},
		"expiry of a secret":  {"type: api_key", "expiry: never", `never | components[0].secrets_manager.secrets[1].expiry: found "never"; expected valid_until, not_after, rotation or tag:KEY`},
		"timeout":             {"aws:\n", "checks: {timeout: 20s}\naws:\n", `20s} | checks.timeout: the timeout of 20s is longer than interval, 15s; expected at most that`},
		"interval":            {"aws:\n", "checks: {interval: 2s}\naws:\n", `2s} | checks.interval: the timeout of 5s is longer than interval, 2s; expected at most that`},
		"thresholds":          {"aws:\n", "thresholds: {auth_failures_warn: 0.5}\naws:\n", `0.5} | thresholds.auth_failures_warn: it would fail (0.25) before it warns (0.5); expected warn at most fail`},
		"thresholds by fail":  {"aws:\n", "thresholds: {replay_lag_fail_bytes: 1}\naws:\n", `1} | thresholds.replay_lag_fail_bytes: it would fail (1) before it warns (1048576); expected warn at most fail`},
		"scheme":              {"url: https://api", "url: ftp://api", `ftp://api.example.com | components[4].gateway.url: is not an http or https URL; expected http:// or https:// and a host`},
		"no scheme":           {"url: https://api", "url: api", `api.example.com | components[4].gateway.url: is not an http or https URL; expected http:// or https:// and a host`},
		"no host":             {"url: https://api.example.com", "url: https:///x", `https:///x | components[4].gateway.url: the URL names no host`},
		"bad port":            {"url: https://api.example.com", "url: https://a:99999/x", `https://a:99999/x | components[4].gateway.url: found the port 99999; expected 1 to 65535`},
		"password in URL":     {"url: https://api", "url: https://u:canary@api", `https://u:canary@api.example.com | components[4].gateway.url: the URL holds a user or password before its host; expected a URL without; secrets are named, not written; if this was a real one, rotate it`},
		"broken URL":          {"url: https://api", "url: 'https://u:canary@a b%zz'\n      issuer: https://api", `'https://u:canary@a b%zz' | components[4].gateway.url: is not a URL; expected http:// or https:// and a host`},
		"key in URL":          {"url: https://api.example.com", "url: https://api.example.com?api_key=canary", `https://api.example.com?api_key=canary | components[4].gateway.url: the URL holds a credential in its parameter api_key; expected a URL without; secrets are named, not written; if this was a real one, rotate it`},
		"address":             {"address: www.example.com:443", "address: www.example.com", `www.example.com | components[3].balancer.endpoints[0].address: found "www.example.com"; expected host:port, for example www.example.com:443`},
		"address port":        {"address: www.example.com:443", "address: www.example.com:https", `www.example.com:https | components[3].balancer.endpoints[0].address: found "www.example.com:https"; expected host:port, for example www.example.com:443`},
		"key alone":           {"address: www.example.com:443", "address: www.example.com:443\n          key: k.pem", `address: www.example.com:443 | components[3].balancer.endpoints[0].certificate: missing; expected the certificate that key belongs to`},
		"address twice":       {"- address: www.example.com:443\n", "- address: www.example.com:443\n        - address: www.example.com:443\n", `address: www.example.com:443 | components[3].balancer.endpoints[1]: the same address and server name are listed already`},
		"workload":            {"default/deployment/app", "default/job/app", `default/job/app | components[2].application.workload: found "default/job/app"; expected namespace/kind/name, kind one of deployment, statefulset or daemonset`},
		"workload no cluster": {"      cluster: apps\n", "", `application: | components[2].application.cluster: missing; expected the Kubernetes cluster of the workload`},
		"failures nowhere":    {"url: https://api.example.com\n", "url: https://api.example.com\n      failures: {}\n", `failures: {} | components[4].gateway.failures: says neither prometheus and query, nor of which account CloudWatch is asked; expected one of them`},
		"failures no query":   {"url: https://api.example.com\n", "url: https://api.example.com\n      failures: {prometheus: https://p}\n", `failures: {prometheus: https://p} | components[4].gateway.failures.query: missing; expected a PromQL query beside prometheus`},
		"store of nothing":    {"vault: {cluster: v1}", "secret_store: {}", `secret_store: {} | components[6].secret_store: names no store; expected account or cluster`},
		"vault in clear":      {"  - name: v1\n", "  - {name: v1, address: 'http://vault.example.com:8200'}\n", `'http://vault.example.com:8200'} | vaults[0].address: is http to another machine, where the token would travel in clear; expected https://`},
		"vault in clear, IP":  {"  - name: v1\n", "  - {name: v1, address: 'http://192.0.2.1'}\n", `'http://192.0.2.1'} | vaults[0].address: is http to another machine, where the token would travel in clear; expected https://`},
		"no window":           {"    access_monitor:\n", "    access_monitor: {sources: [{name: x, prometheus: {url: 'https://p', query: up}}]}\n", `up}}]} | components[7].access_monitor.sources[0].prometheus.query: has no $window; expected a count of failures over it; count over the window, for example sum(increase(NAME[$window]))`},
		"connects to itself":  {"      cluster: apps\n", "      cluster: apps\n      connects_to: app\n", `app | components[2].application.connects_to: is the component itself; expected another one`},
		"unit":                {"      cluster: apps\n", "      cluster: apps\n      unit: a b.service\n", `a b.service | components[2].application.unit: found "a b.service"; expected the name of a systemd unit: at most 255 letters, digits and :_.\@-`},
		"timer":               {"    vault: {cluster: v1}\n", "    scheduled_job: {timer: a/b.timer}\n", `a/b.timer} | components[6].scheduled_job.timer: found "a/b.timer"; expected the name of a systemd unit: at most 255 letters, digits and :_.\@-`},
		"timer ending":        {"    vault: {cluster: v1}\n", "    scheduled_job: {timer: a/b}\n", `a/b} | components[6].scheduled_job.timer: found "a/b"; expected the name of a timer, which ends in .timer`},
		"balancer of a type":  {"      endpoints:\n        - address: www.example.com:443\n", "      account: main\n      load_balancer: [x]\n", `load_balancer: [x] | components[3].balancer.load_balancer: found a list; expected text`},
		"header":              {"      secret: prod/key\n", "      secret: prod/key\n      header: 'X Key:'\n", `'X Key:' | components[5].external_api.header: found "X Key:"; expected the name of an HTTP header`},
		"password":            {"      secret: prod/db\n", "      secret: prod/db\n      password: canary\n", `password: canary | components[1].postgres.password: unknown key; expected one of host, port, database, role, sslmode, ca_cert, secret, user, monitor, other_secrets, service; secrets are named here, not written: store it, and name it in a secrets_manager block; if this was a real one, rotate it`},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(small, c.old) {
				t.Fatalf("%q is not in the file", c.old)
			}
			text := strings.Replace(small, c.old, c.new, 1)
			_, err := Parse("s.yaml", []byte(text))
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), "canary") {
				t.Error("the error quotes a secret")
			}
			var typed *Error
			if !errors.As(err, &typed) || typed.File != "s.yaml" {
				t.Fatalf("%T", err)
			}
			// The text that stands where each problem points, then the problem.
			var got []string
			for _, p := range typed.Problems {
				line := strings.Split(text, "\n")[p.Line-1][p.Column-1:]
				_, said, _ := strings.Cut(p.String(), ": ")
				got = append(got, line+" | "+said)
			}
			if all := strings.Join(got, "\n"); all != c.want {
				t.Errorf("got\n%s\nwant\n%s", all, c.want)
			}
		})
	}
}

// What is like a mistake and is none.
func TestMeaningAllows(t *testing.T) {
	for name, c := range map[string]struct{ old, new string }{
		"vault by name here":   {"  - name: v1\n", "  - {name: v1, address: 'http://localhost:8200'}\n"},
		"vault by number here": {"  - name: v1\n", "  - {name: v1, address: 'http://127.0.0.2:8200'}\n"},
		"vault by IPv6 here":   {"  - name: v1\n", "  - {name: v1, address: 'http://[::1]:8200'}\n"},
		"vault over TLS":       {"  - name: v1\n", "  - {name: v1, address: 'https://vault.example.com:8200'}\n"},
		"window":               {"    access_monitor:\n", "    access_monitor: {sources: [{name: x, prometheus: {url: 'https://p', query: 'increase(a[$window])'}}]}\n"},
		"unit":                 {"      cluster: apps\n", "      cluster: apps\n      unit: 'a\\x2db@c:1_2.service'\n"},
		"unit without ending":  {"      cluster: apps\n", "      cluster: apps\n      unit: app\n"},
		"timer":                {"    vault: {cluster: v1}\n", "    scheduled_job: {timer: rotate@db.timer}\n"},
		"connects to another":  {"      cluster: apps\n", "      cluster: apps\n      connects_to: db\n"},
	} {
		if !strings.Contains(small, c.old) {
			t.Fatalf("%s: %q is not in the file", name, c.old)
		}
		if _, err := Parse("s.yaml", []byte(strings.Replace(small, c.old, c.new, 1))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSeveralMistakesTogether(t *testing.T) {
	data, err := os.ReadFile("testdata/mistakes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse("mistakes.yaml", data)
	if err == nil {
		t.Fatal("no error")
	}
	golden(t, "testdata/mistakes.txt", []byte(err.Error()+"\n"))
}

func TestDefaultsAndInheritance(t *testing.T) {
	c, err := Parse("conf/s.yaml", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	if c.Checks.Interval != 15*time.Second || c.Checks.Concurrency != 8 || c.Thresholds.ExpiryWarn != 7*24*time.Hour || c.Windows.Rotation != 24*time.Hour {
		t.Errorf("defaults: %+v %+v", c.Checks, c.Thresholds)
	}
	p := c.Components[1].Postgres
	if p.Port != 5432 || p.SSLMode != "verify-full" || p.Role != "primary" || c.Path != "conf/s.yaml" {
		t.Errorf("%+v %s", p, c.Path)
	}
	top := c.Topology()
	first, _ := top.Secret("prod/db")
	want := estate.StoredSecret{ID: "prod/db", Name: "prod/db", Store: "sm", Type: estate.TypeDatabase,
		Policy: estate.Policy{Criticality: estate.Medium, Owner: "security", Grace: 2 * time.Hour, Expiry: estate.ExpiryRotation}}
	if first != want {
		t.Errorf("got %+v, want %+v", first, want)
	}
	second, _ := top.Secret("prod/key")
	if second.Owner != "" || second.Grace != 0 || second.Expiry != estate.ExpiryRotation {
		t.Errorf("what was written empty is not kept: %+v", second)
	}
}

// One name in two accounts is told apart by as, which is how everything else
// then calls it.
func TestOneNameInTwoAccounts(t *testing.T) {
	text := strings.Replace(small, "        - id: prod/db\n", "        - {id: prod/db, as: other/db}\n        - id: prod/db\n", 1)
	text = strings.Replace(text, "secrets: [prod/db]", "secrets: [prod/db, other/db]", 1)
	c, err := Parse("s.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	top := c.Topology()
	for id, name := range map[string]string{"prod/db": "prod/db", "other/db": "prod/db"} {
		if got, ok := top.Secret(id); !ok || got.Name != name {
			t.Errorf("%s: %+v %v", id, got, ok)
		}
	}
	if app, _ := top.Component("app"); !slices.Equal(app.Secrets, []string{"prod/db", "other/db"}) {
		t.Errorf("the application uses %v", app.Secrets)
	}
}

func TestTopologyOfAConfigThatWasNotParsed(t *testing.T) {
	c := &Config{Components: []Component{{ID: "sm", Policy: Policy{Owner: "me", Criticality: "high"},
		SecretsManager: &SecretsManager{Secrets: []StoredSecret{{ID: "a"}, {ID: "b", Policy: Policy{Owner: "you"}}}}}}}
	got := c.Topology().Secrets
	if got[0].Owner != "me" || got[1].Owner != "you" || got[1].Criticality != estate.High {
		t.Errorf("%+v", got)
	}
}

func TestTopology(t *testing.T) {
	c, err := Parse("s.yaml", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	top := c.Topology()
	for id, want := range map[estate.ID]struct {
		kind    estate.Kind
		target  string
		secrets []string
		unread  bool
	}{
		"sm":    {estate.KindSecretsManager, "main", nil, false},
		"db":    {estate.KindPostgres, "db.example.com:5432/postgres", []string{"prod/db"}, false},
		"app":   {estate.KindApplication, "default/deployment/app", []string{"prod/db"}, false},
		"lb":    {estate.KindBalancer, "www.example.com:443", nil, false},
		"gw":    {estate.KindGateway, "https://api.example.com", nil, false},
		"ext":   {estate.KindExternalAPI, "https://ext.example.com", []string{"prod/key"}, false},
		"vault": {estate.KindVault, "v1", nil, false},
		"watch": {estate.KindAccessMonitor, "", nil, true},
	} {
		got, ok := top.Component(id)
		if !ok || got.Kind != want.kind || got.Target != want.target || !slices.Equal(got.Secrets, want.secrets) || (got.Unread != "") != want.unread {
			t.Errorf("%s: %+v", id, got)
		}
	}
	if out := top.Out("app"); len(out) != 1 || out[0].To != "db" || out[0].Kind != estate.FlowAccess {
		t.Errorf("flows %+v", out)
	}
	if lb, _ := top.Component("lb"); lb.Renewal != estate.RenewalManual || lb.Plane != estate.Edge {
		t.Errorf("%+v", lb)
	}
	if app, _ := top.Component("app"); app.Workload != "default/deployment/app" {
		t.Errorf("%+v", app)
	}
	if top.Rules.ReplayLagWarnBytes != 1<<20 || top.Rules.CertWarnFraction != 0.33 {
		t.Errorf("%+v", top.Rules)
	}
}

func TestFilesAreRelativeToTheConfig(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	text := strings.NewReplacer(
		"  - name: main\n", "  - name: main\n    shared_files: [aws/config, ~/creds]\n",
		"  - name: apps\n", "  - name: apps\n    kubeconfig: /etc/kube\n",
		"      host: db.example.com\n", "      host: db.example.com\n      ca_cert: ../ca.pem\n",
		"www.example.com:443\n", "www.example.com:443\n          certificate: c.pem\n          key: ~other/k.pem\n",
	).Replace(small)
	c, err := Parse("/conf/here/warroom.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	e := c.Components[3].Balancer.Endpoints[0]
	got := []string{c.AWS[0].SharedFiles[0], c.AWS[0].SharedFiles[1], c.Kubernetes[0].Kubeconfig, c.Components[1].Postgres.CACert, e.Certificate, e.Key, c.Vaults[0].CACert}
	want := []string{"/conf/here/aws/config", filepath.Join(home, "creds"), "/etc/kube", "/conf/ca.pem", "/conf/here/c.pem", "/conf/here/~other/k.pem", ""}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if c, err := Load(write("good.yaml", small)); err != nil || c.Path != filepath.Join(dir, "good.yaml") {
		t.Errorf("%v", err)
	}
	var typed *Error
	for name, text := range map[string]string{"empty": "", "malformed": "a: [", "huge": strings.Repeat("# a comment\n", 5<<20/12+1), "binary": "\x7fELF\x00\x01"} {
		path := write(name, text)
		if _, err := Load(path); !errors.As(err, &typed) || !strings.HasPrefix(err.Error(), path+":1:") || len(err.Error()) > 400 {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := Load(filepath.Join(dir, "none.yaml"))
	if !errors.Is(err, os.ErrNotExist) || errors.As(err, &typed) || !strings.Contains(err.Error(), "warroom init") || !strings.Contains(err.Error(), "warroom config example > warroom.yaml") {
		t.Errorf("missing: %v", err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "it is a folder") {
		t.Errorf("folder: %v", err)
	}
}

func TestFind(t *testing.T) {
	dir, conf := t.TempDir(), t.TempDir()
	t.Chdir(dir)
	t.Setenv(EnvFile, "")
	t.Setenv("XDG_CONFIG_HOME", conf)
	t.Setenv("XDG_CONFIG_DIRS", conf)
	xdg.Reload()
	t.Cleanup(xdg.Reload)

	_, err := Find()
	if !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	for _, say := range []string{"warroom init", "warroom config example > warroom.yaml", "warroom drill", EnvFile, conf} {
		if !strings.Contains(err.Error(), say) {
			t.Errorf("%q does not say %q", err, say)
		}
	}
	inXDG := filepath.Join(conf, "warroom", "warroom.yaml")
	for _, step := range []struct {
		make func()
		want string
	}{
		{func() { _ = os.MkdirAll(filepath.Dir(inXDG), 0o700); _ = os.WriteFile(inXDG, nil, 0o600) }, inXDG},
		{func() { _ = os.WriteFile("warroom.yaml", nil, 0o600) }, "warroom.yaml"},
		{func() { t.Setenv(EnvFile, "elsewhere.yaml") }, "elsewhere.yaml"},
	} {
		step.make()
		if got, err := Find(); err != nil || got != step.want {
			t.Errorf("found %q, %v; want %q", got, err, step.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add(Example())
	for _, s := range []string{"", "version: 1", "components: [{}]", "components: [{id: a, id: b}]", "flows: [{from: a, to: b}]", "components: [{secrets_manager: {secrets: [{}]}}]",
		"components: [{application: }]", "components: &a [*a]", "aws: [{endpoint: '%'}]", "checks: {timeout: 2m}", "components: [{balancer: {endpoints: [{address: ':'}]}}]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 64<<10 {
			t.Skip("larger inputs only take longer")
		}
		c, err := Parse("f.yaml", in)
		if err == nil {
			if top := c.Topology(); len(top.Components) == 0 {
				t.Error("valid without a component")
			}
			return
		}
		var typed *Error
		if !errors.As(err, &typed) || len(typed.Problems) == 0 {
			t.Fatalf("%T", err)
		}
		for _, p := range typed.Problems {
			if p.Line < 1 || p.Line > strings.Count(string(in), "\n")+1 || p.Column < 1 || p.Message == "" {
				t.Errorf("%+v", p)
			}
		}
	})
}

// TestLargeEstate would not end in time if names were compared with each other.
func TestLargeEstate(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\nenvironment: large\naws: [{name: main}]\ncomponents:\n- id: sm\n  name: SM\n  plane: service\n  secrets_manager:\n    account: main\n    secrets:\n")
	for i := range 20_000 {
		b.WriteString("    - {id: prod/db/" + strings.Repeat("x", i%7) + strconv.Itoa(i) + ", owner: team}\n")
	}
	b.WriteString("- id: app\n  name: A\n  plane: service\n  application:\n    secrets:\n")
	for i := range 20_000 {
		b.WriteString("    - prod/db/y" + strconv.Itoa(i) + "\n")
	}
	_, err := Parse("large.yaml", []byte(b.String()))
	var typed *Error
	if !errors.As(err, &typed) || len(typed.Problems) != 101 {
		t.Fatalf("%v", err)
	}
}

func BenchmarkParse(b *testing.B) {
	data := Example()
	for b.Loop() {
		c, err := Parse("warroom.yaml", data)
		if err != nil {
			b.Fatal(err)
		}
		c.Topology()
	}
}
