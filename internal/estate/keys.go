package estate

// Names of the checks that read AWS, as they stand in Key.Check; Key.Item is a
// secret's or key's id where a check reads several.
const (
	CheckIdentity        = "identity"         // brings a CallerIdentity
	CheckDescribe        = "describe"         // brings a SecretDescription; its item is the secret's id
	CheckInventory       = "inventory"        // brings a SecretInventory
	CheckFunction        = "function"         // brings a FunctionConfig
	CheckConcurrency     = "concurrency"      // brings a FunctionConcurrency
	CheckPolicy          = "policy"           // brings a FunctionPolicy
	CheckFunctionMetrics = "function-metrics" // brings FunctionMetrics
	CheckFunctionLogs    = "function-logs"    // brings FunctionLogs
	CheckKey             = "key"              // brings a KeyState; its item is the key's id
	CheckKeyRotation     = "key-rotation"     // brings a KeyRotation; its item is the key's id
)
