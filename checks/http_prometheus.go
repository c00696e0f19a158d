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

// prometheusCheck asks a Prometheus server for a share of failures.
type prometheusCheck struct {
	metric *config.FailureMetric
	window time.Duration
	client *clients.HTTP
	build  builder
}

// query is the configured PromQL with $window filled in.
func (c *prometheusCheck) query() string {
	return strings.ReplaceAll(c.metric.Query, "$window", fmt.Sprintf("%ds", int(c.window.Seconds())))
}

func (c *prometheusCheck) address() string {
	return strings.TrimSuffix(c.metric.Prometheus, "/") + "/api/v1/query"
}

func (c *prometheusCheck) read(ctx context.Context) Result {
	doing := "query " + shown(c.address())
	if c.metric.Query == "" {
		return Result{Err: &estate.Failure{Kind: estate.Misconfigure, Doing: doing, Detail: "no query is configured", Next: "set failures.query in warroom.yaml"}}
	}
	answer, err := c.client.Get(ctx, c.address()+"?query="+url.QueryEscape(c.query()), nil, true)
	if err != nil {
		return c.build.failed(doing, err)
	}
	share, err := instant(answer)
	if err != nil {
		return c.build.failed(doing, err)
	}
	out := estate.FailureRate{Window: c.window, Metric: clients.Strip(c.query(), 200)}
	// The share of no attempts at all is 0/0: that is no failure rate, and Total
	// stays 0 to say so.
	if !math.IsNaN(share) {
		out.Total, out.Failed = 1, share
	}
	return Result{Data: out}
}

// instant reads the one sample of an instant query.
func instant(a *clients.Answer) (float64, error) {
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
		return &estate.Failure{Kind: estate.Misconfigure, Detail: detail, Next: "correct failures.query in warroom.yaml"}
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
	share, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, shape
	}
	if share < 0 || share > 1 {
		return 0, wrong("the query yields " + strconv.FormatFloat(share, 'g', 6, 64) + " where a share between 0 and 1 is needed")
	}
	return share, nil
}
