package checks

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"warroom/internal/config"
	"warroom/internal/drill/pgsim"
	"warroom/internal/estate"
)

func TestSSLModes(t *testing.T) {
	w := newSimWorld(t, nil)
	w.setRole(t, pgRole{name: "wr_app", password: pgOld})
	plain := newSimWorld(t, func(o *pgsim.Options) { o.TLS = nil })
	plain.setRole(t, pgRole{name: "wr_app", password: pgOld})
	certificate, ca := pgCertificateFor(t, "db.example.com")
	named := newSimWorld(t, func(o *pgsim.Options) { o.TLS = certificate })
	named.setRole(t, pgRole{name: "wr_app", password: pgOld})
	named.ca = ca
	_, otherCA := pgCertificate(t)
	for _, x := range []struct {
		name     string
		world    *simWorld
		mode, ca string
		tls      bool
		kind     estate.FailureKind
		detail   string
	}{
		{name: "verify-full", world: w, mode: "verify-full", ca: w.ca, tls: true},
		{name: "verify-full, another name", world: named, mode: "verify-full", ca: named.ca, kind: estate.Refused, detail: "127.0.0.1"},
		{name: "verify-ca, another name", world: named, mode: "verify-ca", ca: named.ca, tls: true},
		{name: "verify-full, system's CAs", world: w, mode: "verify-full", kind: estate.Misconfigure, detail: "certificate"},
		{name: "verify-ca", world: w, mode: "verify-ca", ca: w.ca, tls: true},
		{name: "require", world: w, mode: "require", tls: true},
		{name: "require with a CA verifies it", world: w, mode: "require", ca: otherCA, kind: estate.Misconfigure, detail: "unknown authority"},
		{name: "disable", world: w, mode: "disable"},
		{name: "require, server without TLS", world: plain, mode: "require", kind: estate.Refused, detail: "does not offer TLS"},
		{name: "disable, server without TLS", world: plain, mode: "disable"},
	} {
		t.Run(x.name, func(t *testing.T) {
			at := x.world.at(false)
			at.SSLMode, at.CACert = x.mode, x.ca
			e := newPGEstate(t, at)
			e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_app", password: pgOld})
			r := e.run(t, "db0", estate.CheckLogin, string(estate.StageCurrent))
			if x.kind != "" {
				if f := kindIs(t, r.Err, x.kind); !strings.Contains(f.Detail, x.detail) {
					t.Errorf("detail %q, want %q in it", f.Detail, x.detail)
				}
				return
			}
			l, ok := r.Data.(estate.Login)
			if !ok || l.Outcome != estate.LoginAccepted || l.TLS != x.tls {
				t.Errorf("got %+v %v", r.Data, r.Err)
			}
		})
	}
}

func TestMonitoringAsTheServiceFileSays(t *testing.T) {
	w := newSimWorld(t, nil)
	w.setRole(t, pgRole{name: "wr_app", password: pgOld})
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// Where the server is stays as configured, whatever the file says.
	t.Setenv("PGSERVICEFILE", write("services", "[watch]\nuser=wr_watch\npassword="+pgWatch+"\nhost=nowhere.invalid\nport=1\n\n[by-passfile]\nuser=wr_watch\n\n[wrong]\nuser=wr_watch\npassword="+pgWrong+"\n"))
	t.Setenv("PGPASSFILE", write("passwords", "127.0.0.1:"+strconv.Itoa(w.primary.Port)+":*:wr_watch:"+pgWatch+"\n"))
	for _, x := range []struct {
		service string
		kind    estate.FailureKind
	}{{"watch", ""}, {"by-passfile", ""}, {"wrong", estate.NoIdentity}, {"absent", estate.Misconfigure}} {
		t.Run(x.service, func(t *testing.T) {
			at := w.at(false)
			at.Service = x.service
			e := newPGEstate(t, at)
			e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_app", password: pgOld})
			for range 2 {
				r := e.run(t, "db0", estate.CheckConnections, "")
				if x.kind != "" {
					kindIs(t, r.Err, x.kind)
				} else if r.Err != nil {
					t.Error(r.Err)
				}
			}
		})
	}
	if n := w.Primary().FailedLogins(); n != 1 {
		t.Errorf("the server counts %d failed logins, want 1", n)
	}
}

// A name with several addresses: one that refuses does not hide one that answers.
func TestPostgresTriesEveryAddress(t *testing.T) {
	addresses, err := net.DefaultResolver.LookupHost(t.Context(), "localhost")
	if err != nil || len(addresses) == 0 {
		t.Fatalf("localhost does not resolve: %v", err)
	}
	w := newSimWorld(t, nil)
	w.setRole(t, pgRole{name: "wr_app", password: pgOld})
	at := w.at(false)
	at.Host = "localhost"
	e := newPGEstate(t, at)
	e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_app", password: pgOld})
	if l := e.login(t, "db0", estate.StageCurrent); l.Outcome != estate.LoginAccepted {
		t.Errorf("got %+v", l)
	}
}

// One estate of a dead, a silent and a working server: the scheduler's lanes keep
// them apart, and every probe reports within its timeout.
func TestOneDeadServerDelaysNoOther(t *testing.T) {
	w := newSimWorld(t, nil)
	w.setRole(t, pgRole{name: "wr_app", password: pgOld})
	good := w.at(false)
	good.Monitor = "watch"
	e := newPGEstate(t, hostile(t, silence), good, config.Postgres{Host: "127.0.0.1", Port: 1, SSLMode: "disable", Database: pgDatabase})
	e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_app", password: pgOld})
	var probes []Probe
	for _, p := range e.probes {
		p.Timeout = 500 * time.Millisecond
		probes = append(probes, p)
	}
	r := &recorder{}
	s := NewScheduler(probes, Options{Concurrency: 2, Post: r.post})
	began := time.Now()
	s.Once(t.Context())
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("one round took %s", took)
	}
	kinds := map[string]int{}
	for _, check := range []string{estate.CheckLogin, estate.CheckRole, estate.CheckConnections, estate.CheckReplication} {
		for _, o := range r.of(check) {
			what := "data"
			if o.Failure != nil {
				what = string(o.Failure.Kind)
			}
			kinds[string(o.Key.Component)+" "+what]++
		}
	}
	want := map[string]int{"db0 data": 2, "db0 no answer": 4, "db1 data": 6, "db2 data": 2, "db2 refused": 4}
	for k, n := range want {
		if kinds[k] != n {
			t.Errorf("%s: %d readings, want %d (all: %v)", k, kinds[k], n, kinds)
		}
	}
}
