package checks

import (
	"slices"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// Probes is every read that an estate's configuration asks for. Nothing is
// connected to, and no file is read, before a probe runs.
func Probes(cfg *config.Config, set *clients.Set) []Probe {
	file := stateFile()
	if cfg.Drill != "" {
		file = nil // its servers live no longer than this process
	}
	with := shared{read: storedCredentials(set), gate: newGate(time.Now, file), own: map[estate.ID]*ownCalls{}, now: time.Now}
	for i := range cfg.Components {
		if c := &cfg.Components[i]; c.Gateway != nil || c.Postgres != nil {
			with.own[estate.ID(c.ID)] = &ownCalls{}
		}
	}
	return slices.Concat(
		awsProbes(cfg, set, with.own),
		postgresProbes(cfg, set, with.read, with.gate, with.own),
		tlsProbes(cfg, set),
		vaultProbes(cfg, set),
		httpProbes(cfg, set, with),
		prometheusProbes(cfg, set, with),
		systemdProbes(cfg, set),
	)
}
