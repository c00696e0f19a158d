package estate

// Names of the checks that read Vault, as they stand in Key.Check. None has an
// item.
const (
	CheckVaultHealth      = "vault-health"       // brings a VaultHealth
	CheckVaultSeal        = "vault-seal"         // brings a VaultSeal
	CheckVaultNodes       = "vault-nodes"        // brings VaultNodes
	CheckVaultRaft        = "vault-raft"         // brings a VaultRaft
	CheckVaultReplication = "vault-replication"  // brings a VaultReplication
	CheckVaultPair        = "vault-pair"         // brings a VaultPair
	CheckVaultMounts      = "vault-mounts"       // brings VaultMounts: secrets engines
	CheckVaultAuth        = "vault-auth"         // brings VaultMounts: auth methods
	CheckVaultAudit       = "vault-audit"        // brings a VaultAudit
	CheckVaultCount       = "vault-count"        // brings a VaultCount
	CheckVaultStaticRoles = "vault-static-roles" // brings VaultStaticRoles
	CheckVaultToken       = "vault-token"        // brings a VaultToken
)
