package apikey

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// verdict is what a provider's answer says. Only works is yes; only refused says no
// to the key itself.
type verdict string

const (
	works     verdict = "works"
	refused   verdict = "refused"
	forbidden verdict = "forbidden"
	limited   verdict = "limited"
	trouble   verdict = "server trouble"
	silent    verdict = "no answer"
	odd       verdict = "unexpected answer"
)

// answer is what came of one call.
type answer struct {
	verdict verdict
	code    int           // 0 where nothing came
	after   time.Duration // when to ask again, where the provider says so
	said    string        // its own words, where it refuses; scrubbed, bounded
	unsent  bool          // nothing came because the request never reached the provider

	document any // the JSON of a yes; nil where it is none
}

// String says it to a person.
func (a answer) String() string {
	var text string
	switch a.verdict {
	case works:
		return "works (" + status(a.code) + ")"
	case refused:
		text = "is refused (" + status(a.code) + ")"
	case forbidden:
		text = "is known and forbidden this call (" + status(a.code) + ")"
	case limited:
		text = "is rate limited (" + status(a.code) + "), which says nothing of the key"
		if a.after > 0 {
			text += "; the provider asks to wait " + a.after.Round(time.Second).String()
		}
	case trouble:
		text = "cannot be judged: the provider has trouble of its own (" + status(a.code) + ")"
	case silent:
		text = "cannot be judged: no answer came"
	default:
		text = "cannot be judged: the provider answers " + status(a.code) + ", which says nothing of a key"
	}
	if a.said != "" {
		text += ": " + a.said
	}
	return text
}

func status(code int) string {
	if text := http.StatusText(code); text != "" {
		return strconv.Itoa(code) + " " + text
	}
	return strconv.Itoa(code)
}

// temporary reports an answer that may be another one by itself in a while.
func (a answer) temporary() bool {
	return a.verdict == limited || a.verdict == trouble || a.verdict == silent
}

// judge reads the status of an answer.
func judge(call *config.ProviderCall, code int) verdict {
	switch {
	case slices.Contains(call.OK, code), len(call.OK) == 0 && code/100 == 2:
		return works
	case code == http.StatusUnauthorized:
		return refused
	case code == http.StatusForbidden:
		return forbidden
	case code == http.StatusTooManyRequests:
		return limited
	case code/100 == 5:
		return trouble
	}
	return odd
}

const (
	saidLimit = 120
	// longestWait bounds what a Retry-After may ask for.
	longestWait = time.Hour
)

// reading is an answer as it came over the wire.
func reading(call *config.ProviderCall, a *clients.Answer, now time.Time) answer {
	out := answer{verdict: judge(call, a.Code), code: a.Code, after: retryAfter(a.Header.Get("Retry-After"), now)}
	document, err := parse(a)
	switch {
	case err == nil && out.verdict == works:
		out.document = document
	case err == nil && a.Code >= 400:
		// Of an answer below 400 nothing is quoted: it can hold a new key in a place
		// where nobody looks for one.
		for _, name := range []string{"message", "error.message", "error_description", "error"} {
			if text, ok := find(document, name).(string); ok && text != "" {
				out.said = a.Text(text, saidLimit)
				break
			}
		}
	}
	return out
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil {
		return min(max(time.Duration(n), 0), longestWait/time.Second) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), longestWait)
	}
	return 0
}

// parse reads the body of an answer as one JSON document. Its error quotes nothing.
func parse(a *clients.Answer) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(a.Body))
	decoder.UseNumber()
	var out any
	if !a.Whole || decoder.Decode(&out) != nil {
		return nil, errors.New("the answer is not one JSON document")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the answer is more than one JSON document")
	}
	return out, nil
}

// find follows a dotted path; a number goes into a list. nil is what is not there.
func find(document any, path string) any {
	found, _ := look(document, path)
	return found
}

// look is find that tells null from what is not there.
func look(document any, path string) (found any, there bool) {
	there = true
	for path != "" && there {
		key, rest, _ := strings.Cut(path, ".")
		switch at := document.(type) {
		case map[string]any:
			document, there = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if there = err == nil && i >= 0 && i < len(at); there {
				document = at[i]
			}
		default:
			there = false
		}
		path = rest
	}
	if !there {
		return nil, false
	}
	return document, true
}

// text is a string or a number of a document, as text.
func text(document any, path string) string {
	switch v := find(document, path).(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// lacks says that a yes of the provider does not hold what the call is for.
func lacks(doing, what, path string) *estate.Failure {
	return &estate.Failure{
		Kind: estate.BadAnswer, Doing: doing, Detail: "the answer has no " + what + " at " + path,
		Next: "correct the path in warroom.yaml; what the provider made is found by its name",
	}
}
