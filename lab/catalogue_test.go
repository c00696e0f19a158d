package lab

import (
	"slices"
	"strings"
	"testing"
)

func TestSelect(t *testing.T) {
	all := keysOf(Peers())
	tests := []struct {
		only string
		want []string
	}{
		{"", all},
		{"estate", all},
		{"toxiproxy,moto", []string{"moto", "toxiproxy"}},
		{"quick", []string{"postgres", "pgbouncer", "moto", "tls", "tools"}},
		{"quick, systemd", []string{"postgres", "pgbouncer", "moto", "tls", "tools", "systemd"}},
		{"vault", []string{"postgres", "vault"}}, // what it needs comes too
	}
	for _, test := range tests {
		peers, err := Select(test.only)
		if got := keysOf(peers); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%q: %v, %v, want %v", test.only, got, err, test.want)
		}
	}
	for _, wrong := range []string{"vaults", "moto,", "postgresql primary"} {
		if _, err := Select(wrong); err == nil || !strings.Contains(err.Error(), "there are postgres") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if !slices.Contains(all, estateKey) || all[len(all)-1] != estateKey {
		t.Errorf("the estate config describes those before it: %v", all)
	}
}

// What a subset is needed by is never started without it.
func TestNeedsAreKeys(t *testing.T) {
	all := keysOf(Peers())
	for key, needed := range needs {
		for _, k := range append(slices.Clone(needed), key) {
			if !slices.Contains(all, k) {
				t.Errorf("%q is no peer", k)
			}
		}
	}
	for _, k := range quickKeys {
		if !slices.Contains(all, k) {
			t.Errorf("%q is no peer", k)
		}
	}
}
