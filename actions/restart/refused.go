package restart

import (
	"fmt"
	"slices"

	"warroom/internal/estate"
	"warroom/internal/plan"
)

// refusals warns where the console's checks saw the very value refused that a restart
// would have services take: they would come up and not work, and the rollout would hang.
func (p *Procedure) refusals(versions map[string]string) []plan.Warning {
	if p.s.Readings == nil {
		return nil
	}
	readings := p.s.Readings()
	if readings == nil {
		return nil
	}
	var by []string
	note := func(secret, version string, c *estate.Component, said string) {
		if version != "" && versions[secret] == version {
			by = append(by, fmt.Sprintf("%s of %s (%s)", c.Name, secret, said))
		}
	}
	for i := range p.topo.Components {
		c := &p.topo.Components[i]
		for _, slot := range readings.Snapshot.Slots(c.ID) {
			switch d := slot.Last.Data.(type) {
			case estate.Login:
				if slices.Contains([]estate.LoginOutcome{estate.LoginWrong, estate.LoginRejected, estate.LoginBarred}, d.Outcome) {
					note(d.Secret, d.Version, c, string(d.Outcome))
				}
			case estate.APIProbe:
				if d.Code == 401 || d.Code == 403 {
					note(d.Secret, d.Version, c, fmt.Sprintf("answered %d", d.Code))
				}
			}
		}
	}
	if len(by) == 0 {
		return nil
	}
	slices.Sort(by)
	return []plan.Warning{{ID: "refused", Accept: true, Text: "The current value is refused by " + list(slices.Compact(by), 4) + ": what is restarted now takes a value that does not work. Mend that first"}}
}
