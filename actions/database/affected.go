package database

import (
	"cmp"
	"slices"

	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// Affected are the applications that use a stored secret.
func Affected(cfg *config.Config, secret, how string) []plan.Affected {
	var out []plan.Affected
	for i := range cfg.Components {
		c := &cfg.Components[i]
		if c.Application == nil || !slices.Contains(c.Application.Secrets, secret) {
			continue
		}
		out = append(out, plan.Affected{Component: estate.ID(c.ID), Name: cmp.Or(c.Name, c.ID), How: how, Critical: c.Criticality == "critical"})
	}
	return out
}
