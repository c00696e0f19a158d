package awssim

import (
	"cmp"
	"encoding/json"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Event is one record of CloudTrail: a call that somebody made, or something
// that a service did by itself.
type Event struct {
	ID        string // made from the seed when empty
	At        time.Time
	Region    string // the account's own when empty; events of IAM are of us-east-1 whatever is said
	Source    string // "secretsmanager.amazonaws.com"
	Name      string // "PutSecretValue"
	Service   bool   // an AwsServiceEvent: nobody called
	ReadOnly  bool
	Principal string // ARN of who called
	AccessKey string
	From      string // source address
	Agent     string // user agent
	Resources []EventResource
	Request   map[string]any // requestParameters, without anything secret
	Response  map[string]any // responseElements
	Extra     map[string]any // additionalEventData
	Code      string         // errorCode of a call that was refused
	Message   string         // errorMessage
}

// EventResource is what a call was about.
type EventResource struct{ Type, Name string }

// globalRegion is where events of global services are recorded.
const globalRegion = "us-east-1"

// eventLife is how far back LookupEvents looks.
const eventLife = 90 * 24 * time.Hour

// trailEvent is an Event with its number, which orders events of one second.
type trailEvent struct {
	Event
	number uint64
}

// compare orders oldest first.
func (a *trailEvent) compare(b *trailEvent) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.number, b.number))
}

// AddEvent states an event. Like one that a call leaves behind, it can be looked
// up once it has been delivered.
func (s *Sim) AddEvent(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record(e)
}

// record keeps an event; the caller holds s.mu. CloudTrail's times are whole
// seconds.
func (s *Sim) record(e Event) {
	if e.At.IsZero() {
		e.At = s.now()
	}
	e.At = e.At.UTC().Truncate(time.Second)
	if e.Region == "" {
		e.Region = s.region
	}
	if e.Source == "iam.amazonaws.com" {
		e.Region = globalRegion
	}
	s.eventSerial++
	kept := &trailEvent{e, s.eventSerial}
	i, _ := slices.BinarySearchFunc(s.events, kept, (*trailEvent).compare)
	s.events = slices.Insert(s.events, i, kept)
	// What is older than AWS would show goes, some at a time.
	if old := s.now().Add(-eventLife); len(s.events) > 0 && s.events[0].At.Before(old) && len(s.events)%64 == 0 {
		s.events = slices.DeleteFunc(s.events, func(x *trailEvent) bool { return x.At.Before(old) })
	}
}

// eventID is the event's id; those that nobody gave follow from the seed.
func (s *Sim) eventID(e *trailEvent) string {
	if e.ID == "" {
		e.ID = s.uuid("event", e.Name, e.At.String(), strconv.FormatUint(e.number, 10))
	}
	return e.ID
}

// rotationEvent is what Secrets Manager records of a rotation by itself; the
// caller holds s.mu.
func (s *Sim) rotationEvent(name string, sec *secret, message string) {
	s.record(RotationEvent(name, sec.ARN, s.now(), message))
}

// RotationEvent is the event of a rotation as Secrets Manager records it:
// RotationStarted, RotationSucceeded, RotationFailed or RotationAbandoned.
func RotationEvent(name, secretARN string, at time.Time, message string) Event {
	return Event{
		At: at, Source: "secretsmanager.amazonaws.com", Name: name, Service: true, From: "secretsmanager.amazonaws.com", Agent: "secretsmanager.amazonaws.com",
		Extra: map[string]any{"SecretId": secretARN}, Resources: []EventResource{{"AWS::SecretsManager::Secret", secretARN}}, Message: message,
	}
}

// written are the operations that change something, with what CloudTrail calls
// their service, and the event where it is not called as the operation.
var written = map[string]struct{ source, name, kind string }{
	"secretsmanager:CreateSecret":             {"secretsmanager", "", "AWS::SecretsManager::Secret"},
	"secretsmanager:PutSecretValue":           {"secretsmanager", "", "AWS::SecretsManager::Secret"},
	"secretsmanager:UpdateSecret":             {"secretsmanager", "", "AWS::SecretsManager::Secret"},
	"secretsmanager:UpdateSecretVersionStage": {"secretsmanager", "", "AWS::SecretsManager::Secret"},
	"secretsmanager:RotateSecret":             {"secretsmanager", "", "AWS::SecretsManager::Secret"},
	"secretsmanager:CancelRotateSecret":       {"secretsmanager", "", "AWS::SecretsManager::Secret"},
	"secretsmanager:DeleteSecret":             {"secretsmanager", "", "AWS::SecretsManager::Secret"},
	"secretsmanager:RestoreSecret":            {"secretsmanager", "", "AWS::SecretsManager::Secret"},
	"secretsmanager:TagResource":              {"secretsmanager", "", "AWS::SecretsManager::Secret"},
	"secretsmanager:UntagResource":            {"secretsmanager", "", "AWS::SecretsManager::Secret"},
	"lambda:UpdateFunctionConfiguration":      {"lambda", "UpdateFunctionConfiguration20150331v2", "AWS::Lambda::Function"},
	"acm:ImportCertificate":                   {"acm", "", "AWS::CertificateManager::Certificate"},
	"acm:AddTagsToCertificate":                {"acm", "", "AWS::CertificateManager::Certificate"},
}

// unrecorded are the parameters that CloudTrail leaves out because they are
// secret, or may hold what is.
var unrecorded = []string{"SecretString", "SecretBinary", "PrivateKey", "Certificate", "CertificateChain", "Environment"}

// remember records a call that changed something, or was refused in trying. The
// reads that CloudTrail records as well are not kept.
func (s *Sim) remember(c *call, op operation, requestID string, fail *apiError) {
	w, ok := written[op.id()]
	if !ok {
		return
	}
	e := Event{
		At: s.now(), Source: w.source + ".amazonaws.com", Name: cmp.Or(w.name, op.name), Principal: c.who.Principal, AccessKey: c.key,
		Agent: clip(c.http.UserAgent(), 256), Request: recorded(c.in), Extra: map[string]any{"requestId": requestID},
	}
	e.From, _, _ = net.SplitHostPort(c.http.RemoteAddr)
	if fail != nil {
		e.Code, e.Message = fail.code, clip(fail.msg, 1024)
		if e.Code == "AccessDeniedException" {
			e.Code = "AccessDenied"
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, field := range []string{"SecretId", "Name", "FunctionName", "CertificateArn"} {
		id, _ := c.in[field].(string)
		if id == "" {
			continue
		}
		name := clip(id, 2048)
		if sec := s.findSecret(id); sec != nil && w.source == "secretsmanager" {
			name = sec.ARN
		}
		e.Resources = append(e.Resources, EventResource{w.kind, name})
		break
	}
	s.record(e)
}

// recorded is a request's input as CloudTrail writes it: its names begin in
// lower case.
func recorded(in map[string]any) map[string]any {
	out := map[string]any{}
	for _, k := range slices.Sorted(maps.Keys(in)) {
		if slices.Contains(unrecorded, k) || k == "" {
			continue
		}
		switch v := in[k].(type) {
		case string:
			out[lowerFirst(k)] = clip(v, 1024)
		case bool, json.Number, []any, map[string]any:
			out[lowerFirst(k)] = v
		case queryText:
			out[lowerFirst(k)] = clip(string(v), 1024)
		}
	}
	return out
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// username is what LookupEvents calls who called: the user, or the session of a
// role.
func username(principal string) string { return principal[strings.LastIndexByte(principal, '/')+1:] }

// identity is the userIdentity of an event.
func (s *Sim) identity(e *Event) map[string]any {
	if e.Service {
		return map[string]any{"accountId": s.account, "invokedBy": e.Source}
	}
	who := map[string]any{"type": "IAMUser", "arn": e.Principal, "accountId": s.account, "principalId": s.principalID("AIDA", e.Principal), "userName": username(e.Principal)}
	if e.AccessKey != "" {
		who["accessKeyId"] = e.AccessKey
	}
	if _, role, ok := strings.Cut(e.Principal, ":assumed-role/"); ok {
		name, session, _ := strings.Cut(role, "/")
		delete(who, "userName")
		id := s.principalID("AROA", name)
		who["type"], who["principalId"] = "AssumedRole", id+":"+session
		who["sessionContext"] = map[string]any{
			"sessionIssuer": map[string]any{"type": "Role", "principalId": id, "arn": s.roleARN(name), "accountId": s.account, "userName": name},
			"attributes":    map[string]any{"mfaAuthenticated": "false", "creationDate": e.At.Format(time.RFC3339)},
		}
	}
	return who
}

// document is the event as CloudTrail writes it.
func (s *Sim) document(e *trailEvent) string {
	kind, extra := "AwsApiCall", maps.Clone(e.Extra)
	if e.Service {
		kind = "AwsServiceEvent"
	}
	request, _ := extra["requestId"].(string)
	delete(extra, "requestId")
	m := map[string]any{
		"eventVersion": "1.08", "userIdentity": s.identity(&e.Event), "eventTime": e.At.Format(time.RFC3339), "eventSource": e.Source, "eventName": e.Name,
		"awsRegion": e.Region, "sourceIPAddress": e.From, "userAgent": e.Agent, "requestParameters": e.Request, "responseElements": e.Response,
		"requestID": cmp.Or(request, s.uuid("event request", s.eventID(e))), "eventID": s.eventID(e), "readOnly": e.ReadOnly, "eventType": kind,
		"managementEvent": true, "recipientAccountId": s.account, "eventCategory": "Management",
	}
	if len(extra) > 0 {
		m["additionalEventData"] = extra
	}
	if e.Code != "" {
		m["errorCode"] = e.Code
	}
	if e.Message != "" {
		m["errorMessage"] = e.Message
	}
	raw, _ := json.Marshal(m) // strings, numbers and what a request held
	return string(raw)
}
