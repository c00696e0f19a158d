package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// acme is an ACME server, Pebble: certificates as a public authority issues
// them, with renewal information. It takes every challenge as solved, because
// nothing here answers for the names.
type acme struct {
	directory, management string
	ca, issuer            string
	process               *process
}

func (*acme) Name() string { return "acme" }
func (*acme) Key() string  { return "acme" }

func (*acme) Missing(ctx context.Context) []Requirement { return buildPebble.requirement(ctx) }

func (a *acme) Start(ctx context.Context, s *Site) error {
	dir := filepath.Join(s.Dir, "acme")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make the ACME server's folder: %w", err)
	}
	var ports [4]int
	var err error
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return err
		}
	}
	certificate, key := filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	if err := s.CA.Issue(localLeaf(), certificate, key); err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": address(ports[0]), "managementListenAddress": address(ports[1]),
		"certificate": certificate, "privateKey": key,
		"httpPort": ports[2], "tlsPort": ports[3], // of challenges, which nobody listens for
		"externalAccountBindingRequired": false,
	}})
	if err != nil {
		return fmt.Errorf("write the ACME server's config: %w", err)
	}
	conf := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(conf, text, 0o600); err != nil {
		return fmt.Errorf("write the ACME server's config: %w", err)
	}
	program, err := buildPebble.program(ctx, "pebble")
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "-config", conf, "-strict=false")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PEBBLE_VA_ALWAYS_VALID=1", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	if a.process, err = launch(cmd, nil, filepath.Join(s.Dir, "acme.log"), syscall.SIGKILL); err != nil {
		return err
	}
	a.directory, a.management, a.ca = "https://"+address(ports[0])+"/dir", "https://"+address(ports[1]), s.CA.File
	directory, management := newREST(a.directory, s.CA), newREST(a.management, s.CA)
	defer directory.close()
	defer management.close()
	return poll(ctx, a.process, func(ctx context.Context) error {
		if err := directory.call(ctx, http.MethodGet, "", nil, nil); err != nil {
			return err
		}
		status, root, err := management.send(ctx, http.MethodGet, "/roots/0", "", nil)
		if err == nil && status != http.StatusOK {
			err = errors.New("it does not give its root certificate")
		}
		if err != nil {
			return err
		}
		a.issuer = filepath.Join(dir, "issuer.pem")
		return os.WriteFile(a.issuer, root, 0o600)
	})
}

func (a *acme) Describe(d *Description) {
	d.ACME = &ACMEURL{Directory: a.directory, Management: a.management, CAFile: a.ca, IssuerFile: a.issuer}
}

func (a *acme) Stop() error { return a.process.stop() }
