package checks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"warroom/internal/estate"
)

func accessProbe(t *testing.T, endpoint, source string, own map[estate.ID]*ownCalls) Probe {
	t.Helper()
	cfg := controlConfig(endpoint)
	for _, p := range awsProbes(cfg, newSet(t, cfg), own) {
		if p.Key == (estate.Key{Component: "am", Check: estate.CheckFailedAuths, Item: source}) {
			return p
		}
	}
	t.Fatalf("no probe of %q", source)
	return Probe{}
}

// datapoints is an answer of GetMetricData: a value by minutes ago, for each metric.
func datapoints(metrics ...map[int]float64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		now := time.Now().UTC().Truncate(time.Minute)
		var results []map[string]any
		for i, m := range metrics {
			at, values := []int64{}, []float64{}
			for ago, v := range m {
				at, values = append(at, now.Add(-time.Duration(ago)*time.Minute).Unix()), append(values, v)
			}
			results = append(results, map[string]any{"Id": fmt.Sprint("m", i), "StatusCode": "Complete", "Timestamps": at, "Values": values})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"MetricDataResults": results})
	}
}

func TestFailedAuthsByMetric(t *testing.T) {
	ours := &ownCalls{}
	ours.add(time.Now().Add(-5*time.Minute), 401)
	ours.add(time.Now().Add(-90*time.Minute), 403)
	zeros := func(n int) []float64 { return make([]float64, n) }
	for name, test := range map[string]struct {
		answers []http.HandlerFunc
		own     map[estate.ID]*ownCalls
		want    any
		calls   int
	}{
		"with history": {[]http.HandlerFunc{datapoints(map[int]float64{5: 100, 30: 20, 90: 7, 60*5 + 30: 3}, map[int]float64{5: 400, 60*24 + 20: 10})}, nil,
			estate.FailedAuths{Failed: 120, Total: 400, Earlier: append([]float64{7, 0, 0, 0, 3}, zeros(19)...)}, 1},
		"ours left out": {[]http.HandlerFunc{datapoints(map[int]float64{5: 100, 90: 7}, map[int]float64{5: 400})}, map[estate.ID]*ownCalls{"gw": ours},
			estate.FailedAuths{Failed: 99, Total: 399, Ours: 1, Earlier: []float64{6}}, 1},
		"a metric that began today": {[]http.HandlerFunc{datapoints(map[int]float64{5: 1}, map[int]float64{130: 9})}, nil,
			estate.FailedAuths{Failed: 1, Total: 1, Earlier: []float64{0, 0}}, 1},
		"nothing of late": {[]http.HandlerFunc{datapoints(nil, nil), datapoints(map[int]float64{60 * 24 * 3: 1}, nil)}, nil, estate.FailedAuths{}, 2},
		"no such metric":  {[]http.HandlerFunc{datapoints(nil, nil)}, nil, estate.Misconfigure, 2},
		"may not be read": {[]http.HandlerFunc{apiError(400, "AccessDeniedException", "no")}, nil, estate.Denied, 1},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newFakeAWS(t)
			n := 0
			fake.on("GetMetricData", func(w http.ResponseWriter, r *http.Request) {
				test.answers[min(n, len(test.answers)-1)](w, r)
				n++
			})
			got := read(t, accessProbe(t, fake.URL, "calls", test.own))
			if fake.called("GetMetricData") != test.calls {
				t.Errorf("%d calls, want %d", n, test.calls)
			}
			if kind, fails := test.want.(estate.FailureKind); fails {
				kindIs(t, got.Err, kind)
				return
			}
			want := test.want.(estate.FailedAuths)
			want.Source, want.Window, want.Metric = "calls", time.Hour, "sum of AWS/ApiGateway 4xx of Count, ApiId=a1b2c3"
			if !reflect.DeepEqual(got.Data, want) {
				t.Errorf("got  %+v, %v\nwant %+v", got.Data, got.Err, want)
			}
		})
	}
}

// logStore is a log group of which FilterLogEvents tells a page at a time, newest
// first, or oldest first where it is told to.
type logStore struct {
	lines  []int64 // times in milliseconds, newest first
	page   int
	rising bool
	fails  bool
}

func (l *logStore) add(ages ...time.Duration) {
	for _, age := range ages {
		l.lines = append(l.lines, time.Now().Add(-age).UnixMilli())
	}
	slices.SortFunc(l.lines, func(a, b int64) int { return int(b - a) })
}

func (l *logStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.fails {
		apiError(400, "ResourceNotFoundException", "The specified log group does not exist.")(w, r)
		return
	}
	var in struct {
		StartTime, EndTime int64
		NextToken          string
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	var all []int64
	for _, at := range l.lines {
		if at >= in.StartTime && at <= in.EndTime {
			all = append(all, at)
		}
	}
	if l.rising {
		slices.Reverse(all)
	}
	from, _ := strconv.Atoi(in.NextToken)
	end := min(from+l.page, len(all))
	out := map[string]any{}
	events := []map[string]any{{"timestamp": in.StartTime + 1, "message": "a line that does not match"}}
	for _, at := range all[from:end] {
		events = append(events, map[string]any{"timestamp": at, "message": `FATAL: password authentication failed for user "app"`})
	}
	if out["events"] = events[1:]; from == 0 && !l.rising {
		out["events"] = append(events[1:], events[0])
	}
	if end < len(all) {
		out["nextToken"] = strconv.Itoa(end)
	}
	_ = json.NewEncoder(w).Encode(out)
}

func TestFailedAuthsByLogs(t *testing.T) {
	fake := newFakeAWS(t)
	store := &logStore{page: 100}
	fake.on("FilterLogEvents", store.ServeHTTP)
	// 250 in the window, 30 in each of three earlier ones.
	store.add(ages(time.Minute, 10*time.Second, 250)...)
	for i := range 3 {
		store.add(ages(time.Duration(i+1)*time.Hour+10*time.Minute, time.Minute, 30)...)
	}
	own := &ownCalls{}
	own.refused(time.Now().Add(-2 * time.Minute))
	p := accessProbe(t, fake.URL, "logins", map[estate.ID]*ownCalls{"db": own})
	got, _ := read(t, p).Data.(estate.FailedAuths)
	if got.Failed != 249 || got.Ours != 1 || got.Total != -1 || got.Partial || len(got.Earlier) != earlierWindows || !slices.Equal(got.Earlier[:5], []float64{30, 30, 30, 0, 0}) {
		t.Fatalf("%+v", got)
	}
	if got.Metric != `lines of /db that match "password authentication failed"` || got.Source != "logins" || got.Window != time.Hour {
		t.Errorf("%+v", got)
	}
	// A later read looks at the last minutes alone, and finds what is new.
	calls := fake.called("FilterLogEvents")
	store.add(time.Second, 2*time.Second)
	got, _ = read(t, p).Data.(estate.FailedAuths)
	if got.Failed != 251 || len(got.Earlier) != earlierWindows || fake.called("FilterLogEvents") != calls+1 {
		t.Errorf("%+v after %d calls", got, fake.called("FilterLogEvents")-calls)
	}
	store.fails = true
	kindIs(t, read(t, p).Err, estate.Missing)
	store.fails = false
	if got, _ = read(t, p).Data.(estate.FailedAuths); got.Failed != 251 {
		t.Errorf("%+v after a failure", got)
	}
}

func TestFailedAuthsByTooManyLogs(t *testing.T) {
	// From a server that begins at the oldest the past cannot be had piece by piece.
	fake := newFakeAWS(t)
	store := &logStore{page: 10, rising: true}
	fake.on("FilterLogEvents", store.ServeHTTP)
	store.add(ages(time.Minute, 10*time.Second, 150)...)
	if got, _ := read(t, accessProbe(t, fake.URL, "logins", nil)).Data.(estate.FailedAuths); got.Failed != 10*countPages || !got.Partial || len(got.Earlier) != 0 {
		t.Errorf("%+v; want at least %d", got, 10*countPages)
	}
	// What does not fit into the windows before is counted later, piece by piece.
	fake, store = newFakeAWS(t), &logStore{page: 30}
	fake.on("FilterLogEvents", store.ServeHTTP)
	store.add(ages(70*time.Minute, time.Minute, 300)...)
	p := accessProbe(t, fake.URL, "logins", nil)
	before := -1
	for range 3 {
		got, _ := read(t, p).Data.(estate.FailedAuths)
		if got.Failed != 0 || got.Partial || len(got.Earlier) < before {
			t.Fatalf("%+v", got)
		}
		for _, n := range got.Earlier[:min(1, len(got.Earlier))] {
			if n < 48 || n > 52 { // the window just before, 10 minutes of which are empty
				t.Errorf("%v in the window before", n)
			}
		}
		before = len(got.Earlier)
	}
	if before != earlierWindows {
		t.Errorf("%d earlier windows in the end, want %d", before, earlierWindows)
	}
}

func TestWindowsAreCountedBackFromTheEnd(t *testing.T) {
	end := time.Unix(1_000_000_000, 0)
	s := series{}
	for _, back := range []time.Duration{0, time.Nanosecond, time.Hour, time.Hour + 1, 25 * time.Hour, 25*time.Hour + 1, -time.Hour} {
		s.at, s.values = append(s.at, end.Add(-back)), append(s.values, 1)
	}
	got := inWindows(s, end, time.Hour)
	if got[0] != 2 || got[1] != 1 || got[24] != 1 {
		t.Errorf("%v", got)
	}
	cfg := controlConfig("")
	for window, want := range map[time.Duration]time.Duration{time.Minute: time.Minute, 90 * time.Second: 2 * time.Minute, time.Second: time.Minute} {
		cfg.Windows.Access = window
		if got := (awsBuilder{cfg: cfg}).windowOf(time.Minute); got != want {
			t.Errorf("%s is %s, want %s", window, got, want)
		}
	}
}
