package labtest

import (
	"fmt"
	"os"
	"testing"
)

// Read is the whole description of a lab of which all these peers are part. The
// test is skipped where there is no lab, or one of them was left out.
func Read(t testing.TB, keys ...string) *Description {
	t.Helper()
	path := os.Getenv(Variable)
	if len(keys) == 0 {
		keys = []string{""}
	}
	var d *Description
	for _, key := range keys {
		var skip string
		var err error
		if key == "" && path != "" {
			d, err = read(path)
		} else {
			d, skip, err = find(path, key)
		}
		decide(t, skip, err)
	}
	return d
}

// peer is what the description says of the peer of that key.
func peer[T any](t testing.TB, key string, of func(*Description) *T) *T {
	t.Helper()
	d := Read(t, key)
	if p := of(d); p != nil {
		return p
	}
	t.Fatal(fmt.Errorf("the lab's description %s says nothing of %s, which is part of the run: build the lab anew (make lab-setup)", os.Getenv(Variable), key))
	return nil
}

// PostgresPrimary is the primary.
func PostgresPrimary(t testing.TB) *Postgres {
	t.Helper()
	return peer(t, "postgres", func(d *Description) *Postgres { return d.Primary })
}

// PostgresReplica is its streaming replica.
func PostgresReplica(t testing.TB) *Postgres {
	t.Helper()
	return peer(t, "postgres", func(d *Description) *Postgres { return d.Replica })
}

// Pooler is the pgbouncer in front of the primary.
func Pooler(t testing.TB) *PgBouncer {
	t.Helper()
	return peer(t, "pgbouncer", func(d *Description) *PgBouncer { return d.PgBouncer })
}

// AWS is moto.
func AWS(t testing.TB) *Moto {
	t.Helper()
	return peer(t, "moto", func(d *Description) *Moto { return d.Moto })
}

// Edge is the first TLS address, Other the second.
func Edge(t testing.TB) *TLS {
	t.Helper()
	return peer(t, "tls", func(d *Description) *TLS { return d.TLS })
}

// Other is the TLS address whose certificate is near its end.
func Other(t testing.TB) *TLS {
	t.Helper()
	return peer(t, "tls", func(d *Description) *TLS { return d.TLSOther })
}

// VaultPrimary is the cluster with an active node and a standby.
func VaultPrimary(t testing.TB) *Vault {
	t.Helper()
	return peer(t, "vault", func(d *Description) *Vault { return d.Vault })
}

// VaultCopy is the cluster that holds a copy of the first one's secrets, with
// one missing and one behind.
func VaultCopy(t testing.TB) *Vault {
	t.Helper()
	return peer(t, "vault", func(d *Description) *Vault { return d.VaultSecondary })
}

// VaultSealed is one that is sealed.
func VaultSealed(t testing.TB) *Vault {
	t.Helper()
	return peer(t, "vault", func(d *Description) *Vault { return d.VaultSealed })
}

// VaultEmpty is one that was never initialised.
func VaultEmpty(t testing.TB) *Vault {
	t.Helper()
	return peer(t, "vault", func(d *Description) *Vault { return d.VaultUninitialised })
}

// Cluster is the Kubernetes control plane.
func Cluster(t testing.TB) *Kubernetes {
	t.Helper()
	return peer(t, "kubernetes", func(d *Description) *Kubernetes { return d.Kubernetes })
}

// Authority is the ACME server.
func Authority(t testing.TB) *ACME {
	t.Helper()
	return peer(t, "acme", func(d *Description) *ACME { return d.ACME })
}

// UserManager is systemd. The session bus of this test becomes its bus, so a
// test that calls it must not be parallel.
func UserManager(t *testing.T) *Systemd {
	t.Helper()
	s := peer(t, "systemd", func(d *Description) *Systemd { return d.Systemd })
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", s.BusAddress)
	t.Setenv("XDG_RUNTIME_DIR", s.RuntimeDir)
	return s
}

// Faults is toxiproxy.
func Faults(t testing.TB) *Toxiproxy {
	t.Helper()
	return peer(t, "toxiproxy", func(d *Description) *Toxiproxy { return d.Toxiproxy })
}

// Estate is the path of a warroom.yaml that points at every peer. What it says
// of systemd needs UserManager.
func Estate(t testing.TB) string {
	t.Helper()
	d := Read(t, "estate")
	if d.Config == "" {
		t.Fatal("the lab's description names no config: build the lab anew (make lab-setup)")
	}
	return d.Config
}
