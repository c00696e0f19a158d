package awssim

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Trail is a CloudTrail trail.
type Trail struct {
	Name        string
	Bucket      string // NAME-logs when empty
	MultiRegion bool
	Validated   bool // log file validation
	Global      bool // records the events of global services
	Stopped     time.Time
	Started     time.Time // 400 days ago when zero
	KMSKey      string
	Selector    string // which management events: All, WriteOnly, ReadOnly or None; All when empty
	Advanced    bool   // says so by advanced event selectors
	// Delivered is when logs were last delivered; a trail that logs delivers all
	// the time when it is zero.
	Delivered     time.Time
	DeliveryError string
}

// AddTrail adds or replaces a trail of this region.
func (s *Sim) AddTrail(t Trail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.Bucket == "" {
		t.Bucket = t.Name + "-logs"
	}
	if t.Started.IsZero() {
		t.Started = s.now().AddDate(0, 0, -400).Truncate(time.Second)
	}
	if t.Selector == "" {
		t.Selector = "All"
	}
	s.trails = slices.DeleteFunc(s.trails, func(x Trail) bool { return x.Name == t.Name })
	s.trails = append(s.trails, t)
}

func cloudtrailOperations() []operation {
	const ct = "cloudtrail"
	return []operation{
		define(ct, "LookupEvents", lookupEvents),
		define(ct, "DescribeTrails", describeTrails),
		define(ct, "GetTrail", getTrail),
		define(ct, "GetTrailStatus", getTrailStatus),
		define(ct, "GetEventSelectors", getEventSelectors),
		define(ct, "ListTrails", listTrails),
	}
}

type lookupAttribute struct{ AttributeKey, AttributeValue string }

type lookupInput struct {
	LookupAttributes   []lookupAttribute
	StartTime, EndTime time.Time
	EventCategory      string
	MaxResults         *int
	NextToken          string
}

type lookedUp struct {
	EventId, EventName, ReadOnly, AccessKeyId string
	EventTime                                 time.Time
	EventSource, Username                     string
	Resources                                 []lookedUpResource `aws:",keep"`
	CloudTrailEvent                           string
}

type lookedUpResource struct{ ResourceType, ResourceName string }

// lookupKeys give the value by which an event is looked up.
var lookupKeys = map[string]func(s *Sim, e *trailEvent, want string) bool{
	"EventId":     func(s *Sim, e *trailEvent, want string) bool { return s.eventID(e) == want },
	"EventName":   func(_ *Sim, e *trailEvent, want string) bool { return e.Name == want },
	"ReadOnly":    func(_ *Sim, e *trailEvent, want string) bool { return strconv.FormatBool(e.ReadOnly) == want },
	"Username":    func(_ *Sim, e *trailEvent, want string) bool { return username(e.Principal) == want },
	"EventSource": func(_ *Sim, e *trailEvent, want string) bool { return e.Source == want },
	"AccessKeyId": func(_ *Sim, e *trailEvent, want string) bool { return e.AccessKey != "" && e.AccessKey == want },
	"ResourceType": func(_ *Sim, e *trailEvent, want string) bool {
		return slices.ContainsFunc(e.Resources, func(r EventResource) bool { return r.Type == want })
	},
	"ResourceName": func(_ *Sim, e *trailEvent, want string) bool {
		return slices.ContainsFunc(e.Resources, func(r EventResource) bool { return r.Name == want })
	},
}

func (in *lookupInput) check() (limit int, err *apiError) {
	limit = 50
	if in.MaxResults != nil {
		if limit = *in.MaxResults; limit < 1 || limit > 50 {
			return 0, errf("InvalidMaxResultsException", "A max results value of %d is invalid. Specify max results between 1 and 50.", limit)
		}
	}
	switch {
	case len(in.LookupAttributes) > 1:
		return 0, errf("InvalidLookupAttributesException", "You can only specify one attribute in the lookup request.")
	case in.EventCategory != "" && in.EventCategory != "insight":
		return 0, errf("InvalidEventCategoryException", "The event category %s is invalid.", clip(in.EventCategory, 40))
	case !in.StartTime.IsZero() && !in.EndTime.IsZero() && in.StartTime.After(in.EndTime):
		return 0, errf("InvalidTimeRangeException", "The start time must be before the end time.")
	}
	for _, a := range in.LookupAttributes {
		if lookupKeys[a.AttributeKey] == nil || a.AttributeValue == "" || len(a.AttributeValue) > 2000 {
			return 0, errf("InvalidLookupAttributesException", "The lookup attribute %s is invalid.", clip(a.AttributeKey, 40))
		}
	}
	return limit, nil
}

// bound names the query that a page token belongs to.
func (in *lookupInput) bound(s *Sim, region string) string {
	d := s.digest("lookup", region, fmt.Sprint(in.LookupAttributes), in.EventCategory, in.StartTime.String(), in.EndTime.String())
	return hex.EncodeToString(d[:8])
}

// lookupEvents gives delivered events, newest first. A token names the last
// event of its page, so that new ones do not shift the rest, and works with the
// same query alone.
func lookupEvents(c *call, in *lookupInput) (any, *apiError) {
	s := c.sim
	limit, err := in.check()
	if err != nil {
		return nil, err
	}
	query := in.bound(s, c.region)
	before, resumed := uint64(0), in.NextToken != ""
	var beforeAt time.Time
	if resumed {
		b, e := base64.RawURLEncoding.DecodeString(in.NextToken)
		parts := strings.Split(string(b), ":")
		if e != nil || len(parts) != 4 || parts[0] != "lookup" || parts[1] != query {
			return nil, errf("InvalidNextTokenException", "The token is not valid for this request: NextToken works with the parameters of the request that returned it.")
		}
		seconds, e1 := strconv.ParseInt(parts[2], 10, 64)
		number, e2 := strconv.ParseUint(parts[3], 10, 64)
		if e1 != nil || e2 != nil {
			return nil, errf("InvalidNextTokenException", "The token is not valid.")
		}
		beforeAt, before = time.Unix(seconds, 0).UTC(), number
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	out := struct {
		Events    []lookedUp `aws:",keep"`
		NextToken string
	}{}
	place := &trailEvent{Event: Event{At: beforeAt}, number: before}
	var last *trailEvent
	for i := len(s.events) - 1; i >= 0; i-- {
		e := s.events[i]
		if now.Sub(e.At) > eventLife || !in.StartTime.IsZero() && e.At.Before(in.StartTime) {
			break
		}
		if e.Region != c.region || now.Before(e.At.Add(s.delivery)) || in.EventCategory == "insight" ||
			!in.EndTime.IsZero() && e.At.After(in.EndTime) || resumed && e.compare(place) >= 0 || !s.wanted(e, in.LookupAttributes) {
			continue
		}
		if len(out.Events) == limit {
			out.NextToken = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "lookup:%s:%d:%d", query, last.At.Unix(), last.number))
			break
		}
		last = e
		l := lookedUp{
			EventId: s.eventID(e), EventName: e.Name, ReadOnly: strconv.FormatBool(e.ReadOnly), AccessKeyId: e.AccessKey, EventTime: e.At,
			EventSource: e.Source, Username: username(e.Principal), CloudTrailEvent: s.document(e),
		}
		for _, r := range e.Resources {
			l.Resources = append(l.Resources, lookedUpResource{r.Type, r.Name})
		}
		out.Events = append(out.Events, l)
	}
	return out, nil
}

func (s *Sim) wanted(e *trailEvent, attributes []lookupAttribute) bool {
	for _, a := range attributes {
		if !lookupKeys[a.AttributeKey](s, e, a.AttributeValue) {
			return false
		}
	}
	return true
}

func (s *Sim) trailARN(name string) string { return s.arn("cloudtrail", "trail/"+name) }

// trail finds a trail by name or ARN; the caller holds s.mu. In another region
// than its own a trail of all regions goes by its ARN alone.
func (c *call) trail(id string) (Trail, *apiError) {
	s := c.sim
	for _, t := range s.trails {
		if id == s.trailARN(t.Name) || id == t.Name && c.region == s.region {
			return t, nil
		}
	}
	if strings.HasPrefix(id, "arn:") && !strings.Contains(id, ":trail/") {
		return Trail{}, errf("CloudTrailARNInvalidException", "The ARN %s is not a valid trail ARN.", clip(id, 256))
	}
	if id == "" {
		return Trail{}, errf("InvalidTrailNameException", "Trail name cannot be blank!")
	}
	if !strings.HasPrefix(id, "arn:") {
		id = "arn:aws:cloudtrail:" + c.region + ":" + s.account + ":trail/" + id
	}
	return Trail{}, errf("TrailNotFoundException", "Unknown trail: %s for the user: %s", clip(id, 256), s.account)
}

type trailOutput struct {
	Name, S3BucketName, HomeRegion, TrailARN, KmsKeyId string
	IncludeGlobalServiceEvents                         bool `aws:",keep"`
	IsMultiRegionTrail                                 bool `aws:",keep"`
	LogFileValidationEnabled                           bool `aws:",keep"`
	HasCustomEventSelectors                            bool `aws:",keep"`
	HasInsightSelectors                                bool `aws:",keep"`
	IsOrganizationTrail                                bool `aws:",keep"`
}

func (s *Sim) trailOutput(t Trail) trailOutput {
	return trailOutput{
		Name: t.Name, S3BucketName: t.Bucket, HomeRegion: s.region, TrailARN: s.trailARN(t.Name), KmsKeyId: t.KMSKey,
		IncludeGlobalServiceEvents: t.Global || t.MultiRegion, IsMultiRegionTrail: t.MultiRegion, LogFileValidationEnabled: t.Validated,
		HasCustomEventSelectors: t.Advanced || t.Selector != "All",
	}
}

// describeTrails gives the trails of the region asked, with the shadows of those
// of all regions whose home is another one.
func describeTrails(c *call, in *struct {
	Names  []string `aws:"trailNameList"`
	Shadow *bool    `aws:"includeShadowTrails"`
}) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	out := struct {
		Trails []trailOutput `aws:"trailList,keep"`
	}{}
	for _, t := range s.trails {
		home := c.region == s.region
		named := slices.ContainsFunc(in.Names, func(id string) bool { return id == s.trailARN(t.Name) || id == t.Name && home })
		if len(in.Names) > 0 && !named || !home && (!t.MultiRegion || in.Shadow != nil && !*in.Shadow) {
			continue
		}
		out.Trails = append(out.Trails, s.trailOutput(t))
	}
	return out, nil
}

type trailInput struct{ Name, TrailName string }

func getTrail(c *call, in *trailInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	t, err := c.trail(in.Name)
	if err != nil {
		return nil, err
	}
	return struct{ Trail trailOutput }{c.sim.trailOutput(t)}, nil
}

func getTrailStatus(c *call, in *trailInput) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := c.trail(in.Name)
	if err != nil {
		return nil, err
	}
	out := struct {
		IsLogging                                             bool `aws:",keep"`
		LatestDeliveryError                                   string
		LatestDeliveryTime, StartLoggingTime, StopLoggingTime time.Time
		LatestDigestDeliveryTime                              time.Time
		LatestDeliveryAttemptTime, TimeLoggingStarted         string
		TimeLoggingStopped, LatestDeliveryAttemptSucceeded    string
	}{
		IsLogging: t.Stopped.IsZero(), LatestDeliveryError: t.DeliveryError, LatestDeliveryTime: t.Delivered,
		StartLoggingTime: t.Started, StopLoggingTime: t.Stopped, TimeLoggingStarted: t.Started.UTC().Format(time.RFC3339),
	}
	if out.LatestDeliveryTime.IsZero() {
		// A log file about every five minutes, until logging stopped.
		upTo := s.now()
		if !out.IsLogging {
			upTo = t.Stopped
		}
		out.LatestDeliveryTime = upTo.Truncate(5 * time.Minute)
	}
	if t.Validated {
		out.LatestDigestDeliveryTime = out.LatestDeliveryTime.Truncate(time.Hour)
	}
	out.LatestDeliveryAttemptTime = out.LatestDeliveryTime.UTC().Format(time.RFC3339)
	if t.DeliveryError == "" {
		out.LatestDeliveryAttemptSucceeded = out.LatestDeliveryAttemptTime
	}
	if !out.IsLogging {
		out.TimeLoggingStopped = t.Stopped.UTC().Format(time.RFC3339)
	}
	return out, nil
}

type eventSelector struct {
	ReadWriteType                 string
	IncludeManagementEvents       bool       `aws:",keep"`
	DataResources                 []struct{} `aws:",keep"`
	ExcludeManagementEventSources []string   `aws:",keep"`
}

type fieldSelector struct {
	Field  string
	Equals []string
}

type advancedSelector struct {
	Name           string
	FieldSelectors []fieldSelector
}

func getEventSelectors(c *call, in *trailInput) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := c.trail(in.TrailName)
	if err != nil {
		return nil, err
	}
	out := struct {
		TrailARN               string
		EventSelectors         []eventSelector
		AdvancedEventSelectors []advancedSelector
	}{TrailARN: s.trailARN(t.Name)}
	if t.Advanced {
		category := "Management"
		if t.Selector == "None" {
			category = "Data"
		}
		fields := []fieldSelector{{"eventCategory", []string{category}}}
		if read := map[string]string{"WriteOnly": "false", "ReadOnly": "true"}[t.Selector]; read != "" {
			fields = append(fields, fieldSelector{"readOnly", []string{read}})
		}
		if category == "Data" {
			fields = append(fields, fieldSelector{"resources.type", []string{"AWS::S3::Object"}})
		}
		out.AdvancedEventSelectors = []advancedSelector{{"events of " + t.Name, fields}}
		return out, nil
	}
	sel := eventSelector{ReadWriteType: t.Selector, IncludeManagementEvents: t.Selector != "None"}
	if !sel.IncludeManagementEvents {
		sel.ReadWriteType = "All"
	}
	out.EventSelectors = []eventSelector{sel}
	return out, nil
}

func listTrails(c *call, in *struct{ NextToken string }) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	type entry struct{ TrailARN, Name, HomeRegion string }
	start, ok := readToken("trails", in.NextToken)
	if !ok || start > len(s.trails) {
		return nil, errf("InvalidNextTokenException", "The token is not valid.")
	}
	out := struct {
		Trails    []entry `aws:",keep"`
		NextToken string
	}{}
	end := min(start+100, len(s.trails))
	for _, t := range s.trails[start:end] {
		out.Trails = append(out.Trails, entry{s.trailARN(t.Name), t.Name, s.region})
	}
	if end < len(s.trails) {
		out.NextToken = makeToken("trails", end)
	}
	return out, nil
}
