package awssim

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strings"
)

// Bounds of a request's body. Lambda takes payloads of 6 MB, the others no
// more than the largest documented request.
const (
	maxBody       = 1 << 20
	maxInvokeBody = 6 << 20
)

// operation is one simulated call.
type operation struct {
	service, name string // as in "kms", "DescribeKey"
	action        string // what IAM calls it
	free          bool   // no policy can forbid it
	run           func(c *call) (any, *apiError)
}

func (o operation) id() string { return o.service + ":" + o.name }

// call is one authenticated request on its way through an operation.
type call struct {
	sim *Sim
	who *credential
	key string // access key id
	// region is that of the signature: the account's own, but for global services
	// and what CloudTrail keeps of them.
	region string
	in     map[string]any
	body   []byte
	http   *http.Request
	proto  protocol
}

// define makes an operation of a handler with a typed input.
func define[I any](service, name string, f func(*call, *I) (any, *apiError)) operation {
	return operation{service: service, name: name, action: service + ":" + name, run: func(c *call) (any, *apiError) {
		var in I
		if err := fill(reflect.ValueOf(&in).Elem(), c.in, ""); err != nil {
			return nil, err
		}
		return f(c, &in)
	}}
}

// request is what is known of a request before it is understood.
type request struct {
	proto   protocol
	service string // signing name: "monitoring" for CloudWatch
	name    string // operation
	prefix  string // of X-Amz-Target
	version string // of a query request
	id      string
	input   map[string]any // of a path
	httpReq *http.Request
}

// targets are the X-Amz-Target prefixes by signing name.
var targets = map[string]string{
	"secretsmanager": "secretsmanager", "kms": "TrentService", "logs": "Logs_20140328", "monitoring": "GraniteServiceVersion20100801",
	"cloudtrail": "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101", "acm": "CertificateManager",
}

// routes name the operation that a method and path stand for, with its input, by
// signing name; an operation without a name is another service's.
var routes = map[string]func(*http.Request) (string, map[string]any){"lambda": lambdaRoute, "apigateway": apiRoute}

func (s *Sim) operations() map[string]map[string]operation {
	out := map[string]map[string]operation{}
	add := func(signing string, ops []operation) {
		m := map[string]operation{}
		for _, o := range ops {
			m[o.name] = o
		}
		out[signing] = m
	}
	add("secretsmanager", secretsOperations())
	add("lambda", lambdaOperations())
	add("kms", kmsOperations())
	add("sts", stsOperations())
	add("monitoring", cloudwatchOperations())
	add("logs", logsOperations())
	add("cloudtrail", cloudtrailOperations())
	add("acm", acmOperations())
	add("elasticloadbalancing", elbOperations())
	add("apigateway", apiOperations())
	add("iam", iamOperations())
	return out
}

func (s *Sim) serve(w http.ResponseWriter, r *http.Request) {
	q := &request{id: s.requestID(), httpReq: r}
	w.Header().Set("X-Amzn-Requestid", q.id)
	w.Header().Set("Date", s.now().Format(http.TimeFormat))
	auth, refusal, detail := parseAuthorization(r)
	q.service = auth.service
	q.recognise()
	limit := int64(maxBody)
	if q.name == "Invoke" {
		limit = maxInvokeBody
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			w.Header().Set("Connection", "close")
			q.fail(w, statusf(http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request size exceeded %d bytes", limit))
			return
		}
		q.fail(w, errf("SerializationException", "The request body could not be read"))
		return
	}
	in, parseErr := q.parse(body)
	var who *credential
	if refusal == "" {
		who, refusal, detail = s.verify(r, auth, body)
	}
	if refusal != "" {
		q.fail(w, q.refuse(refusal, detail))
		return
	}
	op, ok := s.ops[q.service][q.name]
	if !ok || q.prefix != "" && !q.targeted() {
		q.unknown(w)
		return
	}
	region := cmp.Or(auth.region, s.region)
	room := s.meter.take(op.id(), region)
	s.pause(r.Context())
	if !room {
		q.fail(w, q.throttled())
		return
	}
	fault := s.takeFault(op.id())
	if fault != nil && !fault.After {
		q.spoil(w, fault)
		return
	}
	c := &call{sim: s, who: who, key: auth.accessKey, in: in, region: region, body: body, http: r, proto: q.proto}
	out, fail := any(nil), parseErr
	if fail == nil && !op.free {
		fail = who.authorise(op.action, s.resources(q.service, in)...)
	}
	if fail == nil {
		out, fail = op.run(c)
	}
	s.remember(c, op, q.id, fail)
	switch {
	case fault != nil:
		q.spoil(w, fault)
	case fail != nil:
		q.fail(w, fail)
	default:
		q.succeed(w, out)
	}
}

// targeted says whether the prefix is the service's: in full, or its last part
// alone.
func (q *request) targeted() bool {
	full := targets[q.service]
	return q.prefix == full || q.prefix == full[strings.LastIndexByte(full, '.')+1:]
}

// recognise tells the protocol, the operation and, where the signature does
// not, the service.
func (q *request) recognise() {
	r := q.httpReq
	ct, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	target := r.Header.Get("X-Amz-Target")
	switch {
	case target != "":
		q.proto = jsonRPC
		// The operation is what follows the last dot: some prefixes have dots.
		dot := strings.LastIndexByte(target, '.')
		q.prefix, q.name = target[:max(dot, 0)], target[dot+1:]
		for service, prefix := range targets {
			if q.service == "" && prefix == q.prefix {
				q.service = service
			}
		}
	case r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor" || strings.HasPrefix(r.URL.Path, "/service/"):
		q.proto = cborRPC
		// /service/NAME/operation/NAME
		if f := strings.Split(r.URL.Path, "/"); len(f) == 5 && f[3] == "operation" {
			q.prefix, q.name = f[2], f[4]
		}
		if q.service == "" {
			q.service = "monitoring"
		}
	case ct == "application/x-www-form-urlencoded" || r.URL.Query().Get("Action") != "":
		q.proto = query
	default:
		q.proto = restJSON
		for service, route := range routes {
			if name, in := route(r); name != "" {
				q.name, q.input = name, in
				q.service = cmp.Or(q.service, service)
			}
		}
	}
}

// parse reads the request's input. A query request's action is in its body.
func (q *request) parse(body []byte) (map[string]any, *apiError) {
	switch q.proto {
	case cborRPC:
		return parseCBOR(body)
	case restJSON:
		in := map[string]any{}
		if q.httpReq.Method == http.MethodPut {
			var err *apiError
			if in, err = parseJSON(body); err != nil {
				return nil, err
			}
		}
		maps.Copy(in, q.input) // what the path says goes
		return in, nil
	case query:
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, errf("MalformedQueryString", "The query string is malformed")
		}
		for k, v := range q.httpReq.URL.Query() {
			form[k] = append(form[k], v...)
		}
		q.name, q.version = form.Get("Action"), form.Get("Version")
		return parseQuery(form)
	}
	return parseJSON(body)
}

// resources are the forms in which a policy may name what a request is about.
func (s *Sim) resources(service string, in map[string]any) []string {
	text := func(key string) string {
		switch v := in[key].(type) {
		case string:
			return v
		case queryText:
			return string(v)
		}
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch service {
	case "secretsmanager":
		id := text("SecretId")
		if sec := s.findSecret(id); sec != nil {
			return []string{id, sec.ARN, sec.Name}
		}
		return []string{id}
	case "kms":
		id := text("KeyId")
		if k, ok := s.findKey(id); ok {
			return []string{s.arn("kms", "key/"+k.ID), id}
		}
		return []string{id}
	case "lambda":
		if name := text("FunctionName"); name != "" {
			return []string{s.arn("lambda", "function:"+functionName(name)), functionName(name)}
		}
	case "sts":
		return []string{text("RoleArn")}
	case "acm":
		return []string{text("CertificateArn")}
	case "apigateway":
		return []string{"arn:aws:apigateway:" + s.region + "::" + text("path")}
	case "iam":
		if role := text("RoleName"); role != "" {
			return []string{s.roleARN(role)}
		}
		return []string{text("PolicySourceArn")}
	case "logs":
		if g := text("logGroupName"); g != "" {
			return []string{s.arn("logs", "log-group:"+g+":log-stream:"), g}
		}
	}
	return []string{"*"}
}
