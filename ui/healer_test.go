package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"warroom/internal/plan"
)

// healer is a Recovery that changes nothing and remembers what it was asked.
type healer struct {
	clock func() time.Time

	mu       sync.Mutex
	arming   plan.Arming
	touches  int
	stops    []string
	started  []plan.Consent
	plans    map[string]*plan.Plan
	count    int
	runs     []plan.Progress
	version  int
	seen     int
	news     chan struct{} // closed and replaced with every change of runs
	advice   []plan.Advice
	advised  int
	planErr  error
	startErr error
	armErr   error
	shape    func(*plan.Plan) // changes every plan that is made
	judge    func(plan.Consent)
	judgeArm func()
}

func newHealer(clock func() time.Time) *healer {
	return &healer{clock: clock, plans: map[string]*plan.Plan{}, news: make(chan struct{})}
}

func (h *healer) Procedures() []plan.About {
	return []plan.About{
		{Name: "contain", Title: "Contain what fails next", Summary: "Cancels the scheduled rotations that share the failed mechanism.", Target: "mechanism", Changes: true},
		{Name: "rotate-database", Title: "Rotate a database password", Summary: "Gives a database user a new password, stored before the database learns of it; it never leaves a password that is nowhere stored.",
			Target: "stored secret", Changes: true, Options: []plan.Option{
				{Name: "strategy", Summary: "whose password is changed", Words: []string{"as configured", "same_user", "alternating"}, Default: "as configured"},
				{Name: "valid-for", Summary: "how long the new password is valid"},
			}},
		{Name: "rotate-api-key", Title: "Rotate an API key", Summary: "Two keys overlap until nobody is on the old one.", Target: "stored secret", Changes: true},
		{Name: "restart", Title: "Restart the affected services", Summary: "Restarts what uses a secret, in order of dependency.", Target: "stored secret", Changes: true},
		{Name: "validate", Title: "Validate every secret", Summary: "Tries every secret with its current value.", Target: "estate"},
		{Name: "unseal", Title: "Unseal Vault", Summary: "Takes key shares from their holders.", Target: "Vault cluster", Changes: true},
	}
}

func (h *healer) Targets(procedure string) []plan.Target {
	switch procedure {
	case "rotate-database":
		return []plan.Target{
			{ID: "prod/db/postgres", Title: "app_user on PostgreSQL Primary", Note: "its current password is refused (28P01)", Ready: true},
			{ID: "prod/db/analytics", Title: "analytics on PostgreSQL Primary", Ready: true},
			{ID: "prod/db/legacy", Title: "legacy", Note: "warroom.yaml says nothing about its rotation: add a rotation block"},
		}
	case "rotate-api-key":
		return []plan.Target{{ID: "prod/api/payment", Title: "key of the payment provider", Ready: true}}
	case "validate":
		return []plan.Target{{ID: "all", Title: "every secret", Ready: true}}
	case "unseal":
		return []plan.Target{{ID: "primary", Title: "vault-1.company.com", Ready: true}}
	case "restart":
		return []plan.Target{{ID: "prod/db/postgres", Title: "7 services", Ready: true}}
	}
	return nil
}

func (h *healer) Arming() plan.Arming {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.arming.On && !h.clock().Before(h.arming.Until) {
		h.arming = plan.Arming{Why: "no key for 15 minutes"}
	}
	return h.arming
}

func (h *healer) identities() []plan.Identity {
	now := h.clock()
	return []plan.Identity{
		{System: "aws:main", Name: "arn:aws:sts::111122223333:assumed-role/warroom-act/ic-1", Expires: now.Add(52 * time.Minute)},
		{System: "vault:primary", Name: "token warroom-act", Expires: now.Add(7 * time.Hour)},
		{System: "postgres:postgres-primary", Trouble: "the secret prod/db/admin cannot be read"},
	}
}

func (h *healer) Arm(context.Context) (plan.Arming, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.armErr != nil {
		return plan.Arming{}, h.armErr
	}
	if h.judgeArm != nil {
		h.judgeArm()
	}
	now := h.clock()
	h.arming = plan.Arming{On: true, By: "ic-1", Since: now, Until: now.Add(15 * time.Minute), Identities: h.identities()}
	return h.arming, nil
}

func (h *healer) Disarm(_ context.Context, why string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.arming = plan.Arming{Why: why}
	return nil
}

func (h *healer) Touch() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.touches++
	if h.arming.On {
		h.arming.Until = h.clock().Add(15 * time.Minute)
	}
}

// rotatePlan is the plan of a rotation, with everything that a plan can ask.
func (h *healer) rotatePlan(ask plan.Request, id string) *plan.Plan {
	now := h.clock()
	p := &plan.Plan{
		ID: id, Procedure: ask.Procedure, Target: ask.Target, Mode: ask.Mode, Of: ask.Of, Options: ask.Options,
		Title: "Rotate the password of app_user (" + ask.Target + ")", Why: "its current password is refused by both servers",
		Environment: "production", Drill: "db-rotation", Made: now, Expires: now.Add(5 * time.Minute),
		Facts: map[string]string{"token": "4f6c0e2a-5d0c-4a44-9f1b-1c9f6f2c6f10"},
		Observed: []plan.Observed{
			{Name: "AWSCURRENT of " + ask.Target, Value: "version 7f3a91c2"}, {Name: "AWSPENDING of " + ask.Target, Value: "none"},
			{Name: "sessions of app_user", Value: "41", Live: true},
		},
		Affected: []plan.Affected{
			{Name: "Analytics Service", How: "keeps its sessions, and is restarted by another plan"},
			{Component: "user-service", Name: "User Service", How: "logs in with the new password after its restart", Critical: true},
			{Component: "payment-service", Name: "Payment Service", How: "logs in with the new password after its restart", Critical: true},
		},
		Identities: h.identities()[:2],
		Steps: []plan.Step{
			{ID: "lock", Title: "Hold the lock of app_user", Where: "PostgreSQL Primary", Calls: []string{"SELECT pg_try_advisory_lock(8127, 4411)"}, Verify: "the lock is held by this session", Undo: "release it", Change: true, Limit: 10 * time.Second},
			{ID: "store", Title: "Store the new password under AWSPENDING", Where: "aws:main", Calls: []string{"secretsmanager:PutSecretValue prod/db/postgres, token 4f6c0e2a"}, Before: "nothing is under AWSPENDING", Verify: "the version is read back and compared", Undo: "take AWSPENDING off the version", Change: true, Limit: 30 * time.Second},
			{ID: "set", Title: "Set the password of app_user", Where: "PostgreSQL Primary", Calls: []string{"ALTER ROLE app_user PASSWORD 'SCRAM-SHA-256$…' VALID UNTIL '2026-06-12'"}, Before: "the new password is stored", Verify: "log in with it", Undo: "set the password of AWSPREVIOUS, and log in with it", Change: true, Limit: 30 * time.Second},
			{ID: "replay", Title: "Wait for every replica", Where: "PostgreSQL Replica", Calls: []string{"SELECT replay_lsn FROM pg_stat_replication"}, Verify: "each has replayed the change", Limit: 2 * time.Minute},
			{ID: "finish", Title: "Make it AWSCURRENT", Where: "aws:main", Calls: []string{"secretsmanager:UpdateSecretVersionStage prod/db/postgres"}, Verify: "the labels are read back", Undo: "move AWSCURRENT back", Change: true, Limit: 30 * time.Second},
			{ID: "login", Title: "Log in on every target", Where: "PostgreSQL Primary, PostgreSQL Replica", Verify: "both take the current password", Limit: 30 * time.Second},
		},
	}
	return p
}

func (h *healer) Plan(ctx context.Context, ask plan.Request) (*plan.Plan, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.planErr != nil {
		return nil, h.planErr
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ask.Mode == "" {
		ask.Mode = plan.Forward
	}
	h.count++
	p := h.rotatePlan(ask, fmt.Sprintf("plan-%d", h.count))
	switch ask.Procedure {
	case "validate":
		p.Title, p.Steps = "Validate every secret", []plan.Step{{ID: "try", Title: "Try every secret", Calls: []string{"one login each"}}}
	case "rotate-api-key":
		p.Title = "Rotate the key of the payment provider (prod/api/payment)"
		p.Warnings = []plan.Warning{
			{ID: "overlap", Text: "Both keys work until the old one is revoked.", Accept: false},
			{ID: "unknown", Text: "1 consumer does not say which key it uses: it fails once the old key is gone.", Accept: true},
		}
		p.Inputs = []plan.Input{{ID: "key", Label: "New key from the provider's console"}}
		p.NeedsReason = "a consumer is unknown, and the old key is revoked all the same"
		p.Irreversible = "The old key cannot be had back once it is revoked (step 5)."
		p.Second = true
	case "unseal":
		p.Title, p.Inputs = "Unseal Vault primary", []plan.Input{{ID: "share", Label: "Key share"}}
	}
	if ask.Mode == plan.Abandon {
		p.Title, p.Steps = "Abandon the run", nil
	}
	if h.shape != nil {
		h.shape(p)
	}
	h.plans[p.ID] = p
	return p, nil
}

func (h *healer) Start(_ context.Context, give plan.Consent) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.started = append(h.started, give)
	if h.judge != nil {
		h.judge(give)
	}
	if h.startErr != nil {
		return h.startErr
	}
	p := h.plans[give.Plan]
	switch {
	case p == nil:
		return errors.New("no such plan")
	case p.Fingerprint() != give.Fingerprint:
		return errors.New("the plan has changed")
	}
	run := plan.Progress{Run: p.ID, Plan: p, State: plan.RunActive, Started: h.clock(), LogPath: "/var/lib/warroom/incidents/2026-03-14-1/recovery.log"}
	for i := range p.Steps {
		s := plan.StepProgress{ID: p.Steps[i].ID, State: plan.Waiting}
		if i == 0 {
			s.State, s.Started = plan.Running, h.clock()
		}
		run.Steps = append(run.Steps, s)
	}
	h.tell(run)
	return nil
}

// tell replaces or adds a run; mu is held.
func (h *healer) tell(run plan.Progress) {
	i := slices.IndexFunc(h.runs, func(p plan.Progress) bool { return p.Run == run.Run })
	h.runs = slices.Clone(h.runs)
	if i < 0 {
		h.runs = append(h.runs, run)
	} else {
		h.runs[i] = run
	}
	h.version++
	close(h.news)
	h.news = make(chan struct{})
}

// change changes the run that began last, or adds one.
func (h *healer) change(f func(*plan.Progress)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	run := h.runs[len(h.runs)-1]
	run.Steps, run.Log, run.Held = slices.Clone(run.Steps), slices.Clone(run.Log), slices.Clone(run.Held)
	f(&run)
	h.tell(run)
}

func (h *healer) Stop(run string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stops = append(h.stops, run)
	for _, r := range h.runs {
		if r.Run == run {
			r.Stopping = true
			h.tell(r)
			return
		}
	}
}

func (h *healer) Next(ctx context.Context) ([]plan.Progress, error) {
	for {
		h.mu.Lock()
		if h.version > h.seen {
			h.seen = h.version
			runs := h.runs
			h.mu.Unlock()
			return runs, nil
		}
		news := h.news
		h.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (h *healer) Advise(context.Context) ([]plan.Advice, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.advised++
	return h.advice, nil
}

func (h *healer) starts() []plan.Consent {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.started)
}
