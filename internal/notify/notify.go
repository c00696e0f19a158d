// Package notify sends status updates to webhooks: one text, one place, one
// attempt.
//
// Its rules: the URL of a webhook is a secret. It is read from its variable or
// file at the moment of sending, kept nowhere, and in no error. It goes to https
// alone, but for this machine itself, and to no other host than its own. Nothing
// is tried twice: a person sees what became of it and presses again. What a server
// answers is bounded, and never repeated.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Schema names the shape of a text in warroom's own format.
const Schema = "warroom.update/v1"

const (
	timeout   = 10 * time.Second
	urlLimit  = 4 << 10  // bytes of a URL
	bodyLimit = 64 << 10 // bytes of an answer that are read
	textLimit = 38_000   // runes of a text; Slack cuts what is longer than 40,000
	waitLimit = 24 * time.Hour
)

// Format is the shape in which a place takes a text.
type Format string

// The formats. Slack's is also what those take that speak like it.
const (
	Slack Format = "slack" // {"text": …}, with &, < and > escaped
	JSON  Format = "json"  // {"schema": "warroom.update/v1", "text": …}
)

// Place is one place to which texts can be sent. Exactly one of Env and File says
// where its URL is.
type Place struct {
	Name     string
	Env      string // the environment variable that holds it
	File     string // the file that holds it, alone in its first line
	Format   Format // Slack when empty
	Security bool   // it is where security is told of a compromise
}

// Sender sends texts to its places. Its methods may be called at the same time.
type Sender struct {
	places []Place
	client *http.Client
}

// New makes the Sender of some places. It reads no URL yet.
func New(places []Place) *Sender {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // texts are minutes apart
	transport.MaxResponseHeaderBytes = bodyLimit
	return &Sender{places: places, client: &http.Client{
		Timeout: timeout, Transport: transport,
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			if len(via) > 3 || to.URL.Host != via[0].URL.Host || to.URL.Scheme != via[0].URL.Scheme || to.Method != via[0].Method {
				return http.ErrUseLastResponse // it then counts as an answer of 3xx
			}
			return nil
		},
	}}
}

// Places lists where texts can go, in their order.
func (s *Sender) Places() []Place { return append([]Place(nil), s.places...) }

// Send sends a text to one place and returns when it was taken. The error is an
// *Error.
func (s *Sender) Send(ctx context.Context, place, text string) error {
	for i := range s.places {
		if p := &s.places[i]; p.Name == place {
			return s.send(ctx, p, text)
		}
	}
	return &Error{Place: place, Kind: Misconfigured, Detail: "no webhook has this name", Next: "name it under incident.webhooks in warroom.yaml"}
}

func (s *Sender) send(ctx context.Context, p *Place, text string) error {
	failed := func(kind Kind, detail, next string) error {
		return &Error{Place: p.Name, Kind: kind, Detail: detail, Next: next}
	}
	if strings.TrimSpace(text) == "" {
		return failed(Misconfigured, "there is nothing to send", "write the update first")
	}
	if n := len([]rune(text)); n > textLimit {
		return failed(Misconfigured, fmt.Sprintf("the text has %d letters, more than the %d that arrive whole", n, textLimit), "shorten it")
	}
	to, err := p.url()
	if err != nil {
		return err
	}
	body, err := p.body(text)
	if err != nil {
		return failed(Misconfigured, "the text cannot be written in the format "+string(p.Format), "")
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return failed(Misconfigured, "its URL cannot be used", "make a new webhook")
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "warroom")
	res, err := s.client.Do(req)
	if err != nil {
		return failed(unsent(ctx, err))
	}
	defer res.Body.Close()
	// The answer is read so that what was sent was taken whole; what it says may
	// repeat the URL, and is not told.
	_, rest := io.Copy(io.Discard, io.LimitReader(res.Body, bodyLimit))
	switch code := res.StatusCode; {
	case code >= 200 && code < 300 && rest == nil:
		return nil
	case code >= 200 && code < 300:
		return failed(Unclear, "its answer broke off: it may have arrived", "look there before sending again")
	case code == http.StatusTooManyRequests:
		e := &Error{Place: p.Name, Kind: Limited, Wait: wait(res.Header.Get("Retry-After")), Detail: "HTTP 429: too many texts in a short time", Next: "send it again later"}
		if e.Wait > 0 {
			e.Next = "send it again in " + e.Wait.String()
		}
		return e
	case code >= 300 && code < 400:
		return failed(Refused, fmt.Sprintf("HTTP %d: it points elsewhere, where the text was not sent", code), "make a new webhook, or correct its URL")
	case code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusNotFound || code == http.StatusGone:
		return failed(Refused, fmt.Sprintf("HTTP %d %s: its URL is no longer good", code, http.StatusText(code)), "make a new webhook")
	case code >= 500:
		return failed(Unclear, fmt.Sprintf("HTTP %d %s: it may have arrived", code, http.StatusText(code)), "look there before sending again")
	default:
		return failed(Refused, fmt.Sprintf("HTTP %d %s", code, http.StatusText(code)), "check the format of this webhook in warroom.yaml")
	}
}

// body is the text as the place takes it.
func (p *Place) body(text string) ([]byte, error) {
	if p.Format == JSON {
		return json.Marshal(struct {
			Schema string `json:"schema"`
			Text   string `json:"text"`
		}{Schema, text})
	}
	// Slack takes these three for its own marks: <!channel> would call everybody.
	return json.Marshal(map[string]string{"text": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)})
}

// url reads where the place is. Its errors say where the URL stands and nothing
// of it.
func (p *Place) url() (*url.URL, error) {
	failed := func(detail, next string) error {
		return &Error{Place: p.Name, Kind: Misconfigured, Detail: detail, Next: next}
	}
	text, from := os.Getenv(p.Env), "the environment variable "+p.Env
	if p.Env == "" {
		from = "the file " + p.File
		file, err := os.Open(p.File)
		if err != nil {
			var reason *os.PathError
			if errors.As(err, &reason) {
				err = reason.Err
			}
			return nil, failed(from+", which should hold its URL, cannot be read: "+err.Error(), "write the URL into it, readable by you only")
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
			return nil, failed(fmt.Sprintf("%s can be read by others (%s)", from, info.Mode().Perm()), "chmod 600 it, and make a new webhook if others had it")
		}
		data, err := io.ReadAll(io.LimitReader(file, urlLimit+1))
		if err != nil {
			return nil, failed(from+" cannot be read", "")
		}
		text, _, _ = strings.Cut(string(data), "\n")
	}
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return nil, failed(from+" is empty; it should hold its URL", "set it before warroom starts")
	case len(text) > urlLimit:
		return nil, failed(from+" holds more than a URL", "")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return nil, failed(from+" holds no URL", "it should begin with https:// and a host")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, failed(from+" holds a URL that is not https: its token would travel in clear", "it should begin with https://")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// wait is how long an answer asks to wait; 0 when it does not say.
func wait(header string) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(header)); err == nil {
		return min(max(time.Duration(min(n, 1<<20))*time.Second, 0), waitLimit)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(time.Until(at).Round(time.Second), 0), waitLimit)
	}
	return 0
}
