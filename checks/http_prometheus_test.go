package checks

import (
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// prometheusServer answers instant queries with value, and range queries with one
// sample a step for as many steps back as it has.
func prometheusServer(t *testing.T, value string, earlier []float64) string {
	t.Helper()
	address, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/query") {
			_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,%q]}]}}`, value)
			return
		}
		step, _ := strconv.ParseInt(r.URL.Query().Get("step"), 10, 64)
		end, _ := strconv.ParseInt(r.URL.Query().Get("end"), 10, 64)
		start, _ := strconv.ParseInt(r.URL.Query().Get("start"), 10, 64)
		if earlier == nil || (end-start)/step+1 != earlierWindows {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		var samples []string
		for i, v := range earlier {
			samples = append([]string{fmt.Sprintf(`[%d,"%v"]`, end-int64(i)*step, v)}, samples...)
		}
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[%s]}]}}`, strings.Join(samples, ","))
	})
	return address
}

func prometheusOf(c config.Component, own map[estate.ID]*ownCalls, now time.Time) []Probe {
	cfg := testConfig(c)
	cfg.Windows.Access = time.Hour
	return prometheusProbes(cfg, clients.New(cfg), shared{own: own, now: func() time.Time { return now }})
}

func TestFailedAuthsByPrometheus(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	ours := &ownCalls{}
	ours.add(now.Add(-time.Minute), 401)
	ours.add(now.Add(-90*time.Minute), 401)
	for name, test := range map[string]struct {
		value   string
		earlier []float64
		own     map[estate.ID]*ownCalls
		want    any
	}{
		"with history":    {"36", []float64{5, 6, 0}, nil, estate.FailedAuths{Failed: 36, Earlier: []float64{5, 6, 0}}},
		"without history": {"36.5", nil, nil, estate.FailedAuths{Failed: 36.5}},
		"ours left out":   {"36", []float64{5, 6}, map[estate.ID]*ownCalls{"vault": ours}, estate.FailedAuths{Failed: 35, Ours: 1, Earlier: []float64{4, 6}}},
		"not a number":    {"NaN", nil, nil, estate.Misconfigure},
		"endless":         {"+Inf", nil, nil, estate.Misconfigure},
		"negative":        {"-1", nil, nil, estate.Misconfigure},
	} {
		t.Run(name, func(t *testing.T) {
			address := prometheusServer(t, test.value, test.earlier)
			probes := prometheusOf(config.Component{AccessMonitor: &config.AccessMonitor{Sources: []config.AccessSource{
				{Name: "vault logins", Of: "vault", Prometheus: &config.PromQuery{URL: address, Query: "increase(denied[$window])"}},
			}}}, test.own, now)
			got := run(t, probes[0])
			if kind, fails := test.want.(estate.FailureKind); fails {
				kindIs(t, got.Err, kind)
				return
			}
			want := test.want.(estate.FailedAuths)
			want.Source, want.Window, want.Total, want.Metric = "vault logins", time.Hour, -1, "increase(denied[3600s])"
			if !reflect.DeepEqual(got.Data, want) {
				t.Errorf("got  %+v, %v\nwant %+v", got.Data, got.Err, want)
			}
			if probes[0].Key.Item != "vault logins" || !strings.Contains(probes[0].Source, "increase(denied[3600s])") {
				t.Errorf("%+v", probes[0])
			}
		})
	}
}

// A range that makes no sense brings no history, and takes nothing from the count.
func TestHistoryOfPrometheusThatMakesNoSense(t *testing.T) {
	for _, body := range []string{
		``, `<html>`, `{}`, `{"data":{"result":[{"values":[[1]]}]}}`, `{"data":{"result":[{"values":[["x","y"]]}]}}`, `{"data":{"result":[{"values":[[1e300,"1"]]}]}}`,
		`{"data":{"result":[{"values":[[1,"1"]]},{"values":[[1,"1"]]}]}}`, `{"data":{"result":[{"values":[[1000,5]]}]}}`,
	} {
		address, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			answer := body
			if strings.HasSuffix(r.URL.Path, "/query") {
				answer = `{"status":"success","data":{"resultType":"scalar","result":[1,"3"]}}`
			}
			_, _ = io.WriteString(w, answer)
		})
		probes := prometheusOf(config.Component{AccessMonitor: &config.AccessMonitor{Sources: []config.AccessSource{{Name: "x", Prometheus: &config.PromQuery{URL: address, Query: "x"}}}}}, nil, time.Unix(1_000_000_000, 0))
		if got, _ := run(t, probes[0]).Data.(estate.FailedAuths); got.Failed != 3 || len(got.Earlier) != 0 {
			t.Errorf("%s: %+v", body, got)
		}
	}
}

func TestRetriesByPrometheus(t *testing.T) {
	for value, want := range map[string]any{
		"45": estate.Gauge{Value: 45, Query: "retries[300s]"}, "-2.5": estate.Gauge{Value: -2.5, Query: "retries[300s]"}, "NaN": estate.Misconfigure, "-Inf": estate.Misconfigure, "x": estate.BadAnswer,
	} {
		address := prometheusServer(t, value, nil)
		p := only(t, prometheusOf(config.Component{Application: &config.Application{Retries: &config.PromQuery{URL: address, Query: "retries[$window]"}}}, nil, time.Now()), estate.CheckRetries, "")
		got := run(t, p)
		if kind, fails := want.(estate.FailureKind); fails {
			kindIs(t, got.Err, kind)
		} else if got.Data != want {
			t.Errorf("%s: %+v, %v", value, got.Data, got.Err)
		}
	}
}
