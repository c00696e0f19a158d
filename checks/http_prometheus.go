package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// prometheus asks one Prometheus server one query.
type prometheus struct {
	url, asks string // asks: the configured PromQL
	window    time.Duration
	where     string // of the query in warroom.yaml
	client    *clients.HTTP
	build     builder
}

// query is the configured PromQL with $window filled in.
func (c *prometheus) query() string {
	return strings.ReplaceAll(c.asks, "$window", fmt.Sprintf("%ds", int(c.window.Seconds())))
}

func (c *prometheus) address(api string) string {
	return strings.TrimSuffix(c.url, "/") + "/api/v1/" + api
}

// source says which call, at which endpoint.
func (c *prometheus) source() string {
	return "GET " + shown(c.address("query")) + " " + c.query()
}

func (c *prometheus) doing() string { return "query " + shown(c.address("query")) }

// now is the number that the query yields now.
func (c *prometheus) now(ctx context.Context) (float64, error) {
	if c.asks == "" {
		return 0, &estate.Failure{Kind: estate.Misconfigure, Doing: c.doing(), Detail: "no query is configured", Next: "set " + c.where + " in warroom.yaml"}
	}
	answer, err := c.client.Get(ctx, c.address("query")+"?query="+url.QueryEscape(c.query()), nil, true)
	if err != nil {
		return 0, err
	}
	return instant(answer, c.where)
}

// prometheusCheck asks a Prometheus server for a share of failures.
type prometheusCheck struct{ prometheus }

func (c *prometheusCheck) read(ctx context.Context) Result {
	share, err := c.now(ctx)
	if err != nil {
		return c.build.failed(c.doing(), err)
	}
	if share < 0 || share > 1 {
		return c.build.failed(c.doing(), &estate.Failure{
			Kind: estate.Misconfigure, Detail: "the query yields " + strconv.FormatFloat(share, 'g', 6, 64) + " where a share between 0 and 1 is needed",
			Next: "correct " + c.where + " in warroom.yaml",
		})
	}
	out := estate.FailureRate{Window: c.window, Metric: clients.Strip(c.query(), 200)}
	// The share of no attempts at all is 0/0: that is no failure rate, and Total
	// stays 0 to say so.
	if !math.IsNaN(share) {
		out.Total, out.Failed = 1, share
	}
	return Result{Data: out}
}

// prometheusProbes reads the retries of applications and the failed
// authentications that Prometheus counts.
func prometheusProbes(cfg *config.Config, set *clients.Set, with shared) []Probe {
	var out []Probe
	for i := range cfg.Components {
		c := &cfg.Components[i]
		b := builder{shared: with, cfg: cfg, set: set, id: estate.ID(c.ID)}
		switch {
		case c.Application != nil && c.Application.Retries != nil:
			q := c.Application.Retries
			p := &prometheus{url: q.URL, asks: q.Query, window: cfg.Windows.AuthFailures, where: "retries.query", client: set.HTTP(""), build: b}
			out = append(out, b.probe(estate.CheckRetries, "", p.source(), cfg.Checks.SlowEvery, p.gauge))
		case c.AccessMonitor != nil:
			for _, source := range c.AccessMonitor.Sources {
				if source.Prometheus == nil {
					continue
				}
				p := &prometheusCount{
					prometheus: prometheus{url: source.Prometheus.URL, asks: source.Prometheus.Query, window: cfg.Windows.Access, where: "prometheus.query", client: set.HTTP(""), build: b},
					name:       source.Name, own: with.own[estate.ID(source.Of)],
				}
				probe := b.probe(estate.CheckFailedAuths, source.Name, p.source(), cfg.Checks.SlowEvery, p.read)
				probe.System += ":" + shown(source.Prometheus.URL) // another server must not wait for this one
				out = append(out, probe)
			}
		}
	}
	return out
}

// gauge reads one number.
func (c *prometheus) gauge(ctx context.Context) Result {
	value, err := c.now(ctx)
	if err == nil && (math.IsNaN(value) || math.IsInf(value, 0)) {
		err = &estate.Failure{Kind: estate.Misconfigure, Detail: "the query yields no number", Next: "correct " + c.where + " in warroom.yaml"}
	}
	if err != nil {
		return c.build.failed(c.doing(), err)
	}
	return Result{Data: estate.Gauge{Value: value, Query: clients.Strip(c.query(), 200)}}
}

// prometheusCount counts failed authentications.
type prometheusCount struct {
	prometheus
	name string
	own  *ownCalls // of the component whose authentications they are
}

func (c *prometheusCount) read(ctx context.Context) Result {
	failed, err := c.now(ctx)
	if err == nil && (math.IsNaN(failed) || math.IsInf(failed, 0) || failed < 0) {
		err = &estate.Failure{Kind: estate.Misconfigure, Detail: "the query yields " + strconv.FormatFloat(failed, 'g', 6, 64) + " where a count is needed", Next: "correct " + c.where + " in warroom.yaml"}
	}
	if err != nil {
		return c.build.failed(c.doing(), err)
	}
	end := c.build.shared.now()
	ours := min(c.own.between(end.Add(-c.window), end.Add(time.Minute)), failed)
	return Result{Data: estate.FailedAuths{
		Source: c.name, Window: c.window, Failed: failed - ours, Total: -1, Ours: ours,
		Earlier: c.earlier(ctx, end), Metric: clients.Strip(c.query(), 200),
	}}
}

// earlier is the same count for the windows before, newest first, as far back as
// the server knows; none where it does not tell, as the count itself stands
// without them.
func (c *prometheusCount) earlier(ctx context.Context, end time.Time) []float64 {
	step := int64(c.window.Seconds())
	last := end.Unix() - step
	ask := url.Values{
		"query": {c.query()}, "step": {strconv.FormatInt(step, 10)},
		"start": {strconv.FormatInt(last-(earlierWindows-1)*step, 10)}, "end": {strconv.FormatInt(last, 10)},
	}
	answer, err := c.client.Get(ctx, c.address("query_range")+"?"+ask.Encode(), nil, true)
	if err != nil || answer.Code != http.StatusOK {
		return nil
	}
	var reply struct {
		Data struct {
			Result []struct{ Values [][]any } `json:"result"`
		} `json:"data"`
	}
	if json.Unmarshal(answer.Body, &reply) != nil || len(reply.Data.Result) != 1 {
		return nil
	}
	at := map[int64]float64{}
	for _, sample := range reply.Data.Result[0].Values {
		if len(sample) != 2 {
			return nil
		}
		when, timed := sample[0].(float64)
		text, _ := sample[1].(string)
		value, err := strconv.ParseFloat(text, 64)
		if timed && err == nil && value >= 0 && !math.IsInf(value, 0) && math.Abs(when) < 1<<40 {
			at[int64(math.Round(when))] = value
		}
	}
	var out []float64
	for i := range int64(earlierWindows) {
		value, there := at[last-i*step]
		if !there {
			break // the series began then; a gap ends what can be compared
		}
		until := time.Unix(last-i*step, 0)
		out = append(out, max(value-c.own.between(until.Add(-c.window), until), 0))
	}
	return out
}

// instant reads the one sample of an instant query, whose place in warroom.yaml is
// where.
func instant(a *clients.Answer, where string) (float64, error) {
	var reply struct {
		Status string `json:"status"`
		Error  string `json:"error"`
		Data   struct {
			Type   string          `json:"resultType"`
			Result json.RawMessage `json:"result"`
		} `json:"data"`
	}
	if a.Code != http.StatusOK && a.Code != http.StatusBadRequest && a.Code != http.StatusUnprocessableEntity {
		return 0, statusFailure(a.Code)
	}
	if _, err := parseJSON(a); err != nil {
		return 0, err
	}
	shape := &estate.Failure{Kind: estate.BadAnswer, Detail: "its JSON is not that of an instant query"}
	if json.Unmarshal(a.Body, &reply) != nil {
		return 0, shape
	}
	wrong := func(detail string) error {
		return &estate.Failure{Kind: estate.Misconfigure, Detail: detail, Next: "correct " + where + " in warroom.yaml"}
	}
	if reply.Status != "success" {
		return 0, wrong("Prometheus rejects the query: " + a.Text(reply.Error, 160))
	}
	var sample []any
	switch reply.Data.Type {
	case "scalar":
		if json.Unmarshal(reply.Data.Result, &sample) != nil {
			return 0, shape
		}
	case "vector":
		var series []struct {
			Value []any `json:"value"`
		}
		if json.Unmarshal(reply.Data.Result, &series) != nil {
			return 0, shape
		}
		switch len(series) {
		case 0:
			return 0, wrong("the query yields nothing: no attempts in the window, or no such metric")
		case 1:
			sample = series[0].Value
		default:
			return 0, wrong(fmt.Sprintf("the query yields %d series where one is needed: aggregate it", len(series)))
		}
	default:
		return 0, wrong("the query yields neither a scalar nor a vector")
	}
	if len(sample) != 2 {
		return 0, shape
	}
	text, _ := sample[1].(string)
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, shape
	}
	return value, nil
}
