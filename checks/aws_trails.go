package checks

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// trailsLimit bounds the trails of one region that are looked at: it can have
// five of its own, beside those of other regions and of the organisation.
const trailsLimit = 12

// auditTrails reads the trails that record an account: whether each is on, what it
// records, and whether its logs arrive.
func (b awsBuilder) auditTrails() Probe {
	p := b.paged(b.probe(estate.CheckTrails, b.account, "cloudtrail DescribeTrails, GetTrailStatus and GetEventSelectors", "", "read the audit trails", b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			out, err := b.describeTrails(ctx, s)
			if err != nil {
				return nil, err
			}
			if out.TrailList == nil {
				return nil, hollow("its list of trails")
			}
			list := out.TrailList[:min(len(out.TrailList), trailsLimit)]
			trails := estate.Trails{Account: b.account, Trails: []estate.Trail{}}
			var last error
			unread := 0
			for i := range list {
				one, err := b.trail(ctx, s, &list[i])
				if err != nil {
					unread, last = unread+1, err
				}
				trails.Trails = append(trails.Trails, one)
			}
			if unread > 0 && (unread == len(list) || ctx.Err() != nil) {
				return nil, last
			}
			return trails, nil
		}), 6)
	p.System, p.Width = "cloudtrail:"+b.account, 0
	return p
}

func (b awsBuilder) describeTrails(ctx context.Context, s *clients.AWSServices) (*cloudtrail.DescribeTrailsOutput, error) {
	ctx, cancel := b.page(ctx)
	defer cancel()
	return s.CloudTrail.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{})
}

// trail reads one trail. A trail of the organisation can be seen where its status
// may not be: it stays in the list, with the reason. The error is for when there
// is nothing else.
func (b awsBuilder) trail(ctx context.Context, s *clients.AWSServices, t *cttypes.Trail) (estate.Trail, error) {
	out := estate.Trail{
		Name: b.name(t.Name), MultiRegion: aws.ToBool(t.IsMultiRegionTrail), Validated: aws.ToBool(t.LogFileValidationEnabled),
	}
	id := t.TrailARN
	if aws.ToString(id) == "" {
		id = t.Name
	}
	ctx = clients.WithinEach(ctx, b.cfg.Checks.Timeout)
	status, err := s.CloudTrail.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: id})
	if err != nil {
		f := b.client.Failure(err, "read the status of trail "+out.Name)
		out.Unread = "status: " + string(f.Kind) + ": " + f.Detail
		return out, err
	}
	if status.IsLogging == nil {
		return out, hollow("whether trail " + out.Name + " is on")
	}
	out.Logging = aws.ToBool(status.IsLogging)
	out.Delivered = aws.ToTime(status.LatestDeliveryTime)
	out.Error = b.reason(status.LatestDeliveryError)
	selectors, err := s.CloudTrail.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: id})
	if err != nil {
		f := b.client.Failure(err, "read the event selectors of trail "+out.Name)
		out.Unread = "event selectors: " + string(f.Kind) + ": " + f.Detail
		return out, nil
	}
	switch {
	case len(selectors.EventSelectors)+len(selectors.AdvancedEventSelectors) > 0:
		out.Management = recorded(selectors.EventSelectors, selectors.AdvancedEventSelectors)
	case aws.ToBool(t.HasCustomEventSelectors):
		out.Unread = "event selectors: it has some, and none is told"
	default:
		out.Management = "all" // what a trail records that nobody told otherwise
	}
	return out, nil
}

// recorded is which management events of Secrets Manager a trail's selectors let
// through. Several add up.
func recorded(basic []cttypes.EventSelector, advanced []cttypes.AdvancedEventSelector) string {
	var reads, writes, some bool
	for _, one := range basic {
		// The default is to record them.
		if one.IncludeManagementEvents != nil && !*one.IncludeManagementEvents {
			continue
		}
		if slices.Contains(one.ExcludeManagementEventSources, rotationService) {
			continue
		}
		reads = reads || one.ReadWriteType != cttypes.ReadWriteTypeWriteOnly
		writes = writes || one.ReadWriteType != cttypes.ReadWriteTypeReadOnly
	}
	for _, one := range advanced {
		r, w, narrowed := advancedRecords(one.FieldSelectors)
		if narrowed {
			some = some || r || w
			continue
		}
		reads, writes = reads || r, writes || w
	}
	switch {
	case reads && writes:
		return "all"
	case writes:
		return "write"
	case reads:
		return "read"
	case some:
		return "some"
	}
	return "none"
}

// advancedRecords is what one advanced selector lets through, and whether it is
// narrowed by something that is not judged here. All its fields must hold.
func advancedRecords(fields []cttypes.AdvancedFieldSelector) (reads, writes, narrowed bool) {
	management := false
	reads, writes = true, true
	for _, f := range fields {
		switch strings.ToLower(aws.ToString(f.Field)) {
		case "eventcategory":
			management = slices.Contains(f.Equals, "Management")
		case "readonly":
			reads = reads && (len(f.Equals) == 0 || slices.Contains(f.Equals, "true")) && !slices.Contains(f.NotEquals, "true")
			writes = writes && (len(f.Equals) == 0 || slices.Contains(f.Equals, "false")) && !slices.Contains(f.NotEquals, "false")
		case "eventsource":
			if !passes(f, rotationService) {
				return false, false, false
			}
		default:
			narrowed = true
		}
	}
	if !management {
		return false, false, false
	}
	return reads, writes, narrowed
}

// passes reports whether a value passes a field's selector.
func passes(f cttypes.AdvancedFieldSelector, value string) bool {
	any := func(list []string, match func(string, string) bool) bool {
		return slices.ContainsFunc(list, func(one string) bool { return match(value, one) })
	}
	same := func(a, b string) bool { return a == b }
	if len(f.Equals)+len(f.StartsWith)+len(f.EndsWith) > 0 &&
		!any(f.Equals, same) && !any(f.StartsWith, strings.HasPrefix) && !any(f.EndsWith, strings.HasSuffix) {
		return false
	}
	return !any(f.NotEquals, same) && !any(f.NotStartsWith, strings.HasPrefix) && !any(f.NotEndsWith, strings.HasSuffix)
}
