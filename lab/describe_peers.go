package lab

// PgBouncerURL is how to reach the pooler in front of the primary. Whoever logs
// in on the primary logs in here, with the same password and database.
type PgBouncerURL struct {
	Host   string `json:"host"`
	Port   int    `json:"port"`
	CAFile string `json:"ca_file"`
	// The admin console is the database "pgbouncer", for this role alone.
	AdminUser     string `json:"admin_user"`
	AdminPassword string `json:"admin_password"`
	// AuthFile is its userlist.txt; it is read again on RELOAD.
	AuthFile string `json:"auth_file"`
}

// VaultURL is how to reach a Vault cluster. What is not part of it is left out:
// one that is sealed or not initialised has no tokens.
type VaultURL struct {
	Address        string `json:"address"`
	StandbyAddress string `json:"standby_address,omitempty"`
	CAFile         string `json:"ca_file"`
	// Files that hold one value each, and no newline.
	RootTokenFile string `json:"root_token_file,omitempty"`
	ReadTokenFile string `json:"read_token_file,omitempty"`
	UnsealKeyFile string `json:"unseal_key_file,omitempty"`
	RoleIDFile    string `json:"role_id_file,omitempty"`
	SecretIDFile  string `json:"secret_id_file,omitempty"`
	AuditFile     string `json:"audit_file,omitempty"`
	// Mount is the KV version 2 engine, Entries how many secrets it holds.
	Mount   string `json:"mount,omitempty"`
	Entries int    `json:"entries,omitempty"`
	// Static roles of the engine at "database": one that rotates, and one whose
	// rotation fails.
	StaticRole string `json:"static_role,omitempty"`
	StuckRole  string `json:"stuck_role,omitempty"`
	// What this copy lacks of the other cluster, and where it is a version behind.
	Missing []string `json:"missing,omitempty"`
	Behind  []string `json:"behind,omitempty"`
}

// KubernetesURL is how to reach the control plane.
type KubernetesURL struct {
	Server         string `json:"server"`
	CAFile         string `json:"ca_file"`
	Kubeconfig     string `json:"kubeconfig"`      // may do everything
	ReadKubeconfig string `json:"read_kubeconfig"` // has the read role of docs/permissions.md
	Context        string `json:"context"`         // the one context of both files
	// Workloads as namespace/kind/name, and CronJobs as namespace/name.
	Deployment  string `json:"deployment"`
	StatefulSet string `json:"statefulset"` // OnDelete
	DaemonSet   string `json:"daemonset"`
	Stuck       string `json:"stuck"`    // past its progress deadline
	Crashing    string `json:"crashing"` // its containers restart again and again
	CronJob     string `json:"cronjob"`
	FailedJob   string `json:"failed_cronjob"`
	// ExternalSecrets as namespace/name: one that is synced, one that is not.
	ExternalSecret       string `json:"external_secret"`
	FailedExternalSecret string `json:"failed_external_secret"`
}

// ACMEURL is how to reach the ACME server. Every challenge is taken as solved.
type ACMEURL struct {
	Directory  string `json:"directory"`
	Management string `json:"management"` // POST /set-renewal-info and more
	CAFile     string `json:"ca_file"`    // of its own address
	IssuerFile string `json:"issuer_file"`
}

// SystemdURL is how to reach the user manager, and what units it has.
type SystemdURL struct {
	BusAddress  string `json:"bus_address"`  // DBUS_SESSION_BUS_ADDRESS
	RuntimeDir  string `json:"runtime_dir"`  // XDG_RUNTIME_DIR
	UnitDir     string `json:"unit_dir"`     // unit files; daemon-reload reads them again
	GoodUnit    string `json:"good_unit"`    // active (running)
	FailedUnit  string `json:"failed_unit"`  // failed, exit code 3
	Timer       string `json:"timer"`        // its job succeeded
	FailedTimer string `json:"failed_timer"` // its job failed
}

// ToxiproxyURL is how to have faults put in front of any server: its HTTP API.
type ToxiproxyURL struct {
	API string `json:"api"`
}
