// Package lab runs real servers for the tests: PostgreSQL with a streaming
// replica, an AWS look-alike that checks the wire format, and a TLS server.
//
// It is its own Go module, so that nothing it needs ever weighs on the
// product, and it only runs binaries that are installed on the machine.
//
// Its rules:
//
//   - A server is a Peer, one file each. Peers start side by side; one that
//     needs another awaits it.
//   - Everything listens on loopback only, on ports that were free, and keeps
//     its files in one private folder that is removed at the end.
//   - A peer never outlives the lab: it is stopped on every way out, and the
//     kernel stops it when the lab itself is killed.
//   - What is missing fails and says how to install it. Nothing is skipped.
package lab
