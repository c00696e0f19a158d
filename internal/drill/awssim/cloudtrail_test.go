package awssim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// unhurried lets a test call as often as it likes.
func unhurried() func(*Options) {
	pace := &clock{t: time.Now()}
	return func(o *Options) { o.Pace = func() time.Time { pace.add(time.Minute); return pace.now() } }
}

func by(key types.LookupAttributeKey, value string) []types.LookupAttribute {
	return []types.LookupAttribute{{AttributeKey: key, AttributeValue: aws.String(value)}}
}

// TestWritesAreRecorded makes calls and looks them up, once CloudTrail has had
// its time.
func TestWritesAreRecorded(t *testing.T) {
	ck := &clock{t: time.Now()}
	// The clocks of those who sign and of the server may not be far apart.
	r := newRig(t, unhurried(), func(o *Options) { o.Clock, o.Delivery = ck.now, 2*time.Minute })
	r.AddSecret(Secret{Name: "prod/a", Versions: []Version{{Value: "x", Stages: []string{current}}}})
	sm, ct := secretsmanager.NewFromConfig(r.cfg), cloudtrail.NewFromConfig(r.cfg)
	const canary = "canary-value-7781"
	put := func() {
		must(sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("prod/a"), SecretString: aws.String(canary)}))(t)
	}
	put()
	must(sm.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("prod/a")}))(t)
	r.Deny(testKey, Permission{Action: "secretsmanager:TagResource"})
	_, err := sm.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: aws.String("prod/a"), Tags: []smtypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
	if code(err) != "AccessDeniedException" {
		t.Fatal(err)
	}
	look := func(a []types.LookupAttribute) []types.Event {
		return must(ct.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{LookupAttributes: a}))(t).Events
	}
	if got := look(nil); len(got) != 0 {
		t.Fatalf("%d events before they were delivered", len(got))
	}
	ck.add(2*time.Minute - time.Second)
	if got := look(nil); len(got) != 0 {
		t.Fatalf("%d events before they were delivered", len(got))
	}
	ck.add(2 * time.Second)
	got := look(by(types.LookupAttributeKeyEventName, "PutSecretValue"))
	if len(got) != 1 {
		t.Fatalf("%d events, want the one write", len(got))
	}
	e := got[0]
	if aws.ToString(e.Username) != "reader" || aws.ToString(e.ReadOnly) != "false" || aws.ToString(e.EventSource) != "secretsmanager.amazonaws.com" ||
		aws.ToString(e.AccessKeyId) != testKey || len(e.Resources) != 1 || !strings.HasPrefix(aws.ToString(e.Resources[0].ResourceName), "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/a-") {
		t.Errorf("event %+v %+v", e, e.Resources)
	}
	var doc struct {
		UserIdentity      struct{ Type, Arn string }
		EventType         string
		RequestParameters map[string]any
	}
	if err := json.Unmarshal([]byte(aws.ToString(e.CloudTrailEvent)), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.UserIdentity.Type != "IAMUser" || doc.UserIdentity.Arn != testUser || doc.EventType != "AwsApiCall" || doc.RequestParameters["secretId"] != "prod/a" {
		t.Errorf("record %+v", doc)
	}
	all := look(nil)
	if len(all) != 2 {
		t.Fatalf("%d events, want the write and the refused one, no reads", len(all))
	}
	for _, e := range all {
		if strings.Contains(aws.ToString(e.CloudTrailEvent), canary) {
			t.Error("a secret value is in a record")
		}
	}
	if refused := look(by(types.LookupAttributeKeyEventName, "TagResource")); len(refused) != 1 || !strings.Contains(aws.ToString(refused[0].CloudTrailEvent), `"errorCode":"AccessDenied"`) {
		t.Errorf("the refused call: %+v", refused)
	}
	for key, want := range map[types.LookupAttributeKey]string{
		types.LookupAttributeKeyEventId: aws.ToString(e.EventId), types.LookupAttributeKeyResourceName: aws.ToString(e.Resources[0].ResourceName),
		types.LookupAttributeKeyUsername: "reader", types.LookupAttributeKeyEventSource: "secretsmanager.amazonaws.com",
		types.LookupAttributeKeyResourceType: "AWS::SecretsManager::Secret", types.LookupAttributeKeyAccessKeyId: testKey, types.LookupAttributeKeyReadOnly: "false",
	} {
		if len(look(by(key, want))) == 0 || len(look(by(key, "something else"))) != 0 {
			t.Errorf("looked up by %s", key)
		}
	}
	r.AddEvent(Event{ID: "old", At: ck.now().Add(-91 * 24 * time.Hour), Source: "ec2.amazonaws.com", Name: "Something"})
	r.AddEvent(Event{ID: "young", At: ck.now().Add(-89 * 24 * time.Hour), Source: "ec2.amazonaws.com", Name: "Something"})
	if got := look(by(types.LookupAttributeKeyEventName, "Something")); len(got) != 1 || aws.ToString(got[0].EventId) != "young" {
		t.Errorf("of 90 days: %+v", got)
	}
}

// TestRotationsAreRecorded: a rotation that goes through, one that fails and one
// that a new value abandons.
func TestRotationsAreRecorded(t *testing.T) {
	ck := &clock{t: time.Now()}
	r := newRig(t, unhurried(), func(o *Options) { o.Clock, o.Delivery = ck.now, time.Second })
	r.AddFunction(Function{Name: "rotate", Policy: r.InvokePolicy("rotate")})
	r.AddSecret(Secret{Name: "prod/a", RotationLambda: "rotate", RotateAfterDays: 30, Versions: []Version{{Value: "x", Stages: []string{current}}}})
	sm, ct := secretsmanager.NewFromConfig(r.cfg), cloudtrail.NewFromConfig(r.cfg)
	works := true
	r.OnInvoke(func(_ string, event []byte) error {
		var in struct{ Step, ClientRequestToken string }
		if err := json.Unmarshal(event, &in); err != nil {
			return err
		}
		switch {
		case !works:
			return fmt.Errorf("no way there")
		case in.Step == "createSecret":
			_, err := sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("prod/a"), ClientRequestToken: &in.ClientRequestToken, SecretString: aws.String("y"), VersionStages: []string{pending}})
			return err
		case in.Step == "finishSecret":
			s, _ := r.Secret("prod/a")
			_, err := sm.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
				SecretId: aws.String("prod/a"), VersionStage: aws.String(current), MoveToVersionId: &in.ClientRequestToken, RemoveFromVersionId: aws.String(s.Versions[0].ID)})
			return err
		}
		return nil
	})
	rotate := func() {
		must(sm.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("prod/a")}))(t)
		r.Wait()
		ck.add(time.Second)
	}
	rotate()
	works = false
	rotate()
	must(sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("prod/a"), SecretString: aws.String("by hand")}))(t)
	ck.add(3 * time.Second)
	for name, want := range map[string]int{"RotationStarted": 2, "RotationSucceeded": 1, "RotationFailed": 1, "RotationAbandoned": 1} {
		got := must(ct.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{LookupAttributes: by(types.LookupAttributeKeyEventName, name)}))(t).Events
		if len(got) != want {
			t.Fatalf("%s: %d events, want %d", name, len(got), want)
		}
		s, _ := r.Secret("prod/a")
		if text := aws.ToString(got[0].CloudTrailEvent); !strings.Contains(text, `"eventType":"AwsServiceEvent"`) || !strings.Contains(text, `"additionalEventData":{"SecretId":"`+s.ARN+`"}`) || aws.ToString(got[0].Username) != "" {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// TestLookupPages: newest first, pages that new events do not shift, tokens bound
// to their query, and bounds in time.
func TestLookupPages(t *testing.T) {
	ck := &clock{t: time.Now().Truncate(time.Second)}
	r := newRig(t, unhurried(), func(o *Options) { o.Clock = ck.now })
	began := ck.now().Add(-time.Hour)
	for i := range 120 {
		r.AddEvent(Event{ID: fmt.Sprintf("id-%03d", i), At: began.Add(time.Duration(i/2) * time.Second), Source: "ec2.amazonaws.com", Name: "Something", Principal: testUser})
	}
	ct := cloudtrail.NewFromConfig(r.cfg)
	in := &cloudtrail.LookupEventsInput{LookupAttributes: by(types.LookupAttributeKeyEventName, "Something")}
	var ids []string
	for page := 0; ; page++ {
		out := must(ct.LookupEvents(t.Context(), in))(t)
		for _, e := range out.Events {
			ids = append(ids, aws.ToString(e.EventId))
		}
		if out.NextToken == nil {
			break
		}
		r.AddEvent(Event{ID: "late", At: ck.now().Add(-10 * time.Minute), Source: "ec2.amazonaws.com", Name: "Something", Principal: testUser})
		in.NextToken = out.NextToken
		other := *in
		other.LookupAttributes = by(types.LookupAttributeKeyEventName, "Other")
		if _, err := ct.LookupEvents(t.Context(), &other); code(err) != "InvalidNextTokenException" {
			t.Fatalf("the token of another query: %v", err)
		}
	}
	if len(ids) != 120 || ids[0] != "id-119" || ids[119] != "id-000" {
		t.Fatalf("%d events, from %s to %s", len(ids), ids[0], ids[len(ids)-1])
	}
	within := must(ct.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{StartTime: aws.Time(began.Add(10 * time.Second)), EndTime: aws.Time(began.Add(12 * time.Second))}))(t).Events
	if len(within) != 6 {
		t.Errorf("%d events in three seconds, want both ends", len(within))
	}
	for name, tc := range map[string]struct {
		in   cloudtrail.LookupEventsInput
		want string
	}{
		"two attributes": {cloudtrail.LookupEventsInput{LookupAttributes: append(by(types.LookupAttributeKeyEventName, "a"), by(types.LookupAttributeKeyUsername, "b")...)}, "InvalidLookupAttributesException"},
		"no attribute":   {cloudtrail.LookupEventsInput{LookupAttributes: by("Colour", "a")}, "InvalidLookupAttributesException"},
		"too many":       {cloudtrail.LookupEventsInput{MaxResults: aws.Int32(51)}, "InvalidMaxResultsException"},
		"backwards":      {cloudtrail.LookupEventsInput{StartTime: aws.Time(ck.now()), EndTime: aws.Time(began)}, "InvalidTimeRangeException"},
		"made up":        {cloudtrail.LookupEventsInput{NextToken: aws.String("made up")}, "InvalidNextTokenException"},
	} {
		if _, err := ct.LookupEvents(t.Context(), &tc.in); code(err) != tc.want {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
}

// TestLookupQuota: two a second for an account and region, and of its own for
// another region, where the events of global services are.
func TestLookupQuota(t *testing.T) {
	pace := &clock{t: time.Now()}
	r := newRig(t, func(o *Options) { o.Pace, o.Region = pace.now, "us-west-2" })
	r.cfg.Region = "us-west-2"
	r.AddEvent(Event{At: time.Now().Add(-time.Hour), Source: "iam.amazonaws.com", Name: "PutRolePolicy", Principal: testUser})
	ct := cloudtrail.NewFromConfig(r.cfg)
	look := func(region string) (int, string) {
		out, err := ct.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{}, func(o *cloudtrail.Options) { o.Region = region })
		if err != nil {
			return 0, code(err)
		}
		return len(out.Events), ""
	}
	for i, want := range []string{"", "", "ThrottlingException"} {
		if n, got := look("us-west-2"); n != 0 || got != want {
			t.Errorf("lookup %d: %d events, %q, want %q", i, n, got, want)
		}
	}
	if n, got := look("us-east-1"); n != 1 || got != "" {
		t.Errorf("in the region of global services: %d events, %q", n, got)
	}
	if _, got := look("eu-west-1"); got != "InvalidSignatureException" {
		t.Errorf("in a region that is not simulated: %q", got)
	}
	pace.add(500 * time.Millisecond)
	if _, got := look("us-west-2"); got != "" {
		t.Errorf("after half a second: %q", got)
	}
	for _, u := range r.Usage() {
		// Each region has a quota of its own, so the one lookup in us-east-1 adds
		// nothing to the four within a second in us-west-2.
		if u.Operation == "cloudtrail:LookupEvents" && (u.Calls != 5 || u.Throttled != 1 || u.Rate != 2 || u.Burst != 2 || u.Peak != 4) {
			t.Errorf("usage %+v", u)
		}
	}
}

func TestTrails(t *testing.T) {
	ck := &clock{t: time.Now()}
	r := newRig(t, unhurried(), func(o *Options) { o.Clock, o.Region = ck.now, "us-west-2" })
	r.cfg.Region = "us-west-2"
	r.AddTrail(Trail{Name: "all", MultiRegion: true, Validated: true, KMSKey: "k"})
	r.AddTrail(Trail{Name: "off", Stopped: ck.now().Add(-time.Hour), Selector: "WriteOnly", DeliveryError: "AccessDenied"})
	r.AddTrail(Trail{Name: "advanced", Advanced: true, Selector: "ReadOnly"})
	ct := cloudtrail.NewFromConfig(r.cfg)
	list := must(ct.DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{}))(t).TrailList
	if len(list) != 3 || !aws.ToBool(list[0].IsMultiRegionTrail) || !aws.ToBool(list[0].LogFileValidationEnabled) || aws.ToString(list[0].HomeRegion) != "us-west-2" {
		t.Fatalf("trails %+v", list)
	}
	if n := len(must(ct.ListTrails(t.Context(), nil))(t).Trails); n != 3 {
		t.Errorf("%d trails listed", n)
	}
	on := must(ct.GetTrailStatus(t.Context(), &cloudtrail.GetTrailStatusInput{Name: list[0].TrailARN}))(t)
	off := must(ct.GetTrailStatus(t.Context(), &cloudtrail.GetTrailStatusInput{Name: aws.String("off")}))(t)
	if !aws.ToBool(on.IsLogging) || ck.now().Sub(aws.ToTime(on.LatestDeliveryTime)) > 5*time.Minute || aws.ToBool(off.IsLogging) || aws.ToString(off.LatestDeliveryError) != "AccessDenied" ||
		ck.now().Sub(aws.ToTime(off.LatestDeliveryTime)) < time.Hour {
		t.Errorf("status %+v, %+v", on, off)
	}
	sel := must(ct.GetEventSelectors(t.Context(), &cloudtrail.GetEventSelectorsInput{TrailName: aws.String("off")}))(t)
	if len(sel.EventSelectors) != 1 || sel.EventSelectors[0].ReadWriteType != types.ReadWriteTypeWriteOnly || !aws.ToBool(sel.EventSelectors[0].IncludeManagementEvents) {
		t.Errorf("selectors %+v", sel)
	}
	sel = must(ct.GetEventSelectors(t.Context(), &cloudtrail.GetEventSelectorsInput{TrailName: aws.String("advanced")}))(t)
	if len(sel.AdvancedEventSelectors) != 1 || len(sel.AdvancedEventSelectors[0].FieldSelectors) != 2 {
		t.Errorf("selectors %+v", sel)
	}
	if _, err := ct.GetTrailStatus(t.Context(), &cloudtrail.GetTrailStatusInput{Name: aws.String("none")}); code(err) != "TrailNotFoundException" {
		t.Errorf("a trail that is not: %v", err)
	}
	// Elsewhere a trail of all regions has a shadow.
	east := func(o *cloudtrail.Options) { o.Region = "us-east-1" }
	if list := must(ct.DescribeTrails(t.Context(), nil, east))(t).TrailList; len(list) != 1 || aws.ToString(list[0].Name) != "all" {
		t.Errorf("shadows %+v", list)
	}
	if list := must(ct.DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(false)}, east))(t).TrailList; len(list) != 0 {
		t.Errorf("without shadows %+v", list)
	}
}

// TestFunctionIsUpdated: what is given changes, the rest stays, and CloudTrail has
// it under the name that Lambda's API version gives it.
func TestFunctionIsUpdated(t *testing.T) {
	ck := &clock{t: time.Now()}
	r := newRig(t, unhurried(), func(o *Options) { o.Clock, o.Delivery = ck.now, time.Second })
	r.AddFunction(Function{Name: "rotate", MemoryMB: 256, SecurityGroups: []string{"sg-1"}, SubnetIDs: []string{"subnet-1"}})
	c := lambda.NewFromConfig(r.cfg)
	out := must(c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("rotate"), Timeout: aws.Int32(60)}))(t)
	if aws.ToInt32(out.Timeout) != 60 || aws.ToInt32(out.MemorySize) != 256 || len(out.VpcConfig.SecurityGroupIds) != 1 {
		t.Errorf("updated %+v", out)
	}
	if _, err := c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("rotate"), Timeout: aws.Int32(901)}); code(err) != "InvalidParameterValueException" {
		t.Errorf("a timeout of 901 s: %v", err)
	}
	if _, err := c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("none"), Timeout: aws.Int32(60)}); code(err) != "ResourceNotFoundException" {
		t.Errorf("no such function: %v", err)
	}
	ck.add(3 * time.Second)
	events := must(cloudtrail.NewFromConfig(r.cfg).LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{LookupAttributes: by(types.LookupAttributeKeyResourceName, "rotate")}))(t).Events
	if len(events) != 2 || aws.ToString(events[1].EventName) != "UpdateFunctionConfiguration20150331v2" {
		t.Errorf("events %+v", events)
	}
}
