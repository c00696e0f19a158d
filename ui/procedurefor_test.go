package ui

import (
	"testing"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

func TestProcedureFor(t *testing.T) {
	h := newHealer(nil)
	targets := map[string][]plan.Target{}
	for _, p := range h.Procedures() {
		targets[p.Name] = h.Targets(p.Name)
	}
	top := &estate.Topology{Secrets: []estate.StoredSecret{
		{ID: "prod/db", Type: estate.TypeDatabase}, {ID: "prod/db/postgres", Type: estate.TypeDatabase}, {ID: "prod/db/legacy", Type: estate.TypeDatabase},
		{ID: "prod/api/payment", Type: estate.TypeAPIKey}, {ID: "prod/tls/edge", Type: estate.TypeCertificate}, {ID: "prod/token", Type: estate.TypeToken},
	}}
	said := func(texts ...string) *diagnosis.Finding {
		f := &diagnosis.Finding{Stance: diagnosis.Against}
		for _, s := range texts {
			f.Facts = append(f.Facts, diagnosis.Fact{Name: "Rotation", Value: s})
		}
		return f
	}
	for _, c := range []struct {
		sense             string
		f                 *diagnosis.Finding
		procedure, target string
	}{
		{"secrets.rotated", said("prod/db/postgres was due 14 days ago"), "rotate-database", "prod/db/postgres"},
		{"secrets.rotated", said("nothing named", "prod/api/payment is stuck"), "rotate-api-key", "prod/api/payment"},
		{"secrets.rotated", said("prod/db/legacy is overdue"), "rotate-database", ""}, // not ready: a person chooses
		{"secrets.rotated", said("prod/tls/edge ended"), "", ""},                      // no such procedure here
		{"secrets.rotated", said("prod/token ended"), "", ""},                         // nothing rotates a token
		{"secrets.rotated", said("no secret is named"), "", ""},
		{"secrets.rotated", &diagnosis.Finding{Stance: diagnosis.For, Facts: said("prod/db/postgres").Facts}, "", ""}, // done
		{"stores.updated", said("prod/db/postgres has another version"), "rotate-database", "prod/db/postgres"},
		{"services.restarted", said("3 pods are older"), "restart", "prod/db/postgres"},
		{"secrets.validated", said("1 refused"), "validate", "all"},
		{"network.stores", said("no answer"), "", ""}, // not offered here
		{"rotation.logs", said("prod/db/postgres failed"), "", ""},
	} {
		procedure, target := procedureFor(c.sense, c.f, top, h.Procedures(), targets)
		if procedure != c.procedure || target != c.target {
			t.Errorf("%s %v: %q %q, want %q %q", c.sense, c.f.Facts, procedure, target, c.procedure, c.target)
		}
	}
}
