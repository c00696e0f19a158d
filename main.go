// Command warroom is the console that an incident commander opens when a secret
// has failed to rotate and services are losing access.
package main

import (
	"os"

	"warroom/internal/cli"
)

// version is set by the release build.
var version = ""

func main() { os.Exit(cli.Main(version)) }
