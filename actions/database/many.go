package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"warroom/actions"
	"warroom/actions/store"
	"warroom/internal/config"
	"warroom/internal/plan"
)

// A target that ends with a star stands for every database secret whose name begins
// as it does. Each of them is rotated by the steps that it has by itself, in the same
// order and with the same checks; only so many are under way at once.

// atOnce is how many secrets one wave has. Each holds a session on its primary, and
// logs in beside it: three connections at most.
const atOnce = 8

// mostSecrets is how many secrets one plan may have: what it must know after a crash
// has to fit into a journal.
const mostSecrets = 200

// Options of a rotation of several secrets.
const (
	optionBlocked = "blocked"
	leave         = "leave"
)

// factSecret begins the facts that hold what one of several secrets is rotated by; its
// number follows.
const factSecret = "secret."

// several reports whether a target stands for several secrets, and how their names
// begin.
func several(target string) (string, bool) { return strings.CutSuffix(target, "*") }

// members are the secrets that a target stands for, by name.
func members(cfg *config.Config, target string) []string {
	prefix, _ := several(target)
	var out []string
	for _, t := range databases(cfg) {
		if t.Ready && strings.HasPrefix(t.ID, prefix) {
			out = append(out, t.ID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// folders are the targets that stand for several secrets: each folder of names with
// more than one secret that can be rotated.
func folders(cfg *config.Config, one []plan.Target) []plan.Target {
	counts := map[string]int{}
	for _, t := range one {
		if i := strings.LastIndex(t.ID, "/"); i >= 0 && t.Ready {
			counts[t.ID[:i+1]]++
		}
	}
	var out []plan.Target
	for folder, n := range counts {
		if n > 1 {
			out = append(out, plan.Target{ID: folder + "*", Title: fmt.Sprintf("%d database passwords in one plan", len(members(cfg, folder+"*"))), Ready: true})
		}
	}
	slices.SortFunc(out, func(a, b plan.Target) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// one is one of several secrets.
type one struct {
	name    string
	ready   *actions.Prepared
	err     error
	id      string   // as its store calls it
	objects []string // of its copies in clusters: namespace/name
	role    string   // at its primary
	held    string   // how its lock is told
}

// one prepares one of several secrets as if it were asked for by itself.
func (p *rotate) one(ctx context.Context, o *one, ask actions.Ask) {
	ask.Target = o.name
	e, err := targetsOf(p.systems, p.book, o.name)
	if err == nil {
		o.ready, err = p.Prepare(ctx, ask)
	}
	if o.err = err; err != nil {
		return
	}
	user := o.ready.Plan.Facts[factUser]
	o.id, o.role, o.held = e.stored.ID, user+" at "+e.primary.Place(), lockOf(user, e.primary)
	for _, c := range e.stored.Rotation.Copies {
		if c.Kubernetes != "" {
			o.objects = append(o.objects, c.Object)
		}
	}
}

// saved is what is kept of one of them.
type saved struct {
	Secret string            `json:"secret"`
	Wave   int               `json:"wave"`
	Facts  map[string]string `json:"facts"`
}

// many prepares a rotation of every secret that the target stands for.
func (p *rotate) many(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	if ask.Past != nil {
		return p.manyAgain(ctx, ask)
	}
	what := "rotating " + ask.Target
	names := members(p.systems.Config, ask.Target)
	switch {
	case ask.Target == "*":
		return nil, &actions.Refusal{What: what, Why: "a star alone says nothing of what is meant", Next: "name how the secrets begin, as in prod/db/*"}
	case len(names) == 0:
		return nil, &actions.Refusal{What: what, Why: "no database secret that can be rotated has a name that begins so", Next: "`warroom plan rotate-database` lists them"}
	case len(names) > mostSecrets:
		return nil, &actions.Refusal{What: what, Why: fmt.Sprintf("it stands for %d secrets, and one plan has %d at most", len(names), mostSecrets), Next: "name a longer beginning, and do it in parts"}
	}
	all := make([]*one, len(names))
	for i, name := range names {
		all[i] = &one{name: name}
	}
	each(all, atOnce, func(o *one) { p.one(ctx, o, ask) })
	if err := ctx.Err(); err != nil {
		closeAll(all)
		return nil, err
	}
	var kept []*one
	var blocked []string
	var cause error
	for _, o := range all {
		if why := alone(o); why != "" {
			blocked = append(blocked, o.name+": "+why)
			cause = errors.Join(cause, o.err)
			closeAll([]*one{o})
			continue
		}
		kept = append(kept, o)
	}
	if len(blocked) > 0 && (ask.Options[optionBlocked] != leave || len(kept) == 0) {
		closeAll(kept)
		return nil, &actions.Refusal{
			What: what, Why: fmt.Sprintf("%s of %d cannot be rotated together with others: %s", store.Counted(len(blocked), "secret", "secrets"), len(names), first(blocked, 5)),
			Next: "plan these by themselves; option blocked=leave rotates the others",
		}
	}
	waves, err := p.waves(kept)
	if err != nil {
		closeAll(kept)
		return nil, err
	}
	out := compose(ask.Target, waves)
	if len(blocked) > 0 {
		out.Plan.Warnings = append(out.Plan.Warnings, plan.Warning{ID: "left", Accept: true, Text: store.Counted(len(blocked), "secret is", "secrets are") + " left as they are: " + first(blocked, 10)})
	}
	return out, nil
}

// alone is why a secret cannot be rotated with others, because a person must decide
// about it by itself or because it cannot be planned; empty when it can.
func alone(o *one) string {
	if o.err != nil {
		return o.err.Error()
	}
	p := &o.ready.Plan
	switch {
	case p.NeedsReason != "":
		return p.NeedsReason + ", which needs a reason"
	case p.Irreversible != "":
		return p.Irreversible
	case len(p.Inputs) > 0:
		return "a value must be typed for it"
	}
	for _, w := range p.Warnings {
		if w.Accept {
			return "to be accepted by itself: " + w.Text
		}
	}
	return ""
}

// waves deals secrets out. Two that set the password of one role exclude each other,
// and one by which others log in comes after them, in a wave of its own.
func (p *rotate) waves(all []*one) ([][]*one, error) {
	roles := map[string]string{}
	for _, o := range all {
		if other := roles[o.role]; other != "" {
			return nil, &actions.Refusal{What: "rotating " + o.name + " and " + other + " together", Why: "both hold the password of role " + o.role, Next: "rotate one of them, and find out who uses the other"}
		}
		roles[o.role] = o.name
	}
	helpers := p.helpers()
	var waves [][]*one
	plain := slices.DeleteFunc(slices.Clone(all), func(o *one) bool { return helpers[o.name] })
	for wave := range slices.Chunk(plain, atOnce) {
		waves = append(waves, wave)
	}
	for _, o := range all {
		if helpers[o.name] {
			waves = append(waves, []*one{o})
		}
	}
	return waves, nil
}

// helpers are the secrets by which the rotation of others logs in.
func (p *rotate) helpers() map[string]bool {
	out := map[string]bool{}
	for _, s := range store.Secrets(p.systems.Config) {
		if s.Rotation == nil || s.Rotation.Database == nil {
			continue
		}
		db := s.Rotation.Database
		out[db.Admin], out[db.Emergency] = true, true
		for _, pooler := range db.Poolers {
			out[pooler.Secret] = true
		}
	}
	for i := range p.systems.Config.Components {
		if c := p.systems.Config.Components[i].Postgres; c != nil {
			out[c.Monitor] = true
		}
	}
	return out
}

// manyAgain makes the steps of an earlier plan anew, from its facts alone.
func (p *rotate) manyAgain(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	refused := &actions.Refusal{What: "taking up the earlier run on " + ask.Target, Why: "its facts are not complete", Next: "abandon it, and plan recover-pending for each secret that is stuck"}
	var all []*one
	var kept []saved
	for i := 0; ; i++ {
		text, ok := ask.Past.Facts[factOf(i)]
		if !ok {
			break
		}
		var s saved
		if json.Unmarshal([]byte(text), &s) != nil || s.Wave < 0 || s.Wave > i {
			return nil, refused
		}
		kept, all = append(kept, s), append(all, &one{name: s.Secret})
	}
	if len(all) == 0 {
		return nil, refused
	}
	byName, steps := map[string]map[string]string{}, map[string]map[string]plan.StepState{}
	for _, s := range kept {
		byName[s.Secret], steps[s.Secret] = s.Facts, map[string]plan.StepState{}
		for _, phase := range phases {
			steps[s.Secret][phase.id] = ask.Past.Steps[stepOf(s.Wave, phase.id)]
		}
	}
	each(all, atOnce, func(o *one) {
		own := ask
		own.Past = &actions.Past{Plan: &plan.Plan{}, Facts: byName[o.name], Steps: steps[o.name]}
		p.one(ctx, o, own)
	})
	var waves [][]*one
	for i, o := range all {
		if o.err != nil {
			closeAll(all)
			return nil, fmt.Errorf("take up the rotation of %s: %w", o.name, o.err)
		}
		for len(waves) <= kept[i].Wave {
			waves = append(waves, nil)
		}
		waves[kept[i].Wave] = append(waves[kept[i].Wave], o)
	}
	return compose(ask.Target, waves), nil
}

func factOf(i int) string { return fmt.Sprintf("%s%03d", factSecret, i) }

// each does the same for all, so many at once.
func each(all []*one, most int, do func(*one)) {
	turns := make(chan struct{}, most)
	var wait sync.WaitGroup
	for _, o := range all {
		turns <- struct{}{}
		wait.Go(func() {
			defer func() { <-turns }()
			do(o)
		})
	}
	wait.Wait()
}

func closeAll(all []*one) {
	for _, o := range all {
		if o.ready != nil && o.ready.Close != nil {
			o.ready.Close()
		}
	}
}

// first are the first of some texts, with how many more there are.
func first(all []string, most int) string {
	if len(all) <= most {
		return strings.Join(all, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(all[:most], "; "), len(all)-most)
}
