package estate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func wrote(at time.Time, what, target string) Change {
	return Change{At: at, What: what, Target: target, By: "arn:aws:iam::1:user/u", Where: "main"}
}

func TestChangesSayWhatTheyTouch(t *testing.T) {
	topo := controlled(func(t *Topology) {
		for i := range t.Components {
			if c := &t.Components[i]; c.ID == "fn" {
				c.Target = "arn:aws:lambda:eu-west-1:1:function:rotate-db"
			}
		}
		t.Flows = append(t.Flows, Flow{From: "sm", To: "fn", Kind: FlowSecret})
	})
	function := saw("fn", CheckFunction, "", FunctionConfig{Name: "rotate-db", State: "Active", LastUpdate: "Successful", Role: "arn:aws:iam::1:role/service/rotate"})
	all := []Change{
		wrote(ago(1*time.Minute), "PutSecretValue", "arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf"),
		wrote(ago(2*time.Minute), "UpdateSecret", "key"),
		wrote(ago(3*time.Minute), "UpdateFunctionCode", "rotate-db"),
		wrote(ago(4*time.Minute), "PutRolePolicy", "rotate"),
		wrote(ago(5*time.Minute), "DisableKey", "arn:aws:kms:eu-west-1:1:key/k"),
		wrote(ago(6*time.Minute), "RevokeSecurityGroupEgress", "sg-1"),
	}
	elsewhere := wrote(ago(7*time.Minute), "PutSecretValue", "db")
	elsewhere.Where = "other"
	all = append(all, elsewhere)
	s := world(topo, healthy(), watched(), []Observation{function, saw("rm", CheckChanges, "main", Changes{Account: "main", Changes: all})})
	got, unread := RecentChanges(s, noon)
	if len(unread) != 0 {
		t.Errorf("unread: %+v", unread)
	}
	want := [][]ID{{"sm", "fn", "app", "pg1", "pg2"}, {"sm", "api"}, {"fn"}, {"fn"}, {"km"}, nil, nil}
	if len(got) != len(want) {
		t.Fatalf("%d changes", len(got))
	}
	for i, w := range want {
		if !slices.Equal(got[i].Components, w) {
			t.Errorf("%s %s touches %v, want %v", got[i].What, got[i].Target, got[i].Components, w)
		}
	}
	if !slices.Equal(got[0].Secrets, []string{"db"}) || !got[0].Touches("pg1") || got[0].Touches("api") {
		t.Errorf("%+v", got[0])
	}
}

func TestChangesComeOnceNewestFirstAndInTheirWindow(t *testing.T) {
	topo := controlled(func(t *Topology) {
		for i := range t.Components {
			if c := &t.Components[i]; c.ID == "app" {
				c.System, c.Workload = "k8s", "apps/deployment/app"
			}
		}
	})
	one := wrote(ago(time.Hour), "PutSecretValue", "db")
	again := one
	again.Where = "same account by another name"
	s := world(topo, []Observation{
		saw("rm", CheckChanges, "main", Changes{Account: "main", Changes: []Change{one, wrote(ago(25*time.Hour), "Old", "db")}}),
		saw("rm", CheckChanges, "twin", Changes{Account: "twin", Changes: []Change{again}, Partial: true}),
		saw("app", CheckRevisions, "", Revisions{Revisions: []Revision{{At: ago(30 * time.Minute), Number: 7, Name: "app-1", Note: "image app:2"}, {At: ago(40 * day), Number: 6}}}),
	})
	got, unread := RecentChanges(s, noon)
	var said []string
	for _, c := range got {
		said = append(said, c.What+" "+c.Target+" in "+c.Where)
	}
	if want := []string{"rollout 7 apps/deployment/app in k8s", "PutSecretValue db in main"}; !slices.Equal(said, want) {
		t.Errorf("%q, want %q", said, want)
	}
	if len(unread) != 1 || unread[0].Status != Warn || unread[0].What != "account twin" {
		t.Errorf("of more than was read: %+v", unread)
	}
	if !slices.Equal(got[0].Components, []ID{"app"}) {
		t.Errorf("a rollout touches %v", got[0].Components)
	}
}

func TestWhatIsNotReadOfChangesIsSaid(t *testing.T) {
	topo := controlled()
	// Nothing configured, nothing read yet, denied, old, and not there at all.
	if _, unread := RecentChanges(world(topo), noon); len(unread) != 1 || unread[0].Status != Unknown {
		t.Errorf("with no source: %+v", unread)
	}
	if world(topo).TellsChanges() {
		t.Error("nothing tells of changes")
	}
	pending := NewSnapshot(topo, []Expectation{{Key: Key{"rm", CheckChanges, "main"}}})
	if _, unread := RecentChanges(pending, noon); len(unread) != 1 || unread[0].What != "account main" || !strings.Contains(unread[0].Why, "not read yet") {
		t.Errorf("before the first read: %+v", unread)
	}
	old := saw("rm", CheckChanges, "main", Changes{Account: "main", Changes: []Change{wrote(ago(2*time.Hour), "PutSecretValue", "db")}})
	old.At = ago(time.Hour)
	gone := denied("app", CheckRevisions, "")
	gone.Failure.Kind = NotSupported
	got, unread := RecentChanges(world(topo, []Observation{old, denied("rm", CheckChanges, "two"), gone}), noon)
	if len(got) != 1 || len(unread) != 2 {
		t.Fatalf("%+v\n%+v", got, unread)
	}
	for _, u := range unread {
		if u.Status != Unknown || u.Why == "" || (u.What == "account main") != u.At.Equal(ago(time.Hour)) {
			t.Errorf("%+v", u)
		}
	}
	var many []Change
	for i := range changesKept + 7 {
		many = append(many, wrote(ago(time.Duration(i)*time.Second), "PutSecretValue", fmt.Sprint(i)))
	}
	got, unread = RecentChanges(world(topo, []Observation{saw("rm", CheckChanges, "main", Changes{Account: "main", Changes: many})}), noon)
	if len(got) != changesKept || got[0].Target != "0" || len(unread) != 1 || !strings.Contains(unread[0].Why, "507") {
		t.Errorf("%d changes, %+v", len(got), unread)
	}
}

func TestNamed(t *testing.T) {
	for in, want := range map[string]string{
		"prod/db": "prod/db",
		"arn:aws:secretsmanager:eu-west-1:1:secret:prod/db-AbCdEf": "prod/db",
		"arn:aws:secretsmanager:eu-west-1:1:secret:short":          "short",
		"arn:aws:secretsmanager:eu-west-1:1:secret:a-bc":           "a-bc",
		"arn:aws:lambda:eu-west-1:1:function:rotate":               "rotate",
		"arn:aws:kms:eu-west-1:1:key/5c8f":                         "5c8f",
		"arn:aws:iam::1:role/service/rotate":                       "service/rotate",
		"arn:":                                                     "arn:", "": "",
	} {
		if got := named(in); got != want {
			t.Errorf("%s is called %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{"arn:aws:iam::1:role/service/rotate": "rotate", " alias/prod": "prod", "arn:aws:kms:r:1:alias/prod": "prod"} {
		if got := plainName(in); got != want {
			t.Errorf("%s is plainly %s, want %s", in, got, want)
		}
	}
}

func FuzzNamed(f *testing.F) {
	f.Add("arn:aws:secretsmanager:eu-west-1:1:secret:prod/db-AbCdEf")
	f.Add("arn:a:b:c:d:e")
	f.Fuzz(func(t *testing.T, s string) {
		if got := plainName(s); len(got) > len(s) {
			t.Errorf("%q became %q", s, got)
		}
	})
}
