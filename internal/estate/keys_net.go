package estate

// Names of the checks that read TLS and HTTP endpoints, and of their items, as
// they stand in Key.Check and Key.Item.
const (
	// CheckTLS brings an Endpoint; its item is address|server_name.
	CheckTLS = "tls"
	// CheckIssuer brings IssuerKeys; it has no item.
	CheckIssuer = "issuer"
	// CheckProbe brings a GatewayProbe; its items are ItemWithoutToken and
	// ItemWithToken.
	CheckProbe = "probe"
	// CheckAuthFailures brings a FailureRate; it has no item.
	CheckAuthFailures = "auth-failures"
	// CheckAPI brings an APIProbe; it has no item.
	CheckAPI = "api"
	// CheckHealth brings a Health; it has no item.
	CheckHealth = "health"

	ItemWithoutToken = "without-token"
	ItemWithToken    = "with-token"
)

// TLSItem is the Key.Item of one TLS endpoint.
func TLSItem(address, serverName string) string { return address + "|" + serverName }
