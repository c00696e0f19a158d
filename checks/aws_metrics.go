package checks

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// metricPages bounds the pages of one GetMetricData.
const metricPages = 20

// metric is one series to read: a CloudWatch metric and statistic.
type metric struct {
	namespace, name, stat string
	dimensions            map[string]string
}

// series is what CloudWatch holds of a metric, newest first.
type series struct {
	at     []time.Time
	values []float64
}

func (s series) sum() float64 {
	total := 0.0
	for _, v := range s.values {
		total += v
	}
	return total
}

// grain is the period of the datapoints of a window: CloudWatch keeps minutes for
// 15 days, five minutes for 63 and hours beyond.
func grain(window time.Duration) time.Duration {
	const day = 24 * time.Hour
	switch {
	case window <= 15*day:
		return time.Minute
	case window <= 63*day:
		return 5 * time.Minute
	}
	return time.Hour
}

// metricData reads the series of several metrics over the window before now, in
// their order.
func (b awsBuilder) metricData(ctx context.Context, s *clients.AWSServices, window time.Duration, metrics ...metric) ([]series, error) {
	period := grain(window)
	return b.metricDataUntil(ctx, s, wholePeriods(time.Now(), period), window, period, metrics...)
}

// wholePeriods is the end of the period in which now is: CloudWatch rounds by
// itself otherwise, and differently.
func wholePeriods(now time.Time, period time.Duration) time.Time {
	return now.UTC().Truncate(period).Add(period)
}

// metricDataUntil reads the same up to end, by datapoints of a period.
func (b awsBuilder) metricDataUntil(ctx context.Context, s *clients.AWSServices, end time.Time, window, period time.Duration, metrics ...metric) ([]series, error) {
	in := &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(end.Add(-window)), EndTime: aws.Time(end), ScanBy: cwtypes.ScanByTimestampDescending,
	}
	for i, m := range metrics {
		in.MetricDataQueries = append(in.MetricDataQueries, cwtypes.MetricDataQuery{
			Id: aws.String(fmt.Sprintf("m%d", i)),
			MetricStat: &cwtypes.MetricStat{
				Metric: &cwtypes.Metric{Namespace: aws.String(m.namespace), MetricName: aws.String(m.name), Dimensions: dimensions(m.dimensions)},
				Period: aws.Int32(int32(period / time.Second)),
				Stat:   aws.String(m.stat),
			},
		})
	}
	out := make([]series, len(metrics))
	for range metricPages {
		page, err := b.metricPage(ctx, s, in)
		if err != nil {
			return nil, err
		}
		if err := b.collect(out, page); err != nil {
			return nil, err
		}
		next := aws.ToString(page.NextToken)
		if next == "" {
			return out, nil
		}
		if next == aws.ToString(in.NextToken) {
			break
		}
		in.NextToken = page.NextToken
	}
	return nil, &estate.Failure{Kind: estate.BadAnswer, Detail: "the metric data does not end"}
}

func (b awsBuilder) metricPage(ctx context.Context, s *clients.AWSServices, in *cloudwatch.GetMetricDataInput) (*cloudwatch.GetMetricDataOutput, error) {
	ctx, cancel := b.page(ctx)
	defer cancel()
	return s.CloudWatch.GetMetricData(ctx, in)
}

// collect adds one page. A metric that could not be read makes the whole read
// fail: a sum without it would be a figure that nobody asked for.
func (b awsBuilder) collect(out []series, page *cloudwatch.GetMetricDataOutput) error {
	if page.MetricDataResults == nil && aws.ToString(page.NextToken) == "" {
		return hollow("its results")
	}
	for _, r := range page.MetricDataResults {
		switch r.StatusCode {
		case cwtypes.StatusCodeForbidden:
			return &estate.Failure{Kind: estate.Denied, Detail: "CloudWatch: " + b.words(r.Messages), Next: "allow cloudwatch:GetMetricData to the reading role"}
		case cwtypes.StatusCodeInternalError:
			return &estate.Failure{Kind: estate.ServerError, Detail: "CloudWatch: " + b.words(r.Messages)}
		}
		var i int
		if _, err := fmt.Sscanf(aws.ToString(r.Id), "m%d", &i); err != nil || i < 0 || i >= len(out) || len(r.Timestamps) != len(r.Values) {
			return &estate.Failure{Kind: estate.BadAnswer, Detail: "the metric data is not what was asked for"}
		}
		out[i].at = append(out[i].at, r.Timestamps...)
		out[i].values = append(out[i].values, r.Values...)
	}
	return nil
}

func (b awsBuilder) words(messages []cwtypes.MessageData) string {
	all := make([]string, 0, len(messages))
	for _, m := range messages {
		all = append(all, aws.ToString(m.Code)+" "+aws.ToString(m.Value))
	}
	return b.client.Text(strings.Join(all, "; "), reasonLimit)
}

func dimensions(from map[string]string) []cwtypes.Dimension {
	out := make([]cwtypes.Dimension, 0, len(from))
	for _, name := range slices.Sorted(maps.Keys(from)) {
		out = append(out, cwtypes.Dimension{Name: aws.String(name), Value: aws.String(from[name])})
	}
	return out
}

// functionMetrics sums what a function's invocations came to.
func (b awsBuilder) functionMetrics(f string) Probe {
	window := b.cfg.Windows.Rotation
	of := map[string]string{"FunctionName": functionName(f)}
	m := func(name, stat string) metric {
		return metric{namespace: "AWS/Lambda", name: name, stat: stat, dimensions: of}
	}
	return b.paged(b.probe(estate.CheckFunctionMetrics, "", "cloudwatch GetMetricData AWS/Lambda", functionName(f), "read the metrics of function "+f, b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			got, err := b.metricData(ctx, s, window, m("Invocations", "Sum"), m("Errors", "Sum"), m("Throttles", "Sum"), m("Duration", "Maximum"))
			if err != nil {
				return nil, err
			}
			return summary(window, got[0], got[1], got[2], got[3]), nil
		}), 3)
}

func summary(window time.Duration, invocations, errors, throttles, duration series) estate.FunctionMetrics {
	out := estate.FunctionMetrics{Window: window, Invocations: invocations.sum(), Errors: errors.sum(), Throttles: throttles.sum()}
	for i, n := range invocations.values {
		if n > 0 && invocations.at[i].After(out.LastPoint) {
			out.LastPoint = invocations.at[i].UTC()
		}
	}
	for i, n := range errors.values {
		if !out.LastPoint.IsZero() && errors.at[i].Equal(out.LastPoint) {
			out.LastErrors += n
		}
	}
	for _, ms := range duration.values {
		out.MaxDuration = max(out.MaxDuration, time.Duration(ms*float64(time.Millisecond)))
	}
	return out
}

// countsRefusals reports whether a failure metric can have counted a request of
// ours that was refused: one of server errors has not.
func countsRefusals(metric string) bool { return !strings.Contains(strings.ToLower(metric), "5xx") }

// authFailures counts the failed requests of a gateway among all of them, without
// those that our own probes had refused.
func (b awsBuilder) authFailures(f *config.FailureMetric, own *ownCalls) Probe {
	window := b.cfg.Windows.AuthFailures
	failed := metric{namespace: f.Namespace, name: f.Failed, stat: "Sum", dimensions: f.Dimensions}
	total := metric{namespace: f.Namespace, name: f.Total, stat: "Sum", dimensions: f.Dimensions}
	asked := f.Namespace + " " + f.Failed + " of " + f.Total
	for _, name := range slices.Sorted(maps.Keys(f.Dimensions)) {
		asked += fmt.Sprintf(", %s=%s", name, f.Dimensions[name])
	}
	return b.paged(b.probe(estate.CheckAuthFailures, "", "cloudwatch GetMetricData", asked, "read the failure metric "+asked, b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			period := grain(window)
			end := wholePeriods(time.Now(), period)
			own := own.before(end)
			got, err := b.metricDataUntil(ctx, s, end, window, period, failed, total)
			if err != nil {
				return nil, err
			}
			if len(got[1].values) == 0 {
				if err := b.idle(ctx, s, got[0], total); err != nil {
					return nil, err
				}
			}
			ours := 0.0
			if countsRefusals(f.Failed) {
				ours = own.within(got[0], period)
			}
			return estate.FailureRate{
				Window: window, Failed: max(got[0].sum()-ours, 0), Total: max(got[1].sum()-ours, 0), Ours: ours, Metric: asked,
			}, nil
		}), 3)
}

// lookback is how far back a metric without datapoints is looked for.
const lookback = 24 * time.Hour

// idle tells a gateway that nobody calls, for which CloudWatch has no datapoints,
// from a metric that does not exist: a mistyped dimension must not read as "no
// calls".
func (b awsBuilder) idle(ctx context.Context, s *clients.AWSServices, failed series, total metric) error {
	if len(failed.values) == 0 {
		before, err := b.metricData(ctx, s, lookback, total)
		if err != nil {
			return err
		}
		if len(before[0].values) > 0 {
			return nil
		}
	}
	return &estate.Failure{
		Kind: estate.Misconfigure, Detail: fmt.Sprintf("CloudWatch has no datapoint of %s %s in %d h", total.namespace, total.name, int(lookback.Hours())),
		Next: "correct namespace, total and dimensions under failures of the gateway in warroom.yaml",
	}
}
