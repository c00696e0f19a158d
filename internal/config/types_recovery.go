package config

import "time"

// Recovery says how recovery procedures are run.
type Recovery struct {
	Idle        time.Duration `yaml:"disarm_after" default:"15m" min:"1m" max:"2h" doc:"idle time after which changes are no longer possible"`
	Soak        time.Duration `yaml:"soak" default:"30s" min:"0s" max:"1h" doc:"how long a restarted service must stay well before the next ones are restarted"`
	Concurrency int           `yaml:"concurrency" default:"4" min:"1" max:"64" doc:"services of one rank that are restarted at once"`
	Rollout     time.Duration `yaml:"rollout_deadline" default:"10m" min:"10s" max:"2h" doc:"how long one rollout may take"`
	Replay      time.Duration `yaml:"replay_deadline" default:"2m" min:"1s" max:"1h" doc:"how long replicas may take to replay a change of a password"`
	Signers     string        `yaml:"signers" path:"true" doc:"OpenSSH allowed_signers file of those who may sign a plan as the second person"`
	SecondFor   []string      `yaml:"second_person_for" doc:"procedures whose plans another operator must sign"`
}

// AWSIdentity is as whom we change things in an AWS account, where that is not as whom we read.
type AWSIdentity struct {
	Profile     string   `yaml:"profile" doc:"profile of the shared config files; else that of reading"`
	SharedFiles []string `yaml:"shared_files" path:"true" doc:"shared config and credentials files; else those of reading"`
	RoleARN     string   `yaml:"role_arn" doc:"role to assume for changes"`
}

// VaultIdentity is as whom we change things in Vault.
type VaultIdentity struct {
	TokenFile string `yaml:"token_file" req:"true" path:"true" doc:"file that holds the token for changes"`
}

// KubernetesIdentity is as whom we change things in a cluster.
type KubernetesIdentity struct {
	Context    string `yaml:"context" doc:"context of the kubeconfig; else that of reading"`
	Kubeconfig string `yaml:"kubeconfig" path:"true" doc:"kubeconfig file; else that of reading"`
}

// Rotation says how a stored secret is rotated in an emergency. At most one of
// database and api_key is set; a certificate says so at its TLS endpoint.
type Rotation struct {
	Database *DatabaseRotation `yaml:"database" doc:"a password of PostgreSQL; the targets are the postgres components that use the secret"`
	APIKey   *APIKeyRotation   `yaml:"api_key" doc:"a key of somebody else's API"`
	Copies   []Copy            `yaml:"copies" doc:"where else the value is kept; each is updated with it and compared"`
}

// DatabaseRotation is how a password of PostgreSQL is rotated.
type DatabaseRotation struct {
	Strategy  string        `yaml:"strategy" enum:"same_user,alternating" default:"same_user" doc:"alternating switches between the user and its clone, so that the old password works until the next rotation"`
	Clone     string        `yaml:"clone" doc:"the other user of the alternating strategy; else the user with _clone at its end"`
	Admin     string        `yaml:"admin" doc:"id of the stored secret of a role that may change the user's password, for the alternating strategy"`
	Emergency string        `yaml:"emergency" doc:"id of the stored secret of a superuser, used only when no stored password of the user works; a reason is asked for"`
	Username  string        `yaml:"username_field" default:"username" doc:"key of the user in the secret's JSON"`
	Password  string        `yaml:"password_field" default:"password" doc:"key of the password in the secret's JSON"`
	ValidFor  time.Duration `yaml:"valid_for" min:"1h" doc:"VALID UNTIL is set to this long after the rotation; leave out to keep infinity, or the length that the role had"`
	Length    int           `yaml:"length" default:"40" min:"32" max:"128" doc:"characters of the new password"`
	PlainText string        `yaml:"plain_text" doc:"why the server needs the password itself in place of a SCRAM verifier; it is named in the plan and must be accepted"`
	Poolers   []Pooler      `yaml:"poolers" doc:"connection poolers before the database"`
	Static    *StaticRole   `yaml:"vault_role" doc:"the static role of Vault's database engine that rotates this user, where there is one"`
}

// Pooler is a pgbouncer that must learn of a new password.
type Pooler struct {
	Name   string `yaml:"name" req:"true" doc:"what it is called"`
	Host   string `yaml:"host" req:"true" doc:"host name or address"`
	Port   int    `yaml:"port" default:"6432" min:"1" max:"65535" doc:"port"`
	Secret string `yaml:"secret" req:"true" doc:"id of the stored secret of a user in admin_users"`
	// Database is what a login is tried on.
	Database string `yaml:"database" doc:"database by which the new password is tried through it; else it is not tried"`
	SSLMode  string `yaml:"sslmode" enum:"disable,require,verify-ca,verify-full" default:"verify-full" doc:"as in libpq"`
	CACert   string `yaml:"ca_cert" path:"true" doc:"PEM file of the CA; else the system's"`
	UserList string `yaml:"userlist" path:"true" doc:"its auth_file on this host, where it has one: the user's line is replaced"`
}

// StaticRole is a static role of Vault's database engine.
type StaticRole struct {
	Cluster string `yaml:"cluster" req:"true" doc:"name of a Vault cluster"`
	Mount   string `yaml:"mount" default:"database" doc:"mount of the database engine"`
	Role    string `yaml:"role" req:"true" doc:"name of the static role"`
}

// Copy is another place that keeps a stored secret: exactly one of account, cluster
// and kubernetes.
type Copy struct {
	Account    string `yaml:"account" doc:"AWS account, another region is another account here"`
	Secret     string `yaml:"secret" doc:"name of the secret there; else the same"`
	Cluster    string `yaml:"cluster" doc:"Vault cluster"`
	Path       string `yaml:"path" doc:"MOUNT/PATH of a KV version 2 secret; its keys are those of the JSON"`
	Kubernetes string `yaml:"kubernetes" doc:"Kubernetes cluster"`
	Object     string `yaml:"object" doc:"namespace/name of a Secret there, or of an ExternalSecret with external_secret"`
	// Keys maps keys of the Secret to keys of the JSON.
	Keys     map[string]string `yaml:"keys" doc:"keys of the Kubernetes Secret and which key of the JSON each holds; none: the same names"`
	External bool              `yaml:"external_secret" doc:"object is an ExternalSecret: it is told to sync, and waited for, in place of a write"`
}

// APIKeyRotation is how a key of somebody else's API is rotated: with two keys that
// overlap. Without create, the new key comes from the provider's own console.
type APIKeyRotation struct {
	Provider   string        `yaml:"provider" req:"true" doc:"who gives the key"`
	Field      string        `yaml:"field" default:"api_key" doc:"key in the secret's JSON"`
	IDField    string        `yaml:"id_field" default:"key_id" doc:"key in the secret's JSON that holds the provider's id of the key"`
	Create     *ProviderCall `yaml:"create" doc:"call that makes a second key; needs value and id"`
	Probe      *ProviderCall `yaml:"probe" req:"true" doc:"call that tells whether a key works, and changes nothing"`
	List       *ProviderCall `yaml:"list" doc:"call that lists the keys of the account: none is made beyond most_keys, and one that a crash left behind is found by its name; needs items and id"`
	LastUsed   *ProviderCall `yaml:"last_used" doc:"call that tells when a key was used last; needs time"`
	Revoke     *ProviderCall `yaml:"revoke" doc:"call that ends a key; without it the old key is ended by hand"`
	Quiet      time.Duration `yaml:"quiet" default:"10m" min:"0s" doc:"how long the old key must not have been used before it is revoked"`
	Most       int           `yaml:"most_keys" default:"2" min:"1" max:"10" doc:"keys that the provider lets one account have"`
	Dependents []string      `yaml:"dependents" doc:"ids of the stored secrets that hold the same key or one made from it, rotated with it"`
	Backup     *BackupKey    `yaml:"backup" doc:"an emergency key that lies sealed, for the first strategy"`
	Help       *ProviderHelp `yaml:"help" doc:"how the provider is reached, for the second strategy"`
}

// ProviderCall is one HTTP request to a provider, with what is read from its answer.
// ${secret:ID:FIELD} in headers and body stands for a field of a stored secret,
// ${key} for the key that the call is about, ${key_id} for its id, ${name} for a name
// of this rotation.
type ProviderCall struct {
	Method  string            `yaml:"method" enum:"GET,POST,PUT,PATCH,DELETE" default:"GET" doc:"method"`
	URL     string            `yaml:"url" req:"true" doc:"URL; ${key_id} and ${name} may stand in it, values may not"`
	Headers map[string]string `yaml:"headers" doc:"headers"`
	Body    string            `yaml:"body" doc:"body"`
	CACert  string            `yaml:"ca_cert" path:"true" doc:"PEM file of the CA; else the system's"`
	OK      []int             `yaml:"ok" doc:"status codes that mean yes; else 200 to 299"`
	Value   string            `yaml:"value" doc:"JSON field of the answer that holds the new key; a dot goes one level down"`
	ID      string            `yaml:"id" doc:"JSON field of the answer that holds the key's id"`
	Time    string            `yaml:"time" doc:"JSON field of the answer that holds a time, RFC 3339; null or empty is never"`
	Items   string            `yaml:"items" doc:"JSON field of the answer that holds the list of keys; id and name are looked up in each"`
	Name    string            `yaml:"name" default:"name" doc:"JSON field of a key in the list that holds its name"`
	// Again tells that a create that was lost can be asked again.
	Again bool `yaml:"idempotent" doc:"asked again with the same ${name}, it gives the same key again with its value, and makes no other"`
}

// BackupKey is an emergency key in a stored secret of its own.
type BackupKey struct {
	Secret string        `yaml:"secret" req:"true" doc:"id of the stored secret that holds it"`
	Field  string        `yaml:"field" default:"api_key" doc:"key in its JSON"`
	For    time.Duration `yaml:"for" default:"24h" min:"10m" max:"720h" doc:"how long it may be in use before it must be gone"`
}

// ProviderHelp is how a provider is asked for help.
type ProviderHelp struct {
	Contact string        `yaml:"contact" req:"true" doc:"telephone or address for emergencies"`
	Ticket  string        `yaml:"ticket" doc:"URL where a ticket is opened"`
	ETA     time.Duration `yaml:"eta" default:"1h" min:"1m" doc:"how long they usually need"`
}

// CertificateRotation is how the certificate of a TLS endpoint is renewed: exactly one
// issuer, and what is done once the files are in place.
type CertificateRotation struct {
	Vault *VaultIssuer `yaml:"vault" doc:"Vault's PKI engine issues it"`
	ACME  *ACMEIssuer  `yaml:"acme" doc:"an ACME server issues it"`
	// SelfSigned is for estates that pin their certificates.
	SelfSigned bool          `yaml:"self_signed" doc:"it is signed with its own key; whoever trusts the old one must be told of the new one"`
	Names      []string      `yaml:"names" doc:"DNS names and addresses; else those of the certificate that it replaces"`
	KeyType    string        `yaml:"key_type" enum:"ecdsa-p256,ecdsa-p384,rsa-2048,rsa-3072" default:"ecdsa-p256" doc:"type of the new private key"`
	ValidFor   time.Duration `yaml:"valid_for" min:"1h" doc:"life that is asked for; else the issuer's"`
	Combined   string        `yaml:"combined" path:"true" doc:"file that holds certificate and key together, in place of two files"`
	Test       []string      `yaml:"test" doc:"command that tests the configuration of the server, as a list of words; it is run without a shell"`
	Reload     []string      `yaml:"reload" doc:"command that makes the server read its files again, as a list of words; it is run without a shell"`
	Unit       string        `yaml:"reload_unit" doc:"systemd unit to reload, in place of reload"`
	Bus        string        `yaml:"bus" enum:"system,user" default:"system" doc:"which systemd manager has the unit"`
	Cluster    string        `yaml:"cluster" doc:"Kubernetes cluster of object"`
	Object     string        `yaml:"object" doc:"namespace/name of a kubernetes.io/tls Secret to update as well"`
	Account    string        `yaml:"account" doc:"AWS account of acm"`
	ACM        string        `yaml:"acm" doc:"ARN of an imported ACM certificate to import over"`
}

// VaultIssuer is a role of Vault's PKI engine.
type VaultIssuer struct {
	Cluster string `yaml:"cluster" req:"true" doc:"name of a Vault cluster"`
	Mount   string `yaml:"mount" default:"pki" doc:"mount of the PKI engine"`
	Role    string `yaml:"role" req:"true" doc:"role that may sign the names"`
}

// ACMEIssuer is an account at an ACME server.
type ACMEIssuer struct {
	Directory string `yaml:"directory" req:"true" doc:"URL of its directory"`
	CACert    string `yaml:"ca_cert" path:"true" doc:"PEM file of the CA of the server itself; else the system's"`
	Email     string `yaml:"email" doc:"contact of the account"`
	// Account is made when it is not there.
	Account string `yaml:"account_key" req:"true" path:"true" doc:"file of the account's private key, made with mode 0600 when it is not there"`
	Webroot string `yaml:"webroot" path:"true" doc:"folder that is served as /.well-known/acme-challenge, for http-01"`
	Listen  string `yaml:"listen" doc:"address to answer http-01 at ourselves, for example :80, in place of webroot"`
}
