package awssim

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Limits of CloudWatch Logs.
const (
	maxPageEvents = 10000
	maxPageBytes  = 1 << 20
	eventOverhead = 26 // bytes that count for every event
)

// logGroup is a log group; it changes under Sim.mu.
type logGroup struct {
	name    string
	created time.Time
	events  []logEvent // ordered by time, then by number
	streams map[string]*logStream
	serial  uint64

	generators []generator
}

type logStream struct {
	name                         string
	created, first, last, latest time.Time // latest is when the newest event came in
	bytes                        int
	generated                    bool // its newest line is about now
}

type logEvent struct {
	number  uint64
	stream  string
	at      time.Time
	message string
}

func (a logEvent) compare(b logEvent) int {
	if n := a.at.Compare(b.at); n != 0 {
		return n
	}
	return cmp.Compare(a.number, b.number)
}

// AddLogGroup makes a log group that may stay empty.
func (s *Sim) AddLogGroup(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.group(name)
}

// AddLog appends a line to a stream, making the group and the stream when they
// are new. Lines may come in any order; one without a time is of now.
func (s *Sim) AddLog(e LogEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.group(e.Group)
	now := s.now()
	if e.At.IsZero() {
		e.At = now
	}
	e.At = e.At.UTC().Truncate(time.Millisecond)
	st := g.streams[e.Stream]
	if st == nil {
		st = &logStream{name: e.Stream, created: e.At, first: e.At}
		g.streams[e.Stream] = st
	}
	if e.At.Before(st.first) {
		st.first, st.created = e.At, e.At
	}
	if e.At.After(st.last) {
		st.last = e.At
	}
	st.latest = st.last
	st.bytes += len(e.Message) + eventOverhead
	g.serial++
	ev := logEvent{g.serial, e.Stream, e.At, e.Message}
	i, _ := slices.BinarySearchFunc(g.events, ev, logEvent.compare)
	g.events = slices.Insert(g.events, i, ev)
}

// group is the group of that name, made when new; the caller holds s.mu.
func (s *Sim) group(name string) *logGroup {
	g := s.groups[name]
	if g == nil {
		g = &logGroup{name: name, created: s.now(), streams: map[string]*logStream{}}
		s.groups[name] = g
	}
	return g
}

func logsOperations() []operation {
	return []operation{
		define("logs", "FilterLogEvents", filterLogEvents),
		define("logs", "DescribeLogStreams", describeLogStreams),
		define("logs", "DescribeLogGroups", describeLogGroups),
	}
}

// logGroup finds the group that a request names; the caller holds s.mu.
func (c *call) logGroup(name, identifier string) (*logGroup, *apiError) {
	if name == "" {
		name = identifier
		if rest, ok := strings.CutPrefix(name, c.sim.arn("logs", "log-group:")); ok {
			name = strings.TrimSuffix(rest, ":*")
		}
	} else if identifier != "" {
		return nil, invalidParameter("LogGroup name and LogGroup ARN are mutually exclusive parameters.")
	}
	if name == "" || len(name) > 512 {
		return nil, invalidParameter("1 validation error detected: Value at 'logGroupName' failed to satisfy constraint: Member must have length between 1 and 512")
	}
	g := c.sim.groups[name]
	if g == nil {
		return nil, notFound("The specified log group does not exist.")
	}
	return g, nil
}

type filterInput struct {
	LogGroupName        string   `aws:"logGroupName"`
	LogGroupIdentifier  string   `aws:"logGroupIdentifier"`
	LogStreamNames      []string `aws:"logStreamNames"`
	LogStreamNamePrefix string   `aws:"logStreamNamePrefix"`
	StartTime           *int     `aws:"startTime"`
	EndTime             *int     `aws:"endTime"`
	FilterPattern       string   `aws:"filterPattern"`
	NextToken           string   `aws:"nextToken"`
	Limit               *int     `aws:"limit"`
	StartFromHead       *bool    `aws:"startFromHead"`
}

type filteredEvent struct {
	LogStreamName string `aws:"logStreamName"`
	Timestamp     int    `aws:"timestamp,keep"`
	Message       string `aws:"message,keep"`
	IngestionTime int    `aws:"ingestionTime,keep"`
	EventID       string `aws:"eventId"`
}

type filterOutput struct {
	Events             []filteredEvent `aws:"events,keep"`
	SearchedLogStreams []struct{}      `aws:"searchedLogStreams,keep"`
	NextToken          string          `aws:"nextToken"`
}

// filterLogEvents scans at most a page's worth of bytes, so that a page of a
// rare pattern may be empty and still have a next one.
func filterLogEvents(c *call, in *filterInput) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := c.logGroup(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if len(in.LogStreamNames) > 0 && in.LogStreamNamePrefix != "" {
		return nil, invalidParameter("LogStreamNamePrefix and LogStreamNames are mutually exclusive parameters.")
	}
	for _, n := range in.LogStreamNames {
		if g.streams[n] == nil {
			return nil, notFound("The specified log stream does not exist.")
		}
	}
	match, err := parsePattern(in.FilterPattern)
	if err != nil {
		return nil, err
	}
	limit := maxPageEvents
	if in.Limit != nil {
		if limit = *in.Limit; limit < 1 || limit > maxPageEvents {
			return nil, invalidParameter("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value between 1 and 10000", limit)
		}
	}
	if in.StartTime != nil && in.EndTime != nil && *in.StartTime > *in.EndTime {
		return nil, invalidParameter("startTime must be less than or equal to endTime")
	}
	backwards := in.StartFromHead != nil && !*in.StartFromHead
	after, resumed, ok := readPlace(in.NextToken)
	if !ok {
		return nil, invalidParameter("The specified nextToken is invalid.")
	}
	from, to := time.Time{}, time.Unix(1<<40, 0)
	if in.StartTime != nil {
		from = time.UnixMilli(int64(*in.StartTime))
	}
	if in.EndTime != nil && !backwards {
		to = time.UnixMilli(int64(*in.EndTime))
	}
	if resumed && !backwards && after.at.After(from) {
		from = after.at
	}
	events := g.between(from, to, s.now())
	if backwards {
		events = slices.Clone(events)
		slices.Reverse(events)
	}
	var out filterOutput
	scanned := 0
	for i, e := range events {
		if resumed {
			if n := e.compare(after); !backwards && n <= 0 || backwards && n >= 0 {
				continue
			}
		}
		ms := int(e.at.UnixMilli())
		if in.StartTime != nil && ms < *in.StartTime || in.EndTime != nil && ms > *in.EndTime {
			continue
		}
		if len(in.LogStreamNames) > 0 && !slices.Contains(in.LogStreamNames, e.stream) || !strings.HasPrefix(e.stream, in.LogStreamNamePrefix) {
			continue
		}
		scanned += len(e.message) + eventOverhead
		if match(e.message) {
			out.Events = append(out.Events, filteredEvent{e.stream, ms, e.message, ms, fmt.Sprintf("%056d", e.number)})
		}
		if i+1 < len(events) && (len(out.Events) >= limit || scanned >= maxPageBytes) {
			out.NextToken = makePlace(e)
			break
		}
	}
	return out, nil
}

// makePlace writes an event's place in the order as a page token.
func makePlace(e logEvent) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "event:%d:%d", e.at.UnixMilli(), e.number))
}

func readPlace(token string) (e logEvent, resumed, ok bool) {
	if token == "" {
		return e, false, true
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return e, false, false
	}
	var ms int64
	if n, err := fmt.Sscanf(string(b), "event:%d:%d", &ms, &e.number); n != 2 || err != nil {
		return e, false, false
	}
	e.at = time.UnixMilli(ms).UTC()
	return e, true, true
}

type streamEntry struct {
	LogStreamName       string `aws:"logStreamName"`
	CreationTime        int    `aws:"creationTime"`
	FirstEventTimestamp int    `aws:"firstEventTimestamp"`
	LastEventTimestamp  int    `aws:"lastEventTimestamp"`
	LastIngestionTime   int    `aws:"lastIngestionTime"`
	UploadSequenceToken string `aws:"uploadSequenceToken"`
	ARN                 string `aws:"arn"`
	StoredBytes         int    `aws:"storedBytes,keep"`
}

func describeLogStreams(c *call, in *struct {
	LogGroupName        string `aws:"logGroupName"`
	LogGroupIdentifier  string `aws:"logGroupIdentifier"`
	LogStreamNamePrefix string `aws:"logStreamNamePrefix"`
	OrderBy             string `aws:"orderBy"`
	Descending          bool   `aws:"descending"`
	NextToken           string `aws:"nextToken"`
	Limit               *int   `aws:"limit"`
}) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := c.logGroup(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if in.OrderBy == "LastEventTime" && in.LogStreamNamePrefix != "" {
		return nil, invalidParameter("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	if !slices.Contains([]string{"", "LogStreamName", "LastEventTime"}, in.OrderBy) {
		return nil, invalidParameter("1 validation error detected: Value at 'orderBy' failed to satisfy constraint: Member must satisfy enum value set: [LogStreamName, LastEventTime]")
	}
	var all []*logStream
	for _, st := range g.streams {
		if st.generated {
			st.last = s.now().Truncate(time.Second)
			st.latest = st.last
		}
		if strings.HasPrefix(st.name, in.LogStreamNamePrefix) {
			all = append(all, st)
		}
	}
	slices.SortFunc(all, func(a, b *logStream) int {
		n := 0
		if in.OrderBy == "LastEventTime" {
			n = a.last.Compare(b.last)
		}
		if n == 0 {
			n = strings.Compare(a.name, b.name)
		}
		if in.Descending {
			n = -n
		}
		return n
	})
	start, end, next, err := logPage(in.NextToken, in.Limit, len(all))
	if err != nil {
		return nil, err
	}
	out := struct {
		LogStreams []streamEntry `aws:"logStreams,keep"`
		NextToken  string        `aws:"nextToken"`
	}{NextToken: next}
	for _, st := range all[start:end] {
		out.LogStreams = append(out.LogStreams, streamEntry{
			LogStreamName: st.name, CreationTime: int(st.created.UnixMilli()), FirstEventTimestamp: int(st.first.UnixMilli()),
			LastEventTimestamp: int(st.last.UnixMilli()), LastIngestionTime: int(st.latest.UnixMilli()),
			UploadSequenceToken: s.uuid("sequence", g.name, st.name), ARN: s.arn("logs", "log-group:"+g.name+":log-stream:"+st.name),
		})
	}
	return out, nil
}

// logPage is the part of a list that a page shows: 50 entries at most.
func logPage(token string, limit *int, n int) (start, end int, next string, err *apiError) {
	most := 50
	if limit != nil {
		if most = *limit; most < 1 || most > 50 {
			return 0, 0, "", invalidParameter("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value between 1 and 50", most)
		}
	}
	start, ok := readToken("logs", token)
	if !ok || start > n {
		return 0, 0, "", invalidParameter("The specified nextToken is invalid.")
	}
	end = min(start+most, n)
	if end < n {
		next = makeToken("logs", end)
	}
	return start, end, next, nil
}

type groupEntry struct {
	LogGroupName      string `aws:"logGroupName"`
	CreationTime      int    `aws:"creationTime"`
	MetricFilterCount int    `aws:"metricFilterCount,keep"`
	ARN               string `aws:"arn"`
	LogGroupARN       string `aws:"logGroupArn"`
	StoredBytes       int    `aws:"storedBytes,keep"`
	LogGroupClass     string `aws:"logGroupClass"`
}

func describeLogGroups(c *call, in *struct {
	Prefix    string `aws:"logGroupNamePrefix"`
	Pattern   string `aws:"logGroupNamePattern"`
	NextToken string `aws:"nextToken"`
	Limit     *int   `aws:"limit"`
}) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.Prefix != "" && in.Pattern != "" {
		return nil, invalidParameter("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	names := slices.Sorted(maps.Keys(s.groups))
	names = slices.DeleteFunc(names, func(n string) bool {
		return !strings.HasPrefix(n, in.Prefix) || !strings.Contains(strings.ToLower(n), strings.ToLower(in.Pattern))
	})
	start, end, next, err := logPage(in.NextToken, in.Limit, len(names))
	if err != nil {
		return nil, err
	}
	out := struct {
		LogGroups []groupEntry `aws:"logGroups,keep"`
		NextToken string       `aws:"nextToken"`
	}{NextToken: next}
	for _, n := range names[start:end] {
		g := s.groups[n]
		size := 0
		for _, st := range g.streams {
			size += st.bytes
		}
		arn := s.arn("logs", "log-group:"+n)
		out.LogGroups = append(out.LogGroups, groupEntry{n, int(g.created.UnixMilli()), 0, arn + ":*", arn, size, "STANDARD"})
	}
	return out, nil
}
