package checks

import (
	"testing"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// BenchmarkPostgresLogin is one login with TLS and SCRAM-SHA-256-PLUS, both sides
// in this process.
func BenchmarkPostgresLogin(b *testing.B) {
	w := newSimWorld(b, nil)
	w.SetPassword("wr_app", pgOld)
	at := w.at(false)
	p := clients.NewPostgres(clients.PostgresServer{Host: at.Host, Port: at.Port, Database: at.Database, SSLMode: at.SSLMode, CACert: at.CACert}, clients.Strip)
	for b.Loop() {
		if try := p.Login(b.Context(), "wr_app", estate.NewSecret(pgOld)); try.Login.Outcome != estate.LoginAccepted {
			b.Fatalf("%+v", try)
		}
	}
}
