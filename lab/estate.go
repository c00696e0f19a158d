package lab

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

// estateKey is the key of the peer that writes the estate config.
const estateKey = "estate"

// estateTemplate is the config, with {{names}} where addresses and files go.
//
//go:embed estate.yaml.tmpl
var estateTemplate string

// estate is a warroom.yaml that points at every other peer, with what it needs
// in the stores, and the environment for the command lines.
type estate struct {
	primary *postgresPrimary
	replica *postgresReplica
	pooler  *pgbouncer
	moto    *moto
	tls     *tlsServer
	tools   *tools
	vault   *vaults
	kube    *kubernetes
	systemd *userManager
	acme    *acme

	dir                 string
	config, environment string
}

func (*estate) Name() string                          { return "estate config" }
func (*estate) Key() string                           { return estateKey }
func (*estate) Missing(context.Context) []Requirement { return nil }
func (*estate) Stop() error                           { return nil }

func (e *estate) Start(ctx context.Context, s *Site) error {
	for _, p := range []Peer{e.primary, e.replica, e.pooler, e.moto, e.tls, e.tools, e.vault, e.kube, e.systemd, e.acme} {
		if p == Peer(e.systemd) && !s.Has(p.Name()) {
			continue // it cannot run here; the config leaves its units out
		}
		if err := s.Await(ctx, p.Name()); err != nil {
			return err
		}
	}
	e.dir = filepath.Join(s.Dir, "estate")
	if err := os.Mkdir(e.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the estate config: %w", err)
	}
	stored, err := e.seed(ctx)
	if err != nil {
		return err
	}
	e.config, e.environment = filepath.Join(e.dir, "warroom.yaml"), filepath.Join(e.dir, "env.sh")
	text, err := e.render(s, stored)
	if err != nil {
		return err
	}
	if err := os.WriteFile(e.config, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the estate config: %w", err)
	}
	return e.writeEnvironment(s)
}

// render fills in the config. Every value stands in quotes.
func (e *estate) render(s *Site, stored stored) (string, error) {
	t, err := template.New("estate").Funcs(template.FuncMap{"q": func(v any) string { return fmt.Sprintf("%q", fmt.Sprint(v)) }}).
		Option("missingkey=error").Parse(estateTemplate)
	if err != nil {
		return "", fmt.Errorf("read the template of the estate config: %w", err)
	}
	var out strings.Builder
	err = t.Execute(&out, map[string]any{
		"CA": s.CA.File, "Endpoint": e.moto.endpoint(), "Region": estateRegion,
		"AWSConfig": e.file("aws-config"), "AWSCredentials": e.file("aws-credentials"),
		"Vault": e.vault.active.address(), "VaultToken": e.vault.first.readerTokenFile,
		"VaultCopy": e.vault.copy.address(), "VaultCopyToken": e.vault.second.readerTokenFile,
		"Kubeconfig": e.kube.reader, "Context": kubeContext,
		"EdgePort": strconv.Itoa(e.tls.edge.port), "EdgeAddress": address(e.tls.edge.port), "OtherAddress": address(e.tls.other.port),
		"EdgeName": e.tls.edge.name, "OtherName": e.tls.other.name,
		"EdgeCertificate": e.tls.edge.certificate, "EdgeKey": e.tls.edge.key,
		"OtherCertificate": e.tls.other.certificate, "OtherKey": e.tls.other.key,
		"Primary": e.primary.port, "Replica": e.replica.port, "Pooler": e.pooler.port,
		"Key": stored.key, "Function": stored.function,
		"Systemd": s.Has(e.systemd.Name()), "GoodUnit": goodUnit, "FailedUnit": failedUnit, "Timer": goodTimer,
	})
	if err != nil {
		return "", fmt.Errorf("fill in the estate config: %w", err)
	}
	return out.String(), nil
}

func (e *estate) file(name string) string { return filepath.Join(e.dir, name) }

// writeEnvironment writes what a shell needs so that the command lines, and
// warroom, reach the same systems: env.sh, and the files that it names.
func (e *estate) writeEnvironment(s *Site) error {
	programs := e.file("bin")
	if err := os.Mkdir(programs, 0o700); err != nil {
		return fmt.Errorf("make a folder for the command lines: %w", err)
	}
	for name, path := range map[string]string{
		"vault": e.vault.program, "kubectl": e.kube.kubectl, "psql": e.tools.psql, "aws": e.tools.aws, "openssl": e.tools.openssl,
	} {
		if err := os.Symlink(path, filepath.Join(programs, name)); err != nil {
			return fmt.Errorf("link the command lines: %w", err)
		}
	}
	var services, passwords strings.Builder
	for _, one := range []struct {
		name     string
		port     int
		password string
	}{{"primary", e.primary.port, e.primary.superuserPassword}, {"replica", e.replica.port, e.primary.superuserPassword}, {"pooler", e.pooler.port, e.primary.superuserPassword}} {
		fmt.Fprintf(&services, "[%s]\nhost=127.0.0.1\nport=%d\nuser=%s\ndbname=postgres\nsslmode=verify-full\nsslrootcert=%s\n", one.name, one.port, superuser, s.CA.File)
		fmt.Fprintf(&passwords, "127.0.0.1:%d:*:%s:%s\n", one.port, superuser, one.password)
	}
	var env strings.Builder
	variables := [][2]string{
		{"WARROOM_LAB", filepath.Join(s.Dir, descriptionFile)},
		{"WARROOM_CONFIG", e.config},
		{"VAULT_ADDR", e.vault.active.address()},
		{"VAULT_CACERT", s.CA.File},
		{"KUBECONFIG", e.kube.admin},
		{"AWS_CONFIG_FILE", e.file("aws-config")},
		{"AWS_SHARED_CREDENTIALS_FILE", e.file("aws-credentials")},
		{"AWS_PROFILE", estateProfile},
		{"AWS_ENDPOINT_URL", e.moto.endpoint()},
		{"PGSERVICEFILE", e.file("pg_service.conf")},
		{"PGPASSFILE", e.file("pgpass")},
	}
	if s.Has(e.systemd.Name()) {
		variables = append(variables, [2]string{"DBUS_SESSION_BUS_ADDRESS", e.systemd.busAddress()})
	}
	for _, v := range variables {
		fmt.Fprintf(&env, "export %s=%s\n", v[0], shellQuote(v[1]))
	}
	fmt.Fprintf(&env, "export VAULT_TOKEN=\"$(cat %s)\"\n", shellQuote(e.vault.first.rootTokenFile))
	fmt.Fprintf(&env, "export PATH=%s:\"$PATH\"\n", shellQuote(programs))
	return errors.Join(
		writePrivate(e.file("pg_service.conf"), services.String()),
		writePrivate(e.file("pgpass"), passwords.String()),
		writePrivate(e.file("aws-config"), fmt.Sprintf("[profile %s]\nregion = %s\n", estateProfile, estateRegion)),
		writePrivate(e.file("aws-credentials"), fmt.Sprintf("[%s]\naws_access_key_id = lab\naws_secret_access_key = lab\n", estateProfile)),
		writePrivate(e.environment, env.String()),
	)
}

// shellQuote is text as one word of a POSIX shell.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func (e *estate) Describe(d *Description) { d.Config, d.Environment = e.config, e.environment }
