//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// timesFaster is how many times faster than the guide's way the recovery has to be.
const timesFaster = 20

// recovered rotates 100 database secrets and restarts the 89 services that use them,
// and compares that with the guide's way, one after the other. What it counts is
// counted at the servers, not told by the program.
func (b *bench) recovered(ctx context.Context) (table []figure, err error) {
	lab, err := readLab()
	if err != nil {
		return nil, err
	}
	if lab.Kubernetes.Kubeconfig == "" || lab.Kubectl == "" || lab.Replica.Host == "" {
		return nil, errors.New("the recovery needs the lab's postgres, kubernetes and tools: run make bench")
	}
	progress("preparing %d secrets and %d services of %d replicas", manySecrets, manyServices, replicas)
	w, err := newRecoveryWorld(ctx, lab, filepath.Join(b.dir, "recover"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	progress("timing the guide's way on %d secrets and %d services", sample, sample)
	// Before and after, so that what else this machine does then falls on both sides.
	// What was quicker counts.
	secret, service, err := w.guide(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := startWatcher(ctx, w.api, w.space)
	if err != nil {
		return nil, err
	}
	defer seen.stop()
	progress("rotating %d secrets and restarting %d services", manySecrets, manyServices)
	began := time.Now()
	var took []time.Duration
	for _, act := range [][]string{{"rotate-database", family}, {"restart", family}} {
		one, err := w.act(ctx, b.binary, act...)
		if err != nil {
			return nil, err
		}
		took = append(took, one)
	}
	all := time.Since(began)
	use, err := storeUsed(ctx, w.store, began)
	if err != nil {
		return nil, err
	}
	again, againService, err := w.guide(ctx)
	if err != nil {
		return nil, err
	}
	secret, service = min(secret, again), min(service, againService)
	guide := secret*manySecrets + service*manyServices
	table = append(table, figure{
		name: fmt.Sprintf("%d secrets and %d services, share of the guide's time", manySecrets, manyServices), measured: 100 * all.Seconds() / guide.Seconds(), bar: 100.0 / timesFaster, unit: "%",
		note: fmt.Sprintf("warroom %.1f s (rotations %.1f, restarts %.1f), the guide's way %.0f s (%.2f a secret, %.2f a service, timed on %d of each): %.0f times faster; pods ready after %s, no soak on either side",
			all.Seconds(), took[0].Seconds(), took[1].Seconds(), guide.Seconds(), secret.Seconds(), service.Seconds(), sample, guide.Seconds()/all.Seconds(), startUp),
	})
	table = append(table, quotas(use)...)
	checked, err := w.check(ctx, seen)
	return append(table, checked...), err
}

// act has the program make one plan and carry it out, and returns how long the whole
// process took.
func (w *recoveryWorld) act(ctx context.Context, binary string, what ...string) (time.Duration, error) {
	args := append([]string{"act", "--config", w.file, "--confirm", what[len(what)-1]}, what...)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = w.env()
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	if kept := os.Getenv("BENCH_OUTPUT"); kept != "" {
		err = errors.Join(err, os.WriteFile(filepath.Join(kept, what[0]+".txt"), out.Bytes(), 0o600))
	}
	if err != nil {
		text := out.String()
		return took, fmt.Errorf("warroom %s: %w: %s\n…%s", strings.Join(args, " "), err, complaint.String(), text[max(0, len(text)-4000):])
	}
	return took, nil
}

// quotas are the figures of the store: what was refused, and the group of operations
// that came nearest to what AWS allows.
func quotas(use storeUse) []figure {
	nearest := quotaUse{Rate: 1}
	calls := 0
	for _, g := range use.Groups {
		calls += g.Calls
		if float64(g.Peak)/g.Rate >= float64(nearest.Peak)/nearest.Rate {
			nearest = g
		}
	}
	var names []string
	for _, operation := range nearest.Operations {
		names = append(names, strings.TrimPrefix(operation, "secretsmanager:"))
	}
	return []figure{
		{name: "  calls refused for a quota of Secrets Manager", measured: float64(use.Throttled), bar: 0, note: fmt.Sprintf("of %d", calls)},
		{name: "  most within a second, share of the quota nearest its end", measured: 100 * float64(nearest.Peak) / nearest.Rate, bar: 100, unit: "%",
			note: fmt.Sprintf("%s: %d of %.0f", strings.Join(names, ", "), nearest.Peak, nearest.Rate)},
	}
}

// check looks at the servers whether everything is as it should be.
func (w *recoveryWorld) check(ctx context.Context, seen *watcher) ([]figure, error) {
	values, err := w.values(ctx)
	if err != nil {
		return nil, err
	}
	wrong, err := w.logins(ctx, values)
	if err != nil {
		return nil, err
	}
	// The last pods to go may still be going.
	young := 0
	for end := time.Now().Add(20 * time.Second); ; {
		seen.mu.Lock()
		young = seen.onNew(w.uses)
		seen.mu.Unlock()
		if young == manyServices || time.Now().After(end) {
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err := seen.end(); err != nil {
		return nil, err
	}
	behind := 0
	for i := range manySecrets {
		if seen.secrets[copyName(i)].digest != sha256.Sum256([]byte(values[secretName(i)])) {
			behind++
		}
	}
	beyond, away := seen.beyond()
	return []figure{
		{name: "  logins that are not as they should be", measured: float64(wrong), bar: 0, note: fmt.Sprintf("of %d: the current password is let in by primary and replica, the one before by neither", 4*manySecrets)},
		{name: "  services not on the new values", measured: float64(manyServices - young), bar: 0, note: fmt.Sprintf("of %d: every pod was made after its Secrets held what is current; %d copies of %d differ", manyServices, behind, manySecrets)},
		{name: "  copies that differ from what is current", measured: float64(behind), bar: 0, note: fmt.Sprintf("of %d", manySecrets)},
		{name: "  replicas away beyond what a rollout allows", measured: float64(max(0, beyond)), bar: 0, note: fmt.Sprintf("at most %d of %d were away; half of the services allow 1, the others none", away, replicas)},
	}, nil
}

// values are the current passwords.
func (w *recoveryWorld) values(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	for i := range manySecrets {
		v, err := w.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(secretName(i))})
		if err != nil {
			return nil, err
		}
		var secret struct{ Username, Password string }
		if err := json.Unmarshal([]byte(aws.ToString(v.SecretString)), &secret); err != nil {
			return nil, fmt.Errorf("%s holds no user and password", secretName(i))
		}
		if secret.Username != roleName(i) || secret.Password == w.old[secretName(i)] {
			return nil, fmt.Errorf("%s was not rotated", secretName(i))
		}
		out[secretName(i)] = secret.Password
	}
	return out, nil
}

// logins is how many logins do not come out as they should: the current passwords are
// let in, those of before are not.
func (w *recoveryWorld) logins(ctx context.Context, values map[string]string) (wrong int, err error) {
	var mu sync.Mutex
	var errs []error
	turns := make(chan struct{}, 4)
	var all sync.WaitGroup
	for i := range manySecrets {
		for _, s := range []pgServer{w.lab.Primary, w.lab.Replica} {
			for _, current := range []bool{true, false} {
				turns <- struct{}{}
				all.Go(func() {
					defer func() { <-turns }()
					password := w.old[secretName(i)]
					if current {
						password = values[secretName(i)]
					}
					in, err := letIn(ctx, dsn(s.Host, s.Port, s.CAFile, roleName(i), password))
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						errs = append(errs, fmt.Errorf("log in as %s: %w", roleName(i), err))
					} else if in != current {
						wrong++
					}
				})
			}
		}
	}
	all.Wait()
	return wrong, errors.Join(errs...)
}

// letIn reports whether a server takes a password; an error when it does not say.
func letIn(ctx context.Context, dsn string) (bool, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if said := (*pgconn.PgError)(nil); errors.As(err, &said) && said.Code == "28P01" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, conn.Close(ctx)
}
