package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"warroom/actions"
	"warroom/actions/store"
	"warroom/internal/plan"
)

// phases are the steps of a wave, in their order, with their titles.
var phases = []struct{ id, title string }{
	{stepCancel, "Cancel the scheduled rotations"},
	{stepLock, "Lock the roles"},
	{stepPending, "Store the new passwords as pending"},
	{stepSet, "Set the passwords at their primaries"},
	{stepReplay, "Wait until every replica knows them"},
	{stepTest, "Log in everywhere with the pending passwords"},
	{stepCopies, "Update the written copies"},
	{stepPromote, "Make the new passwords current"},
	{stepFollow, "Sync the ExternalSecrets"},
	{stepPoolers, "Have the poolers take them up"},
	{stepVerify, "Verify everything with the current values"},
	{stepClear, "Take away the labels of pending"},
}

// compose makes one plan of the plans of several secrets: wave after wave, and within
// a wave each step of all its secrets at once.
func compose(target string, waves [][]*one) *actions.Prepared {
	all := slices.Concat(waves...)
	out := &actions.Prepared{
		Plan: plan.Plan{
			Title: fmt.Sprintf("Rotate %s (%s)", store.Counted(len(all), "password", "passwords"), target),
			Why:   fmt.Sprintf("Each is rotated by the steps that it has by itself. %d at once at most: a wave begins when everything of the one before is verified, and a failure ends the run there.", atOnce),
			Facts: map[string]string{},
		},
		Close: func() { closeAll(all) },
	}
	p := &out.Plan
	n := 0
	for i, wave := range waves {
		for _, o := range wave {
			text, err := json.Marshal(saved{Secret: o.name, Wave: i, Facts: o.ready.Plan.Facts})
			if err != nil { // it is made of strings and a number
				panic("database: facts cannot be kept")
			}
			p.Facts[factOf(n)] = string(text)
			n++
			p.Observed = append(p.Observed, condensed(o.name, o.ready.Plan.Observed)...)
			p.Affected = append(p.Affected, o.ready.Plan.Affected...)
			for _, m := range o.ready.Plan.Measures {
				m.Step = stepOf(i, m.Step)
				p.Measures = append(p.Measures, m)
			}
			out.Systems = append(out.Systems, o.ready.Systems...)
		}
		for _, phase := range phases {
			group := with(wave, phase.id)
			if len(group) == 0 {
				continue
			}
			step := told(i, len(waves), phase.id, phase.title, group)
			if len(p.Steps) == 0 || !strings.HasPrefix(p.Steps[len(p.Steps)-1].ID, waveOf(i)) {
				step.Calls = append(legend(wave), step.Calls...)
			}
			do := together(phase.id, group)
			if before := group[0].step().UndoBefore; before != "" {
				do.UndoBefore = stepOf(i, before)
			}
			p.Steps, out.Steps = append(p.Steps, step), append(out.Steps, do)
		}
	}
	p.Affected = distinct(p.Affected)
	p.Warnings = warnings(all)
	slices.Sort(out.Systems)
	out.Systems = slices.Compact(out.Systems)
	out.Observe = func(ctx context.Context) ([]plan.Observed, error) { return observeAll(ctx, all) }
	return out
}

func waveOf(i int) string { return fmt.Sprintf("wave-%02d/", i+1) }

func stepOf(wave int, id string) string { return waveOf(wave) + id }

// member is one of several secrets with one of its steps.
type member struct {
	*one
	at int // its step
}

func (m member) told() *plan.Step   { return &m.ready.Plan.Steps[m.at] }
func (m member) step() actions.Step { return m.ready.Steps[m.at] }

// with are the secrets of a wave that have a step.
func with(wave []*one, id string) []member {
	var out []member
	for _, o := range wave {
		if i := slices.IndexFunc(o.ready.Plan.Steps, func(s plan.Step) bool { return s.ID == id }); i >= 0 {
			out = append(out, member{o, i})
		}
	}
	return out
}

// told is a step of a wave as people read it.
func told(wave, waves int, id, title string, group []member) plan.Step {
	out := plan.Step{ID: stepOf(wave, id), Title: fmt.Sprintf("Wave %d of %d: %s (%d)", wave+1, waves, title, len(group))}
	var where, calls, before, verify, undo []string
	for _, m := range group {
		s := m.told()
		out.Change = out.Change || s.Change
		out.Limit = max(out.Limit, s.Limit+time.Minute)
		words := wordsOf(m.one)
		where = append(where, strings.Split(s.Where, ", ")...)
		for _, call := range s.Calls {
			calls = append(calls, words.Replace(call))
		}
		before, verify, undo = append(before, words.Replace(s.Before)), append(verify, words.Replace(s.Verify)), append(undo, words.Replace(s.Undo))
	}
	out.Where = strings.Join(unique(where), ", ")
	out.Calls = unique(calls)
	out.Before, out.Verify, out.Undo = of(before), of(verify), of(undo)
	return out
}

// of is what the steps of a wave say in common, each sentence once.
func of(texts []string) string { return strings.Join(unique(texts), "; ") }

// unique are texts in their order, each once; empty ones are left out.
func unique(all []string) []string {
	seen := map[string]bool{"": true}
	return slices.DeleteFunc(all, func(s string) bool {
		defer func() { seen[s] = true }()
		return seen[s]
	})
}

// legend says what the words in angle brackets stand for in the calls of a wave, for
// each of its secrets.
func legend(wave []*one) []string {
	var out []string
	for _, o := range wave {
		f := o.ready.Plan.Facts
		text := fmt.Sprintf("of %s: <user> %s, <current> %s, <new> %s", o.name, f[factUser], f[factBase], f[factToken])
		if f[factOld] != f[factUser] {
			text += ", <old user> " + f[factOld]
		}
		for i, object := range o.objects {
			text += fmt.Sprintf(", <copy %d> %s", i+1, object)
		}
		out = append(out, text)
	}
	return out
}

// swaps puts words in angle brackets in place of what differs between secrets.
type swaps [][2]string

// wordsOf are those of one secret.
func wordsOf(o *one) swaps {
	f := o.ready.Plan.Facts
	all := swaps{
		{f[factToken], "<new>"}, {f[factBase], "<current>"}, {store.Short(f[factToken]), "<new>"}, {store.Short(f[factBase]), "<current>"},
		{o.name, "<secret>"}, {o.id, "<secret>"},
	}
	for i, object := range o.objects {
		namespace, name, _ := strings.Cut(object, "/")
		for _, kind := range []string{"secrets", "externalsecrets"} {
			all = append(all, [2]string{namespace + "/" + kind + "/" + name, kind + "/" + fmt.Sprintf("<copy %d>", i+1)})
		}
		all = append(all, [2]string{object, fmt.Sprintf("<copy %d>", i+1)})
	}
	all = append(all, [2]string{f[factUser], "<user>"})
	if f[factOld] != f[factUser] {
		all = append(all, [2]string{f[factOld], "<old user>"})
	}
	return all
}

// Replace puts the words into a text: only where a whole name stands.
func (s swaps) Replace(text string) string {
	for _, one := range s {
		if len(one[0]) < 3 {
			continue // a word as short may be any
		}
		text = swap(text, one[0], one[1])
	}
	return text
}

func swap(text, from, to string) string {
	var out strings.Builder
	for {
		i := strings.Index(text, from)
		if i < 0 {
			break
		}
		end := i + len(from)
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[end:])
		out.WriteString(text[:i])
		if i > 0 && inName(before) || end < len(text) && inName(after) {
			out.WriteString(from)
		} else {
			out.WriteString(to)
		}
		text = text[end:]
	}
	return out.String() + text
}

// inName reports whether a rune makes a name longer.
func inName(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-/", r)
}

// condensed is on what the plan of one secret rests, as two lines: what must not have
// changed when the run begins, and what may.
func condensed(name string, all []plan.Observed) []plan.Observed {
	text := map[bool][]string{}
	for _, o := range all {
		text[o.Live] = append(text[o.Live], strings.TrimSuffix(o.Name, " of "+name)+" "+o.Value)
	}
	var out []plan.Observed
	for _, live := range []bool{false, true} {
		if len(text[live]) > 0 {
			label := name
			if live {
				label += ", tried"
			}
			out = append(out, plan.Observed{Name: label, Value: strings.Join(text[live], "; "), Live: live})
		}
	}
	return out
}

// observeAll reads again on what the plan of each rests.
func observeAll(ctx context.Context, all []*one) ([]plan.Observed, error) {
	found := make(map[string][]plan.Observed, len(all))
	errs := make([]error, len(all))
	at := map[*one]int{}
	for i, o := range all {
		at[o] = i
	}
	seen := make([][]plan.Observed, len(all))
	each(all, atOnce, func(o *one) { seen[at[o]], errs[at[o]] = o.ready.Observe(ctx) })
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var out []plan.Observed
	for i, o := range all {
		found[o.name] = condensed(o.name, seen[i])
		out = append(out, found[o.name]...)
	}
	return out, nil
}

// distinct are those affected, each once.
func distinct(all []plan.Affected) []plan.Affected {
	type key struct{ component, name, how string }
	seen := map[key]bool{}
	return slices.DeleteFunc(all, func(a plan.Affected) bool {
		k := key{string(a.Component), a.Name, a.How}
		defer func() { seen[k] = true }()
		return seen[k]
	})
}

// warnings are those of all plans. What is said of many is said once, with for whom.
func warnings(all []*one) []plan.Warning {
	type key struct{ id, text string }
	said := map[key][]string{}
	var order []key
	for _, o := range all {
		for _, w := range o.ready.Plan.Warnings {
			k := key{wordsOf(o).Replace(w.ID), wordsOf(o).Replace(w.Text)}
			if said[k] == nil {
				order = append(order, k)
			}
			said[k] = append(said[k], o.name)
		}
	}
	used := map[string]int{}
	var out []plan.Warning
	for _, k := range order {
		id := k.id
		if used[id]++; used[id] > 1 {
			id = fmt.Sprintf("%s-%d", id, used[id])
		}
		out = append(out, plan.Warning{ID: id, Text: fmt.Sprintf("%s (<secret> is %s)", k.text, first(said[k], 8))})
	}
	return out
}
