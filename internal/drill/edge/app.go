package edge

import (
	"net/http"
	"time"
)

// Report is what an application says of itself.
type Report struct {
	Status        string     `json:"status"`
	Connection    string     `json:"connection"`
	Error         string     `json:"error,omitempty"`
	Retries       int        `json:"retries"`
	LastSync      *time.Time `json:"last_sync,omitempty"`
	Secret        string     `json:"secret"`
	SecretVersion string     `json:"secret_version"`
}

// Health serves the health endpoint of an application: 200 while it works, if
// poorly, and 503 when its status is "failed".
type Health func() Report

// ServeHTTP answers any path, as a port of its own does.
func (h Health) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	report := h()
	code := http.StatusOK
	if report.Status == "failed" {
		code = http.StatusServiceUnavailable
	}
	reply(w, code, report)
}
