package checks

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// who is the userIdentity of a session of a role, or of a user.
func whoJSON(account, role, session string) string {
	return fmt.Sprintf(`"userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::%s:assumed-role/%s/%s","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::%s:role/path/%s","userName":"%s"}}}`,
		account, role, session, account, role, role)
}

// readsEstate is an account whose secret prod/db/postgres a component uses, and
// the probe of who reads it.
func readsEstate(t *testing.T, fake *fakeAWS, named ...string) Probe {
	t.Helper()
	cfg := controlConfig(fake.URL)
	for i := range cfg.Components {
		if m := cfg.Components[i].SecretsManager; m != nil {
			for j := range m.Secrets {
				m.Secrets[j].Readers = named
			}
		}
	}
	cfg.Components = append(cfg.Components, config.Component{ID: "app", Application: &config.Application{Secrets: []string{"prod/db/postgres"}}})
	return probeOf(t, awsProbes(cfg, newSet(t, cfg), nil), estate.CheckSecretReads)
}

func answerReads(fake *fakeAWS, events ...string) {
	fake.on("GetCallerIdentity", awsAnswer(`<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account><Arn>arn:aws:sts::1:assumed-role/on-call/warroom</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`))
	fake.on("configuration", awsAnswer(`{"FunctionName":"rotate-db","Role":"arn:aws:iam::1:role/service-role/rotator"}`))
	fake.on("LookupEvents", lookups(map[string][]string{"GetSecretValue": events}))
}

func TestSecretReads(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	n := 0
	event := func(from, more string) string {
		n++
		text := "{" + more + `,"sourceIPAddress":"` + from + `","userAgent":"agent","requestParameters":{"secretId":"prod/db/postgres"}}`
		return trailJSON(fmt.Sprint(n), "GetSecretValue", "secretsmanager.amazonaws.com", now.Add(-time.Duration(n)*time.Minute), text)
	}
	events := []string{
		event("10.20.1.5", whoJSON("1", "app", "i-1")),
		event("10.20.1.6", whoJSON("1", "app", "i-1")),
		event("203.0.113.9", whoJSON("1", "app", "i-1")),            // a known role elsewhere
		event("10.20.1.7", whoJSON("2", "app", "i-1")),              // a role of that name in another account
		event("10.20.1.8", whoJSON("1", "rotator", "rotate-db")),    // the rotation function
		event("198.51.100.1", whoJSON("1", "rotator", "rotate-db")), // wherever it runs
		event("10.9.9.9", whoJSON("1", "on-call", "warroom")),       // ourselves
		event("10.9.9.8", whoJSON("1", "on-call", "second")),        // another console
		event("10.20.1.9", whoJSON("1", "curious", "x")+`,"errorCode":"AccessDenied"`),
		event("cloudformation.amazonaws.com", whoJSON("1", "app", "i-2")), // through a service
		event("10.20.1.10", `"userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/ci/build","userName":"build"}`),
		strings.Replace(event("203.0.113.10", whoJSON("1", "stranger", "x")), "prod/db/postgres", "somebody/elses", 1),
		trailJSON("other", "PutSecretValue", "secretsmanager.amazonaws.com", now.Add(-time.Minute), "{"+whoJSON("1", "stranger", "x")+`,"requestParameters":{"secretId":"prod/db/postgres"}}`),
		trailJSON("broken", "GetSecretValue", "secretsmanager.amazonaws.com", now.Add(-time.Minute), `{not JSON`),
	}
	fake := newFakeAWS(t)
	answerReads(fake, events...)
	p := readsEstate(t, fake, "app", "arn:aws:iam::1:user/ci/*", "10.20.0.0/16")
	got := read(t, p)
	reads, ok := got.Data.(estate.SecretReads)
	if !ok {
		t.Fatal(got.Err)
	}
	var lines []string
	for _, r := range reads.Readers {
		lines = append(lines, fmt.Sprintf("%v %s [%s] %s %d %d: %s", r.Known, strings.TrimPrefix(strings.TrimPrefix(r.Who, "arn:aws:sts::"), "arn:aws:iam::"), r.Role, strings.Join(r.From, "+"), r.Reads, r.Refused, r.Why))
	}
	want := []string{
		"false 1:assumed-role/app/i-1 [app] 203.0.113.9 1 0: the role app, from no known address",
		"false 2:assumed-role/app/i-1 [app] 10.20.1.7 1 0: no known reader",
		"false 1:assumed-role/app/i-2 [app] cloudformation.amazonaws.com 1 0: from no address, but by way of a service",
		"false 1:assumed-role/curious/x [curious] 10.20.1.9 0 1: no known reader",
		"true 1:assumed-role/app/i-1 [app] 10.20.1.5+10.20.1.6 2 0: the role app from 10.20.0.0/16 is named",
		"true 1:assumed-role/rotator/rotate-db [rotator] 10.20.1.8+198.51.100.1 2 0: the role of a rotation function",
		"true 1:assumed-role/on-call/second [on-call] 10.9.9.8 1 0: another session of the role by which warroom reads",
		"true 1:user/ci/build [] 10.20.1.10 1 0: arn:aws:iam::1:user/ci/* from 10.20.0.0/16 is named",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if reads.Reads != 9 || reads.Refused != 1 || reads.Ours != 1 || reads.Partial || reads.Account != "main" || !reads.Judged() || len(reads.Unknown()) != 3 {
		t.Errorf("got %+v", reads)
	}
	one := reads.Readers[4]
	if !one.Last.Equal(now.Add(-time.Minute)) || !one.First.Equal(now.Add(-2*time.Minute)) || one.Agent != "agent" {
		t.Errorf("got %+v", one)
	}
}

// Where nobody said who may read, nobody is unknown.
func TestReadsWithoutKnownReaders(t *testing.T) {
	fake := newFakeAWS(t)
	now := time.Now()
	answerReads(fake, trailJSON("1", "GetSecretValue", "secretsmanager.amazonaws.com", now.Add(-time.Minute),
		"{"+whoJSON("1", "stranger", "x")+`,"sourceIPAddress":"203.0.113.10","requestParameters":{"secretId":"arn:aws:secretsmanager:eu-west-1:1:secret:prod/db/postgres-AbCdEf"}}`))
	got := read(t, readsEstate(t, fake))
	reads, ok := got.Data.(estate.SecretReads)
	if !ok || reads.Reads != 1 || reads.Judged() || len(reads.Unknown()) != 0 || reads.Readers[0].Known {
		t.Errorf("got %+v, %v", got.Data, got.Err)
	}
}

// Without knowing as whom we read, our own reads would be a stranger's.
func TestReadsNeedOurOwnName(t *testing.T) {
	fake := newFakeAWS(t)
	answerReads(fake)
	fake.on("GetCallerIdentity", apiError(http.StatusForbidden, "AccessDenied", "no"))
	kindIs(t, read(t, readsEstate(t, fake, "app")).Err, estate.Denied)
	fake.on("GetCallerIdentity", awsAnswer(`<GetCallerIdentityResponse><GetCallerIdentityResult></GetCallerIdentityResult></GetCallerIdentityResponse>`))
	kindIs(t, read(t, readsEstate(t, fake, "app")).Err, estate.BadAnswer)
}

// All secrets of an account cost one lookup together, and a second account's
// monitor none.
func TestReadsAreSharedByAllSecrets(t *testing.T) {
	fake := newFakeAWS(t)
	answerReads(fake)
	cfg := controlConfig(fake.URL)
	var names []string
	for i := range cfg.Components {
		if m := cfg.Components[i].SecretsManager; m != nil {
			for n := range 300 {
				name := fmt.Sprint("many/", n)
				names = append(names, name)
				m.Secrets = append(m.Secrets, config.StoredSecret{ID: name}, config.StoredSecret{ID: "unused/" + name})
			}
			break
		}
	}
	cfg.Components = append(cfg.Components, config.Component{ID: "app", Application: &config.Application{Secrets: names}},
		config.Component{ID: "again", RotationMonitor: &config.RotationMonitor{}})
	probes := 0
	for _, p := range awsProbes(cfg, newSet(t, cfg), nil) {
		if p.Key.Check != estate.CheckSecretReads || !strings.HasPrefix(p.Key.Item, "many/") {
			if strings.HasPrefix(p.Key.Item, "unused/") && p.Key.Check == estate.CheckSecretReads {
				t.Fatalf("%v is read, and nothing uses it", p.Key)
			}
			continue
		}
		probes++
		if got := read(t, p); got.Err != nil {
			t.Fatal(got.Err)
		}
	}
	if calls := fake.called("LookupEvents"); probes != 300 || calls != 1 {
		t.Errorf("%d probes made %d lookups, want 300 and 1", probes, calls)
	}
	if calls := fake.called("GetCallerIdentity"); calls != 1 {
		t.Errorf("asked %d times as whom", calls)
	}
}

func TestReadsAreBounded(t *testing.T) {
	n := readsNow{at: time.Now(), by: map[string][]kept[secretRead]{}, who: identity{account: "1", arn: "arn:aws:iam::1:user/w"}, rotate: &touchable{}}
	n.past.partial, n.past.from = true, n.at.Add(-10*time.Minute)
	for i := range 200 {
		for from := range 20 {
			n.by["s"] = append(n.by["s"], kept[secretRead]{at: n.at, what: secretRead{secret: "s", who: fmt.Sprint("arn:aws:iam::1:user/u", i), from: fmt.Sprint("10.0.0.", from)}})
		}
	}
	got := n.of("s", newReaders([]string{"x"}), "main", time.Hour)
	if len(got.Readers) != readersListed || got.Others != 200-readersListed || len(got.Readers[0].From) != fromListed || got.Reads != 4000 || got.Window != 10*time.Minute || !got.Partial {
		t.Errorf("%d readers, %d others, %d addresses, %d reads, %s", len(got.Readers), got.Others, len(got.Readers[0].From), got.Reads, got.Window)
	}
}

func TestJudgeByRangeAlone(t *testing.T) {
	known := newReaders([]string{"10.0.0.0/8", "2001:db8::1"})
	for from, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "11.0.0.1": false, "2001:db8::1": true, "2001:db8::2": false, "": false, "AWS Internal": false,
	} {
		if got, why := known.judge(secretRead{who: "arn:aws:iam::1:user/u", from: from}, identity{account: "1"}, &touchable{}); got != want {
			t.Errorf("%q: %v, %s", from, got, why)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"arn:aws:iam::1:role/*", "arn:aws:iam::1:role/path/app", true},
		{"arn:aws:iam::1:role/app", "arn:aws:iam::1:role/app2", false},
		{"arn:aws:iam::1:role/app-?", "arn:aws:iam::1:role/app-1", true},
		{"arn:aws:iam::1:role/app-?", "arn:aws:iam::1:role/app-", false},
		{"*app*1", "an app is 1 or 1", true},
		{"*app*1", "an app is 1 or 2", false},
		{"", "", true}, {"**", "", true}, {"", "x", false},
		{"arn:aws:iam::1:role/[a]", "arn:aws:iam::1:role/a", false},
	} {
		if got := matches(c.pattern, c.text); got != c.want {
			t.Errorf("%q of %q: %v", c.pattern, c.text, got)
		}
	}
	if long := strings.Repeat("a", 2000); matches(strings.Repeat("*a", 1000)+"b", long) {
		t.Error("matched")
	}
}
