package estate

// Names of the checks that read workloads, units and jobs, as they stand in
// Key.Check. None has an item.
const (
	CheckWorkload        = "workload"         // brings a Workload
	CheckWorkloadPods    = "workload-pods"    // brings WorkloadPods
	CheckWorkloadSecrets = "workload-secrets" // brings WorkloadSecrets
	CheckWorkloadEvents  = "workload-events"  // brings WorkloadEvents
	CheckExternalSecrets = "external-secrets" // brings ExternalSecrets
	CheckRevisions       = "revisions"        // brings Revisions
	CheckUnit            = "unit"             // brings a Unit
	CheckJob             = "job"              // brings a Job
	CheckRetries         = "retries"          // brings a Gauge
)
