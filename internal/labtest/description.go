package labtest

// Description is what the lab says of its peers: docs/lab.md explains each key.
// What is not part of the run is nil or empty.
type Description struct {
	CAFile      string   `json:"ca_file"`
	Peers       []string `json:"peers"`
	Config      string   `json:"config"`
	Environment string   `json:"environment"`

	Primary  *Postgres `json:"postgres_primary"`
	Replica  *Postgres `json:"postgres_replica"`
	Moto     *Moto     `json:"moto"`
	TLS      *TLS      `json:"tls"`
	TLSOther *TLS      `json:"tls_other"`

	PgBouncer          *PgBouncer  `json:"pgbouncer"`
	Vault              *Vault      `json:"vault"`
	VaultSecondary     *Vault      `json:"vault_secondary"`
	VaultSealed        *Vault      `json:"vault_sealed"`
	VaultUninitialised *Vault      `json:"vault_uninitialised"`
	Kubernetes         *Kubernetes `json:"kubernetes"`
	ACME               *ACME       `json:"acme"`
	Systemd            *Systemd    `json:"systemd"`
	Toxiproxy          *Toxiproxy  `json:"toxiproxy"`

	PSQL     string `json:"psql"`
	AWS      string `json:"aws_cli"`
	OpenSSL  string `json:"openssl"`
	VaultCLI string `json:"vault_cli"`
	Kubectl  string `json:"kubectl"`
}

// Postgres is a PostgreSQL server: everything over TLS, but TrustUser, whom it
// lets in with any password.
type Postgres struct {
	Host              string `json:"host"`
	Port              int    `json:"port"`
	Superuser         string `json:"superuser"`
	SuperuserPassword string `json:"superuser_password"`
	CAFile            string `json:"ca_file"`
	TrustUser         string `json:"trust_user"`
}

// PgBouncer pools for the primary: every role of the primary logs in here too.
type PgBouncer struct {
	Host          string `json:"host"`
	Port          int    `json:"port"`
	CAFile        string `json:"ca_file"`
	AdminUser     string `json:"admin_user"` // of the database "pgbouncer"
	AdminPassword string `json:"admin_password"`
	AuthFile      string `json:"auth_file"` // read again on RELOAD
}

// Moto answers for every AWS service.
type Moto struct {
	Endpoint string `json:"endpoint"`
}

// TLS is one address and server name of nginx, and the files behind it.
type TLS struct {
	Address         string `json:"address"`
	ServerName      string `json:"server_name"`
	CertificateFile string `json:"certificate_file"`
	KeyFile         string `json:"key_file"`
	CAFile          string `json:"ca_file"`
	PIDFile         string `json:"pid_file"`   // SIGHUP has it read its files again
	HealthDir       string `json:"health_dir"` // /health/NAME answers with the file NAME
}

// Vault is a Vault cluster. Its ...File fields name files that hold one value
// each; a cluster that is sealed or not initialised has none.
type Vault struct {
	Address        string   `json:"address"`
	StandbyAddress string   `json:"standby_address"`
	CAFile         string   `json:"ca_file"`
	RootTokenFile  string   `json:"root_token_file"`
	ReadTokenFile  string   `json:"read_token_file"`
	UnsealKeyFile  string   `json:"unseal_key_file"`
	RoleIDFile     string   `json:"role_id_file"`
	SecretIDFile   string   `json:"secret_id_file"`
	AuditFile      string   `json:"audit_file"`
	Mount          string   `json:"mount"`   // of KV version 2
	Entries        int      `json:"entries"` // secrets in it
	StaticRole     string   `json:"static_role"`
	StuckRole      string   `json:"stuck_role"` // its rotation fails
	Missing        []string `json:"missing"`    // of the other cluster
	Behind         []string `json:"behind"`     // a version behind the other cluster
}

// Kubernetes is the control plane, with its workloads as namespace/kind/name and
// the rest as namespace/name.
type Kubernetes struct {
	Server               string `json:"server"`
	CAFile               string `json:"ca_file"`
	Kubeconfig           string `json:"kubeconfig"`
	ReadKubeconfig       string `json:"read_kubeconfig"`
	Context              string `json:"context"`
	Deployment           string `json:"deployment"`
	StatefulSet          string `json:"statefulset"` // OnDelete
	DaemonSet            string `json:"daemonset"`
	Stuck                string `json:"stuck"` // past its progress deadline
	Crashing             string `json:"crashing"`
	CronJob              string `json:"cronjob"`
	FailedCronJob        string `json:"failed_cronjob"`
	ExternalSecret       string `json:"external_secret"`
	FailedExternalSecret string `json:"failed_external_secret"`
}

// ACME is the ACME server.
type ACME struct {
	Directory  string `json:"directory"`
	Management string `json:"management"`
	CAFile     string `json:"ca_file"`
	IssuerFile string `json:"issuer_file"`
}

// Systemd is the user manager and its units.
type Systemd struct {
	BusAddress  string `json:"bus_address"` // DBUS_SESSION_BUS_ADDRESS
	RuntimeDir  string `json:"runtime_dir"` // XDG_RUNTIME_DIR
	UnitDir     string `json:"unit_dir"`
	GoodUnit    string `json:"good_unit"`
	FailedUnit  string `json:"failed_unit"`
	Timer       string `json:"timer"`
	FailedTimer string `json:"failed_timer"`
}

// Toxiproxy puts faults in front of any server.
type Toxiproxy struct {
	API string `json:"api"`
}
