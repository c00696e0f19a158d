package awssim

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

func cloudwatchOperations() []operation {
	return []operation{
		define("cloudwatch", "GetMetricData", getMetricData),
		define("cloudwatch", "GetMetricStatistics", getMetricStatistics),
		define("cloudwatch", "ListMetrics", listMetrics),
	}
}

// Limits of CloudWatch.
const (
	maxQueries    = 500
	maxDatapoints = 100800
	maxStatistics = 1440
	maxDimensions = 30
)

type dimension struct{ Name, Value string }

type metric struct {
	Namespace, MetricName string
	Dimensions            []dimension
}

func dimensionMap(ds []dimension) map[string]string {
	m := map[string]string{}
	for _, d := range ds {
		m[d.Name] = d.Value
	}
	return m
}

func dimensionList(m map[string]string) []dimension {
	var out []dimension
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, dimension{k, m[k]})
	}
	return out
}

type metricQuery struct {
	Id, Expression, Label string
	ReturnData            *bool
	MetricStat            *struct {
		Metric metric
		Period int
		Stat   string
	}
}

type metricResult struct {
	Id, Label  string
	Timestamps []time.Time `aws:",keep"`
	Values     []float64   `aws:",keep"`
	StatusCode string
}

var (
	queryID    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][A-Za-z0-9_]{0,254}$`) })
	percentRex = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^p(\d{1,2}(?:\.\d{1,10})?|100)$`) })
)

func percentile(stat string) (float64, bool) {
	m := percentRex().FindStringSubmatch(stat)
	if m == nil {
		return 0, false
	}
	p, err := strconv.ParseFloat(m[1], 64)
	return p, err == nil
}

func knownStat(stat string) bool {
	_, ok := percentile(stat)
	return ok || slices.Contains([]string{"Sum", "Average", "Minimum", "Maximum", "SampleCount"}, stat)
}

func validPeriod(p int) bool {
	return p == 1 || p == 5 || p == 10 || p == 20 || p == 30 || p >= 60 && p%60 == 0 && p <= 86400*365
}

func badMetric(format string, a ...any) *apiError { return errf("ValidationError", format, a...) }

func (q metricQuery) check() *apiError {
	switch {
	case !queryID().MatchString(q.Id):
		return badMetric("The value for parameter Id must start with a lowercase letter and contain only letters, digits and underscores.")
	case q.Expression != "" && q.MetricStat != nil:
		return badMetric("MetricDataQuery %s: exactly one of MetricStat and Expression must be specified.", q.Id)
	case q.Expression != "":
		// Metric math is not simulated.
		return badMetric("Error in expression '%s': Unsupported expression", q.Id)
	case q.MetricStat == nil:
		return badMetric("MetricDataQuery %s: exactly one of MetricStat and Expression must be specified.", q.Id)
	case q.MetricStat.Metric.Namespace == "" || q.MetricStat.Metric.MetricName == "":
		return badMetric("MetricDataQuery %s: Namespace and MetricName are required.", q.Id)
	case !validPeriod(q.MetricStat.Period):
		return badMetric("Period must be 1, 5, 10, 20, 30 or a multiple of 60")
	case !knownStat(q.MetricStat.Stat):
		return badMetric("The value %s for parameter Stat is not supported.", clip(q.MetricStat.Stat, 40))
	case len(q.MetricStat.Metric.Dimensions) > maxDimensions:
		return badMetric("The collection Dimensions must not have a size greater than %d.", maxDimensions)
	}
	return nil
}

func getMetricData(c *call, in *struct {
	MetricDataQueries  []metricQuery
	StartTime, EndTime time.Time
	NextToken, ScanBy  string
	MaxDatapoints      *int
}) (any, *apiError) {
	if len(in.MetricDataQueries) == 0 {
		return nil, badMetric("The parameter MetricDataQueries is required.")
	}
	if len(in.MetricDataQueries) > maxQueries {
		return nil, badMetric("The collection MetricDataQueries must not have a size greater than %d.", maxQueries)
	}
	if in.StartTime.IsZero() || in.EndTime.IsZero() {
		return nil, badMetric("The parameters StartTime and EndTime are required.")
	}
	if !in.StartTime.Before(in.EndTime) {
		return nil, badMetric("The parameter StartTime must be less than the parameter EndTime.")
	}
	if !slices.Contains([]string{"", "TimestampDescending", "TimestampAscending"}, in.ScanBy) {
		return nil, badMetric("The value %s for parameter ScanBy is not valid.", clip(in.ScanBy, 40))
	}
	room := maxDatapoints
	if in.MaxDatapoints != nil {
		if room = *in.MaxDatapoints; room < 1 || room > maxDatapoints {
			return nil, badMetric("The value for parameter MaxDatapoints must be between 1 and %d.", maxDatapoints)
		}
	}
	skip, ok := readToken("metrics", in.NextToken)
	if !ok {
		return nil, errf("InvalidNextToken", "The next token specified is invalid.")
	}
	seen := map[string]bool{}
	total := 0
	for _, q := range in.MetricDataQueries {
		if err := q.check(); err != nil {
			return nil, err
		}
		if seen[q.Id] {
			return nil, badMetric("The values for parameter Id in MetricDataQueries are not unique.")
		}
		seen[q.Id] = true
		total += 1 + int(in.EndTime.Sub(in.StartTime)/(time.Duration(max(60, q.MetricStat.Period))*time.Second))
	}
	if total > 100*maxDatapoints {
		return nil, badMetric("You have requested up to %d datapoints, which exceeds the limit.", total)
	}
	out := struct {
		MetricDataResults []metricResult `aws:",keep"`
		Messages          []struct{}     `aws:",keep"`
		NextToken         string
	}{}
	// A page holds so many points over all queries; the next one goes on where
	// it ended.
	offset := skip
	for _, q := range in.MetricDataQueries {
		if q.ReturnData != nil && !*q.ReturnData {
			continue
		}
		m := q.MetricStat
		ps := c.sim.Metrics.read(m.Metric.Namespace, m.Metric.MetricName, dimensionMap(m.Metric.Dimensions), in.StartTime, in.EndTime, c.sim.now(), time.Duration(m.Period)*time.Second)
		if in.ScanBy != "TimestampAscending" {
			slices.Reverse(ps)
		}
		r := metricResult{Id: q.Id, Label: q.Label, StatusCode: "Complete"}
		if r.Label == "" {
			r.Label = m.Metric.MetricName
		}
		if skip >= len(ps) && len(ps) > 0 {
			skip -= len(ps) // wholly on an earlier page
		} else {
			ps, skip = ps[skip:], 0
			if len(ps) > room {
				ps, r.StatusCode = ps[:room], "PartialData"
				out.NextToken = "more"
			}
			room -= len(ps)
			offset += len(ps)
			for _, p := range ps {
				v, _ := p.stat(m.Stat)
				r.Timestamps, r.Values = append(r.Timestamps, p.at), append(r.Values, v)
			}
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	if out.NextToken != "" {
		out.NextToken = makeToken("metrics", offset)
	}
	return out, nil
}

type statistic struct {
	Timestamp                                   time.Time
	SampleCount, Average, Sum, Minimum, Maximum *float64
	ExtendedStatistics                          map[string]float64
	Unit                                        string
}

func getMetricStatistics(c *call, in *struct {
	Namespace, MetricName          string
	Dimensions                     []dimension
	StartTime, EndTime             time.Time
	Period                         int
	Statistics, ExtendedStatistics []string
}) (any, *apiError) {
	bad := func(format string, a ...any) (any, *apiError) {
		return nil, errf("InvalidParameterValueException", format, a...)
	}
	switch {
	case in.Namespace == "" || in.MetricName == "":
		return nil, errf("MissingRequiredParameterException", "The parameters Namespace and MetricName are required.")
	case !validPeriod(in.Period):
		return bad("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
	case in.StartTime.IsZero() || !in.StartTime.Before(in.EndTime):
		return bad("The parameter StartTime must be less than the parameter EndTime.")
	case len(in.Statistics)+len(in.ExtendedStatistics) == 0:
		return nil, errf("InvalidParameterCombinationException", "At least one of the parameters Statistics and ExtendedStatistics must be specified.")
	}
	if n := in.EndTime.Sub(in.StartTime) / (time.Duration(in.Period) * time.Second); n > maxStatistics {
		return nil, errf("InvalidParameterCombinationException", "You have requested up to %d datapoints, which exceeds the limit of 1,440.", n)
	}
	out := struct {
		Label      string
		Datapoints []statistic `aws:",keep"`
	}{Label: in.MetricName}
	for _, p := range c.sim.Metrics.read(in.Namespace, in.MetricName, dimensionMap(in.Dimensions), in.StartTime, in.EndTime, c.sim.now(), time.Duration(in.Period)*time.Second) {
		d := statistic{Timestamp: p.at, Unit: "None"}
		for _, name := range in.Statistics {
			field := map[string]**float64{
				"SampleCount": &d.SampleCount, "Average": &d.Average, "Sum": &d.Sum, "Minimum": &d.Minimum, "Maximum": &d.Maximum,
			}[name]
			if field == nil {
				return bad("The value %s for parameter Statistics is not supported.", clip(name, 40))
			}
			v, _ := p.stat(name)
			*field = &v
		}
		for _, name := range in.ExtendedStatistics {
			v, ok := p.stat(name)
			if !ok {
				return bad("The value %s for parameter ExtendedStatistics is not supported.", clip(name, 40))
			}
			if d.ExtendedStatistics == nil {
				d.ExtendedStatistics = map[string]float64{}
			}
			d.ExtendedStatistics[name] = v
		}
		out.Datapoints = append(out.Datapoints, d)
	}
	return out, nil
}

func listMetrics(c *call, in *struct {
	Namespace, MetricName, NextToken string
	Dimensions                       []struct {
		Name  string
		Value *string
	}
}) (any, *apiError) {
	all := c.sim.Metrics.list(in.Namespace, in.MetricName, func(dims map[string]string) bool {
		for _, d := range in.Dimensions {
			v, ok := dims[d.Name]
			if !ok || d.Value != nil && *d.Value != v {
				return false
			}
		}
		return true
	})
	start, ok := readToken("list", in.NextToken)
	if !ok || start > len(all) {
		return nil, errf("InvalidParameterValueException", "Invalid nextToken")
	}
	end := min(start+500, len(all))
	out := struct {
		Metrics   []metric `aws:",keep"`
		NextToken string
	}{}
	for _, s := range all[start:end] {
		out.Metrics = append(out.Metrics, metric{s.namespace, s.name, dimensionList(s.dims)})
	}
	if end < len(all) {
		out.NextToken = makeToken("list", end)
	}
	return out, nil
}
