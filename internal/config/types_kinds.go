package config

import "slices"

// Field names a field of a stored secret, where a whole secret is not meant.
type Field struct {
	Secret string `yaml:"secret" req:"true" doc:"id of a stored secret"`
	Field  string `yaml:"field" doc:"key in its JSON; each user of it has its own default"`
}

// Gateway is an API gateway that validates JWTs.
type Gateway struct {
	URL      string         `yaml:"url" req:"true" doc:"URL of a request that needs a token"`
	CACert   string         `yaml:"ca_cert" path:"true" doc:"PEM file of the CA; else the system's"`
	Issuer   string         `yaml:"issuer" doc:"JWT issuer; its discovery document and JWKS are read"`
	Token    *Field         `yaml:"token" doc:"the token of the probe; field defaults to token"`
	Account  string         `yaml:"account" doc:"AWS account, where failures come from CloudWatch or the API is one of API Gateway"`
	API      string         `yaml:"api_id" doc:"id of the API in API Gateway; its authorizers are read"`
	Failures *FailureMetric `yaml:"failures" doc:"where the rate of authentication failures comes from"`
}

// FailureMetric is where a failure rate comes from: CloudWatch or Prometheus.
type FailureMetric struct {
	Namespace  string            `yaml:"namespace" default:"AWS/ApiGateway" doc:"CloudWatch namespace"`
	Failed     string            `yaml:"failed" default:"4xx" doc:"CloudWatch metric, its sum counts failures"`
	Total      string            `yaml:"total" default:"Count" doc:"CloudWatch metric, its sum counts attempts"`
	Dimensions map[string]string `yaml:"dimensions" doc:"CloudWatch dimensions, for example ApiId"`
	Prometheus string            `yaml:"prometheus" doc:"URL of a Prometheus server, in place of CloudWatch"`
	Query      string            `yaml:"query" doc:"PromQL that yields the share of failures, 0 to 1; $window stands for the window"`
}

// Balancer is a load balancer that terminates TLS.
type Balancer struct {
	Endpoints []TLSEndpoint `yaml:"endpoints" doc:"what it serves; it needs these, or load_balancer, or both"`
	Account   string        `yaml:"account" doc:"AWS account of load_balancer"`
	Balancer  string        `yaml:"load_balancer" doc:"name or ARN of an application or network load balancer; its listeners and their ACM certificates are read"`
	CACert    string        `yaml:"ca_cert" path:"true" doc:"PEM file of the CA its certificates must build to; else the system's"`
	Secret    string        `yaml:"secret" doc:"id of the stored secret of its certificate, where there is one"`
	Renewal   string        `yaml:"renewal" enum:"manual,automatic" default:"manual" doc:"who renews its certificates"`
}

// TLSEndpoint is one address and server name.
type TLSEndpoint struct {
	Address     string `yaml:"address" req:"true" doc:"host:port; every address the host resolves to is tried"`
	ServerName  string `yaml:"server_name" doc:"SNI name; else the host"`
	Certificate string `yaml:"certificate" path:"true" doc:"PEM file of the certificate it should serve"`
	Key         string `yaml:"key" path:"true" doc:"PEM file of its private key, to check that it matches"`
	// Renew is how its certificate is renewed in an emergency.
	Renew *CertificateRotation `yaml:"rotation" doc:"how its certificate is renewed in an emergency"`
}

// SecretsManager is AWS Secrets Manager of one account and region.
type SecretsManager struct {
	Account string         `yaml:"account" req:"true" doc:"name of an AWS account"`
	Secrets []StoredSecret `yaml:"secrets" req:"true" doc:"the secrets to watch"`
	Tag     string         `yaml:"expiry_tag" doc:"tag that holds the end of life of the secrets that are not listed here, RFC 3339 or YYYY-MM-DD"`
}

// StoredSecret is one secret to watch. Policy fields left out are those of its
// component; Parse has filled them in.
type StoredSecret struct {
	ID   string `yaml:"id" req:"true" doc:"name or ARN"`
	As   string `yaml:"as" doc:"how the rest of this file and the screen call it, where two stores have one of that name; else its id"`
	Type string `yaml:"type" enum:"database,api_key,certificate,token" default:"database" doc:"what it unlocks"`
	// Readers are names, ARNs and ranges; see ReaderRange.
	Readers []string `yaml:"known_readers" doc:"who may read it: names of roles of its account, patterns of ARNs, address ranges; a read by others shows as unknown, and of ranges and names a read must fit one of each; besides these, rotation functions and warroom's own role are known"`
	Policy  `yaml:",inline" inherit:"true"`
	// Rotation is how it is rotated in an emergency.
	Rotation *Rotation `yaml:"rotation" doc:"how it is rotated in an emergency; else it can only be rotated by its platform"`
}

// RotationFunction is a Lambda function that rotates secrets.
type RotationFunction struct {
	Account  string `yaml:"account" req:"true" doc:"name of an AWS account"`
	Function string `yaml:"function" req:"true" doc:"name or ARN"`
}

// Keys are KMS keys.
type Keys struct {
	Account string   `yaml:"account" req:"true" doc:"name of an AWS account"`
	Keys    []string `yaml:"keys" req:"true" doc:"key ids, ARNs or alias/NAME"`
}

// Postgres is a PostgreSQL server.
type Postgres struct {
	Host     string `yaml:"host" req:"true" doc:"host name or address"`
	Port     int    `yaml:"port" default:"5432" min:"1" max:"65535" doc:"port"`
	Database string `yaml:"database" default:"postgres" doc:"database"`
	Role     string `yaml:"role" enum:"primary,replica" default:"primary" doc:"what it should be"`
	SSLMode  string `yaml:"sslmode" enum:"disable,require,verify-ca,verify-full" default:"verify-full" doc:"as in libpq"`
	CACert   string `yaml:"ca_cert" path:"true" doc:"PEM file of the CA; else the system's"`
	Secret   string `yaml:"secret" req:"true" doc:"id of the stored secret whose current, pending and previous password is tried"`
	User     string `yaml:"user" doc:"role to log in as; else the secret's username"`
	Monitor  string `yaml:"monitor" doc:"id of a stored secret of a role in pg_monitor, for roles, connections and lag; else the application's own login"`
	// Others are rotated here and not probed.
	Others  []string `yaml:"other_secrets" doc:"ids of other stored secrets whose users log in here; their passwords are changed on this server, and their logins are not probed"`
	Service string   `yaml:"service" doc:"name in the libpq service file for the monitoring login, in place of monitor"`
}

// LogsIn reports whether a stored secret is of a role of this server.
func (p *Postgres) LogsIn(secret string) bool {
	return p.Secret == secret || p.Monitor == secret || slices.Contains(p.Others, secret)
}

// ExternalAPI is somebody else's API, reached with a key.
type ExternalAPI struct {
	URL    string `yaml:"url" req:"true" doc:"URL of a cheap request that needs the key and changes nothing"`
	Secret string `yaml:"secret" req:"true" doc:"id of the stored secret"`
	Field  string `yaml:"field" default:"api_key" doc:"key in its JSON"`
	Header string `yaml:"header" default:"Authorization" doc:"header that carries the key"`
	Scheme string `yaml:"scheme" default:"Bearer" doc:"word before the key; none for no word"`
	CACert string `yaml:"ca_cert" path:"true" doc:"PEM file of the CA; else the system's"`
}

// Application is a service that consumes secrets.
type Application struct {
	Secrets  []string     `yaml:"secrets" doc:"ids of the stored secrets it uses"`
	Health   *HealthCheck `yaml:"health" doc:"its health endpoint"`
	Cluster  string       `yaml:"cluster" doc:"Kubernetes cluster it runs in"`
	Workload string       `yaml:"workload" doc:"namespace/kind/name in that cluster, kind one of deployment, statefulset, daemonset"`
	Unit     string       `yaml:"unit" doc:"systemd unit, where it runs on this host"`
	Bus      string       `yaml:"bus" enum:"system,user" default:"system" doc:"which systemd manager has the unit"`
	Uses     string       `yaml:"connects_to" doc:"id of the component that it reaches with its secrets; without a health endpoint its connection is judged by what that component says of them"`
	Retries  *PromQuery   `yaml:"retries" doc:"metric that counts its retries, where its health endpoint does not say"`
	After    []string     `yaml:"restart_after" doc:"ids of the applications that are restarted before this one"`
}

// HealthCheck is a health endpoint, with where in its JSON the figures are.
type HealthCheck struct {
	URL        string `yaml:"url" req:"true" doc:"URL"`
	CACert     string `yaml:"ca_cert" path:"true" doc:"PEM file of the CA; else the system's"`
	Status     string `yaml:"status" default:"status" doc:"JSON field of its status word; a dot goes one level down"`
	Connection string `yaml:"connection" default:"connection" doc:"JSON field of its connection's state"`
	Retries    string `yaml:"retries" default:"retries" doc:"JSON field of its retry count"`
	LastSync   string `yaml:"last_sync" default:"last_sync" doc:"JSON field of its last sync, RFC 3339"`
	Version    string `yaml:"secret_version" default:"secret_version" doc:"JSON field of the secret version in use"`
}

// PromQuery is a query of a Prometheus server.
type PromQuery struct {
	URL   string `yaml:"url" req:"true" doc:"URL of a Prometheus server"`
	Query string `yaml:"query" req:"true" doc:"PromQL that yields one number; $window stands for the window"`
}

// ScheduledJob is a job that rotates secrets on a schedule: a CronJob or a
// systemd timer.
type ScheduledJob struct {
	Cluster string   `yaml:"cluster" doc:"Kubernetes cluster of job"`
	Job     string   `yaml:"job" doc:"namespace/name of a CronJob"`
	Timer   string   `yaml:"timer" doc:"systemd timer on this host, with its ending .timer"`
	Bus     string   `yaml:"bus" enum:"system,user" default:"system" doc:"which systemd manager has the timer"`
	Secrets []string `yaml:"secrets" doc:"ids of the stored secrets that it rotates"`
}

// Vault is a Vault cluster.
type Vault struct {
	Cluster string `yaml:"cluster" req:"true" doc:"name of a Vault cluster"`
	Role    string `yaml:"role" enum:"primary,secondary" default:"primary" doc:"what it should be"`
	Compare string `yaml:"compare_with" doc:"on the Community Edition, the cluster of which this one is to be a copy: their KV metadata is compared"`
	// Secrets of the KV engine: what an AWS account is for secrets_manager.
	Secrets []StoredSecret `yaml:"secrets" doc:"stored secrets that are kept in its KV version 2 engine; id is MOUNT/PATH"`
	Limit   int            `yaml:"list_limit" default:"2000" min:"1" max:"100000" doc:"folders that one count of secrets lists at the most; what is beyond is estimated"`
}

// SecretStore is the protection of what is stored.
type SecretStore struct {
	Account string `yaml:"account" doc:"name of an AWS account"`
	Cluster string `yaml:"cluster" doc:"name of a Vault cluster"`
}

// RotationMonitor counts rotations, and lists what was changed of late.
type RotationMonitor struct {
	Accounts []string `yaml:"accounts" doc:"AWS accounts whose CloudTrail is read; else all"`
	Watches  []string `yaml:"watches" doc:"ids of components; else all"`
}

// SecretMonitor counts secrets that expire.
type SecretMonitor struct {
	Watches []string `yaml:"watches" doc:"ids of the components that store secrets; else all"`
}

// AccessMonitor counts failed authentications.
type AccessMonitor struct {
	Sources []AccessSource `yaml:"sources" doc:"where failed authentications are counted; without one there is nothing to count"`
	Watches []string       `yaml:"watches" doc:"ids of components; else all"`
}

// AccessSource is one count of failed authentications: of exactly one of metric,
// prometheus and logs.
type AccessSource struct {
	Name       string       `yaml:"name" req:"true" doc:"what is counted, for example database logins"`
	Of         string       `yaml:"of" doc:"id of the component whose authentications they are"`
	Account    string       `yaml:"account" doc:"AWS account of metric and logs"`
	Metric     *CountMetric `yaml:"metric" doc:"a CloudWatch metric"`
	Prometheus *PromQuery   `yaml:"prometheus" doc:"a count of failures over $window, for example increase(vault_audit_denied_total[$window])"`
	Logs       *LogCount    `yaml:"logs" doc:"lines of a CloudWatch log group, for example those of a database"`
}

// CountMetric is a CloudWatch metric whose sum counts failures.
type CountMetric struct {
	Namespace  string            `yaml:"namespace" req:"true" doc:"CloudWatch namespace"`
	Failed     string            `yaml:"failed" req:"true" doc:"metric whose sum counts failures"`
	Total      string            `yaml:"total" doc:"metric whose sum counts attempts"`
	Dimensions map[string]string `yaml:"dimensions" doc:"CloudWatch dimensions"`
}

// LogCount counts the lines of a log group that match.
type LogCount struct {
	Group   string `yaml:"group" req:"true" doc:"log group"`
	Pattern string `yaml:"pattern" default:"\"password authentication failed\"" doc:"filter pattern of CloudWatch Logs"`
}
