// Command vault is HashiCorp Vault with its whole command line, as the lab runs
// it: built from the released module, unchanged. Its licence is the BUSL: it is a
// test peer, never shipped and never imported by the product.
package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() { os.Exit(command.Run(os.Args[1:])) }
