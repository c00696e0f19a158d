// Package postgres is what procedures do at PostgreSQL: where a stored secret logs
// in, changing a role's password, locks, waiting for replicas, and poolers.
//
// Its rules:
//
//   - A password does not travel in SQL: what is sent is a SCRAM-SHA-256 verifier made
//     here. Where a server must see the password itself, the configuration says why
//     and the plan names it.
//   - A login that the server refused is not repeated with the same version of a
//     credential within 5 minutes, unless something changed that makes the answer
//     another: a password that was set, a replica that replayed.
//   - Positions in the WAL tell whether a replica knows a password; times do not.
//   - Names are quoted, always.
package postgres
