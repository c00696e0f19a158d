package checks

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

// Bounds of what is looked at in one record of CloudTrail, which somebody else
// wrote: its bytes, and the depth and number of values in its parameters.
const (
	recordLimit  = 256 << 10 // CloudTrail's own
	recordDepth  = 8
	recordValues = 400
)

// trailRecord is the part of CloudTrail's own record of an event that is looked at.
// Each service fills it in its own way, so nothing of it is relied upon.
type trailRecord struct {
	EventType       string
	SourceIPAddress string
	UserAgent       string
	ErrorCode       string
	ErrorMessage    string
	UserIdentity    struct {
		Type           string
		ARN            string
		UserName       string
		InvokedBy      string
		SessionContext struct {
			SessionIssuer struct{ ARN, UserName string }
		}
	}
	RequestParameters   json.RawMessage
	AdditionalEventData json.RawMessage
	ServiceEventDetails json.RawMessage
	Resources           []struct{ ARN string }
}

// trailRecordOf reads the record of an event as far as it can be read.
func trailRecordOf(e *cttypes.Event) trailRecord {
	var r trailRecord
	text := aws.ToString(e.CloudTrailEvent)
	if len(text) > recordLimit {
		return r
	}
	err := json.Unmarshal([]byte(text), &r)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return trailRecord{}
	}
	return r // a member of another type than expected is left out
}

// secret is the name or ARN of the secret that an event of Secrets Manager is
// about; empty when it does not say.
func (r trailRecord) secret(e *cttypes.Event) string {
	for _, raw := range []json.RawMessage{r.AdditionalEventData, r.ServiceEventDetails, r.RequestParameters} {
		if id := member(raw, "secretid", "secretarn", "arn", "name"); id != "" {
			return id
		}
	}
	for _, name := range r.touched(e) {
		if strings.Contains(name, ":secret:") {
			return name
		}
	}
	for _, one := range e.Resources {
		if aws.ToString(one.ResourceType) == "AWS::SecretsManager::Secret" {
			return aws.ToString(one.ResourceName)
		}
	}
	return ""
}

// fault is what a record says went wrong.
func (r trailRecord) fault() string {
	text := r.ErrorMessage
	for _, raw := range []json.RawMessage{r.AdditionalEventData, r.ServiceEventDetails} {
		if text == "" {
			text = member(raw, "errormessage", "failurereason", "reason", "message", "error", "errorcode")
		}
	}
	return strings.TrimSuffix(strings.TrimPrefix(r.ErrorCode+": "+text, ": "), ": ")
}

// member is the first of the named members of an object that is a text with
// something in it. Names are lower case.
func member(raw json.RawMessage, names ...string) string {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return ""
	}
	texts := map[string]string{}
	for key, one := range object {
		var text string
		if json.Unmarshal(one, &text) == nil && text != "" {
			texts[strings.ToLower(key)] = text
		}
	}
	for _, name := range names {
		if text := texts[name]; text != "" {
			return text
		}
	}
	return ""
}

// touched are the names of what an event is about: its resources and every text
// in its parameters.
func (r trailRecord) touched(e *cttypes.Event) []string {
	var out []string
	for _, one := range e.Resources {
		out = append(out, aws.ToString(one.ResourceName))
	}
	for _, one := range r.Resources {
		out = append(out, one.ARN)
	}
	r.parameters(func(_, text string) bool {
		out = append(out, text)
		return len(out) < recordValues
	})
	return slices.DeleteFunc(out, func(s string) bool { return s == "" || len(s) > arnLimit })
}

// parameters passes every text, number and truth in the parameters of the request
// to yield, in the order of their keys, each with the key that it stands under.
func (r trailRecord) parameters(yield func(key, text string) bool) {
	var all any
	decoder := json.NewDecoder(strings.NewReader(string(r.RequestParameters)))
	decoder.UseNumber()
	if decoder.Decode(&all) != nil {
		return
	}
	left := 4 * recordValues
	leaves(all, "", recordDepth, &left, yield)
}

func leaves(v any, key string, depth int, left *int, yield func(key, text string) bool) bool {
	*left--
	if depth < 0 || *left < 0 {
		return *left >= 0
	}
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			if !leaves(v[k], k, depth-1, left, yield) {
				return false
			}
		}
	case []any:
		for _, one := range v {
			if !leaves(one, key, depth-1, left, yield) {
				return false
			}
		}
	case string:
		return yield(key, v)
	case json.Number:
		return yield(key, v.String())
	case bool:
		if v {
			return yield(key, "true")
		}
		return yield(key, "false")
	}
	return true
}
