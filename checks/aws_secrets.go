package checks

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unique"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// inventoryPages bounds the pages of one inventory: at 100 secrets a page the
// half million that a region may hold. A server that never ends is cut off by
// the probe's timeout long before.
const inventoryPages = 5000

// secretsManager describes each watched secret and counts all of them.
func (b awsBuilder) secretsManager(m *config.SecretsManager) []Probe {
	uses := b.cfg.Uses()
	var used, unused []config.StoredSecret
	for _, s := range m.Secrets {
		if uses[s.Called()] {
			used = append(used, s)
		} else {
			unused = append(unused, s)
		}
	}
	// Those that something depends on are read first, and as often as all else.
	out := make([]Probe, 0, len(m.Secrets)+1)
	for _, s := range used {
		out = append(out, b.describe(s.Called(), s.ID, b.cfg.Checks.Interval))
	}
	every := max(b.cfg.Checks.Interval, time.Duration(len(unused))*time.Second/describeShare)
	for _, s := range unused {
		out = append(out, b.describe(s.Called(), s.ID, every))
	}
	return append(out, b.inventory(m.Tag))
}

// describeShare is how many secrets that no component uses are described in a
// second, those of one store together. Their quota would bear a thousand times as
// many; each call is also an event in the account's trails, which it pays for.
const describeShare = 50

// describe reads one secret, which the estate calls called and its store id.
func (b awsBuilder) describe(called, id string, every time.Duration) Probe {
	since := &pendingSince{}
	p := b.probe(estate.CheckDescribe, called, "secretsmanager DescribeSecret", id, "describe secret "+id, every,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			out, at, err := b.client.Describe(ctx, id)
			if err != nil {
				return nil, err
			}
			if when, ok := ctx.Value(readAtKey{}).(*time.Time); ok {
				*when = at
			}
			if aws.ToString(out.Name) == "" && aws.ToString(out.ARN) == "" {
				return nil, hollow("the secret's name and ARN")
			}
			d := b.description(id, out)
			if version := lonePending(out.VersionIdsToStages); version != "" {
				d.PendingSince = since.of(ctx, s, id, version)
			}
			return d, nil
		})
	return remembering(p)
}

// remembering is a probe whose data may be what another one brought a moment ago:
// its read notes under readAtKey when that was.
func remembering(p Probe) Probe {
	read := p.Read
	p.Read = func(ctx context.Context) Result {
		began, at := time.Now(), time.Time{}
		r := read(context.WithValue(ctx, readAtKey{}, &at))
		if r.Err == nil && at.Before(began) {
			r.At = at
		}
		return r
	}
	return p
}

// readAtKey is where a read notes when what it brings was read.
type readAtKey struct{}

// lonePending is the version under AWSPENDING that is not current: a rotation
// under way, or one that did not end.
func lonePending(versions map[string][]string) string {
	for id, stages := range versions {
		if slices.Contains(stages, string(estate.StagePending)) && !slices.Contains(stages, string(estate.StageCurrent)) {
			return id
		}
	}
	return ""
}

// pendingAgain is how long a version whose age was not told is not asked for
// again: that we may not ask is known after once.
const pendingAgain = 10 * time.Minute

// pendingSince finds out when a pending version was made, which DescribeSecret
// does not say. It never changes, so it is asked once a version.
type pendingSince struct {
	mu      sync.Mutex
	version string
	made    time.Time
	asked   time.Time
}

// of is when a version was made; zero when that is not told. It takes at most
// half of the time that is left, as the description must stand without it.
func (p *pendingSince) of(ctx context.Context, s *clients.AWSServices, id, version string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.version == version && (!p.made.IsZero() || time.Since(p.asked) < pendingAgain) {
		return p.made
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	// Versions without a label are left out: those with one fit a page.
	out, err := s.SecretsManager.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String(id), MaxResults: aws.Int32(100)})
	p.version, p.made, p.asked = version, time.Time{}, time.Now()
	if err != nil {
		return p.made
	}
	for _, v := range out.Versions {
		if aws.ToString(v.VersionId) == version {
			p.made = aws.ToTime(v.CreatedDate)
		}
	}
	return p.made
}

func (b awsBuilder) description(id string, out *secretsmanager.DescribeSecretOutput) estate.SecretDescription {
	d := estate.SecretDescription{
		Secret:              id,
		ARN:                 b.arn(out.ARN),
		RotationEnabled:     aws.ToBool(out.RotationEnabled),
		RotationFunctionARN: common(b.arn(out.RotationLambdaARN)),
		LastRotated:         aws.ToTime(out.LastRotatedDate),
		NextRotation:        aws.ToTime(out.NextRotationDate),
		LastChanged:         aws.ToTime(out.LastChangedDate),
		LastAccessed:        aws.ToTime(out.LastAccessedDate),
		Deleted:             aws.ToTime(out.DeletedDate),
		OwningService:       common(b.name(out.OwningService)),
		KMSKey:              common(b.arn(out.KmsKeyId)),
	}
	if rules := out.RotationRules; rules != nil {
		d.Schedule = common(b.name(rules.ScheduleExpression))
		d.RotateEvery = rotateEvery(rules)
	}
	for _, version := range slices.Sorted(maps.Keys(out.VersionIdsToStages)) {
		v := estate.SecretVersion{ID: b.client.Text(version, nameLimit)}
		for _, stage := range out.VersionIdsToStages[version] {
			v.Stages = append(v.Stages, estate.Stage(common(b.client.Text(stage, nameLimit))))
		}
		slices.Sort(v.Stages)
		d.Versions = append(d.Versions, v)
	}
	if len(out.Tags) > 0 {
		d.Tags = make(map[string]string, len(out.Tags))
		for _, tag := range out.Tags {
			d.Tags[common(b.name(tag.Key))] = common(b.name(tag.Value))
		}
	}
	for _, r := range out.ReplicationStatus {
		d.Replicas = append(d.Replicas, estate.SecretReplica{
			Region: b.name(r.Region), Status: b.client.Text(string(r.Status), nameLimit), Message: b.reason(r.StatusMessage),
		})
	}
	return d
}

// common keeps a text that thousands of secrets have in common once.
func common(s string) string { return unique.Make(s).Value() }

// rotateEvery is the period of a rotation schedule, or 0 for one that is no plain
// period (cron). A rate() expression is the schedule itself; the number of days
// is what AWS computed from it.
func rotateEvery(rules *smtypes.RotationRulesType) time.Duration {
	const day = 24 * time.Hour
	if expression := strings.TrimSpace(aws.ToString(rules.ScheduleExpression)); expression != "" {
		inside, ok := strings.CutPrefix(expression, "rate(")
		if inside, ok2 := strings.CutSuffix(inside, ")"); ok && ok2 {
			number, unit, _ := strings.Cut(strings.TrimSpace(inside), " ")
			n, err := strconv.Atoi(number)
			if err != nil || n <= 0 || n > 1000*24 {
				return 0
			}
			switch strings.TrimSuffix(strings.TrimSpace(unit), "s") {
			case "hour":
				return time.Duration(n) * time.Hour
			case "day":
				return time.Duration(n) * day
			}
		}
		return 0
	}
	if days := aws.ToInt64(rules.AutomaticallyAfterDays); days > 0 && days <= 1000 {
		return time.Duration(days) * day
	}
	return 0
}

// inventory counts the secrets of the account and region by their listing, which
// may lag the truth by minutes. tag is the key of the tag that holds a secret's end
// of life; empty where there is none.
func (b awsBuilder) inventory(tag string) Probe {
	return b.paged(b.probe(estate.CheckInventory, "", "secretsmanager ListSecrets", "", "list the secrets", b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			count := estate.SecretInventory{Account: b.account, Region: s.Region}
			in := &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(100), IncludePlannedDeletion: aws.Bool(true)}
			for range inventoryPages {
				out, err := b.list(ctx, s, in)
				if err != nil {
					return nil, err
				}
				now := time.Now()
				for i := range out.SecretList {
					one := &out.SecretList[i]
					tally(&count, one, now)
					if life, ok := b.life(one, tag); ok {
						count.Lives = soonest(append(count.Lives, life), 2*livesKept)
					}
				}
				next := aws.ToString(out.NextToken)
				if next == "" {
					count.Lives = soonest(count.Lives, livesKept)
					return count, nil
				}
				if next == aws.ToString(in.NextToken) {
					return nil, &estate.Failure{Kind: estate.BadAnswer, Detail: "the list of secrets gives the same page for ever"}
				}
				in.NextToken = out.NextToken
			}
			return nil, &estate.Failure{Kind: estate.BadAnswer, Detail: "the list of secrets does not end"}
		}), 6)
}

func (b awsBuilder) list(ctx context.Context, s *clients.AWSServices, in *secretsmanager.ListSecretsInput) (*secretsmanager.ListSecretsOutput, error) {
	ctx, cancel := b.page(ctx)
	defer cancel()
	return s.SecretsManager.ListSecrets(ctx, in)
}

// tally adds one secret to the count. One whose deletion is scheduled counts as
// that alone.
func tally(count *estate.SecretInventory, one *smtypes.SecretListEntry, now time.Time) {
	if one.DeletedDate != nil {
		count.Deleted++
		return
	}
	count.Total++
	if read := aws.ToTime(one.LastAccessedDate); now.Sub(read) > idleAfter {
		count.Idle++
	}
	if !aws.ToBool(one.RotationEnabled) {
		return
	}
	count.Rotating++
	if one.NextRotationDate != nil && one.NextRotationDate.Before(now) {
		count.Overdue++
	}
}

const (
	// idleAfter is how long a secret was not read for it to count as idle.
	idleAfter = 90 * 24 * time.Hour
	// livesKept is how many ends of life are kept, the soonest.
	livesKept = 20_000
)

// life is when a secret's life ends: by its tag where it has one that can be read,
// else by its next rotation.
func (b awsBuilder) life(one *smtypes.SecretListEntry, tag string) (estate.SecretLife, bool) {
	if one.DeletedDate != nil {
		return estate.SecretLife{}, false
	}
	for _, t := range one.Tags {
		if tag == "" || aws.ToString(t.Key) != tag {
			continue
		}
		for _, layout := range []string{time.RFC3339, time.DateOnly} {
			if at, err := time.Parse(layout, aws.ToString(t.Value)); err == nil {
				return estate.SecretLife{Name: b.name(one.Name), Ends: at, Tag: true}, true
			}
		}
	}
	if next := aws.ToTime(one.NextRotationDate); aws.ToBool(one.RotationEnabled) && !next.IsZero() {
		return estate.SecretLife{Name: b.name(one.Name), Ends: next}, true
	}
	return estate.SecretLife{}, false
}

// soonest keeps a list as it is until it has more than most, and then the half
// that ends first.
func soonest(lives []estate.SecretLife, most int) []estate.SecretLife {
	if len(lives) <= most {
		return lives
	}
	slices.SortFunc(lives, func(a, b estate.SecretLife) int { return a.Ends.Compare(b.Ends) })
	return lives[:min(most, livesKept)]
}
