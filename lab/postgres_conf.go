package lab

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// serverConf is postgresql.conf. Durability is off: the data lives as long as
// the lab, and a killed server still recovers from its own files.
func serverConf(dir string, port int) string {
	lines := []string{
		"listen_addresses = '127.0.0.1'",
		"port = " + strconv.Itoa(port),
		"unix_socket_directories = " + quote(dir),
		"max_connections = 40",
		"superuser_reserved_connections = 3",
		"shared_buffers = 16MB",
		"password_encryption = 'scram-sha-256'",
		"ssl = on",
		"ssl_cert_file = " + quote(filepath.Join(dir, "server.pem")),
		"ssl_key_file = " + quote(filepath.Join(dir, "server.key")),
		"wal_level = replica",
		"max_wal_senders = 5",
		"max_replication_slots = 5",
		"wal_receiver_status_interval = 1s",
		"hot_standby = on",
		"fsync = off",
		"log_connections = on",
		"log_line_prefix = '%m [%p] %q%u@%d %a '",
		"log_timezone = 'UTC'",
		"timezone = 'UTC'",
	}
	return strings.Join(lines, "\n") + "\n"
}

// quote is text as a postgresql.conf or SQL string.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// hbaConf is pg_hba.conf. The first line that fits decides, so that the trusted
// role stands before everybody.
func hbaConf() string {
	lines := []string{
		"# type database user address method",
		"host all " + trustUser + " 127.0.0.1/32 trust",
		"host replication " + replicator + " 127.0.0.1/32 scram-sha-256",
		"host all all 127.0.0.1/32 scram-sha-256",
		"local all all scram-sha-256",
	}
	return strings.Join(lines, "\n") + "\n"
}

// passfile is a libpq password file for the lab's own tools.
func passfile(superuserPassword, replicatorPassword string) string {
	return fmt.Sprintf("127.0.0.1:*:*:%s:%s\n127.0.0.1:*:*:%s:%s\n", superuser, superuserPassword, replicator, replicatorPassword)
}

// rolesSQL makes the roles and the slot that the replica and the tests need.
func rolesSQL(replicatorPassword string) string {
	return fmt.Sprintf("CREATE ROLE %s LOGIN REPLICATION PASSWORD %s;\nCREATE ROLE %s LOGIN;\nSELECT pg_create_physical_replication_slot(%s);\n",
		replicator, quote(replicatorPassword), trustUser, quote(replicaSlot))
}

// newestVersion is the path whose VERSION in …/postgresql/VERSION/bin/… is the
// highest and at least the lowest allowed; empty for none.
func newestVersion(paths []string, lowest int) string {
	best, newest := "", lowest-1
	for _, path := range paths {
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		if err == nil && version > newest {
			best, newest = path, version
		}
	}
	return best
}
