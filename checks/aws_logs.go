package checks

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

const (
	// logLines is how many error lines are kept, the newest.
	logLines = 5
	// logPages bounds the pages of one read: FilterLogEvents is metered, and pages
	// without an event are normal.
	logPages = 12
	// logGroupFor is how long the group a function logs to is remembered.
	logGroupFor = 10 * time.Minute
)

// errorTerms are what the error lines of rotation functions hold: the runtimes'
// own words and those of AWS's rotation templates.
var errorTerms = []string{
	"ERROR", "Task timed out", "AccessDenied", "Unable to log into", "Runtime exited", "Process exited",
}

// errorFilter asks CloudWatch Logs for lines with any of the terms.
var errorFilter = func() string {
	terms := make([]string, len(errorTerms))
	for i, t := range errorTerms {
		terms[i] = `?"` + t + `"`
	}
	return strings.Join(terms, " ")
}()

// errorLine is the same filter here: not every server that speaks the protocol
// applies it.
var errorLine = func() *regexp.Regexp {
	terms := make([]string, len(errorTerms))
	for i, t := range errorTerms {
		terms[i] = regexp.QuoteMeta(t)
	}
	return regexp.MustCompile(strings.Join(terms, "|"))
}()

// functionLogs reads a function's newest error lines.
func (b awsBuilder) functionLogs(f string) Probe {
	window := b.cfg.Windows.Rotation
	var mu sync.Mutex
	var group string
	var known time.Time
	where := func(ctx context.Context, s *clients.AWSServices) string {
		mu.Lock()
		defer mu.Unlock()
		if group != "" && time.Since(known) < logGroupFor {
			return group
		}
		ctx, cancel := b.page(ctx)
		defer cancel()
		out, err := s.Lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(f)})
		if err != nil {
			// That read has its own check, which says why. The default is right
			// for most functions.
			return logGroup(nil, f)
		}
		group, known = logGroup(out.LoggingConfig, f), time.Now()
		return group
	}
	return b.paged(b.probe(estate.CheckFunctionLogs, "", "logs FilterLogEvents", functionName(f), "read the error lines of function "+f, b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			name := where(ctx, s)
			lines, partial, err := b.errorLines(ctx, s, name, time.Now().Add(-window))
			if err != nil {
				return nil, err
			}
			return estate.FunctionLogs{Window: window, Group: b.client.Text(name, 2*nameLimit), Errors: lines, Partial: partial}, nil
		}), 4)
}

// errorLines is the newest error lines since a time, newest first. partial says
// that not all of the time was read.
func (b awsBuilder) errorLines(ctx context.Context, s *clients.AWSServices, group string, since time.Time) (lines []estate.LogLine, partial bool, err error) {
	in := &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName:  aws.String(group),
		StartTime:     aws.Int64(since.UnixMilli()),
		FilterPattern: aws.String(errorFilter),
		Limit:         aws.Int32(1000),
		StartFromHead: aws.Bool(false), // newest first
	}
	var found []logtypes.FilteredLogEvent
	var last int64 // time of the event before
	oldestFirst := false
	for range logPages {
		page, err := b.logPage(ctx, s, in)
		if err != nil {
			return nil, false, err
		}
		for _, e := range page.Events {
			at := aws.ToInt64(e.Timestamp)
			oldestFirst = oldestFirst || last != 0 && at > last
			last = at
			if errorLine.MatchString(aws.ToString(e.Message)) {
				found = append(found, e)
			}
		}
		found = newest(found)
		next := aws.ToString(page.NextToken)
		switch {
		case next == "" || next == aws.ToString(in.NextToken):
			return b.logLines(found), false, nil
		case len(found) == logLines && !oldestFirst:
			return b.logLines(found), false, nil
		}
		in.NextToken = page.NextToken
	}
	return b.logLines(found), true, nil
}

func (b awsBuilder) logPage(ctx context.Context, s *clients.AWSServices, in *cloudwatchlogs.FilterLogEventsInput) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	ctx, cancel := b.page(ctx)
	defer cancel()
	return s.Logs.FilterLogEvents(ctx, in)
}

// newest keeps the newest events, newest first.
func newest(events []logtypes.FilteredLogEvent) []logtypes.FilteredLogEvent {
	slices.SortStableFunc(events, func(a, b logtypes.FilteredLogEvent) int {
		return int(min(max(aws.ToInt64(b.Timestamp)-aws.ToInt64(a.Timestamp), -1), 1))
	})
	return events[:min(len(events), logLines)]
}

func (b awsBuilder) logLines(events []logtypes.FilteredLogEvent) []estate.LogLine {
	lines := make([]estate.LogLine, 0, len(events))
	for _, e := range events {
		lines = append(lines, estate.LogLine{At: time.UnixMilli(aws.ToInt64(e.Timestamp)).UTC(), Text: b.reason(e.Message)})
	}
	return lines
}
