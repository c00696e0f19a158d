package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"warroom/actions"
	"warroom/internal/archive"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/journal"
	"warroom/internal/runbook"
)

// engine is the engine of an estate's recovery procedures, with the connections
// that it acts through.
type engine struct {
	*actions.Engine
	act   *clients.Set
	scrub func(string) string
}

// aroundCalls and aroundLog stand between the engine and what it calls and records;
// nil outside of tests, which count and break calls with them.
var (
	aroundCalls clients.Permit
	aroundLog   func(actions.Log) actions.Log
)

// recoveryLog is the name of the plain-text log in an incident's folder.
const recoveryLog = "recovery.log"

// newEngine prepares the procedures of an estate. Nothing is connected to. read is
// what plans, probes and verifications look through; readings may be nil.
func newEngine(cfg *config.Config, read *clients.Set, d desk, readings func() *estate.Readings, run func(context.Context, string, func())) *engine {
	act := clients.NewActing(cfg)
	host, _ := os.Hostname() // only tells who holds a lock
	systems := actions.Systems{Config: cfg, Read: read, Act: act, Readings: readings, Holder: d.operator + "@" + host}
	scrub := func(text string) string { return act.Net().Scrub(read.Net().Scrub(text)) }
	return &engine{act: act, scrub: scrub, Engine: actions.New(actions.Options{
		Procedures: procedures(systems), Systems: systems, Environment: cfg.Environment, Drill: cfg.Drill,
		Operator: d.operator, Host: host, PID: os.Getpid(), Idle: cfg.Recovery.Idle, Signers: cfg.Recovery.Signers, SecondFor: cfg.Recovery.SecondFor,
		OwnKeys: d.ownKeys(),
		Scrub:   scrub, Go: run, Around: aroundCalls,
	})}
}

// ownKeys are the fingerprints of the desk's own signing key: it never counts as
// another person's. One that cannot be read says so when the incident is signed.
func (d desk) ownKeys() []string {
	if d.key == "" {
		return nil
	}
	signer, err := journal.LoadKey(d.key)
	if err != nil {
		return nil
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(signer.Public()))
	if err != nil {
		return nil
	}
	return []string{ssh.FingerprintSHA256(public)}
}

// end gives back what the engine holds. A run under way goes on until its step is
// settled.
func (r *engine) end() {
	r.Close()
	r.act.Close()
}

// lead has the engine record in an incident, which is open for writing.
func (r *engine) lead(s *archive.Session, store *archive.Store) error {
	folder, err := store.Folder(s.ID())
	if err != nil {
		return err
	}
	var log actions.Log = s
	if aroundLog != nil {
		log = aroundLog(log)
	}
	r.Attach(log, filepath.Join(folder, recoveryLog))
	return nil
}

// errNoIncident says that no open incident belongs to what is acted on.
var errNoIncident = errors.New("no incident is open")

// openIncident is the newest open incident of an environment or drill, taken up for
// writing. It is errNoIncident when there is none.
func openIncident(ctx context.Context, store *archive.Store, environment, drill, named string) (*archive.Session, error) {
	id := named
	if id == "" {
		listed, err := store.List(ctx)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(listed, func(l incident.Listed) bool {
			return !l.Started.IsZero() && l.Closed.IsZero() && l.Environment == environment && l.Drill == drill
		})
		if i < 0 {
			return nil, errNoIncident
		}
		id = listed[i].ID
	} else {
		found, err := store.Resolve(ctx, named)
		if err != nil {
			return nil, err
		}
		id = found
	}
	s, err := store.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	state := s.Case().State
	switch {
	case !state.IsDeclared():
		err = fmt.Errorf("incident %s holds no declaration: `warroom incident verify %s` tells what is wrong with it", id, id)
	case state.Declared.Environment != environment || state.Declared.Drill != drill:
		err = fmt.Errorf("incident %s is of environment %q, and the configuration describes %q", id, state.Declared.Environment, environment)
	case !state.Closed.IsZero():
		err = fmt.Errorf("incident %s is closed: reopen it in the console, or leave out --incident", id)
	case !s.Case().Writing:
		err = fmt.Errorf("incident %s cannot be written here (%s): act at the console that has it, or name another incident with --incident", id, cmp.Or(s.Case().Writer, s.Case().Trouble))
	}
	if err != nil {
		_ = s.Close() // nothing was written
		return nil, err
	}
	return s, nil
}

// declareFor opens an incident because something is to be changed and none is open.
func declareFor(ctx context.Context, store *archive.Store, rb *runbook.Runbook, environment, drill, operator, summary string, severity runbook.Severity) (*archive.Session, error) {
	declared, err := incident.Declare(operator, incident.Declared{
		Severity: severity, Summary: summary, Environment: environment, Drill: drill,
		Roles: map[incident.Role]string{incident.Commander: operator}, Runbook: rb.Name, Digest: rb.Digest,
	}, time.Now())
	if err != nil {
		return nil, err
	}
	return store.Create(ctx, declared, rb)
}
