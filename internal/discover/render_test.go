package discover

import (
	"flag"
	"os"
	"strings"
	"testing"

	"warroom/internal/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// crowded is an estate with one of everything, two accounts that share a name,
// and text that would be something else in YAML.
func crowded() *Found {
	return &Found{
		environment: "yes",
		accounts: []account{
			{
				AWSAccount: config.AWSAccount{Name: "main", Region: "us-west-2"}, number: "123456789012", total: 3,
				secrets: []secret{
					{name: "prod/db/postgres", kind: "database", guessed: true, rotates: true, function: "rotate-postgres", owner: "team: \"db\" # one", criticality: "critical"},
					{name: "prod/api/key", kind: "api_key", guessed: true, expiryTag: "expires at"},
				},
				functions: []string{"rotate-postgres"}, keys: []string{"arn:aws:kms:us-west-2:123456789012:key/1"}, balancers: []balancer{{name: "edge"}},
			},
			{AWSAccount: config.AWSAccount{Name: "other", Region: "eu-west-1", Profile: "other"}, secrets: []secret{{name: "prod/db/postgres", kind: "database"}}, total: 1},
		},
		vaults: []vault{{VaultCluster: config.VaultCluster{Name: "vault", Address: "https://vault.example.com:8200", Namespace: "team"}, version: "1.19.0", cluster: "main", sealed: true}},
		clusters: []cluster{{
			KubernetesCluster: config.KubernetesCluster{Name: "kubernetes", Context: "prod@cluster"}, more: 4, hosts: []string{"www.example.com"}, jobs: []string{"prod/rotate-keys"},
			workloads: []workload{
				{namespace: "prod", kind: "deployment", name: "user-service", secrets: []string{"db", "tls"}, stored: []string{"prod/api/key", "prod/db/postgres", "unknown"}},
				{namespace: "prod", kind: "daemonset", name: "user-service", secrets: []string{"db"}},
			},
		}},
		edges: []edge{{address: "api.example.com:443", from: "named on the command line"}, {address: "api.example.com:443"}},
		Notes: []Note{{What: "AWS account third", Why: "two\nlines: [of] words\x1b[31m"}},
	}
}

func TestRender(t *testing.T) {
	got, err := crowded().Render("warroom.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/crowded.yaml"
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("it is not %s (write it anew with -update):\n%s", golden, got)
	}
	c, err := config.Parse("warroom.yaml", got)
	if err != nil {
		t.Fatal(err)
	}
	top := c.Topology()
	if c.Environment != "yes" {
		t.Errorf("the environment reads %q", c.Environment)
	}
	for id, name := range map[string]string{"prod/db/postgres": "prod/db/postgres", "other:prod/db/postgres": "prod/db/postgres"} {
		if s, ok := top.Secret(id); !ok || s.Name != name {
			t.Errorf("%s: %+v", id, s)
		}
	}
	if s, _ := top.Secret("prod/db/postgres"); s.Owner != `team: "db" # one` {
		t.Errorf("the owner reads %q", s.Owner)
	}
}

// Whatever a system names its things, the file is valid and says the same back.
func FuzzRender(f *testing.F) {
	f.Add("prod/db", "user-service", "team a", "host:443")
	f.Add("a: b # c", "-", "\"\\", "x\ny")
	f.Add("true", "1", "~", "\xff\xfe")
	f.Fuzz(func(t *testing.T, name, workloadName, owner, note string) {
		if !secretName(name) {
			t.Skip()
		}
		found := &Found{
			accounts: []account{{AWSAccount: config.AWSAccount{Name: "main", Region: "us-west-2"}, secrets: []secret{{name: name, kind: "token", owner: oneLine(owner)}}, total: 1}},
			clusters: []cluster{{KubernetesCluster: config.KubernetesCluster{Name: "kubernetes"}, workloads: []workload{{namespace: "default", kind: "deployment", name: kubernetesName(workloadName), secrets: []string{note}, stored: []string{name}}}}},
			Notes:    []Note{{What: note, Why: owner}},
		}
		if _, err := found.Render("warroom.yaml"); err != nil {
			t.Fatalf("%v", err)
		}
	})
}

// kubernetesName is text as Kubernetes allows a name to be.
func kubernetesName(text string) string {
	name := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return -1
	}, text), "-.")
	return name[:min(len(name), 40)] + "x"
}

func TestGuessType(t *testing.T) {
	for name, want := range map[string]string{
		"prod/db/postgres": "database", "prod/api/external": "api_key", "prod/edge/gateway-token": "token", "tls-cert": "certificate",
		"dbadmin": "api_key", "prod/mysql8": "database", "stripe": "api_key", "something": "api_key",
	} {
		if got, _ := guessType(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if _, known := guessType("something"); known {
		t.Error("nothing in the name tells, and it is said to be known")
	}
}

func TestIDs(t *testing.T) {
	var n names
	for _, c := range [][2]string{{"User Service", "user-service"}, {"user service", "user-service-2"}, {"..", "system"}, {"é", "system-2"}, {strings.Repeat("x", 90), strings.Repeat("x", 56)}} {
		if got := n.id(c[0]); got != c[1] {
			t.Errorf("%q is called %q, want %q", c[0], got, c[1])
		}
	}
}
