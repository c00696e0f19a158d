package estate

// Names of the checks of the control plane and of what completes the edge, as
// they stand in Key.Check.
const (
	CheckRotationEvents = "rotation-events" // brings RotationEvents; its item is the account
	CheckChanges        = "changes"         // brings Changes; its item is the account
	CheckTrails         = "trails"          // brings Trails; its item is the account
	CheckPermissions    = "permissions"     // brings Permissions
	CheckFailedAuths    = "failed-auths"    // brings FailedAuths; its item is the source's name
	CheckListeners      = "listeners"       // brings Listeners
	CheckAuthorizers    = "authorizers"     // brings Authorizers
)
