package checks

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

const (
	readPages = 3    // lookups of one read
	readsKept = 5000 // reads of secrets remembered of one account
	// readersListed is how many readers of one secret are told, and fromListed how
	// many addresses of one reader.
	readersListed = 50
	fromListed    = 8
)

// secretReads tells who read each stored secret that a component uses. CloudTrail
// is asked once for all of them: a lookup by secret would cost one for each. names
// is shared with the reading of changes, so that nothing is asked twice for it.
func (b awsBuilder) secretReads(names *estateNames) []Probe {
	uses := b.cfg.Uses()
	shared := &accountReads{b: b, names: names, free: make(chan struct{}, 1)}
	shared.reads = &history[secretRead]{
		key: cttypes.LookupAttributeKeyEventName, value: "GetSecretValue", pages: readPages, most: readsKept, keep: shared.read,
	}
	shared.watched = map[string]string{}
	var out []Probe
	for i := range b.cfg.Components {
		c := &b.cfg.Components[i]
		if c.SecretsManager == nil || c.SecretsManager.Account != b.account {
			continue
		}
		store := b
		store.id = estate.ID(c.ID)
		for _, s := range c.SecretsManager.Secrets {
			if !uses[s.Called()] {
				continue
			}
			shared.watched[secretName(s.ID)] = s.Called()
			out = append(out, store.readsOf(s, shared))
		}
	}
	for i := range out {
		shared.every = out[i].Interval
	}
	return out
}

// readsOf tells who read one of them.
func (b awsBuilder) readsOf(s config.StoredSecret, shared *accountReads) Probe {
	called, known := s.Called(), newReaders(s.Readers)
	p := b.metered(b.probe(estate.CheckSecretReads, called, "cloudtrail LookupEvents", "EventName=GetSecretValue of "+s.ID, "look up who read secret "+s.ID, b.cfg.Checks.SlowEvery,
		func(ctx context.Context, services *clients.AWSServices) (estate.Data, error) {
			now, err := shared.now(ctx, services)
			if err != nil {
				return nil, err
			}
			if at, ok := ctx.Value(readAtKey{}).(*time.Time); ok {
				*at = now.at
			}
			return now.of(called, known, b.account, b.cfg.Windows.Access), nil
		}), readPages)
	return remembering(p)
}

// accountReads are the reads of all watched secrets of one account, which their
// probes share.
type accountReads struct {
	b       awsBuilder
	names   *estateNames
	watched map[string]string // how each is called, by its name
	every   time.Duration     // the interval of the probes
	reads   *history[secretRead]
	free    chan struct{} // taken while one of them reads

	mu    sync.Mutex
	who   identity
	last  *readsNow
	tried time.Time
	err   error
}

// identity is as whom we call.
type identity struct {
	account, arn string
	asked        time.Time
}

// secretRead is one request for a value.
type secretRead struct {
	secret            string // as the estate calls it
	who, role         string // role: of a session, the ARN of its role
	from, agent, code string
}

// read is what is remembered of an event.
func (a *accountReads) read(e *cttypes.Event) (secretRead, bool) {
	if aws.ToString(e.EventName) != "GetSecretValue" || !fromService(e, "secretsmanager") {
		return secretRead{}, false
	}
	r := trailRecordOf(e)
	called, watched := a.watched[secretName(r.secret(e))]
	if !watched {
		return secretRead{}, false
	}
	text := func(s string, limit int) string { return common(a.b.client.Text(s, limit)) }
	who := r.UserIdentity
	return secretRead{
		secret: called, who: text(cmp.Or(who.ARN, who.InvokedBy, who.UserName, aws.ToString(e.Username), who.Type, "nobody named"), arnLimit),
		role: text(who.SessionContext.SessionIssuer.ARN, arnLimit), from: text(r.SourceIPAddress, nameLimit),
		agent: text(r.UserAgent, nameLimit), code: text(r.ErrorCode, nameLimit),
	}, true
}

// readsNow are the reads of the window before at, by secret.
type readsNow struct {
	at     time.Time
	past   past[secretRead]
	by     map[string][]kept[secretRead] // newest first
	who    identity
	rotate *touchable
}

// now brings the history up to date, unless another probe did so a moment ago.
func (a *accountReads) now(ctx context.Context, s *clients.AWSServices) (*readsNow, error) {
	select {
	case a.free <- struct{}{}:
		defer func() { <-a.free }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a.mu.Lock()
	last, tried, before := a.last, a.tried, a.err
	a.mu.Unlock()
	if !tried.IsZero() && time.Since(tried) < a.every/2 {
		return last, before
	}
	began := time.Now()
	now, err := a.look(ctx, s)
	if errors.Is(err, context.Canceled) {
		return nil, err // nothing was seen
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last, a.tried, a.err = now, began, err
	return now, err
}

func (a *accountReads) look(ctx context.Context, s *clients.AWSServices) (*readsNow, error) {
	// Without knowing as whom we read, our own reads would be a stranger's.
	if time.Since(a.who.asked) > namesFor {
		page, cancel := a.b.page(ctx)
		out, err := s.STS.GetCallerIdentity(page, &sts.GetCallerIdentityInput{})
		cancel()
		if err != nil {
			return nil, err
		}
		if aws.ToString(out.Arn) == "" {
			return nil, hollow("the caller's ARN")
		}
		a.who = identity{account: a.b.name(out.Account), arn: a.b.arn(out.Arn), asked: time.Now()}
	}
	names := a.names.current()
	if names == nil {
		a.names.refresh(ctx, s)
		names = a.names.current()
	}
	found, err := a.reads.read(ctx, s.CloudTrail.LookupEvents, a.b.cfg.Windows.Access, a.b.cfg.Checks.Timeout)
	if err != nil {
		return nil, err
	}
	now := &readsNow{at: time.Now(), past: found, by: map[string][]kept[secretRead]{}, who: a.who, rotate: names}
	for _, e := range found.events {
		now.by[e.what.secret] = append(now.by[e.what.secret], e)
	}
	return now, nil
}

// of gathers the reads of one secret by who made them.
func (n *readsNow) of(called string, known readers, account string, window time.Duration) estate.SecretReads {
	out := estate.SecretReads{Account: account, Window: window, Named: known.named, Partial: n.past.partial}
	if out.Partial {
		out.Window = min(window, n.at.Sub(n.past.from))
	}
	type reader struct {
		who   string
		known bool
		why   string
	}
	at := map[reader]int{}
	for _, e := range n.by[called] {
		r := e.what
		if r.who == n.who.arn {
			if r.code == "" {
				out.Ours++
			}
			continue
		}
		is, why := known.judge(r, n.who, n.rotate)
		key := reader{r.who, is, why}
		i, again := at[key]
		if !again {
			i = len(out.Readers)
			at[key] = i
			out.Readers = append(out.Readers, estate.SecretReader{Who: r.who, Agent: r.agent, Last: e.at.UTC(), Known: is, Why: why})
			if r.role != "" {
				out.Readers[i].Role = roleName(r.role)
			}
		}
		one := &out.Readers[i]
		one.First = e.at.UTC()
		if r.code != "" {
			one.Refused++
			out.Refused++
		} else {
			one.Reads++
			out.Reads++
		}
		if r.from != "" && len(one.From) < fromListed && !slices.Contains(one.From, r.from) {
			one.From = append(one.From, r.from)
		}
	}
	slices.SortStableFunc(out.Readers, func(a, b estate.SecretReader) int {
		// Those that got the value and are not known first.
		grave := func(r estate.SecretReader) int {
			switch {
			case r.Known:
				return 2
			case r.Reads == 0:
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(grave(a), grave(b)), b.Last.Compare(a.Last))
	})
	if over := len(out.Readers) - readersListed; over > 0 {
		out.Readers, out.Others = slices.Clone(out.Readers[:readersListed]), over
	}
	return out
}
