package restart

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"warroom/actions"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// Name is the procedure's name on the command line.
const Name = "restart"

// Options of the procedure, and what they may be.
const (
	optionAll     = "all"     // yes: also what already runs on the new value
	optionBlocked = "blocked" // leave: what cannot be restarted is left to be done by hand
	optionValue   = "value"   // later: the value is rotated between the plan and the restart
)

const jobFact = "job"

// Procedure restarts what uses a secret. It is safe for concurrent use.
type Procedure struct {
	s      actions.Systems
	topo   *estate.Topology
	stored map[string]kept
	pace   time.Duration // between two looks at something that moves, at first
}

// New makes the procedure for an estate.
func New(s actions.Systems) *Procedure {
	return &Procedure{s: s, topo: s.Config.Topology(), stored: storedSecrets(s.Config), pace: 250 * time.Millisecond}
}

// About describes it.
func (p *Procedure) About() plan.About {
	return plan.About{
		Name: Name, Title: "Restart what uses a secret",
		Summary: "Restarts the services that use a secret, by rank and a bounded number at once, so that they take its new value; never into an old value, and never past a failure.",
		Target:  "stored secret or application", Changes: true,
		Options: []plan.Option{
			{Name: optionAll, Summary: "restart also what already runs on the new value", Words: []string{"no", "yes"}, Default: "no"},
			{Name: optionBlocked, Summary: "what to do when one of them cannot be restarted: refuse the plan, or leave that one to be done by hand", Words: []string{"refuse", "leave"}, Default: "refuse"},
			{Name: optionValue, Summary: "whether the new value is stored now, or will be when the restart begins", Words: []string{"now", "later"}, Default: "now"},
		},
	}
}

// Targets are the stored secrets that applications use or that are kept in Kubernetes,
// and the applications that can be restarted.
func (p *Procedure) Targets() []plan.Target {
	var out []plan.Target
	used := map[string][]string{}
	for i := range p.s.Config.Components {
		c := &p.s.Config.Components[i]
		if c.Application == nil {
			continue
		}
		for _, s := range c.Application.Secrets {
			used[s] = append(used[s], c.Name)
		}
	}
	for _, s := range p.topo.Secrets {
		at := p.stored[s.ID]
		copied := at.StoredSecret != nil && at.Rotation != nil && slices.ContainsFunc(at.Rotation.Copies, func(c config.Copy) bool { return c.Kubernetes != "" })
		t := plan.Target{ID: s.ID, Title: string(s.Type), Ready: len(used[s.ID]) > 0 || copied || len(p.s.Config.Kubernetes) > 0}
		switch {
		case len(used[s.ID]) > 0:
			t.Note = "used by " + list(used[s.ID], 3)
		case t.Ready:
			t.Note = "no application of warroom.yaml uses it; the clusters are searched"
		default:
			t.Note = "no application of warroom.yaml uses it, and there is no cluster to search"
		}
		out = append(out, t)
	}
	for i := range p.s.Config.Components {
		c := &p.s.Config.Components[i]
		if c.Application == nil {
			continue
		}
		t := plan.Target{ID: c.ID, Title: c.Name, Ready: c.Application.Workload != "" || c.Application.Unit != ""}
		if !t.Ready {
			t.Note = "warroom.yaml names neither a workload nor a unit of it"
		}
		out = append(out, t)
	}
	return append(out, p.folders(out)...)
}

// job is what one plan restarts: what its steps must know again after a crash. It is
// kept in the plan's facts.
type job struct {
	Token   string       `json:"token"` // the annotation of what this run restarts
	Secrets []string     `json:"secrets,omitempty"`
	Since   time.Time    `json:"since"` // when the plan was made
	All     bool         `json:"all,omitempty"`
	Later   bool         `json:"later,omitempty"`
	Ranks   [][]*member  `json:"ranks"`
	Copies  []*duplicate `json:"copies,omitempty"`

	p    *Procedure
	lens lens

	mu    sync.Mutex
	well  map[string]bool   // members that this process saw stay well for the soak
	broke map[string]string // members that failed in this process, with why
}

// soaked notes that a member stayed well for the soak.
func (j *job) soaked(m *member) { j.note(m, "") }

// note notes what came of a member; why is empty for one that is well.
func (j *job) note(m *member, why string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.well == nil {
		j.well, j.broke = map[string]bool{}, map[string]string{}
	}
	j.well[m.String()], j.broke[m.String()] = why == "", why
}

// noted is what this process saw of a member.
func (j *job) noted(m *member) (well bool, why string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.well[m.String()], j.broke[m.String()]
}

// Prepare finds the consumers, sees what holds them back, and plans a step for each
// rank. Resumed, it does what the first plan says.
func (p *Procedure) Prepare(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	if ask.Past != nil {
		j := &job{p: p}
		if err := j.recall(ask.Past.Facts); err != nil {
			return nil, &actions.Refusal{What: "taking up the restart of " + ask.Target, Why: "its journal does not say what was to be restarted", Next: "make a new plan"}
		}
		return p.prepared(ctx, ask, j, plan.Plan{})
	}
	j := &job{p: p, Token: rand.Text(), Since: time.Now().UTC(), All: ask.Options[optionAll] == "yes", Later: ask.Options[optionValue] == "later"}
	var only estate.ID
	if _, ok := p.stored[ask.Target]; ok {
		j.Secrets = []string{ask.Target}
	} else if all, ok := p.matching(ask.Target); ok {
		j.Secrets = all
	} else if c, ok := p.topo.Component(estate.ID(ask.Target)); ok && c.Kind == estate.KindApplication {
		only = c.ID
		j.Secrets = slices.DeleteFunc(slices.Clone(c.Secrets), func(s string) bool { _, known := p.stored[s]; return !known })
	} else {
		return nil, &actions.Refusal{What: "restarting " + ask.Target, Why: "warroom.yaml has neither a stored secret nor an application of that name", Next: "name one that `warroom plan restart` lists"}
	}
	f, err := p.search(ctx, j.Secrets, only)
	if err != nil {
		return nil, err
	}
	j.Copies = f.used()
	v := values{}
	if !j.Later {
		if v, err = j.values(ctx); err != nil {
			return nil, err
		}
	}
	s, err := p.sort(ctx, ask, j, f, v)
	if err != nil {
		return nil, err
	}
	if j.Ranks, err = ranks(p.s.Config, s.restart); err != nil {
		return nil, err
	}
	if len(j.Ranks) == 0 {
		return nil, nothing(ask.Target, s)
	}
	return p.prepared(ctx, ask, j, s.plan)
}

// nothing refuses a plan in which there is nothing to do, with why.
func nothing(target string, s *sorted) error {
	r := &actions.Refusal{What: "restarting what uses " + target}
	switch {
	case len(s.skipped) > 0:
		r.Why, r.Next = "nothing needs it: "+list(s.skipped, 4), "option all=yes restarts it all the same"
	case len(s.left) > 0:
		r.Why, r.Next = "nothing can be restarted from here: "+list(s.left, 3), "do it by hand"
	default:
		r.Why, r.Next = "nobody was found who uses it", "name its users in warroom.yaml (application: secrets, workload or unit)"
	}
	return r
}

// prepared makes the steps of a job, and the plan around them.
func (p *Procedure) prepared(ctx context.Context, ask actions.Ask, j *job, into plan.Plan) (*actions.Prepared, error) {
	observed, err := j.observe(ctx)
	if err != nil {
		return nil, err
	}
	facts, err := j.facts()
	if err != nil {
		return nil, err
	}
	out := &actions.Prepared{Plan: into, Observe: j.observe}
	out.Plan.Procedure, out.Plan.Target, out.Plan.Options = Name, ask.Target, ask.Options
	out.Plan.Title = "Restart what uses " + ask.Target
	if _, secret := p.stored[ask.Target]; !secret && !strings.HasSuffix(ask.Target, "*") {
		out.Plan.Title = "Restart " + ask.Target
	}
	out.Plan.Facts, out.Plan.Observed = facts, observed
	out.Plan.Irreversible = "Pods and processes that were replaced do not come back, and need not: they would take the same value. There is nothing to roll back."
	n := max(p.s.Config.Recovery.Concurrency, 1)
	for i, members := range j.Ranks {
		waves := (len(members) + n - 1) / n
		step := plan.Step{
			ID: fmt.Sprintf("rank-%d", i+1), Title: title(i, members), Change: true, Where: where(members),
			Before: "the Kubernetes Secrets hold the store's current value; none of them is paused or OnDelete; quotas have room for the new pods",
			Verify: fmt.Sprintf("every pod is of the new revision and available, stays so for %s, no container restarts, and health endpoints answer 200 with the current version", p.s.Config.Recovery.Soak),
			Limit:  time.Duration(waves)*(2*p.deadline()+p.s.Config.Recovery.Soak+30*time.Second) + time.Minute,
		}
		for _, m := range members {
			step.Calls = append(step.Calls, call(m))
			if s := m.system(); !slices.Contains(out.Systems, s) {
				out.Systems = append(out.Systems, s)
			}
		}
		out.Plan.Steps = append(out.Plan.Steps, step)
		out.Steps = append(out.Steps, actions.Step{
			Check:  func(ctx context.Context, _ *actions.Run) error { return j.check(ctx) },
			Do:     func(ctx context.Context, r *actions.Run) error { return j.do(ctx, r, members) },
			Probe:  func(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) { return j.probe(ctx, members) },
			Verify: func(ctx context.Context, r *actions.Run) (string, error) { return j.verify(ctx, r, members) },
		})
	}
	return out, nil
}

func title(i int, members []*member) string {
	if len(members) == 1 {
		return "Restart " + members[0].String()
	}
	return fmt.Sprintf("Restart %d services of rank %d", len(members), i+1)
}

func where(members []*member) string {
	var out []string
	for _, m := range members {
		if !slices.Contains(out, m.system()) {
			out = append(out, m.system())
		}
	}
	return strings.Join(out, ", ")
}

// call is how a member is restarted.
func call(m *member) string {
	if m.Unit != "" {
		return "systemd " + m.Bus + " bus: RestartUnit " + m.Unit
	}
	return fmt.Sprintf("PATCH %s %s/%s/%s: template annotations %s and %s", m.Cluster, m.Namespace, resource(m.Kind), m.Name, restartedAt, runMark)
}

// deadline is how long one rollout may take.
func (p *Procedure) deadline() time.Duration {
	if d := p.s.Config.Recovery.Rollout; d > 0 {
		return d
	}
	return 10 * time.Minute
}
