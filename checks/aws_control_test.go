package checks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// controlConfig is awsConfig with what the control plane and the edge read of AWS.
func controlConfig(endpoint string) *config.Config {
	cfg := awsConfig(endpoint)
	cfg.Windows.Access, cfg.Windows.Changes = time.Hour, 24*time.Hour
	cfg.Components[3].Gateway.API = "a1b2c3"
	cfg.Components = append(cfg.Components,
		config.Component{ID: "lb", Balancer: &config.Balancer{Account: "main", Balancer: "edge"}},
		config.Component{ID: "store", SecretStore: &config.SecretStore{Account: "main"}},
		config.Component{ID: "db", Postgres: &config.Postgres{Host: "prod-1.abc.eu-west-1.rds.amazonaws.com", Secret: "prod/db/postgres"}},
		config.Component{ID: "rm", RotationMonitor: &config.RotationMonitor{}},
		config.Component{ID: "am", AccessMonitor: &config.AccessMonitor{Sources: []config.AccessSource{
			{Name: "calls", Of: "gw", Account: "main", Metric: &config.CountMetric{Namespace: "AWS/ApiGateway", Failed: "4xx", Total: "Count", Dimensions: map[string]string{"ApiId": "a1b2c3"}}},
			{Name: "logins", Of: "db", Account: "main", Logs: &config.LogCount{Group: "/db", Pattern: `"password authentication failed"`}},
		}}},
	)
	return cfg
}

const (
	balancerXML = `<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancers><member><LoadBalancerArn>arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/edge/50dc</LoadBalancerArn>
		<LoadBalancerName>edge</LoadBalancerName><DNSName>edge-1.elb.amazonaws.com</DNSName><State><Code>active</Code></State></member></LoadBalancers></DescribeLoadBalancersResult></DescribeLoadBalancersResponse>`
	listenersXML = `<DescribeListenersResponse><DescribeListenersResult><Listeners>
		<member><ListenerArn>arn:l1</ListenerArn><Port>443</Port><Protocol>HTTPS</Protocol><SslPolicy>TLS13</SslPolicy><Certificates><member><CertificateArn>arn:aws:acm:eu-west-1:1:certificate/a</CertificateArn></member></Certificates></member>
		<member><ListenerArn>arn:l2</ListenerArn><Port>80</Port><Protocol>HTTP</Protocol></member></Listeners>%s</DescribeListenersResult></DescribeListenersResponse>`
	servedXML = `<DescribeListenerCertificatesResponse><DescribeListenerCertificatesResult><Certificates>
		<member><CertificateArn>arn:aws:acm:eu-west-1:1:certificate/a</CertificateArn><IsDefault>true</IsDefault></member>
		<member><CertificateArn>arn:aws:acm:eu-west-1:1:certificate/a</CertificateArn><IsDefault>false</IsDefault></member>
		<member><CertificateArn>arn:aws:iam::1:server-certificate/old</CertificateArn><IsDefault>false</IsDefault></member></Certificates></DescribeListenerCertificatesResult></DescribeListenerCertificatesResponse>`
	certificateJSON = `{"Certificate":{"CertificateArn":"arn:aws:acm:eu-west-1:1:certificate/a","DomainName":"api.company.com","SubjectAlternativeNames":["api.company.com","*.company.com"],
		"Status":"ISSUED","Type":"AMAZON_ISSUED","NotBefore":100,"NotAfter":200,"RenewalEligibility":"ELIGIBLE","Serial":"0A:1b:2C",
		"RenewalSummary":{"RenewalStatus":"FAILED","RenewalStatusReason":"CAA_ERROR","DomainValidationOptions":[],"UpdatedAt":1}}}`
)

// simulated is IAM's answer: every asked action on every resource, denied where
// deny says so.
func simulated(deny map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		var out strings.Builder
		for i := 1; form.Get(fmt.Sprintf("ActionNames.member.%d", i)) != ""; i++ {
			action := form.Get(fmt.Sprintf("ActionNames.member.%d", i))
			for j := 1; form.Get(fmt.Sprintf("ResourceArns.member.%d", j)) != ""; j++ {
				decision := "allowed"
				if d, ok := deny[action]; ok {
					decision = d
				}
				fmt.Fprintf(&out, `<member><EvalActionName>%s</EvalActionName><EvalResourceName>%s</EvalResourceName><EvalDecision>%s</EvalDecision>
					<MatchedStatements><member><SourcePolicyId>rotate</SourcePolicyId></member></MatchedStatements><MissingContextValues><member>aws:SourceVpce</member></MissingContextValues></member>`,
					action, form.Get(fmt.Sprintf("ResourceArns.member.%d", j)), decision)
			}
		}
		_, _ = fmt.Fprintf(w, "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>%s</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>", out.String())
	}
}

// authorizers answers HTTP APIs and REST APIs, whose calls have one name.
func authorizersOf(v2, rest http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v2/") {
			v2(w, r)
			return
		}
		rest(w, r)
	}
}

func TestAWSControlReads(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:1:secret:prod/db/postgres-AbCdEf"
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	role := awsAnswer(`{"FunctionName":"rotate-db","FunctionArn":"arn:aws:lambda:eu-west-1:1:function:rotate-db","Role":"arn:aws:iam::1:role/service-role/rotator"}`)
	secret := awsAnswer(`{"Name":"prod/db/postgres","ARN":"` + arn + `","RotationLambdaARN":"arn:aws:lambda:eu-west-1:1:function:rotate-db:live","KmsKeyId":"alias/prod"}`)
	key := awsAnswer(`{"KeyMetadata":{"KeyId":"1234","Arn":"arn:aws:kms:eu-west-1:1:key/1234"}}`)
	allowed := func(action, on string) estate.Permission {
		return estate.Permission{Action: action, Resource: on, Decision: "allowed", By: "rotate"}
	}
	missing := apiError(404, "NotFoundException", "Invalid API identifier specified")
	listed := func(tail string) map[string]http.HandlerFunc {
		return map[string]http.HandlerFunc{
			"DescribeLoadBalancers": awsAnswer(balancerXML), "DescribeListeners": awsAnswer(fmt.Sprintf(listenersXML, tail)), "DescribeListenerCertificates": awsAnswer(servedXML),
			"DescribeCertificate": awsAnswer(certificateJSON),
		}
	}
	balancer := func(first estate.ManagedCertificate) estate.Listeners {
		return estate.Listeners{Balancer: "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/edge/50dc", Name: "edge", DNSName: "edge-1.elb.amazonaws.com", State: "active",
			Listeners: []estate.Listener{{Port: 443, Protocol: "HTTPS", Policy: "TLS13", Certificates: []estate.ManagedCertificate{first,
				{ARN: "arn:aws:iam::1:server-certificate/old", Failure: "it is one of IAM's: ACM does not know it, and nothing renews it"}}}}}
	}
	noACM := listed("")
	noACM["DescribeCertificate"] = apiError(400, "AccessDeniedException", "no")
	trail := func(status, selectors http.HandlerFunc) map[string]http.HandlerFunc {
		return map[string]http.HandlerFunc{
			"DescribeTrails": awsAnswer(`{"trailList":[{"Name":"all","TrailARN":"arn:t","IsMultiRegionTrail":true,"LogFileValidationEnabled":true}]}`), "GetTrailStatus": status, "GetEventSelectors": selectors,
		}
	}
	on := awsAnswer(`{"IsLogging":true,"LatestDeliveryTime":500,"LatestDeliveryError":"AccessDenied"}`)
	tests := map[string]struct {
		check   string
		answers map[string]http.HandlerFunc
		want    any // data, or the kind of the failure
	}{
		"what the role may": {estate.CheckPermissions, map[string]http.HandlerFunc{"configuration": role, "DescribeSecret": secret, "DescribeKey": key,
			"SimulatePrincipalPolicy": simulated(map[string]string{"secretsmanager:PutSecretValue": "explicitDeny"})},
			estate.Permissions{Role: "arn:aws:iam::1:role/service-role/rotator", Permissions: []estate.Permission{
				allowed("secretsmanager:DescribeSecret", arn), allowed("secretsmanager:GetSecretValue", arn),
				{Action: "secretsmanager:PutSecretValue", Resource: arn, Decision: "explicitDeny", By: "rotate", Lacks: "aws:SourceVpce"},
				allowed("secretsmanager:UpdateSecretVersionStage", arn), allowed("secretsmanager:GetRandomPassword", "*"),
				allowed("kms:Decrypt", "arn:aws:kms:eu-west-1:1:key/1234"), allowed("kms:GenerateDataKey", "arn:aws:kms:eu-west-1:1:key/1234")}}},
		"a simulation that may not be made": {estate.CheckPermissions, map[string]http.HandlerFunc{"configuration": role, "DescribeSecret": secret, "DescribeKey": key,
			"SimulatePrincipalPolicy": apiError(403, "AccessDenied", "not authorized to perform: iam:SimulatePrincipalPolicy")}, estate.Denied},
		"a simulation that decides nothing": {estate.CheckPermissions, map[string]http.HandlerFunc{"configuration": role, "DescribeSecret": secret, "DescribeKey": key,
			"SimulatePrincipalPolicy": awsAnswer(`<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult/></SimulatePrincipalPolicyResponse>`)}, estate.BadAnswer},
		"a role that is gone": {estate.CheckPermissions, map[string]http.HandlerFunc{"configuration": role, "DescribeSecret": secret, "DescribeKey": key,
			"SimulatePrincipalPolicy": apiError(404, "NoSuchEntity", "The role cannot be found")}, estate.Missing},
		"secrets that may not be described": {estate.CheckPermissions, map[string]http.HandlerFunc{"configuration": role, "DescribeSecret": apiError(400, "AccessDeniedException", "no")}, estate.Denied},

		"listeners": {estate.CheckListeners, listed(""), balancer(estate.ManagedCertificate{
			ARN: "arn:aws:acm:eu-west-1:1:certificate/a", Default: true, Domain: "api.company.com", Names: []string{"api.company.com", "*.company.com"}, Status: "ISSUED", Type: "AMAZON_ISSUED",
			NotBefore: at(100), NotAfter: at(200), Renewal: "FAILED", RenewalNote: "CAA_ERROR", Eligible: true, Serial: "a1b2c"})},
		"listeners without ACM": {estate.CheckListeners, noACM, balancer(estate.ManagedCertificate{
			ARN: "arn:aws:acm:eu-west-1:1:certificate/a", Default: true, Failure: "not permitted: AccessDeniedException: no"})},
		"listeners without end":            {estate.CheckListeners, listed("<NextMarker>same</NextMarker>"), estate.BadAnswer},
		"a load balancer that is not":      {estate.CheckListeners, map[string]http.HandlerFunc{"DescribeLoadBalancers": apiError(400, "LoadBalancerNotFound", "One or more load balancers not found")}, estate.Missing},
		"a balancer without an ARN":        {estate.CheckListeners, map[string]http.HandlerFunc{"DescribeLoadBalancers": awsAnswer("<DescribeLoadBalancersResponse><DescribeLoadBalancersResult/></DescribeLoadBalancersResponse>")}, estate.BadAnswer},
		"listeners that may not be listed": {estate.CheckListeners, map[string]http.HandlerFunc{"DescribeLoadBalancers": awsAnswer(balancerXML), "DescribeListeners": apiError(403, "AccessDenied", "no")}, estate.Denied},

		"authorizers of an HTTP API": {estate.CheckAuthorizers, map[string]http.HandlerFunc{"authorizers": authorizersOf(awsAnswer(
			`{"items":[{"authorizerId":"x","name":"clients","authorizerType":"JWT","jwtConfiguration":{"issuer":"https://auth.company.com","audience":["api","web"]}}],"nextToken":"2"}`,
			`{"items":[{"authorizerId":"y","name":"legacy","authorizerType":"REQUEST","authorizerUri":"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:1:function:auth/invocations"}]}`), missing)},
			estate.Authorizers{API: "a1b2c3", Authorizers: []estate.Authorizer{
				{ID: "x", Name: "clients", Type: "JWT", Issuer: "https://auth.company.com", Audience: []string{"api", "web"}},
				{ID: "y", Name: "legacy", Type: "REQUEST", Function: "arn:aws:lambda:eu-west-1:1:function:auth"}}}},
		"authorizers of a REST API": {estate.CheckAuthorizers, map[string]http.HandlerFunc{"authorizers": authorizersOf(missing, awsAnswer(
			`{"item":[{"id":"z","name":"pool","type":"COGNITO_USER_POOLS","providerARNs":["arn:aws:cognito-idp:eu-west-1:1:userpool/eu-west-1_Ab"]}]}`))},
			estate.Authorizers{API: "a1b2c3", Authorizers: []estate.Authorizer{{ID: "z", Name: "pool", Type: "COGNITO_USER_POOLS", Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab"}}}},
		"an API without authorizers":         {estate.CheckAuthorizers, map[string]http.HandlerFunc{"authorizers": awsAnswer(`{"items":[]}`)}, estate.Authorizers{API: "a1b2c3", Authorizers: []estate.Authorizer{}}},
		"an API that is not":                 {estate.CheckAuthorizers, map[string]http.HandlerFunc{"authorizers": missing}, estate.Missing},
		"an API that may not be read":        {estate.CheckAuthorizers, map[string]http.HandlerFunc{"authorizers": authorizersOf(apiError(403, "AccessDeniedException", "no"), awsAnswer(`{"item":[]}`))}, estate.Denied},
		"an answer that is no list":          {estate.CheckAuthorizers, map[string]http.HandlerFunc{"authorizers": awsAnswer(`{}`)}, estate.BadAnswer},
		"authorizers without end":            {estate.CheckAuthorizers, map[string]http.HandlerFunc{"authorizers": awsAnswer(`{"items":[],"nextToken":"x"}`)}, estate.BadAnswer},
		"a server that knows no authorizers": {estate.CheckAuthorizers, map[string]http.HandlerFunc{"authorizers": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>Internal Server Error", 500) }}, estate.ServerError},

		"a trail with basic selectors": {estate.CheckTrails, trail(on, awsAnswer(`{"EventSelectors":[{"ReadWriteType":"WriteOnly","IncludeManagementEvents":true}]}`)),
			estate.Trails{Account: "main", Trails: []estate.Trail{{Name: "all", MultiRegion: true, Logging: true, Management: "write", Validated: true, Delivered: at(500), Error: "AccessDenied"}}}},
		"a trail whose selectors may not be read": {estate.CheckTrails, trail(on, apiError(400, "AccessDeniedException", "no")),
			estate.Trails{Account: "main", Trails: []estate.Trail{{Name: "all", MultiRegion: true, Logging: true, Validated: true, Delivered: at(500), Error: "AccessDenied", Unread: "event selectors: not permitted: AccessDeniedException: no"}}}},
		"no trail":                              {estate.CheckTrails, map[string]http.HandlerFunc{"DescribeTrails": awsAnswer(`{"trailList":[]}`)}, estate.Trails{Account: "main", Trails: []estate.Trail{}}},
		"trails that are not told":              {estate.CheckTrails, map[string]http.HandlerFunc{"DescribeTrails": awsAnswer(`{}`)}, estate.BadAnswer},
		"a trail whose status may not be read":  {estate.CheckTrails, trail(apiError(400, "AccessDeniedException", "no"), on), estate.Denied},
		"a trail of whose status nothing comes": {estate.CheckTrails, trail(awsAnswer(`{}`), on), estate.BadAnswer},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			fake := newFakeAWS(t)
			for operation, h := range test.answers {
				fake.on(operation, h)
			}
			cfg := controlConfig(fake.URL)
			got := read(t, probeOf(t, awsProbes(cfg, newSet(t, cfg), nil), test.check))
			if kind, fails := test.want.(estate.FailureKind); fails {
				kindIs(t, got.Err, kind)
				return
			}
			if got.Err != nil || !reflect.DeepEqual(got.Data, test.want) {
				t.Errorf("got  %+v, %v\nwant %+v", got.Data, got.Err, test.want)
			}
		})
	}
}

func TestControlProbesAndKeys(t *testing.T) {
	cfg := controlConfig("http://127.0.0.1:1")
	var got []string
	for _, p := range awsProbes(cfg, newSet(t, cfg), nil) {
		key := fmt.Sprintf("%s/%s/%s %s", p.Key.Component, p.Key.Check, p.Key.Item, p.System)
		switch p.Key.Component {
		case "lb", "store", "rm", "am":
			got = append(got, key)
		}
		if p.Key.Check == estate.CheckAuthorizers {
			got = append(got, key)
		}
		if p.Timeout <= 0 || p.Interval <= 0 || !strings.Contains(p.Source, "AWS main eu-west-1") {
			t.Errorf("%v: timeout %s, interval %s, source %q", p.Key, p.Timeout, p.Interval, p.Source)
		}
	}
	want := []string{
		"gw/authorizers/ aws:main", "lb/listeners/ aws:main", "store/trails/main cloudtrail:main",
		"rm/rotation-events/main cloudtrail:main", "rm/changes/main cloudtrail:main", "am/failed-auths/calls aws:main", "am/failed-auths/logins aws:main",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestWhatATrailRecords(t *testing.T) {
	field := func(name, op string, values ...string) string {
		list, _ := json.Marshal(values)
		return fmt.Sprintf(`{"Field":%q,%q:%s}`, name, op, list)
	}
	advanced := func(selectors ...string) string {
		for i := range selectors {
			selectors[i] = `{"FieldSelectors":[` + selectors[i] + `]}`
		}
		return `{"AdvancedEventSelectors":[` + strings.Join(selectors, ",") + `]}`
	}
	management := field("eventCategory", "Equals", "Management")
	for name, test := range map[string]struct{ selectors, want string }{
		"the default":                   {`{"EventSelectors":[{"ReadWriteType":"All"}]}`, "all"},
		"data alone":                    {`{"EventSelectors":[{"ReadWriteType":"All","IncludeManagementEvents":false}]}`, "none"},
		"reads":                         {`{"EventSelectors":[{"ReadWriteType":"ReadOnly","IncludeManagementEvents":true}]}`, "read"},
		"two that add up":               {`{"EventSelectors":[{"ReadWriteType":"ReadOnly"},{"ReadWriteType":"WriteOnly"}]}`, "all"},
		"without KMS":                   {`{"EventSelectors":[{"ReadWriteType":"All","ExcludeManagementEventSources":["kms.amazonaws.com"]}]}`, "all"},
		"advanced, all":                 {advanced(management), "all"},
		"advanced, writes":              {advanced(management + "," + field("readOnly", "Equals", "false")), "write"},
		"advanced, not reads":           {advanced(management + "," + field("readOnly", "NotEquals", "true")), "write"},
		"advanced, data":                {advanced(field("eventCategory", "Equals", "Data")), "none"},
		"advanced, not Secrets Manager": {advanced(management + "," + field("eventSource", "NotEquals", "secretsmanager.amazonaws.com")), "none"},
		"advanced, KMS alone":           {advanced(management + "," + field("eventSource", "Equals", "kms.amazonaws.com")), "none"},
		"advanced, by prefix":           {advanced(management + "," + field("eventSource", "StartsWith", "secrets")), "all"},
		"advanced, some events":         {advanced(management + "," + field("eventName", "Equals", "PutSecretValue")), "some"},
		"advanced, two that add up":     {advanced(management+","+field("readOnly", "Equals", "false"), management+","+field("readOnly", "Equals", "true")), "all"},
		"never changed":                 {`{}`, "all"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newFakeAWS(t)
			fake.on("DescribeTrails", awsAnswer(`{"trailList":[{"Name":"all"}]}`))
			fake.on("GetTrailStatus", awsAnswer(`{"IsLogging":false}`))
			fake.on("GetEventSelectors", awsAnswer(test.selectors))
			cfg := controlConfig(fake.URL)
			got := read(t, probeOf(t, awsProbes(cfg, newSet(t, cfg), nil), estate.CheckTrails))
			trails, ok := got.Data.(estate.Trails)
			if !ok || trails.Trails[0].Management != test.want || trails.Trails[0].Logging {
				t.Errorf("got %+v, %v; want %q", got.Data, got.Err, test.want)
			}
		})
	}
}
