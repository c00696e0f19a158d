package estate

import "time"

// Certificate is a leaf certificate, served or on disk.
type Certificate struct {
	Subject, Issuer     string
	Names               []string // DNS names and IP addresses it is valid for
	Serial              string   // hex
	SHA256              string   // hex, of the DER encoding
	KeySHA256           string   // hex, of the public key
	NotBefore, NotAfter time.Time
}

// Served is what one address presented for one server name. Problems are kept
// apart because "expired", "unknown authority" and "wrong name" have different
// remedies.
type Served struct {
	Address    string // ip:port
	Leaf       *Certificate
	Failure    *Failure // why there is no leaf
	ChainError string   // empty when the chain builds to a trusted root, expiry aside
	NameError  string   // empty when the leaf is valid for the server name
}

// Endpoint is what every address of one TLS endpoint presented, and the
// certificate that its operator keeps on disk.
type Endpoint struct {
	Name       string // host:port as configured
	ServerName string
	Addresses  []Served
	Disk       *Certificate // nil when no file is configured
	DiskError  string       // why the configured file could not be read
	KeyMatches *bool        // disk certificate against disk key; nil when no key is configured
	KeyError   string
}

// IssuerKeys is what the JWT issuer publishes.
type IssuerKeys struct {
	Issuer string
	KeyIDs []string
}

// GatewayProbe is one request through the API gateway.
type GatewayProbe struct {
	WithToken   bool
	Secret      string // where the token comes from
	Code        int
	Error       string    // error of WWW-Authenticate
	Description string    // error_description of WWW-Authenticate, scrubbed
	KeyID       string    // kid of the token's header
	Issuer      string    // iss of the token
	Audience    string    // aud of the token; several are parted by blanks
	Remembered  time.Time // when the token was read, where the store did not answer now
	Expires     time.Time
}

// APIProbe is one request to an external API with a stored key.
type APIProbe struct {
	Secret         string
	Version        string
	Code           int
	RateLimit      int // -1 when the API does not say
	RateRemaining  int // -1 when the API does not say
	RateReset      time.Time
	RetryAfter     time.Duration
	Remembered     time.Time // when the key was read, where the store did not answer now
	KeyFingerprint string
}

// Health is what the health endpoint of an application says.
type Health struct {
	Code       int
	Word       string // its own status word, upper case, at most 24 characters; empty if it gives none
	Connection string // state of its connection to its target, upper case; empty if it gives none
	Retries    int    // -1 when it does not say
	LastSync   time.Time
	Version    string // version of the secret in use; empty when it does not say
}

func (Endpoint) data()     {}
func (IssuerKeys) data()   {}
func (GatewayProbe) data() {}
func (APIProbe) data()     {}
func (Health) data()       {}
