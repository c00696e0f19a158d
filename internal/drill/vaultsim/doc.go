// Package vaultsim is an in-process Vault for the drill: a cluster of nodes behind
// http.Handlers that speak the HTTP API as Vault 1.19 does, to the real API client
// and to the real vault command line.
//
// Its rules. Every request but the few that Vault answers to anybody needs a token,
// and what it may do follows from the token's policies; every refusal has the
// status and the words of Vault. A sealed node answers nothing else, a standby
// hands on to the active node, and raft without a quorum has no active node. KV
// keeps versions, check-and-set, deletion and destruction; a static role's password
// changes here only after the database took it. What is not simulated answers as an
// unknown path does, never with something made up.
//
// A community cluster has no replication and says so. Of an enterprise pair the
// secondary holds what the primary wrote as long ago as it lags behind; its answers
// follow Vault's documentation, because there is nothing to try them on.
//
// Everything follows from the seed, the clock and the calls made, the keys of
// certificates excepted, and nothing leaves the process.
package vaultsim
