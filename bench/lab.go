//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// labVariable holds the path of the description of running real servers.
const labVariable = "WARROOM_LAB"

// labDescription is what is used of the lab's description.
type labDescription struct {
	Primary    pgServer `json:"postgres_primary"`
	Replica    pgServer `json:"postgres_replica"`
	Kubernetes struct {
		Kubeconfig string `json:"kubeconfig"`
	} `json:"kubernetes"`
	Moto struct {
		Endpoint string `json:"endpoint"`
	} `json:"moto"`
	TLS struct {
		Address         string `json:"address"`
		ServerName      string `json:"server_name"`
		CertificateFile string `json:"certificate_file"`
		CAFile          string `json:"ca_file"`
	} `json:"tls"`
	Vault struct {
		Address       string `json:"address"`
		CAFile        string `json:"ca_file"`
		ReadTokenFile string `json:"read_token_file"`
	} `json:"vault"`
	Toxiproxy struct {
		API string `json:"api"`
	} `json:"toxiproxy"`
	PSQL     string `json:"psql"`
	AWS      string `json:"aws_cli"`
	OpenSSL  string `json:"openssl"`
	VaultCLI string `json:"vault_cli"`
	Kubectl  string `json:"kubectl"`
}

// pgServer is a PostgreSQL server of the lab.
type pgServer struct {
	Host              string `json:"host"`
	Port              int    `json:"port"`
	Superuser         string `json:"superuser"`
	SuperuserPassword string `json:"superuser_password"`
	CAFile            string `json:"ca_file"`
}

// errNoLab says that what needs real servers cannot be measured.
var errNoLab = errors.New(labVariable + " is not set: run make bench, which starts the lab")

func readLab() (*labDescription, error) {
	path := os.Getenv(labVariable)
	if path == "" {
		return nil, errNoLab
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the lab's description: %w", err)
	}
	d := &labDescription{}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("read the lab's description %s: %w", path, err)
	}
	return d, nil
}
