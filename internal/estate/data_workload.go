package estate

import "time"

// Workload is a Kubernetes Deployment, StatefulSet or DaemonSet, as its own
// object says.
type Workload struct {
	Cluster, Namespace, Kind, Name string
	Desired, Updated               int
	Ready, Available               int
	Generation, Observed           int64 // Observed behind Generation: the controller has not looked yet
	Paused                         bool
	OnDelete                       bool   // its pods are replaced only when somebody deletes them
	Partition                      int    // of a StatefulSet: ordinals below it keep the old revision
	Progress                       string // reason of the Progressing condition: NewReplicaSetAvailable, ProgressDeadlineExceeded …
	ProgressNote                   string // its message
	Revision                       string
	UpdateRevision                 string    // of StatefulSets, when it differs from Revision a rollout is under way
	Restarted                      time.Time // annotation kubectl.kubernetes.io/restartedAt
}

// WorkloadPods are the pods of a workload.
type WorkloadPods struct {
	Running, NotReady int
	Restarts          int       // of all containers, since their pods started
	LastRestart       time.Time // zero if never
	Waiting           []string  // reasons of containers that do not start: CrashLoopBackOff, CreateContainerConfigError …
	Oldest, Newest    time.Time // start of the oldest and newest pod; zero if none
}

// SecretUse is one Kubernetes Secret that a workload consumes.
type SecretUse struct {
	Name      string
	How       []string  // env, envFrom, volume, subPath, projected, csi, imagePull …
	Refreshes bool      // a change reaches running containers by itself: volumes without subPath
	Missing   bool      // there is no such Secret
	Optional  bool      // the workload starts without it
	Changed   time.Time // when its data last changed; zero if that is not known
	From      string    // from what Changed was told
	OlderPods int       // pods that started before that and do not take the change over; -1 when the pods could not be read
}

// WorkloadSecrets are the Secrets that a workload consumes.
type WorkloadSecrets struct{ Uses []SecretUse }

// WorkloadEvent is one warning about a workload or its pods.
type WorkloadEvent struct {
	At     time.Time // when it last happened
	Count  int
	Reason string
	Object string // Kind/name
	Text   string // scrubbed and stripped
}

// WorkloadEvents are the newest warnings of the last hour, newest first.
type WorkloadEvents struct {
	Window time.Duration
	Events []WorkloadEvent
}

// ExternalSecret is how External Secrets Operator stands with one Secret of a
// workload.
type ExternalSecret struct {
	Name, Target string // the ExternalSecret, and the Secret that it writes
	Ready        bool
	Reason       string // SecretSynced, SecretSyncedError …
	Message      string
	Refreshed    time.Time
	Every        time.Duration // its refresh interval; 0 never refreshes
}

// ExternalSecrets are those that write the Secrets of a workload. Where the
// operator is not installed the read fails with NotSupported.
type ExternalSecrets struct{ Secrets []ExternalSecret }

// Revision is one revision of a workload.
type Revision struct {
	At     time.Time
	Number int64
	Name   string // of the ReplicaSet or ControllerRevision
	Note   string // its change cause, where one is written, else what changed: image, env, restart
}

// Revisions are the newest revisions of a workload, newest first.
type Revisions struct{ Revisions []Revision }

// Unit is a systemd unit.
type Unit struct {
	Name      string
	Load      string // loaded, not-found, masked
	Active    string // active, activating, inactive, failed …
	Sub       string // running, dead, exited, auto-restart …
	Result    string // success, exit-code, signal, timeout …
	ExitCode  int
	Restarts  int
	Started   time.Time // of the main process
	Changed   time.Time // when Active last changed
	Secrets   []UnitSecret
	Described string
}

// UnitSecret is a credential or environment file that a unit reads when it
// starts; a change of it needs a restart.
type UnitSecret struct {
	Name    string    // of the credential, or the path of the file
	How     string    // LoadCredential, EnvironmentFile …
	Changed time.Time // of the file behind it; zero if that is not known
	Missing bool
}

// Job is a scheduled rotation job: a Kubernetes CronJob or a systemd timer.
type Job struct {
	Name        string
	Schedule    string
	Suspended   bool
	Running     int
	Last        time.Time     // when it last started; zero if never
	LastSuccess time.Time     // zero if never or not known
	LastResult  string        // succeeded, failed, running, skipped; empty when it never ran
	Reason      string        // of the failure
	Next        time.Time     // zero if not known
	Period      time.Duration // between its next two runs; 0 if not known
	Failures    int           // in a row, as far as its history goes
}

func (Workload) data()        {}
func (WorkloadPods) data()    {}
func (WorkloadSecrets) data() {}
func (WorkloadEvents) data()  {}
func (ExternalSecrets) data() {}
func (Revisions) data()       {}
func (Unit) data()            {}
func (Job) data()             {}
