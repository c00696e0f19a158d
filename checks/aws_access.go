package checks

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

const (
	// earlierWindows is with how many windows before it a count is compared.
	earlierWindows = 24
	// unseenFor is how far back a metric without datapoints is looked for.
	unseenFor = 15 * 24 * time.Hour
	// countPages bounds the pages of one count of log lines, countLimit the lines
	// of a page.
	countPages = 10
	countLimit = 5000
	// countLate is how far back a later count looks again for lines that came late.
	countLate = 5 * time.Minute
)

// accessProbes counts failed authentications where CloudWatch knows of them.
func accessProbes(cfg *config.Config, sources []config.AccessSource, own map[estate.ID]*ownCalls, builder func(account string) awsBuilder) []Probe {
	var out []Probe
	for _, source := range sources {
		b, ours := builder(source.Account), own[estate.ID(source.Of)]
		switch {
		case source.Metric != nil:
			out = append(out, b.failedByMetric(source.Name, source.Metric, ours))
		case source.Logs != nil:
			out = append(out, b.failedByLogs(source.Name, source.Logs, ours))
		}
	}
	return out
}

// windowOf is the window of failed authentications in whole periods.
func (b awsBuilder) windowOf(period time.Duration) time.Duration {
	window := b.cfg.Windows.Access
	return max((window+period-1)/period*period, period)
}

// failedByMetric sums a metric over the window and over each of the windows
// before it, all of which one call brings.
func (b awsBuilder) failedByMetric(name string, m *config.CountMetric, own *ownCalls) Probe {
	period := grain((1 + earlierWindows) * b.cfg.Windows.Access)
	window := b.windowOf(period)
	metrics := []metric{{namespace: m.Namespace, name: m.Failed, stat: "Sum", dimensions: m.Dimensions}}
	asked := m.Namespace + " " + m.Failed
	if m.Total != "" {
		metrics = append(metrics, metric{namespace: m.Namespace, name: m.Total, stat: "Sum", dimensions: m.Dimensions})
		asked += " of " + m.Total
	}
	for _, dimension := range slices.Sorted(maps.Keys(m.Dimensions)) {
		asked += fmt.Sprintf(", %s=%s", dimension, m.Dimensions[dimension])
	}
	return b.paged(b.probe(estate.CheckFailedAuths, name, "cloudwatch GetMetricData", asked, "count failed authentications by "+asked, b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			// The period under way is left out: which calls of ours it has counted
			// already cannot be known.
			end := time.Now().UTC().Truncate(period)
			own := own.before(end)
			got, err := b.metricDataUntil(ctx, s, end, (1+earlierWindows)*window, period, metrics...)
			if err != nil {
				return nil, err
			}
			oldest := end
			for _, one := range got {
				for _, at := range one.at {
					if at.Before(oldest) {
						oldest = at
					}
				}
			}
			if oldest.Equal(end) {
				if err := b.unseen(ctx, s, end, metrics); err != nil {
					return nil, err
				}
			}
			out := estate.FailedAuths{Source: name, Window: window, Total: -1, Metric: "sum of " + asked}
			failed := inWindows(got[0], end, window)
			var ours [1 + earlierWindows]float64
			if countsRefusals(m.Failed) {
				ours = inWindows(own.among(got[0], period), end, window)
			}
			out.Failed, out.Ours = max(failed[0]-ours[0], 0), ours[0]
			if len(got) > 1 {
				out.Total = max(inWindows(got[1], end, window)[0]-ours[0], out.Failed)
			}
			for i := 1; i <= earlierWindows; i++ {
				if !oldest.Before(end.Add(-time.Duration(i) * window)) {
					break // the metric began later
				}
				out.Earlier = append(out.Earlier, max(failed[i]-ours[i], 0))
			}
			return out, nil
		}), 3)
}

// inWindows sums a series by window, counted back from end.
func inWindows(s series, end time.Time, window time.Duration) (sums [1 + earlierWindows]float64) {
	for i, at := range s.at {
		if back := end.Sub(at); back > 0 {
			if n := int((back - 1) / window); n < len(sums) {
				sums[n] += s.values[i]
			}
		}
	}
	return sums
}

// unseen tells a metric that had nothing to count of late from one that does not
// exist: a mistyped dimension must not read as "nobody failed".
func (b awsBuilder) unseen(ctx context.Context, s *clients.AWSServices, end time.Time, metrics []metric) error {
	before, err := b.metricDataUntil(ctx, s, wholePeriods(end, time.Hour), unseenFor, time.Hour, metrics...)
	if err != nil {
		return err
	}
	for _, one := range before {
		if len(one.values) > 0 {
			return nil
		}
	}
	return &estate.Failure{
		Kind:   estate.Misconfigure,
		Detail: fmt.Sprintf("CloudWatch has no datapoint of %s %s in %d days: nothing failed, or there is no such metric", metrics[0].namespace, metrics[0].name, int(unseenFor/(24*time.Hour))),
		Next:   "correct namespace, failed and dimensions of this source of the access_monitor in warroom.yaml, or name a total, which tells the two apart",
	}
}

// oneTerm is a filter pattern of one quoted term.
var oneTerm = regexp.MustCompile(`^"([^"]+)"$`)

// lineCount is how many lines of a log group match, minute by minute. Lines do not
// change: each read counts the last minutes anew, and with what is left of its
// pages counts further back, until there are all windows to compare with.
type lineCount struct {
	mu       sync.Mutex
	from, to time.Time // counted without a gap, in whole minutes; zero before the first
	blind    bool      // the server begins at the oldest: the past cannot be had piece by piece
	minutes  map[int64]float64
}

// failedByLogs counts the lines of a log group that match.
func (b awsBuilder) failedByLogs(name string, l *config.LogCount, own *ownCalls) Probe {
	window := b.windowOf(time.Minute)
	count := &lineCount{minutes: map[int64]float64{}}
	return b.paged(b.probe(estate.CheckFailedAuths, name, "logs FilterLogEvents", l.Group+" "+l.Pattern, "count failed authentications in "+l.Group, b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			count.mu.Lock()
			defer count.mu.Unlock()
			end := wholePeriods(time.Now(), time.Minute)
			own := own.before(end)
			partial, err := b.recount(ctx, s, l, count, end, window)
			if err != nil {
				return nil, err
			}
			out := estate.FailedAuths{
				Source: name, Window: window, Total: -1, Partial: partial,
				Metric: "lines of " + clients.Strip(l.Group, nameLimit) + " that match " + clients.Strip(l.Pattern, nameLimit),
			}
			all := count.series()
			lines, ours := inWindows(all, end, window), inWindows(own.among(all, time.Minute), end, window)
			out.Failed, out.Ours = max(lines[0]-ours[0], 0), ours[0]
			for i := 1; i <= earlierWindows && !partial; i++ {
				if count.from.After(end.Add(-time.Duration(i+1) * window)) {
					break // it was not counted that far back
				}
				out.Earlier = append(out.Earlier, max(lines[i]-ours[i], 0))
			}
			return out, nil
		}), 8)
}

// recount brings a count up to date. partial says that there was more within the
// window than one read may look at.
func (b awsBuilder) recount(ctx context.Context, s *clients.AWSServices, l *config.LogCount, c *lineCount, end time.Time, window time.Duration) (partial bool, err error) {
	from := end.Add(-window)
	if again := c.to.Add(-countLate); !c.to.IsZero() && again.After(from) {
		from = again
	}
	pages := countPages
	found, err := b.countLines(ctx, s, l, from, end, &pages)
	if err != nil {
		return false, err
	}
	if c.to.IsZero() || from.After(c.to) {
		c.from = from
		clear(c.minutes)
	}
	c.take(found.minutes, from, end)
	c.to = end
	if !found.whole {
		c.to = time.Time{} // all of it is counted again
		return true, nil
	}
	first := end.Add(-(1 + earlierWindows) * window)
	if pages > 0 && !c.blind && c.from.After(first) {
		before, err := b.countLines(ctx, s, l, first, c.from, &pages)
		switch {
		case err != nil: // the count itself stands; the past is counted later
		case before.whole:
			c.take(before.minutes, first, c.from)
			c.from = first
		case before.rising:
			c.blind = true
		default: // the minute in which it was cut off is counted again
			cut := before.oldest.Truncate(time.Minute).Add(time.Minute)
			c.take(before.minutes, cut, c.from)
			if cut.Before(c.from) {
				c.from = cut
			}
		}
	}
	if c.from.Before(first) {
		c.from = first
	}
	for minute := range c.minutes {
		if minute < c.from.Unix()/60 {
			delete(c.minutes, minute)
		}
	}
	return false, nil
}

// take takes the lines counted from one minute to another in place of what was
// counted of those minutes before.
func (c *lineCount) take(lines map[int64]float64, from, end time.Time) {
	for minute := range c.minutes {
		if minute >= from.Unix()/60 && minute < end.Unix()/60 {
			delete(c.minutes, minute)
		}
	}
	for minute, n := range lines {
		if minute >= from.Unix()/60 {
			c.minutes[minute] = n
		}
	}
}

func (c *lineCount) series() series {
	var out series
	for _, minute := range slices.Sorted(maps.Keys(c.minutes)) {
		out.at, out.values = append(out.at, time.Unix(minute*60, 0).UTC()), append(out.values, c.minutes[minute])
	}
	return out
}

// countedLines is what one count came to.
type countedLines struct {
	minutes map[int64]float64 // by Unix minute
	whole   bool              // all of the time was looked at
	oldest  time.Time         // the oldest line met, where it was not
	rising  bool              // the lines came oldest first
}

// countLines counts the lines that match from a time to another.
func (b awsBuilder) countLines(ctx context.Context, s *clients.AWSServices, l *config.LogCount, from, to time.Time, pages *int) (countedLines, error) {
	in := &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: aws.String(l.Group), StartTime: aws.Int64(from.UnixMilli()), EndTime: aws.Int64(to.UnixMilli() - 1),
		FilterPattern: aws.String(l.Pattern), Limit: aws.Int32(countLimit),
		StartFromHead: aws.Bool(false), // where not all can be read, the newest
	}
	term := oneTerm.FindStringSubmatch(l.Pattern)
	out := countedLines{minutes: map[int64]float64{}, oldest: to}
	var newest int64 // the time of the first line
	for *pages > 0 {
		*pages--
		page, err := b.logPage(ctx, s, in)
		if err != nil {
			return out, err
		}
		for _, e := range page.Events {
			at := aws.ToInt64(e.Timestamp)
			if newest == 0 {
				newest = at
			}
			out.rising = at > newest // of the last line: streams are merged, and not every line is in its place
			if at < from.UnixMilli() || at >= to.UnixMilli() || term != nil && !strings.Contains(aws.ToString(e.Message), term[1]) {
				continue // not every server that speaks the protocol heeds what is asked for
			}
			if t := time.UnixMilli(at); t.Before(out.oldest) {
				out.oldest = t
			}
			out.minutes[at/60_000]++
		}
		next := aws.ToString(page.NextToken)
		if next == "" || next == aws.ToString(in.NextToken) {
			out.whole = true
			return out, nil
		}
		in.NextToken = page.NextToken
	}
	return out, nil
}
