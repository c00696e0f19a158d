package estate

// Names of the checks that read PostgreSQL, as they stand in Key.Check.
const (
	CheckLogin       = "login"       // brings a Login; its item is the staging label tried
	CheckRole        = "role"        // brings a Role
	CheckConnections = "connections" // brings Connections
	CheckReplication = "replication" // brings a Replication
)
