package ui

import (
	"strings"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// byType is which procedure gives a secret of a type a new value.
var byType = map[estate.SecretType]string{
	estate.TypeDatabase:    "rotate-database",
	estate.TypeAPIKey:      "rotate-api-key",
	estate.TypeCertificate: "rotate-certificate",
}

// bySense is which procedure does what a question of the runbook asks for. What
// rotates is looked up by the type of the secret that fails.
var bySense = map[string]string{
	"secrets.rotated":    "",
	"stores.updated":     "",
	"services.restarted": "restart",
	"secrets.validated":  "validate",
	"network.stores":     "access",
}

// procedureFor is the procedure that does what an item or a step asks for which the
// evidence speaks against, and its target where the evidence names one. It is empty
// where a person has to choose: nothing is guessed.
func procedureFor(sense string, f *diagnosis.Finding, t *estate.Topology, has []plan.About, targets map[string][]plan.Target) (procedure, target string) {
	name, known := bySense[sense]
	if !known || f.Stance == diagnosis.For {
		return "", ""
	}
	if name == "" {
		secret, ok := namedSecret(f, t)
		if !ok {
			return "", ""
		}
		name, target = byType[secret.Type], secret.ID
	}
	for i := range has {
		if has[i].Name == name && name != "" {
			return name, readyTarget(targets[name], target)
		}
	}
	return "", ""
}

// namedSecret is the stored secret that the evidence names first.
func namedSecret(f *diagnosis.Finding, t *estate.Topology) (estate.StoredSecret, bool) {
	for i := range f.Facts {
		said := f.Facts[i].Name + " " + f.Facts[i].Value
		best := -1
		for j := range t.Secrets {
			id := t.Secrets[j].ID
			if id != "" && strings.Contains(said, id) && (best < 0 || len(id) > len(t.Secrets[best].ID)) {
				best = j // prod/db/postgres, not prod/db
			}
		}
		if best >= 0 {
			return t.Secrets[best], true
		}
	}
	return estate.StoredSecret{}, false
}

// readyTarget is the target that was named, or the only one there is, if the procedure
// can be done to it; empty when a person has to choose.
func readyTarget(list []plan.Target, named string) string {
	if named == "" && len(list) == 1 {
		named = list[0].ID
	}
	for i := range list {
		if list[i].ID == named && list[i].Ready {
			return named
		}
	}
	return ""
}
