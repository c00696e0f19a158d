package lab

import (
	"encoding/json"
	"fmt"
	"os"
)

// Variable is the environment variable that holds the path of the description.
const Variable = "WARROOM_LAB"

// descriptionFile is its name in the lab's folder.
const descriptionFile = "lab.json"

// Description says how to reach the peers. It is the JSON that tests read; it
// holds passwords of servers that live as long as the lab.
type Description struct {
	CAFile string `json:"ca_file"`
	// Peers are the keys of the peers of this run: what is not among them was left
	// out by "-only", and is no mistake.
	Peers []string `json:"peers"`
	// Config is a warroom.yaml for all of it, and Environment what a shell needs for
	// the command lines; both only where every peer is part of the run.
	Config      string `json:"config,omitempty"`
	Environment string `json:"environment,omitempty"`

	Primary  *PostgresURL `json:"postgres_primary,omitempty"`
	Replica  *PostgresURL `json:"postgres_replica,omitempty"`
	Moto     *MotoURL     `json:"moto,omitempty"`
	TLS      *TLSURL      `json:"tls,omitempty"`
	TLSOther *TLSURL      `json:"tls_other,omitempty"`

	PgBouncer          *PgBouncerURL  `json:"pgbouncer,omitempty"`
	Vault              *VaultURL      `json:"vault,omitempty"`
	VaultSecondary     *VaultURL      `json:"vault_secondary,omitempty"`
	VaultSealed        *VaultURL      `json:"vault_sealed,omitempty"`
	VaultUninitialised *VaultURL      `json:"vault_uninitialised,omitempty"`
	Kubernetes         *KubernetesURL `json:"kubernetes,omitempty"`
	ACME               *ACMEURL       `json:"acme,omitempty"`
	Systemd            *SystemdURL    `json:"systemd,omitempty"`
	Toxiproxy          *ToxiproxyURL  `json:"toxiproxy,omitempty"`

	// Paths of the programs with which people reach the same systems.
	PSQL     string `json:"psql,omitempty"`
	AWS      string `json:"aws_cli,omitempty"`
	OpenSSL  string `json:"openssl,omitempty"`
	VaultCLI string `json:"vault_cli,omitempty"`
	Kubectl  string `json:"kubectl,omitempty"`
}

// PostgresURL is how to reach a PostgreSQL server.
type PostgresURL struct {
	Host              string `json:"host"`
	Port              int    `json:"port"`
	Superuser         string `json:"superuser"`
	SuperuserPassword string `json:"superuser_password"`
	CAFile            string `json:"ca_file"`
	// TrustUser is a role that pg_hba.conf lets in with any password.
	TrustUser string `json:"trust_user"`
}

// MotoURL is how to reach moto: one endpoint for every AWS service.
type MotoURL struct {
	Endpoint string `json:"endpoint"`
}

// TLSURL is one address and server name of the TLS server, and the files of the
// certificate served there.
type TLSURL struct {
	Address         string `json:"address"`
	ServerName      string `json:"server_name"`
	CertificateFile string `json:"certificate_file"`
	KeyFile         string `json:"key_file"`
	CAFile          string `json:"ca_file"`
	// HealthDir is a folder of files; /health/NAME answers with the file NAME. Only
	// the first address has one.
	HealthDir string `json:"health_dir,omitempty"`
	// PIDFile names the process that reads its certificates anew on SIGHUP.
	PIDFile string `json:"pid_file"`
}

func (d Description) write(path string) error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("write the lab's description: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the lab's description: %w", err)
	}
	return nil
}
