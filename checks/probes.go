package checks

import (
	"slices"

	"warroom/internal/clients"
	"warroom/internal/config"
)

// Probes is every read that an estate's configuration asks for. Nothing is
// connected to before a probe runs.
func Probes(cfg *config.Config, set *clients.Set) []Probe {
	return slices.Concat(
		awsProbes(cfg, set),
		postgresProbes(cfg, set),
		tlsProbes(cfg, set),
		httpProbes(cfg, set),
	)
}
