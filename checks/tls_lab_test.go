package checks

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// labTLS is one server name of the lab's TLS server.
type labTLS struct {
	Address     string `json:"address"`
	ServerName  string `json:"server_name"`
	Certificate string `json:"certificate_file"`
	Key         string `json:"key_file"`
	CA          string `json:"ca_file"`
}

// labTLSNames are the two names of the lab's TLS server. Unset WARROOM_LAB
// skips; a lab without the server fails.
func labTLSNames(t *testing.T) (edge, other labTLS) {
	t.Helper()
	path := os.Getenv("WARROOM_LAB")
	if path == "" {
		t.Skip("WARROOM_LAB is not set: no real peers")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read the lab: %v", err)
	}
	var lab struct {
		Edge  labTLS `json:"tls"`
		Other labTLS `json:"tls_other"`
	}
	if err := json.Unmarshal(text, &lab); err != nil || lab.Edge.Address == "" || lab.Other.Address == "" {
		t.Fatalf("the lab %s names no tls or no tls_other (%v)", path, err)
	}
	return lab.Edge, lab.Other
}

func TestRealTLSServer(t *testing.T) {
	edge, other := labTLSNames(t)
	tests := []struct {
		what    string
		address string
		name    string
		files   labTLS
		ca      string
		days    int // of life that are left
		chain   bool
		named   bool
		onDisk  bool // what is served is what is on disk
		keyFits bool
	}{
		{what: "as it should be", address: edge.Address, name: edge.ServerName, files: edge, ca: edge.CA, days: 60, chain: true, named: true, onDisk: true, keyFits: true},
		{what: "another name on the same address", address: edge.Address, name: other.ServerName, files: other, ca: other.CA, days: 5, chain: true, named: true, onDisk: true, keyFits: true},
		{what: "near its end", address: other.Address, name: other.ServerName, files: other, ca: other.CA, days: 5, chain: true, named: true, onDisk: true, keyFits: true},
		{what: "a name that is not served", address: other.Address, name: edge.ServerName, files: edge, ca: edge.CA, days: 5, chain: true, named: false, onDisk: false, keyFits: true},
		{what: "a CA that we do not know", address: edge.Address, name: edge.ServerName, files: edge, days: 60, chain: false, named: true, onDisk: true, keyFits: true},
		{what: "a new certificate on disk that was not loaded, beside the old key", address: edge.Address, name: edge.ServerName,
			files: labTLS{Certificate: other.Certificate, Key: edge.Key}, ca: edge.CA, days: 60, chain: true, named: true, onDisk: false, keyFits: false},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			cfg := &config.Config{
				Checks: config.Checks{Interval: time.Minute, Timeout: 10 * time.Second},
				Components: []config.Component{{ID: "lb", Name: "lb", Balancer: &config.Balancer{CACert: test.ca, Endpoints: []config.TLSEndpoint{
					{Address: test.address, ServerName: test.name, Certificate: test.files.Certificate, Key: test.files.Key},
				}}}},
			}
			set := clients.New(cfg)
			defer set.Close()
			probes := tlsProbes(cfg, set)
			if len(probes) != 1 {
				t.Fatalf("%d probes", len(probes))
			}
			r := probes[0].Read(t.Context())
			e, ok := r.Data.(estate.Endpoint)
			if !ok || len(e.Addresses) != 1 || e.Addresses[0].Leaf == nil {
				t.Fatalf("read %+v, error %v", r.Data, r.Err)
			}
			served := e.Addresses[0]
			if left := time.Until(served.Leaf.NotAfter).Hours() / 24; left < float64(test.days)-0.5 || left > float64(test.days)+0.5 {
				t.Errorf("%.2f days are left, want %d", left, test.days)
			}
			if (served.ChainError == "") != test.chain {
				t.Errorf("chain: %q", served.ChainError)
			}
			if (served.NameError == "") != test.named {
				t.Errorf("name: %q", served.NameError)
			}
			if e.Disk == nil || (e.Disk.Serial == served.Leaf.Serial) != test.onDisk {
				t.Errorf("on disk %+v (%s), served %+v", e.Disk, e.DiskError, served.Leaf)
			}
			if e.KeyMatches == nil || *e.KeyMatches != test.keyFits {
				t.Errorf("key fits: %v (%s), want %v", e.KeyMatches, e.KeyError, test.keyFits)
			}
		})
	}
}
