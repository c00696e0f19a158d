package awssim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"
)

// raw is an answer that no protocol encodes: what a function returned.
type raw struct {
	status  int
	headers map[string]string
	body    []byte
}

// namespaces are the XML namespaces of the query services.
var namespaces = map[string]string{
	"sts":                  "https://sts.amazonaws.com/doc/2011-06-15/",
	"monitoring":           "http://monitoring.amazonaws.com/doc/2010-08-01/",
	"elasticloadbalancing": "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
	"iam":                  "https://iam.amazonaws.com/doc/2010-05-08/",
}

func (q *request) succeed(w http.ResponseWriter, out any) {
	if r, ok := out.(raw); ok {
		for k, v := range r.headers {
			w.Header().Set(k, v)
		}
		q.send(w, r.status, "application/json", r.body)
		return
	}
	var t any = map[string]any{}
	if out != nil {
		t = tree(reflect.ValueOf(out))
	}
	switch q.proto {
	case cborRPC:
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		q.send(w, http.StatusOK, "application/cbor", cbor.Encode(toCBOR(t)))
	case query:
		var b bytes.Buffer
		b.WriteString("<" + q.name + `Response xmlns="` + namespaces[q.service] + `"><` + q.name + "Result>")
		writeXML(&b, t)
		b.WriteString("</" + q.name + "Result><ResponseMetadata><RequestId>" + q.id + "</RequestId></ResponseMetadata></" + q.name + "Response>")
		q.send(w, http.StatusOK, "text/xml", b.Bytes())
	default:
		if out == nil && q.proto == jsonRPC {
			q.send(w, http.StatusOK, q.jsonType(), nil)
			return
		}
		q.sendJSON(w, http.StatusOK, jsonValue(t))
	}
}

func (q *request) jsonType() string {
	if q.proto == restJSON {
		return "application/json"
	}
	if strings.HasSuffix(q.httpReq.Header.Get("Content-Type"), "-1.0") {
		return "application/x-amz-json-1.0"
	}
	return "application/x-amz-json-1.1"
}

func (q *request) sendJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// A figure that JSON cannot hold (NaN) is the only way to get here.
		b.Reset()
		status = http.StatusInternalServerError
		b.WriteString(`{"__type":"InternalFailure","message":"The request processing has failed because of an unknown error"}`)
	}
	q.send(w, status, q.jsonType(), bytes.TrimRight(b.Bytes(), "\n"))
}

func (q *request) send(w http.ResponseWriter, status int, contentType string, body []byte) {
	if len(body) > 0 {
		w.Header().Set("Content-Type", contentType)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// queryCodes are the modelled errors of CloudWatch that the other protocols
// name differently from its query protocol, which names the code that clients
// are to see.
var queryCodes = map[string]string{
	"InvalidParameterValueException":       "InvalidParameterValue",
	"InvalidParameterCombinationException": "InvalidParameterCombination",
	"MissingRequiredParameterException":    "MissingParameter",
	"InvalidNextToken":                     "InvalidNextToken",
}

// fail answers with an error in the request's own protocol.
func (q *request) fail(w http.ResponseWriter, e *apiError) {
	status := e.status
	if status == 0 {
		status = http.StatusBadRequest
		if e.code == "AccessDeniedException" && (q.proto == restJSON || q.proto == query) {
			status = http.StatusForbidden
		}
	}
	side := "Sender"
	if status >= 500 {
		side = "Receiver"
	}
	modelled := queryCodes[e.code]
	if q.service == "monitoring" && q.proto != query && modelled != "" {
		w.Header().Set("X-Amzn-Query-Error", modelled+";"+side)
	}
	switch q.proto {
	case query:
		code := cmp.Or(modelled, strings.TrimSuffix(e.code, "Exception"))
		var b bytes.Buffer
		b.WriteString(`<ErrorResponse xmlns="` + namespaces[q.service] + `"><Error><Type>` + side + `</Type><Code>` + code + `</Code><Message>`)
		_ = xml.EscapeText(&b, []byte(e.msg))
		b.WriteString(`</Message></Error><RequestId>` + q.id + `</RequestId></ErrorResponse>`)
		q.send(w, status, "text/xml", b.Bytes())
	case cborRPC:
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		q.send(w, status, "application/cbor", cbor.Encode(cbor.Map{"__type": cbor.String(e.code), "message": cbor.String(e.msg)}))
	case restJSON:
		w.Header().Set("X-Amzn-Errortype", e.code)
		if q.service == "apigateway" {
			q.sendJSON(w, status, map[string]any{"message": e.msg})
			return
		}
		m := map[string]any{"Type": "User", "Message": e.msg}
		if e.reason != "" {
			m["Reason"] = e.reason
		}
		q.sendJSON(w, status, m)
	default:
		w.Header().Set("X-Amzn-Errortype", e.code)
		key := "message"
		if q.service == "secretsmanager" || e.code == "AccessDeniedException" {
			key = "Message"
		}
		m := map[string]any{"__type": e.code}
		if e.msg != "" {
			m[key] = e.msg
		}
		q.sendJSON(w, status, m)
	}
}

// refuse words a refused authentication as the service does.
func (q *request) refuse(kind, detail string) *apiError {
	status := http.StatusBadRequest
	if q.proto != jsonRPC && q.proto != cborRPC {
		status = http.StatusForbidden
	}
	code, msg := "", detail
	switch kind {
	case authMissing:
		code, msg = "MissingAuthenticationTokenException", "Missing Authentication Token"
		if q.proto == query {
			msg = "Request is missing Authentication Token"
		}
	case authIncomplete:
		code = "IncompleteSignatureException"
		if q.proto == query {
			status = http.StatusBadRequest
		}
	case authUnknownKey:
		code, msg = "UnrecognizedClientException", "The security token included in the request is invalid."
		if q.proto == query {
			code = "InvalidClientTokenId"
		}
	case authExpired:
		code, msg = "ExpiredTokenException", "The security token included in the request is expired"
	default:
		code = "InvalidSignatureException"
		if q.proto == query {
			code = "SignatureDoesNotMatch"
		}
	}
	return &apiError{status: status, code: code, msg: msg}
}

// throttled words a call over its quota as the service does.
func (q *request) throttled() *apiError {
	switch {
	case q.service == "lambda":
		e := statusf(http.StatusTooManyRequests, "TooManyRequestsException", "Rate exceeded")
		e.reason = "CallerRateLimitExceeded"
		return e
	case q.service == "apigateway":
		return statusf(http.StatusTooManyRequests, "TooManyRequestsException", "Too Many Requests")
	case q.service == "kms":
		return errf("ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
	}
	return errf("ThrottlingException", "Rate exceeded")
}

// unknown answers a call that is not simulated as the service answers one that
// it has never heard of.
func (q *request) unknown(w http.ResponseWriter) {
	switch q.proto {
	case query:
		msg := "Could not find operation " + clip(q.name, 80)
		if q.version != "" {
			msg += " for version " + clip(q.version, 20)
		}
		q.fail(w, errf("InvalidAction", "%s", msg))
	case restJSON, cborRPC:
		q.fail(w, statusf(http.StatusNotFound, "UnknownOperationException", "The requested operation is not known to this service"))
	default:
		q.fail(w, errf("UnknownOperationException", ""))
	}
}

// spoil carries out a fault.
func (q *request) spoil(w http.ResponseWriter, f *Fault) {
	if f.Drop {
		// The server closes the connection without an answer.
		panic(http.ErrAbortHandler)
	}
	code := f.Code
	if code == "" {
		code = "InternalFailure"
	}
	q.fail(w, statusf(f.Status, code, "%s", f.Message))
}
