package estatetest

import (
	"fmt"
	"time"

	"warroom/internal/estate"
)

// keyID is the KMS key under which the stored secrets are encrypted.
const keyID = "5c8f2f0e-1111-4222-8333-444455556666"

// vaults is what is known of the two Vault clusters: both unsealed, and the
// secondary 45 seconds behind.
func vaults() []estate.Observation {
	of := func(id estate.ID, host, path, check string, data estate.Data) estate.Observation {
		return saw(id, check, "", "GET https://"+host+":8200/v1/"+path, data)
	}
	both := func(id estate.ID, host, cluster string, set estate.VaultReplicationSet, raft string) []estate.Observation {
		return []estate.Observation{
			of(id, host, "sys/health", estate.CheckVaultHealth, estate.VaultHealth{
				Initialized: true, Enterprise: true, Version: "1.21.2+ent", ClusterName: cluster, ClusterID: "c0ffee00-" + cluster, Code: 200}),
			of(id, host, "sys/seal-status", estate.CheckVaultSeal, estate.VaultSeal{Type: "awskms", Storage: "raft", Initialized: true, Shares: 5, Threshold: 3, Recovery: true}),
			of(id, host, "sys/ha-status", estate.CheckVaultNodes, estate.VaultNodes{Nodes: []estate.VaultNode{
				{Host: host, Address: "https://" + host + ":8200", Active: true, Version: "1.21.2+ent"},
				{Host: host + "-b", Address: "https://" + host + "-b:8200", Version: "1.21.2+ent", LastEcho: ago(24 * time.Second)},
				{Host: host + "-c", Address: "https://" + host + "-c:8200", Version: "1.21.2+ent", LastEcho: ago(25 * time.Second)},
			}}),
			of(id, host, "sys/storage/raft/autopilot/state", estate.CheckVaultRaft, estate.VaultRaft{Healthy: true, FailureTolerance: 1, Leader: raft, Servers: []estate.VaultRaftServer{
				{ID: raft, Address: host + ":8201", Status: "leader", Healthy: true, LastIndex: 88412},
				{ID: raft + "-b", Address: host + "-b:8201", Status: "voter", Healthy: true, LastContact: 80 * time.Millisecond, LastIndex: 88412},
				{ID: raft + "-c", Address: host + "-c:8201", Status: "voter", Healthy: true, LastContact: 95 * time.Millisecond, LastIndex: 88411},
			}}),
			of(id, host, "sys/replication/status", estate.CheckVaultReplication, estate.VaultReplication{Licensed: true, Sets: []estate.VaultReplicationSet{
				set, {Kind: "dr", Mode: "disabled"},
			}}),
			of(id, host, "sys/mounts", estate.CheckVaultMounts, estate.VaultMounts{Mounts: []estate.VaultMount{
				{Path: "secret/", Type: "kv", Version: "2"}, {Path: "database/", Type: "database"}, {Path: "pki/", Type: "pki"},
			}}),
			of(id, host, "sys/auth", estate.CheckVaultAuth, estate.VaultMounts{Mounts: []estate.VaultMount{
				{Path: "token/", Type: "token"}, {Path: "kubernetes/", Type: "kubernetes"}, {Path: "approle/", Type: "approle"},
			}}),
			of(id, host, "sys/audit", estate.CheckVaultAudit, estate.VaultAudit{Devices: []estate.VaultAuditDevice{
				{Path: "file/", Type: "file", Target: "/var/log/vault/audit.log"}, {Path: "socket/", Type: "socket", Target: "127.0.0.1:9090"},
			}}),
			of(id, host, "?list=true of every KV mount", estate.CheckVaultCount, estate.VaultCount{Secrets: 2847, Folders: 89, Mounts: 1, Complete: true, Estimate: 2847, Limit: 2000}),
			of(id, host, "auth/token/lookup-self", estate.CheckVaultToken, estate.VaultToken{Name: "kubernetes-warroom-read", Policies: []string{"warroom-read"}, Expires: in(20 * time.Hour), Renewable: true}),
		}
	}
	out := both("vault-primary", "vault-1.company.com", "vault-1", estate.VaultReplicationSet{
		Kind: "performance", Mode: "primary", State: "running", LastWAL: 41207, Connection: "connected",
		Secondaries: []estate.VaultSecondary{{ID: "vault-2", Connection: "connected"}},
	}, "raft-1")
	out = append(out, of("vault-primary", "vault-1.company.com", "database/static-roles", estate.CheckVaultStaticRoles, estate.VaultStaticRoles{Roles: []estate.VaultStaticRole{
		{Mount: "database/", Name: "reports", User: "reports", LastRotation: ago(3 * time.Hour), Period: day, TTL: 21 * time.Hour, Due: in(21 * time.Hour)},
		{Mount: "database/", Name: "billing", User: "billing", LastRotation: ago(3 * day), Period: 7 * day, TTL: 4 * day, Due: in(4 * day)},
	}}))
	return append(out, both("vault-secondary", "vault-2.company.com", "vault-2", estate.VaultReplicationSet{
		Kind: "performance", Mode: "secondary", State: "stream-wals", RemoteWAL: 41121, Connection: "connected", CanaryAge: 45 * time.Second, CanaryKnown: true,
	}, "raft-2")...)
}

// workloads is what Kubernetes says of the three services: one whose pods are
// older than their secret, one as it should be, and one that was left alone.
func workloads() []estate.Observation {
	of := func(id estate.ID, check, what string, data estate.Data) estate.Observation {
		return saw(id, check, "", what+" apps/"+string(id)+" at prod", data)
	}
	one := func(id estate.ID, replicas, ready int, revision string, pods estate.WorkloadPods, use estate.SecretUse, revisions ...estate.Revision) []estate.Observation {
		return []estate.Observation{
			of(id, estate.CheckWorkload, "watch deployments", estate.Workload{
				Cluster: "prod", Namespace: "apps", Kind: "Deployment", Name: string(id), Desired: replicas, Updated: replicas, Ready: ready, Available: ready,
				Generation: 12, Observed: 12, Progress: "NewReplicaSetAvailable", ProgressNote: "ReplicaSet has successfully progressed.", Revision: revision}),
			of(id, estate.CheckWorkloadPods, "watch pods of", pods),
			of(id, estate.CheckWorkloadSecrets, "watch secrets of", estate.WorkloadSecrets{Uses: []estate.SecretUse{use}}),
			of(id, estate.CheckRevisions, "watch replicasets of", estate.Revisions{Revisions: revisions}),
		}
	}
	out := one("user-service", 3, 0, "41", estate.WorkloadPods{NotReady: 3, Restarts: 27, LastRestart: ago(6 * time.Minute), Waiting: []string{"CrashLoopBackOff"}, Oldest: ago(2 * day), Newest: ago(2 * day)},
		estate.SecretUse{Name: "user-db", How: []string{"env"}, Changed: ago(15*day + 2*time.Hour)},
		estate.Revision{At: ago(5 * time.Hour), Number: 41, Name: "user-service-7d9f6b", Note: "image user-service:2026.03.13"}, estate.Revision{At: ago(16 * day), Number: 40, Name: "user-service-5c4d8e", Note: "restart"})
	out = append(out, of("user-service", estate.CheckWorkloadEvents, "watch events of", estate.WorkloadEvents{Window: time.Hour, Events: []estate.WorkloadEvent{
		{At: ago(2 * time.Minute), Count: 27, Reason: "BackOff", Object: "Pod/user-service-7d9f6b-x2x", Text: "Back-off restarting failed container"},
	}}))
	out = append(out, one("payment-service", 4, 4, "77", estate.WorkloadPods{Running: 4, Oldest: ago(26 * time.Hour), Newest: ago(25 * time.Hour)},
		estate.SecretUse{Name: "payment-api", How: []string{"volume"}, Refreshes: true, Changed: ago(2 * day)},
		estate.Revision{At: ago(26 * time.Hour), Number: 77, Name: "payment-service-66aa41", Note: "restart"})...)
	return append(out, one("analytics-service", 2, 2, "9", estate.WorkloadPods{Running: 2, Oldest: ago(9 * day), Newest: ago(9 * day)},
		estate.SecretUse{Name: "analytics-db", How: []string{"envFrom"}, Changed: ago(3 * day), OlderPods: 2},
		estate.Revision{At: ago(9 * day), Number: 9, Name: "analytics-service-01fe77", Note: "image analytics:4.2"})...)
}

// control is what is known for the monitors and the secret store: CloudTrail,
// and counts of failed authentications.
func control() []estate.Observation {
	const trail = "at cloudtrail.eu-west-1.amazonaws.com"
	const oncall = "arn:aws:sts::111122223333:assumed-role/deploy/oncall"
	auths := func(source, metric string, failed, total, ours float64, earlier ...float64) estate.Observation {
		return saw("access-monitor", estate.CheckFailedAuths, source, metric, estate.FailedAuths{Source: source, Window: time.Hour, Failed: failed, Total: total, Ours: ours, Earlier: earlier, Metric: metric})
	}
	return []estate.Observation{
		saw("rotation-monitor", estate.CheckRotationEvents, "main", "LookupEvents Rotation* "+trail, rotationEvents()),
		saw("rotation-monitor", estate.CheckChanges, "main", "LookupEvents writes "+trail, estate.Changes{Account: "main", Window: day, Looked: 640, Changes: []estate.Change{
			{At: ago(25 * time.Minute), What: "PutSecretValue", Target: dbSecret, By: oncall, From: "198.51.100.7", Where: "main", Failed: "AccessDeniedException"},
			{At: ago(26 * time.Hour), What: "UpdateFunctionConfiguration", Target: "rotate-db", By: oncall, From: "198.51.100.7", Where: "main"},
			{At: ago(22 * time.Hour), What: "RevokeSecurityGroupEgress", Target: "sg-0a1b2c3d4e5f60718", By: "arn:aws:iam::111122223333:user/netops", From: "203.0.113.80", Where: "main", Detail: "tcp 5432 to 10.0.0.0/16"},
			{At: ago(23 * time.Hour), What: "PutRolePolicy", Target: "rotate-db", By: "arn:aws:sts::111122223333:assumed-role/terraform/ci", From: "terraform", Where: "main", Detail: "policy rotate-db"},
		}}),
		saw("secret-store", estate.CheckTrails, "main", "DescribeTrails, GetTrailStatus, GetEventSelectors "+trail, estate.Trails{Account: "main", Trails: []estate.Trail{
			{Name: "organisation", MultiRegion: true, Logging: true, Management: "all", Validated: true, Delivered: ago(6 * time.Minute)},
		}}),
		auths(databaseLogins, "CloudWatch Logs /aws/rds/postgres \"password authentication failed\"", 355, -1, 14, 18, 22, 16, 20),
		auths(gatewayCalls, "AWS/ApiGateway 4XXError / Count over 1h", 1980, 3012, 0, 31, 28, 40, 35),
		auths(vaultRequests, "increase(vault_audit_log_request_failure[1h])", 12, -1, 0, 9, 14, 11, 10),
	}
}

// rotationEvents are a day's: the store tries again and again what cannot work.
func rotationEvents() estate.RotationEvents {
	e := estate.RotationEvents{Account: "main", Window: day, Started: 23, Succeeded: 4, Failed: 12, Abandoned: 5}
	for i := range 12 {
		secret, fault := dbSecret, "DB connection timeout"
		if i%4 == 3 {
			secret, fault = "prod/api/legacy", "the provider answers 429"
		}
		e.Events = append(e.Events, estate.RotationEvent{At: ago(time.Duration(10+i*95) * time.Minute), What: estate.RotationFailed, Secret: secret, Error: fault})
	}
	e.Events = append(e.Events, estate.RotationEvent{At: ago(20 * time.Hour), What: estate.RotationSucceeded, Secret: "prod/db/ledger"})
	return e
}

// ending are secrets of the account that warroom.yaml does not list and that
// have an end by their tag, or a date of rotation.
func ending() []estate.SecretLife {
	var out []estate.SecretLife
	for i := range 10 {
		out = append(out, estate.SecretLife{Name: fmt.Sprintf("prod/legacy/%02d", i), Ends: ago(time.Duration(i+1) * day), Tag: true})
	}
	for i := range 44 {
		out = append(out, estate.SecretLife{Name: fmt.Sprintf("prod/batch/%02d", i), Ends: in(time.Duration(5+3*i) * time.Hour), Tag: true})
	}
	return append(out, estate.SecretLife{Name: dbSecret, Ends: ago(day + 2*time.Hour)}, estate.SecretLife{Name: "prod/db/ledger", Ends: in(20 * day)})
}
