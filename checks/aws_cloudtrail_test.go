package checks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// trailStore is an event history: events by age, told 50 at a time, newest first.
type trailStore struct {
	events []cttypes.Event // newest first
	calls  []*cloudtrail.LookupEventsInput
	fail   error
}

func (s *trailStore) add(now time.Time, ages ...time.Duration) {
	for _, age := range ages {
		at := now.Add(-age)
		s.events = append(s.events, cttypes.Event{EventId: aws.String("e" + strconv.FormatInt(at.UnixNano(), 10)), EventName: aws.String("RotationFailed"), EventTime: aws.Time(at)})
	}
	slices.SortFunc(s.events, func(a, b cttypes.Event) int { return b.EventTime.Compare(*a.EventTime) })
}

func (s *trailStore) look(_ context.Context, in *cloudtrail.LookupEventsInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.LookupEventsOutput, error) {
	copied := *in
	s.calls = append(s.calls, &copied)
	if s.fail != nil {
		return nil, s.fail
	}
	var all []cttypes.Event
	for _, e := range s.events {
		if !e.EventTime.Before(*in.StartTime) && !e.EventTime.After(*in.EndTime) {
			all = append(all, e)
		}
	}
	from := 0
	if in.NextToken != nil {
		from, _ = strconv.Atoi(*in.NextToken)
	}
	end := min(from+int(*in.MaxResults), len(all))
	out := &cloudtrail.LookupEventsOutput{Events: append([]cttypes.Event{}, all[from:end]...)}
	if end < len(all) {
		out.NextToken = aws.String(strconv.Itoa(end))
	}
	return out, nil
}

func testHistory(pages, most int) *history[string] {
	return &history[string]{key: cttypes.LookupAttributeKeyEventName, value: "RotationFailed", pages: pages, most: most,
		keep: func(e *cttypes.Event) (string, bool) { return aws.ToString(e.EventId), true }}
}

func ages(from, step time.Duration, n int) []time.Duration {
	var out []time.Duration
	for i := range n {
		out = append(out, from+time.Duration(i)*step)
	}
	return out
}

// What one read may not look at is looked at by later ones, until all of the
// window is there, and no event twice.
func TestHistoryIsFilledIn(t *testing.T) {
	store, h := &trailStore{}, testHistory(2, 1000)
	store.add(time.Now(), ages(time.Minute, time.Minute, 240)...)
	store.add(time.Now(), 25*time.Hour)
	want := []int{100, 149, 198, 240, 240} // the second at which one was cut off is looked at again
	for i, n := range want {
		got, err := h.read(t.Context(), store.look, 24*time.Hour, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		// A second read spends one lookup on what is new, and one on the past.
		if len(got.events) != n || got.partial != (i < 3) || got.looked != n {
			t.Fatalf("read %d: %d events, looked at %d, partial %v; want %d", i, len(got.events), got.looked, got.partial, n)
		}
		if span := time.Since(got.from); got.partial && (span < time.Duration(n-2)*time.Minute || span > time.Duration(n+2)*time.Minute) {
			t.Errorf("read %d: %d events since %s ago", i, n, span)
		}
	}
	calls := len(store.calls)
	if _, err := h.read(t.Context(), store.look, 24*time.Hour, time.Second); err != nil || len(store.calls) != calls+1 {
		t.Errorf("%d lookups of a window that is whole, want 1 (%v)", len(store.calls)-calls, err)
	}
	if last := store.calls[len(store.calls)-1]; time.Since(*last.StartTime) > lookupLate+time.Minute {
		t.Errorf("looks back to %s for what is new", last.StartTime)
	}
	// An event that was delivered late is found.
	store.add(time.Now(), 10*time.Minute+time.Second)
	if got, _ := h.read(t.Context(), store.look, 24*time.Hour, time.Second); len(got.events) != 241 {
		t.Errorf("%d events after a late one, want 241", len(got.events))
	}
}

// More came between two reads than one may look at: what is older does not join
// on, and a count must not jump over the gap.
func TestHistoryWithAGap(t *testing.T) {
	store, h := &trailStore{}, testHistory(2, 1000)
	store.add(time.Now(), ages(20*time.Minute, time.Minute, 10)...)
	if got, err := h.read(t.Context(), store.look, time.Hour, time.Second); err != nil || len(got.events) != 10 || got.partial {
		t.Fatalf("%+v, %v", got, err)
	}
	h.to = time.Now().Add(-19 * time.Minute) // the read was a while ago
	store.add(time.Now(), ages(time.Second, time.Second, 300)...)
	got, err := h.read(t.Context(), store.look, time.Hour, time.Second)
	if err != nil || !got.partial || len(got.events) != 100 {
		t.Fatalf("%d events, partial %v, %v; want the newest 100", len(got.events), got.partial, err)
	}
	for range 6 {
		if got, err = h.read(t.Context(), store.look, time.Hour, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if len(got.events) != 310 || got.partial {
		t.Errorf("%d events, partial %v; want all 310 in the end", len(got.events), got.partial)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	store, h := &trailStore{}, testHistory(4, 120)
	store.add(time.Now(), ages(time.Minute, time.Minute, 500)...)
	for range 5 {
		got, err := h.read(t.Context(), store.look, 24*time.Hour, time.Second)
		if err != nil || len(got.events) > 120 || !got.partial || len(h.known) > 120 {
			t.Fatalf("%d events, %d known, partial %v, %v; want 120", len(got.events), len(h.known), got.partial, err)
		}
	}
	if len(store.calls) > 4+5 {
		t.Errorf("%d lookups, want no more of a past for which there is no room", len(store.calls))
	}
	h.forget()
	if got, err := h.read(t.Context(), store.look, time.Hour, time.Second); err != nil || len(got.events) != 59 || got.partial {
		t.Errorf("%d events of the last hour, %v, %v; want 59", len(got.events), got.partial, err)
	}
}

func TestHistoryOfAServerThatMisbehaves(t *testing.T) {
	now := time.Now()
	event := func(id string, at time.Time) cttypes.Event {
		return cttypes.Event{EventId: aws.String(id), EventTime: aws.Time(at)}
	}
	page := func(next string, events ...cttypes.Event) lookupEvents {
		return func(context.Context, *cloudtrail.LookupEventsInput, ...func(*cloudtrail.Options)) (*cloudtrail.LookupEventsOutput, error) {
			out := &cloudtrail.LookupEventsOutput{Events: events}
			if next != "" {
				out.NextToken = aws.String(next)
			}
			return out, nil
		}
	}
	if _, err := testHistory(3, 10).read(t.Context(), page("same", event("a", now)), time.Hour, time.Second); kindIs(t, err, estate.BadAnswer) == nil {
		t.Error("a page for ever is not refused")
	}
	if _, err := testHistory(3, 10).read(t.Context(), page(""), time.Hour, time.Second); kindIs(t, err, estate.BadAnswer) == nil {
		t.Error("an answer without events reads as no events")
	}
	got, err := testHistory(3, 10).read(t.Context(), page("", event("", now), event("b", time.Time{}), event("c", now.Add(48*time.Hour)), event("d", now), event("d", now),
		event(strings.Repeat("x", 10_000), now), cttypes.Event{}), time.Hour, time.Second)
	if err != nil || len(got.events) != 1 {
		t.Errorf("%d events, %v; want the one that has an id and a time", len(got.events), err)
	}
	got, err = testHistory(3, 10).read(t.Context(), page("more", event("a", now), event("b", now.Add(-3*time.Hour))), time.Hour, time.Second)
	if err != nil || len(got.events) != 1 || got.partial {
		t.Errorf("%+v, %v; want what is older than the window to end it", got, err)
	}
	// A failure leaves what was known as it is.
	store, h := &trailStore{}, testHistory(3, 10)
	store.add(now, time.Minute, 2*time.Minute)
	if _, err := h.read(t.Context(), store.look, time.Hour, time.Second); err != nil {
		t.Fatal(err)
	}
	store.fail = errors.New("no")
	if _, err := h.read(t.Context(), store.look, time.Hour, time.Second); err == nil {
		t.Error("a lookup that failed brought an answer")
	}
	store.fail = nil
	if got, err := h.read(t.Context(), store.look, time.Hour, time.Second); err != nil || len(got.events) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// trailJSON is one event as LookupEvents tells it.
func trailJSON(id, name, source string, at time.Time, record string) string {
	text, _ := json.Marshal(record)
	return fmt.Sprintf(`{"EventId":%q,"EventName":%q,"EventSource":%q,"EventTime":%d,"Username":"x","ReadOnly":"false","CloudTrailEvent":%s}`, id, name, source, at.Unix(), text)
}

// lookups answers LookupEvents by the value that is asked for.
func lookups(by map[string][]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			LookupAttributes []struct{ AttributeKey, AttributeValue string }
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		_, _ = fmt.Fprintf(w, `{"Events":[%s]}`, strings.Join(by[in.LookupAttributes[0].AttributeValue], ","))
	}
}

func TestRotationEvents(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	const sm = "secretsmanager.amazonaws.com"
	arn := "arn:aws:secretsmanager:eu-west-1:1:secret:prod/db/postgres-AbCdEf"
	fake := newFakeAWS(t)
	fake.on("LookupEvents", lookups(map[string][]string{
		"RotationFailed": {
			trailJSON("1", "RotationFailed", sm, now.Add(-time.Minute), `{"eventType":"AwsServiceEvent","errorMessage":"DB connection timeout","additionalEventData":{"SecretId":"`+arn+`"}}`),
			trailJSON("2", "RotationFailed", sm, now.Add(-2*time.Minute), `{"additionalEventData":{"SecretId":["x"]},"serviceEventDetails":{"secretId":"b","reason":"no right"},"errorCode":"AccessDenied"}`),
			trailJSON("3", "RotationFailed", sm, now.Add(-3*time.Minute), `{"resources":[{"ARN":"`+arn+`"}]}`),
			trailJSON("4", "RotationFailed", "other.amazonaws.com", now, `{}`),
			trailJSON("5", "Rotation", sm, now, `{}`),
			trailJSON("6", "RotationFailed", sm, now.Add(-4*time.Minute), `{not JSON`),
		},
		"RotationSucceeded": {trailJSON("7", "RotationSucceeded", sm, now.Add(-30*time.Second), `{"additionalEventData":{"SecretId":"c"}}`)},
		"RotationAbandoned": {trailJSON("8", "RotationAbandoned", sm, now.Add(-90*time.Second), `{"additionalEventData":{"SecretId":"d","reason":"a new version was made"}}`)},
	}))
	cfg := controlConfig(fake.URL)
	got := read(t, probeOf(t, awsProbes(cfg, newSet(t, cfg), nil), estate.CheckRotationEvents))
	want := estate.RotationEvents{Account: "main", Window: 24 * time.Hour, Failed: 4, Abandoned: 1, Succeeded: 1, Events: []estate.RotationEvent{
		{At: now.Add(-30 * time.Second).UTC(), What: estate.RotationSucceeded, Secret: "c"},
		{At: now.Add(-time.Minute).UTC(), What: estate.RotationFailed, Secret: arn, Error: "DB connection timeout"},
		{At: now.Add(-90 * time.Second).UTC(), What: estate.RotationAbandoned, Secret: "d", Error: "a new version was made"},
		{At: now.Add(-2 * time.Minute).UTC(), What: estate.RotationFailed, Secret: "b", Error: "AccessDenied: no right"},
		{At: now.Add(-3 * time.Minute).UTC(), What: estate.RotationFailed, Secret: arn},
		{At: now.Add(-4 * time.Minute).UTC(), What: estate.RotationFailed},
	}}
	if got.Err != nil || !reflect.DeepEqual(got.Data, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got.Data, got.Err, want)
	}
	if n := fake.called("LookupEvents"); n != 4 {
		t.Errorf("%d lookups, want one an outcome", n)
	}
}

// A server that does not know LookupEvents answers a page of HTML with status 500,
// which the SDK tries again once.
func TestLookupThatFailsIsQuick(t *testing.T) {
	fake := newFakeAWS(t)
	fake.on("*", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>Internal Server Error", 500) })
	cfg := controlConfig(fake.URL)
	probes := awsProbes(cfg, newSet(t, cfg), nil)
	for i, check := range []string{estate.CheckRotationEvents, estate.CheckChanges} {
		began := time.Now()
		kindIs(t, read(t, probeOf(t, probes, check)).Err, estate.ServerError)
		if took, n := time.Since(began), fake.called("LookupEvents"); took > 4*time.Second || n != 2*(i+1) {
			t.Errorf("%s: %s and %d lookups, want two tries", check, took, n)
		}
	}
}

// All monitors of an account together stay far below the quota of its event
// history, and their calls do not come faster than it allows.
func TestLookupsStayBelowTheirQuota(t *testing.T) {
	for monitors := range 4 {
		cfg := controlConfig("http://127.0.0.1:1")
		for i := range monitors {
			cfg.Components = append(cfg.Components, config.Component{ID: fmt.Sprint("more", i), RotationMonitor: &config.RotationMonitor{Accounts: []string{"main"}}})
		}
		perSecond, reads := 0.0, 0.0
		for _, p := range awsProbes(cfg, newSet(t, cfg), nil) {
			switch p.Key.Check {
			case estate.CheckRotationEvents:
				perSecond += 4 * rotationPages / p.Interval.Seconds()
			case estate.CheckChanges:
				perSecond += changePages / p.Interval.Seconds()
			case estate.CheckSecretReads:
				reads = readPages / p.Interval.Seconds() // shared by all secrets
			}
		}
		perSecond += reads
		if perSecond > lookupShare+0.001 {
			t.Errorf("%d monitors: %.2f lookups a second at the most, want %v of the 2 that AWS allows", monitors+1, perSecond, lookupShare)
		}
	}
}

func TestChanges(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	person := `"userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/admin/anna"},"sourceIPAddress":"203.0.113.9"`
	rotator := `"userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/rotator/rotate-db","sessionContext":{"sessionIssuer":{"userName":"rotator","arn":"arn:aws:iam::1:role/service-role/rotator"}}}`
	n := 0
	at := func() time.Time { n++; return now.Add(-time.Duration(n) * time.Minute) }
	event := func(name, service, record string) string {
		return trailJSON(name+fmt.Sprint(n), name, service+".amazonaws.com", at(), "{"+record+"}")
	}
	fake := newFakeAWS(t)
	fake.on("configuration", awsAnswer(`{"FunctionName":"rotate-db","Role":"arn:aws:iam::1:role/service-role/rotator","VpcConfig":{"VpcId":"vpc-1","SecurityGroupIds":["sg-1"]}}`))
	fake.on("DescribeKey", awsAnswer(`{"KeyMetadata":{"KeyId":"1234-5678","Arn":"arn:aws:kms:eu-west-1:1:key/1234-5678"}}`))
	fake.on("ListAttachedRolePolicies", awsAnswer(`<ListAttachedRolePoliciesResponse><ListAttachedRolePoliciesResult><AttachedPolicies><member><PolicyName>rotation</PolicyName>
		<PolicyArn>arn:aws:iam::1:policy/rotation</PolicyArn></member></AttachedPolicies></ListAttachedRolePoliciesResult></ListAttachedRolePoliciesResponse>`))
	fake.on("LookupEvents", lookups(map[string][]string{"false": {
		event("PutSecretValue", "secretsmanager", rotator+`,"requestParameters":{"secretId":"arn:aws:secretsmanager:eu-west-1:1:secret:prod/db/postgres-AbCdEf","clientRequestToken":"x"}`),
		event("UpdateSecretVersionStage", "secretsmanager", person+`,"errorCode":"AccessDenied","errorMessage":"not authorized","requestParameters":{"secretId":"prod/db/postgres","versionStage":"AWSCURRENT","moveToVersionId":"v2"}`),
		event("UpdateFunctionCode20150331v2", "lambda", person+`,"requestParameters":{"functionName":"arn:aws:lambda:eu-west-1:1:function:rotate-db:live","environment":{"variables":{"PASSWORD":"hunter2"}}}`),
		event("PutRolePolicy", "iam", person+`,"requestParameters":{"roleName":"rotator","policyName":"inline","policyDocument":"{\"x\":1}"}`),
		event("CreatePolicyVersion", "iam", person+`,"requestParameters":{"policyArn":"arn:aws:iam::1:policy/rotation"}`),
		event("DisableKey", "kms", person+`,"requestParameters":{"keyId":"arn:aws:kms:eu-west-1:1:key/1234-5678"}`),
		event("RevokeSecurityGroupEgress", "ec2", person+`,"requestParameters":{"groupId":"sg-1","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":5432,"toPort":5432,"ipRanges":{"items":[{"cidrIp":"10.0.0.0/8"}]}}]}}`),
		event("AuthorizeSecurityGroupIngress", "ec2", person+`,"requestParameters":{"groupId":"sg-other"}`),
		event("CreateTags", "ec2", person+`,"requestParameters":{"groupId":"sg-other"}`),
		event("ModifyDBInstance", "rds", person+`,"requestParameters":{"dBInstanceIdentifier":"prod-1","masterUserPassword":"****"}`),
		event("ModifyListener", "elasticloadbalancing", person+`,"requestParameters":{"listenerArn":"arn:aws:elasticloadbalancing:eu-west-1:1:listener/app/edge/50dc/9"}`),
		event("UpdateAuthorizer", "apigateway", person+`,"requestParameters":{"apiId":"a1b2c3","authorizerId":"x"}`),
		event("PutSecretValue", "secretsmanager", person+`,"requestParameters":{"secretId":"somebody/elses"}`),
		event("RunInstances", "ec2", person+`,"requestParameters":{}`),
		event("RotationFailed", "secretsmanager", `"eventType":"AwsServiceEvent","additionalEventData":{},"resources":[{"ARN":"arn:aws:secretsmanager:eu-west-1:1:secret:prod/db/postgres-AbCdEf"}]`),
	}}))
	cfg := controlConfig(fake.URL)
	got := read(t, probeOf(t, awsProbes(cfg, newSet(t, cfg), nil), estate.CheckChanges))
	changes, ok := got.Data.(estate.Changes)
	if !ok {
		t.Fatal(got.Err)
	}
	if changes.Looked != 30 && changes.Looked != 15 || changes.Partial || changes.Unread != "" || changes.Window != 24*time.Hour {
		t.Errorf("looked at %d, partial %v, unread %q, window %s", changes.Looked, changes.Partial, changes.Unread, changes.Window)
	}
	var lines []string
	for _, c := range changes.Changes {
		by := "anna"
		if c.ByRotation {
			by = "rotation"
		} else if c.By != "arn:aws:sts::1:assumed-role/admin/anna" || c.From != "203.0.113.9" {
			t.Errorf("%s by %q from %q", c.What, c.By, c.From)
		}
		if c.Where != "main" || c.At.IsZero() {
			t.Errorf("%+v", c)
		}
		lines = append(lines, strings.Join([]string{c.What, c.Target, by, c.Detail, c.Failed}, "|"))
	}
	want := []string{
		"PutSecretValue|prod/db/postgres|rotation|by rotation itself|",
		"UpdateSecretVersionStage|prod/db/postgres|anna|moveToVersionId v2, versionStage AWSCURRENT, AccessDenied: not authorized|AccessDenied",
		"UpdateFunctionCode|function rotate-db|anna||",
		"PutRolePolicy|role rotator|anna|policyName inline|",
		"CreatePolicyVersion|policy rotation of role rotator|anna|policyArn arn:aws:iam::1:policy/rotation|",
		"DisableKey|key alias/prod|anna||",
		"RevokeSecurityGroupEgress|security group sg-1 of function rotate-db|anna|groupId sg-1, fromPort 5432, ipProtocol tcp, cidrIp 10.0.0.0/8, toPort 5432|",
		"AuthorizeSecurityGroupIngress|security group sg-other|anna|groupId sg-other|",
		"ModifyDBInstance|database prod-1|anna||",
		"ModifyListener|load balancer edge|anna|listenerArn arn:aws:elasticloadbalancing:eu-west-1:1:listener/app/edge/50dc/9|",
		"UpdateAuthorizer|API a1b2c3|anna|authorizerId x|",
		"RotationFailed|prod/db/postgres|rotation|by rotation itself|",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if strings.Contains(fmt.Sprintf("%+v", changes), "hunter2") {
		t.Error("a parameter that nobody asked for is kept")
	}
}

// The events of global services are looked for where they are recorded; that they
// may not be read hides nothing else, and is said.
func TestChangesOfGlobalServices(t *testing.T) {
	for region, want := range map[string]string{"eu-west-1": "us-east-1", "us-east-1": "", "cn-northwest-1": "cn-north-1"} {
		fake := newFakeAWS(t)
		fake.on("configuration", apiError(400, "AccessDeniedException", "no"))
		fake.on("DescribeKey", awsAnswer(`{"KeyMetadata":{"KeyId":"1234"}}`))
		seen := map[string]int{}
		fake.on("LookupEvents", func(w http.ResponseWriter, r *http.Request) {
			in := strings.Split(r.Header.Get("Authorization"), "/")[2]
			seen[in]++
			if in == want {
				apiError(400, "AccessDeniedException", "denied by a policy")(w, r)
				return
			}
			_, _ = w.Write([]byte(`{"Events":[]}`))
		})
		cfg := controlConfig(fake.URL)
		cfg.AWS[0].Region = region
		got := read(t, probeOf(t, awsProbes(cfg, newSet(t, cfg), nil), estate.CheckChanges))
		changes, ok := got.Data.(estate.Changes)
		if !ok || seen[region] != 1 || want != "" && seen[want] != 1 || len(seen) > 2 {
			t.Fatalf("%s: %v, lookups %v", region, got.Err, seen)
		}
		if said := strings.Contains(changes.Unread, want+", which records those of IAM: not permitted"); want != "" && !said {
			t.Errorf("%s: unread %q", region, changes.Unread)
		}
		if !strings.Contains(changes.Unread, "the role and security groups of function rotate-db: not permitted") {
			t.Errorf("%s: unread %q does not say that the role is not known", region, changes.Unread)
		}
	}
}

// Where there are too many changes, those of rotation itself make room first.
func TestTooManyChanges(t *testing.T) {
	var all []kept[estate.Change]
	for i := range 3 * changesListed {
		all = append(all, kept[estate.Change]{what: estate.Change{What: fmt.Sprint(i), ByRotation: i%2 == 0}})
	}
	got := listed(all)
	if len(got) != changesListed {
		t.Fatalf("%d changes", len(got))
	}
	for i, c := range got {
		if c.what.ByRotation || c.what.What != fmt.Sprint(2*i+1) {
			t.Fatalf("%d: %+v; want people's changes, newest first", i, c.what)
		}
	}
	if got := listed(all[:changesListed+10]); len(got) != changesListed || got[0].what.What != "0" {
		t.Errorf("%d changes, first %v; want the oldest of rotation left out alone", len(got), got[0].what.What)
	}
}

// Whatever stands in a record, what is kept of it is bounded and can be drawn, and
// holds no parameter that was not asked for.
func FuzzTrailRecord(f *testing.F) {
	for _, seed := range []string{
		`{}`, ``, `null`, `[]`, `{"userIdentity":"x","requestParameters":[[[[1]]]]}`, `{"requestParameters":{"secretId":"prod/db/postgres","secretString":"CANARY"}}`,
		`{"requestParameters":{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":"prod/db/postgres"}}}}}}}}}}`,
		`{"errorCode":"\u001b[31mX\u0007","errorMessage":"\u202e","resources":[{"ARN":":secret:"},{"ARN":5}]}`, `{"additionalEventData":{"SecretId":{}}}`,
		strings.Repeat(`{"requestParameters":`, 50) + "1" + strings.Repeat("}", 50),
	} {
		f.Add("PutSecretValue", "secretsmanager.amazonaws.com", seed)
	}
	cfg := controlConfig("http://127.0.0.1:1")
	set := clients.New(cfg)
	defer set.Close()
	client, _ := set.AWS("main")
	b := awsBuilder{cfg: cfg, account: "main", client: client}
	names := b.configured()
	f.Fuzz(func(t *testing.T, name, source, text string) {
		e := &cttypes.Event{EventName: &name, EventSource: &source, CloudTrailEvent: &text, EventTime: aws.Time(time.Unix(1e9, 0)), Resources: []cttypes.Resource{{ResourceName: &text}}}
		for _, service := range []string{source, "secretsmanager.amazonaws.com", "lambda.amazonaws.com", "ec2.amazonaws.com"} {
			e.EventSource = aws.String(service)
			change, _ := b.change(e, names)
			event, _ := b.rotationEvent(e, estate.RotationOutcome(name))
			for _, kept := range []string{change.What, change.Target, change.By, change.From, change.Detail, change.Failed, string(event.What)[:0], event.Secret, event.Error} {
				if len([]rune(kept)) > arnLimit || strings.ContainsFunc(kept, unicode.IsControl) {
					t.Errorf("kept %q", kept)
				}
			}
		}
		r := trailRecordOf(e)
		for _, p := range r.particulars() {
			key, _, _ := strings.Cut(p, " ")
			if !particular[strings.ToLower(key)] {
				t.Errorf("tells %q", p)
			}
		}
		if len(r.touched(e)) > 4*recordValues || len(r.particulars()) > detailParts {
			t.Error("too much is looked at")
		}
	})
}
