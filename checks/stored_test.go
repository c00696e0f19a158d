package checks

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// With the secret store dead from the start, nothing behind it is asked, and
// nothing behind it is said to have failed.
func TestADeadStoreIsNotTheTargetsFailure(t *testing.T) {
	newFakeAWS(t).Close()             // for its credentials
	const dead = "http://127.0.0.1:1" // nobody listens there
	url, asked := serve(t, func(http.ResponseWriter, *http.Request) {})
	w := newSimWorld(t, nil)
	pg := w.at(false)
	pg.Secret = "prod/db/postgres"
	cfg := awsConfig(dead)
	cfg.Drill = "a test" // nothing is kept on this machine
	cfg.Components = append(cfg.Components,
		config.Component{ID: "pg", Postgres: &pg},
		config.Component{ID: "api", ExternalAPI: &config.ExternalAPI{URL: url, Secret: "prod/db/postgres", Field: "api_key", Header: "Authorization", Scheme: "Bearer"}},
		config.Component{ID: "gate", Gateway: &config.Gateway{URL: url, Token: &config.Field{Secret: "prod/db/postgres"}}},
	)
	n := 0
	for _, p := range Probes(cfg, newSet(t, cfg)) {
		switch {
		case p.Key.Component == "pg", p.Key.Component == "api", p.Key.Component == "gate" && p.Key.Item == estate.ItemWithToken:
			n++
			f := kindIs(t, read(t, p).Err, estate.NoCredential)
			if f.Kind.Status() != estate.Unknown || !strings.Contains(f.Detail, "refused") || !strings.Contains(f.Next, "secret store") || f.Doing == "" {
				t.Errorf("%v: %v", p.Key, f)
			}
		}
	}
	if n != 8 {
		t.Errorf("%d probes of what is behind the store, want 8", n)
	}
	if asked.Load() != 0 || w.Primary().FailedLogins() != 0 {
		t.Errorf("%d requests and %d failed logins were made without a credential", asked.Load(), w.Primary().FailedLogins())
	}
}

func TestARememberedCredentialIsMarked(t *testing.T) {
	at := testNow.Add(-time.Hour)
	w := newSimWorld(t, nil)
	w.setRole(t, pgRole{name: "wr_app", password: pgNew})
	e := newPGEstate(t, w.at(false))
	e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_app", password: pgNew, remembered: at})
	if l := e.login(t, "db0", estate.StageCurrent); l.Outcome != estate.LoginAccepted || !l.Remembered.Equal(at) {
		t.Errorf("got %+v", l)
	}
	url, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) })
	s := &store{value: httpCanary, version: "v1", remembered: at}
	api := only(t, probesOf(config.Component{ExternalAPI: &config.ExternalAPI{URL: url, Secret: "s", Field: "f", Header: "X-Key"}}, s.read, (&clock{testNow}).now), estate.CheckAPI, "")
	for range 2 { // made, then held
		if got, _ := run(t, api).Data.(estate.APIProbe); !got.Remembered.Equal(at) || got.Code != 401 {
			t.Errorf("got %+v", got)
		}
	}
	gate := only(t, gatewayProbes(url, s, func(g *config.Gateway) { g.Token = &config.Field{Secret: "s"} }), estate.CheckProbe, estate.ItemWithToken)
	if got, _ := run(t, gate).Data.(estate.GatewayProbe); !got.Remembered.Equal(at) || !got.WithToken {
		t.Errorf("got %+v", got)
	}
	// The store answers again: the same held refusal is of a credential just read.
	s.remembered = time.Time{}
	if got, _ := run(t, api).Data.(estate.APIProbe); !got.Remembered.IsZero() || got.Code != 401 {
		t.Errorf("got %+v", got)
	}
}

// Three labels at two servers and the monitoring logins are one read each.
func TestProbesShareWhatTheyRead(t *testing.T) {
	aws := newFakeAWS(t)
	aws.on("GetSecretValue", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"Name":"db","VersionId":"v1","SecretString":"{\"username\":\"wr_app\",\"password\":\"%s\"}"}`, pgNew)
	})
	w := newSimWorld(t, nil)
	w.setRole(t, pgRole{name: "wr_app", password: pgNew, monitor: true})
	cfg := awsConfig(aws.URL)
	cfg.Drill = "a test"
	cfg.Checks.LoginEvery = 30 * time.Second
	for i, replica := range []bool{false, true, false} {
		pg := w.at(replica)
		pg.Secret = "prod/db/postgres"
		cfg.Components = append(cfg.Components, config.Component{ID: fmt.Sprintf("pg%d", i), Postgres: &pg})
	}
	var seen recorder
	var probes []Probe
	for _, p := range Probes(cfg, newSet(t, cfg)) {
		if strings.HasPrefix(string(p.Key.Component), "pg") {
			probes = append(probes, p)
		}
	}
	NewScheduler(probes, Options{Concurrency: 8, Post: seen.post}).Once(t.Context())
	for _, o := range seen.all {
		if o.Failure != nil {
			t.Errorf("%v: %v", o.Key, o.Failure)
		}
		noCanary(t, fmt.Sprintf("%+v", o))
	}
	if n := aws.called("GetSecretValue"); n != 3 {
		t.Errorf("%d reads of 3 labels for %d probes", n, len(probes))
	}
}
