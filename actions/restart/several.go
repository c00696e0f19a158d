package restart

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"warroom/internal/plan"
)

// A target that ends with a star stands for every stored secret whose name begins as
// it does: who uses any of them is restarted, once, by one plan.

// matching are the stored secrets that a target with a star stands for, by name; ok is
// false where it has none, or is a star alone, which says nothing of what is meant.
func (p *Procedure) matching(target string) (_ []string, ok bool) {
	prefix, ok := strings.CutSuffix(target, "*")
	if !ok || prefix == "" {
		return nil, false
	}
	var out []string
	for name := range p.stored {
		if strings.HasPrefix(name, prefix) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, len(out) > 0
}

// folders are the targets that stand for several secrets: each folder of names of
// which more than one is ready.
func (p *Procedure) folders(one []plan.Target) []plan.Target {
	counts := map[string]int{}
	for _, t := range one {
		if _, stored := p.stored[t.ID]; stored && t.Ready {
			if i := strings.LastIndex(t.ID, "/"); i >= 0 {
				counts[t.ID[:i+1]]++
			}
		}
	}
	var out []plan.Target
	for folder, n := range counts {
		if n > 1 {
			all, _ := p.matching(folder + "*")
			out = append(out, plan.Target{ID: folder + "*", Title: fmt.Sprintf("%d stored secrets", len(all)), Ready: true, Note: "everything that uses one of them, in one plan"})
		}
	}
	slices.SortFunc(out, func(a, b plan.Target) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// factSize is how much of a job one fact holds, in bytes: a journal keeps no fact of
// more than 16,000 runes.
const factSize = 12_000

// facts are a job as facts of a plan: in one, or in as many as it takes.
func (j *job) facts() (map[string]string, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("write down what is restarted: %w", err)
	}
	out := map[string]string{}
	for i := 0; i == 0 || len(text) > 0; i++ {
		n := min(len(text), factSize)
		for n < len(text) && text[n]&0xC0 == 0x80 { // not within a letter
			n++
		}
		out[jobPart(i)], text = string(text[:n]), text[n:]
	}
	return out, nil
}

func jobPart(i int) string {
	if i == 0 {
		return jobFact
	}
	return fmt.Sprintf("%s.%d", jobFact, i)
}

var errNoJob = errors.New("the facts name nothing that is restarted")

// recall reads a job from the facts of an earlier run.
func (j *job) recall(facts map[string]string) error {
	var text strings.Builder
	for i := 0; ; i++ {
		part, ok := facts[jobPart(i)]
		if !ok {
			break
		}
		text.WriteString(part)
	}
	if err := json.Unmarshal([]byte(text.String()), j); err != nil {
		return err
	}
	if len(j.Ranks) == 0 {
		return errNoJob
	}
	return nil
}

// readers is how many stores and copies are read side by side.
const readers = 8

// abreast does the same for 0 to n-1, a few at once. Its error is that of the first of
// them, in their order, that failed.
func abreast(n int, do func(int) error) error {
	errs := make([]error, n)
	turns := make(chan struct{}, readers)
	var wg sync.WaitGroup
	for i := range n {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			errs[i] = do(i)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
