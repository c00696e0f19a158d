package drill

import (
	"encoding/json"
	"net/http"

	"warroom/internal/drill/awssim"
)

// srvUsage serves what was asked of the world's APIs.
const srvUsage = "usage"

// usageSchema names the document that srvUsage serves.
const usageSchema = "warroom.drill-usage/v1"

// usage is what the clients of a world have asked of its APIs since it was opened,
// beside what the real ones allow.
type usage struct {
	Schema string `json:"schema"`
	// AWS is by operation. Its rates are the quotas that AWS publishes; a call
	// above them was throttled, as AWS does.
	AWS []usedAWS `json:"aws"`
	// Vault and Kubernetes publish no quota: theirs are the most requests of all
	// kinds within any one second.
	VaultPeak      int `json:"vault_peak"`
	KubernetesPeak int `json:"kubernetes_peak"`
}

// usedAWS is one operation of AWS.
type usedAWS struct {
	Operation string  `json:"operation"` // secretsmanager:DescribeSecret
	Calls     int     `json:"calls"`     // with those that were throttled
	Throttled int     `json:"throttled"`
	Peak      int     `json:"peak"`  // the most within any one second in one region
	Rate      float64 `json:"rate"`  // calls a second; 0 when no quota is published
	Burst     float64 `json:"burst"` // how many may come at once
}

// serveUsage serves the document on loopback, to see what a console costs the
// systems that it watches.
func (l *large) serveUsage() error {
	l.web(srvUsage, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		u := usage{Schema: usageSchema, VaultPeak: l.vault.PeakRate(), KubernetesPeak: l.cluster.PeakRate(), AWS: usedOf(l.aws.Usage())}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(u)
	}), false)
	return nil
}

func usedOf(all []awssim.Usage) []usedAWS {
	out := make([]usedAWS, 0, len(all))
	for _, u := range all {
		out = append(out, usedAWS(u))
	}
	return out
}
