package checks

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// The event history of CloudTrail is metered at two lookups a second for a whole
// account and region, brings 50 events at a time, and delivers them minutes late.
const (
	lookupSize = 50
	// lookupLate is how far back a later read looks again for events that were
	// delivered late.
	lookupLate = 15 * time.Minute
	// lookupShare is how many lookups a second all our reads of one account may
	// come to: an eighth of its quota.
	lookupShare = 0.25
	// lookupPatience is how long a read may wait for its turns.
	lookupPatience = 20 * time.Second
)

// How many lookups one read may make of each kind of event, and how many events of
// a kind are remembered.
const (
	rotationPages  = 2
	rotationKept   = 2000
	rotationListed = 100
	changePages    = 6
	globalPages    = 3
	changesKept    = 300
)

// trails reads the rotations, the writes and the reads of secrets that CloudTrail
// recorded of each account that a rotation monitor watches. The reads are those
// of the first monitor of an account: they belong to the secrets.
func trails(cfg *config.Config, m *config.RotationMonitor, builder func(account string) awsBuilder) []Probe {
	var out []Probe
	for _, account := range monitoredAccounts(cfg, m) {
		b := builder(account)
		names := &estateNames{b: b}
		out = append(out, b.rotationEvents(), b.changes(names))
		if firstMonitor(cfg, account) == m {
			out = append(out, b.secretReads(names)...)
		}
	}
	return out
}

// firstMonitor is the first rotation monitor of an account.
func firstMonitor(cfg *config.Config, account string) *config.RotationMonitor {
	for i := range cfg.Components {
		if m := cfg.Components[i].RotationMonitor; m != nil && slices.Contains(monitoredAccounts(cfg, m), account) {
			return m
		}
	}
	return nil
}

// monitoredAccounts are those that the monitor names, else all.
func monitoredAccounts(cfg *config.Config, m *config.RotationMonitor) []string {
	if len(m.Accounts) > 0 {
		return m.Accounts
	}
	var all []string
	for _, a := range cfg.AWS {
		all = append(all, a.Name)
	}
	return all
}

// metered makes a probe of a metered API of CloudTrail, which waits in a lane of
// its own: the turns of one account take seconds, and nothing else of it may wait
// for them. It runs as seldom as keeps all monitors of one account within their
// share of its quota, and its calls are bounded one by one.
func (b awsBuilder) metered(p Probe, calls int) Probe {
	monitors := 0
	for i := range b.cfg.Components {
		if m := b.cfg.Components[i].RotationMonitor; m != nil && slices.Contains(monitoredAccounts(b.cfg, m), b.account) {
			monitors++
		}
	}
	const ofOne = 4*rotationPages + changePages + readPages
	p.System, p.Width = "cloudtrail:"+b.account, 0
	p.Interval = max(p.Interval, time.Duration(float64(max(monitors, 1)*ofOne)/lookupShare*float64(time.Second)))
	p.Timeout = max(p.Timeout, min(time.Duration(calls)*p.Timeout+lookupPatience, 2*time.Minute))
	return p
}

// history is what the event history brought of the events with one attribute
// since the beginning of a window. Events do not change, so each read looks only
// for new ones, and with what is left of its lookups further back, until the
// whole window was looked at.
type history[T any] struct {
	key   cttypes.LookupAttributeKey
	value string
	pages int // lookups of one read
	most  int // events kept
	// keep says what is to be remembered of an event.
	keep func(*cttypes.Event) (T, bool)

	mu       sync.Mutex
	from, to time.Time // looked at without a gap; zero before the first read
	kept     []kept[T] // newest first
	known    map[string]bool
	recent   map[string]time.Time // ids of events that may be met again
	looked   map[int64]int        // events looked at, by Unix minute
}

type kept[T any] struct {
	id   string
	at   time.Time
	what T
}

// past is what a history holds.
type past[T any] struct {
	from    time.Time // the events since then are all there
	partial bool      // there are older ones within the window that were not looked at
	looked  int
	events  []kept[T] // newest first
}

// lookupEvents is a client's call.
type lookupEvents func(context.Context, *cloudtrail.LookupEventsInput, ...func(*cloudtrail.Options)) (*cloudtrail.LookupEventsOutput, error)

// read brings the history up to date. each bounds one lookup.
func (h *history[T]) read(ctx context.Context, look lookupEvents, window, each time.Duration) (past[T], error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil {
		h.known, h.recent, h.looked = map[string]bool{}, map[string]time.Time{}, map[int64]int{}
	}
	ctx = clients.WithinEach(ctx, each)
	now := time.Now()
	begin := now.Add(-window)
	start := begin
	if again := h.to.Add(-lookupLate); !h.to.IsZero() && again.After(begin) {
		start = again
	}
	left, reserve := h.pages, 0
	if h.from.After(begin) {
		reserve = 1 // for the past, or a busy account's would never be looked at
	}
	oldest, whole, err := h.lookup(ctx, look, start, now, &left, reserve)
	if err != nil {
		return past[T]{}, err
	}
	switch {
	case h.to.IsZero() || start.Equal(begin):
		h.from = later(oldest, start, whole)
	case !whole && oldest.After(h.to):
		// More came since than one read may look at: what is older does not join on.
		h.from = oldest
	}
	h.to = now
	if h.from.After(begin) && left > 0 && len(h.kept) < h.most {
		// What could not be read of the past now is read later.
		if oldest, whole, err := h.lookup(ctx, look, begin, h.from.Add(time.Second), &left, 0); err == nil {
			h.from = later(oldest, begin, whole)
		} else if ctx.Err() != nil {
			return past[T]{}, err
		}
	}
	return h.past(begin, now), nil
}

// later is where a lookup from start got to: there when it was whole, else the
// oldest event that it met.
func later(oldest, start time.Time, whole bool) time.Time {
	if whole {
		return start
	}
	return oldest
}

// lookup reads pages from end back to start. It reports the time of the oldest
// event that it met, and whether it got to start. It leaves the lookups in reserve
// once it has joined on to what was looked at before.
func (h *history[T]) lookup(ctx context.Context, look lookupEvents, start, end time.Time, left *int, reserve int) (oldest time.Time, whole bool, err error) {
	in := &cloudtrail.LookupEventsInput{
		LookupAttributes: []cttypes.LookupAttribute{{AttributeKey: h.key, AttributeValue: aws.String(h.value)}},
		StartTime:        aws.Time(start), EndTime: aws.Time(end), MaxResults: aws.Int32(lookupSize),
	}
	oldest = end
	for *left > reserve || *left > 0 && oldest.After(h.to) {
		*left--
		out, err := look(ctx, in)
		if err != nil {
			return oldest, false, err
		}
		next := aws.ToString(out.NextToken)
		if out.Events == nil && next == "" {
			return oldest, false, hollow("its events")
		}
		for i := range out.Events[:min(len(out.Events), 4*lookupSize)] {
			at := aws.ToTime(out.Events[i].EventTime)
			switch {
			case at.IsZero() || at.After(end.Add(time.Hour)):
				continue // no event has such a time
			case at.Before(start.Add(-time.Second)):
				whole = true // it does not heed the start, and is past it
				continue
			case at.Before(oldest):
				oldest = at
			}
			h.take(&out.Events[i], at)
		}
		switch {
		case next == "" || whole:
			return oldest, true, nil
		case next == aws.ToString(in.NextToken):
			return oldest, false, &estate.Failure{Kind: estate.BadAnswer, Detail: "the event history gives the same page for ever"}
		}
		in.NextToken = out.NextToken
	}
	return oldest, false, nil
}

func (h *history[T]) take(e *cttypes.Event, at time.Time) {
	id := aws.ToString(e.EventId)
	if _, again := h.recent[id]; id == "" || len(id) > nameLimit || again || h.known[id] {
		return
	}
	h.recent[id] = at
	h.looked[at.Unix()/60]++
	if what, ok := h.keep(e); ok {
		h.known[id] = true
		h.kept = append(h.kept, kept[T]{id, at, what})
	}
}

// past forgets what is older than begin or too much, and returns the rest.
func (h *history[T]) past(begin, now time.Time) past[T] {
	slices.SortStableFunc(h.kept, func(a, b kept[T]) int { return b.at.Compare(a.at) })
	n := slices.IndexFunc(h.kept, func(k kept[T]) bool { return k.at.Before(begin) })
	if n < 0 {
		n = len(h.kept)
	}
	if n > h.most {
		n = h.most
		h.from = h.kept[n-1].at
	}
	for _, one := range h.kept[n:] {
		delete(h.known, one.id)
	}
	clear(h.kept[n:])
	h.kept = h.kept[:n]
	for id, at := range h.recent {
		if at.Before(now.Add(-2 * lookupLate)) {
			delete(h.recent, id)
		}
	}
	if h.from.Before(begin) {
		h.from = begin
	}
	out := past[T]{from: h.from, partial: h.from.After(begin)}
	for minute, n := range h.looked {
		if minute < h.from.Unix()/60 {
			delete(h.looked, minute)
			continue
		}
		out.looked += n
	}
	for _, one := range h.kept {
		if !one.at.Before(h.from) {
			out.events = append(out.events, one)
		}
	}
	return out
}

// rotationEvents counts the rotations of an account by what Secrets Manager told
// CloudTrail of them. A success counts beside a failure of the same time only, so
// where more happened than may be looked at all counts end where the shortest
// does.
func (b awsBuilder) rotationEvents() Probe {
	window := b.cfg.Windows.Rotation
	outcomes := []estate.RotationOutcome{estate.RotationFailed, estate.RotationAbandoned, estate.RotationSucceeded, estate.RotationStarted}
	histories := make([]*history[estate.RotationEvent], len(outcomes))
	for i, what := range outcomes {
		histories[i] = &history[estate.RotationEvent]{
			key: cttypes.LookupAttributeKeyEventName, value: string(what), pages: rotationPages, most: rotationKept,
			keep: func(e *cttypes.Event) (estate.RotationEvent, bool) { return b.rotationEvent(e, what) },
		}
	}
	of := "EventName=RotationFailed, RotationAbandoned, RotationSucceeded and RotationStarted"
	return b.metered(b.probe(estate.CheckRotationEvents, b.account, "cloudtrail LookupEvents", of, "look up the events of rotations", b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			out := estate.RotationEvents{Account: b.account, Window: window}
			var from time.Time
			all := make([]past[estate.RotationEvent], len(histories))
			for i, h := range histories {
				var err error
				if all[i], err = h.read(ctx, s.CloudTrail.LookupEvents, window, b.cfg.Checks.Timeout); err != nil {
					return nil, err
				}
				out.Partial = out.Partial || all[i].partial
				if all[i].from.After(from) {
					from = all[i].from
				}
			}
			if out.Partial {
				out.Window = min(window, time.Since(from))
			}
			counts := []*int{&out.Failed, &out.Abandoned, &out.Succeeded, &out.Started}
			for i, p := range all {
				for _, e := range p.events {
					if e.at.Before(from) {
						break
					}
					*counts[i]++
					if len(out.Events) < rotationListed { // those that failed first
						out.Events = append(out.Events, e.what)
					}
				}
			}
			slices.SortStableFunc(out.Events, func(a, b estate.RotationEvent) int { return b.At.Compare(a.At) })
			return out, nil
		}), 4*rotationPages)
}

// rotationEvent reads one event. The name is looked at again: not every server
// that speaks the protocol heeds what is asked for.
func (b awsBuilder) rotationEvent(e *cttypes.Event, what estate.RotationOutcome) (estate.RotationEvent, bool) {
	if aws.ToString(e.EventName) != string(what) || !fromService(e, "secretsmanager") {
		return estate.RotationEvent{}, false
	}
	record := trailRecordOf(e)
	out := estate.RotationEvent{At: aws.ToTime(e.EventTime).UTC(), What: what, Secret: b.client.Text(record.secret(e), arnLimit)}
	if what == estate.RotationFailed || what == estate.RotationAbandoned {
		out.Error = b.client.Text(record.fault(), reasonLimit)
	}
	return out, true
}

// fromService reports whether an event is of a service, or does not say of which.
func fromService(e *cttypes.Event, service string) bool {
	return cmp.Or(aws.ToString(e.EventSource), service+".amazonaws.com") == service+".amazonaws.com"
}

// forget has everything looked at again.
func (h *history[T]) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.from, h.to, h.kept, h.known, h.recent, h.looked = time.Time{}, time.Time{}, nil, nil, nil, nil
}
