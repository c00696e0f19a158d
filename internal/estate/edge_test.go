package estate

import (
	"strings"
	"testing"
	"time"
)

// edgeReading is the reading of one component of healthy with more seen of it.
func edgeReading(t *testing.T, id ID, change func(*Topology), more ...Observation) Reading {
	t.Helper()
	s := snapshot(healthy(), more)
	if change != nil {
		copied := topology()
		change(copied)
		s.Topology = copied.Index()
	}
	r, ok := Derive(s, noon).Of(id)
	if !ok {
		t.Fatalf("no reading of %s", id)
	}
	return r
}

func edgeFact(t *testing.T, r Reading, name string) Fact {
	t.Helper()
	for _, f := range r.Facts {
		if strings.HasPrefix(f.Name, name) {
			return f
		}
	}
	t.Fatalf("no fact %q in %+v", name, r.Facts)
	return Fact{}
}

// issued is a certificate that ACM renews, a third of the way through its life.
func issued(change func(*ManagedCertificate)) Listeners {
	c := ManagedCertificate{
		ARN: "arn:aws:acm:eu-west-1:1:certificate/a", Default: true, Domain: "api", Names: []string{"api", "*.api"}, Status: "ISSUED", Type: "AMAZON_ISSUED",
		NotBefore: ago(100 * day), NotAfter: in(295 * day), Eligible: true, Serial: "1", Renewal: "SUCCESS",
	}
	if change != nil {
		change(&c)
	}
	return Listeners{Balancer: "arn:lb", Name: "edge", State: "active", Listeners: []Listener{{Port: 443, Protocol: "HTTPS", Certificates: []ManagedCertificate{c}}}}
}

// alone takes the endpoints of the balancer away.
func alone(t *testing.T, l Data) Reading {
	t.Helper()
	o := saw("lb", CheckListeners, "", l)
	if l == nil {
		o.Failure = &Failure{Kind: Denied, Detail: "no"}
	}
	s := NewSnapshot(topology(), []Expectation{{Key: o.Key, Source: o.Source, Interval: o.Interval}}).With(o)
	r, _ := Derive(s, noon).Of("lb")
	return r
}

func TestABalancerReadFromACMAlone(t *testing.T) {
	for name, test := range map[string]struct {
		change       func(*ManagedCertificate)
		status       Status
		word         string
		rotation     string
		next, reason string
	}{
		"renewed by ACM":             {nil, OK, "VALID", "AUTOMATIC", "295 days", ""},
		"about to be renewed by ACM": {func(c *ManagedCertificate) { c.NotBefore, c.NotAfter = ago(350*day), in(45*day) }, OK, "VALID", "AUTOMATIC", "45 days", ""},
		"should have been renewed":   {func(c *ManagedCertificate) { c.NotBefore, c.NotAfter = ago(375*day), in(20*day) }, Warn, "EXPIRING", "AUTOMATIC", "20 days", "api: 20 days left"},
		"imported":                   {func(c *ManagedCertificate) { c.Type, c.Eligible, c.Renewal = "IMPORTED", false, "" }, OK, "VALID", "MANUAL", "295 days", ""},
		"imported and near its end": {func(c *ManagedCertificate) {
			c.Type, c.Eligible, c.NotBefore, c.NotAfter = "IMPORTED", false, ago(77*day), in(12*day+12*time.Hour)
		}, Warn, "MANUAL", "MANUAL", "12 days", "expires in 12 days and nothing renews it"},
		"expired":          {func(c *ManagedCertificate) { c.Status, c.NotAfter = "EXPIRED", ago(2*day) }, Fail, "EXPIRED", "AUTOMATIC", "EXPIRED", "api: expired 2 days ago"},
		"issued and past":  {func(c *ManagedCertificate) { c.NotAfter = ago(time.Hour) }, Fail, "EXPIRED", "AUTOMATIC", "EXPIRED", "api: expired 1h ago"},
		"revoked":          {func(c *ManagedCertificate) { c.Status, c.RenewalNote = "REVOKED", "KEY_COMPROMISE" }, Fail, "REVOKED", "AUTOMATIC", "295 days", "api: ACM says so; KEY_COMPROMISE"},
		"renewal failed":   {func(c *ManagedCertificate) { c.Renewal, c.RenewalNote = "FAILED", "CAA_ERROR" }, Warn, "RENEWAL FAILED", "AUTOMATIC", "295 days", "caa error"},
		"renewal too late": {func(c *ManagedCertificate) { c.Renewal, c.NotAfter = "FAILED", in(10*day) }, Fail, "EXPIRING", "AUTOMATIC", "10 days", "ACM could not renew it"},
		"not validated":    {func(c *ManagedCertificate) { c.Renewal = "PENDING_VALIDATION" }, Warn, "NOT VALIDATED", "AUTOMATIC", "295 days", ""},
		"never issued":     {func(c *ManagedCertificate) { c.Status, c.NotAfter = "PENDING_VALIDATION", time.Time{} }, Unknown, "NOT READ", "AUTOMATIC", "?", "no certificate was seen"},
		"in IAM": {func(c *ManagedCertificate) {
			*c = ManagedCertificate{ARN: "arn:aws:iam::1:server-certificate/old", Failure: "it is one of IAM's"}
		}, Unknown, "NOT READ", "MANUAL", "?", "old"},
		"not told by ACM":   {func(c *ManagedCertificate) { c.Failure, c.Status = "not permitted: no", "" }, Unknown, "NOT READ", "MANUAL", "295 days", "not permitted"},
		"an unknown status": {func(c *ManagedCertificate) { c.Status = "MOULDY" }, Unknown, "NOT READ", "AUTOMATIC", "295 days", "MOULDY"},
	} {
		t.Run(name, func(t *testing.T) {
			l := issued(test.change)
			if test.next == "?" || name == "not told by ACM" {
				test.next = "?"
			}
			r := alone(t, l)
			if r.Status != test.status || r.Word != test.word || !strings.Contains(r.Reason, test.reason) {
				t.Errorf("%s %s %q; want %s %s %q", r.Status, r.Word, r.Reason, test.status, test.word, test.reason)
			}
			if f := edgeFact(t, r, "Rotation"); f.Value != test.rotation || !f.Headline {
				t.Errorf("rotation %+v; want %s", f, test.rotation)
			}
			if f := edgeFact(t, r, "Next expiry"); f.Value != test.next || !strings.Contains(f.Formula, "ACM") {
				t.Errorf("next expiry %+v; want %s", f, test.next)
			}
			for _, f := range r.Headlines() {
				if f.Source == "" {
					t.Errorf("%+v has no source", f)
				}
			}
		})
	}
	if r := alone(t, nil); r.Status != Unknown || edgeFact(t, r, "SSL certificates").Value != "?" {
		t.Errorf("listeners that may not be read: %+v", r)
	}
	if r := alone(t, Listeners{State: "active", Listeners: []Listener{}}); r.Status != Warn || edgeFact(t, r, "Listeners").Value != "NO TLS" {
		t.Errorf("no TLS listener: %s %+v", r.Status, r.Facts)
	}
	broken := issued(nil)
	broken.State = "failed"
	if r := alone(t, broken); r.Status != Fail || r.Word != "FAILED" {
		t.Errorf("a load balancer that failed: %s %s", r.Status, r.Word)
	}
}

// What a handshake shows is compared with what the listener has in ACM.
func TestServedAgainstACM(t *testing.T) {
	// healthy serves serial 01 for api at port 443, which is nobody's to renew.
	same := edgeReading(t, "lb", nil, saw("lb", CheckListeners, "", issued(nil)))
	if same.Status != OK || edgeFact(t, same, "Rotation").Value != "AUTOMATIC" || !strings.Contains(edgeFact(t, same, "10.0.0.1:443").Note, "as its listener has it in ACM") {
		t.Errorf("%s %+v", same.Status, same.Facts)
	}
	if note := edgeFact(t, same, "SSL certificates").Note; note != "ACM: 1 of 1 good" {
		t.Errorf("note %q", note)
	}
	other := edgeReading(t, "lb", nil, saw("lb", CheckListeners, "", issued(func(c *ManagedCertificate) { c.Serial = "ff" })))
	f := edgeFact(t, other, "10.0.0.1:443")
	if other.Status != Warn || f.Value != "ANOTHER" || !strings.Contains(f.Note, "its listener has serial ff in ACM") || edgeFact(t, other, "Rotation").Value != "MANUAL" {
		t.Errorf("%s %s %+v", other.Status, other.Word, f)
	}
	elsewhere := edgeReading(t, "lb", nil, saw("lb", CheckListeners, "", issued(func(c *ManagedCertificate) { c.Serial, c.Domain, c.Names = "ff", "shop", nil })))
	if f := edgeFact(t, elsewhere, "10.0.0.1:443"); f.Value != "VALID" {
		t.Errorf("a certificate for another name says something of this one: %+v", f)
	}
	// A bad certificate in ACM is not hidden by a good one that is served.
	bad := edgeReading(t, "lb", nil, saw("lb", CheckListeners, "", issued(func(c *ManagedCertificate) { c.Serial, c.Domain, c.Names, c.Status = "ff", "shop", nil, "REVOKED" })))
	if bad.Status != Fail || bad.Word != "REVOKED" || edgeFact(t, bad, "SSL certificates").Status != Fail {
		t.Errorf("%s %s %+v", bad.Status, bad.Word, edgeFact(t, bad, "SSL certificates"))
	}
	// The guide's box stays as it is where a balancer has listeners too.
	imported := issued(func(c *ManagedCertificate) {
		c.Type, c.Eligible, c.NotBefore, c.NotAfter = "IMPORTED", false, ago(77*day), in(12*day+12*time.Hour)
	})
	s := snapshot(healthy(), crisis(), []Observation{saw("lb", CheckListeners, "", imported)})
	r, _ := Derive(s, noon).Of("lb")
	if r.Word != "MANUAL" || edgeFact(t, r, "Rotation").Value != "MANUAL" || edgeFact(t, r, "Next expiry").Value != "12 days" {
		t.Errorf("%s %+v", r.Word, r.Headlines())
	}
	denied := saw("lb", CheckListeners, "", nil)
	denied.Failure = &Failure{Kind: Denied, Detail: "no"}
	if r := edgeReading(t, "lb", nil, denied); r.Status != Unknown || edgeFact(t, r, "Next expiry").Value != "70 days" {
		t.Errorf("listeners that may not be read: %s %+v", r.Status, r.Headlines())
	}
}

func TestAuthorizers(t *testing.T) {
	const issuer = "https://auth.company.com"
	jwt := Authorizer{ID: "x", Name: "clients", Type: "JWT", Issuer: issuer, Audience: []string{"api", "web"}}
	token := GatewayProbe{WithToken: true, Code: 401, Error: "invalid_token", KeyID: "k1", Expires: in(30 * day), Issuer: issuer, Audience: "api other"}
	keys := saw("gw", CheckIssuer, "", IssuerKeys{Issuer: issuer, KeyIDs: []string{"k1"}})
	for name, test := range map[string]struct {
		authorizer Authorizer
		token      func(*GatewayProbe)
		fits       string
		status     Status
		word       string // of the gateway; the refusal alone reads REFUSED
	}{
		"fits":                     {jwt, nil, "YES", OK, "REFUSED"},
		"of another issuer":        {jwt, func(p *GatewayProbe) { p.Issuer = "https://old.company.com" }, "WRONG ISSUER", Fail, "REFUSED"},
		"for somebody else":        {jwt, func(p *GatewayProbe) { p.Audience = "shop" }, "WRONG AUDIENCE", Fail, "REFUSED"},
		"for nobody":               {jwt, func(p *GatewayProbe) { p.Audience = "" }, "YES", OK, "REFUSED"},
		"accepted all the same":    {jwt, func(p *GatewayProbe) { p.Audience, p.Code = "shop", 200 }, "WRONG AUDIENCE", Warn, "DEGRADED"},
		"a slash too many":         {jwt, func(p *GatewayProbe) { p.Issuer += "/" }, "WRONG ISSUER", Fail, "REFUSED"},
		"an authorizer for anyone": {Authorizer{Name: "c", Type: "JWT", Issuer: issuer}, nil, "YES", OK, "REFUSED"},
	} {
		t.Run(name, func(t *testing.T) {
			p := token
			if test.token != nil {
				test.token(&p)
			}
			r := edgeReading(t, "gw", nil, keys, saw("gw", CheckProbe, ItemWithToken, p), saw("gw", CheckAuthorizers, "", Authorizers{API: "a", Authorizers: []Authorizer{test.authorizer}}))
			f := edgeFact(t, r, "Token fits")
			if f.Value != test.fits || f.Status != test.status || r.Word != test.word || f.Formula == "" {
				t.Errorf("%s, %+v", r.Word, f)
			}
		})
	}
	slash := token
	slash.Issuer += "/"
	r := edgeReading(t, "gw", nil, keys, saw("gw", CheckProbe, ItemWithToken, slash), saw("gw", CheckAuthorizers, "", Authorizers{Authorizers: []Authorizer{jwt}}))
	if f := edgeFact(t, r, "Token fits"); !strings.Contains(f.Note, "differ by a slash") {
		t.Errorf("note %q", f.Note)
	}
	moved := jwt
	moved.Issuer = "https://new.company.com"
	r = edgeReading(t, "gw", nil, keys, saw("gw", CheckAuthorizers, "", Authorizers{Authorizers: []Authorizer{moved}}))
	if f := edgeFact(t, r, "Authorizer clients"); f.Value != "OTHER ISSUER" || f.Status != Warn || r.Status != Warn {
		t.Errorf("%s %+v", r.Status, f)
	}
	r = edgeReading(t, "gw", nil, keys, saw("gw", CheckAuthorizers, "", Authorizers{Authorizers: []Authorizer{}}))
	if f := edgeFact(t, r, "Authorizers"); f.Value != "NONE" || f.Status != Warn {
		t.Errorf("%+v", f)
	}
	down := saw("gw", CheckAuthorizers, "", nil)
	down.Failure = &Failure{Kind: ServerError, Detail: "HTTP 500"}
	if r = edgeReading(t, "gw", nil, down); r.Status != Fail {
		t.Errorf("a service that fails reads %s", r.Status)
	}
	r = edgeReading(t, "gw", nil, saw("gw", CheckAuthorizers, "", Authorizers{Authorizers: []Authorizer{{Name: "legacy", Type: "REQUEST", Function: "arn:f"}}}))
	if r.Status != OK || edgeFact(t, r, "Authorizer legacy").Value != "REQUEST" {
		t.Errorf("%s %+v", r.Status, r.Facts)
	}
}

func TestWhatTheRotationRoleMay(t *testing.T) {
	const secret = "arn:aws:secretsmanager:eu-west-1:1:secret:prod/db/postgres-AbCdEf"
	all := func(change func([]Permission) []Permission) Permissions {
		var list []Permission
		for _, action := range []string{"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"} {
			list = append(list, Permission{Action: action, Resource: secret, Decision: "allowed"}, Permission{Action: action, Resource: secret + "2", Decision: "allowed"})
		}
		list = append(list, Permission{Action: "secretsmanager:GetRandomPassword", Resource: "*", Decision: "allowed"},
			Permission{Action: "kms:Decrypt", Resource: "arn:aws:kms:eu-west-1:1:key/1", Decision: "allowed"}, Permission{Action: "kms:GenerateDataKey", Resource: "arn:aws:kms:eu-west-1:1:key/1", Decision: "allowed"})
		if change != nil {
			list = change(list)
		}
		return Permissions{Role: "arn:r", Permissions: list}
	}
	deny := func(decision, lacks string) func([]Permission) []Permission {
		return func(list []Permission) []Permission {
			list[4].Decision, list[4].Lacks, list[4].By = decision, lacks, "guardrail"
			return list
		}
	}
	failing := saw("fn", CheckFunctionMetrics, "", FunctionMetrics{Window: day, Invocations: 9, Errors: 9, LastErrors: 1, LastPoint: ago(10 * time.Minute)})
	for name, test := range map[string]struct {
		may    Data
		more   []Observation
		value  string
		status Status
		note   string
		word   string
	}{
		"all":              {all(nil), nil, "7 of 7", OK, "", "ACTIVE"},
		"not to store":     {all(deny("implicitDeny", "")), nil, "6 of 7", Warn, "lacks secretsmanager:PutSecretValue on prod/db/postgres", "LACKS RIGHTS"},
		"and it fails":     {all(deny("explicitDeny", "")), []Observation{failing}, "6 of 7", Fail, "lacks secretsmanager:PutSecretValue on prod/db/postgres", "ERROR"},
		"nobody knows":     {all(deny("implicitDeny", "aws:SourceVpce")), nil, "6 of 7", Unknown, "cannot tell secretsmanager:PutSecretValue", "NOT READ"},
		"may not be asked": {nil, nil, "?", Unknown, "not permitted", "NOT READ"},
	} {
		t.Run(name, func(t *testing.T) {
			o := saw("fn", CheckPermissions, "", test.may)
			if test.may == nil {
				o.Failure = &Failure{Kind: Denied, Detail: "iam:SimulatePrincipalPolicy"}
			}
			r := edgeReading(t, "fn", nil, append(test.more, o)...)
			f := edgeFact(t, r, "Role may")
			if f.Value != test.value || f.Status != test.status || !strings.Contains(f.Note, test.note) || r.Word != test.word {
				t.Errorf("%s, %+v", r.Word, f)
			}
			if !strings.Contains(f.Formula, "policies of the secrets, of the keys and of the organisation may decide otherwise") {
				t.Errorf("formula %q", f.Formula)
			}
		})
	}
	r := edgeReading(t, "fn", nil, failing, saw("fn", CheckPermissions, "", all(deny("explicitDeny", ""))))
	if f := edgeFact(t, r, "Role and secretsmanager:PutSecretValue"); f.Value != "DENIED" || !strings.Contains(f.Note, "denied by guardrail") {
		t.Errorf("%+v", f)
	}
}
