package restart

import (
	"slices"
	"strings"

	"warroom/actions"
	"warroom/internal/config"
)

// ranks orders members so that each comes after those on which it depends: what
// warroom.yaml says under restart_after, and the application that it connects to.
// Dependencies through applications that are not restarted count. What no application
// of warroom.yaml stands for has no dependencies and is of the first rank.
func ranks(cfg *config.Config, members []*member) ([][]*member, error) {
	before := map[string][]string{}
	for i := range cfg.Components {
		a := cfg.Components[i].Application
		if a == nil {
			continue
		}
		id := cfg.Components[i].ID
		before[id] = append(before[id], a.After...)
		if a.Uses != "" && isApplication(cfg, a.Uses) {
			before[id] = append(before[id], a.Uses)
		}
	}
	mine := map[string]bool{}
	for _, m := range members {
		if m.Component != "" {
			mine[m.Component] = true
		}
	}
	rank := map[string]int{}
	var path []string
	// of is how many ranks must be done before an application's turn.
	var of func(id string) (int, error)
	of = func(id string) (int, error) {
		if r, known := rank[id]; known {
			return r, nil
		}
		if i := slices.Index(path, id); i >= 0 {
			return 0, &actions.Refusal{
				What: "restarting these services", Why: "warroom.yaml has them wait for each other: " + strings.Join(append(path[i:], id), " after "),
				Next: "take one of these out of restart_after or connects_to",
			}
		}
		path = append(path, id)
		r := 0
		for _, other := range before[id] {
			n, err := of(other)
			if err != nil {
				return 0, err
			}
			if mine[other] {
				n++
			}
			r = max(r, n)
		}
		path = path[:len(path)-1]
		rank[id] = r
		return r, nil
	}
	var out [][]*member
	for _, m := range members {
		r := 0
		if m.Component != "" {
			var err error
			if r, err = of(m.Component); err != nil {
				return nil, err
			}
		}
		for len(out) <= r {
			out = append(out, nil)
		}
		out[r] = append(out[r], m)
	}
	// A rank whose members need no restart is not there.
	out = slices.DeleteFunc(out, func(r []*member) bool { return len(r) == 0 })
	for _, r := range out {
		slices.SortStableFunc(r, func(a, b *member) int { return strings.Compare(a.String(), b.String()) })
	}
	return out, nil
}

func isApplication(cfg *config.Config, id string) bool {
	return slices.ContainsFunc(cfg.Components, func(c config.Component) bool { return c.ID == id && c.Application != nil })
}
