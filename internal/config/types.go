// Package config is warroom.yaml: its shape, defaults, validation and JSON
// schema, and the estate.Topology made from it.
//
// Its rules: a mistake is reported with file, line, what was expected and the
// nearest valid key; unknown keys are errors; all mistakes of a file are
// reported together; no secret value is ever written in it (secrets are named,
// and read from their store).
package config

import (
	"time"

	"warroom/internal/estate"
)

// Config is one warroom.yaml, with every default filled in.
//
// The tags are its schema: yaml is the key, doc one line for the schema and the
// docs, enum the allowed words, req:"true" what must be there, min and max the
// bounds of numbers and durations, path:"true" the name of a file, which is
// resolved against the folder of warroom.yaml.
type Config struct {
	Version     int                 `yaml:"version" req:"true" enum:"1" doc:"version of this format"`
	Environment string              `yaml:"environment" req:"true" doc:"what the permanent band calls this estate, for example production"`
	Drill       string              `yaml:"drill" doc:"name of the drill scenario; set by warroom drill, marks every screen DRILL"`
	Checks      Checks              `yaml:"checks" doc:"how often and how long checks run"`
	Thresholds  Thresholds          `yaml:"thresholds" doc:"the numbers by which readings are judged"`
	Windows     Windows             `yaml:"windows" doc:"the windows of rates"`
	AWS         []AWSAccount        `yaml:"aws" doc:"AWS accounts and regions"`
	Vaults      []VaultCluster      `yaml:"vaults" doc:"Vault clusters"`
	Kubernetes  []KubernetesCluster `yaml:"kubernetes" doc:"Kubernetes clusters"`
	Components  []Component         `yaml:"components" req:"true" doc:"the boxes of the diagram"`
	Flows       []Flow              `yaml:"flows" doc:"the arrows of the diagram"`
	Incident    Incident            `yaml:"incident" doc:"how incidents are led: who is told, by which runbook"`
	Recovery    Recovery            `yaml:"recovery" doc:"how recovery procedures are run"`

	// Path is the file it was loaded from; relative paths in it are resolved
	// against that file's folder.
	Path string `yaml:"-"`

	inherited bool // Parse has filled in the policies of stored secrets
}

// Checks says how often and how long checks run.
type Checks struct {
	Interval    time.Duration `yaml:"interval" default:"15s" min:"1s" max:"1h" doc:"time between two reads of the same thing; of the secrets of one store that no component uses, 50 are described in a second, so that thousands of them take longer"`
	Timeout     time.Duration `yaml:"timeout" default:"5s" min:"100ms" max:"2m" doc:"how long one read may take"`
	SlowEvery   time.Duration `yaml:"slow_interval" default:"1m" min:"1s" max:"24h" doc:"interval of reads that change slowly or are metered: inventories, metrics, keys"`
	LoginEvery  time.Duration `yaml:"login_interval" default:"30s" min:"5s" max:"1h" doc:"interval of login probes; one that failed is not repeated with the same credential version for 5 minutes"`
	Concurrency int           `yaml:"concurrency" default:"8" min:"1" max:"64" doc:"reads under way at once on one system; on an AWS account, whose calls are paced one kind at a time, 16 times as many and at most 128"`
}

// Thresholds are the numbers by which readings are judged.
type Thresholds struct {
	ExpiryWarn       time.Duration `yaml:"expiry_warn" default:"7d" min:"0s" doc:"remaining life below which a credential warns"`
	CertWarnFraction float64       `yaml:"certificate_warn_fraction" default:"0.33" min:"0" max:"1" doc:"remaining fraction of a certificate's lifetime below which it warns"`
	CertFail         time.Duration `yaml:"certificate_fail" default:"3d" min:"0s" doc:"remaining life below which a certificate fails"`
	AuthFailuresWarn float64       `yaml:"auth_failures_warn" default:"0.05" min:"0" max:"1" doc:"share of failed authentications"`
	AuthFailuresFail float64       `yaml:"auth_failures_fail" default:"0.25" min:"0" max:"1" doc:"share of failed authentications"`
	ConnectionsWarn  float64       `yaml:"connections_warn" default:"0.8" min:"0" max:"1" doc:"share of connection slots in use"`
	ConnectionsFail  float64       `yaml:"connections_fail" default:"0.95" min:"0" max:"1" doc:"share of connection slots in use"`
	ReplayLagWarn    int64         `yaml:"replay_lag_warn_bytes" default:"1048576" min:"0" doc:"bytes of WAL a replica may be behind"`
	ReplayLagFail    int64         `yaml:"replay_lag_fail_bytes" default:"67108864" min:"0" doc:"bytes of WAL a replica may be behind"`
	ClockSkewWarn    time.Duration `yaml:"clock_skew_warn" default:"30s" min:"0s" doc:"difference between our clock and a system's"`
	SyncWarn         time.Duration `yaml:"sync_warn" default:"24h" min:"0s" doc:"age of a consumer's last sync"`
	RotationWarn     float64       `yaml:"rotation_success_warn" default:"0.95" min:"0" max:"1" doc:"share of rotations that succeeded"`
	RotationFail     float64       `yaml:"rotation_success_fail" default:"0.8" min:"0" max:"1" doc:"share of rotations that succeeded"`
	VaultLagWarn     time.Duration `yaml:"vault_lag_warn" default:"10s" min:"0s" doc:"how far a Vault secondary may be behind"`
	VaultLagFail     time.Duration `yaml:"vault_lag_fail" default:"5m" min:"0s" doc:"how far a Vault secondary may be behind"`
	AnomalyFactor    float64       `yaml:"anomaly_factor" default:"3" min:"1" doc:"failed authentications above this many times the usual count are an anomaly"`
	AnomalyFloor     float64       `yaml:"anomaly_floor" default:"10" min:"0" doc:"fewer failed authentications than this in a window are never an anomaly"`
}

// Windows are the windows of rates. Every rate on screen names its window.
type Windows struct {
	AuthFailures time.Duration `yaml:"auth_failures" default:"5m" min:"1m" max:"24h" doc:"failed authentications"`
	Rotation     time.Duration `yaml:"rotation" default:"24h" min:"1m" max:"2160h" doc:"rotation function metrics and logs, rotations that succeeded and failed"`
	Access       time.Duration `yaml:"access" default:"1h" min:"1m" max:"24h" doc:"failed authentications of the access monitor, and each of the windows it compares with; who read secrets"`
	Changes      time.Duration `yaml:"changes" default:"24h" min:"1m" max:"2160h" doc:"recent changes"`
}

// AWSAccount is one AWS account in one region.
type AWSAccount struct {
	Name        string   `yaml:"name" req:"true" doc:"how components refer to it"`
	Region      string   `yaml:"region" doc:"region; else from the AWS environment"`
	Profile     string   `yaml:"profile" doc:"profile of the shared config files; else the default credential chain"`
	SharedFiles []string `yaml:"shared_files" path:"true" doc:"shared config and credentials files in place of ~/.aws"`
	RoleARN     string   `yaml:"role_arn" doc:"role to assume for reading"`
	Endpoint    string   `yaml:"endpoint" doc:"endpoint of every service; else AWS_ENDPOINT_URL and the region's own"`
	// Act is another identity, so that reading never can change anything.
	Act *AWSIdentity `yaml:"act" doc:"as whom recovery procedures change things; else as whom we read"`
}

// VaultCluster is one Vault cluster.
type VaultCluster struct {
	Name    string `yaml:"name" req:"true" doc:"how components refer to it"`
	Address string `yaml:"address" doc:"URL; else VAULT_ADDR"`
	// Nodes are named for what each of them must be told by itself.
	Nodes     []string `yaml:"nodes" doc:"URLs of its nodes, each of which is unsealed by itself; else those that the cluster tells of while one of them is unsealed"`
	Namespace string   `yaml:"namespace" doc:"namespace; else VAULT_NAMESPACE"`
	CACert    string   `yaml:"ca_cert" path:"true" doc:"PEM file of the CA; else VAULT_CACERT"`
	TokenFile string   `yaml:"token_file" path:"true" doc:"file that holds the token; else VAULT_TOKEN and ~/.vault-token"`
	// Act is another identity, so that reading never can change anything.
	Act *VaultIdentity `yaml:"act" doc:"as whom recovery procedures change things; else as whom we read"`
}

// KubernetesCluster is one context of a kubeconfig.
type KubernetesCluster struct {
	Name       string `yaml:"name" req:"true" doc:"how components refer to it"`
	Context    string `yaml:"context" doc:"context of the kubeconfig; else its current one"`
	Kubeconfig string `yaml:"kubeconfig" path:"true" doc:"kubeconfig file; else KUBECONFIG and ~/.kube/config"`
	// Act is another identity, so that reading never can change anything.
	Act *KubernetesIdentity `yaml:"act" doc:"as whom recovery procedures change things; else as whom we read"`
}

// Policy is what people decided about a component or stored secret.
type Policy struct {
	Criticality string        `yaml:"criticality" enum:"critical,high,medium,low" default:"medium" doc:"how much depends on it"`
	Owner       string        `yaml:"owner" doc:"team or person answerable"`
	Contact     string        `yaml:"contact" doc:"how to reach the owner at night"`
	Fallback    string        `yaml:"fallback" doc:"what still works without it; leave out for none"`
	Grace       time.Duration `yaml:"grace" min:"0s" doc:"how long after expiry the old credential is still honoured; on a component it is that of its secrets as it sees them"`
	Expiry      string        `yaml:"expiry" doc:"from what its end of life is computed: valid_until, not_after, rotation or tag:KEY; on a component it is that of its secrets as it sees them"`
}

// Component is one box of the diagram: common fields and exactly one block that
// says what it is.
type Component struct {
	ID       string `yaml:"id" req:"true" doc:"short name, unique: letters, digits, dot, dash, underscore"`
	Name     string `yaml:"name" req:"true" doc:"name as drawn"`
	Plane    string `yaml:"plane" req:"true" enum:"edge,service,state,control" doc:"the pane it is drawn in"`
	Group    string `yaml:"group" doc:"the box it is drawn in, for example Target Systems"`
	Subtitle string `yaml:"subtitle" doc:"what it does, for example JWT validation"`
	Policy   `yaml:",inline"`

	Gateway          *Gateway          `yaml:"gateway" kind:"true" doc:"an API gateway that validates JWTs"`
	Balancer         *Balancer         `yaml:"balancer" kind:"true" doc:"a load balancer that terminates TLS"`
	SecretsManager   *SecretsManager   `yaml:"secrets_manager" kind:"true" doc:"AWS Secrets Manager of one account"`
	RotationFunction *RotationFunction `yaml:"rotation_function" kind:"true" doc:"a Lambda function that rotates secrets"`
	Keys             *Keys             `yaml:"keys" kind:"true" doc:"KMS keys"`
	Postgres         *Postgres         `yaml:"postgres" kind:"true" doc:"a PostgreSQL server"`
	ExternalAPI      *ExternalAPI      `yaml:"external_api" kind:"true" doc:"somebody else's API, reached with a key"`
	Application      *Application      `yaml:"application" kind:"true" doc:"a service that consumes secrets"`
	ScheduledJob     *ScheduledJob     `yaml:"scheduled_job" kind:"true" doc:"a CronJob or systemd timer that rotates secrets"`
	Vault            *Vault            `yaml:"vault" kind:"true" doc:"a Vault cluster"`
	SecretStore      *SecretStore      `yaml:"secret_store" kind:"true" doc:"the protection of what is stored: encryption, access log, audit trail"`
	RotationMonitor  *RotationMonitor  `yaml:"rotation_monitor" kind:"true" doc:"rotations that succeeded and failed"`
	SecretMonitor    *SecretMonitor    `yaml:"secret_monitor" kind:"true" doc:"secrets expired and near expiry"`
	AccessMonitor    *AccessMonitor    `yaml:"access_monitor" kind:"true" doc:"failed authentications and use of secrets"`
}

// Flow is one arrow of the diagram.
type Flow struct {
	From  string `yaml:"from" req:"true" doc:"id of a component"`
	To    string `yaml:"to" req:"true" doc:"id of a component"`
	Kind  string `yaml:"kind" req:"true" enum:"secret,access,target,monitoring" doc:"what travels"`
	Label string `yaml:"label" doc:"the word on the arrow"`
}

// Called is how the estate calls a stored secret.
func (s *StoredSecret) Called() string {
	if s.As != "" {
		return s.As
	}
	return s.ID
}

// kept are the stored secrets that a component keeps, and the block that lists them.
func (c *Component) kept() (block string, secrets []StoredSecret) {
	switch {
	case c.SecretsManager != nil:
		return "secrets_manager", c.SecretsManager.Secrets
	case c.Vault != nil:
		return "vault", c.Vault.Secrets
	}
	return "", nil
}

// Kind is the kind of c by the block it has; empty when it has none.
func (c *Component) Kind() estate.Kind {
	switch {
	case c.Gateway != nil:
		return estate.KindGateway
	case c.Balancer != nil:
		return estate.KindBalancer
	case c.SecretsManager != nil:
		return estate.KindSecretsManager
	case c.RotationFunction != nil:
		return estate.KindRotationFunction
	case c.Keys != nil:
		return estate.KindKeys
	case c.Postgres != nil:
		return estate.KindPostgres
	case c.ExternalAPI != nil:
		return estate.KindExternalAPI
	case c.Application != nil:
		return estate.KindApplication
	case c.ScheduledJob != nil:
		return estate.KindScheduledJob
	case c.Vault != nil:
		return estate.KindVault
	case c.SecretStore != nil:
		return estate.KindSecretStore
	case c.RotationMonitor != nil:
		return estate.KindRotationMonitor
	case c.SecretMonitor != nil:
		return estate.KindSecretMonitor
	case c.AccessMonitor != nil:
		return estate.KindAccessMonitor
	}
	return ""
}
