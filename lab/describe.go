package lab

import (
	"encoding/json"
	"fmt"
	"os"
)

// Variable is the environment variable that holds the path of the description.
const Variable = "WARROOM_LAB"

// Description says how to reach the peers. It is the JSON that tests read; it
// holds passwords of servers that live as long as the lab.
type Description struct {
	CAFile   string       `json:"ca_file"`
	Primary  *PostgresURL `json:"postgres_primary,omitempty"`
	Replica  *PostgresURL `json:"postgres_replica,omitempty"`
	Moto     *MotoURL     `json:"moto,omitempty"`
	TLS      *TLSURL      `json:"tls,omitempty"`
	TLSOther *TLSURL      `json:"tls_other,omitempty"`
	PSQL     string       `json:"psql,omitempty"`    // path of the program
	AWS      string       `json:"aws_cli,omitempty"` // path of the program
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
