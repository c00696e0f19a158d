// Package pgsim is the PostgreSQL of the drill: a primary and a streaming
// replica on loopback that speak the real wire protocol to real clients, psql
// included.
//
// Its rules:
//
//   - It keeps PostgreSQL's invariants, so that an action really repairs the
//     world: passwords exist only as SCRAM-SHA-256 verifiers; a change is made on
//     the primary, is written to a simulated WAL and reaches the replica only
//     when replay gets there; the order of checks at login, SQLSTATEs and message
//     texts are those of PostgreSQL 15.
//   - What it does not simulate it refuses with an error, and never with a
//     made-up result.
//   - It is deterministic: figures follow from Options.Seed, the clock given and
//     the calls made. Only nonces and cancel keys are random.
//   - It is bounded: message sizes, time to log in, connections and log. Close
//     ends every goroutine.
package pgsim
