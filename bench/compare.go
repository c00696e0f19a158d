//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/jackc/pgx/v5"
)

// checkRuns is of how many runs of warroom check, on each side of the tools, the
// median is taken.
const checkRuns = 7

// compared measures one whole warroom check against the guide's detection
// commands, run by their own tools on the same servers: how many times faster it
// has to be for so many secrets.
func (b *bench) compared(ctx context.Context, secrets int, times float64) ([]figure, error) {
	lab, err := readLab()
	if err != nil {
		return nil, err
	}
	c := &comparison{lab: lab, secrets: secrets, dir: filepath.Join(b.dir, "compare-"+strconv.Itoa(secrets))}
	progress("comparing warroom check with aws, vault, psql and openssl on %d secret(s)", secrets)
	if err := c.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare the comparison on %d secret(s): %w", secrets, err)
	}
	// Before and after the tools, so that what else this machine does then falls on
	// both sides.
	before, err := c.warroom(ctx, b.binary)
	if err != nil {
		return nil, fmt.Errorf("check %d secret(s): %w", secrets, err)
	}
	tools, err := c.tools(ctx)
	if err != nil {
		return nil, fmt.Errorf("run the guide's commands on %d secret(s): %w", secrets, err)
	}
	after, err := c.warroom(ctx, b.binary)
	if err != nil {
		return nil, fmt.Errorf("check %d secret(s): %w", secrets, err)
	}
	ours := slices.Concat(before, after)
	median := quantile(ours, 0.5)
	return []figure{{
		name: fmt.Sprintf("one check of %d secret(s), share of the tools' time", secrets), measured: 100 * median / tools.Seconds(), bar: 100 / times, unit: "%",
		note: fmt.Sprintf("warroom %s ms (%s to %s), the tools %.2f s: %.0f times faster, whole processes", number(1000*median), number(1000*slices.Min(ours)), number(1000*slices.Max(ours)), tools.Seconds(), tools.Seconds()/median),
	}}, nil
}

// comparison is one estate on the lab's servers.
type comparison struct {
	lab     *labDescription
	secrets int
	dir     string
	file    string // its warroom.yaml
}

func (c *comparison) name(i int) string { return fmt.Sprintf("bench-%d/db/%03d", c.secrets, i) }
func (c *comparison) role(i int) string { return fmt.Sprintf("bench_%d_%03d", c.secrets, i) }

// password holds only what any shell and connection string takes as it is.
func (c *comparison) password(i int) string {
	return fmt.Sprintf("bench-password-%d-%03d", c.secrets, i)
}

// env is what both sides are told of where AWS and Vault are.
func (c *comparison) env() []string {
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		return strings.HasPrefix(pair, "AWS_") || strings.HasPrefix(pair, "VAULT_") || strings.HasPrefix(pair, "PG")
	})
	return append(env,
		"AWS_ENDPOINT_URL="+c.lab.Moto.Endpoint, "AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench", "AWS_DEFAULT_REGION=us-west-2", "AWS_REGION=us-west-2",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"VAULT_ADDR="+c.lab.Vault.Address, "VAULT_CACERT="+c.lab.Vault.CAFile, "XDG_STATE_HOME="+c.dir)
}

// prepare puts the secrets into the store, makes the roles that they unlock, and
// writes the configuration.
func (c *comparison) prepare(ctx context.Context) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	store := secretsmanager.New(secretsmanager.Options{
		Region: "us-west-2", BaseEndpoint: aws.String(c.lab.Moto.Endpoint), Credentials: credentials.NewStaticCredentialsProvider("bench", "bench", ""),
	})
	p := c.lab.Primary
	db, err := pgx.Connect(ctx, fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=postgres sslmode=verify-full sslrootcert=%s", p.Host, p.Port, p.Superuser, p.SuperuserPassword, p.CAFile))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close(ctx) }()
	var y strings.Builder
	fmt.Fprintf(&y, "version: 1\nenvironment: bench\naws: [{name: main, region: us-west-2}]\nvaults: [{name: main, token_file: %q}]\ncomponents:\n", c.lab.Vault.ReadTokenFile)
	y.WriteString("  - {id: vault, name: Vault, plane: state, vault: {cluster: main}}\n")
	fmt.Fprintf(&y, "  - {id: lb, name: LB, plane: edge, balancer: {ca_cert: %q, endpoints: [{address: %q, server_name: %q, certificate: %q}]}}\n", c.lab.TLS.CAFile, c.lab.TLS.Address, c.lab.TLS.ServerName, c.lab.TLS.CertificateFile)
	y.WriteString("  - id: sm\n    name: SM\n    plane: service\n    secrets_manager:\n      account: main\n      secrets:\n")
	// add creates a role and stores its password.
	add := func(role, name, password, grant string) error {
		for _, sql := range []string{"DROP ROLE IF EXISTS " + role, "CREATE ROLE " + role + " LOGIN PASSWORD '" + password + "'" + grant} {
			if _, err := db.Exec(ctx, sql); err != nil {
				return err
			}
		}
		value := fmt.Sprintf(`{"username":%q,"password":%q}`, role, password)
		fmt.Fprintf(&y, "        - {id: %s}\n", name)
		_, err := store.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String(name), SecretString: aws.String(value)})
		if exists := (*types.ResourceExistsException)(nil); errors.As(err, &exists) {
			return nil // from an earlier run beside the same servers, with the same value
		}
		return err
	}
	monitor := fmt.Sprintf("bench-%d/monitor", c.secrets)
	if err := add(fmt.Sprintf("bench_%d_monitor", c.secrets), monitor, "bench-monitor", " IN ROLE pg_monitor"); err != nil {
		return err
	}
	var targets strings.Builder
	for i := range c.secrets {
		if err := add(c.role(i), c.name(i), c.password(i), ""); err != nil {
			return err
		}
		fmt.Fprintf(&targets, "  - {id: db-%03d, name: DB %03d, plane: state, postgres: {host: %q, port: %d, ca_cert: %q, secret: %s, monitor: %s}}\n", i, i, p.Host, p.Port, p.CAFile, c.name(i), monitor)
	}
	c.file = filepath.Join(c.dir, "warroom.yaml")
	return os.WriteFile(c.file, []byte(y.String()+targets.String()), 0o600)
}

// tools runs the guide's detection commands one after the other and returns how
// long they took, the time of the programs alone.
func (c *comparison) tools(ctx context.Context) (all time.Duration, err error) {
	token, err := os.ReadFile(c.lab.Vault.ReadTokenFile)
	if err != nil {
		return 0, err
	}
	env := append(c.env(), "VAULT_TOKEN="+strings.TrimSpace(string(token)))
	run := func(extra []string, name string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Env = append(slices.Clone(env), extra...)
		var out, complaint bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &complaint
		began := time.Now()
		err := cmd.Run()
		all += time.Since(began)
		if err != nil {
			return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, complaint.String())
		}
		return strings.TrimSpace(out.String()), nil
	}
	for _, command := range [][]string{{"status"}, {"auth", "list"}, {"secrets", "list"}} {
		if _, err := run(nil, c.lab.VaultCLI, command...); err != nil {
			return 0, err
		}
	}
	if _, err := run(nil, c.lab.OpenSSL, "x509", "-in", c.lab.TLS.CertificateFile, "-noout", "-dates"); err != nil {
		return 0, err
	}
	p := c.lab.Primary
	for i := range c.secrets {
		if _, err := run(nil, c.lab.AWS, "secretsmanager", "describe-secret", "--secret-id", c.name(i), "--query", "RotationEnabled"); err != nil {
			return 0, err
		}
		if _, err := run(nil, c.lab.AWS, "secretsmanager", "get-secret-value", "--secret-id", c.name(i), "--version-stage", "AWSCURRENT"); err != nil {
			return 0, err
		}
		value, err := run(nil, c.lab.AWS, "secretsmanager", "get-secret-value", "--secret-id", c.name(i), "--query", "SecretString", "--output", "text")
		if err != nil {
			return 0, err
		}
		var secret struct{ Username, Password string }
		if err := json.Unmarshal([]byte(value), &secret); err != nil {
			return 0, err
		}
		dsn := fmt.Sprintf("host=%s port=%d user=%s dbname=postgres sslmode=verify-full sslrootcert=%s", p.Host, p.Port, secret.Username, p.CAFile)
		if out, err := run([]string{"PGPASSWORD=" + secret.Password}, c.lab.PSQL, "-X", "-At", "-c", "SELECT 1;", dsn); err != nil || out != "1" {
			return 0, fmt.Errorf("psql said %q: %w", out, err)
		}
	}
	return all, nil
}

// warroom runs whole checks and returns how long each took, in seconds. Each must
// have read what the tools read.
func (c *comparison) warroom(ctx context.Context, binary string) ([]float64, error) {
	var took []float64
	for range checkRuns {
		cmd := exec.CommandContext(ctx, binary, "check", "--json", "--config", c.file)
		cmd.Env = c.env()
		began := time.Now()
		out, err := cmd.Output()
		took = append(took, time.Since(began).Seconds())
		if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 3) {
			return nil, err
		}
		if err := c.judge(out); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// judge refuses a check that was quick because it did not read.
func (c *comparison) judge(document []byte) error {
	var d struct {
		Components []struct {
			ID, Status, Word, Reason string
			Facts                    []struct{ Name, Value, Status string }
		}
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return err
	}
	read := 0
	for _, one := range d.Components {
		for _, f := range one.Facts {
			switch {
			case strings.HasPrefix(one.ID, "db-") && f.Name == "Password" && f.Status == "ok",
				one.ID == "vault" && f.Name == "Seal status" && f.Value == "UNSEALED",
				one.ID == "lb" && f.Name == "Next expiry" && f.Value != "?":
				read++
			}
		}
	}
	if want := c.secrets + 2; read != want {
		return fmt.Errorf("the check read %d of %d things: %s", read, want, document[:min(len(document), 2000)])
	}
	return nil
}
