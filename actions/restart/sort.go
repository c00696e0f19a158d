package restart

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"warroom/actions"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// values is what the store and its copies hold at one time.
type values struct {
	versions map[string]string    // current version by stored secret
	stored   time.Time            // when any of the secrets last changed at its store; zero if not known
	copied   map[string]time.Time // when a copy's data last changed, by its place; zero if not known
}

// values reads what the stores hold, and sees that every copy holds the same.
func (j *job) values(ctx context.Context) (values, error) {
	v := values{versions: map[string]string{}, copied: map[string]time.Time{}}
	read := make([]holding, len(j.Secrets))
	if err := abreast(len(read), func(i int) (err error) { read[i], err = j.p.holds(ctx, j.Secrets[i]); return err }); err != nil {
		return v, err
	}
	held := map[string]holding{}
	for i, secret := range j.Secrets {
		now := read[i]
		held[secret], v.versions[secret] = now, now.version
		if now.changed.After(v.stored) && (i == 0 || !v.stored.IsZero()) {
			v.stored = now.changed
		}
		if now.changed.IsZero() {
			v.stored = time.Time{}
		}
	}
	at := make([]time.Time, len(j.Copies))
	if err := abreast(len(at), func(i int) (err error) {
		at[i], err = j.p.compare(ctx, j.Copies[i], held[j.Copies[i].Secret])
		return err
	}); err != nil {
		return v, err
	}
	for i, d := range j.Copies {
		v.copied[d.place()] = at[i]
	}
	return v, nil
}

// check is the precondition of every rank.
func (j *job) check(ctx context.Context) error {
	_, err := j.values(ctx)
	return err
}

// onNew reports whether a workload already runs on the new value, and how we know; or
// that it has nothing to restart.
func (j *job) onNew(ctx context.Context, m *member, w *workload, pods []corev1.Pod, v values) (bool, string) {
	if w.desired == 0 {
		return true, "it is scaled to 0, and takes the value when it starts"
	}
	if w.observed < w.generation || len(v.versions) == 0 {
		return false, ""
	}
	since, from := v.stored, "the secret last changed at its store"
	if len(m.Copies) > 0 {
		since, from = time.Time{}, "its Secret last changed"
		for i, place := range m.Copies {
			at := v.copied[place]
			if at.IsZero() {
				since = time.Time{}
				break
			}
			if i == 0 || at.After(since) {
				since = at
			}
		}
	}
	if !since.IsZero() && len(pods) >= w.desired {
		all := true
		for i := range pods {
			all = all && pods[i].CreationTimestamp.After(since)
		}
		if all {
			return true, fmt.Sprintf("its %d pods were all created after %s (%s); %d of them are ready", len(pods), from, since.Format("2006-01-02 15:04:05Z"), w.ready)
		}
		if m.Fixed && len(m.Copies) > 0 {
			return false, ""
		}
	}
	h := j.p.healthOf(m.Component)
	if h == nil {
		return false, ""
	}
	// One answer is one replica's.
	n := min(max(w.desired, 1), 5)
	for range n {
		now, err := j.p.ask(ctx, h)
		if err != nil || now.code != 200 || now.version == "" || !isCurrent(now.version, v.versions) {
			return false, ""
		}
	}
	return true, fmt.Sprintf("its health endpoint says %d times of %d that it uses the current version", n, n)
}

// sorted is who is restarted and who is not, and the plan that says so.
type sorted struct {
	plan          plan.Plan
	restart       []*member
	skipped, left []string
}

// sort decides about every member that was found.
func (p *Procedure) sort(ctx context.Context, ask actions.Ask, j *job, f *found, v values) (*sorted, error) {
	s := &sorted{}
	s.left = append(s.left, f.byHand...)
	var away []string
	rooms := map[string]room{}
	refused := map[string]string{}
	for _, m := range f.members {
		how := strings.Join(m.why, "; ")
		affected := plan.Affected{Component: estate.ID(m.Component), Name: m.String(), Critical: p.critical(m)}
		skip, block, more, err := p.decide(ctx, j, f, m, v, rooms, refused)
		switch {
		case err != nil:
			return nil, err
		case block != nil && ask.Options[optionBlocked] != "leave":
			if block.Next != "" {
				block.Next += "; or leave it out of this plan with option blocked=leave"
			}
			return nil, block
		case block != nil:
			s.left = append(s.left, m.String()+": "+block.Why+"; "+block.Next)
			affected.How = "is not restarted: " + block.Why + ". Found because " + how
		case skip != "":
			s.skipped = append(s.skipped, m.String()+": "+skip)
			affected.How = "is not restarted: " + skip + ". Found because " + how
		default:
			s.restart = append(s.restart, m)
			affected.How = "is restarted: " + more + ". Found because " + how
			if m.Unit != "" || interrupts(m.at) {
				away = append(away, m.String())
			}
		}
		s.plan.Affected = append(s.plan.Affected, affected)
	}
	s.plan.Warnings = append(p.refusals(v.versions), p.warnings(ctx, s, f, j, away)...)
	return s, nil
}

// critical reports whether much depends on a member.
func (p *Procedure) critical(m *member) bool {
	c, ok := p.topo.Component(estate.ID(m.Component))
	return ok && c.Criticality == estate.Critical
}

// decide says of one member that it is skipped, is blocked, or what its restart takes.
func (p *Procedure) decide(ctx context.Context, j *job, f *found, m *member, v values, rooms map[string]room, refused map[string]string) (skip string, block *actions.Refusal, more string, err error) {
	if m.Unit != "" {
		now, err := p.unit(ctx, m)
		if err != nil {
			return "", nil, "", err
		}
		if !j.All && !j.Later {
			if ok, why := j.unitOnNew(ctx, m, v); ok {
				return why, nil, "", nil
			}
		}
		return "", nil, fmt.Sprintf("it is %s (%s), and away while it restarts", now.active, now.sub), nil
	}
	w, pods := m.at, of(m.at, f.pods[m.Cluster+"/"+m.Namespace])
	if !j.Later && (!j.All || w.desired == 0) {
		if ok, why := j.onNew(ctx, m, w, pods, v); ok {
			return why, nil, "", nil
		}
	}
	if block = blocked(w, pods); block != nil {
		return "", block, "", nil
	}
	acting, err := open(p.s.Act, m.Cluster)
	if err != nil {
		return "", nil, "", err
	}
	right := m.Cluster + "/" + m.Namespace + "/" + m.Kind
	if _, asked := refused[right]; !asked {
		refused[right] = ""
		if ok, why := mayPatch(ctx, acting, m.Namespace, m.Kind); !ok {
			refused[right] = strings.TrimSpace("our identity may not patch " + resource(m.Kind) + " in namespace " + m.Namespace + " of cluster " + m.Cluster + " " + p.s.Read.Text(why, 120))
		}
	}
	if why := refused[right]; why != "" {
		return "", &actions.Refusal{What: "restarting " + m.String(), Why: why, Next: "grant it (docs/permissions.md), or act as another identity (kubernetes: act)"}, "", nil
	}
	space := m.Cluster + "/" + m.Namespace
	if _, read := rooms[space]; !read {
		left, err := p.room(ctx, m.Cluster, m.Namespace)
		if err != nil {
			f.unread = append(f.unread, "the quotas of namespace "+space+": "+brief(err))
		}
		rooms[space] = left
	}
	if block = fits(w, rooms[space]); block != nil {
		return "", block, "", nil
	}
	return "", nil, headroom(w), nil
}

// brief is why a read brought nothing, in a few words.
func brief(err error) string {
	var f *estate.Failure
	if !errors.As(err, &f) {
		return err.Error()
	}
	if f.Kind == estate.NotSupported {
		return "the cluster does not have them"
	}
	return string(f.Kind)
}

// warnings are what a person must know of a plan.
func (p *Procedure) warnings(ctx context.Context, s *sorted, f *found, j *job, away []string) []plan.Warning {
	var out []plan.Warning
	if len(away) > 0 {
		out = append(out, plan.Warning{ID: "away", Accept: true, Text: "Nothing serves while these restart: " + list(away, 10)})
	}
	if len(s.left) > 0 {
		out = append(out, plan.Warning{ID: "by-hand", Accept: true, Text: "These stay on the old value until somebody restarts them by hand: " + list(s.left, 10)})
	}
	if len(f.unread) > 0 {
		out = append(out, plan.Warning{ID: "unread", Text: "Not looked at: " + list(f.unread, 6)})
	}
	for _, m := range s.restart {
		if m.at != nil && m.at.partition > 0 {
			out = append(out, plan.Warning{ID: "partition " + m.String(), Accept: true, Text: fmt.Sprintf("%s has the partition %d: its pods below that ordinal keep the old value", m, m.at.partition)})
		}
	}
	if j.Later {
		out = append(out, plan.Warning{ID: "later", Text: "The value is looked at when the restart begins: what runs on it by then is left alone, and a copy that is behind ends the run there"})
	}
	return append(out, p.budgetsOf(ctx, s)...)
}

// budgetsOf tells of PodDisruptionBudgets that a rollout will go below: they bound
// evictions, and no rollout.
func (p *Procedure) budgetsOf(ctx context.Context, s *sorted) []plan.Warning {
	var below []string
	seen := map[string]bool{}
	for _, m := range s.restart {
		space := m.Cluster + "/" + m.Namespace
		if m.Unit != "" || seen[space] {
			continue
		}
		seen[space] = true
		c, err := open(p.s.Read, m.Cluster)
		if err != nil {
			continue
		}
		all, err := c.budgets(ctx, m.Namespace)
		if denied(err) {
			if acting, other := open(p.s.Act, m.Cluster); other == nil {
				all, err = acting.budgets(ctx, m.Namespace)
			}
		}
		if err != nil {
			continue // it is information; the rollout keeps its own bounds
		}
		for _, o := range s.restart {
			for i := range all {
				b := &all[i]
				of, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
				if err != nil || o.at == nil || o.Cluster+"/"+o.Namespace != space || !of.Matches(labels.Set(o.at.labels)) || of.Empty() {
					continue
				}
				if least := int(b.Status.DesiredHealthy); o.at.desired-o.at.away < least {
					below = append(below, fmt.Sprintf("%s may have %d of %d available, and PodDisruptionBudget %s wants %d", o, max(o.at.desired-o.at.away, 0), o.at.desired, b.Name, least))
				}
			}
		}
	}
	if len(below) == 0 {
		return nil
	}
	return []plan.Warning{{ID: "budgets", Text: "PodDisruptionBudgets do not hold rollouts back: " + list(below, 6)}}
}

// observe reads what the plan rests on: the versions, and how the workloads may be
// restarted.
func (j *job) observe(ctx context.Context) ([]plan.Observed, error) {
	var out []plan.Observed
	if !j.Later {
		out = make([]plan.Observed, len(j.Secrets))
		if err := abreast(len(out), func(i int) error {
			now, err := j.p.holds(ctx, j.Secrets[i])
			out[i] = plan.Observed{Name: "AWSCURRENT of " + j.Secrets[i], Value: "version " + now.version}
			return err
		}); err != nil {
			return nil, err
		}
	}
	read := map[string]map[string]*workload{}
	for _, rank := range j.Ranks {
		for _, m := range rank {
			if m.Unit != "" {
				continue
			}
			group := m.Cluster + "/" + m.Namespace + "/" + m.Kind
			if read[group] == nil {
				c, err := open(j.p.s.Read, m.Cluster)
				if err != nil {
					return nil, err
				}
				all, err := c.workloads(ctx, m.Kind, m.Namespace, "")
				if err != nil {
					return nil, err
				}
				read[group] = map[string]*workload{}
				for _, w := range all {
					read[group][w.name] = w
				}
			}
			out = append(out, plan.Observed{Name: m.String(), Value: manner(read[group][m.Name])})
		}
	}
	return out, nil
}

// manner is how a workload lets itself be restarted.
func manner(w *workload) string {
	switch {
	case w == nil:
		return "not there"
	case w.paused:
		return "paused"
	case w.onDelete:
		return "OnDelete"
	case w.recreate:
		return "Recreate"
	case w.partition > 0:
		return fmt.Sprintf("rolling, partition %d", w.partition)
	}
	return "rolling"
}
