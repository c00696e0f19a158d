package awssim

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// TestGeneratedLog: lines of a generated stream come in order, with those that
// were added, over pages, and none of the future or of before its beginning.
func TestGeneratedLog(t *testing.T) {
	now := time.Now().UTC()
	r := newRig(t, unhurried(), func(o *Options) { o.Clock = func() time.Time { return now } })
	const perMinute = 120
	since := now.Add(-3 * time.Hour).Truncate(time.Minute)
	r.GenerateLog("db", "s", since, func(minute time.Time) []LogLine {
		out := make([]LogLine, perMinute)
		for i := range out {
			out[i] = LogLine{minute.Add(time.Duration(i) * time.Second / 2), fmt.Sprintf("FATAL: %s %d", minute.Format("15:04"), i)}
		}
		return out
	})
	r.AddLog(LogEvent{Group: "db", Stream: "other", At: now.Add(-time.Hour), Message: "LOG: checkpoint"})
	c := cloudwatchlogs.NewFromConfig(r.cfg)
	read := func(in *cloudwatchlogs.FilterLogEventsInput) (n, pages int, last int64) {
		in.LogGroupName = aws.String("db")
		for p := cloudwatchlogs.NewFilterLogEventsPaginator(c, in); p.HasMorePages(); pages++ {
			for _, e := range must(p.NextPage(t.Context()))(t).Events {
				if at := aws.ToInt64(e.Timestamp); at < last {
					t.Fatal("out of order")
				} else {
					last = at
				}
				n++
			}
		}
		return n, pages, last
	}
	whole := int(now.Sub(since)/(time.Second/2)) + 1
	if n, pages, last := read(&cloudwatchlogs.FilterLogEventsInput{}); n != whole+1 || pages < 2 || last > now.UnixMilli() {
		t.Errorf("%d lines on %d pages, want %d; last %d", n, pages, whole+1, last)
	}
	if n, _, _ := read(&cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String("FATAL"), Limit: aws.Int32(1000)}); n != whole {
		t.Errorf("%d matching lines, want %d", n, whole)
	}
	from := since.Add(time.Hour)
	window := &cloudwatchlogs.FilterLogEventsInput{StartTime: aws.Int64(from.UnixMilli()), EndTime: aws.Int64(from.Add(time.Hour - time.Millisecond).UnixMilli()), FilterPattern: aws.String("FATAL")}
	if n, _, _ := read(window); n != 60*perMinute {
		t.Errorf("%d lines in an hour, want %d", n, 60*perMinute)
	}
	streams := must(c.DescribeLogStreams(t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String("db"), LogStreamNamePrefix: aws.String("s")}))(t).LogStreams
	if len(streams) != 1 || now.UnixMilli()-aws.ToInt64(streams[0].LastEventTimestamp) > 1000 {
		t.Errorf("streams %+v", streams)
	}
}
