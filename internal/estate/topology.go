package estate

import "time"

// ID names a component, unique within an estate, as written in warroom.yaml.
type ID string

// Plane is one of the four layers of the architecture.
type Plane uint8

// The four planes, in the order in which they are drawn.
const (
	Edge Plane = iota
	Service
	State
	Control
)

// Planes lists the planes in drawing order.
var Planes = [...]Plane{Edge, Service, State, Control}

// String is the plane's key in warroom.yaml and JSON.
func (p Plane) String() string { return [...]string{"edge", "service", "state", "control"}[p&3] }

// MarshalText makes Plane its key in JSON.
func (p Plane) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Kind says what a component is, and so which checks observe it and which rules
// turn their observations into a reading.
type Kind string

// The kinds of component, each named as its block in warroom.yaml.
const (
	KindGateway          Kind = "gateway"
	KindBalancer         Kind = "balancer"
	KindSecretsManager   Kind = "secrets_manager"
	KindRotationFunction Kind = "rotation_function"
	KindKeys             Kind = "keys"
	KindPostgres         Kind = "postgres"
	KindExternalAPI      Kind = "external_api"
	KindApplication      Kind = "application"
	KindScheduledJob     Kind = "scheduled_job"
	KindVault            Kind = "vault"
	KindSecretStore      Kind = "secret_store"
	KindRotationMonitor  Kind = "rotation_monitor"
	KindSecretMonitor    Kind = "secret_monitor"
	KindAccessMonitor    Kind = "access_monitor"
)

// Criticality says how much depends on a component or stored secret.
type Criticality string

// Criticalities from most to least.
const (
	Critical Criticality = "critical"
	High     Criticality = "high"
	Medium   Criticality = "medium"
	Low      Criticality = "low"
)

// ExpirySource says from what a credential's end of life is computed.
type ExpirySource string

// Where an expiry comes from.
const (
	ExpiryNone     ExpirySource = ""            // it does not expire
	ExpiryRole     ExpirySource = "valid_until" // VALID UNTIL of the database role
	ExpiryCert     ExpirySource = "not_after"   // notAfter of the certificate
	ExpiryTag      ExpirySource = "tag"         // a tag of the stored secret, RFC 3339 or YYYY-MM-DD
	ExpiryRotation ExpirySource = "rotation"    // overdue rotation: last rotation plus its period
)

// Policy is what people decided about a component or stored secret. It is
// readable with no network.
type Policy struct {
	Criticality Criticality
	Owner       string        // team or person answerable
	Contact     string        // how to reach the owner at night
	Fallback    string        // what still works without it; empty means none
	Grace       time.Duration // how long after expiry the old credential is still honoured
	Expiry      ExpirySource
	ExpiryTag   string // the tag's key, where Expiry is ExpiryTag
}

// Component is one box of the diagram.
type Component struct {
	ID       ID
	Name     string
	Plane    Plane
	Group    string // the box it is drawn in, for example "Target Systems"
	Subtitle string // what it does, for example "JWT validation"
	Kind     Kind
	Target   string   // where it is: host, ARN or URL; masked in share mode
	Secrets  []string // ids of the stored secrets it uses to do its work
	Monitor  string   // id of the stored secret with which we read it; empty when that is another
	Unread   string   // why no check reads it, for kinds whose checks do not exist; empty otherwise
	Renewal  Renewal
	Standby  bool     // a replica, secondary or standby by role
	Workload string   // the workload or unit it runs as, for applications and jobs; empty when none is configured
	Uses     ID       // the component that an application connects to with its secrets; empty when none is configured
	Watches  []ID     // the components that a monitor watches; none stands for all
	Sources  []string // accounts and clusters on which a store's or monitor's figures rest, by name
	Of       []ID     // beside each of an access monitor's Sources, the component whose authentications it counts; empty where none is named
	System   string   // the AWS account or Vault or Kubernetes cluster in which it is read, by its name in warroom.yaml; empty where there is none
	Policy
}

// Renewal says who renews a certificate.
type Renewal string

// Who renews a certificate. With RenewalManual its reading says MANUAL.
const (
	RenewalManual    Renewal = "manual"
	RenewalAutomatic Renewal = "automatic"
)

// SecretType says what a stored secret unlocks.
type SecretType string

// Types of stored secret.
const (
	TypeDatabase    SecretType = "database"
	TypeAPIKey      SecretType = "api_key"
	TypeCertificate SecretType = "certificate"
	TypeToken       SecretType = "token"
)

// StoredSecret is a named secret in a store: its description, never its value.
type StoredSecret struct {
	ID    string // how the estate calls it, for example prod/db/postgres; its name in the store unless two stores have one of that name
	Name  string // its name in the store
	Store ID     // the component that stores it
	Type  SecretType
	Policy
}

// FlowKind says what travels along a flow.
type FlowKind string

// Kinds of flow, as in the guide's diagram.
const (
	FlowSecret     FlowKind = "secret"     // secrets and what manages them
	FlowAccess     FlowKind = "access"     // an application reads its secrets
	FlowTarget     FlowKind = "target"     // rotation changes a target system
	FlowMonitoring FlowKind = "monitoring" // a monitor watches a component
)

// Flow is one arrow of the diagram: From depends on, changes or watches To.
type Flow struct {
	From, To ID
	Kind     FlowKind
	Label    string
}

// Topology is the estate as configured. It is built once and never changed.
type Topology struct {
	Environment string
	Drill       string // name of the drill scenario; empty on a real estate
	Components  []Component
	Secrets     []StoredSecret
	Flows       []Flow
	Rules       Rules

	byID     map[ID]int
	bySecret map[string]int
	out, in  map[ID][]Flow
}

// Rules are the numbers by which readings are judged. All have defaults in
// package config.
type Rules struct {
	ExpiryWarn         time.Duration // remaining life below which a credential warns
	CertWarnFraction   float64       // remaining fraction of a certificate's lifetime (0 to 1) below which it warns
	CertFail           time.Duration // remaining life below which a certificate fails
	AuthFailuresWarn   float64       // share of failed authentications (0 to 1)
	AuthFailuresFail   float64       // share of failed authentications (0 to 1)
	ConnectionsWarn    float64       // share of connection slots in use (0 to 1)
	ConnectionsFail    float64       // share of connection slots in use (0 to 1)
	ReplayLagWarnBytes int64
	ReplayLagFailBytes int64
	ClockSkewWarn      time.Duration
	SyncWarn           time.Duration // age of a consumer's last sync above which it warns
	RotationWarn       float64       // share of rotations that succeeded (0 to 1) below which it warns
	RotationFail       float64       // share of rotations that succeeded (0 to 1) below which it fails
	VaultLagWarn       time.Duration // how far a secondary may be behind its primary
	VaultLagFail       time.Duration // how far a secondary may be behind its primary
	AnomalyFactor      float64       // failed authentications above this many times the usual count are an anomaly
	AnomalyFloor       float64       // fewer failed authentications than this in a window are never an anomaly
	RotationWindow     time.Duration // the window of rotations that succeeded and failed
	ChangesWindow      time.Duration // how far back recent changes go
}

// Index fills the lookup tables. Call it once after the exported fields are set
// and before the topology is shared.
func (t *Topology) Index() *Topology {
	t.byID = make(map[ID]int, len(t.Components))
	t.bySecret = make(map[string]int, len(t.Secrets))
	t.out, t.in = map[ID][]Flow{}, map[ID][]Flow{}
	for i, c := range t.Components {
		t.byID[c.ID] = i
	}
	for i, s := range t.Secrets {
		t.bySecret[s.ID] = i
	}
	for _, f := range t.Flows {
		t.out[f.From] = append(t.out[f.From], f)
		t.in[f.To] = append(t.in[f.To], f)
	}
	return t
}

// Component returns the component called id.
func (t *Topology) Component(id ID) (Component, bool) {
	i, ok := t.byID[id]
	if !ok {
		return Component{}, false
	}
	return t.Components[i], true
}

// Secret returns the stored secret called id.
func (t *Topology) Secret(id string) (StoredSecret, bool) {
	i, ok := t.bySecret[id]
	if !ok {
		return StoredSecret{}, false
	}
	return t.Secrets[i], true
}

// Out lists the flows that leave id: what it depends on, changes or watches.
func (t *Topology) Out(id ID) []Flow { return t.out[id] }

// In lists the flows that reach id: what depends on it, changes or watches it.
func (t *Topology) In(id ID) []Flow { return t.in[id] }
