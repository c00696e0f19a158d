package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// wordLimit is how long a state word may be.
const wordLimit = 24

// healthCheck reads the health endpoint of one application.
type healthCheck struct {
	health *config.HealthCheck
	client *clients.HTTP
	build  builder
}

func (b builder) health(h *config.HealthCheck) Probe {
	c := &healthCheck{health: h, client: b.set.HTTP(h.CACert), build: b}
	return b.probe(estate.CheckHealth, "", "GET "+shown(h.URL), b.cfg.Checks.Interval, c.read)
}

func (c *healthCheck) read(ctx context.Context) Result {
	doing := "read health of " + shown(c.health.URL)
	answer, err := c.client.Get(ctx, c.health.URL, nil, true)
	if err != nil {
		return c.build.failed(doing, err)
	}
	out := estate.Health{Code: answer.Code, Retries: -1}
	document, err := parseJSON(answer)
	switch {
	case err == nil:
		out.Word = strings.ToUpper(answer.Text(word(field(document, c.health.Status)), wordLimit))
		out.Connection = strings.ToUpper(answer.Text(word(field(document, c.health.Connection)), wordLimit))
		out.Retries = count(field(document, c.health.Retries))
		out.Version = answer.Text(word(field(document, c.health.Version)), 64)
		if at, err := time.Parse(time.RFC3339, word(field(document, c.health.LastSync))); err == nil {
			out.LastSync = at.UTC()
		}
	case answer.Code != http.StatusOK:
		// An unhealthy application, or the proxy before it, need not speak JSON: the
		// code says it.
	case !answer.Whole:
		return c.build.failed(doing, err)
	default:
		// Many health endpoints say "OK" and nothing else; a page in HTML is
		// somebody else's, a login or a proxy.
		text := strings.TrimSpace(string(answer.Body))
		if len(text) > wordLimit || strings.ContainsAny(text, "<{[ \n\t") {
			return c.build.failed(doing, err)
		}
		out.Word = strings.ToUpper(answer.Text(text, wordLimit))
	}
	return Result{Data: out}
}

// getJSON reads a JSON document that is expected with status 200.
func getJSON(ctx context.Context, client *clients.HTTP, address string, into any) (*clients.Answer, error) {
	answer, err := client.Get(ctx, address, nil, true)
	if err != nil {
		return nil, err
	}
	if answer.Code != http.StatusOK {
		return nil, statusFailure(answer.Code)
	}
	if _, err := parseJSON(answer); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(answer.Body, into); err != nil {
		return nil, &estate.Failure{Kind: estate.BadAnswer, Detail: "its JSON has another shape than expected"}
	}
	return answer, nil
}

// parseJSON parses a body that should be one JSON document, or says in words
// what it is instead. It quotes nothing of the body.
func parseJSON(a *clients.Answer) (any, error) {
	bad := func(detail string) error { return &estate.Failure{Kind: estate.BadAnswer, Detail: detail} }
	body := bytes.TrimSpace(bytes.TrimPrefix(a.Body, []byte("\ufeff")))
	switch {
	case !a.Whole:
		return nil, bad("the answer is larger than an honest one can be")
	case len(body) == 0:
		return nil, bad("the answer is empty, not JSON")
	case body[0] == '<':
		return nil, bad("it answers HTML, not JSON: a login page or a proxy?")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var out any
	if err := decoder.Decode(&out); err != nil {
		return nil, bad("the answer is not JSON")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, bad("the answer is more than one JSON document")
	}
	return out, nil
}

// field finds a value by a dotted path; a number goes into a list.
func field(document any, path string) any {
	for path != "" {
		key, rest, _ := strings.Cut(path, ".")
		switch at := document.(type) {
		case map[string]any:
			document = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			document = at[i]
		default:
			return nil
		}
		path = rest
	}
	return document
}

// word is a scalar as text; empty for what is none.
func word(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// count is a non-negative whole number, or -1.
func count(value any) int {
	n, err := strconv.ParseFloat(word(value), 64)
	if err != nil || math.IsNaN(n) || n < 0 || n > math.MaxInt32 || n != math.Trunc(n) {
		return -1
	}
	return int(n)
}

func statusText(code int) string {
	if text := http.StatusText(code); text != "" {
		return fmt.Sprintf("%d %s", code, text)
	}
	return strconv.Itoa(code)
}
