package checks

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

const (
	// changesListed is how many changes one read brings.
	changesListed = 100
	// detailParts is how many particulars of a change are told.
	detailParts = 8
)

// changes reads the recent writes of an account, as far as they touch what the
// estate names. The events of global services, IAM among them, are recorded in
// one region of a partition, and are looked for there too.
func (b awsBuilder) changes(names *estateNames) Probe {
	window := b.cfg.Windows.Changes
	writes := func(pages int) *history[estate.Change] {
		return &history[estate.Change]{
			key: cttypes.LookupAttributeKeyReadOnly, value: "false", pages: pages, most: changesKept,
			keep: func(e *cttypes.Event) (estate.Change, bool) { return b.change(e, names.current()) },
		}
	}
	here, global := writes(changePages), writes(globalPages)
	return b.metered(b.probe(estate.CheckChanges, b.account, "cloudtrail LookupEvents", "ReadOnly=false", "look up recent changes", b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			unread, renamed := names.refresh(ctx, s)
			if renamed {
				here.forget()
				global.forget()
			}
			found, err := here.read(ctx, s.CloudTrail.LookupEvents, window, b.cfg.Checks.Timeout)
			if err != nil {
				return nil, err
			}
			if s.GlobalTrail != nil {
				where := "in " + clients.GlobalRegion(s.Region) + ", which records those of IAM"
				beside, err := global.read(ctx, s.GlobalTrail.LookupEvents, window, b.cfg.Checks.Timeout)
				switch {
				case err != nil && ctx.Err() != nil:
					return nil, err
				case err != nil:
					f := b.client.Failure(err, "look up recent changes "+where)
					unread = append(unread, "the changes "+where+": "+string(f.Kind)+": "+f.Detail)
				default:
					found = found.with(beside)
				}
			}
			out := estate.Changes{Account: b.account, Window: window, Looked: found.looked, Partial: found.partial, Unread: strings.Join(unread, "; ")}
			if out.Partial {
				out.Window = min(window, time.Since(found.from))
			}
			for _, e := range listed(found.events) {
				out.Changes = append(out.Changes, e.what)
			}
			return out, nil
		}), changePages+globalPages)
}

// with adds what was found elsewhere over the same window.
func (p past[T]) with(o past[T]) past[T] {
	known := make(map[string]bool, len(p.events))
	for _, e := range p.events {
		known[e.id] = true
	}
	out := past[T]{from: p.from, partial: p.partial || o.partial, looked: p.looked + o.looked, events: slices.Clone(p.events)}
	if o.from.After(out.from) {
		out.from = o.from
	}
	for _, e := range o.events {
		if !known[e.id] { // an endpoint that knows no regions tells the same twice
			out.events = append(out.events, e)
		}
	}
	slices.SortStableFunc(out.events, func(a, b kept[T]) int { return b.at.Compare(a.at) })
	return out
}

// listed are the changes that are told, newest first. Where there are too many,
// those of rotation itself go first, and then the oldest.
func listed(all []kept[estate.Change]) []kept[estate.Change] {
	over := len(all) - changesListed
	if over <= 0 {
		return all
	}
	out := make([]kept[estate.Change], 0, changesListed)
	for i := len(all) - 1; i >= 0; i-- {
		if over > 0 && all[i].what.ByRotation {
			over--
			continue
		}
		out = append(out, all[i])
	}
	slices.Reverse(out)
	return out[:min(len(out), changesListed)]
}

// dated is the version that Lambda puts at the end of its events' names.
var dated = regexp.MustCompile(`20\d{6}(v\d+)?$`)

// change reads one event; not ok when it touches nothing that the estate names.
func (b awsBuilder) change(e *cttypes.Event, names *touchable) (estate.Change, bool) {
	if aws.ToString(e.ReadOnly) == "true" {
		return estate.Change{}, false
	}
	service, _ := strings.CutSuffix(aws.ToString(e.EventSource), ".amazonaws.com")
	r := trailRecordOf(e)
	name := dated.ReplaceAllString(aws.ToString(e.EventName), "")
	target := names.target(service, name, r.touched(e))
	if target == "" {
		return estate.Change{}, false
	}
	who := r.UserIdentity
	issuer := who.SessionContext.SessionIssuer
	byRotation := service == "secretsmanager" && r.EventType == "AwsServiceEvent" || who.InvokedBy == rotationService ||
		names.rotates(issuer.ARN) || names.rotates(issuer.UserName)
	details := r.particulars()
	if byRotation {
		details = append([]string{"by rotation itself"}, details...)
	}
	if fault := r.fault(); r.ErrorCode != "" && fault != r.ErrorCode {
		details = append(details, fault)
	}
	text := func(s string, limit int) string { return b.client.Text(s, limit) }
	return estate.Change{
		At:         aws.ToTime(e.EventTime).UTC(),
		What:       text(name, nameLimit),
		Target:     text(target, nameLimit),
		By:         text(cmp.Or(who.ARN, who.InvokedBy, who.UserName, aws.ToString(e.Username), who.Type), nameLimit),
		From:       text(cmp.Or(r.SourceIPAddress, r.UserAgent), nameLimit),
		Where:      b.account,
		Detail:     text(strings.Join(details, ", "), reasonLimit),
		Failed:     text(r.ErrorCode, nameLimit),
		ByRotation: byRotation,
	}, true
}

// particulars are the parameters that say what a change did, by key. Any other is
// left out: parameters hold what people put into them.
func (r trailRecord) particulars() []string {
	var out []string
	r.parameters(func(key, text string) bool {
		if particular[strings.ToLower(key)] && text != "" {
			out = append(out, key+" "+clients.Strip(text, nameLimit))
		}
		return len(out) < detailParts
	})
	return out
}

// particular are keys of parameters that name things, in lower case.
var particular = map[string]bool{
	"policyname": true, "policyarn": true, "versionstage": true, "movetoversionid": true, "removefromversionid": true,
	"rotationlambdaarn": true, "rotateimmediately": true, "recoverywindowindays": true, "pendingwindowindays": true,
	"reservedconcurrentexecutions": true, "groupid": true, "securitygroupids": true, "subnetids": true, "ipprotocol": true,
	"fromport": true, "toport": true, "cidrip": true, "cidripv6": true, "sourcegroupid": true, "listenerarn": true, "certificatearn": true,
	"authorizerid": true, "stagename": true, "targetkeyid": true, "vpcsecuritygroupids": true, "kmskeyid": true,
}
